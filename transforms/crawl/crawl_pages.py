"""Addresses → WARC, in rounds: pages first, then what they show, and what redirects lead to.

    addresses ──► by host bucket ──► unit ──► what other hosts have, and images: by their bucket, once more
                                      ▲                                          │
                                      └──────────────────────────────────────────┘

A host is asked by one unit at a time and only by its own, so that one process keeps the host's limits; within a round
it is crawled from its beginnings to the depth that is asked for (frontier.py). Only addresses cross shuffles.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from weft.schemas.records import Crawled
from weft.transforms.beam import coders
from weft.transforms.beam.joins import Join
from weft.transforms.crawl.frontier import Address
from weft.transforms.crawl.unit import Crawl, crawl_unit, elsewhere
from weft.transforms.fetch import hosts
from weft.transforms.fetch.client import Client
from weft.transforms.io import files, parquet

ROUNDS = 4  # pages; their images and where they moved to; the images of these; and once more


@dataclasses.dataclass
class CrawlPages(beam.PTransform):
    """PCollection of Address → the name of each unit, once it is done.

    Below `crawl.output` it writes warc/, index/ (rows of Crawled), fates/crawl, and crawl/ (what a killed crawl needs
    to go on). Run again with the same output, it goes on.

    Args:
        crawl: what is asked for, how, and where it goes.
        earlier: outputs of earlier crawls: what they have is asked for only where it has changed.
        buckets: work units of a round.

    Raises:
        ConfigError: when the graph is built: an entry of the manners that means nothing.
    """

    crawl: Crawl
    earlier: Sequence[str] = ()
    buckets: int = 8

    def expand(self, addresses: beam.PCollection[Address]) -> beam.PCollection[str]:
        Client(self.crawl.manners)  # so that a bad entry is said before anything runs
        coders.register(Address)
        coders.register(Crawled)
        before = (
            addresses.pipeline
            | "Earlier" >> beam.Create([files.join(one, "index", "*.parquet") for one in self.earlier])
            | "EarlierFiles" >> beam.FlatMap(lambda pattern: [path for path, _ in files.listing(pattern)])
            | "SpreadEarlier" >> beam.Reshuffle()
            | "EarlierRows" >> beam.FlatMap(parquet.read, Crawled)
            | "EarlierUnit" >> beam.Map(_by_unit, self.buckets).with_output_types(tuple[str, Crawled])
        )
        done: list[beam.PCollection[str]] = []
        for number in range(ROUNDS + 1):
            if number:
                addresses = done[-1] | f"Left{number}" >> beam.FlatMap(
                    lambda unit, output: elsewhere(output, unit), self.crawl.output
                ).with_output_types(Address)
            wanted = addresses | f"Unit{number}" >> beam.Map(_by_unit, self.buckets).with_output_types(
                tuple[str, Address]
            )
            done.append(
                {"wanted": wanted, "before": before}
                | f"Hosts{number}" >> Join()
                | f"Crawl{number}" >> beam.FlatMap(_crawl, number, self.crawl).with_output_types(str)
            )
        return done | "All" >> beam.Flatten()


def _by_unit(one: Any, buckets: int) -> tuple[str, Any]:
    return hosts.unit_name(one.url, buckets), one


def _crawl(item: tuple[str, dict[str, Iterable[Any]]], number: int, crawl: Crawl) -> Iterator[str]:
    name, found = item
    wanted = list(found["wanted"])
    if wanted:
        yield crawl_unit(name, number, wanted, list(found["before"]), crawl, ask=number < ROUNDS)
