"""The host's side of the protocol, with a real agent process and the real runtime."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mosegedge.devices import AgentClient, Device, connect, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.devices.agent_package import agent_zipapp
from mosegedge.devices.backends import Backend, get_backend
from mosegedge.devices.channel import Channel
from mosegedge.errors import AgentError, DeviceBusyError, DeviceError
from mosegedge.networks.onnx import onnx_of_network
from mosegedge.space import SearchSpace

SHORT = BurstSettings(min_samples=2, max_samples=3, min_ns=0, max_warmup=1)


def doubled_plus_one(shape: tuple[int, ...] = (1, 2, 3), element: int = TensorProto.FLOAT) -> bytes:
    """A model with a known answer: y = x + x + 1."""
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    nodes = [helper.make_node("Add", ["x", "x"], ["d"]), helper.make_node("Add", ["d", "one"], ["y"])]
    ports = [helper.make_tensor_value_info(name, element, shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", [ports[0]], [ports[1]], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture
def device(tmp_path, monkeypatch) -> Device:
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    return Device(name="local", backend="onnxruntime", connection="local", cache=str(tmp_path / "cache"))


def device_that_runs(tmp_path: Path, program: str) -> Device:
    """A device whose "interpreter" is a program that ignores its arguments."""
    script = tmp_path / "interpreter"
    script.write_text(f"#!{sys.executable}\nimport sys, time\n{program}\n")
    script.chmod(0o755)
    return Device(name="odd", backend="onnxruntime", connection="local", interpreter=str(script), cache=str(tmp_path))


def test_a_model_is_loaded_timed_and_run(device):
    with open_agent(device) as agent:
        description = agent.describe()
        assert description.vendor["accelerator"] == "CPUExecutionProvider"
        assert description.conditions["scheduling"] in {"real-time", "raised", "normal"}
        model = agent.load(doubled_plus_one())
        bursts = list(agent.time([model, model], SHORT))
        assert [burst.index for burst in bursts] == [0, 1]
        assert all(len(burst.samples_ns) >= 2 and min(burst.samples_ns) > 0 for burst in bursts)
        x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
        (y,) = agent.run(model, [x])
        np.testing.assert_array_equal(y, 2 * x + 1)
        list(agent.time([model], SHORT))
        np.testing.assert_array_equal(agent.run(model, [x[:, ::-1]])[0], 2 * x[:, ::-1] + 1)
        agent.unload([model])
        with pytest.raises(AgentError, match="not loaded"):
            agent.run(model, [x])
        assert agent.alive


def test_a_model_stays_on_the_device(device):
    onnx_bytes = doubled_plus_one()
    with open_agent(device) as agent:
        model = agent.send(onnx_bytes)
    with open_agent(device) as agent:
        assert agent.missing([model]) == []
        assert agent.load_sent(model).inputs[0].shape == (1, 2, 3)


def test_what_unloaded_models_took_is_given_back_to_the_system(device):
    space = SearchSpace.load("tiny")
    networks = space.decode(space.sample(12, np.random.default_rng(0)))
    with open_agent(device) as agent:
        small = agent.send(doubled_plus_one())
        before_mib = agent.load_sent(small).resident_mib
        models = [agent.send(onnx_of_network(space, network)) for network in networks]
        for model in models:
            peak_mib = agent.load_sent(model).resident_mib
            list(agent.time([model], SHORT))
        agent.unload(models)
        after_mib = agent.load_sent(small).resident_mib
    assert peak_mib - before_mib > 100
    assert after_mib - before_mib < 0.4 * (peak_mib - before_mib)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"this is no onnx", "cannot load"),
        (doubled_plus_one(("N", 2, 3)), "fixed shapes"),
        (doubled_plus_one()[:-20], "cannot load"),
    ],
)
def test_a_model_that_cannot_be_used_is_an_error_and_the_agent_lives(device, content, word):
    with open_agent(device) as agent:
        with pytest.raises(AgentError, match=word):
            agent.load(content)
        assert agent.alive
        assert agent.load(doubled_plus_one())


def test_a_wrong_input_is_refused_with_both_sizes(device):
    with open_agent(device) as agent:
        model = agent.load(doubled_plus_one())
        with pytest.raises(AgentError, match=r"24 bytes, 4 were sent"):
            agent.run(model, [np.zeros(1, np.float32)])
        with pytest.raises(AgentError, match="1 inputs, 2 were sent"):
            agent.run(model, [np.zeros(6, np.float32)] * 2)


def test_a_second_agent_is_told_who_holds_the_device(device):
    with open_agent(device) as first, open_agent(device) as second:
        first.lock()
        with pytest.raises(DeviceBusyError, match=rf"process {first.pid} on"):
            second.lock()
        assert second.describe().backend == "onnxruntime"
        first.close()
        second.lock(wait_s=5)


def test_the_death_of_the_agent_is_told_with_its_last_words(device):
    with open_agent(device) as agent:
        model = agent.load(doubled_plus_one())
        os.kill(agent.pid, signal.SIGKILL)
        with pytest.raises(AgentError, match="status -9"):
            list(agent.time([model], SHORT))
        assert not agent.alive
        with pytest.raises(AgentError):
            agent.describe()


def test_whoever_stops_listening_ends_the_agent(device, monkeypatch):
    monkeypatch.setattr("mosegedge.devices.channel._END_S", 0.2)
    with open_agent(device) as agent:
        model = agent.load(doubled_plus_one())
        for _ in agent.time([model] * 50, SHORT):
            break
        assert not agent.alive


@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("sys.stderr.write('no such library: libacl.so'); sys.exit(7)", "status 7.*libacl.so"),
        ("""sys.stdout.write('{"jsonrpc": "2.0", "id": 1, "res'); sys.exit(3)""", "ended during hello with status 3"),
        ("print('Hello from the vendor!', flush=True); time.sleep(60)", "no JSON.*Hello from the vendor"),
        ("print('[' * 100000, flush=True); time.sleep(60)", "no JSON"),
        ("print('{}', flush=True); time.sleep(60)", "no JSON-RPC 2.0"),
        ("""print('{"jsonrpc": "2.0", "id": 9, "result": 1}', flush=True); time.sleep(60)""", "belongs to no request"),
        ("""print('{"jsonrpc": "2.0", "id": 1, "result": {"pid": "x"}}', flush=True); time.sleep(60)""", "Hello"),
        ("""print('{"jsonrpc": "2.0", "id": 1, "error": "boom"}', flush=True); time.sleep(60)""", "boom"),
        ("""print('{"jsonrpc": "2.0", "id": 1, "error": {"code": 5}}', flush=True); time.sleep(60)""", "hello"),
    ],
)
def test_whatever_answers_instead_of_an_agent_becomes_a_sentence(tmp_path, monkeypatch, program, word):
    monkeypatch.setattr("mosegedge.devices.channel._END_S", 0.2)  # these programs do not end by themselves
    device = device_that_runs(tmp_path, program)
    with connect(device) as connection, pytest.raises(AgentError, match=word):
        AgentClient(connection, device)


def test_silence_ends_with_a_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr("mosegedge.devices.agent_client._START_S", 0.5)
    device = device_that_runs(tmp_path, "time.sleep(60)")
    started = time.monotonic()
    with connect(device) as connection, pytest.raises(AgentError, match="silent"):
        AgentClient(connection, device)
    assert time.monotonic() - started < 30


def test_an_interpreter_that_does_not_exist_is_named(tmp_path):
    device = Device(name="a", backend="onnxruntime", connection="local", interpreter="/no/python", cache=str(tmp_path))
    with connect(device) as connection, pytest.raises(DeviceError, match="/no/python"):
        AgentClient(connection, device)


def test_the_agents_package_has_equal_bytes_for_equal_sources():
    assert agent_zipapp(get_backend("onnxruntime")) == agent_zipapp(get_backend("onnxruntime"))


def test_a_backend_of_another_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mosegedge.backends]\nstrange = strange_plugin:BACKEND\n")
    (tmp_path / "strange_backend.py").write_text("def describe(options):\n    return {'runtime': {'strange': '1'}}\n")
    (tmp_path / "strange_plugin.py").write_text(
        "from pathlib import Path\nfrom mosegedge.devices.backends import Backend\n"
        "BACKEND = Backend('strange', 'a test', Path(__file__).with_name('strange_backend.py'))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    device = Device(name="a", backend="strange", connection="local", cache=str(tmp_path / "cache"))
    with open_agent(device) as agent:
        assert agent.describe().vendor == {"runtime": {"strange": "1"}}


def test_an_unknown_backend_is_answered_with_the_closest():
    with pytest.raises(DeviceError) as error:
        get_backend("onnxruntim")
    assert "'onnxruntime'" in error.value.fix


def test_a_backend_whose_module_is_gone_is_an_error(tmp_path):
    with pytest.raises(DeviceError, match="cannot be read"):
        agent_zipapp(Backend("gone", "", tmp_path / "gone_backend.py"))


def test_the_exported_model_is_valid():
    onnx.checker.check_model(onnx.load_model_from_string(doubled_plus_one()))


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("4: [network.cpp] Could not find any implementation for node conv_3", True),
        ("In node 3 (importModel): UNSUPPORTED_NODE: No importer registered for op: Foo", True),
        ("Failed to parse onnx file", True),
        ("10: Could not find any implementation for node conv_3 due to insufficient workspace", False),
        ("2: [virtualMemoryBuffer.cpp] OutOfMemory (no further information)", False),
        ("Error Code 10: Internal Error", False),
    ],
)
def test_a_failed_build_of_tensorrt_blames_the_model_only_where_it_is_to_blame(said, refused):
    from device_agents.backends.tensorrt.failures import code_of
    from device_agents.protocol import BACKEND_FAILED, BAD_MODEL

    assert code_of(said) == (BAD_MODEL if refused else BACKEND_FAILED)


@pytest.mark.parametrize(
    ("backend", "settings", "load_s", "layers_s"),
    [
        ("tensorrt", {}, 900, 900),
        ("ascend", {"build_timeout_s": "3600"}, 3660, 3660),
        ("tensorrt", {"build_timeout_s": "30"}, 90, 600),
        ("onnxruntime", {}, 900, 900),
    ],
)
def test_the_host_waits_longer_than_a_compiler_may_take(tmp_path, monkeypatch, backend, settings, load_s, layers_s):
    waits = {}
    hello = {"protocol": 2, "agent": "1", "backend": backend, "pid": 1, "models": "", "tensors": ""}
    artefact = {"path": "", "format": "", "sha256": "0" * 64, "bytes": 1, "build_s": 0, "cached": True}
    loaded = {"model": "0" * 64, "inputs": [], "outputs": [], "artefact": artefact}

    def call(channel, method, params, *, timeout_s):
        waits[method] = timeout_s
        return {"hello": hello, "load": loaded, "layers": []}[method]

    monkeypatch.setattr(Channel, "call", call)
    device = Device(name="b", backend=backend, connection="local", cache=str(tmp_path), settings=settings)
    with open_agent(device) as agent:
        agent.load_sent("0" * 64)
        agent.layers("0" * 64)
    assert (waits["load"], waits["layers"]) == (load_s, layers_s)


@pytest.mark.parametrize("text", ["", "0", "1.5", "-3", "½"])
def test_a_build_timeout_that_is_no_number_is_refused_before_anything_starts(tmp_path, text):
    settings = {"build_timeout_s": text}
    device = Device(name="b", backend="tensorrt", connection="local", cache=str(tmp_path), settings=settings)
    with pytest.raises(DeviceError, match="is no whole number of seconds"), open_agent(device):
        pass
