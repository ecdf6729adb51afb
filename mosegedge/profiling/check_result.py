"""From the record of a check to the next version of a profile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import numpy as np

from mosegedge import __version__
from mosegedge.errors import ProfileError
from mosegedge.files import sha256_of_file
from mosegedge.profiling.anchors import slowdown_by
from mosegedge.profiling.check_record import CheckRecord
from mosegedge.profiling.facts import DIGITS, timing_of
from mosegedge.profiling.fresh import FEWEST
from mosegedge.profiling.judge import Judged, certify
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.measurement import Measurement, Statistic
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import NetworkEntry
from mosegedge.space import Architecture


def checked_profile(
    profile: Profile, model: LatencyModel, record: CheckRecord, *, version: int, command: str
) -> Profile:
    """The profile with the networks of a check and the certificate that follows from them.

    Networks of an earlier check give way to the new ones.

    Args:
        profile: What was checked.
        model: Its latency model.
        record: What was measured.
        version: Of the result.
        command: The command line, kept in it.

    Raises:
        ProfileError: Too few networks could be measured.
    """
    statistic = profile.protocol.statistic
    measured = _measured(record, profile)
    anchors_ms = {code: one.value_ms(statistic) for code, one in _timed(record, profile, "anchors").items()}
    judged = Judged(
        codes=model.space.encode([Architecture.parse(code) for code in measured]),
        measured_ms=np.array([round(one.value_ms(statistic), DIGITS) for one in measured.values()]),
        halves_ms=np.array([one.halves_ms(statistic) for one in measured.values()]),
    )
    now = datetime.now(UTC).replace(microsecond=0)
    values_ms = {entry.key: entry.value_ms for entry in profile.entries}
    others = [entry for entry in profile.networks if entry.role != "check"]
    return profile.model_copy(
        update={
            "version": version,
            "parent": profile.version,
            "created": now,
            "mosegedge": __version__,
            "command": command,
            "networks": [*others, *(_entry(code, one, statistic) for code, one in sorted(measured.items()))],
            "certificate": certify(
                model,
                judged,
                values_ms,
                source="check",
                measured=now.date(),
                slowdown=slowdown_by(profile.networks, anchors_ms),
            ),
            "journal_sha256": sha256_of_file(record.path),
            "digest": None,
        }
    )


def _measured(record: CheckRecord, profile: Profile) -> dict[str, Measurement]:
    measured = _timed(record, profile, "codes")
    if len(measured) < FEWEST:
        codes = (record.begin or {})["codes"]
        raise ProfileError(
            f"Only {len(measured)} of {len(codes)} networks could be measured.",
            known=next((record.failed[code] for code in codes if code in record.failed), ""),
            fix="Start again with --restart and other networks, or measure again: mosegedge profile.",
        )
    return measured


def _timed(record: CheckRecord, profile: Profile, which: Literal["codes", "anchors"]) -> dict[str, Measurement]:
    """What was timed of the fresh networks, or of the anchors; a record of an older version has none of these."""
    codes = (record.begin or {}).get(which, [])
    found = {code: record.measurement(code, clock=profile.protocol.clock) for code in codes}
    return {code: measurement for code, measurement in found.items() if measurement is not None}


def _entry(code: str, measurement: Measurement, statistic: Statistic) -> NetworkEntry:
    return NetworkEntry(code=code, role="check", **timing_of(measurement, statistic).model_dump())
