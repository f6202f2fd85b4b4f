"""One work unit of a crawl: all that is asked of some hosts in one round → WARC files, their index, fates.

Addresses, what earlier crawls had of these hosts → warc/NAME-ATTEMPT-NNNNN.warc.gz, index/NAME.parquet,
fates/crawl/NAME.parquet, and crawl/next/NAME.json: addresses of other hosts, and images. Its marker comes last. What
has been answered is spooled meanwhile, so that a unit which is killed does not ask again. Two attempts of a unit may be
answered differently: each writes archives of its own, and the one that is done first is the unit's.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from weft.schemas.parameters import CrawlRules, Manners
from weft.schemas.records import DROPPED, KEPT, Crawled, Fate, digest
from weft.schemas.tables import CRAWLED
from weft.transforms.archives import http_message, write
from weft.transforms.archives.read import read_captures
from weft.transforms.archives.write import Exchange
from weft.transforms.consent import in_image
from weft.transforms.crawl import links
from weft.transforms.crawl.client import IMAGE, REDIRECT, ROBOTS, SITEMAP, CrawlClient
from weft.transforms.crawl.frontier import Address, Frontier, Led, key_of
from weft.transforms.fetch.client import Response
from weft.transforms.fetch.previous_runs import may_pass
from weft.transforms.fetch.scheduler import fetch_all
from weft.transforms.io import files, parquet
from weft.transforms.io.spool import Spool
from weft.transforms.io.streams import HashedStream
from weft.transforms.io.work_units import Counts, finished, run_unit, write_fates

STAGE = "crawl"
WARC_BYTES = 1 << 30  # of a file, about


class Made(NamedTuple):
    """What was made of an answer."""

    key: str  # of the address; "" for robots.txt and the like
    row: Crawled  # its place is not known yet
    detail: str
    led: Led
    data: bytes  # its records


@dataclasses.dataclass(frozen=True)
class Crawl:
    """What all units of a crawl share."""

    output: str
    rules: CrawlRules
    manners: Manners
    fingerprint: str
    said: tuple[tuple[str, str], ...]  # warcinfo


def crawl_unit(
    name: str, rounds: int, wanted: Sequence[Address], before: Sequence[Crawled], crawl: Crawl, ask: bool = True
) -> str:
    """Ask for everything of one unit; returns its name.

    Args:
        name: of the hosts' bucket.
        rounds: how many rounds came before this one; what they asked for is not asked for again.
        wanted: to begin with.
        before: what an earlier crawl had of these hosts.
        crawl: what all units share.
        ask: False where too many redirects led here: each address ends for that reason.
    """
    unit = _in_round(name, rounds)
    wanted = sorted(set(wanted))
    fingerprint = digest(crawl.fingerprint, wanted)
    spool = Answers(files.join(crawl.output, STAGE, "spool", f"{unit}-{fingerprint[:16]}"))

    def work() -> Counts | None:
        asked = [row for number in range(rounds) for row in read_index(crawl.output, _in_round(name, number))]
        one = _Unit(unit, Frontier(crawl.rules, ((row.url, row.kind) for row in asked)), crawl, before, spool)
        if ask:
            one.ask(wanted)
        else:
            one.frontier.give_up(wanted)
        return one.write(fingerprint)

    run_unit(crawl.output, STAGE, unit, fingerprint, work)
    spool.remove()
    return unit


def _in_round(name: str, rounds: int) -> str:
    return f"{name}-{rounds}" if rounds else name


def elsewhere(output: str, unit: str) -> Iterator[Address]:
    """What a unit leaves for the next round."""
    path = files.join(output, STAGE, "next", f"{unit}.json")
    if files.exists(path):
        yield from (Address(*one) for one in json.loads(files.read_bytes(path)))


def read_index(output: str, unit: str) -> Iterator[Crawled]:
    """Rows of a unit's index; none where it has none."""
    path = files.join(output, "index", f"{unit}.parquet")
    if files.exists(path):
        yield from parquet.read(path, Crawled)


