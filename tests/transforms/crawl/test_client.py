import asyncio
import gzip
import random
import time
import zlib

import pytest
from crawled_web import Page, crawled_web
from patience import PATIENT

from weft.schemas.parameters import CrawlRules, Manners
from weft.transforms.archives import http_message
from weft.transforms.crawl.client import IMAGE, PAGE, REDIRECT, CrawlClient
from weft.transforms.fetch.client import Client

A = "http://a.test/"
WEB = {
    A: Page(b"<p>a page"),
    A + "robots.txt": Page(b"User-agent: *\nDisallow: /secret", "text/plain"),
    A + "moved": Page(b"see there", status=301, headers={"Location": "/p?q=1"}),
    A + "nowhere": Page(b"", status=302, headers={"Location": "mailto:x"}),
    A + "file": Page(b"%PDF" * 100, "application/pdf"),
    A + "long": Page(b"x" * 3_000),
    A + "no": Page(b"<p>mine", headers={"X-Robots-Tag": "noai"}),
    A + "no.png": Page(b"\x89PNG", "image/png", headers={"X-Robots-Tag": "noindex"}),
    A + "i.png": Page(b"\x89PNG", "image/png"),
    A + "noindex": Page(b"<p>not for search engines", headers={"X-Robots-Tag": "noindex"}),
}


@pytest.fixture(scope="module")
def web():
    with crawled_web(WEB) as served:
        yield served


def ask(web, *urls: str, **conditions: str):
    """The answers, and the client."""
    manners = Manners(connect_to=(f"a.test=127.0.0.1:{web.server_address[1]}",), **PATIENT)

    async def go():
        kind = lambda url: IMAGE if url.endswith("png") else PAGE  # noqa: E731
        client = CrawlClient(manners, CrawlRules(max_page_bytes=2_000), kind, lambda url: conditions)
        async with client:
            return [await client.get(url) for url in urls], client

    return asyncio.run(go())


def test_an_answer_comes_with_all_that_was_said(web):
    (found,), client = ask(web, A)
    one = found.exchange
    assert (found.reason, one.url, one.status, one.body, one.peer) == ("", A, 200, b"<p>a page", "127.0.0.1")
    assert one.asked.startswith(b"GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: weft/")
    read = http_message.parse_http(one.answered + one.body)
    assert (read.status, read.body, dict(read.headers)["content-type"]) == (200, one.body, "text/html; charset=utf-8")
    assert [seen.url for seen in client.rules_seen] == [A + ".well-known/tdmrep.json", A + "robots.txt"] or [
        seen.url for seen in client.rules_seen
    ] == [A + "robots.txt", A + ".well-known/tdmrep.json"]


def test_a_redirect_is_an_answer_and_is_not_followed(web):
    (found, lost), _ = ask(web, A + "moved", A + "nowhere")
    assert (found.reason, found.detail, found.exchange.body) == (REDIRECT, A + "p?q=1", b"see there")
    assert lost.reason == "bad_redirect"
    assert not any(seen.path == "/p?q=1" for seen in web.seen)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("secret/1", "robots_disallowed"),
        ("gone", "http_error"),
        ("file", "not_html"),
        ("long", "too_many_bytes"),
        ("no", "opt_out"),
        ("no.png", "opt_out"),
        ("i.png", ""),
        ("noindex", ""),
    ],
)
def test_what_is_not_to_be_kept_has_a_reason_and_no_exchange(web, path, reason):
    (found,), _ = ask(web, A + path)
    assert (found.reason, found.exchange is None) == (reason, bool(reason))
    assert path != "secret/1" or not any(seen.path == "/secret/1" for seen in web.seen)


def test_an_answer_that_nothing_has_changed_is_kept(web):
    tag = next(
        line.split(b": ")[1] for line in ask(web, A)[0][0].exchange.answered.split(b"\r\n") if line.startswith(b"ETag")
    )
    (found,), _ = ask(web, A, **{"If-None-Match": tag.decode()})
    assert (found.reason, found.exchange.status, found.exchange.body) == ("", 304, b"")


NO = b"User-agent: *\nDisallow: /secret\n"
NOISE = NO + b"# " + random.Random(0).randbytes(600_000).hex().encode()  # packed it is over 500 KiB still
LONG = NO + b"# long\n" * 200_000
BOTH = {
    "fetch": lambda manners: Client(manners),
    "crawl": lambda manners: CrawlClient(manners, CrawlRules(), lambda url: PAGE),
}


def rules_of(robots: Page, made, *paths: str):
    """What comes of these paths of a site with this robots.txt, and the client."""
    with crawled_web({A: Page(b"<p>"), A + "robots.txt": robots}) as web:
        manners = Manners(connect_to=(f"a.test=127.0.0.1:{web.server_address[1]}",), tdm_file=False, **PATIENT)

        async def go():
            async with made(manners) as client:
                return [await client.get(A + path) for path in paths], client

        return asyncio.run(go())


@pytest.mark.parametrize("made", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("", NO, ""),
        ("", LONG, ""),
        ("gzip", gzip.compress(NO, mtime=0), ""),
        ("gzip", gzip.compress(LONG, mtime=0), ""),
        ("gzip", gzip.compress(NOISE, mtime=0), ""),
        ("deflate", zlib.compress(NOISE), ""),
        ("gzip", NO, ""),
        ("gzip", gzip.compress(NO, mtime=0)[:-9], ""),
        ("zstd", NO, "robots_unavailable"),
    ],
    ids=["short", "long", "gzip", "long once unpacked", "long as packed", "deflate", "no gzip", "cut off", "unknown"],
)
def test_no_form_of_a_robots_txt_lets_in_what_it_forbids(made, coding, body, reason):
    page = Page(body, "text/plain", headers={"Content-Encoding": coding} if coding else {})
    (secret, free), _ = rules_of(page, made, "secret", "")
    assert secret.reason == (reason or "robots_disallowed") and free.reason == reason


@pytest.mark.parametrize("made", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("status", [429, 503])
def test_a_robots_txt_that_says_when_to_come_back_is_heard(made, status):
    begun = time.monotonic()
    (found,), client = rules_of(Page(b"", "text/plain", status, {"Retry-After": "15"}), made, "")
    assert found.reason == "robots_unavailable"
    assert client.hosts.ready_at("a.test") >= begun + 15
