"""Training: shards in, `model/` out. One file to read from top to bottom.

Each step takes some of every corpus, in micro-batches of like lengths, and adds up their gradients, as token sums
divided by the step's target tokens: the three kinds of Kosmos-1 in one batch (section 3.2; the layout of its released
task). AdamW with betas (0.9, 0.98), linear warm-up, then linear decay to 0.

    model/checkpoint…         weights, optimiser, step and data position (checkpoints.py): resumed from bit by bit
    model/train_log.jsonl     a line every few steps, some with what the right images are worth (gaps.py)
    model/model.safetensors   the trained weights (the frozen part of CLIP is named in config.json, not copied)
    model/config.json         what they are the weights of

Several processes train one model (processes.py): all plan the same step, each takes its micro-batches, and gradients
are added up once a step. The sums are the same but for their order.

    torchrun --nproc-per-node 8 -m weft.model_smoketest.train OUT/shards OUT/model --config my.toml
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
from safetensors.torch import save as safetensors
from torch import Tensor

from weft.model_smoketest import data, shard_files
from weft.model_smoketest.checkpoints import Checkpoints
from weft.model_smoketest.gaps import Gaps
from weft.model_smoketest.model import Kosmos, check_sizes
from weft.model_smoketest.processes import Processes, here, whole
from weft.model_smoketest.shard_files import join
from weft.model_smoketest.vision import StemCache, StemStore, load_tower
from weft.schemas.config import Train, load, to_dict
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.schemas.shards import TRAINED, Vocabulary

LOG, WEIGHTS, CONFIG = "train_log.jsonl", "model.safetensors", "config.json"
LOG_EVERY = 10  # steps
ADAM_EPS = 1e-6  # Kosmos-2's train.sh

Parts = list[tuple[int, Callable[[], data.Batch]]]  # micro-batches yet to be read, with their numbers in the step

# These say how a run is watched, and where its tower lies, not what it computes: a checkpoint survives their change.
INCIDENTAL = (
    *("checkpoint_every", "eval_samples", "audit_folds"),
    *("vision", "vision_pretrained", "stems", "compile", "recompute", "workers", "shard"),
)
READS_AS = 4  # goes up where the same settings and shards train another model than before
AHEAD = 2  # steps that are read before they are needed, where there are workers


def train(
    shards: str,
    model_dir: str,
    config: Train,
    log: Callable[[str], None] = print,
    without: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Train on `shards`, or go on from the checkpoint in `model_dir` if it is of the same config and shards.

    What is of the documents in `without`, by doc_id, is left out.

    Returns:
        A summary: steps, tokens, last loss per corpus, parameters, seconds.

    Raises:
        ConfigError: no usable shards or vision tower, or nothing to predict in what they hold.
    """
    started = time.monotonic()
    world = Processes()
    log = log if world.rank == 0 else _quiet
    vocabulary = data.read_vocabulary(shards)
    mixture = data.Mixture(shards, vocabulary, config, log, without)
    model, built = build(config, vocabulary, world.device())
    left_out = named(without)
    identity = identity_of(built, shards, vocabulary, left_out)
    device = next(model.parameters()).device
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    for block in model.blocks if config.compile else ():
        block.compile(dynamic=True)
    if config.shard:
        world.split(model)
    optimizer = make_optimizer(model, config)
    stems = StemCache(model.tower, store=StemStore(config.stems, built["tower"]) if config.stems else None)
    gaps = None if config.shard or world.rank else Gaps(shards, vocabulary, config)  # layers that are split want all

    checkpoints = Checkpoints(model_dir, identity, model, optimizer, world)
    first = checkpoints.resume(mixture.restore, log)
    records = start_log(model_dir, first, world)
    log(
        f"train: {sum(p.numel() for p in model.parameters()):,} parameters, {trained:,} trained, on {device}; "
        f"steps {first + 1} to {config.steps} of {config.batch_tokens} tokens: "
        + ", ".join(f"{corpus} {tokens:.0f}" for corpus, tokens in mixture.tokens.items())
    )

    model.train()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")  # TF32, where bf16 is not asked for
    meter = Meter(config.steps, first, device)
    position = mixture.state()
    steps = feed(mixture, stems, config, world)
    with checkpoints:
        for step in range(first, config.steps):
            rate = learning_rate(step, config)
            for group in optimizer.param_groups:
                group["lr"] = rate
            parts, position = next(steps)
            take_step(model, stems, optimizer, parts, step, world, meter)
            done = step + 1
            if world.rank == 0 and (done % LOG_EVERY == 0 or done == config.steps):
                before = records[-1]["step"] if records else 0
                records.append(meter.record(done, rate))
                if not records[-1]["loss"] and done - before >= min(LOG_EVERY, config.steps):
                    raise ConfigError(
                        f"{done - before} steps in a row hold nothing to predict: images fill train.max_length = "
                        f"{config.max_length}, or train.batch_tokens is too small"
                    )
                if gaps and gaps.due(before, done):
                    records[-1]["gap"] = gaps.measure(model, stems)
                if shard_files.is_local(model_dir):
                    append_log(model_dir, records[-1])
                log(meter.line(records[-1]))
            if done % config.checkpoint_every == 0 or done == config.steps:
                if world.rank == 0 and (done == config.steps or not shard_files.is_local(model_dir)):
                    write_log(model_dir, records)  # a store appends nothing, and takes a file once a second at most
                checkpoints.save(done, position)

    described = {"identity": identity, "tokenizer": tokenizer_of(shards, vocabulary), "without": left_out}
    finish(model_dir, model, world, vocabulary, described)
    world.wait()
    return {
        "steps": config.steps,
        "loss": records[-1]["loss"] if records else {},
        "tokens": meter.tokens,
        "epochs": mixture.epochs(position),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": trained,
        "seconds": round(time.monotonic() - started, 2),
        "device": str(device),
    }


