"""The CLIP vision tower: an open_clip ViT in, all its tokens out.

Kosmos-1 keeps CLIP frozen but for its last layer (3.2). So the tower is cut in two: `stem` is everything up to
the last residual block and never changes; `head` is that block and `ln_post`, and trains. What the stem makes of
an image can therefore be remembered, which on a CPU is most of the vision tower's cost.

All tokens leave, the class token first, after `ln_post` and without CLIP's projection.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from weft.model_smoketest import shard_files
from weft.schemas.parameters import ConfigError
from weft.transforms.score.clip_import import HUB, LOCAL, imported, needs_timm
from weft.transforms.score.clip_weights import Weights, check_name, clip_name, weights

CACHE_BYTES = 512 << 20  # of stem activations kept in memory
TRANSFORM = 3  # of images to pixels: where it changes, models and stems are made anew
BATCH = 8  # images that go through the stem together


class VisionTransformer(Protocol):
    """What is used of open_clip's class of this name."""

    image_size: tuple[int, int]  # (height, width)
    conv1: nn.Conv2d
    transformer: Resblocks
    ln_post: nn.LayerNorm

    def _embeds(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, 1 + patches, width)."""


class Resblocks(Protocol):
    """What is used of open_clip's `Transformer`."""

    resblocks: nn.ModuleList


