"""Kosmos-1 at smoke size: a causal decoder that reads text tokens and image embeddings alike.

image ─► CLIP tokens ─► resampler ─► image_tokens embeddings ─┐ overwrite the slots
token ids ──────────────────────────► token embeddings ───────┴► Magneto decoder ─► next text token

Sources: the paper (arXiv 2302.14045, section 2); Magneto's sub-LN and its initialisation as torchscale has them;
xPos (arXiv 2212.10554); the resampler as unilm's Kosmos-2 has it (`XConnector`): one cross-attention of learned
latents over the image tokens and the latents themselves, no norm, no residual, no FFN; or Flamingo's (flamingo.py).

Letters in the shape comments: B sequences, T tokens, C width, H heads, D = C / H; N images, S tokens of one image,
K slots of one image, Y target tokens of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from weft.model_smoketest.flamingo import Flamingo
from weft.model_smoketest.vision import Tower
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import Vocabulary

ROTARY_BASE = 10_000.0
XPOS_SCALE_BASE = 512.0  # tokens after which the decay has done one full step
XPOS_GAMMA = 0.4
ALIGNED = 128  # rows of the embedding: matrix products of other sizes waste a GPU
CHUNK = 4096  # targets whose logits are there at once

Extend = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # new keys and values → those and all before them


class Turn(NamedTuple):
    """What turns queries, or keys, to their places: the rotation and its growth in one."""

    cos: Tensor  # (T, D / 2)
    sin: Tensor  # (T, D / 2)


def xpos(first: int, length: int, head_dim: int, centre: int, device: torch.device) -> tuple[Turn, Turn]:
    """Turns of the queries and of the keys at the places `first` to `first + length`.

    Both turn by the same angle; queries are multiplied by scale^n and keys by scale^-n, so that a product of the
    two decays with the distance and never depends on the place. Exponents count from `centre`, which cancels out and
    keeps them small; queries and keys that meet must share it.
    """
    position = torch.arange(first, first + length, device=device, dtype=torch.float32)  # (T,)
    even = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32)  # (D/2,)
    angle = position[:, None] * ROTARY_BASE ** (-even / head_dim)  # (T, D/2)
    scale = (even + XPOS_GAMMA * head_dim) / ((1 + XPOS_GAMMA) * head_dim)  # (D/2,) in (0.28, 1)
    grow = scale ** ((position - centre) / XPOS_SCALE_BASE)[:, None]  # (T, D/2)
    cos, sin = angle.cos(), angle.sin()
    return Turn(cos * grow, sin * grow), Turn(cos / grow, sin / grow)


def rotate(x: Tensor, turn: Turn) -> Tensor:
    """(B, H, T, D), neighbours being the two parts of a complex number, times (T, D / 2)."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)  # (B, H, T, D/2) each
    return torch.stack([a * turn.cos - b * turn.sin, a * turn.sin + b * turn.cos], -1).flatten(-2).type_as(x)


class Cache:
    """Keys and values of the tokens read so far, for going on token by token. Keys are turned to their places."""

    def __init__(self, layers: int, most: int) -> None:
        """For sequences of at most `most` tokens."""
        self.centre = most // 2
        self.length = 0
        self._held: list[tuple[Tensor, Tensor] | None] = [None] * layers

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """New keys and values (B, H, T, D) of a layer → all of them, (B, H, S, D)."""
        if (held := self._held[layer]) is not None:
            k, v = torch.cat([held[0], k], 2), torch.cat([held[1], v], 2)
        self._held[layer] = k, v
        return k, v

    def take(self, rows: Tensor) -> None:
        """Go on with these rows (B',) of the batch, in this order: the beams that are kept."""
        self._held = [None if held is None else (held[0][rows], held[1][rows]) for held in self._held]


class Attention(nn.Module):
    """Multi-head attention; `sub_ln` norms the heads' output before it is projected (Magneto)."""

    def __init__(self, width: int, heads: int, dropout: float, sub_ln: bool) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.inner_ln = nn.LayerNorm(width) if sub_ln else nn.Identity()
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, context: Tensor, turns: tuple[Turn, Turn] | None, causal: bool, extend: Extend | None = None
    ) -> Tensor:
        """(B, T, C) asks (B, S, C), and what `extend` remembers of the tokens before them."""
        q = self.q_proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, D)
        k = self.k_proj(context).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        v = self.v_proj(context).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        if turns is not None:
            q, k = rotate(q, turns[0]), rotate(k, turns[1])
        mask = None
        if extend is not None:
            k, v = extend(k, v)
            if causal and k.shape[2] > q.shape[2]:  # the diagonal ends in the lower right corner
                mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
                mask = mask.tril(k.shape[2] - q.shape[2])
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal=causal and mask is None)  # (B, H, T, D)
        return self.out_proj(self.inner_ln(y.transpose(1, 2).flatten(-2)))  # (B, T, C)


