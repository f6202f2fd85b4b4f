"""Kosmos-1 for reading and saying: one file that needs PyTorch alone, and works with transformers where that is there.

    model = AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True)      # with transformers
    model = load(DIR)                                                              # without

`weft export transformers` writes it beside the weights; `config.json` holds all sizes. Images stand in a sequence as
`<image>`, `image_tokens` times `<image>`, `</image>`; `pixel_values` are those of all sequences in reading order, short
side resized to `vision["image_size"]`, centre cropped, normalised with its mean and deviation. In training the crop
was torchvision's, from round(rest / 2); CLIPImageProcessor's lies a pixel before it where the rest is 3, 7, 11, …

Letters of shapes: B sequences, T tokens, C width, H heads, D = C / H; N images, S tokens of one, K slots of one.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def turns(first: int, length: int, config: Any, device: torch.device) -> tuple[Tensor, ...]:
    """cos and sin, each (T, D / 2), of queries, then of keys, at the places from `first`: xPos (arXiv 2212.10554)."""
    head_dim = config.hidden_size // config.num_attention_heads
    even = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32)
    place = torch.arange(first, first + length, device=device, dtype=torch.float32)[:, None]
    angle = place * 10_000.0 ** (-even / head_dim)
    scale = (even + 0.4 * head_dim) / (1.4 * head_dim)
    grow = scale ** ((place - config.max_position_embeddings // 2) / 512.0)  # counted from the middle: no overflow
    return angle.cos() * grow, angle.sin() * grow, angle.cos() / grow, angle.sin() / grow


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(B, H, T, D), neighbours being the two parts of a complex number, turned by (T, D / 2)."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).type_as(x)


class Attention(nn.Module):
    """Multi-head attention; with `sub_ln`, Magneto's norm before the output is projected."""

    def __init__(self, width: int, heads: int, sub_ln: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))
        self.inner_ln = nn.LayerNorm(width) if sub_ln else nn.Identity()

    def forward(self, x: Tensor, context: Tensor, turned: Any = None, mask: Any = None, extend: Any = None) -> Tensor:
        """(B, T, C) asks (B, S, C), and what `extend` remembers of the tokens before them."""
        q, k, v = (
            project(of).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T or S, D)
            for project, of in ((self.q_proj, x), (self.k_proj, context), (self.v_proj, context))
        )
        if turned is not None:
            q, k = rotate(q, *turned[:2]), rotate(k, *turned[2:])
        if extend is not None:
            k, v = extend(k, v)
        y = F.scaled_dot_product_attention(q, k, v, mask)
        return self.out_proj(self.inner_ln(y.transpose(1, 2).flatten(-2)))


class FeedForward(nn.Module):
    """fc1, GELU, norm, fc2."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.inner_ln, self.fc2 = nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.inner_ln(F.gelu(self.fc1(x))))


class Block(nn.Module):
    """A layer of the Magneto decoder."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.attention_ln, self.ffn_ln = nn.LayerNorm(config.hidden_size), nn.LayerNorm(config.hidden_size)
        self.attention = Attention(config.hidden_size, config.num_attention_heads, sub_ln=True)
        self.ffn = FeedForward(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor, turned: Any, mask: Tensor, extend: Any) -> Tensor:
        normed = self.attention_ln(x)
        x = x + self.attention(normed, normed, turned, mask, extend)
        return x + self.ffn(self.ffn_ln(x))


class CrossAttention(nn.Module):
    """The released code's resampler: latents ask the image and themselves, once."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.dense = nn.Linear(config.vision["width"], config.hidden_size)
        self.latents = nn.Parameter(torch.zeros(config.image_tokens, config.hidden_size))
        self.attention = Attention(config.hidden_size, config.num_attention_heads, sub_ln=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, S, Dv) → (N, K, C)."""
        latents = self.latents.expand(len(tokens), -1, -1)
        return self.attention(latents, torch.cat([self.dense(tokens), latents], 1))


