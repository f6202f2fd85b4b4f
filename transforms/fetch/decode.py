"""Fetched bytes → a validated, upright, resized RGB image with its hashes, or the reason there is none.

Nothing is decoded before its header has been read: the format from the first bytes, then width times height against a
limit. What is stored is always encoded afresh, so that every trainer can read every image and no metadata travels
along. Colours become sRGB, where a profile says that they are something else.

img2dataset's Resizer, the usual one, is measured beside this (benchmarks/images.py) but not used: it ignores EXIF
orientation and colour profiles, decodes before it looks at the size, and redirects file descriptors 1 and 2 while it
works, which breaks a worker with threads.

A process that prepares many images calls `set_up_process` first. It changes speed and what is said on stderr, never an
image.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import threading
import warnings
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import AvifImagePlugin, Image, ImageCms, ImageStat, UnidentifiedImageError

from weft.schemas.parameters import ConfigError, FetchRules, ImageForm, ImageLimits
from weft.transforms.consent import in_image
from weft.transforms.fetch import image_formats, memory, resize, svg
from weft.transforms.io import local_copies

# Pixels must be the same on every machine, so both filters in use compute in integers: Pillow's, and of OpenCV's the
# only one that promises it, INTER_LINEAR_EXACT, in a quarter of the time. It reads just two pixels each way, and would
# leave pixels out where an image becomes much smaller. So the image is first made smaller by a whole factor (by the
# JPEG decoder, or a box filter). What is still more than _ALIASES times too large then goes to twice the wanted size
# first; halving that, the filter takes the mean of 2x2 pixels. On real images the result is as near to Lanczos as
# img2dataset's INTER_AREA, which is in floating point (benchmarks/images.py).
RESAMPLING = Image.Resampling.HAMMING
_EXACT_MODES = ("RGB", "L")  # Pillow weighs the colours of transparent pixels, OpenCV does not
_ALIASES = 1.5
_GAP = 3.0  # a box filter comes first where the reduction is more than this: indistinguishable, says Pillow's manual
SINGLE_COLOUR_STD = 2.0  # of 255: below this no channel says anything; JPEG noise of a flat picture stays under it
LARGE_PIXELS = 1 << 24  # decoded one at a time in a process: at the limit an image takes most of a gigabyte
_one_large = threading.Lock()
_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PHASH_SIDE, _PHASH_LOW = 32, 8  # the imagehash package's definition: 32x32 grey, DCT, low 8x8 above its median
_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}  # mode → colour space of a profile that fits it

DEFAULT_FORM, DEFAULT_LIMITS = ImageForm(), ImageLimits()


@functools.cache
def set_up_process() -> None:
    """Set this process up for preparing many images; called again, it does nothing."""
    cv2.setNumThreads(1)  # a worker has as many processes as cores
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    memory.keep_freed()
    # ImageLimits decides and not Pillow's own limit; and its complaints about metadata are no user's business.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class Prepared(NamedTuple):
    """An image as it is stored."""

    data: bytes  # in the format of ImageForm
    image_id: str  # sha256 of the bytes as fetched
    mime: str
    width: int  # of the original, upright
    height: int
    stored_width: int
    stored_height: int
    phash: str
    single_colour: bool


class Refused(NamedTuple):
    """Why bytes are no usable image."""

    reason: str
    detail: str


def consented(data: bytes, rules: FetchRules, said: str = "") -> tuple[Prepared | Refused, str]:
    """(one image as `prepare` has it, or its refusal where its own metadata forbid its use; the words on record).

    Args:
        data: a whole file, as fetched.
        rules: how it is stored, and whether its metadata count.
        said: what the headers that it came with say against its use, honoured or not.
    """
    words = in_image.read(data)
    if words and "dmi" in rules.honoured:
        return Refused("opt_out", words), words
    return prepare(data, rules, rules), said or words


def prepare(data: bytes, form: ImageForm = DEFAULT_FORM, limits: ImageLimits = DEFAULT_LIMITS) -> Prepared | Refused:
    """Validate, orient, resize and hash one image; every failure is a reason, nothing is raised.

    Args:
        data: a whole file, as fetched.
        form: how it is to be stored.
        limits: what it may be as fetched.
    """
    if len(data) < max(limits.min_bytes, 1):
        return Refused("too_few_bytes", f"{len(data)} bytes")
    if len(data) > limits.max_bytes:
        return Refused("too_many_bytes", f"over {limits.max_bytes} bytes")
    kind = image_formats.named(data)
    if not kind:
        refused = Refused(*image_formats.unreadable(data))
        return _drawn(data, form, limits) if refused.reason == "svg" and limits.svg else refused
    if kind == "JPEG" and (scans := image_formats.scans(data)) > image_formats.MOST_SCANS:
        return Refused("undecodable", f"JPEG: {scans} scans")
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            width, height = image.size
            if width * height > limits.max_pixels:
                return Refused("too_many_pixels", f"{width}x{height}")
            with _one_large if width * height > LARGE_PIXELS else contextlib.nullcontext():
                small = shrink(image, resize.target(width, height, form))
            orientation = _orientation(image)  # not earlier: it may decode, and hides what that raises
    except Image.DecompressionBombError as error:  # Pillow's own ceiling, twice its documented limit
        return Refused("too_many_pixels", str(error).split(",")[0])
    except Exception as error:  # decoders of hostile bytes raise anything: struct.error, ZeroDivisionError, ...
        told = "cannot be opened" if isinstance(error, UnidentifiedImageError) else str(error)[:100]
        cut = "truncat" in told.lower() or image_formats.is_cut(data, kind)
        return Refused("truncated" if cut else "undecodable", f"{kind}: {told}")
    if orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[orientation])
        width, height = (height, width) if orientation >= 5 else (width, height)
    grey = _grey(small)
    # `grey` is averaged, so it varies less than the image: where it does not seem flat, the image need not be measured.
    single = bool(grey.std() < 2 * SINGLE_COLOUR_STD) and max(ImageStat.Stat(small).stddev) < SINGLE_COLOUR_STD
    stored = resize.shaped(small, form)
    if resize.unstorable(stored.size, form):
        return Refused("too_many_pixels", f"{stored.width}x{stored.height} as {form.format}")
    return Prepared(
        resize.encoded(stored, form),
        hashlib.sha256(data).hexdigest(),
        Image.MIME[kind],
        width,
        height,
        stored.width,
        stored.height,
        _phash(grey),
        single,
    )


def _drawn(data: bytes, form: ImageForm, limits: ImageLimits) -> Prepared | Refused:
    """A drawing as `prepare` has it; it is drawn at the size that it is stored in."""
    try:
        drawing = svg.read(data)
        width, height = max(1, round(drawing.width)), max(1, round(drawing.height))
        if width * height > limits.max_pixels:
            return Refused("too_many_pixels", f"{width}x{height}")
        fonts = tuple(map(local_copies.named, limits.svg_fonts))
        png = svg.png(drawing, *resize.target(width, height, form), fonts)
    except svg.Undrawable as error:
        return Refused("undecodable", f"SVG: {error}")
    except OSError as error:  # of this machine, not of the drawing
        raise ConfigError(f"fetch.svg = true: {error}") from None
    made = prepare(png, form, ImageLimits(max_bytes=len(png), max_pixels=limits.max_pixels))
    if isinstance(made, Refused):
        return made
    return made._replace(image_id=hashlib.sha256(data).hexdigest(), mime="image/svg+xml", width=width, height=height)


def shrink(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """An open image decoded, resampled to `target` (width, height), put on white and in sRGB; not yet upright.

    Its mode is RGB or RGBX.

    Raises:
        Exception: whatever Pillow's decoder does.
    """
    image.draft(image.mode, target)  # JPEG: decodes at 1/2, 1/4 or 1/8 where that is still large enough
    image.load()
    profile = image.info.get("icc_profile")
    small = _resizable(image)
    if small.size != target:
        small = _resized(small, target)
    if small.mode == "RGBA" or (profile and small.mode == "RGBX"):
        small = _flat(small)
    small = _to_srgb(small, profile) if profile else small
    return small if small.mode == "RGBX" else _flat(small)


def _resized(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Resampled; RGB becomes RGBX, four bytes a pixel as Pillow holds it, which saves a copy."""
    if image.mode not in _EXACT_MODES:
        return image.resize(target, RESAMPLING, reducing_gap=_GAP)
    factor = min(image.width // target[0], image.height // target[1])
    small = image.reduce(factor, _whole(image.size, factor)) if factor > 1 else image
    if small.size == target:
        return small
    mode = "RGBX" if image.mode == "RGB" else "L"
    pixels = _pixels(small, mode)
    if small.width > _ALIASES * target[0] or small.height > _ALIASES * target[1]:
        pixels = cv2.resize(pixels, (2 * target[0], 2 * target[1]), interpolation=cv2.INTER_LINEAR_EXACT)
    pixels = cv2.resize(pixels, target, interpolation=cv2.INTER_LINEAR_EXACT)
    return Image.frombuffer(mode, target, pixels, "raw", mode, 0, 1)


def _pixels(image: Image.Image, mode: str) -> npt.NDArray[Any]:
    """(height, width, bytes of a pixel) of an image in a mode of `_EXACT_MODES`: where it lies, or a copy of it."""
    try:
        held = pa.array(image).buffers()[-1]
    except ValueError:  # one of over 16 MB lies in several blocks
        held = image.tobytes("raw", mode)
    return np.frombuffer(held, np.uint8).reshape(image.height, image.width, -1)


def _whole(size: tuple[int, int], factor: int) -> tuple[int, int, int, int]:
    """The largest centred box with sides that are multiples of `factor`; what is cut is under a pixel of the result."""
    (left, width), (top, height) = ((side % factor // 2, side - side % factor) for side in size)
    return left, top, left + width, top + height


def phash(image: Image.Image) -> str:
    """64-bit perceptual hash as 16 hex digits, most significant bit first."""
    return _phash(_grey(image))


def _grey(image: Image.Image) -> npt.NDArray[np.float64]:
    side = (_PHASH_SIDE, _PHASH_SIDE)
    small = image.convert("L").resize(side, Image.Resampling.LANCZOS, reducing_gap=_GAP)
    return np.asarray(small, np.float64)


def _phash(grey: npt.NDArray[np.float64]) -> str:
    basis = _dct()
    low = (basis @ grey @ basis.T).round(6)  # else the bits of a flat picture are the rounding errors of this machine
    bits = (low > _median(low)).reshape(-1)
    return np.packbits(bits).tobytes().hex()


def _median(low: npt.NDArray[np.float64]) -> float:
    """As numpy's, which looks for NaN first and takes ten times as long."""
    ordered = np.sort(low, axis=None)
    return float(ordered[ordered.size // 2 - 1] + ordered[ordered.size // 2]) / 2


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow turns these itself
        return 1
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # metadata that cannot be read says nothing about the picture
        return 1


def _resizable(image: Image.Image) -> Image.Image:
    """The same picture in a mode that can be resampled: L, RGB, RGBA, CMYK, ..."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        highest = float(values.max(initial=0))
        deep = 65_535.0 if image.mode.startswith("I;16") or highest > 255 else 255.0
        top = 1.0 if image.mode == "F" and highest <= 1 else max(deep, highest)
        values = values.copy() if not values.flags.writeable else values
        values *= 255 / top  # in place: at the limit on pixels each copy is a third of a gigabyte
        return Image.fromarray(values.clip(0, 255, out=values).round(out=values).astype(np.uint8))
    if image.mode == "RGBA":
        return image
    if image.mode in ("LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGB")
    return image.convert("L") if image.mode == "1" else image


def _flat(image: Image.Image) -> Image.Image:
    """RGB, on white where it is transparent."""
    if image.mode != "RGBA":
        return image if image.mode == "RGB" else image.convert("RGB")
    ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as a screen shows them; as they are where the profile is sRGB, broken or made for another mode."""
    change = _colour_change(profile, image.mode)
    return image if change is None else (ImageCms.applyTransform(image, change) or image)


@functools.lru_cache(maxsize=32)
def _colour_change(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES.get(mode):
            return None
        if "srgb" in (source.profile.profile_description or "").lower():
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except Exception:  # a profile that cannot be read is as good as none
        return None


@functools.cache
def _dct() -> npt.NDArray[np.float64]:
    """The lowest rows of the type-II discrete cosine transform."""
    n = np.arange(_PHASH_SIDE)
    return 2 * np.cos(np.pi * np.outer(n[:_PHASH_LOW], 2 * n + 1) / (2 * _PHASH_SIDE))
