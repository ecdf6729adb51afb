"""What it costs that networks share their weights: time and memory of training, time of an evaluation.

    steps       the same training steps of the same networks inside a supernet and each on its own, and whole steps of
                the supernet (largest, a random one, smallest, soft labels) against the sum of the networks' own steps
    encoders    the same steps of the same encoders with the dynamic layers of the `ofa` package (see
                `benchmarks.ofa_import` for how it is put on the path)
    memory      the most memory that steps take, each in a process of its own; --encoders for those of `encoders`
    evaluation  re-estimation of batch-norm statistics and validation against the forward passes alone
    table       the Markdown tables of a file of results

Each part times all its works in one run, round after round in random order; the time of a work is the 20 % quantile
over the rounds. Bars are stated with the tables; one that is missed ends with 0 as well.

Example:
    python -m benchmarks.training_speed steps --space tiny:192x256:11 --output training_speed.json
    python -m benchmarks.training_speed steps --space mosegnas:192x384:19 --batch-size 4 --scale 0 --rounds 8
    PYTHONPATH=/tmp/ofa python -m benchmarks.training_speed encoders --space mosegnas:192x384:19 --batch-size 4
    python -m benchmarks.training_speed table --output training_speed.json
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.evaluation_speed import EVALUATION, PASSES, evaluation_works
from benchmarks.interleaved import Floats, Work, interleaved, ratio_of
from benchmarks.training_encoders import (
    OURS,
    OURS_PASSES,
    THEIRS,
    THEIRS_LAST,
    THEIRS_PASSES,
    encoder_works,
)
from benchmarks.training_memory import Setting, peaks
from benchmarks.training_steps import SOFT_LABELS, STATIC, SUPERNET, step_works
from benchmarks.training_text import Part, Value, Verdict, read, save, times_of
from mosegedge.space import SearchSpace
from mosegedge.supernet.place import device_named

STEP_BAR, PACKAGE_BAR, EVALUATION_BAR = 1.10, 1.0, 1.3


def main() -> None:
    """Runs one part and prints its tables."""
    arguments = _arguments()
    if arguments.part == "table":
        print("\n\n".join(part.text() for part in read(arguments.output)))
        return
    torch.set_num_threads(arguments.threads)
    part = PARTS[arguments.part](arguments)
    if arguments.output:
        save(arguments.output, part)
    print(part.text())


def steps(arguments: argparse.Namespace) -> Part:
    """Networks inside the supernet against each on its own, and whole steps against sums."""
    common = _setting(arguments).ground()
    seconds = _timed(step_works(common), arguments)
    shared = [Work(name, SUPERNET) for name in common.codes]
    own = [Work(name, STATIC) for name in common.codes]
    whole = [Work(name, SUPERNET) for name in common.sandwiches]
    sums = [Work(name, STATIC) for names in common.sandwiches.values() for name in names]
    verdicts = [
        *(Verdict(what=a.network, ratio=ratio_of(seconds, [a], [b])) for a, b in zip(shared, own, strict=True)),
        Verdict(what="all single networks", ratio=ratio_of(seconds, shared, own), bar=STEP_BAR),
        Verdict(what="whole steps", ratio=ratio_of(seconds, whole, sums), bar=STEP_BAR),
        Verdict(
            what="whole steps, soft labels on both sides",
            ratio=ratio_of(seconds, whole, [*sums, *[SOFT_LABELS] * len(whole)]),
        ),
    ]
    return _part("steps", arguments, times_of(seconds), verdicts, _rounds(seconds))


def encoders(arguments: argparse.Namespace) -> Part:
    """Ours against the package's."""
    common = _setting(arguments).ground()
    seconds = _timed(encoder_works(common), arguments)

    def against(ours: str, theirs: str, names: Sequence[str]) -> Any:
        return ratio_of(seconds, [Work(name, ours) for name in names], [Work(name, theirs) for name in names])

    names = list(common.codes)
    verdicts = [
        *(Verdict(what=f"{name}, to ofa", ratio=against(OURS, THEIRS, [name])) for name in names),
        Verdict(what="all, to ofa", ratio=against(OURS, THEIRS, names), bar=PACKAGE_BAR),
        Verdict(what="all, passes alone, to ofa", ratio=against(OURS_PASSES, THEIRS_PASSES, names), bar=PACKAGE_BAR),
        Verdict(what="all, to ofa in channels last", ratio=against(OURS, THEIRS_LAST, names)),
    ]
    return _part("encoders", arguments, times_of(seconds), verdicts, _rounds(seconds))


