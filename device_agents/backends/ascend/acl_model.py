"""An OM in the chip's memory: its inputs and outputs, one run, and its time by the chip's own events."""

import contextlib
from typing import Any, Callable, Dict, List, Tuple

from device_agents.backends.ascend.acl_session import ON_DEVICE, Session, released
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError
from device_agents.random_inputs import random_content

# Numbers that pyACL leaves to its user.
_HUGE_FIRST = 0
_HOST_TO_DEVICE, _DEVICE_TO_HOST, _DEVICE_TO_DEVICE = 1, 2, 3
_DTYPES = {
    0: ("float32", 4),
    1: ("float16", 2),
    2: ("int8", 1),
    3: ("int32", 4),
    4: ("uint8", 1),
    6: ("int16", 2),
    7: ("uint16", 2),
    8: ("uint32", 4),
    9: ("int64", 8),
    10: ("uint64", 8),
    11: ("float64", 8),
    12: ("bool", 1),
}
_NUMPY_UINT8 = 2
_GEARS = "ascend_mbatch_shape_data"


class _Port:
    """One input or output: what it is, and where it lies."""

    def __init__(self, name: str, dtype: str, shape: List[int], place: int, buffer_bytes: int, content_bytes: int):
        self.described: Dict[str, Any] = {"name": name, "dtype": dtype, "shape": shape}
        self.place = place
        self.buffer_bytes = buffer_bytes
        self.content_bytes = content_bytes


class Model:
    """A loaded model with random inputs.

    Args:
        session: The open library.
        path: An OM file.

    Attributes:
        path: The file.
        inputs: Name, dtype and shape of each input, as the model's own description has them.
        outputs: The same for outputs.
    """

    def __init__(self, session: Session, path: str) -> None:
        self.path = path
        self._session = session
        self._stack = contextlib.ExitStack()
        acl = session.acl
        try:
            self._id = session.value("acl.mdl.load_from_file", acl.mdl.load_from_file(path))
            self._at_end("acl.mdl.unload", acl.mdl.unload, self._id)
            desc = session.given("acl.mdl.create_desc", acl.mdl.create_desc())
            self._at_end("acl.mdl.destroy_desc", acl.mdl.destroy_desc, desc)
            session.done("acl.mdl.get_desc", acl.mdl.get_desc(desc, self._id))
            self._in_set, self._in = self._ports(_Inputs(acl, desc))
            self._out_set, self._out = self._ports(_Outputs(acl, desc))
            self._start, self._end = self._event(), self._event()
            for port in self._in:
                self._copy_in(port, random_content(port.described["dtype"], port.content_bytes))
        except BaseException:
            self.close()
            raise
        self.inputs = [port.described for port in self._in]
        self.outputs = [port.described for port in self._out]

    def timed(self) -> int:
        """Runs the model once and returns the nanoseconds between two events of the chip around it."""
        session, rt = self._session, self._session.acl.rt
        session.done("acl.rt.record_event", rt.record_event(self._start, session.stream))
        status = session.acl.mdl.execute_async(self._id, self._in_set, self._out_set, session.stream)
        session.done("acl.mdl.execute_async", status)
        session.done("acl.rt.record_event", rt.record_event(self._end, session.stream))
        session.done("acl.rt.synchronize_stream", rt.synchronize_stream(session.stream))
        pair = rt.event_elapsed_time(self._start, self._end)
        return int(session.value("acl.rt.event_elapsed_time", pair) * 1e6)

    def execute(self) -> None:
        """Runs the model once and waits for it."""
        status = self._session.acl.mdl.execute(self._id, self._in_set, self._out_set)
        self._session.done("acl.mdl.execute", status)

    def outputs_of(self, contents: List[bytes]) -> List[Dict[str, Any]]:
        """Outputs for given inputs, each as name, dtype, shape and raw content."""
        if len(contents) != len(self._in):
            raise RpcError(BAD_MODEL, "The model has %d inputs, %d were sent." % (len(self._in), len(contents)))
        for port, content in zip(self._in, contents):  # noqa: B905 - Python 3.7
            if len(content) != port.content_bytes:
                text = "The input %s has %d bytes (%s), %d were sent."
                values = (port.described["name"], port.content_bytes, port.described["dtype"], len(content))
                raise RpcError(BAD_MODEL, text % values)
            self._copy_in(port, content)
        self.execute()
        return [dict(port.described, content=self._copy_out(port)) for port in self._out]

    def close(self) -> None:
        """Gives back buffers, data sets, description and model, in this order."""
        self._stack.close()

    def _at_end(self, call: str, release: Callable[..., Any], *values: Any) -> None:
        self._stack.callback(released, call, release, *values)

    def _event(self) -> Any:
        rt = self._session.acl.rt
        event = self._session.value("acl.rt.create_event", rt.create_event())
        self._at_end("acl.rt.destroy_event", rt.destroy_event, event)
        return event

    def _ports(self, side: Any) -> Tuple[Any, List[_Port]]:
        """A data set with one device buffer for each input or output of the model's description."""
        session, acl = self._session, self._session.acl
        data_set = session.given("acl.mdl.create_dataset", acl.mdl.create_dataset())
        self._at_end("acl.mdl.destroy_dataset", acl.mdl.destroy_dataset, data_set)
        ports = []
        for index in range(side.count()):
            dims = session.value(*side.dims(index))
            name, shape = dims["name"], [int(number) for number in dims["dims"]]
            kind, size = side.dtype(index), side.size(index)
            if name == _GEARS or kind not in _DTYPES or size == 0 or any(number < 1 for number in shape):
                text = "The tensor %s of the OM has type %s, shape %s and %d bytes; only fixed shapes are run."
                raise RpcError(BAD_MODEL, text % (name, kind, shape, size))
            dtype, item_bytes = _DTYPES[kind]
            content_bytes = item_bytes
            for number in shape:
                content_bytes *= number
            if content_bytes > size:
                text = "The tensor %s of the OM has %d bytes, too few for %s of %s."
                raise RpcError(BAD_MODEL, text % (name, size, shape, dtype))
            place = session.value("acl.rt.malloc", acl.rt.malloc(size, _HUGE_FIRST))
            self._at_end("acl.rt.free", acl.rt.free, place)
            buffer = session.given("acl.create_data_buffer", acl.create_data_buffer(place, size))
            self._at_end("acl.destroy_data_buffer", acl.destroy_data_buffer, buffer)
            session.value("acl.mdl.add_dataset_buffer", acl.mdl.add_dataset_buffer(data_set, buffer))
            ports.append(_Port(name, dtype, shape, place, size, content_bytes))
        return data_set, ports

    def _copy_in(self, port: _Port, content: bytes) -> None:
        util = self._session.acl.util
        if hasattr(util, "bytes_to_ptr"):
            source, owner = util.bytes_to_ptr(content), content
        else:
            owner = _numpy().frombuffer(content, "uint8")
            source = util.numpy_to_ptr(owner)
        kind = _DEVICE_TO_DEVICE if self._session.run_mode == ON_DEVICE else _HOST_TO_DEVICE
        self._copy(port.place, port.buffer_bytes, source, len(content), kind)
        del owner  # It had to live until here: the library knows its address only.

    def _copy_out(self, port: _Port) -> bytes:
        session, acl = self._session, self._session.acl
        kind = _DEVICE_TO_DEVICE if session.run_mode == ON_DEVICE else _DEVICE_TO_HOST
        size = port.content_bytes
        place = session.value("acl.rt.malloc_host", acl.rt.malloc_host(size))
        try:
            self._copy(place, size, port.place, size, kind)
            if hasattr(acl.util, "ptr_to_bytes"):
                return bytes(acl.util.ptr_to_bytes(place, size))
            return bytes(acl.util.ptr_to_numpy(place, (size,), _NUMPY_UINT8).tobytes())
        finally:
            released("acl.rt.free_host", acl.rt.free_host, place)

    def _copy(self, target: int, room: int, source: int, count: int, kind: int) -> None:
        self._session.done("acl.rt.memcpy", self._session.acl.rt.memcpy(target, room, source, count, kind))


