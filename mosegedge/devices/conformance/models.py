"""Small models with known answers: what the host's ONNX Runtime computes from inputs with a seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices.suiting import in_forms_of, in_precision_of

if TYPE_CHECKING:
    from mosegedge.devices.inventory import Device
    from mosegedge.devices.replies import DeviceDescription

_IR_VERSION = 6  # Old enough for every runtime that takes opset 11.
# Largest difference from the host's answer, relative to its largest value.
TOLERANCES = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 5e-2, "int8": 2e-1}


@dataclass(frozen=True)
class KnownModel:
    """An ONNX file in single precision.

    Attributes:
        name: For messages.
        content: The file.
    """

    name: str
    content: bytes

    @cached_property
    def nodes(self) -> frozenset[str]:
        """Names of its nodes."""
        return _nodes_of(self.content)

    @cached_property
    def ports(self) -> tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]]]:
        """Name and shape of each input and output."""
        import onnx

        graph = onnx.load_model_from_string(self.content).graph
        weights = {tensor.name for tensor in graph.initializer}
        return [_port(value) for value in graph.input if value.name not in weights], [_port(o) for o in graph.output]

    @cached_property
    def inputs(self) -> list[NDArray[np.float32]]:
        """Something to run it on."""
        rng = np.random.default_rng(7)
        return [rng.normal(size=shape).astype(np.float32) for _, shape in self.ports[0]]

    @cached_property
    def answers(self) -> list[NDArray[np.float32]]:
        """What the host makes of the inputs."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
        names = [name for name, _ in self.ports[0]]
        return list(session.run(None, dict(zip(names, self.inputs, strict=True))))


@cache
def convolution(opset: int) -> KnownModel:
    """A convolution and its activation."""
    from onnx import helper

    rng = np.random.default_rng(1)
    weights = [_tensor("weight", rng.normal(size=(4, 3, 3, 3))), _tensor("bias", rng.normal(size=4))]
    nodes = [
        helper.make_node("Conv", ["input", "weight", "bias"], ["c"], "conv.Conv", kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["output"], "conv.Relu"),
    ]
    return _model("convolution", nodes, {"input": (1, 3, 8, 12)}, (1, 4, 8, 12), weights, opset)


@cache
def two_inputs(opset: int) -> KnownModel:
    """Two inputs that may not be exchanged."""
    from onnx import helper

    nodes = [
        helper.make_node("Sigmoid", ["input1"], ["s"], "gate.Sigmoid"),
        helper.make_node("Mul", ["input0", "s"], ["m"], "gate.Mul"),
        helper.make_node("Add", ["m", "input0"], ["output"], "gate.Add"),
    ]
    shape = (1, 4, 6, 10)
    return _model("two inputs", nodes, {"input0": shape, "input1": shape}, shape, [], opset)


@cache
def network(opset: int) -> KnownModel:
    """The middle network of the smallest space."""
    # torch is needed from here on, and only here.
    from mosegedge.networks.onnx import onnx_of_network
    from mosegedge.space import SearchSpace

    space = SearchSpace.load("nano")
    return KnownModel("network", onnx_of_network(space, space.uniform(2, 2), opset=opset))


def unknown_operator(opset: int) -> bytes:
    """A file that is well-formed and that no runtime can run."""
    from onnx import helper

    nodes = [helper.make_node("Frobnicate", ["input"], ["output"], "odd.Frobnicate", domain="mosegedge.test")]
    return _model("unknown operator", nodes, {"input": (1, 3, 8, 8)}, (1, 3, 8, 8), [], opset).content


def nodes_on(model: KnownModel, device: Device, description: DeviceDescription) -> frozenset[str]:
    """Names that a runtime may call the nodes by: those of the model, and of the file that the device gets."""
    return model.nodes | _nodes_of(in_precision_of(device, description, in_forms_of(device, model.content)))


def suited(content: bytes, device: Device, description: DeviceDescription) -> tuple[bytes, str]:
    """What is sent to a device: the file in its forms and precision, and its format.

    Args:
        content: ONNX in single precision.
        device: The device; its compiler may run here.
        description: What the device says of itself.
    """
    from mosegedge.devices.host_compiler import prepare

    prepared, model_format, _ = prepare(device, in_precision_of(device, description, in_forms_of(device, content)))
    return prepared, model_format


def _nodes_of(content: bytes) -> frozenset[str]:
    import onnx

    return frozenset(node.name for node in onnx.load_model_from_string(content).graph.node)


def _model(
    name: str,
    nodes: list[Any],
    inputs: dict[str, tuple[int, ...]],
    output: tuple[int, ...],
    weights: list[Any],
    opset: int,
) -> KnownModel:
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()]
    result = [helper.make_tensor_value_info("output", TensorProto.FLOAT, output)]
    graph = helper.make_graph(nodes, name, ports, result, weights)
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(n.domain, 1) for n in nodes if n.domain]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    return KnownModel(name, model.SerializeToString(deterministic=True))


def _tensor(name: str, values: NDArray[np.float64]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values.astype(np.float32), name)


def _port(value: Any) -> tuple[str, list[int]]:
    return value.name, [side.dim_value for side in value.type.tensor_type.shape.dim]
