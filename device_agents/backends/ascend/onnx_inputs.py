"""The inputs of an ONNX file, as far as ATC takes them."""

from typing import List, Tuple

from device_agents.onnx_file import facts_of
from device_agents.protocol import BAD_MODEL, RpcError

_DTYPES = ("float32", "uint8", "float16")


def read_inputs(content: bytes) -> List[Tuple[str, List[int]]]:
    """Name and shape of each input.

    Raises:
        RpcError: The file is no ONNX, or an input has a type or a shape that ATC does not take.
    """
    inputs = facts_of(content).inputs
    for port in inputs:
        if port["dtype"] not in _DTYPES:
            text = "The input %s is %s; ATC takes %s."
            raise RpcError(BAD_MODEL, text % (port["name"], port["dtype"], ", ".join(_DTYPES)))
        if any(side < 1 for side in port["shape"]):
            text = "The input %s has a side that is not fixed: %s. Export it with static shapes."
            raise RpcError(BAD_MODEL, text % (port["name"], port["shape"]))
    return [(port["name"], port["shape"]) for port in inputs]
