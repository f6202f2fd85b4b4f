"""Start-up on many shards: seconds and memory until a training on 100,000 tars of each corpus knows its first steps.

Only the indexes exist (a real corpus of this size has 100 TB); a step is planned from them alone. Run it with fewer
tars to see what grows with their number.

    python benchmarks/loading.py [--tars 100000] [--samples 1000]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from weft.model_smoketest import data
from weft.schemas import shards as contract
from weft.schemas.config import Train

VOCABULARY = contract.Vocabulary(64_007, 0, 1, 2, 64_003, 64_004, 64, 2048, "tokenizer.json")  # Kosmos-1's
LINKS = 50_000  # names that a file may have on ext4: 65,000
BATCH = 1_200_000  # tokens of Kosmos-1's step


def write(folder: Path, tars: int, samples: int) -> None:
    """A manifest, and an index that all tars of a corpus share; the tars are holes."""
    parts = {"text": (2_000,), "pairs": (95,), "interleaved": (400, 400)}
    infos = []
    for corpus, lengths in parts.items():
        place = folder / corpus / "train"
        place.mkdir(parents=True)
        members = []
        for key in range(samples):
            row = len(contract.npy(np.zeros(lengths[0], VOCABULARY.dtype)))
            for suffix, size in ((contract.IMAGE, 20_000), (contract.INPUT_IDS, row), (contract.META, 400)):
                members.append((f"{key:08d}.{suffix}", size))
        for number in range(tars):
            if number % LINKS == 0:
                (folder / "index").unlink(missing_ok=True)
                (folder / "index").write_text(contract.dump_index(members))
            name = contract.shard_name(corpus, "train", number)
            (folder / name).touch()
            os.link(folder / "index", (folder / name).with_suffix(f".{contract.INDEX}"))
            infos.append(contract.ShardInfo(name, samples, samples * lengths[0], samples, 0, "0" * 64))
        (folder / "index").unlink()
    (folder / contract.MANIFEST).write_text(contract.dump_manifest(infos))


def peak() -> float:
    """Most memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tars", type=int, default=100_000, help="of each corpus")
    parser.add_argument("--samples", type=int, default=1_000, help="of each tar")
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), given.tars, given.samples)
        before, begun = peak(), time.process_time()
        config = Train(batch_tokens=BATCH, max_length=2048)
        mixture = data.Mixture(folder, VOCABULARY, config, print)
        print(f"open: {time.process_time() - begun:.1f} CPU s, {peak() - before:.0f} MB")
        for round_ in range(2):
            begun = time.process_time()
            count = sum(len(data.micro_batches(mixture.step(), 32_768)) for _ in range(given.steps))
            spent = (time.process_time() - begun) / given.steps
            made = f"{count / given.steps:.0f} micro-batches"
            print(f"plan {round_}: {spent:.2f} CPU s a step of {made}, {peak() - before:.0f} MB")


if __name__ == "__main__":
    main()
