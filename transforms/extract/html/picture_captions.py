"""Which caption is of which picture: by their figure, else by the column of their table, else by what is next to it.

Where captions and pictures do not fit each other by number none is bound: a picture without a caption is lost to pairs,
a picture with the caption of another spoils them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from weft.transforms.extract.html.pictures import Picture, flat, is_icon
from weft.transforms.extract.html.scan import CAPTION_CLASS, IMAGE, KIND, Scan

CLIMB = 16  # containers around a caption in which its pictures are looked for, so that a hostile page costs no time
_FIGURE, _FIGCAPTION, _TR, _CELLS = KIND["figure"], KIND["figcaption"], KIND["tr"], frozenset((KIND["td"], KIND["th"]))


def bind_captions(page: Scan, pictures: dict[int, Picture], kept: list[bool]) -> None:
    """Give pictures their captions.

    A caption is kept where its picture is, whatever the model says of it; `kept` is put right.
    """
    of_figure: dict[int, list[int]] = {}
    for at in page.images:
        if page.figures[at] and kept[at]:
            of_figure.setdefault(page.figures[at], []).append(at)
    captions, loose = _captions(page)
    rows = _Rows(page, pictures, kept)
    if pictures:
        rows.bind(loose)
    for at in loose if pictures else ():
        if at not in rows.bound:
            _bind_beside(at, page, rows, pictures, kept)
    for figure, found in of_figure.items():
        said = captions.get(figure, {})
        found = [at for at in found if not is_icon(page.images[at])] or found
        for caption, those in _of_rows(page, list(said), found) if len(said) > 1 else [(at, found) for at in said]:
            for at in those:
                pictures[at].say(" ".join(page.texts[part] for part in said[caption]), "figcaption")
        for parts in said.values():
            for at in parts:
                kept[at] = True


def _captions(page: Scan) -> tuple[dict[int, dict[int, list[int]]], list[int]]:
    """(by figure: by the first text of each of its captions all its texts; the captions outside of figures)."""
    found: dict[int, dict[int, list[int]]] = {}
    loose: list[int] = []
    by_element: dict[int, list[int]] = {}
    elements = _elements(page)
    for at, (kind, figure) in enumerate(zip(page.kinds, page.figures, strict=True)):
        container = page.containers[at]
        if figure and kind != IMAGE and (kind == _FIGCAPTION or (elements[container] >= 0 and not _leads(page, at))):
            element = container if elements[container] < 0 else elements[container]
            if element not in by_element:
                by_element[element] = found.setdefault(figure, {})[at] = []
            by_element[element].append(at)
        elif kind == _FIGCAPTION:
            loose.append(at)
    return found, loose


def _leads(page: Scan, at: int) -> bool:
    """Whether a text is mostly a link, as a card's button is."""
    return 2 * page.linked[at] > len(page.texts[at])


def _elements(page: Scan) -> list[int]:
    """Of each container the outermost caption of its figure that it is or stands in, -1 for none.

    What holds a picture is no caption, whatever its class says.
    """
    shown = [at for at, image in page.images.items() if not is_icon(image)] if any(page.figures) else []
    made = [-1] * len(page.tags)
    for container, (parent, tag) in enumerate(zip(page.parents, page.tags, strict=True)) if shown else ():
        if parent >= 0 and tag.kind != _FIGURE:
            made[container] = made[parent]
        if made[container] < 0 and tag.kind == _FIGCAPTION:
            start, end = page.starts[container], page.ends[container]
            if bisect_left(shown, start) == bisect_left(shown, end):
                made[container] = container
    return made


