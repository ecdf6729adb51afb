"""Compilers that run on the host for a device that has none, or is too slow for its own.

Follows the documented interface of ATC, with the same driver as on the board.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from mosegedge.devices.backends import build_timeout_s, get_backend
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError, ModelRefusedError
from mosegedge.files import sha256_of_bytes

_ATC_S = 840.0
_PROBE_S = 60.0
_LAST_CHARACTERS = 200
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")
# The vendor's scripts look at their own arguments, so they are read inside a function, which has none. A host without
# an NPU has no driver: its libraries have stand-ins in the toolkit's devlib, which come last so that real ones win.
_WITH_ENVIRONMENT = """
script=$1; shift
read_script() { . "$script"; }
read_script
devlib="${ASCEND_TOOLKIT_HOME:-}/$(uname -m)-linux/devlib"
if [ -d "$devlib" ]; then export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$devlib"; fi
exec "$@"
"""


def prepare(device: Device, onnx: bytes) -> tuple[bytes, str, tuple[str, ...]]:
    """What is sent to a device: the ONNX file, or what a compiler on this machine makes of it.

    Args:
        device: Its settings say where its models are compiled.
        onnx: The model.

    Returns:
        The content, its format for `AgentClient.send` and `load`, and what the compiler had to say.

    Raises:
        DeviceError: The compiler is missing or failed.
    """
    settings = get_backend(device.backend).checked_settings(device.settings, device.source)
    if settings.get("atc") != "host":
        return onnx, "onnx", ()
    content, notes = compile_om(
        onnx,
        soc_version=settings["soc_version"],
        precision=device.precision,
        environment=settings["atc_environment"],
        cache=host_cache(),
        timeout_s=build_timeout_s(settings, device.source) or _ATC_S,
    )
    return content, "om", notes


def check_compiler(device: Device) -> str:
    """Names the compiler on this machine that a device needs; empty where its models are compiled elsewhere.

    Raises:
        DeviceError: It is missing, or does not start.
    """
    from device_agents.backends.ascend.atc import Atc, is_missing
    from device_agents.runner import run_program

    settings = get_backend(device.backend).checked_settings(device.settings, device.source)
    if settings.get("atc") != "host":
        return ""
    prefix = _prefix(settings["atc_environment"])
    finished = Atc(run_program, prefix, _PROBE_S).starts()
    if is_missing(finished) or finished.timed_out or finished.status != 0:
        said = (finished.output.strip().splitlines() or ["nothing"])[-1]
        raise DeviceError(
            f"ATC on this machine does not start (status {finished.status}).",
            known=f"It said: {said}",
            fix="Set atc_environment to the set_env.sh of a CANN toolkit, or set atc = board.",
        )
    return f"ATC on this machine, CANN {_cann(prefix) or 'of an unknown version'}"


def probe(device: Device) -> str | None:
    """One line about the compiler on this machine, for the doctor; None for a device that needs none here.

    Raises:
        DeviceError: There is none, or it does not start.
    """
    from device_agents.backends.ascend.atc import Atc, is_missing
    from device_agents.runner import run_program

    settings = get_backend(device.backend).checked_settings(device.settings, device.source)
    if settings.get("atc") != "host":
        return None
    prefix = _prefix(settings["atc_environment"])
    finished = Atc(run_program, prefix).starts()
    if is_missing(finished) or finished.timed_out or finished.status != 0:
        raise DeviceError(
            "atc on this machine does not start.",
            known=f"Status {finished.status}; it said: {finished.output.strip()[-_LAST_CHARACTERS:] or 'nothing'}",
            fix="Check atc_environment of the device and the Python packages of the toolkit.",
        )
    return f"ATC of CANN {_cann(prefix) or 'of an unknown version'} on this machine"


def host_cache() -> Path:
    """Where this machine keeps what it compiled."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mosegedge" / "built-on-host"


