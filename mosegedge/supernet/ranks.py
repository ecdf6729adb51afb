"""The processes of one training, as `torchrun` starts them; without it there is one.

Pictures of a step are split over the processes, everything else is the same in all of them: seed, networks, weights.
Gradients and the statistics of batch norms are those of the whole batch, so the number of processes changes nothing but
the order of sums, and a training may go on with another number of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mosegedge.errors import TrainingError, UsageError
from mosegedge.supernet.launch import member_from

PATIENCE = timedelta(minutes=5)
"""How long a process is waited for. The longest that one does alone is far shorter: writing a checkpoint, compiling
slower than the others, opening a data set from a slow disk."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of the training.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def total(self, value: Tensor) -> Tensor:
        """The sum over all processes; no gradient flows through it."""
        if self.count == 1:
            return value
        value = value.detach().clone()
        _add_up(value)
        return value

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Averages gradients over all processes.

        A parameter that no network of the step used has no gradient in any process, since all train the same networks;
        it is left out everywhere alike.
        """
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        _add_up(flat)
        flat /= self.count
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, averaged in zip(gradients, parts, strict=True):
            gradient.copy_(averaged.view(gradient.shape))

    def wait(self) -> None:
        """Waits until all processes are here."""
        if self.count > 1:
            with _others_needed():
                dist.barrier()

    def require_even(self, batch_size: int) -> int:
        """Pictures of a batch that each process takes.

        Raises:
            UsageError: They cannot be split evenly.
        """
        if batch_size % self.count:
            raise UsageError(
                f"A batch of {batch_size} pictures cannot be split over {self.count} processes.",
                fix=f"--batch-size {max(2, -(-batch_size // self.count) * self.count)}",
            )
        return batch_size // self.count


@contextmanager
def joined(device: torch.device, *, patience: timedelta = PATIENCE) -> Iterator[Ranks]:
    """Joins the processes that torchrun started, for as long as the context lasts.

    A process that died is noticed at once, one that is frozen after a while. On GPUs, whose operations nobody waits for
    in Python, that is found by a thread of PyTorch's, which ends the process with a message of its own.

    Args:
        device: Of this process; GPUs talk over NCCL, CPUs over gloo.
        patience: How long a process may keep the others waiting.

    Raises:
        UsageError: The environment does not say which process this is.
        TrainingError: The others cannot be reached.
    """
    member = member_from(os.environ)
    if member.size == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _others_needed():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=patience)
    try:
        yield Ranks(member.rank, member.size)
    finally:
        dist.destroy_process_group()


def _add_up(tensor: Tensor) -> None:
    """Replaces a tensor by its sum over all processes."""
    with _others_needed():
        dist.all_reduce(tensor)


@contextmanager
def _others_needed() -> Iterator[None]:
    """What PyTorch raises where another process does not answer, in words."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        silent = "timed out" in reason.lower()
        raise TrainingError(
            f"Another process of the training {'does not answer' if silent else 'is gone'}: {reason}.",
            known="What was done until the last checkpoint is kept.",
            fix="Start the same command again, with as many processes as you like.",
        ) from error


class CommonNorm(nn.BatchNorm2d):
    """Batch norm whose training statistics are those of the batches of all processes together.

    Every process must give it a batch of the same size, in the same order of layers.
    """

    ranks: Ranks

    def forward(self, x: Tensor) -> Tensor:
        """Takes and returns N x C x H x W."""
        if not self.training:
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = values.mean(dim=(0, 2, 3))
        variance = values.var(dim=(0, 2, 3), unbiased=False)
        rows: Tensor = _Gathered.apply(torch.stack([mean, variance]), self.ranks)  # type: ignore[no-untyped-call]
        common = rows[:, 0].mean(dim=0)
        # Not as a difference of squares, which would cancel.
        spread = (rows[:, 1] + (rows[:, 0] - common).square()).mean(dim=0)
        self._update(common.detach(), spread.detach(), x.numel() // x.shape[1] * self.ranks.count)
        scale = self.weight * (spread + self.eps).rsqrt()
        shifted = values * scale.view(1, -1, 1, 1) + (self.bias - common * scale).view(1, -1, 1, 1)
        return shifted.to(x.dtype)

    def _update(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


def with_common_norms(network: nn.Module, ranks: Ranks) -> None:
    """Gives a network batch norms that see the pictures of all processes; with one process nothing changes."""
    if ranks.count == 1:
        return
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            # Same parameters, buffers and settings: only what it does with them is another thing.
            module.__class__ = CommonNorm
            cast(CommonNorm, module).ranks = ranks


class _Gathered(torch.autograd.Function):
    """The tensors of all processes as rows; the gradient of a row is the sum of what all processes do with it."""

    @staticmethod
    def forward(context: Any, own: Tensor, ranks: Ranks) -> Tensor:
        context.ranks = ranks
        rows = own.new_zeros((ranks.count, *own.shape))
        rows[ranks.rank] = own
        _add_up(rows)
        return rows

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        _add_up(total)
        return total[context.ranks.rank], None
