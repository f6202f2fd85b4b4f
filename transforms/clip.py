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
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference
from PIL import Image

from schemas.config import Score as ScoreConfig
from schemas.records import hash_bucket
from transforms import files
from transforms.clip_models import Clip, load

TOGETHER = 16  # batches that the handler is given at once: only between these does the model wait for a first batch
AHEAD = 2  # batches that are made ready while one is computed
_READERS = 4  # threads that read and decode; for a local blob two keep a core's model busy
NAMESPACE, HALVED = "weft_clip", "batches_halved"
NOT_FINITE = "not_finite"  # the problem of what a model makes no numbers of
_ADDRESS = re.compile(r"\s*<[^<>]* at 0x[0-9a-f]+>")  # Pillow names the object it read: another one in each process

Vectors = npt.NDArray[np.float32]
T = TypeVar("T")


class ImageRef(NamedTuple):
    """Where an image's stored bytes are."""

    key: str
    path: str
    offset: int
    length: int


class TextRef(NamedTuple):
    """A text and the id of its words."""

    key: str
    text: str


class Embedding(NamedTuple):
    """A unit vector of each model (float32 bytes), or the reason there is none."""

    key: str
    vectors: list[bytes]  # of score.model, then of each of score.also
    problem: str

    @property
    def vector(self) -> bytes:
        """That of score.model, empty where there is none."""
        return self.vectors[0] if self.vectors else b""


class _Handler(ModelHandler[Any, Embedding, Clip]):
    """What image and text handlers share: loading, what is done ahead, padding, memory that does not suffice."""

    def __init__(self, config: ScoreConfig) -> None:
        super().__init__()
        self._config = config
        self._most = config.batch_size  # that the device has memory for, as far as is known

    def load_model(self) -> Clip:
        return load(self._config)

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return len(batch)  # Beam's own pickles every batch to find out

    def get_metrics_namespace(self) -> str:
        return NAMESPACE

    def _batches(self, refs: Sequence[T]) -> Iterator[Sequence[T]]:
        size = self._config.batch_size
        return (refs[start : start + size] for start in range(0, len(refs), size))

    def _embeddings(
        self, keys: Sequence[str], problems: Sequence[str], found: Sequence[Vectors]
    ) -> Iterator[Embedding]:
        """An Embedding for each key; `found` has, for each model, rows for the keys without a problem."""
        rows = itertools.count()
        for key, problem in zip(keys, problems, strict=True):
            if problem:
                yield Embedding(key, [], problem)
                continue
            row = next(rows)
            mine = [vectors[row] for vectors in found]
            if all(np.isfinite(vector).all() for vector in mine):
                yield Embedding(key, [vector.tobytes() for vector in mine], "")
            else:
                yield Embedding(key, [], NOT_FINITE)

    def _forward(self, made: Callable[[int, int], Any], count: int, on_cpu: bool) -> Vectors:
        """(count, D) unit vectors of a batch padded to the configured size; `made` computes rows from, to of it.

        Where memory does not suffice, half of the batch is tried, and from then on no more than what went well. That
        may change the last bits of a vector, which similarities, rounded to five decimals, do not show.
        """
        import torch

        threads = torch.get_num_threads()
        if on_cpu:
            torch.set_num_threads(1)  # how a sum is split over threads decides its last bits
        try:
            rows, start = [], 0
            with torch.inference_mode():
                while start < count:
                    try:
                        rows.append(made(start, start + self._most).float().cpu().numpy())
                        start += self._most
                    except RuntimeError as error:  # torch.OutOfMemoryError is one
                        if "memory" not in str(error) or self._most == 1:
                            raise
                        self._most = (self._most + 1) // 2
                        Metrics.counter(NAMESPACE, HALVED).inc()
                        if not on_cpu:
                            torch.cuda.empty_cache()
            return np.asarray(np.concatenate(rows)[:count], np.float32)
        finally:
            torch.set_num_threads(threads)


