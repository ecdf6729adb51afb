"""OpenVINO: what it makes of its hints is read back; what differs from what was asked is refused."""

from __future__ import annotations

import numpy as np
import openvino
import pytest
from small_models import CONVOLUTION, TWO_INPUTS, inputs_of, options, outputs_of, unshaped, written

from device_agents.backends import openvino as backend
from device_agents.backends.openvino import compiled
from device_agents.protocol import RpcError
from mosegedge.devices.conformance import models


def capabilities(monkeypatch, *names: str) -> None:
    monkeypatch.setattr(compiled, "capabilities", lambda core, device: list(names))


def test_it_answers_in_the_order_of_the_inputs(tmp_path):
    model = backend.load(written(tmp_path, TWO_INPUTS.content), options("openvino"))
    assert [tensor["name"] for tensor in model.inputs] == ["input0", "input1"]
    np.testing.assert_allclose(outputs_of(backend, model, TWO_INPUTS.inputs)[0], TWO_INPUTS.answers[0], atol=1e-5)
    assert backend.run(model, None) is None
    backend.close(model)


def test_outputs_of_the_latest_run_are_read_not_those_of_an_earlier_one(tmp_path):
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("openvino"))
    first = outputs_of(backend, model, CONVOLUTION.inputs)[0]
    other = outputs_of(backend, model, inputs_of(model))[0]
    assert np.abs(first - other).max() > 0.1
    np.testing.assert_array_equal(outputs_of(backend, model, CONVOLUTION.inputs)[0], first)


def test_layers_name_the_nodes_that_were_fused(tmp_path):
    network = models.network(13)
    model = backend.load(written(tmp_path, network.content), options("openvino"))
    layers = backend.layers(model, 1)
    named = [node for layer in layers for node in layer["nodes"]]
    assert set(named) <= network.nodes
    assert len(set(named)) > 0.9 * len(network.nodes)
    fused = [layer["nodes"] for layer in layers if "encoder.stem.conv1.conv.Conv" in layer["nodes"]]
    assert fused == [["encoder.stem.conv1.conv.Conv", "encoder.stem.conv1.Relu"]]
    assert all(layer["ns"] >= 0 and layer["note"] for layer in layers)


@pytest.mark.parametrize("device", ["AUTO", "AUTO:CPU", "MULTI:CPU", "HETERO:GPU,CPU", "BATCH:CPU", "auto"])
def test_a_device_that_lets_openvino_choose_is_refused(device):
    with pytest.raises(RpcError, match="lets OpenVINO choose where a model runs"):
        backend.describe(options("openvino", device=device))


def test_a_device_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(RpcError, match=r"no device GPU\.7 here; it has .*CPU"):
        backend.describe(options("openvino", device="GPU.7"))


def test_a_precision_that_the_processor_lacks_is_refused_with_the_reason(monkeypatch, tmp_path):
    capabilities(monkeypatch, "FP32", "INT8")
    described = backend.describe(options("openvino", precision="bf16"))
    assert described["precisions"] == ["fp32"]
    assert described["precisions_from"] == "CPU reports OPTIMIZATION_CAPABILITIES FP32, INT8"
    with pytest.raises(RpcError, match=r"does not compute in bf16: its OPTIMIZATION_CAPABILITIES are FP32, INT8"):
        backend.load(written(tmp_path, CONVOLUTION.content), options("openvino", precision="bf16"))


def test_a_precision_that_was_not_executed_is_refused(monkeypatch, tmp_path):
    """Asked for f16, a processor that has no such arithmetic computes in another format without a word."""
    capabilities(monkeypatch, "FP32", "FP16", "BF16")
    executed = openvino.Core().compile_model(
        written(tmp_path, CONVOLUTION.content), "CPU", {"INFERENCE_PRECISION_HINT": "f16"}
    )
    found = executed.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    chosen = options("openvino", precision="fp16")
    if found == "f16":
        assert backend.load(written(tmp_path, CONVOLUTION.content), chosen)
        return
    with pytest.raises(RpcError, match=f"Asked for f16, OpenVINO computes in {found}"):
        backend.load(written(tmp_path, CONVOLUTION.content), chosen)


def test_fp32_is_not_left_to_what_openvino_likes_best(tmp_path):
    """Without a hint it computes in bf16 on processors that have it."""
    model = backend.load(written(tmp_path, CONVOLUTION.content), options("openvino"))
    np.testing.assert_allclose(outputs_of(backend, model, CONVOLUTION.inputs)[0], CONVOLUTION.answers[0], atol=1e-5)


def test_threads_that_it_would_not_use_are_refused(tmp_path):
    with pytest.raises(RpcError, match="Asked for 1000 threads, OpenVINO uses"):
        backend.load(written(tmp_path, CONVOLUTION.content), options("openvino", threads=1000))


@pytest.mark.parametrize("content", [b"garbage", unshaped(), models.unknown_operator(13)])
def test_what_is_no_model_with_fixed_shapes_is_refused(tmp_path, content):
    with pytest.raises(RpcError) as refused:
        backend.load(written(tmp_path, content), options("openvino"))
    assert refused.value.code == -32003
    assert "Exception from" not in refused.value.message
