"""Operators and forms that ATC takes, as tables; from the vendor's pages for CANN 5.0.4 to 8, for Ascend 310 and 310B.

What is not documented is a warning, not an error. Nothing here was tried on a board.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import onnx
from onnx import TensorProto, helper

Severity = Literal["warning", "error"]
DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a form is no good, and what to use."""

    why: str
    use: str


class Form(NamedTuple):
    """A rule that a node breaks."""

    node: str
    op_type: str
    severity: Severity
    rule: Rule


class NearestForm(NamedTuple):
    """How nearest neighbours are picked: two attributes of Resize."""

    coordinates: str
    rounding: str


AS_EXPORTED = NearestForm("asymmetric", "floor")
HALF_PIXEL = NearestForm("half_pixel", "round_prefer_floor")
HALF_PIXEL_CEIL = NearestForm("half_pixel", "round_prefer_ceil")

# Newer pages allow round_prefer_ceil alone, and the 310B came with newer releases. PyTorch's form is what models for
# the older chips have been converted with.
NEAREST = {"Ascend310B1": HALF_PIXEL_CEIL, "Ascend310B4": HALF_PIXEL_CEIL}
OPSETS, SAFE_OPSETS, OPSETS_OF_OLD_CANN = range(8, 17), (11, 12), range(8, 14)
RESIZE_OPSETS = (10, 11, 12, 14, 15, 16)
RESIZE_MODES = ("nearest", "linear")
INPUT_TYPES = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8)
LARGEST_POOL_SIDE, LARGEST_POOL, LARGEST_POOL_STRIDE, WIDEST_POOL_INPUT = 255, 256, 63, 4096

