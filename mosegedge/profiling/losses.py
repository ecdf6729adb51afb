"""Work with an agent that may be lost: another one is started, and the work goes on after the last thing on record.

A cable that was pulled, a board that restarts, an agent that crashed: what was lost is waited for with growing pauses.
What waiting cannot heal (a wrong host key, a refused login, a full disk, a missing runtime) ends the work at once; the
same command goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.connection import Connection, connect
from mosegedge.devices.inventory import Device
from mosegedge.errors import AgentError, ConnectionLostError, DeviceError
from mosegedge.progress import Progress

PATIENCE_S = 300.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_MOST_STARTS_WITHOUT_PROGRESS = 3

Result = TypeVar("Result")


class Record(Protocol):
    """Where what was measured is kept.

    Attributes:
        path: Its file.
    """

    path: Path

    @property
    def bursts(self) -> int:
        """Number of bursts on record."""

    def add_event(self, text: str) -> None:
        """Records that the agent or the way to it was lost."""

    def add_resumed(self, text: str) -> None:
        """Records that the work went on."""


def outlasting_losses(
    device: Device,
    record: Record,
    progress: Progress,
    work: Callable[[AgentClient], Result],
    *,
    settled: Callable[[], int],
    run: str,
    patience_s: float = PATIENCE_S,
    accept_new_host_key: bool = False,
) -> Result:
    """Does a piece of work with an agent, and with another one when that is lost.

    Args:
        device: Where the agent runs.
        record: What the work goes on from; learns of every loss and of every return.
        progress: Shows them.
        work: Does what is left.
        settled: How much is known for good; it grows whenever the work comes a step further.
        run: Names the run to agents that were left behind on the device.
        patience_s: How long a device that was lost is waited for, counted from the last progress.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Raises:
        AgentError: The agent ended again and again without any progress between.
        ConnectionLostError: The device was not reached at all, or was lost and did not come back.
        DeviceError: Something that waiting does not heal.
    """
    connection = connect(device, accept_new_host_key=accept_new_host_key)
    losses = _Losses(record, settled, progress, patience_s)
    while True:
        try:
            with connection:
                losses.starting()
                with AgentClient(connection, device, run=run) as agent:
                    losses.started(connection)
                    try:
                        return work(agent)
                    finally:
                        losses.agent_alive = agent.alive
        except (AgentError, ConnectionLostError) as error:
            if not losses.is_worth_waiting(error):
                raise
            losses.wait(error)
        except KeyboardInterrupt:
            progress.say(f"Stopped; {record.bursts} bursts are kept in {record.path}.")
            raise


@dataclass
class _Losses:
    """What was lost since the last progress, and whether to wait for it.

    Attributes:
        record: Learns of every loss and of every return.
        settled: How much is known for good.
        progress: Shows them.
        patience_s: How long to wait in all.
        agent_alive: Whether the latest agent could have gone on: then its error was not a loss.
    """

    record: Record
    settled: Callable[[], int]
    progress: Progress
    patience_s: float
    agent_alive: bool = True
    _ever_started: bool = False
    _is_running: bool = False
    _known: int = -1
    _lost_s: float = 0.0
    _waits: int = 0
    _deaths: int = 0
    _notes: int = 0

    def starting(self) -> None:
        """An agent is about to start: one that does not come to life is as lost as one that died."""
        self.agent_alive = not self._ever_started

    def started(self, connection: Connection) -> None:
        """The agent has answered."""
        for note in connection.notes[self._notes :]:
            self.progress.say(note)
        self._notes = len(connection.notes)
        if self._ever_started:
            self.record.add_resumed(f"after {time.monotonic() - self._lost_s:.1f} s and {self._waits} tries")
        self._ever_started = self._is_running = True

    def is_worth_waiting(self, error: DeviceError) -> bool:
        """Whether another try may go better than the one that ended with this error."""
        self._count()
        if isinstance(error, ConnectionLostError):
            return self._ever_started and time.monotonic() - self._lost_s <= self.patience_s
        self._deaths += 1
        return not self.agent_alive and self._deaths <= _MOST_STARTS_WITHOUT_PROGRESS

    def wait(self, error: DeviceError) -> None:
        """Pauses before the next try, longer each time."""
        if self._is_running:
            self.record.add_event(error.what)
        self._is_running = False
        pause_s = min(_FIRST_PAUSE_S * 2**self._waits, _LONGEST_PAUSE_S)
        left_s = max(0.0, self._lost_s + self.patience_s - time.monotonic())
        self._waits += 1
        self.progress.say(f"{error.what} Trying again in {pause_s:.1f} s, for {left_s:.0f} s at most.")
        time.sleep(pause_s)

    def _count(self) -> None:
        """Begins anew when something was settled since the last loss."""
        known = self.settled()
        if known > self._known:
            self._known, self._lost_s, self._waits, self._deaths = known, time.monotonic(), 0, 0
