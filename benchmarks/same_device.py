"""Two profiles of one space, layer by layer and network by network: do two ways to a device measure the same?

Example: python -m benchmarks.same_device local/nano-fp32 loopback/nano-fp32
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from mosegedge.profiling import Profile, load_profile


def compared(first: Profile, second: Profile) -> dict[str, float | None]:
    """How far apart the values are, with the repeatability of each profile beside it."""
    layers = _ratios({e.key: e.value_ms for e in first.entries}, {e.key: e.value_ms for e in second.entries})
    ours, theirs = ({network.code: network.value_ms for network in profile.networks} for profile in (first, second))
    networks = _ratios(ours, theirs)
    common = sorted(set(ours) & set(theirs))
    return {
        "layers": len(layers),
        "layers_median_ratio": float(np.median(layers)),
        "layers_mean_difference": float(np.mean(np.abs(layers - 1))),
        "networks": len(networks),
        "networks_median_ratio": float(np.median(networks)),
        "networks_mean_difference": float(np.mean(np.abs(networks - 1))),
        "networks_kendall_tau": float(kendalltau([ours[c] for c in common], [theirs[c] for c in common]).statistic),
        "first_repeats_to": first.repeatability.networks_mape,
        "second_repeats_to": second.repeatability.networks_mape,
        "first_layers_repeat_to": first.repeatability.layers_mape,
        "second_layers_repeat_to": second.repeatability.layers_mape,
    }


def _ratios(first: dict[str, float], second: dict[str, float]) -> np.ndarray:
    return np.array([second[key] / first[key] for key in sorted(set(first) & set(second))])


def main() -> None:
    """Prints the comparison as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--output-root", type=Path, default=Path("profiles"))
    arguments = parser.parse_args()
    first, second = (load_profile(name, root=arguments.output_root) for name in (arguments.first, arguments.second))
    print(json.dumps(compared(first, second), indent=1))


if __name__ == "__main__":
    main()
