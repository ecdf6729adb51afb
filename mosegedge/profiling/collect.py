"""Plan + device -> journal: has the collector work with an agent, and with the next one where that is lost."""

from __future__ import annotations

from mosegedge.devices.replies import DeviceDescription
from mosegedge.profiling.collector import Collector
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.losses import PATIENCE_S, outlasting_losses
from mosegedge.profiling.plan import Plan
from mosegedge.progress import Progress


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
    return outlasting_losses(
        plan.device,
        journal,
        progress,
        lambda agent: Collector(agent, plan, journal, progress).run(command),
        settled=lambda: journal.bursts - len(journal.unconfirmed) + len(journal.models) + len(journal.failed),
        run=journal.run,
        patience_s=patience_s,
        accept_new_host_key=accept_new_host_key,
    )
