"""Vectors as units of work: the images of a blob, or a bucket of texts → a file of vectors each, and its marker.

    ImageRef ──► by blob ────┐
                             ├─► read in sequence, CLIP ─► DIRECTORY/UNIT.parquet, score/units/UNIT.json ─► ReadVectors
    TextRef ───► by bucket ──┘

A unit is what a killed job loses at most, and what one worker holds: a blob's references, never its bytes. Batches are
formed inside a unit out of its sorted members, so that what a vector is computed beside, which may decide its last
bits, depends on the blob alone. So does a unit's fingerprint: one that another output has is taken from there. Of a
unit with other members (something was removed) those vectors are taken that hang on nothing but their own image or
text: whether they do is tried where they are made, and noted in the marker (`ALONE`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from weft.schemas.parameters import ClipChoice
from weft.schemas.records import digest, hash_bucket
from weft.transforms.beam import coders
from weft.transforms.fetch.blobs import unit_of
from weft.transforms.io import files, parquet
from weft.transforms.io.work_units import Counts, counted, run_unit, unit_of_file
from weft.transforms.score.clip import NAMESPACE, Handler, ImageHandler, TextHandler
from weft.transforms.score.clip_models import Clip, device_of, load
from weft.transforms.score.vector_files import halves, read_vectors, write_vectors
from weft.transforms.score.vectors import Embedding, ImageRef, TextRef

STAGE = "score"
_TEXTS = "texts-"  # before the name of a unit of texts
ALONE = "alone"  # in a marker: each vector hangs on its own image or text; the number says by which models and device


class _Unit(NamedTuple):
    """What is embedded together."""

    name: str
    refs: list[Any]  # ImageRef or TextRef, sorted and distinct


class _Key(NamedTuple):
    """Column of a file of vectors."""

    key: str


class _Later:
    """A model that is loaded when it is first asked for: where all vectors stand, it never is."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self) -> Clip:
        return self._handler.load_model()  # once a process


class _Saving(ModelHandler[Any, str, _Later]):
    """A unit → path of its file of vectors; nothing is computed where its marker says that it is there."""

    def __init__(self, handler: Handler, to: EmbedBlobs | EmbedTextUnits) -> None:
        super().__init__()
        self._handler, self._output, self._directory = handler, to.output, to.directory
        self._fingerprint, self._clip, self._standing = to.fingerprint, to.clip, to.standing

    def load_model(self) -> _Later:
        return _Later(self._handler)

    def get_num_bytes(self, batch: Sequence[_Unit]) -> int:
        return sum(len(unit.refs) for unit in batch)  # Beam's own pickles every batch to find out

    def get_metrics_namespace(self) -> str:
        return NAMESPACE

    def run_inference(
        self, batch: Sequence[_Unit], model: _Later, inference_args: dict[str, Any] | None = None
    ) -> Iterator[str]:
        device = device_of(self._clip)  # whatever "auto" means here
        for name, refs in batch:
            path = files.join(self._output, self._directory, f"{name}.parquet")

            def work(refs: list[Any] = refs, path: str = path, name: str = name) -> Counts:
                return self._write(path, name, refs, model, int(digest(self._fingerprint, device)[:12], 16))

            made_of = digest(self._fingerprint, device, [_wherever(ref) for ref in refs])
            run_unit(self._output, STAGE, name, made_of, work, self._standing)
            yield path

    def _write(self, path: str, name: str, refs: list[Any], model: _Later, alone: int) -> Counts:
        """Write a unit's vectors, those of other outputs among them; what it counted."""
        there = self._there(name, {ref.key for ref in refs}, alone)
        taken = {key for _, keys in there for key in keys}
        missing = [ref for ref in refs if ref.key not in taken]
        if missing and there and not self._handler.stands_alone(model()):
            there, taken, missing = [], set(), refs
        half = halves(self._clip)
        standing = (row for where, keys in there for row in read_vectors(where, half) if row.key in keys)
        made = self._handler.run_inference(missing, model()) if missing else iter(())
        rows = write_vectors(path, _in_order(refs, taken, standing, made), half)
        is_alone = not missing or self._handler.stands_alone(model())
        return {"embedded": rows, **({ALONE: alone} if is_alone else {})}

    def _there(self, name: str, wanted: set[str], alone: int) -> list[tuple[str, set[str]]]:
        """Files of other outputs, each with the keys of the vectors that can be taken from it."""
        found: list[tuple[str, set[str]]] = []
        for other in self._standing:
            for unit in _kin(files.join(other, self._directory), name):
                if not wanted:
                    return found
                if (counted(other, STAGE, unit) or {}).get(ALONE) == alone:
                    path = files.join(other, self._directory, f"{unit}.parquet")
                    if mine := wanted & {row.key for row in parquet.read(path, _Key)}:
                        found.append((path, mine))
                        wanted = wanted - mine
        return found


