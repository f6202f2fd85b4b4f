"""The table of pages and labels, as it is made and as it is read again."""

import numpy as np

from weft.transforms.extract.html.training import labels, table


def test_a_table_holds_what_a_page_is(made):
    assert len(made.examples) > 20 and made.names and made.words
    for example in made.examples:
        f = example.features
        assert len(f.dense) == len(f.kinds) == len(example.texts) == len(example.images) == len(f.container)
        assert f.inline_ends[-1] == len(f.inline) and f.head_ends[-1] == len(f.heads)
        assert f.names.max(initial=-1) < len(made.names) and f.heads.max(initial=-1) < len(made.words)
    assert any((example.images == table.IN).any() for example in made.examples)


def test_a_table_holds_several_sets(made):
    whole, parts = ([e for e in made.examples if e.source == name] for name in ("whole", "parts"))
    assert len(whole) == len(parts) > 10
    assert all(e.kind == "article" and e.gold_words and e.texts.min() >= 0 for e in whole)
    assert all(e.kind == "" and not e.gold_words and (e.texts == labels.UNKNOWN).any() for e in parts)
    assert all((e.texts == 1).any() for e in parts) and any((e.texts == 0).any() for e in parts)
    for one, other in zip(whole, parts, strict=True):
        assert one.domain == other.domain and np.array_equal(one.features.dense, other.features.dense)


def test_gold_is_text_or_html():
    assert table.gold_text({"gold_html": "<p>One <b>day</b></p><nav>Two</nav>"}) == "One day\n\nTwo"
    assert table.gold_text({"gold_text": "One day"}) == "One day" and table.gold_text({"with": []}) == ""


def test_sites_stay_in_one_fold():
    assert table.domain("https://a.example.co.uk/x") == table.domain("http://b.example.co.uk/")
    assert table.domain("https://a.example.com/x") != table.domain("https://example.org/")


def test_a_site_is_told_by_links_where_the_address_does_not():
    site = table.domain("https://example.org/a")
    links = (
        '<a href="https://www.example.org/1">1</a><a href=http://other.net/>2</a><a href="https://example.org/3">3</a>'
    )
    for url in ("http://set.invalid/1.html", "http://fakehost/test"):
        assert table.domain(url, links) == site and table.domain(url, links) != table.domain(url)
    archived = "https://web.archive.org/web/20130101000000/http://www.example.org/a"
    assert table.domain(archived) == table.domain("http://set.invalid/", f'<a href="{archived}">1</a>') == site
    assert table.domain("https://archive.org/about") != site
