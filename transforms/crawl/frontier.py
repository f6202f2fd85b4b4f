"""What a unit asks for, and in what order: each host from its beginnings outwards, its own pages alone.

Answers come in any order, and which pages a host's bound leaves must not depend on it. So a host goes level by level:
what the pages of one level lead to is put in their order when all of them have answered, and the first so many are the
next level. Hosts do not wait for each other.

Links in two spellings are one address. What a redirect leads to is asked for as it is spelt: most often a site sends
http to https, or to the one spelling that it answers. All spellings together are one page of a host's bound.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from weft.schemas.parameters import CrawlRules
from weft.schemas.records import hash_unit
from weft.transforms.crawl.client import IMAGE, PAGE, SITEMAP
from weft.transforms.fetch.client import MAX_REDIRECTS
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.urls import image_key, resolve

_NONE = re.compile(r"[\s<]")
CAPPED, CHAIN = "host_cap", "too_many_redirects"
_SITEMAPS = 100  # of a host, where pages_per_host is less: a sitemap has a page or more, but for those that list others


def key_of(url: str) -> str:
    """By what an address is known: in whatever form it is written, and what is none by itself.

    >>> key_of("https://A.test"), key_of("ftp://a.test/")
    ('http://a.test/', 'ftp://a.test/')
    """
    return image_key(url) if url.startswith(("http://", "https://")) else url


def is_address(text: str) -> bool:
    """Whether this can be asked for as it stands: prose and markup in a list are no addresses, though a URL hides them.

    >>> is_address("http://a.test/x"), is_address("http://a.test/ a note"), is_address("<a href=http://a.test/>")
    (True, False, False)
    """
    return bool(resolve(text, text)) and not _NONE.search(text)


class Address(NamedTuple):
    """Something to ask for."""

    url: str
    kind: str  # PAGE, IMAGE or SITEMAP
    depth: int = 0  # links that may be followed from it
    hops: int = 0  # redirects that led to it


class Led(NamedTuple):
    """What an answer leads to."""

    redirect: str = ""
    links: Sequence[str] = ()
    images: Sequence[str] = ()
    pages: Sequence[str] = ()  # of a sitemap
    sitemaps: Sequence[str] = ()


@dataclasses.dataclass
class _Host:
    left: dict[str, int]  # PAGE, SITEMAP → how many may still be asked for
    open: int = 0  # of this level, without an answer
    ranks: dict[str, int] = dataclasses.field(default_factory=dict)
    next: list[tuple[int, int, Address]] = dataclasses.field(default_factory=list)


class Frontier:
    """The addresses of one unit."""

    def __init__(self, rules: CrawlRules, known: Iterable[tuple[str, str]] = ()) -> None:
        """Begin with nothing.

        Args:
            rules: how far to go.
            known: (URL, kind) of what earlier rounds have asked these hosts for.
        """
        self._rules = rules
        self._seen: set[str] = set()
        self._hosts: dict[str, _Host] = {}
        self._counted: set[tuple[str, str]] = set()  # (key, kind) of what has taken its place
        self._spelt: dict[str, Address | None] = {}  # URL → what is, was or is not to be asked for in this spelling
        self.asked: dict[str, Address] = {}  # key → what is or was asked for
        self.dropped: list[tuple[Address, str]] = []  # with the reason
        # (key, spelling of a redirect) → of other hosts, and images
        self.elsewhere: dict[tuple[str, str], Address] = {}
        for url, kind in known:
            self._seen.add(key_of(url))
            self._spelt[url] = None
            self._place(self._host(url), Address(url, kind))

    def wanted(self, url: str) -> Address:
        """What an address that is asked for should be."""
        one = self._spelt[url]
        assert one is not None, url
        return one

    def begin(self, wanted: Iterable[Address]) -> list[tuple[str, str]]:
        """(key, URL) to ask for first; where a host has too many pages, those with the smallest hashes."""
        whole = [(one.kind == IMAGE, one.hops, hash_unit(one.url, "crawl"), one.url, -one.depth, one) for one in wanted]
        first = [one for *_, one in sorted(set(whole))]
        for rank, one in enumerate(first):
            if is_address(one.url):
                self._host(one.url).next.append((rank, 0, one))
            elif one.url not in self._seen:
                self._seen.add(one.url)
                self.dropped.append((one, "bad_url"))
        return [job for host in list(self._hosts.values()) for job in self._level(host)]

    def give_up(self, wanted: Iterable[Address]) -> None:
        """Ask for none of these."""
        for one in sorted(wanted):
            if self._new(one):
                self.dropped.append((one, CHAIN))

    def entered(self) -> Iterator[Address]:
        """All that was asked for or dropped, each once."""
        yield from self.asked.values()
        yield from (one for one, _ in self.left_out())

    def left_out(self) -> Iterator[tuple[Address, str]]:
        """(address, reason) of what was dropped and not asked for by another way."""
        for one, reason in self.dropped:
            if one.hops or key_of(one.url) not in self.asked:
                yield one, reason

    def found(self, key: str, led: Led) -> list[tuple[str, str]]:
        """What to ask for now that there is an answer."""
        one = self.asked[key]
        host = self._host(one.url)
        for place, found in enumerate(self._leads(one, led)):
            own = bare_host(found.url) == bare_host(one.url)
            if own and (found.kind != IMAGE or found.hops):
                host.next.append((host.ranks[key], place, found))
            elif found.kind == IMAGE or found.hops:
                name = key_of(found.url), found.url if found.hops else ""
                self.elsewhere[name] = min(self.elsewhere.get(name, found), found)  # whoever answers first
        host.open -= 1
        return [] if host.open else list(self._level(host))

    def _leads(self, one: Address, led: Led) -> Iterator[Address]:
        if led.redirect:
            yield one._replace(url=led.redirect, hops=one.hops + 1)
        yield from (Address(url, SITEMAP, one.depth) for url in led.sitemaps)
        yield from (Address(url, PAGE, one.depth) for url in led.pages)
        if one.depth:
            yield from (Address(url, PAGE, one.depth - 1) for url in led.links)
        if self._rules.images:
            yield from (Address(url, IMAGE) for url in led.images)

    def _level(self, host: _Host) -> Iterator[tuple[str, str]]:
        """The next level of a host; nothing where it is done."""
        waiting, host.next, host.ranks = sorted(host.next), [], {}
        for _, _, one in waiting:
            if not (key := self._new(one)):
                continue
            if one.hops > MAX_REDIRECTS or not self._place(host, one):
                self.dropped.append((one, CHAIN if one.hops > MAX_REDIRECTS else CAPPED))
                continue
            host.open += 1
            host.ranks[key] = len(host.ranks)
            self.asked[key] = one
            yield key, one.url

    def _new(self, one: Address) -> str:
        """The key of an address that has not been met, "" for others; from now on it has."""
        key = key_of(one.url)
        if key in self._seen:
            if not one.hops or one.url in self._spelt:
                return ""
            key = f"redirect {one.url}"
        self._seen.add(key)
        self._spelt[one.url] = one
        return key

    def _place(self, host: _Host, one: Address) -> bool:
        """Whether the host's bound has a place for an address: another spelling's, else one that is left."""
        name = key_of(one.url), one.kind
        if one.kind in host.left and name not in self._counted:
            if host.left[one.kind] <= 0:
                return False
            host.left[one.kind] -= 1
            self._counted.add(name)
        return True

    def _host(self, url: str) -> _Host:
        most = self._rules.pages_per_host
        return self._hosts.setdefault(bare_host(url), _Host({PAGE: most, SITEMAP: max(most, _SITEMAPS)}))
