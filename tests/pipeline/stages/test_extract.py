"""The whole stage on archives made here: what becomes a document, a pair or a capture, and that the books hold."""

import gzip
from collections import Counter
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.stages import extract
from weft.schemas.records import document_id
from weft.transforms.archives.read import read_captures

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
HTML = "Content-Type: text/html; charset=utf-8"


def page(*parts, head=""):
    return (
        f"<html><head><title>T</title>{head}</head><body><main><article>{''.join(parts)}</article></main></body></html>"
    )


def p(text=SENTENCE * 5):
    return f"<p>{text}</p>"


def figure(source, caption="A red barn in the month of May", alt=""):
    return f"<figure><img src='{source}' alt='{alt}'><figcaption>{caption}</figcaption></figure>"


def record(number, url, body, *headers, status="200 OK", kind="response"):
    body = body.encode() if isinstance(body, str) else body
    block = "\r\n".join([f"HTTP/1.1 {status}", *headers]).encode() + b"\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{number:032d}>\r\nContent-Type: application/http;msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n", mtime=0)


GOOD = page(p(), "<img src=a.png alt='A cat asleep on the sill'>", p(), figure("/b.png"), p(), "<svg></svg>", p())
GERMAN = page(p("Der schnelle braune Fuchs springt über den faulen Hund, und niemand sieht ihm dabei zu. " * 6))
MIXED = [
    record(1, "http://a.test/d/good", GOOD, HTML),
    record(2, "http://a.test/d/a.png", PNG, "Content-Type: image/png"),
    record(3, "http://a.test/untyped", PNG),
    record(4, "http://a.test/gone", "<html>no</html>", HTML, status="404 Not Found"),
    record(5, "http://a.test/moved", "<html>no</html>", HTML, status="301 Moved"),
    record(6, "http://a.test/x.css", "p {}", "Content-Type: text/css"),
    record(7, "http://a.test/german", GERMAN, HTML),
    record(8, "http://a.test/short", page("<p>Short.</p>"), HTML),
    record(9, "http://a.test/noai", GOOD, HTML, "X-Robots-Tag: googlebot: noindex, noai"),
    record(10, "http://a.test/noimageai", page(p(), figure("c.png"), p(), head="<meta name=robots content=noimageai>"), HTML),
    record(11, "http://a.test/ask", "GET / HTTP/1.1", kind="request"),
    record(1, "http://a.test/d/good", GOOD, HTML),
    record(12, "http://a.test/empty", "", HTML),
]  # fmt: skip


