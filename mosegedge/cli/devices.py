"""`mosegedge devices list | show | add | remove | doctor | conformance`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosegedge.cli.completion import device_names
from mosegedge.cli.options import open_device, say_mistakes
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from mosegedge.devices.doctor.diagnosis import Diagnosis
    from mosegedge.devices.inventory import Definition

NameArgument = Annotated[str, typer.Argument(help="Name of a device.", autocompletion=device_names)]
AcceptNewHostKey = Annotated[
    bool,
    typer.Option("--accept-new-host-key", help="Trust a device that was never met, and remember its host key."),
]
UserConfig = Annotated[
    bool, typer.Option("--user-config", help="The user's devices.toml instead of that of this folder.")
]

devices_app = typer.Typer(no_args_is_help=True, help="Devices: list, show, add, remove, examine them.")


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.add_typer(devices_app, name="devices", rich_help_panel="Measure a device")


@devices_app.command("list", epilog="Example: mosegedge devices list")
def list_devices(as_json: JsonFlag = False) -> None:
    """Lists the devices that can be named, and says which tables of a devices.toml cannot be used."""
    from mosegedge.devices.inventory import list_devices, mistakes

    found, wrong = list_devices(), mistakes()
    width = max(len(device.name) for device in found)
    lines = [f"{device.name:<{width}}  {device.description}  [{device.source}]" for device in found]
    result = {
        "devices": [asdict(device) for device in found],
        "mistakes": [{"name": name, "problem": str(error)} for name, error in wrong.items()],
    }
    emit(result, "\n".join(lines), as_json=as_json)
    say_mistakes()


@devices_app.command("show", epilog="Example: mosegedge devices show local --probe")
def show_device(
    name: NameArgument,
    probe: Annotated[bool, typer.Option("--probe", help="Start the agent there and show what it finds.")] = False,
    accept_new_host_key: AcceptNewHostKey = False,
    as_json: JsonFlag = False,
) -> None:
    """Shows how a device is defined and where each field comes from; touches it only with --probe."""
    from mosegedge.devices.agent_client import open_agent
    from mosegedge.devices.inventory import check_device, find_definition

    definition = find_definition(name)
    say_mistakes()
    result, text = _definition_result(definition), _definition_text(definition)
    if probe:
        check_device(definition.device)
        with open_agent(definition.device, accept_new_host_key=accept_new_host_key) as agent:
            found = agent.describe().model_dump()
        result["found"] = found
        lines = [f"{section}: {_flat(value)}" for section, value in found.items() if section != "backend"]
        text = "\n".join([text, *lines])
    else:
        try:
            check_device(definition.device)
        except DeviceError as error:
            result["problem"] = str(error)
            say(str(error))
    emit(result, text, as_json=as_json)


@devices_app.command(
    "add", epilog="Example: mosegedge devices add box --template rtx --address box.lan --user me --set precision=fp32"
)
def add_device(
    name: Annotated[str, typer.Argument(help="Name of the new device, or of a template that it changes.")],
    template: Annotated[
        str, typer.Option(help="Device that it starts from: mosegedge devices list.", autocompletion=device_names)
    ] = "",
    address: Annotated[str, typer.Option(help="Host name, address, or alias in ~/.ssh/config.")] = "",
    user: Annotated[str, typer.Option(help="Login name there.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="SSH port; 0 for the usual one.")] = 0,
    identity: Annotated[str, typer.Option(help="Private key file.")] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other field, or a setting of its backend; repeatable."),
    ] = None,
    user_config: UserConfig = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the one of that name.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Writes a device into devices.toml; comments and order of the rest of the file stay."""
    from mosegedge.devices.inventory_edit import add_device

    named = {
        "template": template,
        "address": address,
        "user": user,
        "port": str(port) if port else "",
        "identity": identity,
    }
    values = {field: value for field, value in named.items() if value}
    for field, value in map(_assignment, settings or []):
        if field in values:
            raise UsageError(f"{field} is given twice.", fix="Leave one of them out.")
        values[field] = value
    definition = add_device(name, values, user_config=user_config, replace=replace)
    result = _definition_result(definition)
    emit(result, f"{definition.device.source} [{name}]\n{_definition_text(definition)}", as_json=as_json)
    say(f"Next: mosegedge devices doctor {name}")


