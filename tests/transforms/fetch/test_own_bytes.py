"""A file without its metadata decodes to the same pixels, or is left to be encoded afresh."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from weft.schemas.parameters import ImageForm
from weft.transforms.fetch.decode import Prepared, prepare
from weft.transforms.fetch.own_bytes import stripped

SECRET = b"taken at 52.5 N"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(mode: str = "RGB", size: tuple[int, int] = (61, 43)) -> Image.Image:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    bands = [(x * 3 + y * k) % 256 for k in (1, 2, 5)]
    return Image.fromarray(np.dstack(bands).astype(np.uint8)).convert(mode)


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    (image or picture()).save(out, kind, **options)
    return out.getvalue()


def marked(orientation: int = 1) -> dict[str, Any]:
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = SECRET.decode(), orientation
    return {"exif": exif.tobytes(), "icc_profile": PROFILE}


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        assert not image.getexif() and "icc_profile" not in image.info and "comment" not in image.info
        return np.asarray(image)


JPEG = saved("JPEG", comment=SECRET, xmp=SECRET, **marked())
PLAIN = {
    "baseline": JPEG + b"\xff\xd8 a thumbnail or a film",
    "progressive": saved("JPEG", progressive=True, **marked()),
    "restarts": saved("JPEG", restart_marker_blocks=2, subsampling=0, **marked()),
    "PNG": saved("PNG", compress_level=1, **marked()),
    "WebP": saved("WEBP", xmp=SECRET, **marked()),
    "WebP without loss": saved("WEBP", lossless=True, **marked()),
    "nothing to strip": saved("WEBP"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_pixels_stay_and_metadata_go(name: str) -> None:
    data = PLAIN[name]
    with Image.open(io.BytesIO(data)) as image:
        made = stripped(data, str(image.format))
        assert np.array_equal(pixels(made), np.asarray(image))
    assert made and SECRET not in made and stripped(made, str(image.format)) == made


def test_what_is_not_plain_is_left() -> None:
    png = saved("PNG")
    moves = saved("WEBP", save_all=True, append_images=[picture().rotate(90)], duration=9)
    left = [
        ("JPEG", saved("JPEG", keep_rgb=True)),
        ("JPEG", saved("JPEG", picture("CMYK"))),
        ("JPEG", saved("JPEG", picture("L"))),
        ("JPEG", JPEG[: len(JPEG) // 2]),
        ("JPEG", JPEG.replace(b"\xff\xdb", b"??\xff\xdb", 1)),
        ("PNG", saved("PNG", picture("P"))),
        ("PNG", saved("PNG", picture("RGBA"))),
        ("PNG", png[:33] + chunk(b"acTL", bytes(8)) + png[33:]),
        ("PNG", png[:33] + chunk(b"tRNS", bytes(6)) + png[33:]),
        ("PNG", png[:-20] + b"?" + png[-19:]),
        ("WEBP", moves),
        ("WEBP", saved("WEBP", Image.merge("RGBA", [*picture().split(), picture("L")]))),
        ("WEBP", saved("WEBP")[:-40]),
    ]
    assert [stripped(data, kind) for kind, data in left] == [b""] * len(left)


@given(st.sampled_from(sorted(PLAIN)), st.data())
def test_a_broken_file_that_decodes_has_the_same_pixels_without_metadata(name: str, draw: st.DataObject) -> None:
    data = bytearray(PLAIN[name])
    kind = name if name == "PNG" else "WEBP" if data[8:12] == b"WEBP" else "JPEG"
    for at in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=3)):
        data[at] = draw.draw(st.integers(0, 255))
    made = stripped(bytes(data), kind)
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            wanted = np.asarray(image)
            plain = image.mode == "RGB"
    except Exception:
        return
    if made and plain:
        with Image.open(io.BytesIO(made)) as again:
            assert np.array_equal(np.asarray(again), wanted)


KEPT = {"jpeg": JPEG, "png": PLAIN["PNG"], "webp": PLAIN["WebP"]}
AFRESH: dict[str, tuple[bytes, dict[str, Any]]] = {
    "another format": (PLAIN["PNG"], {}),
    "too large": (JPEG, {"max_side": 60}),
    "cut": (JPEG, {"max_side": 43, "resize": "center_crop"}),
    "turned": (saved("JPEG", **marked(orientation=6)), {}),
    "grey": (saved("JPEG", picture("L")), {}),
}


@pytest.mark.parametrize("name", KEPT)
def test_an_image_that_need_not_change_keeps_its_bytes(name: str) -> None:
    afresh, own = (prepare(KEPT[name], ImageForm(format=name, reencode=one)) for one in (True, False))  # type: ignore[arg-type]
    assert isinstance(own, Prepared) and isinstance(afresh, Prepared)
    assert own.data == stripped(KEPT[name], name.upper()) and own.data != afresh.data
    assert own._replace(data=b"") == afresh._replace(data=b"")


@pytest.mark.parametrize("name", AFRESH)
def test_an_image_that_changes_is_encoded_afresh(name: str) -> None:
    data, form = AFRESH[name]
    assert prepare(data, ImageForm(reencode=False, **form)) == prepare(data, ImageForm(**form))


def test_colours_that_must_change_are_encoded_afresh() -> None:
    other = PROFILE.replace(b"sRGB", b"room").replace("sRGB".encode("utf-16-be"), "room".encode("utf-16-be"))
    data = saved("JPEG", icc_profile=other)
    assert prepare(data, ImageForm(reencode=False)) == prepare(data, ImageForm())
