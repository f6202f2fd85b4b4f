"""Kosmos-1 at smoke size: a causal decoder that reads text tokens and image embeddings alike.

image ─► CLIP tokens ─► resampler ─► image_tokens embeddings ─┐ overwrite the slots
token ids ──────────────────────────► token embeddings ───────┴► Magneto decoder ─► next text token

Sources: the paper (arXiv 2302.14045, section 2); Magneto's sub-LN and its initialisation as torchscale has them;
xPos (arXiv 2212.10554); the resampler as unilm's Kosmos-2 has it (`XConnector`): one cross-attention of learned
latents over the image tokens and the latents themselves, no norm, no residual, no FFN.

Letters in the shape comments: B sequences, T tokens, C width, H heads, D = C / H; N images, S tokens of one image,
K slots of one image, Y target tokens of the batch.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.model_smoketest.vision import Tower
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import Vocabulary

ROTARY_BASE = 10_000.0
XPOS_SCALE_BASE = 512.0  # tokens after which the decay has done one full step
XPOS_GAMMA = 0.4


def xpos(length: int, head_dim: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Rotations of queries and of keys, each (T, D / 2) complex.

    Both turn by the same angle; queries are multiplied by scale^n and keys by scale^-n, so that a product of the
    two decays with the distance and never depends on the place.
    """
    position = torch.arange(length, device=device, dtype=torch.float32)  # (T,)
    even = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32)  # (D/2,)
    angle = position[:, None] * ROTARY_BASE ** (-even / head_dim)  # (T, D/2)
    scale = (even + XPOS_GAMMA * head_dim) / ((1 + XPOS_GAMMA) * head_dim)  # (D/2,) in (0.28, 1)
    grow = scale ** ((position - length // 2) / XPOS_SCALE_BASE)[:, None]  # (T, D/2), centred: no overflow
    return torch.polar(grow, angle), torch.polar(1 / grow, angle)


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """(B, H, T, D) with neighbours as complex numbers, times (T, D / 2)."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))  # (B, H, T, D/2)
    return torch.view_as_real(pairs * rotation).flatten(-2).type_as(x)  # (B, H, T, D)


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

    def forward(self, x: Tensor, context: Tensor, rotations: tuple[Tensor, Tensor] | None, causal: bool) -> Tensor:
        """(B, T, C) asks (B, S, C)."""
        q = self.q_proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, D)
        k = self.k_proj(context).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        v = self.v_proj(context).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, S, D)
        if rotations is not None:
            q, k = rotate(q, rotations[0]), rotate(k, rotations[1])
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal)  # (B, H, T, D)
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

    def forward(self, x: Tensor, rotations: tuple[Tensor, Tensor]) -> Tensor:
        """(B, T, C) → (B, T, C)."""
        normed = self.attention_ln(x)
        x = x + self.dropout(self.attention(normed, normed, rotations, causal=True))
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


class Kosmos(nn.Module):
    """The whole model. The token embedding is the output layer too, and is scaled by sqrt(C) on the way in."""

    def __init__(self, config: Train, vocabulary: Vocabulary, tower: Tower) -> None:
        super().__init__()
        if config.width % (2 * config.heads):
            raise ConfigError(f"train.width = {config.width} must be a multiple of twice train.heads ({config.heads})")
        self.config, self.vocabulary = config, vocabulary
        self.tower = tower
        self.resampler = Resampler(tower.width, config.width, config.heads, vocabulary.image_tokens, config.dropout)
        self.embedding = nn.Embedding(vocabulary.size, config.width)
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_ln = nn.LayerNorm(config.width)

    def see(self, stems: Tensor) -> Tensor:
        """The tower's frozen activations (N, S, Dv) → what the decoder reads of each image, (N, K, C)."""
        return self.resampler(self.tower.head(stems))

    def hidden(self, ids: Tensor, rows: Tensor, slots: Tensor, images: Tensor | None) -> Tensor:
        """The decoder's last hidden states.

        Args:
            ids: (B, T) token ids.
            rows: (N,) the sequence that each image stands in.
            slots: (N, K) the places there that its embeddings overwrite.
            images: (N, K, C) what `see` gave; None where the batch has no image.
        """
        x = self.embedding(ids)  # (B, T, C)
        if images is not None:
            places = (rows[:, None] * ids.shape[1] + slots).flatten()  # (N * K,) in the flattened batch
            x = x.flatten(0, 1).index_copy(0, places, images.flatten(0, 1)).view_as(x)
        x = self.dropout(x * math.sqrt(self.config.width))  # (B, T, C)
        rotations = xpos(ids.shape[1], self.config.width // self.config.heads, ids.device)
        for block in self.blocks:
            x = block(x, rotations)
        return self.final_ln(x)

    def forward(self, ids: Tensor, mask: Tensor, rows: Tensor, slots: Tensor, images: Tensor | None) -> Tensor:
        """Loss in nats of each target token, (Y,), row by row.

        Token t is a target where `mask[b, t]` is 1 and t > 0; it is predicted from the tokens before it. Only those
        places go through the output layer, the dearest part of a small model.
        """
        targets = mask[:, 1:].bool()  # (B, T - 1)
        x = self.hidden(ids[:, :-1], rows, slots, images)[targets]  # (Y, C)
        logits = F.linear(x, self.embedding.weight)  # (Y, vocabulary)
        return F.cross_entropy(logits.float(), ids[:, 1:][targets], reduction="none")  # (Y,)

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
