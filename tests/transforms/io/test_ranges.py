"""Pieces of large files come back exactly, near ones by one request, in the order in which they were asked for."""

import random
from collections.abc import Iterator
from pathlib import Path

import fake_s3
import pytest

from weft.transforms.io import files, object_files, ranges
from weft.transforms.io.ranges import Place

CONTENT = random.Random(1).randbytes(3 << 20)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with fake_s3.serve() as flags:
        object_files.configure(flags)
        for name in "ab":
            files.write_atomic(f"{fake_s3.BUCKET}/{name}", CONTENT)
        yield fake_s3.BUCKET
    object_files.configure(())


def places(base: str, seed: int) -> list[Place]:
    dice = random.Random(seed)
    return [
        Place(f"{base}/{dice.choice('ab')}", start, dice.randrange(200_000))
        for start in (dice.randrange(len(CONTENT)) for _ in range(60))
    ]


def content(place: Place) -> bytes:
    return CONTENT[place.offset : place.offset + place.length]


@pytest.mark.parametrize("seed", range(3))
def test_any_pieces_in_any_order(tmp_path: Path, s3: str, seed: int) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(CONTENT)
    wanted = places(str(tmp_path), seed) + places(s3, seed)
    for order in (wanted, sorted(wanted), sorted(wanted, reverse=True)):
        assert list(ranges.read(order)) == list(map(content, order))


def test_near_pieces_cost_one_request_and_far_ones_no_bytes_between(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    get = type(object_files.store(s3)).get
    monkeypatch.setattr(type(object_files.store(s3)), "get", lambda *told: asked.append(told[-2:]) or get(*told))
    near = [Place(f"{s3}/a", start, 1_000) for start in range(0, 500_000, 2_000)]
    far = Place(f"{s3}/a", 2_000_000, 1_000)
    assert list(ranges.read([*near, far])) == list(map(content, [*near, far]))
    assert sorted(asked) == [(0, 499_000), (2_000_000, 1_000)]


def test_a_request_has_a_size(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MOST", 100_000)
    asked: list[int] = []
    get = type(object_files.store(s3)).get
    monkeypatch.setattr(type(object_files.store(s3)), "get", lambda *told: asked.append(told[-1]) or get(*told))
    wanted = [Place(f"{s3}/a", start, 7_000) for start in range(0, 700_000, 7_000)] + [Place(f"{s3}/b", 0, 300_000)]
    assert list(ranges.read(wanted)) == list(map(content, wanted))
    assert sorted(asked) == [14_000, *[98_000] * 7, 300_000]


def test_what_is_beyond_the_end_is_short_and_what_is_missing_an_error(tmp_path: Path, s3: str) -> None:
    (tmp_path / "a").write_bytes(b"short")
    for base, length in ((str(tmp_path), 5), (s3, len(CONTENT))):
        assert [
            len(one) for one in ranges.read([Place(f"{base}/a", length - 3, 9), Place(f"{base}/a", length + 9, 9)])
        ] == [3, 0]
        with pytest.raises(FileNotFoundError):
            list(ranges.read([Place(f"{base}/none", 0, 1)]))


def test_a_file_that_is_not_there_may_have_no_bytes(tmp_path: Path, s3: str) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    asked = [Place(f"{base}/{name}", 5, 10) for base in (str(tmp_path), s3) for name in ("a", "none")]
    assert list(ranges.read(asked, missing=True)) == [CONTENT[5:15], b""] * 2
    with pytest.raises(OSError, match="none"):
        list(ranges.read(asked))
