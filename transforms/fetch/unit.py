"""One unit of fetch: the images of one archive, of one bucket of hosts, or of an earlier run.

(unit, wanted images) → images/blobs, images/index, fates/fetch, and fetch/moved: those whose redirects lead elsewhere.
Its files appear whole, its marker last; what the web has answered is spooled meanwhile, so that a unit which is killed
does not ask again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

from weft.schemas.config import Fetch
from weft.schemas.records import DROPPED, KEPT, Fate, ImageRow, digest
from weft.schemas.tables import IMAGES
from weft.transforms import optout
from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Record
from weft.transforms.fetch import decode, previous_runs
from weft.transforms.fetch.blobs import BlobWriter, Got, in_order, index_row
from weft.transforms.fetch.client import MOVED, Client, Response
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.fetch.scheduler import fetch_all
from weft.transforms.fetch.spool import Spool
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import Counts, run_unit, unit_name, write_fates
from weft.transforms.urls import image_key

STAGE = "fetch"
WEB, COPY = -1, -2  # in place of an offset in an archive

Wanted = tuple[str, str, int, int]  # key, address (or the row of an earlier run), offset, date of capture


def fetch_unit(
    item: tuple[str, Iterable[Wanted]], output: str, fingerprint: str, config: Fetch, last: bool = True
) -> str:
    """One work unit: all its images got, prepared, stored and indexed; returns where its index is.

    Args:
        item: the unit's name, or the archive that it reads, and what is wanted.
        output: the run's directory.
        fingerprint: of all that decides the stage's output.
        config: how to fetch and store.
        last: whether no round follows: a redirect to another host then is one too many.
    """
    source, values = item
    wanted = sorted(set(values))
    name = source if wanted[0][2] < 0 else f"warc-{unit_name(source)}"
    print_ = digest(fingerprint, [list(value) for value in wanted])

    spool = Spool(output, name, print_)
    index = files.join(output, "images", "index", f"{name}.parquet")

    def work() -> Counts:
        rows: list[ImageRow] = []
        fates: list[Fate] = []
        elsewhere: list[tuple[str, str]] = []
        with BlobWriter(output, name) as blobs:
            for got, origin in _images(source, wanted, config, spool):
                if isinstance(got.made, Refused) and got.made.reason == MOVED:
                    if not last:
                        elsewhere.append((got.key, got.made.detail))
                        continue
                    got = got._replace(made=Refused("too_many_redirects", got.made.detail[:200]))
                rows.append(index_row(got, origin, blobs))
                if isinstance(got.made, Refused):
                    fates.append(Fate(STAGE, "image", got.key, DROPPED, got.made.reason, got.made.detail))
                else:
                    fates.append(Fate(STAGE, "image", got.key, KEPT, "", ""))
        if wanted[0][2] == WEB:
            files.write_atomic(_moved_beside(index), json.dumps(sorted(elsewhere)))
        write_table(index, sorted(rows), IMAGES)
        write_fates(output, STAGE, name, sorted(fates))
        return {"image": len(rows)}

    run_unit(output, STAGE, name, print_, work)
    spool.remove()
    return index


def moved(index: str) -> Iterator[tuple[str, str]]:
    """(image key, URL) of the images of a unit whose redirects lead to other hosts."""
    path = _moved_beside(index)
    if files.exists(path):
        yield from ((key, url) for key, url in json.loads(files.read_bytes(path)))


def _moved_beside(index: str) -> str:
    output, _, name = index.rpartition("/images/index/")
    return files.join(output, STAGE, MOVED, f"{name.removesuffix('.parquet')}.json")


def _images(source: str, wanted: list[Wanted], config: Fetch, spool: Spool) -> Iterator[tuple[Got, str]]:
    """(what came of it, where it was got from) of each image of a unit."""
    if wanted[0][2] == COPY:
        yield from (previous_runs.got(row) for _, row, *_ in wanted)
    elif wanted[0][2] == WEB:
        yield from ((got, "http") for got in from_web(wanted, config, spool, leave_host=False))
    else:
        yield from ((got, "warc") for got in _from_archive(source, wanted, config))


def _from_archive(path: str, wanted: list[Wanted], config: Fetch) -> Iterator[Got]:
    """Images of one archive, in the order in which they stand there."""
    places: dict[int, list[tuple[str, str, int]]] = {}
    for key, address, offset, date in wanted:
        places.setdefault(offset, []).append((key, address, date))
    missed: dict[tuple[str, int, int], list[str]] = {}  # (address, offset, date) → keys
    for offset, record in read_captures(path, sorted(places)):
        for key, address, date in places[offset]:
            if record is not None and image_key(record.url) == address:
                yield _of_capture(key, record, date, config)
            else:
                missed.setdefault((address, offset, date), []).append(key)
    if missed:  # an archive that is a single gzip member has one offset for all its records
        for found in read_archive(path):
            if isinstance(found, Record):
                place = (image_key(found.url), found.offset, found.crawl_date)
                for key in missed.pop(place, ()):
                    yield _of_capture(key, found, found.crawl_date, config)
    for (_, offset, date), keys in sorted(missed.items()):
        for key in keys:
            yield Got(key, Refused("capture_unreadable", f"{path}:{offset}"), 0, date)


def _of_capture(key: str, record: Record, date: int, config: Fetch) -> Got:
    if config.honour_opt_out and (wish := optout.read_image(record.headers, config.opt_out)):
        return Got(key, Refused("opt_out", wish), record.status, date, "", wish)
    wish = optout.read_image(record.headers)
    return Got(key, decode.prepare(record.body, config), record.status, date, "", wish)


def from_web(wanted: list[Wanted], config: Fetch, spool: Spool | None = None, leave_host: bool = True) -> Iterator[Got]:
    """Images that no archive holds, by key; those that a killed run of this unit had got are not asked for again."""
    if not config.http:
        return (Got(key, Refused("not_in_warc", ""), 0, 0) for key, *_ in wanted)

    def then(found: Response) -> tuple[Prepared | Refused, int, int, str, str]:
        made = Refused(found.reason, found.detail) if found.reason else decode.prepare(found.body, config)
        if isinstance(made, Refused) and made.reason == "not_an_image" and found.declared:
            made = Refused(made.reason, f"{found.declared}: {made.detail}")
        return made, found.status, int(time.time() * 1e6), found.url, found.opt_out

    def answers() -> Iterator[Got]:
        left = {key: url for key, url, *_ in wanted}
        for got in spool.earlier() if spool else ():
            passing = isinstance(got.made, Refused) and previous_runs.may_pass(got.made.reason, got.status)
            if not passing and left.pop(got.key, None) is not None:
                yield got
        found = (Got(key, *answer) for key, answer in fetch_all(left.items(), Client(config, leave_host), then, config))
        yield from spool.through(found) if spool else found

    return in_order(answers())