class Tower(nn.Module):
    """An open_clip `VisionTransformer`, frozen but for its last block where `unfreeze_last` says so."""

    def __init__(self, visual: nn.Module, mean: Sequence[float], std: Sequence[float], unfreeze_last: bool) -> None:
        super().__init__()
        self.visual = visual.eval()
        self.size = self._vit.image_size  # (height, width)
        self.width = self._vit.conv1.out_channels
        self.mean, self.std = mean, std
        visual.requires_grad_(False)
        for trained in (self._vit.transformer.resblocks[-1], self._vit.ln_post) if unfreeze_last else ():
            trained.requires_grad_(True)

    @property
    def _vit(self) -> VisionTransformer:
        return cast(VisionTransformer, self.visual)

    def train(self, mode: bool = True) -> Tower:
        """The tower has no dropout worth training with: it stays in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def stem(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, 1 + patches, width): the frozen part."""
        x = self._vit._embeds(pixels)  # (N, S, Dv)
        for block in self._vit.transformer.resblocks[:-1]:
            x = block(x)
        return x

    def head(self, tokens: Tensor) -> Tensor:
        """(N, S, Dv) → (N, S, Dv): the last block and the final norm."""
        return self._vit.ln_post(self._vit.transformer.resblocks[-1](tokens))

    def pixels(self, jpeg: bytes) -> Tensor:
        """Image bytes → (3, H, W): short side resized (bicubic), centre cropped, normalised.

        Raises:
            ConfigError: not an image.
        """
        height, width = self.size
        try:
            with Image.open(io.BytesIO(jpeg)) as opened:
                image = opened.convert("RGB")
        except (OSError, Image.DecompressionBombError) as error:
            raise ConfigError(f"an image in the shards does not decode ({error}): run `weft pack` again") from None
        # The longer side is cut down to a whole pixel, and half a pixel of the crop's place goes to the even one:
        # as torchvision does, and so open_clip. transformers cuts the place down too.
        full = (max(width, image.width * height // image.height), max(height, image.height * width // image.width))
        image = image.resize(full, Image.Resampling.BICUBIC)
        left, top = round((full[0] - width) / 2), round((full[1] - height) / 2)
        array = np.asarray(image.crop((left, top, left + width, top + height)), np.float32) / 255.0
        return torch.from_numpy((array - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)).permute(
            2, 0, 1
        )

    def fingerprint(self) -> str:
        """Hash of the weights and of what images become: a checkpoint must meet the same tower, wherever that lies."""
        digest = hashlib.blake2b(repr((TRANSFORM, self.size, self.mean, self.std)).encode(), digest_size=16)
        for name, value in sorted(self.visual.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()


class StemStore:
    """Stem activations on a disk or in a store, in bf16, a file an image: half a megabyte for ViT-L/14.

    Any number of processes and trainings may read and write at once: a file is whole or not there, and its name says
    what it must hold.
    """

    def __init__(self, folder: str, tower: str) -> None:
        """Below `folder`, those of the tower of this fingerprint."""
        self._home = shard_files.join(folder, tower)

    def _path(self, key: bytes) -> str:
        return shard_files.join(self._home, key.hex()[:2], f"{key.hex()}.bf16")

    def read(self, key: bytes, width: int) -> Tensor | None:
        """(S, width) of an image, where it is there; what a power cut has emptied is not."""
        try:
            held = shard_files.read_bytes(self._path(key))
        except FileNotFoundError:
            return None
        return torch.frombuffer(bytearray(held), dtype=torch.bfloat16).view(-1, width) if held else None

    def write(self, key: bytes, tokens: Tensor) -> None:
        """Keep (S, width) bf16."""
        shard_files.write(self._path(key), tokens.cpu().contiguous().view(torch.uint8).numpy().tobytes(), lasting=False)


class StemCache:
    """Images → stem activations, remembered by content.

    Images go through the stem in batches of one size, the last filled up with nothing: so what an image becomes does
    not depend on its neighbours, and a resumed run, whose cache is empty, gets the same to the last bit. With a store
    all are rounded to what it holds, whether they come from there or not.
    """

    def __init__(self, tower: Tower, limit: int = CACHE_BYTES, store: StemStore | None = None) -> None:
        """Keeps at most `limit` bytes; the oldest image goes first."""
        self._tower, self._limit, self._held, self._store = tower, limit, 0, store
        self._known: OrderedDict[bytes, Tensor] = OrderedDict()
        self._decoded: dict[bytes, Tensor] = {}

    def __call__(self, jpegs: Sequence[bytes]) -> Tensor:
        """(N, S, Dv) on the tower's device."""
        keys = [content(jpeg) for jpeg in jpegs]
        found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: jpeg for key, jpeg in zip(keys, jpegs, strict=True) if key not in found}
        found |= {key: tokens for key in new if (tokens := self._stored(key)) is not None}
        left = [(key, jpeg) for key, jpeg in new.items() if key not in found]
        for start in range(0, len(left), BATCH):
            some = left[start : start + BATCH]
            made = self._stems(some)
            if self._store:
                low = made.bfloat16()
                for (key, _), tokens in zip(some, low, strict=False):
                    self._store.write(key, tokens)
                made = low.type_as(made)
            found |= zip([key for key, _ in some], made, strict=False)
        for key in new:
            self._keep(key, found[key])
        for key in keys:
            self._decoded.pop(key, None)  # decoded for a later step, while this one was at it
        return torch.stack([found[key] for key in keys])

    def decode(self, jpegs: Sequence[bytes]) -> None:
        """Have the pixels of images ready for the call that will want them; from any thread."""
        for jpeg in jpegs:
            if (key := content(jpeg)) not in self._known and key not in self._decoded:
                held = self._store.read(key, self._tower.width) if self._store else None
                self._decoded[key] = self._tower.pixels(jpeg) if held is None else held

    def _stored(self, key: bytes) -> Tensor | None:
        """(S, Dv) on the tower's device, of an image that the store holds."""
        if not self._store:
            return None
        held = self._decoded.get(key)
        if held is None:
            held = self._store.read(key, self._tower.width)
        if held is None or held.dtype != torch.bfloat16:  # pixels: it was not there when they were decoded
            return None
        like = next(self._tower.parameters())
        return held.to(like.device).type_as(like)

    def _stems(self, images: Sequence[tuple[bytes, bytes]]) -> Tensor:
        """(key, image) → (BATCH, S, Dv), one after another and then of nothing."""
        device = next(self._tower.parameters()).device
        pixels = torch.zeros(BATCH, 3, *self._tower.size)
        for i, (key, jpeg) in enumerate(images):
            ready = self._decoded.pop(key, None)  # pixels: what the store had is not asked for here
            pixels[i] = self._tower.pixels(jpeg) if ready is None else ready
        return self._tower.stem(pixels.to(device))

    def _keep(self, key: bytes, tokens: Tensor) -> None:
        if tokens.nbytes <= self._limit:
            self._known[key] = tokens.clone()  # not the batch that it is part of
            self._held += tokens.nbytes
        while self._held > self._limit:
            self._held -= self._known.popitem(last=False)[1].nbytes


def content(image: bytes) -> bytes:
    """What says that two images are the same file."""
    return hashlib.blake2b(image, digest_size=16).digest()


def load_tower(model: str, pretrained: str, unfreeze_last: bool) -> Tower:
    """The tower that `train.vision` and `train.vision_pretrained` name.

    Raises:
        ConfigError: no such model or weights, or a model whose vision tower is not a plain ViT.
    """
    name = clip_name(model)
    if name.startswith(LOCAL) and not (Path(name.removeprefix(LOCAL)) / "open_clip_config.json").is_file():
        raise ConfigError(f"train.vision = {model!r}: no open_clip_config.json in {name.removeprefix(LOCAL)}")
    open_clip = imported(needs_timm(name))
    of = Weights("", "", ())
    if not name.startswith((LOCAL, HUB)):
        check_name(name, open_clip.list_models(), "train.vision")
        tags = {tag: open_clip.get_pretrained_cfg(name, tag) for tag in open_clip.list_pretrained_tags_by_model(name)}
        quick_gelu = bool((open_clip.get_model_config(name) or {}).get("quick_gelu"))
        of = weights(name, pretrained, quick_gelu, tags, ("train.vision", "train.vision_pretrained"))
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # open_clip tells its steps to the root logger
    try:
        clip = open_clip.create_model(
            name,
            pretrained=of.file or of.tag or None,
            force_preprocess_cfg=dict(of.preprocess),
            require_pretrained=True,
        )
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise ConfigError(f"train.vision = {model!r} does not load: {str(error).splitlines()[0]}") from None
    finally:
        logger.setLevel(level)
    visual = clip.visual
    if not isinstance(visual, open_clip.transformer.VisionTransformer) or visual.attn_pool is not None:
        raise ConfigError(f"train.vision = {model!r}: its image tower is {type(visual).__name__}, not a plain ViT")
    preprocess = open_clip.get_model_preprocess_cfg(clip)
    return Tower(visual, preprocess["mean"], preprocess["std"], unfreeze_last)
