"""Where a training computes: the CPU or a GPU, in which number formats it can, and beside which other processes."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from mosegedge.errors import UsageError
from mosegedge.supernet.ranks import Ranks
from mosegedge.supernet.schedule import Precision

Network = TypeVar("Network", bound=nn.Module)

_FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The CPU, or one GPU of this machine.

    Attributes:
        device: As PyTorch names it.
        ranks: The processes that share the pictures of a step.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    ranks: Ranks = field(default_factory=Ranks)

    def require(self, precision: Precision) -> None:
        """Raises UsageError where a number format cannot be trained in."""
        if precision == "fp16" and self.device.type == "cpu":
            raise UsageError(
                "fp16 cannot be trained on a CPU.",
                known="Its small numbers need a scaled loss and half-precision arithmetic that only GPUs have.",
                fix="--precision bf16 or --precision fp32, or train on a GPU: --on cuda.",
            )
        if (
            precision == "bf16"
            and self.device.type == "cuda"
            and not torch.cuda.is_bf16_supported(including_emulation=False)
        ):
            name = torch.cuda.get_device_name(self.device)
            raise UsageError(f"{name} has no bf16 arithmetic.", fix="--precision fp16")

    def autocast(self, precision: Precision) -> AbstractContextManager[object]:
        """Forward passes in this context compute in a number format."""
        if precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_FORMATS[precision])

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor in the memory of the CPU or GPU."""
        return tensor.to(self.device)

    def hold(self, network: Network, *, channels_last: bool) -> Network:
        """The network in the memory of the CPU or GPU; channels-last is a quarter faster on a CPU."""
        if channels_last:
            # The stubs do not know this overload.
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device)

    def rows(self, tensor: Tensor) -> Tensor:
        """This process's part of the pictures of a step, in the memory of the CPU or GPU."""
        own = len(tensor) // self.ranks.count
        return self.put(tensor[self.ranks.rank * own : (self.ranks.rank + 1) * own])


def device_named(name: str) -> torch.device:
    """The device of this process.

    Args:
        name: `cpu`, `cuda`, or `auto` for a GPU where PyTorch finds one. Of several GPUs a process that torchrun
            started takes the one with its local number.

    Raises:
        UsageError: There is no such choice, or no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"There is no processor {name!r}.", fix="Choose --on auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "PyTorch finds no GPU here.",
            known=f"This is PyTorch {torch.__version__}.",
            fix="Use --on cpu, or install a PyTorch that fits the GPU's driver.",
        )
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        raise UsageError(
            f"Process {number} of this machine finds no GPU for itself; PyTorch sees {count}.",
            fix=f"Start no more processes than there are GPUs: torchrun --nproc-per-node {count}",
        )
    return torch.device("cuda", number)
