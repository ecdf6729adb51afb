"""A backend for tests: models are JSON, time is simulated, so every latency is known and nothing waits.

A model is `{"us": microseconds, "inputs": N, "fail": text}`. The agent dies by its own hand after a number of runs
when the file named by FAKE_DEATHS has a line left: each agent takes the first line away and dies after that many runs.
With FAKE_HANGS it falls silent instead. With FAKE_SLOWDOWN all takes so many times as long. It prints to stdout in
every way a vendor library can.
The "troubles" of a model are the name of such a file too: while it has lines, loading takes one away and fails for
want of disk space.
"""

import json
import os
import signal
from pathlib import Path

from device_agents import timing
from device_agents.artefacts import Built
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

FORMAT = "onnx"


class Clock:
    """Stands in for the module `time` inside the timed loop."""

    now_ns = 0

    def perf_counter_ns(self):
        return self.now_ns


CLOCK = Clock()
timing.time = CLOCK
timing.resource = None  # what the real processor does meanwhile is no part of simulated time
SLOWDOWN = float(os.environ.get("FAKE_SLOWDOWN", "1"))
runs = 0


def _runs_to_live():
    path = Path(os.environ.get("FAKE_DEATHS") or "/absent")
    if not path.exists():
        return None
    lines = path.read_text().split()
    path.write_text("\n".join(lines[1:]))
    return int(lines[0]) if lines else None


LIMIT = _runs_to_live()


def _takes_a_line(path):
    lines = path.read_text().split()
    path.write_text("\n".join(lines[1:]))
    return bool(lines)


class Model:
    def __init__(self, content):
        self.us = content["us"]
        tensor = {"name": "x", "dtype": "float32", "shape": [2, 2]}
        self.inputs = [tensor] * content.get("inputs", 1)
        self.outputs = [dict(tensor, name="y")]


def describe(options):
    print("python noise")  # noqa: T201
    os.write(1, b"C noise\n")
    return {"runtime": {"fake": os.environ.get("FAKE_VERSION", "1.0")}, "precisions": ["fp32"]}


def build(model_path, options, built_folder):
    return Built(model_path)


def load(built_path, options):
    os.write(1, b"loading\n")
    content = json.loads(Path(built_path).read_text())
    if "deadly" in content:
        os.kill(os.getpid(), signal.SIGKILL)
    if "troubles" in content and _takes_a_line(Path(content["troubles"])):
        raise RpcError(BACKEND_FAILED, "ATC ran out of disk space.")
    if "fail" in content:
        raise RpcError(BAD_MODEL, content["fail"])
    if "system" in content:
        raise OSError(content["system"], os.strerror(content["system"]))
    if "crash" in content:
        raise ZeroDivisionError(content["crash"])
    return Model(content)


def run(model, inputs):
    global runs
    runs += 1
    if LIMIT is not None and runs > LIMIT:
        if os.environ.get("FAKE_HANGS"):
            signal.pause()
        os.write(2, b"the board is on fire\n")
        os.kill(os.getpid(), signal.SIGKILL)
    CLOCK.now_ns += int(model.us * 1000 * SLOWDOWN)
    if inputs is None:
        return None
    return [{"name": "y", "dtype": "float32", "shape": [2, 2], "content": inputs[0]}]


def close(model):
    pass
