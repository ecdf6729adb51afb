"""What of a search's settings holds on another device, and what takes the place of the rest.

Costs and limits of a device mean nothing on another one. What cannot be kept is named, never left out in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mosegedge.errors import UsageError
from mosegedge.search.config import SearchConfig
from mosegedge.search.objectives import Objective
from mosegedge.search.pick import Pick


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A setting of the search that the replay does without.

    Attributes:
        setting: Its name: `objectives`, `limits`, `latency` or `pick`.
        there: What the search had.
        here: What holds in its place; empty where nothing does.
        reason: Why.
    """

    setting: str
    there: str
    here: str
    reason: str

    def text(self) -> str:
        """One sentence for people."""
        now = f"{self.here} in the place of {self.there}" if self.here else f"without {self.there}"
        return f"The {self.setting} of this replay: {now}, since {self.reason}."

    def to_json(self) -> dict[str, Any]:
        """As it stands in `replay.json`."""
        return {"setting": self.setting, "there": self.there, "here": self.here, "reason": self.reason}


def carried_over(
    config: SearchConfig, device: str, *, max_latency_ms: float | None, pick: str = ""
) -> tuple[SearchConfig, tuple[Replaced, ...]]:
    """The settings of a search for one other device.

    Args:
        config: Those of the search.
        device: What the other device is called.
        max_latency_ms: Limit there.
        pick: How networks are picked, where the user says so; as in the search by default.

    Returns:
        The settings, and what is not as it was.

    Raises:
        UsageError: The user wants networks picked by what is not known there.
    """
    objectives = tuple(name for name in config.objectives if "@" not in name)
    objectives = objectives if len(objectives) > 1 else SearchConfig().objectives
    given = Pick.parse(pick or config.pick)
    wanted = _on(given, pick or config.pick, device)
    unknown = _unknown(Pick.parse(wanted).target, objectives, device) or _meant_for_another(given.target, said=pick)
    if unknown and pick:
        raise UsageError(
            f"Networks cannot be picked by {pick} here: {unknown}.",
            known=f"This replay is for {device} and trades off {', '.join(objectives)}.",
            fix="--pick spread",
        )
    found = replace(
        config,
        objectives=objectives,
        max_latency_ms=max_latency_ms,
        limits=tuple(limit for limit in config.limits if not limit.of.kind.of_device),
        latency="predicted",
        pick=SearchConfig().pick if unknown else wanted,
    )
    return found, tuple(_replaced(config, found, unknown))


def _replaced(there: SearchConfig, here: SearchConfig, unknown: str) -> list[Replaced]:
    found = []
    if there.objectives != here.objectives:
        found.append(
            Replaced(
                setting="objectives",
                there=", ".join(there.objectives),
                here=", ".join(here.objectives),
                reason="costs on further devices are not counted here",
            )
        )
    if lost := _lost_limits(there, here):
        found.append(
            Replaced(
                setting="limits",
                there=" and ".join(lost),
                here=_latency_limit(here),
                reason="they were meant for other devices",
            )
        )
    if there.latency != here.latency:
        found.append(
            Replaced(
                setting="latency", there=there.latency, here=here.latency, reason="it was measured on another device"
            )
        )
    if unknown:
        found.append(Replaced(setting="pick", there=there.pick, here=here.pick, reason=unknown))
    return found


def _lost_limits(there: SearchConfig, here: SearchConfig) -> list[str]:
    common = [_latency_limit(there)] if there.max_latency_ms is not None else []
    return common + [limit.text() for limit in there.limits if limit not in here.limits]


def _latency_limit(config: SearchConfig) -> str:
    return "" if config.max_latency_ms is None else f"latency at most {config.max_latency_ms:g} ms"


def _on(pick: Pick, text: str, device: str) -> str:
    """The way of picking by the names of a replay, in which costs on its device carry no label."""
    if pick.target is None or pick.target.label != device:
        return text
    return f"{pick.target.kind.name}={text.partition('=')[2]}"


def _meant_for_another(target: Objective | None, *, said: str) -> str:
    """Why a cost of the search's own device is no target here, as its limits are none; empty where the user says it."""
    of_device = target is not None and target.kind.of_device and not target.label
    return "it was meant for another device" if of_device and not said else ""


def _unknown(target: Objective | None, objectives: Sequence[str], device: str) -> str:
    """Why networks cannot be picked by a target; empty where they can."""
    if target is None:
        return ""
    if target.label:
        return f"nothing is known of {target.label}, only of {device}"
    if target.kind.name in ("energy", "memory") and target.name not in objectives:
        return f"{target.name} is no objective here"
    return ""
