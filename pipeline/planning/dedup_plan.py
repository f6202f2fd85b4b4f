"""What dedup will cost before it runs: rows and bytes per shuffle, core-hours, the largest groups, and what it finds.

A sample of the extracted documents, chosen by hash, goes through the real stage in this process twice, all of it and
half of it: the difference is what a document costs without what a job costs to start. Rows and bytes are counted on
the sample's own sketches and grow with the number of documents, and so do groups of equal keys and buckets (a page
template has the same share of any sample). Pairs grow with its square until each document has all the neighbours
that it is compared with: that is the most there can be, and a crawl with few duplicates has far fewer.

Core-hours are of this machine and of Beam's in-process runner; a cluster's shuffle through the network comes on top.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam

from weft.pipeline.run import spread
from weft.pipeline.run.context import Context
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Document, Sketch, hash_unit
from weft.schemas.tables import DOCUMENTS, PAIRS
from weft.transforms.dedup import minhash
from weft.transforms.dedup.lsh import WINDOW, Signed, band_records, bucket_pairs
from weft.transforms.dedup.rules import RULES, equal_rules
from weft.transforms.dedup.sketches import content, sketches, unsigned
from weft.transforms.io import files, parquet

SAMPLE = 4_000  # documents
COMPARED = "compared, at most"
COMPARED_AT = "SimilarPairs/Meet"  # the end of the name of the step that takes it, in a run's manifest


class Step(NamedTuple):
    """One shuffle of the whole run."""

    name: str
    rows: float
    row_bytes: float
    largest: float  # values of one key


@dataclasses.dataclass(frozen=True)
class Plan:
    """What was found; numbers are for all `documents`."""

    documents: int
    sampled: int
    how: minhash.Bands | None
    permutations: int
    steps: list[Step]
    core_seconds: float

    def lines(self) -> Iterator[str]:
        """The plan as a table for a person."""
        yield f"dedup of {self.documents:,} documents, from a sample of {self.sampled:,}"
        yield ""
        yield f"{'shuffle':22}{'rows':>16}{'bytes/row':>12}{'total':>12}{'largest key':>14}"
        for step in self.steps:
            total = size(step.rows * step.row_bytes)
            yield f"{step.name:22}{step.rows:>16,.0f}{step.row_bytes:>12,.0f}{total:>12}{step.largest:>14,.0f}"
        rows = sum(step.rows for step in self.steps)
        shuffled = size(sum(step.rows * step.row_bytes for step in self.steps))
        yield f"{'all':22}{rows:>16,.0f}{'':12}{shuffled:>12}"
        yield ""
        rate = self.documents / self.core_seconds if self.core_seconds else 0.0
        yield f"core-hours: {self.core_seconds / 3600:,.2f} ({rate:,.0f} documents a second and core, on this machine)"
        if self.how:
            cut = f"cut at {self.how.least:.3f}" if self.how.least else "no cut"
            yield f"near-duplicates: {self.how.bands} bands of {self.how.rows} rows, {cut}; found by similarity:"
            points = [point for point in minhash.curve(self.how, self.permutations) if point[0] >= 0.4]
            yield "   " + "".join(f"{similarity:>7.2f}" for similarity, _ in points)
            yield "   " + "".join(f"{found:>7.3f}" for _, found in points)


class Measured(NamedTuple):
    """What a sample of the documents of a run was measured to take."""

    config: Config
    present: int  # documents of the run
    how: minhash.Bands | None
    found: list[Sketch]  # of the sample
    seconds: float  # of CPU, for each document

    def plan(self, documents: int = 0) -> Plan:
        """For so many documents like these; 0 for those that are there."""
        total = documents or self.present
        made = list(steps(self.found, self.config, self.how, total / max(len(self.found), 1)))
        return Plan(total, len(self.found), self.how, self.config.dedup.permutations, made, self.seconds * total)


def measure(output: str, config: Config) -> Measured:
    """Run a sample of the documents in `output` through the dedup stage.

    Args:
        output: a run that has been extracted.
        config: the run's; its index is left alone.

    Raises:
        ConfigError: there are no documents, or the section makes no sense.
    """
    paths = [path for path, _ in files.listing(files.join(output, "documents", "*.parquet"))]
    present = parquet.count_rows(files.join(output, "documents", "*.parquet"))
    if not present:
        raise ConfigError(f"{output} holds no documents; run `weft extract` first")
    rows = _sample(paths, min(1.0, SAMPLE / present))
    section = dataclasses.replace(config.dedup, index="")
    config = dataclasses.replace(config, dedup=section)
    how = minhash.bands_for(section) if section.near else None
    half = len(rows) // 2
    each = (_seconds(rows, config) - _seconds(rows[:half], config)) / max(len(rows) - half, 1)
    return Measured(config, present, how, list(sketches(map(content, rows), section)), max(each, 0.0))


def size(count: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1_000 or unit == "TB":
            return f"{count:,.1f} {unit}"
        count /= 1_000
    return ""


def _sample(paths: Sequence[str], share: float) -> list[Document]:
    """Documents that hash smallest, in an order of their own, so that any half of them is a sample too."""
    wanted = []
    for path in paths:
        for document in parquet.read(path, Document):
            draw = hash_unit(document.doc_id, "plan")
            if draw < share:
                wanted.append((draw, document.doc_id, document))
    return [document for _, _, document in sorted(wanted, key=lambda item: item[:2])]


def steps(found: Sequence[Sketch], config: Config, how: minhash.Bands | None, scale: float) -> Iterator[Step]:
    """The shuffles of a run over `scale` times as many documents as these."""
    section = config.dedup
    coder = beam.coders.registry.get_coder(Sketch)
    narrow = [unsigned(s) for s in found]
    narrow_bytes = _mean(len(coder.encode(s)) for s in narrow)
    whole_bytes = _mean(len(coder.encode(s)) for s in found)
    id_bytes = _mean(len(s.doc_id) for s in found) + 2
    count = len(found) * scale
    yield Step("same record", count, narrow_bytes + id_bytes, 1)
    for rule in equal_rules(section):
        keys = [getattr(s, RULES[rule]) for s in found if getattr(s, RULES[rule])]
        most = max(Counter(keys).values(), default=0)
        largest = most * scale if most > 1 else 1  # one in a sample may be the only one
        yield Step(f"same {rule}, best", len(keys) * scale, narrow_bytes + id_bytes, largest)
        yield Step(f"same {rule}, others", len(keys) * scale, 2 * id_bytes, largest)
    if how:
        signed = [Signed(s.doc_id, False, s.signature, s.shingles) for s in found if s.signature]
        yield Step("signatures", 2 * len(signed) * scale, (narrow_bytes + whole_bytes) / 2 + id_bytes, 2)
        buckets: dict[bytes, list[Any]] = {}
        for document in signed:
            for key, member in band_records(document, how):
                buckets.setdefault(key, []).append(member)
        rows = sum(map(len, buckets.values()))
        most = max(map(len, buckets.values()), default=0)
        yield Step("buckets", rows * scale, minhash.KEY_BYTES + 8 + id_bytes + 3, most * scale if most > 1 else 1)
        if section.cluster == "verified":
            pairs = {pair for members in buckets.values() for pair in bucket_pairs(members)}
            partners = len(pairs) * scale * max(scale, 1.0)
            compared = min(partners, count * (WINDOW + 1))
            by = _mean(len(s.shingles if how.exact else s.signature) for s in signed)
            yield Step(COMPARED, 2 * compared, by + 2 * id_bytes, 2)
    yield Step("verdicts", count, whole_bytes + id_bytes, 1)
    files_made = spread.parts(section.buckets, round(count), spread.ROWS_A_FILE, 8)
    yield Step("written", count, 4 * id_bytes, count / files_made)


def _seconds(documents: Sequence[Document], config: Config) -> float:
    """CPU seconds of the stage on these documents."""
    from weft.pipeline.stages.dedup import stage

    with tempfile.TemporaryDirectory() as home, contextlib.redirect_stderr(io.StringIO()):
        parquet.write_table(f"{home}/documents/sample.parquet", documents, DOCUMENTS)
        parquet.write_table(f"{home}/pairs/sample.parquet", [], PAIRS)
        flags = ("--direct_running_mode=in_memory", "--direct_num_workers=1")
        begun = time.process_time()
        stage.run(Context(home, (), config, "plan", flags))
        return time.process_time() - begun


def _mean(values: Iterator[int]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
