"""One document a bucket, against the definition: best first, and none beside one that is kept."""

import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from weft.pipeline.runners import beam_options
from weft.schemas.records import EARLIER_KEPT, Sketch, hash_bucket
from weft.transforms.beam import hot_keys
from weft.transforms.dedup import minhash
from weft.transforms.dedup.lsh import Signed
from weft.transforms.dedup.minhash import Bands
from weft.transforms.dedup.one_per_bucket import OnePerBucket, SharedBuckets, Standing
from weft.transforms.dedup.rules import Drop

BANDS = Bands(2, 1, 0.0)


def sketch(number: int, **values: Any) -> Sketch:
    date = hash_bucket(f"date {number}", 50)
    return Sketch(f"d{number:03}", "w", number, date, 0, 0, 0, "", "", "", "")._replace(**values)


def standings(documents: int, buckets: int) -> list[Standing]:
    """Each document in two buckets."""
    return [
        (f"b{hash_bucket(f'{number}/{end}', buckets)}", sketch(number)) for number in range(documents) for end in "ab"
    ]


def decide(folder: Path, rows: list[Standing], rounds: int) -> tuple[list[Drop], list[tuple[str, str]]]:
    def save(name: str) -> Any:
        return lambda found: (folder / name).write_bytes(pickle.dumps(sorted(found)))

    with beam_options.pipeline((), 1) as p:
        drops, undecided = p | beam.Create(rows).with_output_types(tuple[str, Sketch]) | OnePerBucket("newest", rounds)
        assert_that(drops, save("drops"), label="drops")
        assert_that(undecided, save("undecided"), label="undecided")
    found, left = (pickle.loads((folder / name).read_bytes()) for name in ("drops", "undecided"))
    return found, left


def by_definition(rows: list[Standing]) -> set[str]:
    """Ids of what is kept."""
    buckets: dict[str, set[str]] = {}
    for bucket, one in rows:
        buckets.setdefault(one.doc_id, set()).add(bucket)
    taken: set[str] = set()
    kept = set()
    for one in sorted({one for _, one in rows}, key=lambda s: (s.origin, s.crawl_date, s.warc_offset), reverse=True):
        if one.origin or not buckets[one.doc_id] & taken:
            kept.add(one.doc_id)
            taken |= buckets[one.doc_id]
    return kept


@pytest.mark.parametrize("most", [hot_keys.MOST, 3])
def test_what_stays_is_what_the_definition_says(tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot_keys.Attach, "__init__", _splitting(most))
    rows = standings(120, 40)
    drops, undecided = decide(tmp_path, rows, rounds=8)
    kept = by_definition(rows)
    assert undecided == []
    assert {drop.doc_id for drop in drops} == {one.doc_id for _, one in rows} - kept and len(kept) > 10
    beside = {(a.doc_id, b.doc_id) for x, a in rows for y, b in rows if x == y}
    assert all((drop.doc_id, drop.kept_id) in beside and drop.kept_id in kept for drop in drops)


def _splitting(most: int) -> Any:
    whole = hot_keys.Attach.__init__
    return lambda self, **options: whole(self, **{"most": most} | options)


def test_rounds_decide_for_good_and_leave_the_rest_as_it_was(tmp_path: Path) -> None:
    rows = standings(120, 40)
    drops, undecided = decide(tmp_path, rows, rounds=1)
    kept = by_definition(rows)
    places = {(one.doc_id, bucket) for bucket, one in rows}
    left = {doc_id for doc_id, _ in undecided}
    assert left and set(undecided) == {place for place in places if place[0] in left}
    assert {drop.kept_id for drop in drops} <= kept and not {drop.doc_id for drop in drops} & kept


def test_an_earlier_runs_documents_are_never_dropped(tmp_path: Path) -> None:
    old, older, new = sketch(1, origin=EARLIER_KEPT), sketch(2, origin=EARLIER_KEPT), sketch(3, crawl_date=99)
    drops, undecided = decide(tmp_path, [("b", old), ("b", older), ("b", new)], rounds=2)
    assert [drop.doc_id for drop in drops] == ["d003"] and undecided == []


def test_what_an_earlier_run_kept_drops_what_is_beside_it_also_where_two_of_them_stand_in_one_bucket(
    tmp_path: Path,
) -> None:
    e1, e2, new = sketch(1, origin=EARLIER_KEPT), sketch(2, origin=EARLIER_KEPT), sketch(3, crawl_date=99)
    drops, undecided = decide(tmp_path, [("x", e1), ("x", e2), ("y", e2), ("y", new), ("z", e1)], rounds=3)
    assert drops == [Drop("d003", "d002", "near")] and undecided == []
    rows = [
        (bucket, one._replace(origin=EARLIER_KEPT) if one.warc_offset % 5 == 0 else one)
        for bucket, one in standings(120, 60)
    ]
    drops, undecided = decide(tmp_path, rows, rounds=8)
    assert undecided == [] and {drop.doc_id for drop in drops} == {one.doc_id for _, one in rows} - by_definition(rows)


@pytest.mark.parametrize("most", [hot_keys.MOST, 512])
def test_buckets_of_one_document_are_left_out(tmp_path: Path, most: int) -> None:
    """The first value of a signature is one bucket, the second another."""

    def signed(doc_id: str, *values: int) -> Signed:
        return Signed(doc_id, False, b"".join(value.to_bytes(4, "little") for value in values), b"")

    documents = [signed("a", 1, 2), signed("b", 1, 3), signed("alone", 4, 5)]
    documents += [signed(f"crowd{i}", 7, 1_000 + i) for i in range(6_000)]
    with beam_options.pipeline((), 1) as p:
        found = p | beam.Create(documents).with_output_types(Signed) | SharedBuckets(BANDS, most)
        assert_that(found, lambda rows: (tmp_path / "rows").write_bytes(pickle.dumps(sorted(rows))))
    rows = pickle.loads((tmp_path / "rows").read_bytes())
    keys = {one.doc_id: next(minhash.band_keys(one.signature, 2, 1)).hex() for one in documents}
    assert rows == sorted((doc_id, key) for doc_id, key in keys.items() if doc_id != "alone")
