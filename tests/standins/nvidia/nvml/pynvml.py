"""Stand-in for nvidia-ml-py 13 (`pynvml`); STANDIN_NVML: "ok", "old" (bytes, old name of the reasons), "none"."""

import os
import time

import standin_gpu

NVML_CLOCK_GRAPHICS, NVML_CLOCK_SM, NVML_CLOCK_MEM = 0, 1, 2
NVML_TEMPERATURE_GPU = 0


class NVMLError(Exception):
    pass


class NVMLError_LibraryNotFound(NVMLError):
    pass


class NVMLError_NotSupported(NVMLError):
    pass


_open = 0


def _mode():
    return os.environ.get("STANDIN_NVML", "ok")


def _text(value):
    return value.encode() if _mode() == "old" else value


def nvmlInit():
    global _open
    if _mode() == "none":
        raise NVMLError_LibraryNotFound(12)
    _open += 1


def nvmlShutdown():
    global _open
    _open -= 1


def _check(handle):
    assert _open > 0, "nvmlInit was not called"
    assert handle == "handle"


def nvmlSystemGetDriverVersion():
    return _text("560.35.03")


def nvmlDeviceGetHandleByIndex(index):
    return "handle"


def nvmlDeviceGetHandleByPciBusId(bus):
    if _mode() == "old" and not isinstance(bus, bytes):
        raise TypeError("bytes or integer address expected instead of str instance")
    bus = bus.decode() if isinstance(bus, bytes) else bus
    if bus != standin_gpu.PCI_BUS_ID:
        raise NVMLError(6)
    return "handle"


def nvmlDeviceGetName(handle):
    _check(handle)
    return _text(standin_gpu.NAME)


def nvmlDeviceGetUUID(handle):
    return _text("GPU-11111111-2222-3333-4444-555555555555")


def nvmlDeviceGetCudaComputeCapability(handle):
    return (8, 6)


def nvmlDeviceGetClockInfo(handle, kind):
    return {NVML_CLOCK_SM: 1695, NVML_CLOCK_MEM: 9751}[kind]


def nvmlDeviceGetMaxClockInfo(handle, kind):
    return {NVML_CLOCK_SM: 2100, NVML_CLOCK_MEM: 9751}[kind]


def nvmlDeviceGetPowerUsage(handle):
    return 215300


def nvmlDeviceGetEnforcedPowerLimit(handle):
    return 350000


def nvmlDeviceGetTotalEnergyConsumption(handle):
    """STANDIN_ENERGY_W: power of a counter that moves every 5 ms; absent for a GPU that has none."""
    _check(handle)
    if "STANDIN_ENERGY_W" not in os.environ:
        raise NVMLError_NotSupported(3)
    return int(float(os.environ["STANDIN_ENERGY_W"]) * (time.perf_counter_ns() // 5_000_000) * 5)


def nvmlDeviceGetTemperature(handle, sensor):
    return 71


def nvmlDeviceGetPerformanceState(handle):
    return 2


def nvmlDeviceGetMemoryInfo(handle):
    class Memory:
        total, free, used = 24 * 2**30, 20 * 2**30, 4 * 2**30

    return Memory


def nvmlDeviceGetPersistenceMode(handle):
    return int(os.environ.get("STANDIN_PERSISTENCE", "1"))


def nvmlDeviceGetComputeRunningProcesses(handle):
    class Process:
        def __init__(self, pid):
            self.pid = pid

    return [Process(os.getpid()), *(Process(int(pid)) for pid in os.environ.get("STANDIN_PROCESSES", "").split())]


def _reasons(handle):
    return int(os.environ.get("STANDIN_REASONS", "0x1"), 0)


if _mode() == "old":
    nvmlDeviceGetCurrentClocksThrottleReasons = _reasons
else:
    nvmlDeviceGetCurrentClocksEventReasons = _reasons
