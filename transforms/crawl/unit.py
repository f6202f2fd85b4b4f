"""One work unit of a crawl: all that is asked of some hosts in one round → WARC files, their index, fates.

Addresses, what earlier crawls had of these hosts → warc/NAME-NNNNN.warc.gz, index/NAME.parquet,
fates/crawl/NAME.parquet, and crawl/next/NAME.json: addresses of other hosts, and images. Its marker comes last. What
has been answered is spooled meanwhile, so that a unit which is killed does not ask again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from weft.schemas.parameters import CrawlRules, Manners
from weft.schemas.records import DROPPED, KEPT, Crawled, Fate, digest
from weft.schemas.tables import CRAWLED
from weft.transforms.archives import http_message, write
from weft.transforms.archives.read import read_captures
from weft.transforms.archives.write import Before, Exchange
from weft.transforms.crawl import links
from weft.transforms.crawl.client import IMAGE, REDIRECT, ROBOTS, SITEMAP, CrawlClient
from weft.transforms.crawl.frontier import Address, Frontier, Led, key_of
from weft.transforms.fetch.client import Response
from weft.transforms.fetch.previous_runs import may_pass
from weft.transforms.fetch.scheduler import fetch_all
from weft.transforms.io import files, parquet
from weft.transforms.io.work_units import Counts, run_unit, write_fates

STAGE = "crawl"
WARC_BYTES = 1 << 30  # of a file, about
_PIECE_ANSWERS, _PIECE_BYTES, _PIECE_S = 256, 16 << 20, 10.0  # of the spool: at most this is lost in a kill


class Made(NamedTuple):
    """What was made of an answer."""

    key: str  # of the address; "" for robots.txt and the like
    row: Crawled  # its place is not known yet
    detail: str
    led: Led
    answer: int  # bytes of the answer's record ...
    data: bytes  # ... and all records


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
    known = [
        (row.url, row.kind) for earlier in range(rounds) for row in read_index(crawl.output, _in_round(name, earlier))
    ]
    fingerprint = digest(crawl.fingerprint, wanted)

    def work() -> Counts:
        one = _Unit(unit, Frontier(crawl.rules, known), crawl, before, fingerprint)
        if ask:
            one.ask(wanted)
        else:
            one.frontier.give_up(wanted)
        counts = one.write()
        one.spool.remove()
        return counts

    run_unit(crawl.output, STAGE, unit, fingerprint, work)
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

    def __init__(self, name: str, frontier: Frontier, crawl: Crawl, before: Sequence[Crawled], mark: str) -> None:
        self._name, self.frontier, self._crawl = name, frontier, crawl
        had = [row for row in before if row.record_id and not row.reason]
        self._before = {key_of(row.url): _before(row) for row in had}
        self.spool = Spool(files.join(crawl.output, STAGE, "spool", f"{name}-{mark[:16]}"))

    def ask(self, wanted: Sequence[Address]) -> None:
        """Ask until nothing is left; what has come is in the spool."""
        earlier = {
            made.key: made._replace(data=b"")
            for made in self.spool.earlier()
            if made.key and not may_pass(made.row.reason, made.row.status)
        }
        client = CrawlClient(self._crawl.manners, self._crawl.rules, self.frontier.kind, self._conditions)

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

        self.spool.fill(answers())

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
            return Made("", _nothing(found.status, found.reason), found.detail, Led(), 0, b"")
        kind = self.frontier.kind(one.url)
        if found.reason:
            made = self._kept(one, kind)
            led = Led(redirect=found.detail) if found.reason == REDIRECT else Led()
            return made._replace(row=made.row._replace(reason=found.reason), detail=found.detail, led=led)
        before = self._before.get(key_of(one.url))
        if one.status == 304 and before is None:  # nobody asked on a condition
            return Made("", _nothing(304, "http_error"), "HTTP 304", Led(), 0, b"")
        led, words = self._led(one, kind, before)
        if words:
            return Made("", _nothing(one.status, "opt_out"), words, Led(), 0, b"")
        return self._kept(one, kind, before)._replace(led=led)

    def _led(self, one: Exchange, kind: str, before: Before | None) -> tuple[Led, str]:
        """Where an answer leads, and the words with which it forbids its use."""
        if kind == IMAGE:
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
        if kind == SITEMAP:
            found, more = links.of_sitemap(body, one.url)
            return (Led(sitemaps=found) if more else Led(pages=found)), ""
        media = next((value for name, value in headers if name == "content-type"), "")
        leads = links.of_page(body, media, one.url, headers, self._crawl.rules.main_content)
        honoured = leads.opt_out if self._crawl.manners.honour_opt_out else ""
        return Led(links=leads.links, images=leads.images), honoured

    def _kept(self, one: Exchange, kind: str, before: Before | None = None) -> Made:
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
        return Made("", row, "not modified" if same else "", Led(), len(answer), answer + asked)

    def write(self) -> Counts:
        """The spool → the unit's files."""
        last = {made.key: number for number, made in enumerate(self.spool.earlier())}  # a failure may be asked again
        rows: list[Crawled] = []
        fates: list[Fate] = []
        with _Warcs(self._crawl, self._name) as warcs:
            for number, made in enumerate(self.spool.earlier()):
                if made.key and last[made.key] != number:
                    continue
                place, offset = warcs.add(made.data) if made.data else ("", 0)
                row = made.row
                if made.data and not row.warc_file:
                    row = row._replace(warc_file=place, warc_offset=offset)
                rows.append(row)
                if made.key:
                    fates.append(_fate(row.kind, row.url, row.reason, made.detail))
        for one, reason in self.frontier.dropped:
            if key_of(one.url) not in self.frontier.asked:
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


