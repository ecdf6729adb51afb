"""The whole way from the host's side: `open_agent` on a board of stand-ins, compiled there or here."""

from __future__ import annotations

import numpy as np
import pytest
from ascendboard import Board, reference, small_model

from mosegedge.devices import open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.devices.host_compiler import prepare
from mosegedge.devices.inventory import Device
from mosegedge.errors import AgentError


@pytest.mark.parametrize("atc", ["board", "host"])
def test_a_network_goes_to_the_board_and_its_times_and_layers_come_back(tmp_path, monkeypatch, rng, atc):
    board = Board(tmp_path, "Ascend310B1", run_mode=1, programs={"atc": "atc.py", "npu_smi": "npu_smi.py"})
    for name, value in board.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    device = Device(
        name="atlas",
        backend="ascend",
        connection="local",
        precision="fp16",
        clock="device",
        opset=11,
        settings={"soc_version": "Ascend310B1", "atc": atc},
    )
    onnx = small_model()
    picture = rng.standard_normal((1, 1, 4, 4)).astype(np.float32)
    content, model_format, notes = prepare(device, onnx)
    assert bool(notes) == (atc == "host")
    with open_agent(device) as agent:
        assert agent.describe().vendor["atc"] == f"on the {atc}"
        assert {check.status for check in agent.checks()} <= {"ok", "warning"}
        loaded = agent.load_sent(agent.send(content, model_format), model_format)
        assert agent.fetch(loaded.artefact).startswith(b"STANDIN-OM")
        np.testing.assert_array_equal(agent.run(loaded.model, [picture])[0], reference(onnx, picture))
        (burst,) = agent.time([loaded.model], BurstSettings(min_samples=2, max_samples=2))
        assert burst.device_ns == (1_250_000, 1_250_000)
        layers = agent.layers(loaded.model, runs=2)
        assert [node for layer in layers for node in layer.nodes][-1] == "decoder.Resize"
        if atc == "host":
            with pytest.raises(AgentError, match="the host has to send an OM"):
                agent.load(onnx)
    assert len(board.atc_log()) == 1
    assert [line for line in board.log() if line.startswith(("WRONG", "FORBIDDEN"))] == []
