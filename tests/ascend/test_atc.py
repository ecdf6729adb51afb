"""ATC: what it is given, how its outcome is judged, and what its error codes become."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ascendboard import Board, add, install, small_model
from onnx import TensorProto

from device_agents.backends.ascend import atc
from device_agents.backends.ascend.atc import Atc
from device_agents.backends.ascend.atc_errors import MEANINGS, AtcError, explain
from device_agents.backends.ascend.onnx_inputs import read_inputs
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError
from device_agents.runner import Finished, run_program


@pytest.fixture
def compile_with(tmp_path, monkeypatch):
    """Compiles the small model with the stand-in in some mode; returns notes and the folder."""
    monkeypatch.setenv("PATH", f"{install(tmp_path / 'bin', atc='atc.py')}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ASCEND_STANDIN_ATC_LOG", str(tmp_path / "log"))

    def compile_it(mode: str = "", *, soc: str = "Ascend310", precision: str = "fp16", timeout_s: float = 60.0):
        monkeypatch.setenv("ASCEND_STANDIN_ATC", mode)
        onnx, folder = tmp_path / "m.onnx", tmp_path / "scratch"
        onnx.write_bytes(small_model())
        folder.mkdir(exist_ok=True)
        driver = Atc(run_program, timeout_s=timeout_s)
        return driver.compile(str(onnx), str(folder / "model.om"), soc, precision), folder

    return compile_it


def test_options_are_single_arguments_without_blanks(compile_with, tmp_path):
    _, folder = compile_with()
    run = json.loads((tmp_path / "log").read_text())
    assert run["arguments"] == [
        f"--model={tmp_path / 'm.onnx'}",
        "--framework=5",
        f"--output={folder / 'model'}",
        "--soc_version=Ascend310",
        "--input_format=NCHW",
        "--input_shape=input:1,1,4,4",
        "--precision_mode=force_fp16",
        "--log=error",
    ]
    assert not any(" " in argument for argument in run["arguments"])
    assert run["folder"] == str(folder)
    assert {path.name for path in folder.iterdir()} == {
        *("check_result.json", "fusion_result.json", "kernel_meta", "model.om")
    }


@pytest.mark.parametrize(
    ("precision", "notes"),
    [
        ("fp16", ["ATC was run with precision_mode=force_fp16"]),
        (
            "fp32",
            [
                "ATC was run with precision_mode=force_fp32",
                "whether convolutions of this chip really run in FP32 is not documented",
            ],
        ),
    ],
)
def test_the_precision_mode_is_chosen_and_told(compile_with, precision, notes):
    assert compile_with(precision=precision)[0] == notes


def test_a_precision_that_atc_has_no_switch_for_is_refused(compile_with):
    with pytest.raises(RpcError, match="no switch for int8: use fp16 or fp32"):
        compile_with(precision="int8")


def test_the_name_of_recent_versions_is_found(compile_with):
    _, folder = compile_with("suffix")
    assert (folder / "model.om").stat().st_size > 0


def test_warnings_of_a_success_are_kept(compile_with):
    notes, _ = compile_with("warn")
    assert notes[-1].startswith("W11001: Op [x]")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("nofile", "reported success and wrote no OM file. It left behind: check_result.json"),
        ("empty", "reported success and wrote no OM file"),
        ("silent", "status 0 but without its success line"),
        ("disk", "ran out of disk space. It said: No space left on device"),
        ("killed", "was killed, most likely because memory ran out"),
        ("E19010", "does not know an operator: a custom one, or one of an opset that is too new (E19010)"),
        ("E16005", "Export it again with one opset, 11"),
        ("EZ3003", "the meaning is not documented"),
        ("E77777", "not in the table of documented ones (E77777). It said: E77777: Something that no table knows. Its"),
    ],
)
def test_a_failure_becomes_a_sentence_and_a_next_step(compile_with, mode, words):
    with pytest.raises(AtcError) as caught:
        compile_with(mode)
    assert words in caught.value.message
    assert caught.value.what.endswith(".")
    assert caught.value.fix


@pytest.mark.parametrize("cann", ["5.1", "6.0"])
def test_a_chip_that_the_toolkit_does_not_know_is_named(compile_with, monkeypatch, cann):
    monkeypatch.setenv("ASCEND_STANDIN_CANN", cann)
    with pytest.raises(AtcError, match="this toolkit does not know the chip Ascend310B9") as caught:
        compile_with(soc="Ascend310B9")
    mark = "Value [Ascend310B9]" if cann == "5.1" else "Value Ascend310B9"
    assert mark in caught.value.known


def _is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_hanging_atc_is_ended_with_all_its_processes(compile_with, monkeypatch, tmp_path):
    monkeypatch.setenv("ASCEND_STANDIN_HANG", str(tmp_path / "pids"))
    with pytest.raises(AtcError, match="did not finish within 2 s and was ended, with all its processes"):
        compile_with("hang", timeout_s=2.0)
    pids = (tmp_path / "pids").read_text().split()
    end = time.monotonic() + 10
    while any(_is_alive(pid) for pid in pids):  # a process that was ended takes a moment to go
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_agent_ends_a_hanging_atc_and_goes_on(tmp_path):
    board = Board(tmp_path, extra={"ASCEND_STANDIN_ATC": "hang", "ASCEND_STANDIN_HANG": str(tmp_path / "pids")})
    with board.agent() as agent:
        hello = board.hello(agent, build_timeout_s="1")
        model = add(hello, small_model())
        assert "within 1 s" in agent.call("load", model=model, format="onnx")["error"]["message"]
        assert agent.call("describe")["result"]["backend"] == "ascend"
    assert [path.name for path in Path(hello["models"]).parent.joinpath("built").iterdir()] == []


def test_a_missing_atc_is_told_with_both_ways_out():
    driver = Atc(lambda *_: Finished(127, "atc cannot be started: No such file.", missing=True))
    with pytest.raises(AtcError, match="atc was not found") as caught:
        driver._judge(driver.starts(), "/tmp/x.om", "Ascend310")
    assert caught.value.message.endswith("Or compile on the host: atc = host.")


def test_exit_statuses_are_only_compared_with_zero():
    for status in (1, 255, -6):
        error = explain(status, "ATC run failed\nE19999: Inner Error!\n", "Ascend310", "/logs")
        assert "ATC failed inside (E19999)" in error.message
        assert "/logs" in error.message
    assert explain(3, "", "Ascend310", "/logs").message.startswith("ATC failed with status 3 and gave no error code.")


def test_the_model_is_blamed_only_where_it_is_the_cause():
    assert explain(1, "E19010: x", "Ascend310", "").code == BAD_MODEL
    assert explain(1, "E10044: x", "Ascend310", "").code == BACKEND_FAILED
    assert all(meaning.sentence and meaning.fix for meaning in MEANINGS.values())


def test_codes_are_found_at_the_beginning_of_a_line_only():
    text = "see E10001 there\nE10010: Value\nE10016: Opname\nEX: no\nE1001: no\n"
    error = explain(255, text, "Ascend310", "/logs")
    assert "(E10010)" in error.what
    assert "Further codes: E10016." in error.known


def test_memory_and_disk_are_looked_at_first():
    with pytest.raises(AtcError, match="300 MiB of memory available, too few"):
        atc.check_room("/", 0, 300, 10**6)
    with pytest.raises(AtcError, match="needs about 656 MiB"):
        atc.check_room("/somewhere", 100 * 2**20, 8000, 500)
    atc.check_room("/", 2**20, None, 10**6)


@pytest.mark.parametrize(("memory_mib", "expected"), [(3900, "1"), (7800, "2"), (32000, None), (None, None)])
def test_small_boards_compile_with_fewer_processes(monkeypatch, memory_mib, expected):
    monkeypatch.delenv("TE_PARALLEL_COMPILER", raising=False)
    assert atc.environment(memory_mib).get("TE_PARALLEL_COMPILER") == expected
    monkeypatch.setenv("TE_PARALLEL_COMPILER", "8")
    assert atc.environment(memory_mib) == {}


def test_paths_with_other_characters_are_refused_before_atc_trips_over_them():
    with pytest.raises(AtcError, match="cannot be given the path"):
        atc.arguments("/home/a b/x.onnx", "/tmp/x.om", "Ascend310", "fp16", small_model())


def test_inputs_are_read_from_the_file():
    assert read_inputs(small_model()) == [("input", [1, 1, 4, 4])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no model at all", "cannot be read as ONNX"),
        (b"", "cannot be read as ONNX"),
        (small_model()[:40], "cannot be read as ONNX"),
        (small_model(side="height"), "not fixed"),
        (small_model(kind=TensorProto.COMPLEX64), "is type number 14; ATC takes"),
        (small_model(kind=TensorProto.INT64), "is int64; ATC takes float32, uint8, float16"),
    ],
)
def test_what_atc_would_not_take_is_refused_first(content, words):
    with pytest.raises(RpcError, match=words):
        read_inputs(content)
