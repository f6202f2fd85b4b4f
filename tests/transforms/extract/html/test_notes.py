"""The marks of a page's notes and headings go; numbers that are part of a sentence stay."""

import pytest

from weft.transforms.extract.html import extract
from weft.transforms.extract.html.notes import without_marks
from weft.transforms.extract.html.parser import written

MEDIAWIKI = '<sup id="cite_ref-1" class="reference"><a href="#cite_note-1"><span>[</span>1<span>]</span></a></sup>'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"in 1984{MEDIAWIKI}.", "in 1984."),
        (f"in 1984{MEDIAWIKI}{MEDIAWIKI}.", "in 1984."),
        ('in 1984<sup>[<a href="#n1">1</a>, <a href="#n2">2</a>]</sup>.', "in 1984."),
        ('in 1984<a href="notes.html#n1"><sup>1</sup></a>.', "in 1984."),  # pandoc
        ('in 1984<a href="#n1" id="r1"><sup>*</sup></a>.', "in 1984."),
        ('in 1984<a id="F1"></a><a href="#Footnote_1" class="fnanchor">[1]</a>.', "in 1984."),  # Project Gutenberg
        ('in 1984<a href="#fn:1" class="footnote-ref" role="doc-noteref">1</a>.', "in 1984."),
        ('A note. <a href="#fnref:1" class="footnote-backref" role="doc-backlink">↩︎</a>', "A note. "),
        ('<span class="mw-cite-backlink"><b><a href="#cite_ref-2">^</a></b></span> Vasari <sup></sup>', " Vasari "),
        ('<span class="mw-cite-backlink">^ <a href="#c"><sup><i>a</i></sup></a></span> Vasari', "  Vasari"),
        ('of a king<sup class="noprint Inline-Template"><i>[<a href="/w">citation needed</a>]</i></sup>', "of a king"),
        ('is defined as<sup class="reference nowrap">:<span>p. 234</span></sup>.', "is defined as."),
        (
            '<span>History</span><span class="mw-editsection"><span class="mw-editsection-bracket">[</span><a href="/e?s=1" title="Edit">'
            '<span>edit</span></a><span class="mw-editsection-bracket">]</span></span>',
            "History",
        ),
        (
            '<span class="editsection">[<a href="/e">edit</a>]</span> <span class="mw-headline">History</span>',
            " History",
        ),
        ('Install<a class="headerlink" href="#i" title="Permalink">¶</a>', "Install"),
        ('<a id="i" class="anchor" aria-hidden="true" href="#i">#</a>Install', "Install"),
        ('<a class="headerlink" href="#i">Install</a> <a href="#i" class="number">#</a>', "Install #"),
        # No mark of a note: part of a sentence, a power, a word, a place elsewhere.
        ('as <a href="#b12">[12]</a> shows, <sup>x</sup>', "as [12] shows, x"),
        ("10<sup>5</sup> is 10 x 10<sup>4</sup>", "10^5 is 10 x 10^4"),
        ('the 1<sup><a href="/first">st</a></sup>', "the 1st"),
        ('area in m<sup><a href="/wiki/Square_metre">2</a></sup>', "area in m2"),
        ('<sup><a href="#top">To the top</a></sup> <a href="#">1</a>', "To the top 1"),
    ],
)
def test_marks_of_notes_go_and_nothing_else(body: str, text: str) -> None:
    import re

    made = without_marks(written(f"<p>{body}</p>"))
    made = made if "10<" not in body else made.replace("<sup>", "^")
    assert re.sub(r"<[^<>]*>", "", made[made.index("<p>") :]).rstrip("\n") == text


def test_a_page_reads_as_without_its_notes() -> None:
    said = "The tower was built in {} by masons of the town, who were paid {} crowns a year for their work."
    page = "<p>" + said.format(f"1380{MEDIAWIKI}", '12<sup><a href="#n">2</a></sup>') + "</p>"
    assert extract(page, "http://site.test/").texts == [said.format("1380", "12")]
