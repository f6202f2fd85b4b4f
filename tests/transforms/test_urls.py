"""Addresses that mean the same have the same key, and others have another."""

import random

import pytest

from weft.transforms.urls import _resolved, image_key, page_key, resolve

BASE = "https://site.test/dir/page.html?q=1#top"


@pytest.mark.parametrize(
    ("reference", "absolute"),
    [
        ("a.jpg", "https://site.test/dir/a.jpg"),
        ("../a.jpg", "https://site.test/a.jpg"),
        ("/a.jpg#part", "https://site.test/a.jpg"),
        ("//CDN.test/a.jpg", "https://cdn.test/a.jpg"),
        ("  a\n b.jpg ", "https://site.test/dir/a%20b.jpg"),
        ("a%20b.jpg", "https://site.test/dir/a%20b.jpg"),
        ("http://x.test:80/a", "http://x.test/a"),
        ("http://x.test:8080/a", "http://x.test:8080/a"),
        ("http://x.test", "http://x.test/"),
        ("http://bücher.test/ä.jpg", "http://xn--bcher-kva.test/%C3%A4.jpg"),
        ("http://[2001:db8::1]/a", "http://[2001:db8::1]/a"),
        ("data:image/png;base64,AA", ""),
        ("javascript:void(0)", ""),
        ("mailto:a@b.test", ""),
        ("http://", ""),
        ("http://../a.jpg", ""),
        ("http://.:80/a.jpg", ""),
        ("http://[broken/a", ""),
        ("http://x.test:port/a", ""),
        # As the URL standard has it, and browsers.
        ("http://x.test/a/../b.jpg", "http://x.test/b.jpg"),
        ("//x.test/a/./b/..", "https://x.test/a/"),
        ("/a/c/%2e%2E/b.jpg", "https://site.test/a/b.jpg"),
        ("http://x.test/a?b=/../c", "http://x.test/a?b=/../c"),
        ("/.well-known/..a/b..jpg", "https://site.test/.well-known/..a/b..jpg"),
        ("a//b.jpg", "https://site.test/dir/a//b.jpg"),
        ("/web/2001/http://x.test//a/../b.jpg", "https://site.test/web/2001/http://x.test//b.jpg"),
        ("..\\images\\a.jpg?b=\\c", "https://site.test/images/a.jpg?b=%5Cc"),
        ("http:\\\\x.test\\a.jpg", "http://x.test/a.jpg"),
        ("https:\\/\\/x.test\\/a.jpg", "https://x.test//a.jpg"),
        ("", "https://site.test/dir/page.html?q=1"),
        ("?w=1", "https://site.test/dir/page.html?w=1"),
        (".", "https://site.test/dir/"),
        ("https:a.jpg", "https://site.test/dir/a.jpg"),
    ],
)
def test_resolve(reference: str, absolute: str) -> None:
    assert resolve(BASE, reference) == absolute


@pytest.mark.parametrize(
    "base",
    [
        BASE, "http://Site.test:80/a/b;c?d", "https://me:pass@site.test:8443", "http://bücher.test/ä/", "http://[::1]/x",
        "file:///tmp/x", "no url", "", "http://[broken", "mailto:a@b.test", "HTTPS://A.test/../b",
    ],
)  # fmt: skip
def test_short_ways_lead_where_the_long_one_does(base: str) -> None:
    chance = random.Random(7)
    pieces = [*"/ // . .. %2e \\ a B.jpg ? ?w=1 #t ;v : http: x.test %20 % ä [ @".split(), " "]
    made = ["".join(chance.choices(pieces, k=chance.randint(0, 7))) for _ in range(3000)]
    made += ["/" + one for one in made] + ["//c.test/" + one for one in made]
    assert [one for one in made if resolve(base, one) != _resolved(base, one)] == []
    assert (sum(bool(resolve(base, one)) for one in made) > 1000) == (_resolved(base, "/") != "")


