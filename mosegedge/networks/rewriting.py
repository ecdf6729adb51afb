"""Other forms of the same computation, bit for bit; each function changes a model and says whether it did."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mosegedge.networks.ascend_forms import (
    AS_EXPORTED,
    HALF_PIXEL,
    HALF_PIXEL_CEIL,
    NearestForm,
    attributes_of,
    pads,
    shapes_of,
)

# For a factor of exactly 2 these pick the same pixels: sources lie at quarters and three quarters, so nothing is ever
# halfway, where roundings differ.
_EQUAL_AT_TWO = (AS_EXPORTED, HALF_PIXEL, HALF_PIXEL_CEIL)


def set_nearest_forms(model: onnx.ModelProto, wanted: NearestForm | None) -> bool:
    """Gives every nearest-neighbour Resize by exactly 2 the attributes that are wanted.

    Args:
        model: The model.
        wanted: The form; None leaves all as they are.
    """
    changed = False
    constants = _constants(model)
    for node in model.graph.node:
        found = attributes_of(node)
        if wanted is None or node.op_type != "Resize" or found.get("mode", "nearest") != "nearest":
            continue
        form = NearestForm(
            str(found.get("coordinate_transformation_mode", "half_pixel")),
            str(found.get("nearest_mode", "round_prefer_floor")),
        )
        scales = constants.get(node.input[2]) if len(node.input) == 3 else None
        doubles = scales is not None and scales.tolist() == [1.0, 1.0, 2.0, 2.0]
        if doubles and form in _EQUAL_AT_TWO and form != wanted:
            _set(node, "coordinate_transformation_mode", wanted.coordinates)
            _set(node, "nearest_mode", wanted.rounding)
            changed = True
    return changed


def drop_useless_padding_counts(model: onnx.ModelProto) -> bool:
    """Removes `count_include_pad` from average pools that pad nothing."""
    changed = False
    for node in model.graph.node:
        found = attributes_of(node)
        if node.op_type == "AveragePool" and found.get("count_include_pad") and not pads(found):
            _remove(node, "count_include_pad")
            changed = True
    return changed


def shuffle_by_transpose(model: onnx.ModelProto) -> bool:
    """Writes DepthToSpace (mode CRD, as of `pixel_shuffle`) as Reshape, Transpose, Reshape of at most five sides."""
    nodes = list(model.graph.node)
    shuffles = [node for node in nodes if node.op_type == "DepthToSpace" and attributes_of(node).get("mode") == "CRD"]
    if not shuffles:
        return False
    shapes = shapes_of(model)
    shuffles = [node for node in shuffles if len(shapes.get(node.input[0], ())) == 4]
    for shuffle in shuffles:
        batch, depth, height, width = shapes[shuffle.input[0]]
        block = attributes_of(shuffle)["blocksize"]
        assert isinstance(block, int), "the standard says so"
        channels = depth // block**2
        stem = shuffle.name.removesuffix(".DepthToSpace") or shuffle.output[0]
        apart = (batch * channels, block, block, height, width)
        whole = (batch, channels, height * block, width * block)
        for name, shape in ((f"{stem}.apart", apart), (f"{stem}.whole", whole)):
            model.graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), name))
        split, order = f"{stem}.Reshape_output_0", f"{stem}.Transpose_output_0"
        place = nodes.index(shuffle)
        nodes[place : place + 1] = [
            helper.make_node("Reshape", [shuffle.input[0], f"{stem}.apart"], [split], f"{stem}.Reshape"),
            helper.make_node("Transpose", [split], [order], f"{stem}.Transpose", perm=[0, 3, 1, 4, 2]),
            helper.make_node("Reshape", [order, f"{stem}.whole"], [shuffle.output[0]], f"{stem}.Reshape_1"),
        ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return bool(shuffles)


def _constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        value = attributes_of(node).get("value") if node.op_type == "Constant" else None
        if isinstance(value, onnx.TensorProto):
            found[node.output[0]] = numpy_helper.to_array(value)
    return found


def _remove(node: onnx.NodeProto, name: str) -> None:
    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)


def _set(node: onnx.NodeProto, name: str, value: str) -> None:
    _remove(node, name)
    node.attribute.append(helper.make_attribute(name, value))
