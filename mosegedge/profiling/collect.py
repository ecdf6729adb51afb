"""Plan + device -> journal: starts an agent, has the collector work with it, and starts another when it is lost.

A cable that was pulled, a board that restarts, an agent that crashed: what was lost is waited for with growing pauses,
and the work goes on after the last burst on record. What waiting cannot heal (a wrong host key, a refused login, a
full disk, a missing runtime) ends the run at once; the same command goes on where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.connection import Connection, connect
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import AgentError, ConnectionLostError, DeviceError
from mosegedge.profiling.collector import Collector
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import Plan
from mosegedge.progress import Progress

PATIENCE_S = 300.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_MOST_STARTS_WITHOUT_PROGRESS = 3


def collect(
    plan: Plan,
    journal: ProfileJournal,
    progress: Progress,
    *,
    command: str = "",
    patience_s: float = PATIENCE_S,
    accept_new_host_key: bool = False,
) -> DeviceDescription:
    """Measures everything of a plan that the journal does not hold yet.

    Args:
        plan: What to measure, and where.
        journal: The record to continue.
        progress: Shown while it lasts.
        command: How to go on, for the record.
        patience_s: How long a device that was lost is waited for, counted from the last burst.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Returns:
        What the device said of itself.

    Raises:
        AgentError: The agent ended again and again without a single burst between.
        ConnectionLostError: The device was not reached at all, or was lost and did not come back.
        DeviceBusyError: Another run holds the device.
        DeviceError: Something that waiting does not heal.
    """
    if journal.begin_record is not None:
        journal.add_resumed("started again")
    connection = connect(plan.device, accept_new_host_key=accept_new_host_key)
    losses = _Losses(journal, progress, patience_s)
    while True:
        try:
            with connection:
                return _with_agent(connection, plan, journal, progress, losses, command)
        except (AgentError, ConnectionLostError) as error:
            if not losses.is_worth_waiting(error):
                raise
            losses.wait(error)
        except KeyboardInterrupt:
            progress.say(f"Stopped; {journal.bursts} bursts are kept in {journal.path}.")
            raise


def _with_agent(
    connection: Connection, plan: Plan, journal: ProfileJournal, progress: Progress, losses: _Losses, command: str
) -> DeviceDescription:
    """One agent's share of the work; `losses` learns whether the agent outlived it."""
    losses.starting()
    with AgentClient(connection, plan.device, run=journal.run) as agent:
        losses.started(connection)
        try:
            return Collector(agent, plan, journal, progress).run(command)
        finally:
            losses.agent_alive = agent.alive


@dataclass
class _Losses:
    """What was lost since the last burst, and whether to wait for it.

    Attributes:
        journal: Learns of every loss and of every return.
        progress: Shows them.
        patience_s: How long to wait in all.
        agent_alive: Whether the latest agent could have gone on: then its error was not a loss.
    """

    journal: ProfileJournal
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
            self.journal.add_resumed(f"after {time.monotonic() - self._lost_s:.1f} s and {self._waits} tries")
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
            self.journal.add_event(error.what)
        self._is_running = False
        pause_s = min(_FIRST_PAUSE_S * 2**self._waits, _LONGEST_PAUSE_S)
        left_s = max(0.0, self._lost_s + self.patience_s - time.monotonic())
        self._waits += 1
        self.progress.say(f"{error.what} Trying again in {pause_s:.1f} s, for {left_s:.0f} s at most.")
        time.sleep(pause_s)

    def _count(self) -> None:
        """Begins anew when something was measured since the last loss."""
        timed = self.journal.bursts - len(self.journal.unconfirmed)
        known = timed + len(self.journal.models) + len(self.journal.failed)
        if known > self._known:
            self._known, self._lost_s, self._waits, self._deaths = known, time.monotonic(), 0, 0
