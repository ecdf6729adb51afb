"""Which search strategies can be compared, on which oracle, and what one run of one of them is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.oracle import Oracle, oracle_of_archive, oracle_of_pool
from mosegedge.errors import UsageError
from mosegedge.files import canonical_json, sha256_of_bytes
from mosegedge.search.config import CONFIGURATIONS, PrescreenSettings, SearchConfig
from mosegedge.search.predictors.registry import PREDICTORS
from mosegedge.search.prescreen import Pool, Prescreen, Selection
from mosegedge.search.prescreen.pool import filled_up
from mosegedge.search.prescreen.registry import make_prescreen

RANDOM = "random"
WITHOUT_PREDICTOR = {RANDOM: 8, "nsga2-8": 8, "nsga2-100": 100}
"""Searches that evaluate whatever they come to, and how many networks a generation of theirs has."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which oracle.

    Attributes:
        archive: File of evaluated networks with latencies.
        pool: File of `benchmarks.pool`.
        profile: Profile for the pool's latencies.
        profile_root: Folder of profiles.
    """

    archive: Path | None
    pool: Path | None
    profile: str
    profile_root: Path


@dataclass(frozen=True)
class Strategy:
    """A search with a predictor.

    Args:
        config: Its settings.
        prescreen: Which candidates are evaluated.
    """

    config: SearchConfig
    prescreen: Prescreen


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run of one strategy.

    Attributes:
        strategy: Its name.
        seed: Of the initial networks and everything else.
        budget: Evaluations at most.
        initial: Networks to start from; the configuration's own where it is 0.
        inner_generations: Of the inner search; the configuration's own where it is 0.
    """

    strategy: str
    seed: int
    budget: int
    initial: int = 0
    inner_generations: int = 0

    @property
    def search(self) -> Strategy:
        """What is run, for a strategy with a predictor."""
        known = strategy_of(self.strategy)
        config = known.config
        inner = replace(config.inner, generations=self.inner_generations or config.inner.generations)
        return replace(known, config=replace(config, inner=inner, initial=self.initial or config.initial))

    @property
    def settings(self) -> str:
        """Digest of everything that decides the run, so that a record of other settings is not taken for this one."""
        config = {} if self.strategy in WITHOUT_PREDICTOR else self.search.config.to_json()
        return sha256_of_bytes(canonical_json(config).encode())[:12]


@cache
def oracle_of(source: Source) -> Oracle:
    """The oracle, once a process.

    Raises:
        UsageError: None is named, or it cannot be read.
    """
    if source.archive is not None:
        return oracle_of_archive(source.archive)
    if source.pool is None:
        raise UsageError("No oracle is named.", fix="Give --archive, or --pool and --profile.")
    return oracle_of_pool(source.pool, source.profile, source.profile_root)


def strategy_of(name: str) -> Strategy:
    """A strategy by its name: that of a configuration, or PREDICTOR+PRESCREEN.

    The latter is `default` with the two exchanged and without optimism: its inner search goes by the predictions
    alone, so that strategies with one predictor differ in pre-screening only.

    Raises:
        UsageError: There is none of this name.
    """
    if name in CONFIGURATIONS:
        return Strategy(CONFIGURATIONS[name], make_prescreen(CONFIGURATIONS[name]))
    predictor, _, prescreen = name.partition("+")
    if not prescreen or predictor not in PREDICTORS:
        named, predictors = ", ".join((*CONFIGURATIONS, *WITHOUT_PREDICTOR)), ", ".join(PREDICTORS)
        known = f"Known: {named}, or PREDICTOR+PRESCREEN with {predictors}."
        raise UsageError(f"There is no strategy {name!r}.", known=known)
    config = replace(CONFIGURATIONS["default"], predictor=predictor, exploration=(0.0,))
    if prescreen == RANDOM:
        return Strategy(config, by_chance)
    config = replace(config, prescreen=PrescreenSettings(strategy=prescreen))  # type: ignore[arg-type]  # checked there
    return Strategy(config, make_prescreen(config))


def by_chance(pool: Pool, count: int, rng: np.random.Generator) -> Selection:
    """A pre-screening for comparison: random ones of the predicted front."""
    return filled_up([], RANDOM, pool, count, rng)
