"""Lines that stand in many documents: cookie notices, menus, "share this article"; found by their hashes and cut out.

texts of documents → keys of their lines → numbers of the lines that each document loses → the texts without them.

Two rules, alone or together:

- `lines_once`, C4's (Raffel et al., arXiv 1910.10683; tensorflow_datasets' c4_utils.py): a line stays in one document
  of the whole corpus, there at its first occurrence alone. The document is the one whose id has the smallest hash.
- `lines_per_host`, after OBELICS (arXiv 2306.16527), which removes paragraphs that recur within a domain: a line in
  at least so many documents of one host is that host's boilerplate and goes from all of them. Documents without a host
  have no boilerplate.

Each rule looks at all documents whatever the other one says, so `lines_per_host` may take a line from the one place
that `lines_once` would have left to it. The rules then need no order, and the answer is the same on every runner.

C4 compares lower-cased lines byte by byte; here case, white space and punctuation are folded (shingles.py).
A line without a word ("* * *") is equal to nothing; nor is one that frames others in Markdown: the fence of a piece of
code, the header of a table.

Lines are numbered through a document in reading order, over all its texts; blank lines have no number. Texts that lose
everything stay as "", so that positions in a document keep their meaning: scores and images refer to them.

What crosses a shuffle is 16-byte keys, ids and hosts, never a line. A line's documents are counted by a combiner, whose
state is a number and one id. The verdict goes back to the documents by beam/hot_keys.py, split by these exact
counts, so that no worker holds more than about hot_keys.MOST ids of one line; and a document's own keys are as many as
its lines.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import apache_beam as beam
import xxhash

from weft.schemas.parameters import ConfigError, RepeatedLineRules
from weft.transforms.beam import hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join
from weft.transforms.dedup.shingles import words
from weft.transforms.io.parquet import Read

_FENCE = re.compile(r"^[> ]*+`{3}", re.MULTILINE)
_UNDER_HEADER = re.compile(r"[> \d.-]*+\|(?: --- \|)++\Z")  # what stands below the header of a table in Markdown
Unit = Literal["line", "paragraph"]
Keyed = tuple[str, tuple[str, list[bytes]]]  # doc_id, (host, keys of its lines in order)


def lines(texts: Iterable[str | None], unit: Unit) -> list[str]:
    """What is compared, in reading order: lines that are not blank, or paragraphs, which blank lines part."""
    return [piece for text in texts if text is not None for piece, _ in _pieces(text, unit)]


def line_key(line: str) -> bytes:
    """16 bytes, the same for lines with the same words; b"" for a line without a word, or that frames others."""
    if _FENCE.search(line):
        return b""
    tokens = words(line)
    return xxhash.xxh3_128_digest(b" ".join(tokens)) if tokens else b""


def line_keys(texts: Iterable[str | None], unit: Unit) -> list[bytes]:
    """Keys of all lines of a document: a key's place in the list is the line's number."""
    found = lines(texts, unit)
    keys = [line_key(line) for line in found]
    for number, line in enumerate(found[1:]):
        if _UNDER_HEADER.match(line):
            keys[number] = b""
    return keys


def keyed(document: Any, unit: Unit) -> Keyed:
    """What RepeatedLines takes, of a row with `doc_id`, `url` and `texts`."""
    return document.doc_id, (_host(document.url), line_keys(document.texts or (), unit))


def cut(texts: Iterable[str | None], dropped: Collection[int], unit: Unit) -> list[str | None]:
    """The texts without the lines of these numbers: as many texts, None where None was, "" where nothing is left.

    A text that loses nothing stays as it is. In the others, lines with a blank line or more between them, or with
    dropped lines that had one, have one blank line between them; there is none at either end.
    """
    gone = frozenset(dropped)
    left: list[str | None] = []
    number = 0
    for text in texts:
        if text is None:
            left.append(None)
            continue
        pieces = list(_pieces(text, unit))
        numbers = range(number, number + len(pieces))
        number = numbers.stop
        left.append(text if gone.isdisjoint(numbers) else _without(pieces, numbers, gone))
    return left


class Cut(NamedTuple):
    """A row of cuts/."""

    doc_id: str
    lines: list[int]  # numbers of the lines that the document loses, ascending


@dataclasses.dataclass
class Cuts(beam.PTransform):
    """PBegin → (doc_id, numbers of the lines it loses), from files of the cuts table."""

    paths: Sequence[str] | str

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[str, list[int]]]:
        return (
            begin | "Read" >> Read(self.paths, Cut) | "Cut" >> beam.Map(tuple).with_output_types(tuple[str, list[int]])
        )


@dataclasses.dataclass
class RepeatedLines(beam.PTransform):
    """(doc_id, (host, keys of its lines)), ids unique → (doc_id, numbers of the lines to drop) where there are any.

    Raises:
        ConfigError: `lines_per_host` is negative or 1.
    """

    rules: RepeatedLineRules

    def __post_init__(self) -> None:
        least = self.rules.lines_per_host
        if least < 0 or least == 1:
            raise ConfigError(f"a line is repeated on a host from 2 documents on (0 is off), not {least}")

    def expand(self, documents: beam.PCollection[Keyed]) -> beam.PCollection[tuple[str, list[int]]]:
        dropped: list[beam.PCollection[tuple[str, bytes]]] = []
        if self.rules.lines_per_host:
            of_host = documents | "OfHost" >> beam.FlatMap(_host_rows).with_output_types(tuple[bytes, str])
            dropped.append(of_host | "Boilerplate" >> _Repeated(self.rules.lines_per_host, spare_first=False))
        if self.rules.lines_once:
            of_all = documents | "OfAll" >> beam.FlatMap(_rows).with_output_types(tuple[bytes, str])
            dropped.append(of_all | "NotTheFirst" >> _Repeated(2, spare_first=True))
        if not dropped:
            return documents.pipeline | "Nothing" >> beam.Create([]).with_output_types(tuple[str, list[int]])
        return (
            {"document": documents, "dropped": tuple(dropped) | beam.Flatten()}
            | "ByDocument" >> Join()
            | "Numbers" >> beam.FlatMap(_numbers, self.rules.lines_once).with_output_types(tuple[str, list[int]])
        )


@dataclasses.dataclass
class _Repeated(beam.PTransform):
    """(key, doc_id), distinct → (doc_id, key) of the keys in at least `least` documents.

    Args:
        spare_first: leave out the document of each key whose id has the smallest hash.
    """

    least: int
    spare_first: bool

    def expand(self, rows: beam.PCollection[tuple[bytes, str]]) -> beam.PCollection[tuple[str, bytes]]:
        least, spare_first = self.least, self.spare_first
        counted = (
            rows
            | "One"
            >> beam.MapTuple(lambda key, doc_id: (key, (1, doc_id))).with_output_types(tuple[bytes, tuple[int, str]])
            | "CountAndFirst" >> Fold(_count_and_first)
            | "Often"
            >> beam.Filter(lambda found: found[1][0] >= least).with_output_types(tuple[bytes, tuple[int, str]])
        )
        sizes = counted | "Sizes" >> hot_keys.Sizes()
        verdict = counted | "Verdict" >> beam.Map(_verdict).with_output_types(tuple[bytes, tuple[bytes, str]])
        return (
            {"rows": rows, "one": verdict, "sizes": sizes}
            | "Attach" >> hot_keys.Attach()
            | "Drop" >> beam.FlatMap(_drop, spare_first).with_output_types(tuple[str, bytes])
        )


def _count_and_first(one: tuple[int, str], other: tuple[int, str]) -> tuple[int, str]:
    """Of a line's documents, how many there are and the id with the smallest hash."""
    return one[0] + other[0], min(one[1], other[1], key=_order)


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""


