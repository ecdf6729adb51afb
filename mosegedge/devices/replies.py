"""What an agent says, checked field by field: a reply that breaks the protocol is found where it is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Reply(BaseModel):
    """Fields that a newer agent adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Hello(_Reply):
    """The first reply: whom we talk to and where files go."""

    protocol: int
    agent: str
    backend: str
    pid: int
    models: str
    tensors: str


class DeviceDescription(_Reply):
    """What a device is, and what it was doing when it was asked."""

    backend: str
    hardware: dict[str, Any]
    system: dict[str, str]
    conditions: dict[str, Any]
    vendor: dict[str, Any]

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What must be equal for two measurements to be of the same device."""
        return {"hardware": self.hardware, "system": self.system, "vendor": self.vendor}


class Port(_Reply):
    """An input or output of a model."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Artefact(_Reply):
    """The file that the device runs: the ONNX file itself, or what its compiler made of it."""

    path: str
    format: str
    sha256: Digest
    bytes: int
    build_s: float
    cached: bool
    notes: tuple[str, ...] = ()


class LoadedModel(_Reply):
    """A model that can be timed and run.

    `resident_mib` is the memory of the agent's process, `accelerator_mib` what is used and what there is in all on an
    accelerator with memory of its own.
    """

    model: Digest
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    resident_mib: int = 0
    accelerator_mib: tuple[int, int] | None = None
    artefact: Artefact


class Burst(_Reply):
    """Some timed runs of one model, close together; raw nanoseconds by the host's clock and by the device's own."""

    index: int
    model: Digest
    warmup_ns: tuple[int, ...]
    samples_ns: Annotated[tuple[int, ...], Field(min_length=1)]
    device_ns: tuple[int, ...] = ()
    preempted: tuple[int, ...]

    @property
    def raw(self) -> dict[str, Any]:
        """What a record of it holds."""
        return self.model_dump(include={"warmup_ns", "samples_ns", "device_ns", "preempted"})

    def ns(self, clock: str) -> tuple[int, ...]:
        """The samples by one clock, `host` or `device`; empty where the device has none of its own."""
        return self.device_ns if clock == "device" else self.samples_ns


class LayerTime(_Reply):
    """Time of one layer inside a network; `nodes` are the ONNX nodes that the runtime made it of."""

    name: str
    kind: str
    ns: int
    nodes: tuple[str, ...] = ()
    note: str = ""


class Check(_Reply):
    """One finding of a backend's own doctor."""

    name: str
    status: Literal["ok", "warning", "failed"]
    found: str
    fix: str = ""


class Timed(_Reply):
    """End of a series of bursts."""

    timed: int
    before: dict[str, Any]
    after: dict[str, Any]


class OutputTensor(_Reply):
    """One output of `run`, waiting on the device as a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: Digest


class EnergySensor(_Reply):
    """What counts energy, with its resolution while the device rests."""

    name: str
    counts: bool
    step_ms: float
    step_mj: float
    burst_ms: float


class EnergyReading(_Reply):
    """Energy of a model: what the sensor counted in `ns`, during `runs`; `energy_mj` is that of one, gross."""

    model: Digest
    runs: Annotated[int, Field(ge=1)]
    ns: int
    mj: float
    energy_mj: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Energies(_Reply):
    """Readings in the order of the models until one failed, and why that was; `rest_w` is the power without work."""

    sensor: EnergySensor | None = None
    reason: str = ""
    rest_w: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] = ()
    readings: tuple[EnergyReading, ...] = ()


class MemoryNeed(_Reply):
    """Memory that a model needs and how that was measured, or why it was not."""

    mib: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    how: str = ""
    reason: str = ""
