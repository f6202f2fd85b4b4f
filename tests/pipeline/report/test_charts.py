"""Numbers as a person reads them, and charts that say in words what they draw."""

from xml.etree import ElementTree

import pytest

from weft.pipeline.report import charts


def test_text_of_strangers_is_escaped_and_cannot_turn_what_stands_beside_it() -> None:
    assert charts.text('<b a="x">&\u202e\x00') == "&lt;b a=&quot;x&quot;&gt;&amp; "


@pytest.mark.parametrize(
    ("value", "shown"), [(1234567, "1,234,567"), (0.12345, "0.123"), (1234.5, "1,234"), (2.0, "2")]
)
def test_numbers(value: float, shown: str) -> None:
    assert charts.number(value) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 9, "0&nbsp;%"), (9, 9, "100&nbsp;%"), (1, 3, "33&nbsp;%"), (1, 30, "3.3&nbsp;%"),
        (1, 10_000, "&lt;0.1&nbsp;%"), (9_999, 10_000, "&gt;99.9&nbsp;%"), (1, 0, "–"),
    ],
)  # fmt: skip
def test_a_share_is_never_nothing_or_all_where_it_is_not(part: float, whole: float, shown: str) -> None:
    assert charts.percent(part, whole) == shown


@pytest.mark.parametrize(("count", "shown"), [(999, "999 B"), (1_500, "1.5 kB"), (2.5e15, "2500.0 TB")])
def test_sizes(count: float, shown: str) -> None:
    assert charts.size(count) == shown


@pytest.mark.parametrize(("count", "shown"), [(12, "12"), (3_400, "3.4k"), (120_000, "120k"), (1.2e6, "1.2M")])
def test_short_counts(count: float, shown: str) -> None:
    assert charts.short(count) == shown


def test_a_reason_breaks_between_its_words_and_not_within_one() -> None:
    assert '<span class="name">image_<wbr>host_<wbr>unreachable</span>' in charts.bars(
        [("image_host_unreachable", 2)], 3
    )


def test_a_chart_is_well_formed_and_draws_what_it_is_given() -> None:
    drawn = charts.columns(["1", "2"], {"a<b": [3, 0], "c": [1, 5]}, "Title & more")
    ElementTree.fromstring(f"<div>{drawn}</div>".replace("&nbsp;", " "))
    assert "Title &amp; more" in drawn and "a&lt;b" in drawn and "a<b" not in drawn


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 0, "–"), (0, 9, "0"), (1, 9999, "&lt;0.1"), (9999, 10000, "&gt;99.9"), (9, 9, "100"), (1, 3, "33")],
)
def test_a_share_is_nothing_or_everything_only_when_it_is(part: int, whole: int, told: str):
    assert charts.percent(part, whole).split("&nbsp;")[0] == told


def test_a_threshold_is_drawn_where_it_stands_and_said() -> None:
    drawn = charts.columns(["0", "10", "20"], {"n": [1, 2, 3]}, "Words", (1.5, "min_words = 15"))
    (line,) = [e for e in ElementTree.fromstring(drawn).iter() if e.get("class") == "limit"]
    assert line.get("x1") == line.get("x2") == f"{charts.WIDTH / 2:.1f}"
    assert "with the threshold min_words = 15" in drawn and ">min_words = 15</text>" in drawn
    places = {e.text: float(e.get("y", 0)) for e in ElementTree.fromstring(drawn).iter() if e.tag.endswith("text")}
    assert places["3"] - places["min_words = 15"] >= 12, "its name and the number on the highest column"
    assert "limit" not in charts.columns(["0", "10"], {"n": [1, 2]}, "Words")


@pytest.mark.parametrize(("first", "last"), [(-0.2, 0.4), (-0.2, -0.1), (0.0, 0.0), (0.3, 0.1)])
def test_lines_stay_in_the_drawing_whatever_their_sign_and_0_is_on_it(first: float, last: float) -> None:
    drawn = charts.lines({"a": [(10, first), (20, last)]}, "Gap", "step", "nats")
    svg = next(e for e in ElementTree.fromstring(f"<div>{drawn}</div>").iter() if e.tag == "svg")
    _, _, wide, high = map(float, svg.attrib["viewBox"].split())
    (line,) = [e for e in svg.iter() if e.tag == "polyline"]
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert all(0 <= x <= wide and 0 <= y <= high for x, y in points)
    zero = next(float(e.attrib["y"]) - 4 for e in svg.iter() if e.tag == "text" and e.text == "0")
    assert all((y <= zero + 0.1) if value > 0 else (y >= zero - 0.1) for (_, y), value in zip(points, (first, last)))


def test_the_keys_of_lines_are_lines() -> None:
    drawn = charts.lines({"a": [(0, 3.0), (9, 1.0)], "b": [(0, 2.0), (9, 1.0)]}, "Loss", "step", "nats")
    assert 'class="l1"' in drawn and 'class="key l1"' in drawn and 'class="key c' not in drawn
