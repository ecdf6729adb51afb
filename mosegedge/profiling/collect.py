"""Plan + device -> journal: starts an agent, has the collector work with it, and starts another when it ends.

Whatever ends the run, the same command goes on after the last burst on record.
"""

from __future__ import annotations

from mosegedge.devices.agent_client import open_agent
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import AgentError
from mosegedge.profiling.collector import Collector
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import Plan
from mosegedge.progress import Progress

_MOST_STARTS_WITHOUT_PROGRESS = 3


def collect(plan: Plan, journal: ProfileJournal, progress: Progress, *, command: str = "") -> DeviceDescription:
    """Measures everything of a plan that the journal does not hold yet.

    Args:
        plan: What to measure, and where.
        journal: The record to continue.
        progress: Shown while it lasts.
        command: How to go on, for the record.

    Returns:
        What the device said of itself.

    Raises:
        AgentError: The agent ended again and again without a single burst between.
        DeviceBusyError: Another run holds the device.
    """
    starts_without_progress = 0
    while True:
        known = journal.bursts + len(journal.models)
        died = False
        try:
            with open_agent(plan.device) as agent:
                try:
                    return Collector(agent, plan, journal, progress).run(command)
                finally:
                    died = not agent.alive
        except AgentError as error:
            if not died:
                raise
            grew = journal.bursts + len(journal.models) > known
            starts_without_progress = 0 if grew else starts_without_progress + 1
            if starts_without_progress >= _MOST_STARTS_WITHOUT_PROGRESS:
                raise
            if journal.begin_record is not None:
                journal.add_event(f"agent started again: {error.what}")
            progress.say(f"{error.what} Starting it again.")
        except KeyboardInterrupt:
            progress.say(f"Stopped; {journal.bursts} bursts are kept in {journal.path}.")
            raise
