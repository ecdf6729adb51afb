"""The Ascend backend in the real agent, on boards made of stand-ins: from ONNX to outputs, times and layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ascendboard import Board, add, reference, small_model

from mosegedge.files import sha256_of_bytes

BURST = {"min_samples": 3, "max_samples": 3, "min_ns": 0, "max_warmup": 4}
BOARDS = [("Ascend310", "5.1", 0), ("Ascend310B4", "6.0", 0), ("Ascend310B1", "6.0", 1)]


@pytest.mark.parametrize(("chip", "cann", "run_mode"), BOARDS)
def test_a_model_is_compiled_run_and_timed_and_everything_is_given_back(tmp_path, chip, cann, run_mode, rng):
    board = Board(tmp_path, chip, cann, run_mode, {"atc": "atc.py", "npu_smi": "npu_smi.py"})
    content = small_model()
    picture = rng.standard_normal((1, 1, 4, 4)).astype(np.float32)
    with board.agent() as agent:
        hello = board.hello(agent)
        described = agent.call("describe")["result"]
        assert described["vendor"]["runtime"] == {"cann": {"5.1": "5.1.RC1.alpha005", "6.0": "6.0.1"}[cann]}
        assert described["vendor"]["accelerator"] == chip
        assert described["vendor"]["clock"] == "device"
        assert described["vendor"]["opset"] == 11
        assert "fp16" in described["vendor"]["precisions"]
        assert described["conditions"]["temperature_c"] == 51.0
        assert described["conditions"]["power_w"] == 8.7
        assert described["conditions"]["health"] == "OK"
        level = {"nve_level": "8T_1.0GHz"} if chip != "Ascend310" else {}
        soc = {"soc": chip} if cann != "5.1" else {}
        assert described["vendor"]["npu"] == {"chip_name": "310B4", **level, **soc}

        model = add(hello, content)
        reply = agent.call("load", model=model, format="onnx")["result"]
        assert reply["artefact"]["format"] == "om"
        assert reply["artefact"]["cached"] is False
        assert reply["artefact"]["notes"] == ["ATC was run with precision_mode=force_fp16"]
        assert reply["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, 1, 4, 4]}]

        agent.call("time", models=[model], **BURST)  # The first message is the burst.
        assert agent.receive()["result"]["timed"] == 1
        tensor = sha256_of_bytes(picture.tobytes())
        Path(hello["tensors"], f"{tensor}.bin").write_bytes(picture.tobytes())
        output = agent.call("run", model=model, inputs=[tensor])["result"][0]
        content_of = Path(hello["tensors"], f"{output['sha256']}.bin").read_bytes()
        found = np.frombuffer(content_of, output["dtype"]).reshape(output["shape"])
        np.testing.assert_array_equal(found, reference(content, picture))

        again = agent.call("load", model=model, format="onnx")["result"]
        assert again["artefact"]["cached"] is True
        assert agent.call("unload", models=[model])["result"] == 0
    run = board.atc_log()
    assert len(run) == 1
    assert f"--soc_version={chip}" in run[0]["arguments"]
    log = board.log()
    assert not [line for line in log if line.startswith(("WRONG", "FORBIDDEN"))]
    assert log.count("acl.init") == 1
    assert log[-2:] == ["acl.finalize", "LEFT "]


def test_the_clock_of_the_chip_counts_beside_that_of_the_host(tmp_path):
    board = Board(tmp_path)
    with board.agent() as agent:
        model = add(board.hello(agent), small_model())
        agent.call("load", model=model, format="onnx")
        burst = agent.call("time", models=[model], **BURST)["params"]
        agent.receive()
    assert burst["device_ns"] == [1_250_000] * 3
    assert len(burst["samples_ns"]) == 3


def test_an_om_from_the_host_is_loaded_and_onnx_is_refused_then(tmp_path):
    board = Board(tmp_path, "Ascend310B4")
    om = b'STANDIN-OM\n{"soc": "Ascend310B4"}\n' + small_model()
    other = b'STANDIN-OM\n{"soc": "Ascend310"}\n' + small_model()
    with board.agent() as agent:
        hello = board.hello(agent, atc="host")
        assert agent.call("load", model=add(hello, om, "om"), format="om")["result"]["artefact"]["format"] == "om"
        assert "atc = host" in agent.call("load", model=add(hello, small_model()), format="onnx")["error"]["message"]
        error = agent.call("load", model=add(hello, other, "om"), format="om")["error"]
        assert error["code"] == -32003
        assert "507008: the model was compiled for another chip" in error["message"]
        assert "EE9999" in error["message"]
        damaged = agent.call("load", model=add(hello, b"nothing", "om"), format="om")["error"]["message"]
        assert "100012: the model could not be read" in damaged
    assert not board.atc_log()
    assert board.log()[-1] == "LEFT "


def test_another_chip_than_the_one_that_was_set_is_refused_with_both_names(tmp_path):
    board = Board(tmp_path, "Ascend310B1")
    with board.agent() as agent:
        board.hello(agent, soc_version="Ascend310B4")
        for _ in range(2):  # AscendCL may be initialised once only, so the second answer comes without it.
            message = agent.call("describe")["error"]["message"]
            assert "The chip is Ascend310B1, the device is set to Ascend310B4" in message
            assert 'soc_version = "Ascend310B1"' in message
        chip = next(check for check in agent.call("checks")["result"] if check["name"] == "chip")
        assert chip["status"] == "failed"
    assert board.log().count("acl.init") == 1
    assert board.log()[-2:] == ["acl.finalize", "LEFT "]


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("acl.init", 500004, "acl.init returned 500004: a failure of the driver"),
        ("acl.rt.set_device", 507033, "a second user has it. It said: EE9999"),
        ("acl.rt.create_stream", 424242, "returned 424242: the number is not in the table"),
        ("acl.rt.malloc", 200000, "memory could not be allocated"),
        ("acl.mdl.execute_async", 507015, "an AI core failed"),
        ("acl.rt.event_elapsed_time", 500003, "a failure of the runtime"),
    ],
)
def test_a_call_that_fails_is_named_and_nothing_stays_behind(tmp_path, call, number, words):
    board = Board(tmp_path, extra={"ASCEND_STANDIN_FAIL": f"{call}={number}"})
    with board.agent() as agent:
        model = add(board.hello(agent), small_model())
        reply = agent.call("load", model=model, format="onnx")
        if "error" not in reply:
            reply = agent.call("time", models=[model], **BURST)
        assert words in reply["error"]["message"]
    log = board.log()
    assert not [line for line in log if line.startswith(("WRONG", "FORBIDDEN"))]
    assert log[-1] == ("LEFT " if call != "acl.init" else "acl.init")


def test_without_pyacl_the_doctor_speaks_and_describe_says_what_to_set(tmp_path):
    board = Board(tmp_path, programs={}, extra={"PYTHONPATH": ""})
    with board.agent() as agent:
        board.hello(agent)
        checks = {check["name"]: check for check in agent.call("checks")["result"]}
        assert "set_env.sh" in agent.call("describe")["error"]["message"]
    failed = {name for name, check in checks.items() if check["status"] == "failed"}
    assert failed == {"pyACL", "atc", "chip"}
    assert all(checks[name]["fix"] for name in failed)
    assert "not there" in checks["npu-smi"]["found"]


def test_the_doctor_of_a_board_that_works(tmp_path):
    board = Board(tmp_path, "Ascend310B4", programs={"atc": "atc.py", "npu_smi": "npu_smi.py"})
    with board.agent() as agent:
        board.hello(agent)
        checks = {check["name"]: check for check in agent.call("checks")["result"]}
    assert {name for name, check in checks.items() if check["status"] == "failed"} == set()
    assert checks["pyACL"]["found"].endswith("acl/__init__.py")
    assert checks["set_env.sh"]["found"].endswith("ascend-toolkit/set_env.sh")
    assert checks["CANN"]["found"].startswith("toolkit 6.0.1")
    assert checks["atc"]["found"] == "it starts"
    assert "temperature_c 51.0" in checks["npu-smi"]["found"]
    assert checks["chip"]["found"] == "Ascend310B4"
    assert set(checks) == {
        *("interpreter", "pyACL", "set_env.sh", "CANN", "driver", "atc", "memory", "disk", "npu-smi", "other users"),
        "chip",
    }


@pytest.mark.parametrize("end", ["killed", "hung up"])
def test_a_compiler_ends_with_its_agent_and_the_agent_with_its_host(tmp_path, end):
    board = Board(tmp_path, extra={"ASCEND_STANDIN_ATC": "hang", "ASCEND_STANDIN_HANG": str(tmp_path / "pids")})
    with board.agent() as agent:
        model = add(board.hello(agent), small_model())
        agent.send(b'{"jsonrpc":"2.0","id":9,"method":"load","params":{"model":"%s","format":"onnx"}}' % model.encode())
        processes = [int(pid) for pid in _appears(tmp_path / "pids").split()]
        if end == "killed":
            agent.process.kill()
        else:
            agent.process.stdin.close()
        agent.process.wait(20)
        assert all(_ends(pid) for pid in processes)


def _appears(path: Path) -> str:
    import time

    for _ in range(2000):
        if path.exists() and path.read_text().count(" "):
            return path.read_text()
        time.sleep(0.01)
    raise AssertionError(f"{path} does not appear")


def _ends(pid: int) -> bool:
    import time

    for _ in range(2000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("run_mode", "memory", "told"), [(1, "0", [5120, 8192]), (1, "1", [5120, 8192]), (1, "9", None), (0, "0", None)]
)
def test_the_memory_of_a_card_is_told_and_that_of_a_board_is_the_processors(tmp_path, run_mode, memory, told):
    board = Board(tmp_path, run_mode=run_mode, extra={"ASCEND_STANDIN_MEMORY": memory})
    with board.agent() as agent:
        model = add(board.hello(agent), small_model())
        assert agent.call("load", model=model, format="onnx")["result"]["accelerator_mib"] == told
    asked = [line for line in board.log() if "get_mem_info" in line]
    assert bool(asked) is (run_mode == 1)
