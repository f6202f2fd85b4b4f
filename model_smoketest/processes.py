"""The processes that train one model together, as torchrun starts them; one alone where it did not.

They hold the same weights. Once a step, when each has gone through its own micro-batches, gradients, losses and counts
are added up, and all go on with the same weights: those of one process, but for the order in which numbers were added.

With `train.shard` each holds a part of every layer (FSDP2): a layer is put together where it is used, and its gradients
are added up and taken apart at once. Embeddings, resampler and CLIP's tower, a quarter of Kosmos-1 (an eighth of what
is trained), stay whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as group
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

if TYPE_CHECKING:
    from weft.model_smoketest.model import Kosmos
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

    def split(self, model: Kosmos) -> None:
        """Leave each process its part of every layer, where there are several."""
        if self.size == 1:
            return
        mesh = init_device_mesh(next(model.parameters()).device.type, (self.size,))
        for block in model.blocks:
            fully_shard(block, mesh=mesh)
        rest = {p for p in model.parameters() if not isinstance(p, DTensor)}
        fully_shard(model, mesh=mesh, ignored_params=rest)  # the one that the layers belong to
        for part in model.modules():
            if isinstance(part, FSDPModule):  # sums of gradients, not means
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)

    def add_up(self, parameters: Sequence[Tensor], meter: Meter) -> Tensor:
        """Make gradients and the meter's step those of all processes; gives the step's targets.

        A parameter that no process has a gradient of gets none, as it would in one process.
        """
        if self.size > 1:
            sums = meter.step.flatten()
            group.all_reduce(sums)
            meter.step = sums.view_as(meter.step)
            whole = [p for p in parameters if not isinstance(p, DTensor)]  # of the others FSDP has taken care
            had = torch.tensor([float(p.grad is not None) for p in whole], device=sums.device)
            group.all_reduce(had)
            shared = [p for p, count in zip(whole, had.tolist(), strict=True) if count]
            flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in shared])
            group.all_reduce(flat)
            for p, part in zip(shared, flat.split([p.numel() for p in shared]), strict=True):
                p.grad = part.view_as(p)
        return meter.end_step()

    def norm(self, gradients: Iterable[Tensor]) -> Tensor:
        """The norm of gradients that are partly whole and partly split."""
        parts: list[list[Tensor]] = [[], []]
        for gradient in gradients:
            parts[isinstance(gradient, DTensor)].append(here(gradient))
        whole, split = (torch.nn.utils.get_total_norm(part) for part in parts)
        if not parts[1]:
            return whole
        squares = split.square()
        group.all_reduce(squares)
        return (whole.square() + squares).sqrt()


def here(value: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return value.to_local() if isinstance(value, DTensor) else value


def whole(value: Tensor) -> Tensor:
    """The tensor that is split over processes, all of which must ask."""
    return value.full_tensor() if isinstance(value, DTensor) else value
