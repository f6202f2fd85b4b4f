"""Stored images of one work unit: their bytes one after the other in blob files, and a row each for the index.

outcomes → images/blobs/UNIT-NNN-DIGEST.bin, written as they come and never held in memory, and rows of images/index.
Answers of many servers come in any order; `in_order` keeps them on disk until all are there and sorts them, so that
equal answers give equal blobs.

A blob's name holds a digest of all its bytes. Two attempts of one unit (a retry, a speculative one, a worker that was
given up and goes on) may have been answered differently; they then write different files, and whichever index stands
in the end names those that it was made with. Each row has a digest of its image's bytes, and `read_stored` checks it
wherever bytes are read again: what rotted, or is not what the index says, is an error and never a picture.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import xxhash

from weft.schemas.records import ImageRow
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files, parquet, ranges
from weft.transforms.io.streams import HashedStream
from weft.transforms.io.work_units import unit_of_file

FOLDER = ("images", "blobs")
TAKEN = "taken-"  # before the name of a unit whose images are those of a finished run's unit; its blobs lack it
BLOB_BYTES = 256 << 20  # a blob is closed before it grows beyond this


class Outcome(NamedTuple):
    """What came of one image that was wanted."""

    key: str
    image: Prepared | Refused
    http_status: int  # 0 where nobody answered
    fetched_at: int  # microseconds since the epoch
    final_url: str = ""  # where redirects ended
    opt_out: str = ""  # what its response says against its use, honoured or not


class Damaged(RuntimeError):
    """Stored bytes are not those that the index was written with; the message is one line that says what to do."""


class StoredBytes(NamedTuple):
    """Where an image's stored bytes are, and how they are known again."""

    path: str
    offset: int
    length: int
    digest: str = ""  # column `digest` of images/index; "" checks the length alone
    name: str = ""  # of the image, for a person


class _Blob(NamedTuple):
    """Columns of images/index."""

    blob: str


def digest(data: bytes) -> str:
    """xxh3-128 hex: ten times as fast as sha256, and nobody gains by making two images of a run alike."""
    return xxhash.xxh3_128_hexdigest(data)


def read_stored(wanted: Sequence[StoredBytes]) -> Generator[bytes, None, None]:
    """The bytes of each image, in the order given; cheapest where that is the order in which they lie.

    Raises:
        Damaged: they are not those that were stored.
        OSError, Unavailable: as `ranges.read`.
    """
    places = (ranges.Place(one.path, one.offset, one.length) for one in wanted)
    for one, data in zip(wanted, ranges.read(places), strict=True):
        if len(data) != one.length or (one.digest and digest(data) != one.digest):
            unit = unit_of(one.path)
            raise Damaged(
                f"{one.path}: bytes {one.offset} to {one.offset + one.length} are not the image "
                f"{one.name or one.digest} that images/index says: remove fetch/units/{unit}.json and "
                "fetch/manifest.json, then run `weft fetch` again"
            )
        yield data


class BlobWriter:
    """Collects images; each blob appears whole when it is full or the block ends well. Equal bytes are stored once.

    A blob has its name only when it is whole. So rows say its number, and `named` puts the name there afterwards.

    Args:
        output: the run's directory.
        unit: name of the work unit; blobs are named after it.
        blob_bytes: a blob is closed before it grows beyond this.
    """

    def __init__(self, output: str, unit: str, blob_bytes: int = BLOB_BYTES) -> None:
        self._at, self._unit, self._most = files.join(output, *FOLDER), unit, blob_bytes
        self._known: dict[str, tuple[int, int]] = {}
        self._stream: HashedStream | None = None
        self._stack, self._offset = ExitStack(), 0
        self.names: list[str] = []  # of the blobs that are whole

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def store(self, data: bytes) -> tuple[int, int, str]:
        """(number of the blob, offset, digest) of stored bytes."""
        key = digest(data)
        if key not in self._known:
            if self._stream is not None and self._offset + len(data) > self._most:
                self._stack.close()
                self._stream = None
            if self._stream is None:
                self._offset, self._whole = 0, xxhash.xxh3_128()
                self._stream = self._stack.enter_context(files.atomic(self._at, self._name))
            self._stream.write(data)
            self._whole.update(data)
            self._known[key] = len(self.names), self._offset
            self._offset += len(data)
        return *self._known[key], key

    def named(self, row: ImageRow) -> ImageRow:
        """A row of `index_row` with its blob's path, relative to the output directory. To be asked after the block."""
        return row._replace(blob="/".join((*FOLDER, self.names[int(row.blob)]))) if row.blob else row

    def _name(self) -> str:
        self.names.append(f"{self._unit}-{len(self.names):03d}-{self._whole.hexdigest()[:16]}.bin")
        return self.names[-1]


def sweep(index: str) -> int:
    """Delete blobs that attempts of a unit left and its index does not name; how many there were.

    To be called when no attempt is at work any more.
    """
    home, unit = index.rpartition("/")[0], unit_of_file(index).removeprefix(TAKEN)
    output = home.removesuffix("/images/index")
    named = [path for name in (unit, f"{TAKEN}{unit}") if files.exists(path := files.join(home, f"{name}.parquet"))]
    listed = {row.blob for path in named for row in parquet.read(path, _Blob)}
    left = []
    for path, _ in files.listing(files.join(output, *FOLDER, f"{unit}-*.bin")):
        name = path.rpartition("/")[2]
        if unit_of(name) == unit and "/".join((*FOLDER, name)) not in listed:
            left.append(path)
    for path in left:
        files.remove_tree(path)
    return len(left)


def unit_of(blob: str) -> str:
    """The unit that a blob is of, by its path."""
    return unit_of_file(blob).rsplit("-", 2)[0]


def in_order(found: Iterable[Outcome], passing: Callable[[Outcome], bool] = lambda outcome: False) -> Iterator[Outcome]:
    """The same outcomes by key, each key once, holding no image in memory.

    Args:
        found: of two of one key the last counts.
        passing: whether an outcome may pass: it counts after no other of its key that may not.
    """
    with tempfile.TemporaryFile() as aside:
        places: dict[str, tuple[Outcome, int, int]] = {}
        for outcome in found:
            if passing(outcome) and outcome.key in places and not passing(places[outcome.key][0]):
                continue
            data = outcome.image.data if isinstance(outcome.image, Prepared) else b""
            places[outcome.key] = _with_data(outcome, b""), aside.tell(), len(data)
            aside.write(data)
        for _, (outcome, offset, length) in sorted(places.items()):
            aside.seek(offset)
            yield _with_data(outcome, aside.read(length))


def index_row(outcome: Outcome, origin: str, blobs: BlobWriter) -> ImageRow:
    """The index row of one outcome, storing its bytes where there are any; `blob` is a number until `blobs.named`.

    Args:
        origin: "warc" or "http".
    """
    key, image, http_status, fetched_at, final_url, opt_out = outcome
    if isinstance(image, Refused):
        return ImageRow(
            key, "", image.reason, http_status, "", 0, 0, 0, 0, "", "", 0, 0, fetched_at, origin, False, final_url,
            opt_out,
        )  # fmt: skip
    blob, offset, marks = blobs.store(image.data)
    return ImageRow(
        key, image.image_id, "ok", http_status, image.mime, image.width, image.height, image.stored_width,
        image.stored_height, image.phash, str(blob), offset, len(image.data), fetched_at, origin, image.single_colour,
        final_url, opt_out, marks,
    )  # fmt: skip


def _with_data(outcome: Outcome, data: bytes) -> Outcome:
    image = outcome.image
    return outcome._replace(image=image._replace(data=data)) if isinstance(image, Prepared) else outcome
