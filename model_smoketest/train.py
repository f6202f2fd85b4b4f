"""Training: shards in, `model/` out. One file to read from top to bottom.

Each step takes one micro-batch of every corpus and adds up their gradients, as token sums divided by the step's
target tokens: the three kinds of Kosmos-1 in one batch (section 3.2; the layout of its released task). AdamW with
betas (0.9, 0.98), linear warm-up, then linear decay to 0.

    model/checkpoint.pt       weights, optimiser, step and data position: written whole, resumed from bit by bit
    model/train_log.jsonl     a line every few steps
    model/model.safetensors   the trained weights (the frozen part of CLIP is named in config.json, not copied)
    model/config.json         what they are the weights of
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import pickle
import time
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import save as safetensors
from torch import Tensor

from weft.model_smoketest import data, shard_files
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.shard_files import join
from weft.model_smoketest.vision import StemCache, load_tower
from weft.schemas.config import Train, to_dict
from weft.schemas.records import digest
from weft.schemas.shards import Vocabulary

CHECKPOINT, LOG, WEIGHTS, CONFIG = "checkpoint.pt", "train_log.jsonl", "model.safetensors", "config.json"
LOG_EVERY = 10  # steps
ADAM_EPS = 1e-6  # Kosmos-2's train.sh

# These say how a run is watched, and where its tower lies, not what it computes: a checkpoint survives their change.
INCIDENTAL = ("checkpoint_every", "eval_samples", "vision", "vision_pretrained")


def train(
    shards: str,
    model_dir: str,
    config: Train,
    log: Callable[[str], None] = print,
    without: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Train on `shards`, or go on from the checkpoint in `model_dir` if it is of the same config and shards.

    Samples of the documents in `without`, by doc_id, are left out.

    Returns:
        A summary: steps, tokens, last loss per corpus, parameters, seconds.

    Raises:
        ConfigError: no usable shards or vision tower.
    """
    started = time.monotonic()
    vocabulary = data.read_vocabulary(shards)
    mixture = data.Mixture(shards, vocabulary, config, log, without)
    model, built = build(config, vocabulary)
    identity = identity_of(built, shards, vocabulary, without)
    device = next(model.parameters()).device
    optimizer = make_optimizer(model, config)
    stems = StemCache(model.tower)

    first = resume(model_dir, identity, model, optimizer, mixture, log)
    if not first:  # what an earlier run left is not this run's result
        shard_files.remove(join(model_dir, CONFIG))
    records = read_log(model_dir, first)
    parameters = [p for p in model.parameters() if p.requires_grad]
    trained = sum(p.numel() for p in parameters)
    log(
        f"train: {sum(p.numel() for p in model.parameters()):,} parameters, {trained:,} trained, on {device}; "
        f"steps {first + 1} to {config.steps} of {config.batch_tokens} tokens: "
        + ", ".join(f"{corpus} {tokens:.0f}" for corpus, tokens in mixture.tokens.items())
    )

    model.train()
    meter = Meter(config.steps, first)
    for step in range(first, config.steps):
        torch.manual_seed(config.seed * 1_000_003 + step)  # dropout: depends on the step alone, so nothing to save
        rate = learning_rate(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batches = mixture.step()
        targets = sum(int(batch.mask[:, 1:].sum()) for batch in batches)
        for batch in batches:
            losses = forward(model, stems, batch)  # (Y,)
            (losses.sum() / targets).backward()
            meter.add(batch.corpus, float(losses.detach().sum()), losses.numel(), batch.tokens)
        torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        done = step + 1
        if done % LOG_EVERY == 0 or done == config.steps:
            records.append(meter.record(done, rate))
            if shard_files.is_local(model_dir):
                write_log(model_dir, records)
            log(meter.line(records[-1]))
        if done % config.checkpoint_every == 0 or done == config.steps:
            write_log(model_dir, records)  # a store takes a file once a second at most
            save(model_dir, identity, done, model, optimizer, mixture)

    described = {"identity": identity, "tokenizer": tokenizer_of(shards, vocabulary)}
    finish(model_dir, model, config, vocabulary, described)
    return {
        "steps": config.steps,
        "loss": records[-1]["loss"] if records else {},
        "tokens": meter.tokens,
        "epochs": mixture.epochs(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": trained,
        "seconds": round(time.monotonic() - started, 2),
        "device": str(device),
    }


def build(config: Train, vocabulary: Vocabulary) -> tuple[Kosmos, dict[str, Any]]:
    """The model as it starts, on the best device there is, and what identifies it.

    Raises:
        ConfigError: the vision tower does not load, or the sizes do not fit each other.
    """
    tower = load_tower(config.vision, config.vision_pretrained, config.unfreeze_last)
    identity = {key: value for key, value in to_dict(config).items() if key not in INCIDENTAL}
    identity["tower"] = tower.fingerprint()
    torch.manual_seed(config.seed)
    model = Kosmos(config, vocabulary, tower)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), identity


def identity_of(built: dict[str, Any], shards: str, vocabulary: Vocabulary, without: frozenset[str]) -> str:
    """What a checkpoint must be of to go on: the model as it is built, and its data."""
    left_out = [sorted(without)] if without else []
    return digest(built, data.fingerprint(shards, vocabulary), *left_out)


def make_optimizer(model: Kosmos, config: Train) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices, not on norms and biases."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, config.beta2), eps=ADAM_EPS, fused=True)


def learning_rate(step: int, config: Train) -> float:
    """Linear warm-up over the first steps, then linear decay that would reach 0 at the step after the last."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    return config.learning_rate * (config.steps - step) / max(1, config.steps - config.warmup_steps)


def forward(model: Kosmos, stems: StemCache, batch: data.Batch) -> Tensor:
    """Loss of each target token of a batch, (Y,)."""
    device = next(model.parameters()).device
    ids, mask, rows, slots = (t.to(device) for t in (batch.ids, batch.mask, batch.rows, batch.slots))
    return model(ids, mask, rows, slots, model.see(stems(batch.images)) if batch.images else None)


class Meter:
    """Losses and speed since the last line."""

    def __init__(self, steps: int, first: int) -> None:
        """The run ends at `steps` and starts at `first`."""
        self.tokens = 0
        self._steps, self._done, self._then = steps, first, time.monotonic()
        self._sums: dict[str, list[float]] = {}
        self._interval = 0

    def add(self, corpus: str, loss: float, targets: int, tokens: int) -> None:
        """One micro-batch: the sum of its losses over its target tokens, and all its tokens."""
        sums = self._sums.setdefault(corpus, [0.0, 0.0])
        sums[0] += loss
        sums[1] += targets
        self.tokens += tokens
        self._interval += tokens

    def record(self, done: int, rate: float) -> dict[str, Any]:
        """A line of the log: mean loss per corpus (nats per target token) since the last one."""
        now = time.monotonic()
        seconds = max(now - self._then, 1e-9)
        record = {
            "step": done,
            "learning_rate": rate,
            "loss": {corpus: round(s / max(n, 1), 5) for corpus, (s, n) in sorted(self._sums.items())},
            "tokens_per_s": round(self._interval / seconds),
            "eta_s": round(seconds / (done - self._done) * (self._steps - done), 1),
        }
        self._then, self._done, self._interval, self._sums = now, done, 0, {}
        return record

    def line(self, record: dict[str, Any]) -> str:
        """The same for a person."""
        losses = "  ".join(f"{corpus} {loss:.3f}" for corpus, loss in record["loss"].items())
        return (
            f"train: step {record['step']}/{self._steps}  loss: {losses}  "
            f"{record['tokens_per_s']:,} tokens/s  {record['eta_s']:.0f} s left"
        )


def save(model_dir: str, identity: str, step: int, model: Kosmos, optimizer: Any, mixture: data.Mixture) -> None:
    """The checkpoint, whole: an earlier one stands until then."""
    state = {
        "identity": identity,
        "step": step,
        "model": model.trained_state(),
        "optimizer": optimizer.state_dict(),
        "data": mixture.state(),
    }
    buffer = io.BytesIO()  # by way of memory: torch's own file writer hides a full disk behind a RuntimeError
    torch.save(state, buffer)
    shard_files.write(join(model_dir, CHECKPOINT), buffer.getbuffer())


def resume(model_dir: str, identity: str, model: Kosmos, optimizer: Any, mixture: data.Mixture, log: data.Log) -> int:
    """Steps already done: those of a checkpoint of this very run, else 0."""
    path = join(model_dir, CHECKPOINT)
    try:
        held = io.BytesIO(shard_files.read_bytes(path))
    except FileNotFoundError:
        return 0
    try:
        state = torch.load(held, map_location=next(model.parameters()).device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError):
        log(f"train: {path} is unreadable; starting from step 1")
        return 0
    if state.get("identity") != identity:
        log(f"train: {path} is of another config, vision tower or shards; starting from step 1")
        return 0
    model.load_trained(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    mixture.restore(state["data"])
    log(f"train: resuming after step {state['step']}")
    return int(state["step"])


def finish(model_dir: str, model: Kosmos, config: Train, vocabulary: Vocabulary, more: dict[str, str]) -> None:
    """Weights, then the config that says they are whole and of what."""
    weights = {name: value.detach().cpu().contiguous() for name, value in model.trained_state().items()}
    described = {"train": to_dict(config), "vocabulary": dataclasses.asdict(vocabulary), **more}
    shard_files.write(join(model_dir, WEIGHTS), safetensors(weights))
    shard_files.write(join(model_dir, CONFIG), (json.dumps(described, indent=1, sort_keys=True) + "\n").encode())


def tokenizer_of(shards: str, vocabulary: Vocabulary) -> str:
    """What says that two directories of shards have the same tokenizer."""
    content = shard_files.read_bytes(shard_files.join(shards, vocabulary.file))
    return digest(dataclasses.asdict(vocabulary), hashlib.sha256(content).hexdigest())


def read_log(model_dir: str, steps: int) -> list[dict[str, Any]]:
    """The log's lines up to `steps`: what came after the checkpoint is done again."""
    try:
        lines = shard_files.read_text(join(model_dir, LOG)).splitlines() if steps else []
    except FileNotFoundError:
        lines = []
    return [record for record in map(json.loads, lines) if record["step"] <= steps]


def write_log(model_dir: str, records: list[dict[str, Any]]) -> None:
    """The whole log again: a few hundred lines at most per minute of training."""
    text = "".join(json.dumps(record, sort_keys=True) + "\n" for record in records)
    shard_files.write(join(model_dir, LOG), text.encode())
