"""Rows between two levels come back whole, wherever they were kept."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from weft.pipeline.runners.local import partitions
from weft.pipeline.runners.local.partitions import Partition, Writer, together

ROWS = [(b"key %d" % (n % 300), b"value %d" % n * 3) for n in range(2_000)]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], str]:
    return lambda: str(tmp_path)


def written(folder: Callable[[], str], name: str = "a", parts: int = 4) -> Writer:
    writer = Writer(folder, name, parts)
    for key, value in ROWS:
        writer.rows("c")[int(key[4:]) % parts].extend((key, value))
        writer.grown(len(key) + len(value))
    return writer


@pytest.mark.parametrize("memory", [100, 5_000, 1 << 30], ids=["each row", "some", "all in memory"])
def test_every_key_comes_once_with_all_its_values(
    memory: int, folder: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MEMORY", memory)
    parts = written(folder).close()["c"]
    assert bool([*tmp_path.iterdir()]) == (memory < 1 << 30)
    assert sum(part.size for part in parts) == sum(len(k) + len(v) + 100 for k, v in ROWS)
    found = [(key, sorted(values)) for part in parts for key, values in part.groups(folder)]
    assert sorted(found) == sorted((key, sorted(v for k, v in ROWS if k == key)) for key in {k for k, _ in ROWS})
    assert not [*tmp_path.iterdir()] and not any(part.size or part.rows for part in parts)


def test_a_large_partition_of_keys_of_one_length_is_grouped_in_small_lots(
    folder: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [hashlib.md5(b"%d" % n).hexdigest().encode() for n in range(40_000)]
    mine = [key for key in keys if partitions.part_of(key, 32) == 5]
    part = Partition(0, [one for key in mine for one in (key, b"x" * 100)])
    part.size = whole = sum(len(key) + 200 for key in mine)
    monkeypatch.setattr(partitions, "MEMORY", whole // 6)
    lots: list[int] = []
    close = Writer.close

    def closed(writer: Writer) -> partitions.Kept:
        found = close(writer)
        lots.extend(one.size for one in found[""])
        return found

    monkeypatch.setattr(Writer, "close", closed)
    assert sorted(key for key, _ in part.groups(folder)) == sorted(mine)
    assert len(lots) == 16 and max(lots) < whole / 10


def test_one_key_that_is_too_large_is_not_divided_for_ever(
    folder: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "MEMORY", 100)
    part = Partition(10_000, [b"key", b"x"] * 500)
    assert [(key, len(values)) for key, values in part.groups(folder)] == [(b"key", 500)]


def test_what_several_writers_took_is_together_and_can_be_read_again(folder: Callable[[], str], tmp_path: Path) -> None:
    writers = [written(folder, name) for name in "ab"]
    for writer in writers:
        writer.flush()
    whole = together([writer.close() for writer in writers])["c"]
    assert {len(part.paths) for part in whole} == {2} and len([*tmp_path.iterdir()]) == 8
    for _ in range(2):
        rows = [row for part in whole for some in part.lists() for row in some]
        assert sorted(rows) == sorted(2 * [one for row in ROWS for one in row])