class _Unit:
    """A unit at work."""

    def __init__(self, name: str, frontier: Frontier, crawl: Crawl, before: Sequence[Crawled], spool: Answers) -> None:
        self._name, self.frontier, self._crawl, self._spool = name, frontier, crawl, spool
        self._before = {key_of(row.url): row for row in before if row.record_id and not row.reason}
        self._numbers = itertools.count()
        self._last: dict[str, int] = {}  # key → number of its last answer in the spool: a failure may be asked again

    def ask(self, wanted: Sequence[Address]) -> None:
        """Ask until nothing is left; what has come is in the spool."""
        earlier: dict[str, Made] = {}
        for made in map(self._counted, self._spool.earlier()):
            if made.key and not may_pass(made.row.reason, made.row.status):
                earlier[made.key] = made._replace(data=b"")
        client = CrawlClient(
            self._crawl.manners, self._crawl.rules, lambda url: self.frontier.wanted(url).kind, self._conditions
        )

        def ready(jobs: list[tuple[str, str]]) -> list[tuple[str, str]]:
            """Of these jobs, and of what they lead to, those whose answers a killed run has not left."""
            left: list[tuple[str, str]] = []
            while jobs:
                job = jobs.pop()
                done = earlier.get(job[0])
                if done:
                    jobs += self.frontier.found(job[0], done.led)
                else:
                    left.append(job)
            return left[::-1]

        def more(key: str, made: Made) -> list[tuple[str, str]]:
            return ready(self.frontier.found(key, made.led))

        def answers() -> Iterator[Made]:
            for key, made in fetch_all(
                ready(self.frontier.begin(wanted)), client, self._made, self._crawl.manners, more
            ):
                while client.rules_seen:
                    yield self._kept(client.rules_seen.pop(), ROBOTS)
                one = self.frontier.asked[key]
                yield made._replace(key=key, row=made.row._replace(url=one.url, kind=one.kind))

        self._spool.keep(map(self._counted, answers()))

    def _done(self, fingerprint: str) -> bool:
        return finished(self._crawl.output, STAGE, self._name, fingerprint) is not None

    def _counted(self, made: Made) -> Made:
        self._last[made.key] = next(self._numbers)
        return made

    def _conditions(self, url: str) -> dict[str, str]:
        before = self._before.get(key_of(url))
        if before is None:
            return {}
        told = {"If-None-Match": before.etag, "If-Modified-Since": before.last_modified}
        return {name: value for name, value in told.items() if value}

    def _made(self, found: Response) -> Made:
        """An answer's records, and where it leads. Called in a thread."""
        one = found.exchange
        if one is None:
            return Made("", _nothing(found.status, found.reason), found.detail, Led(), b"")
        kind = self.frontier.wanted(one.url).kind
        if found.reason:
            made = self._kept(one, kind)
            led = Led(redirect=found.detail) if found.reason == REDIRECT else Led()
            return made._replace(row=made.row._replace(reason=found.reason), detail=found.detail, led=led)
        before = self._before.get(key_of(one.url))
        if one.status == 304 and before is None:  # nobody asked on a condition
            return Made("", _nothing(304, "http_error"), "HTTP 304", Led(), b"")
        led, words = self._led(one, kind, before)
        if words:
            return Made("", _nothing(one.status, "opt_out"), words, Led(), b"")
        return self._kept(one, kind, before)._replace(led=led)

    def _led(self, one: Exchange, kind: str, before: Crawled | None) -> tuple[Led, str]:
        """Where an answer leads, and the words with which it forbids its use."""
        honoured = self._crawl.manners.honoured
        if kind == IMAGE and "dmi" not in honoured:
            return Led(), ""
        if one.status == 304 and before:
            try:
                record = next(read_captures(before.warc_file, [before.warc_offset]), (0, None))[1]
            except OSError:
                record = None
            if record is None:
                return Led(), ""
            headers, body = list(record.headers), record.body
        else:
            answer = http_message.parse_http(one.answered + one.body)
            headers, body = list(answer.headers), answer.body
        if kind == IMAGE:
            return Led(), in_image.read(body)
        if kind == SITEMAP:
            found, more = links.of_sitemap(body, one.url)
            return (Led(sitemaps=found) if more else Led(pages=found)), ""
        media = next((value for name, value in headers if name == "content-type"), "")
        rules, follow = self._crawl.rules, self.frontier.wanted(one.url).depth > 0
        leads = links.of_page(body, media, one.url, headers, rules.main_content, honoured, follow)
        return Led(links=leads.links, images=leads.images), leads.opt_out

    def _kept(self, one: Exchange, kind: str, before: Crawled | None = None) -> Made:
        identity, answer, asked = write.exchange(one, before)
        headers = dict(http_message.parse_http(one.answered).headers)
        body_digest = write.digest(one.body)
        same = before if before and (one.status == 304 or before.digest == body_digest) else None
        mime = headers.get("content-type", same.mime if same else "")
        row = Crawled(
            one.url, kind, one.status, "", mime.partition(";")[0].strip().lower(),
            same.date if same else one.date, same.record_id if same else identity,
            same.digest if same else body_digest,
            headers.get("etag", same.etag if same else ""),
            headers.get("last-modified", same.last_modified if same else ""),
            same.warc_file if same else "", same.warc_offset if same else 0,
        )  # fmt: skip
        if same and one.status == 304:
            row = row._replace(status=200)  # what it stands for
        return Made("", row, "not modified" if same else "", Led(), answer + asked)

    def write(self, fingerprint: str) -> Counts | None:
        """The spool → the unit's files; None where another attempt has finished the unit, whose files stay."""
        rows: list[Crawled] = []
        fates: list[Fate] = []
        if self._done(fingerprint):  # and has taken the spool away
            return None
        with _Warcs(self._crawl, f"{self._name}-{self._spool.attempt}") as warcs:
            for number, made in enumerate(self._spool.again()):
                if made.key and (made.key not in self.frontier.asked or self._last[made.key] != number):
                    continue
                place, offset = warcs.add(made.data) if made.data else ("", 0)
                row = made.row
                if made.data and not row.warc_file:
                    row = row._replace(warc_file=place, warc_offset=offset)
                rows.append(row)
                if made.key:
                    fates.append(_fate(row.kind, row.url, row.reason, made.detail))
        if self._done(fingerprint):
            return None
        for one, reason in self.frontier.left_out():
            rows.append(_nothing(0, reason)._replace(url=one.url, kind=one.kind))
            fates.append(_fate(one.kind, one.url, reason, ""))
        output = self._crawl.output
        left = sorted(self.frontier.elsewhere.values())
        files.write_atomic(files.join(output, STAGE, "next", f"{self._name}.json"), json.dumps(left))
        parquet.write_table(files.join(output, "index", f"{self._name}.parquet"), sorted(rows), CRAWLED)
        write_fates(output, STAGE, self._name, sorted(fates))
        entered = Counter(record=0, page=0, image=0)
        entered.update(_kind(one.kind) for one in self.frontier.entered())
        return dict(entered)


