"""What can be wrong with a GPU box, for the doctor: each finding with what to do about it."""

import contextlib
from typing import Any, Dict, List, Optional, Tuple

from device_agents.backends.tensorrt.probe import Probe
from device_agents.backends.tensorrt.trtexec import Trtexec, find_trtexec
from device_agents.options import Options
from device_agents.protocol import RpcError
from device_agents.sensors import jetson, nvidia

_LITTLE_MEMORY_MIB = 1024


def findings(options: Options, tried: Probe, memory: Tuple[int, ...]) -> List[Dict[str, str]]:
    """All checks.

    Args:
        options: Of this conversation.
        tried: What a child process found.
        memory: Used and total MiB of the GPU, where they are known.
    """
    module = options.settings.get("module") or "tensorrt"
    wanted = options.settings.get("trtexec") or "auto"
    pci_bus_id = str(tried.gpu.get("pci_bus_id", ""))
    hardware = nvidia.hardware(pci_bus_id)
    result = [_driver(hardware), _gpu(tried, hardware), _access(tried), _tensorrt(module, wanted, tried)]
    if tried.gpu or hardware:
        result += [_processes(pci_bus_id), _memory(memory)]
        result += _jetson() if jetson.is_jetson() else [_persistence(hardware), _clocks(nvidia.conditions(pci_bus_id))]
    return [finding for finding in result if finding is not None]


def _finding(name: str, status: str, found: str, fix: str = "") -> Dict[str, str]:
    return {"name": name, "status": status, "found": found, "fix": fix}


def _driver(hardware: Dict[str, Any]) -> Dict[str, str]:
    if "driver" in hardware:
        return _finding("driver", "ok", str(hardware["driver"]))
    if jetson.is_jetson():
        return _finding("driver", "ok", "part of the board's system (%s)" % (jetson.board() or "Jetson"))
    fix = "Install the NVIDIA driver; nvidia-smi has to answer. For finer telemetry: pip install nvidia-ml-py."
    return _finding("driver", "failed", "neither NVML nor nvidia-smi answers", fix)


def _gpu(tried: Probe, hardware: Dict[str, Any]) -> Dict[str, str]:
    if tried.gpu:
        shown = "%s, compute capability %s, %s"
        return _finding("gpu", "ok", shown % tuple(tried.gpu[n] for n in ("name", "compute_capability", "pci_bus_id")))
    found = "CUDA sees none: %s" % tried.problem
    if hardware.get("name"):
        found = "the driver sees %s, CUDA does not: %s" % (hardware["name"], tried.problem)
    return _finding(
        "gpu", "failed", found, "Install a driver that fits the CUDA version, or check CUDA_VISIBLE_DEVICES."
    )


def _access(tried: Probe) -> Optional[Dict[str, str]]:
    if not tried.gpu:
        return None
    shown = "%s, CUDA %s, driver takes up to %s"
    return _finding("cuda", "ok", shown % tuple(tried.gpu[name] for name in ("route", "cuda", "cuda_driver")))


def _tensorrt(module: str, wanted: str, tried: Probe) -> Dict[str, str]:
    if tried.version:
        return _finding("tensorrt", "ok", "%s %s" % (module, tried.version))
    command = None if wanted == "never" or (wanted == "auto" and tried.importable and tried.gpu) else find_trtexec()
    if command is not None:
        try:
            with contextlib.closing(Trtexec(command)) as opened:
                shown = "trtexec %s at %s" % (opened.version_text, command)
        except RpcError as error:
            return _finding("tensorrt", "failed", error.message, "Reinstall TensorRT.")
        if wanted == "always":
            return _finding("tensorrt", "ok", shown)
        fix = "Install the Python module %s, so that results can be verified on the board." % module
        return _finding("tensorrt", "warning", "%s; no module %s for this interpreter" % (shown, module), fix)
    fix = "Install TensorRT 8.5 or newer with Python bindings, or set `interpreter` to a Python that has them."
    return _finding("tensorrt", "failed", tried.problem or "no trtexec", fix)


def _processes(pci_bus_id: str) -> Optional[Dict[str, str]]:
    others = nvidia.processes(pci_bus_id)
    if others is None:
        return None
    if not others:
        return _finding("gpu processes", "ok", "no other process computes on the GPU")
    shown = ", ".join(str(pid) for pid in others)
    return _finding("gpu processes", "warning", "process %s computes on the GPU" % shown, "End it before you profile.")


def _memory(memory: Tuple[int, ...]) -> Optional[Dict[str, str]]:
    if not memory:
        return None
    free_mib = memory[1] - memory[0]
    if free_mib >= _LITTLE_MEMORY_MIB:
        return _finding("gpu memory", "ok", "%d MiB free" % free_mib)
    return _finding("gpu memory", "warning", "%d MiB free" % free_mib, "End other programs, or set workspace_mib.")


def _persistence(hardware: Dict[str, Any]) -> Optional[Dict[str, str]]:
    if "persistence_mode" not in hardware:
        return None
    if hardware["persistence_mode"]:
        return _finding("persistence mode", "ok", "on")
    return _finding("persistence mode", "warning", "off: the GPU sleeps between runs", "sudo nvidia-smi -pm 1")


def _clocks(conditions: Dict[str, Any]) -> Optional[Dict[str, str]]:
    clocks = conditions.get("clocks", {})
    if "sm_mhz" not in clocks:
        return None
    shown = "SM clock %d MHz of at most %s MHz" % (clocks["sm_mhz"], clocks.get("sm_max_mhz", "unknown"))
    throttled = conditions.get("throttled", [])
    if throttled:
        fix = "Let it cool, or raise the power limit, and profile again."
        return _finding("gpu clocks", "warning", "%s, lowered by %s" % (shown, ", ".join(throttled)), fix)
    if conditions.get("clocks_set"):
        return _finding("gpu clocks", "ok", "%s, set by the user" % shown)
    fix = "For repeatable times: sudo nvidia-smi -lgc MHZ,MHZ (back: -rgc)."
    return _finding("gpu clocks", "warning", "%s; nothing says that they are locked" % shown, fix)


def _jetson() -> List[Dict[str, str]]:
    mode, locked = jetson.power_mode(), jetson.clocks_locked()
    if not mode:
        power = _finding(
            "power mode", "warning", "nvpmodel -q does not tell it here", "Look yourself: sudo nvpmodel -q"
        )
    elif mode.startswith("MAXN"):
        power = _finding("power mode", "ok", mode)
    else:
        power = _finding("power mode", "warning", mode, "The fastest is MAXN: sudo nvpmodel -m 0, if you deploy in it.")
    if locked:
        return [power, _finding("gpu clocks", "ok", "locked by jetson_clocks")]
    found = "floating" if locked is False else "jetson_clocks --show does not tell, it needs root"
    return [power, _finding("gpu clocks", "warning", found, "For repeatable times: sudo jetson_clocks")]
