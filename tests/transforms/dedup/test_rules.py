"""Keep policies and the rules by equal keys."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import DuplicateRules
from weft.schemas.records import EARLIER_DROPPED, EARLIER_KEPT, Sketch, hash_bucket, hash_unit
from weft.transforms.beam import hot_keys
from weft.transforms.dedup.rules import Drop, EqualDocuments, EqualKeys, InGroups, KeepBest, OneCopy, _order, rank

EMPTY = Sketch("d", "", 0, 0, 0, 0, 0, "", "", "", "")


def made(doc_id: str, **values: Any) -> Sketch:
    return EMPTY._replace(doc_id=doc_id, warc_file="w", **values)


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
    earlier = [made("dropped", origin=EARLIER_DROPPED), made("kept", origin=EARLIER_KEPT)]
    assert [d.doc_id for d in sorted([*documents, *earlier], key=lambda d: rank(d, policy))][-2:] == ["dropped", "kept"]


@pytest.mark.parametrize("policy", ["newest", "oldest", "longest", "quality", "most_images"])
def test_directories_of_archives_decide_nothing(policy: Any) -> None:
    for one, other in (("in/a/1.warc.gz", "in/b/2.warc.gz"), ("s3://z/1.warc.gz", "/home/me/2.warc.gz")):
        two = [EMPTY._replace(doc_id="d1", warc_file=one), EMPTY._replace(doc_id="d2", warc_file=other)]
        assert max(two, key=lambda d: rank(d, policy)).doc_id == "d2"
        assert min(two, key=_order).doc_id == "d1"


def test_one_copy_per_record() -> None:
    copies = [
        made("x", warc_offset=1)._replace(warc_file="b"),
        made("x", warc_offset=9)._replace(warc_file="a"),
        made("x", warc_offset=10)._replace(warc_file="a"),
        made("x", warc_offset=10)._replace(warc_file="a"),
        made("y"),
        made("z", warc_offset=1),
        made("z", warc_offset=2, origin=EARLIER_DROPPED),
        made("z", warc_offset=3, origin=EARLIER_KEPT),
    ]
    with beam_options.pipeline((), 1) as p:
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
    documents.append(("k1", made("earlier", origin=EARLIER_KEPT)))
    documents.append(("k2", made("earlier dropped", origin=EARLIER_DROPPED)))
    expected = {}
    for key in {key for key, _ in documents}:
        expected[key] = max((s for k, s in documents if k == key), key=lambda s: rank(s, "newest")).doc_id
    drops = [Drop(s.doc_id, expected[k], "why") for k, s in documents if not s.origin and s.doc_id != expected[k]]
    with beam_options.pipeline((), 1) as p:
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
    with beam_options.pipeline((), 1) as p:
        kept, drops = p | beam.Create(documents).with_output_types(Sketch) | EqualKeys("url", "newest")
        assert_that(kept | beam.Map(lambda s: s.doc_id), equal_to(["b", "d", "e", "f"]), label="kept")
        assert_that(drops, equal_to([Drop("a", "b", "url"), Drop("c", "b", "url")]), label="drops")


def test_earlier_documents_come_to_the_rules_that_they_came_to_in_their_own_run() -> None:
    documents = [
        made("kept", text_key="t1", crawl_date=1, origin=EARLIER_KEPT),
        made("new1", text_key="t1", crawl_date=9),
        made("gone by url", text_key="t2", origin=EARLIER_DROPPED, how="url"),
        made("new2", text_key="t2"),
        made("gone by text", text_key="t3", origin=EARLIER_DROPPED, how="exact"),
        made("new3", text_key="t3", crawl_date=9),
        made("near", text_key="t4", origin=EARLIER_DROPPED, how="near"),
        made("new4", text_key="t4", crawl_date=9),
    ]
    with beam_options.pipeline((), 1) as p:
        left, drops = p | beam.Create(documents).with_output_types(Sketch) | EqualKeys("exact", "newest")
        expected = ["gone by text", "gone by url", "kept", "near", "new2"]
        assert_that(left | beam.Map(lambda s: s.doc_id), equal_to(expected), label="left")
        targets = {"new1": "kept", "new3": "gone by text", "new4": "near"}
        assert_that(drops, equal_to([Drop(new, old, "exact") for new, old in targets.items()]), label="drops")


def test_rules_work_on_what_the_one_before_left_and_contaminated_documents_take_no_part() -> None:
    documents = [
        made("old", url_key="u", text_key="t", crawl_date=1, words=9),
        made("new", url_key="u", text_key="t", crawl_date=2),
        made("longest", url_key="v", text_key="t", crawl_date=0, words=5),
        made("dirty", url_key="u", text_key="t", crawl_date=9, words=99, contaminated="test: words"),
    ]
    with beam_options.pipeline((), 1) as p:
        left, drops = p | beam.Create(documents) | EqualDocuments(DuplicateRules(keep="longest"))
        assert_that(left | beam.Map(lambda s: s.doc_id), equal_to(["longest"]), label="left")
        assert_that(drops, equal_to([Drop("old", "new", "url"), Drop("new", "longest", "exact")]), label="drops")


def test_a_document_is_in_all_its_groups() -> None:
    sketches = [made("a"), made("b"), made("alone")]
    with beam_options.pipeline((), 1) as p:
        groups = p | "G" >> beam.Create([("a", "1"), ("a", "2"), ("b", "2"), ("gone", "1")])
        found = (p | "S" >> beam.Create(sketches), groups) | InGroups()
        pairs = found | beam.MapTuple(lambda group, sketch: (group, sketch.doc_id))
        assert_that(pairs, equal_to([("1", "a"), ("2", "a"), ("2", "b")]))
