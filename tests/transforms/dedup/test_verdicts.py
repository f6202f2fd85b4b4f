"""Verdicts on documents and pairs: what a split cluster says is what it says whole."""

import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from weft.pipeline.runners import beam_options
from weft.schemas.records import EARLIER_KEPT, PairKey, Sketch, hash_bucket, hash_unit
from weft.transforms.beam import hot_keys
from weft.transforms.dedup.rules import Drop
from weft.transforms.dedup.verdicts import ClusterMember, SettleDocuments, SettlePairs, _fate, similarity

HOWS = ("url", "exact", "images", "near")


def made(doc_id: str, **values: Any) -> Sketch:
    return Sketch(doc_id, "w", 7, 0, 0, 0, 0, "", "", "", "")._replace(**values)


def signature(name: str, changed: int) -> bytes:
    values = [hash_bucket(f"{name}/{i}" if i >= changed else f"{name}/{i}/{changed}", 1 << 32) for i in range(64)]
    return np.array(values, "<u4").tobytes()


def sketches_and_drops() -> tuple[list[Sketch], list[Drop]]:
    """A cluster of 200, some of a few, one around an earlier run's document, documents by themselves."""
    sketches, drops = [], []
    for name, size in {"large": 200, "eleven": 11, "ten": 10, "two": 2, "old": 30}.items():
        kept = f"{name}{hash_bucket(name, size):03}"
        for i in range(size):
            doc_id = f"{name}{i:03}"
            near = signature(name, 0 if doc_id == kept else 1 + hash_bucket(doc_id, 60))
            text = f"text of {name}" if doc_id == kept or i % 17 == 3 else doc_id
            sketches.append(
                made(doc_id, signature=near, text_key=text, origin=EARLIER_KEPT * (name == "old" and doc_id == kept))
            )
            if doc_id != kept:
                drops.append(Drop(doc_id, kept, HOWS[hash_bucket(doc_id, 4, "how")]))
    sketches += [made("alone"), made("dirty", contaminated="test: some words"), made("earlier", origin=EARLIER_KEPT)]
    return sketches, drops


def settle(folder: Path, salt: str, **options: Any) -> dict[str, list[tuple[Any, ...]]]:
    sketches, drops = ([*sorted(rows, key=lambda row: hash_unit(row[0], salt))] for rows in sketches_and_drops())

    def save(name: str) -> Any:
        return lambda rows: (folder / name).write_bytes(pickle.dumps(sorted(map(tuple, rows))))

    with beam_options.pipeline((), 1) as p:
        documents = p | "S" >> beam.Create(sketches).with_output_types(Sketch)
        settled = (documents, p | "D" >> beam.Create(drops).with_output_types(Drop)) | SettleDocuments(**options)
        for name in settled._fields:
            assert_that(getattr(settled, name), save(name), label=name)
    return {name: pickle.loads((folder / name).read_bytes()) for name in settled._fields}