class FlamingoLayer(nn.Module):
    """Latents ask the image and themselves; feed-forward; a norm before each, both added."""

    def __init__(self, width: int, heads: int = 8, head_dim: int = 64) -> None:
        super().__init__()
        self.heads, inner = heads, heads * head_dim
        self.image_ln, self.latents_ln, self.ffn_ln = (nn.LayerNorm(width) for _ in range(3))
        self.q_proj, self.kv_proj = nn.Linear(width, inner, bias=False), nn.Linear(width, 2 * inner, bias=False)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, latents: Tensor, tokens: Tensor) -> Tensor:
        normed = self.latents_ln(latents)
        k, v = self.kv_proj(torch.cat([self.image_ln(tokens), normed], 1)).chunk(2, -1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.q_proj(normed), k, v))
        latents = latents + self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))
        return latents + self.fc2(F.gelu(self.fc1(self.ffn_ln(latents))))


class Flamingo(nn.Module):
    """Flamingo's resampler, in the tower's width."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = config.vision["width"]
        self.latents = nn.Parameter(torch.zeros(config.image_tokens, width))
        self.layers = nn.ModuleList(FlamingoLayer(width) for _ in range(6))
        self.final_ln, self.dense = nn.LayerNorm(width), nn.Linear(width, config.hidden_size)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, S, Dv) → (N, K, C)."""
        latents = self.latents.expand(len(tokens), -1, -1)
        for layer in self.layers:
            latents = layer(latents, tokens)
        return self.dense(self.final_ln(latents))


class QuickGELU(nn.Module):
    """The activation of OpenAI's CLIP."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class VisionBlock(nn.Module):
    """A layer of CLIP's image tower."""

    def __init__(self, width: int, heads: int, hidden: int, quick_gelu: bool) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, hidden))
        self.mlp.add_module("gelu", QuickGELU() if quick_gelu else nn.GELU())
        self.mlp.add_module("c_proj", nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Vision(nn.Module):
    """CLIP's image tower, with open_clip's names: all tokens, the class token first, after the last norm."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        super().__init__()
        width, (height, across) = sizes["width"], sizes["image_size"]
        (patch_height, patch_width) = sizes["patch_size"]
        self.conv1 = nn.Conv2d(3, width, (patch_height, patch_width), (patch_height, patch_width), bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        places = (height // patch_height) * (across // patch_width) + 1
        self.positional_embedding = nn.Parameter(torch.zeros(places, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width) if sizes["ln_pre"] else nn.Identity(), nn.LayerNorm(width)
        made = (width, sizes["heads"], sizes["hidden"], sizes["quick_gelu"])
        blocks = nn.ModuleList(VisionBlock(*made) for _ in range(sizes["layers"]))
        self.transformer = nn.ModuleDict({"resblocks": blocks})

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, S, Dv)."""
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)  # (N, S - 1, Dv)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], 1) + self.positional_embedding)
        for block in self.transformer["resblocks"].children():
            x = block(x)
        return self.ln_post(x)


