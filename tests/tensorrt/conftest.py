"""Models that all of these tests use, written once."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from mosegedge.networks.onnx import onnx_of_layer, onnx_of_network
from mosegedge.networks.precision import to_fp16
from mosegedge.space import SearchSpace


@pytest.fixture(scope="session")
def network() -> bytes:
    space = SearchSpace.load("nano")
    return onnx_of_network(space, space.smallest, opset=13)


@pytest.fixture(scope="session")
def network_fp16(network: bytes) -> bytes:
    return to_fp16(network)


@pytest.fixture(scope="session")
def strange() -> bytes:
    """A model with an operator that nobody knows."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy"]
    nodes = [helper.make_node("Unheard", ["x"], ["y"], name="head.strange", domain="own")]
    return helper.make_model(helper.make_graph(nodes, "g", ports[:1], ports[1:])).SerializeToString()


@pytest.fixture(scope="session")
def layer() -> bytes:
    return onnx_of_layer(SearchSpace.load("nano").entries[5], opset=13)
