"""A dropped page is found again in its archive, unless it opted out."""

import pyarrow.parquet as pq
import pytest
from archive_bytes import gz, http, record, stored

from weft.pipeline.report import reread
from weft.pipeline.stages.extract import extract_file
from weft.schemas.parameters import PageRules
from weft.schemas.records import document_id
from weft.transforms.archives.read import read_archive
from weft.transforms.extract import cpu_budget, html

PNG = b"\x89PNG\r\n\x1a\n" + bytes(99)


@pytest.fixture
def output(tmp_path):
    short = b"<title>Short</title><p>Too few words to keep.</p><img src=a.png>"
    png = http(PNG).replace(b"text/html", b"image/png")
    path = stored(tmp_path, gz(
        record(block=http(short), number=1),
        record(block=http(short, ["X-Robots-Tag: noai"]), number=2),
        record(block=png, url="http://a.test/a.png", number=3),
        record(block=png.replace(b"\r\n", b"\r\nX-Robots-Tag: noai\r\n", 1), url="http://a.test/no.png", number=4),
    ))  # fmt: skip
    extract_file(path, str(tmp_path / "out"), "", PageRules())
    ids = [document_id(one.record_id, one.url, one.date, one.offset) for one in read_archive(path)]
    return str(tmp_path / "out"), ids


def test_a_dropped_page_has_its_title_text_and_images(output):
    out, (kept, forbidden, *_) = output
    found = reread.pages(out, {kept, forbidden, "none"}, PageRules(main_content=False))
    assert found[kept] == reread.Page("http://a.test/", "Short", "Too few words to keep.", ["http://a.test/a.png"])
    assert found[forbidden] == reread.Page("http://a.test/", "", "", []) and set(found) == {kept, forbidden}


def endless() -> None:
    while True:
        sum(range(1_000))


def exhausted() -> None:
    raise MemoryError


@pytest.mark.parametrize("work", [endless, exhausted])
def test_a_page_that_takes_too_long_or_too_much_has_its_address_alone(output, work, monkeypatch):
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    monkeypatch.setattr(cpu_budget, "CPU_S", 0.1)
    monkeypatch.setattr(html, "extract", lambda *_: work())
    out, (kept, *_) = output
    assert reread.pages(out, {kept}, PageRules()) == {kept: reread.Page("http://a.test/", "", "", [])}


def test_images_of_the_archives_are_found_by_their_address_unless_they_opted_out(output):
    found = reread.captured(output[0], {"https://a.test/a.png", "http://a.test/no.png", "http://a.test/none.png"})
    assert found == {"http://a.test/a.png": PNG}


def test_a_repeated_row_of_a_list_of_captions_fails_no_report(tmp_path):
    (tmp_path / "list.tsv").write_text("url\tcaption\n" + "http://a.test/1.jpg\tA red barn in May\n" * 2)
    extract_file(str(tmp_path / "list.tsv"), str(tmp_path / "out"), "", PageRules(languages=()))
    ids = {row["doc_id"] for path in (tmp_path / "out/documents").iterdir() for row in pq.read_table(path).to_pylist()}
    assert len(ids) == 1 and reread.pages(str(tmp_path / "out"), ids, PageRules()) == {}


def test_an_archive_that_is_gone_fails_no_report(output, tmp_path):
    out, ids = output
    (tmp_path / "a.warc.gz").unlink()
    assert reread.pages(out, set(ids), PageRules()) == {} and reread.captured(out, {"http://a.test/a.png"}) == {}