class ImageHandler(_Handler):
    """A batch of ImageRef → an Embedding each; an image that does not decode has a problem instead of vectors."""

    def run_inference(
        self, batch: Sequence[ImageRef], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Embedding]:
        models = (model, *model.others)

        def ready(ref: ImageRef) -> tuple[list[npt.NDArray[Any]], str]:
            data = files.read_range(ref.path, ref.offset, ref.length)  # storage that fails is retried, not bad data
            image, problem = _decode(data)
            return ([] if image is None else [one.pixels(image) for one in models]), problem

        with ThreadPoolExecutor(_READERS, "decode") as pool:
            for refs, waiting in _ahead(self._batches(batch), lambda refs: [pool.submit(ready, ref) for ref in refs]):
                opened = [one.result() for one in waiting]
                seen = [arrays for arrays, problem in opened if not problem]
                found = (
                    [self._seen(one, [arrays[n] for arrays in seen]) for n, one in enumerate(models)] if seen else []
                )
                yield from self._embeddings([ref.key for ref in refs], [problem for _, problem in opened], found)

    def _seen(self, model: Clip, arrays: list[npt.NDArray[Any]]) -> Vectors:
        padded = np.zeros((self._config.batch_size, *arrays[0].shape), arrays[0].dtype)
        padded[: len(arrays)] = arrays

        def made(start: int, end: int) -> Any:
            return model.model.encode_image(model.normalised(padded[start:end]), normalize=True)

        return self._forward(made, len(arrays), model.device == "cpu")


def _decode(data: bytes) -> tuple[Image.Image | None, str]:
    """An RGB image, or None and why there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB"), ""
    except Exception as error:  # Pillow's decoders raise whatever their format's parser does
        said = " ".join(_ADDRESS.sub("", str(error)).split())
        return None, f"{type(error).__name__}: {said}"[:100]


class TextHandler(_Handler):
    """A batch of TextRef → an Embedding each."""

    def run_inference(
        self, batch: Sequence[TextRef], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Embedding]:
        models = (model, *model.others)

        def ready(refs: Sequence[TextRef]) -> list[Any]:
            return [one.tokenizer([ref.text for ref in refs]) for one in models]

        with ThreadPoolExecutor(1, "tokenize") as pool:
            for refs, waiting in _ahead(self._batches(batch), lambda refs: [pool.submit(ready, refs)]):
                tokens = waiting[0].result()
                found = [self._read(one, tokens[n]) for n, one in enumerate(models)]
                yield from self._embeddings([ref.key for ref in refs], [""] * len(refs), found)

    def _read(self, model: Clip, tokens: Any) -> Vectors:
        import torch

        missing = self._config.batch_size - len(tokens)
        padded = torch.cat([tokens, torch.zeros((missing, *tokens.shape[1:]), dtype=tokens.dtype)])

        def made(start: int, end: int) -> Any:
            return model.model.encode_text(padded[start:end].to(model.device), normalize=True)

        return self._forward(made, len(tokens), model.device == "cpu")


def _ahead(
    batches: Iterable[Sequence[T]], begin: Callable[[Sequence[T]], list[Future[Any]]]
) -> Iterator[tuple[Sequence[T], list[Future[Any]]]]:
    """Each batch with what `begin` began for it, AHEAD further ones begun before it is handed out."""
    begun: deque[tuple[Sequence[T], list[Future[Any]]]] = deque()
    for batch in batches:
        begun.append((batch, begin(batch)))
        if len(begun) > AHEAD:
            yield begun.popleft()
    yield from begun


def batches(item: tuple[str, Iterable[Any]], size: int) -> Iterator[list[Any]]:
    """A bucket's members, sorted and distinct, several batches together: their make-up depends on the members alone."""
    members = sorted(set(item[1]))
    for start in range(0, len(members), size * TOGETHER):
        yield members[start : start + size * TOGETHER]


@dataclasses.dataclass
class Embed(beam.PTransform):
    """ImageRef or TextRef → Embedding, each distinct one once."""

    config: ScoreConfig
    kind: str  # "image" or "text"

    def expand(self, refs: beam.PCollection[Any]) -> beam.PCollection[Embedding]:
        buckets, size = self.config.buckets, self.config.batch_size
        handler = (ImageHandler if self.kind == "image" else TextHandler)(self.config)
        row = tuple[str, tuple[str, str, int, int]] if self.kind == "image" else tuple[str, tuple[str, str]]
        made = ImageRef if self.kind == "image" else TextRef
        return (
            refs
            | "Bucket"
            >> beam.Map(lambda ref: (str(hash_bucket(ref.key, buckets, "clip")), tuple(ref))).with_output_types(row)
            | "Gather" >> beam.GroupByKey()
            | "Batch" >> beam.FlatMap(batches, size)
            | "Refs" >> beam.Map(lambda batch: [made(*member) for member in batch])
            | "Infer" >> RunInference(handler.with_no_batching())
            | "Plain" >> beam.Map(lambda found: found).with_output_types(Embedding)
        )


def similarity(image: bytes, text: bytes) -> float:
    """Cosine of two unit vectors, rounded so that the last bits of a sum are not kept."""
    a, b = np.frombuffer(image, np.float32), np.frombuffer(text, np.float32)
    return round(float(np.dot(a.astype(np.float64), b.astype(np.float64))), 5)
