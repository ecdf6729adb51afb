"""The real agent with the real runtime over a real sshd: the same answers as on this machine."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from mosegedge.devices import Device, connect, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.errors import DeviceBusyError
from mosegedge.networks.onnx import onnx_of_network
from mosegedge.space import SearchSpace

SHORT = BurstSettings(min_samples=2, max_samples=3, min_ns=0, max_warmup=1)


def test_networks_compute_the_same_as_on_this_machine(board, tmp_path, rng):
    space = SearchSpace.load("nano")
    local = Device(name="here", backend="onnxruntime", connection="local", cache=str(tmp_path / "local"))
    with open_agent(board) as there, open_agent(local) as here:
        assert there.describe().fingerprint == here.describe().fingerprint
        for architecture in space.decode(space.sample(1, rng)):
            content = onnx_of_network(space, architecture, opset=17)
            models = there.load(content), here.load(content)
            assert models[0] == models[1]
            shape = there.load_sent(models[0]).inputs[0].shape
            picture = rng.standard_normal(shape, dtype=np.float32)
            remote, own = there.run(models[0], [picture]), here.run(models[1], [picture])
            np.testing.assert_array_equal(remote[0], own[0])
            (burst,) = there.time([models[0]], SHORT)
            assert min(burst.samples_ns) > 0


def test_the_agent_is_sent_once_and_sent_again_when_damaged(board):
    with open_agent(board):
        pass
    with connect(board) as connection:
        (package,) = Path(connection.cache, "agents").iterdir()
    sent, content = package.stat().st_ino, package.read_bytes()
    with open_agent(board):
        assert package.stat().st_ino == sent
    package.write_bytes(content[:-1] + b"x")
    with open_agent(board):
        assert package.read_bytes() == content


def test_a_second_run_is_told_who_holds_the_device(board):
    with open_agent(board) as first, open_agent(board) as second:
        first.lock()
        with pytest.raises(DeviceBusyError, match=rf"mosegedge of .* \(process {first.pid} on .*, since .*started by"):
            second.lock()


def test_kill_ends_the_program_on_the_device_and_its_children(board):
    program = "import subprocess; c = subprocess.Popen(['sleep', '100']); print(c.pid, flush=True); c.wait()"
    with connect(board) as connection:
        process = connection.run(["-c", program])
        child = int(process.stdout.readline())
        process.kill()
        assert process.wait(10) == -1
    while any(is_running(pid) for pid in (process.pid, child)):
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False
