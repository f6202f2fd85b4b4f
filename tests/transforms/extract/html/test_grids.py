"""Tables of data are told from layout, and their cells have their columns."""

import pytest

from weft.transforms.extract.html.grids import grids
from weft.transforms.extract.html.parser import written

ROWS = "<tr><td>a<td>b<td>c</tr>" * 3


def places(table):
    return [(cell.row, cell.column) for _, cell in grids(written(table)).values()]


@pytest.mark.parametrize(
    ("table", "data"),
    [
        (f"<table>{ROWS}</table>", True),
        ("<table><tr><th>a<td>b<tr><th>c<td>d</table>", True),
        (f"<table role=presentation>{ROWS}</table>", False),
        ("<table><tr><td>a<td>b</table>", False),  # one row
        ("<table><tr><td>a<tr><td>b</table>", False),  # one column
        (f"<table><tr><td>Menu<td>{'Words of an article. ' * 50}<tr><td>x<td>y</table>", False),
        ("<table><tr><td><p>a<p>b<td><p>c<p>d<tr><td><div>e<p>f<td><p>g</table>", False),
        (f"<table><tr><td>a<td>b<tr><td>c<td>\n{' ' * 600}<br>\n{' ' * 600}d</table>", True),  # spaces between tags
        (f"<table class=wikitable><tr><td>a<td>{'long ' * 200}<tr><td>b<td>c</table>", True),
        (f"<table><tr><td>x<td>y<tr><td>z<td><form>{ROWS}</form></table>", False),
        ("<table class=highlighttable><tr><td class=linenos>1<td>x<tr><td class=linenos>2<td>y</table>", False),
    ],
)
def test_data_is_told_from_layout(table, data):
    assert bool(grids(written(table))) is data


def test_the_inner_table_of_two_may_be_data():
    found = grids(written(f"<table><tr><td>x<td><table>{ROWS}</table><tr><td>y<td>z</table>"))
    assert len(found) == 9 and len({grid.number for grid, _ in found.values()}) == 1


def test_a_table_knows_where_it_stands():
    source = written(f"<table><tr><td>x<td><table>{ROWS}</table><tr><td>y<td>z</table><p>x<table>{ROWS}</table>")
    spans = sorted({grid.span for grid, _ in grids(source).values()})
    assert [source[start : end + len("</table>")] for start, end in spans] == [
        written(f"<table>{ROWS}</table>")[25:-14]
    ] * 2


def test_spans_move_the_cells_after_them():
    table = "<table><tr><th rowspan=2>a<th colspan=2>b<tr><td>c<td>d<tr><td>e<td>f<td>g</table>"
    assert places(table) == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]


def test_heads_are_repeated_over_what_they_span_and_cells_down_alone():
    found = grids(written("<table><tr><th rowspan=2>a<th colspan=2>b<tr><th>c<th>d<tr><td>e<td colspan=2>f"
                          "<tr><th colspan=3>g</table>"))  # fmt: skip
    for (_, cell), text in zip(found.values(), "abcdefg", strict=True):
        cell.text.append(text)
    grid = next(iter(found.values()))[0]
    columns, said = grid.filled
    rows = ["".join(said.get((row, column), ".") for column in columns) for row in range(4)]
    assert rows == ["abb", "acd", "ef.", "g.."]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "table",
    [
        "<table>" + "<tr><td colspan=1000000000 rowspan=1000000000>a<td>b" * 4_000,
        "<table><tr>" + "<td>a" * 8_000 + "<tr><td>b" * 8_000,
        "<table><tr><td>" * 4_000,
        "<table>" + "<tr><td rowspan=60000>a" * 4_000 + "<td>b" * 4_000,
        "<table>" + "<td" * 8_000,
    ],
    ids=lambda table: table[:24],
)
def test_hostile_tables_end(table):
    grids(table)
    grids(written(table))


@pytest.mark.parametrize("head", ["<td rowspan=301>", "<th rowspan=301>"])
def test_a_text_is_not_said_in_thousands_of_places(head):
    table = f"<table class=data><tr>{head}{'barn ' * 1_000}<td>x</tr>{'<tr><td>y</tr>' * 300}</table>"

    def said(page, size):
        cells = grids(written(page))
        for number, (_, cell) in enumerate(cells.values()):
            cell.text.append("b" * size if not number else "y")
        grid = next(iter(cells.values()))[0]
        return len(cells), sum(len(text) for text in grid.filled[1].values())

    count, long = said(table, 5_000)
    assert count == 302 and long == 5_000 + 301
    assert said(table, 20) == (302, 20 * 301 + 301), "a short one is in each row"
