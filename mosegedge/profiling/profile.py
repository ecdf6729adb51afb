"""Profile: what layers and networks cost on one device, with everything that a reader needs to trust the numbers.

The fields here are the file format (see profiles/README.md); `profile_text` writes and reads the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mosegedge.errors import ArchitectureError, ProfileError
from mosegedge.profiling.formula import Formula, Overflow, entry_costs, entry_terms
from mosegedge.profiling.latency import LatencyModel
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.space import SCALES

Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ScaleDigit = Annotated[str, Field(pattern="^[0-4]$")]


class Section(BaseModel):
    """A part of the file; unknown fields are refused, values are never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class SpaceReference(Section):
    """The search space that was measured."""

    name: str
    slug: str = Field(description="the space in names of folders")
    digest: Digest


class DeviceSection(Section):
    """The device: what it is called, what it is, and what it was doing."""

    name: str
    backend: str
    hardware: dict[str, Any]
    system: dict[str, Any]
    vendor: dict[str, Any]
    settings: dict[str, str] = Field(description="what only the backend knows, as written in devices.toml")
    conditions: list[dict[str, Any]] = Field(description="clocks, temperature, load at the start of each pass")


class ProtocolSection(Section):
    """How it was measured."""

    scales: list[Annotated[int, Field(ge=0, lt=SCALES)]] = Field(min_length=1)
    statistic: Literal["quantile10", "median"] = Field(description="what value_ms is of all timed runs of a model")
    passes: Count
    bursts: Count
    warmup: str
    samples: str
    clock: Literal["host", "device"] = Field(description="whose time counts: the launch included, or the device's own")
    threads: Annotated[int, Field(ge=1)]
    batch: Literal[1] = 1
    precision: str
    opset: int
    io_included: Literal[False] = Field(
        default=False, description="inputs and outputs stay in the runtime's memory; copying pictures is not timed"
    )
    seed: Count
    restarts: Count = Field(description="how often the agent had to be started again")


class Timing(Section):
    """What all timed models have."""

    value_ms: Milliseconds
    median_ms: Milliseconds
    p95_ms: Milliseconds
    n: Annotated[int, Field(ge=1)]
    grade: Literal["A", "B", "C"]
    reason: str


class LayerEntry(Timing):
    """One row of the look-up table, by the key of its layer."""

    key: str


class NetworkEntry(Timing):
    """One whole network."""

    code: str
    role: Literal["fit", "held-out"]

    @field_validator("code")
    @classmethod
    def _names_a_network(cls, code: str) -> str:
        try:
            return str(Architecture.parse(code))
        except ArchitectureError as error:
            raise ValueError(str(error)) from error


class FailedEntry(Section):
    """A model that the device could not run."""

    key: str
    error: str


class NoteEntry(Section):
    """What the device's compiler said of some models."""

    text: str
    models: Annotated[int, Field(ge=1)]


class OverflowSection(Section):
    """What weights cost that the cache cannot hold."""

    held_million: Number
    ms_per_million: Number


class ModelSection(Section):
    """The formula of the latency model (see `mosegedge.profiling.formula`)."""

    coefficients: dict[str, Number]
    overflow: OverflowSection | None = None
    constants_ms: dict[ScaleDigit, Number]
    relative_sd: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ErrorSection(Section):
    """How well the model predicts the held-out networks, with simpler predictors beside it."""

    networks: Count
    kendall_tau: Number
    spearman: Number
    mape: Number
    bias: Number
    worst: Number
    by_scale_kendall_tau: dict[ScaleDigit, Number]
    flops_kendall_tau: Number
    by_scale_flops_kendall_tau: dict[ScaleDigit, Number]
    params_kendall_tau: Number
    sum_of_layers_kendall_tau: Number
    sum_of_layers_mape: Number


class RepeatabilitySection(Section):
    """How well two halves of the same measurement agree: no model can be better."""

    networks_kendall_tau: Number
    networks_mape: Number
    layers_mape: Number
    drift: Number = Field(description="spread of the sentinel layers' value from pass to pass, relative")


