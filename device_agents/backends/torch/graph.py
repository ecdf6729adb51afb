"""An ONNX file as a list of steps, each a PyTorch call on values that have numbers."""

import functools
from typing import Any, Callable, Dict, List, Optional, Sequence

import onnx
import torch
from onnx import helper, numpy_helper

from device_agents import tensors
from device_agents.backends.torch import operators
from device_agents.protocol import BAD_MODEL, RpcError

Around = Callable[["Step", Callable[[], Any]], Any]


class Step:
    """One node.

    Attributes:
        name: Of the node.
        kind: Its operator.
        call: What computes it.
        sources: Numbers of the values that it reads.
        target: Number of the value that it writes.
        last_uses: Numbers of values that nobody reads afterwards; their memory is free then, as in any eager model.
    """

    def __init__(self, name: str, kind: str, call: Callable[..., Any], sources: List[int], target: int) -> None:
        self.name = name
        self.kind = kind
        self.call = call
        self.sources = sources
        self.target = target
        self.last_uses: List[int] = []


class Program:
    """The steps of a graph, its weights on the device.

    Args:
        path: An ONNX file; anything else is refused.
        move: Puts a tensor on the device, in the precision and layout wanted.
    """

    def __init__(self, path: str, move: Callable[[Any], Any]) -> None:
        graph = _graph(path)
        self._numbers: Dict[str, int] = {}
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        ports = [value for value in graph.input if value.name not in constants]
        self.inputs = [_described(value) for value in ports]
        self.outputs = [_described(value) for value in graph.output]
        self._sources = [self._number(value.name) for value in ports]
        self.steps: List[Step] = []
        for node in graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = _constant(node)
            else:
                self.steps.append(self._step(node, constants))
        self._targets = [self._number(value.name) for value in graph.output]
        self._initial: List[Any] = [None] * len(self._numbers)
        for name, array in constants.items():
            if name in self._numbers:
                self._initial[self._numbers[name]] = move(torch.from_numpy(array.copy()))
        self._find_last_uses()

    def run(self, inputs: Sequence[Any], around: Optional[Around] = None) -> List[Any]:
        """Runs all steps.

        Args:
            inputs: Tensors on the device.
            around: Called with every step and what computes it, to time it; returns its result.
        """
        values = list(self._initial)
        for number, value in zip(self._sources, inputs):  # noqa: B905 - Python 3.7
            values[number] = value
        for step in self.steps:
            arguments = [values[number] for number in step.sources]
            if around is None:
                values[step.target] = step.call(*arguments)
            else:
                values[step.target] = around(step, functools.partial(step.call, *arguments))
            for number in step.last_uses:
                values[number] = None
        return [values[number] for number in self._targets]

    def _step(self, node: Any, constants: Dict[str, Any]) -> Step:
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        call, read = operators.call_of(node, attributes, constants)
        sources = [self._number(name) for name in read]
        return Step(node.name or node.output[0], node.op_type, call, sources, self._number(node.output[0]))

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _find_last_uses(self) -> None:
        kept = set(self._targets) | {number for number, value in enumerate(self._initial) if value is not None}
        for step in reversed(self.steps):
            step.last_uses = sorted(set(step.sources) - kept)
            kept.update(step.sources)


def _graph(path: str) -> Any:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:
        # Protobuf and checker raise classes of their own without a common base.
        raise RpcError(BAD_MODEL, "The model cannot be read as ONNX: %s" % str(error)[:300])
    return model.graph


def _constant(node: Any) -> Any:
    for attribute in node.attribute:
        if attribute.name == "value":
            return numpy_helper.to_array(attribute.t)
    raise RpcError(BAD_MODEL, "The constant %s is not written as a tensor." % (node.name or node.output[0]))


def _described(value: Any) -> Dict[str, Any]:
    tensor = value.type.tensor_type
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)) if tensor.elem_type else "untyped"
    return tensors.described(value.name, dtype, [side.dim_value or side.dim_param for side in tensor.shape.dim])
