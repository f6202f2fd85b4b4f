"""The compiled loops give the same as the Python that they stand for, of every page."""

import gc
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soup import SOUP

from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.html import compiled, extract, limits, to_text
from weft.transforms.extract.html.features import _gridded, _pictures, features
from weft.transforms.extract.html.model import SHIPPED, Model, shipped
from weft.transforms.extract.html.parser import TooComplex
from weft.transforms.extract.html.scan import MAX_KNOWN, Scan, Scanner
from weft.transforms.extract.html.source import HINTS, RAW, hinted, without_raw
from weft.transforms.extract.html.tag_values import Image

NAMES = shipped().names
SCANNERS = {True: Scanner(NAMES), False: Scanner(NAMES)}
ADDRESS = "http://site.test/a"
built = pytest.mark.skipif(compiled.module is None, reason="no compiler was there when weft was installed")
# Bits of pages as the parser writes them, and as it never would.
BITS = st.one_of(
    st.sampled_from((
        "<", ">", "<p>", "</p>", "<a", ' class="', '"', " ", "<td>", "</td>", "<tr>", " | ", "<br>", "<hr>", "<pre>", "</pre>",
        '<div class="wp-caption', "captıon", ' style="display:none"', ' style="DISPLAY: none"', ' id="menuItem-HTMLParser2"',
        '<div style=" role=" role="navigation">', '<div style=" hidden=" hidden="">', ' style="', ' role="', ' hidden="',
        "<span>", "</span>", ", b", "(", "）", '<hr class="a">', "<picture>", "</picture>", '<source srcset="a.jpg">', '<img src="a.jpg" alt="ΣΑΣ İ 1,234.5">',
        '<a href="/" class="more">', '<li role="menuitem/x y">', '<x-y hidden="">', "&amp;", "&amp;lt;", "&nbsp;", "\x00", "\n\n",
        "\u2003", "\x1f", "\U0001f600", "İΣ 12.5", '<div style="background:url(x.jpg)" role="img">', "<title>", '<base href="/b">',
        '<meta name="a" content="b">', "<b ", "<STRONG\t", "<nobr/", "='", "=", "/", "<font color=x", "<a\n", '<a rel="license" href="/by">', "</a>", "<noscript>", "</noscript>", "<figure>", "<svg>",
    )),
    st.text(max_size=8),
)  # fmt: skip

RAW_BITS = st.sampled_from((
    *(f"<{name}{after}" for name in RAW for after in (">", " ", "")), *(f"</{name}>" for name in RAW), "<!--", "-->", "--", ">", "é",
    "<!", '<script type="application/ld+json">{}', '<script type="math/tex">x^2', "+json", '<svg width="200" height="200">',
    "<path d='M0'/>" * 5, '<math display="block">', "<mi>x</mi>", '<img class="tex" alt="x^2" src="/a.png">', "<d-math block>x_1",
    '<span class="katex-html">', "</span>", '<div class="math ">\\(x\\)</div>', "日本", "\U0001f600",
))  # fmt: skip


def seen(work: Any, with_compiled: bool, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        if not with_compiled:
            patch.setattr(compiled, "module", None)
        try:
            return work(SCANNERS[with_compiled])
        except TooComplex as error:
            return str(error)


def all_of(page: Scan) -> dict[str, Any]:
    """Everything of a scan; numbers of tags, which depend on what was scanned before, by their first places."""
    first: dict[int, int] = {}
    found = dict(vars(page), tags=[tag[:3] for tag in page.tags])
    return found | {"alike": [first.setdefault(tag.number, len(first)) for tag in page.tags]}


def same(html: str, monkeypatch: pytest.MonkeyPatch, source: bool = False) -> None:
    def scanned(scanner: Scanner) -> dict[str, Any]:
        page = Scan()
        if source:
            scanner.read(html, page)
        else:
            page = scanner.scan(html)
        found: dict[str, Any] = {"counts": limits.counted(html), "formulas": hinted(html)}
        if page.texts:
            numbers = features(page, ADDRESS, NAMES, shipped().words)
            found |= numbers._asdict() | dict(enumerate(shipped()(numbers)))
        found = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in found.items()}
        return found | all_of(page)

    assert seen(scanned, True, monkeypatch) == seen(scanned, False, monkeypatch)
    if not source:
        whole = [seen(lambda _: extract(html, ADDRESS), way, monkeypatch) for way in (True, False)]
        assert whole[0] == whole[1]


