"""Which CLIP, and is it the right one: a name or a directory → a loaded model with its own preprocessing.

Everything open_clip loads: an architecture and one of its pretrained tags, `hf-hub:` names, a `local-dir:`. What goes
silently wrong elsewhere is an error in one line here: an unknown name (with the nearest), a tag that was trained with
QuickGELU under a name without it, a tokenizer that does not belong to the model, weights in a pickle. torch and
open_clip are imported where a model is loaded or its name looked up, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from weft.schemas.parameters import ClipChoice, ConfigError
from weft.transforms.io import local_copies
from weft.transforms.score import clip_import
from weft.transforms.score.clip_import import HUB, LOCAL
from weft.transforms.score.clip_weights import PICKLED, SUFFIX, Weights, check_name, clip_name, convert, weights

BPE = "bpe_merges.txt.gz"  # a model directory may hold its own vocabulary for open_clip's tokenizer

_SAFE = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")  # what open_clip takes before others

_NEEDED = "scoring needs PyTorch and open_clip: pip install 'weft-corpus[clip]'"
_Pixels = Callable[[Image.Image], npt.NDArray[Any]]


@dataclasses.dataclass
class Clip:
    """A loaded model with what belongs to it (no NamedTuple, because RunInference holds models by weak reference)."""

    model: Any
    preprocess: Any  # open_clip's own: PIL image → normalised float tensor
    tokenizer: Any
    device: str
    precision: str = "fp32"
    others: tuple[Clip, ...] = ()  # the models of `score.also`

    @functools.cached_property
    def pixels(self) -> _Pixels:
        """A function: PIL image → what `normalised` takes.

        (H, W, 3) uint8, resized and cropped, where `preprocess` is of open_clip's usual steps; else all that it gives.
        """
        steps = self._steps()
        if steps is None:
            return lambda image: np.asarray(self.preprocess(image))

        def made(image: Image.Image) -> npt.NDArray[np.uint8]:
            for step in steps[0]:
                image = step(image)
            return np.asarray(image)

        return made

    def normalised(self, pixels: Any) -> Any:
        """A batch of what `pixels` gives → (N, 3, H, W) on the device, normalised, in the model's own precision.

        Bytes cross to a GPU in a quarter of the time that floats take; the arithmetic is that of `preprocess`, in its
        order.
        """
        import torch

        tensor = pixels.to(self.device, non_blocking=True)
        if self._steps() is not None:
            mean, std = self._scale
            tensor = tensor.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255).sub(mean).div(std)
        dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.precision.removeprefix("pure_"))
        return tensor.to(dtype) if dtype else tensor

    @functools.cached_property
    def _scale(self) -> list[Any]:
        """Mean and deviation of each channel; made once, because the copy to a GPU waits for what it computes."""
        import torch

        _, last = self._steps() or (None, None)
        return [torch.tensor(v, device=self.device).view(-1, 1, 1) for v in (last.mean, last.std)] if last else []

    def _steps(self) -> tuple[list[Any], Any] | None:
        """(steps on PIL images, normalisation) of open_clip's usual preprocessing; None for another."""
        from torchvision.transforms import Compose, Normalize

        steps = self.preprocess.transforms if isinstance(self.preprocess, Compose) else []
        if len(steps) < 2 or not isinstance(steps[-1], Normalize) or "ToTensor" not in type(steps[-2]).__name__:
            return None
        return list(steps[:-2]), steps[-1]


def wanted(choice: ClipChoice) -> Iterator[tuple[str, str, str]]:
    """(configuration key, open_clip's name, tag or file) of `score.model`, which decides, then of each `score.also`.

    Remote files are fetched.

    Raises:
        ConfigError: there is no such file.
    """
    asked = [("score.model", choice.model, choice.pretrained)]
    asked += [("score.also", name, tag) for name, _, tag in (entry.partition("@") for entry in choice.also)]
    for setting, name, pretrained in asked:
        try:
            yield setting, local_copies.named(clip_name(name)), local_copies.named(pretrained)
        except FileNotFoundError as error:
            raise ConfigError(f"{setting}: {error}") from None


def validate(choice: ClipChoice) -> None:
    """Raise ConfigError, in one line, for a model that cannot be loaded.

    Loads nothing, and imports open_clip, which takes five seconds, only to look a name up: where workers load the
    model, the process that starts them need not.
    """
    for module in ("torch", "open_clip"):
        if module not in sys.modules and importlib.util.find_spec(module) is None:
            raise ConfigError(f"{_NEEDED} (no module named {module!r})")
    for setting, name, pretrained in wanted(choice):
        if name.startswith(LOCAL):
            _check_folder(setting, Path(name.removeprefix(LOCAL)))
        elif not name.startswith(HUB):
            _architecture(setting, name, pretrained)


def _imported(name: str) -> Any:
    """open_clip, with what a model of this name is made of.

    Raises:
        ConfigError: it cannot be imported, as where torch and torchvision are of different builds.
    """
    try:
        return clip_import.imported(timm=clip_import.needs_timm(name))
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{_NEEDED} ({reason})") from None


