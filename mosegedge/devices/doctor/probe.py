"""A small program for a device's interpreter: it answers even where that is too old for the agent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mosegedge.devices.connection import Connection, Process, connect
from mosegedge.devices.doctor.checks import Check, Status, failure, line_to_write
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError

_MARK = "mosegedge-probe "
_ANSWER_S = 30.0
_SHARED_LIBRARY = "libpython"
_OLDEST = (3, 7)
# The agent's cache grows to 4 GiB; a compiler wants about as much room as the largest network.
_LITTLE_DISK_MIB, _NO_DISK_MIB = 4096, 256
_LITTLE_MEMORY_MIB, _NO_MEMORY_MIB = 1024, 256

# Python 2 can read it too. An environment script may have printed something before: hence the mark.
_PROGRAM = f"""
import json, os, sys
place = os.path.abspath(sys.argv[1])
while not os.path.exists(place) and os.path.dirname(place) != place:
    place = os.path.dirname(place)
disk = os.statvfs(place)
found = {{"version": list(sys.version_info[:3]), "executable": sys.executable, "memory_mib": None}}
found["disk_mib"] = disk.f_bavail * disk.f_frsize // 1048576
found["writable"] = os.access(place, os.W_OK)
found["scripts"] = [path for path in sys.argv[2:] if os.path.isfile(os.path.expanduser(path))]
try:
    for line in open("/proc/meminfo").read().splitlines():
        if line.startswith("MemAvailable:"):
            found["memory_mib"] = int(line.split()[1]) // 1024
except (IOError, OSError):
    pass
print("{_MARK}" + json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class _Probed:
    """What the program said."""

    version: tuple[int, ...]
    executable: str
    disk_mib: int
    writable: bool
    memory_mib: int | None
    scripts: tuple[str, ...]


def probe_checks(device: Device, connection: Connection) -> Iterator[Check]:
    """Environment script, interpreter, disk and memory; ends where the interpreter cannot be used."""
    scripts = [part.strip() for part in device.environment.split(",") if part.strip()]
    try:
        probed = _ask(connection, scripts)
    except DeviceError as error:
        if scripts and _starts_without_environment(device):
            yield failure("environment", error, fix=line_to_write(device, 'environment = "/path/to/set_env.sh"'))
        elif _SHARED_LIBRARY in str(error):
            yield failure("interpreter", error, fix=_library_fix(device))
        else:
            yield failure("interpreter", error, fix=line_to_write(device, 'interpreter = "/path/to/python3"'))
        return
    if scripts:
        yield _environment(device, scripts, probed, connection.notes)
    interpreter = _interpreter(device, probed)
    yield interpreter
    if interpreter.status != "failed":
        yield _disk(device, connection.cache, probed)
        yield _memory(probed)


def _starts_without_environment(device: Device) -> bool:
    """Whether it is the environment script that keeps a program from starting."""
    try:
        with connect(replace(device, environment="")) as connection:
            _ask(connection, [])
    except DeviceError:
        return False
    return True


def _library_fix(device: Device) -> str:
    """A Python that was built with --enable-shared needs the folder of its library."""
    script = line_to_write(device, 'environment = "/path/to/script"')
    return f"{script} The script reads the vendor's own and adds the folder of libpython to LD_LIBRARY_PATH."


def _ask(connection: Connection, scripts: list[str]) -> _Probed:
    process = connection.run(["-c", _PROGRAM, connection.cache, *scripts])
    output, errors = _communicate(process)
    answers = [line for line in output.splitlines() if line.startswith(_MARK)]
    if not answers:
        last = " | ".join((errors or output).splitlines()[-3:])
        raise DeviceError(f"The interpreter ended with status {process.poll()}.", known=f"It said: {last or 'nothing'}")
    try:
        answer = json.loads(answers[-1].removeprefix(_MARK))
    except ValueError as error:
        raise DeviceError(f"The answer of the interpreter arrived damaged: {answers[-1][:200]!r}.") from error
    return _Probed(
        version=tuple(answer["version"]),
        executable=answer["executable"],
        disk_mib=answer["disk_mib"],
        writable=answer["writable"],
        memory_mib=answer["memory_mib"],
        scripts=tuple(answer["scripts"]),
    )


def _communicate(process: Process) -> tuple[str, str]:
    """Both streams of a program that says little, after its end."""
    try:
        with contextlib.suppress(OSError, ValueError):
            process.stdin.close()
        try:
            process.wait(_ANSWER_S)
        except TimeoutError as error:
            process.kill()
            raise DeviceError(f"The interpreter gave no answer in {_ANSWER_S:.0f} s and was stopped.") from error
        return process.stdout.read().decode(errors="replace"), process.stderr.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        raise DeviceError(f"The interpreter's answer was lost: {error}.") from error
    finally:
        for stream in (process.stdout, process.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()


def _environment(device: Device, scripts: list[str], probed: _Probed, notes: list[str]) -> Check:
    if not probed.scripts:
        other = line_to_write(device, 'environment = "/path/to/set_env.sh"')
        found = f"None of these is there: {', '.join(scripts)}."
        return Check("environment", "failed", found, f"Install the vendor's software. Where it is elsewhere: {other}")
    failed = [note for note in notes if "environment script" in note]
    if failed:
        return Check("environment", "warning", failed[-1], f"Read it by hand there: . {probed.scripts[0]}")
    return Check("environment", "ok", probed.scripts[0])


def _interpreter(device: Device, probed: _Probed) -> Check:
    found = f"Python {'.'.join(map(str, probed.version))}, {probed.executable}"
    if probed.version < _OLDEST:
        other = line_to_write(device, 'interpreter = "/path/to/python3"')
        return Check("interpreter", "failed", f"{found}; the agent needs 3.7 or newer.", f"Install one. {other}")
    return Check("interpreter", "ok", found)


def _disk(device: Device, cache: str, probed: _Probed) -> Check:
    found = f"{probed.disk_mib} MiB free for {cache}"
    other = line_to_write(device, 'cache = "/another/folder"')
    if not probed.writable:
        return Check("disk", "failed", f"{cache} cannot be written by this user.", other)
    if probed.disk_mib < _LITTLE_DISK_MIB:
        status: Status = "failed" if probed.disk_mib < _NO_DISK_MIB else "warning"
        return Check("disk", status, f"{found}; models take up to {_LITTLE_DISK_MIB} MiB.", f"Free some, or: {other}")
    return Check("disk", "ok", found)


def _memory(probed: _Probed) -> Check:
    if probed.memory_mib is None:
        return Check("memory", "skipped", "The system does not tell.")
    found = f"{probed.memory_mib} MiB available"
    if probed.memory_mib < _LITTLE_MEMORY_MIB:
        status: Status = "failed" if probed.memory_mib < _NO_MEMORY_MIB else "warning"
        return Check("memory", status, found, "End other programs there; compilers need memory too.")
    return Check("memory", "ok", found)
