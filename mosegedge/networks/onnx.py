"""ONNX of layers and networks, with module paths as node names.

The TorchScript exporter is used because it reaches the opsets 11 to 17 that boards' compilers take; the newer exporter
starts at 18.
"""

from __future__ import annotations

import io
import re
import warnings

import onnx
import torch
from torch import Tensor, nn

from mosegedge.errors import ExportError
from mosegedge.networks.blocks import Decoder, build_layer
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.weights import build_with_weights, generator_of
from mosegedge.space import Architecture, LayerSpec, SearchSpace

OPSETS = range(11, 18)


class _Logits(nn.Module):
    """A decoder without the outputs that only training reads."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, first: Tensor, c16: Tensor, c32: Tensor) -> Tensor:
        logits: Tensor = self.decoder(first, c16, c32).logits
        return logits


def onnx_of_layer(spec: LayerSpec, *, opset: int = 17) -> bytes:
    """ONNX of one layer at batch 1, with random weights that depend only on the layer.

    Args:
        spec: The layer.
        opset: 11 to 17.
    """
    module = build_with_weights(lambda: build_layer(spec), generator_of(spec.key))
    module = _Logits(module) if isinstance(module, Decoder) else module
    return export_module(module, spec.input_shapes, opset=opset)


def onnx_of_network(space: SearchSpace, architecture: Architecture, *, opset: int = 17) -> bytes:
    """ONNX of a whole network at batch 1, with random weights that depend only on its code and its space."""
    generator = generator_of(f"{space.digest} {architecture}")
    subnet = build_with_weights(lambda: SubNet(space, architecture), generator)
    return export_module(subnet, ((1, 3, *space.input_size(architecture)),), opset=opset)


def export_module(module: nn.Module, input_shapes: tuple[tuple[int, ...], ...], *, opset: int) -> bytes:
    """ONNX of a module in evaluation mode with static shapes; nodes are named by module path and operator.

    Raises:
        ExportError: The opset is outside 11 to 17.
    """
    if opset not in OPSETS:
        raise ExportError(
            f"Opset {opset} cannot be written.",
            known=f"Opsets {OPSETS.start} to {OPSETS.stop - 1} can.",
            fix="--opset 11",
        )
    names = [f"input{index}" for index in range(len(input_shapes))] if len(input_shapes) > 1 else ["input"]
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter announces its own retirement on every call; we pin the torch version that has it.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            module.eval(),
            tuple(torch.zeros(shape) for shape in input_shapes),
            stream,  # type: ignore[arg-type]  # this exporter writes to any stream
            input_names=names,
            output_names=["output"],
            opset_version=opset,
            dynamo=False,
        )
    model = onnx.load_model_from_string(stream.getvalue())
    _drop_identities(model.graph)
    _rename(model.graph)
    _name_weights(model.graph)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _rename(graph: onnx.GraphProto) -> None:
    """Turns `/encoder/stage1/stage1.0/conv1/conv/Conv` into `encoder.stage1.0.conv1.conv.Conv`, tensors too."""
    taken: dict[str, str] = {}

    def name_of(old: str) -> str:
        if "/" not in old:
            return old
        if old not in taken:
            parts: list[str] = []
            for part in old.strip("/").split("/"):
                # A child of a Sequential carries its parent's name in front: keep what is new.
                prefix = f"{parts[-1]}." if parts else ""
                parts.append(part.removeprefix(prefix) if prefix else part)
            taken[old] = re.sub(r"[^A-Za-z0-9_.]", "_", ".".join(parts))
        return taken[old]

    for node in graph.node:
        node.name = name_of(node.name)
        node.input[:] = [name_of(name) for name in node.input]
        node.output[:] = [name_of(name) for name in node.output]
    for tensor in [*graph.initializer, *graph.value_info]:
        tensor.name = name_of(tensor.name)


def _drop_identities(graph: onnx.GraphProto) -> None:
    """Reads shared constants directly; the exporter puts an Identity before each second reader of equal weights."""
    source = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    kept = [node for node in graph.node if node.op_type != "Identity"]
    for node in kept:
        node.input[:] = [source.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(kept)


def _name_weights(graph: onnx.GraphProto) -> None:
    """Names convolution weights after their node; norms were folded into them, so they have no name of their own."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    named: list[onnx.TensorProto] = []
    for node in graph.node:
        for index, role in ((1, "weight"), (2, "bias")):
            if node.op_type == "Conv" and index < len(node.input):
                tensor = onnx.TensorProto()
                tensor.CopyFrom(constants[node.input[index]])
                tensor.name = node.input[index] = f"{node.name.removesuffix('.Conv')}.{role}"
                named.append(tensor)
    read = {name for node in graph.node for name in node.input}
    named += [tensor for name, tensor in constants.items() if name in read]
    unique = {tensor.name: tensor for tensor in named}
    del graph.initializer[:]
    graph.initializer.extend(unique.values())
