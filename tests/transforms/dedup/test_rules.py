"""Sketches, keep policies and chains of duplicates, rule by rule."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.config import Dedup
from weft.schemas.records import Sketch, hash_bucket, hash_unit
from weft.transforms.beam import hot_keys
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.rules import (
    BATCH,
    EqualKeys,
    Follow,
    KeepBest,
    OneCopy,
    prose_words,
    rank,
    scheme,
    sketches,
)

ON = Dedup()
OFF = Dedup(url=False, exact=False, near=False)
EMPTY = Sketch("d", "", 0, 0, 0, 0, 0, "", "", "", "", 0, "", b"", b"")


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


def sketch(values: dict[str, Any], config: Dedup) -> Sketch:
    (made,) = sketches([values], config)
    return made


def made(doc_id: str, **values: Any) -> Sketch:
    return EMPTY._replace(doc_id=doc_id, warc_file="w", **values)


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
    with_images = Dedup(image_sets=True)
    one, two, swapped = (row(texts=["x", None, None], images=[None, *urls]) for urls in ("a.", "ab", "ba"))
    one["images"][2] = None
    assert sketch(one, with_images).images_key == sketch(two, ON).images_key == ""
    assert sketch(two, with_images).images_key != sketch(swapped, with_images).images_key != ""
    assert sketch(two, with_images).images_key == sketch({**two, "texts": ["y", None, None]}, with_images).images_key


def test_sketch_of_null_columns_and_of_no_rules() -> None:
    nulls = sketch(row(url=None, crawl_date=None, warc_file=None, warc_offset=None, texts=[], images=None), ON)
    assert nulls == EMPTY
    off = sketch(row(), OFF)
    assert (off.url_key, off.text_key, off.signature, off.shingles) == ("", "", b"", b"")
    assert list(sketches([], ON)) == []


@pytest.mark.parametrize(
    "config",
    [
        ON,
        Dedup(verify="exact"),
        Dedup(unit="char", ngram=24),
        Dedup(hasher="datasketch", verify="exact", permutations=64),
        OFF,
    ],
    ids=lambda config: f"{config.verify}-{config.unit}-{config.hasher}-{config.near}",
)
def test_sketches_do_not_depend_on_the_batch(config: Dedup) -> None:
    texts = [
        ["", "a"][i % 2] + " ".join(f"w{hash_bucket(f'{i}/{j}', 99)}" for j in range(i % 7 * i % 60))
        for i in range(2 * BATCH + 9)
    ]
    texts[7] = texts[300] = "word " * 20_000
    rows = [row(f"d{i}", texts=[text], url=f"http://a.test/{i % 50}") for i, text in enumerate(texts)]
    rows[11] |= {"texts": [], "images": None}
    found = list(sketches(iter(rows), config))
    assert found == [sketch(values, config) for values in rows]
    for one, text in list(zip(found, texts, strict=True))[12:400:20]:
        normalised = [shingles.normalise(text)]
        assert one.signature == (minhash.sign([text], scheme(config), config.permutations)[0] if config.near else b"")
        exact = config.near and config.verify == "exact"
        expected = np.unique(shingles.shingles(normalised, scheme(config))[0]) if exact else np.empty(0)
        assert np.array_equal(np.frombuffer(one.shingles, "<u4"), expected)


def test_a_giant_word_leaves_the_sketches_beside_it_alone() -> None:
    for config in (ON, Dedup(hasher="datasketch")):
        rows = [row("giant", texts=["0f" * 300_000]), row("plain", texts=["one two three four five six seven eight"])]
        assert list(sketches(rows, config))[1] == sketch(rows[1], config)


def test_prose_words_are_in_lines_that_end_a_sentence_each_once() -> None:
    assert prose_words(["One two three.\nHome | About\nReally? ", "One two three.\n他说。"]) == 3 + 1 + 1
    assert sketch(row(texts=["One two three.\nmenu"]), Dedup(keep="quality")).quality == 3
    assert sketch(row(texts=["One two three.\nmenu"]), ON).quality == 0


@pytest.mark.parametrize(
    ("policy", "best"),
    [("newest", "new"), ("oldest", "old"), ("longest", "long"), ("quality", "prose"), ("most_images", "pictures")],
)
def test_policies(policy: Any, best: str) -> None:
    documents = [
        made("new", crawl_date=9, words=1, images=0),
        made("old", crawl_date=0, words=3, images=1),
        made("long", crawl_date=1, words=9, images=1),
        made("prose", crawl_date=3, words=8, quality=7),
        made("pictures", crawl_date=2, words=2, images=4),
    ]
    assert max(documents, key=lambda d: rank(d, policy)).doc_id == best
    ties = [made("a", warc_offset=3), made("b", warc_offset=4), made("c", warc_offset=9)._replace(warc_file="v")]
    assert max(ties, key=lambda d: rank(d, policy)).doc_id == "b"
    assert len({rank(made(name), policy) for name in "abc"}) == 3
    earlier = [made("dropped", age=1), made("kept", age=2)]
    assert [d.doc_id for d in sorted([*documents, *earlier], key=lambda d: rank(d, policy))][-2:] == ["dropped", "kept"]


def test_one_copy_per_record() -> None:
    copies = [
        made("x", warc_offset=1)._replace(warc_file="b"),
        made("x", warc_offset=9)._replace(warc_file="a"),
        made("x", warc_offset=10)._replace(warc_file="a"),
        made("x", warc_offset=10)._replace(warc_file="a"),
        made("y"),
        made("z", warc_offset=1),
        made("z", warc_offset=2, age=1),
        made("z", warc_offset=3, age=2),
    ]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        unique, fates = p | beam.Create(copies).with_output_types(Sketch) | OneCopy()
        expected = [tuple(copies[1]), tuple(copies[4]), tuple(copies[7])]
        assert_that(unique | beam.Map(tuple), equal_to(expected), label="unique")
        assert_that(
            fates | beam.Map(lambda f: (f.key, f.fate, f.reason, f.detail)),
            equal_to(
                [
                    ("x@a:10", "dropped", "duplicate_record", "a:9"),
                    ("x@a:10#2", "dropped", "duplicate_record", "a:9"),
                    ("x@b:1", "dropped", "duplicate_record", "a:9"),
                    ("z@w:1", "dropped", "duplicate_record", "w:3"),
                ]
            ),
            label="fates",
        )


def saver(path: Path) -> Callable[[Any], None]:
    def write(rows: Any) -> None:
        path.write_bytes(pickle.dumps(sorted(rows)))

    return write


@pytest.mark.parametrize("most", [hot_keys.MOST, 7, 1])
def test_keep_best_is_the_highest_rank_of_each_key(tmp_path: Path, most: int) -> None:
    documents = [
        (f"k{i % 4 if i < 90 else i}", made(f"d{i:03}", crawl_date=hash_bucket(str(i), 9))) for i in range(100)
    ]
    documents.append(("k1", made("earlier", age=2)))
    documents.append(("k2", made("earlier dropped", age=1)))
    expected = {}
    for key in {key for key, _ in documents}:
        expected[key] = max((s for k, s in documents if k == key), key=lambda s: rank(s, "newest")).doc_id
    drops = [(s.doc_id, (expected[k], "why")) for k, s in documents if not s.age and s.doc_id != expected[k]]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        shuffled = sorted(documents, key=lambda item: hash_unit(item[1].doc_id, str(most)))
        rows = p | beam.Create(shuffled).with_output_types(tuple[str, Sketch])
        best, dropped = rows | KeepBest("newest", "why", most)
        assert_that(best | beam.Map(lambda s: s.doc_id), saver(tmp_path / "best"), label="best")
        assert_that(dropped, saver(tmp_path / "drops"), label="drops")
    assert pickle.loads((tmp_path / "best").read_bytes()) == sorted(expected.values())
    assert pickle.loads((tmp_path / "drops").read_bytes()) == sorted(drops)


def test_equal_keys_leave_documents_without_a_key_alone() -> None:
    documents = [
        made("a", url_key="u", crawl_date=1),
        made("b", url_key="u", crawl_date=3),
        made("c", url_key="u", crawl_date=2),
        made("d"),
        made("e"),
        made("f", url_key="v"),
    ]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        kept, drops = p | beam.Create(documents).with_output_types(Sketch) | EqualKeys("url", "newest")
        assert_that(kept | beam.Map(lambda s: s.doc_id), equal_to(["b", "d", "e", "f"]), label="kept")
        assert_that(drops, equal_to([("a", ("b", "url")), ("c", ("b", "url"))]), label="drops")


def test_earlier_documents_come_to_the_rules_that_they_came_to_in_their_own_run() -> None:
    documents = [
        made("kept", text_key="t1", crawl_date=1, age=2),
        made("new1", text_key="t1", crawl_date=9),
        made("gone by url", text_key="t2", age=1, how="url"),
        made("new2", text_key="t2"),
        made("gone by text", text_key="t3", age=1, how="exact"),
        made("new3", text_key="t3", crawl_date=9),
        made("near", text_key="t4", age=1, how="near"),
        made("new4", text_key="t4", crawl_date=9),
    ]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        left, drops = p | beam.Create(documents).with_output_types(Sketch) | EqualKeys("exact", "newest")
        expected = ["gone by text", "gone by url", "kept", "near", "new2"]
        assert_that(left | beam.Map(lambda s: s.doc_id), equal_to(expected), label="left")
        targets = {"new1": "kept", "new3": "gone by text", "new4": "near"}
        assert_that(drops, equal_to([(new, (old, "exact")) for new, old in targets.items()]), label="drops")


def test_follow_keeps_how_and_moves_the_target() -> None:
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        earlier = p | "E" >> beam.Create([("a", ("b", "url")), ("c", ("d", "url"))])
        later = p | "L" >> beam.Create([("b", ("z", "near")), ("q", ("z", "near"))])
        assert_that((earlier, later) | Follow(), equal_to([("a", ("z", "url")), ("c", ("d", "url"))]))


def test_follow_moves_a_crowd_that_points_at_one_document(tmp_path: Path) -> None:
    crowd = [(f"d{i:05}", ("middle" if i % 50 else f"end{i}", "url")) for i in range(20_000)]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        earlier, later = p | "E" >> beam.Create(crowd), p | "L" >> beam.Create([("middle", ("kept", "near"))])
        assert_that((earlier, later) | Follow(), saver(tmp_path / "drops"))
    expected = [(doc_id, ("kept" if target == "middle" else target, how)) for doc_id, (target, how) in crowd]
    assert pickle.loads((tmp_path / "drops").read_bytes()) == sorted(expected)
