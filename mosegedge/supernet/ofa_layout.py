"""Names and shapes of once-for-all's elastic ResNet-50, `ofa_resnet50`, and their places in an encoder of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from mosegedge.errors import CheckpointError
from mosegedge.space import SearchSpace
from mosegedge.space.layers import DecoderSpec, StemSpec
from mosegedge.supernet.model import tensor_shapes

LAYOUT = "ofa_resnet50"
_ENCODER = "subnet."
_CLASSIFIER = "classifier."
_CLASSES = "ImageNet's classifier on pooled features; the decoder takes its place."
_COUNTER = "num_batches_tracked"
_KINDS = {"conv": "conv", "norm": "bn"}
_STEM = {"conv1": "input_stem.0", "conv2": "input_stem.1.conv", "conv3": "input_stem.2"}
_BLOCK = {"conv1": "conv1", "conv2": "conv2", "conv3": "conv3", "shortcut.conv": "downsample"}


@dataclass(frozen=True, slots=True)
class Place:
    """One tensor of the encoder: its name here, and the names that it can have in the file.

    Attributes:
        name: In the supernet's network, as `subnet.encoder.stage1.0.conv1.conv.weight`.
        elastic: As layers of changing width name it, `blocks.0.conv1.conv.conv.weight`.
        fixed: As layers of fixed width name it, `blocks.0.conv1.conv.weight`; the package reads both forms.
        shape: Of the tensor.
    """

    name: str
    elastic: str
    fixed: str
    shape: tuple[int, ...]


def places(space: SearchSpace) -> Iterator[Place]:
    """The tensors of a space's encoder in the order of execution."""
    blocks = count()
    for layer in space.layers_of(space.largest):
        if isinstance(layer.spec, DecoderSpec):
            continue
        prefix, paths = ("", _STEM) if isinstance(layer.spec, StemSpec) else (f"blocks.{next(blocks)}.", _BLOCK)
        for name, shape in tensor_shapes(layer.spec).items():
            module, kind, leaf = name.rsplit(".", 2)
            path, inner = prefix + paths[module], _KINDS[kind]
            yield Place(
                f"{_ENCODER}{layer.name}.{name}", f"{path}.{inner}.{inner}.{leaf}", f"{path}.{inner}.{leaf}", shape
            )


def encoder_of(
    tensors: dict[str, Tensor], space: SearchSpace, source: Path
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of the encoder as float32, as they are in the file.

    Args:
        tensors: Of the file, by name.
        space: Whose encoder they become.
        source: The file, for messages.

    Returns:
        Tensors by their names in the supernet's network; names in the file that were left out, with the reason.

    Raises:
        CheckpointError: A name is missing or unknown, a shape is another, or a value cannot be a weight.
    """
    rest = dict(tensors)
    found: dict[str, Tensor] = {}
    missing = []
    for place in places(space):
        name = place.elastic if place.elastic in rest else place.fixed
        if name in rest:
            found[place.name] = _checked(rest.pop(name), name, place, space, source)
        elif place.name.endswith(_COUNTER):  # Files of old PyTorch versions lack it, and nothing reads it.
            found[place.name] = torch.zeros((), dtype=torch.int64)
        else:
            missing.append(place.elastic)
    left_out = {name: _CLASSES for name in rest if name.startswith(_CLASSIFIER)}
    unknown = [name for name in rest if name not in left_out]
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has {unknown[0][:80]!r}, which that network does not have"
        raise CheckpointError(
            f"{source} is no state dictionary of {LAYOUT}: it {what}.",
            known=f"{len(found)} tensors have their place, {len(missing)} are missing, {len(unknown)} are unknown.",
            fix="Take the public file of ofa_resnet50 (d=0+1+2, e=0.2+0.25+0.35, w=0.65+0.8+1.0).",
        )
    return found, left_out


def _checked(tensor: Tensor, name: str, place: Place, space: SearchSpace, source: Path) -> Tensor:
    """A tensor of the right shape and kind, as float32 or, for a counter, int64."""
    if tuple(tensor.shape) != place.shape:
        raise CheckpointError(
            f"{name!r} of {source} has the shape {_text(tuple(tensor.shape))}, "
            f"the space {space.name} needs {_text(place.shape)}.",
            known=f"{LAYOUT} has the encoder of mosegnas.",
            fix="--space mosegnas, or mosegnas:HEIGHTxWIDTH:CLASSES.",
        )
    counter = place.name.endswith(_COUNTER)
    if counter == tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        raise CheckpointError(f"{name!r} of {source} holds {tensor.dtype} values, which cannot be its weights.")
    if counter:
        return tensor.to(torch.int64)
    tensor = tensor.to(torch.float32)
    if not tensor.isfinite().all() or (place.name.endswith("running_var") and tensor.min() < 0):
        raise CheckpointError(
            f"{name!r} of {source} holds values that are not finite, or a negative variance.",
            fix="The file is damaged, or its training diverged; take another one.",
        )
    return tensor.contiguous()


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape) or "of one number"
