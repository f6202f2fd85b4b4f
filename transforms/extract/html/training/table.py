"""Pages with gold texts, of several sets → one compressed table of features and labels that lies beside the code.

No text and no address of a page is in it, only numbers of names and words, features, labels, and the hash of each
page's domain, by which folds are made.
"""

from __future__ import annotations

import collections
import glob
import gzip
import hashlib
import io
import json
import lzma
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np

from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract import srcset
from weft.transforms.extract.html.charset import to_text
from weft.transforms.extract.html.features import GRID, Features, features
from weft.transforms.extract.html.scan import Scan, Scanner
from weft.transforms.extract.html.tag_values import ATTRIBUTE, plain
from weft.transforms.extract.html.training.labels import UNKNOWN, label, parts, words
from weft.transforms.urls import resolve

SHIPPED = Path(__file__).resolve().parent / "table.npz.xz"
MIN_DOMAINS = 15  # that a name or word must stand in to have a number
# Label of an image: how many of the two texts around it are in the gold text (none, one, both); UNKNOWN without one.
OUT, EDGE, IN = 0, 1, 2
_SECOND_LEVEL = 3  # letters; "co.uk" is no domain of its own
_NO_SITE = frozenset(("", "invalid", "test", "fakehost", "localhost"))
_ARCHIVED = re.compile(r"https?://[\w.-]*\barchive\.org/web/\w+/(?=https?:)")  # before an address in a web archive's
_LINK = re.compile(r"""href=["']?(https?://[^"'\s>]+)""", re.IGNORECASE)
_UNLABELLED = 255  # in the table: a label is a share in hundredths


class Example(NamedTuple):
    """A page with its labels."""

    features: Features
    texts: np.ndarray  # (N,) share in the gold text, or UNKNOWN
    images: np.ndarray  # (N,) OUT, EDGE, IN or UNKNOWN
    gold_words: float  # 0 where no whole text is known
    kind: str  # page type, "" for unknown
    domain: str  # hash
    source: str  # name of the set


class Table(NamedTuple):
    """Examples, and the names and words that their numbers stand for."""

    examples: list[Example]
    names: list[str]
    words: list[str]


class _Growing(dict[str, int]):
    """A vocabulary that gives a new number to what it does not know."""

    def get(self, key: str, default: int | None = None) -> int:  # type: ignore[override]
        return self.setdefault(key, len(self))


def make(sets: list[str], out: Path) -> None:
    """Write the table of the pages of several sets and their labels.

    Args:
        sets: beginnings of paths, each of SET*.warc.gz, SET.gold.jsonl.gz and, where there is one, SET.images.jsonl.gz.
            A line of gold has the `url` of a page and `gold_text` or `gold_html`; or `with` and `without`, parts of its
            text that are to be kept or left out, which leaves the rest UNKNOWN.
            `page_type` is one of its type, or missing. A line of images has `url` and `images` of a page, each with
            its `urls` and a `label` (out, edge, in).
        out: file of the table.
    """
    names, vocabulary = _Growing(), _Growing()
    scanner = Scanner(names)
    examples = [example for path in sets for example in _examples(path, scanner, names, vocabulary)]
    made = _shrunk(Table(examples, list(names), list(vocabulary)))
    out.write_bytes(lzma.compress(_packed(made), preset=9))
    print(f"{len(examples)} pages, {sum(len(e.texts) for e in examples)} items, {len(made.names)} names, "
          f"{len(made.words)} words: {out}, {out.stat().st_size / 1e6:.1f} MB")  # fmt: skip


def _examples(path: str, scanner: Scanner, names: _Growing, vocabulary: _Growing) -> Iterator[Example]:
    images = Path(f"{path}.images.jsonl.gz")
    labelled = {line["url"]: _image_labels(line["images"]) for line in _lines(str(images))} if images.exists() else {}
    golden = {line["url"]: line for line in _lines(f"{path}.gold.jsonl.gz")}
    for record in _records(glob.glob(f"{glob.escape(path)}*.warc.gz")):
        line = golden.get(record.url, {})
        html = to_text(record.body, record.header("content-type"))
        scan = scanner.scan(html)
        text = gold_text(line)
        if not scan.texts or not (text or ("with" in line and not line.keys() & {"gold_text", "gold_html"})):
            continue  # of no text, or without gold
        found = features(scan, record.url, names, vocabulary)
        labels = label(scan.texts, text) if text else parts(scan.texts, line["with"], line["without"])
        seen = _seen(scan, record.url, labelled.get(record.url, {}))
        yield Example(found, labels, seen, float(len(words(text))), line.get("page_type", ""),
                      domain(record.url, html), Path(path).name)  # fmt: skip


