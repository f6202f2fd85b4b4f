"""A disk that keeps, when the power goes, what was synced and nothing more.

    python tests/faults/power.py [corpus|removal …]     cut the power at every write of a small run, or of a removal from
                                                        a finished one, both ways; go on; compare (make faults)

Content is on the disk once its file is synced, names once their directory is. What a cut leaves is laid out anew in
another directory, in one of two ways that file systems have: names that were not synced are gone ("names"), or they are
there and what they name is empty ("data"). One undisturbed run gives what a cut at each of its writes leaves: what is on
the disk by then hangs on nothing that comes later.
"""

from __future__ import annotations

import collections
import gzip
import io
import os
import shutil
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.run import inputs, integrity, manifest, registry, removal
from weft.pipeline.run.run import Run

STAGES = registry.CORPUS
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
ALONE = ("--direct_num_workers=1",)
LOSES = ("names", "data")
REMOVED = "http://a.test/1"
TO_THE_END = 25  # of so many cuts of a stage one goes on through all stages; the others to the end of their own
OF_REMOVING = 6  # of so many cuts before a removal puts its files in place one is gone on with
_Entries = dict[str, tuple[bool, int]]  # name → whether a directory, inode
Tree = dict[str, bytes | None]  # path → content, None of a directory


class Cut(NamedTuple):
    """What is there when the power goes.

    Attributes:
        before: the write that does not come any more.
        root: inode of the directory that is watched.
        data: inode of a file → content, as synced.
        names: inode of a directory → its entries, as synced.
        there: the same, as any process sees it.
    """

    before: str
    root: int
    data: Mapping[int, bytes]
    names: Mapping[int, _Entries]
    there: Mapping[int, _Entries]

    def left(self, loses: str) -> Tree:
        """What is on the disk afterwards."""
        names, tree = self.names if loses == "names" else self.there, Tree()

        def lay(inode: int, at: str) -> None:
            for name, (is_folder, below) in names.get(inode, {}).items():
                tree[f"{at}{name}"] = None if is_folder else self.data.get(below, b"")
                if is_folder:
                    lay(below, f"{at}{name}/")

        lay(self.root, "")
        return tree


