"""Authors and days that pages show."""

import pytest
from small_pages import SENTENCE

from weft.transforms.extract.html import extract

PROSE = f"<p>{SENTENCE * 3}</p>"


def about(before="", after="", head="", url="https://site.test/a/", captured="2024-06-01"):
    page = f"<html><head><title>Barns</title>{head}</head><body><h1>Barns</h1>{before}{PROSE * 20}{after}</body></html>"
    return extract(page, url, captured=captured).about


@pytest.mark.parametrize(
    ("markup", "author"),
    [
        ("<p>By Ada Lovelace</p>", "Ada Lovelace"),
        ("<p>By Ada Lovelace | March 5, 2024</p>", "Ada Lovelace"),
        ("<p>By Ada Lovelace on March 5, 2024 in Barns</p>", "Ada Lovelace"),
        ("<div><p>Written by:</p><p>Ada Lovelace</p></div>", "Ada Lovelace"),
        ("<p>Von Ada Lovelace</p>", "Ada Lovelace"),
        ("<a rel=author href=/ada>Ada Lovelace</a>", "Ada Lovelace"),
        ("<div class=post-byline>by <a href=/ada>Ada Lovelace</a> <span>12 Comments</span></div>", "Ada Lovelace"),
        ("<div class=post-author><img alt=''><h4>Ada Lovelace</h4></div>", "Ada Lovelace"),
        (
            "<span itemprop=author itemscope><a itemprop=url href=/a><b itemprop=name>Ada</b></a>, a writer</span>",
            "Ada",
        ),
        ("<div itemprop=author itemscope><meta itemprop=name content=Ada><i>Profile</i></div>", "Ada"),
        ("<p>By the river stood a barn</p>", ""),  # names do not begin so
        ("<p>Posted by admin</p>", ""),
        ("<div class=authorized>Sign in</div>", ""),
        ("<div class=author>About the author</div>", ""),
        ("<div class=author>https://ada.test</div>", ""),
    ],
)
def test_an_author_beside_the_headline(markup, author):
    assert about(markup).author == author


def test_names_far_from_the_headline_are_those_of_others():
    assert about(after="<div class=comment-author>Troll</div>").author == ""
    assert about(after="<p>By Troll</p>").author == ""


def test_names_on_a_page_of_a_thing_are_those_of_reviewers():
    assert about("<p>By Troll</p>", head="<meta property=og:type content=product>").author == ""


@pytest.mark.parametrize(
    ("markup", "published"),
    [
        ("<p>March 5, 2024</p>", "2024-03-05"),
        ("<time datetime=2024-03-05T23:00:00-05:00>Tuesday</time>", "2024-03-06"),
        ("<time>5 Mar 2024</time>", "2024-03-05"),
        ("<p>Published on March 5, 2024 Updated on May 1, 2024</p>", "2024-03-05"),
        ("<p>Updated on May 1, 2024</p><p>March 5, 2024</p>", "2024-03-05"),
        ("<p>Updated on May 1, 2024</p>", ""),
        ("<span>Last modified <time datetime=2024-05-01></time></span>", ""),
        ("<meta itemprop=datePublished content=2024-03-05>", "2024-03-05"),
        ("<div class=publish-box>On 5 March 2024 " + "this was written. " * 5 + "</div>", "2024-03-05"),
        ("<p>The fair opens on July 1, 2024</p>", ""),  # after the capture
        ("<p>Opened in 1970: 1970-01-01</p>", ""),
        ("<a href=/p>March 5, 2024</a>", "2024-03-05"),
        ("<a href=/terms>Terms of Use (5 Mar 2001)</a>", ""),
        ("<footer><p>5 Mar 2001</p></footer>", ""),
        ("<article><footer><p>5 Mar 2001</p></footer></article>", "2001-03-05"),
    ],
)
def test_a_day_beside_the_headline(markup, published):
    assert about(markup).published == published


def test_without_a_headline_no_line_stands_beside_it():
    made = extract(f"<p>{PROSE * 5}</p><p>5 Mar 2001</p>", "https://site.test/barns")
    assert made.about.published == ""


def test_a_day_in_the_address_is_the_last_resort():
    assert about(url="https://site.test/2024/03/05/barns").published == "2024-03-05"
    assert about("<p>March 4, 2024</p>", url="https://site.test/2024/03/05/barns").published == "2024-03-04"
    assert about(url="https://site.test/2024/13/05/barns").published == ""


def test_a_licence_by_attribute_and_a_dedication():
    cc0 = "https://creativecommons.org/publicdomain/zero/1.0/"
    assert about(after=f"<a itemprop=license href={cc0}>x</a>").licence == cc0
    assert about(after=f"<a href={cc0}>public domain</a>").licence == cc0


def test_a_flood_of_marks_is_not_read_to_its_end():
    """Each word is looked for no more than some times, whatever a page is made of."""
    assert about("<b class=author></b>" * 100 + "<b class=author>Ada</b>").author == ""
