"""Reads the verification of exported networks that lie in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mosegedge.errors import ArchitectureError, SearchError
from mosegedge.report.records import Finite
from mosegedge.report.run import parse, read_json
from mosegedge.space import Architecture

FOLDER = "bundles"
Milliseconds = Annotated[Finite, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Bundle(_Part):
    code: str


class MeasuredLatency(_Part):
    """Latency of an exported network on its device."""

    median_ms: Milliseconds
    p95_ms: Milliseconds
    low_ms: Milliseconds


class Verification(_Part):
    """`verify.json`; older ones do not say whether the latency is clean."""

    device: str
    agreement: Finite
    latency: MeasuredLatency
    predicted_ms: tuple[Milliseconds, Finite] | None
    fps_card: str
    passed: bool
    clean: bool = True
    origin: str = "measured"

    @property
    def outcome(self) -> str:
        """Whether it passed, and what keeps its latency from being quoted."""
        doubts = [] if self.clean else ["simulated" if self.origin == "simulated" else "throttled"]
        return ", ".join(["passed" if self.passed else "failed", *doubts])


class VerifiedBundle(_Part):
    """A network that was run on its device.

    Attributes:
        name: Of its folder.
        architecture: Its code.
        verification: What the device made of it.
    """

    name: str
    architecture: Architecture
    verification: Verification


def read_bundles(run: Path) -> tuple[VerifiedBundle, ...]:
    """All verified bundles in `RUN/bundles`, by name.

    Raises:
        SearchError: A file is damaged.
    """
    return tuple(_read(path) for path in sorted((run / FOLDER).glob("*/verify.json")))


def _read(path: Path) -> VerifiedBundle:
    manifest = path.parent / "bundle.json"
    if not manifest.is_file():
        raise SearchError(f"{path} has no bundle.json beside it.", fix="Export the network again.")
    try:
        architecture = Architecture.parse(parse(_Bundle, read_json(manifest), manifest).code)
    except ArchitectureError as error:
        raise SearchError(f"{manifest} is damaged: {error}.", fix="Export the network again.") from error
    verification = parse(Verification, read_json(path), path)
    return VerifiedBundle(name=path.parent.name, architecture=architecture, verification=verification)