class Kosmos1(nn.Module):
    """Tokens and images in, logits of the next token out; the token embedding is the output layer too."""

    def __init__(self, config: Any) -> None:
        """`config` has the entries of config.json as attributes."""
        super().__init__()
        self.sizes = config
        self.vision = Vision(config.vision)
        self.resampler = Flamingo(config) if config.resampler == "flamingo" else CrossAttention(config)
        self.embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.final_ln = nn.LayerNorm(config.hidden_size)

    def slots(self, ids: Tensor) -> Tensor:
        """(B, T) where image embeddings go: a run of `<image>` is the mark that an image comes, then its slots."""
        image = ids == self.sizes.image_token_id
        after = torch.cat([torch.zeros_like(image[:, :1]), image[:, :-1]], 1)
        return image & after

    def repeated(self, pixels: Tensor, ids: Tensor, times: int) -> Tensor:
        """The images of sequences (B, T) that stand `times` times each, one after the other: (N · times, 3, H, W)."""
        counts = (self.slots(ids).sum(1) // self.sizes.image_tokens).tolist()
        if sum(counts) != len(pixels):
            raise ValueError(f"{len(pixels)} images for sequences that show {sum(counts)}")
        return torch.cat([of.repeat(times, 1, 1, 1) for of in pixels.split(counts)])

    def forward(self, ids: Tensor, pixels: Any = None, attention_mask: Any = None, cache: Any = None) -> Tensor:
        """(B, T) → (B, T, vocabulary).

        Args:
            ids: token ids.
            pixels: (N, 3, H, W) of the images, in reading order of the sequences; None where there is none.
            attention_mask: (B, tokens so far and these), 0 where padding stands; None where none does.
            cache: transformers' cache of keys and values; it then holds these too.

        Raises:
            ValueError: there are more or fewer images than places for them.
        """
        x = self.embedding(ids)
        if pixels is not None:
            slots = self.slots(ids)
            if int(slots.sum()) != len(pixels) * self.sizes.image_tokens:
                raise ValueError(f"{len(pixels)} images for {int(slots.sum())} slots of {self.sizes.image_tokens} each")
            seen = self.resampler(self.vision(pixels.type_as(x)))  # (N, K, C)
            x = x.masked_scatter(slots[..., None], seen.type_as(x))
        x = x * math.sqrt(self.sizes.hidden_size)
        past = cache.get_seq_length() if cache is not None else 0
        turned = turns(past, ids.shape[1], self.sizes, ids.device)
        mask = torch.ones(ids.shape[1], past + ids.shape[1], dtype=torch.bool, device=ids.device).tril(past)
        if attention_mask is not None:
            mask = mask & (attention_mask[:, None, None] != 0)  # (B, 1, T, S)
            mask = mask | torch.eye(*mask.shape[-2:], dtype=torch.bool, device=ids.device).roll(past, -1)
        for layer, block in enumerate(self.blocks):
            x = block(x, turned, mask, None if cache is None else lambda k, v, layer=layer: cache.update(k, v, layer))
        return F.linear(self.final_ln(x), self.embedding.weight)


def load(folder: str) -> Kosmos1:
    """The model of a directory, without transformers."""
    from safetensors.torch import load_file

    model = Kosmos1(SimpleNamespace(**json.loads((Path(folder) / "config.json").read_text())))
    weights = load_file(Path(folder) / "model.safetensors")
    model.load_state_dict({name.removeprefix("model."): value for name, value in weights.items()})
    return model.eval()


try:
    from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import CausalLMOutput
except ImportError:  # `load` does without
    pass
else:

    class Kosmos1Config(PretrainedConfig):
        """config.json: every entry becomes an attribute."""

        model_type = "kosmos1"

    class Kosmos1ForCausalLM(PreTrainedModel, GenerationMixin):
        """What AutoModelForCausalLM gives."""

        config_class = Kosmos1Config
        base_model_prefix = "model"
        main_input_name = "input_ids"
        _supports_sdpa = True

        def __init__(self, config: Kosmos1Config) -> None:
            super().__init__(config)
            self.model = Kosmos1(config)
            self.post_init()

        def get_input_embeddings(self) -> nn.Module:
            return self.model.embedding

        def forward(
            self,
            input_ids: Tensor,
            attention_mask: Tensor | None = None,
            pixel_values: Tensor | None = None,
            labels: Tensor | None = None,
            cache: Any = None,
            past_key_values: Any = None,
            **_: Any,
        ) -> CausalLMOutput:
            """(B, T) → logits; `labels` (B, T) are the ids again, -100 where no loss is asked for.

            `cache` is called `past_key_values` by older transformers; it is filled where it lies.
            """
            logits = self.model(input_ids, pixel_values, attention_mask, past_key_values if cache is None else cache)
            loss = None
            if labels is not None:
                loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
            return CausalLMOutput(loss=loss, logits=logits)

        def _expand_inputs_for_generation(
            self, expand_size: int = 1, input_ids: Any = None, pixel_values: Any = None, **kwargs: Any
        ) -> tuple[Any, dict[str, Any]]:
            """Each sequence `expand_size` times, for beams: its images too, all of them together, not one by one."""
            if pixel_values is not None and input_ids is not None:
                pixel_values = self.model.repeated(pixel_values, input_ids, expand_size)
            ids, kwargs = super()._expand_inputs_for_generation(expand_size=expand_size, input_ids=input_ids, **kwargs)
            return ids, kwargs | {"pixel_values": pixel_values}

        def prepare_inputs_for_generation(
            self, input_ids: Tensor, attention_mask: Any = None, pixel_values: Any = None, **kwargs: Any
        ) -> dict[str, Any]:
            """The tokens that the cache does not hold yet; images are looked at with the first of them."""
            cache = kwargs.get("cache", kwargs.get("past_key_values"))
            past = cache.get_seq_length() if cache is not None else 0
            return {
                "input_ids": input_ids[:, past:],
                "attention_mask": attention_mask,
                "pixel_values": None if past else pixel_values,
                "cache": cache,
            }
