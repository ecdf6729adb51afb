"""From fused layers back to ONNX nodes: marks, names, and what cannot be told."""

from __future__ import annotations

import json

import pytest

from device_agents.backends.tensorrt.fused import layer_times, origin, read_layers
from device_agents.protocol import RpcError


@pytest.mark.parametrize("separator", ["\x1e", "\x1f", "", "\\u001f"])
def test_marks_name_the_nodes_whatever_stands_between_them(separator):
    text = (
        '{"Layers": [{"Name": "a.Conv + a.Relu", "LayerType": "CaskConvolution", "Metadata": "'
        f'[ONNX Layer: a.Conv]{separator}[ONNX Layer: a.Relu | fn.call]{separator}[ONNX Layer: a.Conv]"'
        '}], "Bindings": ["input"], "Unknown": 1}'
    )
    (layer,) = read_layers(text)
    assert origin(layer["Name"], layer) == (["a.Conv", "a.Relu"], "")


def test_layers_without_details_are_plain_names():
    text = json.dumps({"Layers": ["a.Conv + a.Relu", "Reformatting CopyNode for Input Tensor 0 to b.Conv"]})
    assert [layer["Name"] for layer in read_layers(text)] == ["a.Conv + a.Relu", *json.loads(text)["Layers"][1:]]


@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("encoder.stage1.0.conv1.conv.Conv", ["encoder.stage1.0.conv1.conv.Conv"]),
        ("a.Conv + b.Add + c.Relu", ["a.Conv", "b.Add", "c.Relu"]),
        ("PWN(a.Sigmoid, b.Mul)", ["a.Sigmoid", "b.Mul"]),
        ("PWN(PWN(a.Sigmoid), b.Mul)", ["a.Sigmoid", "b.Mul"]),
        ("a.Conv + PWN(b.Sigmoid + c.Mul)", ["a.Conv", "b.Sigmoid", "c.Mul"]),
        ("a.Conv || b.Conv", ["a.Conv", "b.Conv"]),
        ("a.Conv + (Unnamed Layer* 3) [Shuffle]", ["a.Conv"]),
        ("a.Conv + a.Conv", ["a.Conv"]),
    ],
)
def test_names_are_taken_apart(name, nodes):
    assert origin(name, {}) == (nodes, "nodes read from the layer's name")


def test_a_foreign_node_names_only_its_ends():
    nodes, note = origin("{ForeignNode[a.0.Conv...b.1.Resize]}", {"LayerType": "Myelin"})
    assert nodes == ["a.0.Conv", "b.1.Resize"]
    assert "between are not named" in note
    metadata = "[ONNX Layer: a]\x1f[ONNX Layer: m]\x1f[ONNX Layer: b]"
    nodes, note = origin("{ForeignNode[a...b]}", {"Metadata": metadata})
    assert nodes == ["a", "m", "b"]
    assert "cannot be split" in note


@pytest.mark.parametrize(
    ("name", "layer", "note"),
    [
        ("Reformatting CopyNode for Input Tensor 0 to a.Conv + a.Relu", {}, "layout change for a.Conv + a.Relu"),
        ("Reformatting CopyNode for Output Tensor 1 to b", {"LayerType": "Reformat"}, "layout change for b"),
        ("(Unnamed Layer* 3) [Constant]", {}, "made by TensorRT, no ONNX node is named"),
        ("17", {"LayerType": "wait"}, "made by TensorRT, no ONNX node is named"),
    ],
)
def test_what_no_node_stands_behind_has_a_note(name, layer, note):
    assert origin(name, layer) == ([], note)


def test_times_are_joined_in_order_even_for_equal_names():
    information = [
        {"Name": "copy", "LayerType": "NoOp", "Metadata": "[ONNX Layer: a]"},
        {"Name": "copy", "LayerType": "Shuffle", "Metadata": "[ONNX Layer: b]"},
    ]
    rows = layer_times([("copy [profile 1]", 5), ("copy [profile 1]", 7), ("new\x1fone", 1)], information)
    assert [(row["kind"], row["ns"], row["nodes"]) for row in rows[:2]] == [("NoOp", 5, ["a"]), ("Shuffle", 7, ["b"])]
    assert rows[2] == {"name": "new one", "kind": "", "ns": 1, "nodes": [], "note": rows[2]["note"]}


@pytest.mark.parametrize("text", ["", "{}", '{"Layers": [{"LayerType": "x"}]}', '{"Layers": 3}', "[1"])
def test_other_json_is_refused(text):
    with pytest.raises(RpcError, match="engine information cannot be read"):
        read_layers(text)
