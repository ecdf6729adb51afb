"""A backend for tests with a compiler: an engine is a line about the chip and the ONNX file, run by ONNX Runtime.

So outputs are right and files are its own. What the board is like is in the environment: FAKE_CHIP names it,
FAKE_THROTTLED why it is slow, FAKE_WRONG has it compute something else, FAKE_TIMES_ONLY has it tell no inputs, and
FAKE_BUILDS is a file that counts compilations.
"""

import json
import os
from pathlib import Path

import numpy
import onnx
import onnxruntime

from device_agents.artefacts import cached_build, sha256_of
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

FORMAT = "fakeengine"
DEVICE_NS = 1_500_000


class Model:
    def __init__(self, content):
        self.content = content
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
        self.inputs = [_port(port) for port in self.session.get_inputs()]
        self.outputs = [_port(port) for port in self.session.get_outputs()]
        if os.environ.get("FAKE_TIMES_ONLY"):
            self.inputs = self.outputs = []


def _port(port):
    return {"name": port.name, "dtype": "float32", "shape": list(port.shape)}


def _chip():
    return os.environ.get("FAKE_CHIP", "FakeChip 1")


def describe(options):
    os.write(1, b"noise from C\n")
    return {
        "runtime": {"fakeengine": os.environ.get("FAKE_VERSION", "1.0")},
        "accelerator": _chip(),
        "precisions": ["fp32", "fp16"],
        "opset": 13,
        "clock": options.settings["clock"],
        "typed_onnx": True,
        "origin": options.settings["origin"],
    }


def build(model_path, options, built_folder):
    def compile_to(path):
        with Path(os.environ["FAKE_BUILDS"]).open("a") as stream:
            stream.write("built\n")
        header = {"chip": _chip(), "precision": options.precision}
        Path(path).write_bytes(json.dumps(header).encode() + b"\n" + Path(model_path).read_bytes())
        return ["two nodes were fused"]

    parts = {"model": sha256_of(model_path), "options": options.record(), "chip": _chip()}
    return cached_build(built_folder, parts, FORMAT, compile_to)


def load(built_path, options):
    line, _, content = Path(built_path).read_bytes().partition(b"\n")
    header = json.loads(line.decode())
    if header["chip"] != _chip():
        raise RpcError(BAD_MODEL, f"The engine was built for {header['chip']}.")
    if header["precision"] != options.precision:
        raise RpcError(BAD_MODEL, f"The engine is {header['precision']}.")
    return Model(content)


def run(model, inputs):
    if inputs is None:
        return DEVICE_NS if os.environ.get("FAKE_CLOCK") != "broken" else None
    shape = model.inputs[0]["shape"]
    (output,) = model.session.run(None, {"input": numpy.frombuffer(inputs[0], numpy.float32).reshape(shape)})
    if os.environ.get("FAKE_WRONG"):
        output = -output
    return [{"name": "output", "dtype": "float32", "shape": list(output.shape), "content": output.tobytes()}]


def close(model):
    del model.session


def conditions():
    reasons = os.environ.get("FAKE_THROTTLED", "")
    clocks = {"sm_mhz": 1500, "sm_max_mhz": 1800}
    return {
        "clocks": clocks,
        "temperature_c": 61.0,
        "power_w": 80.2,
        "throttled": reasons.split(",") if reasons else [],
    }


def layers(model, runs):
    if runs < 1:
        raise RpcError(BACKEND_FAILED, "no runs")
    graph = onnx.load_model_from_string(model.content).graph
    times = [
        {
            "name": f"layer {number}",
            "kind": node.op_type,
            "ns": 2000 if node.op_type == "Conv" else 1000,
            "nodes": [node.name],
            "note": "AI CPU" if node.op_type == "GlobalAveragePool" else "",
        }
        for number, node in enumerate(graph.node)
    ]
    return [*times, {"name": "copy", "kind": "Reformat", "ns": 500}]