def _of_rows(page: Scan, captions: list[int], pictures: list[int]) -> Iterator[tuple[int, list[int]]]:
    """The pictures of each of a figure's captions: those in the nearest container around it that holds any.

    Of several captions of one container each has one picture, in order, or none has.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for caption in captions:
        first, last = 0, len(pictures)
        container = page.containers[caption]
        for _ in range(CLIMB):
            if container < 0:
                break
            low = bisect_left(pictures, page.starts[container])
            high = bisect_left(pictures, page.ends[container])
            if low < high:
                first, last = low, high
                break
            container = page.parents[container]
        groups.setdefault((first, last), []).append(caption)
    left = set(pictures)
    for (first, last), said in sorted(groups.items(), key=lambda group: group[0][1] - group[0][0]):
        those = [at for at in pictures[first:last] if at in left]
        if len(said) == len(those):
            yield from zip(said, ([at] for at in those), strict=True)
        elif len(said) == 1:
            yield said[0], those
        left.difference_update(those)


class _Rows:
    """Rows of tables in which captions stand below pictures, or above them."""

    def __init__(self, page: Scan, pictures: dict[int, Picture], kept: list[bool]) -> None:
        self.page, self.pictures, self.kept = page, pictures, kept
        self.bound: set[int] = set()
        self.cells: dict[int, int] = {}  # by container: the cell that it is or stands in, -1 for none
        self.shown: dict[int, dict[int, list[int]]] = {}  # pictures by row and cell
        self.said: dict[int, list[tuple[int, int, str]]] = {}  # by row: item, cell (-1: it is the whole row), caption

    def cell(self, at: int) -> int:
        """The innermost cell that an item stands in, -1 for none."""
        path, container = [], self.page.containers[at]
        while container >= 0 and container not in self.cells and self.page.tags[container].kind not in _CELLS:
            path.append(container)
            container = self.page.parents[container]
        found = self.cells.get(container, container)
        self.cells.update((passed, found) for passed in path)
        return found

    def bind(self, loose: list[int]) -> None:
        """Bind the captions of a row to the pictures of the row before it or else of the one after it.

        Args:
            loose: the captions that stand in no figure.
        """
        page = self.page
        for at in self.pictures:
            cell = self.cell(at) if self.kept[at] and not is_icon(page.images[at]) else -1
            if cell >= 0:
                self.shown.setdefault(page.parents[cell], {}).setdefault(cell, []).append(at)
        if self.shown:
            self._read(loose)
        if not self.said:
            return
        counts: dict[int, int] = {}  # cells by row
        places: dict[int, int] = {}  # of each cell in its row
        order: dict[int, list[int]] = {}  # rows by what they stand in
        for container, (parent, tag) in enumerate(zip(page.parents, page.tags, strict=True)):
            if tag.kind in _CELLS:
                places[container] = counts[parent] = counts.get(parent, 0) + 1
            elif tag.kind == _TR:
                order.setdefault(parent, []).append(container)
        for rows in order.values():
            for n, row in enumerate(rows):
                if row in self.said and row not in self.shown:
                    near = (rows[m] for m in (n - 1, n + 1) if 0 <= m < len(rows) and rows[m] in self.shown)
                    other = next((one for one in near if not self._captioned(one)), -1)
                    if other >= 0:
                        self._bind_rows(row, counts[row], other, counts[other], places)

    def apart(self, at: int, near: int) -> bool:
        """Whether a caption and a picture stand in two cells of a table, and not in a row that is theirs alone."""
        cell, other = self.cell(at), self.cell(near)
        if cell == other or cell < 0 or other < 0:
            return False
        row, of_other = self.page.parents[cell], self.page.parents[other]
        if row == of_other:
            return len(self.said.get(row, ())) != 1 or list(map(len, self.shown.get(row, {}).values())) != [1]
        return self.page.parents[row] == self.page.parents[of_other]

    def _captioned(self, row: int) -> bool:
        return any(self.pictures[at].meta.caption for those in self.shown[row].values() for at in those)

    def _read(self, loose: list[int]) -> None:
        """Note the captions that stand in cells."""
        page = self.page
        for at in loose:
            cell = self.cell(at)
            if cell >= 0:
                self.said.setdefault(page.parents[cell], []).append((at, cell, flat(page.texts[at])))
        for at, kind in enumerate(page.kinds):
            if kind != _TR or page.figures[at] or page.containers[at] < 0:
                continue
            start, container = page.spans[at][0], page.containers[at]
            if not CAPTION_CLASS.search(page.source, max(0, page.source.rfind("<", 0, start)), start):
                continue
            if page.tags[container].kind in _CELLS:
                self.said.setdefault(page.parents[container], []).append((at, container, flat(page.texts[at])))
            else:
                those = self.said.setdefault(container, [])
                those += [(at, -1, flat(part)) for part in page.texts[at].split(" | ")]

    def _bind_rows(self, row: int, cells: int, other: int, others: int, places: dict[int, int]) -> None:
        """Bind a row's captions to another's pictures: by column, or in order; one that spans all of them to each.

        Args:
            row: that of the captions, which has so many `cells`.
            other: that of the pictures, which has so many `others`.
            places: of cells in their rows.
        """
        said, shown = self.said[row], self.shown[other]
        alone = {cell: those[0] for cell, those in shown.items() if len(those) == 1}
        pairs: list[tuple[int, str, int]] = []
        if cells == 1 and len(said) == 1:
            pairs = [(said[0][0], said[0][2], at) for at in alone.values()]
        elif cells == others and all(cell >= 0 for _, cell, _ in said):
            of_column = {places[cell]: at for cell, at in alone.items()}
            pairs = [(at, text, of_column[places[c]]) for at, c, text in said if places[c] in of_column]
        elif len(said) == len(alone) == len(shown):
            pairs = [(at, text, picture) for (at, _, text), picture in zip(said, alone.values(), strict=True)]
        for at, text, picture in pairs:
            self.pictures[picture].say(text, "caption")
            self.bound.add(at)
            self.kept[at] = True


def _bind_beside(at: int, page: Scan, rows: _Rows, pictures: dict[int, Picture], kept: list[bool]) -> None:
    """Bind the caption that is item `at`, outside any figure, to the picture before it or the one after it.

    It is that of the two which stands in the same inner container, the one before where both do. Where that has a
    caption already, or is none of the document's, the caption is no other picture's; but of two that stand alike the
    one after may be it where the one before has a caption of its own, as where captions stand above. In a table it is a
    picture of its cell, or of its row where the caption stands alone in the next cell.
    """
    before, after = (_beside(page, at, step, pictures) for step in (-1, 1))
    climbs = [_climbs(page, at, near) for near in (before, after)]
    order = (before, after) if climbs[0] <= climbs[1] else (after, before)
    for near in order:
        if near < 0 or rows.apart(at, near):
            continue
        if near in pictures and kept[near] and not pictures[near].meta.caption:
            pictures[near].say(page.texts[at], "caption")
            kept[at] = True
            return
        above = near == before and climbs[0] == climbs[1] and _FIGCAPTION not in page.kinds[near:at]
        if not (above and near in pictures and kept[near]):
            return


def _beside(page: Scan, at: int, step: int, pictures: dict[int, Picture]) -> int:
    """The image before or after a caption, but for icons, twins and captions of the same run; -1 for none."""
    near = at
    for _ in range(CLIMB):
        near += step
        if near not in page.images:
            if 0 <= near < len(page.kinds) and page.kinds[near] == _FIGCAPTION and not page.figures[near]:
                continue
            return -1
        if not (is_icon(page.images[near]) or _is_twin(pictures.get(near))):
            return near
    return -1


def _climbs(page: Scan, at: int, near: int) -> int:
    """How many containers around an item do not hold another, CLIMB at most."""
    container = page.containers[at]
    for climbed in range(CLIMB):
        if container < 0 or page.starts[container] <= near < page.ends[container]:
            return climbed
        container = page.parents[container]
    return CLIMB


def _is_twin(picture: Picture | None) -> bool:
    return picture is not None and picture.reason == "noscript_twin"
