"""A real Chromium for tests of pages, driven over W3C WebDriver; no package needed beyond Debian's chromium and chromium-driver."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

WHY_NOT = "there is no chromium with chromedriver on this machine"
KEYS = {"tab": "\ue004", "enter": "\ue007", "left": "\ue012", "right": "\ue014"}


class Browser:
    """One window."""

    def __init__(self, driver: str, session: str) -> None:
        self._at = f"{driver}/session/{session}"

    def open(self, url: str) -> None:
        _ask(f"{self._at}/url", {"url": url})

    def run(self, script: str) -> Any:
        """What a script's `return` gives."""
        return _ask(f"{self._at}/execute/sync", {"script": script, "args": []})

    def press(self, *names: str) -> None:
        """Keys, one after the other, to what has the focus."""
        keys = [{"type": kind, "value": KEYS[name]} for name in names for kind in ("keyDown", "keyUp")]
        _ask(f"{self._at}/actions", {"actions": [{"type": "key", "id": "keys", "actions": keys}]})

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """The size of the window's content, and whether the page is asked to be light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self._devtools("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})

    def screenshot(self) -> bytes:
        """PNG of what is seen."""
        return base64.b64decode(_ask(f"{self._at}/screenshot"))

    def complaints(self) -> list[str]:
        """What the browser's console has said since it was last asked: refused by the policy, not found, thrown."""
        return [entry["message"] for entry in _ask(f"{self._at}/se/log", {"type": "browser"})]

    def overflow(self) -> list[str]:
        """What is cropped: beyond the window's right edge and not to be scrolled to, beyond a drawing, or cut by its own."""
        return self.run(_OVERFLOW)

    def _devtools(self, command: str, values: dict[str, Any]) -> None:
        _ask(f"{self._at}/goog/cdp/execute", {"cmd": command, "params": values})


_OVERFLOW = """
const wide = document.documentElement.clientWidth, found = [];
for (const one of document.body.querySelectorAll("*")) {
  const box = one.getBoundingClientRect();
  if (!box.width || box.right <= wide + 1 || one.closest(".skip")) continue;
  let above = one.parentElement;
  while (above && !["auto", "scroll"].includes(getComputedStyle(above).overflowX)) above = above.parentElement;
  if (!above || above === document.body || above === document.documentElement) found.push(one.outerHTML.slice(0, 120));
}
for (const one of document.querySelectorAll("svg text")) {
  const box = one.getBoundingClientRect(), frame = one.ownerSVGElement.getBoundingClientRect();
  const out = [frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom];
  if (Math.max(...out) > 1) found.push(one.outerHTML.slice(0, 120));
}
for (const one of document.querySelectorAll("*")) {
  const hides = ["hidden", "clip"].includes(getComputedStyle(one).overflowX);
  if (hides && !one.matches("input, select") && one.scrollWidth > one.clientWidth + 1) found.push(one.outerHTML.slice(0, 120));
}
return found;
"""


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """A browser, None where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        yield None
        return
    running, port = _started(driver)
    with running:
        try:
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-proxy-server"]
            options = {"binary": program, "args": arguments}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            at = f"http://127.0.0.1:{port}"
            session = _ask(f"{at}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            try:
                yield Browser(at, session)
            finally:
                urllib.request.urlopen(urllib.request.Request(f"{at}/session/{session}", method="DELETE"), timeout=300)
        finally:
            running.terminate()


def _started(program: str) -> tuple[subprocess.Popen[str], str]:
    """A driver and its port: one that is free for IPv4 may not be so for IPv6, and then the driver ends at once."""
    for _ in range(10):
        running = subprocess.Popen([program, "--port=0"], stdout=subprocess.PIPE, text=True)
        assert running.stdout
        for line in running.stdout:
            if "successfully on port" in line:
                return running, line.split()[-1].strip(".")
        running.communicate()
    raise AssertionError("chromedriver does not start")


def _ask(url: str, values: dict[str, Any] | None = None) -> Any:
    data = None if values is None else json.dumps(values).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None
