"""Devices by name: built-in templates, changed and extended by the user's devices.toml.

A file has one table a device; `template` names the device it starts from (its own name where that is a template):

    [fast-cpu]
    template = "local"
    threads = 4

The folder where mosegedge runs comes first, then `~/.config/mosegedge` (or `$XDG_CONFIG_HOME/mosegedge`).
`inventory_edit.py` writes such files.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from mosegedge.errors import DeviceError

FILE_NAME = "devices.toml"
BUILT_IN = "built in"
_DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Device:
    """A machine that networks run on.

    Attributes:
        name: What the user calls it; also the name of its folder of profiles.
        backend: Runtime that the agent uses there.
        connection: How it is reached: `local` is this machine, `ssh` another one.
        address: Host name, address, or alias in ~/.ssh/config; several with commas are tried in order.
        port: SSH port; 0 for that of ~/.ssh/config, or 22.
        user: Login name; empty for that of ~/.ssh/config, or one's own.
        identity: Private key file; empty for those of ~/.ssh/config and the agent.
        environment: Script on the device that is read before the interpreter starts, as a vendor's set_env.sh; of
            several with commas the first that exists. bash reads it, or sh where there is no bash.
        threads: Threads inside one operator.
        precision: Number format of weights and activations.
        clock: Whose time counts: `host` includes the launch, `device` is what the accelerator's own clock says.
        opset: Highest ONNX opset that its runtime or compiler takes.
        interpreter: Python on the device; empty for the one that mosegedge runs under, or python3 over SSH. Of several
            with commas the first that exists and is new enough.
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
    clock: Literal["host", "device"] = "host"
    opset: int = 17
    interpreter: str = ""
    cache: str = ""
    description: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    source: str = field(default=BUILT_IN, compare=False)

    def __post_init__(self) -> None:
        if not self.name or not all(part.isalnum() for part in self.name.replace("-", "_").split("_")):
            raise DeviceError(
                f"{self.name!r} is no name for a device.", fix="Use letters, digits and single '-' or '_' between them."
            )
        if self.threads < 1:
            raise DeviceError(f"{self.name} cannot run with {self.threads} threads.", fix="Set threads = 1 or more.")


@dataclass(frozen=True, slots=True)
class Definition:
    """A device with the place that each of its fields comes from.

    Attributes:
        device: All files taken together.
        origins: By field (`settings.NAME` for a setting): a file with its table, or a template.
    """

    device: Device
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """All devices.

    Attributes:
        definitions: By name; of one whose table cannot be used, what it would be without that table.
        mistakes: Why tables cannot be used, by the name of the device.
    """

    definitions: Mapping[str, Definition]
    mistakes: Mapping[str, DeviceError]

    @property
    def usable(self) -> dict[str, Definition]:
        """Those without a mistake."""
        return {name: found for name, found in self.definitions.items() if name not in self.mistakes}


def load_device(name: str, *, folder: Path | None = None) -> Device:
    """Finds a device that can be used as it is.

    Args:
        name: A template or a table of a devices.toml.
        folder: Where the project's devices.toml is; the current folder by default.

    Raises:
        DeviceError: There is no such device, a devices.toml cannot be read, or something is missing in the table of
            this device or wrong; tables of others may be as wrong as they like, see `mistakes`.
    """
    device = find_definition(name, folder=folder).device
    check_device(device, folder=folder)
    return device


def find_definition(name: str, *, folder: Path | None = None) -> Definition:
    """Finds a device, whether or not anything is missing in it.

    Raises:
        DeviceError: There is no such device, its table cannot be used, or a devices.toml cannot be read.
    """
    inventory = read_inventory(folder=folder)
    if name in inventory.mistakes:
        raise inventory.mistakes[name]
    known = inventory.usable
    if name not in known:
        looked = ", ".join(str(path) for path in device_files(folder))
        close = difflib.get_close_matches(name, known, n=1)
        fix = f'Add it to devices.toml: [{name}] with template = "local" and what differs.'
        raise DeviceError(
            f"There is no device {name!r}.",
            known=f"Devices: {', '.join(known)}; looked in the built-in templates, {looked}.",
            fix=f"Did you mean {close[0]!r}? Or a new one: {fix[0].lower()}{fix[1:]}" if close else fix,
        )
    return known[name]


