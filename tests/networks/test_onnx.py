"""ONNX files: valid at every opset, static, named by module path, independent of outer random state."""

from __future__ import annotations

import re

import onnx
import pytest
import torch

from mosegedge.errors import ExportError
from mosegedge.networks.onnx import OPSETS, onnx_of_layer, onnx_of_network
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_gives_a_valid_static_model(opset: int) -> None:
    model = onnx.load_model_from_string(onnx_of_network(SPACE, SPACE.smallest, opset=opset))
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == opset
    for value in [*model.graph.input, *model.graph.output]:
        assert all(dimension.dim_value > 0 for dimension in value.type.tensor_type.shape.dim)


def test_only_forms_that_every_compiler_takes() -> None:
    model = onnx.load_model_from_string(onnx_of_network(SPACE, SPACE.largest, opset=11))
    operators = {node.op_type for node in model.graph.node}
    expected = {"Conv", "Relu", "Add", "Mul", "MaxPool", "AveragePool", "GlobalAveragePool", "Sigmoid", "Concat"}
    assert operators == expected | {"Resize", "Constant"}


def test_nodes_are_named_by_module_path() -> None:
    model = onnx.load_model_from_string(onnx_of_network(SPACE, SPACE.largest))
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.]+", name) for name in names)
    assert "encoder.stage3.2.conv2.conv.Conv" in names


@pytest.mark.parametrize("entry", [0, 5, 6, 40, 120, 248])
def test_layer_models_are_valid_and_take_the_stated_inputs(entry: int) -> None:
    spec = SPACE.entries[entry]
    model = onnx.load_model_from_string(onnx_of_layer(spec))
    onnx.checker.check_model(model, full_check=True)
    shapes = tuple(tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in model.graph.input)
    assert shapes == spec.input_shapes


def test_same_layer_same_bytes_and_the_global_generator_stays_as_it_was() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = onnx_of_layer(SPACE.entries[10])
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert onnx_of_layer(SPACE.entries[10]) == first
    assert onnx_of_layer(SPACE.entries[11]) != first


@pytest.mark.parametrize("opset", [10, 18])
def test_opset_outside_the_range_is_refused(opset: int) -> None:
    with pytest.raises(ExportError, match="11 to 17"):
        onnx_of_layer(SPACE.entries[0], opset=opset)
