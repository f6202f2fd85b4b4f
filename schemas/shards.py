"""The shard contract: member names, serialisation and manifests. The packer writes it, the trainer reads it.

One sample is one training sequence. A shard is a USTAR file whose members are sorted by key and adjacent per
key; keys hold no dot, because a webdataset reader splits a name at its first dot.

    text/         KEY.input_ids.npy  KEY.json
    pairs/        KEY.input_ids.npy  KEY.jpg  KEY.json  KEY.txt
    interleaved/  KEY.image_bytes.npy  KEY.images  KEY.input_ids.npy  KEY.json  KEY.loss_mask.npy
    instructions/ KEY.input_ids.npy  KEY.json  KEY.loss_mask.npy    only where `pack.instructions` names some

All samples of a corpus have the same members, which readers of webdataset ask for: a document's images lie end to end
in one, and another says how long each is. The suffix of a pair's image is that of its format: `jpg` unless
`fetch.format` is another, then `webp` or `png`.

Serialisation (Kosmos-1, Table 21): text `<s> … </s>`; caption `<s> <image> EMB </image> caption </s>`;
interleaved `<s> text <image> EMB </image> text … </s>`. EMB is `image_tokens` slots that hold the `<image>` id
themselves. Loss is on text tokens and `</s>` only: `loss_mask[i]` is 1 where token i is a target. An instruction is
`<s> instruction input output </s>`, with loss on the output and `</s>` only (Kosmos-1, 3.3).
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CORPORA = ("interleaved", "pairs", "text")  # made of the input
INSTRUCTIONS = "instructions"  # made of files that the configuration names
TRAINED = (*CORPORA, INSTRUCTIONS)
SPLITS = ("train", "val")

INPUT_IDS = "input_ids.npy"
LOSS_MASK = "loss_mask.npy"
META = "json"
CAPTION = "txt"
IMAGE = "jpg"
IMAGES = (IMAGE, "png", "webp")
DOCUMENT_IMAGES = "images"
IMAGE_BYTES = "image_bytes.npy"

# Special tokens in id order: a trained tokenizer gives them ids 0 to 5 (fairseq's order, then images).
BOS, PAD, EOS, UNK, IMAGE_START, IMAGE_END = "<s>", "<pad>", "</s>", "<unk>", "<image>", "</image>"
SPECIALS = (BOS, PAD, EOS, UNK, IMAGE_START, IMAGE_END)

# Files beside the tars of a split, and of the whole shard directory.
INDEX = "idx"  # suffix, in place of `tar`
MANIFEST = "manifest.jsonl"
SIZES = "sizes.json"
LENGTH = "__len__"
TOKENIZER = "tokenizer.json"
TOKENIZER_INFO = "tokenizer_info.json"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """What the trainer must know of the tokenizer: `tokenizer_info.json` in the shard directory."""

    size: int  # number of ids, specials included
    bos: int
    pad: int
    eos: int
    image: int
    image_end: int
    image_tokens: int  # slots per image
    context_length: int
    file: str  # tokenizer file beside this one: tokenizer.json or sentencepiece.model

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """uint16 where every id fits, else uint32."""
        return np.uint16 if self.size <= 1 << 16 else np.uint32

    def dumps(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def loads(cls, text: str) -> Vocabulary:
        return cls(**json.loads(text))


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """A line of `manifest.jsonl`."""

    name: str  # corpus/split/NNNNNN.tar
    samples: int
    tokens: int
    images: int
    bytes: int
    sha256: str


class Member(NamedTuple):
    """Where one part of a sample stands in its tar, in bytes."""

    offset: int
    size: int


Parts = dict[str, Member]  # of one sample, by suffix

_BLOCK = 512  # of a tar: a header takes one, and contents are padded to whole ones
_NPY_HEADER = 128  # bytes before the numbers of a one-dimensional array
_INDEX_VERSION = "v1.2"


def dump_index(members: Iterable[tuple[str, int]]) -> str:
    """The index of a tar of (name, size) members in this order, in the form of NVIDIA DALI's `wds2idx`.

    A line `v1.2 SAMPLES`, then one a sample: suffix, offset, size and name of each part.
    """
    samples: dict[str, list[str]] = {}
    at = 0
    for name, size in members:
        key, _, suffix = name.partition(".")
        samples.setdefault(key, []).append(f"{suffix} {at + _BLOCK} {size} {name}")
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return "\n".join([f"{_INDEX_VERSION} {len(samples)}", *map(" ".join, samples.values())]) + "\n"


def load_index(text: str) -> dict[str, Parts]:
    """Key → parts, of what `dump_index` wrote.

    Raises:
        ValueError: it is no such index, or not whole.
    """
    head, *lines = text.splitlines()
    samples: dict[str, Parts] = {}
    for line in lines:
        words = line.split(" ")
        if len(words) % 4:
            raise ValueError(f"a line of {len(words)} words")
        parts = {words[i]: Member(int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words), 4)}
        samples[words[3].partition(".")[0]] = parts
    if head != f"{_INDEX_VERSION} {len(samples)}":
        raise ValueError(f"an index of {len(samples)} samples begins {head[:20]!r}")
    return samples


def token_count(parts: Parts, vocabulary: Vocabulary) -> int:
    """Tokens of a sample, by the size of its array."""
    return (parts[INPUT_IDS].size - _NPY_HEADER) // np.dtype(vocabulary.dtype).itemsize


def member(key: str, suffix: str) -> str:
    """Tar member name of one part of a sample."""
    if "." in key:
        raise ValueError(f"a sample key holds no dot: {key!r}")
    return f"{key}.{suffix}"


def document_images(images: Sequence[bytes]) -> dict[str, bytes]:
    """The parts of a document that hold its images, in the order of their runs of slots."""
    return {
        IMAGE_BYTES: npy(np.array([len(image) for image in images], np.uint32)),
        DOCUMENT_IMAGES: b"".join(images),
    }


def image_places(image_bytes: bytes, whole: Member) -> list[Member]:
    """Where each image of a document stands.

    Args:
        image_bytes: the part IMAGE_BYTES.
        whole: where the part DOCUMENT_IMAGES stands.

    Raises:
        ValueError: the lengths are not those of the images.
    """
    lengths = np.lib.format.read_array(io.BytesIO(image_bytes), allow_pickle=False).tolist()
    if sum(lengths) != whole.size:
        raise ValueError(f"images of {sum(lengths)} bytes in {whole.size}")
    ends = itertools.accumulate(lengths, initial=whole.offset)
    return [Member(end, length) for end, length in zip(ends, lengths, strict=False)]


def image_suffix(data: bytes) -> str:
    """One of IMAGES, by the first bytes of a stored image.

    Raises:
        ValueError: it is none of them.
    """
    if data[:3] == b"\xff\xd8\xff":
        return IMAGE
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    raise ValueError(f"no JPEG, PNG or WebP: it begins {data[:12]!r}")


def is_image(suffix: str) -> bool:
    """Whether a part of a pair is its image."""
    return suffix in IMAGES


def shard_name(corpus: str, split: str, index: int) -> str:
    """Path of a shard below the shard directory."""
    return f"{corpus}/{split}/{index:06d}.tar"


def encode_text(tokens: Iterable[int], vocabulary: Vocabulary) -> list[int]:
    """`<s> … </s>`."""
    return [vocabulary.bos, *tokens, vocabulary.eos]


def image_span(vocabulary: Vocabulary) -> list[int]:
    """`<image> EMB </image>`: the slots repeat the `<image>` id, so a span is image_tokens + 2 long."""
    return [vocabulary.image] * (vocabulary.image_tokens + 1) + [vocabulary.image_end]


def encode_segments(segments: Sequence[list[int] | None], vocabulary: Vocabulary) -> list[int]:
    """A document as one sequence: token lists stand for text, None for an image."""
    ids = [vocabulary.bos]
    for segment in segments:
        ids.extend(image_span(vocabulary) if segment is None else segment)
    return [*ids, vocabulary.eos]


def loss_mask(ids: npt.NDArray[np.integer], vocabulary: Vocabulary) -> npt.NDArray[np.uint8]:
    """1 where token i is predicted and counted: text and `</s>`; 0 on `<s>`, padding and all that is an image."""
    special = (ids == vocabulary.bos) | (ids == vocabulary.pad)
    return np.asarray(~(special | (ids == vocabulary.image) | (ids == vocabulary.image_end)), np.uint8)


def answer_mask(ids: npt.NDArray[np.integer], asked: int, vocabulary: Vocabulary) -> npt.NDArray[np.uint8]:
    """`loss_mask` of an instruction: its first `asked` tokens, `<s>` among them, are read and not predicted."""
    mask = loss_mask(ids, vocabulary)
    mask[:asked] = 0
    return mask


def image_slots(ids: npt.NDArray[np.integer], vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """Positions of the slots, shape (images, image_tokens): image k's embeddings overwrite row k.

    Raises:
        ValueError: a run of `<image>` ids is not a whole number of spans, or lacks its `</image>`.
    """
    places = np.flatnonzero(np.asarray(ids) == vocabulary.image)
    length = vocabulary.image_tokens + 1
    if len(places) % length or (len(places) and places[-1] + 1 == len(ids)):
        raise ValueError("image slots are not whole spans")
    spans = places.reshape(-1, length)
    if np.any(spans[:, -1] - spans[:, 0] != vocabulary.image_tokens):
        raise ValueError("image slots are not whole spans")
    if np.any(np.asarray(ids)[spans[:, -1] + 1] != vocabulary.image_end):
        raise ValueError("an image span lacks its end token")
    return spans[:, 1:]


def npy(array: npt.NDArray[np.generic]) -> bytes:
    """The bytes of a .npy file: same array, same bytes."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def json_bytes(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def dump_manifest(shards: Iterable[ShardInfo]) -> str:
    """`manifest.jsonl`: a line a shard, sorted by name."""
    return "".join(
        json.dumps(dataclasses.asdict(s), sort_keys=True) + "\n" for s in sorted(shards, key=lambda s: s.name)
    )


def corpora_of(shards: Iterable[ShardInfo]) -> tuple[str, ...]:
    """What a run's shards are of: the three corpora, and instructions where it has such."""
    return TRAINED if any(one.name.startswith(f"{INSTRUCTIONS}/") for one in shards) else CORPORA


def by_corpus(shards: Iterable[ShardInfo]) -> dict[str, Counter[str]]:
    """Corpus → its shards and their samples, tokens, images and bytes; asked for one without shards, nothing."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in shards:
        counts = {key: getattr(one, key) for key in ("samples", "tokens", "images", "bytes")}
        found[one.name.partition("/")[0]].update(counts, shards=1)
    return found


def load_manifest(text: str) -> Iterator[ShardInfo]:
    """What `dump_manifest` wrote."""
    for row in json.loads(f"[{','.join(text.splitlines())}]"):  # at once: there may be 100,000
        yield ShardInfo(**row)
