"""Rare and hostile forms of images: colours come out as a browser shows them, bombs are named and stay small."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from weft.schemas.parameters import FetchRules
from weft.transforms.fetch.decode import Prepared, Refused, prepare
from weft.transforms.fetch.image_formats import MOST_SCANS

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (255, 255, 255)
ROOT = Path(__file__).parents[3]


def scene(width: int = 96, height: int = 64) -> np.ndarray:
    """Red top left, green top right, blue below."""
    pixels = np.full((height, width, 3), BLUE, np.uint8)
    pixels[: height // 2, : width // 2], pixels[: height // 2, width // 2 :] = RED, GREEN
    return pixels


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def kept(data: bytes, **section: object) -> Image.Image:
    rules = FetchRules(**section)  # type: ignore[arg-type]
    made = prepare(data, rules, rules)
    assert isinstance(made, Prepared), made
    return Image.open(io.BytesIO(made.data)).convert("RGB")


def seen(data: bytes, **section: object) -> list[tuple[int, ...]]:
    """Colours top left, top right, below."""
    image = kept(data, **section)
    w, h = image.size
    return [image.getpixel(at) for at in ((w // 8, h // 8), (w - w // 8, h // 8), (w // 8, h - h // 8))]


def near(one: list[tuple[int, ...]], other: tuple[tuple[int, ...], ...], within: int = 12) -> bool:
    return bool(np.abs(np.asarray(one) - np.asarray(other)).max() <= within)


def png(width: int, height: int, depth: int, colours: int, raw: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of raw lines, each with its filter byte; other chunks stand before the pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def deep(pixels: np.ndarray) -> bytes:
    """PNG lines of 16 bits a channel."""
    wide = (pixels.astype(">u2") * 257).astype(">u2")
    return b"".join(b"\x00" + line.tobytes() for line in wide)


def test_sixteen_bits_a_channel() -> None:
    pixels = scene()
    assert near(seen(png(96, 64, 16, 2, deep(pixels))), (RED, GREEN, BLUE))
    clear = np.concatenate([pixels, np.full((64, 96, 1), 255, np.uint8)], 2)
    clear[:32, 48:, 3] = 0
    assert near(seen(png(96, 64, 16, 6, deep(clear))), (RED, WHITE, BLUE))
    grey = np.stack([pixels[:, :, 1], np.full((64, 96), 255, np.uint8)], 2)
    grey[:32, 48:, 1] = 0
    levels = RED[1], BLUE[1]
    assert near(seen(png(96, 64, 16, 4, deep(grey))), ((levels[0],) * 3, WHITE, (levels[1],) * 3))
    for kind in ("PNG", "TIFF"):
        half = Image.fromarray(pixels[:, :, 1].astype(np.uint16) * 257)
        assert near(seen(saved(half, kind)), ((30,) * 3, (180,) * 3, (40,) * 3))
    assert near(seen(saved(Image.fromarray(pixels[:, :, 1].astype(np.float32) / 255), "TIFF")),
                ((30,) * 3, (180,) * 3, (40,) * 3))  # fmt: skip


def test_one_bit_and_grey_with_alpha() -> None:
    bits = Image.fromarray(scene()[:, :, 1] > 100)
    assert bits.mode == "1"
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        assert near(seen(saved(bits, kind)), ((0,) * 3, WHITE, (0,) * 3))
    grey = Image.fromarray(scene()[:, :, 1])
    alpha = Image.fromarray(np.where(scene()[:, :, 1] > 100, 0, 255).astype(np.uint8))
    grey.putalpha(alpha)
    assert grey.mode == "LA"
    for kind in ("PNG", "TIFF"):
        for side in (512, 40):
            assert near(seen(saved(grey, kind), max_side=side), ((30,) * 3, WHITE, (40,) * 3))


def test_inks_are_read_inverted_as_browsers_read_them() -> None:
    inks = Image.fromarray(scene()).convert("CMYK")
    for data in (saved(inks, "JPEG", quality=95), saved(inks, "TIFF")):
        assert near(seen(data), (RED, GREEN, BLUE))
        assert near(seen(data, max_side=40), (RED, GREEN, BLUE))


def test_inks_as_brightness_and_colour() -> None:
    """YCCK, Photoshop's usual form: the first three inks are stored as YCbCr, Adobe's marker says so."""
    three = np.asarray(Image.fromarray(scene()).convert("YCbCr"))
    four = np.concatenate([three, np.zeros((64, 96, 1), np.uint8)], 2)
    data = bytearray(saved(Image.fromarray(four, "CMYK"), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2
    assert near(seen(bytes(data)), (RED, GREEN, BLUE))


def test_a_jpeg_that_stores_rgb() -> None:
    data = saved(Image.fromarray(scene()), "JPEG", quality=95, keep_rgb=True)
    for side in (512, 40):
        assert near(seen(data, max_side=side), (RED, GREEN, BLUE))


def _p3() -> bytes:
    """Display P3: sRGB's curve over wider primaries."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = struct.unpack(">I", data[128:132])[0]
    wide = {b"rXYZ": (0.51512, 0.24120, -0.00105), b"gXYZ": (0.29198, 0.69225, 0.04189),
            b"bXYZ": (0.15710, 0.06657, 0.78407)}  # fmt: skip
    for tag in range(tags):
        name, at = struct.unpack(">4sI", data[132 + 12 * tag : 140 + 12 * tag])
        if name in wide:
            data[at + 8 : at + 20] = struct.pack(">3i", *(round(value * 65536) for value in wide[name]))
    return bytes(data).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_wide_gamut_is_taken_to_srgb(kind: str) -> None:
    options = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    data = saved(Image.new("RGB", (80, 80), (200, 120, 60)), kind, icc_profile=_p3(), **options)
    # P3 (200, 120, 60) in sRGB, by the matrices of the two spaces
    assert near([kept(data).getpixel((40, 40))], ((213, 115, 42),), 3)
    assert near([kept(data, max_side=40).getpixel((20, 20))], ((213, 115, 42),), 3)