def gold_text(line: dict[str, Any]) -> str:
    """The main text of a line of gold, "" where it names parts of it alone."""
    if "gold_html" in line:
        return "\n\n".join(text for text in Scanner({}).scan(line["gold_html"]).texts if text)
    return str(line.get("gold_text", ""))


def _seen(scan: Scan, url: str, labels: dict[str, int]) -> np.ndarray:
    """(N,) labels of a page's images, by their addresses."""
    seen = np.full(len(scan.texts), UNKNOWN)
    base = (resolve(url, scan.base) if scan.base else "") or url
    for at, image in scan.images.items():
        told = {name: plain(value) for name, value in ATTRIBUTE.findall(image.tag)}
        addresses = srcset.candidates(told, image.picture, base)[0]
        said = [labels[key] for address in addresses if (key := _key(address)) in labels]
        seen[at] = max(said, default=UNKNOWN)
    return seen


def load(path: Path) -> Table:
    """A table as it was made."""
    with np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as arrays:
        return _unpacked(dict(arrays))


def domain(url: str, html: str = "") -> str:
    """Hash of the registered domain, near enough: pages of one site go into one fold.

    Of a page whose address names no site (a reserved name) it is the domain that most of its links lead to; of one in a
    web archive the domain that the archive has it from.
    """
    name = _registered(url)
    if not name:
        said = collections.Counter(filter(None, map(_registered, _LINK.findall(html))))
        name = min(said, key=lambda each: (-said[each], each), default=url)
    return hashlib.blake2b(name.encode(), digest_size=6).hexdigest()


def _registered(url: str) -> str:
    parts = (urlsplit(_ARCHIVED.sub("", url)).hostname or "").split(".")
    if parts[-1] in _NO_SITE or "archive" in parts[-2:]:
        return ""
    wide = len(parts) > 2 and len(parts[-1]) == 2 and len(parts[-2]) <= _SECOND_LEVEL
    return ".".join(parts[-3:] if wide else parts[-2:])


def _records(paths: Iterable[str]) -> Iterable[Record]:
    for path in sorted(paths):
        for record in read_archive(path):
            if isinstance(record, Record) and record.kind == "response" and record.status == 200:
                yield record


