"""Pages of each kind: the blocks that such pages have, pictures that are told of once, faults that are the page's own."""

import pytest

from weft.pipeline.demo import captures, lessons, pages, pictures
from weft.pipeline.demo.pictures import Scene
from weft.pipeline.demo.rendered import Rendered

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


def test_a_page_of_a_lesson_shows_and_tells_what_the_lesson_does():
    for index in range(len(lessons.LESSONS)):
        one = made("quiz", index)
        parts = lessons.lesson(index, f"test quiz {index}")
        _, *blocks = one.page.blocks
        assert one.expect == "kept" and len(blocks) == len(parts)
        drawn = iter(one.pictures)
        for block, part in zip(blocks, parts, strict=True):
            if isinstance(part, str):
                assert block.texts == (part,)
                continue
            picture, shown = next(drawn)
            assert block.shown is shown and picture.scene == part and picture.expect == "ok"
            told = [part.text] if isinstance(part, Rendered) else [pictures.caption(part, form) for form in (0, 1)]
            assert shown.alt in told and (isinstance(part, Scene) or picture.width == picture.height)


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
