"""What is known of each item as numbers: the input of the model that says which are content.

A scan → arrays over its N items (texts and images in reading order), in a few passes of numpy. A container spans a
range of items, so that a sum over what is inside it is the difference of two running sums.
"""

from __future__ import annotations

import itertools
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weft.transforms.extract.html import compiled
from weft.transforms.extract.html.scan import IMAGE, KIND, KINDS, Scan, Vocabulary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = 4  # containers around an item whose contents are features of it, each wider than the one before
GRID = 256.0  # features are multiples of 1 / GRID, so that a model of whole numbers gives the same on every machine
_LONG = 8  # words; a longer text is no label
_H1, _H6, _LI, _TR, _DIV = KIND["h1"], KIND["h6"], KIND["li"], KIND["tr"], KIND["div"]
_PROSE = [KIND["p"], KIND["blockquote"], KIND["pre"]]
_ENDS = '.!?…:。！？"”’)'
_UPPER, _DIGIT, _WIDE = 1, 2, 3  # classes of characters
_WIDE_A_WORD = 2  # characters of such a script that count as a word
_TYPE = re.compile(r'"@type"\s*:\s*"(\w{1,40})"')
_WORD = re.compile(r"[a-z]{2,}")
_SIZE = re.compile(r' (width|height)="\s*(\d{1,5})')
_ALT = re.compile(r' alt="([^"]*)"')
_SRC = re.compile(r' src="([^"]*)"')
_DATA = re.compile(r' data-[a-z-]++="([^"]*+)"')
_PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif)")
_PICTURE_FILE = re.compile(r'href="[^"]*\.(?:jpe?g|png|gif|webp|avif)\b', re.I)


def _classes() -> NDArray[np.uint8]:
    table = np.zeros(65_536, np.uint8)
    for code in range(65_536):
        char = chr(code)
        if char.isupper():
            table[code] = _UPPER
        elif char.isdigit():
            table[code] = _DIGIT
        elif 0x2E80 <= code < 0xA000 or 0x0E00 <= code < 0x10A0 or 0x1780 <= code < 0x1800:
            table[code] = _WIDE  # scripts written without spaces: Han, kana, Thai, Lao, Tibetan, Burmese, Khmer
    return table


_CLASSES = _classes()


class Features(NamedTuple):
    """A page of N items in C containers as arrays; D features an item, P a page."""

    dense: Floats  # (N, D)
    page: Floats  # (P,)
    words: Floats  # (N,) number of words of each text, 0 for an image
    kinds: Ints  # (N,) of KINDS
    container: Ints  # (N,) the innermost container of each item, C for none
    parents: Ints  # (C,) the container around each, C for none
    depths: Ints  # (C,)
    container_kinds: Ints  # (C,)
    tags: Ints  # (C,) which of T different tags each has
    names: Ints  # of those tags, one after another
    name_ends: Ints  # (T,)
    inline: Ints  # names on inline elements
    inline_ends: Ints  # (N,)
    heads: Ints  # words that items begin with, -1 for unknown ones
    head_ends: Ints  # (N,)
    heading: Ints  # (N,) the last heading before each item, N for none
    alike: Ints  # (N,) number of the repeated structure that an item belongs to: list entries, table cells, cards
    low: Ints  # (LEVELS, N) first item of the container around each item, by level
    high: Ints  # (LEVELS, N) one past its last
    about: Ints  # names of the page itself


def features(scan: Scan, url: str, names: Vocabulary, vocabulary: Vocabulary) -> Features:
    """Arrays of a scanned page that has at least one item.

    Args:
        scan: the page.
        url: its address, whose words say something of its type.
        names: numbers of names (classes, ids, roles); the scan was made with the same.
        vocabulary: numbers of the words that texts begin with.
    """
    texts = scan.texts
    total = len(texts)
    kinds = np.array(scan.kinds)
    numbers = measured(texts)
    numbers[1] += np.floor(numbers[6] / _WIDE_A_WORD)
    container, parents, depths = _tree(scan)
    low, high = _ranges(scan, container, parents, depths, total)
    structures, container_kinds, tags, tag_names, name_ends = _tagged(scan)
    alike = structures[container]
    known = _Known(numbers, kinds, low, high, alike, np.append(depths, 0)[container], _titled(scan, texts))
    dense, sums, prose, last = _dense(scan, known)

    chars, words = numbers[0], numbers[1]
    whole = sums[:, -1]
    size = max(1.0, whole[0])
    share = np.bincount(kinds, chars, KINDS) / size
    counts = np.log2(1.0 + np.array([whole[0], total, whole[3], whole[2] / max(1.0, whole[4]), whole[7]])) / 4
    page = np.array([
        *counts, whole[1] / size, float(share[_PROSE].sum()), share[_LI], share[_TR], share[_DIV],
        share[_H1 : _H6 + 1].sum(), float(prose.sum()) / size,
    ])  # fmt: skip
    return Features(
        dense, _gridded(page), words, kinds, container, parents, depths,
        container_kinds, tags, tag_names, name_ends, _ints(scan.inline), _ints(scan.inline_ends),
        _looked_up(scan.words, vocabulary), _ints(scan.word_ends),
        np.where(last >= 0, last, total), alike, low, high, _ints(_about(scan, url, names)),
    )  # fmt: skip


