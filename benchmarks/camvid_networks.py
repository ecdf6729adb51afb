"""The networks of `benchmarks.camvid`: finalists of a search, and what stands beside each of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from benchmarks.bisenet import BiSeNet, TrainingBiSeNet, multiply_adds
from mosegedge.devices import Device, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic
from mosegedge.networks.onnx import export_module
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights, generator_of
from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.plan import BURSTS_A_LOAD
from mosegedge.search.archive import Archive, Candidate, evaluated, front_of
from mosegedge.search.select import choose
from mosegedge.space import Architecture, SearchSpace

Kind = Literal["search", "uniform width", "BiSeNet-like"]
SEARCHED: Kind = "search"
UNIFORM: Kind = "uniform width"
BISENET: Kind = "BiSeNet-like"
KINDS = (SEARCHED, BISENET, UNIFORM)
Timer = Callable[[Mapping[str, bytes]], Mapping[str, Measurement]]

STATISTIC: Literal["quantile10"] = "quantile10"
_LEEWAY_UNIFORM = 1.10
_LEEWAY_BISENET = 1.02
_PARTS, _FEWEST = 64, 4  # nominal widths of BiSeNet are multiples of 1/64; channels are rounded to blocks after
_BURST = BurstSettings(min_samples=2, max_samples=4, min_ns=10_000_000, max_warmup=3)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One network of the comparison.

    Attributes:
        kind: Where it comes from.
        rank: Number of the finalist that it stands beside, from 1, fastest first.
        size: Height and width of the pictures that it takes.
        code: Of a network of the space; empty for a BiSeNet.
        width: Of a BiSeNet; 0 for a network of the space.
        guide_miou: mIoU on `guide` with weights inherited from the supernet; None for a BiSeNet.
    """

    kind: Kind
    rank: int
    size: tuple[int, int]
    code: str = ""
    width: float = 0.0
    guide_miou: float | None = None

    @property
    def name(self) -> str:
        """Of its folder and its files."""
        return f"{self.kind.split()[0].lower()}-{self.rank}"

    @property
    def title(self) -> str:
        """For tables."""
        return f"`{self.code.replace(' ', '-')}`" if self.code else f"ResNet-18 BiSeNet, width {self.width:.3f}"

    def deployed(self, space: SearchSpace) -> SubNet | BiSeNet:
        """The network as it is deployed, its weights wherever torch puts them."""
        if self.code:
            return SubNet(space, Architecture.parse(self.code))
        return BiSeNet(self.width, space.classes, self.size)

    @property
    def identity(self) -> str:
        """What makes it this network and no other."""
        return self.code or f"BiSeNet {self.width} {self.size[0]}x{self.size[1]}"

    def in_training(self, space: SearchSpace) -> TrainingNetwork | TrainingBiSeNet:
        """The network with its auxiliary heads."""
        if self.code:
            return TrainingNetwork(space, Architecture.parse(self.code))
        return TrainingBiSeNet(self.width, space.classes, self.size)

    def counts(self, space: SearchSpace) -> tuple[int, int]:
        """Parameters and multiply-adds."""
        with torch.device("meta"):
            network = self.deployed(space)
        return sum(tensor.numel() for tensor in network.parameters()), multiply_adds(network, self.size)

    def onnx(self, space: SearchSpace, *, opset: int) -> bytes:
        """ONNX with random weights, which decide no latency."""
        network = build_with_weights(lambda: self.deployed(space), generator_of(f"{space.digest} {self}"))
        return export_module(network, ((1, 3, *self.size),), opset=opset)


def space_of(run: Path) -> SearchSpace:
    """The space of a search.

    Raises:
        UsageError: The folder holds none, or one whose space is not a shipped one.
    """
    try:
        found = json.loads((run / "run.json").read_text())["space"]
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{run} is no run folder of a search: {error}.", fix="Search: mosegedge search ...") from error
    space = SearchSpace.load(found["name"])
    if space.digest != found["digest"]:
        raise UsageError(f"The space {found['name']} of {run} is not the one that is shipped today.")
    return space


def chosen_of(run: Path, space: SearchSpace, count: int) -> list[Contender]:
    """Finalists of a search by its own rule of picking, each followed by the network of uniform width beside it.

    That is the most accurate one, by the same inherited weights, of at most 10 % more latency than the finalist has, or
    else the fastest; one that stands beside two finalists is there once.
    """
    finalists = choose(front_of(Archive(run / "archive.jsonl").candidates), count)
    uniform = evaluated(Archive(run / "baselines.jsonl").candidates)
    if not uniform:
        raise UsageError(f"{run} has no networks of uniform width.", fix="Repeat the search that made it.")
    found: list[Contender] = []
    for rank, finalist in enumerate(finalists, start=1):
        near = [one for one in uniform if one.latency_ms <= _LEEWAY_UNIFORM * finalist.latency_ms]
        beside = max(near or [min(uniform, key=_latency)], key=lambda one: one.miou or 0.0)
        found.append(_of(finalist, SEARCHED, rank, space))
        if str(beside.architecture) not in {one.code for one in found}:
            found.append(_of(beside, UNIFORM, rank, space))
    return found


