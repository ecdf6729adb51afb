"""The ways to CUDA: their order, their errors, and libcudart through ctypes with a library made of callbacks."""

from __future__ import annotations

import ctypes
import importlib
import sys

import pytest
from nvidiabox import STANDINS

from device_agents.backends.tensorrt import cuda, cudart_ctypes
from device_agents.protocol import RpcError


@pytest.fixture
def box(monkeypatch):
    """Makes stand-ins importable in this process; afterwards they are forgotten."""

    def install(*folders):
        for folder in ("common", *folders):
            monkeypatch.syspath_prepend(str(STANDINS / folder))
        importlib.invalidate_caches()

    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("cuda", "pynvml", "standin_gpu", "standin_cudart"):
            del sys.modules[name]


@pytest.mark.parametrize(("folders", "route"), [(["cuda_new"], "cuda.bindings.runtime"), (["cuda_old"], "cuda.cudart")])
def test_the_first_way_that_answers_is_taken(box, folders, route):
    box(*folders)
    opened = cuda.open_cuda()
    assert opened.route == route
    assert opened.facts()["compute_capability"] == "8.6"
    assert opened.facts()["pci_bus_id"] == "0000:65:00.0"
    assert opened.memory_mib() == (4096, 24576)


def test_copies_streams_and_events(box):
    box("cuda_new")
    opened = cuda.open_cuda()
    stream, start, end = opened.stream(), opened.event(), opened.event()
    pointer = opened.allocate(5)
    opened.upload(pointer, b"hello", stream)
    opened.record(start, stream)
    opened.api.GPU = importlib.import_module("standin_gpu").GPU
    opened.api.GPU.now_ns += 1_234_000
    opened.record(end, stream)
    opened.wait_for_event(end)
    assert opened.download(pointer, 5, stream) == b"hello"
    assert opened.elapsed_ns(start, end) == 1_234_000
    assert opened.handle_of(stream) > 0
    opened.free(pointer)
    with pytest.raises(RpcError, match=r"cudaFree failed with CUDA error 1 \(cudaErrorInvalidValue\)"):
        opened.free(pointer)


