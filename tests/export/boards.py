"""A board for tests whose backend has a compiler; it is found by an entry point, as those of other packages are."""

from __future__ import annotations

from pathlib import Path

import pytest

from mosegedge.devices import Device
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.devices.backends import Backend, Setting
from mosegedge.export import measuring

ENGINE = Backend(
    "fakeengine",
    "wraps ONNX",
    Path(__file__).with_name("fakeengine.py"),
    (
        Setting("origin", "of times", ("measured", "simulated"), "measured"),
        Setting("clock", "that it has", ("host", "device"), "device"),
    ),
)


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few timed runs: tests look at what is done with times, not at times."""
    monkeypatch.setattr(measuring, "_BURSTS_PER_ROUND", 1)
    monkeypatch.setattr(measuring, "_BURST", BurstSettings(min_samples=5, max_samples=5, min_ns=0))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the backend known; returns the file that counts compilations."""
    info = folder / "packages" / "fakeengine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fakeengine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mosegedge.backends]\nfakeengine = boards:ENGINE\n")
    monkeypatch.syspath_prepend(str(folder / "packages"))
    builds = folder / "builds"
    builds.touch()
    monkeypatch.setenv("FAKE_BUILDS", str(builds))
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(folder / "lock"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return builds


def board(
    folder: Path, *, name: str = "board", precision: str = "fp32", clock: str = "host", origin: str = "measured"
) -> Device:
    """The board with its cache in a folder."""
    return Device(
        name=name,
        backend="fakeengine",
        connection="local",
        precision=precision,
        clock=clock,
        opset=13,
        cache=str(folder / "cache"),
        settings={"origin": origin},
    )


def table(folder: Path, device: Device) -> None:
    """Writes a devices.toml with the device."""
    (folder / "devices.toml").write_text(
        f'[{device.name}]\ntemplate = "local"\nbackend = "{device.backend}"\nprecision = "{device.precision}"\n'
        f'clock = "{device.clock}"\nopset = {device.opset}\ncache = "{device.cache}"\n'
        f'[{device.name}.settings]\norigin = "{device.settings["origin"]}"\n'
    )
