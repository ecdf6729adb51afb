"""The doctor finds what is wrong with a device, says what to do, and changes nothing there."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mosegedge.devices import Device, connect, open_agent
from mosegedge.devices.doctor.agent import agent_checks
from mosegedge.devices.doctor.diagnosis import Check, Diagnosis, diagnose
from mosegedge.devices.inventory import find_definition
from mosegedge.devices.replies import Check as BackendCheck
from mosegedge.devices.replies import DeviceDescription, Energies
from mosegedge.errors import AgentError
from mosegedge.progress import Silent

LOCAL = ["definition", "interpreter", "disk", "memory", "agent", "runtime", "precision", "opset", "clock", "speed",
         "load", "energy", "users"]  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No file of the user's is read, and the device is only that of this test."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def device(tmp_path) -> Device:
    return Device(name="here", backend="onnxruntime", connection="local", cache=str(tmp_path / "cache"))


def check(diagnosis: Diagnosis, name: str) -> Check:
    (found,) = [check for check in diagnosis.checks if check.name == name]
    return found


def assert_skipped_after(diagnosis: Diagnosis, name: str) -> None:
    """Everything after a failure says that it was not looked at, and why."""
    names = [check.name for check in diagnosis.checks]
    for later in diagnosis.checks[names.index(name) + 1 :]:
        assert (later.status, later.found) == ("skipped", f"needs what failed: {name}")


def interpreter(folder: Path, program: str) -> str:
    """A program in the place of an interpreter."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{program}\n")
    path.chmod(0o755)
    return str(path)


