"""Which pages the crawl met: in proportion, and copies that are as alike as they say."""

import dataclasses

import pytest

from weft.pipeline.demo import captures
from weft.pipeline.demo.pages import Author


def test_too_few_pages_are_refused():
    with pytest.raises(ValueError, match="at least"):
        captures.counts(3)
    assert sum(captures.counts(31).values()) + captures.CUT_OFF == 31


def test_kinds_are_in_proportion_and_each_is_there():
    small, large = captures.counts(40), captures.counts(6000)
    assert min(small.values()) == 1 and sum(small.values()) == 39
    assert large["gallery"] == 5999 * 50 // 599 and sum(large.values()) == 5999


def test_pages_of_questions_come_besides_and_change_no_other():
    (without, cut_off), (captured, also) = captures.plan(30, "test"), captures.plan(30, "test", 2)
    assert captured[:-2] == without and also == cut_off
    assert [one.made.page.kind for one in captured[-2:]] == ["quiz"] * 2


@pytest.fixture(scope="module")
def page():
    return Author("test").page("text", 1, "2025-03-01T00:00:00Z").page


def test_a_changed_copy_differs_in_one_word_of_a_hundred_and_thirty(page):
    def words(of):
        return [word for block in of.blocks for text in block.texts for word in text.split(" ")]

    other = captures.perturb(page, "x")
    differ = sum(a != b for a, b in zip(words(page), words(other), strict=True))
    assert 1 <= differ <= max(1, len(words(page)) // 130)
    assert captures.perturb(page, "x") == other != captures.perturb(page, "y")


def test_a_copy_elsewhere_stands_on_a_mirror_and_names_pictures_in_full():
    made = Author("test").page("gallery", 1, "2025-03-01T00:00:00Z")
    original = captures.Capture(made, made.page.url, "2025-03-01T00:00:00Z")
    copy = captures._copy(original, "exact", "seed")
    assert "mirror" in copy.url and copy.cluster == original.url and copy.how == "exact" and copy.date != original.date
    shown = captures.as_captured(copy)
    assert shown.url == copy.url and captures.as_captured(original) is made.page
    assert all(block.shown.src == block.shown.url for block in shown.blocks if block.shown)
    assert [block.texts for block in shown.blocks] == [block.texts for block in made.page.blocks]


def test_the_newest_of_a_cluster_is_the_one_to_keep(page):
    made = Author("test").page("text", 1, "")
    some = [
        captures.Capture(made, url, date, cluster="c")
        for url, date in (("a", "2025-01"), ("b", "2025-03"), ("c", "2025-02"))
    ]
    alone = dataclasses.replace(some[0], cluster="")
    assert {cluster: one.url for cluster, one in captures.newest_of([*some, alone]).items()} == {"c": "b"}


def test_a_day_later_is_so_over_the_end_of_a_month():
    assert captures.shift("2025-02-28T23:59:00Z", 1, 61) == "2025-03-01T00:01:01Z"
    assert captures.shift("2025-03-01T10:00:00Z", -1, 0) == "2025-02-28T00:00:00Z"
