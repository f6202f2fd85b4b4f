"""What a page says of itself, and text as it was meant."""

import json

import pytest
from small_pages import SENTENCE

from weft.transforms.extract.html import extract


def about(head="", body=""):
    page = f"<html><head>{head}</head><body><article><p>{SENTENCE * 3}</p>{body}</article></body></html>"
    return extract(page, "https://site.test/a/", captured="2030-01-01").about


def data(**fields):
    return f"<script type='application/ld+json'>{json.dumps(fields)}</script>"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("", ("", "", "")),
        ("<meta name=author content=' Ada  L. '><meta property='article:published_time' content='2024-03-05T10:11:12+00:00'>",
         ("Ada L.", "2024-03-05", "")),
        (data(author={"name": "Ada"}, datePublished="2024-03-05", license="https://cc.test/by"),
         ("Ada", "2024-03-05", "https://cc.test/by")),
        (data(**{"@graph": [{"author": [{"name": "Ada"}, "Bob"]}, {"datePublished": "2024-03-05T23:11-02:00"}]}),
         ("Ada, Bob", "2024-03-06", "")),
        (data(**{"@graph": [{"@type": "WebPage", "author": {"@id": "#a"}}, {"@type": "Person", "@id": "#a", "name": "Ada"}]}),
         ("Ada", "", "")),
        (data(**{"@type": "VideoObject", "author": "Eve", "datePublished": "2024-03-05"}), ("", "", "")),
        (data(**{"@type": "WebPage", "author": "Site"}) + data(**{"@type": "NewsArticle", "author": "Ada"}), ("Ada", "", "")),
        (data(author=[[["Ada"]], "Bob"]), ("Bob", "", "")),
        (data(author="undefined", datePublished="soon"), ("", "", "")),
        (data(datePublished="2031-01-01") + "<meta name=date content=2024-03-05>", ("", "2024-03-05", "")),
        ("<script type='application/ld+json'>{broken \"author\"</script><meta name=author content=Eve>", ("Eve", "", "")),
        ("<meta name=author content=https://site.test/ada><meta name=date content='last week'>", ("", "", "")),
        ("<meta name=author content='By Ada'><meta name=date content=1970-01-01>", ("Ada", "", "")),
        ("<meta name=citation_author content='L., Ada'><meta name=citation_author content='B., Bob'>", ("L., Ada; B., Bob", "", "")),
        ("<meta name=twitter:label1 content='Written by'><meta name=twitter:data1 content=Ada>", ("Ada", "", "")),
        ("<link rel=license href=/terms>", ("", "", "https://site.test/terms")),
    ],
)  # fmt: skip
def test_author_date_and_licence(head, wanted):
    assert tuple(about(head))[:3] == wanted


def test_the_publisher_is_no_author_where_a_person_is_named():
    head = data(author={"name": "The Barn"}, publisher={"name": "The Barn"})
    assert about(head)[:1] + about(head)[3:] == ("The Barn", "The Barn")
    assert about(head, "<a rel=author href=/ada>Ada</a>").author == "Ada"
    assert about("<meta property=og:site_name content='The Barn'>").publisher == "The Barn"


def test_a_link_to_a_licence_counts_wherever_it_stands():
    link = "<a href='https://creativecommons.org/licenses/by/4.0/'>CC BY</a>"
    assert about(body=link).licence == "https://creativecommons.org/licenses/by/4.0/"
    assert about(body="<a href='/license-plates'>plates</a>").licence == ""
