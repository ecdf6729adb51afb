"""The latency law: how long a graph takes on the simulated board.

    node      launch_ns + max(multiply_adds / speed, bytes / bandwidth)
    graph     fixed_ns + (1 - gain) * sum of its nodes
    gain      0.06 * max(0, 1 - 8 / nodes): nothing for a single layer, nearly 6 % for a whole network

    energy    2 W as long as it lasts + 10 pJ a multiply-add + 50 pJ a byte
    memory    20 MiB + weights + the tensors of the node that has most of them

`bytes` are all inputs, weights and outputs of a node once. Constants take no time. Lower precisions move fewer bytes
and multiply faster. The gain stands for what a compiler fuses across layers, so that a network is not quite the sum of
its layers.
"""

from typing import Any, Dict, List

import onnx
from onnx import TensorProto, shape_inference

from device_agents.protocol import BAD_MODEL, RpcError

VERSION = "1"
SPEEDS = {"fp32": 1.0, "fp16": 2.0, "int8": 4.0}

FIXED_NS = 30000.0
LAUNCH_NS = 5000.0
MULTIPLY_ADDS_PER_NS = 200.0
BYTES_PER_NS = 20.0
STATIC_W = 2.0
PJ_PER_MULTIPLY_ADD = 10.0
PJ_PER_BYTE = 50.0
FIXED_MIB = 20.0
_LARGEST_GAIN = 0.06
_NODES_WITHOUT_GAIN = 8
_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}
_DOMAINS = ("", "ai.onnx")
_NO_TIME = ("Constant", "Identity")
_DTYPES = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
}


def law_ns(onnx_bytes: bytes, precision: str = "fp32") -> int:
    """What the board takes when it is cold and nothing disturbs it: the truth, for tests.

    Args:
        onnx_bytes: An ONNX file.
        precision: One of `SPEEDS`.
    """
    return Graph(onnx_bytes).ns(precision)


class Graph:
    """A graph with the shapes of all its tensors.

    Args:
        content: An ONNX file; anything else is refused.
    """

    def __init__(self, content: bytes) -> None:
        try:
            model = onnx.load_model_from_string(content)
            onnx.checker.check_model(model)
            graph = shape_inference.infer_shapes(model, strict_mode=True).graph
        except Exception as error:
            # Protobuf, checker and shape inference raise classes of their own without a common base.
            raise RpcError(BAD_MODEL, "The model cannot be read as ONNX: %s" % str(error)[:300])
        strange = [node for node in graph.node if node.domain not in _DOMAINS]
        if strange:
            raise RpcError(BAD_MODEL, "The law knows no operator %s.%s." % (strange[0].domain, strange[0].op_type))
        constants = {tensor.name for tensor in graph.initializer}
        self.inputs = [_described(value) for value in graph.input if value.name not in constants]
        self.outputs = [_described(value) for value in graph.output]
        self._elements: Dict[str, int] = {tensor.name: _product(tensor.dims) for tensor in graph.initializer}
        self._weights = sum(self._elements.values())
        self._shapes: Dict[str, List[int]] = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for value in list(graph.input) + list(graph.value_info) + list(graph.output):
            self._shapes[value.name] = [side.dim_value for side in value.type.tensor_type.shape.dim]
            self._elements[value.name] = _product(self._shapes[value.name])
        self._nodes = [node for node in graph.node if node.op_type not in _NO_TIME]

    def ns(self, precision: str) -> int:
        """Time of the graph."""
        total = sum(self._node_ns(node, precision) for node in self._nodes)
        return int(round(FIXED_NS + (1 - self._gain()) * total))

    def dynamic_mj(self, precision: str) -> float:
        """Energy of a run beyond what the board draws all the time."""
        multiply_adds = sum(self._multiply_adds(node) for node in self._nodes)
        moved = sum(self._moved(node) for node in self._nodes) * _BYTES[precision]
        return (PJ_PER_MULTIPLY_ADD * multiply_adds + PJ_PER_BYTE * moved) / 1e9

    def mib(self, precision: str) -> float:
        """Memory of the graph."""
        most = max([self._moved(node) for node in self._nodes] or [0])
        return FIXED_MIB + (self._weights + most) * _BYTES[precision] / 2.0**20

    def layers(self, precision: str) -> List[Dict[str, Any]]:
        """Time of every node, gain included."""
        kept = 1 - self._gain()
        return [
            {
                "name": node.name or node.output[0],
                "kind": node.op_type,
                "ns": int(kept * self._node_ns(node, precision)),
                "nodes": [node.name] if node.name else [],
                "note": "by the law",
            }
            for node in self._nodes
        ]

    def _gain(self) -> float:
        return _LARGEST_GAIN * max(0.0, 1 - _NODES_WITHOUT_GAIN / float(max(1, len(self._nodes))))

    def _node_ns(self, node: Any, precision: str) -> float:
        moved = self._moved(node)
        busy_ns = self._multiply_adds(node) / (MULTIPLY_ADDS_PER_NS * SPEEDS[precision])
        return LAUNCH_NS + max(busy_ns, moved * _BYTES[precision] / BYTES_PER_NS)

    def _moved(self, node: Any) -> int:
        return sum(self._elements.get(name, 0) for name in list(node.input) + list(node.output) if name)

    def _multiply_adds(self, node: Any) -> int:
        outputs = self._elements.get(node.output[0], 0)
        if node.op_type == "Conv":
            return outputs * _product(self._shapes[node.input[1]][1:])
        if node.op_type in ("MatMul", "Gemm"):
            return outputs * self._shapes[node.input[0]][-1]
        return outputs


def _product(sides: Any) -> int:
    result = 1
    for side in sides:
        result *= int(side)
    return result


def _described(value: Any) -> Dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [side.dim_value for side in tensor.shape.dim]
    if tensor.elem_type not in _DTYPES or not all(shape):
        text = "The tensor %s needs a fixed shape and one of the types %s."
        raise RpcError(BAD_MODEL, text % (value.name, ", ".join(sorted(_DTYPES.values()))))
    return {"name": value.name, "dtype": _DTYPES[tensor.elem_type], "shape": shape}
