"""The table of pages and labels, as it is made and as it is read again."""

from weft.transforms.extract.html.training import table


def test_a_table_holds_what_a_page_is(made):
    assert len(made.examples) > 20 and made.names and made.words
    for example in made.examples:
        f = example.features
        assert len(f.dense) == len(f.kinds) == len(example.texts) == len(example.images) == len(f.container)
        assert f.inline_ends[-1] == len(f.inline) and f.head_ends[-1] == len(f.heads)
        assert f.names.max(initial=-1) < len(made.names) and f.heads.max(initial=-1) < len(made.words)
    assert any((example.images == table.IN).any() for example in made.examples)


def test_sites_stay_in_one_fold():
    assert table.domain("https://a.example.co.uk/x") == table.domain("http://b.example.co.uk/")
    assert table.domain("https://a.example.com/x") != table.domain("https://example.org/")
