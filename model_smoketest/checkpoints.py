"""A training's checkpoints: weights, optimiser, step and data position, whole on the disk or not there at all.

    checkpoint.pt             of a model that each process holds whole: written by the first, anywhere
    checkpoint-00000400/      of one that is split (train.shard): a file a process, on a disk that all share, and
                              state.json last, without which it does not count

Either is written beside the training: what is to be written is copied first, and the next one, or the end, waits for
it. A split one is read by any number of processes, each taking its part.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.distributed as group
from torch import Tensor
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.utils import _pytree

from weft.model_smoketest import shard_files
from weft.model_smoketest.data import State
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.processes import Processes
from weft.model_smoketest.shard_files import join
from weft.schemas.disk import sync_directory
from weft.schemas.parameters import ConfigError

WHOLE, SPLIT, SAID = "checkpoint.pt", "checkpoint-*", "state.json"


class Checkpoints:
    """Those of one training; `with` waits for the last to be written."""

    def __init__(
        self, model_dir: str, identity: str, model: Kosmos, optimizer: torch.optim.Optimizer, world: Processes
    ) -> None:
        """`identity` is of what a checkpoint must be, to go on from it.

        Raises:
            ConfigError: a split model whose directory is of a store.
        """
        self._home, self._identity, self._model, self._optimizer, self._world = (
            model_dir, identity, model, optimizer, world,
        )  # fmt: skip
        self._thread, self._writing = ThreadPoolExecutor(1), Future[None]()
        self._writing.set_result(None)
        self._split = model.config.shard
        if self._split and not shard_files.is_local(model_dir):
            raise ConfigError(f"train.shard: checkpoints need a directory that all processes share, not {model_dir}")
        # Files are written while gradients are added up: in a group of processes of its own.
        self._group: Any = group.new_group(backend="gloo") if self._split and world.size > 1 else None

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()
        self._writing.result()

    def save(self, step: int, position: State) -> None:
        """All processes call it. Each writes its own parts of a split model; the first alone writes a whole model.

        Raises:
            OSError: the one before could not be written; an earlier one stands.
        """
        self._writing.result()
        said = {"identity": self._identity, "step": step, "data": position}
        if self._split:
            state = _pytree.tree_map_only(Tensor, torch.clone, self._parts())
            self._writing = self._thread.submit(self._write_split, state, said)
        elif self._world.rank == 0:
            held = {"model": self._model.trained_state(), "optimizer": self._optimizer.state_dict()}
            state = said | _pytree.tree_map_only(Tensor, lambda t: t.detach().to("cpu", copy=True), held)
            self._writing = self._thread.submit(self._write_whole, state)

    def _write_whole(self, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()  # by way of memory: torch's own file writer hides a full disk behind a RuntimeError
        torch.save(state, buffer)
        shard_files.write(join(self._home, WHOLE), buffer.getbuffer())

    def _write_split(self, state: dict[str, Any], said: dict[str, Any]) -> None:
        folder = Path(self._home) / SPLIT.replace("*", f"{said['step']:08d}")
        if self._world.rank == 0:
            shutil.rmtree(folder, ignore_errors=True)  # half of one
        if self._group:
            group.barrier(self._group)
        alone = self._group is None
        state_dict_saver.save(state, checkpoint_id=folder, process_group=self._group, no_dist=alone)
        if self._world.rank == 0:  # which returns when all have written
            shard_files.write(str(folder / SAID), json.dumps(said).encode())
            sync_directory(self._home)  # before those that it replaces go
            for other in set(Path(self._home).glob(SPLIT)) - {folder}:
                shutil.rmtree(other)

    def resume(self, restore: Callable[[State], None], log: Callable[[str], None]) -> int:
        """Steps already done: those of a checkpoint of this very run, else 0.

        Raises:
            ConfigError: what is there is of the other kind.
        """
        return self._resume_split(restore, log) if self._split else self._resume_whole(restore, log)

    def _resume_whole(self, restore: Callable[[State], None], log: Callable[[str], None]) -> int:
        path = join(self._home, WHOLE)
        if shard_files.is_local(self._home) and (others := list(Path(self._home).glob(f"{SPLIT}/{SAID}"))):
            raise ConfigError(f"{others[0].parent} is of a split model: go on with train.shard, or delete it")
        try:
            held = io.BytesIO(shard_files.read_bytes(path))
        except FileNotFoundError:
            return 0
        try:
            state = torch.load(held, map_location=next(self._model.parameters()).device, weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError):
            log(f"train: {path} is unreadable; starting from step 1")
            return 0
        if not self._is_mine(state, path, log):
            return 0
        self._model.load_trained(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        return self._go_on(state, restore, log)

    def _resume_split(self, restore: Callable[[State], None], log: Callable[[str], None]) -> int:
        if Path(self._home, WHOLE).exists():
            raise ConfigError(f"{join(self._home, WHOLE)} is of a whole model: go on without train.shard, or delete it")
        found = sorted(Path(self._home).glob(f"{SPLIT}/{SAID}"))
        if not found:
            return 0
        said = json.loads(found[-1].read_text())
        if not self._is_mine(said, str(found[-1].parent), log):
            return 0
        state = self._parts()
        alone = self._group is None
        state_dict_loader.load(state, checkpoint_id=found[-1].parent, process_group=self._group, no_dist=alone)
        return self._go_on(said, restore, log)

    def _is_mine(self, said: dict[str, Any], path: str, log: Callable[[str], None]) -> bool:
        mine = said.get("identity") == self._identity
        if not mine:
            log(f"train: {path} is of another config, vision tower or shards; starting from step 1")
        return mine

    def _go_on(self, said: dict[str, Any], restore: Callable[[State], None], log: Callable[[str], None]) -> int:
        restore(said["data"])
        log(f"train: resuming after step {said['step']}")
        return int(said["step"])

    def _parts(self) -> dict[str, dict[str, Any]]:
        """Weights and the optimiser's averages by the name of the weight: this process' parts of them, as they lie."""
        held: dict[str, Any] = {}
        for name, value in self._model.named_parameters():
            if value.requires_grad:
                state = self._optimizer.state[value]
                if not state:  # no step has been taken
                    state["step"] = torch.zeros((), device=value.device)
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(value), torch.zeros_like(value)
                held[name] = dict(state)
        return {"model": self._model.trained_state(), "optimizer": held}
