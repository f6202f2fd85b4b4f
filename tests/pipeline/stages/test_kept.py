"""What dedup kept is read once, from its own archive's file, without the lines that it loses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.stages import kept as stage
from weft.pipeline.stages.kept import KeptDocuments, KeptPairs
from weft.schemas.records import Document, KeptRow, Pair, PairKey
from weft.schemas.tables import CUTS, DOCUMENTS, KEPT, PAIRS
from weft.transforms.io import parquet
from weft.transforms.io.parquet import write_table


class Texts(NamedTuple):
    doc_id: str
    warc_file: str
    warc_offset: int
    texts: list[str | None]


def document(doc_id: str, warc_file: str, offset: int, *texts: str | None) -> Document:
    meta = [None] * len(texts)
    return Document(doc_id, "", 0, warc_file, offset, "", "en", 1.0, "", list(texts), [None] * len(texts), meta)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    one = [document("a", "1.warc", 0, "first\nsecond\nthird", None), document("b", "1.warc", 9, "of b")]
    two = [document("a", "2.warc", 0, "another copy"), document("c", "2.warc", 5, "of c")]
    for name, rows in {"x": one, "y": two}.items():
        write_table(str(tmp_path / f"documents/{name}.parquet"), rows, DOCUMENTS)
    pairs = [
        Pair(p, d, "", f"http://h/{p}", "words", "alt", "en", 1.0) for p, d in (("p", "a"), ("q", "a"), ("p", "c"))
    ]
    for name in ("x", "y"):  # the same record in two archives: its pairs stand in both files
        write_table(str(tmp_path / f"pairs/{name}.parquet"), pairs, PAIRS)
    kept = [KeptRow("document", "a", "a", "1.warc", 0), KeptRow("document", "c", "c", "2.warc", 5)]
    kept += [KeptRow("pair", str(PairKey(d, p)), d, "", 0) for p, d in (("p", "a"), ("p", "c"))]
    write_table(str(tmp_path / "kept/k.parquet"), kept, KEPT)
    write_table(str(tmp_path / "cuts/k.parquet"), [("a", [1])], CUTS)
    return tmp_path


def context(output: Path, *overrides: str) -> Context:
    return Context(str(output), (), configuration.load(overrides=overrides), "x", ("--direct_num_workers=1",))


@pytest.mark.parametrize(("rule", "of_a"), [("false", "first\nsecond\nthird"), ("true", "first\nthird")])
def test_each_kept_document_is_read_once_from_its_own_archive(output: Path, rule: str, of_a: str) -> None:
    ctx = context(output, f"dedup.lines_once={rule}")
    with ctx.pipeline() as p:
        wanted = [Texts("a", "1.warc", 0, [of_a, None]), Texts("c", "2.warc", 5, ["of c"])]
        assert_that(p | KeptDocuments(ctx, Texts), equal_to(wanted))


def test_each_kept_pair_is_read_once(output: Path) -> None:
    ctx = context(output)
    with ctx.pipeline() as p:
        keys = p | KeptPairs(ctx, Pair) | beam.Map(lambda pair: PairKey(pair.doc_id, pair.pair_id))
        assert_that(keys, equal_to([PairKey("a", "p"), PairKey("c", "p")]))


def test_documents_of_a_large_file_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of documents is one archive and one file: what is known of them is held of a few at a time."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 2)
    monkeypatch.setattr(parquet, "_GROUPS_A_BLOCK", 2)
    rows = [document(f"d{n % 9}", "list.jsonl", n, f"of {n}") for n in range(11)]
    write_table(str(tmp_path / "documents/list.parquet"), rows, DOCUMENTS)
    kept = [KeptRow("document", d.doc_id, d.doc_id, d.warc_file, d.warc_offset) for d in rows[2:]]
    write_table(str(tmp_path / "kept/k.parquet"), kept, KEPT)
    read = stage._read

    def few(item: tuple[str, Iterable[Any]], *rest: Any) -> Any:
        known = [*item[1]]
        assert len(known) == {0: 2, 1: 4, 2: 3}[int(item[0][-6:])], "blocks of four rows, but for what is not kept"
        return read((item[0], known), *rest)

    monkeypatch.setattr(stage, "_read", few)
    ctx = context(tmp_path)
    with ctx.pipeline() as p:  # of a document that stands there twice, that which is kept
        wanted = [Texts(d.doc_id, d.warc_file, d.warc_offset, list(d.texts)) for d in rows[2:]]
        assert_that(p | KeptDocuments(ctx, Texts), equal_to(wanted))


def test_pairs_of_a_large_file_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of captions is one file: what is known of its pairs is held of a few at a time."""
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 2)
    monkeypatch.setattr(parquet, "_GROUPS_A_BLOCK", 2)
    pairs = [Pair(f"p{n % 9}", "d", "", f"http://h/{n}", "words", "alt", "en", 1.0) for n in range(11)]
    write_table(str(tmp_path / "pairs/list.parquet"), pairs, PAIRS)
    found = parquet.by_block(str(tmp_path / "pairs/list.parquet"), PairKey)
    assert [block for block, _ in found] == [0] * 4 + [1] * 4 + [2] * 3
    kept = [KeptRow("pair", f"d:p{n}", "d", "", 0) for n in range(9)]
    write_table(str(tmp_path / "kept/k.parquet"), kept, KEPT)
    read = stage._read

    def few(item: tuple[str, Iterable[Any]], *rest: Any) -> Any:
        known = [*item[1]]
        assert len(known) <= 4
        return read((item[0], known), *rest)

    monkeypatch.setattr(stage, "_read", few)
    ctx = context(tmp_path)
    with ctx.pipeline() as p:  # of a pair that stands there twice, the first
        assert_that(p | KeptPairs(ctx, Pair), equal_to(pairs[:9]))
