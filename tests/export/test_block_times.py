"""Time inside a network, from a runtime's layers to the blocks of a code."""

from __future__ import annotations

import products
import pytest

from mosegedge.devices.replies import LayerTime
from mosegedge.export.layers import OTHER, LayerNote, block_of, by_block, table_of

BLOCKS = ["encoder.stem", "encoder.stage1.1", "encoder.stage1.10", "decoder"]


@pytest.mark.parametrize(
    ("node", "block"),
    [
        ("encoder.stem.conv1.conv.Conv", "encoder.stem"),
        ("encoder.stem.Add", "encoder.stem"),
        ("encoder.stage1.1.conv1.Relu", "encoder.stage1.1"),
        ("encoder.stage1.10.conv1.Relu", "encoder.stage1.10"),
        ("decoder.Resize_2", "decoder"),
        ("encoder.stage1.2.conv1.Relu", OTHER),
        ("encoder.stage1.1", OTHER),
        ("trans_TransData_0", OTHER),
        ("", OTHER),
    ],
)
def test_a_node_belongs_to_the_block_that_its_path_begins_with(node, block):
    assert block_of(node, BLOCKS) == block


def test_every_node_of_an_exported_network_belongs_to_a_block(tmp_path):
    import onnx

    from mosegedge.networks.onnx import onnx_of_network

    architecture = products.SPACE.uniform(1, 1)
    blocks = [layer.name for layer in products.SPACE.layers_of(architecture)]
    graph = onnx.load_model_from_string(onnx_of_network(products.SPACE, architecture)).graph
    assert {block_of(node.name, blocks) for node in graph.node} == set(blocks)


def layer(ns: int, *nodes: str, note: str = "") -> LayerTime:
    return LayerTime(name="layer", kind="k", ns=ns, nodes=nodes, note=note)


def test_a_layer_fused_across_blocks_counts_for_each_by_its_nodes():
    times = by_block(
        [
            layer(3_000_000, "encoder.stem.Add", "encoder.stem.conv1.Relu", "encoder.stage1.1.conv1.conv.Conv"),
            layer(1_000_000, "decoder.GlobalAveragePool", note="AI CPU"),
            layer(500_000),
        ],
        BLOCKS,
    )
    assert [(time.block, time.ms, time.layers) for time in times] == [
        ("encoder.stem", 2.0, 1),
        ("encoder.stage1.1", 1.0, 1),
        ("decoder", 1.0, 1),
        (OTHER, 0.5, 1),
    ]
    assert sum(time.share for time in times) == pytest.approx(1)
    assert times[2].notes == (LayerNote("decoder.GlobalAveragePool", "AI CPU"),)
    assert times[0].notes == ()


def test_the_table_has_a_line_a_block_and_every_note_once():
    lines = table_of(by_block([layer(1000, "encoder.stem.Add", "decoder.Add", note="AI CPU")], BLOCKS), " (simulated)")
    assert lines == [
        "  encoder.stem     0.001 ms   50.0% (simulated)",
        "  decoder          0.001 ms   50.0% (simulated)",
        "  AI CPU: encoder.stem.Add, decoder.Add",
    ]


def test_no_layers_give_no_table():
    assert by_block([], BLOCKS) == ()
    assert by_block([layer(0, "decoder.Add")], BLOCKS)[0].share == 0
    assert table_of(()) == []


def test_of_many_layers_with_a_note_some_are_named():
    layers = [layer(1, f"decoder.{letter}.Add", note="slow") for letter in "abcdef"]
    assert (
        table_of(by_block(layers, BLOCKS))[-1]
        == "  slow: decoder.a.Add, decoder.b.Add, decoder.c.Add, decoder.d.Add and 2 more"
    )
