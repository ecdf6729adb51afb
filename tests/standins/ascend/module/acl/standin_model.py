"""acl.rt, acl.mdl and acl.util of the stand-in: memory, models, events."""

# ruff: noqa: PTH123, UP031 - written like what it stands in for

import ctypes
import json
from types import SimpleNamespace

from acl.standin_state import STATE, call, log

MARK = b"STANDIN-OM\n"
RUN_MS, LAUNCH_MS = 1.25, 0.05
_NUMBERS = {"tensor(float)": 0, "tensor(float16)": 1, "tensor(uint8)": 4}
_TYPES = {0: "float32", 1: "float16", 4: "uint8"}
_INTO_DEVICE, _OUT_OF_DEVICE, _WITHIN_DEVICE = 1, 2, 3


def _made(name, kind, value=None):
    status = call(name)
    return (STATE.keep(kind, value), 0) if status == 0 else (0, status)


def _set_device(device_id):
    status = call("acl.rt.set_device")
    STATE.on_device = status == 0
    return status


def _reset_device(device_id):
    STATE.on_device = False
    return call("acl.rt.reset_device")


def _malloc(name, kind, size):
    status = call(name)
    if status or size <= 0:
        return 0, status or 100000
    buffer = ctypes.create_string_buffer(size)
    STATE.held.setdefault(kind, {})[ctypes.addressof(buffer)] = buffer
    return ctypes.addressof(buffer), 0


def _memcpy(target, room, source, count, kind):
    status = call("acl.rt.memcpy")
    device = STATE.held.get("device memory", {})
    wanted = _WITHIN_DEVICE if STATE.run_mode == 0 else _INTO_DEVICE if target in device else _OUT_OF_DEVICE
    known = {**device, **STATE.held.get("host memory", {})}
    if kind != wanted or count > room or target not in known or room > len(known[target]):
        log("WRONG memcpy of %d into %d, kind %d instead of %d" % (count, room, kind, wanted))
        return 100000
    ctypes.memmove(target, source, count)
    return status


def _record_event(event, stream):
    STATE.held["event"][event] = STATE.device_ms
    return call("acl.rt.record_event")


def _elapsed(start, end):
    status = call("acl.rt.event_elapsed_time")
    return STATE.held["event"][end] - STATE.held["event"][start], status


def _mem_info(attribute):
    status = call("acl.rt.get_mem_info")
    if attribute != STATE.memory_kind:
        return 0, 0, status
    return 3 * 2**30, 8 * 2**30, status


RT = SimpleNamespace(
    set_device=_set_device,
    reset_device=_reset_device,
    create_context=lambda device_id: _made("acl.rt.create_context", "context"),
    destroy_context=lambda handle: STATE.drop("context", handle, call("acl.rt.destroy_context")),
    create_stream=lambda: _made("acl.rt.create_stream", "stream"),
    destroy_stream=lambda handle: STATE.drop("stream", handle, call("acl.rt.destroy_stream")),
    synchronize_stream=lambda handle: call("acl.rt.synchronize_stream"),
    create_event=lambda: _made("acl.rt.create_event", "event", 0.0),
    destroy_event=lambda handle: STATE.drop("event", handle, call("acl.rt.destroy_event")),
    record_event=_record_event,
    event_elapsed_time=_elapsed,
    get_run_mode=lambda: (STATE.run_mode, call("acl.rt.get_run_mode")),
    malloc=lambda size, policy: _malloc("acl.rt.malloc", "device memory", size),
    free=lambda place: STATE.drop("device memory", place, call("acl.rt.free")),
    malloc_host=lambda size: _malloc("acl.rt.malloc_host", "host memory", size),
    free_host=lambda place: STATE.drop("host memory", place, call("acl.rt.free_host")),
    memcpy=_memcpy,
    get_mem_info=_mem_info,
)


def _load_from_file(path):
    status = call("acl.mdl.load_from_file")
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError:
        return 0, 100003
    if status:
        return 0, status
    if not content.startswith(MARK):
        return 0, 100012
    header, onnx = content[len(MARK) :].split(b"\n", 1)
    if json.loads(header.decode())["soc"] != STATE.soc:
        STATE.failed = True
        return 0, 507008
    before, STATE.initialised = STATE.initialised, False  # The stand-in's own tools are no concern of the agent.
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx, settings, providers=["CPUExecutionProvider"])
    STATE.initialised = before
    handle = STATE.keep("model", session)
    STATE.model_bytes[handle] = len(onnx)
    return handle, 0


