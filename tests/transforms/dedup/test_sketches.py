"""Sketches: what they compare documents by, the same whatever stands beside a document."""

from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from dedup_stage import document

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import DuplicateRules
from weft.schemas.records import Sketch, hash_bucket
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.sketches import (
    BATCH,
    Content,
    SketchDocuments,
    content,
    prose_words,
    sketches,
    unsigned,
)

ON = DuplicateRules()
OFF = DuplicateRules(url=False, exact=False, near=False)
EMPTY = Sketch("d", "", 0, 0, 0, 0, 0, "", "", "", "")


def row(doc_id: str = "d", **values: Any) -> Content:
    texts = values.pop("texts", ["Some words of text"])
    plain = Content(doc_id, "http://a.test/", 5, "w", 7, texts, [None] * len(texts))
    return plain._replace(**values)


def sketch(document: Content, rules: DuplicateRules) -> Sketch:
    (made,) = sketches([document], rules)
    return made


def test_sketch_counts_and_compares_text_segments_only() -> None:
    plain = sketch(row(texts=["Some words", "of text!"]), ON)
    pictured = sketch(row(texts=["some words", None, "of text"], images=[None, "http://i.test/1.jpg", None]), ON)
    assert (plain.words, plain.images) == (4, 0)
    assert (pictured.words, pictured.images) == (4, 1)
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


def test_image_lists_count_from_two_on_and_where_the_rule_is_on() -> None:
    with_images = DuplicateRules(image_sets=True)
    one, two, swapped = (row(texts=["x", None, None], images=[None, *urls]) for urls in ("a.", "ab", "ba"))
    one = one._replace(images=[None, "a", None])
    assert sketch(one, with_images).images_key == sketch(two, ON).images_key == ""
    assert sketch(two, with_images).images_key != sketch(swapped, with_images).images_key != ""
    assert sketch(two, with_images).images_key == sketch(two._replace(texts=["y", None, None]), with_images).images_key


def test_sketch_of_null_columns_and_of_no_rules() -> None:
    nulls = sketch(row(url=None, crawl_date=None, warc_file=None, warc_offset=None, texts=[], images=None), ON)
    assert nulls == EMPTY
    off = sketch(row(), OFF)
    assert (off.url_key, off.text_key, off.signature, off.shingles) == ("", "", b"", b"")
    assert list(sketches([], ON)) == []


@pytest.mark.parametrize(
    "rules",
    [
        ON,
        DuplicateRules(verify="exact"),
        DuplicateRules(unit="char", ngram=24),
        DuplicateRules(hasher="datasketch", verify="exact", permutations=64),
        OFF,
    ],
    ids=lambda rules: f"{rules.verify}-{rules.unit}-{rules.hasher}-{rules.near}",
)
def test_sketches_do_not_depend_on_the_batch(rules: DuplicateRules) -> None:
    texts = [
        ["", "a"][i % 2] + " ".join(f"w{hash_bucket(f'{i}/{j}', 99)}" for j in range(i % 7 * i % 60))
        for i in range(2 * BATCH + 9)
    ]
    texts[7] = texts[300] = "word " * 20_000
    rows = [row(f"d{i}", texts=[text], url=f"http://a.test/{i % 50}") for i, text in enumerate(texts)]
    rows[11] = rows[11]._replace(texts=[], images=None)
    found = list(sketches(iter(rows), rules))
    assert found == [sketch(document, rules) for document in rows]
    for one, text in list(zip(found, texts, strict=True))[12:400:20]:
        normalised = [shingles.normalise(text)]
        assert one.signature == (minhash.sign([text], rules)[0] if rules.near else b"")
        exact = rules.near and rules.verify == "exact"
        expected = np.unique(shingles.shingles(normalised, rules)[0]) if exact else np.empty(0)
        assert np.array_equal(np.frombuffer(one.shingles, "<u4"), expected)


def test_a_giant_word_leaves_the_sketches_beside_it_alone() -> None:
    for rules in (ON, DuplicateRules(hasher="datasketch")):
        rows = [row("giant", texts=["0f" * 300_000]), row("plain", texts=["one two three four five six seven eight"])]
        assert list(sketches(rows, rules))[1] == sketch(rows[1], rules)


def test_prose_words_are_in_lines_that_end_a_sentence_each_once() -> None:
    assert prose_words(["One two three.\nHome | About\nReally? ", "One two three.\n他说。"]) == 3 + 1 + 1
    assert sketch(row(texts=["One two three.\nmenu"]), DuplicateRules(keep="quality")).quality == 3
    assert sketch(row(texts=["One two three.\nmenu"]), ON).quality == 0


def test_the_transform_takes_any_row_with_the_columns() -> None:
    documents = [document(f"d{i}", f"words of document {i}", images=i % 3) for i in range(9)]
    with beam_options.pipeline((), 1) as p:
        found = p | beam.Create(documents) | SketchDocuments(ON)
        assert_that(found, equal_to(list(sketches(map(content, documents), ON))))


def test_unsigned_is_all_but_the_signature() -> None:
    rules = DuplicateRules(verify="exact")
    whole = sketch(row(), rules)
    assert whole.signature and whole.shingles
    assert unsigned(whole) == whole._replace(signature=b"", shingles=b"")
