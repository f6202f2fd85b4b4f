import pytest
from viewing import GONE, KEPT, PICTURE, TWIN, tiny_run

from weft.pipeline.view import things
from weft.pipeline.view.kinds import Question
from weft.pipeline.view.tables import Tables


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
