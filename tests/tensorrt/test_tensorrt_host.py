"""The host and the backend tensorrt together: every reply is as the host wants it, and the engine comes home."""

from __future__ import annotations

import numpy as np
import pytest
from nvidiabox import environment

from mosegedge.devices.agent_client import BurstSettings, open_agent
from mosegedge.devices.inventory import Device


@pytest.mark.parametrize("version", ["8.6.1", "11.4.0"])
def test_a_network_from_the_host_to_the_device_and_back(tmp_path, monkeypatch, network, network_fp16, version):
    for name, value in environment(tmp_path, version=version).items():
        monkeypatch.setenv(name, value)
    device = Device(
        name="box",
        backend="tensorrt",
        connection="local",
        precision="fp16",
        clock="device",
        cache=str(tmp_path / "cache"),
    )
    with open_agent(device) as agent:
        described = agent.describe()
        content = network_fp16 if described.vendor["typed_onnx"] else network
        loaded = agent.load_sent(agent.send(content))
        assert loaded.artefact.format == "engine"
        engine = agent.fetch(loaded.artefact)
        (burst,) = agent.time([loaded.model], BurstSettings())
        assert len(burst.device_ns) == len(burst.samples_ns)
        assert {check.status for check in agent.checks()} <= {"ok", "warning"}
        layers = agent.layers(loaded.model, runs=2)
        assert sum(layer.ns for layer in layers) == burst.device_ns[0]
        (output,) = agent.run(loaded.model, [np.zeros((1, 3, 64, 128), np.float32)])
        assert output.shape == (1, 19, 64, 128)
        # What was measured can be deployed: the same file loads by its own format.
        again = agent.load_sent(agent.send(engine, "engine"), "engine")
        assert again.artefact.sha256 == loaded.artefact.sha256
        agent.unload([loaded.model, again.model])
    with open_agent(device) as agent:
        assert agent.describe().fingerprint == described.fingerprint
        assert agent.load_sent(agent.send(content)).artefact.cached