def _before(row: Crawled) -> Before:
    place = row.warc_file, row.warc_offset
    return Before(row.record_id, row.date, row.digest, row.etag, row.last_modified, *place, row.mime)


def _nothing(status: int, reason: str) -> Crawled:
    """The row of an address that gave no record."""
    return Crawled("", "", status, reason, "", "", "", "", "", "", "", 0)


def _kind(kind: str) -> str:
    return "record" if kind == SITEMAP else kind


def _fate(kind: str, url: str, reason: str, detail: str) -> Fate:
    return Fate(STAGE, _kind(kind), url, DROPPED if reason else KEPT, reason, detail)


class _Warcs:
    """The WARC files of a unit, each of about WARC_BYTES; closed they are whole."""

    def __init__(self, crawl: Crawl, name: str) -> None:
        self._crawl, self._name = crawl, name
        self._number, self._size = -1, WARC_BYTES
        self._open: Any = None
        self._stream: Any = None
        self._path = ""

    def __enter__(self) -> _Warcs:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._open is not None:
            self._open.__exit__(kind, error, trace)

    def add(self, data: bytes) -> tuple[str, int]:
        """(file, offset) of records that are written now."""
        if self._size >= WARC_BYTES:
            self.__exit__(None, None, None)
            self._number, self._size = self._number + 1, 0
            name = f"{self._name}-{self._number:05d}.warc.gz"
            self._path = files.join(self._crawl.output, "warc", name)
            self._open = files.atomic(self._path)
            self._stream = self._open.__enter__()
            self._put(write.info(name, dict(self._crawl.said)))
        offset = self._size
        self._put(data)
        return self._path, offset

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)


class Spool:
    """What a unit has got so far: numbered files, each a line of JSON per answer and then their records."""

    def __init__(self, at: str) -> None:
        self._at = at

    def earlier(self) -> Iterator[Made]:
        """What is there, in the order in which it came."""
        for path, _ in files.listing(files.join(self._at, "*.bin")):
            text, _, data = files.read_bytes(path).partition(b"\n\n")
            at = 0
            for line in text.splitlines():
                key, row, detail, led, answer, length = json.loads(line)
                yield Made(key, Crawled(*row), detail, Led(*led), answer, data[at : at + length])
                at += length

    def fill(self, answers: Iterable[Made]) -> None:
        """Write what comes, piece by piece."""
        number = len(files.listing(files.join(self._at, "*.bin")))
        waiting: list[Made] = []
        size, begun = 0, time.monotonic()
        for made in answers:
            waiting.append(made)
            size += len(made.data)
            if len(waiting) >= _PIECE_ANSWERS or size >= _PIECE_BYTES or time.monotonic() - begun >= _PIECE_S:
                self._write(number, waiting)
                number, waiting, size, begun = number + 1, [], 0, time.monotonic()
        if waiting:
            self._write(number, waiting)

    def _write(self, number: int, waiting: list[Made]) -> None:
        lines = [json.dumps([m.key, m.row, m.detail, m.led, m.answer, len(m.data)]) + "\n" for m in waiting]
        data = "".join(lines).encode() + b"\n" + b"".join(m.data for m in waiting)
        with files.recorded():  # it is gone when the unit is done: no file of its own
            files.write_atomic(files.join(self._at, f"{number:06d}.bin"), data)

    def remove(self) -> None:
        """The unit is done."""
        files.remove_tree(self._at)
