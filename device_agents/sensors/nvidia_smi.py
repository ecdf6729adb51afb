"""The command `nvidia-smi`, for boxes without `pynvml`; its text may change between releases, so NVML comes first.

A query with a single unknown field fails as a whole, so fields that came with some release are asked for on their own.
"""

import os
import subprocess
from typing import Any, Dict, List, Optional

_TIMEOUT_S = 20
_ABSENT = ("", "[N/A]", "N/A", "[Not Supported]", "Not Supported", "[Unknown Error]", "[GPU requires reset]")
_STATE = [
    "temperature.gpu",
    "clocks.current.sm",
    "clocks.current.memory",
    "clocks.max.sm",
    "power.draw",
    "power.limit",
    "pstate",
]
_FACTS = ["name", "uuid", "driver_version", "memory.total", "persistence_mode"]
_REASONS = {
    "sw_power_cap": "SwPowerCap",
    "hw_slowdown": "HwSlowdown",
    "sync_boost": "SyncBoost",
    "sw_thermal_slowdown": "SwThermalSlowdown",
    "hw_thermal_slowdown": "HwThermalSlowdown",
    "hw_power_brake_slowdown": "HwPowerBrakeSlowdown",
}
_REASON_GROUPS = ("clocks_event_reasons", "clocks_throttle_reasons")


def conditions(pci_bus_id: str = "") -> Dict[str, Any]:
    """What the GPU is doing; see `nvml.conditions`."""
    state = _query(_STATE, pci_bus_id)
    if not state:
        return {}
    clocks = {
        "sm_mhz": _integer(state.get("clocks.current.sm")),
        "sm_max_mhz": _integer(state.get("clocks.max.sm")),
        "memory_mhz": _integer(state.get("clocks.current.memory")),
    }
    found = {
        "clocks": _known(clocks) or None,
        "temperature_c": _number(state.get("temperature.gpu")),
        "power_w": _number(state.get("power.draw")),
        "power_limit_w": _number(state.get("power.limit")),
        "performance_state": _integer(state.get("pstate", "").lstrip("P")),
        "throttled": _throttled(pci_bus_id),
    }
    return _known(found)


def hardware(pci_bus_id: str = "") -> Dict[str, Any]:
    """What the GPU is, and how it is set up; see `nvml.hardware`."""
    facts = _query(_FACTS, pci_bus_id)
    if not facts:
        return {}
    modes = {"Enabled": True, "Disabled": False}
    found = {
        "name": facts.get("name"),
        "uuid": facts.get("uuid"),
        "compute_capability": (_query(["compute_cap"], pci_bus_id) or {}).get("compute_cap"),
        "driver": facts.get("driver_version"),
        "memory_mib": _integer(facts.get("memory.total")),
        "persistence_mode": modes.get(facts.get("persistence_mode", "")),
    }
    return _known(found)


def processes(pci_bus_id: str = "") -> Optional[List[int]]:
    """Ids of other processes that compute on the GPU; None where that cannot be asked."""
    lines = _lines(["--query-compute-apps=pid"], pci_bus_id)
    if lines is None:
        return None
    return sorted(int(line) for line in lines if line.isdigit() and int(line) != os.getpid())


def _throttled(pci_bus_id: str) -> Optional[List[str]]:
    """Reasons for lowered clocks, by the new name of the group or the old one."""
    for group in _REASON_GROUPS:
        fields = ["%s.%s" % (group, reason) for reason in _REASONS]
        found = _query(fields, pci_bus_id)
        if found:
            active = [field.split(".", 1)[1] for field in fields if found.get(field) == "Active"]
            return [_REASONS[reason] for reason in active]
    return None


def _query(fields: List[str], pci_bus_id: str) -> Optional[Dict[str, str]]:
    """Values by field, without those that the device does not tell; None where the command refuses."""
    lines = _lines(["--query-gpu=%s" % ",".join(fields)], pci_bus_id)
    if not lines:
        return None
    values = [value.strip() for value in lines[0].split(",")]
    if len(values) != len(fields):
        return None
    pairs = zip(fields, values)  # noqa: B905 - Python 3.7
    return {field: value for field, value in pairs if value not in _ABSENT}


def _lines(arguments: List[str], pci_bus_id: str) -> Optional[List[str]]:
    command = ["nvidia-smi"] + arguments + ["--format=csv,noheader,nounits"]
    command += ["--id=%s" % pci_bus_id] if pci_bus_id else []
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
        return None
    if finished.returncode != 0:
        return None
    return [line.strip() for line in finished.stdout.decode("utf-8", "replace").splitlines() if line.strip()]


def _number(text: Optional[str]) -> Optional[float]:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _integer(text: Optional[str]) -> Optional[int]:
    number = _number(text)
    return None if number is None else int(number)


def _known(found: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
