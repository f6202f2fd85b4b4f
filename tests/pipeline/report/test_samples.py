"""Which samples the report shows, and their thumbnails."""

import base64
import io

import pytest
from PIL import Image

from weft.pipeline.report import samples
from weft.schemas.records import DROPPED, Fate
from weft.schemas.tables import FATES
from weft.transforms.io import parquet


def test_samples_do_not_depend_on_order():
    keys = [f"k{i}" for i in range(50)]
    assert samples.choose(keys, 5, "s") == samples.choose(reversed(keys), 5, "s")
    assert samples.choose(keys, 5, "s") != samples.choose(keys, 5, "other")


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "1", "I;16", "CMYK"])
def test_thumbnails_of_every_mode_are_small_jpegs(mode: str):
    buffer = io.BytesIO()
    Image.new(mode, (800, 400)).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    data = samples.thumbnail(buffer.getvalue())
    with Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))) as made:
        assert made.size == (samples.THUMBNAIL, samples.THUMBNAIL // 2) and made.format == "JPEG"


def test_what_is_no_image_has_no_thumbnail():
    cut = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(cut, "JPEG")
    assert samples.thumbnail(b"<svg onload='alert(1)'/>") == "" == samples.thumbnail(cut.getvalue()[:300])


def test_reasons_take_turns_so_that_a_common_one_does_not_hide_the_others(tmp_path):
    fates = [Fate("dedup", "document", f"{reason}{n}", DROPPED, reason, "") for reason, count in
             (("common", 40), ("rare", 1), ("seldom", 3)) for n in range(count)]  # fmt: skip
    for name, rows in (("a", fates[:20]), ("b", fates[20:])):
        parquet.write_table(str(tmp_path / f"fates/dedup/{name}.parquet"), rows, FATES)
    chosen = samples._one_of_each(str(tmp_path), "dedup", "document", 6, "s")
    assert [row["reason"] for row in chosen] == ["common", "seldom", "rare", "common", "seldom", "common"]
    assert len({row["key"] for row in chosen}) == 6
