"""Models that all of these tests use, written once."""

from __future__ import annotations

import pytest

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
def layer() -> bytes:
    return onnx_of_layer(SearchSpace.load("nano").entries[5], opset=13)
