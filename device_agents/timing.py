"""The one timed loop: everything that mosegedge calls a latency was measured here.

A burst is a few warm-up runs until the model is steady, then a few timed ones, close together. A measurement is many
bursts of many models in turn, minutes apart, because what disturbs a shared machine lasts for seconds: the host
decides the order and calls `burst` for each.
"""

import gc
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

try:
    import resource
except ImportError:  # Not a POSIX system: preemption is not counted there.
    resource = None  # type: ignore[assignment]

NO_LIMIT_NS = 10**12

_STEADY_RUNS = 2
_STEADY_MARGIN = 0.98


def burst(
    execute: Callable[[], Any],
    min_samples: int,
    max_samples: int,
    min_ns: int,
    max_warmup: int,
    most_ns: int = NO_LIMIT_NS,
) -> Dict[str, Any]:
    """Warms a model up and times it.

    Warm-up ends when two runs in a row are no faster than the fastest before them (by 2 %), or after `max_warmup`.
    Sampling ends when there are `min_samples` and `min_ns` of timed work, or after `max_samples`. Either ends early
    once it took `most_ns`: a model that runs for a second is warm after one run, and what disturbs for milliseconds
    averages out inside one sample. The garbage collector is off meanwhile.

    Args:
        execute: Runs the model once and returns when its output is there; what it returns is how long the device's own
            clock says that it took, in nanoseconds, or None where the device has no clock of its own.
        min_samples: Timed runs at least.
        max_samples: Timed runs at most.
        min_ns: Timed nanoseconds wanted.
        max_warmup: Warm-up runs at most.
        most_ns: Nanoseconds after which the warm-up is long enough, and again the sampling; both run once at least.

    Returns:
        Raw nanoseconds of every run in order by the host's clock (`samples_ns`) and by the device's (`device_ns`, empty
        where there is none), and for each timed run how often the kernel took the processor away.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        warmup_ns = _warm_up(execute, max_warmup, most_ns)
        samples_ns: List[int] = []
        device_ns: List[int] = []
        preempted: List[int] = []
        total_ns = 0
        while not samples_ns or (
            len(samples_ns) < max_samples
            and total_ns < most_ns
            and (len(samples_ns) < min_samples or total_ns < min_ns)
        ):
            switches = _preemptions()
            elapsed, on_device = _timed(execute)
            preempted.append(_preemptions() - switches)
            samples_ns.append(elapsed)
            if on_device is not None:
                device_ns.append(on_device)
            total_ns += elapsed if on_device is None else on_device
    finally:
        if collecting:
            gc.enable()
    return {"warmup_ns": warmup_ns, "samples_ns": samples_ns, "device_ns": device_ns, "preempted": preempted}


def _warm_up(execute: Callable[[], Any], max_warmup: int, most_ns: int) -> List[int]:
    runs_ns: List[int] = []
    fastest: Optional[int] = None
    steady = 0
    while len(runs_ns) < max_warmup and steady < _STEADY_RUNS and sum(runs_ns) < most_ns:
        by_host, on_device = _timed(execute)
        elapsed = by_host if on_device is None else on_device
        runs_ns.append(elapsed)
        steady = 0 if fastest is None or elapsed < fastest * _STEADY_MARGIN else steady + 1
        fastest = elapsed if fastest is None else min(fastest, elapsed)
    return runs_ns


def _timed(execute: Callable[[], Any]) -> Tuple[int, Optional[int]]:
    """One run: nanoseconds by the host's clock, and by the device's where it has one."""
    started = time.perf_counter_ns()
    on_device = execute()
    return time.perf_counter_ns() - started, on_device


def _preemptions() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else 0
