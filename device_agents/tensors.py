"""Inputs and outputs of models as numpy arrays, the same for every runtime that takes them.

A tensor is described by its name, dtype and shape. A backend that needs no numpy does not import this module.
"""

from typing import Any, Dict, List, Sequence

import numpy

from device_agents.protocol import BAD_MODEL, RpcError
from device_agents.random_inputs import random_content

DTYPES = ("float32", "float16", "int64", "int32", "int8", "uint8")


def described(name: str, dtype: str, shape: Sequence[Any]) -> Dict[str, Any]:
    """The description of a tensor, which must have a known type and fixed sides.

    Args:
        name: Its name in the model.
        dtype: Its type as numpy calls it.
        shape: Its sides; anything but positive whole numbers is refused.
    """
    sides = [int(side) if isinstance(side, (int, numpy.integer)) else side for side in shape]
    if dtype not in DTYPES or not all(isinstance(side, int) and side > 0 for side in sides):
        text = "The tensor %s is %s with shape %s; fixed shapes of %s are supported."
        raise RpcError(BAD_MODEL, text % (name, dtype, sides, ", ".join(DTYPES)))
    return {"name": name, "dtype": dtype, "shape": sides}


def random_arrays(tensors: List[Dict[str, Any]]) -> List[Any]:
    """Random content for inputs that nobody sent, the same in every conversation."""
    return arrays_of(tensors, [random_content(tensor["dtype"], _size(tensor)) for tensor in tensors])


def arrays_of(tensors: List[Dict[str, Any]], contents: List[bytes]) -> List[Any]:
    """Raw little-endian contents as writable arrays; a wrong number or size of them is refused by name."""
    if len(contents) != len(tensors):
        raise RpcError(BAD_MODEL, "The model has %d inputs, %d were sent." % (len(tensors), len(contents)))
    arrays = []
    for tensor, content in zip(tensors, contents):  # noqa: B905 - Python 3.7
        expected = _size(tensor)
        if len(content) != expected:
            text = "The input %s has %d bytes, %d were sent." % (tensor["name"], expected, len(content))
            raise RpcError(BAD_MODEL, text)
        arrays.append(numpy.frombuffer(content, tensor["dtype"]).reshape(tensor["shape"]).copy())
    return arrays


def contents_of(tensors: List[Dict[str, Any]], arrays: Sequence[Any]) -> List[Dict[str, Any]]:
    """Outputs as the protocol wants them: name, dtype, shape, content."""
    found = []
    for tensor, array in zip(tensors, arrays):  # noqa: B905 - Python 3.7
        # Compared before it is made contiguous: that would give a number the shape of a list.
        shape = list(array.shape)
        content = numpy.ascontiguousarray(array).tobytes()
        found.append({"name": tensor["name"], "dtype": str(array.dtype), "shape": shape, "content": content})
    return found


def _size(tensor: Dict[str, Any]) -> int:
    return int(numpy.prod(tensor["shape"])) * int(numpy.dtype(tensor["dtype"]).itemsize)
