"""What the parser writes, here and in a process of its own; what that must not take is in test_limits.py."""

import pytest
from small_pages import SENTENCE

from weft.transforms.extract.html import extract, limits, parser


def test_a_page_is_written_well_formed():
    assert "<body><p>one</p><p>two ?<br></p></body>" in parser.written("<p>one<p>two \ud800<br>")


def test_a_process_that_cannot_be_had_is_no_page_s_fault(monkeypatch):
    monkeypatch.setattr(parser, "__file__", "/none/parser.py")
    with pytest.raises(OSError, match=r"no process to parse in: .*No such file"):
        parser.written("<p>x", laborious=True)


def test_a_large_page_comes_back_from_the_process_of_its_own_as_it_would_be_here():
    html = f"<title>T</title><h1>é</h1><p>{SENTENCE * 3}<img src=a.jpg alt='A \ud800'></p>" + "<ul><li>x</ul>" * 15_000
    assert limits.laborious(html)
    assert parser.written(html, laborious=True) == parser.written(html.encode("utf-8", "replace").decode())
    assert extract(html, "http://site.test/").images.count("http://site.test/a.jpg") == 1
