"""Answers laid aside while a unit is at work come back as they were."""

from pathlib import Path

import pytest

from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.spool import Spool
from weft.transforms.io import spool


def stored(number: int, data: bytes) -> Outcome:
    made = Prepared(data, f"id{number}", "image/png", 4, 3, 2, 1, "0123456789abcdef", bool(number % 2))
    return Outcome(f"k{number}", made, 200, 1_700_000_000_000_000, "http://a.test/ü", "X-Robots-Tag: noai")


FOUND = [
    stored(0, b"\n\n\xff\x00 line\n"),
    Outcome("k1", Refused("http_error", "HTTP 404\nsecond line"), 404, 7),
    stored(2, b""),
    Outcome("k3", Refused("timeout", "no whole answer"), 0, 8),
    stored(4, bytes(range(256)) * 9),
]


def test_what_was_got_is_there_in_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST_ITEMS", 2)
    first = Spool(str(tmp_path), "http-00001", "f" * 32)
    assert list(first.earlier()) == []
    taken = first.through(iter(FOUND))
    for _ in FOUND:  # and then it is killed
        next(taken)
    second = Spool(str(tmp_path), "http-00001", "f" * 32)
    assert list(second.earlier()) == FOUND[:4], "the last was in no whole file yet"
    third = Spool(str(tmp_path), "http-00001", "f" * 32)
    assert list(third.earlier()) == FOUND[:4]
    assert list(third.through(FOUND[3:])) == FOUND[3:]
    fourth = Spool(str(tmp_path), "http-00001", "f" * 32)
    assert list(fourth.earlier()) == [*FOUND[:4], *FOUND[3:]], "none written over"
    assert list(Spool(str(tmp_path), "http-00001", "e" * 32).earlier()) == [], "another wish list is another spool"
    fourth.remove()
    assert list(Spool(str(tmp_path), "http-00001", "f" * 32).earlier()) == []


@pytest.mark.parametrize("limit", [("MOST_BYTES", 1), ("MOST_SECONDS", 0.0)])
def test_a_file_is_written_when_it_is_large_or_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, float]
) -> None:
    monkeypatch.setattr(spool, *limit)
    one = Spool(str(tmp_path), "u", "f")
    assert list(one.through([FOUND[0], FOUND[4]])) == [FOUND[0], FOUND[4]]
    assert list(Spool(str(tmp_path), "u", "f").earlier()) == [FOUND[0], FOUND[4]]


def test_attempts_at_the_same_time_do_not_write_over_each_other(tmp_path: Path) -> None:
    one, other = (Spool(str(tmp_path), "u", "f") for _ in range(2))
    one.keep(FOUND[:2])
    other.keep(FOUND[2:])
    assert (list(one.again()), list(other.again())) == (FOUND[:2], FOUND[2:])
    assert sorted(found.key for found in Spool(str(tmp_path), "u", "f").earlier()) == [found.key for found in FOUND]
