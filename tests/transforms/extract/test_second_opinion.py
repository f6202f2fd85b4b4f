"""trafilatura's text, with weft's images and a fate for those that it leaves out."""

from weft.transforms.extract import html, second_opinion

URL = "http://a.test/dir/"
P = f"<p>{'The quick brown fox jumps over the lazy dog while nobody at all is watching it. ' * 5}</p>"


def test_images_keep_their_place_and_what_the_page_says_of_them():
    page = (
        f"<html><body><nav><img src=logo.png></nav><article>{P}<img src=a.png alt='A cat'>{P}</article></body></html>"
    )
    made = second_opinion.read(html.extract(page, URL), page, URL)
    assert [image for image in made.images if image] == ["http://a.test/dir/a.png"]
    assert [meta.alt for meta in made.image_meta if meta] == ["A cat"]
    assert made.texts[0].startswith("The quick brown fox")
    assert len(made.texts) == len(made.images) == len(made.image_meta) == len(made.alternates)
    assert [(one.url.rpartition("/")[2], one.reason) for one in made.occurrences] == [
        ("logo.png", "boilerplate"),
        ("a.png", ""),
    ]
