"""Energy of an NVIDIA GPU: its own counter in millijoules (Volta and later), or its power added up.

Follows the documented interface of nvidia-ml-py. How often the counter moves is not documented; it is watched.
"""

import contextlib
from typing import Any, List, Optional

from device_agents.sensors import nvml
from device_agents.sensors.meter import Meter, NotMeasuredError, Sampled

_POWER_PAUSE_S = 0.01


def meters(pci_bus_id: str = "") -> List[Meter]:
    """The counter first.

    Args:
        pci_bus_id: The device as CUDA names it; the first one by default.
    """
    return [_Counter(pci_bus_id), _Power(pci_bus_id)]


class _Library:
    """Keeps the library open from start to stop: opening it takes far longer than a question."""

    def __init__(self, pci_bus_id: str) -> None:
        self._pci_bus_id = pci_bus_id
        self._open = contextlib.ExitStack()
        self._device: Optional[nvml.Gpu] = None

    def open(self) -> None:
        """Finds the GPU."""
        self._device = self._open.enter_context(nvml.opened(self._pci_bus_id))
        if self._device is None:
            raise NotMeasuredError("NVML is not there: pip install nvidia-ml-py, with the driver of an NVIDIA GPU")

    def close(self) -> None:
        """Lets the library go."""
        self._open.close()
        self._device = None

    def ask(self, name: str) -> Optional[float]:
        """A number, None where the device does not tell."""
        return None if self._device is None else _float(self._device.ask(name))


class _Counter(Meter):
    def __init__(self, pci_bus_id: str) -> None:
        self.name = "NVML counter of energy, whole GPU board"
        self._nvml = _Library(pci_bus_id)

    def start(self) -> None:
        self._nvml.open()
        try:
            self.read_mj()
        except NotMeasuredError:
            self.stop()
            raise

    def stop(self) -> None:
        self._nvml.close()

    def read_mj(self) -> float:
        total_mj = self._nvml.ask("nvmlDeviceGetTotalEnergyConsumption")
        if total_mj is None:
            raise NotMeasuredError("NVML does not tell the energy of this GPU (it takes one of Volta or later)")
        return total_mj


class _Power(Sampled):
    def __init__(self, pci_bus_id: str) -> None:
        self._nvml = _Library(pci_bus_id)
        super().__init__("NVML power of the whole GPU board", self._watts, _POWER_PAUSE_S)

    def start(self) -> None:
        self._nvml.open()
        try:
            super().start()
        except NotMeasuredError:
            self._nvml.close()
            raise

    def stop(self) -> None:
        super().stop()
        self._nvml.close()

    def _watts(self) -> Optional[float]:
        milliwatts = self._nvml.ask("nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1e3


def _float(value: Any) -> Optional[float]:
    return None if value is None else float(value)