def _get_desc(desc, model):
    status = call("acl.mdl.get_desc")
    session = STATE.held["model"].get(model)
    STATE.held["desc"][desc] = session
    return status if session is not None else 100011


def _inputs(desc):
    return STATE.held["desc"][desc].get_inputs()


def _outputs(desc):
    return STATE.held["desc"][desc].get_outputs()


def _dims(port):
    return {"name": port.name, "dimCount": len(port.shape), "dims": list(port.shape)}


def _bytes(port):
    size = {0: 4, 1: 2, 4: 1}[_NUMBERS[port.type]]
    for side in port.shape:
        size *= side
    return size


def _add_buffer(data_set, buffer):
    status = call("acl.mdl.add_dataset_buffer")
    STATE.held["dataset"][data_set].append(buffer)
    return data_set, status


def _destroy_dataset(data_set):
    held = STATE.held["dataset"].get(data_set, [])
    if any(buffer in STATE.held["data buffer"] for buffer in held):
        log("WRONG data set is given back before its buffers")
    return STATE.drop("dataset", data_set, call("acl.mdl.destroy_dataset"))


def _contents(data_set):
    places = [STATE.held["data buffer"][buffer] for buffer in STATE.held["dataset"][data_set]]
    return [STATE.held["device memory"][place] for place, _ in places]


def _execute(name, model, inputs, outputs):
    import numpy

    status = call(name)
    if status:
        return status
    session = STATE.held["model"][model]
    feeds = {}
    for port, buffer in zip(session.get_inputs(), _contents(inputs)):  # noqa: B905
        feeds[port.name] = numpy.frombuffer(buffer, _TYPES[_NUMBERS[port.type]]).reshape(port.shape)
    for value, buffer in zip(session.run(None, feeds), _contents(outputs)):  # noqa: B905
        content = numpy.ascontiguousarray(value).tobytes()
        ctypes.memmove(buffer, content, len(content))
    # One time for every model, unless a law is asked for: a launch, then so much for each megabyte that is read.
    read = STATE.model_bytes.get(model, 0) + sum(len(buffer) for buffer in _contents(inputs))
    STATE.device_ms += RUN_MS if STATE.ms_per_mb is None else LAUNCH_MS + STATE.ms_per_mb * read / 1e6
    if STATE.profiling is not None:
        STATE.profiling["runs"] += 1
    return 0


MDL = SimpleNamespace(
    load_from_file=_load_from_file,
    unload=lambda model: STATE.drop("model", model, call("acl.mdl.unload")),
    create_desc=lambda: STATE.keep("desc", None) if call("acl.mdl.create_desc") == 0 else 0,
    destroy_desc=lambda desc: STATE.drop("desc", desc, call("acl.mdl.destroy_desc")),
    get_desc=_get_desc,
    get_num_inputs=lambda desc: len(_inputs(desc)),
    get_num_outputs=lambda desc: len(_outputs(desc)),
    get_input_dims=lambda desc, index: (_dims(_inputs(desc)[index]), call("acl.mdl.get_input_dims")),
    get_output_dims=lambda desc, index: (_dims(_outputs(desc)[index]), call("acl.mdl.get_output_dims")),
    get_input_data_type=lambda desc, index: _NUMBERS[_inputs(desc)[index].type],
    get_output_data_type=lambda desc, index: _NUMBERS[_outputs(desc)[index].type],
    get_input_size_by_index=lambda desc, index: _bytes(_inputs(desc)[index]),
    get_output_size_by_index=lambda desc, index: _bytes(_outputs(desc)[index]),
    create_dataset=lambda: STATE.keep("dataset", []) if call("acl.mdl.create_dataset") == 0 else 0,
    destroy_dataset=_destroy_dataset,
    add_dataset_buffer=_add_buffer,
    execute=lambda model, inputs, outputs: _execute("acl.mdl.execute", model, inputs, outputs),
    execute_async=lambda model, inputs, outputs, stream: _execute("acl.mdl.execute_async", model, inputs, outputs),
)


def _numpy_to_ptr(array):
    return array.__array_interface__["data"][0]


def _ptr_to_numpy(place, shape, dtype_number):
    import numpy

    size = int(numpy.prod(shape))
    return numpy.frombuffer(ctypes.string_at(place, size), numpy.uint8) if dtype_number == 2 else None


def _bytes_to_ptr(content):
    return ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value


UTIL = SimpleNamespace(numpy_to_ptr=_numpy_to_ptr, ptr_to_numpy=_ptr_to_numpy)
if STATE.cann != "5.1":
    UTIL.bytes_to_ptr = _bytes_to_ptr
    UTIL.ptr_to_bytes = ctypes.string_at
