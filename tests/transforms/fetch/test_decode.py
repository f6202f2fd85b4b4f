"""One image at a time: what is refused and why; what is kept is upright, in RGB, small and without metadata."""

import dataclasses
import hashlib
import io
import math
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from weft.schemas.parameters import FetchRules, ImageForm
from weft.transforms.fetch.decode import Prepared, Refused, _pixels, phash, prepare, shrink
from weft.transforms.fetch.resize import fit

CONFIG = FetchRules()
RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (255, 255, 255)


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """Red top left, green top right, blue below."""
    image = Image.new("RGB", (width, height), BLUE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), RED)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    return image


def noise(width: int, height: int) -> Image.Image:
    """Pixels that do not compress, the same each time."""
    count = width * height * 3
    data = b"".join(hashlib.sha256(bytes(str(i), "ascii")).digest() for i in range(count // 32 + 1))
    return Image.frombytes("RGB", (width, height), data[:count])


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def kept(data: bytes, **section: Any) -> tuple[Prepared, Image.Image]:
    rules = dataclasses.replace(CONFIG, **section)
    made = prepare(data, rules, rules)
    assert isinstance(made, Prepared), made
    stored = Image.open(io.BytesIO(made.data))
    assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", (made.stored_width, made.stored_height))
    return made, stored


def reason(data: bytes, **section: Any) -> str:
    rules = dataclasses.replace(CONFIG, **section)
    made = prepare(data, rules, rules)
    assert isinstance(made, Refused), made
    return made.reason


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours near the corners: top left, top right, bottom left."""
    w, h = image.size
    return [image.getpixel(at) for at in ((w // 8, h // 8), (w - w // 8, h // 8), (w // 8, h - h // 8))]


def close(seen: tuple[int, ...], wanted: tuple[int, ...], within: int = 25) -> bool:
    return all(abs(a - b) <= within for a, b in zip(seen, wanted, strict=True))


def looks_like_the_scene(image: Image.Image) -> bool:
    return all(map(close, corners(image), (RED, GREEN, BLUE)))


@pytest.mark.parametrize(
    ("kind", "mime", "options"),
    [
        ("JPEG", "image/jpeg", {"quality": 95}),
        ("JPEG", "image/jpeg", {"quality": 95, "progressive": True}),
        ("PNG", "image/png", {}),
        ("WEBP", "image/webp", {"lossless": True}),
        ("GIF", "image/gif", {}),
        ("BMP", "image/bmp", {}),
        ("TIFF", "image/tiff", {"compression": "tiff_lzw"}),
        ("AVIF", "image/avif", {"quality": 95}),
    ],
)
def test_every_format_becomes_the_same_picture(kind: str, mime: str, options: dict[str, Any]) -> None:
    data = saved(scene(), kind, **options)
    made, stored = kept(data)
    assert (made.mime, made.width, made.height) == (mime, 96, 64)
    assert made.image_id == hashlib.sha256(data).hexdigest()
    assert looks_like_the_scene(stored)


def test_an_image_is_made_smaller_and_never_larger() -> None:
    made, stored = kept(saved(scene(1200, 800), "JPEG", quality=95), max_side=300)
    assert (made.width, made.height, stored.size) == (1200, 800, (300, 200))
    assert looks_like_the_scene(stored)
    assert kept(saved(scene(), "PNG"), max_side=300)[1].size == (96, 64)
    assert kept(saved(scene(4000, 3), "PNG"), max_side=300)[1].size == (300, 1)
    assert [fit(1000, 10, 512), fit(333, 1000, 512), fit(512, 512, 512)] == [(512, 5), (170, 512), (512, 512)]
    for times in (1, 2, 4, 8):  # as a JPEG may be decoded at once
        assert kept(saved(scene(96 * times, 64 * times), "JPEG"), max_side=96)[1].size == (96, 64)


def test_decoding_at_a_fraction_looks_as_decoding_in_full() -> None:
    large = scene(2048, 1365).resize((2048, 1365))
    ImageDraw.Draw(large).text((300, 900), "weft" * 40, fill=WHITE, font_size=90)
    data = saved(large, "JPEG", quality=95)
    _, stored = kept(data, max_side=300)
    full = Image.open(io.BytesIO(data)).resize(stored.size, Image.Resampling.LANCZOS)
    error = np.square(np.asarray(stored, np.float64) - np.asarray(full)).mean()
    assert 10 * math.log10(255**2 / error) > 30  # dB


@pytest.mark.parametrize("ratio", [1.1, 1.6, 1.9, 2.3, 3.7])
def test_no_pixel_is_left_out_whatever_the_ratio(ratio: float) -> None:
    """Grain finer than what is stored must become its mean, and not a pattern of its own."""
    grain = noise(round(240 * ratio), round(180 * ratio))
    _, stored = kept(saved(grain, "PNG"), max_side=240, quality=100)
    full = grain.resize(stored.size, Image.Resampling.LANCZOS)
    spread = np.asarray(stored, np.float64).std() / np.asarray(full, np.float64).std()
    assert 0.6 < spread < 1.05


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("side", [600, 4_200])  # the larger one lies in several blocks of memory
def test_pixels_are_read_where_they_lie(mode: str, side: int) -> None:
    image = Image.effect_noise((side, side + 1), 60).convert(mode)
    raw = "RGBX" if mode == "RGB" else "L"
    wanted = np.frombuffer(image.tobytes("raw", raw), np.uint8).reshape(side + 1, side, -1)
    assert np.array_equal(_pixels(image, raw), wanted)


def test_pixels_are_the_same_on_every_machine() -> None:
    """Hashes of resized pixels, each way of resampling: what is shared between machines must not depend on them."""
    seen = {}
    for mode, size in (("RGB", (401, 307)), ("RGB", (499, 333)), ("L", (777, 555)), ("RGBA", (500, 300))):
        small = shrink(noise(*size).convert(mode), fit(*size, 256))
        seen[mode, size] = hashlib.sha256(small.convert("RGB").tobytes()).hexdigest()[:16]
    assert seen == {
        ("RGB", (401, 307)): "e76f65300f73425d",
        ("RGB", (499, 333)): "7d5adfc84bdf4a54",
        ("L", (777, 555)): "edd9a31aa770d414",
        ("RGBA", (500, 300)): "b2bc425cbaf250a5",
    }


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_picture_is_stored_upright(orientation: int, kind: str) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose value that lays the scene as the camera held it
    lying = scene().transpose(Image.Transpose(undo[orientation])) if orientation > 1 else scene()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    made, stored = kept(saved(lying, kind, exif=exif, **options))
    assert (made.width, made.height, stored.size) == (96, 64, (96, 64))
    assert looks_like_the_scene(stored)
    assert stored.getexif().get(0x0112, 1) == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture() -> None:
    data = saved(scene(), "JPEG", quality=95, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\xff garbage")
    assert looks_like_the_scene(kept(data)[1])


def test_no_metadata_travels_along() -> None:
    exif = Image.Exif()
    exif[0x013B] = "An Artist"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    secret = {"exif": exif, "icc_profile": profile, "dpi": (300, 300), "comment": b"a comment"}
    made, stored = kept(saved(scene(), "JPEG", **secret))
    assert {"exif", "icc_profile", "comment"}.isdisjoint(stored.info)
    assert b"Artist" not in made.data and b"a comment" not in made.data
    assert b"a comment" not in kept(saved(scene(), "GIF", comment=b"a comment"))[0].data


HIDDEN = b"52.5163 N 13.3777 E"
NOTES = {  # as each format holds what is no picture; as PNG has it, with its checksum
    "JPEG": b"\xff\xfe" + struct.pack(">H", len(HIDDEN) + 2) + HIDDEN,
    "PNG": struct.pack(">I", len(HIDDEN)) + b"noTe" + HIDDEN + struct.pack(">I", zlib.crc32(b"noTe" + HIDDEN)),
    "WEBP": b"NOTE" + struct.pack("<I", len(HIDDEN)) + HIDDEN + b"\x00",
    "GIF": b"!\xfe" + bytes([len(HIDDEN)]) + HIDDEN + b"\x00",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", NOTES)
def test_what_is_hidden_anywhere_in_a_file_is_not_stored(kind: str) -> None:
    """A note before each byte: between chunks, in them, behind the data of the picture, behind its end."""
    whole, form = saved(scene(24, 16), kind), ImageForm(format=kind.lower() if kind != "GIF" else "png")  # type: ignore[arg-type]
    given = [whole[:at] + NOTES[kind] + whole[at:] for at in range(3, len(whole) + 1)]
    if kind == "WEBP":  # the length of the file, and once that of the only chunk, count the note too
        given = [data[:4] + struct.pack("<I", len(data) - 8) + data[8:] for data in given]
        given += [data[:16] + struct.pack("<I", len(data) - 20) + data[20:] for data in given]
    at = 8
    while kind == "PNG" and at < len(whole):  # and at the end of each chunk, within its length and checksum
        end = at + 8 + int.from_bytes(whole[at : at + 4])
        body = whole[at + 4 : end] + HIDDEN
        given.append(whole[:at] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
        given[-1] += whole[end + 4 :]
        at = end + 4
    stored = [made.data for made in (prepare(data, form) for data in given) if isinstance(made, Prepared)]
    assert len(stored) > 3 and not any(HIDDEN in data for data in stored)


def test_modes_become_rgb() -> None:
    grey = scene().convert("L")
    assert close(kept(saved(grey, "JPEG"))[1].getpixel((10, 10)), (grey.getpixel((10, 10)),) * 3)
    assert close(kept(saved(Image.new("1", (64, 64), 1), "PNG"))[1].getpixel((5, 5)), WHITE)
    cmyk = saved(scene().convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(cmyk)).mode == "CMYK"
    assert looks_like_the_scene(kept(cmyk)[1])
    assert looks_like_the_scene(kept(saved(scene().quantize(8), "PNG"))[1])
    deep = Image.fromarray(np.full((40, 40), 32_768, np.uint16))
    assert close(kept(saved(deep, "PNG"))[1].getpixel((5, 5)), (128, 128, 128), 2)
    assert close(kept(saved(deep, "TIFF"))[1].getpixel((5, 5)), (128, 128, 128), 2)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = scene().convert("RGBA")
    image.paste((0, 0, 0, 0), (48, 0, 96, 32))
    options: dict[str, Any] = {}
    if mode == "LA":
        image = image.convert("LA")
    if mode == "P":
        image = image.quantize(8)
    if mode == "RGB":  # one colour stands for transparent
        image, options = scene(), {"transparency": GREEN}
    data = saved(image, "PNG", **options)
    assert Image.open(io.BytesIO(data)).mode == mode
    for section in ({}, {"max_side": 48}):
        stored = kept(data, **section)[1]
        assert close(corners(stored)[1], WHITE, 6)
        assert mode == "LA" or close(corners(stored)[0], RED)


def test_the_first_frame_of_an_animation_is_kept() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (GREEN, RED, BLUE)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert Image.open(io.BytesIO(data)).n_frames == 3
        assert close(kept(data)[1].getpixel((30, 30)), GREEN)


def test_colours_of_another_profile_are_taken_to_srgb() -> None:
    """The same numbers mean other colours under a profile whose red and blue are swapped."""
    source = scene()
    plain = corners(kept(saved(source, "PNG"))[1])[0]
    profile = _swapped_profile()
    assert close(plain, RED)
    assert close(corners(kept(saved(source, "PNG", icc_profile=profile))[1])[0], RED[::-1], 40)
    assert close(corners(kept(saved(source, "PNG", icc_profile=b"no profile at all"))[1])[0], RED)
    grey = source.convert("L")  # a profile of another colour space says nothing of a grey picture
    assert close(kept(saved(grey, "PNG", icc_profile=profile))[1].getpixel((10, 10)), (grey.getpixel((10, 10)),) * 3, 4)


def _swapped_profile() -> bytes:
    """sRGB with its red and blue primaries exchanged and another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    at = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    data[red + 4 : red + 12], data[blue + 4 : blue + 12] = data[blue + 4 : blue + 12], data[red + 4 : red + 12]
    return bytes(data).replace("sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be"))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    pixels = zlib.compress(bytes(1000))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_by_its_header() -> None:
    assert reason(png_header(30_000, 30_000)) == "too_many_pixels"  # above Pillow's ceiling
    assert reason(png_header(10_000, 10_000)) == "too_many_pixels"  # above the configured limit
    assert reason(png_header(1_000, 1_001), max_pixels=1_000_000) == "too_many_pixels"
    assert reason(png_header(1_000, 1_000), max_pixels=1_000_000) == "truncated"  # decoded, and then found short


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.95])
def test_a_cut_image_is_refused(kind: str, share: float) -> None:
    data = saved(noise(120, 80), kind)
    cut = data[: int(len(data) * share)]
    assert reason(cut) in (("truncated",) if kind not in ("TIFF", "BMP") else ("truncated", "undecodable"))


