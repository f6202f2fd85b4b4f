"""The index's API chooses what the index itself does, on a bad line too; what it cannot answer is one line."""

import json

import pytest
from crawl_server import captures, crawl_server, index, lay_out

from weft.pipeline.run import inputs
from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import capture_api, selection
from weft.transforms.extract.archive import extract_archive
from weft.transforms.io import files, web_files

ID = "CC-MAIN-2024-10"
BAD_DAY = ("ok", "503", "ok", "break", "reset")


@pytest.fixture(scope="module")
def crawl(small_web, tmp_path_factory):
    """(root of a snapshot, rows of its index)."""
    root = tmp_path_factory.mktemp("snapshot")
    return root, index(root, ID, lay_out(root, ID, sorted((small_web / "warcs").iterdir())))


@pytest.fixture
def server(crawl, monkeypatch):
    monkeypatch.setattr(web_files, "BACKOFF_S", 0.01)
    monkeypatch.setattr(web_files, "JITTER_S", 0.01)
    with crawl_server(crawl[0], moods=BAD_DAY) as made:
        made.api, made.captures = f"/{ID}-index", captures(crawl[1])
        yield made


def parts(query, base, api=""):
    return [path for path, _ in inputs.expand([f"cc:{ID}?{query}"], str(base), api)]


@pytest.mark.parametrize(
    ("query", "several"),
    [
        ("domain=*.test&mime=text/html", True),
        ("domain=news1.weft.test,*.library2.weft.test,library2.weft.test&status=200,404", True),
        ("domain=www.library2.weft.test&sample=0.5", False),
        ("url=news1.weft.test/20,https://www.library2.weft.test/*", True),
        ("url=news1.weft.test/&domain=weft.test&language=eng", True),
    ],
)
def test_it_chooses_the_records_that_the_index_does(crawl, server, query, several):
    root, _ = crawl
    asked = parts(query, root, server.url)
    assert (len(asked) > 1) == several
    found = [record for part in asked for record in selection.of_index(part, str(root))]
    assert sorted(found) == sorted(r for part in parts(query, root) for r in selection.of_index(part)) != []
    assert not [path for _, path, _ in server.seen if "cc-index" in path] and server.had["503"]


def test_a_page_of_it_is_an_input_whose_records_stand_where_the_others_do(crawl, server):
    rules = PageRules(languages=(), common_crawl=str(crawl[0]))
    query = "domain=news1.weft.test&mime=text/html"
    asked, read = (
        sorted([row for part in parts(query, crawl[0], api) for row in extract_archive(part, rules)], key=str)
        for api in (server.url, "")
    )
    assert asked == read != []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("domain=nowhere.example", r"2024-10-index is not there, or knows nothing of \*\.nowhere\.example"),
        ("language=eng", "knows domains and addresses: add domain= or url="),
    ],
)
def test_what_it_cannot_answer_is_one_line(crawl, server, query, told):
    with pytest.raises(ConfigError, match=told) as caught:
        parts(query, crawl[0], server.url)
    assert "\n" not in str(caught.value)


def test_lines_that_name_no_record_and_odd_addresses_cost_themselves_alone(monkeypatch):
    good = {"url": "http://a.test/", "urlkey": "test,a)/", "status": "200", "filename": "crawl-data/C/warc/x.warc.gz"}
    good |= {"offset": "7", "length": "9", "languages": "eng", "mime": "text/html"}
    odd = [{"url": "http://[foo/"}, {"length": None}, {"filename": None}, {"offset": "²"}, {"mime": 7}, {"url": None}]
    lines = [json.dumps(one) for one in (*({**good, **one} for one in odd), good, [good], "x", None, 3)]
    monkeypatch.setattr(files, "read_bytes", lambda path: "\n".join(lines).encode())
    found = capture_api.rows("http://api.test/C-index", "ask=*.a.test&page=0&subset=warc").to_pylist()
    assert [one["url_host_name"] for one in found] == [None, "a.test", None, "a.test"]
    assert {one["warc_record_offset"] for one in found} == {7} and found[1]["content_mime_type"] is None


def test_languages_of_a_snapshot_that_names_none_are_refused():
    with pytest.raises(ConfigError, match="CC-MAIN-2018-39"):
        inputs.expand(["cc:CC-MAIN-2018-34?domain=a.test&language=isl"], "/nowhere", "http://127.0.0.1:9/")


def test_what_is_no_api_is_one_line(crawl):
    with crawl_server(crawl[0]) as plain, pytest.raises(ConfigError, match="does not answer as Common Crawl's index"):
        (crawl[0] / f"{ID}-index?url=%2A.a.test&pageSize=5&showNumPages=true").write_text("<html>")
        parts("domain=a.test", crawl[0], plain.url)