def test_a_palette_with_a_transparent_colour_in_an_animation() -> None:
    first = Image.fromarray(scene()).convert("RGBA")
    first.paste((0, 0, 0, 0), (48, 0, 96, 32))
    second = Image.new("RGBA", (96, 64), (0, 0, 0, 255))
    for kind, options in (("GIF", {"disposal": 2}), ("WEBP", {"lossless": True}), ("PNG", {})):
        data = saved(first, kind, save_all=True, append_images=[second, first], duration=50, loop=0, **options)
        assert Image.open(io.BytesIO(data)).n_frames == 3
        assert near(seen(data), (RED, WHITE, BLUE), 20)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "too_few_bytes"),
        (b"\x00", "not_an_image"),
        (b"\xff", "not_an_image"),
        (gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg'/>", mtime=0), "unsupported_format"),
        (b"<!DOCTYPE html><title>Not found</title>", "not_an_image"),
        (b"\x00\x00\x00\x20ftypavif" + bytes(60), "undecodable"),
        (b"RIFF\x20\x00\x00\x00WEBPVP8 " + bytes(28), "undecodable"),
        (b"II*\x00\x08\x00\x00\x00\xff\xff" + bytes(100), "undecodable"),
        (b"BM" + bytes(60), "undecodable"),
        (b"GIF89a" + bytes(7), "truncated"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, reason: str) -> None:
    made = prepare(data)
    assert isinstance(made, Refused) and made.reason == reason, made


def many_scans(extra: int) -> bytes:
    """A small progressive JPEG whose last scan is repeated."""
    data = saved(Image.fromarray(scene()), "JPEG", progressive=True, quality=95)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * extra + data[-2:]


def test_a_jpeg_of_many_scans_is_not_decoded() -> None:
    assert near(seen(many_scans(50)), (RED, GREEN, BLUE), 20)
    assert prepare(many_scans(5_000)) == Refused("undecodable", "JPEG: 5010 scans")
    marks = saved(Image.fromarray(scene()), "JPEG", quality=95) + b"\xff\xda\x30\x00" * (2 * MOST_SCANS) + b"\xff\xd9"
    assert near(seen(marks), (RED, GREEN, BLUE), 20)  # a video behind the picture is not part of it


def _bombs() -> dict[str, tuple[bytes, str]]:
    """Name → (bytes, what they end as); each is small and asks for gigabytes."""
    canvas = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\x02\x02\x4c\x01\x00;"
    jpeg = bytearray(saved(Image.new("RGB", (16, 16)), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_382).to_bytes(3, "little") * 2
    text = b"comment\x00\x00" + zlib.compress(bytes(1 << 28))
    profile = b"p\x00\x00" + zlib.compress(bytes(1 << 28))
    one = b"\x00" + bytes(3)
    fields = {256: 60_000, 257: 60_000, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 60_000, 279: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    tiff = b"II*\x00" + struct.pack("<IH", 8, len(fields)) + entries + bytes(104)
    return {
        "png": (png(30_000, 30_000, 8, 2, bytes(100)), "too_many_pixels"),
        "png of bits": (png(60_000, 60_000, 1, 0, bytes(7_501 * 100)), "too_many_pixels"),
        "gif": (canvas + frame, "too_many_pixels"),
        "jpeg": (bytes(jpeg), "too_many_pixels"),
        "webp": (b"RIFF" + struct.pack("<I", 4 + len(webp)) + b"WEBP" + webp, "undecodable"),
        "tiff": (tiff, "too_many_pixels"),
        "text": (png(1, 1, 8, 2, one, (b"zTXt", text)), "undecodable"),
        "profile": (png(1, 1, 8, 2, one, (b"iCCP", profile)), "undecodable"),
        "scans": (many_scans(20_000), "undecodable"),
    }


_CHILD = """
import json, sys
from weft.transforms.fetch.decode import prepare, set_up_process

def memory(which):
    return int(next(line for line in open("/proc/self/status") if line.startswith(which)).split()[1]) / 1024

set_up_process()
prepare(b"GIF89a")
before = memory("VmRSS")
for path in sys.argv[1:]:
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    made = prepare(open(path, "rb").read())
    print(json.dumps([getattr(made, "reason", "ok"), memory("VmHWM") - before]))
"""


def _children(folder: Path, images: Iterable[bytes]) -> list[tuple[str, float]]:
    """What became of each image in a process of their own, and how many MB more than at its start that took."""
    paths = []
    for number, data in enumerate(images):
        paths.append(folder / f"{number}")
        paths[-1].write_bytes(data)
    command = [sys.executable, "-c", _CHILD, *map(str, paths)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


def test_a_bomb_is_named_and_takes_little_memory(tmp_path: Path) -> None:
    bombs = _bombs()
    assert all(len(data) < 3_000_000 for data, _ in bombs.values())
    found = _children(tmp_path, (data for data, _ in bombs.values()))
    assert {name: reason for name, (reason, _) in zip(bombs, found, strict=True)} == {
        name: wanted for name, (_, wanted) in bombs.items()
    }
    assert all(grown < 150 for _, grown in found), found


def _large(colours: int, depth: int) -> bytes:
    side, wide = 9_400, {2: 3, 6: 4, 0: 2}[colours]
    packed = zlib.compressobj(1)
    raw = b"".join(packed.compress(bytes(1 + side * wide)) for _ in range(side)) + packed.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", raw) + chunk(b"IEND", b"")


def test_at_the_limit_on_pixels_memory_is_as_stated(tmp_path: Path) -> None:
    found = _children(tmp_path, [_large(*kind) for kind in ((2, 8), (6, 8), (0, 16))])
    assert [reason for reason, _ in found] == ["ok"] * 3
    assert all(200 < grown < 1_200 for _, grown in found), found  # MB
