"""One function an operator: those that exported networks are made of, at opsets 11 to 17."""

import functools
from typing import Any, Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F

from device_agents.protocol import BAD_MODEL, RpcError

# The call, and the names of the values that it reads when it runs; others were read while it was made.
Call = Tuple[Callable[..., Any], List[str]]

# For a whole-number factor these pick the same pixels; PyTorch's `nearest` does too.
_NEAREST = (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
_DOMAINS = ("", "ai.onnx")
_ALIGNED = {"half_pixel": False, "pytorch_half_pixel": False, "align_corners": True}


def call_of(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    """What computes a node.

    Args:
        node: The ONNX node.
        attributes: Its attributes as plain values.
        constants: Arrays by name that are known before the first run.

    Raises:
        RpcError: The operator, or a form of it, is not one that exported networks have.
    """
    if node.op_type not in _OPERATORS or node.domain not in _DOMAINS:
        known = ", ".join(sorted(_OPERATORS))
        raise RpcError(
            BAD_MODEL, "The PyTorch agent has no operator %s (%s); it has %s." % (_of(node), node.name, known)
        )
    return _OPERATORS[node.op_type](node, attributes, constants)


def _plain(function: Callable[..., Any]) -> Callable[..., Call]:
    """An operator without attributes."""

    def make(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
        del constants
        if attributes:
            raise _refused(node, "attributes %s" % ", ".join(sorted(attributes)))
        return function, list(node.input)

    return make


def _conv(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    call = functools.partial(
        F.conv2d,
        stride=_pair(attributes, "strides"),
        padding=_padding(node, attributes),
        dilation=_pair(attributes, "dilations"),
        groups=attributes.get("group", 1),
    )
    return call, list(node.input)


def _max_pool(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    call = functools.partial(
        F.max_pool2d,
        kernel_size=_pair(attributes, "kernel_shape"),
        stride=_pair(attributes, "strides"),
        padding=_padding(node, attributes),
        dilation=_pair(attributes, "dilations"),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
    )
    return call, list(node.input)


def _average_pool(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    call = functools.partial(
        F.avg_pool2d,
        kernel_size=_pair(attributes, "kernel_shape"),
        stride=_pair(attributes, "strides"),
        padding=_padding(node, attributes),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
        count_include_pad=bool(attributes.get("count_include_pad", 0)),
    )
    return call, list(node.input)


def _resize(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    """Enlarging by a constant factor along height and width."""
    scales = constants.get(node.input[2]) if len(node.input) > 2 else None
    if scales is None or len(scales) != 4 or list(scales[:2]) != [1, 1] or any(part != int(part) for part in scales):
        raise _refused(node, "scales that are not a constant whole number along height and width")
    factor = [int(part) for part in scales[2:]]
    mode = attributes.get("mode", b"nearest").decode()
    coordinates = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = attributes.get("nearest_mode", b"round_prefer_floor").decode()
    if mode == "nearest" and (coordinates, rounding) in _NEAREST:
        return functools.partial(_enlarged, factor=factor, mode="nearest", align_corners=None), [node.input[0]]
    if mode == "linear" and coordinates in _ALIGNED:
        aligned = _ALIGNED[coordinates]
        return functools.partial(_enlarged, factor=factor, mode="bilinear", align_corners=aligned), [node.input[0]]
    raise _refused(node, "mode %s, %s, %s" % (mode, coordinates, rounding))


def _enlarged(value: Any, factor: List[int], mode: str, align_corners: Any) -> Any:
    size = [value.shape[2] * factor[0], value.shape[3] * factor[1]]
    return F.interpolate(value, size=size, mode=mode, align_corners=align_corners)


def _concat(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    axis = attributes["axis"]
    return lambda *values: torch.cat(values, axis), list(node.input)


def _depth_to_space(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    if attributes.get("mode", b"DCR") != b"CRD":
        raise _refused(node, "a mode other than CRD")
    return functools.partial(F.pixel_shuffle, upscale_factor=attributes["blocksize"]), list(node.input)


def _reshape(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    shape = constants.get(node.input[1])
    if shape is None or attributes.get("allowzero", 0) or 0 in list(shape):
        raise _refused(node, "a shape that is not constant, or has a 0 in it")
    return functools.partial(_reshaped, shape=[int(side) for side in shape]), [node.input[0]]


def _reshaped(value: Any, shape: List[int]) -> Any:
    return value.reshape(shape)


def _transpose(node: Any, attributes: Dict[str, Any], constants: Dict[str, Any]) -> Call:
    del constants
    order = list(attributes["perm"])
    # In memory too: an ONNX runtime's Transpose moves the data.
    return lambda value: value.permute(order).contiguous(), list(node.input)


def _averaged(value: Any) -> Any:
    return F.adaptive_avg_pool2d(value, 1)


def _identity(value: Any) -> Any:
    return value


_OPERATORS: Dict[str, Callable[..., Call]] = {
    "Add": _plain(torch.add),
    "AveragePool": _average_pool,
    "Concat": _concat,
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "GlobalAveragePool": _plain(_averaged),
    "Identity": _plain(_identity),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _plain(torch.sigmoid),
    "Transpose": _transpose,
}


def _pair(attributes: Dict[str, Any], name: str) -> List[int]:
    return list(attributes.get(name, [1, 1]))


def _padding(node: Any, attributes: Dict[str, Any]) -> List[int]:
    """PyTorch pads both ends of an axis alike."""
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise _refused(node, "auto_pad")
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if len(pads) != 4 or pads[:2] != pads[2:]:
        raise _refused(node, "pads %s" % pads)
    return pads[:2]


def _refused(node: Any, what: str) -> RpcError:
    return RpcError(BAD_MODEL, "The PyTorch agent does not take %s (%s) with %s." % (_of(node), node.name, what))


def _of(node: Any) -> str:
    return "%s.%s" % (node.domain, node.op_type) if node.domain else str(node.op_type)
