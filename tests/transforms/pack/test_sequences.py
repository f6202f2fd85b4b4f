"""Splitting and packing: nothing lost, nothing too long, no image cut."""

import itertools

import numpy as np
import pytest

from weft.schemas.records import hash_unit
from weft.schemas.shards import TOKENIZER, Vocabulary, image_slots, image_span
from weft.transforms.pack import sequences
from weft.transforms.pack.sequences import Segment

SLOTS, CONTEXT = 3, 16
WORDS = Vocabulary(1000, 0, 1, 2, 4, 5, SLOTS, CONTEXT, TOKENIZER)


def letters(text):
    return [100 + ord(c) for c in text]


def spell(ids):
    return "".join(chr(i - 100) for i in ids)


def test_texts_stay_apart_where_an_image_was_dropped_and_only_there():
    made = sequences.segments(["one", None, "two", None, "three"], [3], letters)
    assert [(s.position, s.ids and spell(s.ids)) for s in made] == [(0, "one"), (2, "\n\ntwo"), (3, None), (4, "three")]


def test_a_document_without_images_is_joined_by_paragraphs():
    assert sequences.joined(["one", None, "", "two"]) == "one\n\ntwo"


def test_a_short_document_is_one_sequence():
    made = sequences.chunks([Segment((10, 11), 0), Segment(None, 1), Segment((12,), 2)], WORDS)
    assert [chunk.ids for chunk in made] == [[0, 10, 11, 4, 4, 4, 4, 5, 12, 2]]
    assert made[0].spans == [(0, 1, 3), (1, 3, 8), (2, 8, 9)]
    assert made[0].images == [1]


@pytest.mark.parametrize("sizes", list(itertools.product([0, 1, 8, 9, 10, 13, 14, 15, 40], repeat=2)))
def test_a_long_document_loses_nothing(sizes):
    first, second = sizes
    text = [tuple(range(100, 100 + first)), tuple(range(500, 500 + second))]
    segments = [Segment(text[0], 0), Segment(None, 1), Segment(text[1], 2), Segment(None, 3), Segment(None, 4)]
    made = sequences.chunks(segments, WORDS)
    found = []
    for chunk in made:
        assert len(chunk.ids) <= CONTEXT and chunk.ids[0] == WORDS.bos and chunk.ids[-1] == WORDS.eos
        assert len(image_slots(np.array(chunk.ids), WORDS)) == len(chunk.images)  # raises where a span is cut
        covered = [i for _, start, end in chunk.spans for i in range(start, end)]
        assert covered == list(range(1, len(chunk.ids) - 1))
        found += [i for i in chunk.ids[1:-1] if i >= 100]
    assert found == [*text[0], *text[1]]
    assert [n for chunk in made for n in chunk.images] == [1, 3, 4]


def test_no_document_loses_a_token_or_cuts_an_image():
    for seed in range(500):

        def draw(name, below, seed=seed):
            return int(hash_unit(f"{seed}/{name}", "sequences") * below)

        slots = 1 + draw("slots", 5)
        context = slots + 5 + draw("context", 30)
        words = Vocabulary(5000, 0, 1, 2, 4, 5, slots, context, TOKENIZER)
        segments = []
        for n in range(draw("segments", 8)):
            ids = tuple(100 + draw(f"{n}/{k}", 4000) for k in range(draw(f"length{n}", 3 * context)))
            segments.append(Segment(None if draw(f"image{n}", 2) else ids, n))
        found = []
        for chunk in sequences.chunks(segments, words):
            assert len(chunk.ids) <= context
            for position, start, end in chunk.spans:
                part = chunk.ids[start:end]
                found += [(position, None)] if part == image_span(words) else [(position, i) for i in part]
        assert found == [(s.position, i) for s in segments for i in ([None] if s.ids is None else s.ids)]


def test_nothing_makes_no_sequence():
    assert sequences.chunks([], WORDS) == []


def test_packing_loses_no_token_and_fills_all_but_the_last():
    documents = [(f"d{n}", list(range(100, 100 + size))) for n, size in enumerate([3, 0, 40, 12, 1])]
    made = list(sequences.pack(documents, WORDS))
    assert [len(p.ids) for p in made[:-1]] == [CONTEXT] * (len(made) - 1) and 0 < len(made[-1].ids) <= CONTEXT
    stream = [i for packed in made for i in packed.ids]
    assert stream == [i for _, body in documents for i in (WORDS.bos, *body, WORDS.eos)]
    parts: dict[str, list[int]] = {}
    for packed in made:
        assert [start for _, start, _ in packed.documents] == [0, *[end for _, _, end in packed.documents[:-1]]]
        for doc_id, start, end in packed.documents:
            parts.setdefault(doc_id, []).extend(packed.ids[start:end])
    assert {name: ids[1:-1] for name, ids in parts.items()} == dict(documents)


def test_a_caption_is_cut_to_fit_and_still_ends():
    made = sequences.caption(range(100, 200), WORDS)
    assert len(made) == CONTEXT
    assert made[:6] == [0, 4, 4, 4, 4, 5] and made[6:-1] == list(range(100, 109)) and made[-1] == WORDS.eos
    assert sequences.caption([100], WORDS) == [0, 4, 4, 4, 4, 5, 100, 2]
