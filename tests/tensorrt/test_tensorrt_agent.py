"""The backend tensorrt by its Python module: a real agent process on a box of stand-ins, for four versions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from nvidiabox import Box

VERSIONS = ["8.5.3", "8.6.1", "10.3.0", "11.4.0"]


def expected_of(content: bytes, feed: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"input": feed})[0]


def fails(reply: dict) -> str:
    return reply["error"]["message"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_network_is_built_timed_run_and_taken_apart(tmp_path, network, version):
    old_cuda = "trt cuda_old nvml" if version.startswith("8") else "trt cuda_new nvml"
    with Box(tmp_path, version=version, modules=old_cuda, reasons="0x25") as box:
        vendor = box.vendor()
        assert vendor["runtime"]["tensorrt"] == version
        assert vendor["runtime"]["cuda_access"] == ("cuda.cudart" if "old" in old_cuda else "cuda.bindings.runtime")
        assert vendor["typed_onnx"] is version.startswith("11")
        assert vendor["clock"] == "device"
        assert "RTX 3090" in vendor["accelerator"]
        loaded = box.load(network)["result"]
        assert loaded["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, 3, 64, 128]}]
        assert loaded["accelerator_mib"] == [4096, 24576]
        assert not loaded["artefact"]["cached"]
        notes = loaded["artefact"]["notes"]
        assert "TF32 off" in notes
        assert ("precision fp32 by the types in the ONNX file" in notes) is version.startswith("11")
        assert any("has no optimization level" in note for note in notes) is version.startswith("8.5")
        bursts, end = box.time([loaded["model"]] * 2)
        assert [burst["device_ns"] for burst in bursts] == [[bursts[0]["device_ns"][0]] * 3] * 2
        assert end["result"]["after"]["launch_bound_share"] >= 0
        assert end["result"]["after"]["throttled"] == ["SwPowerCap", "SwThermalSlowdown"]
        feed = np.random.default_rng(0).standard_normal((1, 3, 64, 128)).astype(np.float32)
        (output,) = box.run(loaded["model"], feed.tobytes())["result"]
        found = np.frombuffer(box.tensor(output), output["dtype"]).reshape(output["shape"])
        assert np.allclose(found, expected_of(network, feed), atol=1e-4)
        layers = box.call("layers", model=loaded["model"], runs=3)["result"]
    nodes = [node.name for node in onnx.load_model_from_string(network).graph.node if node.op_type != "Constant"]
    named = [name for layer in layers for name in layer["nodes"]]
    if version.startswith("8.5"):  # Only the ends of its last block are known.
        assert set(named) < set(nodes)
        assert len(nodes) - len(named) == 1
        assert layers[1]["note"] == "nodes read from the layer's name"
    else:
        assert named == nodes
        assert layers[1]["note"] == ""
    assert layers[0]["nodes"] == []
    assert layers[0]["note"] == "layout change for encoder.stem.conv1.conv.Conv"
    (conv,) = [layer for layer in layers if "encoder.stage1.0.conv1.conv.Conv" in layer["nodes"]]
    assert conv["nodes"][1] == "encoder.stage1.0.conv1.Relu"
    assert conv["kind"] == "CaskConvolution"
    assert conv["ns"] == 2000
    # Without a profiler: what the timed runs took is the sum of the law, not of slower runs.
    assert bursts[0]["device_ns"][0] == sum(layer["ns"] for layer in layers)


def test_the_same_model_is_compiled_once_and_the_timing_cache_goes_on(tmp_path, network, layer):
    with Box(tmp_path) as box:
        first = box.load(network)["result"]["artefact"]
        assert "timing cache begun" in first["notes"]
    with Box(tmp_path) as box:
        second = box.load(network)["result"]["artefact"]
        assert second["cached"]
        assert {**second, "cached": False} == first
        assert "timing cache continued" in box.load(layer)["result"]["artefact"]["notes"]
    with Box(tmp_path, settings={"optimization_level": "5"}) as box:
        assert not box.load(network)["result"]["artefact"]["cached"]
    with Box(tmp_path, version="8.6.1") as box:
        third = box.load(network)["result"]["artefact"]
        assert not third["cached"]
        assert "timing cache begun" in third["notes"]
    built = Path(box.folders["models"]).parent / "built"
    assert len(list(built.glob("timing-*.cache"))) == 2
    assert not [path for path in built.iterdir() if path.suffix not in (".cache", ".json", ".engine")]


def test_a_rejected_timing_cache_is_begun_anew_and_noted(tmp_path, network):
    with Box(tmp_path, fail="cache") as box:
        built = Path(box.folders["models"]).parent / "built"
        box.load(network)
        for path in built.glob("*.engine"):
            path.unlink()
        assert "timing cache was rejected and begun anew" in box.load(network)["result"]["artefact"]["notes"]


@pytest.mark.parametrize("version", ["8.6.1", "10.3.0"])
def test_fp16_by_the_builders_flag(tmp_path, network, version):
    with Box(tmp_path, version=version, precision="fp16", settings={"workspace_mib": "512"}) as box:
        assert box.vendor()["typed_onnx"] is False
        loaded = box.load(network)["result"]
        assert loaded["artefact"]["notes"][:2] == ["precision fp16 by the builder's flag", "workspace 512 MiB"]
    header = json.loads(Path(loaded["artefact"]["path"]).read_bytes().split(b"\n", 2)[1])
    assert "FP16" in header["flags"]
    assert header["workspace"] == 512 * 2**20
    assert header["detailed"]
    assert header["aux"] == 0


def test_fp16_by_the_types_in_the_file(tmp_path, network, network_fp16):
    with Box(tmp_path, version="11.4.0", precision="fp16") as box:
        assert box.vendor()["typed_onnx"] is True
        assert "takes the types in the ONNX file as they are, and this file is in fp32" in fails(box.load(network))
        loaded = box.load(network_fp16)["result"]
        assert loaded["artefact"]["notes"][0] == "precision fp16 by the types in the ONNX file"
        feed = np.random.default_rng(0).standard_normal((1, 3, 64, 128)).astype(np.float32)
        (output,) = box.run(loaded["model"], feed.tobytes())["result"]
        found = np.frombuffer(box.tensor(output), output["dtype"]).reshape(output["shape"])
        exact = expected_of(network, feed)
        assert np.abs(found - exact).max() < 0.02 * max(1.0, np.abs(exact).max())


@pytest.mark.parametrize(
    ("precision", "message"),
    [("fp32", "set to fp32, the ONNX file is in fp16"), ("int8", "QuantizeLinear"), ("bf16", "bf16 is not possible")],
)
def test_another_precision_than_the_one_asked_for_is_refused(tmp_path, network_fp16, precision, message):
    with Box(tmp_path, precision=precision) as box:
        assert message in fails(box.load(network_fp16))


def test_plain_launches_instead_of_a_graph(tmp_path, layer):
    with Box(tmp_path, settings={"cuda_graph": "off"}) as box:
        assert box.vendor()["launch"] == "execute_async_v3"
        bursts, _ = box.time([box.load(layer)["result"]["model"]])
        launched = bursts[0]["device_ns"][0]
    with Box(tmp_path) as box:
        assert box.vendor()["launch"] == "CUDA graph"
        bursts, _ = box.time([box.load(layer)["result"]["model"]])
    assert bursts[0]["device_ns"][0] == launched - 1000  # The stand-in's cost of a launch.


def test_a_network_that_cannot_be_captured_is_refused_with_the_way_out(tmp_path, layer):
    with Box(tmp_path, fail="capture") as box:
        message = fails(box.load(layer))
        assert "could not be captured as a CUDA graph" in message
        assert "cannot enqueue" in message
        assert 'cuda_graph = "off"' in message
    with Box(tmp_path, fail="capture", settings={"cuda_graph": "off"}) as box:
        assert "result" in box.load(layer)


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        ("build", "TensorRT 10.3.0 built no engine: 10: [optimizer.cpp::computeCosts::4040] Error Code 10: Internal"),
        ("enqueue", "TensorRT 10.3.0 did not start the run: 3: [executionContext.cpp::enqueueV3::2666]"),
        ("context", "TensorRT 10.3.0 has no memory for the engine"),
        ("memory", "cudaMalloc failed with CUDA error 2 (cudaErrorMemoryAllocation)"),
    ],
)
def test_failures_carry_the_vendors_words_and_the_agent_goes_on(tmp_path, layer, fail, message):
    with Box(tmp_path, fail=fail) as box:
        assert message in fails(box.load(layer))
        assert box.vendor()["runtime"]["tensorrt"] == "10.3.0"


def test_a_model_with_an_unknown_operator_is_named_by_node(tmp_path, strange):
    with Box(tmp_path) as box:
        assert "cannot read the model: node head.strange: In node 0" in fails(box.load(strange))
        assert "cannot be read as ONNX" in fails(box.load(b"\xff" * 40))
    with Box(tmp_path, version="8.5.3") as box:
        assert "node number 0: In node 0" in fails(box.load(strange))


def test_moving_shapes_are_refused(tmp_path):
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], name="only")], "g", ports[:1], ports[1:])
    with Box(tmp_path) as box:
        assert "x has shape [-1, 2]" in fails(box.load(helper.make_model(graph).SerializeToString()))


def test_an_engine_loads_where_it_was_built_and_nowhere_else(tmp_path, layer):
    with Box(tmp_path / "a") as box:
        artefact = box.load(layer)["result"]["artefact"]
        engine = Path(artefact["path"]).read_bytes()
        loaded = box.load(engine, "engine")["result"]
        assert loaded["artefact"]["sha256"] == artefact["sha256"]
        assert box.time([loaded["model"]])[0][0]["device_ns"]
        assert "loads onnx and engine, not om" in fails(box.load(engine, "om"))
    with Box(tmp_path / "b", version="8.6.1") as box:
        message = fails(box.load(engine, "engine"))
        assert "tensorrt 8.6.1 cannot load the engine" in message
        assert "Version tag does not match" in message


def test_wrong_inputs_are_counted(tmp_path, layer):
    with Box(tmp_path) as box:
        loaded = box.load(layer)["result"]
        model, size = loaded["model"], 4 * int(np.prod(loaded["inputs"][0]["shape"]))
        assert "has 1 inputs, 0 were sent" in fails(box.run(model))
        assert f"input has {size} bytes, 4 were sent" in fails(box.run(model, b"1234"))


@pytest.mark.parametrize(
    ("fail", "message"), [("report", "did not report to the profiler"), ("profiler", "other layers in every run")]
)
def test_a_profiler_that_loses_layers_is_an_error(tmp_path, layer, fail, message):
    with Box(tmp_path, fail=fail) as box:
        model = box.load(layer)["result"]["model"]
        assert message in fails(box.call("layers", model=model, runs=4))


def test_layers_that_overlap_say_so(tmp_path, layer):
    with Box(tmp_path, fail="aux") as box:
        model = box.load(layer)["result"]["model"]
        layers = box.call("layers", model=model, runs=1)["result"]
        assert all("layers overlap on 2 streams" in item["note"] for item in layers)


def test_tensorrt_rtx_is_taken_by_its_own_name_and_has_no_flags(tmp_path, layer):
    with Box(tmp_path, modules="trt_rtx cuda_new nvml", settings={"module": "tensorrt_rtx"}) as box:
        vendor = box.vendor()
        assert "tensorrt_rtx" in vendor["runtime"]
        assert vendor["typed_onnx"] is True
        assert "result" in box.load(layer)


def test_nothing_that_the_vendor_prints_reaches_the_host(tmp_path, layer):
    with Box(tmp_path) as box:
        model = box.load(layer)["result"]["model"]
        box.time([model])
        box.process.stdin.close()
        assert box.process.stdout.read() == b""
        noise = box.process.stderr.read().decode()
    for text in ("[TRT] module is loading", "[TRT] building", "[TRT] context", "libcuda: looking for devices"):
        assert text in noise


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"gpu": "none"}, "cudaGetDeviceCount failed with CUDA error 35 (cudaErrorInsufficientDriver)"),
        ({"gpu": "empty"}, "CUDA error 100 (cudaErrorNoDevice)"),
        ({"gpu": "crash"}, "A trial process ended by signal 11 when CUDA was asked for its devices"),
        ({"fail": "crash"}, "A trial process ended by signal 11 when tensorrt was started"),
        ({"fail": "import"}, "tensorrt cannot be imported: libnvinfer.so: cannot open shared object file"),
    ],
)
def test_a_box_without_a_usable_gpu_is_a_sentence_and_no_crash(tmp_path, state, message):
    with Box(tmp_path, nvml="none", **state) as box:
        assert message in fails(box.call("describe"))
        (failed,) = [check for check in box.call("checks")["result"] if check["name"] == "tensorrt"]
        assert failed["status"] == "failed"
        assert message in failed["found"]


def test_a_folder_named_like_the_module_is_no_module(tmp_path, layer):
    (tmp_path / "home" / "tensorrt").mkdir(parents=True)
    with Box(tmp_path, modules="cuda_new nvml ../../../" + str(tmp_path / "home")) as box:
        message = fails(box.call("describe"))
        assert "tensorrt cannot be imported" in message
