"""Number formats of ONNX files: conversion to FP16 on the host, and what a file is in.

Some builders have no switch for the precision and take the types in the file as they are; others have one. The
conversion is that of ONNX Runtime, so one well-kept tool decides what stays in FP32.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from mosegedge.errors import ExportError

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_QUANTISED = ("QuantizeLinear", "DequantizeLinear")
_NAMES = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.BFLOAT16: "bf16"}
_LARGEST_FP16 = float(np.finfo(np.float16).max)


def to_fp16(content: bytes) -> bytes:
    """The same model with weights and activations in FP16; inputs, outputs and the names of its nodes stay.

    Constant nodes become weights: the factors of a Resize stay in FP32, and a builder needs them as constants, not as
    the output of a conversion that runs on the device.

    Args:
        content: An ONNX file in FP32.

    Returns:
        Equal bytes for equal input.

    Raises:
        ExportError: The file is not in FP32, or a weight is beyond what FP16 can hold.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    found = precision_of(content)
    if found != "fp32":
        raise ExportError(f"The model is in {found}, not fp32.", fix="Convert the FP32 file that was exported.")
    model = onnx.load_model_from_string(content)
    _check_range(model.graph)
    _constants_to_weights(model.graph)
    names = [node.name for node in model.graph.node]
    converted = convert_float_to_float16(model, keep_io_types=True)
    # Shapes that were inferred on the way do not depend on the model alone, and no builder needs them.
    del converted.graph.value_info[:]
    added = {node.name for node in converted.graph.node} - set(names)
    assert len(converted.graph.node) == len(names) + len(added), "the conversion lost or renamed nodes"
    _sort(converted.graph, added)
    result: bytes = converted.SerializeToString(deterministic=True)
    return result


def precision_of(content: bytes) -> str:
    """The number format of an ONNX file: `fp32`, `fp16`, `bf16`, `int8` (quantised), or `mixed`.

    It is that of the weights that are multiplied, or, in a model without any, that of what its input is cast to.
    """
    graph = onnx.load_model_from_string(content).graph
    if any(node.op_type in _QUANTISED for node in graph.node):
        return "int8"
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    read = {name for node in graph.node if node.op_type in _WEIGHTED for name in node.input[1:]}
    found = {types[name] for name in read if name in types}
    if not found:
        casts = [node for node in graph.node if node.op_type == "Cast"]
        found = {attribute.i for node in casts for attribute in node.attribute if attribute.name == "to"}
        found &= {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    if not found:
        found = {port.type.tensor_type.elem_type for port in graph.input if port.name not in types}
    known = {_NAMES[kind] for kind in found if kind in _NAMES}
    if len(known) == 1:
        return known.pop()
    return "mixed" if known else "fp32"


def _constants_to_weights(graph: onnx.GraphProto) -> None:
    constants = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in constants:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _sort(graph: onnx.GraphProto, added: set[str]) -> None:
    """Puts producers before consumers, as the format demands: the conversion appends its casts at the end."""
    waiting = sorted(graph.node, key=lambda node: node.name not in added)
    ready = {port.name for port in [*graph.input, *graph.initializer]} | {""}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        later = []
        for node in waiting:
            if ready.issuperset(node.input):
                ordered.append(node)
                ready.update(node.output)
            else:
                later.append(node)
        assert len(later) < len(waiting), "the graph has a cycle"
        waiting = later
    del graph.node[:]
    graph.node.extend(ordered)


def _check_range(graph: onnx.GraphProto) -> None:
    """A weight that became infinity would be found only in the outputs."""
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor)
            largest = float(np.abs(values).max(initial=0.0))
            if not largest <= _LARGEST_FP16:
                raise ExportError(
                    f"{tensor.name} has the value {largest:g}, FP16 ends at {_LARGEST_FP16:g}.",
                    fix='Set precision = "fp32" for this device.',
                )