def _nothing(status: int, reason: str) -> Crawled:
    """The row of an address that gave no record."""
    return Crawled("", "", status, reason, "", "", "", "", "", "", "", 0)


def _kind(kind: str) -> str:
    return "record" if kind == SITEMAP else kind


def _fate(kind: str, url: str, reason: str, detail: str) -> Fate:
    return Fate(STAGE, _kind(kind), url, DROPPED if reason else KEPT, reason, detail)


class _Warcs:
    """The WARC files of an attempt, each of about WARC_BYTES; closed they are whole."""

    def __init__(self, crawl: Crawl, name: str) -> None:
        self._crawl, self._name, self._number = crawl, name, 0
        self._open, self._path = ExitStack(), ""
        self._stream: HashedStream | None = None

    def __enter__(self) -> _Warcs:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]

    def add(self, data: bytes) -> tuple[str, int]:
        """(file, offset) of records that are written now."""
        if self._stream is None or self._stream.size >= WARC_BYTES:
            self._open.close()
            name = f"{self._name}-{self._number:05d}.warc.gz"
            self._path, self._number = files.join(self._crawl.output, "warc", name), self._number + 1
            self._stream = self._open.enter_context(files.atomic(self._path))
            self._stream.write(write.info(name, dict(self._crawl.said)))
        offset = self._stream.size
        self._stream.write(data)
        return self._path, offset


class Answers(Spool[Made]):
    """What has been made of a unit's answers so far."""

    def apart(self, item: Made) -> tuple[Any, bytes]:
        return item[:-1], item.data

    def together(self, said: Any, data: bytes) -> Made:
        key, row, detail, led = said
        return Made(key, Crawled(*row), detail, Led(*led), data)
