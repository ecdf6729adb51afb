"""How long the host needs to start a run, next to how long the device takes: a run may be bound by its launches."""

import statistics
from typing import Any, Dict, List, Tuple

_BOUND_SHARE = 0.8


class Launches:
    """The timed runs since somebody looked last."""

    def __init__(self) -> None:
        self._runs: List[Tuple[int, int]] = []

    def add(self, enqueue_ns: int, device_ns: int) -> None:
        """Writes one run down."""
        self._runs.append((enqueue_ns, device_ns))

    def conditions(self) -> Dict[str, Any]:
        """The host's time and the share of runs that it bounds, then begins anew; empty where nothing was timed."""
        runs, self._runs = self._runs, []
        if not runs:
            return {}
        bound = sum(1 for enqueue_ns, device_ns in runs if enqueue_ns > _BOUND_SHARE * device_ns) / len(runs)
        enqueue_us = statistics.median(enqueue_ns for enqueue_ns, _ in runs) / 1000.0
        return {"enqueue_us": enqueue_us, "launch_bound_share": round(bound, 3)}
