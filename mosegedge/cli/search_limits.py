"""Limits of a search as they are typed: `30`, `atlas=30`, `1.5M`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from mosegedge.search.limits import Limit

_PREFIXES = {"k": 1e3, "M": 1e6, "G": 1e9}


def limits_of(
    *,
    latency_ms: Sequence[str] | None,
    flops: str | None,
    params: str | None,
    energy_mj: Sequence[str] | None,
    memory_mib: Sequence[str] | None,
    miou: float | None,
) -> tuple[float | None, tuple[Limit, ...]]:
    """The limit on latency that holds on every profile, if there is one, and all others.

    Args:
        latency_ms: Values of --max-latency-ms.
        flops: Of --max-flops.
        params: Of --max-params.
        energy_mj: Of --max-energy-mj.
        memory_mib: Of --max-memory-mib.
        miou: Of --min-miou.

    Raises:
        UsageError: One of them cannot be read.
    """
    from mosegedge.search.limits import Limit

    everywhere: float | None = None
    found = []
    for name, texts in (("latency", latency_ms), ("energy", energy_mj), ("memory", memory_mib)):
        for text in texts or ():
            label, _, number = text.rpartition("=")
            value = _number(number, text)
            if name == "latency" and not label:
                if everywhere is not None:
                    raise UsageError(
                        f"--max-latency-ms is given twice: {everywhere:g} and {text}.",
                        fix="Give it once, or for one device each: --max-latency-ms atlas=30",
                    )
                everywhere = value
            else:
                found.append(Limit(objective=f"{name}@{label}" if label else name, bound=value))
    for name, given in (("flops", flops), ("params", params)):
        if given is not None:
            found.append(Limit(objective=name, bound=_number(given, given)))
    if miou is not None:
        found.append(Limit(objective="miou", bound=miou))
    return everywhere, tuple(found)


def _number(text: str, given: str) -> float:
    factor = _PREFIXES.get(text[-1:], 1.0)
    try:
        return float(text[:-1] if text[-1:] in _PREFIXES else text) * factor
    except ValueError as error:
        raise UsageError(
            f"The limit {given!r} cannot be read.",
            known="A limit is a number, as 30 or 1.5M, or that of one device, as atlas=30.",
            fix="--max-latency-ms 30",
        ) from error