@devices_app.command("remove", epilog="Example: mosegedge devices remove box")
def remove_device(name: NameArgument, user_config: UserConfig = False, as_json: JsonFlag = False) -> None:
    """Takes a device out of devices.toml, with its settings; everything else in the file stays."""
    from mosegedge.devices.inventory_edit import remove_device

    path = str(remove_device(name, user_config=user_config))
    emit({"removed": name, "file": path}, f"Removed [{name}] from {path}.", as_json=as_json)


@devices_app.command("doctor", epilog="Example: mosegedge devices doctor local")
def doctor(name: NameArgument, accept_new_host_key: AcceptNewHostKey = False, as_json: JsonFlag = False) -> None:
    """Examines a device from its address to its clocks; every failed check comes with what to do.

    Ends with 0 when all is well or there are only warnings, with 3 when a check failed. Changes nothing there, but for
    the agent's own file.
    """
    from mosegedge.devices.doctor.diagnosis import diagnose
    from mosegedge.devices.inventory import find_definition

    device = find_definition(name).device
    say_mistakes()
    with progress() as bar:
        diagnosis = diagnose(device, accept_new_host_key=accept_new_host_key, progress=bar)
    result = {
        "device": name,
        "status": diagnosis.status,
        "checks": [asdict(check) for check in diagnosis.checks],
    }
    emit(result, _diagnosis_text(diagnosis), as_json=as_json)
    if diagnosis.status == "failed":
        raise typer.Exit(DeviceError.exit_code)


@devices_app.command("conformance", epilog="Example: mosegedge devices conformance local")
def conformance(name: NameArgument, accept_new_host_key: AcceptNewHostKey = False, as_json: JsonFlag = False) -> None:
    """Checks that a device's backend keeps to the protocol: for those who write one. Builds and runs small models.

    Ends with 0 when it does, with 3 when a check failed.
    """
    from mosegedge.devices.conformance import check_conformance

    device = open_device(name)
    with progress() as bar:
        report = check_conformance(device, progress=bar, accept_new_host_key=accept_new_host_key)
    rows = [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in report.checks]
    width = max((len(check.name) for check in report.checks), default=0)
    lines = [
        f"{'passed' if check.passed else 'FAILED'}  {check.name:<{width}}  {check.detail}".rstrip()
        for check in report.checks
    ]
    passed = sum(check.passed for check in report.checks)
    lines.append(f"{name}: {passed} of {len(report.checks)} checks passed")
    emit({"device": name, "passed": report.passed, "checks": rows}, "\n".join(lines), as_json=as_json)
    if not report.passed:
        raise typer.Exit(DeviceError.exit_code)


def _assignment(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise UsageError(f"--set {text} cannot be read.", fix="Write it as --set NAME=VALUE.")
    return name.strip(), value.strip()


def _definition_result(definition: Definition) -> dict[str, Any]:
    return {"device": asdict(definition.device), "origins": dict(definition.origins)}


def _definition_text(definition: Definition) -> str:
    """One line a field with its origin; empty fields that nobody wrote are left out."""
    from mosegedge.devices.backends import backends

    values = {name: value for name, value in asdict(definition.device).items() if name not in ("settings", "source")}
    backend = backends().get(definition.device.backend)
    defaults = {setting.name: setting.default for setting in backend.settings} if backend else {}
    values |= {f"settings.{name}": value for name, value in {**defaults, **definition.device.settings}.items()}
    origins = {"name": "", **definition.origins}
    rows = [(name, str(value)) for name, value in values.items() if value not in ("", 0) or name in origins]
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        f"{name:<{width}}  {value}" + (f"  [{origin}]" if (origin := origins.get(name, "default")) else "")
        for name, value in rows
    )


def _diagnosis_text(diagnosis: Diagnosis) -> str:
    """A row a check, the fix below it; what was skipped for one reason is one row."""
    width = max(len(check.name) for check in diagnosis.checks)
    rows = []
    for (status, found), group in groupby(diagnosis.checks, key=lambda check: (check.status, check.found)):
        checks = list(group)
        if status == "skipped" and len(checks) > 1:
            rows.append(f"{status:<7}  {', '.join(check.name for check in checks)}: {found}")
            continue
        for check in checks:
            rows.append(f"{status:<7}  {check.name:<{width}}  {found}".rstrip())
            if check.fix:
                rows.append(" " * (width + 11) + "fix: " + check.fix.replace("\n", "\n" + " " * (width + 16)))
    counts = Counter(check.status for check in diagnosis.checks)
    counted = [f"{counts[status]} {status}" for status in ("ok", "warning", "failed", "skipped") if counts[status]]
    return "\n".join([*rows, f"{diagnosis.device}: {', '.join(counted)}"])


def _flat(value: Any) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
