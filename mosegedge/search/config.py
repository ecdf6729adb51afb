"""Settings of a search. Two of them have a name: `default`, the strongest known, and `paper`, the paper's Table I."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

from mosegedge.errors import UsageError
from mosegedge.search.domain import ALL_SCALES
from mosegedge.search.exploration import NONE, USUAL, Exploration, require_finite
from mosegedge.search.limits import Limit
from mosegedge.search.objectives import Objectives, costs_among, objectives_of
from mosegedge.search.pick import Pick, require_held

InnerMethod = Literal["nsga2", "moead", "random"]
PrescreenStrategy = Literal["hypervolume", "ehvi", "hierarchical", "latency", "survival"]
UniformitySolver = Literal["exact", "genetic"]
LatencySource = Literal["predicted", "measured"]
Sampling = Literal["uniform", "leaning"]

_MOST_FOR_EHVI = 3


@dataclass(frozen=True, kw_only=True)
class RankNetSettings:
    """Hyperparameters of RankNet.

    Attributes:
        epochs: Full-batch steps.
        learning_rate: At the start; it falls to 0 along a cosine.
        weight_decay: Share of every weight that each step takes away.
        margin: Distance that the loss asks for between two scores in 0..1.
        layers: Hidden layers.
        neurons: Width of each hidden layer.
        synthetic_share: Synthetic rows an epoch, relative to the real ones; 0 trains without teachers.
    """

    epochs: int = 500
    learning_rate: float = 8e-4
    weight_decay: float = 1e-5
    margin: float = 0.05
    layers: int = 3
    neurons: int = 300
    synthetic_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("epochs", "layers", "neurons"):
            _at_least(self, name, 1)
        for name in ("learning_rate", "weight_decay", "margin", "synthetic_share"):
            _at_least(self, name, 0)


@dataclass(frozen=True, kw_only=True)
class InnerSettings:
    """Settings of the inner search, which works on predicted objectives.

    Attributes:
        method: `nsga2`; `moead` and `random` are there for comparison.
        population: Size of the population; random search draws as many codes in each generation.
        generations: Generations of one inner search.
        crossover: Probability that a pair of parents is crossed.
        mutation: Probability that a digit is drawn anew.
        from_archive: Share of the first population that is taken from the best evaluated networks, as far as there are
            so many; the rest is random.
    """

    method: InnerMethod = "nsga2"
    population: int = 100
    generations: int = 100
    crossover: float = 0.9
    mutation: float = 0.05
    from_archive: float = 1.0

    def __post_init__(self) -> None:
        _one_of(self.method, "inner search", get_args(InnerMethod), "--inner")
        _at_least(self, "population", 4)
        _at_least(self, "generations", 1)
        for name in ("crossover", "mutation", "from_archive"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be in 0..1.")


@dataclass(frozen=True, kw_only=True)
class PrescreenSettings:
    """Which of the candidates of an inner search are evaluated.

    Attributes:
        strategy: One of `mosegedge.search.prescreen`.
        counts_front: Whether `hierarchical` and `latency` look for latencies that are uniform together with those of
            the archive's front (the paper's Algorithm 4) or by themselves (its equation 8).
        solver: How `hierarchical` finds them: `exact`, or the paper's `genetic` algorithm.
    """

    strategy: PrescreenStrategy = "hypervolume"
    counts_front: bool = True
    solver: UniformitySolver = "exact"

    def __post_init__(self) -> None:
        _one_of(self.strategy, "pre-screening strategy", get_args(PrescreenStrategy), "--prescreen")
        _one_of(self.solver, "solver", get_args(UniformitySolver), "solver")


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Settings of a search; the defaults are those of the configuration `default`.

    Attributes:
        initial: Size of the initial population: the two bounds of the space and random networks.
        sampling: How these are drawn: with `uniform` digits, or half of them `leaning` to small or large digits.
        generations: Rounds of predict, search, pre-screen, evaluate.
        evaluations: Networks evaluated in each of them.
        seed: Everything random is drawn from it and the number of the generation.
        objectives: Names of what is traded off, see `mosegedge.search.objectives`.
        max_latency_ms: No slower network is evaluated, on any of the profiles; no limit by default.
        limits: Further limits, by the name of an objective.
        confidence: Probability with which a network must keep to a limit on what a profile predicts; 0.5 compares the
            mean alone.
        latency: Whether the latency in the archive is the profile's, or measured on the device for every evaluated
            network; the inner search uses the profile's.
        scales: Scale digits that may be used.
        baselines: Whether networks of uniform width are evaluated too, for comparison.
        held_out: Share of the archive that is left out of an extra fit, to see how well the predictor orders it.
        chosen: Networks picked from the final front.
        pick: How they are picked, see `mosegedge.search.pick`.
        predictor: Of accuracy, one of `mosegedge.search.predictors`.
        exploration: Standard deviations that are added to predictions in the inner search and in pre-screening by
            `hypervolume`: in one generation, the next and so on, then again from the first; 0 for predictors without.
        explore_from: The generation that these begin with; earlier ones add as many as it does.
        prescreen: Which candidates are evaluated.
        ranknet: Hyperparameters of the predictor `ranknet-paper`.
        inner: Settings of the inner search.
    """

    initial: int = 50
    sampling: Sampling = "uniform"
    generations: int = 52
    evaluations: int = 4
    seed: int = 0
    objectives: tuple[str, ...] = ("miou", "latency")
    max_latency_ms: float | None = None
    limits: tuple[Limit, ...] = ()
    confidence: float = 0.5
    latency: LatencySource = "predicted"
    scales: tuple[int, ...] = ALL_SCALES
    baselines: bool = True
    held_out: float = 0.2
    chosen: int = 5
    pick: str = "spread"
    predictor: str = "gp"
    exploration: Exploration = USUAL
    explore_from: int = 13
    prescreen: PrescreenSettings = field(default_factory=PrescreenSettings)
    ranknet: RankNetSettings = field(default_factory=RankNetSettings)
    inner: InnerSettings = field(default_factory=InnerSettings)

    def __post_init__(self) -> None:
        for name in ("initial", "generations", "evaluations", "seed", "chosen", "explore_from"):
            _at_least(self, name, 0 if name in ("generations", "seed") else 1)
        require_finite(self.exploration)
        if self.max_latency_ms is not None and not self.max_latency_ms > 0:
            raise UsageError(f"max_latency_ms is {self.max_latency_ms}; it must be a positive number of milliseconds.")
        if not 0 <= self.held_out < 1:
            raise UsageError(f"held_out is {self.held_out}; it must be a share in 0..1.")
        if not 0.5 <= self.confidence < 1:
            known = "It is a probability from 0.5 to below 1."
            raise UsageError(f"confidence is {self.confidence}.", known=known, fix="--confidence 0.95")
        _one_of(self.sampling, "sampling", get_args(Sampling), "--sampling")
        _one_of(self.latency, "latency", get_args(LatencySource), "--latency")
        require_held(Pick.parse(self.pick), self._asked, kinds_alone=True)
        _require_one_cost(self.prescreen.strategy, self.goals)

    @property
    def goals(self) -> Objectives:
        """What is traded off."""
        return objectives_of(self.objectives)

    def require_known_pick(self) -> None:
        """Raises UsageError where networks are picked by what the archive, by its own names, will not hold."""
        require_held(Pick.parse(self.pick), self._asked, kinds_alone=False)

    @property
    def _asked(self) -> tuple[str, ...]:
        return (*self.objectives, *(limit.objective for limit in self.limits))

    def to_json(self) -> dict[str, Any]:
        """All settings, nested as they are."""
        return asdict(self)

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Reads `to_json`'s object; raises TypeError or KeyError where it is none."""
        parts = {
            "objectives": tuple(settings["objectives"]),
            "limits": tuple(Limit(**limit) for limit in settings["limits"]),
            "scales": tuple(settings["scales"]),
            "exploration": tuple(settings["exploration"]),
            "prescreen": PrescreenSettings(**settings["prescreen"]),
            "ranknet": RankNetSettings(**settings["ranknet"]),
            "inner": InnerSettings(**settings["inner"]),
        }
        return cls(**{**settings, **parts})


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a run was made from, besides its settings and the space.

    Attributes:
        profile: Reference of the latency profile.
        profile_digest: SHA-256 of its content.
        supernet: Path of the checkpoint.
        supernet_digest: SHA-256 of it.
        data: Name of the data set that scores networks.
        evaluation: How a network is scored (number of pictures and the like); plain values.
        trust: What is below the bar, by the name of the profile, and by how much standard deviations are widened.
        other_profiles: Reference and digest of further latency profiles, by their label.
        label: What the first profile is called where there are several; the name of its device.
    """

    profile: str
    profile_digest: str
    supernet: str
    supernet_digest: str
    data: str
    evaluation: Mapping[str, str | int | float] = field(default_factory=dict)
    trust: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    other_profiles: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    label: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields, references beside their digests."""
        return {
            "profile": {"reference": self.profile, "digest": self.profile_digest, "label": self.label},
            "other_profiles": {
                label: {"reference": reference, "digest": digest}
                for label, (reference, digest) in self.other_profiles.items()
            },
            "supernet": {"path": self.supernet, "digest": self.supernet_digest},
            "data": self.data,
            "evaluation": dict(self.evaluation),
            "trust": {name: dict(values) for name, values in self.trust.items()},
        }


