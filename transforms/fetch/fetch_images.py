"""Addresses of images → stored images and their index: the whole of fetch as one transform.

    images ──► wanted keys ⋈ captures ─┬─► by key bucket: copied from an earlier run's output
                                       ├─► by archive: one unit a WARC file
                                       └─► by host bucket: HTTP units ─► redirects to other hosts: again (rounds.py)

Only narrow rows cross shuffles: URLs, places in archives, and what files of a host say against its images. Reading or
fetching, checking and writing are one step, so image bytes never do (unit.py). A host is asked by one unit at a time
and only by its own, which lets one process keep the host's limits (rate_limit.py). A redirect to another host waits for
the next round.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.parameters import ConfigError, FetchRules
from weft.schemas.records import Capture, ImageRow, digest, hash_bucket
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold, Once
from weft.transforms.beam.joins import Join
from weft.transforms.consent import responses
from weft.transforms.consent.attach import Address, Forbidden, ForbiddenBySite
from weft.transforms.extract import exclusions
from weft.transforms.fetch import by_img2dataset, hosts, previous_runs
from weft.transforms.fetch.blobs import TAKEN
from weft.transforms.fetch.client import Client
from weft.transforms.fetch.previous_runs import EarlierImage, IndexFile
from weft.transforms.fetch.rounds import Rounds
from weft.transforms.fetch.unit import EARLIER, WARC, WEB, Task, Wanted
from weft.transforms.io import files, parquet
from weft.transforms.urls import image_key

_ASKED = -1  # stands for an image's own address beside ranks of held ones
_TODAY = 1 << 62  # microseconds since the epoch: after every capture


class ImageAddresses(NamedTuple):
    """An image as a page shows it."""

    url: str
    alternates: Sequence[str] = ()  # other addresses of the same picture, best first


class _Asked(NamedTuple):
    """An address under which archives are searched for an image."""

    rank: int  # 0 is the image's own address
    key: str  # of the image


class _Place(NamedTuple):
    """Where an archive holds what was captured at an address."""

    date: int
    warc_file: str
    warc_offset: int


class _Held(NamedTuple):
    """Where an archive holds an image, under one of its addresses."""

    rank: int
    date: int
    warc_file: str
    warc_offset: int
    address: str


_AT_ADDRESS = tuple[str, tuple[str, _Place]]
_TRAVEL = (ImageAddresses, Capture, _Asked, _Place, _Held, IndexFile, EarlierImage, Wanted, ImageRow)


@dataclasses.dataclass
class FetchImages(beam.PTransform):
    """Image URLs (str or ImageAddresses) → an ImageRow for each distinct image, whether it came or not.

    Below `output` it writes images/blobs (the stored bytes; a row says where its are), images/index (the rows),
    fates/fetch, and fetch/ (what a killed run needs to go on). Run again with the same output, it goes on. With

        p | beam.Create(["https://example.org/a.jpg"]) | FetchImages("out", FetchRules(max_side=256))

    each image is asked for once, whatever the number of times that it stands in the input (`urls.image_key` says when
    two addresses are one image). Set `user_agent` of the rules before you ask strangers' hosts.

    Args:
        output: directory, local or of an object store.
        rules: what is fetched, how politely, and how it is stored.
        captures: a PCollection of Captures: what archives hold is read from them, and not asked for over HTTP.
        earlier: outputs of finished runs of the pipeline: what they have is copied, and not asked for again.
        buckets: work units for HTTP. A host is never split, so this bounds how many workers ask at once.
        fingerprint: of whatever else decides the result; with another one nothing of an earlier run is used.
        site_files: a PCollection of SiteFiles: what they forbid is neither read nor asked for.

    Raises:
        ConfigError: when the graph is built: an entry of the rules that means nothing, or an earlier output that holds
            no finished fetch or one whose images were stored in another form.
    """

    output: str
    rules: FetchRules = dataclasses.field(default_factory=FetchRules)
    captures: Any = None
    earlier: Sequence[str] = ()
    buckets: int = 8
    fingerprint: str = ""
    site_files: Any = None

    def expand(self, images: beam.PCollection[Any]) -> beam.PCollection[ImageRow]:
        fingerprint = self.fingerprint or digest(self.rules)
        units = FetchUnits(
            self.output, self.rules, self.captures, self.earlier, self.buckets, fingerprint, self.site_files
        )
        addresses = images | "Addresses" >> beam.Map(_as_addresses).with_output_types(ImageAddresses)
        return (addresses | "Units" >> units)["index"] | "Rows" >> beam.FlatMap(
            parquet.read, ImageRow
        ).with_output_types(ImageRow)


def check(rules: FetchRules, earlier: Sequence[str]) -> None:
    """Check what fetch is told.

    Raises:
        ConfigError: an entry or list that means nothing, a missing downloader, or an earlier run that does not fit.
    """
    Client(rules)
    hosts.parts(rules.split_hosts)
    by_img2dataset.check(rules)
    if rules.svg and importlib.util.find_spec("resvg_py") is None:
        raise ConfigError("fetch.svg = true: resvg is not installed; pip install 'weft-corpus[svg]'")
    for font in rules.svg_fonts:
        if not files.exists(font):
            raise ConfigError(f"fetch.svg_fonts: no file {font}")
    previous_runs.check(earlier, rules)
    exclusions.load(rules.exclude)


@dataclasses.dataclass
class FetchUnits(beam.PTransform):
    """ImageAddresses → {"wanted": (image key, URL) once each, "index": path of each unit's index file}.

    See FetchImages for the arguments.
    """

    output: str
    rules: FetchRules
    captures: Any
    earlier: Sequence[str]
    buckets: int
    fingerprint: str
    site_files: Any = None
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of archives, as of `secrets.held`
    finished: str = ""  # of `earlier` the one whose failures stand too
    unit_seconds: float = 0.0  # that a unit of hosts may take before it leaves the rest to `rounds.GoOn`; 0: no end

    def expand(self, images: beam.PCollection[ImageAddresses]) -> dict[str, beam.PCollection[Any]]:
        check(self.rules, self.earlier)
        for record in _TRAVEL:
            coders.register(record)
        wanted = (
            images
            | "ImageKey" >> beam.Map(lambda one: (image_key(one.url), one.url)).with_output_types(tuple[str, str])
            | "Once" >> Fold(_preferred)
        )
        found = {"wanted": wanted}
        if self.captures is not None:
            found["held"] = self._held(images, wanted)
        signals = responses.SITE_SIGNALS & self.rules.honoured
        if self.site_files is not None and signals:
            found["forbidden"] = self._forbidden(wanted, found.get("held"), sorted(signals))
        if self.earlier:
            found["earlier"] = (
                images.pipeline
                | "Earlier"
                >> beam.Create(
                    previous_runs.index_files(self.earlier, self.rules, self.finished, self.listed)
                ).with_output_types(IndexFile)
                | "SpreadEarlier" >> beam.Reshuffle()
                | "EarlierRows" >> beam.FlatMap(previous_runs.images).with_output_types(tuple[str, EarlierImage])
            )
        routed = (
            found
            | "ChooseSource" >> Join()
            | "Route"
            >> beam.FlatMap(_route, self.buckets, self.rules.split_hosts).with_output_types(tuple[str, Wanted])
        )
        return {"wanted": wanted, "index": routed | "Rounds" >> self.rounds()}

    def rounds(self) -> Rounds:
        """What follows, once it is known which unit gets what."""
        task = Task(self.output, self.fingerprint, self.rules, self.unit_seconds, self.listed)
        return Rounds(task, self.buckets, self.keys)

    @cached_property
    def listed(self) -> str:
        """What the lists say where the job is made: they say the same to all units, or these are an error."""
        return exclusions.contents(self.rules.exclude) if self.rules.exclude else ""

    def _held(
        self, images: beam.PCollection[ImageAddresses], wanted: beam.PCollection[tuple[str, str]]
    ) -> beam.PCollection[tuple[str, _Held]]:
        """Of each image the best that archives hold: its own address before alternates, of captures the newest."""
        newest = (
            self.captures
            | "CaptureKey" >> beam.Map(_place_by_key).with_output_types(tuple[str, _Place])
            | "Newest" >> Fold(_newer)
        )
        if self.rules.http:  # each image is asked for under its own address alone
            asked = wanted | "Asked" >> beam.MapTuple(lambda key, _: (key, _Asked(0, key))).with_output_types(
                tuple[str, _Asked]
            )
        else:
            asked = (
                images
                | "AllAddresses" >> beam.FlatMap(_addresses).with_output_types(tuple[str, str, int])
                | "DistinctAddresses" >> Once()
                | "Asked"
                >> beam.MapTuple(lambda address, key, rank: (address, _Asked(rank, key))).with_output_types(
                    tuple[str, _Asked]
                )
            )
        return (
            {
                "rows": asked,
                "one": newest | "WithAddress" >> beam.MapTuple(_with_address).with_output_types(_AT_ADDRESS),
            }
            | "FindCapture" >> hot_keys.Attach(attrgetter("key"))
            | "Captured" >> beam.MapTuple(_captured).with_output_types(tuple[str, _Held])
            | "BestCapture" >> Fold(min)
        )

    def _forbidden(
        self, wanted: beam.PCollection[tuple[str, str]], held: Any, signals: Sequence[str]
    ) -> beam.PCollection[tuple[str, tuple[int, str]]]:
        """(image key, (rank of the held address or _ASKED, words)) of what files of its host forbid."""
        addresses = [wanted | "AsAsked" >> beam.MapTuple(_as_asked).with_output_types(Address)]
        if held is not None:
            addresses.append(held | "AsHeld" >> beam.MapTuple(_as_held).with_output_types(Address))
        return (
            (tuple(addresses) | "Addressed" >> beam.Flatten(), self.site_files)
            | "BySite" >> ForbiddenBySite(signals, self.rules.ai_agents)
            | "OfKey" >> beam.Map(_forbidden_by_key).with_output_types(tuple[str, tuple[int, str]])
        )


def _preferred(one: str, other: str) -> str:
    """Of two ways to write an address, https first, then the smallest.

    >>> _preferred("http://a.test/x", "https://a.test/x#b"), _preferred("https://a.test/x", "https://a.test/x#b")
    ('https://a.test/x#b', 'https://a.test/x')
    """
    return min(one, other, key=lambda url: (not url.startswith("https:"), url))


def _as_addresses(image: str | ImageAddresses) -> ImageAddresses:
    return ImageAddresses(image) if isinstance(image, str) else image


def _addresses(image: ImageAddresses) -> Iterator[tuple[str, str, int]]:
    """(key of an address, key of the image that it would do for, how well) of all addresses of an image.

    Alternates count where nothing can be asked for over HTTP: a smaller picture that an archive holds is better than
    none. Otherwise the address that the page means is asked for, and its answer stands.
    """
    key = image_key(image.url)
    for rank, url in enumerate([image.url, *image.alternates]):
        yield image_key(url), key, rank


def _place_by_key(capture: Capture) -> tuple[str, _Place]:
    return image_key(capture.url), _Place(capture.crawl_date, capture.warc_file, capture.warc_offset)


def _newer(one: _Place, other: _Place) -> _Place:
    """The newer of two captures; of equally new ones the first counts, by names of archives wherever they lie."""
    return min(one, other, key=lambda at: (-at.date, at.warc_file.rpartition("/")[2], at.warc_offset, at))


def _with_address(address: str, place: _Place) -> tuple[str, tuple[str, _Place]]:
    return address, (address, place)


def _captured(asked: _Asked, found: tuple[str, _Place]) -> tuple[str, _Held]:
    address, place = found
    return asked.key, _Held(asked.rank, *place, address)


def _route(
    item: tuple[str, dict[str, Iterable[Any]]], buckets: int, split: tuple[str, ...]
) -> Iterator[tuple[str, Wanted]]:
    """(unit, what it is to get): from an earlier run, else the archive with the best address, else the host.

    What the run that is made anew has stays in its unit, and was judged there, by the day of its capture or request.
    """
    key, found = item
    wanted = list(found["wanted"])
    if not wanted:
        return
    forbidden: dict[int, str] = dict(sorted(found.get("forbidden", ())))
    asked = forbidden.get(_ASKED, "")
    held: list[_Held] = sorted(found.get("held", ()))
    earlier: list[EarlierImage] = sorted(found.get("earlier", ()))
    if earlier and earlier[0].unit:
        yield f"{TAKEN}{earlier[0].unit}", Wanted(key, EARLIER, earlier=earlier[0])
    elif earlier:
        yield (
            f"earlier-{hash_bucket(key, buckets, 'earlier'):05d}",
            Wanted(key, EARLIER, earlier=earlier[0], forbidden=asked),
        )
    elif held:
        best = held[0]
        words = forbidden.get(best.rank, "")
        yield best.warc_file, Wanted(key, WARC, best.address, best.warc_offset, best.date, forbidden=words)
    else:
        url = str(wanted[0])
        yield hosts.unit_name(url, buckets, split), Wanted(key, WEB, url, forbidden=asked)


def _as_asked(key: str, url: str) -> Address:
    """An image that may be asked for today: the newest capture of a file counts."""
    return Address(f"{_ASKED} {key}", url, _TODAY)


def _as_held(key: str, held: _Held) -> Address:
    return Address(f"{held.rank} {key}", held.address, held.date)


def _forbidden_by_key(found: Forbidden) -> tuple[str, tuple[int, str]]:
    rank, _, key = found.key.partition(" ")
    return key, (int(rank), found.words)
