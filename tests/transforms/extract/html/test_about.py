"""What a page says of itself, and text as it was meant."""

import json

import pytest

from weft.transforms.extract.html import extract

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "


def about(head="", body=""):
    page = f"<html><head>{head}</head><body><article><p>{SENTENCE * 3}</p>{body}</article></body></html>"
    return extract(page, "https://site.test/a/").about


def data(**fields):
    return f"<script type='application/ld+json'>{json.dumps(fields)}</script>"


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        ("", ("", "", "")),
        ("<meta name=author content=' Ada  L. '><meta property='article:published_time' content='2024-03-05T10:11:12+00:00'>",
         ("Ada L.", "2024-03-05T10:11:12+00:00", "")),
        (data(author={"name": "Ada"}, datePublished="2024-03-05", license="https://cc.test/by"),
         ("Ada", "2024-03-05", "https://cc.test/by")),
        (data(**{"@graph": [{"author": [{"name": "Ada"}, "Bob"]}, {"datePublished": "2024-03-05T10:11Z"}]}),
         ("Ada, Bob", "2024-03-05T10:11Z", "")),
        ("<script type='application/ld+json'>{broken \"author\"</script><meta name=author content=Eve>", ("Eve", "", "")),
        ("<meta name=author content=https://site.test/ada><meta name=date content='last week'>", ("", "", "")),
        ("<link rel=license href=/terms>", ("", "", "https://site.test/terms")),
    ],
)  # fmt: skip
def test_author_date_and_licence(head, wanted):
    assert tuple(about(head)) == wanted


def test_a_link_to_a_licence_counts_wherever_it_stands():
    link = "<a href='https://creativecommons.org/licenses/by/4.0/'>CC BY</a>"
    assert about(body=link).licence == "https://creativecommons.org/licenses/by/4.0/"
    assert about(body="<a href='/license-plates'>plates</a>").licence == ""
