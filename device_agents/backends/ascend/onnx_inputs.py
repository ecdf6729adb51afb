"""Names, types and shapes of an ONNX file's inputs, read without the onnx package, which boards do not have.

Only the few messages on the way there are read: ModelProto.graph, GraphProto.input and initializer, ValueInfoProto.
"""

from typing import Any, Iterator, List, Tuple

from device_agents.protocol import BAD_MODEL, RpcError

_TYPES = {1: "float32", 2: "uint8", 10: "float16"}
_GRAPH, _INITIALIZER, _INPUT, _INITIALIZER_NAME = 7, 5, 11, 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_inputs(content: bytes) -> List[Tuple[str, List[int]]]:
    """Name and shape of each input.

    Raises:
        RpcError: The file is no ONNX, or an input has a type or a shape that ATC does not take.
    """
    try:
        graph = next(value for number, value in _fields(memoryview(content)) if number == _GRAPH)
        constants = set()
        ports = []
        for number, value in _fields(graph):
            if number == _INITIALIZER:
                constants |= {_text(name) for field, name in _fields(value) if field == _INITIALIZER_NAME}
            elif number == _INPUT:
                ports.append(_port(value))
    except (IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise RpcError(BAD_MODEL, "The model cannot be read as ONNX (%s)." % (error or type(error).__name__))
    inputs = [port for port in ports if port[0] not in constants]
    for name, kind, shape in inputs:
        if kind not in _TYPES:
            text = "The input %s has the ONNX type number %d; ATC takes %s."
            raise RpcError(BAD_MODEL, text % (name, kind, ", ".join(_TYPES.values())))
        if any(side < 1 for side in shape):
            text = "The input %s has a side that is not fixed: %s. Export it with static shapes."
            raise RpcError(BAD_MODEL, text % (name, shape))
    return [(name, shape) for name, _, shape in inputs]


def _port(content: Any) -> Tuple[str, int, List[int]]:
    fields = dict(_fields(content))
    tensor = dict(_fields(dict(_fields(fields[2]))[1]))
    sides = [dict(_fields(side)) for number, side in _fields(tensor.get(2, b"")) if number == 1]
    return _text(fields[1]), int(tensor[1]), [int(side.get(1, 0)) for side in sides]


def _fields(content: Any) -> Iterator[Tuple[int, Any]]:
    """Numbers and values of the fields of one message; messages and strings as bytes."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _varint(content, place)
            yield key >> 3, value
        elif kind == _BYTES:
            size, place = _varint(content, place)
            if place + size > len(content):
                raise ValueError("it ends early")
            yield key >> 3, content[place : place + size]
            place += size
        elif kind in (_FIXED32, _FIXED64):
            place += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("a field of unknown kind")


def _varint(content: Any, place: int) -> Tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8")
