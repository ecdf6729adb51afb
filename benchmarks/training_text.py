"""What the parts of the benchmark of training found, as JSON and as Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.interleaved import Floats, Ratio, Work, low_ms


@dataclass(frozen=True, kw_only=True)
class Value:
    """A time or an amount of memory of one work.

    Attributes:
        network: Name of the work.
        way: The way it was run.
        value: In the unit of its part.
    """

    network: str
    way: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A comparison, perhaps with a bar.

    Attributes:
        what: Is compared.
        ratio: What was found.
        bar: The most that the ratio may be; None where there is no bar.
    """

    what: str
    ratio: Ratio
    bar: float | None = None

    def row(self) -> str:
        """A line of a Markdown table."""
        if self.bar is None:
            return f"| {self.what} | {self.ratio} | - | - |"
        return f"| {self.what} | {self.ratio} | {self.bar:.2f} | {'met' if self.met else 'missed'} |"

    @property
    def met(self) -> bool:
        """Whether the ratio is below the bar; without a bar it is."""
        return self.bar is None or self.ratio.value <= self.bar


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the benchmark.

    Attributes:
        name: Of the part.
        unit: Of its values: `ms` or `MiB`.
        setting: How it was run, and on what.
        values: Of every work.
        verdicts: What is compared.
    """

    name: str
    unit: str
    setting: dict[str, Any]
    values: tuple[Value, ...]
    verdicts: tuple[Verdict, ...] = ()

    def text(self) -> str:
        """A Markdown table of the values, and one of the comparisons."""
        ways = list(dict.fromkeys(value.way for value in self.values))
        networks = list(dict.fromkeys(value.network for value in self.values))
        found = {(value.network, value.way): value.value for value in self.values}
        settings = ", ".join(f"{name} {value}" for name, value in self.setting.items())
        lines = [
            f"**{self.name}**: {settings}",
            "",
            f"| {self.unit} | {' | '.join(ways)} |",
            "|---" * (1 + len(ways)) + "|",
        ]
        for network in networks:
            cells = [f"{found[network, way]:.1f}" if (network, way) in found else "-" for way in ways]
            lines.append(f"| {network} | {' | '.join(cells)} |")
        if self.verdicts:
            lines += ["", "| compared | ratio (halves of the rounds) | at most | |", "|---|---|---|---|"]
            lines += [verdict.row() for verdict in self.verdicts]
        return "\n".join(lines)


def times_of(seconds: Mapping[Work, Floats]) -> tuple[Value, ...]:
    """The times of all works, in milliseconds."""
    return tuple(
        Value(network=work.network, way=work.way, value=round(low_ms(values), 2)) for work, values in seconds.items()
    )


def save(path: Path, part: Part) -> None:
    """Adds a part to a file of results; one of the same name on the same space takes the place of the older one."""
    older = [found for found in read(path) if _key(found) != _key(part)] if path.exists() else []
    parts = sorted([*older, part], key=_key)
    path.write_text(json.dumps([asdict(one) for one in parts], indent=1) + "\n")


def read(path: Path) -> Sequence[Part]:
    """The parts of a file of results."""
    return [
        Part(
            name=part["name"],
            unit=part["unit"],
            setting=part["setting"],
            values=tuple(Value(**value) for value in part["values"]),
            verdicts=tuple(
                Verdict(what=one["what"], ratio=Ratio(**one["ratio"]), bar=one["bar"]) for one in part["verdicts"]
            ),
        )
        for part in json.loads(path.read_text())
    ]


def _key(part: Part) -> tuple[str, str]:
    return part.name, str(part.setting["space"])
