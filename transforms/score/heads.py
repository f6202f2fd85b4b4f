"""Small heads on image embeddings: unsafe, aesthetic, watermark; and prompts in place of a trained head.

unit vectors of images, and a head's safetensors or the vectors of prompts → a number for each image.

- LAION's NSFW head (CLIP-based-NSFW-Detector): (x - mean) / sqrt(variance), 768-64-512-256-1, ReLU between, sigmoid at
  the end: the probability that an image is unsafe. LAION-5B tags above 0.5.
- LAION's aesthetic head: version 1 is one linear layer, version 2 five without anything between them: a mark from
  about 1 to 10 (LAION-Aesthetics: 4.5, 5, 6).
- A watermark head is the user's own, of the NSFW head's form.

Any chain of linear layers down to one number is taken: its layers are found by the names and shapes of its tensors.
numpy computes it. Weights are safetensors: a pickle can run any code as it is read, and is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files

KINDS = ("unsafe", "aesthetic", "watermark")
_PROBABILITY = ("unsafe", "watermark")  # with ReLU between layers and a sigmoid at the end
SCALE = 100.0  # CLIP's logit scale once trained, where a model's own is not known: a softmax over cosines takes it
DECIMALS = 5
_WEIGHT, _BIAS = re.compile(r"(?:^|\.)weight$"), re.compile(r"(?:^|\.)bias$")
_NORM = re.compile(r"(?:^|\.)(mean|variance|running_mean|running_var|var)$")
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save's zip, and bare pickles
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
_SUFFIXES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")

Array = npt.NDArray[np.float64]


class Head(NamedTuple):
    """A chain of linear layers."""

    kind: str  # one of KINDS
    mean: Array | None  # (D,): taken off the input, which is then divided by `deviation`; None: the input as it is
    deviation: Array | None  # (D,), or None together with `mean`
    layers: list[tuple[Array, Array]]  # weight (outputs, inputs) and bias (outputs,) of each

    @property
    def width(self) -> int:
        """D, the length of the vectors that it takes."""
        return int(self.layers[0][0].shape[1])

    def __call__(self, vectors: npt.ArrayLike) -> Array:
        """(N, D) unit vectors → (N,): probabilities from 0 to 1, or of an aesthetic head marks from about 1 to 10.

        Rounded to DECIMALS places, because the last bits of a sum depend on the order of its terms.
        """
        x = np.atleast_2d(np.asarray(vectors, np.float64))
        if self.mean is not None and self.deviation is not None:
            x = (x - self.mean) / self.deviation
        for number, (weight, bias) in enumerate(self.layers):
            x = x @ weight.T + bias
            if self.kind in _PROBABILITY and number < len(self.layers) - 1:
                x = np.maximum(x, 0.0)
        out = x[:, 0]
        if self.kind in _PROBABILITY:
            out = 1.0 / (1.0 + np.exp(-np.clip(out, -500.0, 500.0)))
        return np.asarray(out.round(DECIMALS), np.float64)


def load(kind: str, path: str, width: int) -> Head:
    """A head from its safetensors file.

    Args:
        kind: one of KINDS.
        path: a file, local or remote.
        width: D, how many numbers the model's vectors have.

    Raises:
        ConfigError: no such file, a pickle, not a chain of linear layers, or one for another width.
    """
    where = f"score.{kind}_head = {path!r}"
    try:
        data = files.read_bytes(path)
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror or error}") from None
    # A safetensors file begins with the length of its JSON, which may look like a pickle's first bytes.
    if data[8:9] != b"{" and (data.startswith(_PICKLES) or Path(path).suffix in _SUFFIXES):
        raise ConfigError(
            f"{where} is a pickle, which can run anything: convert it where you trust it, with "
            "safetensors.torch.save_file(torch.load(file, weights_only=True), 'head.safetensors')"
        )
    import safetensors

    try:
        tensors = dict(safetensors.deserialize(data))
    except safetensors.SafetensorError as error:
        raise ConfigError(f"{where} is no safetensors file that can be read: {_line(error)}") from None
    head = _chain(kind, {name: _array(tensor, where) for name, tensor in tensors.items()}, where)
    if head.width != width:
        raise ConfigError(
            f"{where} is for vectors of {head.width} numbers and score.model gives {width}: a head belongs to one model"
        )
    return head


def _array(tensor: Mapping[str, Any], where: str) -> Array:
    """A tensor's numbers; numpy has no bfloat16, which is the upper half of a float32."""
    data = bytes(tensor["data"])
    if tensor["dtype"] == "BF16":
        flat = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    elif tensor["dtype"] in _TYPES:
        flat = np.frombuffer(data, _TYPES[tensor["dtype"]])
    else:
        raise ConfigError(f"{where} holds numbers of type {tensor['dtype']}: save it as float32")
    return np.asarray(flat, np.float64).reshape(tensor["shape"])


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _chain(kind: str, values: Mapping[str, Array], where: str) -> Head:
    if not all(np.isfinite(value).all() for value in values.values()):
        raise ConfigError(f"{where} holds numbers that are not finite")
    weights = sorted((name for name in values if _WEIGHT.search(name) and values[name].ndim == 2), key=_natural)
    layers = []
    for name in weights:
        bias = values.get(_WEIGHT.sub(lambda found: found.group().replace("weight", "bias"), name))
        layers.append((values[name], np.zeros(len(values[name])) if bias is None else bias.reshape(-1)))
    norms = {_NORM.search(name).group(1): values[name].reshape(-1) for name in values if _NORM.search(name)}  # type: ignore[union-attr]
    mean = norms.get("mean", norms.get("running_mean"))
    variance = norms.get("variance", norms.get("var", norms.get("running_var")))
    known = {name for name in values if name in weights or _BIAS.search(name) or _NORM.search(name)}
    odd = sorted(set(values) - known)
    fits = bool(layers) and layers[-1][0].shape[0] == 1 and not odd
    fits = fits and all(len(weight) == len(bias) for weight, bias in layers)
    fits = fits and all(a[0].shape[0] == b[0].shape[1] for a, b in itertools.pairwise(layers))
    fits = fits and (mean is None) == (variance is None)
    if fits and mean is not None and variance is not None:
        fits = len(mean) == len(variance) == layers[0][0].shape[1] and bool((variance > 0).all())
    if not fits:
        shapes = ", ".join(f"{name} {'x'.join(map(str, values[name].shape))}" for name in sorted(values, key=_natural))
        raise ConfigError(f"{where} is no chain of linear layers down to one number: {shapes[:200] or 'it is empty'}")
    return Head(kind, mean, None if variance is None else np.sqrt(variance), layers)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts layers.10 after layers.2."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