class _Known(NamedTuple):
    """What the numbers of N items are made of."""

    measured: Floats  # (9, N), as of `measured`
    kinds: Ints  # (N,)
    low: Ints  # (LEVELS, N)
    high: Ints  # (LEVELS, N)
    alike: Ints  # (N,)
    depth: Ints  # (N,) of their containers
    titled: NDArray[np.bool_]  # (N,) which stand in the page's title


def _titled(scan: Scan, texts: list[str]) -> NDArray[np.bool_]:
    title = scan.title.lower()
    longest = min(200, len(title))  # no text becomes shorter in lower case
    return np.array([4 <= len(text) <= longest and text.lower() in title for text in texts])


def _dense(scan: Scan, known: _Known) -> tuple[Floats, Floats, Floats, Ints]:
    """(N, D) numbers of the items, (8, N + 1) running sums over them, (N,) how much prose each is, the last heading."""
    chars, words, dots, commas, upper, digit, _, ended, capital = known.measured
    _, kinds, low, high, alike, depth, titled = known
    total = len(kinds)
    order = np.arange(total)
    heading = (kinds >= _H1) & (kinds <= _H6)
    last = np.maximum.accumulate(np.where(heading, order, -1))
    sums = np.zeros((8, total + 1))
    repeats, pictures = _repeats(scan), _pictures(scan, total)
    if compiled.module:
        made, prose = np.empty((total, _ROWS)), np.empty(total)
        compiled.module.featured(
            known.measured, scan.linked, kinds, scan.figures, depth, alike, repeats, titled.astype(np.float64),
            low, high, pictures, sums, prose, made, IMAGE, _H1, _H6, _LONG,
        )  # fmt: skip
        return made, sums, prose, last
    image = kinds == IMAGE
    unlearned = np.zeros(total)  # the share of such characters: labelled pages have too few of them to learn from
    linked = np.minimum(np.array(scan.linked, np.float64), chars)
    safe = np.maximum(chars, 1.0)
    counted = np.stack([chars, linked, words, image, ~image, heading, digit, words > _LONG])
    np.cumsum(counted, axis=1, out=sums[:, 1:])
    size = max(1.0, sums[0, -1])
    before = sums[0] / size  # share of the page's characters before each item

    inside = sums[:, high] - sums[:, low]  # (8, LEVELS, N)
    said, items = np.maximum(inside[0], 1), np.maximum(inside[4], 1)
    group = np.bincount(alike)
    group_chars = np.bincount(alike, chars)
    logs = np.log2(1.0 + np.concatenate([
        np.stack([
            chars, words, dots, repeats,
            np.where(last >= 0, order - last, order + 1), group[alike], np.bincount(alike, image)[alike],
            (np.bincount(alike, words) / np.maximum(group, 1))[alike],
        ]),
        inside[0], inside[4], inside[2] / items, inside[3], inside[5], inside[7],
    ])) / 4  # fmt: skip
    shares = np.stack([
        linked / safe, (linked >= chars) & (chars > 0), commas / safe * 20,
        ended, capital, digit / safe, upper / safe, chars / np.maximum(words, 1) / 8, unlearned,
        order / total, before[:-1], depth / 16, titled, np.where(last >= 0, _H1 + 7 - kinds[last], 0) / 6,
        np.array(scan.figures) > 0,
        (group_chars / size)[alike], (np.bincount(alike, linked) / np.maximum(group_chars, 1))[alike],
    ])  # fmt: skip
    levels = [inside[1] / said, inside[0] / size, (order - low) / np.maximum(1, high - low), inside[6] / said]
    prose = chars * (words > _LONG) * (1 - linked / safe)
    dense = np.concatenate([
        logs, shares, *levels, _landmarks(low, high, before, prose, kinds, titled & heading), pictures,
    ])  # fmt: skip
    return _gridded(dense.T), sums, prose, last


def _gridded(values: Floats) -> Floats:
    return np.rint(values * GRID) / GRID


