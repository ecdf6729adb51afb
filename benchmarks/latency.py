"""How well a profile predicts networks that it has never seen, measured by a loop that shares no code with the agent.

Some networks of the profile itself, its anchors, are timed in the same rounds. How much slower they are than they were
then is the machine's doing and not the model's, so the errors are told twice: as they are, and at the speed of now.

Example: python -m benchmarks.latency --profile local/tiny-fp32 --networks 60 --json --picture latency.png
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import kendalltau, norm, spearmanr

from benchmarks.latency_loop import Measured, built, measure
from mosegedge.profiling.anchors import Slowdown, anchors_of, slowdown_by
from mosegedge.profiling.judge import inside90
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.store import load_profile
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="local/tiny-fp32")
    parser.add_argument("--profile-root", type=Path, default=Path("profiles"))
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--anchors", type=int, default=12, help="Networks of the profile that tell the speed of now.")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--budget", type=float, default=300, help="Seconds after which no round begins.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", type=Path, help="Predicted against measured latency, as .png or .svg.")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile, root=arguments.profile_root)
    space = SearchSpace.load(profile.space.name)
    fresh = fresh_codes(space, profile, arguments.networks, arguments.seed)
    anchors = anchors_of(profile.networks, arguments.anchors)
    codes = np.concatenate([fresh, space.encode([Architecture.parse(code) for code in anchors])])
    models, sizes = built(space, codes), [space.input_size(architecture) for architecture in space.decode(codes)]
    if profile.protocol.affinity:
        os.sched_setaffinity(0, profile.protocol.affinity)
    measured = measure(models, sizes, profile, arguments.rounds, arguments.budget)
    anchors_ms = dict(zip(anchors, measured.value_ms[len(fresh) :].tolist(), strict=True))
    model = profile.latency_model(space)
    result = {
        "profile": profile.name,
        "profile_digest": profile.digest,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "threads": profile.protocol.threads,
        "seed": arguments.seed,
        "networks": len(fresh),
        "rounds": measured.rounds,
        "minutes": measured.minutes,
        **figures(model, fresh, measured),
        **at_this_speed(model, fresh, measured, slowdown_by(profile.networks, anchors_ms)),
    }
    if arguments.picture:
        draw(arguments.picture, profile, fresh, measured.value_ms[: len(fresh)], model)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        for name, value in result.items():
            print(f"{name:36}{value:.4f}" if isinstance(value, float) else f"{name:36}{value}")


def fresh_codes(space: SearchSpace, profile: Profile, count: int, seed: int) -> Codes:
    """Random networks spread evenly over the profile's scales, none of them in the profile."""
    seen = {Architecture.parse(entry.code) for entry in profile.networks}
    codes = space.sample(2 * count + 20, np.random.default_rng(seed))
    codes[:, SCALE] = np.resize(sorted(profile.protocol.scales), len(codes))
    kept = [index for index, architecture in enumerate(space.decode(codes)) if architecture not in seen]
    return codes[kept][:count]


def figures(model: LatencyModel, codes: Codes, measured: Measured) -> Mapping[str, float]:
    """What the bars are about: agreement of predictions, with FLOPs and the measurement itself beside it."""
    space, measured_ms = model.space, measured.value_ms[: len(codes)]
    mean_ms, sd_ms = model.predict(codes)
    errors = mean_ms / measured_ms - 1
    flops, params = space.flops(codes).astype(float), space.params(codes).astype(float)
    first, second = measured.halves_ms[: len(codes)].T
    return {
        "tau_profile": tau(mean_ms, measured_ms),
        "tau_of_two_halves": tau(first, second),
        "tau_flops": tau(flops, measured_ms),
        "tau_params": tau(params, measured_ms),
        "spearman": float(spearmanr(mean_ms, measured_ms).statistic),
        "mape": float(np.abs(errors).mean()),
        "bias": float(errors.mean()),
        "worst": float(np.abs(errors).max()),
        "mape_of_two_halves": float(np.abs(first / second - 1).mean()),
        "within_90_percent_interval": inside90(mean_ms, sd_ms, measured_ms),
        "mean_relative_sd": float((sd_ms / mean_ms).mean()),
        "within_scale_tau_profile": within_scale(codes, mean_ms, measured_ms),
        "within_scale_tau_of_two_halves": within_scale(codes, first, second),
        "within_scale_tau_flops": within_scale(codes, flops, measured_ms),
        "within_scale_tau_params": within_scale(codes, params, measured_ms),
    }


