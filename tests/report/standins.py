"""A run folder with everything a report can show, made in a second: laws in place of a device and of accuracy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from mosegedge.files import Journal, canonical_json, sha256_of_file, write_atomic
from mosegedge.profiling.fit import SUM
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import (
    CertificateSection,
    DeviceSection,
    LayerEntry,
    ModelSection,
    NetworkEntry,
    ProtocolSection,
    RepeatabilitySection,
    RooflineSection,
    SpaceReference,
)
from mosegedge.profiling.store import Series, load_profile, save_profile
from mosegedge.search.archive import Archive, Candidate, evaluated, front_of, objectives
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.search.dominance import hypervolume
from mosegedge.search.manifest import manifest_of
from mosegedge.search.select import choose
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano")
CONFIG = SearchConfig(initial=20, generations=2, evaluations=4, chosen=3, seed=5)
FAILURE = "DataError: picture 3 is <b>damaged</b> & unreadable"


def make_run(root: Path, *, profile_digest: str = "0" * 64, supernet_digest: str = "0" * 64) -> Path:
    """A finished run below `root`, in the files that a search writes."""
    folder, rng = root / "run", np.random.default_rng(1)
    provenance = Provenance(
        profile="local/nano-fp32/v1",
        profile_digest=profile_digest,
        supernet=str(root / "supernet.safetensors"),
        supernet_digest=supernet_digest,
        data="scenes",
        evaluation={"statistics_pictures": 8, "guide_pictures": 8},
    )
    write_atomic(folder / "run.json", json.dumps(manifest_of(SPACE, CONFIG, provenance)))
    archive, journal = Archive(folder / "archive.jsonl"), Journal(folder / "generations.jsonl")
    ends = SPACE.encode([SPACE.smallest, SPACE.largest])
    for generation, count in enumerate((18, 4, 4)):
        codes = SPACE.sample(count, rng)
        for row in _candidates(np.vstack([ends, codes]) if generation == 0 else codes, generation, rng):
            archive.append(row)
        journal.append(_generation(archive, generation))
    failed = _candidates(SPACE.sample(1, rng), 2, rng)[0]
    archive.append(Candidate(**{**vars(failed), "miou": None, "failure": FAILURE}))
    uniform = [SPACE.uniform(scale, width) for scale in range(5) for width in range(3)]
    baselines = Archive(folder / "baselines.jsonl")
    for candidate in _candidates(SPACE.encode(uniform), -1, rng):
        baselines.append(candidate)
    front = front_of(archive.candidates)
    chosen = [{"k": k, **c.to_json()} for k, c in enumerate(choose(front, CONFIG.chosen), start=1)]
    write_atomic(folder / "front.json", json.dumps({"front": [c.to_json() for c in front], "chosen": chosen}))
    return folder


def _candidates(codes: np.ndarray, generation: int, rng: np.random.Generator) -> list[Candidate]:
    flops, params = SPACE.flops(codes), SPACE.params(codes)
    return [
        Candidate(
            architecture=SPACE.decode(code)[0],
            generation=generation,
            reason="baseline" if generation < 0 else "random" if generation == 0 else "accuracy",
            latency_ms=float(0.5 + flops[row] / 2e7),
            latency_sd_ms=0.1,
            params=int(params[row]),
            flops=int(flops[row]),
            predicted_miou=0.5 if generation > 0 else None,
            miou=float(np.clip(0.05 * np.log(flops[row] / 1e6) + 0.02 * generation + 0.02 * rng.normal(), 0, 1)),
        )
        for row, code in enumerate(codes)
    ]


def _generation(archive: Archive, generation: int) -> dict[str, object]:
    corner = objectives(evaluated(archive.of(0))).max(axis=0)
    taus = {"rows": 6, "predictor": 0.8, "lightgbm": 0.6, "log_flops": 0.5}
    return {
        "generation": generation,
        "evaluated": len(archive.of(generation)),
        "failed": 0,
        "front": len(front_of(archive.candidates)),
        "best_miou": 0.5,
        "hypervolume": hypervolume(objectives(front_of(archive.candidates)), corner),
        "reference": {"latency_ms": float(corner[0]), "miou": -float(corner[1])},
        "new_tau": {"predictor": 0.4 if generation else None, "latency": 0.1 if generation else None},
        "held_out_tau": taus if generation else {},
    }


def make_profile(root: Path) -> Profile:
    """A profile of the space by a law of FLOPs, saved below `root`."""
    rng = np.random.default_rng(2)
    costs = {spec.key: float(flops) / 2e7 + 0.02 for spec, flops in zip(SPACE.entries, SPACE.entry_flops, strict=True)}
    codes = SPACE.sample(24, rng)
    table = np.array([costs[spec.key] for spec in SPACE.entries])
    measured_ms = (0.3 + SPACE.total(codes, table)) * rng.normal(1.0, 0.04, len(codes))
    timing = {"n": 12, "grade": "A", "reason": "quiet", "se_ms": 0.0}
    networks = [
        NetworkEntry(
            code=str(SPACE.decode(code)[0]),
            role="held-out" if row % 2 else "fit",
            value_ms=float(value),
            median_ms=float(value) * 1.02,
            p95_ms=float(value) * 1.1,
            **timing,
        )
        for row, (code, value) in enumerate(zip(codes, measured_ms, strict=True))
    ]
    certificate = {name: {} if name.startswith("by_scale") else 0.9 for name in CertificateSection.model_fields}
    certificate |= {"networks": 12, "mape": 0.031, "source": "held-out", "measured": "2026-01-02"}
    profile = Profile(
        version=1,
        parent=None,
        origin="measured",
        created=datetime(2026, 1, 2, tzinfo=UTC),
        mosegedge="0.1.0",
        command="mosegedge profile --device local --space nano",
        space=SpaceReference(name=SPACE.name, slug=SPACE.slug, digest=SPACE.digest),
        device=DeviceSection(
            name="local", backend="onnxruntime", hardware={"cpu": "a quiet CPU"}, system={}, vendor={}, settings={},
            conditions=[],
        ),
        protocol=ProtocolSection(
            scales=[0, 1, 2, 3, 4], statistic="quantile10", passes=2, bursts=2, warmup="1", samples="2", stopping="1",
            clock="host", threads=1,
            precision="fp32", opset=17, seed=0, restarts=0,
        ),
        entries=[
            LayerEntry(key=key, value_ms=cost, median_ms=cost, p95_ms=cost, **timing)
            for key, cost in sorted(costs.items())
        ],
        networks=networks,
        failed=[],
        notes=[],
        model=ModelSection(
            method="both", coefficients={SUM: 1.0}, constants_ms={str(scale): 0.3 for scale in range(5)},
            additivity_sd=0.0, constant_sd_ms=0.0, network_sd=0.04,
        ),
        certificate=CertificateSection.model_validate(certificate),
        roofline=RooflineSection(
            peak_gmacs_per_s=25.0, bandwidth_gb_per_s=10.0, launch_ms=0.004, convolution="k3 c64 @64x96",
            copied_mib=128.0,
        ),
        repeatability=RepeatabilitySection(networks_kendall_tau=0.97, networks_mape=0.01, layers_mape=0.01, drift=0.0),
    )  # fmt: skip
    save_profile(profile, Series(root / "local" / "nano-fp32"))
    return load_profile("local/nano-fp32/v1", root=root)


def make_supernet(root: Path) -> str:
    """Random weights; returns the checkpoint's digest."""
    path = root / "supernet.safetensors"
    info = SupernetInfo(space=SPACE, data="scenes", step=4, training={"steps": 4, "batch_size": 2, "seed": 0})
    save_supernet(path, Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    return sha256_of_file(path)


def make_bundle(run: Path, *, passed: bool = True) -> Path:
    """A verified bundle of the first chosen network: the two files that a report reads."""
    folder = run / "bundles" / "first"
    code = json.loads((run / "front.json").read_text())["chosen"][0]["code"]
    write_atomic(folder / "bundle.json", canonical_json({"code": code}))
    verification = {
        "device": "local",
        "agreement": 0.99995,
        "latency": {"median_ms": 3.1, "p95_ms": 3.6, "low_ms": 2.9},
        "predicted_ms": [3.0, 0.1],
        "fps_card": "nano on local: latency 3.10 ms median, 322.6 images/s",
        "passed": passed,
    }
    write_atomic(folder / "verify.json", canonical_json(verification))
    return folder