def measured(texts: list[str]) -> Floats:
    """(9, N) numbers of each text and whether it ends as a sentence does and begins with an upper-case letter.

    The numbers are those of characters, words, ".", ",", upper-case letters, digits and characters of unspaced scripts.
    """
    if compiled.module:
        found = np.empty((9, len(texts)))
        compiled.module.measured(texts, _CLASSES, _ENDS, found)
        return found
    chars = np.array([len(text) for text in texts], np.float64)
    return np.stack([
        chars, np.array([text.count(" ") for text in texts]) + (chars > 0),
        np.array([text.count(".") for text in texts]), np.array([text.count(",") for text in texts]),
        *_characters(texts, chars),
        np.array([bool(text) and text[-1] in _ENDS for text in texts]),
        np.array([text[:1].isupper() for text in texts]),
    ])  # fmt: skip


def _characters(texts: list[str], chars: Floats) -> tuple[Floats, Floats, Floats]:
    """Upper-case letters, digits, and characters of unspaced scripts in each text."""
    codes = np.frombuffer("\n".join(texts).encode("utf-32-le", "replace"), np.uint32)
    found = _CLASSES[np.minimum(codes, 65_535)]
    ends = np.cumsum(chars + 1) - 1
    counts = (np.diff(np.searchsorted(np.flatnonzero(found == c), ends), prepend=0) for c in (_UPPER, _DIGIT, _WIDE))
    upper, digit, wide = (count.astype(np.float64) for count in counts)
    return upper, digit, wide


def _repeats(scan: Scan) -> Floats:
    """How often each text stands on the page, or each image's tag."""
    texts, images = scan.texts, scan.images
    if compiled.module:
        found = np.empty(len(texts))
        compiled.module.repeats(texts, images, found)
        return found
    keys = [text or images[n].tag for n, text in enumerate(texts)]
    return np.array(list(map(Counter(keys).__getitem__, keys)), np.float64)


def _tree(scan: Scan) -> tuple[Ints, Ints, Ints]:
    """Container of each item, and parent and depth of each container; none is their number C."""
    count = len(scan.starts)
    container, parents = _ints(scan.containers), _ints(scan.parents)
    container[container < 0] = count
    parents[parents < 0] = count
    return container, parents, _ints(scan.depths)


def levels_of(depths: Ints) -> Iterator[Ints]:
    """Containers of each depth, outermost first."""
    order = np.argsort(depths, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(depths[order])) + 1) if len(order) else ()


def _ranges(scan: Scan, container: Ints, parents: Ints, depths: Ints, total: int) -> tuple[Ints, Ints]:
    """(LEVELS, N) first items of the containers around each item, each strictly wider than the last, and their ends."""
    count = len(parents)
    if compiled.module:
        made = np.empty((2, LEVELS, total), np.int64)
        compiled.module.ranged(container, parents, scan.starts, scan.ends, np.empty(count + 1, np.int64), *made)
        return made[0], made[1]
    first, last = _ints([*scan.starts, 0]), _ints([*scan.ends, total])
    same = (first[parents] == first[:-1]) & (last[parents] == last[:-1])
    wider = np.append(parents, count)
    for level in levels_of(depths):
        wider[level] = np.where(same[level], wider[parents[level]], parents[level])
    around = np.empty((LEVELS, total), np.int64)
    at = container
    for row in around:
        row[:] = at
        at = wider[at]
    order = np.arange(total)
    return np.minimum(first[around], order), np.minimum(np.maximum(last[around], order + 1), total)


def _looked_up(words: list[str], vocabulary: Vocabulary) -> Ints:
    if compiled.module and type(vocabulary) is dict:
        numbers = np.empty(len(words), np.int64)
        compiled.module.looked_up(words, vocabulary, numbers)
        return numbers
    lookup = vocabulary.get
    return _ints([lookup(word, -1) for word in words])