class FeedForward(nn.Module):
    """fc1, GELU, norm (Magneto's second sub-LN), fc2."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.inner_ln = nn.LayerNorm(hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T, C)."""
        return self.fc2(self.inner_ln(F.gelu(self.fc1(x))))


class Block(nn.Module):
    """A Magneto decoder layer: pre-norm, and a norm inside each half."""

    def __init__(self, config: Train) -> None:
        super().__init__()
        self.attention_ln = nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads, config.dropout, sub_ln=True)
        self.ffn_ln = nn.LayerNorm(config.width)
        self.ffn = FeedForward(config.width, config.ffn)
        self.dropout = nn.Dropout(config.dropout)
        self.reset(config.layers)

    @torch.no_grad()
    def reset(self, layers: int) -> None:
        """PyTorch's own initialisation, then Magneto's gain on all that carries values: fc1, fc2, v and out."""
        gain = math.sqrt(math.log(2 * layers))
        for linear in (self.ffn.fc1, self.ffn.fc2, self.attention.v_proj, self.attention.out_proj):
            linear.weight.mul_(gain)
            linear.bias.mul_(gain)

    def forward(self, x: Tensor, turns: tuple[Turn, Turn], extend: Extend | None = None) -> Tensor:
        """(B, T, C) → (B, T, C)."""
        normed = self.attention_ln(x)
        x = x + self.dropout(self.attention(normed, normed, turns, True, extend))
        return x + self.dropout(self.ffn(self.ffn_ln(x)))


