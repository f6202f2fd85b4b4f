"""The last wall around a page: it stands in any thread, and also in a library that takes every error for its own."""

import contextlib
import dataclasses
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from weft.pipeline.runners import stillness
from weft.schemas.parameters import PageRules
from weft.schemas.records import Fate, Pair
from weft.transforms.extract import cpu_budget, gibberish, page
from weft.transforms.extract.archive import extract_archive
from weft.transforms.extract.cpu_budget import TooSlow, within


def endless() -> None:
    while True:
        try:
            sum(range(1_000))
        except Exception:
            continue


def test_what_does_not_end_is_given_up_in_a_thread_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    ended: list[str] = []

    def bundle() -> None:
        assert within(60.0, lambda: 7) == 7
        for _ in range(2):  # the thread goes on, and may be over again
            with pytest.raises(TooSlow):
                within(0.05, endless)
        ended.append(str(within(60.0, lambda: sum(range(100_000)))))

    thread = threading.Thread(target=bundle)
    thread.start()
    thread.join()
    assert ended == ["4999950000"] and not cpu_budget._watched


def test_the_thread_that_looks_ends_with_the_work_and_is_not_at_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that waits for its next bundle must not seem to stand still in one."""
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    during = within(60.0, lambda: (cpu_budget._watcher, [*stillness.at_work().values()]))
    assert during[0] is not None and not any("_look" in place for place in during[1])
    during[0].join()
    assert not during[0].is_alive()
    assert within(60.0, lambda: 7) == 7


def test_what_comes_as_the_work_ends_strikes_nothing_else() -> None:
    me = threading.get_ident()
    for _ in range(200):  # the error is raised within, or taken back: never after it
        with contextlib.suppress(TooSlow):
            within(60.0, lambda: cpu_budget._raise_in(me, TooSlow))
        sum(range(1_000))
    assert not cpu_budget._watched


def test_a_system_without_such_a_clock_has_no_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "pthread_getcpuclockid")
    assert within(0.0, lambda: 7) == 7


def test_an_error_of_the_work_is_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        within(60.0, lambda: 1 // 0)
    assert not cpu_budget._watched


def test_a_page_that_is_too_slow_has_a_fate_and_the_next_one_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = gibberish.judge

    def slow(text: str, rules: Any) -> tuple[str, str]:
        return endless() or ("", "") if "hostile" in text else judge(text, rules)

    rules = PageRules(min_words=0, languages=(), main_content=False)
    assert page.extract_html("<p>kind", "http://a.test/", rules).document is not None  # loads what is loaded once
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    monkeypatch.setattr(cpu_budget, "CPU_S", 0.2)
    monkeypatch.setattr(gibberish, "judge", slow)
    (fate,) = page.extract_html("<p>hostile", "http://a.test/", rules).fates
    assert (fate.kind, fate.fate, fate.reason, fate.detail) == (
        "page", "dropped", "page_too_slow", "over 0.2 CPU seconds",
    )  # fmt: skip
    assert page.extract_html("<p>kind", "http://a.test/", rules).document is not None


@pytest.mark.parametrize("form", ["page", "list", "wat"])
def test_a_filter_of_captions_that_does_not_end_costs_its_page_alone(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless_rules.py").write_text("def judge(pair):\n    while 'red' in pair.text: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    texts = ("A red barn of ours", "A blue barn of ours")
    if form == "page":
        prose = f"<p>{'Ours is the barn that we have. ' * 9}</p>"
        said = [f"<main>{prose}<img src=a.jpg alt='{text}'>{prose}</main>" for text in texts]
        lines = [json.dumps({"url": f"http://a.test/{n}", "html": html}) for n, html in enumerate(said)]
    elif form == "list":
        lines = ["url\tcaption", *(f"http://a.test/{n}.jpg\t{text}" for n, text in enumerate(texts))]
    else:
        links = [[{"path": "IMG@/src", "url": "a.jpg", "alt": text}] for text in texts]
        whole = [{"Headers": {}, "HTML-Metadata": {"Head": {}, "Links": one}} for one in links]
        bodies = [json.dumps({"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": one}}}) for one in whole]
        lines = [
            f"WARC/1.0\r\nWARC-Type: metadata\r\nWARC-Target-URI: http://a.test/{n}\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}\r\n\r"
            for n, body in enumerate(bodies)
        ]
    path = tmp_path / {"page": "a.jsonl", "list": "a.tsv", "wat": "a.warc"}[form]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    rules = PageRules(languages=(), min_words=0, pair_filters=("endless_rules:judge",))
    assert list(extract_archive(str(path), dataclasses.replace(rules, pair_filters=())))  # loads what is loaded once
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    monkeypatch.setattr(cpu_budget, "CPU_S", 0.2)
    found = list(extract_archive(str(path), rules))
    pages = [(row.reason, row.detail) for row in found if isinstance(row, Fate) and row.kind == "page"]
    assert [reason for reason, _ in pages] == ["page_too_slow", ""] and pages[0][1] == "over 0.2 CPU seconds"
    assert [row.text for row in found if isinstance(row, Pair)] == [texts[1]]