def _tagged(scan: Scan) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Structure, kind and number of its tag on this page of each container; and the names of those tags."""
    if compiled.module is None:
        return _ints(repeated(scan, [tag.number for tag in scan.tags])), *_tags(scan)
    count = len(scan.tags)
    kinds, numbers, structures = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count + 1, np.int64)
    named = compiled.module.structured(scan.tags, scan.parents, kinds, numbers, structures)
    names, ends = (np.frombuffer(each, np.int64) for each in named)
    return structures, kinds, numbers, names, ends


def repeated(scan: Scan, tags: list[int]) -> list[int]:
    """(C + 1,) which repeated structure a container is: those that have the same tags all the way up are one.

    Args:
        tags: (C,) numbers of the containers' tags.
    """
    known: dict[tuple[int, int], int] = {}
    found: list[int] = []
    number, add = known.setdefault, found.append
    for parent, tag in zip(scan.parents, tags, strict=True):
        add(number((found[parent] if parent >= 0 else -1, tag), len(known)))
    add(len(known))  # of items in no container, which -1 finds
    return found


def _tags(scan: Scan) -> tuple[Ints, Ints, Ints, Ints]:
    """Kind of each container, the number of its tag on this page, and the names of those tags."""
    numbers = [tag[3] for tag in scan.tags]
    different = dict(zip(numbers, scan.tags, strict=True))
    known = {number: n for n, number in enumerate(different)}
    names = [tag[2] for tag in different.values()]
    every = list(itertools.chain.from_iterable(names))
    ends = list(itertools.accumulate(map(len, names)))
    return _ints([tag[1] for tag in scan.tags]), _ints([known[number] for number in numbers]), _ints(every), _ints(ends)


def _landmarks(low: Ints, high: Ints, before: Floats, prose: Floats, kinds: Ints, named: NDArray[np.bool_]) -> Floats:
    """(rows, N) where items stand to the container with most prose (Readability's idea) and to the page's headline."""
    total = len(prose)
    order = np.arange(total)
    rows: list[NDArray[np.generic]] = []
    for level in (1, 2):
        ranges, which = np.unique(low[level] * (total + 1) + high[level], return_inverse=True)
        best = int(ranges[int(np.argmax(np.bincount(which, prose)))])
        start, end = best // (total + 1), best % (total + 1)
        rows += [
            (order >= start) & (order < end), np.maximum(0, before[start] - before[1:]),
            np.maximum(0, before[:-1] - before[end]),
        ]  # fmt: skip
    candidates = np.flatnonzero(named)
    if not len(candidates):
        candidates = np.flatnonzero(kinds == _H1)
    at = int(candidates[0]) if len(candidates) else -1
    away = order - at
    rows += [
        (away >= 0) & (at >= 0), np.log2(1.0 + np.abs(away)) / 4 * (at >= 0), before[:-1] - before[max(at, 0)],
        (low[2] <= at) & (at < high[2]), (low[3] <= at) & (at < high[3]), away == 0,
    ]  # fmt: skip
    return np.stack([np.asarray(row, np.float64) for row in rows])


_PICTURE_ROWS = 12
_ROWS = 8 + 6 * LEVELS + 17 + 4 * LEVELS + 12 + _PICTURE_ROWS  # of _dense, in the order in which they stand there


def _pictures(scan: Scan, total: int) -> Floats:
    """What an image's own tag says of it; zeros at texts."""
    table = np.zeros((_PICTURE_ROWS, total))
    if not scan.images:
        return table
    if compiled.module:
        compiled.module.pictured(scan.images, table)
        for at, image in scan.images.items():
            table[6, at] = bool(image.link) and _PICTURE_FILE.search(image.link) is not None
        return table
    said = []
    for image in scan.images.values():
        tag = image.tag
        sizes = dict(_SIZE.findall(tag))
        alt, source = _ALT.search(tag), _SRC.search(tag)
        address = source.group(1) if source else ""
        hidden = not address or address[:5] == "data:"
        if hidden:
            address = next(filter(_PICTURE_NAME.search, _DATA.findall(tag)), "")
        lower = address[-200:].lower()
        said.append((
            min(int(sizes.get("width", 0)), 4096), min(int(sizes.get("height", 0)), 4096),
            len(alt.group(1)) if alt else 0, "width" in sizes, alt is not None, bool(image.link),
            bool(image.link) and _PICTURE_FILE.search(image.link) is not None, image.noscript,
            ".svg" in lower or ".gif" in lower, ".jp" in lower or ".webp" in lower,
            bool(image.picture) or "srcset=" in tag, hidden,
        ))  # fmt: skip
    found = np.array(said, np.float64).T
    found[:3] = np.log2(1.0 + found[:3]) / 8
    table[:, list(scan.images)] = found
    return table


def _about(scan: Scan, url: str, names: Vocabulary) -> list[int]:
    said = []
    for name, content in scan.meta:
        if name in ("og:type", "generator"):
            said += [f"{name}:{word}" for word in content.lower().split()[:2]]
    for data in scan.json_ld[:4]:
        said += [f"ld:{kind}" for kind in _TYPE.findall(data[:20_000])]
    said += [f"url:{word}" for word in _WORD.findall(url.lower()[:200])]
    found = (names.get(word) for word in dict.fromkeys(said))
    return [number for number in found if number is not None]


def _ints(values: list[int] | array[int]) -> Ints:
    return np.array(values, np.int64)
