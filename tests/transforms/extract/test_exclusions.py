"""What lists say is excluded, and rows of pages without it."""

import gzip
import re

import pytest

from weft.schemas.parameters import ConfigError, PageRules
from weft.schemas.records import Capture, Fate
from weft.transforms.extract import exclusions
from weft.transforms.extract.page import extract_html

PAGE = """<h1>Barns of the valley</h1><p>Ours is red, and older than the house that stands beside it.</p>
<img src=/barn.jpg alt='A red barn'><p>Theirs is grey, because nobody has painted it for fifty years now.</p>
<img src=https://pics.test/d/grey.jpg alt='A grey barn'><p>Both stand.</p>"""
RULES = PageRules(min_words=0, languages=(), main_content=False)
URL = "https://farm.test/barns/"
RESULT = extract_html(PAGE, URL, RULES)
DOC = RESULT.document.doc_id


def rows():
    yield Fate("extract", "record", "a:1", "kept", "", "")
    yield from RESULT.rows()
    yield Capture("https://pics.test/d/grey.jpg", "a", 2, "image/jpeg", 0)
    yield Fate("extract", "record", "a:3", "dropped", "request", "")


def without(*lines):
    return list(exclusions.withhold(rows(), exclusions.parse(lines, "list")))


def fates(found, kind):
    return [(row.fate, row.reason) for row in found if isinstance(row, Fate) and row.kind == kind]


@pytest.mark.parametrize(
    "line",
    [
        "http://www.farm.test/barns",
        "farm.test",
        "farm.test/barns",
        DOC,
        "http://www.farm.test/barns \t # by letter",
        "farm.test# x",
    ],
)
def test_a_page_goes_with_all_that_is_of_it(line):
    found = without("# a comment", "", line)
    assert fates(found, "page") == [("dropped", "excluded")] and fates(found, "image") == fates(found, "pair") == []
    assert [type(row).__name__ for row in found] == ["Fate", "Fate", "Capture", "Fate"]


@pytest.mark.parametrize("line", ["http://pics.test/d/grey.jpg", "pics.test", "pics.test/d"])
def test_an_image_goes_with_its_pair_and_its_place(line):
    found = without(line)
    assert fates(found, "page") == [("kept", "")]
    assert fates(found, "image") == fates(found, "pair") == [("kept", ""), ("dropped", "excluded")]
    document = next(row for row in found if type(row).__name__ == "Document")
    assert [url for url in document.images if url] == ["https://farm.test/barn.jpg"]
    assert len(document.texts) == len(document.images) == len(document.image_meta) == len(document.alternates)
    assert [row.text for row in found if type(row).__name__ == "Pair"] == ["A red barn"]


@pytest.mark.parametrize("whole", [False, True])
def test_a_pair_goes_and_its_image_stays(whole):
    pair = RESULT.pairs[0]
    found = without(f"{pair.doc_id}:{pair.pair_id}" if whole else pair.pair_id)
    assert (
        fates(found, "pair") == [("dropped", "excluded"), ("kept", "")] and fates(found, "image") == [("kept", "")] * 2
    )


def test_what_is_excluded_already_makes_no_difference():
    first, second = (exclusions.parse([line], "list") for line in ("pics.test", RESULT.pairs[0].pair_id))
    both = exclusions.parse(["pics.test", RESULT.pairs[0].pair_id], "list")
    assert list(exclusions.withhold(exclusions.withhold(rows(), first), second)) == list(
        exclusions.withhold(rows(), both)
    )
    assert without() == list(rows())


def test_what_is_near_a_name_is_not_it():
    asked = exclusions.parse(["farm.test/barn", "arm.test", "https://farm.test/barns/x"], "list")
    assert not asked.page(URL, DOC) and not asked.image("https://farm.test/barn.jpg") and not asked.image("")
    assert asked.page("https://www.arm.test/", "") and asked.image("http://farm.test/barn/1.jpg")


def test_images_by_content():
    asked = exclusions.parse(["A" * 64, "0123456789abcdef"], "list")
    assert (
        asked.content("a" * 64, "") and asked.content("", "0123456789abcdef") and not asked.content("b" * 64, "0" * 16)
    )


def test_lists_are_read_once_together_and_ut1_directories_too(tmp_path):
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult/domains").write_text("farm.test\n1.2.3.4\n")
    (tmp_path / "adult/urls").write_text("pics.test/d\n")
    (tmp_path / "mine").write_text(f"{DOC}\r\n# said in\u2028a.test\rhttp://a.test/#x\n")
    paths = (str(tmp_path / "adult"), str(tmp_path / "mine"))
    asked = exclusions.load(paths)
    assert (
        asked.page("http://farm.test/", "") and asked.image("http://pics.test/d/1") and asked.page("http://b.test", DOC)
    )
    assert exclusions.contents(paths) == exclusions.contents(paths[::-1]) != exclusions.contents(paths[:1])
    assert exclusions.entries(paths[1]) == {DOC, "http://a.test/#x"}
    assert exclusions.load(()) is None
    with pytest.raises(ConfigError, match="cannot read the list"):
        exclusions.load((str(tmp_path / "none"),))


@pytest.mark.parametrize(
    "line",
    [
        "no such thing", "http://farm.test/barns taken down", "farm.test/barns all", "*.farm.test", "farm.test/*",
        "http://farm.test/*", "farm.test,", "jo@farm.test", "farm.test/barns?id=7", "localhost", "farm..test",
        "ftp://farm.test/barns", "http:///barns", "http://farm.test,/barns", "[::1]", "farm.test;barns", "0" * 31,
    ],
)  # fmt: skip
def test_a_line_that_would_match_nothing_is_an_error(line, tmp_path):
    with pytest.raises(ConfigError, match=rf"list, line 2: '{re.escape(line)}'"):
        exclusions.parse(["", line], "list")
    (tmp_path / "domains").write_text(f"farm.test\n{line}\n")  # of a large list of others
    assert exclusions.load((str(tmp_path),)).page("http://farm.test/", "")
    assert exclusions.entries(str(tmp_path)) == {"farm.test"}  # so that a copy is a list of one's own


