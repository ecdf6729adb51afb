"""Sorted channels: the largest network computes the same, and smaller ones inherit what matters most."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mosegedge.space import SearchSpace
from mosegedge.supernet.activation import Kind
from mosegedge.supernet.importance import ChannelGroup, channel_groups, sort_channels
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.train import decoder_readers

TINY, NANO = SearchSpace.load("tiny:96x192:19"), SearchSpace.load("nano:96x192:19")


def shaken(space: SearchSpace) -> Supernet:
    """A supernet none of whose channels is like another."""
    generator = torch.Generator().manual_seed(0)
    supernet = Supernet(space, generator).eval()
    with torch.no_grad():
        for tensor in supernet.network.state_dict().values():
            if tensor.dim() == 1:
                tensor.uniform_(0.5, 1.5, generator=generator)
    return supernet


def groups_of(space: SearchSpace) -> list[ChannelGroup]:
    return channel_groups("subnet.encoder.", decoder_readers(space))


@pytest.mark.parametrize(("space", "kinds"), [(NANO, {"expansion"}), (NANO, {"width"}), (TINY, {"expansion", "width"})])
def test_largest_network_computes_the_same_before_and_after(space: SearchSpace, kinds: set[Kind]) -> None:
    supernet = shaken(space)
    picture = torch.randn(1, 3, 64, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = supernet(picture, space.largest)
        smaller = supernet(picture, space.smallest)
        sort_channels(supernet.network.state_dict(), [], groups_of(space), kinds)
        after = supernet(picture, space.largest)
        smaller_after = supernet(picture, space.smallest)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(one.abs().max()))
    assert not torch.allclose(smaller[0], smaller_after[0], rtol=1e-2)


def test_channels_stand_in_the_order_of_the_weights_that_read_them() -> None:
    supernet = shaken(NANO)
    tensors = supernet.network.state_dict()
    sort_channels(tensors, [], groups_of(NANO), {"expansion", "width"})
    for group in groups_of(NANO):
        importance = sum(tensors[name].abs().sum(dim=(0, 2, 3)) for name in group.readers)
        assert isinstance(importance, Tensor)
        assert (importance.diff() <= 1e-4 * importance.max()).all(), group


def test_every_tensor_that_a_width_or_an_expansion_cuts_is_sorted_along_that_axis() -> None:
    full = {name: tensor.shape for name, tensor in Supernet(NANO, torch.Generator()).inherited(NANO.largest).items()}
    digits = NANO.encode([NANO.largest])
    digits[:, [n for n, d in enumerate(NANO.largest.digits) if d == 3]] = 1
    digits[:, [2, 4, 10, 16, 24]] = 0
    cut = Supernet(NANO, torch.Generator()).inherited(NANO.decode(digits)[0])
    wanted = {
        ("subnet." + name, axis)
        for name, tensor in cut.items()
        for axis in range(min(2, tensor.dim()))
        if tensor.shape[axis] < full[name][axis]
    }
    names = ("conv.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")
    sorted_ = {(f"{path}.{name}", 0) for group in groups_of(NANO) for path in group.writers for name in names}
    assert sorted_ | {(name, 1) for group in groups_of(NANO) for name in group.readers} == wanted


def test_momenta_and_averages_follow_their_weights() -> None:
    supernet = shaken(NANO)
    tensors = supernet.network.state_dict()
    companion = {name: tensor.clone() for name, tensor in tensors.items() if tensor.dim() == 4}
    sort_channels(tensors, [companion], groups_of(NANO), {"expansion", "width"})
    for name, tensor in companion.items():
        assert torch.equal(tensor, tensors[name])


def test_sorting_again_changes_nothing(rng: np.random.Generator) -> None:
    supernet = shaken(NANO)
    tensors = supernet.network.state_dict()
    sort_channels(tensors, [], groups_of(NANO), {"width"})
    once = {name: tensor.clone() for name, tensor in tensors.items()}
    sort_channels(tensors, [], groups_of(NANO), {"width"})
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, once[name], rtol=0, atol=0)
