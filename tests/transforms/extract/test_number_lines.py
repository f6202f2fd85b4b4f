"""Page marks and dumps of numbers go; steps, years, tables and figures in prose stay."""

from itertools import pairwise

import pytest

from weft.schemas.parameters import PageRules, TextRules
from weft.transforms.extract import number_lines
from weft.transforms.extract.page import extract_html

PROSE = "The graves vary considerably in form, in depth and in what was laid down in them. " * 10  # 150 words


def book(mark, pages=10, prose=PROSE):
    return [line for n in range(13, 13 + pages) for line in (mark.format(n), "", prose, "")]


def left(lines, **rules):
    (found,), told = number_lines.apply_to_lines([lines], TextRules(**rules))
    return [line for line in found if line is not None], told


@pytest.mark.parametrize("mark", ["[{}]", "[Pg {}]", "Page {}", "p. {}", "(p. {})", "{{Pg {}}}"])
def test_marks_that_count_up_a_page_apart_go_with_the_blank_line_they_leave(mark):
    lines, told = left(book(mark))
    assert told == "10 page marks" and "".join(lines) == PROSE * 10
    assert all(a or b for a, b in pairwise(lines))


def test_marks_inside_lines_go_too():
    lines, told = left([f"{PROSE}[Pg {n}] and {PROSE}" for n in range(9)])
    assert told == "9 page marks" and "[Pg" not in "".join(lines) and f"{PROSE}and" in lines[0]


@pytest.mark.parametrize(
    ("marked", "left_of_it"),
    [
        ("quite[Pg {}] content", "quite content"),
        ("quite [Pg {}] content", "quite content"),
        ("quite [Pg {}]content", "quite content"),
        ("un[Pg {}]willing", "unwilling"),
        ("[Pg {}] content", "content"),
        ("content.[Pg {}]", "content."),
    ],
)
def test_the_words_round_a_mark_stay_apart(marked, left_of_it):
    lines, told = left([line for n in range(9) for line in (marked.format(n), PROSE)])
    assert told and lines[::2] == [left_of_it] * 9


@pytest.mark.parametrize(
    "lines",
    [
        book("[{}]", pages=7),  # too few
        book("{}"),  # a ranking
        book("({})"),  # sections
        book("{{{}}}"),
        book("[{}]", prose="Mix the flour with the water and let it stand for an hour."),  # notes
        [line for n in (9, 3, 200, 41, 5, 77, 12, 1, 30, 8) for line in (f"[{n}]", PROSE)],  # in no order
        [line for n in range(1850, 2020, 17) for line in (f"({n})", PROSE)],  # years
        [f"In {n} it rained for {n + 1} days." for n in range(40)],
    ],
)
def test_other_numbers_stay(lines):
    assert left(lines) == (lines, "")


def test_runs_of_lines_without_a_letter_go_from_a_length_on():
    rows = [f"[{n}] 12 | 13.5 -7" for n in range(60)]
    assert left(["So we draw:", *rows, "And that is all."]) == (
        ["So we draw:", "And that is all."],
        "240 numbers in a run",
    )
    assert left(rows[:40]) == (rows[:40], "")
    named = [f"Year {row}" for row in rows]
    assert left(named) == (named, "")


@pytest.mark.parametrize("mark", ["1 2 3 4 5 6 7", "1 2 3\n\n4 5\n6 7"])
@pytest.mark.parametrize(("before", "after"), [("\n\n", "\n\n"), ("\n", "\n\n"), ("\n\n", "\n"), ("\n \n", "\n\n")])
def test_paragraphs_round_a_run_stay_two(mark, before, after):
    lines, told = left(f"A b.{before}{mark}{after}C d.".split("\n"), number_run=6)
    assert told == "7 numbers in a run" and [line.strip() for line in lines] == ["A b.", "", "C d."]


def test_marks_of_one_line_are_taken_out_in_time_in_its_length():
    """Counted in characters that are looked at."""
    looked = []

    class Counted(str):
        def count(self, what, start=0, end=None):
            looked.append((len(self) if end is None else end) - start)
            return super().count(what, start, end)

        def __getitem__(self, at):
            found = Counted(super().__getitem__(at))
            looked.append(len(found))
            return found

        def __add__(self, other):
            looked.append(len(self) + len(other))
            return Counted(super().__add__(other))

    line = Counted("".join(f"[p{n}] {'a ' * 100}" for n in range(300)))
    assert left([line]) == (["a " * 30_000], "300 page marks")
    assert 0 < sum(looked) <= 3 * len(line)


def test_each_rule_can_be_turned_off():
    assert left(book("[{}]"), page_marks=0)[1] == left(book("[{}]"), page_marks=11)[1] == ""
    assert left(["1 2 3"] * 99, number_run=0)[1] == ""
    assert left(["1 2 3"] * 9, number_run=27)[1] == "27 numbers in a run"


def test_a_page_says_what_was_taken_out_of_it():
    page = "<article>" + "".join(f"<p>[Pg {n}]</p><p>{PROSE}</p>" for n in range(9)) + "</article>"
    for markup in ("plain", "markdown"):
        rules = PageRules(main_content=False, markup=markup)
        found = extract_html(page, "https://a.test/", rules)
        assert found.fates[0].detail == "9 page marks" and "Pg" not in "".join(found.document.texts)
        off = extract_html(page, "https://a.test/", PageRules(main_content=False, markup=markup, gibberish=False))
        assert off.fates[0].detail == "" and "Pg 8" in "".join(off.document.texts)