class Prompted(NamedTuple):
    """What zero-shot prompts say of one image."""

    name: str  # with the highest cosine
    shares: dict[str, float]  # name → probability; they sum to 1
    cosines: dict[str, float]  # name → cosine of the image with the mean of the name's prompts


def ask(vectors: npt.ArrayLike, prompts: Mapping[str, npt.ArrayLike], scale: float = SCALE) -> list[Prompted]:
    """Zero-shot classification: of each image, how probable each name is beside the others.

    As in CLIP (arXiv 2103.00020, 3.1.4): a name stands for the mean of its prompts' vectors, made a unit vector again,
    and the probabilities are a softmax over the image's cosines with the names.

    Args:
        vectors: (N, D) unit vectors of images.
        prompts: name → (prompts, D) unit vectors. Two names or more: a softmax over one is always 1.
        scale: the model's own, by which it was trained to multiply cosines. (SigLIP's bias makes no difference here.)
    """
    images = np.atleast_2d(np.asarray(vectors, np.float64))
    names = sorted(prompts)
    means = np.stack([np.atleast_2d(np.asarray(prompts[name], np.float64)).mean(axis=0) for name in names])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cosines = images @ means.T
    logits = scale * (cosines - cosines.max(axis=1, keepdims=True))
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    made = []
    for share, cosine in zip(shares.round(DECIMALS).tolist(), cosines.round(DECIMALS).tolist(), strict=True):
        best = names[int(np.argmax(cosine))]
        made.append(Prompted(best, dict(zip(names, share, strict=True)), dict(zip(names, cosine, strict=True))))
    return made


def over(shares: Mapping[str, float], most: Mapping[str, float]) -> str:
    """The first name in alphabetical order whose share is above its limit in `most`; "" for none."""
    return next((name for name in sorted(most) if shares.get(name, 0.0) > most[name]), "")


def check_prompts(prompts: Mapping[str, Iterable[str]], limits: Mapping[str, float]) -> None:
    """Raise ConfigError for prompts that say nothing, and for a limit on a name that there is not."""
    for name, said in prompts.items():
        if not any(text.strip() for text in said):
            raise ConfigError(f"score.prompts.{name} holds no prompt")
    if len(prompts) == 1:
        raise ConfigError("score.prompts has one name: a softmax needs another to compare it with, such as 'other'")
    for name in limits:
        if name not in prompts:
            raise ConfigError(f"pack.max_prompt.{name}: score.prompts has no {name!r} ({', '.join(sorted(prompts))})")