def with_bisenets(contenders: Sequence[Contender], space: SearchSpace, timer: Timer, opset: int) -> list[Contender]:
    """The contenders, and beside each finalist the widest BiSeNet, on pictures of the same size, that is no slower.

    All widths of a step are timed in turn with the finalists. At most 2 % more latency counts as no slower: a short
    measurement can tell no less.
    """
    finalists = [one for one in contenders if one.kind == SEARCHED]
    models = {str(one.rank): one.onnx(space, opset=opset) for one in finalists}

    def no_slower(parts: Sequence[int]) -> list[bool]:
        tried = [_bisenet(one, count) for one, count in zip(finalists, parts, strict=True)]
        found = timer(models | {one.name: one.onnx(space, opset=opset) for one in tried})
        value = {name: one.value_ms(STATISTIC) for name, one in found.items()}
        ratios = [value[one.name] / value[str(one.rank)] for one in tried]
        said = (f"{one.name} of width {one.width:.3f}: {ratio:.3f}" for one, ratio in zip(tried, ratios, strict=True))
        sys.stderr.write(f"latency by that of the finalist: {', '.join(said)}\n")
        return [ratio <= _LEEWAY_BISENET for ratio in ratios]

    parts = widest(no_slower, len(finalists))
    return [*contenders, *(_bisenet(one, count) for one, count in zip(finalists, parts, strict=True))]


def widest(no_slower: Callable[[Sequence[int]], Sequence[bool]], count: int) -> list[int]:
    """Several searches by halving at once: the largest number of parts from 4 to 64 each that is no slower.

    Args:
        no_slower: Of one number of parts for each search; it is asked a few times.
        count: How many searches.
    """
    low, high = [_FEWEST] * count, [_PARTS + 1] * count
    while any(above - below > 1 for below, above in zip(low, high, strict=True)):
        middle = [(below + above) // 2 for below, above in zip(low, high, strict=True)]
        for place, fits in enumerate(no_slower(middle)):
            if fits:
                low[place] = middle[place]
            else:
                high[place] = middle[place]
    return low


def in_order(contenders: Sequence[Contender]) -> list[Contender]:
    """The order of training: the middle finalist and what stands beside it first, so that a part of it says most."""
    middle = (max(one.rank for one in contenders) + 1) // 2
    return sorted(contenders, key=lambda one: (one.rank != middle, one.rank, KINDS.index(one.kind)))


def timed(models: Mapping[str, bytes], device: Device, *, rounds: int) -> dict[str, Measurement]:
    """Times models in turn on a device through its agent, in rounds of random order; loaded anew every two rounds.

    Args:
        models: ONNX by name.
        device: Where.
        rounds: How often all models are gone through, a burst each time.

    Returns:
        A measurement of each; its bursts are the loads, whose runs share the luck of where the runtime put weights.
    """
    loads: dict[str, list[tuple[int, ...]]] = {name: [] for name in models}
    preempted = dict.fromkeys(models, 0)
    rng = np.random.default_rng(0)
    with open_agent(device) as agent:
        for first in range(0, rounds, BURSTS_A_LOAD):
            loaded = {agent.load(content): name for name, content in models.items()}
            order = rng.permuted(np.tile(list(loaded), (min(BURSTS_A_LOAD, rounds - first), 1)), axis=1).ravel()
            runs: dict[str, tuple[int, ...]] = dict.fromkeys(models, ())
            for burst in agent.time([str(model) for model in order], _BURST):
                runs[loaded[burst.model]] += tuple(burst.ns(device.clock))
                preempted[loaded[burst.model]] += sum(1 for count in burst.preempted if count)
            agent.unload(sorted(loaded))
            for name, samples in runs.items():
                loads[name].append(samples)
    return {name: Measurement(name, tuple(loads[name]), preempted[name]) for name in models}


def save_contenders(path: Path, contenders: Sequence[Contender]) -> None:
    """Writes them as JSON."""
    write_atomic(path, json.dumps([asdict(one) for one in contenders], indent=1) + "\n")


def read_contenders(path: Path) -> list[Contender]:
    """Reads `save_contenders`'s file.

    Raises:
        UsageError: It is not there.
    """
    if not path.is_file():
        raise UsageError(f"{path} is missing: no networks were chosen yet.", fix="python -m benchmarks.camvid choose")
    return [contender_of(record) for record in json.loads(path.read_text())]


def contender_of(record: Mapping[str, Any]) -> Contender:
    """A contender from its JSON."""
    return Contender(**{**record, "size": tuple(record["size"])})


def _of(candidate: Candidate, kind: Kind, rank: int, space: SearchSpace) -> Contender:
    size = space.input_size(candidate.architecture)
    return Contender(kind=kind, rank=rank, size=size, code=str(candidate.architecture), guide_miou=candidate.miou)


def _bisenet(finalist: Contender, parts: int) -> Contender:
    return replace(finalist, kind=BISENET, code="", width=parts / _PARTS, guide_miou=None)


def _latency(candidate: Candidate) -> float:
    return candidate.latency_ms