def check_device(device: Device, *, folder: Path | None = None) -> None:
    """Makes sure that a device says all that is needed, and nothing that its backend does not know.

    Raises:
        DeviceError: The backend or a setting is unknown, or it has no address.
    """
    from mosegedge.devices.backends import get_backend

    get_backend(device.backend).checked_settings(device.settings, f"{device.source}: [{device.name}]")
    if device.connection == "ssh" and not any(part.strip() for part in device.address.split(",")):
        written = device.source != BUILT_IN
        place = device.source if written else str(device_files(folder)[0])
        raise DeviceError(
            f"The device {device.name} has no address: nothing says where it is.",
            known="It is a table of your own." if written else "The template knows all but the address.",
            fix=f"Write these two lines in {place}{' (the first is there already)' if written else ''}:\n"
            f'    [{device.name}]\n    address = "192.168.1.20"',
        )


def list_devices(*, folder: Path | None = None) -> list[Device]:
    """All devices: templates first, then those of the user, each with the file that has the last word on it.

    Those whose tables cannot be used are left out; `mistakes` has them.
    """
    return [definition.device for definition in definitions(folder=folder).values()]


def mistakes(*, folder: Path | None = None) -> dict[str, DeviceError]:
    """Why tables of a devices.toml cannot be used, by the name of the device."""
    return dict(read_inventory(folder=folder).mistakes)


def template_names() -> list[str]:
    """Names of the built-in templates."""
    return list(_templates())


def device_files(folder: Path | None = None) -> tuple[Path, Path]:
    """Where a devices.toml may be, most important first: the project's, the user's."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (folder or Path.cwd()) / FILE_NAME, config / "mosegedge" / FILE_NAME


def definitions(*, folder: Path | None = None) -> dict[str, Definition]:
    """All usable devices by name, with the origin of every field."""
    return read_inventory(folder=folder).usable


def read_inventory(*, folder: Path | None = None, instead: Mapping[Path, str] | None = None) -> Inventory:
    """All devices, and what is wrong with tables that cannot be used.

    Args:
        folder: Where the project's devices.toml is; the current folder by default.
        instead: Text to read instead of a file, to try a change before it is written.

    Raises:
        DeviceError: A devices.toml is no TOML.
    """
    # Not above: what it needs of connections needs `Device`.
    from mosegedge.devices.devices_file import checked_table

    found = {
        name: Definition(Device(name=name, **table), dict.fromkeys(_names(table), f"template {name}"))
        for name, table in _templates().items()
    }
    wrong: dict[str, DeviceError] = {}
    for path in reversed(device_files(folder)):
        if instead and path in instead:
            text = instead[path]
        elif path.is_file():
            text = _text(path)
        else:
            continue
        for name, table in _tables(text, path).items():
            try:
                found[name] = _definition(name, checked_table(name, table, path, text), Inventory(found, wrong), path)
                wrong.pop(name, None)  # a table that starts from another template replaces the one before it
            except DeviceError as error:
                place = "" if str(path) in error.what else f"{path}: "
                wrong[name] = DeviceError(f"{place}{error.what}", known=error.known, fix=error.fix)
    return Inventory(found, wrong)


def _templates() -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files("mosegedge.devices") / "templates.toml").read_text(encoding="utf-8"))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (UnicodeDecodeError, OSError) as error:
        raise DeviceError(f"{path} cannot be read as TOML: {error}.", fix="Correct it, or move it away.") from error


def _tables(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeviceError(f"{path} cannot be read as TOML: {error}.", fix="Correct that line.") from error


def _definition(name: str, table: dict[str, Any], known: Inventory, path: Path) -> Definition:
    template = table.pop("template", name)
    if template in known.mistakes:
        raise DeviceError(
            f"{path}: the device {name} starts from {template}, which cannot be used.",
            known=known.mistakes[template].what,
            fix=f"Correct [{template}] first.",
        )
    if template not in known.definitions:
        close = difflib.get_close_matches(template, known.usable, n=1)
        raise DeviceError(
            f"{path}: the device {name} starts from the template {template!r}, which does not exist.",
            known=f"Templates: {', '.join(known.usable)}.",
            fix=f'Write template = "{close[0] if close else "local"}" in [{name}].',
        )
    base = known.definitions[template]
    inherited = {item.name: getattr(base.device, item.name) for item in fields(Device)}
    # Settings belong to a backend: those of another one mean nothing.
    same_backend = table.get("backend", base.device.backend) == base.device.backend
    kept = base.device.settings if same_backend else {}
    settings = {**kept, **table.get("settings", {})}
    origins = {place: origin for place, origin in base.origins.items() if same_backend or "." not in place}
    origins |= dict.fromkeys(_names(table), f"{path} [{name}]")
    changed = {**table, "settings": settings, "name": name, "source": str(path)}
    return Definition(Device(**(inherited | changed)), origins)


def _names(table: Mapping[str, Any]) -> list[str]:
    """The fields of a table; settings one by one."""
    plain = [name for name in table if name != "settings"]
    return plain + [f"settings.{name}" for name in table.get("settings", {})]
