"""One work unit of fetch: images of one archive, of one bucket of hosts, or of earlier runs.

(source, what is wanted) → images/blobs, images/index, fates/fetch, and fetch/moved: images whose redirects lead to
other hosts. Its files appear whole, its marker last. What the web has answered is spooled meanwhile, so that a unit
which is killed does not ask again, and one whose turn is over (slices.py) goes on in another job.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from weft.schemas.parameters import FetchRules
from weft.schemas.records import DROPPED, KEPT, Fate, ImageRow, digest
from weft.schemas.tables import IMAGES
from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Record
from weft.transforms.consent import responses
from weft.transforms.extract import exclusions
from weft.transforms.extract.exclusions import Exclusions
from weft.transforms.fetch import by_img2dataset, decode, hosts, previous_runs, taken
from weft.transforms.fetch.blobs import TAKEN, BlobWriter, Outcome, in_order, index_row
from weft.transforms.fetch.client import MOVED, Client, Response
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.previous_runs import EarlierImage
from weft.transforms.fetch.scheduler import fetch_all
from weft.transforms.fetch.slices import Job, OutOfTime, Turn, Unfinished
from weft.transforms.fetch.spool import STAGE
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import Counts, finished, run_unit, unit_name, unit_of_file, write_fates
from weft.transforms.urls import drawing_of, image_key

WARC, WEB, EARLIER = "warc", "http", "earlier"


class Wanted(NamedTuple):
    """One image that a unit is to get, and where from."""

    key: str
    origin: str  # WARC, WEB or EARLIER: the same for all of a unit
    address: str = ""  # the URL to ask for, or the key of the address under which the archive has it
    warc_offset: int = 0
    capture_date: int = 0  # microseconds since the epoch
    earlier: EarlierImage | None = None
    forbidden: str = ""  # what an archived file of its site says against its use: then it is neither read nor asked for


@dataclasses.dataclass(frozen=True)
class Task:
    """What all units of a fetch share.

    Attributes:
        output: the run's directory.
        fingerprint: of all that decides the stage's output.
        rules: how to fetch and store.
        seconds: that a unit of hosts may take before it leaves the rest to another job; 0 has no end.
        listed: what the lists of `rules` say, as `exclusions.as_begun` asks.
    """

    output: str
    fingerprint: str
    rules: FetchRules
    seconds: float = 0.0
    listed: str = ""

    def excluded(self) -> Exclusions | None:
        """The lists of what is not to be stored."""
        return exclusions.as_begun(self.rules.exclude, self.listed)

    def turn(self, unit: str, fingerprint: str, last: bool = True) -> Turn:
        """A turn of a unit of hosts."""
        return Turn(self.output, Unfinished(unit, fingerprint), last, self.seconds, self.rules.host_hours * 3600)


def fetch_unit(item: tuple[str, Iterable[Wanted]], task: Task, last: bool = True) -> str:
    """Get, prepare, store and index all images of one unit; returns the path of its index file, "" if time was short.

    Args:
        item: the archive that is read, else the unit's name; and what is wanted.
        task: what all units share.
        last: whether no round follows: a redirect to another host then is one too many.
    """
    source, values = item
    wanted = sorted(set(values))
    name = f"warc-{unit_name(source)}" if wanted[0].origin == WARC else source
    fingerprint = digest(task.fingerprint, wanted)
    if wanted[0].origin == WEB:
        return _take(task.turn(name, fingerprint, last), task, wanted)
    return _write(name, fingerprint, task.output, _outcomes(source, wanted, task))


def go_on(unit: Unfinished, task: Task) -> str:
    """Go on with a unit of hosts that has something left; returns as `fetch_unit`.

    Raises:
        FileNotFoundError: what it has is not there any more.
    """
    turn = task.turn(unit.name, unit.fingerprint)
    if turn.rest is None and finished(task.output, STAGE, unit.name, unit.fingerprint) is None:
        raise FileNotFoundError(f"{unit.name} has something left, but its spool is gone: fetch again with --redo")
    return _take(turn, task)


def _take(turn: Turn, task: Task, wanted: Sequence[Wanted] = ()) -> str:
    """A turn of a unit of hosts; what is wanted counts in the first."""
    name, fingerprint, _ = turn.unit
    found = _of_hosts(wanted, task, turn)
    try:
        index = _write(name, fingerprint, task.output, ((outcome, WEB) for outcome in found), turn.last)
    except OutOfTime:
        return ""
    turn.done()
    return index


def _write(
    name: str,
    fingerprint: str,
    output: str,
    outcomes: Iterable[tuple[Outcome | ImageRow, str]],
    last: bool | None = None,
) -> str:
    """What came of each image (its row where that stands), and the row's `origin` → the unit's files.

    Returns the path of its index.

    Args:
        last: of a unit of hosts, see `fetch_unit`.
    """
    index = files.join(output, "images", "index", f"{name}.parquet")

    def work() -> Counts | None:
        rows: list[ImageRow] = []
        standing: list[ImageRow] = []
        fates: list[Fate] = []
        elsewhere: list[tuple[str, str]] = []
        with BlobWriter(output, name.removeprefix(TAKEN)) as blobs:
            for outcome, origin in outcomes:
                if isinstance(outcome, ImageRow):
                    standing.append(outcome)
                    fates.append(Fate(STAGE, "image", outcome.image_url, KEPT, "", ""))
                    continue
                if isinstance(outcome.image, Refused) and outcome.image.reason == MOVED:
                    if last is False:
                        elsewhere.append((outcome.key, outcome.image.detail))
                        continue
                    outcome = outcome._replace(image=Refused("too_many_redirects", outcome.image.detail[:200]))
                rows.append(index_row(outcome, origin, blobs))
                fates.append(_fate(outcome))
        rows = [*standing, *map(blobs.named, rows)]
        if finished(output, STAGE, name, fingerprint) is not None:
            return None  # by another attempt, which may have been answered otherwise: its files are the unit's
        if last is not None:
            files.write_atomic(_moved_beside(index), json.dumps(sorted(elsewhere)))
        write_table(index, sorted(rows), IMAGES)
        write_fates(output, STAGE, name, sorted(fates))
        return {"image": len(rows)}

    run_unit(output, STAGE, name, fingerprint, work)
    return index


def moved(index: str) -> Iterator[tuple[str, str]]:
    """(image key, URL) of the images whose redirects lead to other hosts, of the unit with this index file."""
    path = _moved_beside(index)
    if files.exists(path):
        yield from ((key, url) for key, url in json.loads(files.read_bytes(path)))


def _moved_beside(index: str) -> str:
    output = index.rpartition("/images/index/")[0]
    return files.join(output, STAGE, MOVED, f"{unit_of_file(index)}.json")


def _fate(outcome: Outcome) -> Fate:
    if isinstance(outcome.image, Refused):
        return Fate(STAGE, "image", outcome.key, DROPPED, outcome.image.reason, outcome.image.detail)
    return Fate(STAGE, "image", outcome.key, KEPT, "", "")


def _outcomes(source: str, wanted: Sequence[Wanted], task: Task) -> Iterator[tuple[Outcome | ImageRow, str]]:
    """(what came of it, column `origin` of its row) of each image of an archive or of earlier runs."""
    origin, excluded = wanted[0].origin, task.excluded()
    before = {one.key: one.earlier.row.origin for one in wanted if one.earlier}
    refused, wanted = _forbidden(wanted, excluded)
    yield from ((outcome, before.get(outcome.key, origin)) for outcome in refused)
    if not wanted:
        return
    earlier = [one.earlier for one in wanted if one.earlier]
    if earlier and earlier[0].unit:
        rows = [one.row for one in earlier]
        for image in taken.images(earlier[0].output, earlier[0].unit, rows, excluded, task.output):
            yield image, "" if isinstance(image, ImageRow) else before[image.key]
    elif earlier:
        for found in earlier:
            known = previous_runs.outcome(found.output, found.row)
            yield known._replace(image=_unless_excluded(known.image, known.final_url, excluded)), found.row.origin
    else:
        yield from ((outcome, WARC) for outcome in _from_archive(source, wanted, task.rules, excluded))


def _of_hosts(wanted: Sequence[Wanted], task: Task, turn: Turn) -> Iterator[Outcome]:
    """What came of each image of a unit of hosts, once its last turn is over.

    Raises:
        OutOfTime: this turn is over, and something is left.
    """
    rules, excluded = task.rules, task.excluded()
    refused, left = _forbidden(wanted, excluded)
    addresses = {one.key: one.address for one in left}
    if turn.rest is None:
        for key, host in hosts.over(addresses.items(), rules.max_per_host, rules.split_hosts).items():
            detail = f"{host} has more than fetch.max_per_host = {rules.max_per_host}"
            refused.append(Outcome(key, Refused(hosts.CAPPED, detail), 0, 0))
            del addresses[key]
    yield from from_web(addresses, rules, turn, refused, excluded)


def _forbidden(wanted: Sequence[Wanted], excluded: Exclusions | None) -> tuple[list[Outcome], list[Wanted]]:
    """(what is neither read nor asked for, the rest)."""
    refused, left = [], []
    for one in wanted:
        if one.forbidden:
            refused.append(Outcome(one.key, Refused("opt_out", one.forbidden), 0, one.capture_date, "", one.forbidden))
        elif one.origin == WEB and drawing_of(one.address):  # nobody is asked for what is no file
            refused.append(Outcome(one.key, Refused("not_in_warc", "a drawing in a page"), 0, 0))
        elif excluded and (excluded.image(one.key) or excluded.image(one.address)):
            refused.append(Outcome(one.key, Refused(exclusions.REASON, one.address or one.key), 0, one.capture_date))
        else:
            left.append(one)
    return refused, left


def _from_archive(
    path: str, wanted: Sequence[Wanted], rules: FetchRules, excluded: Exclusions | None
) -> Iterator[Outcome]:
    """Images of one archive, in the order in which they stand there."""
    by_offset: dict[int, list[Wanted]] = {}
    for one in wanted:
        by_offset.setdefault(one.warc_offset, []).append(one)
    missed: dict[tuple[str, int, int], list[tuple[str, str]]] = {}  # (record's address, offset, date) → key, address
    for offset, record in read_captures(path, sorted(by_offset)):
        for one in by_offset[offset]:
            if record is not None and (meant := _meant(record, one.address)):
                yield _of_capture(one.key, meant, one.capture_date, rules, excluded)
            else:
                place = one.address.partition("#")[0], offset, one.capture_date
                missed.setdefault(place, []).append((one.key, one.address))
    if missed:  # an archive that is a single gzip member has one offset for all its records
        for found in read_archive(path):
            if isinstance(found, Record):
                place = (image_key(found.url), found.offset, found.crawl_date)
                for key, address in missed.pop(place, ()):
                    if meant := _meant(found, address):
                        yield _of_capture(key, meant, found.crawl_date, rules, excluded)
                    else:
                        missed.setdefault((address, found.offset, found.crawl_date), []).append((key, address))
    for (_, offset, date), keys in sorted(missed.items()):
        for key, _ in keys:
            yield Outcome(key, Refused("capture_unreadable", f"{path}:{offset}"), 0, date)


def _meant(record: Record, address: str) -> Record | None:
    """What an address means in a record: all of it, or a drawing in its page as if it were a file of its own."""
    if image_key(record.url) != address.partition("#")[0]:
        return None
    if not (name := drawing_of(address)):
        return record
    file = _drawings(record).get(name)
    return record._replace(url=address, body=file.encode()) if file else None


@lru_cache(maxsize=1)  # of a page the drawings come one after the other
def _drawings(page: Record) -> dict[str, str]:
    from weft.transforms.extract.html import TooComplex, figures_of, to_text  # .1 s that other runs need not spend

    try:
        return figures_of(to_text(page.body, page.header("content-type")))
    except (TooComplex, ValueError):
        return {}


def _of_capture(key: str, record: Record, date: int, rules: FetchRules, excluded: Exclusions | None = None) -> Outcome:
    """What came of a capture; where it is of another address of the picture, that is where it came from."""
    address = record.url if image_key(record.url) != key else ""
    if words := responses.read_image(record.headers, rules.honoured):
        return Outcome(key, Refused("opt_out", words), record.status, date, address, words)
    image, words = decode.consented(record.body, rules, responses.read_image(record.headers))
    return Outcome(key, _unless_excluded(image, address, excluded), record.status, date, address, words)


def _unless_excluded(image: Prepared | Refused, url: str, excluded: Exclusions | None) -> Prepared | Refused:
    """An image as it is, or its refusal where its bytes, its looks or the address that gave it are excluded."""
    if isinstance(image, Refused) or not exclusions.is_content_out(excluded, image.image_id, image.phash, url):
        return image
    return Refused(exclusions.REASON, image.image_id)


def from_web(
    addresses: Mapping[str, str],
    rules: FetchRules,
    turn: Turn | None = None,
    refused: Sequence[Outcome] = (),
    excluded: Exclusions | None = None,
) -> Iterator[Outcome]:
    """Ask for images over HTTP; their outcomes by key.

    Args:
        addresses: image key → URL; of a unit that goes on, its last turn knows better.
        rules: how to fetch and store.
        turn: of a unit: what it has from a run that was killed is not asked for again, and redirects to other hosts end
            as MOVED. Else they are followed.
        refused: outcomes of further images, that nobody is asked for.
        excluded: what is not to be stored.

    Raises:
        OutOfTime: the turn is over, and something is left.
    """
    if not rules.http:
        nowhere = (Outcome(key, Refused("not_in_warc", ""), 0, 0) for key in addresses)
        return iter(sorted((*refused, *nowhere), key=lambda outcome: outcome.key))
    jobs = {key: Job(key, url) for key, url in addresses.items()}
    if turn:
        return in_order(_in_turn(jobs, rules, turn, refused, excluded), _may_pass)
    return in_order(chain(refused, _asked(jobs, rules, excluded)), _may_pass)


def _in_turn(
    first: dict[str, Job], rules: FetchRules, turn: Turn, refused: Sequence[Outcome], excluded: Exclusions | None
) -> Iterator[Outcome]:
    rest, spool = turn.rest, turn.spool
    jobs = {job.key: job for job in rest.jobs} if rest else first
    for outcome in spool.earlier(rest.spooled if rest else ()):
        if not _may_pass(outcome) and jobs.pop(outcome.key, None) is not None:
            yield outcome
    yield from spool.through(chain(refused, _asked(jobs, rules, excluded, turn)), turn.is_over)
    if turn.is_over():
        turn.leave()  # or another attempt has finished the unit: its files are the unit's
    elif rest:
        wanted = {job.key for job in rest.jobs}
        yield from (outcome for outcome in spool.again(rest.spooled) if outcome.key not in wanted)


def _may_pass(outcome: Outcome) -> bool:
    image = outcome.image
    return isinstance(image, Refused) and previous_runs.may_pass(image.reason, outcome.http_status)


def _asked(
    jobs: Mapping[str, Job], rules: FetchRules, excluded: Exclusions | None, turn: Turn | None = None
) -> Iterator[Outcome]:
    def prepared(found: Response) -> tuple[Prepared | Refused, int, int, str, str]:
        image: Prepared | Refused = Refused(found.reason, found.detail)
        words = found.opt_out
        if not found.reason:
            image, words = decode.consented(found.body, rules, words)
        if isinstance(image, Refused) and image.reason == "not_an_image" and found.declared:
            image = Refused(image.reason, f"{found.declared}: {image.detail}")
        return _unless_excluded(image, found.url, excluded), found.status, int(time.time() * 1e6), found.url, words

    if rules.downloader == "img2dataset":
        left = {key: job.url for key, job in jobs.items()}
        for one in by_img2dataset.outcomes(left, rules) if left else ():
            yield one._replace(image=_unless_excluded(one.image, left[one.key], excluded))
        return
    client = Client(rules, rules.max_bytes, leave_host=turn is None)
    for key, answer in fetch_all(jobs.values(), client, prepared, rules, part=turn.part if turn else None):
        yield Outcome(key, *answer)