class _Inputs:
    """What a model's description says about its inputs."""

    def __init__(self, acl: Any, desc: Any) -> None:
        self._acl = acl
        self._desc = desc

    def count(self) -> int:
        return int(self._acl.mdl.get_num_inputs(self._desc))

    def dims(self, index: int) -> Tuple[str, Any]:
        return "acl.mdl.get_input_dims", self._acl.mdl.get_input_dims(self._desc, index)

    def dtype(self, index: int) -> int:
        return int(self._acl.mdl.get_input_data_type(self._desc, index))

    def size(self, index: int) -> int:
        return int(self._acl.mdl.get_input_size_by_index(self._desc, index))


class _Outputs(_Inputs):
    """The same of its outputs."""

    def count(self) -> int:
        return int(self._acl.mdl.get_num_outputs(self._desc))

    def dims(self, index: int) -> Tuple[str, Any]:
        return "acl.mdl.get_output_dims", self._acl.mdl.get_output_dims(self._desc, index)

    def dtype(self, index: int) -> int:
        return int(self._acl.mdl.get_output_data_type(self._desc, index))

    def size(self, index: int) -> int:
        return int(self._acl.mdl.get_output_size_by_index(self._desc, index))


def _numpy() -> Any:
    """numpy, for releases of pyACL that know no bytes."""
    try:
        import numpy
    except ImportError:
        raise RpcError(BACKEND_FAILED, "This release of pyACL needs numpy: install it for the board's interpreter.")
    return numpy
