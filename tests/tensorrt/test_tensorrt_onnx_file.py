"""An ONNX file read without any package says the same as with one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from device_agents.onnx_file import read_onnx
from device_agents.protocol import RpcError
from mosegedge.networks.precision import precision_of, to_fp16


def model_of(kind: int, *, weight: bool, operator: str = "MatMul") -> bytes:
    ports = [helper.make_tensor_value_info(name, kind, [2, 2]) for name in "xy"]
    weights = [numpy_helper.from_array(np.ones((2, 2), helper.tensor_dtype_to_np_dtype(kind)), "w")] if weight else []
    node = helper.make_node(operator, ["x", "w"] if weight else ["x"], ["y"], name="only")
    return helper.make_model(helper.make_graph([node], "g", ports[:1], ports[1:], weights)).SerializeToString()


@pytest.mark.parametrize("case", ["network", "network_fp16", "layer", "relu", "relu_fp16", "half", "bf16", "int8"])
def test_the_precision_is_the_one_that_the_host_sees(tmp_path, network, network_fp16, layer, case):
    content = {
        "network": network,
        "network_fp16": network_fp16,
        "layer": layer,
        "relu": model_of(TensorProto.FLOAT, weight=False, operator="Relu"),
        "relu_fp16": to_fp16(model_of(TensorProto.FLOAT, weight=False, operator="Relu")),
        "half": model_of(TensorProto.FLOAT16, weight=True),
        "bf16": model_of(TensorProto.BFLOAT16, weight=True),
        "int8": model_of(TensorProto.FLOAT, weight=True, operator="QuantizeLinear"),
    }[case]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    facts = read_onnx(str(path))
    assert facts.precision == precision_of(content)
    graph = onnx.load_model_from_string(content).graph
    for found, expected in ((facts.inputs, graph.input), (facts.outputs, graph.output)):
        assert [port["name"] for port in found] == [port.name for port in expected]
        shapes = [[side.dim_value for side in port.type.tensor_type.shape.dim] for port in expected]
        assert [port["shape"] for port in found] == shapes


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_a_file_that_ends_early_or_is_none_is_refused(tmp_path, network, length):
    path = tmp_path / "model.onnx"
    path.write_bytes(network[:length])
    with pytest.raises(RpcError, match="cannot be read as ONNX"):
        read_onnx(str(path))
    path.write_bytes(b"\x0f" * length + b"{}")
    with pytest.raises(RpcError, match="cannot be read as ONNX"):
        read_onnx(str(path))
