"""Time of each layer inside an engine, by the vendor's profiler, in an execution context of its own.

Timing with a profiler is slower and its sum is not the latency, so the context of the timed runs never has one.
"""

import statistics
from typing import Any, Dict, List, Tuple

from device_agents.backends.tensorrt.engine import Engine
from device_agents.backends.tensorrt.fused import layer_times, read_layers
from device_agents.protocol import BACKEND_FAILED, RpcError


def profile(model: Engine, runs: int) -> List[Dict[str, Any]]:
    """Runs an engine with a profiler; the median time of each layer, in order of execution."""
    context = model.engine.create_execution_context()
    if context is None:
        raise RpcError(BACKEND_FAILED, "There is no memory for a second execution context. Unload other models first.")
    model.bind(context)
    observer = _profiler(model.vendor.trt)
    context.profiler = observer
    deferred = hasattr(context, "enqueue_emits_profile")
    if deferred:
        context.enqueue_emits_profile = False
    collected = []
    for _ in range(runs + 1):
        observer.times = []
        model.enqueue(context)
        model.cuda.wait_for_stream(model.stream)
        if deferred and not context.report_to_profiler():
            raise RpcError(BACKEND_FAILED, "TensorRT did not report to the profiler: %s." % model.vendor.failures())
        collected.append(observer.times)
    # The first run warms up.
    times = _medians(collected[1:])
    inspector = model.engine.create_engine_inspector()
    inspector.execution_context = context
    text = inspector.get_engine_information(model.vendor.trt.LayerInformationFormat.JSON)
    result = layer_times(times, read_layers(text))
    _remark_overlap(model.engine, result)
    del inspector, context
    return result


def _medians(collected: List[List[Tuple[str, float]]]) -> List[Tuple[str, int]]:
    """Median nanoseconds by position: a name may come more than once in a run."""
    names = [name for name, _ in collected[0]]
    if not names or any([name for name, _ in run] != names for run in collected):
        # An exception inside the profiler's own method is swallowed by the vendor, so the counts are compared here.
        counts = sorted({len(run) for run in collected})
        raise RpcError(BACKEND_FAILED, "The profiler reported other layers in every run: %s of them." % counts)
    by_layer = zip(*[[milliseconds for _, milliseconds in run] for run in collected])  # noqa: B905 - Python 3.7
    medians = [round(statistics.median(values) * 1e6) for values in by_layer]
    return list(zip(names, medians))  # noqa: B905 - Python 3.7


def _remark_overlap(engine: Any, result: List[Dict[str, Any]]) -> None:
    streams = engine.num_aux_streams if hasattr(engine, "num_aux_streams") else 0
    if streams > 0:
        for layer in result:
            layer["note"] = "; ".join(
                part for part in (layer["note"], "layers overlap on %d streams" % streams) if part
            )


def _profiler(trt: Any) -> Any:
    class Observer(trt.IProfiler):  # type: ignore[misc]  # the base is known at run time only
        """Stores and does nothing else: what it raised would be lost."""

        def __init__(self) -> None:
            trt.IProfiler.__init__(self)
            self.times: List[Tuple[str, float]] = []

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            self.times.append((layer_name, ms))

    return Observer()
