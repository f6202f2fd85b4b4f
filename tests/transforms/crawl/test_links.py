import gzip

import pytest

from weft.schemas.parameters import Manners
from weft.transforms.crawl import links
from weft.transforms.extract import cpu_budget, html
from weft.transforms.extract.html import parser, scan

HTML = "text/html; charset=utf-8"
PAGE = """<head><title>t</title>{meta}</head><body><h1>Barns</h1><p>Ours is red, and it stands in a field of barley since
the year in which the old one burnt down.</p><img src="barn.jpg" alt="A red barn"><a href="next#top">next</a>
<a href="next">again</a><a href="/x" rel="sponsored nofollow">no</a><a href="mailto:a@b.test">no</a><a :href="item.url">no</a><a href="real" :href="url">yes</a><a href="/v" rel="nofollow" :rel="r">no</a><a>no</a><a href=''>no</a><svg><a href="/s">no</a></svg><!-- <a href="/c"> --></body>"""


def leads(meta: str = "", headers: tuple[tuple[str, str], ...] = (), **told) -> links.Leads:
    told = {"main_content": False, "counted": Manners().honoured, **told}
    return links.of_page(PAGE.format(meta=meta).encode(), HTML, "http://a.test/farm/", list(headers), **told)


def test_links_are_absolute_and_stand_once():
    assert leads().links == ["http://a.test/farm/next", "http://a.test/farm/real"]
    assert leads().images == ["http://a.test/farm/barn.jpg"]
    assert leads('<base href="http://b.test/">').links == ["http://b.test/next", "http://b.test/real"]


@pytest.mark.parametrize("word", ["nofollow", "none", "NOFOLLOW, noindex"])
def test_a_page_may_forbid_to_follow_its_links(word):
    assert leads(f'<meta name="robots" content="{word}">').links == []
    assert leads(headers=(("x-robots-tag", word),)).links == []


def test_a_page_may_forbid_its_use_and_that_of_its_images():
    assert leads('<meta name="robots" content="noai">').opt_out == "meta robots: noai"
    found = leads('<meta name="robots" content="noimageai">')
    assert (found.opt_out, found.images) == ("", [])
    assert leads('<meta name="robots" content="noai, noimageai">', counted=frozenset()) == leads()


def test_a_page_is_parsed_once(monkeypatch):
    parsed = []
    monkeypatch.setattr(scan, "written", lambda text, apart: parsed.append(text) or parser.written(text, apart))
    assert leads().links and len(parsed) == 1


def test_nobody_looks_for_links_that_nobody_follows(monkeypatch):
    monkeypatch.setattr(links, "_links", None)
    assert leads(follow=False) == links.Leads([], ["http://a.test/farm/barn.jpg"], "")
    assert leads('<meta name="robots" content="nofollow">').links == []
    assert leads('<meta name="robots" content="noai">').links == []


def test_what_cannot_be_parsed_leads_nowhere():
    found = links.of_page(b"<p>" * 2_000_000, HTML, "http://a.test/", [("x-robots-tag", "noai")], True, {"noai"})
    assert found == links.Leads([], [], "X-Robots-Tag: noai")


def endless() -> None:
    while True:
        sum(range(1_000))


def exhausted() -> None:
    raise MemoryError


@pytest.mark.parametrize("work", [endless, exhausted])
def test_what_takes_too_long_or_too_much_leads_nowhere(work, monkeypatch):
    monkeypatch.setattr(cpu_budget, "LOOK_S", 0.01)
    monkeypatch.setattr(cpu_budget, "CPU_S", 0.1)
    monkeypatch.setattr(html, "extract", lambda *_: work())
    assert leads(headers=(("x-robots-tag", "noai"),)) == links.Leads([], [], "X-Robots-Tag: noai")


def test_sitemaps_in_all_their_forms():
    url = "http://a.test/sitemap.xml"
    xml = (
        b'<?xml version="1.0"?><urlset xmlns="x"><url><loc> http://a.test/1?a=1&amp;b=2 </loc></url>'
        b"<url><loc><![CDATA[http://a.test/2]]></loc></url><url><loc>http://a.test/2</loc></url></urlset>"
    )
    both = ["http://a.test/1?a=1&b=2", "http://a.test/2"]
    assert links.of_sitemap(xml, url) == (both, False)
    assert links.of_sitemap(gzip.compress(xml), url) == (both, False)
    assert links.of_sitemap("\n".join(["\ufeff", *both]).encode(), url) == (both, False)
    assert links.of_sitemap(f"{both[0]}\r{both[1]}\n# a note\u2028http://a.test/3".encode(), url)[0][:2] == both
    assert "http://a.test/3" not in links.of_sitemap("# a note\u2028http://a.test/3".encode(), url)[0]
    index = b"<s:sitemapindex><s:sitemap><s:loc>/more.xml.gz</s:loc></s:sitemap></s:sitemapindex>"
    assert links.of_sitemap(index, url) == (["http://a.test/more.xml.gz"], True)
    assert links.of_sitemap(b"\x1f\x8bno gzip", url) == ([], False)


def test_pictures_of_a_sitemap_are_no_pages():
    """Each would take a page's place in the bound of its host, and end as no HTML."""
    shown = "<image:image><image:loc>http://a.test/{}.jpg</image:loc></image:image>"
    pages = "".join(f"<url><loc>http://a.test/{n}</loc>{shown.format(n)}</url>" for n in range(2))
    found = links.of_sitemap(f"<urlset xmlns='x' xmlns:image='y'>{pages}</urlset>".encode(), "http://a.test/s.xml")
    assert found == (["http://a.test/0", "http://a.test/1"], False)