def memory(arguments: argparse.Namespace) -> Part:
    """The most memory of each work."""
    found = peaks(_setting(arguments), encoders=arguments.encoders)
    values = tuple(Value(network=work.network, way=work.way, value=value) for work, value in found.items())
    name = "memory of encoders" if arguments.encoders else "memory"
    return _part(name, arguments, values, [])


def evaluation(arguments: argparse.Namespace) -> Part:
    """Evaluations against their passes."""
    works = evaluation_works(
        SearchSpace.load(arguments.space),
        device_named(arguments.on),
        networks=arguments.networks,
        pictures=arguments.pictures,
        label_size=arguments.label_size,
        seed=arguments.seed,
    )
    seconds = _timed(works, arguments)
    whole = [work for work in works if work.way == EVALUATION]
    alone = [work for work in works if work.way == PASSES]
    verdicts = [
        *(Verdict(what=a.network, ratio=ratio_of(seconds, [a], [b])) for a, b in zip(whole, alone, strict=True)),
        Verdict(what="all networks", ratio=ratio_of(seconds, whole, alone), bar=EVALUATION_BAR),
    ]
    return _part("evaluation", arguments, times_of(seconds), verdicts, _rounds(seconds))


PARTS: dict[str, Callable[[argparse.Namespace], Part]] = {
    "steps": steps,
    "encoders": encoders,
    "memory": memory,
    "evaluation": evaluation,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "table"])
    parser.add_argument("--space", default="tiny:192x256:11")
    parser.add_argument("--networks", type=int, default=3, help="drawn at random, beside the largest and the smallest")
    parser.add_argument("--scale", type=int, default=2, help="digit of the input scale of training steps")
    parser.add_argument("--batch-size", type=int, default=8, help="pictures a step")
    parser.add_argument("--ema", type=float, default=0.0, help="moving average of the weights, as 0.999")
    parser.add_argument("--pictures", type=int, default=32, help="of an evaluation, for statistics and for the score")
    parser.add_argument("--label-size", type=_size, default=(360, 480), help="of an evaluation, as 360x480")
    parser.add_argument("--encoders", action="store_true", help="memory of encoders, ours and those of ofa")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=150.0, help="no round begins after this time")
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--on", choices=("cpu", "cuda"), default="cpu", help="where networks run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file that the part is added to, or read by table")
    arguments = parser.parse_args()
    if arguments.part == "table" and not arguments.output:
        parser.error("table reads a file: --output FILE")
    if arguments.networks < 1:
        parser.error("a whole step has a random network: --networks 1")
    return arguments


def _size(text: str) -> tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    return height, width


def _setting(arguments: argparse.Namespace) -> Setting:
    return Setting(
        space=arguments.space,
        networks=arguments.networks,
        scale=arguments.scale,
        batch_size=arguments.batch_size,
        ema=arguments.ema,
        seed=arguments.seed,
        threads=arguments.threads,
        on=arguments.on,
    )


def _timed(works: dict[Work, Callable[[], object]], arguments: argparse.Namespace) -> dict[Work, Floats]:
    device = device_named(arguments.on)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    rng = np.random.default_rng(arguments.seed)
    return interleaved(works, rounds=arguments.rounds, most_s=arguments.seconds, rng=rng, wait=wait)


def _rounds(seconds: Mapping[Work, Floats]) -> int:
    return min(len(values) for values in seconds.values())


def _part(
    name: str, arguments: argparse.Namespace, values: tuple[Value, ...], verdicts: list[Verdict], rounds: int = 0
) -> Part:
    space = SearchSpace.load(arguments.space)
    setting: dict[str, Any] = {"space": arguments.space}
    if name == "evaluation":
        setting |= {"pictures": arguments.pictures, "labels": "x".join(map(str, arguments.label_size))}
    else:
        size = space.preset.scaled_size(arguments.scale)
        setting |= {"input": "x".join(map(str, size)), "batch": arguments.batch_size, "EMA": arguments.ema}
    if rounds:
        setting["rounds"] = rounds
    processor = torch.cuda.get_device_name() if arguments.on == "cuda" else f"{platform.machine()} CPU"
    setting |= {"threads": arguments.threads, "on": processor, "PyTorch": torch.__version__}
    return Part(name=name, unit="ms" if rounds else "MiB", setting=setting, values=values, verdicts=tuple(verdicts))


if __name__ == "__main__":
    main()