@built
def test_on_the_demo_s_pages(small_web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    for path in sorted((small_web / "warcs").iterdir()):
        for record in itertools.islice(read_archive(str(path)), 0, None, 10):
            if isinstance(record, Record) and b"<" in record.body[:4096]:
                same(to_text(record.body, record.header("content-type")), monkeypatch)
                count += 1
    assert count > 10


@built
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 2_000 + "deep", "<b><p>" * 300, "<table><tr><td>x" * 500, f"<p class='{'relatedpost ' * 5_000}'>x",
        f"<div style='{'background:url(' * 4_000}'>x", "<img " + "data-x='.' " * 3_000 + ">", "<p>" + "&lt;" * 50_000,
        "<br>" * 5_000, "<figure>" * 1_000 + "<figcaption>x" * 1_000, "<noscript><img src=a>" * 2_000, "<pre>\n\n a \n</pre>",
        '<div style=" role=" role="navigation">x</div>', '<div style=" hidden=" hidden>x</div>',
        '<div id=" style=" style=" class=" class=" role=" role="navigation">x</div>', "<div class='" + "main " * 300 + "'>x" * 9,
        "<picture><source srcset=''></picture><picture><source srcset=a.jpg></picture>",
        "<p>" + "".join(map(chr, range(1, 0xD7FF))), "<p>" + "<i>".join(map(chr, range(0x1F000, 0x1F900))),
    ],
    ids=lambda html: html[:12],
)  # fmt: skip
def test_on_hostile_pages(html: str, monkeypatch: pytest.MonkeyPatch) -> None:
    same(html, monkeypatch)


