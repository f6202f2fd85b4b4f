"""Which unit asks a host, and for how many of its images.

A host is asked by one unit, which lets one process keep its limits; hosts are spread over units by a hash. A large host
then takes as long as it takes: 700,000 images a day on two connections that answer in a quarter of a second. Two keys
bound that. `max_per_host` leaves images of a host for another run. `split_hosts` names hosts that can bear more, such
as content networks: their images are spread over several units, each with the limits of a host.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_bucket, hash_unit
from weft.transforms.archives.record import whole_number
from weft.transforms.fetch.rate_limit import bare_host
from weft.transforms.urls import domains

CAPPED = "host_cap"  # the fate of an image that its host has too many beside
MOST_PARTS = 1_000


@lru_cache(maxsize=8)
def parts(entries: tuple[str, ...]) -> Mapping[str, int]:
    """Host → units that share it and its subdomains, of `fetch.split_hosts`.

    Raises:
        ConfigError: an entry that is not host=parts.

    >>> parts(("cdn.test=16",))["cdn.test"]
    16
    """
    found = {}
    for entry in entries:
        host, _, number = entry.partition("=")
        units = whole_number(number)
        if not host or units is None or not 1 <= units <= MOST_PARTS:
            raise ConfigError(f"fetch.split_hosts takes host=units with 1 to {MOST_PARTS} units, not {entry!r}")
        found[host.lower().removeprefix("www.").rstrip(".")] = units
    return found


def units_of(host: str, entries: tuple[str, ...]) -> int:
    """How many units ask a host; a subdomain is as its domain, unless it is named itself."""
    named = parts(entries)
    return next((named[domain] for domain in domains(host) if domain in named), 1)


def unit_name(url: str, buckets: int, entries: tuple[str, ...] = ()) -> str:
    """The unit that asks for a URL."""
    host = bare_host(url)
    if (shared := units_of(host, entries)) > 1:
        return f"http-{host.replace(':', '_')}-{hash_bucket(url, shared, 'part'):05d}"
    return f"http-{hash_bucket(host, buckets, 'host'):05d}"


def over(wanted: Iterable[tuple[str, str]], most: int, entries: tuple[str, ...] = ()) -> dict[str, str]:
    """Key → host, of the images that one unit leaves out: of each host all but `most`, chosen by a hash of the key.

    Args:
        wanted: (key, URL) of all of a unit.
        most: images of a host in all its units together; 0 is no bound.
        entries: `fetch.split_hosts`.
    """
    if not most:
        return {}
    by_host: dict[str, list[str]] = defaultdict(list)
    for key, url in wanted:
        by_host[bare_host(url)].append(key)
    left = {}
    for host, keys in by_host.items():
        share = -(-most // units_of(host, entries))
        if len(keys) > share:
            stay = set(heapq.nsmallest(share, keys, key=lambda key: (hash_unit(key, CAPPED), key)))
            left.update({key: host for key in keys if key not in stay})
    return left
