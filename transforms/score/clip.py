"""CLIP through RunInference: references to images, and texts, become unit vectors.

References, not bytes, are what flows: an image is read from its blob, decoded and embedded in one step. Batches are
formed before inference out of a hash bucket's sorted members, and the last one is padded, so that what a vector is
computed beside (which decides its last bits) never depends on the runner. While the model computes one batch, threads
read, decode and tokenize the next ones: several batches travel to the handler together for that.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference
from PIL import Image

from weft.schemas.parameters import ClipChoice
from weft.schemas.records import hash_bucket
from weft.transforms.beam import coders
from weft.transforms.fetch.blobs import StoredBytes, read_stored
from weft.transforms.score.clip_models import Clip, load
from weft.transforms.score.vectors import NOT_FINITE, Embedding, ImageRef, TextRef

TOGETHER = 16  # batches that the handler is given at once: only between these does the model wait for a first batch
AHEAD = 2  # batches that are made ready while one is computed
_DECODERS = 4  # threads that decode; two keep a core's model busy, a GPU needs those of all cores
NAMESPACE, HALVED = "weft_clip", "batches_halved"
_ADDRESS = re.compile(r"(?<!\s)\s*+<[^<>]* at 0x[0-9a-f]+>")  # Pillow names the object: another one in each process

_log = logging.getLogger(__name__)
_Ready = tuple[
    list[str], list[Any]
]  # of a batch: a problem or "" for each, and for each model a padded tensor of the rest
T = TypeVar("T")


class Handler(ModelHandler[Any, Embedding, Clip]):
    """What image and text handlers share: loading, what is done ahead, padding, memory that does not suffice."""

    def __init__(self, choice: ClipChoice) -> None:
        super().__init__()
        self._choice = choice
        self._most = choice.batch_size  # that the device has memory for, as far as is known
        self._is_alone: bool | None = None  # whether each vector hangs on its own row; None where nobody asked

    def load_model(self) -> Clip:
        return load(self._choice)

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return len(batch)  # Beam's own pickles every batch to find out

    def get_metrics_namespace(self) -> str:
        return NAMESPACE

    def stands_alone(self, model: Clip) -> bool:
        """Whether a vector's bits are the same wherever in its batch it stands, and so whatever stands beside it.

        How a kernel sums follows from shapes and places, never from what stands in other rows: so one row is put into
        every place of a batch.
        """
        if self._is_alone is None:
            self._is_alone, size = True, self._choice.batch_size
            for one in (model, *model.others):
                found = self._forward(one, self._padded([self._example(one)] * size, one), size)
                self._is_alone &= bool((found == found[0]).all())
        return self._is_alone and self._most == self._choice.batch_size

    def _example(self, model: Clip) -> npt.NDArray[Any]:
        """Some row of a batch."""
        raise NotImplementedError

    def _run(self, batch: Sequence[Any], model: Clip, begin: Callable[[Sequence[Any]], Future[_Ready]]) -> Any:
        """An Embedding of each of `batch`. What `begin` makes ready is ahead of the model, what is yielded one behind.

        Being behind costs nothing on a CPU; a GPU has the next batch to compute while this one's vectors are fetched.
        """
        size, models = self._choice.batch_size, (model, *model.others)
        parts = (batch[start : start + size] for start in range(0, len(batch), size))
        before: tuple[Sequence[Any], list[str], list[Any]] | None = None
        for refs, waiting in _ahead(parts, begin):
            problems, inputs = waiting.result()
            count = problems.count("")
            found = [self._forward(one, inputs[n], count) for n, one in enumerate(models)] if count else []
            if before:
                yield from _embeddings(*before)
            before = refs, problems, found
        if before:
            yield from _embeddings(*before)

    def _padded(self, rows: Sequence[npt.NDArray[Any]], model: Clip) -> Any:
        """A tensor of the batch's rows and as many of zeros as make it the configured size."""
        import torch

        shape, dtype = (self._choice.batch_size, *rows[0].shape), torch.from_numpy(np.empty(0, rows[0].dtype)).dtype
        made = torch.zeros(shape, dtype=dtype, pin_memory=model.device == "cuda")  # pinned: copied while others compute
        np.stack(rows, out=made.numpy()[: len(rows)])
        return made

    def _encode(self, model: Clip, rows: Any) -> Any:
        raise NotImplementedError

    def _forward(self, model: Clip, padded: Any, count: int) -> Any:
        """(count, D) unit vectors, on the device, of a batch padded to the configured size.

        Where memory does not suffice, half of the batch is tried, and from then on no more than what went well. That
        may change the last bits of a vector.
        """
        import torch

        threads, on_cpu = torch.get_num_threads(), model.device == "cpu"
        if on_cpu:
            torch.set_num_threads(1)  # how a sum is split over threads decides its last bits
        try:
            rows, start = [], 0
            with torch.inference_mode():
                while start < count:
                    try:
                        rows.append(self._encode(model, padded[start : start + self._most]).float())
                        start += self._most
                    except RuntimeError as error:  # torch.OutOfMemoryError is one
                        if "memory" not in str(error) or self._most == 1:
                            raise
                        self._most = (self._most + 1) // 2
                        Metrics.counter(NAMESPACE, HALVED).inc()
                        _log.warning("out of memory: from now on %d at once", self._most)
                        if not on_cpu:
                            torch.cuda.empty_cache()
                return torch.cat(rows)[:count]
        finally:
            torch.set_num_threads(threads)


