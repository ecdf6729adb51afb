"""Models that tests of all backends share, and what ONNX Runtime makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from device_agents.options import Options
from mosegedge.devices.backends import get_backend
from mosegedge.devices.conformance import models

CONVOLUTION = models.convolution(13)
TWO_INPUTS = models.two_inputs(13)


def options(backend: str, *, precision: str = "fp32", threads: int = 1, **settings: str) -> Options:
    return Options(threads, precision, get_backend(backend).checked_settings(settings, "test"))


def written(folder: Path, content: bytes) -> str:
    path = folder / f"{len(list(folder.iterdir()))}.onnx"
    path.write_bytes(content)
    return str(path)


def node_model(kind: str, shape: tuple[int, ...] = (1, 2, 4, 4), **attributes) -> bytes:
    """One node with one input; its output has no shape that anybody relies on."""
    node = helper.make_node(kind, ["input"], ["output"], "one", **attributes)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("input", "output")]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=6).SerializeToString()


def unshaped() -> bytes:
    graph = onnx.load_model_from_string(CONVOLUTION.content)
    graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    return graph.SerializeToString()


def inputs_of(model) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=tensor["shape"]).astype(tensor["dtype"]) for tensor in model.inputs]


def by_onnxruntime(content: bytes, arrays: list[np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([port.name for port in session.get_inputs()], arrays, strict=True)))


def outputs_of(backend, model, arrays: list[np.ndarray]) -> list[np.ndarray]:
    found = backend.run(model, [array.tobytes() for array in arrays])
    return [np.frombuffer(item["content"], item["dtype"]).reshape(item["shape"]) for item in found]
