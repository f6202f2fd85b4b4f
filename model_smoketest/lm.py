"""A trained model as a language model that sees: how likely it finds a text, and what it says itself.

    lm = LanguageModel(model, Words(shards, vocabulary))
    lm.loglikelihood([([jpeg, "Question: what colour is it? Answer:"], " red")])
    lm.generate_until([[jpeg, "An image of"]], beams=5)

A prompt is segments in reading order: str for a text, bytes for an image (JPEG, PNG, WebP). The two calls are those of
lm-evaluation-harness. What the training loss never asks for (`<s>`, `<pad>`, `<image>`, `</image>`) is never said.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from weft.model_smoketest import data, losses
from weft.model_smoketest.losses import Eye
from weft.model_smoketest.model import Cache, Kosmos
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.words import Words
from weft.schemas import shards as contract

Segments = Sequence[str | bytes]
AT_ONCE = 64  # sequences that are gone on with together


class Likelihood(NamedTuple):
    """How likely a continuation is."""

    total: float  # nats, natural logarithm of its probability: at most 0
    tokens: int

    @property
    def mean(self) -> float:
        """Per token."""
        return self.total / max(self.tokens, 1)


class LanguageModel:
    """A model and its tokenizer."""

    def __init__(self, model: Kosmos, words: Words) -> None:
        self.model, self.words, self.vocabulary = model.eval(), words, model.vocabulary
        self._eye = Eye(model)
        unsaid = [self.vocabulary.bos, self.vocabulary.pad, self.vocabulary.image, self.vocabulary.image_end]
        self._unsaid = torch.tensor(unsaid, device=next(model.parameters()).device)

    def encode(self, segments: Segments) -> tuple[list[int], tuple[bytes, ...]]:
        """`<s>`, texts and image spans; and the images."""
        ids = [self.vocabulary.bos]
        for segment in segments:
            ids += self.words.encode(segment) if isinstance(segment, str) else contract.image_span(self.vocabulary)
        return ids, tuple(segment for segment in segments if isinstance(segment, bytes))

    def loglikelihood(self, requests: Sequence[tuple[Segments, str]], ends: bool = False) -> list[Likelihood]:
        """How likely each continuation is after its segments; with `ends`, followed by `</s>`.

        The last text and the continuation are tokenized together, as they would be in a corpus: spaces at the end of
        the text belong to the continuation, and so does a token that holds the end of the one and the beginning of the
        other.
        """
        samples = []
        for segments, continuation in requests:
            last = segments[-1] if segments and isinstance(segments[-1], str) else ""
            before = segments[:-1] if last else segments
            stem = last.rstrip(" ")
            ids, images = self.encode(before)
            whole = self.words.encode(stem + last[len(stem) :] + continuation)
            same = takewhile(lambda two: two[0] == two[1], zip(self.words.encode(stem), whole, strict=False))
            known = len(list(same))
            row = np.array([*ids, *whole, *([self.vocabulary.eos] * ends)], np.int64)
            mask = np.zeros(len(row), np.uint8)
            mask[len(ids) + known :] = 1
            samples.append(Sample("", row, mask, images))
        rows = losses.of_samples(self.model, self._eye, samples)
        return [Likelihood(-sum(row), len(row)) for row in rows]

    @torch.inference_mode()
    def generate_until(
        self,
        prompts: Sequence[Segments],
        until: Sequence[str] = (),
        most: int = 64,
        beams: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """What the model says after each prompt, until `</s>`, one of `until` (left off) or `most` tokens.

        Args:
            beams: more than one: beam search; hypotheses are judged by nats per token (fairseq's `lenpen` 1).
            temperature: 0 says the likeliest token; above it tokens are drawn, from the likeliest that make up `top_p`.
            seed: of the draws; what a prompt gets depends on its place among the prompts, not on its neighbours.
        """
        encoded = [self.encode(segments) for segments in prompts]
        said: list[list[int]] = [[] for _ in prompts]
        by_length: dict[int, list[int]] = {}
        for i, (ids, _) in enumerate(encoded):
            by_length.setdefault(len(ids), []).append(i)
        for alike in by_length.values():  # of one length: no padding, so nobody's places are moved
            for start in range(0, len(alike), AT_ONCE):
                chosen = alike[start : start + AT_ONCE]
                hidden, cache = self._read([encoded[i] for i in chosen], most)
                if beams > 1:
                    found = self._search(hidden, cache, most, beams)
                else:
                    draws = [torch.Generator().manual_seed(seed * 1_000_003 + i) for i in chosen] if temperature else []
                    found = self._say(hidden, cache, most, until, temperature, top_p, draws)
                for i, tokens in zip(chosen, found, strict=True):
                    said[i] = tokens
        return [self._cut(tokens, until) for tokens in said]

    def _read(self, prompts: Sequence[tuple[list[int], tuple[bytes, ...]]], most: int) -> tuple[Tensor, Cache]:
        """Prompts of one length → the last hidden state of each (B, C), and the cache that holds them."""
        samples = [Sample("", np.array(ids), np.zeros(len(ids), np.uint8), images) for ids, images in prompts]
        batch = data.collate(samples, self.vocabulary)
        device = self._unsaid.device
        cache = Cache(self.model.config.layers, batch.ids.shape[1] + most)
        seen = self._eye(batch.images) if batch.images else None
        ids, rows, slots = (t.to(device) for t in (batch.ids, batch.rows, batch.slots))
        return self.model.hidden(ids, rows, slots, seen, cache)[:, -1], cache

    def _next(self, tokens: Tensor, cache: Cache) -> Tensor:
        """One more token (B,) of each row → the hidden states there, (B, C)."""
        nothing = torch.zeros(0, dtype=torch.int64, device=tokens.device)
        return self.model.hidden(tokens[:, None], nothing, nothing, None, cache)[:, -1]

    def _logits(self, hidden: Tensor) -> Tensor:
        """(B, C) → (B, vocabulary), float."""
        return self.model.logits(hidden).float().index_fill(-1, self._unsaid, -torch.inf)

    def _say(
        self,
        hidden: Tensor,
        cache: Cache,
        most: int,
        until: Sequence[str],
        temperature: float,
        top_p: float,
        draws: Sequence[torch.Generator],
    ) -> list[list[int]]:
        said: list[list[int]] = [[] for _ in range(len(hidden))]
        going = list(range(len(hidden)))  # rows of the batch that have not ended
        for _ in range(most):
            logits = self._logits(hidden)
            if temperature:
                chances = _nucleus(torch.softmax(logits.cpu() / temperature, -1), top_p)
                drawn = [torch.multinomial(chances[k], 1, generator=draws[i]) for k, i in enumerate(going)]
                tokens = torch.cat(drawn).to(logits.device)
            else:
                tokens = logits.argmax(-1)  # (B,)
            kept = []
            for k, token in enumerate(tokens.tolist()):
                if token == self.vocabulary.eos:
                    continue
                said[going[k]].append(token)
                if not (until and any(stop in self.words.decode(said[going[k]]) for stop in until)):
                    kept.append(k)
            if not kept:
                break
            if len(kept) < len(going):
                chosen = torch.tensor(kept, device=logits.device)
                cache.take(chosen)
                tokens, going = tokens[chosen], [going[k] for k in kept]
            hidden = self._next(tokens, cache)
        return said

    def _search(self, hidden: Tensor, cache: Cache, most: int, beams: int) -> list[list[int]]:
        """Beam search; a row's beams stand together in the batch. A row ends when no beam can beat what has ended."""
        count, device = len(hidden), hidden.device
        ended: list[list[tuple[float, list[int]]]] = [[] for _ in range(count)]
        totals = torch.zeros(count, 1, device=device)  # (B, beams) nats, the best first
        texts: list[list[list[int]]] = [[[]] for _ in range(count)]
        rows = list(range(count))  # those that go on
        for length in range(1, most + 1):
            step = torch.log_softmax(self._logits(hidden), -1).view(len(rows), totals.shape[1], -1)
            every = (totals[:, :, None] + step).flatten(1)  # (B, beams * vocabulary)
            wide = step.shape[-1]
            best, places = every.topk(min(2 * beams, every.shape[1]))  # at most half of them end
            kept_rows, kept_totals, kept_beams, kept_tokens, kept_texts = [], [], [], [], []
            for k, row in enumerate(rows):
                goes: list[tuple[float, int, int]] = []
                for total, place in zip(best[k].tolist(), places[k].tolist(), strict=True):
                    beam, token = divmod(place, wide)
                    if total == -torch.inf:
                        continue
                    if token == self.vocabulary.eos:
                        ended[row].append((total / length, texts[k][beam]))
                    elif len(goes) < beams:
                        goes.append((total, beam, token))
                done = sorted(ended[row], key=lambda one: -one[0])[:beams]
                if length == most or not goes or (len(done) == beams and done[-1][0] >= goes[0][0] / length):
                    ended[row] += [(total / length, [*texts[k][beam], token]) for total, beam, token in goes]
                    continue
                goes += [(-torch.inf, goes[0][1], goes[0][2])] * (beams - len(goes))  # a vocabulary of few tokens
                kept_rows.append(row)
                kept_totals.append([total for total, _, _ in goes])
                kept_beams += [k * totals.shape[1] + beam for _, beam, _ in goes]
                kept_tokens += [token for _, _, token in goes]
                kept_texts.append([[*texts[k][beam], token] for _, beam, token in goes])
            rows, texts = kept_rows, kept_texts
            if not rows:
                break
            totals = torch.tensor(kept_totals, device=device)
            cache.take(torch.tensor(kept_beams, device=device))
            hidden = self._next(torch.tensor(kept_tokens, device=device), cache)
        return [max(found, key=lambda one: one[0])[1] for found in ended]

    def _cut(self, tokens: Sequence[int], until: Sequence[str]) -> str:
        text = self.words.decode(tokens)
        for stop in until:
            text = text.partition(stop)[0]
        return text


def _nucleus(chances: Tensor, top_p: float) -> Tensor:
    """(B, vocabulary): the likeliest tokens that make up `top_p`, the others at 0; not normalised."""
    if top_p >= 1:
        return chances
    ordered, places = chances.sort(-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(chances).scatter(-1, places, ordered.masked_fill(before >= top_p, 0.0))
