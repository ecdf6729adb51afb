"""Activated supernet, extracted network and exported ONNX compute the same; inherited weights are plain slices."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from mosegedge.networks.onnx import export_module
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.evaluate import reestimate_statistics
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.slots import Slots
from mosegedge.supernet.start import StartWeights


def shaken_supernet(space: SearchSpace) -> Supernet:
    """A supernet whose every tensor differs from its initial value, so that a swapped slice shows."""
    generator = torch.Generator().manual_seed(0)
    supernet = Supernet(space, generator)
    with torch.no_grad():
        for name, tensor in supernet.network.state_dict().items():
            if tensor.dtype.is_floating_point and tensor.dim() == 1:
                low = 0.5 if "var" in name or "norm.weight" in name else -0.2
                tensor.uniform_(low, low + 0.5, generator=generator)
    return supernet.eval()


@pytest.mark.parametrize("preset", ["nano", "tiny"])
def test_supernet_subnet_and_onnx_give_the_same_output(preset: str, rng: np.random.Generator) -> None:
    space = SearchSpace.load(preset)
    supernet = shaken_supernet(space)
    codes = space.sample(6, rng)
    codes[:, 0] = [0, 1, 2, 0, 1, 0]
    for architecture in [space.smallest, *space.decode(codes)]:
        size = space.input_size(architecture)
        picture = torch.from_numpy(rng.normal(size=(1, 3, *size)).astype(np.float32))
        with torch.no_grad():
            activated = supernet(picture, architecture)[0].numpy()
            extracted = supernet.extract(architecture)(picture).numpy()
        model = export_module(supernet.extract(architecture), ((1, 3, *size),), opset=17)
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        exported = session.run(None, {"input": picture.numpy()})[0]
        scale = np.abs(activated).max()
        assert np.abs(extracted - activated).max() <= 1e-4 * scale
        assert np.abs(exported - activated).max() <= 1e-4 * scale


def test_inherited_weights_are_slices_from_the_origin(rng: np.random.Generator) -> None:
    space = SearchSpace.load("nano")
    supernet = shaken_supernet(space)
    full = supernet.extract(space.largest).state_dict()
    for architecture in space.decode(space.sample(30, rng)):
        state = supernet.extract(architecture).state_dict()
        assert state.keys() == SubNet(space, architecture).state_dict().keys()
        for name, tensor in state.items():
            assert torch.equal(tensor, full[name][tuple(slice(size) for size in tensor.shape)])


def test_training_a_network_changes_only_its_slice(rng: np.random.Generator) -> None:
    space = SearchSpace.load("nano")
    supernet = shaken_supernet(space).train()
    architecture = Architecture.parse("0 00 001100 001100 00111100 001100")
    before = {name: tensor.clone() for name, tensor in supernet.network.state_dict().items()}
    picture = torch.from_numpy(rng.normal(size=(2, 3, 64, 128)).astype(np.float32))
    sum(output.square().mean() for output in supernet(picture, architecture)).backward()
    with torch.no_grad():
        for parameter in supernet.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    inherited = supernet.inherited(architecture)
    for name, tensor in supernet.network.state_dict().items():
        path = name.removeprefix("subnet.")
        changed = tensor != before[name]
        if name.startswith("subnet.") and path not in inherited:
            assert not changed.any(), name
        elif name.startswith("subnet."):
            inside = torch.zeros_like(changed)
            inside[tuple(slice(size) for size in inherited[path].shape)] = True
            assert not (changed & ~inside).any(), name
            if name.endswith(("weight", "running_mean")):
                assert changed[inside].any(), name


def test_gradients_of_networks_add_up_in_the_shared_weights(rng: np.random.Generator) -> None:
    space = SearchSpace.load("nano")
    supernet = shaken_supernet(space).train()
    picture = torch.from_numpy(rng.normal(size=(2, 3, 64, 128)).astype(np.float32))
    expected: dict[str, torch.Tensor] = {}
    # The largest one neither first nor last: gradients are there before it, and smaller ones are added to its own.
    for architecture in [*space.decode(space.sample(1, rng)), space.largest, space.smallest]:
        own = build_with_weights(lambda code=architecture: TrainingNetwork(space, code), torch.Generator()).train()
        start = StartWeights(kind="supernet", tensors=supernet.network.state_dict(), sha256="")
        start.copy_into(own)
        sum(output.square().mean() for output in own(picture)).backward()
        for name, parameter in own.named_parameters():
            whole = expected.setdefault(name, torch.zeros_like(supernet.network.get_parameter(name)))
            whole[tuple(slice(size) for size in parameter.shape)] += parameter.grad
        sum(output.square().mean() for output in supernet(picture, architecture)).backward()
    for name, parameter in supernet.network.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_module_that_was_run_with_other_tensors_has_its_own_again(rng: np.random.Generator) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.BatchNorm2d(2)).eval()
    slots, picture = Slots(module), torch.from_numpy(rng.normal(size=(1, 3, 2, 2)).astype(np.float32))
    own = slots.tensors()
    assert {name: id(tensor) for name, tensor in own.items()} == {
        name: id(tensor) for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
    before = module(picture)
    torch.testing.assert_close(slots.run(own | {"1.bias": own["1.bias"] + 1}, picture), before + 1)
    with pytest.raises(RuntimeError, match="channels"):
        slots.run(own, picture[:, :2])
    assert torch.equal(module(picture), before)
    with pytest.raises(AssertionError, match="every place gets a tensor"):
        slots.run({"0.bias": own["0.bias"]}, picture)


def test_extracted_network_is_a_copy() -> None:
    space = SearchSpace.load("nano")
    supernet = shaken_supernet(space)
    subnet = supernet.extract(space.largest)
    with torch.no_grad():
        subnet.get_parameter("encoder.stem.conv1.conv.weight").zero_()
    assert supernet.network.subnet.get_parameter("encoder.stem.conv1.conv.weight").abs().sum() > 0


def test_statistics_do_not_depend_on_the_order_of_batches(rng: np.random.Generator) -> None:
    space = SearchSpace.load("nano")
    supernet = shaken_supernet(space)
    batches = [torch.from_numpy(rng.normal(size=(4, 3, 64, 128)).astype(np.float32)) for _ in range(4)]
    states = []
    for order in (batches, batches[::-1]):
        subnet = supernet.extract(space.smallest)
        reestimate_statistics(subnet, order)
        states.append(subnet.state_dict())
        assert not subnet.training
    for name, tensor in states[0].items():
        torch.testing.assert_close(tensor, states[1][name], rtol=1e-4, atol=1e-5)
    inherited = supernet.extract(space.smallest).state_dict()["encoder.stem.conv1.norm.running_mean"]
    assert not torch.equal(states[0]["encoder.stem.conv1.norm.running_mean"], inherited)


def test_seed_decides_the_weights() -> None:
    space = SearchSpace.load("nano")
    states = [Supernet(space, torch.Generator().manual_seed(seed)).state_dict() for seed in (1, 1, 2)]
    name = "network.subnet.encoder.stem.conv1.conv.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])
