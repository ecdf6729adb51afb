"""Which of the candidates that the inner search found are evaluated.

A strategy follows `Prescreen`: it chooses rows of a `Pool`. `make_prescreen` makes one from its settings.

| name | chooses |
|---|---|
| `hypervolume` | one after the other what adds most hypervolume at its mean plus some standard deviations |
| `ehvi` | the same by the expectation of what it adds |
| `hierarchical` | the paper's: an even spread of latencies, then the highest predicted accuracy |
| `latency` | an even spread of latencies alone |
| `survival` | NSGA-II's rank and crowding |
"""

from mosegedge.search.prescreen.hypervolume import ExpectedHypervolume, Hypervolume
from mosegedge.search.prescreen.pool import Pool, Prescreen, Reference, Selection
from mosegedge.search.prescreen.spread import Hierarchical, LatencySpread
from mosegedge.search.prescreen.survival import Survival

__all__ = [
    "ExpectedHypervolume",
    "Hierarchical",
    "Hypervolume",
    "LatencySpread",
    "Pool",
    "Prescreen",
    "Reference",
    "Selection",
    "Survival",
]