def test_damage_is_not_a_cut() -> None:
    data = bytearray(saved(noise(120, 80), "PNG"))
    at = data.index(b"IDAT") + 4
    data[at : at + 8] = bytes(8)  # no zlib stream begins so
    assert reason(bytes(data)) == "undecodable"


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", "too_few_bytes"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn --><svg/>", "svg"),
        (b"<?xml version='1.0'?><feed/>", "not_an_image"),
        (b"\n <!DOCTYPE html><p>log in, <svg></svg></p>", "not_an_image"),
        (b'{"error": "gone"}', "not_an_image"),
        (b"\x00\x00\x01\x00\x01\x00" + bytes(50), "unsupported_format"),
        (b"8BPS" + bytes(50), "unsupported_format"),
        (b"\xff\xd8\xff", "truncated"),
        (b"RIFF\x00\x00\x00\x00WAVE" + bytes(50), "not_an_image"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, wanted: str) -> None:
    assert reason(data) == wanted


def test_bytes_are_limited_on_both_sides() -> None:
    data = saved(scene(), "PNG")
    assert reason(data, min_bytes=len(data) + 1) == "too_few_bytes"
    assert reason(data, max_bytes=len(data) - 1) == "too_many_bytes"
    kept(data, min_bytes=len(data), max_bytes=len(data))


