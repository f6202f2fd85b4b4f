"""Texts as sets of shingles: hashes of every run of n words (or n characters), for many texts at once.

text → normalised bytes → a 64-bit hash of each word → a 32-bit hash of every n consecutive words.

Making and hashing the n-gram strings is what costs peers their time, not the permutations of MinHash. Here no string
is made at all: the texts of a batch are one array of bytes, a prefix sum of a polynomial over it gives the hash of
every word (Karp & Rabin 1987, modulo 2^64 with a random value for each byte), and numpy mixes the hashes of
neighbouring words. Hashes depend on the words alone, never on what else is in the batch.

Hasher "datasketch" makes the strings and hashes them by datasketch itself, so that signatures can be compared
with datasketch's bit for bit; it is many times slower.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from weft.schemas.parameters import Similarity

NORMALISATION = 2  # counts up whenever the words or the hashes of a text change: an index of another version is refused
BATCH_BYTES = 1 << 16  # of normalised text hashed at once: its arrays of 8 bytes a byte stay in the L2 cache

Hashes = npt.NDArray[np.uint32]
Wide = npt.NDArray[np.uint64]
Tokens = tuple[Wide, npt.NDArray[np.int64]]

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: multiplication is a bijection
_HALF = np.uint64(32)
_BASE = 0xD1342543DE82EF95  # multiplier of the polynomial, odd so that it has an inverse modulo 2^64
_SPACE = 32

# A byte of a word: letters and digits of ASCII, and everything outside ASCII that is not punctuation (below).
_WORD_BYTES = bytes(
    ord(chr(c).lower()) if c < 128 and chr(c).isalnum() else c if c >= 128 else _SPACE for c in range(256)
)
# The same for Latin-1; only ß and ÿ have no other case there.
_LATIN_WORD_BYTES = _WORD_BYTES[:192] + bytes(ord(chr(c).lower()) for c in range(192, 256))
# Latin-1 symbols but those that mean a letter or digit (ª ² ³ µ ¹ º ¼ ½ ¾), general punctuation (curly quotes, dashes,
# bullets) and CJK punctuation, in UTF-8. One pattern per lead byte: `re` then skips ahead to that byte five times
# faster than it tries alternatives.
_PUNCTUATION = tuple(
    re.compile(pattern)
    for pattern in (
        rb"\xc2[\x80-\xa9\xab-\xb1\xb4\xb6-\xb8\xbb\xbf]",
        rb"\xe2[\x80\x81][\x80-\xbf]",
        rb"\xe3\x80[\x80-\xbf]",
    )
)
# Kana and ideographs, which are written without spaces: each is a word.
_IDEOGRAPH = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
_IDEOGRAPH_LEADS = tuple(bytes([lead]) for lead in range(0xE3, 0xEA))


def normalise(text: str) -> bytes:
    """Words between spaces (one or more): compatibility forms, case and punctuation folded away; UTF-8."""
    raw = _fold_punctuation(text.encode("utf-8", "surrogatepass"))
    if raw.isascii():  # as most English texts are, but for curly quotes
        return raw.translate(_WORD_BYTES)
    said = raw.decode("utf-8", "surrogatepass")
    if b"\xc2" not in raw:  # nothing between ASCII and À is left: letters with accents alone need no NFKC
        with contextlib.suppress(UnicodeEncodeError):
            return said.encode("latin-1").translate(_LATIN_WORD_BYTES).decode("latin-1").encode()
    if unicodedata.is_normalized("NFKC", said):  # five times as fast to ask as to do
        raw = said.lower().encode("utf-8", "surrogatepass")
    else:  # which may make punctuation of what was none: a fullwidth dash
        raw = _fold_punctuation(unicodedata.normalize("NFKC", said).lower().encode("utf-8", "surrogatepass"))
    if any(lead in raw for lead in _IDEOGRAPH_LEADS):
        raw = _IDEOGRAPH.sub(rb" \g<0> ", raw)
    return raw.translate(_WORD_BYTES)


def _fold_punctuation(raw: bytes) -> bytes:
    if not raw.isascii():
        for pattern in _PUNCTUATION:
            raw = pattern.sub(b" ", raw)
    return raw


def words(text: str) -> list[bytes]:
    """Words for comparison; an ideograph is a word."""
    return normalise(text).split()


def shingles(
    normalised: Sequence[bytes], similarity: Similarity, tokenised: Tokens | None = None
) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Shingle hashes of texts, one after another, and the number of each text's shingles.

    A text of w words has max(1, w - n + 1) shingles, in order and with repeats: one of fewer than n words is a single
    shingle, one without words has none.

    Args:
        normalised: what `normalise` gave.
        similarity: its `unit`, `ngram` and `hasher` count.
        tokenised: what `tokens` gave for the words of the same texts, where it is at hand.
    """
    if similarity.hasher == "datasketch":
        return _strings(normalised, similarity)
    if tokenised is None or similarity.unit == "char":
        tokenised = tokens(normalised, similarity.unit)
    hashed, sizes = tokenised
    return _mix(hashed, sizes, similarity.ngram), np.where(sizes > 0, np.maximum(sizes - similarity.ngram + 1, 1), 0)


def batches(normalised: Sequence[bytes]) -> Iterator[slice]:
    """Runs of texts of about BATCH_BYTES together, at least one text each."""
    start = size = 0
    for index, text in enumerate(normalised):
        if index > start and size + len(text) > BATCH_BYTES:
            yield slice(start, index)
            start, size = index, 0
        size += len(text) + 1
    if start < len(normalised):
        yield slice(start, len(normalised))


