"""A world in which search strategies are tried in minutes: smooth laws fitted to networks that were really evaluated.

Accuracy, and latency where no profile gives it, are posterior means of Gaussian processes that learned from all rows.
A law is exact and free, so a strategy's hypervolume can be compared with that of the best front there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.archives import load
from mosegedge.errors import UsageError
from mosegedge.files import Journal
from mosegedge.profiling.store import load_profile
from mosegedge.search.config import InnerSettings
from mosegedge.search.domain import CodeDomain, Domain
from mosegedge.search.dominance import hypervolume, nondominated
from mosegedge.search.inner import minimise
from mosegedge.search.predictors.description import CodeDescription
from mosegedge.search.predictors.encoding import Encoder
from mosegedge.search.predictors.evidence import Hyperparameters
from mosegedge.search.predictors.gp import GaussianProcess
from mosegedge.search.problem import CodeProblem
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Law = Callable[[Codes], Floats]

_ITERATIONS = (15, 6, 6, 6)
_REFERENCE_ROWS = 100


@dataclass(frozen=True)
class DescribedDomain:
    """Codes that are known by their description alone.

    Args:
        description: Of the codes.
    """

    description: CodeDescription

    @property
    def ends(self) -> Codes:
        """Every digit at its lowest, every digit at its highest."""
        digits = self.description.digits
        both = np.array([[allowed[0] for allowed in digits], [allowed[-1] for allowed in digits]], dtype=np.int64)
        return self.description.canonical(both)

    def draw(self, count: int, rng: np.random.Generator) -> Codes:
        """Independent random digits."""
        return self._digits(rng.integers(0, self._counts, size=(count, self.description.length)))

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Canonical form; a position that was off and is on now keeps 0 where that is a digit of it."""
        missing = (codes == 0) & ~self.description.has_zero
        return self.description.canonical(np.where(missing, self.draw(len(codes), rng), codes))

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical random codes."""
        return self.description.canonical(self.draw(count, rng))

    def sample_leaning(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical codes whose digits lean towards small or large, each code's to its own degree."""
        degree = rng.random((count, 1))
        picks = rng.binomial(np.array(self._counts) - 1, degree, size=(count, self.description.length))
        return self.description.canonical(self._digits(picks))

    def neighbours(self, code: Codes) -> Codes:
        """Codes that differ by one digit."""
        rows = []
        for position, allowed in enumerate(self.description.digits):
            for digit in allowed:
                row = code.copy()
                row[position] = digit
                rows.append(row)
        near = np.unique(self.repair(np.array(rows), np.random.default_rng(0)), axis=0)
        different: Codes = near[(near != code).any(axis=1)]
        return different

    def text(self, code: Codes) -> str:
        """The digits."""
        return "".join(map(str, code))

    @property
    def _counts(self) -> list[int]:
        """How many digits each position has."""
        return [len(allowed) for allowed in self.description.digits]

    def _digits(self, picks: Codes) -> Codes:
        """The digits that are the n-th of their positions."""
        digits = self.description.digits
        table = np.stack([np.resize(allowed, max(self._counts)) for allowed in digits])
        drawn: Codes = table[np.arange(len(digits)), picks]
        return drawn


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """The laws and the codes that they hold for.

    Attributes:
        name: Of the file that they were fitted to.
        domain: The codes.
        description: What predictors are told of them.
        miou: Law of accuracy.
        latency_ms: Law of latency.
        reference: Worst corner of the first rows of the file: latency, minus mIoU.
    """

    name: str
    domain: CodeDomain
    description: CodeDescription
    miou: Law
    latency_ms: Law
    reference: Floats

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Latency as a profile would give it, without deviation."""
        mean = self.latency_ms(codes)
        return mean, np.zeros(len(mean))

    def objectives(self, codes: Codes) -> Floats:
        """Latency and minus mIoU."""
        return np.stack([self.latency_ms(codes), -self.miou(codes)], axis=1)

    def volume(self, objectives: Floats) -> float:
        """Hypervolume."""
        return hypervolume(objectives, self.reference)

    @cached_property
    def ideal(self) -> float:
        """Hypervolume of the best front that long searches on the laws themselves find."""
        rng = np.random.default_rng(0)
        problem = CodeProblem(self.objectives, 2, None, length=self.description.length)
        settings = InnerSettings(population=200, generations=400)
        found = self.domain.ends
        for _ in range(2):
            initial = np.unique(np.concatenate([found, self.domain.sample(200, rng)]), axis=0)
            found = np.concatenate([found, minimise(self.domain, problem, settings, initial=initial, rng=rng)[0]])
        return self.volume(self.objectives(self._polished(found)))

    def _polished(self, codes: Codes) -> Codes:
        """The front after changing single digits for as long as that makes it better."""
        while True:
            codes = np.unique(codes, axis=0)
            front = codes[nondominated(self.objectives(codes))]
            near = np.unique(np.concatenate([front, *(self.domain.neighbours(code) for code in front)]), axis=0)
            better = near[nondominated(self.objectives(near))]
            before, after = (self.volume(self.objectives(rows)) for rows in (front, better))
            if after <= before * (1 + 1e-9):
                return front
            codes = better


def oracle_of_archive(path: Path) -> Oracle:
    """Laws of accuracy and latency fitted to an archive that holds both.

    Raises:
        UsageError: It does not.
    """
    data = load(path)
    if data.latency_ms is None:
        raise UsageError(f"{path} holds no latencies.", fix="Name a profile with --profile.")
    latency_ms = data.latency_ms
    description = data.description
    first = np.stack([latency_ms, -data.miou], axis=1)[:_REFERENCE_ROWS]
    return Oracle(
        name=path.stem,
        domain=DescribedDomain(description),
        description=description,
        miou=law_of(description, data.codes, data.miou),
        latency_ms=law_of(description, data.codes, latency_ms),
        reference=first.max(axis=0),
    )


def oracle_of_pool(path: Path, profile: str, root: Path) -> Oracle:
    """A law of accuracy fitted to a pool of this project's networks; latency is a profile's."""
    data = load(path)
    space = SearchSpace.load(Journal(path).read()[0]["space"])
    found = load_profile(profile, root=root)
    model = found.latency_model(space)

    def latency_ms(codes: Codes) -> Floats:
        return model.predict(codes)[0]

    scales = tuple(sorted(set(found.protocol.scales)))
    covered = np.isin(data.codes[:, 0], scales)
    codes, miou = data.codes[covered], data.miou[covered]
    first = np.stack([latency_ms(codes), -miou], axis=1)[:_REFERENCE_ROWS]
    return Oracle(
        name=path.stem,
        domain=Domain(space, scales),
        description=data.description,
        miou=law_of(data.description, codes, miou),
        latency_ms=latency_ms,
        reference=first.max(axis=0),
    )


def law_of(description: CodeDescription, codes: Codes, values: Floats) -> Law:
    """Posterior mean of a Gaussian process that learned from all rows; its fit begins anew every few steps."""
    encoder = Encoder(description)
    start = Hyperparameters.start(len(encoder.groups) + encoder.aggregates(codes[:1]).shape[1])
    for iterations in _ITERATIONS:
        process = GaussianProcess(description, start=start, iterations=iterations).fit(codes, values)
        start = process.hyperparameters
    return process.predict
