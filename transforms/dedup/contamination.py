"""Documents that hold pieces of evaluation texts: runs of words that a benchmark has too.

words of a document + evaluation texts → what was found, where it comes from and how much of it there is.

A model must not be trained on what it will be tested with. The usual measure is a common run of n words: GPT-3 (arXiv
2005.14165, appendix C) used 13 to filter its training data, and for its analysis between 8 and 13 by the length of a
benchmark's examples. So an example of fewer than n words is looked for as a whole where it has 8 or more, and not at
all where it has fewer: "what is the capital of France" stands on innocent pages.

One common run may be chance or a quotation, so `hits` asks for several different ones, and `window` that they stand
close together. An example of fewer than n + hits - 1 words cannot be found by itself then. In scripts without spaces a
character is a word, and a run of 13 is short: ask for more there.

Evaluation texts are files that end in .txt (one example), .jsonl or .jsonl.gz (every string of a line, at any depth, is
an example). Runs are compared by 64-bit hashes that are mixed from word hashes in numpy; a document that has nothing in
common with the evaluation costs no Python loop.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from weft.schemas.parameters import ConfigError
from weft.transforms.dedup.shingles import words
from weft.transforms.io import files
from weft.transforms.io.loaded import loaded

LEAST_WORDS = 8  # of an example shorter than n that is matched as a whole: GPT-3's least n
ENDINGS = (".txt", ".jsonl", ".jsonl.gz")
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: multiplication is a bijection
_HALF = np.uint64(32)
_THREE, _SEVEN, _ONE = np.uint64(3), np.uint64(7), np.uint8(1)  # a bit's byte, its place there, itself
_SIEVE = 16  # bits for each hash of the evaluation: one run in so many of an innocent text is searched for

Hashes = npt.NDArray[np.uint64]


@dataclasses.dataclass(frozen=True)
class Hit:
    """What a document has of the evaluation, in the span of the window that has most of it."""

    name: str  # "file:line" of an example that has the first run of words
    count: int  # different runs of words
    words: str  # the first of them


class _Match(NamedTuple):
    start: int  # in words
    end: int
    gram: int  # place in the evaluation's hashes


def ngram_hashes(tokens: list[bytes], n: int) -> Hashes:
    """A hash of every run of n words, in order; none where there are fewer words."""
    return next((hashes for _, hashes in _runs(tokens, (n,))), np.empty(0, np.uint64))


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """All runs of words of the evaluation texts; `load` makes one.

    Args:
        ngram: n, the length of a run; shorter ones are whole examples.
        sizes: lengths that occur, ascending.
        hashes: of the runs, ascending, each once.
        owners: of each hash, the place in `names` of the first example that has it.
        names: of examples.
    """

    ngram: int
    sizes: tuple[int, ...]
    hashes: Hashes
    owners: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def find(self, tokens: list[bytes], hits: int, window: int) -> Hit | None:
        """What the document has in common with the evaluation; None where that is less than `hits`.

        Args:
            tokens: the document's words, from shingles.words.
            hits: least number of different runs.
            window: words of the document inside which all of them stand, from first to last word; 0 is anywhere.

        Raises:
            ConfigError: `hits` below 1, or a window too small for one run.
        """
        if hits < 1 or window < 0 or 0 < window < self.ngram:
            raise ConfigError(
                f"contamination needs 1 hit or more, and a window of 0 or at least the {self.ngram} words of a run, "
                f"not {hits} and {window}"
            )
        matches = self._matches(tokens)
        if len(matches) < hits:
            return None
        count, first = _densest(matches, window or len(tokens))
        if count < hits:
            return None
        text = b" ".join(tokens[first.start : first.end]).decode("utf-8", "replace")
        return Hit(self.names[self.owners[first.gram]], count, text)

    @cached_property
    def _sieve(self) -> npt.NDArray[np.uint8]:
        """Bits, a power of two of them, set where a hash begins with their number.

        A search among millions of hashes waits for memory at every step of it; a bit is looked up in one.
        """
        count = 1 << (max(len(self.hashes) * _SIEVE, 8) - 1).bit_length()
        bits = self.hashes >> np.uint64(65 - count.bit_length())
        sieve = np.zeros(count // 8, np.uint8)
        np.bitwise_or.at(sieve, bits >> _THREE, _ONE << (bits & _SEVEN).astype(np.uint8))
        return sieve

    def _matches(self, tokens: list[bytes]) -> list[_Match]:
        matches = []
        shift = np.uint64(62 - len(self._sieve).bit_length())
        for size, hashes in _runs(tokens, self.sizes):
            bits = hashes >> shift
            starts = np.flatnonzero((self._sieve[bits >> _THREE] >> (bits & _SEVEN).astype(np.uint8)) & _ONE)
            places = np.searchsorted(self.hashes, hashes[starts])
            equal = self.hashes.take(places, mode="clip") == hashes[starts]  # past the end: unequal to the last
            for start, place in zip(starts[equal].tolist(), places[equal].tolist()):
                matches.append(_Match(start, start + size, place))
        return matches


@loaded(most=2)
def load(paths: tuple[str, ...], ngram: int) -> Evaluation:
    """The evaluation in files, directories (all that is below) and globs; kept in memory for the next call.

    Raises:
        ConfigError: a path that leads to no evaluation file, a file that cannot be read, or nothing to look for.
    """
    if ngram < 1:
        raise ConfigError(f"a run of words has 1 word or more, not {ngram}")
    names: list[str] = []
    parts: list[Hashes] = []
    owners: list[int] = []
    sizes: set[int] = set()
    for path in dict.fromkeys(chain.from_iterable(map(_find, paths))):  # a file that two paths lead to counts once
        for name, text in _examples(path):
            tokens = words(text)
            size = min(ngram, len(tokens))
            if size < ngram and size < LEAST_WORDS:
                continue
            if not names or names[-1] != name:  # a line of several examples
                names.append(name)
            sizes.add(size)
            parts.append(ngram_hashes(tokens, size))
            owners.append(len(names) - 1)
    if not parts:
        where = ", ".join(paths) or "no paths"
        raise ConfigError(f"no evaluation text of at least {min(ngram, LEAST_WORDS)} words in {where}")
    lengths = [len(part) for part in parts]
    hashes, first = np.unique(np.concatenate(parts), return_index=True)
    return Evaluation(
        ngram, tuple(sorted(sizes)), hashes, np.repeat(np.array(owners, np.int32), lengths)[first], tuple(names)
    )


def _runs(tokens: list[bytes], sizes: tuple[int, ...]) -> Iterator[tuple[int, Hashes]]:
    """(size, hashes of all runs of so many words) for ascending sizes, up to the length of the text.

    The hash of a run grows word by word, so that shorter runs come for nothing on the way to longer ones.
    """
    if len(tokens) < sizes[0]:
        return
    hashed = np.fromiter(map(xxhash.xxh3_64_intdigest, tokens), np.uint64, len(tokens))
    mixed = hashed.copy()
    for size in range(1, min(sizes[-1], len(tokens)) + 1):
        if size > 1:  # order matters: multiply, fold the high half down, then the next word
            mixed = mixed[:-1]
            mixed *= _MIX
            mixed ^= mixed >> _HALF
            mixed += hashed[size - 1 :]
        if size in sizes:
            yield size, mixed.copy() if size < sizes[-1] else mixed


def _densest(matches: list[_Match], window: int) -> tuple[int, _Match]:
    """The number of different runs in the span of so many words that has most of them, and the first run there.

    It is enough to look at spans that end where a run ends: any other can be moved back to such an end without losing
    a run. As no run is longer than the window, a run that begins before the span has ended by then, so that it has been
    counted in before it is counted out.
    """
    by_start = sorted(matches)
    inside: Counter[int] = Counter()
    oldest = most = 0
    first = by_start[0]
    for match in sorted(matches, key=lambda m: m.end):
        inside[match.gram] += 1
        while by_start[oldest].start < match.end - window:
            gone = by_start[oldest].gram
            oldest += 1
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
        if len(inside) > most:
            most, first = len(inside), by_start[oldest]
    return most, first


def _find(path: str) -> list[str]:
    """Evaluation files under a path, sorted."""
    found = files.below(path)
    if not found:
        raise ConfigError(f"no evaluation texts at {path}")
    usable = [name for name in found if name.endswith(ENDINGS)]
    if not usable:
        raise ConfigError(f"evaluation texts are {', '.join(ENDINGS)} files: there is none at {path}")
    return usable


def _examples(path: str) -> Iterator[tuple[str, str]]:
    """(name, text) of every example in a file."""
    try:
        raw = files.read_unpacked(path)
        if path.endswith(".txt"):
            yield f"{path}:1", raw.decode("utf-8-sig")
            return
    except UnicodeDecodeError as error:
        raise ConfigError(f"evaluation text {path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read evaluation text {path}: {reason}") from None
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:  # JSON or its encoding
            raise ConfigError(f"{path}:{number} is not JSON: {error}") from None
        for text in _strings(value):
            yield f"{path}:{number}", text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for item in inner:
            yield from _strings(item)
