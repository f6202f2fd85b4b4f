"""Flamingo's resampler: latents that ask the tokens of an image in several layers (arXiv 2204.14198, A.1.1).

The paper of Kosmos-1 names it; what its authors released has one cross-attention in its place (model.py). The layers,
and the numbers, are OpenFlamingo's `PerceiverResampler`: width of the vision tower, no bias, 8 heads of 64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = 6  # Flamingo, table 6
HEADS, HEAD_DIM = 8, 64  # OpenFlamingo's
MULTIPLE = 4  # of the width: the hidden size of a layer's second half


class Layer(nn.Module):
    """Latents ask the image and themselves, then a feed-forward; a norm before each, and both added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_DIM
        self.image_ln, self.latents_ln = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q_proj = nn.Linear(width, inner, bias=False)
        self.kv_proj = nn.Linear(width, 2 * inner, bias=False)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.ffn_ln = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, MULTIPLE * width, bias=False)
        self.fc2 = nn.Linear(MULTIPLE * width, width, bias=False)

    def forward(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """(N, K, Dv) asks (N, S, Dv) → (N, K, Dv)."""
        normed = self.latents_ln(latents)
        context = torch.cat([self.image_ln(tokens), normed], 1)  # (N, S + K, Dv)
        q, k, v = (  # (N, HEADS, K or S + K, HEAD_DIM)
            x.unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)
            for x in (self.q_proj(normed), *self.kv_proj(context).chunk(2, -1))
        )
        asked = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2)
        latents = latents + self.out_proj(asked)
        return latents + self.fc2(F.gelu(self.fc1(self.ffn_ln(latents))))


class Flamingo(nn.Module):
    """S tokens of an image → K embeddings of the decoder's width."""

    def __init__(self, vision_width: int, width: int, slots: int) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(slots, vision_width))
        self.layers = nn.ModuleList(Layer(vision_width) for _ in range(LAYERS))
        self.final_ln = nn.LayerNorm(vision_width)
        self.dense = nn.Linear(vision_width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, S, Dv) → (N, K, C)."""
        latents = self.latents.expand(len(tokens), -1, -1)  # (N, K, Dv)
        for layer in self.layers:
            latents = layer(latents, tokens)
        return self.dense(self.final_ln(latents))
