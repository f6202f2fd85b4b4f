"""Cuts at ends of paragraphs, room for what stands by a picture, and no small tails."""

from weft.transforms.pack import cuts
from weft.transforms.pack.cuts import INSIDE, PARAGRAPH, SENTENCE

SPAN, ROOM = 10, 200


def said(text, room=ROOM):
    return [(piece.text, piece.after) for piece in cuts.pieces(text, 0, room, text_ids)]


def text_ids(text):
    return list(text.encode())


def planned(*parts, room=ROOM):
    """The stretches of texts and pictures (None), as text; a picture is `*`."""
    made = []
    for n, part in enumerate(parts):
        made += cuts.pieces(part, n, room, text_ids) if part else [cuts.Piece(n, None, 0, (), PARAGRAPH)]
    found = cuts.stretches(made, room, SPAN)
    for one in found:
        inside = made[one.first : one.last]
        ids = sum(SPAN if piece.text is None else len(piece.ids) for piece in inside)
        assert one.pictures == any(piece.text is None for piece in inside) and (ids <= room or not one.pictures)
    return ["".join(piece.text or "*" for piece in made[one.first : one.last]) for one in found]


def test_a_text_may_be_cut_behind_its_sentences_lines_and_paragraphs():
    assert said('He said "no." She left...\nSo\n\nit went! Ja') == [
        ('He said "no."', PARAGRAPH), (" She left...", SENTENCE), ("\nSo", SENTENCE), ("\n\nit went!", SENTENCE),
        (" Ja", SENTENCE),
    ]  # fmt: skip
    assert said("One. \n\nTwo. \n") == [("One.", PARAGRAPH), (" \n\nTwo. \n", PARAGRAPH)]
    assert said("狐は赤い。犬は白い。") == [("狐は赤い。", PARAGRAPH), ("犬は白い。", SENTENCE)]


def test_a_sentence_that_is_too_long_is_halved_between_words():
    made = said("abc " * 30, room=100)
    assert "".join(text for text, _ in made) == "abc " * 30 and [after for _, after in made[1:]] == [INSIDE] * 7
    assert all(text.strip().replace("abc", "").strip() == "" for text, _ in made)
    assert len(said("x" * 100, room=40)) == 16


def sentence(n, size):
    return (f"S{n} ".ljust(size - 1, "x") + ".")[:size]


def paragraph(n, size=60):
    return sentence(n, size) + "\n\n"


def test_a_stretch_takes_whole_paragraphs_round_its_picture_and_leaves_the_rest():
    text = "".join(paragraph(n) for n in range(8))
    before, round_it, after = planned(text, None, text)
    assert round_it.strip() == f"{text[-62:].strip()}*{text[:122].strip()}" or round_it.count("S") == 3
    assert before.count("S") + round_it.count("S") + after.count("S") == 16


def test_pictures_that_fit_together_stay_together_with_what_is_between_them():
    (only,) = planned("a", None, sentence(1, 100), None, "b")
    assert only.count("*") == 2
    first, second = planned(None, sentence(1, 100), sentence(2, 40), None, sentence(3, 40), sentence(4, 140))[:2]
    assert first.count("*") == 2 and "S3" in first and second.startswith("S4")


def test_a_picture_keeps_the_sentence_that_follows_it():
    made = planned(sentence(0, 180) + " x", None, sentence(1, 45), " ".join(sentence(n, 45) for n in range(2, 9)))
    assert "*S1" in next(text for text in made if "*" in text)


def test_no_short_passage_is_left_between_stretches():
    least = ROOM // cuts.SHARE_OF_LEAST
    short, long = sentence(1, 20), " ".join(sentence(n, 30) for n in range(2, 9))
    made = planned(None, long, short, None, long)
    passages = [text for text in made if "*" not in text]
    assert all(len(text) >= least for text in passages)
    assert planned(None, sentence(0, 40), short) == [f"*{sentence(0, 40)}{short}"]


def test_a_heading_goes_with_what_follows_it():
    text = f"{sentence(0, 40)}\n\n{sentence(1, 60)}\n\nA heading\n\n" + " ".join(sentence(n, 45) for n in range(2, 9))
    assert planned(None, text)[0].endswith(sentence(1, 60))


def test_white_space_is_gone_through_once():
    """A page's text may be 8 MB of blank lines: twice as many take twice as long, not four times."""

    def looked_at(lines):
        class Counted(str):
            taken = 0

            def __getitem__(self, key):
                found = super().__getitem__(key)
                Counted.taken += len(found)
                return found

        text = Counted("One." + "\n " * lines + "Two.")
        made = list(cuts.pieces(text, 0, ROOM, lambda part: part.split()))
        assert "".join(piece.text for piece in made) == text
        return Counted.taken

    assert looked_at(2000) < 3 * looked_at(1000) < 100_000
