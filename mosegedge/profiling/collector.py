"""One agent's share of a measurement: builds what is not on the device, times what is not on record.

Every pass visits all models in a new random order, so the bursts of one model lie minutes apart and a disturbance of
some seconds spoils one of them at most. A burst is on disk before the next one counts. Bursts during which the device
says that it was throttled are measured again after a pause.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.host_compiler import check_compiler
from mosegedge.devices.replies import DeviceDescription, LoadedModel
from mosegedge.devices.suiting import require_suitable
from mosegedge.errors import AgentError, ExportError, ModelRefusedError, MosegedgeError
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.models import model_file
from mosegedge.profiling.plan import MIN_PASSES, Item, Plan
from mosegedge.progress import Progress

_CHUNK = 48
_WAIT_FOR_LOCK_S = 10  # the agent of a run that was killed needs a moment to notice
_MOST_FAILURES = 10
_MOST_CRASHES = 3
_MEMORY_SHARE, _ACCELERATOR_SHARE = 0.4, 0.7
_UNKNOWN_MEMORY_MIB = 2048
_COOLING_S = (10.0, 30.0, 60.0)  # pauses before a throttled window is measured again

Visit = tuple[Item, int]


class Collector:
    """One agent's share of the work."""

    def __init__(self, agent: AgentClient, plan: Plan, journal: ProfileJournal, progress: Progress) -> None:
        self._agent = agent
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._loaded: set[str] = set()
        self._memory_mib = 0
        self._full = False
        self._window = _CHUNK
        self._said: set[str] = set()
        self._started_s = time.monotonic()

    def run(self, command: str) -> DeviceDescription:
        """Builds what is not on the device, then times what is not on record."""
        self._agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        description = self._agent.describe()
        memory_mib = description.hardware.get("memory_mib", _UNKNOWN_MEMORY_MIB)
        self._memory_mib = int(memory_mib * _MEMORY_SHARE)
        require_suitable(self._plan.device, description, opset=self._plan.device.opset)
        compiler = check_compiler(self._plan.device)
        self._journal.begin(self._plan, description, command=command, host_compiler=compiler)
        if not self._journal.ended:
            self._discard_unconfirmed()
            self._build(description)
            self._journal.end(reason=self._measure())
        return description

    def _build(self, description: DeviceDescription) -> None:
        journal = self._journal
        absent: set[str] = set()
        for model_format in sorted({*journal.formats.values()}):
            sent = [journal.models[key] for key, value in journal.formats.items() if value == model_format]
            absent |= set(self._agent.missing(sent, model_format))
        todo = [
            item
            for item in self._plan.items
            if journal.models.get(item.key, "") in absent | {""} and item.key not in journal.failed
        ]
        self._progress.start("Building models", len(self._plan.items), len(self._plan.items) - len(todo))
        for item in todo:
            try:
                model = model_file(item, self._plan, description)
            except (ExportError, ModelRefusedError) as error:
                self._leave_out(item, error)
            else:
                sha256 = self._agent.send(model.content, model.model_format)
                if journal.models.get(item.key) != sha256:
                    journal.add_model(item.key, sha256, model.model_format, (*model.notes, *model.warnings))
                self._say_once(model.warnings)
            self._progress.advance(note=item.key)

    def _say_once(self, warnings: Iterable[str]) -> None:
        """Hundreds of layers have the same operators."""
        for warning in warnings:
            if warning not in self._said:
                self._progress.say(warning)
                self._said.add(warning)

    def _measure(self) -> str:
        """Times pass by pass; returns why it ended."""
        passes, budget_s = self._plan.settings.passes, self._plan.settings.budget_s
        total = passes * self._plan.bursts_a_pass
        self._progress.start("Measuring", total, self._journal.bursts)
        for number in range(passes):
            self._journal.add_conditions(self._agent.conditions())
            self._unload_networks()
            for chunk in self._chunks(number):
                late = budget_s is not None and time.monotonic() - self._started_s > budget_s
                if late and number >= MIN_PASSES:
                    return f"budget of {budget_s:.0f} s"
                self._time_cool(chunk)
        return f"{passes} passes"

    def _discard_unconfirmed(self) -> None:
        """Has bursts timed again of which nobody has asked whether the device was throttled meanwhile.

        Windows are short from there on: whatever ends them all half-way must not have the same ones begun for ever.
        """
        if visits := self._journal.unconfirmed:
            self._journal.discard(visits, reason="ended before the device was asked whether it was throttled")
            self._window = max(1, len(visits) // 2)

    def _chunks(self, number: int) -> Iterator[list[Visit]]:
        """The bursts of one pass that are not on record, in the random order of this pass, a few dozen at a time.

        Models that the agent died with come last: where the others go well, it is not the board's fault.
        """
        visits = [(item, number * item.visits + visit) for item in self._plan.items for visit in range(item.visits)]
        order = np.random.default_rng((self._plan.settings.seed, number)).permutation(len(visits))
        todo = [visits[place] for place in order if self._is_open(visits[place])]
        todo.sort(key=lambda visit: visit[0].key in self._journal.crashes)
        while todo:
            yield todo[: self._window]
            del todo[: self._window]
            self._window = min(2 * self._window, _CHUNK)

    def _is_open(self, visit: Visit) -> bool:
        item, number = visit
        return item.key not in self._journal.failed and not self._journal.has(item.key, number)

    def _time_cool(self, chunk: Sequence[Visit]) -> None:
        """Times a few dozen bursts; those of a window in which the device was throttled are measured again."""
        for pause_s in (*_COOLING_S, None):
            self._time(chunk)
            reasons = self._agent.conditions().get("throttled") or []
            if not reasons:
                self._journal.confirm()
                return
            what = f"throttled: {', '.join(map(str, reasons))}"
            if pause_s is None:
                self._journal.add_throttled([(item.key, number) for item, number in chunk], reason=what)
                self._progress.say(f"{self._plan.device.name} stays {what}; the bursts are kept and graded C.")
                return
            self._journal.discard([(item.key, number) for item, number in chunk], reason=what)
            self._progress.say(f"{self._plan.device.name} is {what}; measuring again after {pause_s:.0f} s.")
            self._progress.advance(-len(chunk))
            time.sleep(pause_s)

    def _time(self, chunk: Sequence[Visit]) -> None:
        self._load([item for item, _ in chunk])
        for settings in dict.fromkeys(item.settings for item, _ in chunk):
            batch = [visit for visit in chunk if visit[0].settings == settings and self._is_open(visit)]
            models = [self._journal.models[item.key] for item, _ in batch]
            clock, bursts = self._plan.device.clock, self._agent.time(models, settings)
            for item, number in batch:
                try:
                    burst = next(bursts)
                except AgentError as error:
                    self._blame(item, error)
                    raise
                self._journal.add_burst(item.key, number, burst)
                self._progress.advance(note=f"{item.key} {min(burst.ns(clock)) / 1e6:.3f} ms")
            list(bursts)  # the agent's last word: it counts them

    def _blame(self, item: Item, error: AgentError) -> None:
        """Leaves a model out that the agent died of again and again: a vendor's library may not survive it."""
        if self._agent.alive:
            return
        if self._journal.add_crash(item.key) >= _MOST_CRASHES:
            self._journal.add_failure(item.key, f"The agent died {_MOST_CRASHES} times in a row with it: {error.what}")
            self._progress.say(f"{item.key} is left out: the agent died {_MOST_CRASHES} times in a row with it.")

    def _unload_networks(self) -> None:
        """Has networks loaded anew in each pass.

        Where the runtime happens to place weights and buffers decides how they share the caches, and stays as it is
        until the model is loaded again: on one processor the same network was 1 to 3 % faster or slower after each
        load, now and then 10 %. What a network costs is what it costs over many loads. Single layers are too small
        for this to matter.
        """
        models = {self._journal.models.get(item.key, "") for item in (*self._plan.fit, *self._plan.held_out)}
        self._unload(self._loaded & models)

    def _load(self, items: Sequence[Item]) -> None:
        """Loads models; when the agent holds too much memory, those that are not needed now go first."""
        wanted = {self._journal.models[item.key]: item for item in items}
        if self._full:
            self._unload(self._loaded - set(wanted))
            self._full = False
        for model, item in wanted.items():
            if model in self._loaded:
                continue
            try:
                loaded = self._load_one(model, item, wanted)
            except ModelRefusedError as error:
                self._leave_out(item, error)
            except AgentError as error:
                self._blame(item, error)
                raise
            else:
                used_mib, total_mib = loaded.accelerator_mib or (0, 1)
                self._full = loaded.resident_mib > self._memory_mib or used_mib > _ACCELERATOR_SHARE * total_mib
                self._loaded.add(model)
                self._journal.add_built(item.key, loaded.artefact)

    def _load_one(self, model: str, item: Item, wanted: Collection[str]) -> LoadedModel:
        """Loads a model; what is no fault of the model's is tried once more, without those that are not wanted now.

        A disk that is full now, a compiler that hung or a lack of memory says nothing about the model: were it left out
        for that, it would be missing for good.
        """
        model_format = self._journal.formats[item.key]
        try:
            return self._agent.load_sent(model, model_format)
        except ModelRefusedError:
            raise
        except AgentError as error:
            if not self._agent.alive:
                raise
            self._progress.say(f"{error.what} Trying once more.")
            self._unload(self._loaded - set(wanted))
            return self._agent.load_sent(model, model_format)

    def _unload(self, models: Iterable[str]) -> None:
        leaving = sorted(models)
        self._agent.unload(leaving)
        self._loaded.difference_update(leaving)

    def _leave_out(self, item: Item, error: MosegedgeError) -> None:
        """Records that a model cannot be run; where that is true of too many, it is no model's fault."""
        if len(self._journal.failed) >= _MOST_FAILURES:
            raise error
        self._journal.add_failure(item.key, error.what)
        self._progress.say(f"{item.key} is left out: {error.what}")