class Resampler(nn.Module):
    """S tokens of an image → K embeddings of the decoder's width."""

    def __init__(self, vision_width: int, width: int, heads: int, slots: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(vision_width, width)
        self.latents = nn.Parameter(torch.randn(slots, width))
        self.attention = Attention(width, heads, dropout, sub_ln=False)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """As fairseq starts its MultiheadAttention, which the reference uses: Xavier, 1/sqrt(2) of it for q, k, v."""
        for linear in (self.attention.q_proj, self.attention.k_proj, self.attention.v_proj):
            nn.init.xavier_uniform_(linear.weight, gain=1 / math.sqrt(2))
        nn.init.xavier_uniform_(self.attention.out_proj.weight)
        nn.init.zeros_(self.attention.out_proj.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, S, Dv) → (N, K, C)."""
        x = self.dense(tokens)  # (N, S, C)
        latents = self.latents.expand(len(x), -1, -1)  # (N, K, C)
        context = torch.cat([x, latents], dim=1)  # (N, S + K, C)
        return self.attention(latents, context, None, causal=False)  # (N, K, C)


class NextToken(torch.autograd.Function):
    """Cross-entropy of the tied output layer, CHUNK targets at a time.

    Logits are the largest thing there is (targets x vocabulary), so they are never there all at once, and what the
    gradient needs of them is worked out while they are.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, labels: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """(Y, C), (≥ size, C), (Y,) → the sum of the losses, and the losses (Y,), which have no gradient."""
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        learns = any(ctx.needs_input_grad[:2])
        low, matrix = x.to(dtype), weight.to(dtype)
        losses = torch.empty(len(x), dtype=torch.float32, device=x.device)
        x_grad, weight_grad = (torch.zeros_like(x), torch.zeros_like(weight)) if learns else (None, None)
        for start in range(0, len(x), CHUNK):
            part, wanted = low[start : start + CHUNK], labels[start : start + CHUNK, None]
            scores = torch.log_softmax((part @ matrix.T)[:, :size].float(), -1)  # (CHUNK, size)
            losses[start : start + CHUNK] = -scores.gather(1, wanted)[:, 0]
            if x_grad is not None and weight_grad is not None:
                slope = scores.exp_().scatter_add_(1, wanted, scores.new_full((len(part), 1), -1.0)).to(dtype)
                x_grad[start : start + CHUNK] = slope @ matrix[:size]
                weight_grad[:size] += slope.T @ part
        ctx.save_for_backward(x_grad, weight_grad)
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x_grad, weight_grad = ctx.saved_tensors
        return x_grad * gradients[0], weight_grad * gradients[0], None, None


def check_sizes(config: Train) -> None:
    """Raise ConfigError for a width that the heads do not divide; their rotations take pairs of numbers."""
    if config.width % (2 * config.heads):
        raise ConfigError(f"train.width = {config.width} must be a multiple of twice train.heads ({config.heads})")


class Kosmos(nn.Module):
    """The whole model. The token embedding is the output layer too, and is scaled by sqrt(C) on the way in."""

    def __init__(self, config: Train, vocabulary: Vocabulary, tower: Tower) -> None:
        super().__init__()
        check_sizes(config)
        self.config, self.vocabulary = config, vocabulary
        self.tower = tower
        slots = vocabulary.image_tokens
        self.resampler = (
            Flamingo(tower.width, config.width, slots)
            if config.resampler == "flamingo"
            else Resampler(tower.width, config.width, config.heads, slots, config.dropout)
        )
        self.embedding = nn.Embedding(-(-vocabulary.size // ALIGNED) * ALIGNED, config.width)
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_ln = nn.LayerNorm(config.width)

    def see(self, stems: Tensor) -> Tensor:
        """The tower's frozen activations (N, S, Dv) → what the decoder reads of each image, (N, K, C)."""
        return self.resampler(self.tower.head(stems))

    def hidden(
        self, ids: Tensor, rows: Tensor, slots: Tensor, images: Tensor | None, cache: Cache | None = None
    ) -> Tensor:
        """The decoder's last hidden states, (B, T, C).

        Args:
            ids: (B, T) token ids.
            rows: (N,) the sequence that each image stands in.
            slots: (N, K) the places there that its embeddings overwrite.
            images: (N, K, C) what `see` gave; None where the batch has no image.
            cache: the tokens before these; it then holds these too.
        """
        x = self.embedding(ids)  # (B, T, C)
        if images is not None:
            places = (rows[:, None] * ids.shape[1] + slots).flatten()  # (N * K,) in the flattened batch
            x = x.flatten(0, 1).index_copy(0, places, images.flatten(0, 1).type_as(x)).view_as(x)
        x = self.dropout(x * math.sqrt(self.config.width))  # (B, T, C)
        first, centre = (cache.length, cache.centre) if cache else (0, ids.shape[1] // 2)
        turns = xpos(first, ids.shape[1], self.config.width // self.config.heads, centre, ids.device)
        for layer, block in enumerate(self.blocks):
            if self.training and self.config.recompute:
                x = checkpoint(block, x, turns, use_reentrant=False)
            else:
                x = block(x, turns, partial(cache.extend, layer) if cache else None)
        if cache:
            cache.length += ids.shape[1]
        return self.final_ln(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """(…, C) → (…, vocabulary)."""
        return F.linear(hidden, self.embedding.weight)[..., : self.vocabulary.size]

    def forward(
        self, ids: Tensor, places: Tensor, labels: Tensor, rows: Tensor, slots: Tensor, images: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The loss to learn from, a sum, and the loss in nats of each target token, (Y,).

        `labels` (Y,) are predicted at `places` (Y,) of the flattened ids, from the tokens up to there. Only those go
        through the output layer, the dearest part of a small model.
        """
        x = self.hidden(ids, rows, slots, images).flatten(0, 1).index_select(0, places)  # (Y, C)
        total, losses = NextToken.apply(x, self.embedding.weight, labels, self.vocabulary.size)
        return total, losses

    def trained_state(self) -> dict[str, Tensor]:
        """Everything but the frozen part of the tower, which `train.vision` names."""
        frozen = {name for name, parameter in self.named_parameters() if not parameter.requires_grad}
        return {name: value for name, value in self.state_dict().items() if name not in frozen}

    def load_trained(self, state: dict[str, Tensor]) -> None:
        """The inverse of `trained_state`.

        Raises:
            RuntimeError: the state is of a model of another shape.
        """
        missing, unknown = self.load_state_dict(state, strict=False)
        if unknown or set(missing) & set(self.trained_state()):
            raise RuntimeError(f"weights of another model: {sorted(unknown)[:3]}")
