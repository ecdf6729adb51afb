"""How a program runs: eager calls on a processor or a GPU, or a CUDA graph that is captured once and replayed."""

import functools
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch

from device_agents.backends.torch.graph import Program, Step

cuda: Any = torch.cuda  # Its classes have no types.

_NANOSECONDS_A_MILLISECOND = 1000 * 1000
# PyTorch asks for a few runs on a side stream before a capture, so that libraries have allocated what they need.
_RUNS_BEFORE_CAPTURE = 3


class Eager:
    """Calls one after the other on a processor, which has no clock of its own."""

    def __init__(self, program: Program, inputs: List[Any]) -> None:
        self._program = program
        self.inputs = inputs
        self._outputs: List[Any] = []

    def timed(self) -> Optional[int]:
        """Runs once."""
        self._outputs = self._program.run(self.inputs)
        return None

    def outputs(self) -> List[Any]:
        """Tensors of the latest run."""
        return self._outputs


class EagerOnGpu(Eager):
    """The same on a GPU: time between two events in its stream, gaps between kernels included."""

    def __init__(self, program: Program, inputs: List[Any]) -> None:
        super(EagerOnGpu, self).__init__(program, inputs)
        self._stopwatch = _Stopwatch()

    def timed(self) -> Optional[int]:
        """Runs once and waits for it; returns nanoseconds on the GPU."""
        return self._stopwatch.of(self._run)

    def _run(self) -> None:
        self._outputs = self._program.run(self.inputs)


class CapturedGraph:
    """The launches of one run, recorded; a replay costs the host one call."""

    def __init__(self, program: Program, inputs: List[Any]) -> None:
        self.inputs = inputs
        self._outputs: List[Any] = []
        self._graph, self._outputs = _captured(functools.partial(program.run, inputs))
        self._stopwatch = _Stopwatch()

    def timed(self) -> Optional[int]:
        """Replays once and waits for it; returns nanoseconds on the GPU."""
        return self._stopwatch.of(self._graph.replay)

    def outputs(self) -> List[Any]:
        """Tensors that every replay writes to."""
        return self._outputs


def executor_of(program: Program, inputs: List[Any], device: Any, mode: Optional[str]) -> Any:
    """What runs a program.

    Args:
        program: The steps.
        inputs: Tensors on the device.
        device: cpu or cuda.
        mode: `graph`, or anything else for eager calls.
    """
    if device.type != "cuda":
        return Eager(program, inputs)
    return CapturedGraph(program, inputs) if mode == "graph" else EagerOnGpu(program, inputs)


def layers(executor: Any, program: Program, device: Any, runs: int) -> List[Dict[str, Any]]:
    """Mean time of every step over some runs, after one that is not counted.

    Each step is waited for, so what a network hides by working ahead is visible here. Where the network runs as a CUDA
    graph every step is captured alone: an eager call costs the host many times what a small kernel costs the GPU.
    """
    measure = _measure_by(executor, device)
    total_ns: List[int] = []

    def around(step: Step, call: Callable[[], Any]) -> Any:
        del step
        result, spent_ns = measure(call, runs)
        total_ns.append(spent_ns)
        return result

    program.run(executor.inputs, around)
    steps = zip(program.steps, total_ns)  # noqa: B905 - Python 3.7
    return [{"name": step.name, "kind": step.kind, "ns": ns // runs, "nodes": [step.name]} for step, ns in steps]


def _measure_by(executor: Any, device: Any) -> Callable[[Callable[[], Any], int], Any]:
    """What times one step several times: its result, and the sum of its nanoseconds."""
    if device.type != "cuda":
        return functools.partial(_repeated, _by_the_host)
    by_events = functools.partial(_repeated, _Stopwatch().of_result)
    if not isinstance(executor, CapturedGraph):
        return by_events

    def replayed(call: Callable[[], Any], runs: int) -> Any:
        graph, result = _captured(call)
        return result, by_events(graph.replay, runs)[1]

    return replayed


def _repeated(measure: Callable[[Callable[[], Any]], Any], call: Callable[[], Any], runs: int) -> Any:
    result = call()
    return result, sum(measure(call)[1] for _ in range(runs))


def _captured(call: Callable[[], Any]) -> Tuple[Any, Any]:
    """A graph of the launches of a call, and what the call returned: the tensors that every replay writes to."""
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        for _ in range(_RUNS_BEFORE_CAPTURE):
            call()
    cuda.current_stream().wait_stream(side)
    graph = cuda.CUDAGraph()
    with cuda.graph(graph):
        result = call()
    return graph, result


class _Stopwatch:
    """A pair of events in the current stream, used again and again."""

    def __init__(self) -> None:
        self._start = cuda.Event(enable_timing=True)
        self._end = cuda.Event(enable_timing=True)

    def of(self, execute: Callable[[], Any]) -> int:
        """Nanoseconds on the GPU."""
        elapsed_ns: int = self.of_result(execute)[1]
        return elapsed_ns

    def of_result(self, execute: Callable[[], Any]) -> Any:
        """The result, and nanoseconds on the GPU."""
        self._start.record()
        result = execute()
        self._end.record()
        self._end.synchronize()
        return result, int(self._start.elapsed_time(self._end) * _NANOSECONDS_A_MILLISECOND)


def _by_the_host(execute: Callable[[], Any]) -> Any:
    started = time.perf_counter_ns()
    result = execute()
    return result, time.perf_counter_ns() - started