def _at_least(settings: RankNetSettings | InnerSettings | SearchConfig, name: str, least: float) -> None:
    value = getattr(settings, name)
    if not least <= value < float("inf"):
        fix = f"--{name.replace('_', '-')} {least}" if isinstance(settings, SearchConfig) else ""
        raise UsageError(f"{name} is {value}; it must be at least {least}.", fix=fix)


def _require_one_cost(strategy: PrescreenStrategy, goals: Objectives) -> None:
    """The paper's rule spreads networks along one cost."""
    costs = costs_among(goals)
    if strategy in ("hierarchical", "latency") and (len(costs) != 1 or len(goals) != 2):
        raise UsageError(
            f"The pre-screening {strategy} spreads networks evenly along one cost, against mIoU.",
            known=f"The objectives are {', '.join(goal.name for goal in goals)}.",
            fix="Use --prescreen hypervolume, or --objectives miou,latency with one profile.",
        )
    if strategy == "ehvi" and len(goals) > _MOST_FOR_EHVI:
        raise UsageError(
            f"The pre-screening ehvi works with up to {_MOST_FOR_EHVI} objectives; there are {len(goals)}.",
            fix="Use --prescreen hypervolume.",
        )


def _one_of(value: str, what: str, known: tuple[str, ...], option: str) -> None:
    if value not in known:
        raise UsageError(
            f"There is no {what} {value!r}.", known=f"Known: {', '.join(known)}.", fix=f"Choose one with {option}."
        )


PAPER = SearchConfig(
    initial=100,
    generations=20,
    evaluations=8,
    predictor="ranknet-paper",
    exploration=NONE,
    prescreen=PrescreenSettings(strategy="hierarchical"),
    inner=InnerSettings(generations=1000, from_archive=0.5),
)
CONFIGURATIONS = {"default": SearchConfig(), "paper": PAPER}


def configuration(name: str) -> SearchConfig:
    """The settings of this name.

    `default` needs few evaluations: a Gaussian process, candidates that add the most hypervolume if their
    accuracy is one standard deviation above its prediction (later three in every fourth generation), 50 networks to
    start from, then few at a time, as a fit costs less than an evaluation. `paper` is the method of the paper with
    its Table I, from 100 networks as in the search archives that its authors published.

    Raises:
        UsageError: There is none of this name.
    """
    _one_of(name, "configuration", tuple(CONFIGURATIONS), "--config")
    return CONFIGURATIONS[name]
