"""The processes that train one model together, as torchrun starts them; one alone where it did not.

They hold the same weights. Once a step, when each has gone through its own micro-batches, gradients, losses and counts
are added up, and all go on with the same weights: those of one process, but for the order in which numbers were added.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as group
from torch import Tensor

if TYPE_CHECKING:
    from weft.model_smoketest.train import Meter


class Processes:
    """This process and how many there are."""

    def __init__(self) -> None:
        """Joins the others, over NCCL where there are GPUs, else over gloo."""
        self.rank, self.size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if self.size > 1 and not group.is_initialized():
            group.init_process_group("nccl" if torch.cuda.is_available() else "gloo")

    def device(self) -> torch.device:
        """A GPU of its own, or the CPU."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
        return device

    def wait(self) -> None:
        """For the others."""
        if self.size > 1:
            group.barrier()

    def add_up(self, parameters: Sequence[Tensor], meter: Meter) -> Tensor:
        """Make gradients and the meter's step those of all processes; gives the step's targets.

        A parameter that no process has a gradient of gets none, as it would in one process.
        """
        if self.size > 1:
            sums = meter.step.flatten()
            group.all_reduce(sums)
            meter.step = sums.view_as(meter.step)
            had = torch.tensor([float(p.grad is not None) for p in parameters], device=sums.device)
            group.all_reduce(had)
            shared = [p for p, count in zip(parameters, had.tolist(), strict=True) if count]
            flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in shared])
            group.all_reduce(flat)
            for p, part in zip(shared, flat.split([p.numel() for p in shared]), strict=True):
                p.grad = part.view_as(p)
        return meter.end_step()