@pytest.mark.parametrize(
    ("page", "reference", "absolute"),
    [
        ("http://a.test/web/http://b.test/c/d.html", "../e.jpg", "http://a.test/web/http://b.test/e.jpg"),
        ("http://a.test//b//c.html", "d.jpg", "http://a.test//b//d.jpg"),
        ("http://a.test", "d.jpg", "http://a.test/d.jpg"),
        ("http://a.test/b/../c/d", "e", "http://a.test/c/e"),
        ("http://a.test/b?c=/d/", "e", "http://a.test/e"),
        ("no url", "e", ""),
        ("http://[broken", "http://a.test/ä", "http://a.test/%C3%A4"),
    ],
)
def test_what_is_relative_stands_beside_its_page(page: str, reference: str, absolute: str) -> None:
    assert resolve(page, reference) == absolute


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a.test/x.jpg", "https://a.test/x.jpg"),
        ("http://a.test/x.jpg", "http://A.test:80/x.jpg#f"),
        ("https://a.test:443/x.jpg", "http://a.test/x.jpg"),
        ("http://a.test/%7Ex.jpg", "http://a.test/~x.jpg"),
        ("http://a.test/a b.jpg", "http://a.test/a%20b.jpg"),
        ("http://a.test/%c3%a4.jpg", "http://a.test/ä.jpg"),
        ("http://a.test", "http://a.test/"),
        ("http://a.test./x", "http://a.test/x"),
    ],
)
def test_one_image_has_one_key(one: str, other: str) -> None:
    assert image_key(one) == image_key(other) == image_key(image_key(one))
    assert image_key(one).startswith("http://a.test/")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://a.test/x.jpg", "http://a.test/X.jpg"),
        ("http://a.test/x.jpg", "http://b.test/x.jpg"),
        ("http://a.test/x.jpg?w=1", "http://a.test/x.jpg?w=2"),
        ("http://a.test/x.jpg", "http://a.test:8080/x.jpg"),
        ("http://a.test/x.jpg?utm_source=y", "http://a.test/x.jpg"),
        ("http://a.test/a%25b", "http://a.test/a%b%25"),
    ],
)
def test_two_images_have_two_keys(one: str, other: str) -> None:
    assert image_key(one) != image_key(other)


@pytest.mark.parametrize(
    "url", ["http://a.test/%ff%fe.jpg", "http://a.test/100%25.jpg", "http://[broken", "", "no url"]
)
def test_a_key_is_its_own_key(url: str) -> None:
    assert image_key(image_key(url)) == image_key(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.site.test/a/",
        "http://site.test/a",
        "http://site.test/a#x",
        "http://SITE.test:80/a?utm_source=x&fbclid=y",
        "http://site.test/%61",
    ],
)
def test_one_page_has_one_key(url: str) -> None:
    assert page_key(url) == "site.test/a"


def test_a_page_s_own_parameters_count_in_any_order() -> None:
    assert page_key("http://a.test/?b=2&a=1") == page_key("http://a.test/?a=1&utm_medium=z&b=2")
    assert page_key("http://a.test/?a=1") != page_key("http://a.test/?a=2") != page_key("http://a.test/")
    assert page_key("http://a.test/?a=") != page_key("http://a.test/")


def test_a_page_s_key_keeps_bytes_that_are_no_utf_8_and_marks_that_are_escaped() -> None:
    """Sites in Windows-1251, GBK or Latin-1 have such addresses: each byte tells two pages apart."""
    others = ["%E0%E1", "%E2%E3", "%EF%BF%BD%EF%BF%BD", "%C4%E3", "x%3Fid=7", "x?id=7", "%23x", "s?q=%E0", "s?q=%E1"]
    keys = [page_key(f"http://a.test/{other}") for other in (*others, "s?q=%EF%BF%BD", "a%25b", "a%2525b")]
    assert len(set(keys)) == len(keys) and all(key.isascii() for key in keys)
    assert page_key("http://a.test/%e0%7Ex/?q=%e0") == page_key("https://www.a.test/%E0~x?q=%E0")
    assert page_key("http://a.test/ä b?q=ö+x") == page_key("http://a.test/%c3%a4%20b/?q=%C3%B6%20x")
