"""Parts of the Ascend backend without a board: npu-smi, versions, the doctor's findings, the helper process."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from device_agents.backends.ascend import doctor, versions
from device_agents.protocol import RpcError
from device_agents.runner import Finished, Runner, run_program
from device_agents.sensors.npu_smi import NpuSmi, parse

COMMON = "NPU ID : 0\nTemperature(C) : 51\nPower Dissipation(W) : NA\nAicore Usage Rate(%)  : 7\nChip Name : 310B4\n"


def test_npu_smi_is_read_by_the_text_of_its_keys():
    answers = {"common": COMMON, "health": "Health Status : Alarm\n", "nve-level": "nve level : 4T_1.0GHz\n"}
    smi = NpuSmi(lambda arguments, timeout_s: Finished(0, answers[arguments[3]]), 0)
    assert smi.conditions() == {"temperature_c": 51.0, "aicore_percent": 7.0, "health": "Alarm"}
    assert smi.chip_name() == "310B4"
    assert smi.nve_level() == "4T_1.0GHz"


@pytest.mark.parametrize(
    "finished",
    [Finished(127, "npu-smi cannot be started", missing=True), Finished(-9, "", timed_out=True)],
    ids=["absent", "hangs"],
)
def test_an_npu_smi_that_is_absent_or_hangs_is_asked_once(finished):
    asked = []

    def answer(arguments, timeout_s):
        asked.append(arguments)
        return finished

    smi = NpuSmi(answer, 0)
    assert smi.conditions() == {}
    assert smi.conditions() == {}
    assert smi.chip_name() == smi.nve_level() == ""
    assert len(asked) == 1


def test_an_npu_smi_that_fails_leaves_out_what_it_does_not_tell():
    smi = NpuSmi(lambda arguments, timeout_s: Finished(1, "This device does not support it: 5"), 0)
    assert smi.conditions() == {}
    assert smi.present


def test_a_table_is_no_line_of_keys():
    assert parse("| NPU Name | Health |\n+----+\n\n: nothing\nTemperature (C) : 40\n") == {"temperature(c)": "40"}


def test_versions_are_found_in_the_files_that_installations_leave(tmp_path):
    home = tmp_path / "toolkit"
    (home / "aarch64-linux").mkdir(parents=True)
    environment = {"ASCEND_TOOLKIT_HOME": str(home)}
    assert versions.cann(environment, str(tmp_path)) == ("", "")
    (home / "aarch64-linux" / "ascend_toolkit_install.info").write_text("package_name=x\nversion=5.1.RC1.alpha005\n")
    assert versions.cann(environment, str(tmp_path)).version == "5.1.RC1.alpha005"
    (home / "version.cfg").write_text("# version: 1.0\nruntime_running_version=[6.0.1]\n")
    (home / "version.info").write_text("Version=6.0.RC1.alpha001\n")
    assert versions.cann(environment, str(tmp_path)) == ("6.0.RC1.alpha001", str(home / "version.info"))


def test_the_recorded_installation_is_used_where_the_environment_says_nothing(tmp_path):
    installed = tmp_path / "opt" / "Ascend"
    (installed / "nnrt" / "latest").mkdir(parents=True)
    (installed / "nnrt" / "latest" / "version.info").write_text("Version=6.0.1\n")
    (installed / "nnrt" / "set_env.sh").write_text("")
    (installed / "driver").mkdir()
    (installed / "driver" / "version.info").write_text("Version=1.0.13.alpha\n")
    (tmp_path / "etc" / "Ascend").mkdir(parents=True)
    (tmp_path / "etc" / "Ascend" / "ascend_cann_install.info").write_text(f"Install_Path={installed}\n")
    assert versions.cann({}, str(tmp_path)).version == "6.0.1"
    assert versions.driver({}, str(tmp_path)).version == "1.0.13.alpha"
    assert str(installed / "nnrt" / "set_env.sh") in versions.scripts({}, str(tmp_path))


@pytest.mark.parametrize(
    ("driver", "cann", "listed"),
    [
        ("1.0.13.alpha", "6.0.0.alpha003", True),
        ("1.0.13.alpha", "5.1.RC1.alpha005", True),
        ("1.0.13.alpha", "5.1.RC1.alpha001", False),
        ("1.0.12.alpha", "5.1.RC1.alpha001", True),
        ("1.0.9.alpha", "3.3.0", True),
        ("1.0.13.alpha", "7.0.0", False),
        ("21.0.2", "6.0.1", False),
    ],
)
def test_pairs_of_driver_and_cann_are_compared_with_the_list(driver, cann, listed):
    assert versions.listed_pair(driver, cann) is listed


@pytest.mark.parametrize(
    ("driver", "cann", "status", "words"),
    [
        ("1.0.13.alpha", "6.0.0.alpha003", "ok", "a listed pair"),
        ("1.0.13.alpha", "7.0.0", "warning", "not a listed pair"),
        ("", "6.0.1", "warning", "driver unknown"),
    ],
)
def test_the_doctor_compares_driver_and_cann_of_the_old_board(monkeypatch, driver, cann, status, words):
    monkeypatch.setattr(versions, "driver", lambda environment: versions.Found(driver, "x"))
    monkeypatch.setattr(versions, "cann", lambda environment: versions.Found(cann, "x"))
    finding = doctor._pair("Ascend310")
    assert (finding["status"], bool(finding["fix"])) == (status, status != "ok")
    assert words in finding["found"]
    assert doctor._pair("Ascend310B4")["status"] == "ok"


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 7, 5), "ok"), ((3, 9, 7), "ok"), ((3, 9, 8), "warning"), ((3, 6, 9), "warning"), ((3, 11, 2), "warning")],
)
def test_the_interpreter_is_compared_with_the_documented_ones(version, status):
    assert doctor._interpreter(version)["status"] == status


def test_other_processes_with_the_library_are_found(tmp_path):
    for pid, maps in (("12", "7f00 /usr/lib64/libascendcl.so\n"), ("13", "7f00 /usr/lib/libc.so\n")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "maps").write_text(maps)
    (tmp_path / "self").mkdir()
    (tmp_path / "14").mkdir()
    finding = doctor._users(str(tmp_path))
    assert finding["status"] == "warning"
    assert "processes 12 have" in finding["found"]
    assert doctor._users(str(tmp_path / "13"))["status"] == "ok"


@pytest.mark.parametrize(
    ("told", "same"), [("310B4", True), ("Ascend310B4", True), ("Ascend 310B4", True), ("310", False)]
)
def test_a_chip_is_the_same_with_or_without_its_first_name(told, same):
    assert doctor._same_chip(told, "Ascend310B4") is same


def test_the_helper_runs_programs_and_keeps_the_end_of_what_they_say(tmp_path):
    runner = Runner()
    try:
        code = "import os, sys; print('x' * 300000); print(os.getcwd(), os.environ['NAME'], sys.argv[1:]); sys.exit(3)"
        arguments = [sys.executable, "-c", code, "a b", "c;d"]
        finished = runner.run(arguments, folder=str(tmp_path), environment={"NAME": "höflich"})
        assert finished.status == 3
        assert finished.output.endswith(f"{tmp_path} höflich ['a b', 'c;d']\n")
        assert len(finished.output) <= 256 * 1024
        missing = runner.run(["no-such-program"])
        assert missing.missing
        assert missing.output.startswith("no-such-program cannot be started")
    finally:
        runner.stop()
    with pytest.raises(RpcError, match="The helper process of the agent ended"):
        runner.run(["true"])


def test_what_a_program_leaves_behind_ends_with_it(tmp_path):
    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    finished = run_program([sys.executable, "-S", "-c", code])
    assert finished.status == 0
    status = Path(f"/proc/{finished.output.strip()}/stat")
    end = time.monotonic() + 20  # It was told to end, which takes it a moment.
    while is_running(status) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(status)


def is_running(status: Path) -> bool:
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_whose_time_is_over_is_ended():
    finished = run_program([sys.executable, "-S", "-c", "import time; time.sleep(600)"], timeout_s=0.2)
    assert finished.timed_out
    assert finished.status == -9
