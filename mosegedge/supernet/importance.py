"""Brings the channels that matter most to the front, where smaller networks take their own from.

A channel's importance is the sum of the absolute weights with which the following layers read it, as in once-for-all.
All tensors that hold the channel are permuted together, so every output of the largest network stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import torch
from torch import Tensor

from mosegedge.space.architecture import STAGES
from mosegedge.supernet.activation import Kind

_NORM = ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only change places together.

    Attributes:
        kind: The digits that decide how many of them a network takes.
        writers: Paths of the `ConvNorm`s that produce them.
        readers: Names of the kernels that take them in.
    """

    kind: Kind
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def channel_groups(encoder: str, heads: Mapping[int, tuple[str, ...]]) -> list[ChannelGroup]:
    """All groups of channels of an encoder whose number a digit decides.

    Args:
        encoder: Path of the encoder, with a dot at its end.
        heads: For stages 2, 3 and 4 the kernels behind the encoder that read their output.
    """
    stem = f"{encoder}stem."
    middle = (f"{stem}conv2.conv.weight", f"{stem}conv3.conv.weight")
    groups = [
        ChannelGroup("width", (f"{stem}conv1", f"{stem}conv2"), middle),
        ChannelGroup("width", (f"{stem}conv3",), _first_readers(encoder, 1)),
    ]
    for number, stage in enumerate(STAGES, start=1):
        layers = [f"{encoder}stage{number}.{index}." for index in range(stage.max_depth)]
        for layer in layers:
            groups.append(ChannelGroup("expansion", (f"{layer}conv1",), (f"{layer}conv2.conv.weight",)))
            groups.append(ChannelGroup("expansion", (f"{layer}conv2",), (f"{layer}conv3.conv.weight",)))
        writers = (f"{layers[0]}shortcut.conv", *(f"{layer}conv3" for layer in layers))
        readers = tuple(f"{layer}conv1.conv.weight" for layer in layers[1:])
        following = _first_readers(encoder, number + 1) if number < len(STAGES) else ()
        groups.append(ChannelGroup("width", writers, (*readers, *following, *heads.get(number, ()))))
    return groups


def sort_channels(
    tensors: Mapping[str, Tensor],
    companions: Sequence[Mapping[str, Tensor]],
    groups: Sequence[ChannelGroup],
    kinds: AbstractSet[Kind],
) -> None:
    """Sorts channels by falling importance, in place.

    Args:
        tensors: Parameters and buffers of the largest network, by name.
        companions: What follows them, as momenta and moving averages; a name may be absent.
        groups: Of the network.
        kinds: The groups that are sorted.
    """
    with torch.no_grad():
        for group in groups:
            if group.kind not in kinds:
                continue
            # Kernels are outputs x inputs x height x width, the weights of a classifier outputs x inputs.
            importance = sum(tensors[name].abs().transpose(0, 1).flatten(1).sum(dim=1) for name in group.readers)
            order = torch.argsort(torch.as_tensor(importance), descending=True, stable=True)
            for holder in (tensors, *companions):
                _permute(holder, group, order)


def _permute(holder: Mapping[str, Tensor], group: ChannelGroup, order: Tensor) -> None:
    names = [(f"{path}.{part}", 0) for path in group.writers for part in ("conv.weight", *_NORM)]
    for name, axis in (*names, *((name, 1) for name in group.readers)):
        if name in holder:
            holder[name].copy_(holder[name].index_select(axis, order))


def _first_readers(encoder: str, stage: int) -> tuple[str, ...]:
    layer = f"{encoder}stage{stage}.0."
    return f"{layer}conv1.conv.weight", f"{layer}shortcut.conv.conv.weight"