class ImageHandler(Handler):
    """A batch of ImageRef → an Embedding each; an image that does not decode has a problem instead of vectors.

    One thread reads, as blobs lie; several decode and resize; one lays batches together.
    """

    def run_inference(
        self, batch: Sequence[ImageRef], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Embedding]:
        models = (model, *model.others)
        cores = _DECODERS if model.device == "cpu" else max(_DECODERS, os.cpu_count() or 1)
        places = [StoredBytes(ref.path, ref.offset, ref.length, ref.digest, ref.key) for ref in batch]
        with (
            closing(read_stored(places)) as stored,
            ThreadPoolExecutor(1, "read") as reader,
            ThreadPoolExecutor(cores, "decode") as decoders,
            ThreadPoolExecutor(1, "lay") as layer,
        ):

            def read(refs: Sequence[ImageRef]) -> list[Future[tuple[list[Any], str]]]:
                return [decoders.submit(_opened, next(stored), models) for _ in refs]

            def lay(waiting: Future[list[Future[tuple[list[Any], str]]]]) -> _Ready:
                opened = [one.result() for one in waiting.result()]
                good = [arrays for arrays, problem in opened if not problem]
                seen = (
                    [self._padded([arrays[n] for arrays in good], one) for n, one in enumerate(models)] if good else []
                )
                return [problem for _, problem in opened], seen

            yield from self._run(batch, model, lambda refs: layer.submit(lay, reader.submit(read, refs)))

    def _example(self, model: Clip) -> npt.NDArray[Any]:
        return np.asarray(model.pixels(Image.radial_gradient("L").convert("RGB")))

    def _encode(self, model: Clip, rows: Any) -> Any:
        return model.model.encode_image(model.normalised(rows), normalize=True)


