"""Objectives: quantities of a network that a search trades off, with a name, a unit and a direction.

`latency`, `energy` and `memory` come from a profile. Without more they are those of the first profile of a search;
those of another one carry its label, as `latency@atlas`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mosegedge.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What can be an objective.

    Attributes:
        name: In settings and on the command line.
        title: For people.
        unit: Of its values; empty where it has none.
        scale: Values are divided by it before they are shown.
        maximised: Whether more is better.
        of_device: Whether it comes from a profile.
    """

    name: str
    title: str
    unit: str = ""
    scale: float = 1.0
    maximised: bool = False
    of_device: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="miou", title="mIoU", maximised=True),
        Kind(name="latency", title="latency", unit="ms", of_device=True),
        Kind(name="flops", title="FLOPs", unit="M", scale=1e6),
        Kind(name="params", title="parameters", unit="M", scale=1e6),
        Kind(name="energy", title="energy", unit="mJ", of_device=True),
        Kind(name="memory", title="memory", unit="MiB", of_device=True),
    )
}


@dataclass(frozen=True)
class Objective:
    """One quantity of a network.

    Args:
        kind: What it is.
        label: The profile that it comes from, where that is not the first one of the search.
    """

    kind: Kind
    label: str = ""

    @property
    def name(self) -> str:
        """`latency`, or `latency@atlas`."""
        return f"{self.kind.name}@{self.label}" if self.label else self.kind.name

    @property
    def maximised(self) -> bool:
        """Whether more is better."""
        return self.kind.maximised

    @property
    def unit(self) -> str:
        """Of its values as they are shown."""
        return self.kind.unit

    @property
    def words(self) -> str:
        """For people: `latency on atlas`."""
        return f"{self.kind.title} on {self.label}" if self.label else self.kind.title

    @property
    def title(self) -> str:
        """With the unit: `latency on atlas, ms`."""
        return self.words + (f", {self.unit}" if self.unit else "")

    def named(self, device: str) -> Objective:
        """The same for people where several devices play a part.

        Args:
            device: What the first profile of the search is called; empty where that is not known.
        """
        return Objective(self.kind, device) if self.kind.of_device and not self.label else self

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return f"{value / self.kind.scale:.4g}" + (f" {self.unit}" if self.unit else "")


MIOU = Objective(KINDS["miou"])
LATENCY = Objective(KINDS["latency"])
Objectives = tuple[Objective, ...]

ACCURACY_AND_LATENCY: Objectives = (MIOU, LATENCY)


def objective(name: str) -> Objective:
    """The objective of this name.

    Raises:
        UsageError: There is none, or it cannot have a label.
    """
    kind, _, label = name.partition("@")
    found = KINDS.get(kind)
    if found is None or (name != kind and not (found.of_device and label)):
        raise UsageError(
            f"There is no objective {name!r}.",
            known=f"Known: {', '.join(KINDS)}; latency, energy and memory of another profile as latency@LABEL.",
            fix="Choose with --objectives, as miou,latency,params.",
        )
    return Objective(found, label)


def objectives_of(names: Sequence[str]) -> Objectives:
    """Two or more different objectives.

    Raises:
        UsageError: There are fewer, or one of the names is none.
    """
    found = tuple(objective(name) for name in names)
    if len(found) < 2 or len(set(found)) < len(found):
        raise UsageError(
            f"The objectives are {', '.join(names) or 'none'}; a trade-off needs two or more different ones.",
            known=f"Known: {', '.join(KINDS)}.",
            fix="Name them: --objectives miou,latency",
        )
    return found


def costs_among(objectives: Objectives) -> Objectives:
    """Those that are minimised, in their order."""
    return tuple(one for one in objectives if not one.maximised)