def at_this_speed(
    model: LatencyModel, codes: Codes, measured: Measured, slowdown: Slowdown | None
) -> Mapping[str, float]:
    """How much slower the anchors were than in the profile, and the errors of predictions that are multiplied by it."""
    if slowdown is None:
        return {}
    mean_ms, sd_ms = model.meanwhile.predict(codes)
    sd_ms = np.hypot(sd_ms, slowdown.relative_se * mean_ms)
    measured_ms = measured.value_ms[: len(codes)] / slowdown.ratio
    errors = mean_ms / measured_ms - 1
    return {
        "slowdown_of_anchors": slowdown.ratio,
        "relative_se_of_slowdown": slowdown.relative_se,
        "mape_at_this_speed": float(np.abs(errors).mean()),
        "bias_at_this_speed": float(errors.mean()),
        "within_90_percent_interval_at_this_speed": inside90(mean_ms, sd_ms, measured_ms),
    }


def tau(first: Floats, second: Floats) -> float:
    """Kendall's tau-b."""
    return float(kendalltau(first, second).statistic)


def within_scale(codes: Codes, first: Floats, second: Floats) -> float:
    """Mean over the input scales of tau among the networks of one scale."""
    scales = codes[:, SCALE]
    return float(np.mean([tau(first[scales == scale], second[scales == scale]) for scale in np.unique(scales)]))


def draw(path: Path, profile: Profile, codes: Codes, measured_ms: Floats, model: LatencyModel) -> None:
    """Draws predictions with their 90 % intervals against measurements, and the relative errors below.

    Thin bars are for another day, thick ones for the speed that the device had when it was profiled.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    figure, (above, below) = plt.subplots(2, 1, figsize=(6, 7), height_ratios=(3, 2), sharex=True)
    mean_ms, sd_ms = model.predict(codes)
    half_ms, half_meanwhile_ms = norm.ppf(0.95) * np.array([sd_ms, model.meanwhile.predict(codes)[1]])
    for scale in np.unique(codes[:, SCALE]):
        rows = codes[:, SCALE] == scale
        size = "x".join(map(str, SearchSpace.load(profile.space.name).input_size(_at(profile, codes[rows][0]))))
        above.errorbar(measured_ms[rows], mean_ms[rows], half_ms[rows], fmt="o", ms=4, capsize=2, lw=0.8, label=size)
        error = 100 * (mean_ms[rows] / measured_ms[rows] - 1)
        another_day, same_speed = (100 * half[rows] / measured_ms[rows] for half in (half_ms, half_meanwhile_ms))
        (points, _, _) = below.errorbar(measured_ms[rows], error, another_day, fmt="o", ms=3, capsize=2, lw=0.6)
        below.errorbar(measured_ms[rows], error, same_speed, fmt="none", ecolor=points.get_color(), elinewidth=2.5)
    ends = [float(measured_ms.min()), float(measured_ms.max())]
    above.plot(ends, ends, color="grey", lw=1, zorder=0)
    below.axhline(0, color="grey", lw=1, zorder=0)
    above.set(xscale="log", yscale="log", ylabel="predicted, ms", title=f"{profile.name}: {len(codes)} fresh networks")
    below.set(xlabel="measured, ms", ylabel="error, %  (thick: at one speed)")
    for axis in (above.xaxis, above.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_formatter(NullFormatter())
    above.legend(title="input")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _at(profile: Profile, code: NDArray[np.int64]) -> Architecture:
    return SearchSpace.load(profile.space.name).decode(code[None])[0]


if __name__ == "__main__":
    main()