def _opened(data: bytes, models: Sequence[Clip]) -> tuple[list[Any], str]:
    """What each model is given of an image, or why there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return [one.pixels(image) for one in models], ""
    except MemoryError:  # of this machine, not of the picture
        raise
    except Exception as error:  # Pillow's decoders raise whatever their format's parser does
        said = " ".join(_ADDRESS.sub("", str(error)).split())
        return [], f"{type(error).__name__}: {said}"[:100]


class TextHandler(Handler):
    """A batch of TextRef → an Embedding each."""

    def run_inference(
        self, batch: Sequence[TextRef], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Embedding]:
        models = (model, *model.others)

        def ready(refs: Sequence[TextRef]) -> _Ready:
            told = [ref.text for ref in refs]
            return [""] * len(refs), [self._padded(one.tokenizer(told).numpy(), one) for one in models]

        with ThreadPoolExecutor(1, "tokenize") as pool:
            yield from self._run(batch, model, lambda refs: pool.submit(ready, refs))

    def _example(self, model: Clip) -> npt.NDArray[Any]:
        return np.asarray(model.tokenizer(["a picture of a fox"]).numpy()[0])

    def _encode(self, model: Clip, rows: Any) -> Any:
        return model.model.encode_text(rows.to(model.device, non_blocking=True), normalize=True)


def _ahead(
    batches: Iterable[Sequence[T]], begin: Callable[[Sequence[T]], Future[_Ready]]
) -> Iterator[tuple[Sequence[T], Future[_Ready]]]:
    """Each batch with what `begin` began for it, AHEAD further ones begun before it is handed out."""
    begun: deque[tuple[Sequence[T], Future[_Ready]]] = deque()
    for batch in batches:
        begun.append((batch, begin(batch)))
        if len(begun) > AHEAD:
            yield begun.popleft()
    yield from begun


def _embeddings(refs: Sequence[Any], problems: Sequence[str], found: Sequence[Any]) -> Iterator[Embedding]:
    """An Embedding for each of `refs`; `found` has, for each model, a tensor of rows for those without a problem."""
    rows, arrays = itertools.count(), [np.asarray(vectors.cpu().numpy(), np.float32) for vectors in found]
    for ref, problem in zip(refs, problems, strict=True):
        if problem:
            yield Embedding(ref.key, [], problem)
            continue
        row = next(rows)
        if all(np.isfinite(vectors[row]).all() for vectors in arrays):
            yield Embedding(ref.key, [vectors[row].tobytes() for vectors in arrays], "")
        else:
            yield Embedding(ref.key, [], NOT_FINITE)


def batches(item: tuple[str, Iterable[Any]], size: int) -> Iterator[list[Any]]:
    """A bucket's members, sorted and distinct, several batches together: their make-up depends on the members alone.

    Images are sorted by where they lie: reading is sequential, and a blob is opened once for all of them.
    """
    members = sorted(set(item[1]), key=lambda member: (member[1:], member[0]))
    for start in range(0, len(members), size * TOGETHER):
        yield members[start : start + size * TOGETHER]


@dataclasses.dataclass
class EmbedImages(beam.PTransform):
    """ImageRef → Embedding, each distinct one once. Wants PyTorch and open_clip where it runs (`[clip]`).

    Args:
        clip: which model, and how it is run.
        buckets: parts that the references are hashed into. Batches are formed inside them, so that their make-up, and
            with it the last bits of a vector, never depends on the runner; more buckets are more parallel work.
    """

    clip: ClipChoice = ClipChoice()  # noqa: RUF009 - frozen
    buckets: int = 8

    def expand(self, refs: beam.PCollection[ImageRef]) -> beam.PCollection[Embedding]:
        return _embed(refs, ImageRef, ImageHandler(self.clip), self.clip.batch_size, self.buckets)


@dataclasses.dataclass
class EmbedTexts(beam.PTransform):
    """TextRef → Embedding, each distinct one once; otherwise as EmbedImages."""

    clip: ClipChoice = ClipChoice()  # noqa: RUF009 - frozen
    buckets: int = 8

    def expand(self, refs: beam.PCollection[TextRef]) -> beam.PCollection[Embedding]:
        return _embed(refs, TextRef, TextHandler(self.clip), self.clip.batch_size, self.buckets)


def _embed(
    refs: beam.PCollection[Any], record: type, handler: Handler, size: int, buckets: int
) -> beam.PCollection[Embedding]:
    coders.register(record)
    coders.register(Embedding)
    return (
        refs
        | "Bucket"
        >> beam.Map(lambda ref: (str(hash_bucket(ref.key, buckets, "clip")), ref)).with_output_types(
            tuple[str, record]  # type: ignore[valid-type]
        )
        | "Gather" >> beam.GroupByKey()
        | "Batch" >> beam.FlatMap(batches, size)
        | "Infer" >> RunInference(handler.with_no_batching())
        | "Plain" >> beam.Map(lambda found: found).with_output_types(Embedding)
    )
