"""What energy meters have in common: they count millijoules by a clock, and say why where they do not.

A meter either reads a counter of the device, or adds up a power sensor that a thread asks again and again. Counters are
preferred: nothing has to run beside the model for them.
"""

import threading
import time
from typing import Callable, List, Optional, Tuple


class NotMeasuredError(Exception):
    """A quantity cannot be measured here; the text says why, for the profile."""


class Meter:
    """A counter of energy; those of devices read a file or ask a driver.

    Attributes:
        name: The sensor and what it covers, for the profile.
        counts: Whether the device counts, instead of this process adding up samples of power.
        settle_ns: How long a model runs before its readings mean it: sensors of power average over the past.
        least_ns: How long it then runs at least.
    """

    name = "a counter"
    counts = True
    settle_ns = 0
    least_ns = 100 * 10**6

    def start(self) -> None:
        """Gets ready; raises NotMeasuredError where there is no such sensor, or it may not be read."""

    def stop(self) -> None:
        """Frees what `start` took."""

    def read_mj(self) -> float:
        """Millijoules since some moment; raises NotMeasuredError where the sensor is gone."""
        raise NotImplementedError

    def reading(self) -> Tuple[float, int]:
        """Millijoules, and when by `now_ns` that many were reached; raises NotMeasuredError as `read_mj`."""
        return self.read_mj(), self.now_ns()

    def now_ns(self) -> int:
        """The clock that belongs to the readings."""
        return time.perf_counter_ns()

    def rest(self, seconds: float) -> None:
        """Lets the device do nothing."""
        time.sleep(seconds)


class Absent(Meter):
    """No meter, and why.

    Args:
        reason: For the profile.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def start(self) -> None:
        """Says why."""
        raise NotMeasuredError(self._reason)


class Sampled(Meter):
    """Power asked for by a thread and added up; it runs while energy is measured and never while time is.

    Args:
        name: The sensor and what it covers.
        power_w: Asks for the power in watts; None where the sensor does not answer.
        pause_s: Between two questions.
        settle_ns: As in `Meter`.
        least_ns: As in `Meter`.
    """

    counts = False

    def __init__(
        self,
        name: str,
        power_w: Callable[[], Optional[float]],
        pause_s: float,
        settle_ns: int = 10**9,
        least_ns: int = 2 * 10**9,
    ) -> None:
        self.name = name
        self.settle_ns = settle_ns
        self.least_ns = least_ns
        self._power_w = power_w
        self._pause_s = pause_s
        self._latest = (0.0, 0)
        self._lost = False
        self._ended = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Asks once, then starts the thread."""
        first = self._power_w()
        if first is None or first < 0:
            raise NotMeasuredError("%s tells no power" % self.name)
        self._ended.clear()
        self._thread = threading.Thread(target=self._add_up, args=(first,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def read_mj(self) -> float:
        """Millijoules since the start, up to the latest sample."""
        return self.reading()[0]

    def reading(self) -> Tuple[float, int]:
        """With the time of the latest sample: on a busy machine it may be seen milliseconds later."""
        if self._lost:
            raise NotMeasuredError("%s stopped telling the power" % self.name)
        return self._latest

    def _add_up(self, before_w: float) -> None:
        total_mj, before_ns = self._latest[0], self.now_ns()
        while not self._ended.wait(self._pause_s):
            power_w, now_ns = self._power_w(), self.now_ns()
            if power_w is None or power_w < 0:
                self._lost = True
                return
            total_mj += (before_w + power_w) / 2 * (now_ns - before_ns) / 1e6
            self._latest = total_mj, now_ns  # in one assignment: another thread reads both
            before_w, before_ns = power_w, now_ns


def read_number(path: str) -> int:
    """A file of the kernel that holds one number.

    Raises:
        NotMeasuredError: It is absent, may not be read, or holds something else.
    """
    try:
        with open(path) as stream:
            return int(stream.read())
    except PermissionError:
        raise NotMeasuredError("%s may be read by root only; allow it: sudo chmod a+r %s" % (path, path))
    except (OSError, ValueError) as error:
        raise NotMeasuredError("%s cannot be read: %s" % (path, error))


def read_text(path: str) -> str:
    """A file of the kernel, empty where it cannot be read."""
    try:
        with open(path) as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def joined(reasons: List[str]) -> str:
    """Several reasons as one sentence."""
    return "; ".join(reasons) or "no sensor is known for what computes here"
