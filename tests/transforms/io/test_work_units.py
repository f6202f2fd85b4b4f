"""A unit is done once per fingerprint, and a unit that failed was not done."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from weft.schemas.records import DROPPED, KEPT, Fate
from weft.transforms.io import state
from weft.transforms.io.work_units import run_unit, unit_name, write_fates


def test_a_unit_is_done_once_for_each_fingerprint(tmp_path: Path) -> None:
    done: list[str] = []

    def go(fingerprint: str, name: str = "u") -> dict[str, int]:
        def work() -> dict[str, int]:
            done.append(fingerprint)
            return {"image": len(done)}

        return run_unit(str(tmp_path), "fetch", name, fingerprint, work)

    assert go("a") == {"image": 1}
    assert go("a") == {"image": 1}
    assert done == ["a"]
    assert go("b") == {"image": 2}
    assert go("b", "other") == {"image": 3}
    assert done == ["a", "b", "b"]
    assert sorted(p.name for p in (tmp_path / "fetch" / "units").iterdir()) == ["other.json", "u.json"]


def test_a_unit_that_failed_is_done_again(tmp_path: Path) -> None:
    def fails() -> dict[str, int]:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_unit(str(tmp_path), "fetch", "u", "a", fails)
    assert not (tmp_path / "fetch" / "units" / "u.json").exists()
    assert run_unit(str(tmp_path), "fetch", "u", "a", lambda: {"image": 7}) == {"image": 7}


def test_the_marker_is_the_same_bytes_whatever_order_was_counted_in(tmp_path: Path) -> None:
    marker = tmp_path / "s" / "units" / "u.json"
    run_unit(str(tmp_path), "s", "u", "a", lambda: {"x": 1, "b": 2})
    first = marker.read_bytes()
    marker.unlink()
    run_unit(str(tmp_path), "s", "u", "a", lambda: {"b": 2, "x": 1})
    assert marker.read_bytes() == first
    assert state.parse(first) == {"fingerprint": "a", "counts": {"x": 1, "b": 2}, "files": {}}


@pytest.mark.parametrize("how", ["lost", "cut", "other", "marker"])
def test_a_unit_whose_files_are_not_what_they_were_is_done_again(tmp_path: Path, how: str) -> None:
    done: list[int] = []

    def go() -> None:
        def work() -> dict[str, int]:
            done.append(write_fates(str(tmp_path), "s", "u", [Fate("s", "image", "k", KEPT, "", "")]))
            return {}

        run_unit(str(tmp_path), "s", "u", "a", work)

    go()
    table, marker = tmp_path / "fates/s/u.parquet", tmp_path / "s/units/u.json"
    whole = table.read_bytes()
    go()
    assert done == [1]
    if how == "lost":
        table.unlink()
    elif how == "marker":
        marker.write_bytes(b"")  # as a power cut leaves it
    else:
        table.write_bytes(whole[:-1] if how == "cut" else bytes([whole[0] ^ 1]) + whole[1:])
    go()
    assert done == [1, 1] and table.read_bytes() == whole


def test_fates_go_to_the_unit_s_own_file(tmp_path: Path) -> None:
    fates = [Fate("fetch", "image", "k1", KEPT, "", ""), Fate("fetch", "image", "k2", DROPPED, "svg", "d")]
    assert write_fates(str(tmp_path), "fetch", "u", fates) == 2
    rows = pq.read_table(tmp_path / "fates" / "fetch" / "u.parquet").to_pylist()
    assert [Fate(**row) for row in rows] == fates
    assert write_fates(str(tmp_path), "fetch", "none", []) == 0
    assert pq.read_table(tmp_path / "fates" / "fetch" / "none.parquet").num_rows == 0


def test_files_of_one_name_in_two_places_are_two_units():
    assert unit_name("a/x.warc.gz") != unit_name("b/x.warc.gz")
    assert unit_name("a/x.warc.gz").startswith("x-")
