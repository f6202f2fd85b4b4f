"""One picture behind many addresses of a host: written by fetch, dropped by pack."""

import dataclasses
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pack_world import LOCAL, World, fates
from pack_world import run as pack
from pack_world import url as image_url
from PIL import Image

from weft.pipeline.run.context import Context
from weft.pipeline.stages import fetch
from weft.pipeline.stages.extract import extract_file
from weft.schemas.config import Config, Extract, Fetch
from weft.schemas.records import KeptRow, Pair, RepeatedImage
from weft.schemas.tables import DOCUMENTS, KEPT, PAIRS, REPEATED
from weft.transforms.io.parquet import write_table


def saved(image: Image.Image, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", comment=comment)
    return out.getvalue()


def crawl(output: Path, bodies: dict[str, bytes]) -> None:
    """An archive with these images, and what extract and dedup leave of pages that show them."""
    with (output / "a.warc").open("wb") as out:
        for n, (url, body) in enumerate(bodies.items()):
            http = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + body
            out.write(
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-01T00:00:00Z\r\n"
                f"WARC-Record-ID: <urn:uuid:{n}>\r\nContent-Type: application/http; msgtype=response\r\n"
                f"Content-Length: {len(http)}\r\n\r\n".encode()
                + http
                + b"\r\n\r\n"
            )
    extract_file(str(output / "a.warc"), str(output), "x", Extract())
    pairs = [Pair(f"p{n}", "d", "http://page.test/", url, "words", "alt", "en", 0.9) for n, url in enumerate(bodies)]
    pairs += [pair._replace(pair_id=f"{pair.pair_id}-again") for pair in pairs]
    kept = [KeptRow("pair", f"d:{pair.pair_id}", "d", "", 0) for pair in pairs]
    for name, rows, schema in (("pairs", pairs, PAIRS), ("kept", kept, KEPT), ("documents", [], DOCUMENTS)):
        write_table(str(output / name / "planted.parquet"), rows, schema)


@pytest.mark.parametrize(("threshold", "named"), [(3, 4), (4, 0), (0, None)])
def test_fetch_names_them(tmp_path: Path, threshold: int, named: int | None) -> None:
    """Four addresses of a.test have equal pictures, as bytes or as pixels; three of another host have them too."""
    gone = Image.new("RGB", (90, 60), (200, 200, 200))
    gone.paste((90, 90, 90), (20, 20, 70, 40))
    twins = [saved(gone, comment) for comment in (b"1", b"1", b"2", b"3")]
    bodies = {f"http://a.test/{n}.jpg": body for n, body in enumerate(twins)}
    bodies |= {f"http://b.test/{n}.jpg": twins[0] for n in range(3)}
    bodies |= {f"http://a.test/own{n}.jpg": saved(Image.effect_noise((90, 60), 20 * n)) for n in range(1, 6)}
    crawl(tmp_path, bodies)
    section = dataclasses.replace(Fetch(), http=False, placeholder_urls=threshold)
    entered = fetch.run(Context(str(tmp_path), (), dataclasses.replace(Config(), fetch=section), "x", LOCAL))
    assert entered == {"image": 12}
    statuses = [s for path in (tmp_path / "images/index").glob("*") for s in pq.read_table(path)["status"].to_pylist()]
    assert statuses == ["ok"] * 12
    found = [r for path in (tmp_path / "images/repeated").glob("*") for r in pq.read_table(path).to_pylist()]
    assert sorted((r["image_url"], r["host"], r["urls"], r["example"]) for r in found) == [
        (f"http://a.test/{n}.jpg", "a.test", 4, "http://a.test/0.jpg") for n in range(named or 0)
    ]
    assert (tmp_path / "images/repeated").exists() == (named is not None)


def test_pack_drops_them_from_documents_and_pairs(tmp_path: Path) -> None:
    world = World()
    for name in ("gone", "fine", "other"):
        world.image(name)
    world.document("a" * 32, "words", ("gone",), "more words", ("fine",), "and more", ("other",), "the end")
    world.pair("p" * 32, "a" * 32, "gone", "a caption of something")
    world.pair("q" * 32, "a" * 32, "fine", "a caption of something else")
    output = world.write(tmp_path)
    write_table(
        str(output / "images/repeated/part.parquet"),
        [RepeatedImage(image_url("gone"), "w.test", 57, image_url("gone"))],
        REPEATED,
    )
    pack(output, "pack.min_document_similarity=-1.0")
    told = {key: (row["reason"], row["detail"]) for (kind, key), row in fates(output).items() if kind != "document"}
    assert told.pop("a" * 32 + ":1") == ("placeholder", "57 addresses of its host")
    assert told.pop("a" * 32 + ":" + "p" * 32) == ("placeholder", "57 addresses of its host")
    assert {reason for reason, _ in told.values()} == {""} and len(told) == 3
