"""trafilatura's text, with weft's images and a fate for those that it leaves out."""

import trafilatura
from trafilatura.deduplication import LRUCache

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


def test_texts_are_those_that_trafilatura_gives_without_images():
    """Asked for images too, it gives another text of this page: a caption, and a table that it takes for layout."""
    figure = "<figure><img src=a.png alt='A cat'><figcaption>The cat of the house, on its chair.</figcaption></figure>"
    rows = "".join(
        f"<tr><td><img src=r{n}.png></td><td>Row {n} of the table, and what it says.</td></tr>" for n in "abc"
    )
    page = f"<html><body><article>{P}{figure}{P}<table>{rows}</table><p>And so it ends, as it began.</p></article></body></html>"
    made = second_opinion.read(page, URL)
    plain = trafilatura.extract(page, url=URL, include_comments=False, favor_precision=True, deduplicate=LRUCache())
    assert "\n".join(text for text in made.texts if text) == plain
    assert made.images[1] == "http://a.test/dir/a.png" and made.texts[0] == made.texts[0].strip()


def test_an_image_stands_behind_the_last_line_that_both_readings_have():
    lines = ["One line.", "Another | line", "- A third", "One line."]
    shown = (
        "One line.\n![a](a.png) caption of a\nAnother line\n![b](b.png)\n- A third ![c](c.png)\n![d](d.png) One line."
    )
    placed = [(one.source[0], one.lines) for one in second_opinion._images(shown, lines)]
    assert placed == [("a", 1), ("b", 2), ("c", 3), ("d", 3)]