def vector_width(choice: ClipChoice) -> int | None:
    """How many numbers a vector of `choice.model` has, None where only the hub knows."""
    _, name, _ = next(wanted(choice))
    if name.startswith(LOCAL):
        known = json.loads((Path(name.removeprefix(LOCAL)) / "open_clip_config.json").read_text("utf-8"))
        known = known.get("model_cfg", known)
    else:
        known = _imported(name).get_model_config(name) or {}
    width = known.get("embed_dim")
    return width if isinstance(width, int) else None


def load(choice: ClipChoice) -> Clip:
    """The models that `choice` names, ready to compute; each is loaded once in a process.

    Raises:
        ConfigError: as `validate`, and for weights that do not load.
    """
    validate(choice)
    for _, name, _ in wanted(choice):
        _imported(name)
    device = device_of(choice)
    made = []
    for setting, name, pretrained in wanted(choice):
        whole = name.startswith((LOCAL, HUB))
        of = Weights("", "", ()) if whole else _architecture(setting, name, pretrained)
        try:
            with _loading:  # threads of one worker ask at the same time
                made.append(_load(name, of, choice.precision, device, choice.compile))
        except _Unfit as error:
            raise ConfigError(f"{setting} = {name!r} {error}") from None
    return dataclasses.replace(made[0], others=tuple(made[1:]))


def device_of(choice: ClipChoice) -> str:
    """PyTorch's name of the device to run on, "cuda" or "cpu".

    Raises:
        ConfigError: a GPU is wanted and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if choice.device == "cuda" and not there:
        raise ConfigError("score.device = 'cuda', but PyTorch finds no GPU here; 'auto' takes what there is")
    return choice.device if choice.device != "auto" else "cuda" if there else "cpu"


class _Unfit(Exception):
    """Why a model cannot be loaded."""


_loading = threading.Lock()


@functools.lru_cache(maxsize=8)
def _load(name: str, of: Weights, precision: str, device: str, compiled: bool) -> Clip:
    import open_clip
    import torch

    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)  # open_clip tells its steps to the root logger
    try:
        model, _, preprocess = open_clip.create_model_and_transforms(
            name,
            pretrained=of.file or of.tag or None,
            precision=precision,
            device=device,
            require_pretrained=True,  # else a model without weights is a random one
            **{f"image_{key}": value for key, value in of.preprocess},
        )
        own = Path(name.removeprefix(LOCAL)) / BPE
        more = {"bpe_path": str(own)} if name.startswith(LOCAL) and own.is_file() else {}
        tokenizer = open_clip.get_tokenizer(name, **more)
    except MemoryError:
        raise
    except Exception as error:  # a model's files are the user's, and each library has errors of its own for them
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _Unfit(f"does not load: {reason}") from None
    finally:
        logger.setLevel(level)
    rows = getattr(model, "vocab_size", 0)
    if rows and getattr(tokenizer, "vocab_size", 0) > rows:
        raise _Unfit(
            f"knows {rows:,} tokens and its tokenizer {tokenizer.vocab_size:,}: is {BPE} missing in the directory?"
        )
    model = model.eval()
    if compiled:  # shapes never change here: batches are padded
        model.encode_image = torch.compile(model.encode_image, dynamic=False)
        model.encode_text = torch.compile(model.encode_text, dynamic=False)
    return Clip(model, preprocess, tokenizer, device, precision)


def _check_folder(setting: str, folder: Path) -> None:
    if not (folder / "open_clip_config.json").is_file():
        raise ConfigError(f"{setting} = '{LOCAL}{folder}': no open_clip_config.json in {folder}")
    try:
        known = json.loads((folder / "open_clip_config.json").read_text("utf-8"))
        text = known.get("model_cfg", known).get("text_cfg", {})
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{setting} = '{LOCAL}{folder}' does not load: open_clip_config.json: {error}") from None
    _check_tokenizer(setting, f"{LOCAL}{folder}", text)
    names = [path.name for path in sorted(folder.iterdir())]
    pickled = next((name for name in names if name.endswith(PICKLED)), "")
    # beside other names open_clip may take the pickle
    if any(name in _SAFE or (name.endswith(SUFFIX) and not pickled) for name in names):
        return
    what = f"{pickled} is a pickle: {convert(pickled)}" if pickled else f"no weights (*{SUFFIX}) in {folder}"
    raise ConfigError(f"{setting} = '{LOCAL}{folder}': {what}")


def _check_tokenizer(setting: str, name: str, text: dict[str, Any]) -> None:
    if text.get("hf_tokenizer_name") and importlib.util.find_spec("transformers") is None:
        raise ConfigError(f"{setting} = {name!r} has a tokenizer of Hugging Face's: pip install transformers")


def _architecture(setting: str, name: str, pretrained: str) -> Weights:
    open_clip = _imported(name)
    check_name(name, open_clip.list_models(), setting)
    _check_tokenizer(setting, name, (open_clip.get_model_config(name) or {}).get("text_cfg", {}))
    tags = {tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)}
    quick_gelu = bool((open_clip.get_model_config(name) or {}).get("quick_gelu"))
    settings = (setting, "score.pretrained" if setting == "score.model" else "its tag (after @)")
    return weights(name, pretrained, quick_gelu, tags, settings)
