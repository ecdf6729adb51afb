"""What disturbs the law: noise, heat, sudden ends; the dice hang on the seed alone.

Noise is log-normal with the relative spread `noise`. Warmth goes from 0 to 1: while the board works it rises towards
1, half of the way in about 7 s of simulated work; while the host lets it rest it falls, half of the way in about 2 s.
A run takes 1 + heat * warmth times as long as on a cold board. Rest is real time; with `heat` at 0 it changes nothing.
"""

import math
import os
import random
import time
from typing import Any, Dict

from device_agents.backends.simulated.law import STATIC_W
from device_agents.protocol import BACKEND_FAILED, RpcError

_WARMING_NS = 10e9
_COOLING_S = 3.0
_COLD_C, _HOT_C = 40.0, 90.0
_THROTTLED_ABOVE = 0.5
_COUNTER = "simulated.conversations"
_DEAD = 86


class Board:
    """One board, from switching it on.

    Args:
        settings: seed, noise, heat, dropout, as text.
    """

    def __init__(self, settings: Dict[str, str]) -> None:
        self._seed = settings.get("seed") or "0"
        self._noise = _number(settings, "noise", 0.02)
        self._heat = _number(settings, "heat", 0.0)
        self._dropout = _number(settings, "dropout", 0.0)
        self._dice = random.Random("noise %s" % self._seed)  # noqa: S311 - no secret
        self._fate = random.Random("fate %s" % self._seed)  # noqa: S311 - no secret
        self._counted = False
        self._warmth = 0.0
        self._since = time.monotonic()
        self.now_ns = 0
        self.total_mj = 0.0

    def count_conversation(self, folder: str) -> None:
        """Gives every conversation over one cache folder its own fate: else each would end at the same run."""
        if self._counted or not self._dropout:
            return
        self._counted = True
        path = os.path.join(folder, _COUNTER)
        try:
            with open(path) as stream:
                number = int(stream.read()) + 1
        except (OSError, ValueError):
            number = 1
        with open(path, "w") as stream:
            stream.write(str(number))
        self._fate = random.Random("fate %s %d" % (self._seed, number))  # noqa: S311 - no secret

    def spend(self, law_ns: int, dynamic_mj: float = 0.0) -> int:
        """One run: what it takes today, in nanoseconds; its energy is on the meter."""
        if self._dropout and self._fate.random() < self._dropout:
            os.write(2, b"The simulated board has dropped out (setting `dropout`).\n")
            os._exit(_DEAD)
        self._rest()
        slower = 1 + self._heat * self._warmth
        spent_ns = max(1, int(round(law_ns * slower * math.exp(self._dice.gauss(0.0, self._noise)))))
        self.pass_time(spent_ns, dynamic_mj)
        self._warmth += (1 - self._warmth) * (1 - math.exp(-spent_ns / _WARMING_NS))
        return spent_ns

    def pass_time(self, spent_ns: int, dynamic_mj: float = 0.0) -> None:
        """Lets the board's clock and its meter go on, as while it rests."""
        self.now_ns += spent_ns
        self.total_mj += STATIC_W * spent_ns / 1e6 + dynamic_mj

    def conditions(self) -> Dict[str, Any]:
        """Temperature, and why it is slower where it is."""
        self._rest()
        hot = self._heat > 0 and self._warmth > _THROTTLED_ABOVE
        temperature_c = _COLD_C + (_HOT_C - _COLD_C) * (self._warmth if self._heat else 0.0)
        return {"temperature_c": round(temperature_c, 1), "throttled": ["simulated heat"] if hot else []}

    def _rest(self) -> None:
        """Cools down for the real time that passed: a simulated run takes none, so all of it was rest."""
        now = time.monotonic()
        self._warmth *= math.exp(-(now - self._since) / _COOLING_S)
        self._since = now


def _number(settings: Dict[str, str], name: str, default: float) -> float:
    text = settings.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise RpcError(BACKEND_FAILED, "The setting %s must be a number of at least 0, it is %r." % (name, text))
    return value