def test_what_is_said_of_a_refusal_is_the_same_each_time() -> None:
    for data in (
        b"\xff\xd8\xff\xe0 not really",
        b"garbage",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        saved(scene(), "GIF")[:30],
    ):
        first, second = prepare(data, CONFIG), prepare(bytes(bytearray(data)), CONFIG)
        assert first == second and isinstance(first, Refused) and " at 0x" not in first.detail


def test_one_colour_is_seen_through_compression() -> None:
    for colour in (WHITE, RED, (3, 3, 3)):
        assert kept(saved(Image.new("RGB", (90, 90), colour), "JPEG", quality=60))[0].single_colour
    assert kept(saved(Image.new("RGBA", (90, 90), (9, 9, 9, 0)), "PNG"))[0].single_colour
    assert not kept(saved(scene(), "JPEG"))[0].single_colour
    lettered = Image.new("RGB", (90, 90), WHITE)
    ImageDraw.Draw(lettered).text((5, 5), "a few words", fill=(0, 0, 0))
    assert not kept(saved(lettered, "PNG"))[0].single_colour


def test_the_hash_is_the_published_one() -> None:
    """Against the definition written out: type-II DCT of 32x32 grey values, the low 8x8 compared with their median."""
    image = noise(97, 61)
    grey = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float64)
    angle = [[math.cos(math.pi * k * (2 * n + 1) / 64) for n in range(32)] for k in range(8)]
    low = [
        4 * sum(grey[y, x] * angle[v][y] * angle[u][x] for y in range(32) for x in range(32))
        for v in range(8)
        for u in range(8)
    ]
    median = float(np.median(low))
    assert phash(image) == f"{sum(int(value > median) << (63 - i) for i, value in enumerate(low)):016x}"


def test_the_hash_survives_what_does_not_change_the_picture() -> None:
    def distance(a: Prepared, b: Prepared) -> int:
        return (int(a.phash, 16) ^ int(b.phash, 16)).bit_count()

    large = noise(16, 12).resize((960, 720), Image.Resampling.BICUBIC)
    one = kept(saved(large, "PNG"))[0]
    other = kept(saved(large.resize((480, 360)), "JPEG", quality=50))[0]
    assert distance(one, other) <= 4
    assert distance(one, kept(saved(large.rotate(180), "PNG"))[0]) > 16
    assert kept(saved(Image.new("RGB", (64, 64), RED), "PNG"))[0].phash == "8000000000000000"


def test_equal_bytes_in_give_equal_bytes_out() -> None:
    data = saved(noise(700, 500), "JPEG", quality=90)
    assert prepare(data, CONFIG) == prepare(data, CONFIG)
    smaller = dataclasses.replace(CONFIG, quality=60)
    assert len(prepare(data, smaller).data) < len(prepare(data, CONFIG).data)  # type: ignore[union-attr]
