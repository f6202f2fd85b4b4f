import random

import pytest

from weft.schemas.parameters import CrawlRules
from weft.transforms.crawl import frontier as frontier_module
from weft.transforms.crawl.client import IMAGE, PAGE, SITEMAP
from weft.transforms.crawl.frontier import CAPPED, CHAIN, Address, Frontier, Led

A = "http://a.test/"


def walk(frontier: Frontier, seeds: list[Address], site: dict[str, Led], shuffle: int = 0) -> list[str]:
    """Answer everything, in an order of its own; the URLs asked for, sorted."""
    order = random.Random(shuffle)
    jobs, asked = frontier.begin(seeds), []
    while jobs:
        key, url = jobs.pop(order.randrange(len(jobs)))
        asked.append(url)
        jobs += frontier.found(key, site.get(url, Led()))
    return sorted(asked)


def test_it_follows_links_of_its_own_host_to_the_depth_that_is_asked_for():
    site = {
        A: Led(links=[A + "1", "http://b.test/"]),
        A + "1": Led(links=[A + "2", A], images=["http://cdn.test/i.jpg"]),
        A + "2": Led(links=[A + "3"]),
    }
    frontier = Frontier(CrawlRules())
    assert walk(frontier, [Address(A, PAGE, 2), Address(A, PAGE, 0)], site) == [A, A + "1", A + "2"]
    assert list(frontier.elsewhere.values()) == [Address("http://cdn.test/i.jpg", IMAGE)]
    assert walk(Frontier(CrawlRules(images=False)), [Address(A, PAGE)], site) == [A]


def test_which_pages_a_bound_leaves_does_not_hang_on_the_order_of_answers():
    site = {A: Led(links=[A + str(n) for n in range(9)])}
    site |= {A + str(n): Led(links=[f"{A}{n}/{m}" for m in range(9)]) for n in range(9)}
    found = []
    for shuffle in range(5):
        frontier = Frontier(CrawlRules(pages_per_host=20))
        found.append(walk(frontier, [Address(A, PAGE, 5)], site, shuffle))
        assert {reason for _, reason in frontier.dropped} == {CAPPED}
        assert len(frontier.dropped) == 1 + 9 + 81 - 20
        assert len(list(frontier.entered())) == 91
    assert len(found[0]) == 20 and all(one == found[0] for one in found)
    assert set(found[0]) > {A + str(n) for n in range(9)}  # the nearest first


def test_what_is_no_address_is_dropped_once_and_takes_no_place():
    frontier = Frontier(CrawlRules(pages_per_host=1))
    wanted = [Address("ftp://a.test/", PAGE, depth) for depth in (0, 1)] + [Address(A, PAGE)]
    assert walk(frontier, wanted, {}) == [A]
    assert [reason for _, reason in frontier.dropped] == ["bad_url"]


def test_redirects_stay_in_the_unit_where_the_host_is_the_same_and_end_some_time():
    site = {A: Led(redirect="https://www.a.test/x"), "https://www.a.test/x": Led(redirect="http://b.test/y")}
    frontier = Frontier(CrawlRules())
    assert walk(frontier, [Address(A, PAGE, 1)], site) == [A, "https://www.a.test/x"]
    assert list(frontier.elsewhere.values()) == [Address("http://b.test/y", PAGE, 1, 2)]
    loop = {f"{A}{n}": Led(redirect=f"{A}{n + 1}") for n in range(99)}
    frontier = Frontier(CrawlRules())
    assert len(walk(frontier, [Address(A + "0", PAGE)], loop)) == 6
    assert frontier.dropped == [(Address(A + "6", PAGE, 0, 6), CHAIN)], "where the last one led has a fate too"


S = "https://a.test/"


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        (A, S),
        (S, A),
        (A + "%7ex", A + "~x"),
        (A + "~x", A + "%7ex"),
        (A + "i.jpg", S + "i.jpg"),
        (A + "m.xml", S + "m.xml"),
    ],
)
@pytest.mark.parametrize("kind", [PAGE, IMAGE, SITEMAP])
def test_a_redirect_to_another_spelling_is_followed(asked, to, kind):
    """As http to https is; two that lead to each other end; and a link in the other spelling is no other address."""
    one = Address(asked, kind, 1)
    frontier = Frontier(CrawlRules())
    assert walk(frontier, [one], {asked: Led(redirect=to), to: Led(links=[asked, to])}) == sorted([asked, to])
    assert [frontier.wanted(url).kind for url in (asked, to)] == [kind, kind]
    assert sorted(address.url for address in frontier.entered()) == sorted([asked, to])
    assert len(walk(Frontier(CrawlRules()), [one], {asked: Led(redirect=to), to: Led(redirect=asked)})) == 2
    assert walk(Frontier(CrawlRules()), [one, Address(to, kind)], {}) in ([asked], [to])
    for url, again in ((asked, [to]), (to, [])):
        later = Frontier(CrawlRules(), [(url, kind)])
        assert walk(later, [Address(to, kind, 1, 1)], {}) == again, "what another host led to in an earlier round"