def take_step(
    model: Kosmos, stems: StemCache, optimizer: Any, parts: Parts, step: int, world: Processes, meter: Meter
) -> None:
    """One step of the optimiser: gradients of this process' micro-batches, and of the others'."""
    config, device = model.config, next(model.parameters()).device
    bf16 = config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda")
    for number, part in parts:
        # Dropout depends on the micro-batch alone: nothing to save, and the same in any number of processes.
        torch.manual_seed((config.seed * 1_000_003 + step) * 1_009 + number)
        batch = part()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            total, losses = forward(model, stems, batch)
        total.backward()
        meter.add(batch, losses)
    parameters = [p for p in model.parameters() if p.requires_grad]
    targets = world.add_up(parameters, meter)
    gradients = [p.grad for p in parameters if p.grad is not None]
    held = [here(gradient) for gradient in gradients]
    torch._foreach_div_(held, targets.clamp(min=1))  # a step may hold images alone: its gradients are 0
    torch._foreach_mul_(held, (config.clip_norm / (world.norm(gradients) + 1e-6)).clamp(max=1.0))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def check(config: Train, image_tokens: int) -> None:
    """What can be said of a configuration before there are shards; loads the vision tower.

    Raises:
        ConfigError: sizes that do not fit each other or the shards, or a vision tower that does not load.
    """
    check_sizes(config)
    data.check(config, image_tokens)
    load_tower(config.vision, config.vision_pretrained, config.unfreeze_last)


def build(config: Train, vocabulary: Vocabulary, device: torch.device | None = None) -> tuple[Kosmos, dict[str, Any]]:
    """The model as it starts, on a device or the best there is, and what identifies it.

    Raises:
        ConfigError: the vision tower does not load, or the sizes do not fit each other.
    """
    tower = load_tower(config.vision, config.vision_pretrained, config.unfreeze_last)
    identity = {key: value for key, value in to_dict(config).items() if key not in INCIDENTAL}
    identity |= {"tower": tower.fingerprint(), "stems": bool(config.stems), "reads_as": READS_AS}
    torch.manual_seed(config.seed)
    model = Kosmos(config, vocabulary, tower)
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")), identity


