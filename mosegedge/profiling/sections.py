"""The parts of a profile's file, each with its fields and what they mean (see profiles/README.md)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mosegedge.errors import ArchitectureError
from mosegedge.space import Architecture
from mosegedge.space.space import SCALES

Milliseconds = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
FolderName = Annotated[str, Field(pattern=r"^[^/\\\s.\x00-\x1f][^/\\\x00-\x1f]*$")]
Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
ScaleDigit = Annotated[str, Field(pattern="^[0-4]$")]


class Section(BaseModel):
    """A part of the file; unknown fields are refused, values are never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class SpaceReference(Section):
    """The search space that was measured."""

    name: str
    slug: FolderName = Field(description="the space in names of folders")
    digest: Digest


class DeviceSection(Section):
    """The device: what it is called, what it is, and what it was doing."""

    name: FolderName
    backend: str
    hardware: dict[str, Any]
    system: dict[str, Any]
    vendor: dict[str, Any]
    settings: dict[str, str] = Field(description="what only the backend knows, as written in devices.toml")
    conditions: list[dict[str, Any]] = Field(description="clocks, temperature, load at the start of each pass")

    @field_validator("vendor")
    @classmethod
    def _runtime_has_versions(cls, vendor: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(vendor.get("runtime", {}), dict):
            raise ValueError("runtime is no object")
        return vendor

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be equal for two measurements to be of the same device, as `DeviceDescription.fingerprint`."""
        return {"hardware": self.hardware, "system": self.system, "vendor": self.vendor}


class ProtocolSection(Section):
    """How it was measured."""

    scales: list[Annotated[int, Field(ge=0, lt=SCALES)]] = Field(min_length=1)
    statistic: Literal["quantile10", "median"] = Field(description="what value_ms is of all timed runs of a model")
    passes: Count
    bursts: Count
    warmup: str
    samples: str
    stopping: str = Field(description="when a model was timed no further")
    drift: str = Field(default="", description="what was corrected because the device was another one for a while")
    clock: Literal["host", "device"] = Field(description="whose time counts: the launch included, or the device's own")
    threads: Annotated[int, Field(ge=1)]
    affinity: list[Count] | None = Field(
        default=None, description="cores that the agent was bound to; null where it was not, or is not known"
    )
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
    se_ms: NonNegative = Field(description="standard error of value_ms; 0 where it was not computed")
    grade: Literal["A", "B", "C"]
    reason: str
    energy_mj: NonNegative | None = Field(default=None, description="energy of one run; null where not measured")
    memory_mib: NonNegative | None = Field(default=None, description="peak memory; null where not measured")


class LayerEntry(Timing):
    """One row of the look-up table, by the key of its layer."""

    key: str


Role = Literal["fit", "held-out", "check"]
"""`fit` networks went into the model, `held-out` and `check` networks only judge it."""


class NetworkEntry(Timing):
    """One whole network."""

    code: str
    role: Role

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


class SourceSection(Section):
    """A profile whose numbers went into this one."""

    profile: str
    digest: Digest


class RebaseSection(Section):
    """What was measured on a device that had changed, and what was taken over from before the change."""

    source: SourceSection
    changes: list[str] = Field(description="what the device told of itself otherwise")
    factor: Positive = Field(description="new over old; what was not measured again was multiplied by it")
    spread: NonNegative = Field(description="relative standard deviation of the ratios new over old around the factor")
    layers_measured: Count
    layers_carried: Count
    networks_measured: Count
    networks_carried: Count


class NoteEntry(Section):
    """What the device's compiler said of some models."""

    text: str
    models: Annotated[int, Field(ge=1)]


class OverflowSection(Section):
    """What weights cost that the cache cannot hold."""

    held_million: Number
    ms_per_million: Number


class ModelSection(Section):
    """The latency model before it saw whole networks: a formula (see `mosegedge.profiling.formula`) and its spreads.

    The spread of a prediction follows from these, the entries and the networks of role `fit` when a profile is loaded.
    """

    method: Literal["layers", "networks", "both"] = Field(description="what it was fitted to")
    coefficients: dict[str, Number]
    overflow: OverflowSection | None = None
    constants_ms: dict[ScaleDigit, Number]
    additivity_sd: NonNegative = Field(description="relative spread of a row's cost in a network around the formula")
    shared: Share = Field(
        default=0.0,
        description="share of additivity_sd squared that all layers of one part at one scale have in common",
    )
    constant_sd_ms: NonNegative = Field(description="spread of the constant of a scale")
    network_sd: NonNegative = Field(description="relative spread of a measured network that no table explains")
    speed_sd: NonNegative = Field(
        default=0.0,
        description="relative spread of the device's speed between two measurements, common to all networks",
    )


class CertificateSection(Section):
    """How well the model predicts networks it was never fitted on, with simpler predictors beside it."""

    source: Literal["held-out", "check"] = Field(description="role of the networks that it was judged on")
    measured: date = Field(strict=False, description="when they were measured")
    networks: Annotated[int, Field(ge=1)]
    kendall_tau: Number
    spearman: Number
    mape: Number
    bias: Number = Field(description="mean relative error; positive where predictions are too high")
    worst: Number = Field(description="largest relative error")
    coverage90: Share | None = Field(description="share inside the 90 % interval of the prediction; null if not known")
    by_scale_kendall_tau: dict[ScaleDigit, Number]
    flops_kendall_tau: Number
    by_scale_flops_kendall_tau: dict[ScaleDigit, Number]
    params_kendall_tau: Number
    sum_of_layers_kendall_tau: Number | None = Field(description="null where no layer was measured")
    sum_of_layers_mape: Number | None
    repeatability_kendall_tau: Number | None = Field(
        description="of two halves of the measurement of these networks, hardly exceeded by a model; null if not known"
    )
    by_scale_repeatability_kendall_tau: dict[ScaleDigit, Number] | None
    slowdown: Positive | None = Field(
        default=None,
        description="latencies in a check over those in the profile, the median of some networks that are in both; "
        "null where fewer than 5 were timed again",
    )
    slowdown_se: NonNegative | None = Field(default=None, description="relative standard error of the slowdown")
    mape_at_this_speed: Number | None = Field(default=None, description="mape of predictions times the slowdown")
    coverage90_at_this_speed: Share | None = Field(
        default=None,
        description="share inside the interval times the slowdown, with its error instead of the spread of the speed",
    )


class RepeatabilitySection(Section):
    """How well two halves of the same measurement agree: a model can hardly be better."""

    networks_kendall_tau: Number
    by_scale_networks_kendall_tau: dict[ScaleDigit, Number] | None = None
    networks_mape: Number
    layers_mape: Number | None = Field(description="null where no layer was measured")
    drift: Number = Field(description="slowest round of the layers over the fastest, minus 1, before any correction")
    networks_drift: Number | None = Field(default=None, description="the same of the networks")


class RooflineSection(Section):
    """What the device can do at best, each number measured (see `mosegedge.profiling.roofline`)."""

    peak_gmacs_per_s: Positive
    bandwidth_gb_per_s: Positive
    launch_ms: Milliseconds = Field(description="what a model without work takes")
    convolution: str = Field(description="kernel, channels and size of the convolution that reached the peak")
    copied_mib: Positive = Field(description="read and written together for the bandwidth")


class EffortSection(Section):
    """What the measurement cost."""

    wall_s: NonNegative
    timed_s: NonNegative = Field(description="inside bursts, warm-up included")
    build_s: NonNegative = Field(description="building the files of models on the host")
    models: Count
    disk_mib: NonNegative


class CostErrorSection(Section):
    """How far the model of a cost is off on networks that it was not fitted to."""

    networks: Annotated[int, Field(ge=1)]
    kendall_tau: Number
    mape: Number
    coverage90: Share


class CostSection(Section):
    """How energy or memory was measured, or why it was not."""

    measured: bool
    words: str = Field(description="the sensor and the method; where nothing was measured, why")
    idle_w: NonNegative | None = Field(default=None, description="power without work, which energy_mj includes")
    error: CostErrorSection | None = Field(default=None, description="null where no network judged the model")


class CostsSection(Section):
    """What was measured besides time."""

    energy: CostSection
    memory: CostSection
