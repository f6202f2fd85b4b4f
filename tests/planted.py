"""Faults planted in finished shards, one at a time: what the meter must find. Shards in, shards with the fault out."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import generated
import numpy as np
from PIL import Image

from weft.schemas import shards as contract
from weft.schemas.records import hash_unit
from weft.transforms.pack.tokenizer import Encoder

Parts = dict[str, bytes]  # of a sample, by suffix
Samples = dict[str, Parts]  # of a corpus and split, by key
Corpora = dict[tuple[str, str], Samples]


class World:
    """The samples of a directory of shards, and its tokenizer."""

    def __init__(self, shards: Path) -> None:
        info = contract.Vocabulary.loads((shards / contract.TOKENIZER_INFO).read_text())
        self.encoder = Encoder(str(shards / info.file), info.image_tokens, info.context_length)
        self.vocabulary = info
        self.samples: Corpora = {}
        for corpus in contract.TRAINED:
            for split in contract.SPLITS:
                mine = self.samples.setdefault((corpus, split), {})
                for path in sorted((shards / corpus / split).glob("*.tar")):
                    with tarfile.open(path) as tar:
                        for info_ in tar:
                            key, _, suffix = info_.name.partition(".")
                            mine.setdefault(key, {})[suffix] = tar.extractfile(info_).read()  # type: ignore[union-attr]

    def write(self, shards: Path, source: Path) -> Path:
        """One tar a corpus and split; no manifest, as it would not be theirs."""
        for name in (contract.TOKENIZER_INFO, self.vocabulary.file):
            shards.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, shards / name)
        for (corpus, split), samples in self.samples.items():
            generated.write_tar(shards / contract.shard_name(corpus, split, 0), samples)
        return shards

    def retell(self, key: str, parts: Parts, text: str) -> None:
        """Another caption: its text, its tokens, its JSON."""
        ids = contract.encode_segments([None, self.encoder.encode(text)], self.vocabulary)
        parts[contract.INPUT_IDS] = contract.npy(np.array(ids, self.vocabulary.dtype))
        parts[contract.CAPTION] = text.encode()
        parts[contract.META] = contract.json_bytes({**json.loads(parts[contract.META]), "text": text})


def some(samples: Samples, of_all: float) -> list[str]:
    """This share of the keys, by hash."""
    return [key for key in sorted(samples) if hash_unit(key, "planted") < of_all]


def document_images(parts: dict[str, bytes]) -> list[bytes]:
    """The images of a document, in order."""
    whole = parts[contract.DOCUMENT_IMAGES]
    places = contract.image_places(parts[contract.IMAGE_BYTES], contract.Member(0, len(whole)))
    return [whole[at : at + size] for at, size in places]


def square(data: bytes) -> bytes:
    """An image as high as wide."""
    with Image.open(io.BytesIO(data)) as image:
        side = min(image.size)
        out = io.BytesIO()
        image.convert("RGB").resize((side, side)).save(out, "JPEG", quality=85)
    return out.getvalue()


def mismatched(world: World, of_all: float = 0.1) -> None:
    """Images of a share of the pairs exchanged among them."""
    for split in contract.SPLITS:
        samples = world.samples["pairs", split]
        keys = some(samples, of_all)
        images = [(samples[key][contract.IMAGE], json.loads(samples[key][contract.META])) for key in keys]
        for key, (image, told) in zip(keys, images[1:] + images[:1], strict=True):
            own = json.loads(samples[key][contract.META])
            moved = {name: told[name] for name in ("width", "height", "sha256", "image_url") if name in told}
            samples[key] |= {contract.IMAGE: image, contract.META: contract.json_bytes(own | moved)}


def shifted(world: World, by: int) -> None:
    """Each place of a document shows the image of the place `by` before it, the first ones the last."""
    for split in contract.SPLITS:
        for parts in world.samples["interleaved", split].values():
            images = document_images(parts)
            order = [(place - by) % len(images) for place in range(len(images))]
            told = json.loads(parts[contract.META])
            if "images" in told:
                told["images"] = [told["images"][place] for place in order]
                parts[contract.META] = contract.json_bytes(told)
            parts |= contract.document_images([images[place] for place in order])


def retold(world: World, change: Callable[[str], str], of_all: float = 1.0) -> None:
    """Other captions in a share of the pairs."""
    for split in contract.SPLITS:
        samples = world.samples["pairs", split]
        for key in some(samples, of_all):
            world.retell(key, samples[key], change(samples[key][contract.CAPTION].decode()))


def squashed(world: World) -> None:
    """Every image made square, whatever its proportions."""
    for samples in world.samples.values():
        for parts in samples.values():
            for suffix in filter(contract.is_image, list(parts)):
                parts[suffix] = square(parts[suffix])
            if contract.IMAGE_BYTES in parts:
                parts |= contract.document_images(list(map(square, document_images(parts))))


def off_by_one(world: World) -> None:
    """Every text token is the next one of the vocabulary."""
    v = world.vocabulary
    for samples in world.samples.values():
        for parts in samples.values():
            ids = np.load(io.BytesIO(parts[contract.INPUT_IDS]))
            text = contract.loss_mask(ids, v).astype(bool) & (ids != v.eos) & (ids + 1 < v.size)
            parts[contract.INPUT_IDS] = contract.npy(np.where(text, ids + 1, ids).astype(v.dtype))


def mask_shifted(world: World) -> None:
    """The loss masks of documents and instructions, one token late."""
    for samples in world.samples.values():
        for parts in samples.values():
            if contract.LOSS_MASK in parts:
                mask = np.load(io.BytesIO(parts[contract.LOSS_MASK]))
                parts[contract.LOSS_MASK] = contract.npy(np.roll(mask, 1))


def leaked(world: World, of_all: float = 0.5) -> None:
    """A share of the held-out samples is in training too, under other keys."""
    for corpus in contract.CORPORA:
        val = world.samples[corpus, "val"]
        world.samples[corpus, "train"] |= {f"{key}x": val[key] for key in some(val, of_all)}


def duplicated(world: World, of_all: float = 0.1) -> None:
    """A share of the training samples stands there five times."""
    for corpus in contract.CORPORA:
        train = world.samples[corpus, "train"]
        train |= {f"{key}x{n}": train[key] for key in some(train, of_all) for n in range(4)}


FAULTS: dict[str, tuple[Callable[[World], None], str]] = {  # what is done, and the check that must find it
    "pairs mismatched, 10 %": (mismatched, "pairs.mismatched"),
    "documents one image early": (lambda w: shifted(w, -1), "interleaved.misplaced"),
    "documents one image late": (lambda w: shifted(w, 1), "interleaved.misplaced"),
    "captions mirrored, 20 %": (lambda w: retold(w, lambda t: t[::-1], 0.2), "pairs.language"),
    "images squashed": (squashed, "pairs.distorted"),
    "captions cut at 24 characters": (lambda w: retold(w, lambda t: t[:24]), "pairs.cut"),
    "boilerplate on 20 % of captions": (
        lambda w: retold(w, lambda t: f"{t} | order prints of this picture at shop.test", 0.2),
        "pairs.boilerplate",
    ),
    "tokens off by one": (off_by_one, "pairs.tokens"),
    "loss mask one token late": (mask_shifted, "interleaved.mask"),
    "half of val in train": (leaked, "pairs.leaked"),
    "10 % of samples five times": (duplicated, "pairs.repeated"),
}


def plant(fault: str, source: Path, target: Path) -> Path:
    """`source` with a fault of FAULTS, as `target`."""
    world = World(source)
    FAULTS[fault][0](world)
    return world.write(target, source)
