"""Energy of a model: runs it until the meter has moved often enough, in bursts of its own, after all timing.

The meter moves in steps, so a reading begins and ends where it has just moved: while the model runs, until the first
step (which warms it up as well), then until the wanted time is over, then on to the next step. The energy between the
two steps is that of the runs between them. Before and after, the device rests, which gives the power of doing nothing.
What is told is gross: all that the meter counted; net is what is left without the power of rest.
"""

from typing import Any, Callable, Dict, List, Tuple

from device_agents.sensors.meter import Meter, NotMeasuredError, joined

UPDATES = 10
_LEAST_W, _MOST_W = 0.01, 20000.0
_PATIENCE_NS = 3 * 10**9
_LOOKS_A_STEP = 8
_STEPS_TO_SEE = 4
_LOOK_S = 0.0002
_BATCH_MOST = 1000

Step = Tuple[float, int]


class Sensor:
    """A started meter with what was found of its resolution.

    Attributes:
        meter: The meter.
        step_ns: Time between two of its steps at rest.
        step_mj: Energy of a step at rest.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.step_ns = 0
        self.step_mj = 0.0
        meter.start()
        try:
            self._look()
        except NotMeasuredError:
            meter.stop()
            raise

    def record(self) -> Dict[str, Any]:
        """As plain values."""
        return {
            "name": self.meter.name,
            "counts": self.meter.counts,
            "step_ms": self.step_ns / 1e6,
            "step_mj": self.step_mj,
            "burst_ms": self.burst_ns / 1e6,
        }

    @property
    def burst_ns(self) -> int:
        """How long a model runs for one reading."""
        return max(self.meter.least_ns, UPDATES * self.step_ns)

    def _look(self) -> None:
        """Watches a few steps of the resting device."""
        first_mj, first_ns = self.next_step(self._pause)
        last_mj, last_ns = first_mj, first_ns
        for _ in range(_STEPS_TO_SEE):
            last_mj, last_ns = self.next_step(self._pause)
        self.step_ns = max(1, (last_ns - first_ns) // _STEPS_TO_SEE)
        self.step_mj = (last_mj - first_mj) / _STEPS_TO_SEE

    def next_step(self, work: Callable[[], Any]) -> Step:
        """Works until the meter moves; returns its reading there, and when."""
        before_mj, began_ns = self.meter.read_mj(), self.meter.now_ns()
        while True:
            work()
            found_mj, reached_ns = self.meter.reading()
            if found_mj < before_mj:
                raise NotMeasuredError("%s went back from %.0f to %.0f mJ" % (self.meter.name, before_mj, found_mj))
            if found_mj > before_mj:
                return found_mj, reached_ns
            if self.meter.now_ns() - began_ns > _PATIENCE_NS:
                text = "%s did not move in %.0f s"
                raise NotMeasuredError(text % (self.meter.name, _PATIENCE_NS / 1e9))

    def rest_w(self) -> float:
        """Power of the resting device."""
        self.meter.rest(self.meter.settle_ns / 1e9)
        first_mj, first_ns = self.next_step(self._pause)
        self.meter.rest(self.burst_ns / 1e9)
        last_mj, last_ns = self.next_step(self._pause)
        return (last_mj - first_mj) * 1e6 / (last_ns - first_ns)

    def _pause(self) -> None:
        self.meter.rest(_LOOK_S)


def opened(candidates: List[Meter]) -> Sensor:
    """The first meter that works.

    Raises:
        NotMeasuredError: None does; the text says why of each.
    """
    reasons = []
    for meter in candidates:
        try:
            return Sensor(meter)
        except NotMeasuredError as reason:
            reasons.append(str(reason))
    raise NotMeasuredError(joined(reasons))


def reading(sensor: Sensor, execute: Callable[[], Any]) -> Dict[str, Any]:
    """Energy of one run.

    Args:
        sensor: What measures.
        execute: Runs the model once.

    Returns:
        `runs`, `ns` and `mj` of the burst, and `energy_mj` of one run, gross.

    Raises:
        NotMeasuredError: The sensor is gone, stands still or goes back.
    """
    meter = sensor.meter
    execute()
    began_ns = meter.now_ns()
    execute()
    run_ns = max(1, meter.now_ns() - began_ns)
    batch = int(min(_BATCH_MOST, max(1, sensor.step_ns // (_LOOKS_A_STEP * run_ns))))
    runs = [0]

    def work() -> None:
        for _ in range(batch):
            execute()
        runs[0] += batch

    _work_for(meter.settle_ns, work, meter)
    first_mj, first_ns = sensor.next_step(work)
    runs[0] = 0
    _work_for(sensor.burst_ns, work, meter)
    last_mj, last_ns = sensor.next_step(work)
    spent_mj = last_mj - first_mj
    power_w = spent_mj * 1e6 / (last_ns - first_ns)
    if not _LEAST_W <= power_w <= _MOST_W:
        raise NotMeasuredError("%s counts nonsense: %.3g W while a model runs" % (meter.name, power_w))
    return {"runs": runs[0], "ns": last_ns - first_ns, "mj": spent_mj, "energy_mj": spent_mj / runs[0]}


def _work_for(wanted_ns: int, work: Callable[[], None], meter: Meter) -> None:
    began_ns = meter.now_ns()
    while meter.now_ns() - began_ns < wanted_ns:
        work()
