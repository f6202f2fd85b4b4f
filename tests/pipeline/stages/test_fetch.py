"""The whole stage on planted pages, archives and a loopback server: what is wanted, from where, what becomes of it."""

import dataclasses
import gzip
import hashlib
import io
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from patience import PATIENT
from PIL import Image

from weft.pipeline.run import books, manifest
from weft.pipeline.run.context import Context
from weft.pipeline.stages import fetch
from weft.pipeline.stages.extract import extract_file
from weft.schemas.config import Config, Extract, Fetch
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Document, KeptRow, Pair
from weft.schemas.tables import CAPTURES, DOCUMENTS, KEPT, PAIRS
from weft.transforms.archives.record import parse_date
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table

SIDE = 64
ALONE = ("--direct_num_workers=1",)


def picture(name: str, size: tuple[int, int] = (SIDE, 48), kind: str = "PNG", **options: Any) -> bytes:
    """An image that no other name has: a grid of colours."""
    digest = hashlib.sha256(name.encode()).digest() * 2
    small = Image.frombytes("RGB", (4, 4), digest[:48])
    out = io.BytesIO()
    small.resize(size, Image.Resampling.NEAREST).save(out, kind, **options)
    return out.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("turned", (80, 40), "JPEG", exif=exif)


# path → (status, headers, body); a list answers in turn
ANSWERS: dict[str, Any] = {
    "/ok.png": (200, {}, picture("ok")),
    "/same.png": (200, {}, picture("ok")),
    "/other/ok.png": (200, {}, picture("other")),
    "/with space.png": (200, {}, picture("space")),
    "/gone.png": (404, {}, b"gone"),
    "/wobbly.png": [(500, {}, b""), (200, {}, picture("wobbly"))],
    "/busy.png": [(503, {}, b""), (200, {}, picture("busy"))],
    "/huge.png": (200, {}, bytes(2_000_000)),
    "/loop.png": (302, {"Location": "/loop.png"}, b""),
    "/inside.png": (302, {"Location": "http://127.0.0.1:9/secret.png"}, b""),
    "/page.png": (200, {"Content-Type": "text/html"}, b"<!doctype html><p>Log in to see this"),
    "/cut.jpg": (200, {}, picture("cut", (300, 300), "JPEG")[:2_000]),
    "/reserved.jpg": (200, {"X-Robots-Tag": "noai, noimageai"}, picture("reserved", kind="JPEG")),
    "/turned.jpg": (200, {}, turned()),
    "/large.jpg": (200, {}, picture("large", (1_400, 700), "JPEG")),
    "/cmyk.jpg": (200, {}, b""),  # set below
    "/moving.gif": (200, {}, b""),
    "/bomb.png": (200, {}, b""),
    "/drawn.svg": (200, {}, b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
}
WANTED = {
    "/ok.png": "ok",
    "/same.png": "ok",
    "/other/ok.png": "ok",
    "/with%20space.png": "ok",
    "/gone.png": "http_error",
    "/wobbly.png": "ok",
    "/huge.png": "too_many_bytes",
    "/loop.png": "too_many_redirects",
    "/inside.png": "private_address",
    "/page.png": "not_an_image",
    "/cut.jpg": "truncated",
    "/reserved.jpg": "opt_out",
    "/turned.jpg": "ok",
    "/large.jpg": "ok",
    "/cmyk.jpg": "ok",
    "/moving.gif": "ok",
    "/bomb.png": "too_many_pixels",
    "/drawn.svg": "svg",
}


def _spoil() -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(picture("cmyk"))).convert("CMYK").save(out, "JPEG")
    ANSWERS["/cmyk.jpg"] = (200, {}, out.getvalue())
    frames = [Image.new("P", (SIDE, SIDE), n) for n in (1, 2, 3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    ANSWERS["/moving.gif"] = (200, {}, out.getvalue())
    bomb = bytearray(picture("bomb"))
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    ANSWERS["/bomb.png"] = (200, {}, bytes(bomb))


_spoil()


class Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        host = (self.headers["Host"] or "").split(":")[0]
        with self.server.lock:
            self.server.seen[f"{host}{self.path}"] += 1
            answer = ANSWERS.get(self.path.replace("%20", " "), (404, {}, b""))
            if isinstance(answer, list):
                answer = answer[min(self.server.seen[f"{host}{self.path}"], len(answer)) - 1]
        status, headers, body = answer
        self.send_response(status)
        for field, value in headers.items():
            self.send_header(field, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    seen: Counter[str]
    lock: Any


@contextmanager
def serving() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.seen, server.lock = Counter(), threading.Lock()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def document(
    doc_id: str, images: Sequence[str], place: tuple[str, int] = ("a.warc", 0), others: Sequence[str] = ()
) -> Document:
    """A page with these images; `others` are further addresses of the last one."""
    count = len(images)
    alternates: list[list[str] | None] = [None, *([] for _ in images)]
    if count:
        alternates[-1] = list(others)
    return Document(
        doc_id, f"http://page.test/{doc_id}", 1, *place, "", "en", 0.9, "", ["a text", *[None] * count],
        [None, *images], [None] * (count + 1), alternates,
    )  # fmt: skip


def pair(doc_id: str, name: str, url: str) -> Pair:
    return Pair(name, doc_id, "http://page.test/", url, "a caption", "alt", "en", 0.9)


def plant(
    output: Path, documents: Sequence[Document], pairs: Sequence[Pair] = (), dropped: Sequence[Any] = (), parts: int = 2
) -> None:
    """What extract and dedup leave; `dropped` names documents (or their places) and pairs that are not kept."""
    kept = [
        KeptRow("document", d.doc_id, d.doc_id, d.warc_file, d.warc_offset)
        for d in documents
        if d.doc_id not in dropped and (d.warc_file, d.warc_offset) not in dropped
    ]
    kept += [KeptRow("pair", f"{p.doc_id}:{p.pair_id}", p.doc_id, "", 0) for p in pairs if p.pair_id not in dropped]
    for n in range(parts):
        write_table(f"{output}/documents/{n}.parquet", documents[n::parts], DOCUMENTS)
        write_table(f"{output}/pairs/{n}.parquet", pairs[n::parts], PAIRS)
        write_table(f"{output}/kept/{n}.parquet", kept[n::parts], KEPT)
    write_table(f"{output}/captures/none.parquet", [], CAPTURES)


def record(
    url: str, body: bytes, date: str = "2024-05-01T00:00:00Z", headers: str = "", mime: str = "image/png"
) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body
    name = hashlib.md5(url.encode() + body).hexdigest()
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: {date}\r\n"
        f"WARC-Record-ID: <urn:uuid:{name}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def archive(output: Path, path: Path, records: Sequence[bytes], how: str = "members") -> None:
    """Write an archive and the captures that extract finds in it."""
    whole = b"".join(records)
    data = {"members": b"".join(map(gzip.compress, records)), "one member": gzip.compress(whole), "plain": whole}[how]
    path.write_bytes(data)
    extract_file(str(path), str(output / "extracted"), "x", Extract())
    (output / "captures").mkdir(exist_ok=True, parents=True)
    for part in (output / "extracted/captures").iterdir():
        (output / "captures" / part.name).write_bytes(part.read_bytes())


def run(output: Path, server: Server | None = None, flags: tuple[str, ...] = ALONE, **section: Any) -> dict[str, Any]:
    """Run the stage and check its books; image key → index row."""
    routes = (f"web.test=127.0.0.1:{server.server_address[1]}",) if server else ()
    part = dataclasses.replace(
        Fetch(connect_to=routes, max_bytes=1_000_000, buckets=3, robots=False, tdm_file=False, **PATIENT), **section
    )
    context = Context(str(output), (), dataclasses.replace(Config(), fetch=part), "x", flags)
    entered = fetch.run(context)
    books.audit(str(output), "fetch", entered)
    rows = [r for path in sorted((output / "images/index").glob("*.parquet")) for r in pq.read_table(path).to_pylist()]
    assert len({row["image_url"] for row in rows}) == len(rows) == entered["image"]
    return {row["image_url"]: row for row in rows}


def fates(output: Path) -> dict[str, tuple[str, str]]:
    rows = [r for path in (output / "fates/fetch").glob("*.parquet") for r in pq.read_table(path).to_pylist()]
    return {row["key"]: (row["fate"], row["reason"]) for row in rows}


def stored(output: Path, row: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(files.read_range(str(output / row["blob"]), row["offset"], row["length"])))


def test_every_kind_of_answer_ends_in_its_fate(tmp_path: Path, server: Server) -> None:
    plant(tmp_path, [document("d", [f"http://img.web.test{path}" for path in WANTED])])
    rows = run(tmp_path, server)
    assert {key.removeprefix("http://img.web.test"): row["status"] for key, row in rows.items()} == WANTED
    assert fates(tmp_path) == {
        f"http://img.web.test{path}": ("kept", "") if status == "ok" else ("dropped", status)
        for path, status in WANTED.items()
    }
    for row in rows.values():
        assert row["origin"] == "http"
        if row["status"] == "ok":
            image = stored(tmp_path, row)
            assert (image.format, image.mode, image.size) == (
                "JPEG",
                "RGB",
                (row["stored_width"], row["stored_height"]),
            )
            image.load()
            assert row["http_status"] == 200 and len(row["image_id"]) == 64
    by_name = {key.rsplit("/", 1)[1]: row for key, row in rows.items()}
    assert (by_name["turned.jpg"]["width"], by_name["turned.jpg"]["height"]) == (40, 80)
    assert (by_name["large.jpg"]["width"], by_name["large.jpg"]["stored_width"]) == (1_400, 512)
    assert by_name["gone.png"]["http_status"] == 404
    same = by_name["same.png"]
    assert [same[c] for c in ("blob", "offset")] == [rows["http://img.web.test/ok.png"][c] for c in ("blob", "offset")]
    assert server.seen["img.web.test/wobbly.png"] == 2
    assert server.seen["img.web.test/gone.png"] == 1


def test_only_what_is_kept_is_wanted_and_each_once(tmp_path: Path, server: Server) -> None:
    web = "http://web.test"
    documents = [
        document("a", [f"{web}/ok.png", f"{web}/ok.png#top", "https://web.test:443/ok.png"]),
        document("b", [f"{web}/ok.png", f"{web}/other/ok.png"]),
        document("c", [f"{web}/gone.png"]),  # dropped
        document("r", [f"{web}/large.jpg"], ("one.warc", 5)),
        document("r", [f"{web}/cmyk.jpg"], ("two.warc", 5)),  # the same record again, dropped
        document("none", []),
    ]
    pairs = [pair("a", "p1", f"{web}/with%20space.png"), pair("b", "p2", f"{web}/huge.png"),
             pair("c", "p3", f"{web}/ok.png")]  # fmt: skip
    plant(tmp_path, documents, pairs, dropped=["c", ("two.warc", 5), "p2"])
    rows = run(tmp_path, server)
    assert set(rows) == {f"{web}/{name}" for name in ("ok.png", "other/ok.png", "large.jpg", "with%20space.png")}
    assert set(server.seen.values()) == {1} and len(server.seen) == 4


def test_archives_come_before_the_web_and_the_newest_capture_first(tmp_path: Path, server: Server) -> None:
    web = "http://web.test"
    old, new = picture("old"), picture("new")
    archive(
        tmp_path,
        tmp_path / "b.warc.gz",
        [
            record(f"{web}/held.png", old, "2020-01-01T00:00:00Z"),
            record(f"{web}/alone.png", picture("alone")),
            record(f"{web}/tie.png", picture("tie b")),
            record(f"{web}/unwanted.png", picture("unwanted")),
            record(f"{web}/tagged.png", picture("tagged"), headers="X-Robots-Tag: noimageai\r\n"),
            record(f"{web}/cut.png", picture("cut")[:150]),
        ],
    )
    archive(
        tmp_path,
        tmp_path / "a.warc",
        [
            record("https://web.test/held.png", new, "2024-01-01T00:00:00Z"),
            record(f"{web}/tie.png", picture("tie a")),
            record(f"{web}/tie.png", picture("tie a, later in the file")),
        ],
        "plain",
    )
    names = ("held.png", "alone.png", "tie.png", "tagged.png", "cut.png", "ok.png", "gone.png")
    plant(tmp_path, [document("d", [f"{web}/{name}" for name in names])])
    rows = {key.removeprefix(f"{web}/"): row for key, row in run(tmp_path, server).items()}
    assert {name: row["status"] for name, row in rows.items()} == {
        **dict.fromkeys(("held.png", "alone.png", "tie.png", "ok.png"), "ok"),
        "tagged.png": "opt_out",
        "cut.png": "truncated",
        "gone.png": "http_error",
    }
    assert {name for name, row in rows.items() if row["origin"] == "http"} == {"ok.png", "gone.png"}
    assert rows["held.png"]["image_id"] == hashlib.sha256(new).hexdigest()
    assert rows["tie.png"]["image_id"] == hashlib.sha256(picture("tie a")).hexdigest()
    assert int(rows["held.png"]["fetched_at"].timestamp() * 1e6) == parse_date("2024-01-01T00:00:00Z")
    assert set(server.seen) == {"web.test/ok.png", "web.test/gone.png"}
    blobs = {path.name for path in (tmp_path / "images/blobs").iterdir()}
    assert sum(name.startswith("warc-a-") for name in blobs) == sum(name.startswith("warc-b-") for name in blobs) == 1


@pytest.mark.parametrize("http", [False, True])
def test_another_size_that_an_archive_holds_is_better_than_none(tmp_path: Path, server: Server, http: bool) -> None:
    """Where nothing is asked for over HTTP; where it is, the size that is meant stands or falls by its answer."""
    web = "http://web.test"
    names = ("small.png", "middle.png", "own.png", "elsewhere.png")
    archive(tmp_path, tmp_path / "a.warc.gz", [record(f"{web}/{name}", picture(name)) for name in names])
    plant(
        tmp_path,
        [
            document("a", [f"{web}/best.png"], others=[f"{web}/nowhere.png", f"{web}/middle.png", f"{web}/small.png"]),
            document("b", [f"{web}/own.png"], others=[f"{web}/small.png"]),
            document("c", [f"{web}/ok.png"], others=[f"{web}/nowhere.png"]),
            document("d", [f"{web}/dropped.png"], others=[f"{web}/elsewhere.png"]),
            document("e", [f"{web}/middle.png"]),
        ],
        [pair("a", "p", f"{web}/best.png")],
        dropped=["d"],
    )
    rows = {key.removeprefix(f"{web}/"): row for key, row in run(tmp_path, server, http=http).items()}
    ids = {name: hashlib.sha256(picture(name)).hexdigest() for name in ("middle.png", "own.png", "ok")}
    assert {name: (row["image_id"], row["origin"]) for name, row in rows.items()} == {
        "best.png": ("", "http") if http else (ids["middle.png"], "warc"),
        "own.png": (ids["own.png"], "warc"),
        "ok.png": (ids["ok"] if http else "", "http"),
        "middle.png": (ids["middle.png"], "warc"),
    }
    assert set(server.seen) == ({"web.test/ok.png", "web.test/best.png"} if http else set())


def test_an_archive_in_one_gzip_member_gives_each_its_own_bytes(tmp_path: Path) -> None:
    """There the offset of every record is the same."""
    bodies = {f"http://web.test/{n}.png": picture(f"member {n}") for n in range(5)}
    archive(tmp_path, tmp_path / "one.warc.gz", [record(url, body) for url, body in bodies.items()], "one member")
    plant(tmp_path, [document("d", list(bodies))])
    rows = run(tmp_path, http=False)
    assert {url: row["image_id"] for url, row in rows.items()} == {
        url: hashlib.sha256(body).hexdigest() for url, body in bodies.items()
    }


def test_a_capture_that_changed_since_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x.warc.gz"
    records = [record(f"http://web.test/{n}.png", picture(str(n))) for n in range(3)]
    archive(tmp_path, path, records)
    data = bytearray(path.read_bytes())
    at = len(gzip.compress(records[0]))
    data[at : at + 40] = bytes(40)
    path.write_bytes(bytes(data))
    plant(tmp_path, [document("d", [f"http://web.test/{n}.png" for n in range(3)])])
    rows = run(tmp_path, http=False)
    assert [rows[f"http://web.test/{n}.png"]["status"] for n in range(3)] == ["ok", "capture_unreadable", "ok"]


def test_without_http_nobody_is_asked(tmp_path: Path, server: Server) -> None:
    plant(tmp_path, [document("d", ["http://web.test/ok.png"])])
    rows = run(tmp_path, server, http=False)
    assert [row["status"] for row in rows.values()] == ["not_in_warc"]
    assert not server.seen


def test_opt_outs_can_be_passed_over(tmp_path: Path, server: Server) -> None:
    plant(tmp_path, [document("d", ["http://web.test/reserved.jpg"])])
    assert [row["status"] for row in run(tmp_path, server, honour_opt_out=False).values()] == ["ok"]


def test_nothing_wanted_is_nothing_done(tmp_path: Path) -> None:
    plant(tmp_path, [document("d", [])])
    context = Context(str(tmp_path), (), Config(), "x", ALONE)
    assert fetch.run(context) == {"image": 0}
    empty = tmp_path / "empty"
    empty.mkdir()
    assert fetch.run(dataclasses.replace(context, output=str(empty))) == {"image": 0}


def test_a_wrong_connect_to_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="connect_to"):
        run(tmp_path, connect_to=("nonsense",))


def test_workers_and_order_do_not_show(tmp_path: Path, server: Server) -> None:
    urls = [f"http://{n % 7}.web.test/{('ok.png', 'gone.png', 'large.jpg', 'cut.jpg')[n % 4]}?{n}" for n in range(60)]
    for path in {url.split("web.test")[1] for url in urls}:
        ANSWERS[path] = ANSWERS[path.split("?")[0]]
    held = [record(f"http://web.test/held{n}.png", picture(f"held{n}")) for n in range(10)]
    results = []
    for name, order, flags in (
        ("one", 1, ALONE),
        ("two", -1, ("--direct_running_mode=multi_processing", "--direct_num_workers=2")),
    ):
        output = tmp_path / name
        archive(output, tmp_path / "held.warc.gz", held)
        images = [*urls, *(f"http://web.test/held{n}.png" for n in range(10))]
        plant(output, [document(f"d{n}", images[n::4]) for n in range(4)][::order], parts=2 + order)
        rows = run(output, server, flags, concurrency=4)
        blobs = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (output / "images/blobs").iterdir()}
        told = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (output / "fates/fetch").iterdir()}
        timeless = [{k: v for k, v in row.items() if k != "fetched_at"} for row in rows.values()]
        results.append((blobs, told, timeless))
    assert results[0] == results[1]
    assert Counter(row["status"] for row in results[0][2]) == {"ok": 40, "http_error": 15, "truncated": 15}


