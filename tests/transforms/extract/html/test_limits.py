"""What would take the parser too long is refused by name, and what only looks so is not."""

import pytest

from weft.transforms.extract.html import TooComplex, extract

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "html",
    ["<i>" * 1_100_000, "<a " + "".join(f"a{n}=1 " for n in range(200_000)) + ">", "<b><i><u></b>" * 400_000],
    ids=["tags", "attributes", "unclosed"],
)
def test_what_would_take_the_parser_too_long_is_refused(html):
    with pytest.raises(TooComplex):
        extract(html, "http://site.test/")


def test_a_script_is_no_tag_of_many_attributes():
    script = "for(i=0;i<n;i++){" + "a=b;" * 100_000 + "}"
    assert extract(f"<script>{script}</script><p>{SENTENCE * 3}</p>", "http://site.test/").texts
    assert extract(f"<p data-x='{'a=b&' * 200_000}'>{SENTENCE * 3}</p>", "http://site.test/").texts
