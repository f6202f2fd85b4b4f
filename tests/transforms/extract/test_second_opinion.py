"""trafilatura's text, with weft's images and a fate for those that it leaves out."""

from weft.transforms.extract import second_opinion

URL = "http://a.test/dir/"
P = f"<p>{'The quick brown fox jumps over the lazy dog while nobody at all is watching it. ' * 5}</p>"


def test_images_keep_their_place_and_what_the_page_says_of_them():
    page = (
        f"<html><body><nav><img src=logo.png></nav><article>{P}<img src=a.png alt='A cat'>{P}</article></body></html>"
    )
    made = second_opinion.read(page, URL)
    assert [image for image in made.images if image] == ["http://a.test/dir/a.png"]
    assert [meta.alt for meta in made.image_meta if meta] == ["A cat"]
    assert made.texts[0].startswith("The quick brown fox")
    assert len(made.texts) == len(made.images) == len(made.image_meta) == len(made.alternates)
    assert [(one.url.rpartition("/")[2], one.reason) for one in made.occurrences] == [
        ("logo.png", "boilerplate"),
        ("a.png", ""),
    ]


def test_a_cell_or_item_that_holds_an_image_alone_leaves_no_text():
    cell = "<tr><td><img src={0}.png></td></tr><tr><td>{1}</td></tr>"
    rows = "".join(
        cell.format(n, f"The fox of row {n} jumps over the lazy dog, | and - nobody is watching it.") for n in "ab"
    )
    items = "<ul><li><img src=c.png></li><li>The dog sleeps on, as if there were no foxes.</li></ul>"
    page = f"<html><body><article>{P}<table>{rows}</table>{items}{P}</article></body></html>"
    made = second_opinion.read(page, URL)
    assert len([image for image in made.images if image]) >= 2
    texts = [text for text in made.texts if text is not None]
    assert all(text.strip(" |-\n") for text in texts)
    assert any("| and - nobody" in text for text in texts)
