"""Sketches, keep policies and chains of duplicates, rule by rule."""

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from pipeline import runners
from schemas.config import Dedup
from schemas.records import Sketch
from transforms.duplicates import Follow, KeepBest, OneCopy, rank, sketch

ON = Dedup()
OFF = Dedup(url=False, exact=False, near=False)


def row(doc_id: str = "d", **values: Any) -> dict[str, Any]:
    texts = values.pop("texts", ["Some words of text"])
    return {
        "doc_id": doc_id,
        "url": "http://a.test/",
        "crawl_date": 5,
        "warc_file": "w",
        "warc_offset": 7,
        "texts": texts,
        "images": [None] * len(texts),
    } | values


def made(doc_id: str, **values: Any) -> Sketch:
    empty = Sketch(doc_id, "w", 0, 0, 0, 0, "", "", b"")
    return empty._replace(**values)


def test_sketch_counts_and_compares_text_segments_only() -> None:
    plain = sketch(row(texts=["Some words", "of text!"]), ON)
    pictured = sketch(row(texts=["some words", None, "of text"], images=[None, "http://i.test/1.jpg", None]), ON)
    assert plain[4:6] == (4, 0)
    assert pictured[4:6] == (4, 1)
    assert plain.text_key == pictured.text_key != ""
    assert plain.signature == pictured.signature
    assert len(plain.signature) == 4 * ON.permutations


def test_sketch_keys() -> None:
    assert sketch(row(url="https://www.a.test/?utm_source=x#f"), ON).url_key == sketch(row(), ON).url_key
    assert sketch(row(url="http://b.test/"), ON).url_key != sketch(row(), ON).url_key
    assert sketch(row(url=""), ON).url_key == ""
    assert sketch(row(texts=["other words of text"]), ON).text_key != sketch(row(), ON).text_key


def test_documents_without_words_equal_each_other_by_pictures_only() -> None:
    bare = sketch(row(texts=["", " … "]), ON)
    one, same, other = (sketch(row(texts=[None], images=[u]), ON) for u in ("http://i/1", "http://i/1", "http://i/2"))
    assert bare.text_key == bare.signature.decode() == ""
    assert one.text_key == same.text_key != other.text_key
    assert one.signature == b""


def test_sketch_of_null_columns_and_of_no_rules() -> None:
    nulls = sketch(row(url=None, crawl_date=None, warc_file=None, warc_offset=None, texts=[], images=None), ON)
    assert nulls == Sketch("d", "", 0, 0, 0, 0, "", "", b"")
    off = sketch(row(), OFF)
    assert (off.url_key, off.text_key, off.signature) == ("", "", b"")


@pytest.mark.parametrize(("policy", "best"), [("newest", "new"), ("longest", "long"), ("most_images", "pictures")])
def test_policies(policy: Any, best: str) -> None:
    documents = [
        made("new", crawl_date=9, words=1, images=0),
        made("long", crawl_date=1, words=9, images=1),
        made("pictures", crawl_date=2, words=2, images=4),
    ]
    assert max(documents, key=lambda d: rank(d, policy)).doc_id == best
    ties = [made("a", warc_offset=3), made("b", warc_offset=4), made("c", warc_file="v", warc_offset=9)]
    assert max(ties, key=lambda d: rank(d, policy)).doc_id == "b"
    assert len({rank(made(name), policy) for name in "abc"}) == 3


def test_one_copy_per_record() -> None:
    copies = [
        made("x", warc_file="b", warc_offset=1),
        made("x", warc_file="a", warc_offset=9),
        made("x", warc_file="a", warc_offset=10),
        made("x", warc_file="a", warc_offset=10),
        made("y", warc_file="b"),
    ]
    with beam.Pipeline(options=runners.options((), 1)) as p:
        unique, fates = p | beam.Create(copies).with_output_types(Sketch) | OneCopy()
        assert_that(unique | beam.Map(tuple), equal_to([tuple(copies[1]), tuple(copies[4])]), label="unique")
        assert_that(
            fates | beam.Map(lambda f: (f.key, f.fate, f.reason, f.detail)),
            equal_to(
                [
                    ("x@a:10", "dropped", "duplicate_record", "a:9"),
                    ("x@a:10#2", "dropped", "duplicate_record", "a:9"),
                    ("x@b:1", "dropped", "duplicate_record", "a:9"),
                ]
            ),
            label="fates",
        )


def test_keep_best_leaves_documents_without_a_key_alone() -> None:
    documents = [
        made("a", url_key="u", crawl_date=1),
        made("b", url_key="u", crawl_date=3),
        made("c", url_key="u", crawl_date=2),
        made("d"),
        made("e"),
    ]
    with beam.Pipeline(options=runners.options((), 1)) as p:
        kept, drops = p | beam.Create(documents).with_output_types(Sketch) | KeepBest("url_key", "newest", "url")
        assert_that(kept | beam.Map(lambda s: s.doc_id), equal_to(["b", "d", "e"]), label="kept")
        assert_that(drops, equal_to([("a", ("b", "url")), ("c", ("b", "url"))]), label="drops")


def test_follow_keeps_how_and_moves_the_target() -> None:
    with beam.Pipeline(options=runners.options((), 1)) as p:
        earlier = p | "E" >> beam.Create([("a", ("b", "url")), ("c", ("d", "url"))])
        later = p | "L" >> beam.Create([("b", ("z", "near")), ("q", ("z", "near"))])
        assert_that((earlier, later) | Follow(), equal_to([("a", ("z", "url")), ("c", ("d", "url"))]))
