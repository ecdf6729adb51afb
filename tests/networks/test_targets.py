"""The check of operators before compiling, and other forms of the same: results stay bit for bit."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mosegedge.networks.ascend_forms import AS_EXPORTED, HALF_PIXEL, HALF_PIXEL_CEIL, attributes_of
from mosegedge.networks.onnx import onnx_of_network
from mosegedge.networks.rewriting import set_nearest_forms
from mosegedge.networks.targets import check_for, rewrite_for, target_of
from mosegedge.space import SearchSpace

ASCENDS = ("ascend", "ascend/Ascend310", "ascend/Ascend310B1", "ascend/Ascend310B4", "ascend/Ascend310P3")


@functools.cache
def exported(preset: str) -> bytes:
    """A network of a preset as the exporter writes it: `mosegnas` ends in a pixel shuffle, the others bilinearly."""
    space = SearchSpace.load(preset)
    return onnx_of_network(space, space.smallest, opset=11)


def model_of(*nodes: onnx.NodeProto, shape=(1, 4, 8, 8), kind=TensorProto.FLOAT, opset=11, **constants) -> bytes:
    """A model from `x` to `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()


def resize(inputs=("x", "roi", "scales"), **attributes) -> onnx.NodeProto:
    given = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", **attributes}
    return helper.make_node("Resize", list(inputs), ["y"], "up.Resize", **given)


ROI = {"roi": np.zeros(0, np.float32)}
DOUBLE = {**ROI, "scales": np.array([1, 1, 2, 2], np.float32)}


def found(content: bytes, target: str = "ascend/Ascend310") -> list[tuple[str, str]]:
    return [(finding.op_type, finding.severity) for finding in check_for(content, target)]


def run(content: bytes, *shape: int) -> np.ndarray:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    # No optimisation: the forms themselves are compared.
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return session.run(None, {session.get_inputs()[0].name: picture})[0]


@pytest.mark.parametrize("preset", ["tiny", "nano", "mosegnas"])
@pytest.mark.parametrize("target", [*ASCENDS, "tensorrt", "onnxruntime"])
def test_exported_networks_have_no_finding_in_the_form_of_their_target(preset, target):
    assert check_for(rewrite_for(exported(preset), target), target) == []


@pytest.mark.parametrize("preset", ["tiny", "nano", "mosegnas"])
@pytest.mark.parametrize("target", ASCENDS)
def test_exported_networks_have_no_error_even_before(preset, target):
    errors = {finding.op_type for finding in check_for(exported(preset), target) if finding.severity == "error"}
    assert errors == ({"DepthToSpace"} if preset == "mosegnas" and "310B" in target else set())


def test_the_forms_of_a_target_change_no_bit_of_a_network():
    content = exported("tiny")
    size = SearchSpace.load("tiny").input_size(SearchSpace.load("tiny").smallest)
    rewritten = rewrite_for(content, "ascend/Ascend310B4")
    assert rewritten != content
    np.testing.assert_array_equal(run(rewritten, 1, 3, *size), run(content, 1, 3, *size))
    assert rewrite_for(rewritten, "ascend/Ascend310B4") == rewritten
    onnx.checker.check_model(onnx.load_model_from_string(rewritten), full_check=True)


@pytest.mark.parametrize("target", ["tensorrt", "onnxruntime"])
def test_other_targets_get_the_very_same_bytes(target):
    assert rewrite_for(exported("mosegnas"), target) == exported("mosegnas")


@pytest.mark.parametrize("height", [1, 2, 5, 8])
def test_three_forms_of_nearest_neighbours_pick_the_same_pixels_at_a_factor_of_two(height):
    results = []
    for form in (AS_EXPORTED, HALF_PIXEL, HALF_PIXEL_CEIL):
        model = onnx.load_model_from_string(model_of(resize(), shape=(1, 4, height, 7), **DOUBLE))
        assert set_nearest_forms(model, form) == (form != AS_EXPORTED)
        assert attributes_of(model.graph.node[0])["nearest_mode"] == form.rounding
        results.append(run(model.SerializeToString(), 1, 4, height, 7))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(
    "content",
    [
        model_of(resize(), **ROI, scales=np.array([1, 1, 3, 3], np.float32)),
        model_of(resize(nearest_mode="ceil"), **DOUBLE),
        model_of(resize(mode="linear", coordinate_transformation_mode="half_pixel"), **DOUBLE),
    ],
    ids=["by 3", "other pixels", "linear"],
)
def test_a_resize_that_would_change_is_left_alone(content):
    assert rewrite_for(content, "ascend/Ascend310B4") == content


@pytest.mark.parametrize("block", [2, 8])
def test_a_pixel_shuffle_becomes_a_transpose_with_names_of_its_module(block):
    node = helper.make_node("DepthToSpace", ["x"], ["y"], "decoder.DepthToSpace", blocksize=block, mode="CRD")
    shape = (2, 3 * block**2, 4, 5)
    content = model_of(node, shape=shape)
    rewritten = rewrite_for(content, "ascend")
    np.testing.assert_array_equal(run(rewritten, *shape), run(content, *shape))
    names = [node.name for node in onnx.load_model_from_string(rewritten).graph.node]
    assert names == ["decoder.Reshape", "decoder.Transpose", "decoder.Reshape_1"]
    assert found(content) == [("DepthToSpace", "warning")]
    assert found(content, "ascend/Ascend310B1") == [("DepthToSpace", "error")]
    assert found(rewritten, "ascend/Ascend310B1") == []


def pool(**attributes) -> bytes:
    node = helper.make_node("AveragePool", ["x"], ["y"], "pool.AveragePool", **attributes)
    return model_of(node, shape=(1, 4, 64, 64))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (pool(kernel_shape=[16, 16]), []),
        (pool(kernel_shape=[17, 16]), [("AveragePool", "warning")]),
        (pool(kernel_shape=[1, 256]), [("AveragePool", "warning")]),
        (pool(kernel_shape=[2, 2], strides=[64, 1]), [("AveragePool", "warning")]),
        (pool(kernel_shape=[2, 2], ceil_mode=1), [("AveragePool", "warning")]),
        (pool(kernel_shape=[2, 2], ceil_mode=1, auto_pad="VALID"), [("AveragePool", "error")]),
        (pool(kernel_shape=[2, 2], auto_pad="SAME_LOWER"), [("AveragePool", "error")]),
        (pool(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), [("AveragePool", "error")]),
        (pool(kernel_shape=[2, 2], count_include_pad=1), [("AveragePool", "warning")]),
        (model_of(resize(mode="cubic"), **DOUBLE), [("Resize", "error")]),
        (model_of(resize(nearest_mode="ceil"), **DOUBLE), [("Resize", "warning")]),
        (model_of(resize(), opset=13, **DOUBLE), [("opset 13", "warning"), ("Resize", "error")]),
        (
            model_of(helper.make_node("Relu", ["x"], ["scales"], "r"), resize(), **ROI),
            [("Resize", "error")],
        ),
        (
            model_of(helper.make_node("ReduceMean", ["x"], ["y"], "m", axes=[2, 3])),
            [("ReduceMean", "warning")],
        ),
        (model_of(helper.make_node("Shape", ["x"], ["y"], "s")), [("Shape", "warning")]),
        (model_of(helper.make_node("NonZero", ["x"], ["y"], "n")), [("NonZero", "error")]),
        (model_of(helper.make_node("Einsum", ["x"], ["y"], "e", equation="ij->ji"), opset=12), [("Einsum", "warning")]),
        (model_of(helper.make_node("Strange", ["x"], ["y"], "z", domain="mine")), [("Strange", "error")]),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), opset=7), [("opset 7", "error")]),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), opset=17), [("opset 17", "error")]),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), opset=14), [("opset 14", "warning")]),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), opset=12), []),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), shape=(1, 4, "h", 8)), [("input", "error")]),
        (model_of(helper.make_node("Relu", ["x"], ["y"], "r"), kind=TensorProto.INT64), [("input", "error")]),
    ],
    ids=lambda value: "model" if isinstance(value, bytes) else str(value),
)
def test_known_limits_are_found(content, expected):
    assert found(content) == expected


def test_a_finding_says_where_why_and_what_to_use_instead():
    (finding,) = check_for(pool(kernel_shape=[60, 60]), "ascend")
    assert finding.node == "pool.AveragePool"
    assert "AI CPU" in finding.why
    assert "GlobalAveragePool" in finding.instead


def test_padding_that_counts_is_dropped_only_where_nothing_is_padded():
    for attributes in ({"pads": [1, 1, 1, 1]}, {"ceil_mode": 1}, {"auto_pad": "SAME_UPPER"}):
        content = pool(kernel_shape=[3, 3], count_include_pad=1, **attributes)
        assert rewrite_for(content, "ascend") == content
    content = pool(kernel_shape=[2, 2], pads=[0, 0, 0, 0], count_include_pad=1)
    rewritten = rewrite_for(content, "ascend")
    assert found(rewritten) == []
    np.testing.assert_array_equal(run(rewritten, 1, 4, 64, 64), run(content, 1, 4, 64, 64))


def test_names_that_a_profile_cannot_be_mapped_back_by_are_told_for_tensorrt():
    nodes = [
        helper.make_node("Relu", [a], [b], name)
        for a, b, name in zip("xabcd", "abcdy", ["", 'q"', "t", "t", "u"], strict=True)
    ]
    findings = check_for(model_of(*nodes), "tensorrt")
    assert [finding.node for finding in findings] == ["node 0", 'q"', "t", "t"]
    assert {finding.severity for finding in findings} == {"warning"}
    assert check_for(model_of(*nodes), "onnxruntime") == []


def test_a_target_is_named_by_its_backend_and_its_chip():
    assert target_of("ascend", {"soc_version": "Ascend310B4", "atc": "host"}) == "ascend/Ascend310B4"
    assert target_of("tensorrt", {"cuda_graph": "on"}) == "tensorrt"
