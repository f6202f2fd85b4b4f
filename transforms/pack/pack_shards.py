"""Documents and pairs whose pictures are decided → webdataset shards.

    PackDocument, PackPair ──► SampleMaker ──► by shard ──► tar ──► ShardInfo

A shard is written whole under a name that follows from the layout, its samples sorted by key; the same rows give the
same bytes on every runner. The format is that of schemas/shards.py.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import apache_beam as beam
import numpy as np

from weft.schemas import shards
from weft.schemas.parameters import Sequencing
from weft.schemas.records import hash_unit
from weft.schemas.shards import ShardInfo, Vocabulary
from weft.transforms.fetch.blobs import StoredBytes, read_stored
from weft.transforms.io import files
from weft.transforms.io.tar import write_tar
from weft.transforms.pack import sequences, tokenizer
from weft.transforms.pack.samples import PlacedImage, Sample, SampleMaker, ShardLayout, canonical


@dataclasses.dataclass
class PackShards(beam.PTransform):
    """PackDocument and PackPair → tars below `output`/shards, and a ShardInfo of each.

    Args:
        output: directory or address that shards/ is written below.
        tokenizer: a tokenizer.json or a sentencepiece .model.
        sequencing: how long sequences are, and how many slots an image has.
        layout: how many shards, how much is held out, and the salt of what chooses.
        images: what paths of images are relative to; "" takes them as they are.

    Raises:
        ConfigError: the tokenizer cannot be read.
    """

    output: str
    tokenizer: str
    sequencing: Sequencing = Sequencing()  # noqa: RUF009 - frozen
    layout: ShardLayout = ShardLayout()  # noqa: RUF009 - frozen
    images: str = ""

    def expand(self, rows: beam.PCollection[Any]) -> beam.PCollection[ShardInfo]:
        maker = SampleMaker(self.tokenizer, self.sequencing, self.layout)
        return (
            rows
            | "Samples" >> beam.FlatMap(maker.make).with_output_types(tuple[str, Sample])
            | "Shards" >> WriteShards(self.output, maker.encoder.vocabulary, self.layout, self.images)
        )


@dataclasses.dataclass
class WriteShards(beam.PTransform):
    """(shard, Sample) → tars below `output`/shards, and a ShardInfo of each; shards without samples are written too."""

    output: str
    vocabulary: Vocabulary
    layout: ShardLayout
    images: str = ""

    def expand(self, samples: beam.PCollection[tuple[str, Sample]]) -> beam.PCollection[ShardInfo]:
        row, nothing = tuple[str, Sample], Sample("", b"", "", [])
        every = samples.pipeline | "AllShards" >> beam.Create(
            [(name, nothing) for name in self.layout.names()]
        ).with_output_types(row)
        return (
            (samples, every)
            | "WithEmpty" >> beam.Flatten()
            | "ByShard" >> beam.GroupByKey()
            | "Write" >> beam.Map(write_shard, self.output, self.vocabulary, self.layout.salt, self.images)
        )


def write_shard(
    item: tuple[str, Iterable[Sample]], output: str, vocabulary: Vocabulary, salt: str, images: str = ""
) -> ShardInfo:
    """(name of a shard, its samples) → its tar, and beside it the index of that."""
    name, samples = item
    corpus = name.split("/")[0]
    rows = sorted((sample for sample in samples if sample.key), key=lambda sample: sample.key)
    if corpus == "text":
        rows = list(packed(rows, vocabulary, name, salt))
    counts = {"samples": len(rows), "tokens": 0, "images": 0}
    sizes: list[tuple[str, int]] = []  # of the members

    def members(taken: Taken) -> Iterator[tuple[str, bytes]]:
        for sample in rows:
            ids = np.frombuffer(sample.ids, vocabulary.dtype)
            counts["tokens"] += len(ids)
            counts["images"] += len(sample.images)
            stored = [taken.data(image) for image in sample.images]
            parts = {shards.INPUT_IDS: shards.npy(ids), shards.META: sample.meta.encode("utf-8")}
            if corpus == "pairs":
                parts[shards.image_suffix(stored[0])] = stored[0]
                parts[shards.CAPTION] = json.loads(sample.meta)["text"].encode("utf-8")
            elif corpus == "interleaved":
                parts[shards.LOSS_MASK] = shards.npy(shards.loss_mask(ids, vocabulary))
                parts |= shards.document_images(stored)
            elif corpus == shards.INSTRUCTIONS:
                asked = json.loads(sample.meta)["asked"]
                parts[shards.LOSS_MASK] = shards.npy(shards.answer_mask(ids, asked, vocabulary))
            for suffix in sorted(parts):
                sizes.append((shards.member(sample.key, suffix), len(parts[suffix])))
                yield sizes[-1][0], parts[suffix]

    with take((image for sample in rows for image in sample.images), images) as taken:
        size, digest = write_tar(files.join(output, "shards", name), members(taken))
    index = files.join(output, "shards", name).removesuffix("tar") + shards.INDEX
    files.write_atomic(index, shards.dump_index(sizes))
    return ShardInfo(name, counts["samples"], counts["tokens"], counts["images"], size, digest)


class Taken:
    """Stored bytes of a shard's images, laid aside on this machine's disk."""

    def __init__(self, aside: IO[bytes]) -> None:
        self._aside, self._places = aside, dict[tuple[str, int, int], int]()

    def put(self, image: PlacedImage, data: bytes) -> None:
        self._places[image[1:4]] = self._aside.tell()
        self._aside.write(data)

    def data(self, image: PlacedImage) -> bytes:
        self._aside.seek(self._places[image[1:4]])
        return self._aside.read(image.length)


@contextmanager
def take(images: Iterable[PlacedImage], base: str) -> Iterator[Taken]:
    """Read images in the order in which they lie in their blobs; a shard wants them in another.

    Raises:
        Damaged: bytes are not those that were stored: writing on would put another picture into a shard.
    """
    once = sorted({image[1:4]: image for image in images}.values(), key=lambda image: image[1:4])
    wanted = [
        StoredBytes(
            files.join(base, image.path) if base else image.path, image.offset, image.length, image.digest, _name(image)
        )
        for image in once
    ]
    with tempfile.TemporaryFile() as aside:
        taken = Taken(aside)
        for image, data in zip(once, read_stored(wanted), strict=True):
            taken.put(image, data)
        yield taken


def _name(image: PlacedImage) -> str:
    told = json.loads(image.meta)
    return str(told.get("url") or told.get("sha256") or "")


def packed(rows: list[Sample], vocabulary: Vocabulary, name: str, salt: str) -> Iterator[Sample]:
    """Text documents of one shard, in hash order, as packed sequences; a sequence is named by shard and number."""
    order = sorted(rows, key=lambda row: (hash_unit(row.key, f"{salt}order"), row.key))
    sources = {row.key: json.loads(row.meta) for row in rows}
    made = sequences.pack(((row.key, np.frombuffer(row.ids, vocabulary.dtype).tolist()) for row in order), vocabulary)
    prefix = name.removesuffix(".tar").replace("/", "-")
    last = ""
    for number, sequence in enumerate(made):
        documents = []
        for doc_id, start, end in sequence.documents:
            told = {**sources[doc_id], "span": [start, end]}
            if doc_id == last:  # goes on from the sequence before, which has its text
                del told["text"]
            documents.append(told)
            last = doc_id
        ids = np.asarray(sequence.ids, vocabulary.dtype).tobytes()
        yield Sample(f"{prefix}-{number:08d}", ids, canonical({"documents": documents}), [])


def finish(infos: list[ShardInfo], encoder: tokenizer.Encoder, directory: str) -> None:
    """Manifest, sizes, lengths and the tokenizer beside the tars of `directory`."""
    for corpus in sorted({*shards.CORPORA, *(info.name.split("/")[0] for info in infos)}):
        for split in shards.SPLITS:
            folder = f"{corpus}/{split}"
            sizes = {i.name.rsplit("/", 1)[1]: i.samples for i in infos if i.name.startswith(f"{folder}/")}
            files.write_atomic(files.join(directory, folder, shards.SIZES), json.dumps(sizes, sort_keys=True) + "\n")
            files.write_atomic(files.join(directory, folder, shards.LENGTH), str(sum(sizes.values())) + "\n")
    tokenizer.save(encoder, directory)
    files.write_atomic(files.join(directory, shards.MANIFEST), shards.dump_manifest(infos))
