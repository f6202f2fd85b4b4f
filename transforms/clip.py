"""CLIP through RunInference: references to images, and texts, become unit vectors.

References, not bytes, are what flows: an image is read from its blob, decoded and embedded in one step. Batches are
formed before inference out of a hash bucket's sorted members, and the last one is padded, so that what a vector is
computed beside (which decides its last bits) never depends on the runner. torch and open_clip are imported where a
model is loaded, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
from apache_beam.ml.inference.base import ModelHandler, RunInference
from PIL import Image

from schemas.config import ConfigError, clip_name
from schemas.config import Score as ScoreConfig
from schemas.records import hash_bucket
from transforms import files

LOCAL = "local-dir:"
BPE = "bpe_merges.txt.gz"  # a model directory may hold its own vocabulary for open_clip's tokenizer
_ADDRESS = re.compile(r"\s*<[^<>]* at 0x[0-9a-f]+>")  # Pillow names the object it read: another one in each process
_WEIGHTS = (".safetensors", ".bin", ".pth")  # what open_clip looks for in a model directory


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
    """A unit vector (float32 bytes), or the reason there is none."""

    key: str
    vector: bytes
    problem: str


@dataclasses.dataclass
class Clip:
    """A loaded model with what belongs to it (no tuple: RunInference holds models by weak reference)."""

    model: Any
    preprocess: Any
    tokenizer: Any
    device: str


def validate(config: ScoreConfig) -> None:
    """Raise ConfigError, in one line, for a model that cannot be loaded; loads nothing."""
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # torch and torchvision of different builds raise the latter
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"scoring needs PyTorch and open_clip: pip install 'weft[clip]' ({reason})") from None
    name = clip_name(config.model)
    if name.startswith(LOCAL):
        folder = Path(name.removeprefix(LOCAL))
        if not (folder / "open_clip_config.json").is_file():
            raise ConfigError(f"score.model = {config.model!r}: no open_clip_config.json in {folder}")
        if not any(path.suffix in _WEIGHTS for path in folder.iterdir()):
            raise ConfigError(f"score.model = {config.model!r}: no weights (*{', *'.join(_WEIGHTS)}) in {folder}")
        return
    if name.startswith("hf-hub:"):
        return
    known = open_clip.list_models()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"score.model = {config.model!r} is no open_clip model" + (f"; {close[0]!r}?" if close else "")
        )
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not config.pretrained:
        raise ConfigError(f"score.model = {name!r} needs score.pretrained: a weights file or one of {', '.join(tags)}")
    if config.pretrained not in tags and not Path(config.pretrained).is_file():
        raise ConfigError(f"score.pretrained = {config.pretrained!r} is neither a file nor one of {', '.join(tags)}")
    trained = (open_clip.get_pretrained_cfg(name, config.pretrained) or {}).get("quick_gelu", False)
    if config.pretrained in tags and trained and not (open_clip.get_model_config(name) or {}).get("quick_gelu", False):
        # open_clip only warns, and every score is a little wrong.
        raise ConfigError(
            f"score.pretrained = {config.pretrained!r} was trained with QuickGELU: score.model = '{name}-quickgelu'"
        )


def load(config: ScoreConfig) -> Clip:
    """The configured model in evaluation mode.

    Raises:
        ConfigError: as `validate`, and for weights that do not load.
    """
    validate(config)
    import open_clip
    import torch

    name = clip_name(config.model)
    device = config.device if config.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("score.device = 'cuda', but PyTorch finds no GPU here; 'auto' takes what there is")
    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)  # open_clip tells its steps to the root logger
    try:
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            pretrained=config.pretrained or None,
            precision=config.precision,
            device=device,
            require_pretrained=True,  # else a model without weights is a random one
        )
        own = Path(name.removeprefix(LOCAL)) / BPE
        more = {"bpe_path": str(own)} if name.startswith(LOCAL) and own.is_file() else {}
        tokenizer = open_clip.get_tokenizer(name, **more)
    except MemoryError:
        raise
    except Exception as error:  # a model's files are the user's, and each library has errors of its own for them
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"score.model = {config.model!r} does not load: {reason}") from None
    finally:
        logger.setLevel(level)
    rows = getattr(model, "vocab_size", 0)
    if rows and getattr(tokenizer, "vocab_size", 0) > rows:
        raise ConfigError(
            f"score.model = {config.model!r} knows {rows:,} tokens and its tokenizer {tokenizer.vocab_size:,}: "
            f"is {BPE} missing in the directory?"
        )
    return Clip(model.eval(), preprocess, tokenizer, device)


class _Handler(ModelHandler[Any, Embedding, Clip]):
    """What image and text handlers share: loading, threads, padding."""

    def __init__(self, config: ScoreConfig) -> None:
        super().__init__()
        self._config = config

    def load_model(self) -> Clip:
        return load(self._config)

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return len(batch)  # Beam's own pickles every batch to find out

    def get_metrics_namespace(self) -> str:
        return "weft_clip"

    def _forward(self, model: Clip, kind: str, tensor: Any, count: int) -> npt.NDArray[np.float32]:
        """(count, D) unit vectors of a batch padded to the configured size."""
        import torch

        missing = self._config.batch_size - len(tensor)
        if missing > 0:
            tensor = torch.cat([tensor, torch.zeros((missing, *tensor.shape[1:]), dtype=tensor.dtype)])
        threads = torch.get_num_threads()
        if model.device == "cpu":
            torch.set_num_threads(1)  # how a sum is split over threads decides its last bits
        try:
            with torch.inference_mode():
                tensor = tensor.to(model.device)
                if kind == "image":
                    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self._config.precision, torch.float32)
                    made = model.model.encode_image(tensor.to(dtype), normalize=True)
                else:
                    made = model.model.encode_text(tensor, normalize=True)
                return np.asarray(made[:count].float().cpu().numpy(), np.float32)
        finally:
            torch.set_num_threads(threads)


class ImageHandler(_Handler):
    """A batch of ImageRef → an Embedding each; an image that does not decode has a problem instead of a vector."""

    def run_inference(
        self, batch: Sequence[ImageRef], model: Clip, inference_args: dict[str, Any] | None = None
    ) -> Iterator[Embedding]:
        import torch

        tensors, problems = [], []
        for ref in batch:
            data = files.read_range(ref.path, ref.offset, ref.length)  # storage that fails is retried, not bad data
            image, problem = _decode(data)
            problems.append(problem)
            if image is not None:
                tensors.append(model.preprocess(image))
        vectors = iter(self._forward(model, "image", torch.stack(tensors), len(tensors)) if tensors else ())
        for ref, problem in zip(batch, problems, strict=True):
            yield Embedding(ref.key, b"" if problem else next(vectors).tobytes(), problem)


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
        vectors = self._forward(model, "text", model.tokenizer([ref.text for ref in batch]), len(batch))
        for ref, vector in zip(batch, vectors, strict=True):
            yield Embedding(ref.key, vector.tobytes(), "")


def batches(item: tuple[str, Iterable[Any]], size: int) -> Iterator[list[Any]]:
    """A bucket's members, sorted and distinct, in batches: their make-up depends on the members alone."""
    members = sorted(set(item[1]))
    for start in range(0, len(members), size):
        yield members[start : start + size]


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
