"""PyTorch: the graph computes what ONNX Runtime computes; a GPU is driven in the documented order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_cuda
from small_models import (
    CONVOLUTION,
    TWO_INPUTS,
    by_onnxruntime,
    inputs_of,
    node_model,
    options,
    outputs_of,
    unshaped,
    written,
)

import device_agents.backends.torch as backend
from device_agents.backends.torch import hardware
from device_agents.protocol import RpcError
from device_agents.sensors import nvidia
from mosegedge.networks.onnx import onnx_of_layer, onnx_of_network
from mosegedge.space import SearchSpace

NANO, TINY = SearchSpace.load("nano"), SearchSpace.load("tiny")
# One layer of each kind and stride, the decoder among them.
LAYERS = {(type(spec), getattr(spec, "stride", 0)): spec for spec in NANO.entries}


@pytest.fixture(autouse=True)
def one_interop_setting(monkeypatch):
    """PyTorch takes this number once in the life of a process."""
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)


@pytest.fixture
def gpu(monkeypatch):
    """A machine with two GPUs whose tensors are on the processor; the backend forgets it afterwards."""
    log = torch_cuda.install(monkeypatch)
    monkeypatch.setattr(hardware, "to_device", lambda device, chosen: lambda tensor: tensor)
    monkeypatch.setattr(backend, "_GPU", [])
    return log


def agrees(content: bytes, folder: Path, **settings: str) -> None:
    model = backend.load(written(folder, content), options("torch", **settings))
    arrays = inputs_of(model)
    for found, expected in zip(outputs_of(backend, model, arrays), by_onnxruntime(content, arrays), strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("spec", LAYERS.values(), ids=lambda spec: spec.key)
def test_layers_compute_what_onnxruntime_computes(spec, opset, tmp_path):
    agrees(onnx_of_layer(spec, opset=opset), tmp_path)


@pytest.mark.parametrize("space", [NANO, TINY], ids=lambda space: space.name)
@pytest.mark.parametrize("opset", [11, 17])
def test_networks_compute_what_onnxruntime_computes(space, opset, tmp_path):
    agrees(onnx_of_network(space, space.uniform(0, 1), opset=opset), tmp_path)


@pytest.mark.parametrize("kind", ["convolution", "network"])
def test_channels_last_changes_the_layout_alone(kind, tmp_path):
    content = CONVOLUTION.content if kind == "convolution" else onnx_of_network(NANO, NANO.smallest, opset=13)
    agrees(content, tmp_path, memory_format="channels_last")
    move = hardware.to_device(torch.device("cpu"), options("torch", memory_format="channels_last"))
    assert move(torch.zeros(1, 3, 4, 4)).is_contiguous(memory_format=torch.channels_last)


def test_the_last_layer_of_the_largest_space_is_taken(tmp_path):
    """`mosegnas` enlarges by DepthToSpace where the smaller spaces interpolate."""
    array = np.random.default_rng(0).normal(size=(1, 8, 4, 4)).astype(np.float32)
    content = node_model("DepthToSpace", (1, 8, 4, 4), blocksize=2, mode="CRD")
    model = backend.load(written(tmp_path, content), options("torch"))
    # The file states a wrong shape of its output: what counts is what was computed.
    np.testing.assert_array_equal(
        outputs_of(backend, model, [array])[0], torch.pixel_shuffle(torch.from_numpy(array), 2).numpy()
    )


def test_memory_is_free_after_the_last_use(tmp_path):
    model = backend.load(written(tmp_path, TWO_INPUTS.content), options("torch"))
    freed = [number for step in model.program.steps for number in step.last_uses]
    assert len(freed) == len(set(freed)) == 4  # Two inputs, two results in between.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (node_model("Erf"), r"no operator Erf \(one\); it has Add, AveragePool"),
        (node_model("MaxPool", kernel_shape=[2, 2], pads=[0, 0, 1, 1]), r"MaxPool \(one\) with pads"),
        (node_model("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_UPPER"), "with auto_pad"),
        (node_model("DepthToSpace", (1, 8, 4, 4), blocksize=2), "a mode other than CRD"),
        (b"garbage", "cannot be read as ONNX"),
        (unshaped(), "fixed shapes"),
    ],
    ids=["operator", "pads", "auto_pad", "mode", "garbage", "shape"],
)
def test_what_exported_networks_do_not_have_is_refused_by_name(content, words, tmp_path):
    with pytest.raises(RpcError, match=words) as refused:
        backend.load(written(tmp_path, content), options("torch"))
    assert refused.value.code == -32003


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"device": "cuda:0"}, "There is no cuda:0: PyTorch .* sees 0 GPUs"),
        ({"device": "meta"}, "is written cpu or cuda:0, not 'meta'"),
        ({"device": "somewhere"}, "is written cpu or cuda:0"),
        ({"mode": "graph"}, "A CUDA graph needs a GPU"),
        ({"precision": "int8"}, "does not compute in int8"),
    ],
)
def test_what_the_device_cannot_do_is_refused(settings, words, tmp_path, monkeypatch):
    torch_cuda.install(monkeypatch, count=0)
    with pytest.raises(RpcError, match=words):
        backend.load(written(tmp_path, CONVOLUTION.content), options("torch", **settings))


def test_low_precision_is_only_what_the_processor_multiplies_in(monkeypatch):
    processor = torch.device("cpu")
    for flags, expected in (
        ({"avx2"}, ["fp32"]),
        ({"avx512_bf16"}, ["fp32", "bf16"]),
        ({"asimdhp", "bf16"}, ["fp32", "fp16", "bf16"]),
    ):
        monkeypatch.setattr(hardware, "_processor_flags", lambda flags=flags: flags)
        assert hardware.precisions(processor) == expected


def test_tf32_is_off_and_said_so():
    hardware.set_up(options("torch"))
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    described = backend.describe(options("torch"))
    assert described["tf32"] is False
    assert described["cudnn_benchmark"] is True
    assert described["clock"] == "host"


def test_layers_are_the_nodes_of_the_file(tmp_path):
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("torch"))
    layers = backend.layers(model, 1)
    assert [(layer["name"], layer["kind"], layer["nodes"]) for layer in layers] == [
        ("conv.Conv", "Conv", ["conv.Conv"]),
        ("conv.Relu", "Relu", ["conv.Relu"]),
    ]
    assert backend.memory() == ()
    assert backend.conditions() == {}


def test_eager_calls_on_a_gpu_are_timed_between_two_events(gpu, tmp_path):
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("torch", device="cuda:1"))
    del gpu[:]
    assert backend.run(model, None) == int(torch_cuda.MILLISECONDS * 1e6)
    assert gpu == ["record", "record", "synchronize"]
    np.testing.assert_allclose(outputs_of(backend, model, CONVOLUTION.inputs)[0], CONVOLUTION.answers[0], atol=1e-5)
    assert [layer["ns"] for layer in backend.layers(model, 2)] == [int(torch_cuda.MILLISECONDS * 1e6)] * 2


def test_a_graph_is_captured_after_a_warm_up_on_a_side_stream_and_replayed(gpu, tmp_path):
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("torch", device="cuda:1", mode="graph"))
    assert gpu == [
        "wait",
        "enter side stream",
        "leave side stream",
        "wait",
        "enter capture",
        "leave capture",
    ]
    del gpu[:]
    assert backend.run(model, None) == int(torch_cuda.MILLISECONDS * 1e6)
    assert gpu == ["record", "replay", "record", "synchronize"]
    np.testing.assert_allclose(outputs_of(backend, model, CONVOLUTION.inputs)[0], CONVOLUTION.answers[0], atol=1e-5)


def test_layers_of_a_graph_are_captured_one_by_one(gpu, tmp_path):
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("torch", device="cuda:1", mode="graph"))
    del gpu[:]
    layers = backend.layers(model, 2)
    assert [layer["ns"] for layer in layers] == [int(torch_cuda.MILLISECONDS * 1e6)] * 2
    assert gpu.count("enter capture") == 2
    # Once before it counts, then twice between events, for each of the two steps.
    assert [event for event in gpu if event in ("replay", "record")] == [
        "replay",
        *["record", "replay", "record"] * 2,
    ] * 2


def test_a_gpu_is_described_and_read_by_its_place(gpu, monkeypatch):
    asked = []
    monkeypatch.setattr(nvidia, "conditions", lambda place: asked.append(place) or {"power_w": 70.0})
    monkeypatch.setattr(nvidia, "hardware", lambda place: {"name": "Example RTX", "at": place})
    chosen = options("torch", device="cuda:1")
    backend.start(chosen)
    described = backend.describe(chosen)
    assert described["accelerator"] == "cuda:1: Example RTX"
    assert described["precisions"] == ["fp32", "fp16", "bf16"]
    assert described["clock"] == "device"
    assert described["gpu"]["at"] == "00000000:65:00.0"
    assert gpu[0] == "set cuda:1"
    assert backend.conditions() == {"power_w": 70.0}
    assert asked == ["00000000:65:00.0"]
    assert backend.memory() == (5 * 1024, 8 * 1024)


def test_names_of_torch_cuda_that_the_agent_uses_exist():
    text = "".join(path.read_text() for path in Path(backend.__file__).parent.glob("*.py"))
    names = set(re.findall(r"\bcuda\.([A-Za-z_]\w*)\(", text))
    assert {"Event", "CUDAGraph", "graph", "mem_get_info", "set_device"} <= names
    assert [name for name in names if not hasattr(torch.cuda, name)] == []
