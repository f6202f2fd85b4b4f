"""Pages and images are judged by the files of their own sites as archived, in any order, and nobody is asked."""

import io
import socket

import pyarrow.parquet as pq
import pytest
from archive_bytes import gz, http, record
from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.report import opt_outs
from weft.pipeline.run import inputs, manifest
from weft.pipeline.run.run import Run

BEFORE, AFTER = "2024-01-10T00:00:00Z", "2024-02-10T00:00:00Z"
ART = "robots.txt of 2024-01-01: User-agent: GPTBot, Disallow: /art"
SIGNAL = "robots.txt of 2024-01-01: Content-Signal: search=yes,ai-train=no"


def prose(seed: str, pictures: tuple[str, ...] = ()) -> bytes:
    words = "".join(
        f"<p>The {seed} fox number {n} runs over the {seed} hill and looks for its {seed} den.</p>" for n in range(12)
    )
    shown = "".join(
        f"<figure><img src='{url}'><figcaption>A {seed} picture of a den</figcaption></figure>" for url in pictures
    )
    return f"<html><body><main><article>{words}{shown}{words}</article></main></body></html>".encode()  # fmt: skip


def png(seed: int) -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").rotate(seed).save(out, "PNG")
    return out.getvalue()


def response(number: int, url: str, body: bytes, date: str, kind: str = "text/html", status: str = "200 OK") -> bytes:
    head = http(body, status=status).replace(b"Content-Type: text/html", f"Content-Type: {kind}".encode(), 1)
    return record(url=url, block=head, number=number, date=date)


PAGES = gz(
    response(1, "http://a.test/art/1", prose("red"), BEFORE),
    response(2, "https://a.test/words", prose("green"), BEFORE),
    response(3, "https://a.test/art/2", prose("blue"), AFTER),
    response(4, "https://b.test/older", prose("red"), "2024-01-05T00:00:00Z"),
    response(5, "https://b.test/shown", prose("grey", ("//c.test/p.png", "//c.test/gone.png", "//d.test/p.png")), BEFORE),
    response(6, "https://c.test/p.png", png(10), BEFORE, "image/png"),
    response(7, "https://d.test/p.png", png(20), BEFORE, "image/png"),
    response(8, "https://e.test/page", prose("white"), BEFORE),
    response(9, "https://f.test/page", prose("black"), BEFORE),
)  # fmt: skip
FILES = gz(
    response(21, "http://a.test/robots.txt", b"User-agent: GPTBot\nDisallow: /art\n", "2024-01-01T00:00:00Z", "text/plain"),
    response(22, "https://a.test/robots.txt", b"User-agent: GPTBot\nDisallow:\n", "2024-02-01T00:00:00Z", "text/plain"),
    response(23, "https://c.test/robots.txt", b"User-agent: *\nContent-Signal: search=yes,ai-train=no\n", "2024-01-01T00:00:00Z", "text/plain"),
    response(24, "https://d.test/robots.txt", b"<html>not here</html>", BEFORE, "text/html", "404 Not Found"),
    response(25, "https://e.test/.well-known/tdmrep.json", b'[{"location": "/p*", "tdm-reservation": 1}]', AFTER, "application/json"),
    response(26, "https://f.test/robots.txt", b"User-agent: *\nDisallow: /\n", BEFORE, "text/plain"),
    response(27, "https://f.test/robots.txt", b"busy", BEFORE, "text/plain", "503 Busy"),
)  # fmt: skip


def go(home, names, overrides=(), stages=("extract", "dedup", "fetch")):
    for name, data in names.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    few = "dedup.near=false", "dedup.buckets=1", "fetch.buckets=1"
    config = configuration.load(recipe="kosmos1", overrides=[*few, *overrides])
    found = inputs.expand([str(home / "in")])
    manifest.write_run(str(home / "out"), config, found)
    Run(str(home / "out"), tuple(found), config, ("--direct_num_workers=1",), quiet=True).go(stages)
    return home / "out"


def fates(output, stage):
    rows = [
        row for path in sorted((output / "fates" / stage).glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    return {(row["kind"], row["key"]): (row["reason"], row["detail"]) for row in rows}


def by_page(output):
    """Address of each document → what dedup made of it."""
    rows = [row for path in (output / "documents").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    became = fates(output, "dedup")
    return {row["url"]: became["document", row["doc_id"]] for row in rows}


@pytest.fixture(scope="module")
def fence():
    """Every name that is looked up and every address that is connected to, none of which is reached."""
    met: list[object] = []

    def refuse(*arguments, **_):
        met.append(arguments)
        raise OSError("nothing outside is reached")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        yield met


@pytest.fixture(scope="module")
def judged(tmp_path_factory, fence):
    return go(tmp_path_factory.mktemp("judged"), {"in/a-pages.warc.gz": PAGES, "in/b-files.warc.gz": FILES})


def test_a_page_is_judged_by_the_capture_that_was_last_before_it(judged, fence):
    became = by_page(judged)
    assert became.pop("http://a.test/art/1") == ("opt_out", ART)
    assert became.pop("https://e.test/page") == ("opt_out", 'tdmrep.json of 2024-02-10: "location": "/p*" is reserved')
    assert len(became) == 5 and set(became.values()) == {("", "")}, "what may stay is no duplicate of what may not"


def test_an_image_is_judged_by_its_own_host_and_nobody_is_asked(judged, fence):
    assert {key: reason for (_, key), reason in fates(judged, "fetch").items()} == {
        "http://c.test/p.png": ("opt_out", SIGNAL),
        "http://c.test/gone.png": ("opt_out", SIGNAL),
        "http://d.test/p.png": ("", ""),
    }
    assert fence == []


def test_what_the_report_counts(judged):
    found = {one["signal"]: (one["taken"], dict(one["domains"])) for one in opt_outs.gather(str(judged))}
    assert found == {
        "robots.txt: AI agents": ({"page": 1}, {"a.test": 1}),
        "robots.txt: Content-Signal": ({"image": 2}, {"c.test": 2}),
        "tdmrep.json": ({"page": 1}, {"e.test": 1}),
    }


def test_the_order_and_the_number_of_files_decide_nothing(judged, tmp_path, fence):
    """The files' archive comes before the pages' and half of it stands elsewhere: what is kept is the same."""
    half = FILES.index(gz(b"")[:3], len(FILES) // 2)
    names = {"in/a-files.warc.gz": FILES[half:], "in/b-pages.warc.gz": PAGES, "in/c/files.warc.gz": FILES[:half]}
    other = go(tmp_path, names, stages=("extract", "dedup"))
    assert by_page(other) == by_page(judged)
    assert pq.read_table(judged / "dedup" / "forbidden") == pq.read_table(other / "dedup" / "forbidden")


def test_switched_off_nothing_is_forbidden(tmp_path, fence):
    off = ("extract.honour_opt_out=false",)
    output = go(tmp_path, {"in/a.warc.gz": PAGES + FILES}, off, ("extract", "dedup"))
    assert sorted({reason for reason, _ in by_page(output).values()}) == ["", "duplicate_exact"]
