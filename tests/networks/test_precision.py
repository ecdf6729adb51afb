"""FP16 conversion on the host: right results, kept names and ports, equal bytes; and telling what a file is in."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mosegedge.errors import ExportError
from mosegedge.networks.onnx import onnx_of_layer, onnx_of_network
from mosegedge.networks.precision import precision_of, to_fp16
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano")
KINDS = {spec.kind if hasattr(spec, "kind") else type(spec).__name__: spec for spec in SPACE.entries}


def outputs_of(content: bytes, rng: np.random.Generator) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = {port.name: rng.standard_normal(port.shape).astype(np.float32) for port in session.get_inputs()}
    return session.run(None, feeds)


def assert_close(content: bytes) -> None:
    exact = outputs_of(content, np.random.default_rng(0))
    halved = outputs_of(to_fp16(content), np.random.default_rng(0))
    for wanted, found in zip(exact, halved, strict=True):
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() <= 0.02 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("which", ["smallest", "largest"])
def test_networks_give_nearly_the_same_in_fp16(opset, which):
    assert_close(onnx_of_network(SPACE, getattr(SPACE, which), opset=opset))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_layers_give_nearly_the_same_in_fp16(kind):
    assert_close(onnx_of_layer(KINDS[kind], opset=11))


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_the_file_is_valid_typed_and_keeps_its_names(opset):
    content = onnx_of_network(SPACE, SPACE.largest, opset=opset)
    converted = to_fp16(content)
    before, after = (onnx.load_model_from_string(item) for item in (content, converted))
    onnx.checker.check_model(after, full_check=True)
    assert precision_of(content) == "fp32"
    assert precision_of(converted) == "fp16"
    kept = {node.name for node in before.graph.node if node.op_type != "Constant"}
    added = [node for node in after.graph.node if node.name not in kept]
    assert len(after.graph.node) - len(added) == len(kept)
    # One at the input and one at the output, nothing in between.
    assert [node.op_type for node in added] == ["Cast", "Cast"]
    assert [added[0].input[0], added[1].output[0]] == ["input", "output"]
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert after.opset_import[0].version == opset
    assert len(converted) < 0.7 * len(content)


@pytest.mark.parametrize("opset", [11, 17])
def test_the_factors_of_a_resize_stay_constants_in_fp32(opset):
    graph = onnx.load_model_from_string(to_fp16(onnx_of_network(SPACE, SPACE.largest, opset=opset))).graph
    weights = {tensor.name: tensor.data_type for tensor in graph.initializer}
    factors = [node.input[2] for node in graph.node if node.op_type == "Resize"]
    assert factors
    assert {weights[name] for name in factors} == {TensorProto.FLOAT}


def test_equal_bytes_for_equal_models():
    content = onnx_of_network(SPACE, SPACE.smallest)
    assert to_fp16(content) == to_fp16(content)


def test_what_is_not_fp32_is_not_converted_again():
    converted = to_fp16(onnx_of_network(SPACE, SPACE.smallest))
    with pytest.raises(ExportError, match="fp16, not fp32"):
        to_fp16(converted)


def one_node(operator: str, weight: np.ndarray | None = None, **attributes: object) -> bytes:
    inputs = ["x"] if weight is None else ["x", "w"]
    node = helper.make_node(operator, inputs, ["y"], name="only", **attributes)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in "xy"]
    weights = [] if weight is None else [numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString()


def test_a_weight_beyond_fp16_is_named():
    with pytest.raises(ExportError, match="w has the value 1e\\+06"):
        to_fp16(one_node("MatMul", np.full((2, 2), 1e6, np.float32)))


def test_models_without_weights_are_told_by_their_casts():
    content = one_node("Relu")
    assert precision_of(content) == "fp32"
    assert precision_of(to_fp16(content)) == "fp16"


def test_mixed_and_quantised_files_are_told():
    model = onnx.load_model_from_string(one_node("MatMul", np.ones((2, 2), np.float32)))
    model.graph.node.append(helper.make_node("MatMul", ["y", "v"], ["z"], name="second"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((2, 2), np.float16), "v"))
    assert precision_of(model.SerializeToString()) == "mixed"
    model.graph.node.append(helper.make_node("QuantizeLinear", ["z", "s"], ["q"], name="third"))
    assert precision_of(model.SerializeToString()) == "int8"
