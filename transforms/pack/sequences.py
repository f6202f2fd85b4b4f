"""Documents → training sequences: splitting what is too long, packing what is short, losing no token.

Interleaved: a document becomes one or more sequences of at most context_length ids, each with a picture, cut where
cuts.py says; what is near no picture is a text of its own. Text: documents are laid one after the other, in the order
given, and cut into sequences of exactly context_length ids; the last may be shorter, but never so short that nothing
in it can be predicted (RoBERTa's full-sentences; Kosmos-1 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from weft.schemas.shards import Vocabulary, image_span
from weft.transforms.pack import cuts
from weft.transforms.pack.cuts import Piece

Encode = Callable[[str], Sequence[int]]
PARAGRAPH = "\n\n"  # between texts that stand side by side, so that no two words become one (OBELICS)


class Chunk(NamedTuple):
    """One sequence of a document with pictures."""

    ids: list[int]
    spans: list[tuple[int, int, int]]  # (position in the document, first id, one past the last id)
    images: list[int]  # positions of its images, in order
    texts: list[str | None]  # one for each span: what it holds of the text at its position, None for an image


class Passage(NamedTuple):
    """A part of a document with pictures that is near none of them."""

    text: str
    places: list[tuple[int, int, int]]  # (position, first character, one past the last) of the document's texts
    after: int  # sequences of the document before it


def joined(texts: Iterable[str | None]) -> str:
    """The texts of a document without its images."""
    return PARAGRAPH.join(text for text in texts if text)


def chunks(
    texts: Sequence[str | None], images: Sequence[int], encode: Encode, vocabulary: Vocabulary
) -> tuple[list[Chunk], list[Passage]]:
    """A document with pictures as sequences, each of which holds one at least, and the passages between those.

    A sequence begins with `<s>` and ends with `</s>`. Before a text that follows another, as the image between them was
    dropped, stands PARAGRAPH; white space where a text was cut has no ids. A document that fits is one sequence.

    Args:
        texts: None where an image stands.
        images: positions of the images that are kept; at least one.
        encode: text → ids.
        vocabulary: whose context_length a sequence has at most.
    """
    kept, room = set(images), vocabulary.context_length - 2  # <s> and </s>
    whole: list[Piece] = []
    for position, text in enumerate(texts):
        if text:
            lead = _lead(whole[-1] if whole else None)
            whole.append(Piece(position, text, 0, tuple(encode(lead + text)), cuts.PARAGRAPH))
        elif position in kept:
            whole.append(Piece(position, None, 0, tuple(image_span(vocabulary)), cuts.PARAGRAPH))
    if sum(len(piece.ids) for piece in whole) <= room:
        return [_chunk([[piece] for piece in whole], [piece.ids for piece in whole], vocabulary)], []
    made = list(_apart(whole, room, encode))
    found: list[Chunk] = []
    passages: list[Passage] = []
    for first, last, pictures in cuts.stretches(made, room, len(image_span(vocabulary))):
        if pictures:
            runs = _runs(made[first:last])
            found.append(_chunk(runs, _encoded(runs, encode, room), vocabulary))
        else:
            passages.append(_passage(made[first:last], len(found)))
    return found, passages


def _lead(before: Piece | None) -> str:
    return PARAGRAPH if before is not None and before.text is not None else ""


def _apart(whole: Iterable[Piece], room: int, encode: Encode) -> Iterator[Piece]:
    """Texts as pieces, the first of each with the ids of what parts it from a text before it."""
    before: Piece | None = None
    for one in whole:
        lead = _lead(before)
        if one.text is None:
            yield one
        else:
            for piece in cuts.pieces(one.text, one.position, room, encode):
                yield piece if piece.start or not lead else piece._replace(ids=(*encode(lead), *piece.ids))
        before = one


def _encoded(runs: Sequence[Sequence[Piece]], encode: Encode, room: int) -> list[Sequence[int]]:
    """Ids of each run, what its pieces say of one text encoded together."""
    made: list[Sequence[int]] = []
    for n, run in enumerate(runs):
        text = "".join(piece.text or "" for piece in run)
        lead = _lead(runs[n - 1][-1]) if n else ""
        made.append(run[0].ids if run[0].text is None else encode(lead + text if n else text.lstrip()))
    if sum(map(len, made)) <= room:
        return made
    return [[i for piece in run for i in piece.ids] for run in runs]  # a tokenizer that makes more of the whole


def _chunk(runs: Sequence[Sequence[Piece]], made: Sequence[Sequence[int]], vocabulary: Vocabulary) -> Chunk:
    """The sequence of runs of pieces, each of one position, and their ids."""
    ends = list(accumulate(map(len, made), initial=1))
    spans = [(run[0].position, ends[n], ends[n + 1]) for n, run in enumerate(runs)]
    ids = [vocabulary.bos, *(i for part in made for i in part), vocabulary.eos]
    images = [run[0].position for run in runs if run[0].text is None]
    said = [None if run[0].text is None else "".join(piece.text or "" for piece in run) for run in runs]
    return Chunk(ids, spans, images, said)


def _runs(pieces: Sequence[Piece]) -> list[list[Piece]]:
    return [list(run) for _, run in groupby(pieces, key=lambda piece: piece.position)]


def _passage(pieces: Sequence[Piece], after: int) -> Passage:
    runs = _runs(pieces)
    said = ["".join(piece.text or "" for piece in run) for run in runs]
    starts = [run[0].start for run in runs]
    places = [(run[0].position, at, at + len(text)) for run, at, text in zip(runs, starts, said, strict=True)]
    return Passage(PARAGRAPH.join(said), places, after)


class Packed(NamedTuple):
    """One packed sequence of the text corpus."""

    ids: list[int]
    documents: list[tuple[str, int, int]]  # (doc_id, first id, one past the last id)


def pack(documents: Iterable[tuple[str, Sequence[int]]], vocabulary: Vocabulary) -> Iterator[Packed]:
    """`<s> document </s>`, one after the other, cut every context_length ids.

    Of a single id nothing can be learned: where one would be left over, the sequence before it gives it its last.

    Args:
        documents: (doc_id, ids without specials), in the order they are to be packed.
    """
    held: Packed | None = None
    for one in _cut(documents, vocabulary):
        if held is not None:
            if len(one.ids) == 1:
                held, one = _shared(held, one)
            yield held
        held = one
    if held is not None:
        yield held


def _shared(full: Packed, rest: Packed) -> tuple[Packed, Packed]:
    """A full sequence without its last id, and the single id after it behind that: both of one document."""
    *marks, (doc_id, start, end) = full.documents
    if start < end - 1:
        marks.append((doc_id, start, end - 1))
    return Packed(full.ids[:-1], marks), Packed([full.ids[-1], *rest.ids], [(doc_id, 0, 2)])


def _cut(documents: Iterable[tuple[str, Sequence[int]]], vocabulary: Vocabulary) -> Iterator[Packed]:
    size = vocabulary.context_length
    ids: list[int] = []
    marks: list[tuple[str, int, int]] = []
    for doc_id, body in documents:
        left = [vocabulary.bos, *body, vocabulary.eos]
        while left:
            take = left[: size - len(ids)]
            marks.append((doc_id, len(ids), len(ids) + len(take)))
            ids.extend(take)
            left = left[len(take) :]
            if len(ids) == size:
                yield Packed(ids, marks)
                ids, marks = [], []
    if ids:
        yield Packed(ids, marks)


def caption(ids: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """`<s> <image> EMB </image> caption </s>`, the caption cut to fit the context."""
    span = image_span(vocabulary)
    room = vocabulary.context_length - len(span) - 2
    return [vocabulary.bos, *span, *ids[: max(room, 0)], vocabulary.eos]
