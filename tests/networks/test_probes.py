"""Probes are what their specification says, in every opset and precision, and their counts are those of the files."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, numpy_helper

from device_agents.backends.simulated import law
from mosegedge.devices import load_device
from mosegedge.errors import ExportError
from mosegedge.networks.onnx import OPSETS, onnx_of_layer
from mosegedge.networks.probes import onnx_of_convolution, onnx_of_relu
from mosegedge.networks.targets import check_for
from mosegedge.profiling.models import onnx_of
from mosegedge.profiling.plan import Item, ProfileSettings, make_plan
from mosegedge.profiling.roofline import EMPTY, LADDERS, ProbeSpec, bytes_copied
from mosegedge.space import SearchSpace
from mosegedge.space.counting import elements_moved_of, flops_of

SPACE = SearchSpace.load("nano")
PLAN = make_plan(SPACE, load_device("local"), ProfileSettings(scales=(0,), networks=8))
SMALL = ProbeSpec(kind="convolution", channels=8, kernel=3, height=4, width=6)


def elements(graph: onnx.GraphProto, names) -> int:
    known = {tensor.name: numpy_helper.to_array(tensor).size for tensor in graph.initializer}
    for port in [*graph.input, *graph.output]:
        size = 1
        for side in port.type.tensor_type.shape.dim:
            size *= side.dim_value
        known[port.name] = size
    return sum(known[name] for name in names)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("half", [False, True])
def test_probes_are_valid_in_every_opset_and_precision(opset, half):
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    for content in (
        onnx_of_convolution(SMALL.shape, kernel=3, opset=opset, half=half),
        onnx_of_relu(EMPTY.shape, opset=opset, half=half),
    ):
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model, full_check=True)
        assert model.opset_import[0].version == opset
        ports = [*model.graph.input, *model.graph.output]
        assert {port.type.tensor_type.elem_type for port in ports} == {kind}
        assert {tensor.data_type for tensor in model.graph.initializer} <= {kind}
        for target in ("tensorrt", "ascend/Ascend310", "ascend/Ascend310B4"):
            assert not [found for found in check_for(content, target) if found.node != "model"]


def test_another_opset_is_refused():
    with pytest.raises(ExportError, match="Opset 18"):
        onnx_of_relu(EMPTY.shape, opset=18, half=False)


@pytest.mark.parametrize("spec", [ladder[0] for ladder in LADDERS], ids=lambda spec: spec.key)
def test_counts_of_probes_are_those_of_their_files(spec):
    graph = onnx.load_model_from_string(onnx_of(Item(spec.key, spec, spec.multiply_adds), PLAN)).graph
    assert elements(graph, ["input"]) == elements(graph, ["output"]) == spec.elements
    assert bytes_copied(spec, "fp32") == 4 * elements(graph, ["input", "output"])
    weights = [tensor for tensor in graph.initializer if tensor.name == "weight"]
    per_output = sum(numpy_helper.to_array(tensor)[0].size for tensor in weights)
    assert spec.multiply_adds == elements(graph, ["output"]) * per_output


def test_larger_probes_are_larger_and_all_have_names_of_their_own():
    specs = [spec for ladder in LADDERS for spec in ladder]
    assert len({spec.key for spec in specs}) == len(specs)
    for ladder in LADDERS:
        work = [spec.multiply_adds or spec.elements for spec in ladder]
        assert work == sorted(set(work))


def test_counts_of_layers_are_those_of_their_files():
    """Multiply-adds of convolutions; weights, inputs and outputs, each once."""
    for layer in SPACE.layers_of(SPACE.uniform(0, 1, depth=1)):
        content = onnx_of_layer(layer.spec)
        graph = onnx.load_model_from_string(content).graph
        convolutions = [node for node in graph.node if node.op_type == "Conv"]
        names = {name for node in convolutions for name in node.input[1:]}
        ports = [port.name for port in [*graph.input, *graph.output]]
        assert elements_moved_of(layer.spec) == elements(graph, [*names, *ports]), layer.name
        counted = law.Graph(content)
        assert flops_of(layer.spec) == sum(counted._multiply_adds(node) for node in convolutions), layer.name
