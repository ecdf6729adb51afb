"""libcudart through ctypes, with the return convention of cuda-python: a tuple whose first item is the error.

For interpreters that cuda-python has no wheel for, such as Python 3.8 on a Jetson. Follows the documented C interface.
"""
# ruff: noqa: N801, N802, N815, D102
# Every name in it is the vendor's.

import ctypes
from typing import Any, List, Tuple

_NAME_BYTES = 256
_PROPERTIES_BYTES = 16 * 1024  # The structure grows with every release; its first field is the name in all of them.


class cudaMemcpyKind:
    """Direction of a copy."""

    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2


class cudaStreamCaptureMode:
    """Which calls a capture forbids meanwhile."""

    cudaStreamCaptureModeThreadLocal = 1


class cudaDeviceAttr:
    """What can be asked about a device."""

    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


class CudartLibrary:
    """A loaded libcudart.

    Args:
        library: What `ctypes.CDLL` returned.
    """

    cudaMemcpyKind = cudaMemcpyKind
    cudaStreamCaptureMode = cudaStreamCaptureMode
    cudaDeviceAttr = cudaDeviceAttr

    def __init__(self, library: Any) -> None:
        self._library = library

    def cudaGetDeviceCount(self) -> Tuple[int, int]:
        return self._integer("cudaGetDeviceCount")

    def cudaSetDevice(self, device: int) -> Tuple[int]:
        return (self._call("cudaSetDevice", ctypes.c_int(device)),)

    def cudaRuntimeGetVersion(self) -> Tuple[int, int]:
        return self._integer("cudaRuntimeGetVersion")

    def cudaDriverGetVersion(self) -> Tuple[int, int]:
        return self._integer("cudaDriverGetVersion")

    def cudaDeviceGetAttribute(self, attribute: int, device: int) -> Tuple[int, int]:
        return self._integer("cudaDeviceGetAttribute", ctypes.c_int(attribute), ctypes.c_int(device))

    def cudaDeviceGetPCIBusId(self, length: int, device: int) -> Tuple[int, bytes]:
        text = ctypes.create_string_buffer(length)
        error = self._call("cudaDeviceGetPCIBusId", text, ctypes.c_int(length), ctypes.c_int(device))
        return error, text.value

    def cudaGetDeviceProperties(self, device: int) -> Tuple[int, Any]:
        # CUDA 12 keeps the older structure under the plain name; the name of the device is the first field of both.
        content = ctypes.create_string_buffer(_PROPERTIES_BYTES)
        error = self._call("cudaGetDeviceProperties", content, ctypes.c_int(device))
        return error, _Properties(content.raw[:_NAME_BYTES].split(b"\0", 1)[0])

    def cudaMemGetInfo(self) -> Tuple[int, int, int]:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        error = self._call("cudaMemGetInfo", ctypes.byref(free), ctypes.byref(total))
        return error, free.value, total.value

    def cudaMalloc(self, size: int) -> Tuple[int, int]:
        return self._handle("cudaMalloc", ctypes.c_size_t(size))

    def cudaFree(self, pointer: int) -> Tuple[int]:
        return (self._call("cudaFree", ctypes.c_void_p(pointer)),)

    def cudaMemcpyAsync(self, target: int, source: int, count: int, kind: int, stream: int) -> Tuple[int]:
        places = ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(count)
        return (self._call("cudaMemcpyAsync", *places, ctypes.c_int(kind), ctypes.c_void_p(stream)),)

    def cudaStreamCreateWithFlags(self, flags: int) -> Tuple[int, int]:
        return self._handle("cudaStreamCreateWithFlags", ctypes.c_uint(flags))

    def cudaStreamSynchronize(self, stream: int) -> Tuple[int]:
        return (self._call("cudaStreamSynchronize", ctypes.c_void_p(stream)),)

    def cudaStreamDestroy(self, stream: int) -> Tuple[int]:
        return (self._call("cudaStreamDestroy", ctypes.c_void_p(stream)),)

    def cudaEventCreateWithFlags(self, flags: int) -> Tuple[int, int]:
        return self._handle("cudaEventCreateWithFlags", ctypes.c_uint(flags))

    def cudaEventRecord(self, event: int, stream: int) -> Tuple[int]:
        return (self._call("cudaEventRecord", ctypes.c_void_p(event), ctypes.c_void_p(stream)),)

    def cudaEventSynchronize(self, event: int) -> Tuple[int]:
        return (self._call("cudaEventSynchronize", ctypes.c_void_p(event)),)

    def cudaEventElapsedTime(self, start: int, end: int) -> Tuple[int, float]:
        milliseconds = ctypes.c_float()
        events = ctypes.c_void_p(start), ctypes.c_void_p(end)
        return self._call("cudaEventElapsedTime", ctypes.byref(milliseconds), *events), milliseconds.value

    def cudaEventDestroy(self, event: int) -> Tuple[int]:
        return (self._call("cudaEventDestroy", ctypes.c_void_p(event)),)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> Tuple[int]:
        return (self._call("cudaStreamBeginCapture", ctypes.c_void_p(stream), ctypes.c_int(mode)),)

    def cudaStreamEndCapture(self, stream: int) -> Tuple[int, int]:
        graph = ctypes.c_void_p()
        error = self._call("cudaStreamEndCapture", ctypes.c_void_p(stream), ctypes.byref(graph))
        return error, graph.value or 0

    def cudaGraphInstantiate(self, graph: int, flags: int) -> Tuple[int, int]:
        # cudaGraphInstantiate itself has other arguments before CUDA 12; this form exists since 11.4.
        return self._handle("cudaGraphInstantiateWithFlags", ctypes.c_void_p(graph), ctypes.c_ulonglong(flags))

    def cudaGraphLaunch(self, executable: int, stream: int) -> Tuple[int]:
        return (self._call("cudaGraphLaunch", ctypes.c_void_p(executable), ctypes.c_void_p(stream)),)

    def cudaGraphExecDestroy(self, executable: int) -> Tuple[int]:
        return (self._call("cudaGraphExecDestroy", ctypes.c_void_p(executable)),)

    def cudaGraphDestroy(self, graph: int) -> Tuple[int]:
        return (self._call("cudaGraphDestroy", ctypes.c_void_p(graph)),)

    def cudaGetErrorName(self, error: int) -> Tuple[int, bytes]:
        function = self._library.cudaGetErrorName
        function.restype = ctypes.c_char_p
        return 0, function(ctypes.c_int(error)) or b""

    def _call(self, name: str, *arguments: Any) -> int:
        return int(getattr(self._library, name)(*arguments))

    def _integer(self, name: str, *arguments: Any) -> Tuple[int, int]:
        value = ctypes.c_int()
        return self._call(name, ctypes.byref(value), *arguments), value.value

    def _handle(self, name: str, *arguments: Any) -> Tuple[int, int]:
        value = ctypes.c_void_p()
        return self._call(name, ctypes.byref(value), *arguments), value.value or 0


class _Properties:
    def __init__(self, name: bytes) -> None:
        self.name = name


def load(name: str) -> CudartLibrary:
    """Loads a library such as `libcudart.so.12`; raises OSError where it is not."""
    return CudartLibrary(ctypes.CDLL(name))


def search_names() -> List[str]:
    """The libraries that are looked for, newest first."""
    return ["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"]
