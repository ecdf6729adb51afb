"""CUDA without torch or pycuda: memory, streams, events and graphs of one device.

Three ways to the runtime, tried in this order until one answers: cuda-python by its new name, by its old name, and
libcudart through ctypes. Which one was taken is part of `describe`.
"""

import ctypes
import importlib
from typing import Any, Dict, List, Optional, Tuple

from device_agents.backends.tensorrt import cudart_ctypes
from device_agents.protocol import BACKEND_FAILED, RpcError

_NON_BLOCKING = 1  # cudaStreamNonBlocking
_PCI_BUS_ID_BYTES = 32


class Cuda:
    """The first CUDA device, through one of the three ways.

    Args:
        api: A module of cuda-python, or `CudartLibrary`: functions that return a tuple whose first item is the error.
        route: What `api` is, for `describe`.
    """

    def __init__(self, api: Any, route: str) -> None:
        self.api = api
        self.route = route

    def count(self) -> int:
        """Number of devices."""
        return int(self._ask("cudaGetDeviceCount"))

    def select(self) -> None:
        """Makes the first device the one that everything happens on."""
        self._do("cudaSetDevice", 0)

    def facts(self) -> Dict[str, Any]:
        """Name, compute capability, PCI bus id, versions."""
        kind = self.api.cudaDeviceAttr
        major = self._ask("cudaDeviceGetAttribute", kind.cudaDevAttrComputeCapabilityMajor, 0)
        minor = self._ask("cudaDeviceGetAttribute", kind.cudaDevAttrComputeCapabilityMinor, 0)
        return {
            "name": _text(self._ask("cudaGetDeviceProperties", 0).name),
            "compute_capability": "%d.%d" % (major, minor),
            "pci_bus_id": _text(self._ask("cudaDeviceGetPCIBusId", _PCI_BUS_ID_BYTES, 0)),
            "cuda": _version(self._ask("cudaRuntimeGetVersion")),
            "cuda_driver": _version(self._ask("cudaDriverGetVersion")),
        }

    def memory_mib(self) -> Tuple[int, int]:
        """Used and total memory of the device."""
        free, total = self._call("cudaMemGetInfo")
        return (int(total) - int(free)) // 2**20, int(total) // 2**20

    def allocate(self, size: int) -> int:
        """Device memory; its address."""
        return int(self._ask("cudaMalloc", size))

    def free(self, pointer: int) -> None:
        """Gives memory back."""
        self._do("cudaFree", pointer)

    def upload(self, pointer: int, content: bytes, stream: Any) -> None:
        """Copies to the device and waits."""
        kind = self.api.cudaMemcpyKind.cudaMemcpyHostToDevice
        source = ctypes.create_string_buffer(content, len(content))
        self._do("cudaMemcpyAsync", pointer, ctypes.addressof(source), len(content), kind, stream)
        self.wait_for_stream(stream)

    def download(self, pointer: int, size: int, stream: Any) -> bytes:
        """Copies from the device and waits."""
        kind = self.api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        target = ctypes.create_string_buffer(size)
        self._do("cudaMemcpyAsync", ctypes.addressof(target), pointer, size, kind, stream)
        self.wait_for_stream(stream)
        return target.raw

    def stream(self) -> Any:
        """A stream beside the default one, which TensorRT would have to synchronise."""
        return self._ask("cudaStreamCreateWithFlags", _NON_BLOCKING)

    def handle_of(self, stream: Any) -> int:
        """The number that TensorRT takes for a stream."""
        try:
            native: Any = importlib.import_module("cuda.bindings.utils").get_cuda_native_handle
        except (ImportError, AttributeError):  # Before 13.0 there is none, and int() is the documented way.
            return int(stream)
        return int(stream) if isinstance(stream, int) else int(native(stream))

    def wait_for_stream(self, stream: Any) -> None:
        """Waits until everything on the stream is done."""
        self._do("cudaStreamSynchronize", stream)

    def free_stream(self, stream: Any) -> None:
        """Frees a stream."""
        self._do("cudaStreamDestroy", stream)

    def event(self) -> Any:
        """An event that measures time; waiting for it spins."""
        return self._ask("cudaEventCreateWithFlags", 0)

    def record(self, event: Any, stream: Any) -> None:
        """Puts an event into a stream."""
        self._do("cudaEventRecord", event, stream)

    def wait_for_event(self, event: Any) -> None:
        """Waits until an event has happened."""
        self._do("cudaEventSynchronize", event)

    def elapsed_ns(self, start: Any, end: Any) -> int:
        """Device time between two events."""
        return round(float(self._ask("cudaEventElapsedTime", start, end)) * 1e6)

    def free_event(self, event: Any) -> None:
        """Frees an event."""
        self._do("cudaEventDestroy", event)

    def begin_capture(self, stream: Any) -> None:
        """What comes next on the stream is written down instead of done."""
        self._do("cudaStreamBeginCapture", stream, self.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)

    def end_capture(self, stream: Any) -> Any:
        """The captured graph."""
        return self._ask("cudaStreamEndCapture", stream)

    def instantiate(self, graph: Any) -> Any:
        """A captured graph, ready to be launched."""
        return self._ask("cudaGraphInstantiate", graph, 0)

    def launch(self, executable: Any, stream: Any) -> None:
        """Runs a graph."""
        self._do("cudaGraphLaunch", executable, stream)

    def free_graph(self, graph: Any, executable: Any) -> None:
        """Frees a graph and what was made of it."""
        self._do("cudaGraphExecDestroy", executable)
        self._do("cudaGraphDestroy", graph)

    def _do(self, name: str, *arguments: Any) -> None:
        self._call(name, *arguments)

    def _ask(self, name: str, *arguments: Any) -> Any:
        return self._call(name, *arguments)[0]

    def _call(self, name: str, *arguments: Any) -> Any:
        error, *values = getattr(self.api, name)(*arguments)
        if int(error) != 0:
            shown = _text(self.api.cudaGetErrorName(error)[1])
            raise RpcError(BACKEND_FAILED, "%s failed with CUDA error %d (%s)." % (name, int(error), shown))
        return values


def open_cuda(route: Optional[str] = None) -> Cuda:
    """Finds a way to CUDA that sees at least one device.

    Args:
        route: The only one to try, as `Cuda.route` says it; by default all in order.

    Raises:
        RpcError: None does; the message says what each answered.
    """
    tried: List[str] = []
    for name in [route] if route else route_names():
        try:
            cuda = Cuda(_load(name), name)
            devices = cuda.count()
        except RpcError as error:
            tried.append("%s: %s" % (name, error.message.rstrip(".")))
        except Exception as error:
            # The border of the vendor: besides ImportError and OSError, cuda-python raises RuntimeError while loading.
            tried.append("%s: %s" % (name, error))
        else:
            if devices > 0:
                cuda.select()
                return cuda
            tried.append("%s: no device" % name)
    text = "No CUDA device can be reached. %s. Install the NVIDIA driver, and `pip install cuda-bindings` where needed."
    raise RpcError(BACKEND_FAILED, text % "; ".join(tried))


def route_names() -> List[str]:
    """All ways to CUDA in the order in which they are tried."""
    return ["cuda.bindings.runtime", "cuda.cudart"] + cudart_ctypes.search_names()


def _load(route: str) -> Any:
    return cudart_ctypes.load(route) if route.startswith("libcudart") else importlib.import_module(route)


def _text(value: Any) -> str:
    content = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return content.split("\0", 1)[0]


def _version(number: Any) -> str:
    return "%d.%d" % (int(number) // 1000, int(number) % 1000 // 10)
