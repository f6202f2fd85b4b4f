"""What is brought to a document or pair: its images, how often each picture is used, what else is known of it."""

import pytest

from weft.schemas.records import Pair
from weft.transforms.pack import joins
from weft.transforms.pack.decide import Archived, Page, PairRow, Stored
from weft.transforms.pack.joins import Use
from weft.transforms.score.image_scores import Answers
from weft.transforms.urls import image_key

STORED = Stored("sha", "ok", 300, 200, False, "blob", 5, 9, "f" * 16)
PAGE = Page(
    "d",
    "u",
    "/in/a.warc.gz",
    7,
    "r",
    "en",
    "t",
    ["x", None, None],
    [None, "HTTP://A.test/1.jpg", "http://b.test/2"],
    [None] * 3,
)
PAIR = Pair("p", "d", "u", "http://a.test/1.jpg", "words", "alt", "en", 0.9)


def test_what_others_say_of_an_image_is_put_to_it():
    answers = Answers(unsafe=0.5)
    found = {"stored": [STORED], "repeated": [12, 40], "answers": [answers]}
    assert list(joins._known("k", found)) == [("k", STORED._replace(shared=40, answers=answers))]
    assert list(joins._known("k", {"stored": [STORED]})) == [("k", STORED)]
    assert list(joins._known("k", {"stored": [], "repeated": [12]})) == []


def test_an_image_is_joined_by_its_key_and_keeps_its_place():
    uses = list(joins._uses(PAGE))
    assert uses == [(image_key("http://a.test/1.jpg"), ("d", 1)), (image_key("http://b.test/2"), ("d", 2))]


@pytest.mark.parametrize(
    ("stored", "content"),
    [([STORED], "sha"), ([], "key"), ([STORED._replace(image_id="")], "key")],
)
def test_pictures_are_counted_by_content_and_what_has_none_by_its_address(stored, content):
    found = {"stored": stored, "uses": [("d", 1), ("e", 0)]}
    kept = stored[0] if stored else None
    assert list(joins._by_content("key", found)) == [(content, Use("d", 1, kept)), (content, Use("e", 0, kept))]


def test_a_picture_counts_once_for_each_document_however_often_it_stands_there():
    uses = [Use("d", 1, STORED), Use("d", 5, STORED), Use("e", 0, None)]
    made = list(joins._count_documents("sha", iter(uses)))
    assert [(doc, use.position, use.documents) for doc, use in made] == [("d", 1, 2), ("d", 5, 2), ("e", 0, 2)]
    assert [use.stored for _, use in made] == [STORED, STORED, None]


def test_a_pair_gets_its_page_and_its_image_where_there_are_any():
    place = Archived("r", "a.warc.gz", 7)
    (with_page,) = joins._with_page("d", {"pages": [place], "pairs": [PAIR]})
    assert with_page == (image_key(PAIR.image_url), PairRow(PAIR, place, None))
    assert next(joins._with_page("d", {"pages": [], "pairs": [PAIR]}))[1].page is None
    (whole,) = joins._with_image("k", {"stored": [STORED], "rows": [with_page[1]]})
    assert whole == ("p", PairRow(PAIR, place, STORED))
    assert list(joins._with_image("k", {"stored": [], "rows": [with_page[1]]})) == [("p", with_page[1])]
