"""What is printed about energy and memory in a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.profiling.profile import Profile
    from mosegedge.profiling.sections import CostSection


def costs_text(found: Profile) -> str:
    """Two lines or more: energy, and memory."""
    if found.costs is None:
        return "energy      not measured\nmemory      not measured\n"
    energies = [entry.energy_mj for entry in found.networks if entry.energy_mj is not None]
    memories = [entry.memory_mib for entry in found.networks if entry.memory_mib is not None]
    layers = sum(entry.energy_mj is not None for entry in found.entries)
    beside = f" and {layers} layers" if layers else ""
    return _text("energy", found.costs.energy, energies, "mJ", beside) + _text(
        "memory", found.costs.memory, memories, "MiB", ""
    )


def _text(name: str, section: CostSection, values: list[float], unit: str, beside: str) -> str:
    if not section.measured:
        return f"{name:12}not measured: {section.words}\n"
    spread = f"{min(values):.4g} to {max(values):.4g} {unit}, " if values else ""
    rest = "" if section.idle_w is None else f"; {section.idle_w:.3g} W without work"
    lines = [f"{name:12}{spread}{len(values)} networks{beside}: {section.words}{rest}"]
    if error := section.error:
        lines.append(
            f"{'':12}model: tau {error.kendall_tau:.3f}, MAPE {error.mape:.2%} on {error.networks} other networks, "
            f"{error.coverage90:.0%} inside the 90 % interval"
        )
    return "\n".join(lines) + "\n"
