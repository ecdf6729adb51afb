"""What an ONNX file says about itself, read without any package: number format of its weights, inputs, outputs.

Only the few fields of the file format that matter here are looked at: a file is a tree of (field number, content).
"""

from typing import Any, Dict, Iterator, List, Tuple

from device_agents.protocol import BAD_MODEL, RpcError

_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 16: "bfloat16"}
_PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_QUANTISED = ("QuantizeLinear", "DequantizeLinear")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class OnnxFacts:
    """What a file says.

    Attributes:
        precision: fp32, fp16, bf16, int8 (with quantisation nodes), or mixed.
        inputs: Name, dtype and shape of each input.
        outputs: The same for outputs.
    """

    def __init__(self, precision: str, inputs: List[Dict[str, Any]], outputs: List[Dict[str, Any]]) -> None:
        self.precision = precision
        self.inputs = inputs
        self.outputs = outputs


def read_onnx(path: str) -> OnnxFacts:
    """Reads an ONNX file.

    Raises:
        RpcError: It is none.
    """
    with open(path, "rb") as stream:
        return facts_of(stream.read())


def facts_of(content: bytes) -> OnnxFacts:
    """Reads the content of an ONNX file.

    Raises:
        RpcError: It is none.
    """
    try:
        model = _fields(memoryview(content))
        graph = list(_fields(next(value for number, value in model if number == 7 and not isinstance(value, int))))
        weights = dict(_tensor(value) for number, value in graph if number == 5)
        nodes = [_node(value) for number, value in graph if number == 1]
        inputs = [_port(value) for number, value in graph if number == 11]
        outputs = [_port(value) for number, value in graph if number == 12]
    except (IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise RpcError(BAD_MODEL, "The model cannot be read as ONNX (%s)." % (error or type(error).__name__))
    inputs = [port for port in inputs if port["name"] not in weights]
    return OnnxFacts(_precision(nodes, weights, inputs), inputs, outputs)


def _precision(nodes: List[Any], weights: Dict[str, str], inputs: List[Dict[str, Any]]) -> str:
    """By the weights that are multiplied; by the input and its casts in a model that has none."""
    if any(operator in _QUANTISED for operator, _, _ in nodes):
        return "int8"
    read = [names[1:] for operator, names, _ in nodes if operator in _WEIGHTED]
    kinds = {weights[name] for names in read for name in names if name in weights}
    if not kinds:
        casts = {_TYPES.get(target, "") for operator, _, target in nodes if operator == "Cast"}
        kinds = casts & {"float16", "bfloat16"}
    if not kinds:
        kinds = {port["dtype"] for port in inputs}
    found = {_PRECISIONS[kind] for kind in kinds if kind in _PRECISIONS}
    return found.pop() if len(found) == 1 else "mixed" if found else "fp32"


def _node(content: Any) -> Tuple[str, List[str], int]:
    """Operator, inputs, and the target of a Cast."""
    operator, inputs, target = "", [], 0
    for number, value in _fields(content):
        if number == 1:
            inputs.append(_text(value))
        elif number == 4:
            operator = _text(value)
        elif number == 5:
            attribute = dict(_fields(value))
            if _text(attribute.get(1, b"")) == "to":
                target = attribute.get(3, 0)
    return operator, inputs, target


def _tensor(content: Any) -> Tuple[str, str]:
    fields = dict(_fields(content))
    return _text(fields[8]), _TYPES.get(fields[2], "")


def _port(content: Any) -> Dict[str, Any]:
    fields = dict(_fields(content))
    tensor = dict(_fields(dict(_fields(fields[2]))[1]))
    sides = [dict(_fields(side)) for number, side in _fields(tensor.get(2, b"")) if number == 1]
    shape = [side.get(1, -1) for side in sides]
    return {"name": _text(fields[1]), "dtype": _TYPES.get(tensor[1], "type number %d" % tensor[1]), "shape": shape}


def _fields(content: Any) -> Iterator[Tuple[int, Any]]:
    """Field numbers and contents of one message: whole numbers, or the bytes of what is inside."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
            yield number, value
        elif kind == _BYTES:
            size, place = _varint(content, place)
            if place + size > len(content):
                raise ValueError("it ends early")
            yield number, content[place : place + size]
            place += size
        elif kind in (_FIXED32, _FIXED64):
            place += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("it has a field of an unknown kind")


def _varint(content: Any, place: int) -> Tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace")
