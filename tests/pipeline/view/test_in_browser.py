"""`weft view` as a person meets it: the command, in a real Chromium, by keyboard, narrow and wide, light and dark."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import browser as browsers
import pytest
from browser import Browser

PAGES = ("/", "/documents", "/pairs", "/clusters", "/images", "/shards", "/shards/interleaved/train/000000.tar")
# Controls without a name, pictures without a text, levels of headings that are left out, ids that are there twice.
BARRIERS = """
const found = [], seen = new Set();
for (const one of document.querySelectorAll("input, select")) if (!one.labels.length) found.push(one.outerHTML);
for (const one of document.querySelectorAll("img")) if (!one.alt) found.push(one.outerHTML);
for (const one of document.querySelectorAll("a, button")) if (!one.textContent.trim()) found.push(one.outerHTML);
for (const one of document.querySelectorAll("[id]")) { if (seen.has(one.id)) found.push(one.outerHTML); seen.add(one.id); }
for (const one of document.querySelectorAll("svg")) if (!one.getAttribute("aria-label")) found.push("svg without words");
let level = 0;
for (const one of document.querySelectorAll("h1, h2, h3, h4")) {
  const mine = Number(one.tagName[1]);
  if (mine > level + 1) found.push(one.outerHTML);
  level = mine;
}
return found;
"""


@pytest.fixture(scope="module")
def address(finished: Path) -> Iterator[str]:
    """Where the command serves the finished run; ended as a person ends it."""
    command = [sys.executable, "-m", "weft.pipeline.cli", "view", str(finished), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stderr
            said = re.search(r"http://127\.0\.0\.1:\d+(?=/ )", running.stderr.readline())
            assert said
            yield said[0]
        finally:
            running.send_signal(signal.SIGINT)
            assert running.wait(300) == 0 and not running.stderr.read()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsers.chromium() as found:
        if found is None:
            pytest.skip(browsers.WHY_NOT)
        yield found


def soon(true: Callable[[], bool]) -> bool:
    for _ in range(6_000):
        if true():
            return True
        time.sleep(0.05)
    return False


def test_every_page_is_whole_at_every_width_in_both_schemes(browser: Browser, address: str) -> None:
    browser.complaints()
    browser.open(f"{address}/documents?fate=kept")
    document = browser.run("return document.querySelector('main .list a').pathname")
    browser.open(f"{address}/clusters")
    cluster = browser.run("return document.querySelector('main .list a').pathname")
    for path in (*PAGES, document, cluster, f"/explain?thing={document.rpartition('/')[2]}"):
        for width, scheme in ((400, "dark"), (1200, "light")):
            browser.look(width, 900, scheme)
            browser.open(f"{address}{path}")
            where = f"{path} at {width}"
            assert browser.overflow() == [], where
            assert browser.run("return document.documentElement.scrollWidth") <= width, where
            assert browser.run(BARRIERS) == [], where
            told = "return getComputedStyle(document.body).backgroundColor"
            assert browser.run(told) == ("rgb(20, 24, 27)" if scheme == "dark" else "rgb(251, 251, 249)"), where
    assert browser.complaints() == []  # nothing refused by the policy, nothing missing, nothing thrown


def test_pictures_of_a_document_are_seen(browser: Browser, address: str) -> None:
    browser.look(1200, 900)
    browser.open(f"{address}/documents?fate=kept&order=most+pictures")
    browser.open(address + browser.run("return document.querySelector('main .list a').pathname"))
    browser.run("document.querySelectorAll('main img').forEach(one => one.loading = 'eager')")
    assert soon(lambda: browser.run("return [...document.querySelectorAll('main img')].every(one => one.complete)"))
    assert min(browser.run("return [...document.querySelectorAll('main img')].map(one => one.naturalWidth)")) > 0


def test_the_keyboard_reaches_the_content_and_moves_the_line(browser: Browser, address: str) -> None:
    browser.look(1200, 900)
    browser.open(f"{address}/pairs?at=0.5")
    browser.press("tab")
    assert browser.run("return document.activeElement.textContent") == "Skip to the content"
    browser.press("enter", "tab")
    assert browser.run("return document.getElementById('main').contains(document.activeElement)")
    browser.run("document.getElementById('at').focus()")
    told = browser.run("return document.getElementById('passes').textContent")
    assert told.startswith("At 0.50, ")
    browser.press("right", "right")
    assert browser.run("return document.getElementById('passes').textContent").startswith("At 0.52, ")
    assert soon(lambda: "at=0.52" in browser.run("return location.search"))
    shown = browser.run("return document.getElementById('above-h').parentElement.querySelector('.meta').textContent")
    assert float(shown.split(" ")[0]) >= 0.52
    assert browser.run("return document.activeElement.id") == "at"  # the hand stays where it is
