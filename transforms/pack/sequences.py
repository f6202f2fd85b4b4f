"""Documents → training sequences: splitting what is too long, packing what is short, losing no token.

Interleaved: a document becomes one or more sequences of at most context_length ids, cut between segments or inside a
text, never inside an image's ids. Text: documents are laid one after the other, in the order given, and cut into
sequences of exactly context_length ids; the last may be shorter (RoBERTa's full-sentences; Kosmos-1 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from weft.schemas.shards import Vocabulary, image_span

PARAGRAPH = "\n\n"  # between texts that stand side by side, so that no two words become one (OBELICS)


class Segment(NamedTuple):
    """A text's ids, or an image (ids None)."""

    ids: tuple[int, ...] | None
    position: int  # in the document


class Chunk(NamedTuple):
    """One sequence of a document."""

    ids: list[int]
    spans: list[tuple[int, int, int]]  # (position in the document, first id, one past the last id)
    images: list[int]  # positions of its images, in order


def joined(texts: Iterable[str | None]) -> str:
    """The texts of a document without its images."""
    return PARAGRAPH.join(text for text in texts if text)


def segments(
    texts: Sequence[str | None], images: Sequence[int], encode: Callable[[str], Sequence[int]]
) -> list[Segment]:
    """A document as segments in reading order.

    Before a text that follows another, because the image between them was dropped, stands PARAGRAPH.

    Args:
        texts: None where an image stands.
        images: positions of the images that are kept.
        encode: text → ids.
    """
    made: list[Segment] = []
    kept = set(images)
    for position, text in enumerate(texts):
        if text:
            after_text = bool(made) and made[-1].ids is not None
            made.append(Segment(tuple(encode(PARAGRAPH + text if after_text else text)), position))
        elif position in kept:
            made.append(Segment(None, position))
    return made


def chunks(segments: Sequence[Segment], vocabulary: Vocabulary) -> list[Chunk]:
    """A document as sequences, each of which begins with `<s>` and ends with `</s>`.

    A text longer than the room that is left goes on in the next sequence; an image for which there is no room opens it.
    """
    room = vocabulary.context_length - 2  # <s> and </s>
    span = image_span(vocabulary)
    made: list[Chunk] = []
    current = Chunk([vocabulary.bos], [], [])

    def close() -> None:
        nonlocal current
        made.append(current._replace(ids=[*current.ids, vocabulary.eos]))
        current = Chunk([vocabulary.bos], [], [])

    for segment in segments:
        if segment.ids is None:
            if len(current.ids) - 1 + len(span) > room:
                close()
            start = len(current.ids)
            current.ids.extend(span)
            current.spans.append((segment.position, start, len(current.ids)))
            current.images.append(segment.position)
            continue
        left = segment.ids
        while left:
            free = room - (len(current.ids) - 1)
            if free <= 0:
                close()
                continue
            start = len(current.ids)
            current.ids.extend(left[:free])
            current.spans.append((segment.position, start, len(current.ids)))
            left = left[free:]
    if len(current.ids) > 1:
        close()
    return made


class Packed(NamedTuple):
    """One packed sequence of the text corpus."""

    ids: list[int]
    documents: list[tuple[str, int, int]]  # (doc_id, first id, one past the last id)


def pack(documents: Iterable[tuple[str, Sequence[int]]], vocabulary: Vocabulary) -> Iterator[Packed]:
    """`<s> document </s>`, one after the other, cut every context_length ids.

    Args:
        documents: (doc_id, ids without specials), in the order they are to be packed.
    """
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
