"""Puts the models of a plan on a device: what it has already is not made again, what it lacks is made meanwhile.

On a device elsewhere the models that are there are timed while this machine makes the others. Where this machine is
the device, making them comes first: both at once would compete for its memory, and the numbers would show it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.inventory import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import ExportError, ModelRefusedError
from mosegedge.profiling.built import Made, MadeModels
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.loading import leave_out
from mosegedge.profiling.models import ModelFile, model_file
from mosegedge.profiling.plan import Item, Plan
from mosegedge.progress import Progress

_WAITING_MODELS = 8  # made and not sent yet: networks take megabytes
_LISTEN_S = 0.2
_HERE = ("", "localhost", "127.0.0.1", "::1")

Result = tuple[Item, ModelFile | Exception]


class Builder:
    """Makes and sends the models of one plan."""

    def __init__(
        self,
        agent: AgentClient,
        plan: Plan,
        journal: ProfileJournal,
        progress: Progress,
        *,
        description: DeviceDescription,
        host_compiler: str,
    ) -> None:
        self._agent = agent
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._description = description
        typed = bool(description.vendor.get("typed_onnx"))
        self._made = MadeModels(plan, typed=typed, host_compiler=host_compiler)
        self._said: set[str] = set()

    def run(self, meanwhile: Callable[[], bool]) -> float:
        """Has every model on the device, or on record as one that cannot be made.

        Args:
            meanwhile: Times some models that are there already; false when there are none to be timed.

        Returns:
            Seconds in which nothing was timed.
        """
        todo = self._missing()
        self._progress.start("Building models", len(self._plan.items), len(self._plan.items) - len(todo))
        spent_s = 0.0
        try:
            if is_here(self._plan.device) or len(todo) < 2:
                started = time.monotonic()
                for item in todo:
                    self._take(item, self._make(item))
                return time.monotonic() - started
            # In random order: the first ones that are timed are then no special ones.
            order = np.random.default_rng(self._plan.settings.seed).permutation(len(todo))
            with _made_aside([todo[place] for place in order], self._make) as results:
                left = len(todo)
                while left:
                    started = time.monotonic()
                    ready = _ready(results)
                    for item, result in ready:
                        self._take(item, result)
                    left -= len(ready)
                    spent_s += time.monotonic() - started
                    if left and not meanwhile():
                        started = time.monotonic()
                        self._take(*results.get())
                        left -= 1
                        spent_s += time.monotonic() - started
            return spent_s
        finally:
            self._made.save()

    def _missing(self) -> list[Item]:
        """Models that the device does not have; those that it has are on record afterwards."""
        journal = self._journal
        known: dict[str, Made] = {}
        for item in self._plan.items:
            if item.key in journal.models:
                known[item.key] = Made(journal.models[item.key], journal.formats[item.key])
            elif (made := self._made.get(item)) is not None:
                known[item.key] = made
        absent: set[str] = set()
        for model_format in sorted({made.model_format for made in known.values()}):
            sent = sorted({made.sha256 for made in known.values() if made.model_format == model_format})
            absent |= set(self._agent.missing(sent, model_format))
        todo = []
        for item in self._plan.items:
            made = known.get(item.key)
            if item.key in journal.failed:
                continue
            if made is None or made.sha256 in absent:
                todo.append(item)
            elif item.key not in journal.models:
                journal.add_model(item.key, made.sha256, made.model_format, (*made.notes, *made.warnings))
                self._say_once(made.warnings)
        return todo

    def file_of(self, item: Item) -> ModelFile:
        """Makes one model, without sending it."""
        return model_file(item, self._plan, self._description)

    def _make(self, item: Item) -> ModelFile | Exception:
        try:
            return self.file_of(item)
        except (ExportError, ModelRefusedError) as error:
            return error

    def _take(self, item: Item, result: ModelFile | Exception) -> None:
        if isinstance(result, ExportError | ModelRefusedError):
            leave_out(self._journal, self._progress, item, result)
        elif isinstance(result, Exception):
            raise result
        else:
            sha256 = self._agent.send(result.content, result.model_format)
            self._made.add(item, Made(sha256, result.model_format, result.notes, result.warnings))
            if self._journal.models.get(item.key) != sha256:
                self._journal.add_model(item.key, sha256, result.model_format, (*result.notes, *result.warnings))
            self._say_once(result.warnings)
        self._progress.advance(note=item.key)

    def _say_once(self, warnings: Iterable[str]) -> None:
        """Hundreds of layers have the same operators."""
        for warning in warnings:
            if warning not in self._said:
                self._progress.say(warning)
                self._said.add(warning)


def is_here(device: Device) -> bool:
    """Whether a device is this machine, reached directly or through its own network address."""
    return device.connection == "local" or device.address.strip().lower() in _HERE


def _ready(results: queue.Queue[Result]) -> list[Result]:
    found = []
    while True:
        try:
            found.append(results.get_nowait())
        except queue.Empty:
            return found


@contextmanager
def _made_aside(items: Sequence[Item], make: Callable[[Item], ModelFile | Exception]) -> Iterator[queue.Queue[Result]]:
    """Makes models in a thread of its own; it ends with the context, after the model in its hands."""
    results: queue.Queue[Result] = queue.Queue(maxsize=_WAITING_MODELS)
    stop = threading.Event()

    def put(result: Result) -> None:
        while not stop.is_set():
            try:
                results.put(result, timeout=_LISTEN_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        for item in items:
            if stop.is_set():
                return
            try:
                put((item, make(item)))
            except Exception as error:
                # Whatever it is, the main thread raises it: no thread may swallow it.
                put((item, error))
                return

    threading.Thread(target=work, daemon=True).start()
    try:
        yield results
    finally:
        stop.set()
