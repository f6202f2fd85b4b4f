"""What it takes to feed a GPU with images: weft's handler before a device that is a clock, 0.3 ms an image.

So long an H100 takes for an image with ViT-L/14. All else is what a worker beside a GPU does: blobs read in sequence
and checked by their digest, pictures decoded and resized by threads, batches laid together ahead of the device; what a
GPU would do itself (bytes to normalised floats) is left out. Printed for stored images of two sizes: CPU per image, so
the cores that 3,000 images a second take, and how long the device waited. Whether one process gets there is a matter of
what it does under Python's lock, which `py-spy record --gil` tells.

Run: python benchmarks/feed.py [--images 2048]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import open_clip
import torch
from clip import store

from weft.schemas.config import Score
from weft.transforms.fetch.blobs import digest
from weft.transforms.io import files
from weft.transforms.score.clip import ImageHandler
from weft.transforms.score.clip_models import Clip

SECONDS = 0.0003  # of the device for an image
WANTED = 3000  # images a second
BATCH = 256
DRAWN = 64  # pictures that differ; each is read, checked and decoded as often as it is asked for
SIZES = {"512x384": (512, 384), "256x256": (256, 256)}


class Device:
    """Takes its time and computes nothing."""

    busy = 0.0

    def encode_image(self, rows: torch.Tensor, normalize: bool = True) -> torch.Tensor:
        time.sleep(len(rows) * SECONDS)
        self.busy += len(rows) * SECONDS
        return torch.ones(len(rows), 8)


class Fed(Clip):
    """ViT-L-14's preprocessing before a Device."""

    def normalised(self, pixels: Any) -> Any:
        return pixels


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=2048)
    count = parser.parse_args().images
    transform = open_clip.image_transform(224, is_train=False)
    print(f"{'stored as':12}{'images/s':>10}{'CPU ms each':>13}{'device waited':>15}{f'cores for {WANTED:,}/s':>18}")
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            refs = [
                ref._replace(digest=digest(files.read_range(ref.path, ref.offset, ref.length)))
                for ref in store(folder, DRAWN, size)
            ] * (count // DRAWN)
            device = Device()
            model = Fed(device, transform, None, "cpu")
            begun, spent = time.perf_counter(), time.process_time()
            found = list(ImageHandler(Score(batch_size=BATCH, device="cpu")).run_inference(refs, model))
            wall, cpu = time.perf_counter() - begun, time.process_time() - spent
            assert len(found) == len(refs) and not any(one.problem for one in found)
            each, waited = cpu / len(refs), 1 - device.busy / wall
            told = f"{len(refs) / wall:>10,.0f}{each * 1000:>13.2f}{waited:>15.0%}{each * WANTED:>18.1f}"
            print(f"{name:12}{told}", flush=True)


if __name__ == "__main__":
    main()