def test_all_that_was_tried_is_told(monkeypatch):
    def missing(route):
        raise OSError(f"no {route}") if route.startswith("lib") else ImportError(f"no {route}")

    monkeypatch.setattr(cuda, "_load", missing)
    with pytest.raises(RpcError) as failed:
        cuda.open_cuda()
    for route in ("cuda.bindings.runtime", "cuda.cudart", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"):
        assert f"{route}: no {route}" in failed.value.message


class Library:
    """A libcudart made of C callbacks: what it is given went through ctypes both ways."""

    def __init__(self):
        self.memory = {}
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        kinds, work = getattr(type(self), f"_{name}")
        result = ctypes.c_void_p if name == "cudaGetErrorName" else ctypes.c_int
        function = ctypes.CFUNCTYPE(result, *kinds)(lambda *arguments: work(self, *arguments))
        setattr(self, name, function)
        return function

    def _write(self, pointer, kind, value):
        ctypes.cast(pointer, ctypes.POINTER(kind))[0] = value
        return 0

    def _allocate(self, pointer, size):
        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return self._write(pointer, ctypes.c_void_p, ctypes.addressof(buffer))

    def _copy(self, target, source, count, kind, stream):
        self.calls.append((kind, stream))
        ctypes.memmove(target, source, count)
        return 0

    def _bus(self, text, length, device):
        ctypes.memmove(text, b"0000:01:00.0\0", 13)
        return 0

    def _properties(self, target, device):
        ctypes.memmove(target, b"Orin\0", 5)
        return 0

    def _memory_info(self, free, total):
        self._write(free, ctypes.c_size_t, 2 * 2**30)
        return self._write(total, ctypes.c_size_t, 8 * 2**30)

    POINTER, INT, SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    _BIG = 0x7F00_1234_5678

    _cudaGetDeviceCount = ((POINTER,), lambda self, p: self._write(p, ctypes.c_int, 1))
    _cudaSetDevice = ((INT,), lambda self, device: device)
    _cudaRuntimeGetVersion = ((POINTER,), lambda self, p: self._write(p, ctypes.c_int, 11040))
    _cudaDriverGetVersion = ((POINTER,), lambda self, p: self._write(p, ctypes.c_int, 12020))
    _cudaDeviceGetAttribute = ((POINTER, INT, INT), lambda self, p, a, d: self._write(p, ctypes.c_int, a - 67))
    _cudaDeviceGetPCIBusId = ((POINTER, INT, INT), _bus)
    _cudaGetDeviceProperties = ((POINTER, INT), _properties)
    _cudaMemGetInfo = ((POINTER, POINTER), _memory_info)
    _cudaMalloc = ((POINTER, SIZE), _allocate)
    _cudaFree = ((POINTER,), lambda self, p: 0 if self.memory.pop(p, None) is not None else 1)
    _cudaMemcpyAsync = ((POINTER, POINTER, SIZE, INT, POINTER), _copy)
    _cudaStreamCreateWithFlags = (
        (POINTER, ctypes.c_uint),
        lambda self, p, f: self._write(p, ctypes.c_void_p, self._BIG),
    )
    _cudaStreamSynchronize = ((POINTER,), lambda self, s: int(s != self._BIG))
    _cudaStreamDestroy = ((POINTER,), lambda self, s: int(s != self._BIG))
    _cudaEventCreateWithFlags = (
        (POINTER, ctypes.c_uint),
        lambda self, p, f: self._write(p, ctypes.c_void_p, self._BIG),
    )
    _cudaEventRecord = ((POINTER, POINTER), lambda self, e, s: int(e != s))
    _cudaEventSynchronize = ((POINTER,), lambda self, e: int(e != self._BIG))
    _cudaEventElapsedTime = ((POINTER, POINTER, POINTER), lambda self, p, a, b: self._write(p, ctypes.c_float, 1.5))
    _cudaEventDestroy = ((POINTER,), lambda self, e: int(e != self._BIG))
    _cudaStreamBeginCapture = ((POINTER, INT), lambda self, s, mode: int(mode != 1))
    _cudaStreamEndCapture = ((POINTER, POINTER), lambda self, s, p: self._write(p, ctypes.c_void_p, self._BIG))
    _cudaGraphInstantiateWithFlags = (
        (POINTER, POINTER, ctypes.c_ulonglong),
        lambda self, p, g, f: self._write(p, ctypes.c_void_p, g + 1),
    )
    _cudaGraphLaunch = ((POINTER, POINTER), lambda self, g, s: int(g != s + 1))
    _cudaGraphExecDestroy = ((POINTER,), lambda self, g: int(g != self._BIG + 1))
    _cudaGraphDestroy = ((POINTER,), lambda self, g: int(g != self._BIG))
    _NAME = ctypes.create_string_buffer(b"cudaErrorInvalidValue")
    _cudaGetErrorName = ((INT,), lambda self, error: ctypes.addressof(self._NAME))


def test_libcudart_through_ctypes_marshals_every_call(monkeypatch):
    library = Library()
    monkeypatch.setattr(cudart_ctypes.ctypes, "CDLL", lambda name: library)
    opened = cuda.open_cuda("libcudart.so.11.0")
    assert opened.facts() == {
        "name": "Orin",
        "compute_capability": "8.9",
        "pci_bus_id": "0000:01:00.0",
        "cuda": "11.4",
        "cuda_driver": "12.2",
    }
    assert opened.memory_mib() == (6144, 8192)
    stream, start, end = opened.stream(), opened.event(), opened.event()
    assert opened.handle_of(stream) == 0x7F00_1234_5678
    pointer = opened.allocate(6)
    opened.upload(pointer, b"jetson", stream)
    assert opened.download(pointer, 6, stream) == b"jetson"
    assert library.calls == [(1, stream), (2, stream)]
    opened.record(start, stream)
    opened.wait_for_event(end)
    assert opened.elapsed_ns(start, end) == 1_500_000
    opened.begin_capture(stream)
    graph = opened.end_capture(stream)
    executable = opened.instantiate(graph)
    opened.launch(executable, stream)
    opened.free_graph(graph, executable)
    opened.free(pointer)
    opened.free_event(start)
    opened.free_stream(stream)
    with pytest.raises(RpcError, match=r"cudaFree failed with CUDA error 1 \(cudaErrorInvalidValue\)"):
        opened.free(pointer)
