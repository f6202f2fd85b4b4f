"""Samples per CPU second out of finished shards: weft's ShardDataset beside webdataset, Hugging Face and MosaicML.

All read the same pairs, one after the other in one process: tokens as an array, caption, KEY.json parsed, and the
picture as bytes, or decoded to RGB by Pillow for all, or as 224 x 224 bytes of RGB for a CLIP: torchvision's Resize
(bicubic) and CenterCrop after Pillow, as open_clip and the peers' examples do it, and ShardDataset's own pixels, which
are the same within two of 255. webdataset and Hugging Face read the same tars, MosaicML Streaming the
export of them. weft gives them in its shuffled order, the others as they stand. Peers run in the environments that
`make loaders-setup` makes; one that is not there is left out.

Run: python benchmarks/readers.py [--samples 8000] [--loaders .venv-loaders]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TARS, ROUNDS = 4, 2
SIZE = (512, 384)  # fetch.max_side of the default recipe
SIDE = 224  # of CLIP


def made(ids: bytes, told: bytes) -> tuple[Any, Any]:
    """Tokens and KEY.json of a sample."""
    return np.load(io.BytesIO(ids)), json.loads(told)


def weft(folder: Path, side: int = 0) -> Iterator[bytes]:
    from weft.model_smoketest.dataset import ShardDataset

    return (sample["images"][0] for sample in ShardDataset(str(folder / "shards"), "pairs", side=side))


def webdataset(folder: Path) -> Iterator[bytes]:
    import webdataset as wds

    paths = sorted(map(str, (folder / "shards/pairs/train").glob("*.tar")))
    for sample in wds.WebDataset(paths, shardshuffle=False):
        made(sample["input_ids.npy"], sample["json"])
        yield sample["jpg"]


def hf(folder: Path) -> Iterator[bytes]:
    import datasets

    paths = sorted(map(str, (folder / "shards/pairs/train").glob("*.tar")))
    rows = datasets.load_dataset("webdataset", data_files={"train": paths}, split="train", streaming=True)
    for row in rows.cast_column("jpg", datasets.Image(decode=False)):
        yield row["jpg"]["bytes"]


def mds(folder: Path) -> Iterator[bytes]:
    from streaming import StreamingDataset

    for row in StreamingDataset(local=str(folder / "mds/pairs"), split="train", shuffle=False, batch_size=1):
        yield row["image"]


READERS = {"weft": weft, "webdataset": webdataset, "hf": hf, "mds": mds}


def work(kind: str) -> Callable[[bytes], object]:
    """What is done with a picture's bytes."""
    if kind == "bytes":
        return len
    if kind == "decoded":
        return lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    from torchvision import transforms

    steps = [transforms.Resize(SIDE, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(SIDE)]
    made = transforms.Compose([*steps, transforms.PILToTensor()])
    return lambda data: made(Image.open(io.BytesIO(data)).convert("RGB"))


def read(name: str, folder: Path, kind: str) -> None:
    """In a process of its own: prints CPU seconds after the first sample, samples, and a sum of what they were."""
    if kind not in ("bytes", "decoded"):
        import torch

        torch.set_num_threads(1)  # as a DataLoader's workers do: threads that wait for a busy core count as work
    own = name == "weft" and kind not in ("bytes", "decoded")
    rows = weft(folder, SIDE) if own else READERS[name](folder)
    do = work("bytes" if own else kind)
    seen, total, begun = 0, 0, 0.0
    for data in rows:
        # Of its end alone: to hash all of it would cost as much as to read it.
        seen, total = seen + 1, total ^ int.from_bytes(hashlib.sha256(data[-256:]).digest()[:8]) ^ len(data)
        do(data)
        begun = begun or time.process_time()  # what is imported and opened is not counted
    print(json.dumps([time.process_time() - begun, seen, total]))


def write(folder: Path, count: int) -> int:
    """Shards of so many pairs, and their export as MDS; returns the bytes of a picture."""
    from weft.pipeline import export
    from weft.schemas import shards
    from weft.transforms.io.tar import write_tar

    words = shards.Vocabulary(64_007, 0, 1, 2, 64_003, 64_004, 64, 2048, shards.TOKENIZER)
    random = np.random.default_rng(1)
    pictures = []
    for _ in range(64):
        small = Image.fromarray(random.integers(0, 255, (SIZE[1] // 6, SIZE[0] // 6, 3), np.uint8))
        out = io.BytesIO()
        small.resize(SIZE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
        pictures.append(out.getvalue())
    infos = []
    for number in range(TARS):
        name, members = shards.shard_name("pairs", "train", number), []
        for key in range(number, count, TARS):
            text = f"a caption of some ten words that says what picture {key} shows"
            ids = np.array(shards.encode_segments([None, [100 + n for n in range(14)]], words), words.dtype)
            told = {
                "text": text,
                "doc_id": f"{key:032x}",
                "page_url": f"http://w.test/{key}",
                "image_url": "http://w.test/i",
            }
            parts = {
                shards.INPUT_IDS: shards.npy(ids), shards.IMAGE: pictures[key % len(pictures)],
                shards.META: shards.json_bytes(told), shards.CAPTION: text.encode(),
            }  # fmt: skip
            members += [(shards.member(f"{key:08d}", suffix), data) for suffix, data in sorted(parts.items())]
        size, digest = write_tar(str(folder / "shards" / name), iter(members))
        index = (folder / "shards" / name).with_suffix(f".{shards.INDEX}")
        index.write_text(shards.dump_index((member, len(data)) for member, data in members))
        infos.append(shards.ShardInfo(name, len(members) // 4, 0, len(members) // 4, size, digest))
    (folder / "shards" / shards.MANIFEST).write_text(shards.dump_manifest(infos))
    (folder / "shards" / shards.TOKENIZER_INFO).write_text(words.dumps())
    export.export("mds", str(folder / "shards"), str(folder / "mds"), ["--direct_num_workers=1"], quiet=True)
    return sum(map(len, pictures)) // len(pictures)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--samples", type=int, default=8_000)
    asked.add_argument("--loaders", type=Path, default=Path(".venv-loaders"))
    asked.add_argument("--read", nargs=3, metavar=("NAME", "DIR", "KIND"), help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.read:
        read(options.read[0], Path(options.read[1]), options.read[2])
        return
    with tempfile.TemporaryDirectory() as home:
        size = write(Path(home), options.samples)
        print(f"{options.samples:,} pairs, pictures of {SIZE[0]}x{SIZE[1]} in {size:,} bytes; samples per CPU second")
        pythons = {name: options.loaders / name / "bin/python" for name in ("hf", "mds")}
        pythons = {"weft": Path(sys.executable), "webdataset": Path(sys.executable), **pythons}
        print(f"{'':12}" + "".join(f"{name:>12}" for name in pythons))
        for kind in ("bytes", "decoded", f"{SIDE}x{SIDE}"):
            best: dict[str, float] = {}
            same = set()
            for _ in range(ROUNDS):  # in turns, so that what else the machine does meets all alike
                for name, python in pythons.items():
                    if python.exists():
                        done = subprocess.run(
                            [python, __file__, "--read", name, home, kind], capture_output=True, text=True, check=True
                        )
                        spent, seen, total = json.loads(done.stdout.splitlines()[-1])
                        same.add((seen, total))
                        best[name] = max(best.get(name, 0.0), (seen - 1) / spent)
            if len(same) != 1 or (options.samples, 0) in same:
                raise SystemExit(f"readers gave different samples: {same}")
            print(f"{kind:12}" + "".join(f"{best.get(name, 0):>12,.0f}" for name in pythons))
            print(f"ratio: {best['weft'] / best['webdataset']:.2f}x")


if __name__ == "__main__":
    main()
