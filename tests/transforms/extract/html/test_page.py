"""A page's texts and images in reading order, every image with one fate."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from small_pages import SENTENCE, URL, p

from weft.transforms.extract.html import extract
from weft.transforms.extract.html import page as page_of


def page(body, head=""):
    return f"<html><head><title>A title</title>{head}</head><body>{body}</body></html>"


def article(*parts):
    return page("<nav><a href=/>Home</a> <a href=/x>Other</a></nav><main><article><h1>Heading of this page</h1>"
                + "".join(parts) + "</article></main><footer>Copyright nobody</footer>")  # fmt: skip


def test_texts_and_images_alternate_in_reading_order():
    made = extract(
        article(p(), "<img src=a.jpg alt='An A'>", p(), "<p>Inline <img src=/b.png> picture, and more.</p>", p()), URL
    )
    kinds = ["t" if text is not None else "i" for text in made.texts]
    assert kinds == ["t", "i", "t", "i", "t"]
    assert [i for i in made.images if i] == ["http://site.test/dir/a.jpg", "http://site.test/b.png"]
    assert all((t is None) != (i is None) for t, i in zip(made.texts, made.images, strict=True))
    assert made.texts[2].endswith("Inline") and made.texts[4].startswith("picture, and more.")
    assert made.image_meta[1].alt == "An A" and made.title == "A title"
    assert "Home" not in "".join(t or "" for t in made.texts) and "Copyright" not in "".join(
        t or "" for t in made.texts
    )


def test_every_image_has_exactly_one_occurrence():
    html = article(p(), "<img src=a.jpg>", "<img>", "<img src='data:image/gif;base64,R0'>", "<svg><path/></svg>", p(),
                   "<img src='javascript:x'>", p())  # fmt: skip
    made = extract(html, URL)
    assert [o.reason for o in made.occurrences] == ["", "no_source", "data_uri", "svg_inline", "bad_url"]
    assert sum(not o.reason for o in made.occurrences) == sum(i is not None for i in made.images)


def test_furniture_images_are_named_boilerplate():
    html = page(f"<header><img src=logo.png><a href=/>x</a></header><main><article>{p()}<img src=a.jpg>{p()}</article></main>"
                "<aside><a href=1><img src=ad.png></a></aside><footer><img src=foot.png></footer>")  # fmt: skip
    made = extract(html, URL)
    assert [i for i in made.images if i] == ["http://site.test/dir/a.jpg"]
    assert [o.reason for o in made.occurrences] == ["boilerplate", "", "boilerplate", "boilerplate"]
    whole = extract(html, URL, main_content=False)
    assert sum(i is not None for i in whole.images) == 4


def test_text_is_readable():
    html = article(
        p(),
        "<ul><li>The first of the things to know<li>The second of the things to know</ul><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
        "<pre>def f():\n    return 1</pre>",
        "<p>broken<br>line &amp; entity</p>",
        "<script>var x = 'no';</script><style>p{}</style>",
        p(),
    )
    text = "\n".join(t for t in extract(html, URL).texts if t)
    assert "- The first of the things to know\n- The second" in text and "a | b\n1 | 2" in text
    assert "def f():\n    return 1" in text and "broken\nline & entity" in text
    assert "var x" not in text and "p{}" not in text


def test_what_is_said_is_not_said_again_in_another_place():
    said, code = (
        "A sentence that stands here, and in a box for small screens.",
        "print('the same code once more, in seven words')",
    )
    html = article(p(), f"<p>{said}</p>", p(), f"<pre>{code}</pre>", p(), f"<div class=post><pre>{code}</pre></div>", p(),
                   f"<div class=post><div>{said}</div></div>", p())  # fmt: skip
    found = "\n".join(text or "" for text in extract(html, URL).texts)
    assert found.count(said) == 1 and found.count(code) == 2 and found.count(SENTENCE * 2) == 5
    every = "\n".join(text or "" for text in extract(html, URL, main_content=False).texts)
    assert every.count(said) == 2


SAID = "Reset the device and wait for the light"


@pytest.mark.parametrize(
    ("one", "again"),
    [
        (f"<ul><li>{SAID}</ul>", f"<h2 id=q>{SAID}</h2>"),
        (f"<ol><li>{SAID}</ol>", f"<div class=note><ol><li><p>{SAID}</p></ol></div>"),
        (f"<pre><div class=line>{SAID}</div></pre>", f"<div class=post><pre class=b><div>{SAID}</div></pre></div>"),
        (f"<table><tr><td>{SAID}<td>x<tr><td>y<td>z</table>", f"<table><tr><td><p>{SAID}</p><td>x<tr><td>y<td>z</table>"),
        (f"<table><caption>{SAID}<tr><th>a<th>b<tr><td>1<td>2</table>",
         f"<div class=x><table><caption>{SAID}<tr><th>a<th>b<tr><td>3<td>4</table></div>"),
    ],
    ids=["contents and heading", "steps of two systems", "code by lines", "cells", "captions of tables of data"],
)  # fmt: skip
def test_what_belongs_to_its_place_is_said_again(one: str, again: str):
    made = extract(article(p(), one, p(), again, p(), f"<p>{SENTENCE}"), URL)
    assert "\n".join(text or "" for text in made.texts).count(SAID) == 2


@pytest.mark.parametrize(
    "said",
    [
        r"\(\text{name of statistic} = \frac{\text{measure of what we know}}{\text{measure of error}}\),",
        "$$ F = the measure of effect by the measure of error $$",
        "1 3 4 5 5 6 7 8 9 24",
    ],
)
def test_formulas_and_numbers_are_said_again_where_prose_is_not(said: str):
    prose = "A sentence of 24 words is said here and again in a section of its own."
    html = article(
        p(), f"<p>{said}</p><p>{prose}</p>", p(), f"<section class=post><p>{said}</p><p>{prose}</p></section>", p()
    )
    found = "\n".join(text or "" for text in extract(html, URL).texts)
    assert found.count(said) == 2 and found.count(prose) == 1


def test_menus_before_the_prose_and_tables_of_contents_are_left_out():
    def of(before, after=""):
        return "\n".join(
            text or "" for text in extract(page(f"<article>{before}{p()}{p()}{after}</article>"), URL).texts
        )

    names = ("Moving Images", "Live Music", "Audio Books", "Old Texts")
    menu = "".join(f"<td><a href=/{n}>{name}</a></td>" for n, name in enumerate(names))
    assert "Live Music" not in of(f"<table><tr>{menu}</tr></table><p>{SENTENCE}</p>")
    contents = "".join(f"<p><a href='#{n}'>{name}</a></p>" for n, name in enumerate(names))
    assert "Live Music" not in of(p(), contents + p() * 3)
    linked = "".join(f"<p><a href='/{n}'>{name}</a></p>" for n, name in enumerate(names))
    whole = extract(page(f"<article>{p()}{linked}{p()}{p()}</article>"), URL)  # links in the midst of prose stay
    assert "Live Music" in "\n".join(text or "" for text in whole.texts)


def test_headings_behind_the_prose_that_head_nothing_are_left_out():
    tail = "<h3>Categories</h3><img src=/a.png width=300 height=200 alt='A harbour'><h2>Top posts</h2>"

    def of(body: str) -> str:
        return "\n".join(text or "" for text in extract(page(f"<article>{body}</article>"), URL).texts)

    for behind in (tail, f"<h2>Related posts</h2>{tail}", f"<p>Like this:</p>{tail}"):
        assert of(p() + p() + behind).rstrip("\n") == of(p() + p())
    assert "Categories" in of(p() + tail + p()) and "Top posts" in of(p() + tail + p())
    assert "One" in of("".join(f"<h2>{name}</h2>" for name in ("One", "Two", "Three")))  # a page of headings alone


def test_items_know_their_table_of_data():
    data = "<table><caption>c</caption><tr><th>a<th>b<tr><td>1<td><img src=a.png>2</table>"
    plain = "<table><tr><td>a<td>b<tr><td>c<td>d</table>"  # data perhaps: nothing says so
    scan = page_of._scanner().scan(page(f"<p>x{data}<p>y{plain}{data}<p>z<table><tr><td>x<tr><td>{data}</table>"))
    found = page_of._tables(scan, page_of.grids(scan.source)).tolist()
    told = [(text or "image", table) for text, table in zip(scan.texts, found, strict=True)]
    one = ["c", "a | b", "1", "image", "2"]
    assert told == [("x", -1), *[(t, 0) for t in one], ("y", -1), ("a | b", -1), ("c | d", -1), *[(t, 1) for t in one],
                    ("z", -1), ("x", -1), *[(t, 2) for t in one]]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    ["Share this page", "Share on Facebook", "Read more", "Advertisement", "Follow us on X", "Main article: The fox",
     "Related: The fox", "Show more", "Reply", "Copy link", "Add to cart"],
)  # fmt: skip
def test_short_lines_that_ask_are_left_out(line):
    html = article(p(), f"<p>{line}</p>", p(), "<p>Share this view and you will see that it is a whole sentence, not a button, "
                   "which goes on.</p>", p())  # fmt: skip
    text = "\n".join(t for t in extract(html, URL).texts if t)
    assert line not in text and "it is a whole sentence" in text


def test_a_word_of_buttons_may_be_a_heading_or_an_entry():
    html = article(
        p(), "<h2>Close</h2>", p(), "<ul><li>Share<li>Reply</ul>", p(), "<dl><dt>Quote<dd>What one said.</dl>", p()
    )
    text = "\n".join(t for t in extract(html, URL).texts if t)
    assert all(word in text for word in ("Close", "Share", "Reply", "Quote"))


@pytest.mark.parametrize(
    "html",
    [
        "",
        "no markup at all",
        "<div>" * 5_000 + "deep" + "</div>" * 5_000,
        f"<p title='{'x' * 2_000_000}'>{SENTENCE}</p>",
        "<p>nul \x00 byte</p>",
        "<p>lone \ud800 surrogate</p>".encode("utf-8", "replace").decode(),
        "<svg><template><img src=a.jpg></template></svg>" * 50,
        "<table><tr><td>" * 500,
        "\ue0000\ue001 a mark of its own",
    ],
    ids=["empty", "plain", "deep", "long-attribute", "nul", "surrogate", "svg-template", "open-tables", "private-use"],
)
def test_hostile_pages_are_pages(html):
    made = extract(html, URL)
    assert len(made.texts) == len(made.images) == len(made.image_meta) == len(made.alternates)


def test_meta_elements_are_read():
    made = extract(page(p(), "<meta name=ROBOTS content='noai'><meta name=tdm-reservation content=1>"), URL)
    assert ("robots", "noai") in made.meta and ("tdm-reservation", "1") in made.meta


def test_meta_elements_in_the_body_are_read_too():
    made = extract(page("<div><meta name=robots content=noai></div>" + p()), URL)
    assert made.meta == [("robots", "noai")]


@pytest.mark.timeout(60)
def test_many_meta_elements_are_read_in_linear_time():
    made = extract(page(p(), "<meta name=a content=b>" * 20_000), URL)
    assert made.meta == [("a", "b")] * 20_000  # in quadratic time: many minutes


def test_threads_share_no_memory_of_tags():
    """One that forgets numbers its tags anew, and another would give those numbers twice on one page."""
    with ThreadPoolExecutor(1) as other:
        first, again = (other.submit(page_of._scanner).result() for _ in range(2))
    assert first is again is not page_of._scanner()
