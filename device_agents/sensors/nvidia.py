"""An NVIDIA GPU by whichever source there is: NVML, then nvidia-smi, and on a Jetson what they leave open.

Any backend that computes on such a GPU can use it; `source` in the answer names where it comes from.
"""

from typing import Any, Callable, Dict, List, Optional

from device_agents.sensors import jetson, nvidia_smi, nvml, nvml_meters, rails
from device_agents.sensors.meter import Meter


def conditions(pci_bus_id: str = "") -> Dict[str, Any]:
    """Clocks, temperature_c, power_w, energy_mj, throttled: what is known, and nothing else.

    Args:
        pci_bus_id: The device as CUDA names it; the first one by default.
    """
    on_jetson = jetson.conditions if jetson.is_jetson() else None
    return _joined(nvml.conditions(pci_bus_id), lambda: nvidia_smi.conditions(pci_bus_id), on_jetson)


def hardware(pci_bus_id: str = "") -> Dict[str, Any]:
    """Name, uuid, compute_capability, driver, memory_mib, persistence_mode, power_mode: what is known."""
    on_jetson = jetson.hardware if jetson.is_jetson() else None
    return _joined(nvml.hardware(pci_bus_id), lambda: nvidia_smi.hardware(pci_bus_id), on_jetson)


def processes(pci_bus_id: str = "") -> Optional[List[int]]:
    """Ids of other processes that compute on the GPU; None where that cannot be asked."""
    found = nvml.processes(pci_bus_id)
    return nvidia_smi.processes(pci_bus_id) if found is None else found


def meters(pci_bus_id: str = "") -> List[Meter]:
    """What may tell its energy, best first; on a Jetson the whole board's where the GPU has no counter."""
    return nvml_meters.meters(pci_bus_id) + (rails.meters() if jetson.is_jetson() else [])


def _joined(
    by_nvml: Dict[str, Any], by_command: Callable[[], Dict[str, Any]], on_jetson: Optional[Callable[[], Dict[str, Any]]]
) -> Dict[str, Any]:
    found = by_nvml
    sources = ["nvml"] if found else []
    if not found:
        found = by_command()
        sources = ["nvidia-smi"] if found else []
    if on_jetson is not None:
        # Its NVML tells some values only.
        more = {name: value for name, value in on_jetson().items() if name not in found}
        found = dict(found, **more)
        sources += ["jetson"] if more else []
    return dict(found, source=" + ".join(sources)) if sources else {}
