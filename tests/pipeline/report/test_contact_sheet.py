"""The contact sheet: each picture in its place under its own link, strangers' words escaped, figures counted."""

import base64
import dataclasses
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.pipeline.report import contact_sheet, image_figures
from weft.schemas.config import Config, Report
from weft.schemas.records import DROPPED, Document, Fate, ImageRow, RepeatedImage
from weft.schemas.tables import DOCUMENTS, FATES, IMAGES, REPEATED
from weft.transforms.io.parquet import write_table

CONFIG = Config()
HOSTILE = 'http://w.test/"><script>alert(1)</script>.jpg'


def colour(number: int) -> tuple[int, int, int]:
    return 40 + number % 12 * 18, 40 + number // 12 * 18, 90


def plant(output: Path, count: int, kind: str = "JPEG") -> list[ImageRow]:
    """`count` pictures of a colour each, one address that gave none, one whose bytes are gone."""
    blob, rows = b"", []
    for number in range(count):
        out = io.BytesIO()
        Image.new("RGB", (60, 30), colour(number)).save(out, kind)
        url = HOSTILE if number == 103 else f"http://w.test/{number:03d}.jpg"
        rows.append(
            ImageRow(
                url,
                f"{number:064x}",
                "ok",
                200,
                "image/png",
                60,
                30,
                60,
                30,
                f"{number:04x}ffffffff0000",
                "images/blobs/b",
                len(blob),
                len(out.getvalue()),
                0,
                "warc",
                False,
            )
        )
        blob += out.getvalue()
    rows.append(rows[0]._replace(image_url="http://w.test/gone.jpg", blob="images/blobs/none"))
    missing = ImageRow("http://w.test/<b>404", "", "http_error", 404, "", 0, 0, 0, 0, "", "", 0, 0, 0, "http", False)
    (output / "images/blobs").mkdir(parents=True)
    (output / "images/blobs/b").write_bytes(blob)
    write_table(str(output / "images/index/p.parquet"), sorted([*rows, missing]), IMAGES)
    fates = [Fate("fetch", "image", missing.image_url, DROPPED, "http_error", "404 <i>gone</i>")]
    write_table(str(output / "fates/fetch/p.parquet"), fates, FATES)
    return rows


