from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from weft.pipeline.explain import find
from weft.transforms.io import parquet


class Row(NamedTuple):
    key: str
    number: int
    more: str = "default"


class Newer(NamedTuple):
    key: str
    since: int | None


def write(folder, name, keys):
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({"key": keys, "number": list(range(len(keys)))})
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=10)


def test_rows_of_all_files_by_the_value_of_a_column(tmp_path):
    write(tmp_path / "t/u", "a", [f"{n:03d}" for n in range(100)])
    write(tmp_path / "t/u", "b.more", ["050", "xyz"])
    assert find.rows(str(tmp_path), "t/u", Row, key="050") == [Row("050", 50), Row("050", 0)]
    assert find.rows(str(tmp_path), "t/u", Row, "*.more", key=["050", "xyz"]) == [Row("050", 0), Row("xyz", 1)]
    assert find.rows(str(tmp_path), "t/u", Row, key="none") == find.rows(str(tmp_path), "none", Row, key="050") == []
    assert find.rows(str(tmp_path), "t/u", Row, absent="050") == find.rows(str(tmp_path), "t/u", Row, key=[]) == []
    assert find.rows(str(tmp_path), "t/u", Newer, key="099") == [Newer("099", None)]
    assert find.rows(str(tmp_path), "t/u", Row, "of-no-unit.more", key="050") == [Row("050", 0)]
    assert find.rows(str(tmp_path), "t/u", Row, "a", key="xyz") == []
    assert parquet.count_rows(str(tmp_path / "t/u/*.parquet")) == 102
    assert list(parquet.read_table(str(tmp_path / "t/u"), Row))[-1] == Row("xyz", 1)


def test_groups_that_cannot_hold_the_value_are_not_read(tmp_path, monkeypatch):
    write(tmp_path / "t", "a", [f"{n:03d}" for n in range(100)])
    groups = []
    for name, numbers in (("read_row_group", lambda n: [n]), ("read_row_groups", list)):
        read = getattr(pq.ParquetFile, name)
        monkeypatch.setattr(
            pq.ParquetFile,
            name,
            lambda self, n, read=read, numbers=numbers, **more: groups.extend(numbers(n)) or read(self, n, **more),
        )
    assert find.rows(str(tmp_path), "t", Row, key="042") == [Row("042", 42)]
    assert groups == [4, 4]


def test_rows_of_many_groups_are_found_where_each_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(find, "_GROUPS", 3)
    keys = [str(n * 7 % 10) for n in range(100)]
    write(tmp_path / "t", "a", keys)
    expected = [Row(key, n) for n, key in enumerate(keys) if key in "36"]
    assert find.rows(str(tmp_path), "t", Row, key=["3", "6"]) == expected
    pq.write_table(
        pa.table({"key": pa.array([], pa.string()), "number": pa.array([], pa.int64())}), tmp_path / "t/b.parquet"
    )
    assert find.rows(str(tmp_path), "t", Row, key=["3", "6"]) == expected


class Listed(NamedTuple):
    key: str
    many: list[str | None]


def test_rows_whose_list_holds_a_value(tmp_path):
    lists = [["http://a.test/1", None], [], None, [None, "x", "http://a.test/2"], ["http://a.test/1"] * 2]
    (tmp_path / "t").mkdir()
    keys = [str(n) for n in range(5)]
    table = pa.table({"key": keys, "many": pa.array(lists, pa.list_(pa.string())), "other": keys})
    for name, size in (("a", 2), ("b", 10)):
        pq.write_table(table, tmp_path / f"t/{name}.parquet", row_group_size=size)
    found = find.rows(str(tmp_path), "t", Listed, many="http://a.test/1")
    assert found == [Listed("0", lists[0]), Listed("4", lists[4])] * 2
    assert find.rows(str(tmp_path), "t", Listed, many="http://a.test/1", key="4") == [Listed("4", lists[4])] * 2
    assert find.rows(str(tmp_path), "t", Listed, many="http://a.test") == []
