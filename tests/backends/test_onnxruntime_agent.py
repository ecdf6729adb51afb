"""ONNX Runtime: the provider that was asked for runs every node, or there is a sentence."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from gpu_session import Gpu, PlugInDevice
from small_models import CONVOLUTION, TWO_INPUTS, by_onnxruntime, inputs_of, options, outputs_of, unshaped, written

from device_agents.backends import onnxruntime as backend
from device_agents.backends.onnxruntime import profile, providers
from device_agents.protocol import RpcError
from mosegedge.networks.precision import to_fp16

CUDA = "CUDAExecutionProvider"


def test_it_answers_on_the_processor_and_names_its_kernels(tmp_path):
    chosen = options("onnxruntime")
    model = backend.load(written(tmp_path, TWO_INPUTS.content), chosen)
    arrays = inputs_of(model)
    np.testing.assert_array_equal(outputs_of(backend, model, arrays)[0], by_onnxruntime(TWO_INPUTS.content, arrays)[0])
    assert backend.run(model, None) is None
    layers = backend.layers(model, 2)
    assert {node for layer in layers for node in layer["nodes"]} <= TWO_INPUTS.nodes
    assert sum(layer["ns"] for layer in layers) >= 0
    backend.close(model)


def test_a_provider_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(RpcError, match=r"has no CUDAExecutionProvider; it has .*CPUExecutionProvider"):
        backend.describe(options("onnxruntime", provider=CUDA))


def test_nodes_that_would_fall_back_to_the_processor_are_refused(tmp_path):
    """The package for Linux brings AzureExecutionProvider, which runs none of these nodes."""
    chosen = options("onnxruntime", provider="AzureExecutionProvider")
    assert backend.describe(chosen)["accelerator"] == "AzureExecutionProvider"
    with pytest.raises(RpcError, match="fallback to CPU EP has been explicitly disabled"):
        backend.load(written(tmp_path, CONVOLUTION.content), chosen)


@pytest.mark.parametrize(
    ("library", "words"),
    [("/absent/provider.so", "no file /absent/provider.so"), (__file__, "cannot use the library")],
)
def test_a_plug_in_library_that_cannot_be_used_is_refused(library, words):
    with pytest.raises(RpcError, match=words):
        providers.prepare(options("onnxruntime", provider=CUDA, provider_library=library))


def test_a_plug_in_provider_is_found_by_its_devices_under_either_spelling(monkeypatch, tmp_path):
    chosen = options("onnxruntime", provider="NvTensorRtRtxExecutionProvider", provider_library=__file__, device_id="1")
    registered = []
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda *names: registered.append(names))
    providers.prepare(chosen)
    assert registered == [("mosegedge", __file__)]
    with pytest.raises(RpcError, match="registered, but its provider found no device"):
        providers.chosen(chosen)
    devices = [PlugInDevice("NvTensorRTRTXExecutionProvider") for _ in range(2)]
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: devices)
    assert providers.plugged_in(chosen) == [devices[1]]
    assert providers.accelerator(chosen) == "NvTensorRTRTXExecutionProvider of Example 0.5 device 1"
    assert providers.is_typed(providers.chosen(chosen))
    devices.pop()
    with pytest.raises(RpcError, match="has 1 devices, device_id is 1"):
        providers.plugged_in(chosen)


def test_a_provider_chosen_by_its_device_runs(monkeypatch, tmp_path):
    """The processor's own provider is listed as a device too: the way of a plug-in, for real."""
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda *names: None)
    chosen = options("onnxruntime", provider_library=__file__)
    backend.start(chosen)
    model = backend.load(written(tmp_path, CONVOLUTION.content), chosen)
    np.testing.assert_allclose(outputs_of(backend, model, CONVOLUTION.inputs)[0], CONVOLUTION.answers[0], atol=1e-6)


def test_tensors_stay_on_the_gpu_and_no_copy_is_timed(monkeypatch, tmp_path):
    gpu = Gpu(CUDA)
    gpu.install(monkeypatch)
    chosen = options("onnxruntime", provider=CUDA, device_id="1", provider_options="prefer_nhwc=1; use_tf32=0")
    model = backend.load(written(tmp_path, CONVOLUTION.content), chosen)
    assert gpu.placed == [("cuda", 1)] * 2
    assert gpu.settings == {"session.disable_cpu_ep_fallback": "1"}
    assert gpu.told["use_tf32"] == "0"
    assert gpu.told["prefer_nhwc"] == "1"
    backend.run(model, None)
    assert gpu.synchronized == 1
    np.testing.assert_allclose(outputs_of(backend, model, CONVOLUTION.inputs)[0], CONVOLUTION.answers[0], atol=1e-6)


