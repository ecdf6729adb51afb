"""The simulated board: a known law, and noise, heat and sudden ends on top."""

from __future__ import annotations

import collections
import itertools

import numpy as np
import pytest
from small_models import CONVOLUTION, TWO_INPUTS, node_model, options, outputs_of, unshaped, written

from device_agents.backends import simulated as backend
from device_agents.backends.simulated import board, law
from device_agents.protocol import RpcError
from mosegedge.devices import Device, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.devices.conformance import models
from mosegedge.errors import AgentError
from mosegedge.networks.onnx import onnx_of_layer
from mosegedge.space import SearchSpace

SHORT = BurstSettings(min_samples=1, max_samples=1, min_ns=0, max_warmup=0)
MANY = BurstSettings(min_samples=50, max_samples=50, min_ns=0, max_warmup=0)


class Clock:
    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(board, "time", stopped)
    return stopped


@pytest.fixture
def device(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))

    def make(**settings: str) -> Device:
        kinds = {"name": "rehearsal", "backend": "simulated", "connection": "local", "clock": "device"}
        return Device(**kinds, cache=str(tmp_path / "cache"), settings=settings)

    return make


def times_of(tmp_path, count: int, **settings: str) -> np.ndarray:
    chosen = options("simulated", **settings)
    backend.start(chosen)
    model = backend.load(written(tmp_path, CONVOLUTION.content), chosen)
    return np.array([backend.run(model, None) for _ in range(count)])


def bursts_until_the_end(device: Device) -> int:
    with open_agent(device) as agent:
        bursts = agent.time([agent.load(CONVOLUTION.content)] * 1000, SHORT)
        count = itertools.count()
        with pytest.raises(AgentError, match="The simulated board has dropped out"):
            collections.deque(zip(bursts, count, strict=False), maxlen=0)
    return next(count)


def test_the_law_is_what_its_docstring_says():
    """A convolution of 3x3x3x4 on 8x12 pixels, and its activation: both take less than a launch moves bytes."""
    conv = law.LAUNCH_NS + max(4 * 96 * 27 / law.MULTIPLY_ADDS_PER_NS, 4 * (288 + 108 + 4 + 384) / law.BYTES_PER_NS)
    relu = law.LAUNCH_NS + max(384 / law.MULTIPLY_ADDS_PER_NS, 4 * 2 * 384 / law.BYTES_PER_NS)
    assert law.law_ns(CONVOLUTION.content) == round(law.FIXED_NS + conv + relu)
    assert law.law_ns(CONVOLUTION.content, "fp16") < law.law_ns(CONVOLUTION.content)


def test_a_network_is_nearly_the_sum_of_its_layers():
    space = SearchSpace.load("nano")
    network = space.uniform(2, 2)
    layers = [onnx_of_layer(layer.spec, opset=13) for layer in space.layers_of(network)]
    total = sum(law.law_ns(onnx) - law.FIXED_NS for onnx in layers) + law.FIXED_NS
    assert 0.85 * total < law.law_ns(models.network(13).content) < total


def test_without_noise_the_agent_says_the_law(device):
    with open_agent(device(noise="0")) as agent:
        described = agent.describe()
        assert described.vendor["origin"] == "simulated"
        assert "simulated" in described.vendor["accelerator"]
        model = agent.load(models.network(13).content)
        (burst,) = agent.time([model], MANY)
        assert set(burst.device_ns) == {law.law_ns(models.network(13).content)}
        layers = agent.layers(model, runs=1)
        assert {node for layer in layers for node in layer.nodes} <= models.network(13).nodes


def test_noise_has_the_spread_that_was_asked_for_and_hangs_on_the_seed(tmp_path, clock):
    times = times_of(tmp_path, 2000, noise="0.1")
    assert np.std(np.log(times)) == pytest.approx(0.1, rel=0.1)
    assert np.median(times) == pytest.approx(law.law_ns(CONVOLUTION.content), rel=0.02)
    np.testing.assert_array_equal(times_of(tmp_path, 2000, noise="0.1"), times)
    assert (times_of(tmp_path, 2000, noise="0.1", seed="1") != times).any()


def test_work_heats_the_board_and_rest_cools_it(tmp_path, clock, monkeypatch):
    chosen = options("simulated", noise="0", heat="0.5")
    backend.start(chosen)
    monkeypatch.setattr(law, "FIXED_NS", 1e9)
    model = backend.load(written(tmp_path, CONVOLUTION.content), chosen)
    times = [backend.run(model, None) for _ in range(30)]
    assert times == sorted(times)
    assert times[-1] > 1.4 * times[0]
    hot = backend.conditions()
    assert hot["throttled"] == ["simulated heat"]
    clock.now_s += 60
    assert backend.conditions() == {"temperature_c": 40.0, "throttled": []}
    assert backend.run(model, None) == pytest.approx(times[0], rel=1e-6)
    assert hot["temperature_c"] > 80


def test_runs_with_inputs_are_answered(tmp_path):
    chosen = options("simulated")
    backend.start(chosen)
    model = backend.load(written(tmp_path, TWO_INPUTS.content), chosen)
    np.testing.assert_array_equal(outputs_of(backend, model, TWO_INPUTS.inputs)[0], TWO_INPUTS.answers[0])
    backend.close(model)


def test_the_board_drops_out_with_a_word_and_not_always_at_the_same_run(device):
    lives = [bursts_until_the_end(device(dropout="0.01")) for _ in range(3)]
    assert len(set(lives)) > 1


@pytest.mark.parametrize(
    ("settings", "word"), [({"noise": "much"}, "noise"), ({"heat": "-1"}, "heat"), ({"dropout": "nan"}, "dropout")]
)
def test_settings_that_are_no_numbers_are_named(settings, word):
    with pytest.raises(RpcError, match=f"The setting {word} must be a number"):
        backend.start(options("simulated", **settings))


@pytest.mark.parametrize(
    "content",
    [b"garbage", unshaped(), models.unknown_operator(13), node_model("NoSuchOperator")],
    ids=["garbage", "unshaped", "domain", "operator"],
)
def test_what_has_no_law_is_refused(tmp_path, content):
    backend.start(options("simulated"))
    with pytest.raises(RpcError) as refused:
        backend.load(written(tmp_path, content), options("simulated"))
    assert refused.value.code == -32003


def test_a_precision_without_a_law_is_refused(tmp_path):
    with pytest.raises(RpcError, match="computes in fp32, fp16, int8, not in bf16"):
        backend.load(written(tmp_path, CONVOLUTION.content), options("simulated", precision="bf16"))