def compile_om(
    onnx: bytes, *, soc_version: str, precision: str, environment: str, cache: Path, timeout_s: float = _ATC_S
) -> tuple[bytes, tuple[str, ...]]:
    """The OM of an ONNX file by ATC on this machine, compiled once.

    Args:
        onnx: The model, with static shapes.
        soc_version: The chip, as Ascend310.
        precision: fp16 or fp32.
        environment: The vendor's set_env.sh, or several with commas between them, of which the first that exists
            counts; empty where `atc` is on the path already.
        cache: Folder for what was compiled.
        timeout_s: How long ATC may take.

    Returns:
        The OM and notes.

    Raises:
        DeviceError: ATC is missing or failed; the message has its code as a sentence and the next step.
        ModelRefusedError: The model is to blame for that.
    """
    from device_agents.artefacts import cached_build
    from device_agents.backends.ascend.atc import Atc
    from device_agents.backends.ascend.atc_errors import AtcError
    from device_agents.protocol import BAD_MODEL, RpcError
    from device_agents.runner import run_program

    if not _PLAIN_PATH.fullmatch(str(cache)):
        raise DeviceError(
            f"ATC cannot be given paths below {str(cache)!r}.",
            known="Only letters, digits and _ . / - are documented.",
            fix="Set XDG_CACHE_HOME to another folder.",
        )
    prefix = _prefix(environment)
    cann = _cann(prefix)
    atc = Atc(run_program, prefix, timeout_s)
    parts = {"model": sha256_of_bytes(onnx), "soc_version": soc_version, "precision": precision, "cann": cann}
    cache.mkdir(parents=True, exist_ok=True)

    def compile_to(om_path: str) -> list[str]:
        onnx_path = Path(om_path).with_suffix(".onnx")
        onnx_path.write_bytes(onnx)
        return atc.compile(str(onnx_path), om_path, soc_version, precision)

    try:
        built = cached_build(str(cache), parts, "om", compile_to)
        content = Path(built.path).read_bytes()
    except AtcError as error:
        fix = f"{error.fix} Or let the board compile: atc = board." if error.elsewhere else error.fix
        kind = ModelRefusedError if error.code == BAD_MODEL else DeviceError
        raise kind(f"On this machine: {error.what}", known=error.known, fix=fix) from error
    except RpcError as error:
        kind = ModelRefusedError if error.code == BAD_MODEL else DeviceError
        raise kind(f"On this machine: {error.message}") from error
    except OSError as error:
        raise DeviceError(f"The OM cannot be kept in {cache}: {error.strerror}.", fix="Free some space.") from error
    note = f"compiled on the host by CANN {cann or 'of an unknown version'}; the board's must not be older"
    return content, (*built.notes, note)


def _prefix(environment: str) -> tuple[str, ...]:
    """What stands before `atc`: a shell that reads the vendor's script first, or nothing."""
    candidates = [Path(part.strip()).expanduser() for part in environment.split(",") if part.strip()]
    if not candidates:
        if shutil.which("atc") is None:
            raise DeviceError(
                "There is no atc on this machine's path.",
                known="The device is set to atc = host.",
                fix="Install the CANN toolkit and set atc_environment to its set_env.sh, or set atc = board.",
            )
        return ()
    script = next((path for path in candidates if path.is_file()), None)
    if script is None:
        raise DeviceError(
            f"There is no {' and no '.join(str(path) for path in candidates)} on this machine.",
            known="It is the device's atc_environment.",
            fix="Correct it in devices.toml; an installation by a user has ~/Ascend/ascend-toolkit/set_env.sh.",
        )
    # The vendor writes its scripts for bash.
    shell = shutil.which("bash") or "sh"
    return (shell, "-c", _WITH_ENVIRONMENT, "mosegedge", str(script.absolute()))


def _cann(prefix: tuple[str, ...]) -> str:
    """Version of the toolkit that the script points to, empty where nothing says so."""
    from device_agents.backends.ascend import versions
    from device_agents.runner import run_program

    if not prefix:
        return versions.cann(os.environ).version
    finished = run_program([*prefix, "env"], tempfile.gettempdir(), None, _PROBE_S)
    pairs = (line.split("=", 1) for line in finished.output.splitlines() if "=" in line)
    found = {name: value for name, value in pairs if name in versions.HOMES}
    return versions.cann(found).version
