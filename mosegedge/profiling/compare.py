"""Two profiles of one space, entry by entry: how far apart they are, and whether that is more than chance.

The test. Of each entry the difference after - before is set against its standard error. That of one entry comes from
eight groups of its bursts, too few to be relied on for one entry among hundreds, so the variance is averaged with that
of a typical entry of the same profile (from how well the two halves of the measurement agree). Student's t distribution
with 28 degrees of freedom, 7 for each of the four variances, says how rare such a quotient is. A rank test of the raw
samples would be wrong: runs of one burst are not independent. Among many p values the rule of Benjamini and Hochberg
bounds the share of false alarms: of all entries said to differ, one in twenty may differ by chance.

Since a clock or a neighbour moves all entries at once, the same test is made a second time after dividing by the common
factor, the median ratio: what still differs has changed on its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from mosegedge.errors import ProfileError
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import LayerEntry, NetworkEntry

Floats = NDArray[np.float64]

FALSE_ALARMS = 0.05
"""Share of chance findings among the entries that are said to differ."""

_KIND = re.compile("[a-z]{2,}|s[0-9]")
_FREEDOM = 28
_SE_A_DISAGREEMENT = 0.6267  # standard error of a value, by the mean distance of its halves, both normal
_RESOLUTION_MS = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry in both profiles.

    Attributes:
        key: The layer's key or the network's code.
        kind: What sort of layer it is: `bottleneck id s1`, `network`.
        before_ms: Its value in the first profile.
        after_ms: Its value in the second.
        relative: after / before - 1.
        errors: The difference in units of its standard error.
        q: Smallest share of false alarms at which it counts as different.
        beyond: How far it is from the common factor, relative.
        beyond_q: The same as `q` for that.
    """

    key: str
    kind: str
    before_ms: float
    after_ms: float
    relative: float
    errors: float
    q: float
    beyond: float
    beyond_q: float

    @property
    def differs(self) -> bool:
        """Whether the two values differ by more than chance."""
        return self.q <= FALSE_ALARMS

    @property
    def stands_out(self) -> bool:
        """Whether it changed on its own, beyond what all have in common."""
        return self.beyond_q <= FALSE_ALARMS


@dataclass(frozen=True)
class Changes:
    """All entries of one sort that both profiles have.

    Attributes:
        rows: One a common entry, those that changed most first.
        only_before: Entries that the first profile alone has.
        only_after: Entries that the second alone has.
    """

    rows: tuple[Change, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()

    @cached_property
    def median_ratio(self) -> float | None:
        """The common factor; None where they have no entry in common."""
        return float(np.median([row.relative + 1 for row in self.rows])) if self.rows else None

    @property
    def different(self) -> int:
        """Number of entries that differ by more than chance."""
        return sum(row.differs for row in self.rows)

    @property
    def standing_out(self) -> int:
        """Number of entries that changed beyond the common factor."""
        return sum(row.stands_out for row in self.rows)

    def by_kind(self) -> dict[str, Changes]:
        """The same by kind of layer."""
        kinds = sorted({row.kind for row in self.rows})
        return {kind: Changes(tuple(row for row in self.rows if row.kind == kind)) for kind in kinds}


def compare_layers(before: Profile, after: Profile) -> Changes:
    """Compares the layers.

    Raises:
        ProfileError: The profiles are of two spaces.
    """
    require_one_space(before, after)
    return _compare(
        {entry.key: entry for entry in before.entries},
        {entry.key: entry for entry in after.entries},
        before.repeatability.layers_mape or 0.0,
        after.repeatability.layers_mape or 0.0,
    )


def compare_networks(before: Profile, after: Profile) -> Changes:
    """Compares the whole networks that both profiles measured.

    Raises:
        ProfileError: The profiles are of two spaces.
    """
    require_one_space(before, after)
    return _compare(
        {entry.code: entry for entry in before.networks},
        {entry.code: entry for entry in after.networks},
        before.repeatability.networks_mape,
        after.repeatability.networks_mape,
    )


def require_one_space(before: Profile, after: Profile) -> None:
    """Raises ProfileError where two profiles are of different spaces."""
    if before.space.digest != after.space.digest:
        raise ProfileError(
            f"{before.name} is of the space {before.space.name} ({before.space.digest[:12]}), {after.name} of "
            f"{after.space.name} ({after.space.digest[:12]}).",
            known="Layers of two spaces are different layers even where they look alike.",
            fix="Name two profiles of one space: mosegedge profiles list",
        )


def kind_of(key: str) -> str:
    """What sort of layer a key names, without widths and sizes: `bottleneck proj s2`."""
    return " ".join(word for word in key.split(" ") if _KIND.fullmatch(word)) or key


def standard_errors(entries: Sequence[LayerEntry | NetworkEntry], disagreement: float) -> Floats:
    """Standard error in ms of each entry, averaged with that of a typical entry.

    Args:
        entries: Layers or networks of one profile.
        disagreement: Mean distance of the halves of such entries, relative.
    """
    values_ms = np.array([entry.value_ms for entry in entries])
    own_ms = np.array([entry.se_ms for entry in entries])
    typical_ms = _SE_A_DISAGREEMENT * disagreement * values_ms
    known = own_ms > 0
    variance = np.where(known, (np.square(own_ms) + np.square(typical_ms)) / 2, np.square(typical_ms))
    return np.asarray(np.sqrt(variance + _RESOLUTION_MS**2))


def false_alarm_shares(p: Floats) -> Floats:
    """Benjamini and Hochberg: of each p value, the smallest share of false alarms at which it is a finding."""
    order = np.argsort(p)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return found


def _compare(
    before: Mapping[str, LayerEntry | NetworkEntry],
    after: Mapping[str, LayerEntry | NetworkEntry],
    disagreement_before: float,
    disagreement_after: float,
) -> Changes:
    common = sorted(set(before) & set(after))
    only_before, only_after = tuple(sorted(set(before) - set(after))), tuple(sorted(set(after) - set(before)))
    if not common:
        return Changes((), only_before, only_after)
    first, second = [before[key] for key in common], [after[key] for key in common]
    old_ms, new_ms = (np.array([entry.value_ms for entry in side]) for side in (first, second))
    old_se_ms = standard_errors(first, disagreement_before)
    new_se_ms = standard_errors(second, disagreement_after)
    factor = float(np.median(new_ms / old_ms))
    errors, q = _test(old_ms, new_ms, old_se_ms, new_se_ms)
    _, beyond_q = _test(factor * old_ms, new_ms, factor * old_se_ms, new_se_ms)
    rows = [
        Change(
            key=key,
            kind="network" if isinstance(first[place], NetworkEntry) else kind_of(key),
            before_ms=float(old_ms[place]),
            after_ms=float(new_ms[place]),
            relative=float(new_ms[place] / old_ms[place] - 1),
            errors=float(errors[place]),
            q=float(q[place]),
            beyond=float(new_ms[place] / (factor * old_ms[place]) - 1),
            beyond_q=float(beyond_q[place]),
        )
        for place, key in enumerate(common)
    ]
    return Changes(tuple(sorted(rows, key=lambda row: -abs(row.relative))), only_before, only_after)


def _test(old_ms: Floats, new_ms: Floats, old_se_ms: Floats, new_se_ms: Floats) -> tuple[Floats, Floats]:
    """Differences in standard errors, and at which share of false alarms each counts."""
    errors = (new_ms - old_ms) / np.hypot(old_se_ms, new_se_ms)
    return errors, false_alarm_shares(np.asarray(2 * stdtr(_FREEDOM, -np.abs(errors))))
