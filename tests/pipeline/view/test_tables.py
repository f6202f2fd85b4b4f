from pathlib import Path

import pytest
from viewing import GONE, KEPT, TWIN, tiny_run

from weft.pipeline.view.tables import _HOST, JOINS, TABLES, Tables


def test_a_table_that_is_not_there_has_its_columns_and_no_rows(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path))
    for name, (_, _, schema) in TABLES.items():
        wanted = ", ".join(f'"{column}"' for column in schema.names)
        assert tables.rows(f"SELECT {wanted} FROM {name}") == []
    for name in JOINS:
        assert tables.rows(f"SELECT * FROM {name}", of=name) == []


def test_files_that_come_and_go_are_seen(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path))
    tiny_run(tmp_path, ["extract"])
    ask = "SELECT doc_id, fate FROM pages ORDER BY fate"
    assert {row["doc_id"]: row["fate"] for row in tables.rows(ask, of="pages")} == {
        GONE: "extract: too_short", KEPT: "not yet", TWIN: "not yet",
    }  # fmt: skip
    tiny_run(tmp_path)
    assert {row["doc_id"]: row["fate"] for row in tables.rows(ask, of="pages")} == {
        GONE: "extract: too_short", KEPT: "kept", TWIN: "dedup: duplicate_near",
    }  # fmt: skip
    for path in (tmp_path / "fates").rglob("*.parquet"):
        path.unlink()
    assert tables.rows(ask, of="pages") == []


def test_values_are_never_part_of_a_query(tmp_path: Path) -> None:
    tables = Tables(str(tiny_run(tmp_path)))
    tables.warm()
    assert tables.rows("SELECT count(*) AS n FROM pages WHERE url = $url", {"url": "' OR '1'='1"}, "pages") == [
        {"n": 0}
    ]


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://www.Example.org:8080/a", "example.org"),
        ("http://user@www.example.org/a@b", "example.org"),
        ("http://a.example.org?x=/y", "a.example.org"),
        ("http://www2.example.org", "www2.example.org"),
    ],
)
def test_domains_are_hosts_without_www(tmp_path: Path, url: str, domain: str) -> None:
    found = Tables(str(tmp_path)).rows(f"SELECT {_HOST.format('$url')} AS domain", {"url": url})
    assert found == [{"domain": domain}]
