"""NVIDIA's management library through `pynvml`: clocks, temperature, power, throttling.

Every function returns an empty answer where the module, the driver or the device is missing, and leaves out what the
device does not tell. Follows the documented interface of nvidia-ml-py.
"""

import contextlib
import importlib
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

_IDLE_BIT, _SET_CLOCKS_BIT = 0x1, 0x2
_REASONS = {
    0x4: "SwPowerCap",
    0x8: "HwSlowdown",
    0x10: "SyncBoost",
    0x20: "SwThermalSlowdown",
    0x40: "HwThermalSlowdown",
    0x80: "HwPowerBrakeSlowdown",
    0x100: "DisplayClockSetting",
    0x200: "BoardLimit",
    0x400: "Reliability",
}


def conditions(pci_bus_id: str = "") -> Dict[str, Any]:
    """What the GPU is doing.

    Args:
        pci_bus_id: The device as CUDA names it, since the two count in different orders; the first one by default.
    """
    with opened(pci_bus_id) as device:
        if device is None:
            return {}
        nvml = device.nvml
        clocks = {
            "sm_mhz": device.ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM),
            "sm_max_mhz": device.ask("nvmlDeviceGetMaxClockInfo", nvml.NVML_CLOCK_SM),
            "memory_mhz": device.ask("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_MEM),
        }
        reasons = device.reasons()
        found = {
            "clocks": _known(clocks) or None,
            "temperature_c": _number(device.ask("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU)),
            "power_w": _number(device.ask("nvmlDeviceGetPowerUsage"), 1000.0),
            "power_limit_w": _number(device.ask("nvmlDeviceGetEnforcedPowerLimit"), 1000.0),
            "energy_mj": device.ask("nvmlDeviceGetTotalEnergyConsumption"),
            "performance_state": device.ask("nvmlDeviceGetPerformanceState"),
            "throttled": None if reasons is None else throttle_names(reasons),
            "clocks_set": None if reasons is None else bool(reasons & _SET_CLOCKS_BIT),
        }
        return _known(found)


def hardware(pci_bus_id: str = "") -> Dict[str, Any]:
    """What the GPU is, and how it is set up."""
    with opened(pci_bus_id) as device:
        if device is None:
            return {}
        capability = device.ask("nvmlDeviceGetCudaComputeCapability")
        memory = device.ask("nvmlDeviceGetMemoryInfo")
        persistence = device.ask("nvmlDeviceGetPersistenceMode")
        found = {
            "name": device.ask("nvmlDeviceGetName"),
            "uuid": device.ask("nvmlDeviceGetUUID"),
            "compute_capability": None if capability is None else "%d.%d" % tuple(capability),
            "driver": device.driver(),
            "memory_mib": None if memory is None else int(memory.total) // 2**20,
            "persistence_mode": None if persistence is None else bool(persistence),
        }
        return _known(found)


def processes(pci_bus_id: str = "") -> Optional[List[int]]:
    """Ids of other processes that compute on the GPU; None where that cannot be asked."""
    with opened(pci_bus_id) as device:
        running = None if device is None else device.ask("nvmlDeviceGetComputeRunningProcesses")
        if running is None:
            return None
        return sorted(int(process.pid) for process in running if int(process.pid) != os.getpid())


def memory_mib(pci_bus_id: str = "") -> Tuple[int, ...]:
    """Used and total memory; empty where that is not known."""
    with opened(pci_bus_id) as device:
        told = None if device is None else device.ask("nvmlDeviceGetMemoryInfo")
        return () if told is None else (int(told.used) // 2**20, int(told.total) // 2**20)


def throttle_names(reasons: int) -> List[str]:
    """Names of the reasons for lowered clocks; being idle and clocks that were set are none."""
    names = [name for bit, name in sorted(_REASONS.items()) if reasons & bit]
    unknown = reasons & ~(sum(_REASONS) | _IDLE_BIT | _SET_CLOCKS_BIT)
    return names + (["Unknown0x%x" % unknown] if unknown else [])


class Gpu:
    """One GPU while the library is open."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self.nvml = nvml
        self._handle = handle

    def ask(self, name: str, *arguments: Any) -> Any:
        """One value, or None where this driver or device does not tell."""
        return _asked(self.nvml, name, self._handle, *arguments)

    def reasons(self) -> Optional[int]:
        """Bits of the reasons for lowered clocks, by the new name of the call or the old one."""
        found = self.ask("nvmlDeviceGetCurrentClocksEventReasons")
        if found is None:
            found = self.ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return None if found is None else int(found)

    def driver(self) -> Any:
        """Version of the driver."""
        return _asked(self.nvml, "nvmlSystemGetDriverVersion")


@contextlib.contextmanager
def opened(pci_bus_id: str) -> Iterator[Optional[Gpu]]:
    """The GPU, or None where the module, the library or the device is missing; the library is open meanwhile."""
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:
        # The border of the vendor: no module, no library, or no driver; each old release raises its own class.
        yield None
        return
    try:
        handle = _handle(nvml, pci_bus_id)
        yield None if handle is None else Gpu(nvml, handle)
    finally:
        _asked(nvml, "nvmlShutdown")


def _handle(nvml: Any, pci_bus_id: str) -> Any:
    if not pci_bus_id:
        return _asked(nvml, "nvmlDeviceGetHandleByIndex", 0)
    found = _asked(nvml, "nvmlDeviceGetHandleByPciBusId", pci_bus_id)
    # Old releases of the module hand the text to C as it is, which needs bytes.
    return _asked(nvml, "nvmlDeviceGetHandleByPciBusId", pci_bus_id.encode("ascii")) if found is None else found


def _asked(nvml: Any, name: str, *arguments: Any) -> Any:
    try:
        value = getattr(nvml, name)(*arguments)
    except Exception:
        # The border of the vendor: not supported by the device, absent from an old module, or refused by the driver.
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _number(value: Any, divisor: float = 1.0) -> Optional[float]:
    return None if value is None else float(value) / divisor


def _known(found: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}
