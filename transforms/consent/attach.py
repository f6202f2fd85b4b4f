"""ForbiddenBySite: addresses and site files → what the files of each address's own site say against its use.

    rows (host; key, url, moment) ─┐
                                   ├─► by host, hot hosts in parts ─► the words that forbid, where there are any
    site files ─► by host ─────────┘

Rows are narrow: an id, an address, a date; of a site the few lines that can speak of training. Hosts whose files say
nothing take no part. A row is judged by the last capture of each file before its own moment, else by the first one.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam

from weft.schemas.records import SiteFile
from weft.transforms.beam import coders, hot_keys
from weft.transforms.consent import site_files
from weft.transforms.urls import site_host


class Address(NamedTuple):
    """What is to be judged."""

    key: str  # what the answer is asked for by
    url: str
    moment: int  # when it was captured, microseconds since the epoch


class Forbidden(NamedTuple):
    """What may not be used, and which line says so."""

    key: str
    url: str
    words: str  # the file, its date and its line


for _record in (Address, Forbidden, SiteFile):
    coders.register(_record)
_Files = list[tuple[str, int, str, str]]  # SiteFiles of one host, as plain tuples: they travel in a list


@dataclasses.dataclass
class ForbiddenBySite(beam.PTransform):
    """(Addresses, SiteFiles) → Forbidden of each address that its site's files forbid.

    Args:
        signals: of responses.SITE_SIGNALS, those that count.
        agents: names and purposes of AI agents whose groups in robots.txt count.
        most: addresses of a host before it is split.
    """

    signals: Collection[str]
    agents: Collection[str]
    most: int = hot_keys.MOST

    def expand(
        self, inputs: tuple[beam.PCollection[Address], beam.PCollection[SiteFile]]
    ) -> beam.PCollection[Forbidden]:
        addresses, files = inputs
        of_hosts = (
            files
            | "ByHost" >> beam.Map(lambda file: (file.host, file)).with_output_types(tuple[str, SiteFile])
            | "OfHost" >> beam.GroupByKey()
            | "Speaking" >> beam.FlatMapTuple(_speaking).with_output_types(tuple[str, _Files])
        )
        rows = addresses | "Host" >> beam.Map(lambda one: (site_host(one.url), one)).with_output_types(
            tuple[str, Address]
        )
        signals, agents = tuple(self.signals), tuple(self.agents)
        return (
            {"rows": rows, "one": of_hosts}
            | "Attach" >> hot_keys.Attach(_key, self.most)
            | "Judge" >> beam.FlatMap(_judge, signals, agents).with_output_types(Forbidden)
        )


def words(files: Iterable[SiteFile], url: str, moment: int, signals: Collection[str], agents: Collection[str]) -> str:
    """What forbids an address, of the captures of its site's files; "" where nothing does."""
    for file in site_files.nearest(files, moment):
        said = site_files.judge(file.name, file.rules, url, signals, agents)
        if said:
            name, _, line = said.partition(": ")
            return f"{name} of {_day(file.captured)}: {line}"
    return ""


def _key(address: Address) -> str:
    return address.key


def _speaking(host: str, files: Iterable[SiteFile]) -> Iterator[tuple[str, _Files]]:
    found = sorted(set(files))
    if any(file.rules for file in found):
        yield host, [(file.host, file.captured, file.name, file.rules) for file in found]


def _judge(row: tuple[Address, _Files], signals: tuple[str, ...], agents: tuple[str, ...]) -> Iterator[Forbidden]:
    address, files = row
    said = words(map(SiteFile._make, files), address.url, address.moment, signals, agents)
    if said:
        yield Forbidden(address.key, address.url, said)


def _day(moment: int) -> str:
    return datetime.datetime.fromtimestamp(moment / 1e6, datetime.UTC).date().isoformat() if moment else "no date"
