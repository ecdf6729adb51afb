"""The conformance kit: it passes the backends that are right, and names what is wrong with the others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mosegedge.devices import Device, connect, open_agent
from mosegedge.devices.conformance import check_conformance
from mosegedge.devices.conformance.bench import Bench
from mosegedge.devices.conformance.checks import described
from mosegedge.errors import AgentError, DeviceBusyError
from mosegedge.progress import Silent

# A third-party backend: its agent module leans on one that is there, as far as it is right.
RIGHT = """
import os
import stat

from device_agents.artefacts import Built
from device_agents.backends import onnxruntime as real
from device_agents.backends.onnxruntime import FORMAT, build, close, describe, layers, load, run
"""
MISSING_KEY = """
def describe(options):
    found = real.describe(options)
    del found["accelerator"]
    return found
"""
NEGATIVE_TIME = """
def run(model, inputs):
    return real.run(model, inputs) if inputs is not None else -5
"""
# The protocol has the descriptor that stdout was moved to; a library that looks for open pipes finds it.
PRINTS = """
def load(path, options):
    for descriptor in range(3, 10):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"loading...\\n")
        except OSError:
            pass
    return real.load(path, options)
"""
TAKES_GARBAGE = """
class Nothing:
    inputs = []
    outputs = []


def load(path, options):
    try:
        return real.load(path, options)
    except Exception:
        return Nothing()
"""
DIES_OF_GARBAGE = """
def load(path, options):
    with open(path, "rb") as stream:
        if stream.read().startswith(b"\\x07"):
            os.abort()
    return real.load(path, options)
"""
WRONG_OUTPUT = """
def run(model, inputs):
    found = real.run(model, inputs)
    for output in found or []:
        output["content"] = output["content"][4:] + output["content"][:4]
    return found
"""
BUILDS_AGAIN = """
def build(path, options, folder):
    return Built(path, False, 1.0)


def layers(model, runs):
    return [{"name": "all", "kind": "Network", "ns": 5, "nodes": ["no.such.node"]}]
"""


class Counting(Silent):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, what: str, total: int, done: int = 0) -> None:
        self.total = total

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.done += steps


@pytest.fixture
def device(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))

    def make(backend: str, **fields) -> Device:
        return Device(name="board", backend=backend, connection="local", cache=str(tmp_path / "cache"), **fields)

    return make


@pytest.fixture
def third_party(tmp_path, monkeypatch, device):
    """Installs a backend as another package would: an entry point, and a module for the agent."""

    def install(*faults: str) -> Device:
        packages = tmp_path / "packages"
        info = packages / "thirdparty-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[mosegedge.backends]\nthirdparty = thirdparty_host:BACKEND\n")
        agent = packages / "thirdparty_agent.py"
        agent.write_text("".join([RIGHT, *faults]))
        (packages / "thirdparty_host.py").write_text(
            "from pathlib import Path\n\nfrom mosegedge.devices.backends import Backend\n\n"
            f"BACKEND = Backend('thirdparty', 'of another package', Path({str(agent)!r}))\n"
        )
        monkeypatch.syspath_prepend(str(packages))
        monkeypatch.delitem(sys.modules, "thirdparty_host", raising=False)
        return device("thirdparty")

    return install


def failed_checks(device: Device) -> dict[str, str]:
    return {check.name: check.detail for check in check_conformance(device, progress=Silent()).failed}


@pytest.mark.parametrize(
    ("backend", "fields"),
    [("onnxruntime", {}), ("openvino", {"opset": 11}), ("torch", {}), ("simulated", {"clock": "device"})],
)
def test_backends_of_this_package_conform(backend, fields, device):
    progress = Counting()
    chosen = device(backend, **fields)
    report = check_conformance(chosen, progress=progress)
    report.require_passed()
    assert agents_of(chosen) == []
    assert report.passed
    assert progress.total == progress.done == len(report.checks)
    details = {check.name: check.detail for check in report.checks}
    assert "name" in details["layers name nodes"]


def test_a_backend_of_another_package_conforms(third_party):
    check_conformance(third_party(), progress=Silent()).require_passed()


def test_every_fault_is_named_by_its_check_and_by_no_other(third_party):
    device = third_party(MISSING_KEY, NEGATIVE_TIME, PRINTS)
    report = check_conformance(device, progress=Silent())
    failed = {check.name: check.detail for check in report.failed}
    # A client that meets a line which is no protocol ends the conversation, as it should.
    assert set(failed) == {
        "describe keeps to the contract",
        "bursts are well-formed",
        "the public client works",
        "nothing but the protocol on stdout",
    }
    assert "lacks accelerator" in failed["describe keeps to the contract"]
    assert "device_ns" in failed["bursts are well-formed"]
    assert "loading..." in failed["nothing but the protocol on stdout"]
    with pytest.raises(AgentError, match=r"fails 4 of \d+ checks.*lacks accelerator") as refused:
        report.require_passed()
    assert "device_agents/backends" in refused.value.fix


def test_garbage_that_is_taken_for_a_model_is_found(third_party):
    failed = failed_checks(third_party(TAKES_GARBAGE, BUILDS_AGAIN))
    assert set(failed) == {"garbage is refused", "artefacts are kept", "layers name nodes"}
    assert "noise was answered with" in failed["garbage is refused"]
    assert "no.such.node" in failed["layers name nodes"]


def test_an_agent_that_dies_is_found_and_the_other_checks_go_on(third_party):
    failed = failed_checks(third_party(DIES_OF_GARBAGE))
    assert set(failed) == {"garbage is refused"}
    assert "ended during load" in failed["garbage is refused"]


def test_outputs_that_are_wrong_are_found(third_party):
    failed = failed_checks(third_party(WRONG_OUTPUT))
    assert {"a convolution is answered", "inputs keep their order", "a network is answered"} <= set(failed)
    assert "bursts are well-formed" not in failed
    assert "differs by" in failed["a convolution is answered"]


def test_a_precision_that_the_backend_does_not_have_is_named(device):
    chosen = device("onnxruntime", precision="bf16")
    with connect(chosen) as connection, Bench(connection, chosen) as bench:
        check = bench.checked("describe", described)
    assert not check.passed
    assert check.detail == "The device is set to bf16; its backend can time fp32."


def test_a_device_that_another_run_holds_is_left_alone(device):
    chosen = device("onnxruntime")
    with open_agent(chosen) as agent:
        agent.lock()
        with pytest.raises(DeviceBusyError, match="board is busy"):
            check_conformance(chosen, progress=Silent())


def agents_of(device: Device) -> list[Path]:
    cache = device.cache.encode()
    return [path for path in Path("/proc").glob("[0-9]*/cmdline") if cache in read(path)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