@built
@given(SOUP)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_on_soup(html: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        same(html, monkeypatch)


@built
@given(st.lists(BITS, max_size=40).map("".join))
@settings(max_examples=600, deadline=None, derandomize=True)
def test_on_what_no_parser_writes(source: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        same(source, monkeypatch, source=True)


@built
@given(st.lists(st.one_of(RAW_BITS, BITS), max_size=30).map("".join), st.sampled_from(("", *HINTS)), st.booleans())
@settings(max_examples=600, deadline=None, derandomize=True)
def test_the_same_is_cut_out(source: str, hint: str, figures: bool) -> None:
    def left(_: Scanner) -> Any:
        found: tuple[list[str], list[str], dict[str, str] | None] = [], [], {} if figures else None
        return without_raw(hint + source, *found), *found

    with pytest.MonkeyPatch.context() as monkeypatch:
        assert seen(left, True, monkeypatch) == seen(left, False, monkeypatch)


@built
@given(
    st.lists(
        st.one_of(
            st.sampled_from((
                " width=\"", " height=\"", ' alt="', ' src="', ' data-src="', ' data-a-b="', " data-", '"', "data:", "12", " 4097", "٣",
                "\u2003", ".jpg", ".JPEG", ".svg", ".Webp", ".gİf", "srcset=", "x" * 250, "=", " ", "-",
            )),
            st.text(max_size=4),
        ),
        max_size=20,
    ).map("".join),
    st.sampled_from(("", 'a href="/x.jpg"', 'a href="/x"')), st.booleans(),
)  # fmt: skip
@settings(max_examples=600, deadline=None, derandomize=True)
def test_the_same_is_said_of_images(tag: str, link: str, whether: bool) -> None:
    page = Scan()
    page.images = {1: Image("img" + tag, ["a 1x"] if whether else [], link, whether)}
    with pytest.MonkeyPatch.context() as monkeypatch:
        rows = [seen(lambda _: _pictures(page, 3) + 0.0, way, monkeypatch) for way in (True, False)]
    # Logarithms may differ in their last bit, before they are rounded to the grid.
    assert np.abs(rows[0] - rows[1]).max() < 1e-12
    assert (_gridded(rows[0]) == _gridded(rows[1])).all()


@built
@given(st.lists(st.sampled_from(("ab", "b", "a", "é", "日", "\U0001f600", "x" * 130, "abab ")), max_size=12).map("".join),
       st.sampled_from(("ab", "abab", "bxb", "aé")), st.integers(-3, 300), st.one_of(st.none(), st.integers(0, 900)))  # fmt: skip
def test_words_are_found_where_they_stand(text: str, word: str, begin: int, end: int | None) -> None:
    begin = max(begin, 0)
    if word.isascii():
        assert compiled.find(text, word, begin, end) == text.find(word, begin, end)
    else:
        with pytest.raises(TypeError):
            compiled.find(text, word, begin, end)


@built
def test_a_letter_is_lowered_to_one() -> None:
    assert [c for c in range(0x110000) if len(chr(c).lower()) != 1] == [0x130]  # _compiled.c knows of it


@built
def test_what_it_took_of_a_page_it_gives_back() -> None:
    chance = random.Random(3)
    pages = [
        f"<div class='c{n} {chance.choice('abc') * 4}' id=x{n} role=main><a class=k{n}>ağ {n}</a><img src={n}.jpg></div>"
        * 20
        for n in range(40)
    ]
    scanner = Scanner(NAMES)
    counted = []
    for _ in range(8):
        for page in pages:
            scanner.scan(page)
        gc.collect()
        counted.append(sys.getallocatedblocks())
    # What is not given back grows each time; what other threads of this process take does not.
    assert min(after - before for before, after in itertools.pairwise(counted[2:])) < len(pages) // 2, counted


@pytest.mark.parametrize("with_compiled", [pytest.param(True, marks=built), False])
def test_what_a_style_says_is_no_attribute(with_compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for html, name in (
        ('<div style=" role=" role="navigation">x</div>', "role:navigation"),
        ('<div style=" hidden=" hidden>x</div>', "@hidden"),
    ):
        page = seen(lambda scanner, html=html: scanner.scan(html), with_compiled, monkeypatch)
        assert page.tags[1].names == (NAMES[name],)


FAILING = r"""
import _testcapi
from weft.transforms.extract.html import compiled, scan, source
from weft.transforms.extract.html.features import _gridded, _pictures, features
from weft.transforms.extract.html.model import shipped

SOURCE = ('<title>t</title><meta name="a" content="b"><base href="/b"><div class="post" style="background:url(x.jpg)" role="main">'
          '<a href="/" class="k" rel="license">\u0130x</a><img src="a.jpg"><picture><source srcset="a.jpg"></picture><svg><p ')
RAW = '<p><!-- c --><style>a</style><svg><g></g></svg><script type="application/ld+json">{}</script><math>x</math><object>'
names = shipped().names


class Recorded:  # what is asked of the compiled module
    calls = {}

    def __getattr__(self, name):
        return lambda *given: self.calls.setdefault(name, given) and getattr(module, name)(*given)


module, compiled.module = compiled.module, Recorded()
page = scan.Scan()
scan.Scanner(names).read(SOURCE, page)
shipped()(features(page, "", names, shipped().words))
compiled.module = module
works = {name: lambda name=name, given=given: getattr(module, name)(*given) for name, given in Recorded.calls.items()}
works["walk"] = lambda: scan.Scanner(names).read(SOURCE, scan.Scan())
works["cut"] = lambda: source.without_raw(RAW, [], [])
for name, work in works.items():
    work()  # what is made at the first time only
    for failed in range(100_000):
        _testcapi.set_nomemory(failed, failed + 1)
        try:
            work()
        except MemoryError:
            continue
        finally:
            _testcapi.remove_mem_hooks()
        break
    print(name, failed)
"""


@built
def test_without_memory_there_is_a_memory_error() -> None:
    """Any one allocation fails; another error (a SystemError) ends the script."""
    pytest.importorskip("_testcapi")
    done = subprocess.run([sys.executable, "-P", "-c", FAILING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    failed = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
    least = {"walk": 50, "cut": 10, "repeats": 2, "structured": 6, "featured": 4}
    assert all(failed[name] >= count for name, count in least.items()), failed


@built
def test_a_fault_of_its_own_is_no_page_s() -> None:
    """A page's fate is made of ValueErrors, and of these nothing is."""
    assert compiled.module
    ends, rows = np.array([1]), np.zeros((1, 4))
    with pytest.raises(IndexError, match="add_rows: numbers beyond"):
        compiled.module.add_rows(np.zeros((2, 4)), np.array([2]), ends, rows, 4, 0)
    with pytest.raises(IndexError, match="ranged: numbers beyond"):
        compiled.module.ranged(*(np.array(each) for each in ([1], [], [], [], [0], [0] * 4, [0] * 4)))
    alike, rows = np.zeros(1, np.int64), np.zeros((9, 1))
    low, high, sums, made = np.full((4, 1), 7), np.full((4, 1), 1), np.zeros((8, 2)), np.zeros((1, 89))
    each = [rows, *[alike] * 5, *[np.zeros(1)] * 2, low, high, np.zeros((12, 1)), sums, np.zeros(1), made]
    with pytest.raises(IndexError, match="featured: numbers beyond"):
        compiled.module.featured(*each, 1, 2, 3, 4)
    with pytest.raises(TypeError, match="cut"):
        compiled.module.cut("<éé>", ("éé",), [], None)
    with pytest.raises(SystemError, match="activate: what should be a contiguous array"):
        compiled.module.activate(np.zeros((4, 4))[:, :2], np.zeros(2))
    with pytest.raises(TypeError, match="counted"):
        compiled.module.counted()


@built
def test_weights_may_lie_in_any_order() -> None:
    page = SCANNERS[True].scan("<div class=post><h1>A title</h1><p>A text.<img src=a.jpg></div>")
    numbers = features(page, ADDRESS, NAMES, shipped().words)
    with np.load(SHIPPED) as arrays:
        turned = Model({key: np.asfortranarray(value) for key, value in arrays.items()})
    assert [logits.tolist() for logits in turned(numbers)] == [logits.tolist() for logits in shipped()(numbers)]


@pytest.mark.parametrize("with_compiled", [pytest.param(True, marks=built), False])
def test_what_is_long_is_not_remembered(with_compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not with_compiled:
        monkeypatch.setattr(compiled, "module", None)
    scanner = Scanner(NAMES)
    for name in ("class", "id", "style", "role", "data-x", "title"):
        for tag in ("div", "p", "a", "span", "img", "b", "br", "x-y"):
            scanner.scan(f"<{tag} {name}='{'main ' * 300}'>x</{tag}><{tag} {name}=a>x</{tag}>")
    memory = [known for known in vars(scanner).values() if isinstance(known, dict) and known is not NAMES]
    known = [key for keys in memory for key in keys if isinstance(key, str)]
    assert len(known) > 40 and max(map(len, known)) <= MAX_KNOWN


@built
@given(
    st.lists(
        st.one_of(
            st.sampled_from([part for hint in HINTS for part in (hint, hint[:-1], hint[1:])]), st.text(max_size=3)
        )
    )
)
def test_hints_of_formulas_are_found_wherever_they_stand(parts: list[str]) -> None:
    page = "".join(parts)
    assert hinted(page) == any(hint in page for hint in HINTS)


def test_one_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (Path(compiled.__file__).parent / "_compiled.c").read_text("utf-8")
    assert f"#define VERSION {compiled.VERSION} " in source
    monkeypatch.setattr(compiled, "VERSION", -1)
    module, lacking = compiled.built()
    assert module is None and lacking


def test_the_python_ones_can_be_asked_for() -> None:
    code = "from weft.transforms.extract.html import compiled; print(compiled.module)"
    environment = {**os.environ, "WEFT_COMPILED": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "None", done.stderr
