"""Splitting and packing: nothing lost, nothing too long, no image cut."""

import numpy as np

from weft.schemas.records import hash_unit
from weft.schemas.shards import TOKENIZER, Vocabulary, image_slots
from weft.transforms.pack import sequences

SLOTS, CONTEXT = 3, 16
WORDS = Vocabulary(1000, 0, 1, 2, 4, 5, SLOTS, CONTEXT, TOKENIZER)


def letters(text):
    return [100 + ord(c) for c in text]


def spell(ids):
    return "".join(chr(i - 100) for i in ids)


def read(chunk):
    """A sequence's ids as text, `[n]` for the image at position n."""
    return "".join(f"[{n}]" if n in chunk.images else spell(chunk.ids[start:end]) for n, start, end in chunk.spans)


def test_texts_stay_apart_where_an_image_was_dropped_and_only_there():
    (made,), rest = sequences.chunks(["a", None, "b", None, "c"], [3], letters, WORDS)
    assert (made.ids, rest) == ([0, *letters("a\n\nb"), 4, 4, 4, 4, 5, *letters("c"), 2], [])
    assert (made.spans, made.images) == ([(0, 1, 2), (2, 2, 5), (3, 5, 10), (4, 10, 11)], [3])
    assert made.texts == ["a", "b", None, "c"]


def test_a_document_without_images_is_joined_by_paragraphs():
    assert sequences.joined(["one", None, "", "two"]) == "one\n\ntwo"


def test_what_is_near_no_picture_is_a_passage():
    long = Vocabulary(1000, 0, 1, 2, 4, 5, SLOTS, 64, TOKENIZER)
    before = "It was dark. Nobody came to see it.\n\nThen a fox came by."
    texts = [
        before,
        None,
        "A fox.",
        "It went.",
        None,
        "And so it all ended, as it had begun, in the dark of a long night.",
    ]
    made, passages = sequences.chunks(texts, [1], letters, long)
    assert [read(chunk) for chunk in made] == ["Then a fox came by.[1]A fox.\n\nIt went."]
    assert [passage.text for passage in passages] == [before[:35], texts[5]]
    assert [passage.places for passage in passages] == [[(0, 0, 35)], [(5, 0, 66)]]
    assert [passage.after for passage in passages] == [0, 1] and made[0].texts[0] == before[35:]


def draw(name, below):
    return int(hash_unit(name, "sequences") * below)


def drawn(seed, most):
    """A document of words, sentences, lines and pictures, of up to `most` characters a text."""
    ends = [" ", " ", " ", ". ", ".\n", "?\n\n", "\n\n"]
    texts: list[str | None] = []
    for n in range(1 + draw(f"{seed}/parts", 8)):
        size = draw(f"{seed}/{n}/size", most)
        words = [
            "w" * (1 + draw(f"{seed}/{n}/{k}", 9)) + ends[draw(f"{seed}/{n}/{k}/end", len(ends))] for k in range(size)
        ]
        texts.append(None if draw(f"{seed}/{n}/image", 2) else "".join(words)[:size])
    images = [n for n, text in enumerate(texts) if text is None and draw(f"{seed}/{n}/kept", 4)]
    return [*texts, None], [*images, len(texts)]


def test_no_document_loses_a_letter_or_cuts_an_image():
    for seed in range(400):
        slots = 1 + draw(f"{seed}/slots", 5)
        context = slots + 5 + draw(f"{seed}/context", 200)
        words = Vocabulary(5000, 0, 1, 2, 4, 5, slots, context, TOKENIZER)
        texts, images = drawn(seed, 2 * context)
        made, passages = sequences.chunks(texts, images, letters, words)
        assert [n for chunk in made for n in chunk.images] == images
        found: dict[int, dict[int, str]] = {}
        for passage in passages:
            parts = [texts[n][start:end] for n, start, end in passage.places]
            assert passage.text == "\n\n".join(parts) and 0 <= passage.after <= len(made)
            for part, (n, start, _) in zip(parts, passage.places, strict=True):
                found.setdefault(n, {})[start] = part
        for chunk in made:
            assert chunk.images and len(chunk.ids) <= context and (chunk.ids[0], chunk.ids[-1]) == (0, 2)
            assert [i for _, start, end in chunk.spans for i in range(start, end)] == [*range(1, len(chunk.ids) - 1)]
            assert len(image_slots(np.array(chunk.ids, np.uint16), words)) == len(chunk.images)
            said = "".join(text or "" for text in chunk.texts)
            assert letters_of(read(chunk)) == letters_of(said)
            for (n, _, _), text in zip(chunk.spans, chunk.texts, strict=True):
                if text is not None:  # a text goes on where the one before it ended, be it here or in a passage
                    at = 0
                    while at in (parts := found.setdefault(n, {})):
                        at += len(parts[at])
                    parts[at] = text
        whole = {n: "".join(part for _, part in sorted(parts.items())) for n, parts in found.items()}
        assert whole == {n: text for n, text in enumerate(texts) if text}


def letters_of(text):
    return "".join(c for c in text if c == "w" or c == ".")


def test_a_tokenizer_that_makes_more_of_the_whole_than_of_its_parts_still_fits():
    def encode(text):
        return letters(text) + [999] * (len(text) // 40)

    words = Vocabulary(1000, 0, 1, 2, 4, 5, SLOTS, 128, TOKENIZER)
    made, _ = sequences.chunks(["A fox ran. " * 40, None, "A fox ran. " * 40], [1], encode, words)
    assert [len(chunk.ids) <= 128 for chunk in made] == [True] and made[0].images == [1]


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


def test_no_sequence_is_too_short_to_predict_anything():
    for size in range(1, 3 * CONTEXT):
        documents = [("a", list(range(100, 100 + size))), ("b", [])]
        made = list(sequences.pack(documents, WORDS))
        assert all(2 <= len(packed.ids) <= CONTEXT for packed in made)
        assert [i for packed in made for i in packed.ids] == [i for _, body in documents for i in (0, *body, 2)]
        assert all(len(packed.ids) == CONTEXT for packed in made[:-2]), "only the last two may give way"
        for packed in made:
            ends = [0, *(end for _, _, end in packed.documents)]
            assert [start for _, start, _ in packed.documents] == ends[:-1] and ends[-1] == len(packed.ids)
            assert all(start < end for _, start, end in packed.documents)


def test_a_caption_is_cut_to_fit_and_still_ends():
    made = sequences.caption(range(100, 200), WORDS)
    assert len(made) == CONTEXT
    assert made[:6] == [0, 4, 4, 4, 4, 5] and made[6:-1] == list(range(100, 109)) and made[-1] == WORDS.eos
    assert sequences.caption([100], WORDS) == [0, 4, 4, 4, 4, 5, 100, 2]
