"""Pages of each kind: the blocks that such pages have, pictures that are told of once, faults that are the page's own."""

import pytest

from weft.pipeline.demo import captures, pages, pictures

DATE = "2025-03-01T00:00:00Z"


def made(kind, index=0, salt="test"):
    return pages.Author(salt).page(kind, index, DATE)


@pytest.mark.parametrize(
    ("kind", "blocks"),
    [("news", {"p", "image"}), ("gallery", {"p", "image"}), ("forum", {"avatar", "p"}), ("blog", {"h2", "p"}), ("text", {"p"}),
     ("product", {"image", "p", "h2", "list", "table"}), ("docs", {"p", "h2"})],
)  # fmt: skip
def test_a_page_has_the_blocks_of_its_kind(kind, blocks):
    one = made(kind)
    assert blocks <= {block.kind for block in one.page.blocks} and one.expect == "kept"
    assert [shown for _, shown in one.pictures] == [block.shown for block in one.page.blocks if block.shown]
    assert bool(one.pictures) == (kind != "text") or kind in ("forum", "docs")


def test_questions_stand_below_the_picture_that_they_are_about_with_right_answers():
    one = made("quiz")
    assert len(one.pictures) == 5 and one.expect == "kept"
    at = [number for number, block in enumerate(one.page.blocks) if block.shown]
    for number, (picture, shown) in zip(at, one.pictures, strict=True):
        assert shown.alt == pictures.caption(picture.scene, 0)
        *asked, _ = one.page.blocks[number + 1].texts
        assert len(asked) == (2 if picture.scene.second else 4)
        for text in asked:
            question, answer = text.removeprefix("Question: ").removesuffix(".").split(" Answer: ")
            if answer in ("yes", "no"):
                told = question.removeprefix("is this a picture of ").rstrip("?")
                assert (told == pictures.caption(picture.scene, 1).removeprefix("A picture of ")) == (answer == "yes")
            else:
                first = picture.scene.first
                number_word = ("one", "two", "three")[first.count - 1]
                assert answer in (first.colour, first.shape, number_word, picture.scene.relation)
                assert answer not in question.split()


@pytest.mark.parametrize("kind", captures.FILTERED)
def test_a_bad_page_is_bad_in_the_way_that_it_says(kind):
    one = made(kind)
    words = " ".join(text for block in one.page.blocks for text in block.texts)
    assert one.expect == kind
    if kind == "language":
        assert one.page.language != "en"
    if kind == "too_short":
        assert len(words.split()) < 45
    if kind == "opt_out":
        assert one.headers or one.page.meta


def test_every_way_to_opt_out_comes_round():
    ways = {(*made("opt_out", index).headers.items(), made("opt_out", index).page.meta) for index in range(5)}
    assert len(ways) == len(pages.OPT_OUTS)


def test_a_page_is_of_salt_kind_and_number_alone():
    assert made("news", 3) == made("news", 3)
    others = [made("news", 4), made("blog", 3), made("news", 3, "salt")]
    assert len({one.page.url for one in (made("news", 3), *others)}) == 4


def test_no_sentence_about_a_picture_stands_twice_on_a_page():
    for index in range(12):
        texts = [text for block in made("gallery", index).page.blocks if block.kind == "p" for text in block.texts]
        assert len(texts) == len(set(texts))
