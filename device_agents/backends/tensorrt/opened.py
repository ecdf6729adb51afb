"""Which way to TensorRT is taken on this device, decided once and told in `describe`."""

from typing import Any, Dict, List, Union

from device_agents.backends.tensorrt.probe import Probe, probe
from device_agents.backends.tensorrt.route import PythonRoute
from device_agents.backends.tensorrt.trtexec import Trtexec, find_trtexec
from device_agents.backends.tensorrt.trtexec_route import TrtexecRoute
from device_agents.options import Options
from device_agents.protocol import BACKEND_FAILED, RpcError
from device_agents.sensors import nvidia

Route = Union[PythonRoute, TrtexecRoute]
_IDENTITY = ("name", "compute_capability", "pci_bus_id")


def try_out(options: Options) -> Probe:
    """Lets a child process try CUDA, and the vendor's module unless only the command is wanted."""
    always = options.settings.get("trtexec") == "always"
    return probe("" if always else options.settings.get("module") or "tensorrt")


class Opened:
    """A route, and why it was taken.

    Args:
        options: Of this conversation.
        tried: What `try_out` returned.

    Attributes:
        tried: The same.
        route: The Python module, or the command.
        notes: What a reader of `describe` should know about the choice.
        hardware: What the driver says about the GPU.
    """

    def __init__(self, options: Options, tried: Probe) -> None:
        self.notes: List[str] = []
        self.tried = tried
        self.hardware = nvidia.hardware(str(tried.gpu.get("pci_bus_id", "")))
        self.route = self._choose(options, options.settings.get("trtexec") or "auto", tried)

    def describe(self) -> Dict[str, Any]:
        """What the backend is on this device."""
        described = self.route.describe()
        gpu = self.route.gpu
        # What an administrator may switch at any time does not say which device it is.
        known = {name: value for name, value in self.hardware.items() if name not in ("source", "persistence_mode")}
        if "driver" in known:
            described["runtime"]["driver"] = known.pop("driver")
        described["accelerator"] = "%s (compute capability %s)" % (
            gpu["name"],
            gpu.get("compute_capability", "unknown"),
        )
        described["gpu"] = dict(known, **{name: gpu[name] for name in _IDENTITY if name in gpu})
        described["notes"] = self.notes
        return described

    def conditions(self) -> Dict[str, Any]:
        """What the GPU is doing."""
        pci_bus_id = str(self.route.gpu.get("pci_bus_id", ""))
        found = dict(nvidia.conditions(pci_bus_id), **self.route.conditions())
        others = nvidia.processes(pci_bus_id)
        if others is not None:
            found["other_processes"] = others
        return found

    def _choose(self, options: Options, wanted: str, tried: Probe) -> Route:
        if wanted == "always":
            command = find_trtexec()
            if command is None:
                raise RpcError(BACKEND_FAILED, 'There is no trtexec here; set trtexec = "auto", or add it to the PATH.')
            return self._by_command(command, tried, 'trtexec is used because trtexec = "always" is set')
        if not tried.problem:
            return PythonRoute(options, tried.gpu)
        # Only a missing module is replaced by the command: a GPU that fails would fail there too.
        command = None if tried.importable or wanted == "never" else find_trtexec()
        if command is None:
            raise RpcError(BACKEND_FAILED, tried.problem)
        module = options.settings.get("module") or "tensorrt"
        return self._by_command(command, tried, "trtexec is used: this interpreter cannot import %s" % module)

    def _by_command(self, command: str, tried: Probe, note: str) -> TrtexecRoute:
        gpu = dict(tried.gpu)
        for name in ("name", "compute_capability", "driver"):
            if name not in gpu and name in self.hardware:
                gpu[name] = self.hardware[name]
        if not gpu.get("name"):
            text = "No GPU is found, so trtexec was not started. %s"
            raise RpcError(BACKEND_FAILED, text % (tried.problem or "Install the NVIDIA driver."))
        self.notes.append(note)
        return TrtexecRoute(Trtexec(command), gpu)