def _lines(path: str) -> Iterable[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _key(url: str) -> str:
    return unquote(url.partition(":")[2].split("#")[0]).rstrip("/")


def _image_labels(images: Iterable[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for image in images:
        for url in image["urls"]:
            found[_key(url)] = max(found.get(_key(url), OUT), {"out": OUT, "edge": EDGE, "in": IN}[image["label"]])
    return found


def _shrunk(table: Table) -> Table:
    """The table with those names and words alone that stand in MIN_DOMAINS or more."""
    names, heads = collections.defaultdict(set), collections.defaultdict(set)
    for e in table.examples:
        f = e.features
        for number in np.unique(np.concatenate([f.names, f.inline, f.about])).tolist():
            names[number].add(e.domain)
        for number in np.unique(f.heads).tolist():
            heads[number].add(e.domain)
    kept_names = sorted((n for n, seen in names.items() if len(seen) >= MIN_DOMAINS), key=table.names.__getitem__)
    kept_words = sorted((n for n, seen in heads.items() if len(seen) >= MIN_DOMAINS), key=table.words.__getitem__)
    name_of, word_of = np.full(len(table.names), -1), np.full(len(table.words), -1)
    name_of[kept_names], word_of[kept_words] = np.arange(len(kept_names)), np.arange(len(kept_words))

    def without(numbers: np.ndarray, counts: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        there = np.append(new, -1)[numbers] >= 0
        return new[numbers[there]], np.concatenate([[0], np.cumsum(there)])[counts]

    examples = []
    for e in table.examples:
        f = e.features
        kept, name_ends = without(f.names, f.name_ends, name_of)
        inline, inline_ends = without(f.inline, f.inline_ends, name_of)
        said, head_ends = without(f.heads, f.head_ends, word_of)
        about, _ = without(f.about, np.zeros(1, np.int64), name_of)
        smaller = f._replace(
            names=kept, name_ends=name_ends, inline=inline, inline_ends=inline_ends, heads=said, head_ends=head_ends,
            about=about,
        )  # fmt: skip
        examples.append(e._replace(features=smaller))
    return Table(examples, [table.names[n] for n in kept_names], [table.words[n] for n in kept_words])


_FLAT = ("parents", "depths", "container_kinds", "tags", "names", "name_ends", "inline", "heads", "about")
_ENDS = ("inline_ends", "head_ends")  # by item: written as differences


def _packed(table: Table) -> bytes:
    """Columns of all pages end to end, differences where those are small: what a compressor likes."""
    each = table.examples
    columns: dict[str, np.ndarray] = {
        "name_list": np.array(table.names), "word_list": np.array(table.words),
        "kind": np.array([e.kind for e in each]), "domain": np.array([e.domain for e in each]),
        "source": np.array([e.source for e in each]),
        "gold_words": np.array([e.gold_words for e in each]), "items": np.array([len(e.texts) for e in each]),
        "page": np.stack([e.features.page * GRID for e in each]).astype(np.int32),
        "dense": np.concatenate([e.features.dense * GRID for e in each]).astype(np.int16).T.copy(),
        "texts": np.concatenate([_hundredths(e.texts) for e in each]).astype(np.uint8),
        "images": np.concatenate([e.images for e in each]).astype(np.int8),
        "text_words": np.concatenate([e.features.words for e in each]).astype(np.uint32),
        "kinds": np.concatenate([e.features.kinds for e in each]).astype(np.uint8),
        "container": np.concatenate([e.features.container for e in each]).astype(np.uint16),
        "alike": np.concatenate([e.features.alike for e in each]).astype(np.uint16),
        "heading": np.concatenate([e.features.heading for e in each]).astype(np.uint16),
    }  # fmt: skip
    order = [np.arange(len(e.texts)) for e in each]
    columns["low"] = np.concatenate([n - e.features.low for n, e in zip(order, each, strict=True)], 1).astype(np.uint16)
    columns["high"] = np.concatenate([e.features.high - n for n, e in zip(order, each, strict=True)], 1).astype(
        np.uint16
    )
    for name in _FLAT:
        flat = [getattr(e.features, name) for e in each]
        columns[name] = np.concatenate(flat).astype(np.uint16)
        columns[f"{name}_count"] = np.array([len(values) for values in flat])
    for name in _ENDS:
        columns[name] = np.concatenate([np.diff(getattr(e.features, name), prepend=0) for e in each]).astype(np.uint16)
    buffer = io.BytesIO()
    np.savez(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def _hundredths(labels: np.ndarray) -> np.ndarray:
    return np.where(labels == UNKNOWN, _UNLABELLED, np.rint(labels * 100))


def _labels(hundredths: np.ndarray) -> np.ndarray:
    return np.where(hundredths == _UNLABELLED, UNKNOWN, hundredths / 100)


def _unpacked(columns: dict[str, np.ndarray]) -> Table:
    items = columns["items"]
    ends = np.cumsum(items)
    flat_ends = {name: np.cumsum(columns[f"{name}_count"]) for name in _FLAT}
    examples = []
    for n, (end, count) in enumerate(zip(ends.tolist(), items.tolist(), strict=True)):
        part = slice(end - count, end)
        order = np.arange(count)
        values = {
            name: columns[name][flat_ends[name][n] - columns[f"{name}_count"][n] : flat_ends[name][n]].astype(np.int64)
            for name in _FLAT
        } | {name: np.cumsum(columns[name][part].astype(np.int64)) for name in _ENDS}
        found = Features(
            dense=columns["dense"][:, part].T / GRID, page=columns["page"][n] / GRID,
            words=columns["text_words"][part].astype(np.float64), kinds=columns["kinds"][part].astype(np.int64),
            container=columns["container"][part].astype(np.int64),
            heading=columns["heading"][part].astype(np.int64), alike=columns["alike"][part].astype(np.int64),
            low=order - columns["low"][:, part].astype(np.int64),
            high=order + columns["high"][:, part].astype(np.int64),
            **values,
        )  # fmt: skip
        examples.append(
            Example(found, _labels(columns["texts"][part]), columns["images"][part].astype(np.int64),
                    float(columns["gold_words"][n]), str(columns["kind"][n]), str(columns["domain"][n]),
                    str(columns["source"][n]))
        )  # fmt: skip
    return Table(examples, [str(name) for name in columns["name_list"]], [str(word) for word in columns["word_list"]])
