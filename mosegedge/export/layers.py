"""Time inside a network, by the blocks that its code names: from the runtime's layers back to `encoder.stage3.2`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.devices.replies import LayerTime

_MOST_NAMED = 4
OTHER = "(other)"
"""What belongs to no block: copies and changes of format that the runtime put in."""


@dataclass(frozen=True, slots=True)
class LayerNote:
    """What the runtime says of a layer, as that it fell back to the AI CPU.

    Attributes:
        layer: The ONNX nodes that it was made of, or its own name.
        note: What is said.
    """

    layer: str
    note: str


@dataclass(frozen=True, kw_only=True)
class BlockTime:
    """Time of one block in one run.

    Attributes:
        block: Its module path, or `(other)`.
        ms: Milliseconds.
        share: Of the sum of all layers.
        layers: Layers of the runtime that the block has a part in.
        notes: What the runtime says of them.
    """

    block: str
    ms: float
    share: float
    layers: int
    notes: tuple[LayerNote, ...]


def by_block(layers: Sequence[LayerTime], blocks: Sequence[str]) -> tuple[BlockTime, ...]:
    """Adds the times of a runtime's layers up by block.

    A layer that was fused across blocks counts for each of them by its number of nodes there.

    Args:
        layers: What the runtime told, for one run.
        blocks: Names of the network's layers in order, as `SearchSpace.layers_of` gives them.

    Returns:
        One entry a block that has any time, in the network's order, what belongs to none last.
    """
    total_ns = max(sum(layer.ns for layer in layers), 1)
    time_ns: dict[str, float] = dict.fromkeys([*blocks, OTHER], 0.0)
    counts: dict[str, int] = dict.fromkeys(time_ns, 0)
    notes: dict[str, list[LayerNote]] = {block: [] for block in time_ns}
    for layer in layers:
        owners = [block_of(node, blocks) for node in layer.nodes] or [OTHER]
        for owner in owners:
            time_ns[owner] += layer.ns / len(owners)
        for owner in dict.fromkeys(owners):
            counts[owner] += 1
            if layer.note:
                notes[owner].append(LayerNote(", ".join(layer.nodes) or layer.name, layer.note))
    return tuple(
        BlockTime(
            block=block,
            ms=time_ns[block] / 1e6,
            share=time_ns[block] / total_ns,
            layers=counts[block],
            notes=tuple(notes[block]),
        )
        for block in time_ns
        if counts[block]
    )


def block_of(node: str, blocks: Sequence[str]) -> str:
    """The block that an ONNX node belongs to: `encoder.stage1.0.conv1.conv.Conv` to `encoder.stage1.0`."""
    path = node.rpartition(".")[0]
    inside = [block for block in blocks if path == block or path.startswith(f"{block}.")]
    return max(inside, key=len, default=OTHER)


def table_of(times: Sequence[BlockTime], suffix: str = "") -> list[str]:
    """Lines of a table: block, milliseconds, share; then the notes with the layers that caused them.

    Args:
        times: By block.
        suffix: Ends every line that has a number.
    """
    width = max((len(time.block) for time in times), default=0)
    lines = [f"  {time.block:{width}}  {time.ms:8.3f} ms  {time.share:6.1%}{suffix}" for time in times]
    layers: dict[str, dict[str, None]] = {}
    for note in (note for time in times for note in time.notes):
        layers.setdefault(note.note, {})[note.layer] = None
    return lines + [f"  {text}: {named(list(found))}" for text, found in layers.items()]


def named(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are."""
    shown = ", ".join(names[:_MOST_NAMED])
    return f"{shown} and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else shown
