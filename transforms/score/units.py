"""Vectors as units of work: the images of a blob, or a bucket of texts → a file of vectors each, and its marker.

    ImageRef ──► by blob ────┐
                             ├─► read in sequence, CLIP ─► DIRECTORY/UNIT.parquet, score/units/UNIT.json ─► ReadVectors
    TextRef ───► by bucket ──┘

A unit is what a killed job loses at most, and what one worker holds: a blob's references, never its bytes. Batches are
formed inside a unit out of its sorted members, so that what a vector is computed beside, which decides its last bits,
depends on the blob alone. So does a unit's fingerprint: one that another output has is taken from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from weft.schemas.parameters import ClipChoice
from weft.schemas.records import digest, hash_bucket
from weft.transforms.beam import coders
from weft.transforms.io import files
from weft.transforms.io.work_units import run_unit, unit_of_file
from weft.transforms.score.clip import NAMESPACE, Handler, ImageHandler, TextHandler
from weft.transforms.score.clip_models import Clip, load
from weft.transforms.score.vector_files import halves, write_vectors
from weft.transforms.score.vectors import ImageRef, TextRef

STAGE = "score"


class _Unit(NamedTuple):
    """What is embedded together."""

    name: str
    refs: list[Any]  # ImageRef or TextRef, sorted and distinct


class _Saving(ModelHandler[Any, str, Clip]):
    """A unit → path of its file of vectors; nothing is computed where its marker says that it is there."""

    def __init__(self, handler: Handler, to: EmbedBlobs | EmbedTextUnits) -> None:
        super().__init__()
        self._handler, self._output, self._directory = handler, to.output, to.directory
        self._fingerprint, self._halves, self._standing = to.fingerprint, halves(to.clip), to.standing

    def load_model(self) -> Clip:
        return self._handler.load_model()

    def get_num_bytes(self, batch: Sequence[_Unit]) -> int:
        return sum(len(unit.refs) for unit in batch)  # Beam's own pickles every batch to find out

    def get_metrics_namespace(self) -> str:
        return NAMESPACE

    def run_inference(
        self, batch: Sequence[_Unit], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[str]:
        for name, refs in batch:
            path = files.join(self._output, self._directory, f"{name}.parquet")

            def work(refs: list[Any] = refs, path: str = path) -> dict[str, int]:
                return {"embedded": write_vectors(path, self._handler.run_inference(refs, model), self._halves)}

            made_of = digest(self._fingerprint, model.device, [_wherever(ref) for ref in refs])  # whatever "auto" means
            run_unit(self._output, STAGE, name, made_of, work, self._standing)
            yield path


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
            lambda ref: f"texts-{hash_bucket(ref.key, buckets, 'clip'):05d}-of-{buckets:05d}",
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
