"""What is brought to a document or pair: its images, how often each picture is used, what else is known of it."""

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import Recipe
from weft.schemas.records import Score
from weft.transforms.pack import joins
from weft.transforms.pack.decide import Archived, Compared, ImageUse, Judge, Page, Stored
from weft.transforms.pack.joins import Shown, Use
from weft.transforms.pack.same_pictures import Captioned
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


def test_what_others_say_of_an_image_is_put_to_it():
    answers = Answers(unsafe=0.5)
    found = {"stored": [STORED], "repeated": [12, 40], "answers": [answers]}
    assert list(joins._known("k", found)) == [("k", STORED._replace(shared=40, answers=answers))]
    assert list(joins._known("k", {"stored": [STORED]})) == [("k", STORED)]
    assert list(joins._known("k", {"stored": [], "repeated": [12]})) == []


def test_an_image_is_joined_by_its_key_and_keeps_its_place():
    one, two = image_key("http://a.test/1.jpg"), image_key("http://b.test/2")
    assert list(joins._uses(PAGE)) == [(one, (one, "d", 1)), (two, (two, "d", 2))]


@pytest.mark.parametrize(
    ("stored", "content"),
    [(STORED, "sha"), (None, "key"), (STORED._replace(image_id=""), "key")],
)
def test_pictures_are_counted_by_content_and_what_has_none_by_its_address(stored, content):
    assert joins._by_content(("key", "d", 1), stored) == (content, Use("d", 1, stored))


def test_what_is_known_is_brought_to_documents_and_pairs_whatever_the_use_of_one_picture():
    """A picture counts once for each document, however often it stands there; a pair has its page, and its image."""
    key, gone = image_key("http://a.test/1.jpg"), image_key("http://a.test/gone.jpg")
    twice = ["http://a.test/1.jpg", None, "http://A.test/1.jpg", "http://a.test/gone.jpg"]
    pages = [Shown("d", "/in/a.warc.gz", 7, "r", twice), Shown("e", "/in/a.warc.gz", 9, None, twice[:1])]
    pairs = [Captioned("d:p", key, "en", ""), Captioned("e:q", gone, "en", "")]
    scores = [Score("document", "d", 0, 1, key, 0.5, ()), Score("pair", "p", 0, 0, key, 0.25, ())]
    expected = {
        "images": [
            ("d", ImageUse(0, 2, STORED)), ("d", ImageUse(2, 2, STORED)), ("d", ImageUse(3, 1, None)),
            ("e", ImageUse(0, 2, STORED)),
        ],
        "scores": [("d", Compared(0, 1, 0.5))],
        "pair page": [("d:p", Archived("r", "a.warc.gz", 7)), ("e:q", Archived(None, "a.warc.gz", 9))],
        "pair stored": [("d:p", STORED)],
        "pair scores": [("d:p", 0.25)],
    }  # fmt: skip
    with beam_options.pipeline((), 1) as p:
        inputs = {
            name: p | name >> beam.Create(rows).with_output_types(kind)
            for name, rows, kind in [
                ("pages", pages, Shown), ("pairs", pairs, Captioned), ("scores", scores, Score),
                ("images", [(key, STORED)], tuple[str, Stored]),
            ]
        }  # fmt: skip
        of_documents = inputs | "Documents" >> joins.BesideDocuments()
        of_pairs = inputs | "Pairs" >> joins.BesidePairs(Judge(Recipe(), 256, "salt"))
        made = {**of_documents, **{f"pair {name}": rows for name, rows in of_pairs.items()}}
        assert made.keys() == expected.keys()
        for name, rows in made.items():
            assert_that(rows, equal_to(expected[name]), label=f"expect {name}")
