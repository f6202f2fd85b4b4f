import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.pipeline import cli
from weft.pipeline.run import inputs
from weft.schemas.parameters import PageRules
from weft.schemas.records import Document, Fate
from weft.transforms.extract import html_files
from weft.transforms.extract.archive import extract_archive

RULES = PageRules(languages=(), min_words=0, main_content=False)
PAGE = "<h1>Barns</h1><p>Ours is red, and stands in a field of barley.</p><img src='/barn.jpg' alt='A red barn'>"


def documents(path: Path) -> list[Document]:
    return [row for row in extract_archive(str(path), RULES) if isinstance(row, Document)]


def test_a_folder_of_pages_is_one_input(tmp_path):
    (tmp_path / "www.a.test/deep").mkdir(parents=True)
    (tmp_path / "www.a.test/deep/x y.html").write_text(PAGE)
    (tmp_path / "www.a.test/style.css").write_text("p {}")
    (tmp_path / "1.htm").write_text(f'<link href="https://b.test/p?a=1&amp;b=2" rel="canonical">{PAGE}')
    (tmp_path / "2.html").write_text(f"<meta property='og:url' content='https://c.test/'>{PAGE}")
    (tmp_path / "lost.html").write_text(PAGE)
    ((path, size),) = inputs.expand([f"{tmp_path}/"])
    assert path == str(tmp_path) and size > 4 * len(PAGE)
    found = {one.url: one for one in documents(tmp_path)}
    assert set(found) == {"http://www.a.test/deep/x%20y.html", "https://b.test/p?a=1&b=2", "https://c.test/"}
    assert found["https://c.test/"].images[-1] == "https://c.test/barn.jpg"
    assert found["https://c.test/"].warc_file == str(tmp_path / "2.html")
    fates = {
        row.key: row.reason for row in extract_archive(path, RULES) if isinstance(row, Fate) and row.kind == "record"
    }
    assert fates[f"{tmp_path}/lost.html:0"] == "not_http" and len(fates) == 4


@pytest.mark.parametrize("output", ["{}/out", "{}/../{name}/deep/out", "out"])
def test_an_output_inside_a_folder_of_pages_is_refused(tmp_path, output, monkeypatch, capsys):
    """Else the report of the first run is a page of the second."""
    (tmp_path / "1.html").write_text(PAGE)
    monkeypatch.chdir(tmp_path)
    assert (
        cli.main(
            ["extract", "--input", str(tmp_path), "--output", output.format(tmp_path, name=tmp_path.name), "--quiet"]
        )
        == 2
    )
    assert f"lies in the input {tmp_path}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if path.name != ".lock"] == ["1.html"]


def test_a_folder_with_archives_is_these(tmp_path):
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "x.warc.gz").write_bytes(b"")
    assert inputs.expand([str(tmp_path)]) == [(str(tmp_path / "x.warc.gz"), 0)]


@pytest.mark.parametrize("form", ["lines", "parquet", "bytes"])
def test_rows_of_html_and_url_are_pages(tmp_path, form):
    rows = [{"url": f"http://a.test/{n}", "html": PAGE.replace("red", "réd"), "n": n} for n in range(3)]
    rows += [rows[0], {"url": "nowhere", "html": PAGE, "n": 9}]
    if form == "lines":
        (tmp_path / "f").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        coded = [{**row, "html": row["html"].encode()} if form == "bytes" else row for row in rows]
        pq.write_table(pa.Table.from_pylist(coded), tmp_path / "f")
    assert [one.url for one in documents(tmp_path / "f")] == [f"http://a.test/{n}" for n in (0, 1, 2, 0)]
    assert "réd" in documents(tmp_path / "f")[0].texts[0]
    fates = [
        row for row in extract_archive(str(tmp_path / "f"), RULES) if isinstance(row, Fate) and row.kind == "record"
    ]
    assert [(fate.key.rpartition(":")[2], fate.reason) for fate in fates][-1] == ("4", "not_http")


def test_an_address_is_looked_for_where_a_page_says_it():
    place = Path("x.html")
    assert html_files.address(b"<a rel=canonical href=https://a.test/>", place) == ""
    assert html_files.address(b"<LINK REL=canonical HREF=https://a.test/x>", place) == "https://a.test/x"
    assert html_files.address(b"<link rel=canonical href='/x'>", place) == ""