class Profile(Section):
    """Everything that was measured and concluded in one go, never rewritten."""

    schema_number: Literal[2] = Field(default=2, alias="schema")
    version: Annotated[int, Field(ge=1)]
    parent: Annotated[int, Field(ge=1)] | None
    origin: Literal["measured", "simulated"]
    created: datetime = Field(strict=False)
    mosegedge: str
    command: str
    space: SpaceReference
    device: DeviceSection
    protocol: ProtocolSection
    entries: list[LayerEntry] = Field(min_length=1)
    networks: list[NetworkEntry]
    failed: list[FailedEntry]
    notes: list[NoteEntry]
    model: ModelSection
    error: ErrorSection
    repeatability: RepeatabilitySection
    digest: Digest | None = Field(default=None, description="SHA-256 of the canonical JSON of all other fields")

    @field_validator("entries")
    @classmethod
    def _one_entry_a_layer(cls, entries: list[LayerEntry]) -> list[LayerEntry]:
        if len({entry.key for entry in entries}) < len(entries):
            raise ValueError("a layer has two entries")
        return entries

    @property
    def name(self) -> str:
        """What `load_profile` takes: `local/tiny-fp32/v1`."""
        return f"{self.device.name}/{self.series}/v{self.version}"

    @property
    def series(self) -> str:
        """Folder of all versions of this measurement: space and precision, and the threads where there are several."""
        return series_name(self.space.slug, precision=self.protocol.precision, threads=self.protocol.threads)

    def latency_model(self, space: SearchSpace | None = None) -> LatencyModel:
        """The model that predicts the networks of a space.

        Args:
            space: The space; by default it is loaded by its name, which works for shipped presets.

        Raises:
            ProfileError: The profile is of another space.
        """
        space = space or SearchSpace.load(self.space.name)
        if space.digest != self.space.digest:
            raise ProfileError(
                f"The profile of {self.device.name} is of the space {self.space.name} with digest "
                f"{self.space.digest[:12]}, asked for is {space.name} with {space.digest[:12]}.",
                known="Layers of two spaces cost different times even where they look alike.",
                fix=f"Measure this one: mosegedge profile --device {self.device.name} --space {space.name}",
            )
        values = {entry.key: entry.value_ms for entry in self.entries}
        overflow = self.model.overflow
        formula = Formula(
            coefficients=self.model.coefficients,
            overflow=Overflow(**overflow.model_dump()) if overflow else None,
            constants_ms={int(scale): constant for scale, constant in self.model.constants_ms.items()},
            relative_sd=self.model.relative_sd,
        )
        failed = {entry.key: entry.error for entry in self.failed}
        return model_of_formula(space, values, formula, name=self.name, device=self.device.name, failed=failed)


def model_of_formula(
    space: SearchSpace,
    values_ms: Mapping[str, float],
    formula: Formula,
    *,
    name: str,
    device: str,
    failed: Mapping[str, str] | None = None,
) -> LatencyModel:
    """Puts isolated latencies (by the key of their layer) and a formula together."""
    entry_ms = np.array([values_ms.get(spec.key, np.nan) for spec in space.entries])
    terms = entry_terms(space, entry_ms)
    unknown = sorted(set(formula.coefficients) - set(terms))
    if unknown:
        raise ProfileError(
            f"The latency model of the profile has the unknown term {unknown[0]!r}.",
            known=f"Terms: {', '.join(terms)}.",
        )
    constant_ms = np.array([formula.constants_ms.get(scale, np.nan) for scale in range(SCALES)])
    return LatencyModel(
        space=space,
        name=name,
        device=device,
        entry_ms=entry_costs(terms, formula.coefficients),
        overflow=formula.overflow,
        constant_ms=constant_ms,
        relative_sd=formula.relative_sd,
        failed=failed or {},
    )


def series_name(space_slug: str, *, precision: str, threads: int) -> str:
    """Name of the folder of one device's profiles of one space."""
    suffix = "" if threads == 1 else f"-{threads}threads"
    return f"{space_slug}-{precision}{suffix}"