def test_this_machine_is_well(device, tmp_path):
    class Seen(Silent):
        steps = 0

        def advance(self, steps=1, note=""):
            self.steps += steps

    seen = Seen()
    diagnosis = diagnose(device, progress=seen)
    assert set(LOCAL) <= {check.name for check in diagnosis.checks}
    # How busy the machine is, and what else it tells, is its own affair.
    assert {check.name for check in diagnosis.checks if check.status != "ok"} <= {
        "speed",
        "load",
        "energy",
        "disk",
        "memory",
    }
    assert "onnxruntime " in check(diagnosis, "runtime").found
    assert sys.executable in check(diagnosis, "interpreter").found
    assert seen.steps == len(LOCAL)
    assert all(found.fix for found in diagnosis.checks if found.status in ("warning", "failed"))
    assert [path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [".pyz"]


def test_a_missing_interpreter_is_named_and_all_that_needs_it_is_skipped(device):
    diagnosis = diagnose(replace(device, interpreter="/no/python3"))
    assert diagnosis.status == "failed"
    assert "/no/python3" in check(diagnosis, "interpreter").found
    assert check(diagnosis, "interpreter").fix
    assert_skipped_after(diagnosis, "interpreter")
    assert [found.name for found in diagnosis.checks] == LOCAL


def test_an_old_interpreter_is_found_out_before_the_agent_is_started(device, tmp_path):
    answer = {"version": [3, 6, 9], "executable": "/usr/bin/python3", "disk_mib": 9000, "writable": True}
    answer |= {"memory_mib": 2048, "scripts": []}
    program = f"print('Welcome!')\nprint('mosegedge-probe ' + {json.dumps(answer)!r})"
    diagnosis = diagnose(replace(device, interpreter=interpreter(tmp_path, program)))
    found = check(diagnosis, "interpreter")
    assert found.status == "failed"
    assert "Python 3.6.9" in found.found
    assert "interpreter =" in found.fix
    assert "[here]" in found.fix
    assert_skipped_after(diagnosis, "interpreter")
    assert not (tmp_path / "cache").exists()


def test_something_that_is_no_interpreter_is_quoted(device, tmp_path):
    program = "sys.exit('libpython3.7m.so.1.0: cannot open shared object file')"
    diagnosis = diagnose(replace(device, interpreter=interpreter(tmp_path, program)))
    assert "libpython3.7m.so.1.0" in check(diagnosis, "interpreter").found
    assert "LD_LIBRARY_PATH" in check(diagnosis, "interpreter").fix
    assert "status 1" in check(diagnosis, "interpreter").found


@pytest.mark.parametrize(
    ("answer", "name", "status", "word"),
    [
        ({"disk_mib": 100}, "disk", "failed", "100 MiB"),
        ({"disk_mib": 1000}, "disk", "warning", "1000 MiB"),
        ({"writable": False}, "disk", "failed", "cannot be written"),
        ({"memory_mib": 100}, "memory", "failed", "100 MiB"),
        ({"memory_mib": 500}, "memory", "warning", "500 MiB"),
        ({"memory_mib": None}, "memory", "skipped", "does not tell"),
    ],
)
def test_little_room_is_told_with_the_number(device, tmp_path, answer, name, status, word):
    plenty = {"version": [3, 9, 1], "executable": "python", "disk_mib": 9000, "writable": True, "memory_mib": 9000}
    text = json.dumps({**plenty, "scripts": [], **answer})
    diagnosis = diagnose(replace(device, interpreter=interpreter(tmp_path, f"print('mosegedge-probe ' + {text!r})")))
    assert check(diagnosis, name).status == status
    assert word in check(diagnosis, name).found
    assert check(diagnosis, name).fix or status == "skipped"
    assert check(diagnosis, "agent").status == "failed"


@pytest.mark.parametrize(
    ("change", "name", "word", "fix"),
    [
        ({"precision": "int8"}, "precision", "int8", 'precision = "fp32"'),
        ({"opset": 99}, "opset", "99", "opset = "),
        ({"clock": "device"}, "clock", "own clock", 'clock = "host"'),
        ({"threads": 4096}, "agent", "4096", "."),
        ({"settings": {"providr": "x"}}, "definition", "providr", "."),
        ({"backend": "onnxruntim"}, "definition", "onnxruntim", "'onnxruntime'"),
        ({"settings": {"provider": "NoSuchProvider"}}, "runtime", "NoSuchProvider", "."),
    ],
)
def test_what_the_device_cannot_do_is_told_with_the_line_to_write(device, change, name, word, fix):
    diagnosis = diagnose(replace(device, **change))
    assert diagnosis.status == "failed"
    assert word in check(diagnosis, name).found
    assert fix in check(diagnosis, name).fix


def test_an_unknown_way_to_the_device_is_told(device):
    diagnosis = diagnose(replace(device, connection="pigeon"))
    assert "pigeon" in check(diagnosis, "connection").found
    assert_skipped_after(diagnosis, "connection")


def test_without_a_runtime_the_lock_is_looked_at_and_the_rest_is_skipped_for_it(device):
    diagnosis = diagnose(replace(device, settings={"provider": "NoSuchProvider"}))
    assert check(diagnosis, "users").status == "ok"
    assert {check(diagnosis, name).found for name in ("precision", "opset", "clock", "speed", "load")} == {
        "needs what failed: runtime"
    }


def test_a_device_that_another_run_holds_says_who(device):
    with open_agent(device) as holder:
        holder.lock()
        found = check(diagnose(device), "users")
    assert found.status == "failed"
    assert f"process {holder.pid}" in found.found
    assert "Wait" in found.fix
    assert check(diagnose(device), "users").status == "ok"


def test_an_environment_script_is_read_on_this_machine_too(device, tmp_path):
    script = tmp_path / "set_env.sh"
    script.write_text("words=(a b)\nexport WORD=${words[1]}\n")
    there = replace(device, environment=f"/opt/absent.sh, {script}")
    found = check(diagnose(there), "environment")
    assert (found.status, found.found) == ("ok", str(script))
    with connect(there) as connection:
        process = connection.run(["-c", "import os; print(os.environ['WORD'])"])
        assert process.stdout.read() == b"b\n"
        assert process.wait(20) == 0
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
    script.write_text("false\n")
    found = check(diagnose(there), "environment")
    assert found.status == "warning"
    assert f"{script} ended with status 1" in found.found


@pytest.mark.parametrize(
    ("text", "what"),
    [(None, "no environment script /opt/set_env.sh or "), ("echo Go away >&2; exit 3", "set env.sh ended the shell")],
)
def test_an_environment_script_that_is_missing_or_ends_the_shell_is_named(device, tmp_path, text, what):
    script = tmp_path / "set env.sh"
    if text:
        script.write_text(text)
    diagnosis = diagnose(replace(device, environment=f"/opt/set_env.sh, {script}"))
    found = check(diagnosis, "environment")
    assert what in found.found
    if text:
        assert "status 3" in found.found
        assert "Go away" in found.found
    assert_skipped_after(diagnosis, "environment")


def test_the_first_interpreter_that_exists_is_taken_on_this_machine_too(device, tmp_path):
    old = interpreter(tmp_path, "sys.exit(1)")
    diagnosis = diagnose(replace(device, interpreter=f"/no/python3, {old}, {sys.executable}"))
    assert sys.executable in check(diagnosis, "interpreter").found
    found = check(diagnose(replace(device, interpreter="/no/python3, python9")), "interpreter")
    assert "no interpreter /no/python3 or python9" in found.found


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_an_unreachable_address_is_told_with_all_that_was_tried(device, closed_port):
    board = replace(device, connection="ssh", address="127.0.0.1, 127.0.0.2", port=closed_port, environment="/x.sh")
    diagnosis = diagnose(board)
    found = check(diagnosis, "address")
    assert found.status == "failed"
    for address in ("127.0.0.1", "127.0.0.2"):
        assert f"{address} port {closed_port}" in found.found
    assert "[here]" in found.fix
    assert_skipped_after(diagnosis, "address")
    assert [found.name for found in diagnosis.checks][1:6] == [
        "address", "host key", "login", "environment", "interpreter"
    ]  # fmt: skip


def test_a_compiler_on_this_machine_is_looked_for_where_the_device_needs_it(closed_port, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    board = replace(find_definition("atlas200dk").device, address="127.0.0.1", port=closed_port)
    assert "compiler" not in [found.name for found in diagnose(board).checks]
    diagnosis = diagnose(replace(board, settings={"soc_version": "Ascend310", "atc": "host"}))
    assert "no atc" in check(diagnosis, "compiler").found
    assert "CANN" in check(diagnosis, "compiler").fix
    assert check(diagnosis, "address").status == "failed"
    script = tmp_path / "atc"
    script.write_text("#!/bin/sh\necho usage\n")
    script.chmod(0o755)
    diagnosis = diagnose(replace(board, settings={"soc_version": "Ascend310", "atc": "host"}))
    assert check(diagnosis, "compiler").found.startswith("ATC on this machine")
    script.write_text("#!/bin/sh\necho no module named te\nexit 1\n")
    diagnosis = diagnose(replace(board, settings={"soc_version": "Ascend310", "atc": "host"}))
    assert "no module named te" in check(diagnosis, "compiler").found


def test_a_template_without_an_address_is_told_the_lines_to_write():
    diagnosis = diagnose(find_definition("jetson").device)
    assert "[jetson]" in check(diagnosis, "definition").fix
    assert_skipped_after(diagnosis, "definition")


@pytest.mark.parametrize("greeting", [b"220 mail server ready\r\n", b"SSH-2.0-Nothing_behind\r\n"])
def test_a_server_that_is_no_ssh_server_is_found_out(device, greeting, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            stream, _ = server.accept()
            with stream, contextlib.suppress(ConnectionError):
                stream.sendall(greeting)
                stream.recv(4)

        thread = threading.Thread(target=answer)
        thread.start()
        diagnosis = diagnose(replace(device, connection="ssh", address="127.0.0.1", port=server.getsockname()[1]))
        thread.join()
    if greeting.startswith(b"SSH"):
        assert "Nothing_behind" in check(diagnosis, "address").found
        assert check(diagnosis, "host key").status == "failed"
        assert_skipped_after(diagnosis, "host key")
    else:
        assert "mail server" in check(diagnosis, "address").found
        assert_skipped_after(diagnosis, "address")


def test_a_proxy_is_named_and_not_gone_around(device, home, monkeypatch):
    config = home / "home" / ".ssh" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("Host far\n  HostName 10.1.1.1\n  ProxyCommand /bin/false %h\n")
    diagnosis = diagnose(replace(device, connection="ssh", address="far"))
    assert "through /bin/false 10.1.1.1" in check(diagnosis, "address").found
    assert check(diagnosis, "login").status == "failed"


class Reporting:
    """An agent that says what it is told to; what the doctor makes of it is looked at."""

    def __init__(self, *, conditions=None, vendor=None, checks=(), cores=4, energies=None):
        self._energies = energies or Energies(reason="there is no counter")
        self.pid, self.alive = 7, True
        self._vendor = vendor or {"runtime": {"tensorrt": "10.3.0"}, "accelerator": "Orin"}
        self._conditions, self._checks, self._cores = conditions or {}, checks, cores

    def describe(self):
        return DeviceDescription(
            backend="b", hardware={"cores": self._cores}, system={}, conditions=self._conditions, vendor=self._vendor
        )

    def checks(self):
        if isinstance(self._checks, Exception):
            raise self._checks
        return list(self._checks)

    def ask(self, reply, method, params):
        assert (reply, method, params) == (Energies, "energy", {"models": []})
        return self._energies

    def lock(self):
        raise AgentError("The lock file /tmp/x cannot be opened.")


def found_by(agent, device) -> dict[str, Check]:
    return {found.name: found for found in agent_checks(device, agent)}


@pytest.mark.parametrize(
    ("conditions", "name", "status", "word"),
    [
        ({"governor": "performance"}, "speed", "ok", "performance"),
        ({"governor": "schedutil"}, "speed", "warning", "governor schedutil"),
        ({"governor": "performance", "throttled": ["sw_thermal"]}, "speed", "warning", "sw_thermal"),
        ({}, "speed", "skipped", "does not tell"),
        ({"load_1m": 3.9, "scheduling": "normal"}, "load", "warning", "3.9 programs"),
        ({"load_1m": 0.1, "scheduling": "real-time"}, "load", "ok", "real-time"),
        ({}, "load", "skipped", "does not tell"),
    ],
)
def test_what_disturbs_a_measurement_is_a_warning(device, conditions, name, status, word):
    found = found_by(Reporting(conditions=conditions), device)[name]
    assert found.status == status
    assert word in found.found
    assert bool(found.fix) == (status == "warning")


def test_the_sensor_of_energy_is_told_with_its_resolution_or_why_there_is_none(device):
    sensor = {"name": "RAPL", "counts": True, "step_ms": 1.0, "step_mj": 12.5, "burst_ms": 100.0}
    found = found_by(Reporting(energies=Energies(sensor=sensor, rest_w=(12.4,))), device)["energy"]
    assert (found.status, found.found) == ("ok", "RAPL: steps of 12.5 mJ every 1 ms, 12.4 W at rest; 0.1 s a model")
    lacking = found_by(Reporting(), device)["energy"]
    assert (lacking.status, lacking.found) == ("skipped", "not measured: there is no counter")


def test_the_checks_of_the_backend_are_part_of_it_and_what_nobody_tells_is_skipped(device):
    own = [
        BackendCheck(name="atc", status="failed", found="no atc", fix="Install the toolkit."),
        BackendCheck(name="memory", status="ok", found="900 MiB"),
    ]
    found = found_by(Reporting(checks=own), device)
    assert found["onnxruntime memory"].found == "900 MiB"
    assert found["atc"] == Check("atc", "failed", "no atc", "Install the toolkit.")
    assert {found[name].status for name in ("precision", "opset", "clock")} == {"skipped"}
    assert found["runtime"].found == "tensorrt 10.3.0; Orin"
    assert found["users"].status == "failed"
    assert "lock file" in found["users"].found
    broken = found_by(Reporting(checks=AgentError("ZeroDivisionError")), device)
    assert broken["backend"].status == "failed"
    simulated = found_by(Reporting(vendor={"origin": "simulated"}), device)
    assert "computed" in simulated["runtime"].found


def test_the_worst_check_decides():
    def of(*statuses):
        return Diagnosis("a", tuple(Check("x", status, "") for status in statuses)).status

    assert [of("ok", "skipped"), of("ok", "warning"), of("warning", "failed", "ok")] == ["ok", "warning", "failed"]