WRITTEN = {  # an entry, and addresses that it means however they are written
    "Farm.test/barns": ["http://farm.test/barns/x", "https://www.farm.test/barns"],
    "WWW.Farm.test": ["http://farm.test/", "http://www.FARM.test./x"],
    "bücher.test": ["http://xn--bcher-kva.test/x", "http://bücher.test/x", "http://a.BÜCHER.test/x"],
    "xn--bcher-kva.test/d": ["http://bücher.test/d/x"],
    "http://bücher.test/x": ["http://xn--bcher-kva.test/x"],
    "farm.test:8080": ["http://farm.test:8080/x", "http://farm.test/x"],
    "farm.test:8080/a": ["http://farm.test:8080/a/x"],
    ".farm.test": ["http://farm.test/x"],
    "farm.test.": ["http://a.farm.test/x"],
    "\ufefffarm.test": ["http://farm.test/x"],
    "farm.test/caf%C3%A9": ["http://farm.test/café/x", "http://farm.test/caf%c3%a9/x", "http://farm.test/caf%C3%A9"],
    "farm.test/café": ["http://farm.test/caf%C3%A9/x"],
    "farm.test/%7Eann": ["http://farm.test/~ann/x"],
    "farm.test//a/": ["http://farm.test//a/x", "http://farm.test/a/"],
    "192.0.2.1": ["http://192.0.2.1:81/x"],
    "HTTP://FARM.test/A%2A": ["http://farm.test/A*", "https://www.farm.test/A*"],
    "https://www.farm.test/x.jpg": ["http://farm.test/x.jpg", "https://farm.test:443/x.jpg"],
    "http://farm.test/x.jpg": ["https://www.farm.test/x.jpg"],
}


@pytest.mark.parametrize("entry", WRITTEN)
def test_an_entry_means_an_address_however_either_is_written(entry, tmp_path):
    (tmp_path / "list").write_text(f"{entry}\n", encoding="utf-8")
    asked = exclusions.load((str(tmp_path / "list"),))
    for url in WRITTEN[entry]:
        assert asked.page(url, "") and asked.image(url), url
    assert not asked.page("http://other.test/x", "") and not asked.image("http://farm.test.other.test/x.jpg")


@pytest.mark.parametrize(
    ("entry", "other"),
    [
        ("http://a.test/%EF%F0%E8.html", "http://a.test/%E4%EE%EC.html"),
        ("a.test/%EF%F0%E8", "http://a.test/%E4%EE%EC/x"),
        ("http://a.test/s?q=%E0", "http://a.test/s?q=%E1"),
        ("http://a.test/x%3Fid=7", "http://a.test/x?id=7"),
        ("a.test/x%3Fid=7", "http://a.test/x?id=7"),
    ],
)
def test_bytes_of_an_address_that_are_no_utf_8_name_no_other_page(entry, other):
    asked = exclusions.parse([entry], "list")
    itself = entry if "://" in entry else f"http://{entry}"
    assert asked.page(itself, "") and asked.image(itself) and not asked.page(other, "") and not asked.image(other)


@pytest.mark.parametrize("cut", [0, 9])
def test_a_list_may_be_packed_and_one_that_is_cut_is_told(tmp_path, cut):
    packed = gzip.compress(b"\xef\xbb\xbffarm.test\n" * 50)
    (tmp_path / "list").write_bytes(packed[: len(packed) - cut])
    if cut:
        with pytest.raises(ConfigError, match=r"cannot read the list .*list: "):
            exclusions.load((str(tmp_path / "list"),))
    else:
        assert exclusions.load((str(tmp_path / "list"),)).page("http://farm.test/x", "")


def test_what_comes_before_the_fate_of_its_page_is_a_fault_and_is_not_let_through():
    with pytest.raises(ValueError, match="a Document before the fate of its page"):
        list(exclusions.withhold([RESULT.document, *RESULT.fates], exclusions.parse(["a.test"], "list")))


def test_a_list_that_is_edited_is_another_list_also_where_it_was_read_before(tmp_path):
    path = tmp_path / "list"
    path.write_text("a.test\n")
    begun = exclusions.contents([str(path)])
    assert exclusions.load((str(path),)).page("http://a.test/", "")
    exclusions.as_begun((str(path),), begun)
    path.write_text("bb.test\n")
    assert not exclusions.load((str(path),)).page("http://a.test/", "")
    with pytest.raises(ConfigError, match="was edited while the run goes on"):
        exclusions.as_begun((str(path),), begun)
    path.write_text("a.test  # as before\n")
    assert exclusions.as_begun((str(path),), begun) == exclusions.load((str(path),))


def test_a_figure_that_is_drawn_in_a_page_goes_alone_and_with_its_page():
    page, figure, other = "https://www.a.test/x", f"http://a.test/x#svg={'0' * 64}", f"http://a.test/x#svg={'1' * 64}"
    alone = exclusions.parse([f"{figure} # by its address"], "list")
    assert alone.image(figure.replace("http:", "https:")) and not alone.image(other) and not alone.page(page, "")
    assert exclusions.parse(["a.test/x"], "list").image(figure) and exclusions.parse(["a.test"], "list").image(other)