def _kin(directory: str, name: str) -> list[str]:
    """Units in which members of a unit may have stood: the same; of a blob all of its images' unit, nearest first.

    What is taken out of a blob lets images of the next one move into it.
    """
    if name.startswith(_TEXTS):
        return [name]
    own = unit_of(f"{name}.bin")
    there = [unit_of_file(path) for path, _ in files.listing(files.join(directory, f"{own}*.parquet"))]
    kin = [one for one in there if one == name or unit_of(f"{one}.bin") == own]
    return sorted(kin, key=lambda one: (_number(one) < _number(name), one))


def _number(blob: str) -> str:
    return blob.rpartition("-")[0]


def _in_order(
    refs: Iterable[Any], taken: Collection[str], standing: Iterator[Embedding], made: Iterator[Embedding]
) -> Iterator[Embedding]:
    """An Embedding of each reference. What stands in the order in which it is wanted is never held."""
    held: dict[str, Embedding] = {}
    for ref in refs:
        if ref.key not in taken:
            yield next(made)
            continue
        while ref.key not in held:
            row = next(standing)
            held[row.key] = row
        yield held.pop(ref.key)


@dataclasses.dataclass
class EmbedBlobs(beam.PTransform):
    """ImageRef → path of each blob's file of vectors; each reference once. Wants PyTorch where it runs (`[clip]`).

    Args:
        clip: which model, and how it is run.
        output: directory that markers are written below.
        directory: of the files, below `output`.
        fingerprint: of all that decides a vector beside its unit's members; a unit that was made from another is made
            again.
        standing: outputs that units are taken from where they have the same.
    """

    clip: ClipChoice
    output: str
    directory: str
    fingerprint: str
    standing: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    def expand(self, refs: beam.PCollection[ImageRef]) -> beam.PCollection[str]:
        return _save(refs, ImageRef, ImageHandler(self.clip), self, lambda ref: ref.path)


@dataclasses.dataclass
class EmbedTextUnits(beam.PTransform):
    """TextRef → path of each bucket's file of vectors; otherwise as EmbedBlobs.

    Args:
        buckets: units that the texts are hashed into.
    """

    clip: ClipChoice
    output: str
    directory: str
    fingerprint: str
    buckets: int
    standing: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)

    def expand(self, refs: beam.PCollection[TextRef]) -> beam.PCollection[str]:
        buckets = self.buckets
        return _save(
            refs,
            TextRef,
            TextHandler(self.clip),
            self,
            lambda ref: f"{_TEXTS}{hash_bucket(ref.key, buckets, 'clip'):05d}-of-{buckets:05d}",
        )


@dataclasses.dataclass
class NoteScale(beam.PTransform):
    """PBegin → the logit scale of `clip.model` in a file: by it the model was trained to multiply cosines."""

    clip: ClipChoice
    path: str

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[None]:
        return begin | "Where" >> beam.Create([self.path]) | "Note" >> beam.Map(_note, self.clip)


def _note(path: str, clip: ClipChoice) -> None:
    model = load(clip).model
    files.write_atomic(
        path, f"{float(model.logit_scale.detach().float().exp()):.3f}"
    )  # its last bits are the machine's


def _save(
    refs: beam.PCollection[Any],
    record: type,
    handler: Handler,
    to: EmbedBlobs | EmbedTextUnits,
    unit: Callable[[Any], str],
) -> beam.PCollection[str]:
    coders.register(record)
    saving = _Saving(handler, to)
    return (
        refs
        | "Unit" >> beam.Map(lambda ref: (unit(ref), ref)).with_output_types(tuple[str, record])  # type: ignore[valid-type]
        | "Gather" >> beam.GroupByKey()
        | "Sorted" >> beam.Map(_unit)
        | "Infer" >> RunInference(saving.with_no_batching())
        | "Path" >> beam.Map(lambda path: path).with_output_types(str)
    )


def _wherever(ref: ImageRef | TextRef) -> ImageRef | TextRef:
    """A reference without the directory that its blob lies in; the unit is called after the blob."""
    return ref._replace(path="") if isinstance(ref, ImageRef) else ref


def _unit(item: tuple[str, Iterable[Any]]) -> list[_Unit]:
    """One unit, as a batch of its own. Images are sorted by where they lie: a blob is read in sequence."""
    refs = sorted(set(item[1]), key=lambda ref: (ref[1:], ref[0]))
    return [_Unit(unit_of_file(item[0]), refs)]
