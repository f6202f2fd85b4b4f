"""How pictures are stored: img2dataset's ways of resizing, never enlarging, in three formats."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from weft.schemas.parameters import ImageForm
from weft.schemas.shards import image_suffix
from weft.transforms.fetch.decode import Prepared, Refused, prepare
from weft.transforms.fetch.resize import target

MODES = ("keep_ratio_largest", "keep_ratio", "center_crop", "border", "no")


def picture(width: int, height: int) -> Image.Image:
    """Smooth, and different in each corner."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - (x + y) / 2], -1).astype(np.uint8))


def stored(image: Image.Image, **section: object) -> tuple[Prepared, Image.Image]:
    out = io.BytesIO()
    image.save(out, "PNG")
    made = prepare(out.getvalue(), dataclasses.replace(ImageForm(), **section))  # type: ignore[arg-type]
    assert isinstance(made, Prepared), made
    read = Image.open(io.BytesIO(made.data))
    assert read.size == (made.stored_width, made.stored_height)
    return made, read


@pytest.mark.parametrize("resize", MODES)
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (301, 97), (90, 60), (120, 60), (100, 100)])
def test_sizes_and_pixels_are_those_of_img2dataset(
    resize: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(*size)
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    from img2dataset.resizer import Resizer  # not above: two seconds, in each process that collects the tests

    made, ours = stored(image, resize=resize, max_side=100, format="png")
    raw = io.BytesIO()
    image.save(raw, "PNG")
    peer, width, height, *_, error = Resizer(100, resize, True, encode_format="png", encode_quality=1)(raw)
    assert error is None
    assert ours.size == (width, height)
    difference = np.abs(np.asarray(ours, int) - np.asarray(Image.open(io.BytesIO(peer)), int))
    assert difference.mean() < 1.5
    assert (made.width, made.height) == size


def test_what_was_turned_is_cut_upright() -> None:
    image = picture(300, 200)
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(out, "PNG", exif=exif)
    for resize in ("center_crop", "border", "keep_ratio"):
        config = dataclasses.replace(ImageForm(), resize=resize, max_side=100, format="png")  # type: ignore[arg-type]
        made = prepare(out.getvalue(), config)
        assert isinstance(made, Prepared)
        seen = np.asarray(Image.open(io.BytesIO(made.data)), int)
        assert np.abs(seen - np.asarray(stored(image, resize=resize, max_side=100, format="png")[1])).max() <= 3


@pytest.mark.parametrize(("name", "suffix"), [("jpeg", "jpg"), ("webp", "webp"), ("png", "png")])
def test_formats(name: str, suffix: str) -> None:
    for image in (picture(300, 200), picture(90, 60), picture(300, 200).convert("L"), picture(30, 20).convert("RGBA")):
        made, read = stored(image, format=name, max_side=100)
        assert (read.format, read.mode) == (name.upper(), "RGB")
        assert image_suffix(made.data) == suffix
        wanted = np.asarray(image.convert("RGB").resize(read.size), int)
        assert np.abs(np.asarray(read, int) - wanted).mean() < 3
    smooth = picture(300, 200)
    sizes = [len(stored(smooth, format=name, quality=quality)[0].data) for quality in (30, 95)]
    assert sizes[0] < sizes[1] if name != "png" else sizes[0] == sizes[1]


def test_the_hashes_do_not_depend_on_the_form() -> None:
    image = picture(400, 200)
    made = [stored(image, resize=resize, format=kind)[0] for resize in MODES for kind in ("jpeg", "webp", "png")]
    assert {one.image_id for one in made} == {made[0].image_id}
    assert max((int(one.phash, 16) ^ int(made[0].phash, 16)).bit_count() for one in made) <= 2


def test_what_a_format_has_no_room_for_is_named() -> None:
    long = Image.new("L", (16_400, 3))
    out = io.BytesIO()
    long.save(out, "PNG")
    made = prepare(out.getvalue(), dataclasses.replace(ImageForm(), resize="no", format="webp"))
    assert made == Refused("too_many_pixels", "16400x3 as webp")
    assert isinstance(prepare(out.getvalue(), dataclasses.replace(ImageForm(), resize="no")), Prepared)


def test_nothing_is_enlarged() -> None:
    for resize in MODES:
        config = dataclasses.replace(ImageForm(), resize=resize, max_side=512)  # type: ignore[arg-type]
        assert target(511, 3, config) == (511, 3) and target(512, 512, config) == (512, 512)


def test_other_bytes_are_no_image_of_a_shard() -> None:
    with pytest.raises(ValueError, match="GIF89a"):
        image_suffix(b"GIF89a" + bytes(20))
