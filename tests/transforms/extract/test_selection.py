"""An index chooses records: those, and only those, that a full read and a filter would choose."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from crawl_server import Indexed, crawl_server, index, lay_out

from weft.pipeline.run import inputs, snapshots
from weft.schemas.parameters import ConfigError, PageRules
from weft.schemas.records import Fate, hash_unit
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract import rows, selection
from weft.transforms.extract.archive import extract_archive, extract_record
from weft.transforms.io import files, web_files

ID = "CC-MAIN-2024-10"


@pytest.fixture(scope="module")
def crawl(small_web, tmp_path_factory):
    """(root of a snapshot, rows of its index, its records by file and offset)."""
    root = tmp_path_factory.mktemp("snapshot")
    paths = lay_out(root, ID, sorted((small_web / "warcs").iterdir()))
    found = index(root, ID, paths)
    whole = {
        (path, one.offset): one for path in paths for one in read_archive(str(root / path)) if isinstance(one, Record)
    }
    return root, found, whole


def below(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


WISHES = {
    "language=deu": lambda row: "deu" in (row.content_languages or ""),
    "domain=news1.weft.test,*.library2.weft.test": lambda row: (
        row.url_host_name.removeprefix("www.") in ("news1.weft.test", "library2.weft.test")
    ),
    "url=news1.weft.test/20,https://www.library2.weft.test/*": lambda row: (
        row.url.partition("://")[2].startswith("news1.weft.test/20")
        or row.url_host_name.removeprefix("www.") == "library2.weft.test"
    ),
    "mime=text/html&domain=*.test": lambda row: row.content_mime_type == "text/html",
    "status=404,500": lambda row: row.fetch_status in (404, 500),
    "language=eng&mime=text/html&sample=0.3": lambda row: (
        "eng" in (row.content_languages or "")
        and hash_unit(f"{row.warc_filename}:{row.warc_record_offset}", "snapshot") < 0.3
    ),
    "domain=nowhere.example": lambda row: False,
}


def selected(query: str, base: str, api: str = "") -> list[Record]:
    found = [path for path, _ in inputs.expand([f"cc:{ID}?{query}"], base, api)]
    return [record for path in found for record in selection.of_index(path, base)]


@pytest.mark.parametrize("query", WISHES)
def test_it_chooses_exactly_what_a_full_read_and_filter_does(crawl, query):
    root, rows_, whole = crawl
    asked = WISHES[query]
    wanted = {
        (row.warc_filename, row.warc_record_offset)
        for row in rows_
        if asked(row) and ("status" in query or row.fetch_status == 200)
    }
    assert len(wanted) > 1 or "nowhere" in query
    found = {(one.archive.removeprefix(f"{root}/"), one.offset): one for one in selected(query, str(root))}
    assert set(found) == wanted
    assert all(one._replace(archive=whole[place].archive) == whole[place] for place, one in found.items())


def test_over_the_web_it_asks_for_these_records_and_little_else(crawl, monkeypatch):
    root, rows_, _ = crawl
    monkeypatch.setattr(web_files, "FIRST_WINDOW", 4_000)
    monkeypatch.setattr(web_files, "BACKOFF_S", 0.01)
    monkeypatch.setattr(web_files, "JITTER_S", 0.01)
    here = selected("language=deu", str(root))
    with crawl_server(root, moods=("ok", "break", "503", "ok", "ok")) as server:
        found = selected("language=deu", server.url)
        asked = [(path, span) for _, path, span in server.seen if path.endswith((".warc", ".warc.gz"))]
    assert [one._replace(archive="") for one in found] == [one._replace(archive="") for one in here]
    assert found[0].archive.startswith(server.url)
    lengths = {
        (
            f"/{row.warc_filename}",
            f"bytes={row.warc_record_offset}-{row.warc_record_offset + row.warc_record_length - 1}",
        )
        for row in rows_
        if row.url_host_name.startswith("intl")
    }
    exact = [one for one in asked if one in lengths]
    assert exact  # a record that stands alone is asked for by its own bytes; near ones come together


def test_row_groups_of_other_hosts_are_not_read(crawl, monkeypatch):
    root, rows_, _ = crawl
    read: list[int] = []
    whole = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda self, n, **k: read.append(n) or whole(self, n, **k))
    found = selected("domain=news1.weft.test", str(root))
    groups = -(-len(rows_) // 40)
    assert found and 0 < len(set(read)) <= 3 < groups


def test_a_run_gives_these_pages_and_says_where_they_stand(crawl):
    root, _, whole = crawl
    rules = PageRules(languages=())
    parts = [path for path, _ in inputs.expand([f"cc:{ID}?language=deu&mime=text/html"], str(root))]
    found = [row for path in parts for row in extract_archive(path, rules)]
    told = {row.key for row in found if isinstance(row, Fate) and row.kind == "record"}
    assert told and all(
        (key.rpartition(":")[0].removeprefix(f"{root}/"), int(key.rpartition(":")[2])) in whole for key in told
    )
    alone = [
        row
        for part in parts
        for record in selection.of_index(part)
        for row in extract_record(record, rules, f"{record.archive}:{record.offset}", set())
    ]
    assert found == alone


FORMS = ("parquet", "api.jsonl", "athena.csv")


def listed(form: str, hits: list[Indexed], path: Path) -> str:
    if form == "parquet":
        part = pq.read_table(next(path.rglob("part-00000*")))
        keep = [row in {h.warc_record_offset for h in hits} for row in part["warc_record_offset"].to_pylist()]
        pq.write_table(part.filter(keep), path / "hits.parquet")
    elif form == "api.jsonl":
        lines = [
            {"filename": h.warc_filename, "offset": str(h.warc_record_offset), "length": str(h.warc_record_length)}
            for h in hits
        ]
        (path / "hits.api.jsonl").write_text("".join(json.dumps({"url": "x", **line}) + "\n" for line in lines))
    else:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["url", *Indexed._fields[-4:-1]])
        writer.writerows([[h.url, *h[-4:-1]] for h in hits])
        (path / "hits.athena.csv").write_text(out.getvalue())
    return str(path / f"hits.{form}")


@pytest.mark.parametrize("form", FORMS)
def test_what_others_have_chosen_is_a_list_of_records(crawl, form):
    root, rows_, whole = crawl
    half = pq.read_table(next(root.rglob("part-00000*")), columns=["warc_record_offset"])
    hits = [row for row in rows_ if row.warc_record_offset in set(half["warc_record_offset"].to_pylist())][:6]
    path = listed(form, hits, root)
    look = rows.look(path)
    assert selection.is_list(look)
    found = list(selection.of_list(path, look, str(root)))
    places = {(one.archive.removeprefix(f"{root}/"), one.offset) for one in found}
    assert places >= {(row.warc_filename, row.warc_record_offset) for row in hits}
    assert all(whole[place].url == one.url for place, one in zip(sorted(places), found, strict=True))


def test_what_is_not_there_and_what_says_nothing_have_a_fate(tmp_path):
    lines = [{"filename": "none.warc.gz", "offset": 5, "length": 10}, {"filename": "x", "offset": "y", "length": 1}]
    (tmp_path / "hits").write_text("".join(json.dumps(line) + "\n" for line in lines))
    fates = list(extract_archive(str(tmp_path / "hits"), PageRules(common_crawl=str(tmp_path))))
    assert [(fate.key.removeprefix(f"{tmp_path}/"), fate.reason) for fate in fates] == [
        ("hits:1", "no_columns"),
        ("none.warc.gz:5", "unreadable"),
    ]


@pytest.mark.parametrize(
    ("offset", "length", "reason"),
    [
        ("\u00b2", "10", "no_columns"),
        ("\u0661", "10", "no_columns"),
        ("-1", "10", "no_columns"),
        ("1", "9" * 5_000, "no_columns"),
        ("9" * 25, "9", "no_columns"),
        ("9" * 18, "9", "unreadable"),
        ("1", "9" * 18, "too_large"),
        ("", "", "no_columns"),
    ],
)
def test_a_number_that_is_none_or_beyond_every_file_has_a_fate(tmp_path, offset, length, reason):
    (tmp_path / "x.warc").write_bytes(b"WARC/1.0")
    for told in ({"offset": offset, "length": length}, {"offset": 10**4_000, "length": 10**4_000}):
        line = json.dumps({"filename": str(tmp_path / "x.warc"), **told})
        (tmp_path / "hits").write_text(line + "\n")
        (fate,) = extract_archive(str(tmp_path / "hits"), PageRules())
        assert fate.reason == (reason if told["offset"] == offset else "no_columns")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("language=is", r"codes of three letters \(ISO 639-3\), such as isl, not 'is'"),
        ("domain=a b", "domain takes domains, such as"),
        ("url=example.org", "how addresses begin, such as example.org/news/, not 'example.org'"),
        ("sample=2", "sample is a number above 0 and up to 1"),
        ("status=ok", "HTTP statuses, not 'ok'"),
        ("language=isl&files=3", "language= chooses among records, and segments, share, files among files"),
        ("lang=isl", "did you mean 'language'"),
        ("subset=wet&language=isl", "chooses among records"),
    ],
)
def test_what_means_nothing_is_one_line(query, told):
    with pytest.raises(ConfigError, match=told) as caught:
        snapshots.parse(f"cc:{ID}?{query}")
    assert "\n" not in str(caught.value)


def test_an_old_index_that_knows_no_languages_says_so(crawl, tmp_path):
    root, _, _ = crawl
    part = pq.read_table(next(root.rglob("part-00000*"))).drop_columns(["content_languages"])
    pq.write_table(part, tmp_path / "part.parquet")
    path = selection.of_part(str(tmp_path / "part.parquet"), selection.Wish(languages=("isl",)))
    with pytest.raises(ConfigError, match="names no languages"):
        list(selection.of_index(path))


def test_other_lists_of_a_snapshot(crawl):
    root, _, _ = crawl
    files.write_atomic(
        str(root / f"crawl-data/{ID}/robotstxt.paths.gz"), (root / f"crawl-data/{ID}/warc.paths.gz").read_bytes()
    )
    found = inputs.expand([f"cc:{ID}?subset=robotstxt&files=2"], str(root))
    assert len(found) == 2
    parts = inputs.expand([f"cc:{ID}?subset=robotstxt&domain=*.is"], str(root))
    assert len(parts) == 1 and "subset=robotstxt" in parts[0][0]
    assert inputs.describe(parts) == "records chosen by 1 part of an index"
