"""Which of several processes this one is, as `torchrun` says in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mosegedge.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process among those that share a search or a training.

    Attributes:
        rank: Its number; 0 leads.
        size: How many there are.
        beside: How many of them are on this machine, itself among them.
        host: Where rank 0 runs, and the launcher's store.
        port: Of the store.
        hosted: Whether the launcher runs the store; rank 0 does it otherwise.
    """

    rank: int = 0
    size: int = 1
    beside: int = 1
    host: str = ""
    port: int = 0
    hosted: bool = False


ALONE = Member()


def member_from(environ: Mapping[str, str]) -> Member:
    """Reads the variables that `torchrun` sets; without WORLD_SIZE there is one process.

    Raises:
        UsageError: There are several, and another variable is missing or makes no sense.
    """
    size = _number(environ, "WORLD_SIZE", least=1) if "WORLD_SIZE" in environ else 1
    if size == 1:
        return ALONE
    rank = _number(environ, "RANK", least=0)
    if rank >= size or not environ.get("MASTER_ADDR"):
        raise _wrong("RANK" if rank >= size else "MASTER_ADDR", environ)
    return Member(
        rank=rank,
        size=size,
        beside=_number(environ, "LOCAL_WORLD_SIZE", least=1) if "LOCAL_WORLD_SIZE" in environ else size,
        host=environ["MASTER_ADDR"],
        port=_number(environ, "MASTER_PORT", least=1),
        hosted=environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
    )


def _number(environ: Mapping[str, str], name: str, *, least: int) -> int:
    text = environ.get(name, "")
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise _wrong(name, environ)
    return int(text)


def _wrong(name: str, environ: Mapping[str, str]) -> UsageError:
    several = "" if name == "WORLD_SIZE" else f"WORLD_SIZE is {environ['WORLD_SIZE']} and "
    return UsageError(
        f"{several}{name} is {environ.get(name) or 'not set'}.",
        known="These variables are set by the launcher of several processes that share a search or a training.",
        fix="Start it by `torchrun --nproc-per-node N -m mosegedge ...`, or unset WORLD_SIZE for one process.",
    )
