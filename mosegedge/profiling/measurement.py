"""From raw samples to a number: value, spread, and how far the number can be trusted.

A measurement consists of bursts of the same model at different times. On a machine that does other things as well,
disturbance only ever adds time, so a low quantile comes closest to the cost of the model itself. It is the 10 %
quantile and not the minimum, which a short layer reaches far more often than a long network does, so that the two
would not be comparable. On a quiet board the median is just as good and uses more of the data. Which of the two is
used is decided for a whole profile from its own networks: where both are nearly equal the machine was quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.devices.agent_client import AgentClient, BurstSettings

Statistic = Literal["quantile10", "median"]
Grade = Literal["A", "B", "C"]

_NS_PER_MS = 1e6
_GRADE_A, _GRADE_B = 0.01, 0.03
_MIN_SAMPLES, _MIN_BURSTS = 10, 4
_RESAMPLES = 200
_QUIET = 0.03
_QUANTILES: dict[Statistic, float] = {"quantile10": 0.1, "median": 0.5}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Raw samples of one model.

    Attributes:
        key: The layer or network that was timed.
        bursts_ns: Timed runs in nanoseconds, burst by burst.
        preempted: Number of runs during which the processor was taken away.
        throttled: Why the device was slower than it can be during some of them; empty where it was not.
        rounds: In which round each burst was timed; empty where that is not known.
    """

    key: str
    bursts_ns: tuple[tuple[int, ...], ...]
    preempted: int
    throttled: str = ""
    rounds: tuple[int, ...] = ()

    @property
    def samples_ms(self) -> NDArray[np.float64]:
        """All timed runs in milliseconds."""
        return np.concatenate([np.asarray(burst) for burst in self.bursts_ns]) / _NS_PER_MS

    def value_ms(self, statistic: Statistic) -> float:
        """The number that stands for the model."""
        return float(_reduce(self.samples_ms, statistic))

    def halves_ms(self, statistic: Statistic) -> tuple[float, float]:
        """The value from every second burst, and from the others; both are the value when there is one burst."""
        if len(self.bursts_ns) < 2:
            return self.value_ms(statistic), self.value_ms(statistic)
        first, second = (np.concatenate([np.asarray(burst) for burst in self.bursts_ns[start::2]]) for start in (0, 1))
        return float(_reduce(first, statistic)) / _NS_PER_MS, float(_reduce(second, statistic)) / _NS_PER_MS

    def disagreement(self, statistic: Statistic) -> float:
        """How far the two halves are apart, relative to the value."""
        first, second = self.halves_ms(statistic)
        return abs(first - second) / self.value_ms(statistic)

    def se_ms(self, statistic: Statistic) -> float:
        """How far the value of another measurement like this one would be away, one standard deviation.

        A bootstrap over bursts, since the runs of one burst share whatever was going on then. 0 where there is one
        burst, which says nothing about others.
        """
        count = len(self.bursts_ns)
        if count < 2:
            return 0.0
        samples = self.samples_ms
        order = np.argsort(samples, kind="stable")
        burst_of = np.repeat(np.arange(count), [len(burst) for burst in self.bursts_ns])[order]
        # A generator of its own: the same samples have the same error, whatever was computed before.
        drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
        reached = np.cumsum(drawn[:, burst_of], axis=1)
        places = np.argmax(reached >= _QUANTILES[statistic] * reached[:, -1:], axis=1)
        return float(np.std(samples[order][places]) * np.sqrt(count / (count - 1)))

    def grade(self, statistic: Statistic) -> tuple[Grade, str]:
        """A, B or C, and the reason in words."""
        count, bursts = len(self.samples_ms), len(self.bursts_ns)
        apart = self.disagreement(statistic)
        reason = f"halves {apart:.1%} apart, {count} runs in {bursts} bursts, {self.preempted} preempted"
        if self.throttled:
            return "C", f"{self.throttled}; {reason}"
        if bursts < 2 or (count < _MIN_SAMPLES and bursts < _MIN_BURSTS):
            return "C", f"too few to compare: {reason}"
        return ("A" if apart <= _GRADE_A else "B" if apart <= _GRADE_B else "C"), reason


def choose_statistic(measurements: Sequence[Measurement]) -> Statistic:
    """The median where the machine was quiet: where it lies close to the low quantile.

    Args:
        measurements: Of whole networks; they take longest, so they are disturbed most often.
    """
    excess = [m.value_ms("median") / m.value_ms("quantile10") - 1 for m in measurements]
    return "median" if float(np.median(excess)) <= _QUIET else "quantile10"


def measure(
    agent: AgentClient, model: str, *, bursts: int = 20, settings: BurstSettings | None = None, key: str = ""
) -> Measurement:
    """Times one loaded model, for a check of a prediction.

    Args:
        agent: The agent that has loaded it.
        model: Its id.
        bursts: Number of bursts.
        settings: Length of a burst.
        key: Name of the measurement; the model's id by default.

    Raises:
        DeviceBusyError: Another run holds the device.
    """
    timed = list(agent.time([model] * bursts, settings or BurstSettings()))
    preempted = sum(sum(1 for count in burst.preempted if count) for burst in timed)
    return Measurement(key or model, tuple(burst.ns(agent.device.clock) for burst in timed), preempted)


def _reduce(samples: NDArray[np.float64], statistic: Statistic) -> np.float64:
    return np.float64(np.quantile(samples, _QUANTILES[statistic]))
