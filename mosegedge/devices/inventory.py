"""Devices by name: built-in templates, changed and extended by the user's devices.toml.

A file has one table a device; `template` names the device it starts from (its own name where that is a template):

    [fast-cpu]
    template = "local"
    threads = 4

The folder where mosegedge runs comes first, then `~/.config/mosegedge` (or `$XDG_CONFIG_HOME/mosegedge`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any

from mosegedge.errors import DeviceError

_FILE_NAME = "devices.toml"
_BUILT_IN = "built in"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A machine that networks run on.

    Attributes:
        name: What the user calls it; also the name of its folder of profiles.
        backend: Runtime that the agent uses there.
        connection: How it is reached: `local` is this machine, `ssh` another one.
        address: Host name, address, or alias in ~/.ssh/config.
        port: SSH port; 0 for that of ~/.ssh/config, or 22.
        user: Login name; empty for that of ~/.ssh/config, or one's own.
        identity: Private key file; empty for those of ~/.ssh/config and the agent.
        environment: Script on the device that is read before the interpreter starts, as a vendor's set_env.sh.
        threads: Threads inside one operator.
        precision: Number format of weights and activations.
        clock: Whose time counts: `host` includes the launch, `device` is what the accelerator's own clock says.
        opset: Highest ONNX opset that its runtime or compiler takes.
        interpreter: Python on the device; empty for the one that mosegedge runs under, or python3 over SSH.
        cache: Folder on the device for models; empty for the user's cache folder there.
        description: One line for lists.
        settings: What only its backend knows; see `Backend.settings`.
        source: The file that defines it.
    """

    name: str
    backend: str
    connection: str
    address: str = ""
    port: int = 0
    user: str = ""
    identity: str = ""
    environment: str = ""
    threads: int = 1
    precision: str = "fp32"
    clock: str = "host"
    opset: int = 17
    interpreter: str = ""
    cache: str = ""
    description: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    source: str = field(default=_BUILT_IN, compare=False)

    def __post_init__(self) -> None:
        if not self.name or not all(part.isalnum() for part in self.name.replace("-", "_").split("_")):
            raise DeviceError(
                f"{self.name!r} is no name for a device.", fix="Use letters, digits and single '-' or '_' between them."
            )
        if self.threads < 1:
            raise DeviceError(f"{self.name} cannot run with {self.threads} threads.", fix="Set threads = 1 or more.")


def load_device(name: str, *, folder: Path | None = None) -> Device:
    """Finds a device by name.

    Args:
        name: A template or a table of a devices.toml.
        folder: Where the project's devices.toml is; the current folder by default.

    Raises:
        DeviceError: There is no such device, or a devices.toml cannot be used.
    """
    devices = {device.name: device for device in list_devices(folder=folder)}
    if name not in devices:
        looked = ", ".join(str(path) for path in _files(folder))
        raise DeviceError(
            f"There is no device {name!r}.",
            known=f"Devices: {', '.join(devices)}; looked in the built-in templates, {looked}.",
            fix=f'Add it to devices.toml: [{name}] with template = "local" and what differs.',
        )
    return devices[name]


def list_devices(*, folder: Path | None = None) -> list[Device]:
    """All devices: templates first, then those of the user, each with the file that has the last word on it."""
    templates = tomllib.loads((resources.files("mosegedge.devices") / "templates.toml").read_text())
    devices = {name: Device(name=name, **table) for name, table in templates.items()}
    for path in reversed(_files(folder)):
        if path.is_file():
            for name, table in _read(path).items():
                devices[name] = _device(name, table, devices, path)
    return list(devices.values())


def _files(folder: Path | None) -> tuple[Path, Path]:
    """Where a devices.toml may be, most important first."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (folder or Path.cwd()) / _FILE_NAME, config / "mosegedge" / _FILE_NAME


def _read(path: Path) -> dict[str, dict[str, Any]]:
    from pydantic import ValidationError

    from mosegedge.devices.devices_file import DeviceTable

    try:
        content = tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DeviceError(f"{path} cannot be read as TOML: {error}.") from error
    tables = {}
    for name, table in content.items():
        try:
            tables[name] = DeviceTable.model_validate(table).model_dump(exclude_unset=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join([name, *(str(part) for part in first["loc"])])
            known = ", ".join(sorted(DeviceTable.model_fields))
            raise DeviceError(
                f"{path}: {place}: {first['msg']}.", known=f"A device is a table with the fields {known}."
            ) from error
    return tables


def _device(name: str, table: dict[str, Any], devices: dict[str, Device], path: Path) -> Device:
    template = table.pop("template", name)
    if template not in devices:
        raise DeviceError(
            f"{path}: the device {name} starts from the template {template!r}, which does not exist.",
            known=f"Templates: {', '.join(devices)}.",
            fix=f'Write template = "local" in [{name}].',
        )
    inherited = {item.name: getattr(devices[template], item.name) for item in fields(Device)}
    return Device(**(inherited | table | {"name": name, "source": str(path)}))
