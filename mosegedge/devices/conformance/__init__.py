"""Whether a device's backend keeps to the protocol, for those who write one.

In: a device. Out: a report with named checks, each of which starts from a running agent of that device. A check that
fails says what was sent, what came back and what should have come; the others go on with a fresh agent.

    report.py     ConformanceReport
    raw.py        an agent without the client between: what it really says
    models.py     small models with known answers
    bench.py      what checks work with: agents, files, the description
    checks.py     the conversation: hello, describe, lock
    answers.py    models: outputs, times, layers, refusals, the end

Example:
    >>> from mosegedge.devices.conformance import check_conformance
    >>> check_conformance(load_device("local"), progress=Silent()).require_passed()  # doctest: +SKIP
"""

from __future__ import annotations

from mosegedge.devices.conformance.report import ConformanceCheck, ConformanceReport
from mosegedge.devices.inventory import Device
from mosegedge.progress import Progress

__all__ = ["ConformanceCheck", "ConformanceReport", "check_conformance"]


def check_conformance(device: Device, *, progress: Progress, accept_new_host_key: bool = False) -> ConformanceReport:
    """Starts agents on a device and checks what they say.

    Args:
        device: The device; its lock must be free.
        progress: Told about every check.
        accept_new_host_key: Trust a device whose host key is not known yet.

    Raises:
        DeviceBusyError: Another run holds the device.
        DeviceError: The device cannot be reached; what its agent does wrong is in the report.
    """
    from mosegedge.devices.conformance.answers import ANSWER_CHECKS
    from mosegedge.devices.conformance.bench import Bench
    from mosegedge.devices.conformance.checks import CONVERSATION_CHECKS, only_the_protocol, require_free
    from mosegedge.devices.connection import connect

    # What was printed between replies is known at the end.
    checks = {**CONVERSATION_CHECKS, **ANSWER_CHECKS, "nothing but the protocol on stdout": only_the_protocol}
    found = []
    progress.start("conformance", len(checks))
    with connect(device, accept_new_host_key=accept_new_host_key) as connection, Bench(connection, device) as bench:
        require_free(bench)
        for name, check in checks.items():
            found.append(bench.checked(name, check))
            progress.advance(note=name)
    return ConformanceReport(device.name, tuple(found))