@pytest.mark.parametrize("kind", [PAGE, SITEMAP])
@pytest.mark.parametrize(("asked", "to"), [("http:", "https:"), ("https:", "http:")])
def test_a_redirect_to_another_spelling_is_the_same_page_of_the_bound(monkeypatch, asked, to, kind):
    """A bound of so many pages leaves as many, in the rounds after it too; a place that another page has not had is none."""
    monkeypatch.setattr(frontier_module, "_SITEMAPS", 1)
    paths = [f"//a.test/{n}" for n in range(5)]
    site = {asked + path: Led(redirect=to + path) for path in paths}
    for most in (1, 3):
        frontier = Frontier(CrawlRules(pages_per_host=most))
        got = walk(frontier, [Address(asked + path, kind) for path in paths], site)
        assert len(got) == 2 * most and len([url for url in got if url.startswith(f"{to}//")]) == most
        assert len(frontier.dropped) == 5 - most
        dropped = frontier.dropped[0][0].url.partition(":")[2]
        later = Frontier(CrawlRules(pages_per_host=most + 1), [(url, kind) for url in got])
        assert len(walk(later, [Address(asked + path, kind) for path in paths], site)) == 2
        last = Frontier(CrawlRules(pages_per_host=most))
        site_of = site | {got[0]: Led(redirect=to + dropped)}
        assert to + dropped not in walk(last, [Address(asked + path, kind) for path in paths], site_of)


def test_what_other_hosts_lead_to_is_left_in_each_spelling_that_a_redirect_has():
    frontier = Frontier(CrawlRules())
    led = Led(images=["https://b.test/i", "http://b.test/%69"], redirect="https://b.test/i")
    walk(frontier, [Address(A, PAGE)], {A: led})
    assert sorted((one.url, one.hops) for one in frontier.elsewhere.values()) == [
        ("http://b.test/%69", 0),
        ("https://b.test/i", 1),
    ]


def test_sitemaps_without_end_come_to_one():
    for most in (3, 200):
        frontier = Frontier(CrawlRules(pages_per_host=most))
        loop = {f"{A}{n}.xml": Led(sitemaps=[f"{A}{n + 1}.xml"], pages=[A]) for n in range(999)}
        assert len(walk(frontier, [Address(A + "0.xml", SITEMAP)], loop)) == max(most, 100) + 1
        assert [(one.kind, reason) for one, reason in frontier.dropped] == [(SITEMAP, CAPPED)]


def test_sitemaps_lead_to_pages_and_to_sitemaps_of_their_host():
    site = {
        A + "all.xml": Led(sitemaps=[A + "1.xml"]),
        A + "1.xml": Led(pages=[A + "p", "http://other.test/q"]),
        A + "p": Led(links=[A + "not-followed"]),
    }
    frontier = Frontier(CrawlRules())
    assert walk(frontier, [Address(A + "all.xml", SITEMAP)], site) == [A + "1.xml", A + "all.xml", A + "p"]
    assert frontier.elsewhere == {}


def test_what_earlier_rounds_have_asked_for_is_not_asked_for_again():
    known = [(A, PAGE), (A + "i.jpg", IMAGE)]
    frontier = Frontier(CrawlRules(pages_per_host=2), known)
    wanted = [Address(A, PAGE), Address(A + "i.jpg", IMAGE), Address(A + "1", PAGE), Address(A + "2", PAGE)]
    assert len(walk(frontier, wanted, {})) == 1 and len(frontier.dropped) == 1
    frontier.give_up([Address(A, PAGE, 0, 6), Address("http://b.test/", PAGE, 0, 6)])
    assert frontier.dropped[-1] == (Address("http://b.test/", PAGE, 0, 6), CHAIN) and len(frontier.dropped) == 2
