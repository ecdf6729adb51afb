"""What `run.json` and the lines of `generations.jsonl` hold, as far as the page shows it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SpaceReference(_Part):
    """The search space of a run."""

    name: str
    digest: str


class ProfileReference(_Part):
    """A latency profile of a run."""

    reference: str
    digest: str
    label: str = ""


class Trust(_Part):
    """Why a profile's standard deviations were widened, and by how much."""

    shortfalls: list[str]
    sd_factor: Finite


class SupernetReference(_Part):
    """The checkpoint of a run."""

    path: str
    digest: str


class InnerSettings(_Part):
    """The part of the inner search's settings that has an option."""

    method: str
    generations: int


class PrescreenSettings(_Part):
    """The part of pre-screening's settings that has an option."""

    strategy: str


class LimitSettings(_Part):
    """A limit on one objective."""

    objective: str
    bound: Finite


class Settings(_Part):
    """The settings that the page shows; `run.json` holds all of them."""

    initial: int
    sampling: str
    generations: int
    evaluations: int
    seed: int
    chosen: int
    objectives: list[str]
    max_latency_ms: Finite | None
    limits: list[LimitSettings]
    confidence: Finite
    latency: str
    pick: str
    scales: list[int]
    baselines: bool
    predictor: str
    exploration: list[Finite]
    explore_from: int
    prescreen: PrescreenSettings
    inner: InnerSettings


class Manifest(_Part):
    """`run.json`."""

    space: SpaceReference
    profile: ProfileReference
    other_profiles: dict[str, ProfileReference]
    supernet: SupernetReference
    trust: dict[str, Trust]
    data: str
    evaluation: dict[str, str | int | float]
    settings: Settings
    versions: dict[str, str]


class WorstCorner(_Part):
    """The point that hypervolumes are measured from."""

    latency_ms: Finite
    miou: Finite


class NewTau(_Part):
    """How well predictions ordered the networks that were evaluated because of them."""

    predictor: Finite | None
    latency: Finite | None = None


class HeldOutTau(_Part):
    """How well predictors order a part of the archive that they were not fitted to."""

    rows: int = 0
    predictor: Finite | None = None
    lightgbm: Finite | None = None
    log_flops: Finite | None = None


class Generation(_Part):
    """A line of `generations.jsonl`."""

    generation: int
    evaluated: int
    failed: int
    front: int
    hypervolume: Finite
    reference: WorstCorner
    new_tau: NewTau
    held_out_tau: HeldOutTau
