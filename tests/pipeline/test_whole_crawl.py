"""A crawl of fifty hosts and more than a thousand pages: all limits as the servers' log has them, and the sites' own WARC.

Each site is a tree of pages with pictures, and asks for something else: by robots.txt, tdmrep.json, headers or its pages.
What a crawl may ask for is worked out here from what the sites say, and not by weft.
"""

import io
import itertools
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from crawled_web import Page, crawled_web, routes
from recording_web import hurried, picture
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from weft.pipeline import cli
from weft.schemas.parameters import PageRules
from weft.schemas.records import Capture, Document, Fate
from weft.transforms.extract.archive import extract_archive
from weft.transforms.io import parquet

HOSTS, PAGES, LINKS, DEPTH = 50, 30, 5, 2
AT_ONCE = 2  # connections to a host
INTERVAL, DELAY, SLOW, RETRY_AFTER = 0.1, 0.4, 0.5, 1.0  # seconds; SLOW: until an answer of some hosts
LARGEST = 60_000  # bytes of a page that is kept
AGENT = "mybot/1.0 (+http://bot.test/)"
RULES = ("/robots.txt", "/.well-known/tdmrep.json")
WORDS = (Path(__file__).parents[2] / "LICENSE").read_text().split()

# Kind of site (its number by tens) → what it says at other addresses than its pages'.
FILES = {
    0: {
        "/moved": Page(b"", status=301, headers={"Location": "/p1/"}),
        "/inside": Page(b"", status=302, headers={"Location": "http://127.0.0.1/p1/"}),
    },
    1: {"/robots.txt": Page(b"User-agent: *\nDisallow: /p3/\nDisallow: /i/4.png", "text/plain")},
    2: {"/robots.txt": Page(b"User-agent: *\nCrawl-delay: %.1f" % DELAY, "text/plain")},
    3: {"/robots.txt": Page(b"", status=503)},
    4: {"/robots.txt": Page(b"User-agent: *\nDisallow: /\n\nUser-agent: mybot\nDisallow: /p2/", "text/plain")},
    7: {RULES[1]: Page(b'[{"location": "/p3/", "tdm-reservation": 1}]', "application/json")},
}
SIZES = {0: PAGES - 2, 2: PAGES // 3, 9: 2 * PAGES}  # pages of a kind; of the others PAGES
PAST = 2 * PAGES  # a page below the deepest level
# (kind, number of a page) → what is otherwise with it
ODD = {
    (0, 0): {"more": ("http://stranger.test/", "/moved", "/inside")},
    (1, 3): {"asked": False},
    (1, 4): {"shown": False},
    **{(3, n): {"asked": False} for n in range(PAGES)},
    (4, 2): {"asked": False},
    (5, 2): {"kept": False, "head": '<meta name="robots" content="noai">'},
    (5, 3): {"kept": False, "headers": {"X-Robots-Tag": "noai"}},
    (6, 1): {"leads": False, "head": '<meta name="robots" content="nofollow">'},
    (6, 2): {"leads": False, "rel": ' rel="nofollow"'},
    (7, 3): {"asked": False},
    (8, 1): {"first": Page(b"", status=503, headers={"Retry-After": f"{RETRY_AFTER:.0f}"})},
    (8, 2): {"kept": False, "filling": b" " * LARGEST},
    (8, 29): {"more": (f"/p{PAST}/",)},
    (8, PAST): {"asked": False},
}


class One(NamedTuple):
    """A page, and what a crawl may do with it."""

    links: list[str]
    image: str
    asked: bool
    kept: bool
    leads: bool  # whether links may be followed
    shown: bool  # whether its picture may be asked for


def at(kind, path):
    """These addresses of all sites of a kind."""
    return {f"http://s{number:02d}.site.test{path}" for number in range(kind, HOSTS, 10)}


def html(url, links, image, head="", rel=""):
    draw = random.Random(url)
    first, *others = (" ".join(draw.choices(WORDS, k=60)) for _ in range(3))
    shown = f'<figure><img src="{image}" alt="{first[:40]}"></figure>'
    more = "".join(f'<li><a href="{link}"{rel}>more {n}</a>' for n, link in enumerate(links))
    body = f"<h1>{url}</h1><p>{first}</p>{shown}<p>{'</p><p>'.join(others)}</p>"
    return f"<html><head><title>{url}</title>{head}</head><body><main>{body}</main><ul>{more}</ul></body>".encode()


def a_site(number):
    """(URL → what it answers, URL → One) of one site."""
    kind, home = number % 10, f"http://s{number:02d}.site.test"
    size = SIZES.get(kind, PAGES)
    answers, pages = {f"{home}{path}": page for path, page in FILES.get(kind, {}).items()}, {}
    for n in [*range(size), *[PAST] * (kind == 8)]:
        odd = ODD.get((kind, n), {})
        url = f"{home}/p{n}/" if n else f"{home}/"
        links = [f"{home}/p{k}/" for k in range(n * LINKS + 1, n * LINKS + LINKS + 1) if k < size]
        image = f"{home}/i/{n}.png" if n % 3 else f"http://cdn{number % 5}.pics.test/{number}-{n}.png"
        body = html(url, [*links, *odd.get("more", ())], image, odd.get("head", ""), odd.get("rel", ""))
        answers[url] = Page(
            body + odd.get("filling", b""), headers=odd.get("headers", {}), takes=SLOW * (kind == 7), first=odd.get("first")
        )  # fmt: skip
        answers[image] = Page(picture(image), "image/png")
        pages[url] = One(links, image, *(odd.get(name, True) for name in One._fields[2:]))
    return answers, pages


def meant(pages):
    """The pages of a site that a crawl of its tree asks for, in the order of their levels."""
    level = seen = [next(iter(pages))]
    for _ in range(DEPTH):
        leads = [one for url in level if (one := pages[url]).asked and one.kept and one.leads]
        level = list(dict.fromkeys(link for one in leads for link in one.links if link not in seen))
        seen = seen + level
    return [url for url in seen[:PAGES] if pages[url].asked]


@pytest.fixture(scope="module")
def sites():
    """(URL → what is answered there, URL → One of all pages, URL → One of those that a crawl asks for)."""
    answers, every, asked = {}, {}, {}
    for of_site, pages in map(a_site, range(HOSTS)):
        answers |= of_site
        every |= pages
        asked |= {url: pages[url] for url in meant(pages)}
    return answers, every, asked


@pytest.fixture(scope="module")
def crawled(sites, tmp_path_factory):
    """(output of the crawl, the web as it was)."""
    home = tmp_path_factory.mktemp("crawl")
    (home / "seeds.txt").write_text("".join(f"http://s{number:02d}.site.test/\n" for number in range(HOSTS)))
    told = {
        "crawl.interval_s": INTERVAL, "crawl.max_page_bytes": LARGEST, "crawl.buckets": 1,
        "fetch.per_host": AT_ONCE, "fetch.retries": 1, "fetch.user_agent": AGENT,
        "fetch.timeout_s": 600, "fetch.stall_s": 0,  # on a busy machine no clock decides who is asked twice
    }  # fmt: skip
    more = [word for key, value in told.items() for word in ("--set", f"{key}={value}")]
    with crawled_web(sites[0]) as web:
        more += ["--set", routes(web, "site.test", "pics.test", "stranger.test"), "--quiet"]
        asked = ["crawl", "--seeds", str(home / "seeds.txt"), "--depth", str(DEPTH), "--per-host", str(PAGES)]
        assert cli.main([*asked, "--output", str(home / "out"), *more, "--", "--direct_num_workers=1"]) == 0
    return home / "out", web


def test_it_asks_once_for_all_that_the_sites_allow_and_for_nothing_else(sites, crawled):
    _, every, asked = sites
    assert len(every) > 1_500 and len(asked) > 1_000
    images = {one.image for one in asked.values() if one.kept and one.shown}
    wanted = dict.fromkeys([*asked, *images, *at(0, "/moved"), *at(0, "/inside")], 1) | dict.fromkeys(at(8, "/p1/"), 2)
    assert {url: count for url, count in crawled[1].counts().items() if not url.endswith(RULES)} == wanted


def test_no_host_is_asked_faster_or_by_more_connections_than_it_may_be(crawled):
    _, web = crawled
    assert {host: most for host, most in web.most.items() if most > AT_ONCE and host != "all"} == {}
    assert web.most["s07.site.test"] == AT_ONCE  # SLOW over INTERVAL else
    for host, seen in web.by_host().items():
        least = DELAY if f"http://{host}" in at(2, "") else INTERVAL
        begun = max(
            next(one.ended for one in seen if one.path == path) for path in {one.path for one in seen} & {*RULES}
        )
        assert not hurried([one for one in seen if one.path not in RULES], least, begun), host


def test_a_site_is_asked_for_its_rules_first_and_again_when_it_says(crawled):
    by_host = crawled[1].by_host()
    assert len(by_host) == HOSTS + 5
    for host, seen in by_host.items():
        rules = {one.path: one.ended for one in reversed(seen) if one.path in RULES}
        assert "/robots.txt" in rules
        assert all(one.begun >= max(rules.values()) for one in seen if one.path not in RULES), host
    for url in at(8, "/p1/"):
        first, again = (one for one in by_host[url.split("/")[2]] if one.path == "/p1/")
        assert (first.status, again.status) == (503, 200) and again.begun - first.ended >= RETRY_AFTER


def test_every_address_has_its_fate(sites, crawled):
    asked = sites[2]
    kept = {url for url, one in asked.items() if one.kept}
    wanted = {
        "": kept | {one.image for url, one in asked.items() if url in kept and one.shown},
        "robots_disallowed": at(1, "/p3/") | at(1, "/i/4.png") | at(4, "/p2/"),
        "robots_unavailable": at(3, "/"),
        "opt_out": at(5, "/p2/") | at(5, "/p3/") | at(7, "/p3/"),
        "too_many_bytes": at(8, "/p2/"),
        "host_cap": at(9, "/p30/"),
        "redirect": at(0, "/moved") | at(0, "/inside"),
        "private_address": {"http://127.0.0.1/p1/"},
    }
    found = sorted((row.reason, row.key) for row in parquet.read_table(str(crawled[0] / "fates/crawl"), Fate))
    assert found == sorted((reason, url) for reason, urls in wanted.items() for url in urls)


def rows(paths):
    """(page → its texts and images, pictures) of archives."""
    plain = PageRules(main_content=False, languages=(), min_words=0)  # all texts and pictures of a page, and no model
    found = list(itertools.chain.from_iterable(extract_archive(str(path), plain) for path in paths))
    documents = {row.url: (row.texts, row.images) for row in found if isinstance(row, Document)}
    return documents, {row.url for row in found if isinstance(row, Capture)}


def test_its_archives_give_the_documents_and_pictures_of_the_sites_own(sites, crawled, tmp_path):
    answers, _, asked = sites
    with (tmp_path / "own.warc.gz").open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for url, page in answers.items():
            told = StatusAndHeaders(
                f"{page.status} X", [("Content-Type", page.mime), *page.headers.items()], "HTTP/1.1"
            )
            record = writer.create_warc_record(url, "response", io.BytesIO(page.body), http_headers=told)
            writer.write_record(record)
    own, pictures = rows([tmp_path / "own.warc.gz"])
    found, seen = rows(sorted((crawled[0] / "warc").iterdir()))
    assert found == {url: own[url] for url, one in asked.items() if one.kept} and len(found) > 1_000
    assert all(len([text for text in texts if text]) > 1 and any(images) for texts, images in found.values())
    assert seen == {one.image for one in asked.values() if one.kept and one.shown} and seen <= pictures
