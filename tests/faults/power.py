"""A disk that keeps, when the power goes, what was synced and nothing more.

    python -m faults.power     cut the power at every write of a small run through fetch, and at one in ten of a whole one,
                               both ways; run again; compare (make faults)

Content is on the disk once its file is synced, names once their directory is. What a cut leaves is laid out anew in
another directory, in one of two ways that file systems have: names that were not synced are gone ("names"), or they are
there and what they name is empty ("data").
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.run import inputs, manifest, registry
from weft.pipeline.run.run import Run

STAGES, CHEAP = registry.CORPUS, registry.CORPUS[:3]
SMALL = (
    "extract.min_words=5",
    "dedup.buckets=1",
    "fetch.http=false",
    "fetch.buckets=1",
    "score.buckets=1",
    'score.compare="always"',
    "pack.shards=1",
    "pack.vocab_size=512",
    "pack.context_length=256",
)
LOSES = ("names", "data")
_Entries = dict[str, tuple[bool, int]]  # name → whether a directory, inode


class PowerCut(OSError):
    """The power is gone, for this and every later write."""


class Disk:
    """Watches what is synced below `root`; the power goes at the `last`-th sync or renaming (0: never)."""

    def __init__(self, root: Path, last: int = 0) -> None:
        self._root, self._last = root, last
        self.writes: list[str] = []
        self._data: dict[int, bytes] = {}
        self._names: dict[int, _Entries] = {}
        self._there: dict[int, _Entries] | None = None
        self._one = threading.Lock()
        for folder, _, names in os.walk(root):  # what is there already is on the disk
            self._names[os.stat(folder).st_ino] = _entries(folder)
            for name in names:
                path = os.path.join(folder, name)
                self._data[os.stat(path).st_ino] = Path(path).read_bytes()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Stand between this process and its writes."""
        real = {name: getattr(os, name) for name in ("fsync", "replace", "rename")}

        def fsync(place: int) -> None:
            path = os.readlink(f"/proc/self/fd/{place}")
            with self._one:
                self._count(f"sync {path}")
                about = os.fstat(place)
                if stat.S_ISDIR(about.st_mode):
                    self._names[about.st_ino] = _entries(path)
                else:
                    self._data[about.st_ino] = Path(path).read_bytes()

        def move(source: str, target: str, how: str) -> None:
            with self._one:
                self._count(f"{how} {target}")
                real[how](source, target)

        os.fsync = fsync
        os.replace = lambda source, target: move(source, target, "replace")  # type: ignore[assignment]
        os.rename = lambda source, target: move(source, target, "rename")  # type: ignore[assignment]
        try:
            yield
        finally:
            for name, function in real.items():
                setattr(os, name, function)

    def _count(self, what: str) -> None:
        if self._there is None:
            self.writes.append(what)
            if len(self.writes) == self._last:
                folders = [folder for folder, _, _ in os.walk(self._root)]
                self._there = {os.stat(folder).st_ino: _entries(folder) for folder in folders}
        if self._there is not None:
            raise PowerCut("the power is gone")

    def left(self, target: Path, loses: str) -> None:
        """Lay out in `target` what a cut leaves."""
        names = self._names if loses == "names" else self._there or {}

        def lay(inode: int, at: Path) -> None:
            at.mkdir(parents=True, exist_ok=True)
            for name, (is_folder, below) in names.get(inode, {}).items():
                if is_folder:
                    lay(below, at / name)
                else:
                    (at / name).write_bytes(self._data.get(below, b""))

        lay(os.stat(self._root).st_ino, target)


def _entries(folder: str) -> _Entries:
    with os.scandir(folder) as found:
        return {one.name: (one.is_dir(), one.inode()) for one in found}


def archive(path: Path, pages: int = 3) -> Path:
    """A WARC file of some pages, each with a picture of its own."""
    records = b""
    for n in range(pages):
        words = f"Page {n} has some words of its own, number {n * 7}, that make a text. " * 20
        page = f"<article><p>{words}<img src=http://a.test/{n}.png alt='a picture of {n}'></article>".encode()
        picture = io.BytesIO()
        Image.radial_gradient("L").rotate(30 * n).resize((160, 160)).convert("RGB").save(picture, "PNG")
        for at, kind, body in ((f"{n}", "text/html", page), (f"{n}.png", "image/png", picture.getvalue())):
            http = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode() + body
            records += (
                (
                    f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.test/{at}\r\n"
                    f"WARC-Date: 2024-01-02T03:04:05Z\r\nWARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, at)}>\r\n"
                    f"Content-Type: application/http;msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
                ).encode()
                + http
                + b"\r\n\r\n"
            )
    path.write_bytes(gzip.compress(records, mtime=0))
    return path


def go(output: Path, source: Path, stages: Sequence[str] = STAGES) -> None:
    """Run the stages; what comes from the network is none."""
    config = configuration.load(overrides=SMALL)
    found = tuple(inputs.marked(inputs.expand([str(source)])))
    ready = lambda: manifest.write_run(str(output), config, found)  # noqa: E731
    Run(str(output), found, config, ("--direct_num_workers=1",), quiet=True).go(stages, ready)


def contents(output: Path) -> dict[str, bytes]:
    """Tables, shards and what lies beside these."""
    found = [*output.rglob("*.parquet"), *(path for path in output.glob("shards/**/*") if path.is_file())]
    return {str(path.relative_to(output)): path.read_bytes() for path in found}


def writes(home: Path, source: Path, stages: Sequence[str] = STAGES) -> list[str]:
    """What an undisturbed run into `home` syncs and renames, in order."""
    home.mkdir()
    disk = Disk(home)
    with disk.watched():
        go(home, source, stages)
    return disk.writes


def survives(work: Path, source: Path, last: int, whole: dict[str, bytes], stages: Sequence[str] = STAGES) -> list[str]:
    """Cut the power at the `last`-th write, run again on what is left; in which ways the bytes are not the same."""
    output = work / "output"
    output.mkdir(parents=True)
    disk = Disk(output, last)
    with disk.watched():
        try:
            go(output, source, stages)
        except Exception as error:
            if "the power is gone" not in str(error):
                raise
    wrong = []
    for loses in LOSES:
        disk.left(work / loses, loses)
        go(work / loses, source, stages)
        if contents(work / loses) != whole:
            wrong.append(loses)
    shutil.rmtree(work)
    return wrong


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="weft-power-") as folder:
        home, cuts, failed = Path(folder), 0, 0
        source = archive(home / "a.warc.gz")
        for stages, step in ((CHEAP, 1), (STAGES, 10)):
            every = writes(home / "whole", source, stages)
            whole = contents(home / "whole")
            for last in range(1, len(every) + 1, step):
                wrong = survives(home / "work", source, last, whole, stages)
                failed, cuts = failed + bool(wrong), cuts + 1
                what = every[last - 1].replace(folder, "")
                print(f"{last:4} of {len(every)}  {what:80} {f'FAILED {wrong}' if wrong else 'same bytes'}", flush=True)
            shutil.rmtree(home / "whole")
    print(f"{cuts - failed} of {cuts} power cuts ended with the same bytes, both ways")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
