"""Rules on a page's text, as a page meets them: what a line loses is nowhere, and each rule is a fate of its own."""

import re

import pytest

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.archives.record import Record
from weft.transforms.extract import page

PROSE = [
    f"The {n}th bridge of the town was built by people who had come down the river to live there in peace."
    for n in range(4, 30)
]
OFF = {"min_words": 0, "gibberish": False, "languages": ()}


def process(lines, **options):
    shown = "".join(
        f'<img src="/{line[4:]}.jpg" alt="a picture of {line[4:]}" width=300 height=200>'
        if line.startswith("img:")
        else f"<p>{line}</p>"
        for line in lines
    )
    body = f"<html><body><article>{shown}</article></body></html>".encode()
    headers = (("content-type", "text/html; charset=utf-8"),)
    record = Record("response", "http://w.test/", "", 0, "urn:x", 0, 200, headers, body, "", "w.warc.gz")
    return page.extract_page(record, PageRules(main_content=False, **{**OFF, **options}))


def reason(lines, **options):
    return process(lines, **options).fates[0].reason


def test_lines_go_and_images_and_their_pairs_stay_where_they_are():
    found = process([*PROSE[:5], "img:one", "Menu", "img:two", *PROSE[5:]], c4="code")
    document = found.document
    images = [image for image in document.images if image]
    assert images == ["http://w.test/one.jpg", "http://w.test/two.jpg"]
    assert "Menu" not in str(document.texts) and len(document.texts) == len(document.images) == 4
    assert [a is None for a in document.texts] == [b is not None for b in document.images]
    assert len(document.image_meta) == len(document.alternates) == 4
    assert [(pair.image_url, pair.text) for pair in found.pairs] == [
        (url, f"a picture of {url[14:17]}") for url in images
    ]
    kept = [fate.key for fate in found.fates if fate.kind == "image" and fate.fate == "kept"]
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("options", "lines", "expected"),
    [
        ({"c4": "code"}, [*PROSE, "All of this is lorem ipsum text."], "c4_lorem_ipsum"),
        ({"c4": "paper"}, PROSE[:4], "c4_too_few_sentences"),
        ({"refinedweb_lines": True}, [*PROSE[:3], *["3 likes"] * 9], "refinedweb_lines"),
        ({"gopher_repetition": True}, [*PROSE[:3], *PROSE[:3]], "repetition_paragraphs"),
        ({"gopher_quality": True}, [f"{n} 1 2 3 4 5 6" for n in range(900, 990)], "gopher_word_length"),
        ({"fineweb_quality": True}, [line[:-1] for line in PROSE], "fineweb_punctuation"),
    ],
)
def test_each_rule_is_off_until_it_is_asked_for(options, lines, expected):
    assert reason(lines, **options) == expected
    assert reason(lines) == ""


def test_prose_passes_all_of_them_but_the_one_that_knows_templates():
    everything = {"c4": "code", "refinedweb_lines": True, "gopher_quality": True, "fineweb_quality": True}
    assert reason(PROSE, **everything) == ""
    assert reason(PROSE, gopher_repetition=True) in ("repetition_top_ngram", "repetition_ngrams")


def test_a_caption_may_have_too_many_words():
    lines = [*PROSE, "img:one", PROSE[0]]
    assert len(process(lines, max_pair_words=4).pairs) == 1
    assert process(lines, max_pair_words=3).pairs == []


def test_images_with_forbidden_words_in_their_address_have_no_place_and_no_pair():
    lines = [*PROSE[:5], "img:one", "img:site-LOGO", *PROSE[5:9], "img:two", *PROSE[9:]]
    found = process(lines, image_url_forbidden=("logo", "icon"))
    images = [image for image in found.document.images if image]
    assert images == ["http://w.test/one.jpg", "http://w.test/two.jpg"]
    assert [(pair.image_url, pair.text) for pair in found.pairs] == [
        (images[0], "a picture of one"),
        (images[1], "a picture of two"),
    ]
    assert [fate.reason for fate in found.fates if fate.kind == "image"] == ["", "forbidden_url", ""]
    parallel = {len(getattr(found.document, name)) for name in ("texts", "images", "image_meta", "alternates")}
    assert len(parallel) == 1
    assert len([image for image in process(lines).document.images if image]) == 3


