"""Which CLIP weights a setting means, and how they were trained: "TAG", "FILE" or "TAG=FILE" → tag and file.

A tag is open_clip's name for published weights of an architecture. open_clip knows how images were preprocessed when a
tag was trained, and whether the model computes with QuickGELU. Of a file it knows neither: it would assume what is
usual, and where that is wrong, so is every similarity, by a little. So a file is loaded as a tag is: the one named
before "=", which may be left out where all tags of the architecture agree. Weights in a pickle, which can run any code
as it is read, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weft import configs
from weft.schemas.parameters import ConfigError, nearest

TINY_CLIP = Path(configs.__file__).resolve().parent / "tiny_clip"  # the offline default: what "weft-tiny" means
SUFFIX = ".safetensors"
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # torch.save's zip, and bare pickles
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")


def clip_name(model: str) -> str:
    """The open_clip model name for a configured one: "weft-tiny" becomes the shipped `local-dir:`."""
    return f"local-dir:{TINY_CLIP}" if model == "weft-tiny" else model


class Weights(NamedTuple):
    """What to load."""

    file: str  # "" where open_clip fetches those of the tag
    tag: str  # "" where open_clip has no tag of the architecture
    preprocess: tuple[tuple[str, Any], ...]  # of the tag, for a file


def weights(
    name: str,
    pretrained: str,
    quick_gelu: bool,
    tags: Mapping[str, Mapping[str, Any]],
    settings: tuple[str, str],
) -> Weights:
    """What `pretrained` means for the architecture `name`.

    Args:
        quick_gelu: whether the architecture computes with it.
        tags: open_clip's settings of each tag of the architecture, by tag.
        settings: the configuration's keys for the architecture and for the weights, for messages.

    Raises:
        ConfigError: `pretrained` is empty, neither a tag nor a file, or a pickle; a file without a tag where tags
            differ; a tag trained with QuickGELU for an architecture without it.
    """
    architecture, setting = settings
    known = ", ".join(tags)
    if not pretrained:
        raise ConfigError(f"{architecture} = {name!r} needs {setting}: a weights file or one of {known}")
    tag, _, file = pretrained.partition("=")
    if tag not in tags:
        tag, file = "", pretrained
    if file:
        if not Path(file).is_file():
            near = nearest(file.partition("=")[0], tags)
            raise ConfigError(f"{setting} = {pretrained!r} is neither a file nor one of {known}{near}")
        if is_pickle(file):
            raise ConfigError(f"{setting} = {pretrained!r} is a pickle, which can run anything: {convert(file)}")
        if not tag and len({_way(cfg) for cfg in tags.values()}) > 1:
            raise ConfigError(
                f"{setting} = {pretrained!r}: tags of {name!r} differ in preprocessing or QuickGELU, and a file does "
                f"not tell: 'TAG=FILE', with the tag that it is or was trained like, of {known}"
            )
        tag = tag or next(iter(tags), "")
    cfg = tags.get(tag, {})
    if cfg.get("quick_gelu") and not quick_gelu:  # open_clip only warns
        raise ConfigError(f"{setting} = {pretrained!r} was trained with QuickGELU: {architecture} = '{name}-quickgelu'")
    return Weights(file, tag, tuple((key, cfg[key]) for key in _PREPROCESS if file and cfg.get(key)))


def check_name(name: str, known: Sequence[str], setting: str) -> None:
    """Raise ConfigError, naming the nearest, for an architecture that open_clip does not know."""
    if name not in known:
        raise ConfigError(f"{setting} = {name!r} is no open_clip model{nearest(name, known)}")


def is_pickle(file: str) -> bool:
    """Whether a file of weights is a pickle, by its first bytes or its name."""
    with open(file, "rb") as stream:
        start = stream.read(9)
    # A safetensors file begins with the length of its JSON, which may look like a pickle's first bytes.
    return start[8:] != b"{" and (start.startswith(_PICKLES) or file.endswith(PICKLED))


def convert(file: str) -> str:
    """The end of a message: how to make a safetensors file of a pickle."""
    return (
        f"convert it where you trust it, with safetensors.torch.save_file(torch.load({Path(file).name!r}, "
        "weights_only=True), 'open_clip_model.safetensors')"
    )


def _way(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    """What two tags must share for a file to be loaded as either."""
    return tuple(str(cfg.get(key)) for key in (*_PREPROCESS, "quick_gelu"))