def _pieces(text: str, unit: Unit) -> Iterator[tuple[str, bool]]:
    """Lines or paragraphs of a text, each with whether a blank line stands before it."""
    gap = False
    held: list[str] = []  # lines of a paragraph
    for line in text.split("\n"):
        if not line.strip():
            if held:
                yield "\n".join(held), True
                held = []
            gap = True
        elif unit == "paragraph":
            held.append(line)
        else:
            yield line, gap
            gap = False
    if held:
        yield "\n".join(held), True


def _without(pieces: Iterable[tuple[str, bool]], numbers: Iterable[int], gone: Collection[int]) -> str:
    left: list[str] = []
    gap = False
    for number, (piece, blank_before) in zip(numbers, pieces):
        gap = gap or blank_before  # also before a dropped line: paragraphs do not grow together
        if number not in gone:
            left.append(("\n\n" if gap else "\n") + piece if left else piece)
            gap = False
    return "".join(left)


def _order(doc_id: str) -> tuple[int, str]:
    """By hash, so that no host or crawl whose ids sort low gets all the lines; by id where hashes are equal."""
    return xxhash.xxh3_64_intdigest(doc_id.encode("utf-8", "surrogatepass")), doc_id


def _host_key(host: str, key: bytes) -> bytes:
    return xxhash.xxh3_128_digest(key + host.encode("utf-8", "surrogatepass"))


def _rows(document: Keyed) -> Iterator[tuple[bytes, str]]:
    doc_id, (_, keys) = document
    for key in dict.fromkeys(keys):
        if key:
            yield key, doc_id


def _host_rows(document: Keyed) -> Iterator[tuple[bytes, str]]:
    host = document[1][0]
    if host:
        for key, doc_id in _rows(document):
            yield _host_key(host, key), doc_id


def _verdict(item: tuple[bytes, tuple[int, str]]) -> tuple[bytes, tuple[bytes, str]]:
    key, (_, first) = item
    return key, (key, first)  # the key twice: what is attached to a document no longer has the key it came by


def _drop(item: tuple[str, tuple[bytes, str]], spare_first: bool) -> Iterator[tuple[str, bytes]]:
    doc_id, (key, first) = item
    if not spare_first or doc_id != first:
        yield doc_id, key


def _numbers(item: tuple[str, dict[str, Iterable[Any]]], once: bool) -> Iterator[tuple[str, list[int]]]:
    doc_id, groups = item
    dropped = set(groups["dropped"])
    for host, keys in groups["document"]:  # one
        seen: set[bytes] = set()
        numbers = []
        for number, key in enumerate(keys):
            if key and (key in dropped or (once and key in seen) or _host_key(host, key) in dropped):
                numbers.append(number)
            seen.add(key)
        if numbers:
            yield doc_id, numbers
