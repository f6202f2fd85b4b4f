"""Figures of images: how many are different, and which count as odd."""

from weft.pipeline.report import image_figures
from weft.schemas.records import ImageRow, RepeatedImage
from weft.schemas.tables import IMAGES, REPEATED
from weft.transforms.io import parquet

SCENE, OTHER, FLAT = "5555aaaa5555aaaa", "0f0f3c3c0f0f3c3c", "0" * 16


def row(url, image_id, phash=SCENE, size=(300, 200), status="ok", flat=False, origin="warc"):
    return ImageRow(url, image_id, status, 200, "image/jpeg", *size, *size, phash, "b", 0, 1, 0, origin, flat)


def test_no_index_gives_no_figures(tmp_path):
    assert image_figures.gather(str(tmp_path)) == {}


def test_looks_and_files_are_counted_apart_and_flat_pictures_by_their_bytes(tmp_path):
    rows = [
        row("a", "1"), row("b", "1"), row("c", "2"),  # one look, two files
        row("d", "3", OTHER, origin="http"),
        row("e", "4", FLAT, (1, 2), flat=True), row("f", "5", FLAT, (64, 200), flat=True),  # the same hash, nothing seen
        row("g", "", "", status="timeout"),
    ]  # fmt: skip
    parquet.write_table(str(tmp_path / "images/index/0.parquet"), rows, IMAGES)
    repeated = [RepeatedImage("a", "h", 12, "a")]
    parquet.write_table(str(tmp_path / "images/repeated/0.parquet"), repeated, REPEATED)
    found = image_figures.gather(str(tmp_path))
    assert (found["wanted"], found["stored"], found["origins"]) == (7, 6, {"http": 1, "warc": 5})
    assert (found["distinct_sha256"], found["shared_sha256"]) == (5, 1)
    assert (found["distinct_looks"], found["shared_looks"]) == (4, 1)
    assert found["odd"] == {
        "of one colour": 2, "tracking pixels": 1, "under 64 pixels": 1, "more than 3 times as long as wide": 1,
        "placeholders": 1,
    }  # fmt: skip