@pytest.fixture(scope="module")
def unsplit(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    return settle(tmp_path_factory.mktemp("unsplit"), "a")


def test_similarity_is_exact_where_it_can_be() -> None:
    def member(text_key: str = "", values: tuple[int, ...] = (), sets: tuple[int, ...] = ()) -> ClusterMember:
        return ClusterMember("d", "", text_key, np.array(values, "<u4").tobytes(), np.array(sets, "<u4").tobytes())

    assert similarity(member("t", (1, 2), (1,)), member("t", (3, 4), (2,))) == 1.0
    assert similarity(member("t", (1, 2), (1, 2, 3)), member("u", (1, 4), (2, 3, 4))) == 0.5
    assert similarity(member("t", (1, 2, 3, 4), (1, 2)), member("u", (1, 2, 3, 5))) == 0.75
    assert similarity(member(), member()) == similarity(member("t"), member("u", (1,))) == 0.0


@pytest.mark.parametrize("most", [10, 1])
def test_a_split_cluster_has_the_same_rows(unsplit: Any, tmp_path: Path, most: int) -> None:
    assert settle(tmp_path, "b", most=most) == unsplit


def test_rows_of_clusters_say_what_is_true_of_the_members(unsplit: Any) -> None:
    sketches, drops = sketches_and_drops()
    target = {doc_id: kept for doc_id, kept, _ in drops}
    signatures = {s.doc_id: np.frombuffer(s.signature, "<u4") for s in sketches}
    texts = {s.doc_id: s.text_key for s in sketches}
    expected = []
    for kept in set(target.values()):
        near = {
            d: 1.0 if texts[d] == texts[kept] else float(np.mean(signatures[d] == signatures[kept]))
            for d, k in target.items()
            if k == kept
        }
        how = {d: how for d, k, how in drops if k == kept}
        closest = min(near, key=lambda d: (-near[d], ("exact", "images", "url", "near").index(how[d])))
        members = {**near, kept: 1.0}
        expected += [(d, min(members), len(members), kept, s, how.get(d, how[closest])) for d, s in members.items()]
    assert len(expected) == 200 + 11 + 10 + 2 + 30
    assert unsplit["clusters"] == sorted(expected)


def test_fates_and_kept_rows_are_of_this_runs_documents(unsplit: Any) -> None:
    sketches, drops = sketches_and_drops()
    new = {s.doc_id for s in sketches if not s.origin}
    dropped = {doc_id: (f"duplicate_{how}", kept) for doc_id, kept, how in drops}
    assert {row[2]: tuple(row[3:6]) for row in unsplit["fates"]} == {
        doc_id: ("dropped", *dropped[doc_id])
        if doc_id in dropped
        else ("dropped", "contaminated", "test: some words")
        if doc_id == "dirty"
        else ("kept", "", "")
        for doc_id in new
    }
    assert len(unsplit["fates"]) == len(new)
    earlier = {s.doc_id: s.doc_id for s in sketches if s.origin}  # their pairs here are repeats of what that run has
    left = sorted(new - set(dropped) - {"dirty"})
    assert unsplit["kept"] == [("document", doc_id, doc_id, "w", 7) for doc_id in left]
    verdicts = {doc_id: kept for doc_id, (_, kept) in dropped.items()} | {"dirty": "contaminated"}
    assert sorted(unsplit["verdicts"]) == sorted((dict.fromkeys(left, "") | verdicts | earlier).items())


def test_what_is_not_in_this_run_has_no_fate_in_it() -> None:
    nowhere = {"sketch": [], "drop": [], "head": [True]}  # what a document was dropped for, and no index holds any more
    assert list(_fate("gone", nowhere)) == list(_fate("gone", {**nowhere, "drop": [Drop("gone", "x", "near")]})) == []
    assert [fate.fate for fate in _fate("here", {**nowhere, "sketch": [made("here")]})] == ["kept"]


def settle_pairs(folder: Path, across: bool) -> tuple[list[Any], list[Any]]:
    pairs = [(f"d{i:03}", "everywhere") for i in range(100)] + [("d007", "once"), ("d008", "once"), ("d009", "alone")]
    pairs += [("d009", "alone"), ("gone", "once"), ("d000", "with its page")]
    verdicts = [(f"d{i:03}", "d050" if i % 10 == 0 and i != 50 else "") for i in range(100)]

    def save(name: str) -> Any:
        return lambda rows: (folder / name).write_bytes(pickle.dumps(sorted(map(tuple, rows))))

    with beam_options.pipeline((), 1) as p:
        sides = (
            p | "P" >> beam.Create([PairKey(*pair) for pair in pairs]).with_output_types(PairKey),
            p | "V" >> beam.Create(verdicts).with_output_types(tuple[str, str]),
        )
        for name, rows in zip(("fates", "kept"), sides | SettlePairs(across), strict=True):
            assert_that(rows, save(name), label=name)
    fates, kept = (pickle.loads((folder / name).read_bytes()) for name in ("fates", "kept"))
    return fates, kept


def test_a_pair_stays_on_the_first_kept_page_whether_split_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fates, kept = settle_pairs(tmp_path, across=True)
    assert [row[1] for row in kept] == ["d001:everywhere", "d007:once", "d009:alone"]
    why = {row[2]: tuple(row[4:6]) for row in fates if row[3] == "dropped"}
    assert len(fates) == 106
    assert why["d002:everywhere"] == ("duplicate", "d001")
    assert why["d008:once"] == ("duplicate", "d007")
    assert why["d000:with its page"] == why["d000:everywhere"] == ("document_dropped", "d050")
    assert why["d009:alone@2"] == ("duplicate_record", "d009:alone")
    assert why["gone:once"] == ("document_missing", "")
    monkeypatch.setattr(hot_keys, "MOST", 7)
    assert settle_pairs(tmp_path, across=True) == (fates, kept)


def test_pairs_stay_on_every_kept_page_where_the_rule_is_off(tmp_path: Path) -> None:
    fates, kept = settle_pairs(tmp_path, across=False)
    assert len(kept) == 91 + 2 + 1
    assert {row[4] for row in fates} == {"", "document_dropped", "duplicate_record", "document_missing"}