KNOWN = frozenset(
    [
        *("Conv", "Relu", "Add", "Mul", "Sigmoid", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool"),
        *("Resize", "Constant", "Identity", "Reshape", "Transpose", "DepthToSpace", "ReduceMean"),
    ]
)
OUTPUT_DEPENDS_ON_DATA = frozenset(["NonZero", "Unique", "NonMaxSuppression", "Loop", "If", "Scan"])

OPSET = Rule("Opsets 8 to 16 are listed, operator by operator.", "Export with opset 11.")
OPSET_NEW = Rule("Opsets above 13 are listed from CANN 6.0.1 on.", "Opset 11 is the safe one.")
OPSET_UNUSUAL = Rule("The vendor's own models use opsets 11 and 12.", "Opset 11 is the safe one.")
INPUT_TYPE = Rule("Inputs may be FP32, FP16 or UINT8.", "Convert outside of the model.")
DYNAMIC = Rule("Every side of every input has to be fixed and at least 1.", "Export with static shapes.")
DOMAIN = Rule("The ONNX parser has no custom operators (ATC would say E19010).", "Build it from standard operators.")
DATA_SHAPES = Rule("The shape of its output depends on data.", "Keep it outside of the model.")
SHAPES = Rule("Shape arithmetic hides sizes from the compiler.", "Use constant sizes or scale factors.")
UNKNOWN = Rule("Its limits on this chip were not looked up.", "Read the vendor's page of this operator.")
RESIZE_OPSET = Rule("Resize is listed for opsets 10, 11, 12, 14, 15 and 16.", "Export with opset 11.")
RESIZE_MODE = Rule("Resize knows nearest and linear only.", "Use bilinear resizing.")
RESIZE_CONSTANT = Rule("Scales or sizes of Resize have to be constants.", "Resize by a constant factor.")
RESIZE_NEAREST = Rule("Rounding of nearest neighbours is restricted.", "Use half_pixel with round_prefer_ceil.")
POOL = Rule(
    "Kernel sides up to 255 with a product up to 256, strides up to 63 and inputs up to 4096 wide run on AI cores; "
    "beyond that it falls to the AI CPU and is slow.",
    "Use GlobalAveragePool, or pool in steps.",
)
POOL_CEIL = Rule("ceil_mode needs auto_pad NOTSET.", "Leave both out: make sizes even.")
POOL_CEIL_SET = Rule("ceil_mode is one attribute more to trip over.", "Leave it out where sizes are even.")
POOL_COUNT = Rule("count_include_pad is not supported.", "Pad with a node of its own in front of the pool.")
POOL_COUNT_IDLE = Rule("count_include_pad is not supported, and means nothing here.", "Leave it out.")
POOL_LOWER = Rule("auto_pad SAME_LOWER is not supported.", "Write the padding as pads.")
MEAN = Rule("Which axes ReduceMean takes is not documented for all releases.", "Use GlobalAveragePool.")
SHUFFLE_ABSENT = Rule("DepthToSpace is not listed for this chip.", "Use Reshape, Transpose, Reshape, or bilinear.")
SHUFFLE = Rule("The page of DepthToSpace does not name the Ascend 310.", "Use Reshape, Transpose, Reshape.")


def nearest_form(chip: str) -> NearestForm | None:
    """The form that a chip asks for; None where what the exporter writes may stay."""
    return NEAREST.get(chip)


def ascend_findings(model: onnx.ModelProto, chip: str) -> Iterator[Form]:
    """Rules that a model breaks, in the order of its nodes.

    Args:
        model: The model.
        chip: As Ascend310B4; empty for what holds for all.
    """
    opset = next((entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS), 0)
    yield from _file(model, opset)
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {node.output[0] for node in model.graph.node if node.op_type == "Constant"}
    widths = {name: shape[-1] for name, shape in shapes_of(model).items() if len(shape) == 4}
    for node in model.graph.node:
        for severity, rule in _node(node, opset, chip, constants, widths):
            yield Form(node.name or node.output[0], node.op_type, severity, rule)


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors whose sides are all known; those of the file alone where the rest cannot be inferred."""
    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError:  # An operator that the standard does not know.
        graph = model.graph
    shapes = {}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        sides = tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
        if sides and all(sides):
            shapes[value.name] = sides
    return shapes


def attributes_of(node: onnx.NodeProto) -> dict[str, object]:
    """Attributes by name, text as str."""
    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


def pads(found: dict[str, object]) -> bool:
    """Whether a pool's windows reach beyond the edge: with ceil_mode they do without any padding being written."""
    written = found.get("pads", [])
    padded = isinstance(written, list) and any(written)
    return padded or bool(found.get("ceil_mode")) or found.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID")


def _file(model: onnx.ModelProto, opset: int) -> Iterator[Form]:
    if opset not in OPSETS:
        yield Form("model", f"opset {opset}", "error", OPSET)
    elif opset not in OPSETS_OF_OLD_CANN:
        yield Form("model", f"opset {opset}", "warning", OPSET_NEW)
    elif opset not in SAFE_OPSETS:
        yield Form("model", f"opset {opset}", "warning", OPSET_UNUSUAL)
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name in constants:
            continue
        if kind.elem_type not in INPUT_TYPES:
            yield Form(value.name, "input", "error", INPUT_TYPE)
        if not all(side.dim_value > 0 for side in kind.shape.dim):
            yield Form(value.name, "input", "error", DYNAMIC)


def _node(
    node: onnx.NodeProto, opset: int, chip: str, constants: set[str], widths: dict[str, int]
) -> Iterator[tuple[Severity, Rule]]:
    if node.domain not in DEFAULT_DOMAINS:
        yield "error", DOMAIN
    elif node.op_type == "Resize":
        yield from _resize(node, opset, chip, constants)
    elif node.op_type == "AveragePool":
        yield from _average_pool(node, widths)
    elif node.op_type == "ReduceMean":
        yield "warning", MEAN
    elif node.op_type == "DepthToSpace":
        yield ("error", SHUFFLE_ABSENT) if chip.startswith("Ascend310B") else ("warning", SHUFFLE)
    elif node.op_type in OUTPUT_DEPENDS_ON_DATA:
        yield "error", DATA_SHAPES
    elif node.op_type == "Shape":
        yield "warning", SHAPES
    elif node.op_type not in KNOWN:
        yield "warning", UNKNOWN


def _resize(node: onnx.NodeProto, opset: int, chip: str, constants: set[str]) -> Iterator[tuple[Severity, Rule]]:
    found = attributes_of(node)
    mode = found.get("mode", "nearest")
    if opset in OPSETS and opset not in RESIZE_OPSETS:
        yield "error", RESIZE_OPSET
    if mode not in RESIZE_MODES:
        yield "error", RESIZE_MODE
    # Opset 10 has no region of interest: the scales are its second input already.
    sizes = [name for name in node.input[1 if opset == 10 else 2 :] if name]
    if not sizes or not all(name in constants for name in sizes):
        yield "error", RESIZE_CONSTANT
    if mode == "nearest" and opset != 10:
        form = NearestForm(
            str(found.get("coordinate_transformation_mode", "half_pixel")),
            str(found.get("nearest_mode", "round_prefer_floor")),
        )
        if form not in (nearest_form(chip) or AS_EXPORTED, HALF_PIXEL_CEIL):
            yield "warning", RESIZE_NEAREST


def _average_pool(node: onnx.NodeProto, widths: dict[str, int]) -> Iterator[tuple[Severity, Rule]]:
    found = attributes_of(node)
    kernel, strides = _numbers(found.get("kernel_shape")), _numbers(found.get("strides"))
    product = 1
    for side in kernel:
        product *= side
    too_large = product > LARGEST_POOL or any(side > LARGEST_POOL_SIDE for side in kernel)
    too_wide = widths.get(node.input[0], 1) > WIDEST_POOL_INPUT
    if too_large or too_wide or any(stride > LARGEST_POOL_STRIDE for stride in strides):
        yield "warning", POOL
    if found.get("ceil_mode"):
        yield ("warning", POOL_CEIL_SET) if found.get("auto_pad", "NOTSET") == "NOTSET" else ("error", POOL_CEIL)
    if found.get("count_include_pad"):
        yield ("error", POOL_COUNT) if pads(found) else ("warning", POOL_COUNT_IDLE)
    if found.get("auto_pad") == "SAME_LOWER":
        yield "error", POOL_LOWER


def _numbers(value: object) -> list[int]:
    return [int(item) for item in value] if isinstance(value, list | tuple) else []
