"""Several boards with a known latency law, each with a lock and a cache of its own, in the place of SSH.

Run as a program it is `mosegedge` with such boards. An address is the name of a board; it dies where the file
`<address>.deaths` says so, as `fakebackend` describes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "profiling"))

import fakeboard

from mosegedge.devices.connection import TRANSPORTS
from mosegedge.devices.inventory import Device
from mosegedge.devices.local import LocalConnection, LocalProcess
from mosegedge.profiling import building

BOARD = '[{name}]\ntemplate = "local"\nbackend = "fake"\nconnection = "ssh"\naddress = "{address}"\n'


class FarConnection(LocalConnection):
    """A process of this machine that shares nothing with those at other addresses."""

    def __init__(self, device: Device, *, accept_new_host_key: bool = False) -> None:
        super().__init__(device)
        place = Path(os.environ["XDG_CACHE_HOME"])
        self.cache = device.cache or str(place / device.address)
        self._interpreter = device.interpreter or sys.executable
        self._world = [f"MOSEGEDGE_LOCK={self.cache}.lock", f"FAKE_DEATHS={place / device.address}.deaths"]
        if accept_new_host_key:
            (place / f"{device.address}.met").touch()

    def run(self, arguments: Sequence[str]) -> LocalProcess:
        return LocalProcess(["/usr/bin/env", *self._world, self._interpreter, *arguments])


def install(folder: Path, boards: dict[str, str]) -> dict[str, str]:
    """Makes a project folder with these boards, by name and address; returns the environment that they need."""
    environment = fakeboard.environment(folder)
    environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    tables = [BOARD.format(name=name, address=address) for name, address in boards.items()]
    (folder / "devices.toml").write_text("".join(tables))
    (folder / "cache").mkdir()
    return environment


def patch() -> None:
    """Puts the boards in the place of SSH and of real models."""
    TRANSPORTS["ssh"] = "farboards:FarConnection"
    building.model_file = fakeboard.model_file


if __name__ == "__main__":
    from mosegedge.cli.main import main

    patch()
    sys.exit(main())
