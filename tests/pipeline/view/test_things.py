from pathlib import Path

import pytest
from viewing import GONE, KEPT, PICTURE, TWIN, tiny_run

from weft.pipeline.view import things
from weft.pipeline.view.kinds import KINDS, Question, listed, question
from weft.pipeline.view.tables import Tables
from weft.schemas import tables as schemas
from weft.schemas.records import Fate, Pair, Score
from weft.transforms.io.parquet import write_table


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_run(tmp_path_factory.mktemp("things")))


def test_a_document_is_its_texts_and_pictures_in_reading_order(output: str) -> None:
    page = things.page(output, KEPT)
    assert page is not None and things.page(output, GONE) is None
    first, second, third = things.blocks(output, page)
    assert (first.words, first.picture, third.picture) == ("one two three", None, None)
    assert (
        second.picture and second.picture.url == PICTURE and second.picture.source.startswith("/bytes/images/blobs/a")
    )
    assert second.caption == "A picture" and second.score and second.score["similarity"] == 0.25


def test_a_picture_that_was_not_stored_has_no_source(output: str) -> None:
    found = things.pictures(output, ["https://b.test/gone.jpg", PICTURE, None, "http://never.test/x.jpg"])
    assert {url: (one.status, bool(one.source)) for url, one in found.items()} == {
        "https://b.test/gone.jpg": ("timeout", False),
        PICTURE: ("ok", True),
    }


def test_captions_come_with_their_similarities(output: str) -> None:
    page = things.page(output, KEPT)
    assert page is not None
    found = sorted(things.captions(output, page), key=lambda pair: pair["text"])
    assert [pair["similarity"] and round(pair["similarity"], 3) for pair in found] == [0, 0.1, 0.2, None]
    assert all(pair["key"] == f"{KEPT}:{pair['pair_id']}" for pair in found)


def test_the_one_that_stays_is_first_in_its_cluster(output: str) -> None:
    rows, pages = things.cluster(output, min(KEPT, TWIN))
    assert [row.doc_id for row in rows] == [KEPT, TWIN] and set(pages) == {KEPT, TWIN}
    assert things.cluster(output, "none") == ([], {})


def test_what_extract_made_of_a_page(output: str) -> None:
    found = things.fate(output, GONE)
    assert found and (found.fate, found.reason) == ("dropped", "too_short") and things.fate(output, "none") is None


def test_the_line_counts_every_pair_in_steps(output: str) -> None:
    tables = Tables(output)
    line = things.line(tables, Question("true", {}))
    assert (line.low, line.high, line.unscored, sum(line.counts)) == (0.0, 0.21, 1, 3)
    assert [n for n, count in enumerate(line.counts) if count] == [0, 10, 20]
    assert things.middle(line) == 0.1
    assert [things.nearest(line, value) for value in (-5, 0.104, 0.106, 5)] == [0.0, 0.1, 0.11, 0.21]
    empty = things.line(tables, Question("false", {}))
    assert (empty.counts, things.middle(empty), things.nearest(empty, 0.3)) == ([], 0.0, 0.0)


def test_a_similarity_is_the_decimal_that_was_written_on_the_line_beside_it_and_in_filters(tmp_path: Path) -> None:
    values = [n / 100 for n in range(-20, 101)]
    pages = [Fate("extract", "page", str(one), "kept", "", "", "http://a.test/", "a:0") for one in values]
    write_table(str(tmp_path / "fates/extract/a.pages.parquet"), pages, schemas.FATES)
    pairs = [Pair(str(one), str(one), "http://a.test/", PICTURE, "words", "alt", "en", 0.9) for one in values]
    write_table(str(tmp_path / "pairs/a.parquet"), pairs, schemas.PAIRS)
    scores = [Score(kind, str(one), 0, 0, PICTURE, one) for kind in ("pair", "document") for one in values]
    write_table(str(tmp_path / "scores/a.parquet"), scores, schemas.SCORES)
    tables = Tables(str(tmp_path))
    line = things.line(tables, Question("true", {}))
    assert (line.low, line.high, set(line.counts), len(line.counts)) == (-0.2, 1.01, {1}, len(values))
    for at in (-0.13, 0.07, 0.29, 0.57, 0.83):
        above = sum(one >= at for one in values)
        passing = tables.rows("SELECT count(*) AS n FROM captions WHERE similarity >= $at", {"at": at}, "captions")
        assert passing == [{"n": above}]
        for name, wanted in (("least", above), ("most", len(values) - above + 1)):
            kind = KINDS["documents"]
            assert listed(tables, kind, question(kind, {name: str(at)}), 1).total == wanted
