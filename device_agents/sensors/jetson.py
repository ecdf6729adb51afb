"""Jetson boards: `tegrastats`, `nvpmodel`, `jetson_clocks` and the thermal zones of the kernel.

Their text differs between releases, so it is read word by word and never by position; what is not found is left out.
"""

import contextlib
import os
import re
import subprocess
import threading
from typing import Any, Dict, List, Optional

_RELEASE = "/etc/nv_tegra_release"
_MODEL = "/proc/device-tree/model"
_THERMAL = "/sys/class/thermal"
_TIMEOUT_S = 10
_STATS_INTERVAL_MS = 200

_POWER_MODE = re.compile(r"NV Power Mode: (\w+)")
_TEMPERATURE = re.compile(r"(?<!\S)([A-Za-z][\w\-]*)@(-?\d+(?:\.\d+)?)C(?!\S)")
# Instant and average; older boards leave the unit out, which is mW there too.
_POWER = re.compile(r"(?<!\S)((?:VDD|POM|VIN)\w*) (\d+)(?:mW)?/(\d+)(?:mW)?(?!\S)")
_GPU_CLOCK = re.compile(r"GR3D_FREQ (?:\d+%)?@\[?(\d+)")
_MEMORY_CLOCK = re.compile(r"EMC_FREQ (?:\d+%)?@(\d+)")
_INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0")
_CLOCK_RANGE = re.compile(r"^GPU MinFreq=(\d+) MaxFreq=(\d+)", re.MULTILINE)


def is_jetson() -> bool:
    """Whether this machine is a Jetson."""
    return os.path.exists(_RELEASE) or "jetson" in board().lower()


def board() -> str:
    """What the board calls itself; empty where it does not."""
    with contextlib.suppress(OSError), open(_MODEL, "rb") as stream:
        return stream.read().decode("utf-8", "replace").strip("\0 \n")
    return ""


def conditions() -> Dict[str, Any]:
    """What the board is doing: one line of tegrastats, the power mode, and the thermal zones where that has none."""
    found = read_tegrastats(_first_line(["tegrastats", "--interval", str(_STATS_INTERVAL_MS)]))
    if "temperature_c" not in found:
        hottest = _zone_c()
        if hottest is not None:
            found["temperature_c"] = hottest
    mode = power_mode()
    if mode:
        found["power_mode"] = mode
    return found


def hardware() -> Dict[str, Any]:
    """What the board is."""
    found = {"name": board(), "power_mode": power_mode()}
    return {name: value for name, value in found.items() if value}


def read_tegrastats(line: str) -> Dict[str, Any]:
    """Clocks, temperature and power in one line of tegrastats; empty for an empty line."""
    found: Dict[str, Any] = {}
    gpu, memory = _GPU_CLOCK.search(line), _MEMORY_CLOCK.search(line)
    clocks = {"gpu_mhz": gpu, "memory_mhz": memory}
    known = {name: int(match.group(1)) for name, match in clocks.items() if match}
    if known:
        found["clocks"] = known
    temperatures = {name.lower(): float(value) for name, value in _TEMPERATURE.findall(line)}
    # A sensor of a part that is switched off reads far below zero.
    plausible = {name: value for name, value in temperatures.items() if value > -50}
    if plausible:
        found["temperature_c"] = plausible.get("gpu", max(plausible.values()))
    rails = {name: int(instant) for name, instant, _ in _POWER.findall(line)}
    total = next((rails[name] for name in _INPUT_RAILS if name in rails), None)
    if total is not None:
        found["power_w"] = total / 1000.0
    if rails:
        found["rails_w"] = {name: value / 1000.0 for name, value in sorted(rails.items())}
    return found


def power_mode() -> str:
    """Name of the power mode; empty where it cannot be read, which often needs root."""
    found = _POWER_MODE.search(_output(["nvpmodel", "-q"]))
    return found.group(1) if found else ""


def clocks_locked() -> Optional[bool]:
    """Whether `jetson_clocks` holds the GPU at one clock; None where it cannot be read, which needs root."""
    found = _CLOCK_RANGE.search(_output(["jetson_clocks", "--show"]))
    return found.group(1) == found.group(2) if found else None


def _zone_c() -> Optional[float]:
    """The GPU's thermal zone, or the hottest one."""
    zones: Dict[str, float] = {}
    for name in sorted(os.listdir(_THERMAL)) if os.path.isdir(_THERMAL) else []:
        kind, value = (_read(os.path.join(_THERMAL, name, part)) for part in ("type", "temp"))
        if kind and value.isdigit():
            zones[kind.lower()] = int(value) / 1000.0
    gpu = [value for kind, value in zones.items() if "gpu" in kind]
    return gpu[0] if gpu else max(zones.values()) if zones else None


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path) as stream:
        return stream.read().strip()
    return ""


def _first_line(command: List[str]) -> str:
    """The first line of a program that goes on for ever; empty where it does not start or stays silent."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    watchdog = threading.Timer(_TIMEOUT_S, child.kill)
    watchdog.start()
    try:
        assert child.stdout is not None
        with child.stdout as stream:
            return stream.readline().decode("utf-8", "replace").strip()
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()


def _output(command: List[str]) -> str:
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.decode("utf-8", "replace")
