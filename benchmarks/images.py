"""Images per second on one core from fetched bytes to what is stored, beside img2dataset's Resizer.

All take the same generated photographs and leave a JPEG of at most 512 pixels a side at quality 90. "resize path" is
what both do: decode, resize, encode. "all of prepare" is what a fetched image costs: sha256, limits checked before
decoding, EXIF orientation, transparency, perceptual hash and single-colour test are weft's alone (img2dataset stores
turned photographs lying down, and has no perceptual hash). The rows below the rates say how near the stored picture
comes to the original resampled in full precision (PSNR, dB). CPU time, best of REPEATS.

Run: python benchmarks/images.py
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import cv2
import numpy as np
from img2dataset.resizer import Resizer
from PIL import Image

from weft.schemas.parameters import ImageForm
from weft.schemas.records import hash_unit
from weft.transforms.fetch.decode import Prepared, prepare, set_up_process, shrink
from weft.transforms.fetch.resize import target

FORM = ImageForm()
REPEATS = 5
CASES = {  # name → size, format, options, images
    "jpeg 400x300": ((400, 300), "JPEG", {"quality": 85}, 40),
    "jpeg 800x600": ((800, 600), "JPEG", {"quality": 85}, 20),
    "jpeg 1600x1200": ((1_600, 1_200), "JPEG", {"quality": 85}, 8),
    "jpeg 4000x3000": ((4_000, 3_000), "JPEG", {"quality": 85}, 2),
    "png 800x600": ((800, 600), "PNG", {}, 10),
    "webp 800x600": ((800, 600), "WEBP", {"quality": 80}, 10),
}
OCTAVES = 7


def photograph(name: str, size: tuple[int, int]) -> Image.Image:
    """Noise with the spectrum of photographs: each octave as strong as the one above it, with hard edges laid over."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.float32)
    for octave in range(OCTAVES):
        cells = 2 << octave
        values = [hash_unit(f"{name}/{octave}/{i}", "benchmark") for i in range(cells * cells * 3)]
        coarse = np.asarray(values, np.float32).reshape(cells, cells, 3)
        pixels += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / (1.4**octave)
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()) * 255
    drawn = pixels.astype(np.uint8)
    for i in range(12):
        x, y, r = (
            int(hash_unit(f"{name}/edge/{i}/{axis}", "benchmark") * side) for axis, side in zip("xyr", (*size, 90))
        )
        colour = tuple(int(hash_unit(f"{name}/{i}/{c}", "benchmark") * 255) for c in "rgb")
        cv2.circle(drawn, (x, y), r * width // 800 + 3, colour, -1)
    return Image.fromarray(drawn)


def resize_path(images: Sequence[bytes]) -> list[bytes]:
    made = []
    for data in images:
        with Image.open(io.BytesIO(data)) as image:
            made.append(encoded(shrink(image, target(*image.size, FORM)), "JPEG", {"quality": FORM.quality}))
    return made


def weft(images: Sequence[bytes]) -> list[bytes]:
    made = [prepare(data, FORM) for data in images]
    return [one.data for one in made if isinstance(one, Prepared)]


def img2dataset(images: Sequence[bytes]) -> list[bytes]:
    made = []
    for data in images:
        stored, *_, error = RESIZER(io.BytesIO(data))
        assert error is None
        made.append(stored)
    return made


RESIZER = Resizer(FORM.max_side, "keep_ratio_largest", True, encode_quality=FORM.quality)


def rate(work: Callable[[Sequence[bytes]], list[bytes]], images: Sequence[bytes]) -> float:
    """Images per second of CPU time, best of REPEATS."""
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        assert len(work(images)) == len(images)
        best = min(best, time.process_time() - begun)
    return len(images) / best


def likeness(stored: bytes, original: bytes) -> float:
    """Peak signal-to-noise ratio against the original resampled once, by Lanczos, from its full size."""
    ours = Image.open(io.BytesIO(stored)).convert("RGB")
    full = Image.open(io.BytesIO(original)).convert("RGB").resize(ours.size, Image.Resampling.LANCZOS)
    error = np.square(np.asarray(ours, np.float64) - np.asarray(full)).mean()
    return float(10 * np.log10(255**2 / error))


def encoded(image: Image.Image, kind: str, options: dict[str, int]) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def main() -> None:
    """Print both tables, then the ratio of the resize paths in the case where weft leads least."""
    set_up_process()
    peers = {"img2dataset Resizer": img2dataset, "weft, resize path": resize_path, "weft, all of prepare": weft}
    rates: dict[str, list[float]] = {name: [] for name in peers}
    likenesses: dict[str, list[float]] = {name: [] for name in peers}
    sizes = []
    for case, (size, kind, options, count) in CASES.items():
        images = [encoded(photograph(f"{case}/{i}", size), kind, options) for i in range(count)]
        sizes.append(sum(map(len, images)) / count / 1e3)
        for name, work in peers.items():
            stored = work(images[:2])
            likenesses[name].append(likeness(stored[0], images[0]))
            rates[name].append(rate(work, images))
    print(f"{'images/s/core':32}" + "".join(f"{case:>16}" for case in CASES))
    print(f"{'KB each':32}" + "".join(f"{kb:16,.0f}" for kb in sizes))
    for name, row in rates.items():
        print(f"{name:32}" + "".join(f"{value:16,.0f}" for value in row))
    for name, row in likenesses.items():
        print(f"{name + ', dB':32}" + "".join(f"{value:16.1f}" for value in row))
    ours, peer = rates["weft, resize path"], rates["img2dataset Resizer"]
    print(f"ratio: {min(a / b for a, b in zip(ours, peer, strict=True)):.2f}x")


if __name__ == "__main__":
    main()
