"""One work unit of fetch: images of one archive, of one bucket of hosts, or of earlier runs.

(source, what is wanted) → images/blobs, images/index, fates/fetch, and fetch/moved: images whose redirects lead to
other hosts. Its files appear whole, its marker last. What the web has answered is spooled meanwhile, so that a unit
which is killed does not ask again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from weft.schemas.parameters import FetchRules
from weft.schemas.records import DROPPED, KEPT, Fate, ImageRow, digest
from weft.schemas.tables import IMAGES
from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Record
from weft.transforms.consent import responses
from weft.transforms.extract import exclusions
from weft.transforms.fetch import by_img2dataset, decode, hosts, previous_runs
from weft.transforms.fetch.blobs import BlobWriter, Outcome, in_order, index_row
from weft.transforms.fetch.client import MOVED, Client, Response
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.previous_runs import EarlierImage
from weft.transforms.fetch.scheduler import fetch_all
from weft.transforms.fetch.spool import Spool
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import Counts, finished, run_unit, unit_name, write_fates
from weft.transforms.urls import image_key

STAGE = "fetch"
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


def fetch_unit(
    item: tuple[str, Iterable[Wanted]], output: str, fingerprint: str, rules: FetchRules, last: bool = True
) -> str:
    """Get, prepare, store and index all images of one unit; returns the path of its index file.

    Args:
        item: the archive that is read, else the unit's name; and what is wanted.
        output: the run's directory.
        fingerprint: of all that decides the stage's output.
        rules: how to fetch and store.
        last: whether no round follows: a redirect to another host then is one too many.
    """
    source, values = item
    wanted = sorted(set(values))
    origin = wanted[0].origin
    name = f"warc-{unit_name(source)}" if origin == WARC else source
    fingerprint = digest(fingerprint, wanted)
    spool = Spool(output, name, fingerprint)
    index = files.join(output, "images", "index", f"{name}.parquet")

    def work() -> Counts | None:
        rows: list[ImageRow] = []
        fates: list[Fate] = []
        elsewhere: list[tuple[str, str]] = []
        with BlobWriter(output, name) as blobs:
            for outcome, row_origin in _outcomes(source, wanted, rules, spool):
                if isinstance(outcome.image, Refused) and outcome.image.reason == MOVED:
                    if not last:
                        elsewhere.append((outcome.key, outcome.image.detail))
                        continue
                    outcome = outcome._replace(image=Refused("too_many_redirects", outcome.image.detail[:200]))
                rows.append(index_row(outcome, row_origin, blobs))
                fates.append(_fate(outcome))
        rows = [blobs.named(row) for row in rows]
        if finished(output, STAGE, name, fingerprint) is not None:
            return None  # by another attempt, which may have been answered otherwise: its files are the unit's
        if origin == WEB:
            files.write_atomic(_moved_beside(index), json.dumps(sorted(elsewhere)))
        write_table(index, sorted(rows), IMAGES)
        write_fates(output, STAGE, name, sorted(fates))
        return {"image": len(rows)}

    run_unit(output, STAGE, name, fingerprint, work)
    spool.remove()
    return index


def moved(index: str) -> Iterator[tuple[str, str]]:
    """(image key, URL) of the images whose redirects lead to other hosts, of the unit with this index file."""
    path = _moved_beside(index)
    if files.exists(path):
        yield from ((key, url) for key, url in json.loads(files.read_bytes(path)))


def _moved_beside(index: str) -> str:
    output, _, name = index.rpartition("/images/index/")
    return files.join(output, STAGE, MOVED, f"{name.removesuffix('.parquet')}.json")


def _fate(outcome: Outcome) -> Fate:
    if isinstance(outcome.image, Refused):
        return Fate(STAGE, "image", outcome.key, DROPPED, outcome.image.reason, outcome.image.detail)
    return Fate(STAGE, "image", outcome.key, KEPT, "", "")


def _outcomes(source: str, wanted: Sequence[Wanted], rules: FetchRules, spool: Spool) -> Iterator[tuple[Outcome, str]]:
    """(what came of it, column `origin` of its row) of each image of a unit."""
    for one in wanted:
        if one.forbidden:
            refused = Refused("opt_out", one.forbidden)
            yield Outcome(one.key, refused, 0, one.capture_date, "", one.forbidden), one.origin
    wanted = [one for one in wanted if not one.forbidden]
    if not wanted:
        return
    if wanted[0].origin == EARLIER:
        for found in (one.earlier for one in wanted if one.earlier):
            before = previous_runs.outcome(found.output, found.row)
            yield before._replace(image=_unless_excluded(before.image, before.final_url, rules)), found.row.origin
    elif wanted[0].origin == WEB:
        addresses = {one.key: one.address for one in wanted}
        for key, host in hosts.over(addresses.items(), rules.max_per_host, rules.split_hosts).items():
            detail = f"{host} has more than fetch.max_per_host = {rules.max_per_host}"
            yield Outcome(key, Refused(hosts.CAPPED, detail), 0, 0), WEB
            del addresses[key]
        yield from ((outcome, WEB) for outcome in from_web(addresses, rules, spool, leave_host=False))
    else:
        yield from ((outcome, WARC) for outcome in _from_archive(source, wanted, rules))


def _from_archive(path: str, wanted: Sequence[Wanted], rules: FetchRules) -> Iterator[Outcome]:
    """Images of one archive, in the order in which they stand there."""
    by_offset: dict[int, list[Wanted]] = {}
    for one in wanted:
        by_offset.setdefault(one.warc_offset, []).append(one)
    missed: dict[tuple[str, int, int], list[str]] = {}  # (address, offset, date) → keys
    for offset, record in read_captures(path, sorted(by_offset)):
        for one in by_offset[offset]:
            if record is not None and image_key(record.url) == one.address:
                yield _of_capture(one.key, record, one.capture_date, rules)
            else:
                missed.setdefault((one.address, offset, one.capture_date), []).append(one.key)
    if missed:  # an archive that is a single gzip member has one offset for all its records
        for found in read_archive(path):
            if isinstance(found, Record):
                place = (image_key(found.url), found.offset, found.crawl_date)
                for key in missed.pop(place, ()):
                    yield _of_capture(key, found, found.crawl_date, rules)
    for (_, offset, date), keys in sorted(missed.items()):
        for key in keys:
            yield Outcome(key, Refused("capture_unreadable", f"{path}:{offset}"), 0, date)


def _of_capture(key: str, record: Record, date: int, rules: FetchRules) -> Outcome:
    if words := responses.read_image(record.headers, rules.honoured):
        return Outcome(key, Refused("opt_out", words), record.status, date, "", words)
    image, words = decode.consented(record.body, rules, responses.read_image(record.headers))
    return Outcome(key, _unless_excluded(image, "", rules), record.status, date, "", words)


def _unless_excluded(image: Prepared | Refused, url: str, rules: FetchRules) -> Prepared | Refused:
    """An image as it is, or its refusal where its bytes, its looks or the address that gave it are excluded."""
    excluded = exclusions.load(rules.exclude)
    if excluded is None or isinstance(image, Refused):
        return image
    if excluded.content(image.image_id, image.phash) or excluded.image(url):
        return Refused(exclusions.REASON, image.image_id)
    return image


def from_web(
    addresses: Mapping[str, str], rules: FetchRules, spool: Spool | None = None, leave_host: bool = True
) -> Iterator[Outcome]:
    """Ask for images over HTTP; their outcomes by key.

    Args:
        addresses: image key → URL.
        rules: how to fetch and store.
        spool: of a unit; what it holds from a run that was killed is not asked for again.
        leave_host: follow redirects to other hosts; else they end as MOVED.
    """
    if not rules.http:
        return (Outcome(key, Refused("not_in_warc", ""), 0, 0) for key in sorted(addresses))

    def prepared(found: Response) -> tuple[Prepared | Refused, int, int, str, str]:
        image: Prepared | Refused = Refused(found.reason, found.detail)
        words = found.opt_out
        if not found.reason:
            image, words = decode.consented(found.body, rules, words)
        if isinstance(image, Refused) and image.reason == "not_an_image" and found.declared:
            image = Refused(image.reason, f"{found.declared}: {image.detail}")
        return _unless_excluded(image, found.url, rules), found.status, int(time.time() * 1e6), found.url, words

    def asked(left: Mapping[str, str]) -> Iterator[Outcome]:
        if rules.downloader == "img2dataset":
            for one in by_img2dataset.outcomes(left, rules) if left else ():
                yield one._replace(image=_unless_excluded(one.image, addresses[one.key], rules))
            return
        client = Client(rules, rules.max_bytes, leave_host)
        yield from (Outcome(key, *answer) for key, answer in fetch_all(left.items(), client, prepared, rules))

    def answers() -> Iterator[Outcome]:
        left = dict(addresses)
        for outcome in spool.earlier() if spool else ():
            image = outcome.image
            passing = isinstance(image, Refused) and previous_runs.may_pass(image.reason, outcome.http_status)
            if not passing and left.pop(outcome.key, None) is not None:
                yield outcome
        found = asked(left)
        yield from spool.through(found) if spool else found

    return in_order(answers())
