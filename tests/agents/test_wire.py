"""The protocol as it is on the wire."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from agentprocess import HELLO, AgentProcess

from mosegedge.files import sha256_of_bytes

BURST = {"min_samples": 3, "max_samples": 5, "min_ns": 0, "max_warmup": 4}


@pytest.fixture
def agent(tmp_path):
    with AgentProcess(tmp_path) as started:
        yield started


def add_model(hello, **content) -> str:
    text = json.dumps(content).encode()
    digest = sha256_of_bytes(text)
    Path(hello["models"], f"{digest}.onnx").write_bytes(text)
    return digest


def test_hello_tells_version_and_folders(agent, tmp_path):
    hello = agent.hello()
    assert hello["protocol"] == 2
    assert hello["backend"] == "fake"
    assert hello["pid"] == agent.process.pid
    assert hello["models"].startswith(str(tmp_path))


def test_noise_of_the_backend_goes_to_stderr(agent):
    agent.hello()
    reply = agent.call("describe")
    assert reply["result"]["vendor"]["runtime"] == {"fake": "1.0"}
    agent.process.stdin.close()
    noise = agent.process.stderr.read().decode()
    assert "C noise" in noise
    assert "python noise" in noise


def test_another_protocol_version_is_refused_with_both_numbers(agent):
    error = agent.call("hello", **{**HELLO, "protocol": 7})["error"]
    assert error["code"] == -32001
    assert error["data"] == {"agent": 2, "host": 7}
    assert agent.call("describe")["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"not json", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "hello"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "hello"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "hello", "params": [1]}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "describe"}', -32600),
    ],
)
def test_a_malformed_request_gets_an_error_and_the_conversation_goes_on(agent, line, code):
    agent.send(line)
    assert agent.receive()["error"]["code"] == code
    assert agent.hello()["protocol"] == 2


def test_an_unknown_method_is_answered_with_the_known_ones(agent):
    agent.hello()
    error = agent.call("explode")["error"]
    assert error["code"] == -32601
    assert "describe" in error["message"]


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("lock", {}, "wait_s"),
        ("lock", {"wait_s": "soon"}, "whole number"),
        ("lock", {"wait_s": True}, "whole number"),
        ("lock", {"wait_s": 0, "force": 1}, "force"),
        ("missing", {"models": "abc", "format": "onnx"}, "list of strings"),
        ("time", {"models": [], **BURST, "min_samples": 0}, "min_samples"),
    ],
)
def test_wrong_parameters_are_named(agent, method, params, word):
    agent.hello()
    error = agent.call(method, **params)["error"]
    assert error["code"] == -32602
    assert word in error["message"]


@pytest.mark.parametrize("digest", ["../../etc/passwd", "A" * 64, "0" * 63, ""])
def test_a_name_that_is_no_digest_never_reaches_the_disk(agent, digest):
    agent.hello()
    error = agent.call("load", model=digest, format="onnx")["error"]
    assert error["code"] == -32003
    assert "SHA-256" in error["message"]


def test_a_damaged_model_is_refused_and_asked_for_again(agent):
    hello = agent.hello()
    digest = add_model(hello, us=10)
    path = Path(hello["models"], f"{digest}.onnx")
    path.write_bytes(path.read_bytes() + b" ")
    assert agent.call("missing", models=[digest], format="onnx")["result"] == []
    assert "damaged" in agent.call("load", model=digest, format="onnx")["error"]["message"]
    assert agent.call("missing", models=[digest], format="onnx")["result"] == [digest]


def test_bursts_come_one_by_one_in_the_order_asked_for(agent):
    hello = agent.hello()
    models = [add_model(hello, us=us) for us in (100, 250)]
    for model in models:
        assert agent.call("load", model=model, format="onnx")["result"]["model"] == model
    order = [models[0], models[1], models[0]]
    first = agent.call("time", models=order, **BURST)
    second, third, end = agent.receive(), agent.receive(), agent.receive()
    assert [message["params"]["index"] for message in (first, second, third)] == [0, 1, 2]
    assert first["params"]["samples_ns"] == [100_000] * 3
    assert second["params"]["samples_ns"] == [250_000] * 3
    assert third["params"]["model"] == models[0]
    assert end["result"]["timed"] == 3
    assert "load_1m" in end["result"]["after"]


def test_an_exception_of_the_backend_is_a_reply_with_its_trace(agent):
    model = add_model(agent.hello(), crash="by the vendor")
    error = agent.call("load", model=model, format="onnx")["error"]
    assert error["code"] == -32603
    assert "ZeroDivisionError: by the vendor" in error["message"]
    assert any("load" in line for line in error["data"]["trace"])
    assert agent.call("describe")["result"]["backend"] == "fake"


def test_timing_a_model_that_is_not_loaded_is_an_error(agent):
    agent.hello()
    assert "not loaded" in agent.call("time", models=["0" * 64], **BURST)["error"]["message"]


def test_the_device_is_held_by_one_agent_until_it_ends(tmp_path):
    with AgentProcess(tmp_path) as first, AgentProcess(tmp_path) as second:
        first.hello()
        second.hello()
        holder = first.call("lock", wait_s=0)["result"]
        assert holder["pid"] == first.process.pid
        error = second.call("lock", wait_s=0)["error"]
        assert error["code"] == -32002
        assert error["data"] == holder
        for word in (str(holder["pid"]), holder["host"], holder["since"], "test"):
            assert word in error["message"]
        first.process.kill()
        first.process.wait()
        assert second.call("lock", wait_s=5)["result"]["pid"] == second.process.pid


def test_an_agent_without_the_backend_says_so(tmp_path):
    with AgentProcess(tmp_path) as agent:
        agent.process.kill()
    package = str(tmp_path / "agent.pyz")
    hello = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": HELLO}
    requests = b"".join(
        json.dumps({**hello, "id": number, "method": method, "params": params}).encode() + b"\n"
        for number, (method, params) in enumerate([("hello", hello["params"]), ("describe", {})])
    )
    command = [sys.executable, package, "--backend", "tensorr", "--cache", str(tmp_path / "cache")]
    finished = subprocess.run(command, input=requests, capture_output=True, timeout=30, check=True)
    reply = json.loads(finished.stdout.splitlines()[1])
    assert "no backend tensorr" in reply["error"]["message"]


def test_the_agent_ends_and_cleans_up_when_the_host_hangs_up(agent):
    tensors = Path(agent.hello()["tensors"])
    assert tensors.is_dir()
    agent.process.stdin.close()
    assert agent.process.wait(20) == 0
    assert not tensors.exists()


def test_a_full_disk_is_a_sentence_with_the_folder_and_the_room_in_it(agent, tmp_path):
    hello = agent.hello()
    model = add_model(hello, system=errno.ENOSPC)
    error = agent.call("load", model=model, format="onnx")["error"]
    assert error["code"] == -32004
    assert error["message"].startswith("The device's disk is full: No space left on device (")
    assert f"MiB free in {tmp_path / 'cache'}, " in error["message"]
    assert "data" not in error


def test_a_cache_that_cannot_be_made_is_a_sentence_of_the_first_reply(tmp_path):
    (tmp_path / "cache").write_text("a file in the place of the folder")
    with AgentProcess(tmp_path) as agent:
        error = agent.call("hello", **HELLO)["error"]
        agent.process.stdin.close()
        assert agent.process.wait(20) == 1
        assert agent.process.stderr.read() == b""
    assert error["code"] == -32004
    assert error["message"] == f"The device's system refused something: Not a directory: {tmp_path / 'cache'}/models."


def test_an_agent_that_is_asked_to_end_leaves_no_tensors(tmp_path):
    with AgentProcess(tmp_path) as agent:
        tensors = agent.hello()["tensors"]
        assert Path(tensors).is_dir()
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(20) == 128 + signal.SIGTERM
    assert not Path(tensors).exists()


def test_the_next_agent_removes_what_a_killed_one_left(tmp_path):
    temporary = {"TMPDIR": str(tmp_path)}
    with AgentProcess(tmp_path, environment=temporary) as agent:
        tensors = agent.hello()["tensors"]
        agent.process.kill()
        agent.process.wait(20)
    assert Path(tensors).is_dir()
    with AgentProcess(tmp_path, environment=temporary) as agent:
        agent.hello()
        assert not Path(tensors).exists()
