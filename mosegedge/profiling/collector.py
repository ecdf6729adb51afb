"""One agent's share of a measurement: has the models built, then times them round by round.

Every round visits its models in a new random order, so the bursts of one model lie minutes apart and a disturbance of
some seconds spoils one of them at most. Rounds are cut into batches of a few dozen bursts, and those during which the
device says that it was throttled are measured again after a pause. Inside a batch a sentinel is timed every few bursts,
and what lies between two slow visits is measured again later (`drift.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from mosegedge.devices.agent_client import AgentClient, BurstSettings
from mosegedge.devices.host_compiler import check_compiler
from mosegedge.devices.replies import Burst, DeviceDescription
from mosegedge.devices.suiting import require_suitable
from mosegedge.errors import AgentError
from mosegedge.profiling.building import Builder
from mosegedge.profiling.drift import slow_windows
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.loading import Loader
from mosegedge.profiling.plan import BATCH_BURSTS, BURSTS_A_WINDOW, MIN_PASSES, Item, Plan
from mosegedge.profiling.probing import Prober
from mosegedge.profiling.schedule import Schedule
from mosegedge.progress import Progress

_BATCH_S, _WINDOW_S = 20.0, 2.0  # a batch or a window ends early where its bursts take so long
_WAIT_FOR_LOCK_S = 10  # the agent of a run that was killed needs a moment to notice
_COOLING_S = (10.0, 30.0, 60.0)  # pauses before a throttled batch is measured again
_MOST_REPEATS = 2  # of one burst, because its window was slow
_REPEATED_SHARE = 0.3  # of all bursts: a device that is slow half of the time is what it is

Visit = tuple[Item, int]


class Collector:
    """One agent's share of the work."""

    def __init__(self, agent: AgentClient, plan: Plan, journal: ProfileJournal, progress: Progress) -> None:
        self._agent = agent
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._schedule = Schedule(plan, journal)
        self._batch = BATCH_BURSTS
        self._shown: int | None = None
        self._stamp_s = _now_s()

    def run(self, command: str) -> DeviceDescription:
        """Builds what is not on the device, and times what is not on record."""
        self._agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        description = self._agent.describe()
        require_suitable(self._plan.device, description, opset=self._plan.device.opset)
        compiler = check_compiler(self._plan.device)
        self._journal.begin(self._plan, description, command=command, host_compiler=compiler)
        if not self._journal.ended:
            self._discard_unconfirmed()
            self._loader = Loader(self._agent, self._plan, self._journal, self._progress, description=description)
            builder = Builder(
                self._agent, self._plan, self._journal, self._progress, description=description, host_compiler=compiler
            )
            build_s = builder.run(self._time_what_is_there)
            self._journal.add_spent(wall_s=self._lap_s(), build_s=build_s)
            prober = Prober(self._agent, self._journal, clock=self._plan.device.clock, build=builder.file_of)
            self._journal.end(reason=self._measure(prober))
        return description

    def _measure(self, prober: Prober) -> str:
        """Times round by round; returns why it ended."""
        budget_s = self._plan.settings.budget_s
        while chosen := self._schedule.round():
            self._show()
            self._begin_round()
            prober.visit(len(self._journal.conditions) - 1)
            for batch in self._batches(chosen):
                late = budget_s is not None and self._spent_s() > budget_s
                if late and self._least_visits() >= MIN_PASSES:
                    return f"budget of {budget_s:.0f} s"
                self._time_cool(batch)
                self._repeat_slow_windows()
        self._show()
        return "every model is known well enough, or was visited in every pass"

    def _begin_round(self) -> None:
        self._journal.add_conditions(self._agent.conditions())
        self._loader.unload_worn_networks()

    def _time_what_is_there(self) -> bool:
        """Times models that are on the device and were never timed, while others are still being made."""
        ready = [item for item in self._plan.items if item.key in self._journal.models and self._is_new(item)]
        if len(ready) < self._batch // 2:
            return False
        if not self._journal.conditions:
            self._begin_round()
        self._time_cool([(item, 0) for item in ready[: self._batch]])
        return True

    def _is_new(self, item: Item) -> bool:
        journal = self._journal
        return not (journal.visits(item.key) or item.key in journal.failed or item.key in journal.crashes)

    def _least_visits(self) -> int:
        keys = [item.key for item in self._plan.items if item.key not in self._journal.failed]
        return min((self._journal.visits(key) for key in keys), default=0)

    def _show(self) -> None:
        """Has the bar show what is left, which shrinks by more than was done where models are known well enough."""
        passes = self._plan.settings.passes
        total = passes * self._plan.bursts_a_pass
        done = total - self._schedule.left()
        if self._shown is None:
            self._progress.start("Measuring", total, done)
        elif done != self._shown:
            self._progress.advance(done - self._shown)
        self._shown = done

    def _advance(self, steps: int, note: str = "") -> None:
        if self._shown is not None:
            self._shown += steps
            self._progress.advance(steps, note)

    def _discard_unconfirmed(self) -> None:
        """Has bursts timed again of which nobody has asked whether the device was throttled meanwhile.

        Batches are short from there on: whatever ends them all half-way must not have the same ones begun for ever.
        """
        if visits := self._journal.unconfirmed:
            self._journal.discard(visits, reason="ended before the device was asked whether it was throttled")
            self._batch = max(1, len(visits) // 2)

    def _batches(self, chosen: Sequence[Item]) -> Iterator[list[Visit]]:
        """The models of one round in the random order of this round, a few dozen at a time.

        Models that the agent died with come last: where the others go well, it is not the board's fault.
        """
        order = np.random.default_rng((self._plan.settings.seed, len(self._journal.conditions))).permutation(
            len(chosen)
        )
        todo = [chosen[place] for place in order]
        todo.sort(key=lambda item: item.key in self._journal.crashes)
        while todo:
            batch: list[Visit] = []
            expected_s = 0.0
            while todo and len(batch) < self._batch and expected_s < _BATCH_S:
                item = todo.pop(0)
                if item.key not in self._journal.failed:
                    batch.append((item, self._journal.next_visit(item.key)))
                    expected_s += self._journal.windows.burst_s(item.key)
            if batch:
                yield batch
            self._batch = min(2 * self._batch, BATCH_BURSTS)

    def _repeat_slow_windows(self) -> None:
        """Has the bursts of windows timed again before and after which a sentinel was slow."""
        windows = self._journal.windows
        for number, excess in slow_windows(windows.found).items():
            visits = [visit for visit in windows.found[number].visits if windows.discarded[visit] < _MOST_REPEATS]
            if visits and windows.discarded.total() + len(visits) <= _REPEATED_SHARE * windows.bursts:
                self._journal.discard(visits, reason=f"the sentinels were {excess:.0%} slower than usual")
                self._advance(-len(visits))

    def _time_cool(self, batch: Sequence[Visit]) -> None:
        """Times a batch; the bursts of one in which the device was throttled are measured again."""
        for pause_s in (*_COOLING_S, None):
            self._time(batch)
            reasons = self._agent.conditions().get("throttled") or []
            self._journal.end_batch(wall_s=self._lap_s())
            if not reasons:
                self._journal.confirm()
                return
            what = f"throttled: {', '.join(map(str, reasons))}"
            if pause_s is None:
                self._journal.add_throttled([(item.key, number) for item, number in batch], reason=what)
                self._progress.say(f"{self._plan.device.name} stays {what}; the bursts are kept and graded C.")
                return
            self._journal.discard([(item.key, number) for item, number in batch], reason=what)
            self._progress.say(f"{self._plan.device.name} is {what}; measuring again after {pause_s:.0f} s.")
            self._advance(-len(batch))
            time.sleep(pause_s)

    def _time(self, batch: Sequence[Visit]) -> None:
        sentinels = [item for item in self._plan.sentinels if item.key in self._journal.models]
        self._loader.load([*sentinels, *(item for item, _ in batch)])
        for settings in dict.fromkeys(item.settings for item, _ in batch):
            visits = [visit for visit in batch if visit[0].settings == settings and self._is_open(visit)]
            order = self._with_sentinels(visits, sentinels)
            for (item, number), burst in zip(order, self._bursts([item for item, _ in order], settings), strict=True):
                if number is None:
                    self._journal.add_sentinel(item.key, burst)
                else:
                    self._journal.add_burst(item.key, number, burst)
                    self._advance(1, f"{item.key} {min(burst.ns(self._plan.device.clock)) / 1e6:.3f} ms")

    def _with_sentinels(self, visits: Sequence[Visit], sentinels: Sequence[Item]) -> list[tuple[Item, int | None]]:
        """The visits with a sentinel, without a number, before, after and between them; the sentinels take turns."""
        journal = self._journal
        healthy = [item for item in sentinels if item.key not in journal.failed and item.key not in journal.crashes]
        if not healthy or not visits:
            return list(visits)
        turns = cycle(healthy)
        order: list[tuple[Item, int | None]] = [(next(turns), None)]
        bursts, expected_s = 0, 0.0
        for item, number in visits:
            if bursts == BURSTS_A_WINDOW or expected_s > _WINDOW_S:
                order.append((next(turns), None))
                bursts, expected_s = 0, 0.0
            order.append((item, number))
            bursts, expected_s = bursts + 1, expected_s + journal.windows.burst_s(item.key)
        return [*order, (next(turns), None)]

    def _bursts(self, items: Sequence[Item], settings: BurstSettings) -> Iterator[Burst]:
        """One burst of each model; the one in the agent's hands is blamed when it dies."""
        if not items:
            return
        bursts = self._agent.time([self._journal.models[item.key] for item in items], settings)
        for item in items:
            try:
                burst = next(bursts)
            except AgentError as error:
                self._loader.blame(item, error)
                raise
            yield burst
        list(bursts)  # the agent's last word: it counts them

    def _is_open(self, visit: Visit) -> bool:
        item, number = visit
        return item.key not in self._journal.failed and not self._journal.has(item.key, number)

    def _spent_s(self) -> float:
        """Seconds of work so far, that of earlier agents and starts included."""
        return self._journal.windows.wall_s + _now_s() - self._stamp_s

    def _lap_s(self) -> float:
        """Seconds since the last call."""
        now_s = _now_s()
        lap_s, self._stamp_s = now_s - self._stamp_s, now_s
        return lap_s


def _now_s() -> float:
    return time.monotonic()
