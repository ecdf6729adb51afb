"""What an agent measures besides time: energy and memory of models."""

from __future__ import annotations

from collections.abc import Sequence

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.replies import Energies, MemoryNeed


def energy_of(agent: AgentClient, models: Sequence[str] = ()) -> Energies:
    """Energy of loaded models, in bursts of its own; without models only what the sensor is and the power of rest.

    Raises:
        DeviceBusyError: Another run holds the device.
    """
    return agent.ask(Energies, "energy", {"models": list(models)})


def memory_of(agent: AgentClient, model: str, model_format: str = "onnx") -> MemoryNeed:
    """Memory that a model needs that is on the device; it need not be loaded.

    Raises:
        DeviceBusyError: Another run holds the device.
    """
    return agent.ask(MemoryNeed, "memory", {"model": model, "format": model_format})