def identity_of(built: dict[str, Any], shards: str, vocabulary: Vocabulary, left_out: str) -> str:
    """What a checkpoint must be of to go on: the model as it is built, and its data but for what `named` says."""
    return digest(built, data.fingerprint(shards, vocabulary), left_out)


def named(without: frozenset[str]) -> str:
    """What says which documents are left out; "" for none."""
    return digest(sorted(without)) if without else ""


def make_optimizer(model: Kosmos, config: Train) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices, not on norms and biases. What is split and what is whole cannot be one group."""
    groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
    for p in model.parameters():
        if p.requires_grad:
            groups.setdefault((p.ndim >= 2, here(p) is p), []).append(p)
    decays = [{"params": held, "weight_decay": config.weight_decay * matrix} for (matrix, _), held in groups.items()]
    return torch.optim.AdamW(decays, lr=config.learning_rate, betas=(0.9, config.beta2), eps=ADAM_EPS, fused=True)


def learning_rate(step: int, config: Train) -> float:
    """Linear warm-up over the first steps, then linear decay that would reach 0 at the step after the last."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    return config.learning_rate * (config.steps - step) / max(1, config.steps - config.warmup_steps)


def feed(
    mixture: data.Mixture, stems: StemCache, config: Train, world: Processes
) -> Iterator[tuple[Parts, data.State]]:
    """Step after step: this process' micro-batches with their numbers in the step, and the position after it.

    With workers, AHEAD steps are read and their images decoded before they are asked for.
    """

    def plan() -> Iterator[tuple[list[tuple[int, data.MicroBatch]], data.State]]:
        while True:
            every = data.micro_batches(mixture.step(), config.micro_tokens)
            if config.shard:  # layers are put together by all at once: each has as many micro-batches
                every += [data.MicroBatch([], 0)] * (-len(every) % world.size)
            yield list(enumerate(every))[world.rank :: world.size], mixture.state()

    def load(part: data.MicroBatch) -> data.Batch:
        batch = mixture.read(part)
        stems.decode(batch.images)
        return batch

    if not config.workers:
        for parts, state in plan():
            yield [(number, partial(mixture.read, part)) for number, part in parts], state
    with ThreadPoolExecutor(config.workers) as pool:
        ahead: deque[tuple[Parts, data.State]] = deque()
        for parts, state in plan():
            ahead.append(([(number, pool.submit(load, part).result) for number, part in parts], state))
            if len(ahead) > AHEAD:
                yield ahead.popleft()


def forward(model: Kosmos, stems: StemCache, batch: data.Batch) -> tuple[Tensor, Tensor]:
    """The sum of the losses of a batch, and the loss of each target token, (Y,)."""
    device = next(model.parameters()).device
    ids, places, labels, rows, slots = (
        t.to(device) for t in (batch.ids, batch.places, batch.labels, batch.rows, batch.slots)
    )
    total, losses = model(ids, places, labels, rows, slots, model.see(stems(batch.images)) if batch.images else None)
    return total, losses


class Meter:
    """Losses and speed since the last line. Sums stay on the device: asking for them waits for it."""

    def __init__(self, steps: int, first: int, device: torch.device) -> None:
        """The run ends at `steps` and starts at `first`."""
        self.tokens = 0
        self._steps, self._done, self._then = steps, first, time.monotonic()
        self.step = torch.zeros(3, len(TRAINED), dtype=torch.float64, device=device)  # losses, targets, tokens
        self._sums = torch.zeros_like(self.step)

    def add(self, batch: data.Batch, losses: Tensor) -> None:
        """One micro-batch."""
        corpora = batch.corpora.to(losses.device)
        self.step[0].index_add_(0, corpora, losses.double())
        self.step[1].index_add_(0, corpora, torch.ones_like(losses, dtype=torch.float64))
        self.step[2, 0] += batch.tokens

    def end_step(self) -> Tensor:
        """Targets of the step, as a number on the device; `step` begins anew."""
        self._sums += self.step
        targets = self.step[1].sum()
        self.step = torch.zeros_like(self.step)
        return targets.float()

    def record(self, done: int, rate: float) -> dict[str, Any]:
        """A line of the log: mean loss per corpus (nats per target token) since the last one."""
        losses, targets, tokens = self._sums.tolist()
        interval = round(sum(tokens))
        self.tokens += interval
        now = time.monotonic()
        seconds = max(now - self._then, 1e-9)
        record = {
            "step": done,
            "learning_rate": rate,
            "loss": {c: round(s / n, 5) for c, s, n in zip(TRAINED, losses, targets, strict=True) if n},
            "tokens_per_s": round(interval / seconds),
            "eta_s": round(seconds / (done - self._done) * (self._steps - done), 1),
        }
        self._then, self._done = now, done
        self._sums.zero_()
        return record

    def line(self, record: dict[str, Any]) -> str:
        """The same for a person."""
        losses = "  ".join(f"{corpus} {loss:.3f}" for corpus, loss in record["loss"].items())
        return (
            f"train: step {record['step']}/{self._steps}  loss: {losses}  "
            f"{record['tokens_per_s']:,} tokens/s  {record['eta_s']:.0f} s left"
        )


