"""Deduplicate in a pipeline of one's own: what it says is what the stage says of the same documents."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from dedup_stage import document, pair, run, text

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import ConfigError, DuplicateRules, RepeatedLineRules
from weft.schemas.records import Document, Pair
from weft.transforms.dedup import repeated_lines
from weft.transforms.dedup.deduplicate import Deduplicate, TakeKept

CHAIN = [document(f"c{i:03}", text("c", 300, changed=range(3 * i)), date=i) for i in range(40)]
PAIRS = [pair("a1", "p0"), pair("c", "p1"), pair("u1", "p1"), pair("r", "p2"), pair("r", "p2"), pair("nobody", "p3")]


def planted() -> list[Document]:
    """Chains over several rules, copies of one record, families that share buckets, lines that repeat."""
    return [
        document("a1", text("old news"), url="http://www.site.test/a/", date=1),
        document("a2", text("a"), url="https://site.test/a?utm_source=x", date=2),
        document("c", text("a", changed=[100]), date=3),
        document("e1", text("e"), date=5, images=1),
        document("e2", text("e").upper() + "!", date=4, images=3),
        *[document(f"l{i}", text("l", changed=range(6 * i)), date=50 - i) for i in range(6)],
        *[document(f"v{i}", text("v", changed=range(i * 4 % 60, i * 4 % 60 + 9)), date=i * 7 % 30) for i in range(20)],
        document("r", text("r"), place=("one.warc.gz", 5)),
        document("r", text("r"), place=("two.warc.gz", 3)),
        document("n1", ""),
        *[document(f"u{i}", text(f"unique {i}", 30) + "\nSubscribe to us", url=f"http://h.test/{i}") for i in range(4)],
    ]


def deduplicate(
    folder: Path, documents: Sequence[Document], pairs: Sequence[Pair] = (), rounds: int = 4, **rules: Any
) -> dict[str, list[Any]]:
    def save(name: str) -> Any:
        return lambda rows: (folder / name).write_bytes(pickle.dumps(sorted(map(repr_of, rows))))

    with beam_options.pipeline((), 1) as p:
        inputs = p | "D" >> beam.Create(documents), p | "P" >> beam.Create(pairs)
        found = inputs | Deduplicate(DuplicateRules(**rules), rounds)
        for name, rows in found._asdict().items():
            assert_that(rows, save(name), label=name)
    return {name: pickle.loads((folder / name).read_bytes()) for name in found._fields}


def repr_of(row: Any) -> Any:
    return row if isinstance(row, int) else tuple(tuple(v) if isinstance(v, list) else v for v in row)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"cluster": "bucket", "threshold": 0.7},
        {"verify": "exact", "keep": "longest", "lines_once": True},
        {"near": False, "url": False, "lines_per_host": 3},
    ],
    ids=["default", "bucket", "exact and lines", "equal keys and lines"],
)
def test_it_agrees_with_the_stage(tmp_path: Path, rules: dict[str, Any]) -> None:
    """The similarity of a row of clusters/ is a 32-bit float on disk, and the only number of the kind."""
    found = deduplicate(tmp_path, planted(), PAIRS, **rules)
    tables = run(tmp_path / "stage", planted(), PAIRS, **rules)
    assert found["unsettled"] == [0]
    for name, table in (("kept", "kept"), ("fates", "fates/dedup"), ("cuts", "cuts"), ("clusters", "clusters")):
        rows = sorted(repr_of(row.values()) for row in tables[table])
        assert len(found[name]) == len(rows), name
        for one, other in zip(found[name], rows, strict=True):
            assert one == (pytest.approx(other) if name == "clusters" else other)
    assert bool(found["cuts"]) == bool(rules.get("lines_once") or rules.get("lines_per_host"))
    assert len(found["clusters"]) >= (4 if rules.get("near", True) else 2)


@pytest.mark.parametrize("cluster", ["verified", "bucket"])
def test_what_too_few_rounds_leave_is_counted_and_still_right(tmp_path: Path, cluster: str) -> None:
    rules = {"cluster": cluster, "exact": False}
    short = deduplicate(tmp_path, CHAIN, rounds=1, **rules)
    whole = deduplicate(tmp_path, CHAIN, rounds=8, **rules)
    assert short["unsettled"] > [0] == whole["unsettled"]
    assert 1 < len(short["kept"]) < len(CHAIN) and len(short["kept"]) > len(whole["kept"]) >= 1
    kept = {row[2] for row in short["kept"]}
    fates = {key: (fate, detail) for _, _, key, fate, _, detail, *_ in short["fates"]}
    assert len(fates) == len(short["fates"]) == len(CHAIN)
    assert {key for key, (fate, _) in fates.items() if fate == "kept"} == kept
    assert {detail for fate, detail in fates.values() if fate == "dropped"} <= kept


class Page(NamedTuple):
    """A row of somebody else's."""

    doc_id: str
    url: str
    crawl_date: int
    warc_file: str
    warc_offset: int
    texts: list[str | None]
    images: list[str | None]
    theirs: int


def test_a_pipeline_of_ones_own() -> None:
    pages = [Page(f"d{i}", f"http://a.test/{i % 4}", i, "w", i, ["Menu\nSome words"], [None], i * i) for i in range(8)]
    pages = [page._replace(texts=[f"Menu\n{text(page.doc_id, 20)}"]) for page in pages]
    pages.append(pages[-1])  # read twice
    rules = DuplicateRules(lines_per_host=3)
    with beam_options.pipeline((), 1) as p:
        documents = p | beam.Create(pages)
        found = documents | Deduplicate(rules)
        unique = {"documents": documents, "kept": found.kept, "cuts": found.cuts} | TakeKept(rules)
        whole = {"documents": documents, "kept": found.kept} | "Whole" >> TakeKept()
        assert_that(whole, equal_to(pages[4:8]), label="whole")
        expected = [page._replace(texts=repeated_lines.cut(page.texts, [0], "line")) for page in pages[4:8]]
        assert_that(unique, equal_to(expected), label="cut")


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        Deduplicate(rounds=0)
    with pytest.raises(ConfigError, match="1 or more"):
        Deduplicate(DuplicateRules(ngram=0))
    assert TakeKept().rules == RepeatedLineRules()