class Disk:
    """Watches what is synced below `root`; `kept` is a directory beside it for files that are gone there."""

    def __init__(self, root: Path, kept: Path) -> None:
        self._root, self._kept = root, kept
        self.cuts: list[Cut] = []
        self._data: dict[int, bytes] = {}
        self._names: dict[int, _Entries] = {}
        self._held: list[int] = []
        self._one = threading.Lock()
        kept.mkdir()
        for folder, _, names in os.walk(root):  # what is there already is on the disk
            self._keep_folder(folder)
            for name in names:
                self._keep_file(os.path.join(folder, name))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Stand between this process and its writes."""
        real = {name: getattr(os, name) for name in ("fsync", "replace", "rename")}

        def fsync(place: int) -> None:
            path = os.readlink(f"/proc/self/fd/{place}")
            if not path.startswith(f"{self._root}"):
                return
            with self._one:
                self._cut(f"sync {path}")
                if stat.S_ISDIR(os.fstat(place).st_mode):
                    self._keep_folder(path)
                else:
                    self._keep_file(path)

        def move(source: str, target: str, how: str) -> None:
            with self._one:
                self._cut(f"{how} {target}")
                real[how](source, target)

        os.fsync = fsync
        os.replace = lambda source, target: move(source, target, "replace")  # type: ignore[assignment]
        os.rename = lambda source, target: move(source, target, "rename")  # type: ignore[assignment]
        try:
            yield
            self._cut("the end")
        finally:
            for name, function in real.items():
                setattr(os, name, function)
            for place in self._held:
                os.close(place)
            shutil.rmtree(self._kept)

    def _cut(self, before: str) -> None:
        there = {os.stat(folder).st_ino: _entries(folder) for folder, _, _ in os.walk(self._root)}
        before = before.replace(f"{self._root}", "")
        self.cuts.append(Cut(before, os.stat(self._root).st_ino, dict(self._data), dict(self._names), there))

    def _keep_folder(self, path: str) -> None:
        inode = os.stat(path).st_ino
        if inode not in self._names:
            self._held.append(os.open(path, os.O_PATH))  # its number is not given to another one while it is held
        self._names[inode] = _entries(path)

    def _keep_file(self, path: str) -> None:
        inode = os.stat(path).st_ino
        if inode not in self._data:
            os.link(path, self._kept / str(inode))  # as above
        self._data[inode] = Path(path).read_bytes()


def _entries(folder: str) -> _Entries:
    with os.scandir(folder) as found:
        return {one.name: (one.is_dir(), one.inode()) for one in found}


def lay(tree: Tree, target: Path) -> Path:
    """Write what a cut leaves into a directory that is not there."""
    target.mkdir(parents=True)
    for name, data in tree.items():
        if data is None:
            (target / name).mkdir()
        else:
            (target / name).write_bytes(data)
    return target


def different(cuts: Sequence[Cut], ways: Sequence[str] = LOSES) -> list[tuple[Cut, str, Tree]]:
    """(cut, way, what it leaves), but for those that leave what another one has left.

    What has no name yet is told by its directory: whoever comes next goes by names, and removes it where it is.
    """
    found, seen, begun_in = [], set[int](), set[str]()
    for cut in cuts:
        for way in ways:
            tree = cut.left(way)
            begun = {os.path.dirname(name) for name in tree if ".tmp-" in name}
            told = hash(frozenset(item for item in tree.items() if ".tmp-" not in item[0]))
            if told not in seen or begun - begun_in:
                found.append((cut, way, tree))
                seen.add(told)
                begun_in |= begun
    return found


def struck(tree: Tree) -> str:
    """The stage that is not done in what a cut leaves."""
    return next((name for name in STAGES if f"{name}/manifest.json" not in tree), STAGES[-1])


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


def go(output: Path, source: Path, stages: Sequence[str] = STAGES, exclude: Sequence[str] = ()) -> None:
    """Run the stages; what comes from the network is none."""
    config = configuration.load(overrides=(*SMALL, f"exclude={list(exclude)}"))
    found = tuple(inputs.marked(inputs.expand([str(source)])))
    ready = lambda: manifest.write_run(str(output), config, found)  # noqa: E731
    Run(str(output), found, config, ALONE, quiet=True).go(stages, ready)


def take_out(output: Path, listed: Path) -> None:
    """Remove what a list names from a finished run."""
    removal.remove(str(output), [str(listed)], ALONE, quiet=True, say=lambda line: None)


def contents(output: Path, stages: Collection[str] = STAGES) -> dict[str, bytes]:
    """Tables, blobs, shards and what lies beside these, of some stages."""
    owned = [name for stage in stages for name in registry.BY_NAME[stage].owned[1:]]
    found = [path for name in owned for path in output.glob(f"{name}/**/*") if path.is_file()]
    return {str(path.relative_to(output)): path.read_bytes() for path in found}


def wrong(output: Path, whole: Mapping[str, bytes]) -> list[str]:
    """Names of what is not as it is to be after a run: by bytes, by the lists of digests, and what is left over."""
    now = contents(output)
    found = sorted(name for name in now.keys() | whole.keys() if now.get(name) != whole.get(name))
    found += [line for _, line in integrity.everything(str(output))]
    return found + [path.name for path in output.rglob("*") if ".tmp-" in path.name]


def goes_on(
    work: Path, cut: tuple[Cut, str, Tree], source: Path, whole: Mapping[str, bytes], end: str = ""
) -> list[str]:
    """Run again on what a cut leaves, through the stage that it struck (or `end`); what is wrong then."""
    _, _, tree = cut
    output = lay(tree, work)
    stages = STAGES[: STAGES.index(end or struck(tree)) + 1]
    go(output, source, stages)
    ours = tuple(name for stage in stages for name in registry.BY_NAME[stage].owned[1:])
    found = wrong(output, {name: data for name, data in whole.items() if name.startswith(ours)})
    shutil.rmtree(output)
    return found


def taken_out(
    work: Path,
    cut: tuple[Cut, str, Tree],
    listed: Path,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    on: bool,
) -> list[str]:
    """What is wrong with what a cut of a removal leaves, and (`on`) when that is called again.

    Args:
        before, after: what the run held, and what it is to hold.
    """
    _, _, tree = cut
    output, found = lay(tree, work), []
    if "removing/settling" not in tree and "exclude" not in tree:  # nothing is put in place yet
        found = [f"before: {name}" for name in wrong(output, before) if ".tmp-" not in name]
    if on:
        take_out(output, listed)
        found += wrong(output, after) + [str(path) for path in output.glob("removing")]
    shutil.rmtree(output)
    return found


def corpus(home: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(stage, write, what is wrong) for every cut of a run through all stages."""
    source, whole = archive(home / "a.warc.gz"), home / "whole"
    whole.mkdir()
    disk = Disk(whole, home / "kept")
    with disk.watched():
        go(whole, source)
    expected = contents(whole)
    met: collections.Counter[str] = collections.Counter()
    for cut in different(disk.cuts):
        stage = struck(cut[2])
        end = STAGES[-1] if met[stage] % TO_THE_END == 0 else ""
        met[stage] += 1
        yield stage, f"{cut[1]:5} {cut[0].before}", goes_on(home / "work", cut, source, expected, end)


def removing(home: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(what it did, write, what is wrong) for the cuts of a removal: what is left at each, and of many what comes of it."""
    source, listed, output = archive(home / "a.warc.gz", 4), home / "list.txt", home / "out"
    listed.write_text(f"{REMOVED}\n")
    go(output, source)
    before = contents(output)
    go(home / "without", source, exclude=[str(listed)])
    disk = Disk(output, home / "kept")
    with disk.watched():
        take_out(output, listed)
    after, never = contents(output), contents(home / "without")
    shards = [
        {name: data for name, data in one.items() if name.startswith("shards/")} for one in (before, after, never)
    ]
    assert shards[0] != shards[1] == shards[2]
    for n, cut in enumerate(different(disk.cuts)):
        places = "removing/settling" in cut[2] or not any(name.startswith("removing/") for name in cut[2])
        on = places or n % OF_REMOVING == 0
        doing = "places" if places else "makes" if on else "looked at"
        yield doing, f"{cut[1]:5} {cut[0].before}", taken_out(home / "work", cut, listed, before, after, on)


def main() -> None:
    ways = {"corpus": corpus, "removal": removing}
    held: collections.Counter[tuple[str, str]] = collections.Counter()
    total: collections.Counter[tuple[str, str]] = collections.Counter()
    for name in sys.argv[1:] or ways:
        with tempfile.TemporaryDirectory(prefix="weft-power-") as folder:
            for part, write, found in ways[name](Path(folder)):
                total[name, part] += 1
                held[name, part] += not found
                print(f"{part:9} {write:90} {f'FAILED {found}' if found else 'held'}", flush=True)
    for (name, part), count in total.items():
        print(f"{name}, {part}: {held[name, part]} of {count} different things that a power cut leaves held")
    sys.exit(held != total)


if __name__ == "__main__":
    main()
