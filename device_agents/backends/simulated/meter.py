"""The simulated board's meter of energy: a counter of whole millijoules by the board's own clock."""

import math

from device_agents.backends.simulated.board import Board
from device_agents.sensors.meter import Meter


class BoardMeter(Meter):
    """Counts what the law says.

    Args:
        board: The board.
    """

    name = "simulated counter of energy, no hardware"

    def __init__(self, board: Board) -> None:
        self._board = board

    def read_mj(self) -> float:
        """Whole millijoules since the board was switched on."""
        return float(math.floor(self._board.total_mj))

    def now_ns(self) -> int:
        """The board's clock: runs take no real time."""
        return self._board.now_ns

    def rest(self, seconds: float) -> None:
        """Lets the board's clock go on."""
        self._board.pass_time(int(seconds * 1e9))
