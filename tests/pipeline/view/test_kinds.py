import pytest
from viewing import tiny_run

from weft.pipeline.view.kinds import KINDS, Question, choices, listed, number, question
from weft.pipeline.view.tables import JOINS, Tables
from weft.schemas.parameters import ConfigError


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return Tables(str(tiny_run(tmp_path_factory.mktemp("kinds"))))


@pytest.mark.parametrize("name", KINDS)
def test_every_filter_and_order_of_every_kind_is_a_query_that_runs(tables: Tables, name: str) -> None:
    kind = KINDS[name]
    assert kind.of in JOINS
    given = {key: "1" if one.kind == "number" else "a" for key, one in kind.filters.items()}
    assert listed(tables, kind, question(kind, given), 1).rows == []
    for order in kind.orders:
        found = listed(tables, kind, Question("true", {}), 1, order)
        assert len(found.rows) == found.total > 0 and (found.page, found.pages) == (1, 1)
    assert set(choices(tables, kind)) == {key for key, one in kind.filters.items() if one.kind == "choice"}


def test_pages_of_a_list_hold_each_row_once(tables: Tables) -> None:
    kind = KINDS["documents"]._replace(per_page=2)
    pages = [listed(tables, kind, Question("true", {}), page) for page in (1, 2)]
    assert [len(page.rows) for page in pages] == [2, 1]
    assert len({row["doc_id"] for page in pages for row in page.rows}) == 3
    assert listed(tables, kind, Question("true", {}), 9).page == 2


def test_choices_are_counted_the_commonest_first(tables: Tables) -> None:
    found = choices(tables, KINDS["documents"])
    assert found["language"] == [("en", 2)]
    assert found["fate"] == [("dedup: duplicate_near", 1), ("extract: too_short", 1), ("kept", 1)]


def test_what_is_asked_for_with_blanks_alone_is_not_asked() -> None:
    assert question(KINDS["documents"], {"q": "  ", "fate": "", "unknown": "x"}) == Question("true", {})


@pytest.mark.parametrize("value", ["x", "nan", "inf", "1e999", ""])
def test_a_number_is_a_number(value: str) -> None:
    assert number("score", "-0.5") == -0.5
    with pytest.raises(ConfigError, match=r"score: .* is no number"):
        number("score", value)
