"""Choosing a subset of candidates whose latencies, with those of the front, are closest to uniform.

The measure is the Kolmogorov-Smirnov statistic: the largest distance between the empirical distribution of the chosen
latencies and the uniform one on the range of all candidates and the front. The problem is solved as in the paper, by a
binary genetic algorithm whose crossover and mutation only make feasible subsets; its pseudocode is in a supplement that
is not public, so the operators here are our own:

- crossover keeps what both parents chose and fills up, to a size between those of the parents' intersection and union
  (at most K), with random members of what one of them chose;
- mutation adds, drops or swaps one candidate, whichever of these leaves the subset feasible.

Many subsets tie, since the statistic is a maximum; of equal ones the larger survives, then a random one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Subsets = NDArray[np.bool_]

_POPULATION = 100
_GENERATIONS = 100
_DIGITS = 12


def ks_statistics(subsets: Subsets, candidates: Floats, front: Floats) -> Floats:
    """Kolmogorov-Smirnov statistic of each subset together with the front.

    Args:
        subsets: P x N, true where a candidate is chosen.
        candidates: Latencies of N candidates.
        front: Latencies of M front members, all of which count.

    Returns:
        P values in 0..1; 1 for an empty subset without a front.
    """
    values = np.concatenate([front, candidates])
    order = np.argsort(values, kind="stable")
    span = np.ptp(values)
    place = (values[order] - values.min()) / (span or 1.0)
    member = np.concatenate([np.ones((len(subsets), len(front)), dtype=bool), subsets], axis=1)[:, order]
    rank = member.cumsum(axis=1)
    total = np.maximum(rank[:, -1:], 1)
    deviation = np.maximum(rank / total - place, place - (rank - 1) / total)
    worst = np.where(member, deviation, 0.0).max(axis=1)
    return np.asarray(np.where(rank[:, -1] > 0, worst, 1.0), dtype=np.float64)


def solve_by_genetic_algorithm(
    candidates: Floats, front: Floats, limit: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of the chosen candidates, at most `limit`, in ascending order of latency."""
    size = len(candidates)
    limit = min(limit, size)
    if limit <= 0:
        return np.zeros(0, dtype=np.int64)
    population = _first_population(size, limit, rng)
    scores = ks_statistics(population, candidates, front)
    for _ in range(_GENERATIONS):
        parents = rng.integers(len(population), size=(2, _POPULATION))
        children = mutate(cross(population[parents[0]], population[parents[1]], limit, rng), limit, rng)
        population = np.concatenate([population, children])
        scores = np.append(scores, ks_statistics(children, candidates, front))
        best = _best_first(population, scores, rng)[:_POPULATION]
        population, scores = population[best], scores[best]
    chosen = np.flatnonzero(population[0])
    return chosen[np.argsort(candidates[chosen], kind="stable")]


def cross(first: Subsets, second: Subsets, limit: int, rng: np.random.Generator) -> Subsets:
    """One child a pair of parents, each with at most `limit` members.

    Args:
        first: P x N parents.
        second: P x N parents.
        limit: Largest allowed size; the parents keep to it.
        rng: Source of the children's sizes and members.
    """
    low = (first & second).sum(axis=1)
    high = np.minimum((first | second).sum(axis=1), limit)
    wanted = rng.integers(low, high + 1)
    priority = np.where(first & second, 2.0, np.where(first | second, 1.0, 0.0)) + rng.random(first.shape)
    rank = (-priority).argsort(axis=1).argsort(axis=1)
    return np.asarray(rank < wanted[:, None])


def mutate(subsets: Subsets, limit: int, rng: np.random.Generator) -> Subsets:
    """Adds, drops or swaps one member of each subset; no subset leaves 0..`limit`."""
    sizes = subsets.sum(axis=1)
    kind = rng.integers(3, size=len(subsets))  # 0 adds, 1 drops, 2 swaps
    add = (kind != 1) & (sizes < subsets.shape[1]) & ((kind == 2) | (sizes < limit))
    drop = (kind != 0) & (sizes > 0)
    swap_lost = (kind == 2) & ~(add & drop)
    add, drop = add & ~swap_lost, drop & ~swap_lost
    noise = rng.random(subsets.shape)
    rows = np.arange(len(subsets))
    incoming = np.where(subsets, -1.0, noise).argmax(axis=1)
    outgoing = np.where(subsets, noise, -1.0).argmax(axis=1)
    changed = subsets.copy()
    changed[rows[add], incoming[add]] = True
    changed[rows[drop], outgoing[drop]] = False
    return changed


def _first_population(size: int, limit: int, rng: np.random.Generator) -> Subsets:
    wanted = rng.integers(0, limit + 1, size=_POPULATION)
    return rng.random((_POPULATION, size)).argsort(axis=1).argsort(axis=1) < wanted[:, None]


def _best_first(population: Subsets, scores: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Lowest statistic first; of equal ones the larger, then a random one; a repeated subset comes last."""
    keys = np.packbits(population, axis=1)
    repeated = np.ones(len(population), dtype=bool)
    repeated[np.unique(keys, axis=0, return_index=True)[1]] = False
    return np.lexsort((rng.random(len(scores)), -population.sum(axis=1), np.round(scores, _DIGITS), repeated))
