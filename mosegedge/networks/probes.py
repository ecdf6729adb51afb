"""ONNX of the models that find out what a device can do at best: one convolution, or one pass over a tensor.

Inputs and outputs of half-precision probes are in half precision too, so that the bytes that they move are known
whatever the runtime makes of them.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mosegedge.errors import ExportError
from mosegedge.networks.onnx import OPSETS

Shape = tuple[int, int, int, int]


def onnx_of_convolution(shape: Shape, *, kernel: int, opset: int, half: bool) -> bytes:
    """One convolution with a bias that keeps the shape of its input, with random weights.

    Args:
        shape: N x C x H x W.
        kernel: Side of the kernel, odd.
        opset: 11 to 17.
        half: Whether everything is in half precision.

    Raises:
        ExportError: The opset is outside 11 to 17.
    """
    channels = shape[1]
    rng = np.random.default_rng(0)
    deviation = (2 / (channels * kernel**2)) ** 0.5
    weight = rng.standard_normal((channels, channels, kernel, kernel), dtype=np.float32) * np.float32(deviation)
    constants = {"weight": weight, "bias": np.zeros(channels, np.float32)}
    pads = [kernel // 2] * 4
    node = helper.make_node("Conv", ["input", *constants], ["output"], "probe.Conv", pads=pads)
    return _model(node, constants, shape, opset=opset, half=half)


def onnx_of_relu(shape: Shape, *, opset: int, half: bool) -> bytes:
    """One pass over a tensor: every element is read once, and one is written for it.

    Args:
        shape: N x C x H x W.
        opset: 11 to 17.
        half: Whether everything is in half precision.

    Raises:
        ExportError: The opset is outside 11 to 17.
    """
    return _model(helper.make_node("Relu", ["input"], ["output"], "probe.Relu"), {}, shape, opset=opset, half=half)


def _model(node: onnx.NodeProto, constants: dict[str, np.ndarray], shape: Shape, *, opset: int, half: bool) -> bytes:
    if opset not in OPSETS:
        raise ExportError(f"Opset {opset} cannot be written.", fix="--opset 11")
    kind, dtype = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    ports = [helper.make_tensor_value_info(name, kind, shape) for name in ("input", "output")]
    weights = [numpy_helper.from_array(value.astype(dtype), name) for name, value in constants.items()]
    graph = helper.make_graph([node], "probe", ports[:1], ports[1:], weights)
    imports = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports))
    content: bytes = model.SerializeToString(deterministic=True)
    return content
