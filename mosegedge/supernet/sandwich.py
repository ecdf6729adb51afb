"""The sandwich rule: networks of one step, gradients of all of them, channels sorted when choices open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mosegedge.space import Architecture
from mosegedge.supernet.activation import sorted_kinds
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.importance import ChannelGroup, sort_channels
from mosegedge.supernet.loss import distillation_loss
from mosegedge.supernet.schedule import SandwichConfig

Outputs = tuple[Tensor, ...]


def sandwich_losses(
    networks: Sequence[Architecture],
    outputs_of: Callable[[Architecture], Outputs],
    loss_of: Callable[[Outputs], Tensor],
    fitter: Fitter,
    config: SandwichConfig,
) -> dict[str, float]:
    """Forward and backward passes of the networks of a step; the first one teaches the others.

    Args:
        networks: The largest one first.
        outputs_of: Runs one of them.
        loss_of: Its loss against the labels.
        fitter: Gathers the gradients.
        config: Says how much the soft labels count.

    Returns:
        Loss of the first and of the last network against the labels, over all processes.
    """
    losses: list[Tensor] = []
    teacher: Tensor | None = None
    for network in networks:
        with fitter.place.autocast(config.precision):
            outputs = outputs_of(network)
        outputs = tuple(output.float() for output in outputs)
        loss = loss_of(outputs)
        losses.append(loss.detach())
        if teacher is None:
            teacher = outputs[0].detach()
        else:
            loss = loss + config.distillation * distillation_loss(outputs[0], teacher)
        fitter.backward(loss / len(networks))
    ranks = fitter.place.ranks
    return {
        "largest": float(ranks.total(losses[0])) / ranks.count,
        "smallest": float(ranks.total(losses[-1])) / ranks.count,
    }


def sort_due_channels(
    network: nn.Module, fitter: Fitter, groups: Sequence[ChannelGroup], config: SandwichConfig, step: int
) -> None:
    """Sorts the channels of those choices that a step opens, with their momenta and averages."""
    kinds = sorted_kinds(config, step)
    if kinds:
        sort_channels(network.state_dict(), fitter.companions(), groups, kinds)
