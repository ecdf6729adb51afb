"""A loaded engine: buffers on the device, one stream, and either launches or a captured CUDA graph."""

import contextlib
import time
from typing import Any, Dict, List, Optional

from device_agents.backends.tensorrt.cuda import Cuda
from device_agents.backends.tensorrt.launches import Launches
from device_agents.backends.tensorrt.vendor import Vendor
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError
from device_agents.random_inputs import random_content

_ITEM_BYTES = {"float32": 4, "float16": 2, "int8": 1, "uint8": 1, "bool": 1, "int32": 4, "int64": 8}
_MEMBERS = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
    "INT32": "int32",
    "INT64": "int64",
}


class Engine:
    """A model that can be run and timed.

    Args:
        vendor: The vendor's module.
        cuda: The device.
        content: Bytes of the engine.
        use_graph: Whether a run is one launch of a captured graph.
        launches: Where the host's share of each timed run is written down.
    """

    def __init__(self, vendor: Vendor, cuda: Cuda, content: bytes, use_graph: bool, launches: Launches) -> None:
        self.vendor = vendor
        self.cuda = cuda
        self.launches = launches
        self.engine: Any = None
        self.context: Any = None
        self.pointers: Dict[str, int] = {}
        self.events: List[Any] = []
        self.graph: Any = None
        self.stream: Any = None
        try:
            self._load(content)
            self._upload([random_content(tensor["dtype"], _size(tensor)) for tensor in self.inputs])
            self._launch()  # The first run may still allocate, which a capture would forbid.
            self.cuda.wait_for_stream(self.stream)
            if use_graph:
                self._capture()
        except BaseException:
            # After some failures freeing fails too; the first one is what the user has to hear.
            with contextlib.suppress(RpcError):
                self.close()
            raise

    def _load(self, content: bytes) -> None:
        self.vendor.forget_failures()
        self.engine = self.vendor.runtime.deserialize_cuda_engine(content)
        if self.engine is None:
            text = "%s %s cannot load the engine: %s. An engine fits the version and the GPU it was built with only."
            known = (self.vendor.module_name, self.vendor.version, self.vendor.failures().rstrip("."))
            raise RpcError(BAD_MODEL, text % known)
        self.context = self.engine.create_execution_context()
        if self.context is None:
            raise self._failed("has no memory for the engine")
        ports = [self._port(index) for index in range(self.engine.num_io_tensors)]
        self.inputs = [port for is_input, port in ports if is_input]
        self.outputs = [port for is_input, port in ports if not is_input]
        self.stream = self.cuda.stream()
        self.handle = self.cuda.handle_of(self.stream)
        self.events = [self.cuda.event(), self.cuda.event()]
        for tensor in self.inputs + self.outputs:
            self.pointers[tensor["name"]] = self.cuda.allocate(_size(tensor))
        self.bind(self.context)

    def bind(self, context: Any) -> None:
        """Tells an execution context where inputs and outputs are."""
        for name, pointer in self.pointers.items():
            if not context.set_tensor_address(name, pointer):
                raise self._failed("refused the address of the tensor %s" % name)

    def run(self, inputs: Optional[List[bytes]]) -> Any:
        """One run: nanoseconds of the device, or for given inputs the outputs."""
        if inputs is None:
            return self._timed()
        if len(inputs) != len(self.inputs):
            text = "The model has %d inputs, %d were sent."
            raise RpcError(BAD_MODEL, text % (len(self.inputs), len(inputs)))
        for tensor, content in zip(self.inputs, inputs):  # noqa: B905 - Python 3.7
            if len(content) != _size(tensor):
                text = "The input %s has %d bytes, %d were sent."
                raise RpcError(BAD_MODEL, text % (tensor["name"], _size(tensor), len(content)))
        self._upload(inputs)
        self._start()
        self.cuda.wait_for_stream(self.stream)
        return [
            dict(tensor, content=self.cuda.download(self.pointers[tensor["name"]], _size(tensor), self.stream))
            for tensor in self.outputs
        ]

    def _timed(self) -> int:
        before, after = self.events
        self.cuda.record(before, self.stream)
        started = time.perf_counter_ns()
        self._start()
        enqueue_ns = time.perf_counter_ns() - started
        self.cuda.record(after, self.stream)
        self.cuda.wait_for_event(after)
        device_ns = self.cuda.elapsed_ns(before, after)
        self.launches.add(enqueue_ns, device_ns)
        return device_ns

    def _start(self) -> None:
        if self.graph is None:
            self._launch()
        else:
            self.cuda.launch(self.graph[1], self.stream)

    def _launch(self) -> None:
        self.enqueue(self.context)

    def enqueue(self, context: Any) -> None:
        """Starts a run in an execution context of this engine."""
        if not context.execute_async_v3(self.handle):
            raise self._failed("did not start the run")

    def _capture(self) -> None:
        advice = 'Set cuda_graph = "off" under the settings of this device to time plain launches.'
        try:
            self.cuda.begin_capture(self.stream)
            try:
                self._launch()
            except RpcError:
                # The stream must not stay in the middle of a capture; what the end says comes from the same failure.
                with contextlib.suppress(RpcError):
                    self.cuda.end_capture(self.stream)
                raise
            graph = self.cuda.end_capture(self.stream)
            executable = self.cuda.instantiate(graph)
            self.cuda.launch(executable, self.stream)
            self.cuda.wait_for_stream(self.stream)
        except RpcError as error:
            text = "The network could not be captured as a CUDA graph: %s. %s"
            raise RpcError(BACKEND_FAILED, text % (error.message.rstrip("."), advice))
        self.graph = (graph, executable)

    def _upload(self, contents: List[bytes]) -> None:
        for tensor, content in zip(self.inputs, contents):  # noqa: B905 - Python 3.7
            self.cuda.upload(self.pointers[tensor["name"]], content, self.stream)

    def _port(self, index: int) -> Any:
        name = self.engine.get_tensor_name(index)
        shape = [int(side) for side in tuple(self.engine.get_tensor_shape(name))]
        dtype = _dtype(self.vendor.trt, self.engine.get_tensor_dtype(name))
        if dtype is None or any(side < 1 for side in shape):
            text = "The tensor %s has shape %s and type %s; fixed shapes of %s are supported."
            found = (name, shape, self.engine.get_tensor_dtype(name), ", ".join(sorted(_ITEM_BYTES)))
            raise RpcError(BAD_MODEL, text % found)
        is_input = self.engine.get_tensor_mode(name) == self.vendor.trt.TensorIOMode.INPUT
        return is_input, {"name": name, "dtype": dtype, "shape": shape}

    def _failed(self, what: str) -> RpcError:
        text = "TensorRT %s %s: %s." % (self.vendor.version, what, self.vendor.failures().rstrip("."))
        return RpcError(BACKEND_FAILED, text)

    def close(self) -> None:
        """Frees everything, in the order that the vendor asks for."""
        if self.graph is not None:
            self.cuda.free_graph(*self.graph)
            self.graph = None
        self.context = None
        self.engine = None
        for pointer in self.pointers.values():
            self.cuda.free(pointer)
        self.pointers = {}
        for event in self.events:
            self.cuda.free_event(event)
        self.events = []
        if self.stream is not None:
            self.cuda.free_stream(self.stream)
            self.stream = None


def _dtype(trt: Any, found: Any) -> Optional[str]:
    for member, name in _MEMBERS.items():
        if found == getattr(trt.DataType, member, None):
            return name
    return None


def _size(tensor: Dict[str, Any]) -> int:
    size: int = _ITEM_BYTES[tensor["dtype"]]
    for side in tensor["shape"]:
        size *= side
    return size
