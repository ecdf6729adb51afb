"""Stand-in for cuda-python: `cuda.bindings.runtime` 13 and `cuda.cudart` 12, tuples with the error first.

Knows STANDIN_FAIL = memory, capture. As in the real module, enumerations are wanted where they are documented.
"""

import ctypes
import enum

import standin_gpu
from standin_gpu import GPU


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorStreamCaptureInvalidated = 901


class cudaMemcpyKind(enum.IntEnum):
    cudaMemcpyHostToHost = 0
    cudaMemcpyHostToDevice = 1
    cudaMemcpyDeviceToHost = 2
    cudaMemcpyDeviceToDevice = 3


class cudaStreamCaptureMode(enum.IntEnum):
    cudaStreamCaptureModeGlobal = 0
    cudaStreamCaptureModeThreadLocal = 1
    cudaStreamCaptureModeRelaxed = 2


class cudaDeviceAttr(enum.IntEnum):
    cudaDevAttrComputeCapabilityMajor = 75
    cudaDevAttrComputeCapabilityMinor = 76


class Handle:
    """An object of the binding; `int` works on it as far as the version allows."""

    def __init__(self, version):
        self.value = GPU.handle()
        self.version = version
        self.at_ns = None
        self.entries = None

    def __int__(self):
        if self.version >= 13:
            raise DeprecationWarning("int(obj) is deprecated, use cuda.bindings.utils.get_cuda_native_handle(obj)")
        return self.value


class _Properties:
    name = standin_gpu.NAME.encode() + b"\0" * 16


OK = cudaError_t.cudaSuccess
INVALID = cudaError_t.cudaErrorInvalidValue


def _need(kind, value):
    if not isinstance(value, kind):
        raise TypeError(f"Argument has incorrect type (expected {kind.__name__}, got {type(value).__name__})")


def namespace(version):
    """The functions of one version, 12 or 13."""

    def cudaGetDeviceCount():
        standin_gpu.noise("libcuda: looking for devices")
        if standin_gpu.state() == "crash":
            standin_gpu.crash()
        if standin_gpu.state() == "none":
            return cudaError_t.cudaErrorInsufficientDriver, None
        return (cudaError_t.cudaErrorNoDevice, None) if standin_gpu.state() == "empty" else (OK, 1)

    def cudaSetDevice(device):
        return (OK if device == 0 else INVALID,)

    def cudaRuntimeGetVersion():
        return OK, version * 1000 + 60

    def cudaDriverGetVersion():
        return OK, version * 1000 + 80

    def cudaDeviceGetAttribute(attr, device):
        _need(cudaDeviceAttr, attr)
        return OK, 8 if attr == cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor else 6

    def cudaGetDeviceProperties(device):
        return OK, _Properties()

    def cudaDeviceGetPCIBusId(length, device):
        return OK, standin_gpu.PCI_BUS_ID.encode() + b"\0" * (length - len(standin_gpu.PCI_BUS_ID))

    def cudaMemGetInfo():
        return OK, 20 * 2**30, 24 * 2**30

    def cudaMalloc(size):
        if standin_gpu.fails("memory"):
            return cudaError_t.cudaErrorMemoryAllocation, None
        return OK, GPU.allocate(size)

    def cudaFree(pointer):
        GPU.pending = None
        return (OK if GPU.memory.pop(pointer, None) else INVALID,)

    def cudaMemcpyAsync(dst, src, count, kind, stream):
        _need(cudaMemcpyKind, kind)
        _need(Handle, stream)
        GPU.settle()
        ctypes.memmove(dst, src, count)
        return (OK,)

    def cudaStreamCreateWithFlags(flags):
        return OK, Handle(version)

    def cudaStreamSynchronize(stream):
        return (INVALID if stream.value in GPU.capturing else OK,)

    def cudaStreamDestroy(stream):
        return (OK,)

    def cudaEventCreateWithFlags(flags):
        return OK, Handle(version)

    def cudaEventRecord(event, stream):
        event.at_ns = GPU.now_ns
        return (OK,)

    def cudaEventSynchronize(event):
        return (INVALID if event.at_ns is None else OK,)

    def cudaEventElapsedTime(start, end):
        return OK, ctypes.c_float((end.at_ns - start.at_ns) / 1e6).value

    def cudaEventDestroy(event):
        return (OK,)

    def cudaStreamBeginCapture(stream, mode):
        _need(cudaStreamCaptureMode, mode)
        GPU.capturing[stream.value] = []
        return (OK,)

    def cudaStreamEndCapture(stream):
        entries = GPU.capturing.pop(stream.value)
        if standin_gpu.fails("capture"):
            return cudaError_t.cudaErrorStreamCaptureInvalidated, None
        graph = Handle(version)
        graph.entries = entries
        return OK, graph

    def cudaGraphInstantiate(graph, flags):
        executable = Handle(version)
        executable.entries = graph.entries
        return OK, executable

    def cudaGraphLaunch(graphExec, stream):
        GPU.perform(graphExec.entries)
        return (OK,)

    def cudaGraphExecDestroy(graphExec):
        return (OK,)

    def cudaGraphDestroy(graph):
        return (OK,)

    def cudaGetErrorName(error):
        return OK, cudaError_t(error).name.encode()

    found = dict(locals())
    found.pop("version")
    kinds = (cudaError_t, cudaMemcpyKind, cudaStreamCaptureMode, cudaDeviceAttr)
    return {**found, **{kind.__name__: kind for kind in kinds}}
