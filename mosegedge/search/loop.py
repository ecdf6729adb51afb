"""The search: plan, evaluate, archive, repeat (paper, Algorithm 1).

A run folder holds

- `run.json`: the manifest; a run goes on only with the same settings;
- `archive.jsonl`: evaluated networks in the order of their evaluation, one a line, see `Candidate`;
- `baselines.jsonl`: networks of uniform width, in the same form; the predictor does not learn from them;
- `generations.jsonl`: one line for each finished generation, 0 being the initial population;
- `timings.jsonl`: latencies measured on the device, where the search measures them;
- `front.json`: the final front and the networks picked from it.

Everything but what is measured is decided by the settings and the seed. The random numbers of a generation come from
the seed and its number, never from what happened before in the process, so killing a search and starting it again
changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mosegedge.errors import SearchError
from mosegedge.files import Journal, exclusive, write_atomic
from mosegedge.progress import Progress, Silent
from mosegedge.search.accuracy import PredictorFor, predictor_for, require_deviations
from mosegedge.search.archive import Archive, Candidate
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.search.costs import CostModel, costs_of
from mosegedge.search.domain import Domain
from mosegedge.search.evaluating import Evaluate, Share, checked, in_turn
from mosegedge.search.feasible import Feasible
from mosegedge.search.limits import all_limits, deviations_for
from mosegedge.search.manifest import manifest_of, start_or_resume
from mosegedge.search.objectives import costs_among
from mosegedge.search.planning import Plan, Planner
from mosegedge.search.prescreen import Prescreen
from mosegedge.search.prescreen.registry import make_prescreen
from mosegedge.search.records import generation_record, note_of
from mosegedge.search.result import SearchResult, result_of
from mosegedge.search.timing import Timer, Untimed
from mosegedge.space import Architecture, SearchSpace


class Search:
    """A search in a run folder; `run` does it all, `ask` and `tell` are the two steps it is made of.

    Args:
        space: What can be built.
        latency: How long it takes on the device.
        config: The settings.
        folder: The run folder; a run that is there already goes on.
        provenance: What the run is made from; part of its manifest.
        progress: Where it is.
        predictor_for: Makes the accuracy predictor, the one that the settings name by default.
        prescreen: Chooses among candidates, as the settings say by default.
        others: What else networks cost, by the name of the objective, as `latency@atlas` or `energy`.

    Raises:
        UsageError: The folder holds a run with other settings, or the predictor or a model lacks what they need.
        InfeasibleError: No network meets the limits.

    Example:
        >>> search = Search(space, latency, SearchConfig(), folder, provenance)
        >>> while candidates := search.ask(8):
        ...     search.tell([replace(candidate, miou=score(candidate.architecture)) for candidate in candidates])
    """

    def __init__(
        self,
        space: SearchSpace,
        latency: CostModel,
        config: SearchConfig,
        folder: Path,
        provenance: Provenance,
        *,
        progress: Progress | None = None,
        predictor_for: PredictorFor = predictor_for,
        prescreen: Prescreen | None = None,
        others: Mapping[str, CostModel] | None = None,
    ) -> None:
        self._config = config
        self._device = provenance.label
        self._folder = folder
        self._progress = progress or Silent()
        domain = Domain(space, config.scales)
        costs = costs_of(domain, space, latency, others)
        costs.require([goal.name for goal in costs_among(config.goals)])
        self._latencies = costs.latencies
        limits = all_limits(config.max_latency_ms, config.limits, self._latencies)
        feasible = Feasible(
            costs=costs,
            limits=tuple(limit for limit in limits if not limit.of.maximised),
            deviations=deviations_for(config.confidence),
        )
        require_deviations(predictor_for(domain, config, np.random.default_rng(config.seed)), config)
        self._planner = Planner(domain, feasible, config, predictor_for, prescreen or make_prescreen(config))
        feasible.require_feasible(np.random.default_rng([config.seed, 0]))
        start_or_resume(folder, manifest_of(space, config, provenance), self._progress)
        self._journal = Journal(folder / "generations.jsonl")
        self._load()

    def _load(self) -> None:
        """Takes up what the run folder holds; what was handed out and not told will be handed out again."""
        self._archive = Archive(self._folder / "archive.jsonl")
        self._generation = len(self._journal.read())
        self._plan: Plan | None = None
        self._outstanding: set[Architecture] = set()
        self._pending: list[Candidate] = []
        self._evaluation_started = 0.0

    @property
    def archive(self) -> Archive:
        """Everything evaluated so far."""
        return self._archive

    @property
    def generation(self) -> int:
        """The generation being worked on; one more than the last when the search is finished."""
        return self._generation

    def ask(self, count: int) -> list[Candidate]:
        """The next candidates to be evaluated, at most `count` and all of one generation.

        Returns:
            Empty when the search is finished, or when all candidates of the generation were handed out and their
            results have not been told.
        """
        while not self._outstanding and not self._pending and self._generation <= self._config.generations:
            if self._plan is None:
                self._start_generation()
            else:
                self._finish_generation()
        handed, self._pending = self._pending[:count], self._pending[count:]
        self._outstanding |= {candidate.architecture for candidate in handed}
        return handed

    def tell(self, candidates: Sequence[Candidate]) -> None:
        """Archives results: candidates from `ask` with `miou` or `failure` filled in.

        An accuracy that is no number in 0..1 is archived as a failure.

        Raises:
            SearchError: A candidate was not handed out, or has no result.
        """
        for candidate in candidates:
            if candidate.architecture not in self._outstanding:
                raise SearchError(f"{candidate.architecture} was not asked for.")
            self._archive.append(checked(candidate))
            self._outstanding.remove(candidate.architecture)

    def run(self, evaluate: Evaluate, timer: Timer | None = None, share: Share = in_turn) -> SearchResult:
        """Evaluates the baselines, then generation after generation, and picks from the front.

        Args:
            evaluate: Accuracy (mIoU in 0..1) of a network. A MosegedgeError that it raises is archived as that
                network's failure; any other exception ends the run, which can be started again.
            timer: Measures latencies, where the settings say that they are measured.
            share: Has networks evaluated by other processes too; by this one alone by default.

        Raises:
            SearchError: Every evaluation of the initial population failed, or another search works in the folder.
            InfeasibleError: No evaluated network keeps to the limits.
        """
        with exclusive(self._folder, "search", error=SearchError):
            self._load()  # another process may have written between the construction and the lock
            timed = timer or Untimed()
            baselines = self._run_baselines(evaluate, timed, share)
            total = self._config.initial + self._config.generations * self._config.evaluations
            self._progress.start("search", total, done=len(self._archive))
            while candidates := self.ask(self._config.initial + self._config.evaluations):
                for result in share(evaluate, timed(candidates)):
                    self.tell([result])
                    self._progress.advance(note=f"generation {self._generation}: {note_of(result)}")
            return self._finish(baselines)

    def _run_baselines(self, evaluate: Evaluate, timer: Timer, share: Share) -> list[Candidate]:
        if not self._config.baselines:
            return []
        archive = Archive(self._folder / "baselines.jsonl")
        planned = self._planner.baselines()
        self._progress.start("baselines", len(planned), done=len(archive))
        left = [one for one in planned if one.architecture not in archive]
        for result in share(evaluate, timer(left)):
            archive.append(result)
            self._progress.advance(note=note_of(result))
        return list(archive.candidates)

    def _start_generation(self) -> None:
        number = self._generation
        past = self._archive.before(number)
        self._plan = self._planner.generation(number, past) if number else self._planner.initial()
        done = self._archive.of(number)
        left = [candidate for candidate in self._plan.candidates if candidate.architecture not in self._archive]
        self._pending = left[: len(self._plan.candidates) - len(done)]
        self._evaluation_started = time.monotonic()

    def _finish_generation(self) -> None:
        if self._plan is None:
            return
        record = {
            **generation_record(self._generation, self._archive.before(self._generation + 1), self._config.goals),
            "held_out_tau": {},
            "predicted_front": None,
            "pool": None,
            "reasons": {},
            **self._plan.facts,
            "seconds": {**self._plan.seconds, "evaluation": round(time.monotonic() - self._evaluation_started, 3)},
        }
        self._journal.append(record)
        tau, judged = (record["new_tau"][name] for name in ("predictor", "networks"))
        ordered = f", tau of the last {judged} predictions {tau:.2f}" if tau is not None else ""
        self._progress.say(
            f"generation {self._generation}: front of {record['front']}, hypervolume {record['hypervolume']:.4g}, "
            f"best mIoU {record['best_miou']:.4f}{ordered}"
        )
        self._generation += 1
        self._plan = None

    def _finish(self, baselines: list[Candidate]) -> SearchResult:
        result = result_of(self._config, self._archive.candidates, baselines, self._latencies, device=self._device)
        write_atomic(self._folder / "front.json", json.dumps(result.to_json(), indent=2) + "\n")
        return result