def tokens(normalised: Sequence[bytes], unit: Literal["word", "char"] = "word") -> Tokens:
    """A hash for each word (character) of all texts, one after another, and how many each text has."""
    if unit == "char":
        points = [_characters(text) for text in normalised]
        return np.concatenate([np.empty(0, np.uint64), *points]), np.array([len(p) for p in points], np.int64)
    hashed: list[Wide] = [np.empty(0, np.uint64)]
    sizes: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64)]
    for part in batches(normalised):
        texts = normalised[part]
        if len(texts) == 1 and len(texts[0]) > BATCH_BYTES:
            pieces = [_hash_words([piece])[0] for piece in _pieces(texts[0])]
            hashed += pieces
            sizes.append(np.array([sum(map(len, pieces))], np.int64))
        else:
            found, size = _hash_words(texts)
            hashed.append(found)
            sizes.append(size)
    return np.concatenate(hashed), np.concatenate(sizes)


def _hash_words(texts: Sequence[bytes]) -> tuple[Wide, npt.NDArray[np.int64]]:
    """Hashes of the words of texts of BATCH_BYTES together at most, and each text's number of words."""
    powers, inverses, values = _tables()
    joined = np.frombuffer(b" %s " % b" ".join(texts), np.uint8)
    edges = np.flatnonzero(np.diff(joined != _SPACE)) + 1  # start, end, start, end, ...
    starts, ends = edges[::2], edges[1::2]
    summed = np.take(
        values, joined, out=np.empty(len(joined), np.uint64), mode="clip"
    )  # twice as fast as values[joined]
    summed *= powers[: len(joined)]
    np.cumsum(summed, out=summed)
    hashed = summed[ends - 1]
    hashed -= summed[starts - 1]  # a space stands before every word
    hashed *= inverses[starts]
    hashed ^= hashed >> _HALF
    hashed *= _MIX
    bounds = np.cumsum([0, *(len(text) + 1 for text in texts)])
    return hashed, np.diff(np.searchsorted(starts, bounds))


def _pieces(text: bytes) -> Iterator[bytes]:
    """Pieces of a long text, cut at spaces; a word longer than a batch is cut into words of that length."""
    start = 0
    while start < len(text):
        end = len(text)
        if end - start > BATCH_BYTES:
            end = text.rfind(b" ", start, start + BATCH_BYTES)
            end = end if end > start else start + BATCH_BYTES
        yield text[start:end]
        start = end


def _characters(normalised: bytes) -> Wide:
    text = b" ".join(normalised.split()).decode("utf-8", "surrogatepass")
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    points += np.uint64(1)
    points *= _MIX
    points ^= points >> _HALF
    points *= _MIX
    return points


def _mix(hashed: Wide, sizes: npt.NDArray[np.int64], ngram: int) -> Hashes:
    """Hashes of n consecutive tokens inside each text."""
    mixed = _runs(hashed, ngram)
    ends = np.cumsum(sizes)
    valid = np.ones(len(hashed), bool)
    for back in range(1, min(ngram, int(sizes.max(initial=0)) + 1)):  # a run that starts there leaves its text
        last = ends - back
        valid[last[sizes >= back]] = False
    short = np.flatnonzero((sizes > 0) & (sizes < ngram))
    result = np.zeros(len(hashed), np.uint64)
    result[: len(mixed)] = mixed
    for text in short:  # all its words are one shingle
        first = int(ends[text] - sizes[text])
        valid[first] = True
        result[first] = _runs(hashed[first : ends[text]], int(sizes[text]))[0]
    found = result[valid]
    found *= _MIX
    found >>= _HALF
    return found.astype(np.uint32)


def _runs(hashed: Wide, size: int) -> Wide:
    count = max(len(hashed) - size + 1, 0)
    mixed = hashed[:count].copy()
    for step in range(1, size):  # order matters: multiply, fold the high half down, then the next token
        mixed *= _MIX
        mixed ^= mixed >> _HALF
        mixed += hashed[step : step + count]
    return mixed


def _strings(normalised: Sequence[bytes], similarity: Similarity) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """By datasketch's own `sha1_hash32` of each shingle; imported late: it brings scipy along (.4 CPU s)."""
    from datasketch import sha1_hash32

    joint = b" " if similarity.unit == "word" else b""
    found: list[int] = []
    counts: list[int] = []
    for text in normalised:
        units: list[bytes] = text.split()
        if similarity.unit == "char":
            units = [c.encode("utf-8", "surrogatepass") for c in b" ".join(units).decode("utf-8", "surrogatepass")]
        counts.append(max(len(units) - similarity.ngram + 1, 1) if units else 0)
        found.extend(sha1_hash32(joint.join(units[i : i + similarity.ngram])) for i in range(counts[-1]))
    return np.array(found, np.uint32), np.array(counts, np.int64)


@lru_cache(maxsize=1)
def _tables() -> tuple[Wide, Wide, Wide]:
    """Powers of the base, their inverses modulo 2^64, and a random value for each byte but the space, which has 0."""
    length = BATCH_BYTES + 2

    def powers(base: int) -> Wide:
        made = np.full(length, base, np.uint64)
        made[0] = 1
        return np.cumprod(made, out=made)

    drawn: list[Any] = [int.from_bytes(hashlib.blake2b(bytes([c]), digest_size=8).digest(), "big") for c in range(256)]
    drawn[_SPACE] = 0
    return powers(_BASE), powers(pow(_BASE, -1, 1 << 64)), np.array(drawn, np.uint64)
