"""Times fresh networks on a device, in rounds that visit all of them in a new random order.

This loop is independent of the one that makes profiles: it knows no layers, no sentinels, no drift correction and no
stopping rule, so that a mistake there shows here as a wrong prediction. In every round a network is loaded anew, since
where a runtime places weights and buffers stays as it is until then and makes a difference of a few percent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from mosegedge.devices.agent_client import AgentClient, BurstSettings
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import AgentError, ExportError, ModelRefusedError, MosegedgeError
from mosegedge.profiling.check_record import CheckRecord
from mosegedge.profiling.models import ModelFile, file_for, network_onnx
from mosegedge.progress import Progress
from mosegedge.space import Architecture, SearchSpace

MIN_ROUNDS = 2
_TOGETHER = 8  # networks that are loaded at the same time
_MOST_FAILURES = 5
_MOST_CRASHES = 3
_BURST = BurstSettings(min_samples=2, max_samples=8, min_ns=30_000_000, max_warmup=3, most_ns=150_000_000)


def network_file(
    agent: AgentClient, space: SearchSpace, network: Architecture, description: DeviceDescription
) -> ModelFile:
    """The file of one network for the agent's device."""
    return file_for(agent.device, network_onnx(space, network, opset=agent.device.opset), description)


class CheckLoop:
    """One agent's share of a check.

    Args:
        agent: The agent.
        space: The space of the networks.
        networks: What is timed.
        record: What was timed already; learns of everything else.
        progress: Shown while it lasts.
    """

    def __init__(
        self,
        agent: AgentClient,
        space: SearchSpace,
        networks: Sequence[Architecture],
        record: CheckRecord,
        progress: Progress,
    ) -> None:
        self._agent = agent
        self._space = space
        self._networks = {str(network): network for network in networks}
        self._record = record
        self._progress = progress

    def send(self, description: DeviceDescription) -> None:
        """Has all networks on the device."""
        record = self._record
        formats = {model_format for _, model_format in record.models.values()}
        absent: set[str] = set()
        for name in sorted(formats):
            absent |= set(self._agent.missing([sha for sha, kind in record.models.values() if kind == name], name))
        todo = [code for code in self._networks if record.models.get(code, ("",))[0] in absent | {""}]
        self._progress.start("Building networks", len(self._networks), len(self._networks) - len(todo))
        for code in todo:
            if code not in record.failed:
                try:
                    model = network_file(self._agent, self._space, self._networks[code], description)
                except (ExportError, ModelRefusedError) as error:
                    self._leave_out(code, error)
                else:
                    sha256 = self._agent.send(model.content, model.model_format)
                    record.add("model", code=code, sha256=sha256, format=model.model_format)
            self._progress.advance(note=code)

    def measure(self, rounds: int, budget_s: float, seed: int) -> None:
        """Times round by round, until there are enough or another round would not fit into the budget.

        Rounds that an earlier run finished count with the time that they took.
        """
        longest_s, done = 0.0, 0
        self._progress.start("Checking", rounds * len(self._networks), self._record.bursts)
        for number in range(rounds):
            begun_s = time.monotonic()
            if number >= MIN_ROUNDS and self._record.spent_s + longest_s > budget_s:
                self._progress.say(f"{done} rounds fill the {budget_s:.0f} s of --budget.")
                break
            order = np.random.default_rng((seed, number)).permutation(len(self._networks))
            codes = [list(self._networks)[place] for place in order]
            missing = [code for code in codes if code not in self._record.failed and not self._record.has(code, number)]
            done = number + 1
            if missing:
                self._round(missing, number)
                longest_s = max(longest_s, time.monotonic() - begun_s)
                self._record.add("round", round=number, wall_s=round(time.monotonic() - begun_s, 3))
        self._record.add("end", rounds=done)

    def _round(self, codes: Sequence[str], number: int) -> None:
        while codes:
            together, codes = codes[:_TOGETHER], codes[_TOGETHER:]
            loaded = [code for code in together if self._load(code)]
            self._time(loaded, number)
            self._agent.unload(sorted({self._record.models[code][0] for code in loaded}))
            reasons = self._agent.conditions().get("throttled") or []
            if reasons and loaded:
                what = f"throttled: {', '.join(map(str, reasons))}"
                self._record.add("throttled", codes=loaded, reason=what)
                self._progress.say(f"{self._agent.device.name} is {what}; the numbers are kept and graded C.")

    def _time(self, codes: Sequence[str], number: int) -> None:
        if not codes:
            return
        bursts = self._agent.time([self._record.models[code][0] for code in codes], _BURST)
        timed = 0
        try:
            for code, burst in zip(codes, bursts, strict=True):
                self._record.add_burst(code, number, burst)
                self._progress.advance(note=f"{code} {min(burst.ns(self._agent.device.clock)) / 1e6:.3f} ms")
                timed += 1
        except AgentError as error:
            for code in codes[timed : timed + 1]:  # none, where all were timed and the agent failed after that
                self._blame(code, error)
            raise

    def _load(self, code: str) -> bool:
        if code in self._record.failed:
            return False
        try:
            self._agent.load_sent(*self._record.models[code])
        except ModelRefusedError as error:
            self._leave_out(code, error)
            return False
        except AgentError as error:
            self._blame(code, error)
            raise
        return True

    def _blame(self, code: str, error: AgentError) -> None:
        """Leaves a network out that the agent died of again and again: a vendor's library may not survive it."""
        if self._agent.alive:
            return
        if self._record.add_crash(code) >= _MOST_CRASHES:
            what = f"the agent died {_MOST_CRASHES} times in a row with it"
            self._leave_out(code, AgentError(f"{what[0].upper()}{what[1:]}: {error.what}"))

    def _leave_out(self, code: str, error: MosegedgeError) -> None:
        if len(self._record.failed) >= _MOST_FAILURES:
            raise error
        self._record.add("failed", code=code, error=error.what)
        self._progress.say(f"{code} is left out: {error.what}")
