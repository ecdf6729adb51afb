"""Times networks on several devices of one machine, in turn, for `benchmarks.cross_table`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from benchmarks.cross_search import FLOPS, CrossSearch
from benchmarks.runtimes import half_quantiles, interleaved_ms, started
from mosegedge.devices import AgentClient, Device
from mosegedge.errors import DeviceError
from mosegedge.profiling.models import file_for, network_onnx
from mosegedge.search.targets import Targets, device_of
from mosegedge.space import Architecture, SearchSpace

_BACKENDS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch": "PyTorch"}


def halves_of(
    targets: Targets, search: CrossSearch, architectures: Sequence[Architecture], rounds: int
) -> dict[str, list[list[float]]]:
    """The latency of each network in the even and in the odd rounds, by the name of the cost, in milliseconds.

    Args:
        targets: The devices, as their profiles name them.
        search: Names the costs.
        architectures: The networks.
        rounds: How often each of them runs on each device; all take turns in every round.

    Raises:
        DeviceError: This machine lacks the precision of a profile.
    """
    names = [goal.name for goal in search.costs.latencies]
    devices = {name: device_of(target.profile) for name, target in zip(names, targets.targets, strict=True)}
    with contextlib.ExitStack() as stack:
        agents = started(stack, devices)
        missing = sorted(set(devices) - set(agents))
        if missing:
            raise DeviceError(f"{missing[0]} cannot be measured here in {devices[missing[0]].precision}.")
        ids = {
            name: [_loaded(agent, devices[name], search.space, architecture) for architecture in architectures]
            for name, agent in agents.items()
        }
        samples_ms = interleaved_ms(agents, ids, rounds)
    return {name: np.round(half_quantiles(samples).T, 6).tolist() for name, samples in samples_ms.items()}


def titles_of(targets: Targets, search: CrossSearch) -> dict[str, str]:
    """What each cost is called: FLOPs, and the backend and precision of each device."""
    titles = {FLOPS.name: "FLOPs"}
    for goal, target in zip(search.costs.latencies, targets.targets, strict=True):
        backend = target.profile.device.backend
        titles[goal.name] = f"{_BACKENDS.get(backend, backend)} {target.profile.protocol.precision}"
    return titles


def _loaded(agent: AgentClient, device: Device, space: SearchSpace, architecture: Architecture) -> str:
    """Builds a network for the device and loads it there; returns its id."""
    model = file_for(device, network_onnx(space, architecture, opset=device.opset), agent.describe())
    return agent.load(model.content, model.model_format)