class Result:
    """What one run left, by table."""

    def __init__(self, home: Path, entered: dict[str, int]) -> None:
        self.home, self.entered = home, entered
        self.documents = self.rows("documents")
        self.pairs = self.rows("pairs")
        self.captures = self.rows("captures")
        self.fates = self.rows("fates/extract")

    def rows(self, table: str) -> list[dict]:
        return [
            row for path in sorted((self.home / table).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
        ]

    def reasons(self, kind: str) -> Counter:
        return Counter(row["reason"] for row in self.fates if row["kind"] == kind)

    def balanced(self) -> None:
        """One fate for everything that entered, and a row for everything kept."""
        keys = Counter((row["kind"], row["key"]) for row in self.fates)
        assert max(keys.values(), default=1) == 1
        assert Counter(kind for kind, _ in keys) == Counter({k: n for k, n in self.entered.items() if n})
        kept = Counter(row["kind"] for row in self.fates if row["fate"] == "kept")
        images = sum(image is not None for row in self.documents for image in row["images"])
        assert kept["page"] == len(self.documents) and kept["pair"] == len(self.pairs) and kept["image"] == images
        assert kept["record"] == self.entered["page"] + len(self.captures)


def go(home: Path, archives: dict[str, bytes], recipe="kosmos1", overrides=(), reverse=False) -> Result:
    (home / "in").mkdir(parents=True, exist_ok=True)
    for name, data in archives.items():
        (home / "in" / name).write_bytes(data)
    config = configuration.load(recipe=recipe, overrides=list(overrides))
    inputs = tuple(sorted((str(home / "in" / name) for name in archives), reverse=reverse))
    context = Context(str(home / "out"), inputs, config, "print", ("--direct_num_workers=1",))
    return Result(home / "out", extract.run(context))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return go(tmp_path_factory.mktemp("mixed"), {"m.warc.gz": b"".join(MIXED)})


def test_the_books_hold(mixed):
    mixed.balanced()
    assert mixed.entered["record"] == len(MIXED)


def test_every_record_has_the_reason_it_deserves(mixed):
    expected = Counter({"": 8, "http_error": 1, "redirect": 1, "not_html": 1, "request": 1, "empty": 1})
    assert mixed.reasons("record") == expected
    assert mixed.reasons("page") == Counter({"": 2, "language": 1, "too_short": 1, "opt_out": 1, "duplicate_record": 1})


def test_a_document_has_texts_and_images_in_reading_order(mixed):
    row = next(row for row in mixed.documents if row["url"].endswith("good"))
    assert row["images"] == [None, "http://a.test/d/a.png", None, "http://a.test/b.png", None]
    assert [text is None for text in row["texts"]] == [False, True, False, True, False]
    assert (
        row["texts"][4].startswith("A red barn") and row["image_meta"][3]["caption"] == "A red barn in the month of May"
    )
    assert row["image_meta"][0] is None and row["image_meta"][1]["alt"] == "A cat asleep on the sill"
    assert row["language"] == "en" and row["title"] == "T" and row["record_id"] == f"<urn:uuid:{1:032d}>"
    assert row["doc_id"] == document_id(row["record_id"], row["url"], "", 0)
    assert row["crawl_date"].timestamp() == 1_704_164_645


def test_a_document_can_be_traced_to_its_record(mixed):
    for row in mixed.documents:
        _, found = next(read_captures(row["warc_file"], [row["warc_offset"]]))
        assert found.record_id == row["record_id"] and b"quick brown fox" in found.body


def test_pairs_are_captions_of_kept_images(mixed):
    assert {(row["image_url"], row["source"], row["text"]) for row in mixed.pairs} == {
        ("http://a.test/d/a.png", "alt", "A cat asleep on the sill"),
        ("http://a.test/b.png", "figcaption", "A red barn in the month of May"),
    }
    assert {row["page_url"] for row in mixed.pairs} == {"http://a.test/d/good"}


def test_images_in_the_archive_are_captures_by_type_or_by_their_first_bytes(mixed):
    assert [row["url"] for row in mixed.captures] == ["http://a.test/d/a.png", "http://a.test/untyped"]
    for row in mixed.captures:
        assert next(read_captures(row["warc_file"], [row["warc_offset"]]))[1].body == PNG


def test_a_page_that_forbids_its_images_keeps_its_text(mixed):
    row = next(row for row in mixed.documents if row["url"].endswith("noimageai"))
    assert row["images"] == [None] and SENTENCE.strip() in row["texts"][0]
    assert [f["reason"] for f in mixed.fates if f["kind"] == "image" and f["key"].startswith(row["doc_id"])] == [
        "opt_out"
    ]
    assert not [pair for pair in mixed.pairs if pair["doc_id"] == row["doc_id"]]


def test_opt_outs_that_are_not_honoured_are_recorded(tmp_path):
    made = go(tmp_path, {"m.warc.gz": b"".join(MIXED)}, overrides=["extract.honour_opt_out=false"])
    made.balanced()
    told = {f["detail"] for f in made.fates if f["kind"] == "page" and f["fate"] == "kept"}
    assert told == {"", "not honoured: X-Robots-Tag: noai", "not honoured: meta robots: noimageai"}
    assert any(row["url"].endswith("/noai") for row in made.documents)


def test_raw_makes_every_page_a_document_and_accounts_for_every_image(tmp_path):
    html = page(p(), "<img src=a.png>", p(), "<img src=data:image/gif;base64,R0><img><img src='mailto:x'><svg/>") + (
        "<nav><a href=/><img src=logo.png></a></nav>"
    )
    archive = b"".join([*MIXED, record(20, "http://a.test/more", html, HTML)])
    made = go(tmp_path, {"m.warc.gz": archive}, recipe="raw")
    made.balanced()
    assert made.reasons("page") == Counter({"": 6, "duplicate_record": 1})
    name = next(row["doc_id"] for row in made.documents if row["url"].endswith("more"))
    fates = {f["key"]: f["reason"] for f in made.fates if f["kind"] == "image" and f["key"].startswith(name)}
    reasons = ["", "data_uri", "no_source", "bad_url", "svg_inline", "boilerplate"]
    assert fates == {f"{name}:{n}": reason for n, reason in enumerate(reasons)}


def test_boilerplate_is_kept_when_it_is_asked_for(tmp_path):
    html = page(p(), "<img src=a.png>", p()) + "<nav><a href=/><img src=logo.png></a></nav>"
    archive = {"m.warc.gz": record(1, "http://a.test/", html, HTML)}
    made = go(tmp_path, archive, overrides=["extract.main_content=false"])
    assert [i for i in made.documents[0]["images"] if i] == ["http://a.test/a.png", "http://a.test/logo.png"]


def test_the_second_opinion_has_images_in_order_and_books_too(tmp_path):
    # It takes out what a page says twice, as datatrove asks it to.
    said = [p(SENTENCE.replace("fox", animal) * 6) for animal in ("fox", "wolf", "hare")]
    html = page(said[0], "<img src=a.png alt='A cat asleep on the sill'>", said[1], figure("/b.png"), said[2])
    records = [record(1, "http://a.test/d/good", html, HTML), *MIXED[1:]]
    made = go(tmp_path, {"m.warc.gz": b"".join(records)}, overrides=['extract.extractor="trafilatura"'])
    made.balanced()
    row = next(row for row in made.documents if row["url"].endswith("good"))
    assert [i for i in row["images"] if i] == ["http://a.test/d/a.png", "http://a.test/b.png"]
    assert row["texts"][0].startswith("The quick brown fox")
    assert next(m for m in row["image_meta"] if m)["alt"] == "A cat asleep on the sill"


def test_broken_files_are_named_and_cost_nothing_else(tmp_path):
    whole = b"".join(record(n, f"http://a.test/{n}", GOOD, HTML) for n in range(4))
    other = b"".join(record(n + 9, f"http://b.test/{n}", GOOD, HTML) for n in range(4))
    archives = {"cut.warc.gz": other[:-60], "empty.warc.gz": b"", "junk.warc.gz": b"junk" * 99, "ok.warc.gz": whole}
    made = go(tmp_path, archives)
    made.balanced()
    assert Counter(Path(row["warc_file"]).name for row in made.documents) == Counter(
        {"ok.warc.gz": 4, "cut.warc.gz": 3}
    )
    named = {
        Path(f["key"].rpartition(":")[0]).name: f["reason"] for f in made.fates if f["kind"] == "record" and f["reason"]
    }
    assert named == {"cut.warc.gz": "truncated", "empty.warc.gz": "empty_file", "junk.warc.gz": "unreadable"}


def test_order_and_repetition_change_no_byte(tmp_path, sums):
    archives = {f"{n}.warc.gz": record(n, f"http://a.test/{n}", GOOD, HTML) for n in range(3)}
    go(tmp_path, archives)
    first = sums(tmp_path / "out")
    go(tmp_path, archives, reverse=True)
    assert sums(tmp_path / "out") == first
    for path in (tmp_path / "out").rglob("*"):  # a run that was killed before this unit's marker
        if path.is_file():
            path.unlink()
    go(tmp_path, archives, reverse=True)
    assert sums(tmp_path / "out") == first


def test_records_of_a_single_gzip_member_are_told_apart(tmp_path):
    plain = b"".join(gzip.decompress(one) for one in MIXED[:3])
    made = go(tmp_path, {"one.warc.gz": gzip.compress(plain)})
    made.balanced()
    assert made.entered["record"] == 3 and len(made.captures) == 2


def test_images_of_documents_join_their_rows_in_the_index_by_a_column(finished: Path) -> None:
    def rows(table: str, *columns: str) -> list[tuple]:
        found = ds.dataset(finished / table, format="parquet").to_table(columns=list(columns))
        return list(zip(*(found[name].to_pylist() for name in columns), strict=True))

    index = {key for (key,) in rows("images/index", "image_url")}
    kept = {key for kind, key in rows("kept", "kind", "key") if kind == "document"}
    documents = [(urls, keys) for key, urls, keys in rows("documents", "doc_id", "images", "image_keys") if key in kept]
    assert all([url is None for url in urls] == [key is None for key in keys] for urls, keys in documents)
    joined = [(url, key) for both in documents for url, key in zip(*both, strict=True) if url]
    assert len(joined) > 100 and {key for _, key in joined} <= index
    assert any(url != key for url, key in joined)  # a page says https, or writes it otherwise
