"""What single tags say."""

import pytest

from weft.transforms.extract.html import tag_values
from weft.transforms.extract.html.scan import Scan


def test_the_first_words_of_a_text_are_in_a_common_form() -> None:
    assert tag_values.head_words("The Price: 1,234.50 EUR, and a b c d e") == "the price: 000000 eur and a b c".split()


def test_an_image_is_described_by_its_address_and_alt_text() -> None:
    assert tag_values.described('img src="/img/RedBarn-2.jpg" alt="A barn"') == [
        "img",
        "red",
        "barn",
        "jpg",
        "a",
        "barn",
    ]
    assert tag_values.described('img src="data:image/gif;base64,R0"') == []


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ('div style="background:url(a.jpg)"', 'background src="a.jpg"'),
        ('div role="img" style="background-image: url( &quot;b.jpg&quot; )"', 'background role="img" src="b.jpg"'),
        ('div style="mask:url(a.svg)"', ""),
    ],
)
def test_a_declared_background_is_an_image_s_tag(tag: str, wanted: str) -> None:
    assert tag_values.background_tag(tag) == wanted


def test_what_a_page_says_first_stays() -> None:
    page = Scan()
    for title in (" A  title ", "another"):
        tag_values.take_title(title, page)
    for address in ("/b/", "/c/"):
        tag_values.take_base(f'base href="{address}"', page)
        tag_values.take_licence(f'a rel="license" href="{address}"', page)
    tag_values.take_meta('meta name="Author" content="Ann &amp; Bob"', page)
    assert (page.title, page.base, page.licence, page.meta) == ("A title", "/b/", "/b/", [("author", "Ann & Bob")])


def test_a_source_s_addresses_may_wait_to_be_loaded() -> None:
    assert tag_values.srcset_of('source data-srcset="a.jpg 2x"') == "a.jpg 2x"
