"""Whether the files of finished stages are what they were when they were written.

    units/*.json, slips/*.json ──► seal ──► <stage>/files.jsonl ◄── problems: there, of their size, whole, their digest

What a file was is noted by whoever wrote it, hashed on its way to the disk; when a stage closes, its notes become one
list, whose own digest is in the manifest. Sizes and how tables end, where their footers are, are looked at before a
stage that reads them; digests where somebody asks (`--verify`, `weft verify`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from weft.pipeline.run import manifest
from weft.pipeline.run.registry import STAGES, Stage
from weft.transforms.io import files, parquet, state
from weft.transforms.io.files import Written
from weft.transforms.io.streams import ENDS, End

LIST = "files.jsonl"
_TABLE = ".parquet"
_READ = (_TABLE, ".tar", ".bin")  # what a stage reads whatever its name is
_OWN = (*manifest.SAID, LIST)  # of the stage's directory: they change after the list is made


def seal(home: str, stage: Stage, slips: str) -> dict[str, Any]:
    """Write the list of a stage's files; what the manifest says of it.

    Args:
        home: where the stage wrote.
        slips: where steps left their notes; they are removed.
    """
    noted: dict[str, Written] = {}
    marks = [path for path, _ in files.listing(files.join(home, stage.name, "units", "*.json"))]
    notes = [path for path, _ in files.listing(files.join(slips, "*.json"))]
    remote = not files.is_local(home)
    for found in files.each(lambda path: state.noted(state.read(path)), [*notes, *marks], remote):
        noted.update({_below(home, path): said for path, said in found.items()})
    files.remove_tree(slips)
    there = list(_there(home, stage))

    def one(item: tuple[str, int]) -> str:
        name, size = item
        was = noted.get(name)
        if was is None or was.bytes != size:  # written by the driver: small, or the model's
            was = files.digest(files.join(home, name))
            was = was._replace(rows=_rows(files.join(home, name))) if name.endswith(_TABLE) else was
        return json.dumps({"name": name, **was._asdict()}) + "\n"

    lines = list(files.each(one, there, remote))
    with files.recorded() as written:
        files.write_atomic(files.join(home, stage.name, LIST), "".join(lines))
    return {"files": len(lines), "bytes": sum(size for _, size in there), "sha256": next(iter(written.values())).sha256}


def listed(output: str, stage: Stage) -> dict[str, Written]:
    """What a stage's files were when they were written, by name; nothing of one without a list."""
    path = files.join(output, stage.name, LIST)
    data = files.read_bytes(path) if files.exists(path) else b""
    return {row.pop("name"): Written(**row) for row in map(json.loads, data.splitlines())}


def count_rows(output: str, table: str) -> int:
    """Rows of a table of a stage before: as they were noted, or by the ends of its files where no stage has noted them.

    Args:
        table: its directory below the output.
    """
    stage = next(one for one in STAGES if table.partition("/")[0] in one.outputs)
    if not (said := (manifest.read(output, stage.name) or {}).get("files")):
        return parquet.count_rows(files.join(output, table, f"*{_TABLE}"))
    return _rows_by_table(output, stage, said["sha256"])[table]


@lru_cache(maxsize=4)
def _rows_by_table(output: str, stage: Stage, _: str) -> Counter[str]:
    """Rows of each table of a stage; its list, whose digest is given, is long where there are many archives."""
    rows = Counter[str]()
    for name, was in listed(output, stage).items():
        rows[name.rpartition("/")[0]] += was.rows or 0
    return rows


def problems(output: str, stage: Stage, digests: bool = False) -> Iterator[str]:
    """What is wrong with a finished stage's files, a line each; nothing of one that was made before files were listed.

    Args:
        digests: read every file to its end.
    """
    said = (manifest.read(output, stage.name) or {}).get("files")
    if said is None:
        return
    path = files.join(output, stage.name, LIST)
    if (files.digest(path).sha256 if files.exists(path) else "") != said["sha256"]:
        yield f"{stage.name}/{LIST} is missing or not what was written"
        return
    known = listed(output, stage)
    there = dict(_there(output, stage))
    yield from (f"{name} is not {stage.name}'s" for name in there if name not in known and name.endswith(_READ))

    def one(name: str) -> str:
        was = known[name]
        if name not in there:
            return f"{name} is missing"
        if there[name] != was.bytes:
            return f"{name} has {there[name]:,} bytes, not {was.bytes:,}"
        path = files.join(output, name)
        if digests and files.digest(path).sha256 != was.sha256:
            return f"{name} is not what was written"
        if name.endswith(_TABLE) and not was.end and _rows(path) != was.rows:  # a list of before ends were noted
            return f"{name} is no table of {was.rows:,} rows"
        if name.endswith(_TABLE) and was.end:  # a footer is there, as a rule whole
            begin = max(0, was.bytes - ENDS)
            if End.of(files.read_range(path, begin, was.bytes - begin)) != was.end:
                return f"{name} does not end as it was written"
        return ""

    yield from filter(None, files.each(one, sorted(known), digests or not files.is_local(output)))


def everything(output: str) -> Iterator[tuple[str, str]]:
    """(stage or "run", what is wrong) of all files of a run, by their digests; first of what says what they are."""
    says = [(s.name, f"{s.name}/{name}") for s in STAGES for name in manifest.SAID]
    for name, path in (("run", "run.json"), *says):
        there = files.exists(files.join(output, path))
        if not state.whole(files.join(output, path)) if there else name == "run":
            yield name, f"{path} is {'not what was written' if there else 'missing'}"
    for stage in STAGES:
        yield from ((stage.name, line) for line in problems(output, stage, digests=True))


def _there(home: str, stage: Stage) -> Iterator[tuple[str, int]]:
    """(name below the output, bytes) of every file that is a stage's own."""
    skipped = {f"{stage.name}/{name}" for name in _OWN}
    for directory in (*stage.owned, *stage.files):
        pattern = files.join(home, directory) if directory in stage.files else files.join(home, directory, "**")
        for path, size in files.listing(pattern):
            if (name := _below(home, path)) not in skipped:
                yield name, size


def _below(home: str, path: str) -> str:
    return path.removeprefix(home.rstrip("/") + "/")


def _rows(path: str) -> int:
    """Rows of a table by its end, -1 where that is damaged."""
    try:
        with files.open_read(path) as stream:
            return int(pq.ParquetFile(stream).metadata.num_rows)
    except (pa.ArrowException, OSError):
        return -1