def test_personal_data_is_masked_in_texts_and_captions_or_drops_the_page():
    lines = [*PROSE, "Write to jo@here.org or call 855-543-3784.", "img:jo@here.org", PROSE[0]]
    assert "jo@here.org" in process(lines).document.texts[0]
    found = process(lines, pii="mask")
    said = " ".join([text or "" for text in found.document.texts] + [pair.text for pair in found.pairs])
    assert "jo@" not in said and said.count("email@example.com") >= 1 and "call 555-0100." in said
    assert process(lines, pii="mask", pii_kinds=("ip",)).document.texts == process(lines).document.texts
    dropped = process(lines, pii="drop")
    assert (dropped.fates[0].reason, dropped.fates[0].detail) == ("personal_data", "2 email, 1 phone")


MARKED = """<html><body><article><h2>Barns of the north</h2><p>The <b>old</b> barn was built by hand of stone in 1890 [1].
<ul><li>It stands to this day on the hill above the river.<li>Menu</ul><pre><code class="language-py">x = 1
print(x)</code></pre><table><tr><th>Year<th>Barns<tr><td>1890<td>12</table><p>Nobody knows who the builders of it were.
<p>It was painted red by the children of the village.</article></body></html>"""


def marked(**options):
    given = {"main_content": False, **OFF, **options}
    return page.extract_html(MARKED, "http://w.test/", PageRules(**given))


@pytest.mark.parametrize(
    "options",
    [{}, {"c4": "code"}, {"c4": "paper"}, {"refinedweb_lines": True}, {"gopher_quality": True, "min_words": 5}],
)
def test_rules_judge_the_same_in_both_forms(options):
    plain, markdown = (marked(markup=markup, **options) for markup in ("plain", "markdown"))
    assert [fate[:6] for fate in plain.fates] == [fate[:6] for fate in markdown.fates]
    if plain.document:
        said = [re.findall(r"\w+", form.document.texts[0].replace("```py\n", "")) for form in (plain, markdown)]
        assert said[0] == said[1]


def test_markdown_is_what_the_rules_leave():
    assert marked(markup="markdown").document.texts[0] == (
        "## Barns of the north\n\nThe **old** barn was built by hand of stone in 1890 [1].\n\n"
        "- It stands to this day on the hill above the river.\n- Menu\n\n```py\nx = 1\nprint(x)\n```\n\n"
        "| Year | Barns |\n| --- | --- |\n| 1890 | 12 |\n\nNobody knows who the builders of it were.\n\n"
        "It was painted red by the children of the village."
    )
    assert marked(markup="markdown", c4="code").document.texts[0] == (
        "The old barn was built by hand of stone in 1890 .\n\n- It stands to this day on the hill above the river.\n\n"
        "Nobody knows who the builders of it were.\n\nIt was painted red by the children of the village."
    )


def test_personal_data_is_masked_in_markdown():
    body = "<h2>Write</h2><p>Mail <b>jane.roe@farm.here.org</b> for the hay of this year."
    given = {"main_content": False, **OFF}
    made = page.extract_html(body, "http://w.test/", PageRules(markup="markdown", pii="mask", **given))
    assert "jane.roe" not in made.document.texts[0] and made.document.texts[0].startswith("## Write\n\nMail **")


def test_only_the_fast_walk_writes_markdown():
    with pytest.raises(ConfigError, match=r"needs extract\.extractor"):
        PageRules(markup="markdown", extractor="trafilatura")


def test_a_page_that_is_surely_in_another_language_is_never_looked_through(monkeypatch):
    told = "Der Ausschuss war sich einig, dass die alte Brücke vor dem Winter repariert werden soll."
    options = {"languages": ("en",)}
    late = process([told] * 20, look_first=False, **options).fates
    monkeypatch.setattr(page.html, "extract", None)
    early = process([told] * 20, **options).fates
    assert [fate.reason for fate in early] == [fate.reason for fate in late] == ["language"]
    assert early[0].detail == "de 1.00 at first look" and late[0].detail == "de 1.00"