def finish(model_dir: str, model: Kosmos, world: Processes, vocabulary: Vocabulary, more: dict[str, str]) -> None:
    """Weights, then the config that says they are whole and of what: all call it, the first process writes."""
    weights = {}
    for name, value in model.trained_state().items():
        together = whole(value.detach())  # what is split is put together by all
        if world.rank == 0:
            weights[name] = together.cpu().contiguous()
    if world.rank == 0:
        described = {"train": to_dict(model.config), "vocabulary": dataclasses.asdict(vocabulary), **more}
        shard_files.write(join(model_dir, WEIGHTS), safetensors(weights))
        shard_files.write(join(model_dir, CONFIG), shard_files.json_file(described))


def tokenizer_of(shards: str, vocabulary: Vocabulary) -> str:
    """What says that two directories of shards have the same tokenizer."""
    content = shard_files.read_bytes(shard_files.join(shards, vocabulary.file))
    return digest(dataclasses.asdict(vocabulary), hashlib.sha256(content).hexdigest())


def read_log(model_dir: str, steps: int) -> list[dict[str, Any]]:
    """The log's lines up to `steps`: what came after the checkpoint is done again."""
    try:
        told = shard_files.read_text(join(model_dir, LOG)) if steps else ""
    except FileNotFoundError:
        told = ""
    whole = told[: told.rfind("\n") + 1]  # the last line may be torn
    return [record for record in map(json.loads, whole.splitlines()) if record["step"] <= steps]


def start_log(model_dir: str, steps: int, world: Processes) -> list[dict[str, Any]]:
    """The log up to `steps`, without what came after the checkpoint; a run that starts anew is not told as the old."""
    records = read_log(model_dir, steps)
    world.wait()  # nobody still reads what is removed now
    if world.rank == 0:
        for name in () if steps else (CONFIG, LOG):
            shard_files.remove(join(model_dir, name))
        if steps:
            write_log(model_dir, records)
    return records


def write_log(model_dir: str, records: list[dict[str, Any]]) -> None:
    """The whole log anew."""
    shard_files.write(join(model_dir, LOG), "".join(map(_line, records)).encode())


def append_log(model_dir: str, record: dict[str, Any]) -> None:
    """One more line, on this machine."""
    os.makedirs(model_dir, exist_ok=True)
    with open(join(model_dir, LOG), "a", encoding="utf-8") as log:
        log.write(_line(record))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True) + "\n"


def _quiet(line: str) -> None:
    """The log of the processes after the first."""


def main() -> None:
    """What torchrun starts once a process; `weft train` is the one to call for a single process."""
    parser = argparse.ArgumentParser(description="Train on the shards of a run in several processes, under torchrun.")
    parser.add_argument("shards")
    parser.add_argument("model")
    parser.add_argument("--config", help="TOML file, of which [train] counts")
    parser.add_argument("--set", action="append", default=[], metavar="train.KEY=VALUE")
    given = parser.parse_args()
    train(given.shards, given.model, load(given.config, given.set).train)


if __name__ == "__main__":
    main()
