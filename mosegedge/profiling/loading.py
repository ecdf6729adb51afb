"""What the agent has loaded: models come and go so that its memory holds what is timed now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.replies import DeviceDescription, LoadedModel
from mosegedge.errors import AgentError, ModelRefusedError, MosegedgeError
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import BURSTS_A_LOAD, Item, Plan
from mosegedge.progress import Progress

_MOST_FAILURES = 10
_MOST_CRASHES = 3
_MEMORY_SHARE, _ACCELERATOR_SHARE = 0.4, 0.7
_UNKNOWN_MEMORY_MIB = 2048


class Loader:
    """The models that one agent has loaded."""

    def __init__(
        self,
        agent: AgentClient,
        plan: Plan,
        journal: ProfileJournal,
        progress: Progress,
        *,
        description: DeviceDescription,
    ) -> None:
        self._agent = agent
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._loaded: dict[str, int] = {}  # with how often each had been timed by then
        self._memory_mib = int(description.hardware.get("memory_mib", _UNKNOWN_MEMORY_MIB) * _MEMORY_SHARE)
        self._full = False

    def load(self, items: Sequence[Item]) -> None:
        """Loads models; when the agent holds too much memory, those that are not needed now go first."""
        wanted = {self._journal.models[item.key]: item for item in items}
        if self._full:
            self._unload(self._loaded.keys() - set(wanted))
            self._full = False
        for model, item in wanted.items():
            if model in self._loaded:
                continue
            try:
                loaded = self._load_one(model, item, wanted)
            except ModelRefusedError as error:
                leave_out(self._journal, self._progress, item, error)
            except AgentError as error:
                self.blame(item, error)
                raise
            else:
                used_mib, total_mib = loaded.accelerator_mib or (0, 1)
                self._full = loaded.resident_mib > self._memory_mib or used_mib > _ACCELERATOR_SHARE * total_mib
                self._loaded[model] = self._journal.visits(item.key)
                self._journal.add_built(item.key, loaded.artefact)

    def unload_worn_networks(self) -> None:
        """Has networks loaded anew when they come next, once they were timed as often as one load is for.

        Where the runtime happens to place weights and buffers decides how they share the caches, and stays as it is
        until the model is loaded again: on one processor the same network was 1 to 3 % faster or slower after each
        load, now and then 10 %. What a network costs is what it costs over many loads. Single layers are too small
        for this to matter.
        """
        visits = {
            model: self._journal.visits(item.key)
            for item in (*self._plan.fit, *self._plan.held_out)
            if (model := self._journal.models.get(item.key)) in self._loaded
        }
        self._unload(model for model, count in visits.items() if count - self._loaded[model] >= BURSTS_A_LOAD)

    def blame(self, item: Item, error: AgentError) -> None:
        """Leaves a model out that the agent died of again and again: a vendor's library may not survive it."""
        if self._agent.alive:
            return
        if self._journal.add_crash(item.key) >= _MOST_CRASHES:
            self._journal.add_failure(item.key, f"The agent died {_MOST_CRASHES} times in a row with it: {error.what}")
            self._progress.say(f"{item.key} is left out: the agent died {_MOST_CRASHES} times in a row with it.")

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
            self._unload(self._loaded.keys() - set(wanted))
            return self._agent.load_sent(model, model_format)

    def _unload(self, models: Iterable[str]) -> None:
        leaving = sorted(models)
        if leaving:
            self._agent.unload(leaving)
            for model in leaving:
                del self._loaded[model]


def leave_out(journal: ProfileJournal, progress: Progress, item: Item, error: MosegedgeError) -> None:
    """Records that a model cannot be run; where that is true of too many, it is no model's fault."""
    if len(journal.failed) >= _MOST_FAILURES:
        raise error
    journal.add_failure(item.key, error.what)
    progress.say(f"{item.key} is left out: {error.what}")
