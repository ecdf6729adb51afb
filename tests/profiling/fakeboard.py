"""A board with a known latency law and simulated time, reached through the real agent, protocol and command line.

Run as a program it is `mosegedge`, with models that carry their own latency instead of real ONNX.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mosegedge.devices import Device, load_device
from mosegedge.profiling import building, check_loop, losses
from mosegedge.profiling.models import ModelFile
from mosegedge.profiling.plan import Item, Plan
from mosegedge.profiling.roofline import ProbeSpec
from mosegedge.space import Architecture, LayerSpec, SearchSpace
from mosegedge.space.counting import flops_of, params_of

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parents[1]
FAILING_LAYER = "FAKE_FAILING_LAYER"
TROUBLED_LAYER = "FAKE_TROUBLED_LAYER"
DEADLY_LAYER = "FAKE_DEADLY_LAYER"
FAILING_NETWORKS = "FAKE_FAILING_NETWORKS"
DEADLY_NETWORK = "FAKE_DEADLY_NETWORK"


def layer_us(spec: LayerSpec) -> float:
    return 20 + flops_of(spec) / 2e4


def network_us(space: SearchSpace, architecture: Architecture) -> float:
    specs = [layer.spec for layer in space.layers_of(architecture)]
    weights = sum(params_of(spec) for spec in specs) / 1e6
    return 100 + 0.96 * sum(layer_us(spec) for spec in specs) + 300 * weights


PEAK_GMACS_PER_S, BANDWIDTH_GB_PER_S, LAUNCH_US = 80.0, 25.0, 12.0


def probe_us(spec: ProbeSpec) -> float:
    moved = 2 * 4 * spec.elements
    return LAUNCH_US + max(spec.multiply_adds / PEAK_GMACS_PER_S / 1e3, moved / BANDWIDTH_GB_PER_S / 1e3)


def source_us(item: Item, plan: Plan) -> float:
    if isinstance(item.source, Architecture):
        return network_us(plan.space, item.source)
    return probe_us(item.source) if isinstance(item.source, ProbeSpec) else layer_us(item.source)


def model_file(item: Item, plan: Plan, description: object) -> ModelFile:
    us = source_us(item, plan)
    content: dict[str, object] = {"key": item.key, "us": us}
    if item.key == os.environ.get(FAILING_LAYER):
        content["fail"] = "no kernel for this layer"
    if item.key == os.environ.get(TROUBLED_LAYER):
        content["troubles"] = str(Path("troubles").absolute())
    if item.key == os.environ.get(DEADLY_LAYER):
        content["deadly"] = True
    return ModelFile(json.dumps(content).encode())


def network_file(agent: object, space: SearchSpace, network: Architecture, description: object) -> ModelFile:
    content: dict[str, object] = {"key": str(network), "us": network_us(space, network)}
    if str(network).startswith(os.environ.get(FAILING_NETWORKS, "none")):
        content["fail"] = "no kernel for this network"
    if str(network) == os.environ.get(DEADLY_NETWORK):
        content["deadly"] = True
    return ModelFile(json.dumps(content).encode())


def environment(folder: Path) -> dict[str, str]:
    """Installs the fake backend under a folder; returns the environment in which it is found."""
    packages = folder / "packages"
    info = packages / "fake-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mosegedge.backends]\nfake = agentprocess:FAKE\n")
    (folder / "devices.toml").write_text('[board]\ntemplate = "local"\nbackend = "fake"\n')
    return {
        "PYTHONPATH": os.pathsep.join([str(packages), str(TESTS / "agents"), str(TESTS.parent)]),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "MOSEGEDGE_LOCK": str(folder / "lock"),
        "FAKE_DEATHS": str(folder / "deaths"),
    }


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """Makes a folder a user's project with the board, and goes there; returns the board."""
    folder.mkdir(exist_ok=True)
    variables = environment(folder)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for path in variables["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(path)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(building, "model_file", model_file)
    monkeypatch.setattr(check_loop, "network_file", network_file)
    monkeypatch.setattr(losses, "_FIRST_PAUSE_S", 0.005)
    monkeypatch.setattr(losses, "_LONGEST_PAUSE_S", 0.02)
    return load_device("board")


if __name__ == "__main__":
    from mosegedge.cli.main import main

    building.model_file = model_file
    check_loop.network_file = network_file
    sys.exit(main())