def test_a_node_that_the_profile_shows_elsewhere_is_named(monkeypatch, tmp_path):
    Gpu(CUDA, left_to_cpu=True).install(monkeypatch)
    with pytest.raises(RpcError, match=r"does not run all of this model: .*\(Conv.* by CPUExecutionProvider"):
        backend.load(written(tmp_path, CONVOLUTION.content), options("onnxruntime", provider=CUDA))


def test_a_session_without_the_provider_is_refused(monkeypatch, tmp_path):
    Gpu(CUDA, starts=False).install(monkeypatch)
    with pytest.raises(RpcError, match="Asked for CUDAExecutionProvider, ONNX Runtime chose CPUExecutionProvider"):
        backend.load(written(tmp_path, CONVOLUTION.content), options("onnxruntime", provider=CUDA))


@pytest.mark.parametrize(
    ("provider", "precision", "expected"),
    [
        (CUDA, "fp32", {"device_id": "0", "use_tf32": "0"}),
        ("TensorrtExecutionProvider", "fp32", {"trt_fp16_enable": "0"}),
        ("TensorrtExecutionProvider", "fp16", {"trt_fp16_enable": "1"}),
        ("CANNExecutionProvider", "fp32", {"precision_mode": "must_keep_origin_dtype"}),
        ("CANNExecutionProvider", "fp16", {"precision_mode": "force_fp16"}),
        ("OpenVINOExecutionProvider", "fp32", {"precision": "FP32", "num_of_threads": "1"}),
    ],
)
def test_providers_are_told_the_precision_in_their_own_words(monkeypatch, provider, precision, expected):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [provider])
    chosen = options("onnxruntime", provider=provider, precision=precision)
    told = providers.options_for(chosen)
    assert told.items() >= expected.items()
    table = Path(__file__).parents[1] / "standins" / "cuda_runtime" / "provider_options.json"
    assert set(told) <= set(json.loads(table.read_text())[provider])
    providers.check_precision(chosen)
    assert providers.place_of(chosen) == {"OpenVINOExecutionProvider": None, "CANNExecutionProvider": ("cann", 0)}.get(
        provider, ("cuda", 0)
    )


def test_fp32_on_an_nvidia_gpu_is_no_tf32(monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    providers.prepare(options("onnxruntime", provider=CUDA))
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.parametrize(("provider", "asked"), [(CUDA, [""]), ("CPUExecutionProvider", [])])
def test_cuda_installed_as_python_packages_is_found(provider, asked, monkeypatch):
    folders = []
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda directory: folders.append(directory), raising=False)
    providers.prepare(options("onnxruntime", provider=provider))
    assert folders == asked


@pytest.mark.parametrize("text", ["enable", "=1"])
def test_provider_options_that_cannot_be_read_are_refused(text):
    with pytest.raises(RpcError, match="provider_options is written name=value"):
        providers.options_for(options("onnxruntime", provider_options=text))


def test_fp16_that_would_be_computed_in_fp32_is_refused(monkeypatch, tmp_path):
    path = written(tmp_path, to_fp16(CONVOLUTION.content))
    has_kernels = providers._cpu_has_fp16()
    if not has_kernels:
        with pytest.raises(RpcError, match="cannot be timed in fp16 here; it can in fp32"):
            backend.load(path, options("onnxruntime", precision="fp16"))
    monkeypatch.setattr(providers, "_cpu_has_fp16", lambda: True)
    expected = pytest.raises(RpcError, match="of this fp16 model in fp32")
    with contextlib.nullcontext() if has_kernels else expected:
        backend.load(path, options("onnxruntime", precision="fp16"))
    assert backend.describe(options("onnxruntime", precision="fp16"))["typed_onnx"]


@pytest.mark.parametrize("content", [b"garbage", unshaped()])
def test_what_is_no_model_with_fixed_shapes_is_refused(tmp_path, content):
    with pytest.raises(RpcError) as refused:
        backend.load(written(tmp_path, content), options("onnxruntime"))
    assert refused.value.code == -32003


def test_kernels_are_named_after_the_node_whose_tensor_they_write():
    def event(name, kind, us):
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": us, "args": {"op_name": kind, "provider": "X"}}

    events = [
        event("stem.conv.Relu_output_0_nchwc", "Conv", 900),
        event("ReorderOutput_token_3", "ReorderOutput", 9),
        event("stem.conv.Relu_output_0_nchwc", "Conv", 10),
        event("stem.conv.Relu_output_0_nchwc", "Conv", 20),
        event("output_nchwc", "Upsample", 4),
        event("stem.pool.MaxPool", "MaxPool", 5),
    ]
    layers = {layer["name"]: (layer["ns"], layer["nodes"]) for layer in profile.layers(events)}
    assert layers == {
        "stem.conv.Relu_output_0_nchwc": (15_000, ["stem.conv.Relu"]),
        "ReorderOutput_token_3": (9_000, []),
        "output_nchwc": (4_000, []),
        "stem.pool.MaxPool": (5_000, ["stem.pool.MaxPool"]),
    }