class Page(HTMLParser):
    """Sheets as (pixels, links), and every tag."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sheets: list[tuple[np.ndarray, list[dict[str, str]]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = {name: value or "" for name, value in attrs}
        if tag == "img":
            data = base64.b64decode(found["src"].removeprefix("data:image/jpeg;base64,"))
            self.sheets.append((np.asarray(Image.open(io.BytesIO(data))), []))
        if "data-told" in found:
            self.sheets[-1][1].append(found)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_picture_is_under_its_own_link(tmp_path: Path, kind: str) -> None:
    rows = {row.image_url: (n, row) for n, row in enumerate(plant(tmp_path, 130, kind))}
    markup = Path(contact_sheet.write(str(tmp_path), CONFIG)).read_text()
    page = Page(markup)
    assert [len(links) for _, links in page.sheets] == [100, 31]
    seen = set()
    for pixels, links in page.sheets:
        assert pixels.shape == (-(-len(links) // 10) * 96, 960, 3)
        for at, found in enumerate(links):
            number, row = rows[found["href"]]
            seen.add(found["href"])
            middle = pixels[at // 10 * 96 + 48, at % 10 * 96 + 48].astype(int)
            gone = found["href"] == "http://w.test/gone.jpg"
            assert np.abs(middle - ((128,) * 3 if gone else colour(number))).max() <= 14
            assert found["data-told"].startswith("60×30 · warc · png · ")
            assert row.image_id[:12] in found["data-told"]
            assert found["data-told"].endswith("unreadable") == gone
    assert seen == set(rows)
    assert "script" not in page.tags and "i" not in page.tags and "b" not in page.tags
    assert html.escape("404 <i>gone</i>") in markup
    assert contact_sheet.write(str(tmp_path), CONFIG) and Path(tmp_path / "report/images.html").read_text() == markup


def test_no_more_are_shown_than_asked_for(tmp_path: Path) -> None:
    plant(tmp_path, 130)
    few = dataclasses.replace(CONFIG, report=Report(images=17))
    page = Page(Path(contact_sheet.write(str(tmp_path), few)).read_text())
    assert [len(links) for _, links in page.sheets] == [17]
    other = Page(Path(contact_sheet.write(str(tmp_path), dataclasses.replace(few, salt="other"))).read_text())
    assert [a["href"] for a in other.sheets[0][1]] != [a["href"] for a in page.sheets[0][1]]


def test_a_thousand_fit_in_a_page_that_a_browser_opens_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    blob, rows = b"", []
    for number in range(1_000):
        out = io.BytesIO()
        coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8)).resize((320, 240))
        coarse.save(out, "JPEG", quality=90)
        rows.append(
            ImageRow(
                f"http://w.test/{number}",
                f"{number:064x}",
                "ok",
                200,
                "image/jpeg",
                320,
                240,
                320,
                240,
                "",
                "b",
                len(blob),
                len(out.getvalue()),
                0,
                "http",
                False,
            )
        )
        blob += out.getvalue()
    (tmp_path / "b").write_bytes(blob)
    write_table(str(tmp_path / "images/index/p.parquet"), rows, IMAGES)
    path = Path(contact_sheet.write(str(tmp_path), CONFIG))
    assert sum(len(links) for _, links in Page(path.read_text()).sheets) == 1_000
    assert path.stat().st_size < 5_000_000


def test_what_pack_left_out_is_shown_by_reason(tmp_path: Path) -> None:
    rows = plant(tmp_path, 12)
    urls = [row.image_url for row in rows]
    document = Document("d" * 32, "http://w.test/", 0, "a", 0, "", "en", 1.0, "", [None] * 12, urls[:12], [None] * 12)
    write_table(str(tmp_path / "documents/p.parquet"), [document], DOCUMENTS)
    reasons = ["too_small"] * 5 + ["placeholder"] * 2 + ["image_http_error"] * 3
    fates = [Fate("pack", "image", f"{'d' * 32}:{n}", DROPPED, reason, "") for n, reason in enumerate(reasons)]
    write_table(str(tmp_path / "fates/pack/p.parquet"), fates, FATES)
    markup = Path(contact_sheet.write(str(tmp_path), CONFIG)).read_text()
    part = markup[markup.index('id="left-out"') : markup.index('id="none"')]
    assert re.findall(r'class="reason">(\w+)</span> (\d+) places', part) == [("too_small", "5"), ("placeholder", "2")]
    first, second = Page(part).sheets
    assert {link["href"] for link in first[1]} == set(urls[:5])
    assert {link["href"] for link in second[1]} == set(urls[5:7])
    assert all(" · too_small · " in link["data-told"] for link in first[1])
    assert "the image is too small; pack.min_side = 64" in part


def test_what_many_use_is_shown_with_how_many(tmp_path: Path) -> None:
    """An address on many pages by the places it has, most first; a placeholder by the addresses that it is behind."""
    urls = [row.image_url for row in plant(tmp_path, 12)]
    many, most, placeholder = urls[:3]
    documents, fates = [], []
    for n in range(30):
        doc_id = f"{n:032x}"
        images = [most, *([many] if n < 11 else []), placeholder]
        documents.append(
            Document(
                doc_id,
                "http://w.test/",
                0,
                "a",
                n,
                "",
                "en",
                1.0,
                "",
                [None] * len(images),
                images,
                [None] * len(images),
            )
        )
        for at, url in enumerate(images):
            reason = "placeholder" if url == placeholder else "repeated"
            fates.append(Fate("pack", "image", f"{doc_id}:{at}", DROPPED, reason, url))
    write_table(str(tmp_path / "documents/p.parquet"), documents, DOCUMENTS)
    write_table(str(tmp_path / "fates/pack/p.parquet"), fates, FATES)
    repeated = [RepeatedImage(placeholder, "w.test", 17, urls[5])]
    write_table(str(tmp_path / "images/repeated/p.parquet"), repeated, REPEATED)
    markup = Path(contact_sheet.write(str(tmp_path), CONFIG)).read_text()
    part = markup[markup.index('id="left-out"') : markup.index('id="none"')]
    first, second = Page(part).sheets
    assert [link["href"] for link in first[1]] == [most, many]
    assert ["repeated: 30 places" in first[1][0]["data-told"], "repeated: 11 places" in first[1][1]["data-told"]] == [
        True
    ] * 2
    assert [link["href"] for link in second[1]] == [placeholder] and "17 addresses" in second[1][0]["data-told"]


def test_figures(tmp_path: Path) -> None:
    rows = plant(tmp_path, 6)[:6]
    odd = [
        rows[0]._replace(image_url="http://w.test/a"),  # the same file
        rows[1]._replace(image_url="http://w.test/b", image_id="b"),  # looks the same
        rows[2]._replace(image_url="http://w.test/c", image_id="c", width=1, height=1, phash="8000000000000000"),
        rows[2]._replace(image_url="http://w.test/d", image_id="d", single_colour=True, phash="8000000000000000"),
        rows[2]._replace(image_url="http://w.test/e", image_id="e", width=900, height=299, phash="7fffffff00000000"),
        rows[2]._replace(image_url="http://w.test/f", image_id="f", width=900, height=300, phash="3fffffff00000000"),
    ]
    write_table(str(tmp_path / "images/index/p.parquet"), sorted([*rows, *odd]), IMAGES)
    repeated = [RepeatedImage(row.image_url, "w.test", 2, "x") for row in rows[:2]]
    write_table(str(tmp_path / "images/repeated/p.parquet"), repeated, REPEATED)
    assert image_figures.gather(str(tmp_path)) == {
        "wanted": 12, "stored": 12, "origins": {"warc": 12},
        "distinct_sha256": 11, "shared_sha256": 1, "distinct_looks": 10, "shared_looks": 2,
        "odd": {
            "of one colour": 1, "tracking pixels": 1, "under 64 pixels": 10,
            "more than 3 times as long as wide": 1, "placeholders": 2,
        },
    }  # fmt: skip


def test_a_run_without_fetch_has_none(tmp_path: Path) -> None:
    assert contact_sheet.write(str(tmp_path), CONFIG) == "" and image_figures.gather(str(tmp_path)) == {}