def test_a_rerun_asks_only_for_the_units_that_are_not_done(tmp_path: Path, server: Server) -> None:
    urls = [f"http://{n}.web.test/ok.png" for n in range(12)]
    plant(tmp_path, [document("d", urls)])
    run(tmp_path, server, buckets=4)
    marks = sorted((tmp_path / "fetch/units").glob("http-*.json"))
    assert len(marks) > 1 and sum(server.seen.values()) == 12
    marks[0].unlink()
    unit = {row["image_url"] for row in pq.read_table(tmp_path / f"images/index/{marks[0].stem}.parquet").to_pylist()}
    server.seen.clear()
    run(tmp_path, server, buckets=4)
    assert {f"http://{name}" for name in server.seen} == unit

    server.seen.clear()
    plant(tmp_path, [document("d", [*urls, "http://0.web.test/large.jpg"])])  # one unit has more to do
    run(tmp_path, server, buckets=4)
    assert "0.web.test/large.jpg" in server.seen and len(server.seen) < 12


def test_what_an_earlier_run_has_is_not_asked_for_again(tmp_path: Path, server: Server) -> None:
    """Stored images and final failures stand; what may have passed since is asked for once more, and what is new."""
    first, second = tmp_path / "1", tmp_path / "2"
    address = "http://img.web.test"
    paths = [path for path in WANTED if path != "/large.jpg"]
    plant(first, [document("d", [f"{address}{path}" for path in [*paths, "/busy.png"]])])
    before = run(first, server, retries=0)
    assert (before[f"{address}/busy.png"]["http_status"], before[f"{address}/wobbly.png"]["http_status"]) == (503, 500)
    asked = Fetch(connect_to=(f"web.test=127.0.0.1:{server.server_address[1]}",), max_bytes=1_000_000)
    manifest.write(str(first), "fetch", {"config": {"fetch": dataclasses.asdict(asked)}})
    again = {path.removeprefix("img.web.test") for path in server.seen}
    server.seen = Counter({f"img.web.test{path}": 1 for path in ("/busy.png", "/wobbly.png")})
    plant(second, [document("d", [f"{address}{path}" for path in [*WANTED, "/busy.png"]])])
    after = run(second, server, earlier=(str(first),), retries=0)
    assert set(server.seen) == {f"img.web.test{path}" for path in ("/busy.png", "/wobbly.png", "/large.jpg")}
    assert {after[f"{address}{path}"]["status"] for path in ("/busy.png", "/wobbly.png", "/large.jpg")} == {"ok"}
    for path in set(paths) - {"/wobbly.png"}:
        one, other = before[f"{address}{path}"], after[f"{address}{path}"]
        places = ("blob", "offset")
        assert {k: v for k, v in one.items() if k not in places} == {k: v for k, v in other.items() if k not in places}
        assert one["status"] != "ok" or stored(first, one).tobytes() == stored(second, other).tobytes()
    assert len(again) > 10  # the first run did ask


def test_an_earlier_run_of_another_size_or_none_is_refused(tmp_path: Path) -> None:
    plant(tmp_path / "2", [])
    with pytest.raises(ConfigError, match="holds no finished fetch"):
        run(tmp_path / "2", earlier=(str(tmp_path / "1"),))
    manifest.write(str(tmp_path / "1"), "fetch", {"config": {"fetch": dataclasses.asdict(Fetch(max_side=256))}})
    with pytest.raises(ConfigError, match="max_side = 256, not 512"):
        run(tmp_path / "2", earlier=(str(tmp_path / "1"),))
