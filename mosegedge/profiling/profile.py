"""Profile: what layers and networks cost on one device, with everything that a reader needs to trust the numbers.

The fields here and in `sections` are the file format (see profiles/README.md); `profile_text` writes and reads the
file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from mosegedge.errors import ProfileError
from mosegedge.profiling.cost_models import cost_model
from mosegedge.profiling.costs import CostModel
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.model import Evidence, latency_model_of
from mosegedge.profiling.sections import (
    CertificateSection,
    CostsSection,
    DeviceSection,
    Digest,
    EffortSection,
    FailedEntry,
    LayerEntry,
    ModelSection,
    NetworkEntry,
    NoteEntry,
    ProtocolSection,
    RebaseSection,
    RepeatabilitySection,
    RooflineSection,
    Section,
    SourceSection,
    SpaceReference,
)
from mosegedge.space import SearchSpace


class Profile(Section):
    """Everything that was measured and concluded in one go, never rewritten."""

    schema_number: Literal[3] = Field(default=3, alias="schema")
    version: Annotated[int, Field(ge=1)]
    parent: Annotated[int, Field(ge=1)] | None
    origin: Literal["measured", "simulated"]
    created: datetime = Field(strict=False)
    mosegedge: str
    command: str
    space: SpaceReference
    device: DeviceSection
    protocol: ProtocolSection
    entries: list[LayerEntry] = Field(description="empty where only whole networks were measured")
    networks: list[NetworkEntry]
    failed: list[FailedEntry]
    notes: list[NoteEntry]
    model: ModelSection
    certificate: CertificateSection | None = Field(description="null where no network judged the model")
    repeatability: RepeatabilitySection
    roofline: RooflineSection | None = None
    effort: EffortSection | None = None
    costs: CostsSection | None = Field(default=None, description="energy and memory; null where nobody asked for them")
    merged_from: list[SourceSection] | None = Field(default=None, description="null where it is one measurement")
    rebased_from: RebaseSection | None = Field(default=None, description="null where all was measured on this device")
    journal_sha256: Digest | None = Field(default=None, description="of the raw samples beside the file")
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
            ProfileError: The profile is of another space, or its model has numbers that cannot be.
        """
        space = space or SearchSpace.load(self.space.name)
        if space.digest != self.space.digest:
            raise ProfileError(
                f"The profile of {self.device.name} is of the space {self.space.name} with digest "
                f"{self.space.digest[:12]}, asked for is {space.name} with {space.digest[:12]}.",
                known="Layers of two spaces cost different times even where they look alike.",
                fix=f"Measure this one: mosegedge profile --device {self.device.name} --space {space.name}",
            )
        evidence = Evidence(
            space=space,
            entries=self.entries,
            networks=self.networks,
            failed={entry.key: entry.error for entry in self.failed},
        )
        return latency_model_of(evidence, self.model, name=self.name, device=self.device.name)

    def energy_model(self, space: SearchSpace | None = None) -> CostModel:
        """The model that predicts the energy of one run of a network, in mJ.

        Args:
            space: The space; by default it is loaded by its name.

        Raises:
            ProfileError: Energy was not measured (and why), or the profile is of another space.
        """
        section = self.costs.energy if self.costs else None
        return cost_model("energy", self.latency_model(space), self.networks, section)

    def memory_model(self, space: SearchSpace | None = None) -> CostModel:
        """The model that predicts the memory that a network needs, in MiB.

        Args:
            space: The space; by default it is loaded by its name.

        Raises:
            ProfileError: Memory was not measured (and why), or the profile is of another space.
        """
        section = self.costs.memory if self.costs else None
        return cost_model("memory", self.latency_model(space), self.networks, section)


def series_name(space_slug: str, *, precision: str, threads: int) -> str:
    """Name of the folder of one device's profiles of one space."""
    suffix = "" if threads == 1 else f"-{threads}threads"
    return f"{space_slug}-{precision}{suffix}"
