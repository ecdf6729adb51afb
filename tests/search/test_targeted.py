"""What a search for a device refuses, and what it makes of a profile and a supernet, with small stand-ins for both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from standin import QUICK

from mosegedge.data import Sample
from mosegedge.errors import CheckpointError, InfeasibleError, ProfileError, UsageError
from mosegedge.files import sha256_of_file
from mosegedge.profiling.fit import SUM
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import (
    CertificateSection,
    DeviceSection,
    LayerEntry,
    ModelSection,
    NetworkEntry,
    ProtocolSection,
    SpaceReference,
)
from mosegedge.profiling.trust import trust_of, widened
from mosegedge.progress import Silent
from mosegedge.search.archive import Archive
from mosegedge.search.config import InnerSettings
from mosegedge.search.limits import Limit
from mosegedge.search.manifest import read_manifest
from mosegedge.search.scoring import Scoring
from mosegedge.search.targeted import search_for_device
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano:96x192:3")
TINY = replace(
    QUICK, initial=6, generations=1, evaluations=2, scales=(0, 1), inner=InnerSettings(population=4, generations=2)
)
CODES = SPACE.sample(19, np.random.default_rng(0))
CODES[:, 0] = np.arange(19) % 2
OFF = np.arange(1, 20) * 0.01 * (-1) ** np.arange(19)


class Noise:
    """Pictures and labels without any sense, always the same."""

    name = "noise"
    classes = ("a", "b", "c")
    palette = np.zeros((3, 3), dtype=np.uint8)
    label_size = (96, 192)

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return 4

    def read(self, index):
        rng = np.random.default_rng(index)
        return Sample(
            rng.integers(256, size=(96, 192, 3), dtype=np.uint8), rng.integers(3, size=(96, 192), dtype=np.uint8)
        )


@pytest.fixture(scope="module")
def scoring(tmp_path_factory):
    path = tmp_path_factory.mktemp("supernet") / "supernet.safetensors"
    info = SupernetInfo(space=SPACE, data="noise", step=0, training={})
    save_supernet(path, Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    return Scoring(supernet=path, train=Noise("train"), guide=Noise("guide"), statistics_pictures=8, guide_pictures=3)


def profile_of(*, space=SPACE, origin="measured", scales=(0, 1)):
    """The fields of a profile that a search looks at."""
    return Profile.model_construct(
        version=1,
        origin=origin,
        space=SpaceReference(name=space.name, slug=space.slug, digest=space.digest),
        device=DeviceSection.model_construct(name="board"),
        protocol=ProtocolSection.model_construct(scales=list(scales), precision="fp32", threads=1),
        entries=[
            LayerEntry.model_construct(key=spec.key, value_ms=float(flops) / 1e7 + 0.02, se_ms=0.0)
            for spec, flops in zip(space.entries, space.entry_flops, strict=True)
        ],
        networks=[],
        failed=[],
        model=ModelSection(
            method="both",
            coefficients={SUM: 1.0},
            constants_ms={str(scale): 0.3 for scale in scales},
            additivity_sd=0.0,
            constant_sd_ms=0.0,
            network_sd=0.04,
        ),
        certificate=None,
        digest="d" * 64,
    )


def search(folder, scoring, profile=None, config=TINY):
    return search_for_device(
        profile or profile_of(), "board/nano-fp32", scoring, folder, config=config, progress=Silent()
    )


def test_a_search_over_inherited_weights_names_what_it_was_made_from(tmp_path, scoring):
    result = search(tmp_path, scoring)
    assert (result.evaluated, result.failed) == (8, 0)
    latency = widened(profile_of().latency_model(SPACE), trust_of(profile_of(), SPACE))
    for candidate in Archive(tmp_path / "archive.jsonl").candidates:
        mean, sd = latency.predict(SPACE.encode([candidate.architecture]))
        assert candidate.architecture.scale in (0, 1)
        assert candidate.latency_ms == pytest.approx(mean[0], abs=1e-6)
        assert candidate.latency_sd_ms == pytest.approx(sd[0], abs=1e-6)
    manifest = read_manifest(tmp_path)
    assert manifest["space"]["digest"] == SPACE.digest
    assert manifest["profile"] == {"reference": "board/nano-fp32", "digest": "d" * 64, "label": "board"}
    assert manifest["trust"] == {
        "board/nano-96x192-3-fp32/v1": {"shortfalls": ["no network judged it"], "sd_factor": 2.0}
    }
    assert manifest["supernet"] == {"path": str(scoring.supernet), "digest": sha256_of_file(scoring.supernet)}
    assert (manifest["data"], manifest["evaluation"]) == ("noise", {"statistics_pictures": 8, "guide_pictures": 3})


def test_a_profile_below_the_bar_is_warned_of_and_one_above_it_is_taken_at_its_word(tmp_path, scoring):
    networks = [
        NetworkEntry.model_construct(
            code=str(network),
            role="held-out",
            value_ms=float(mean_ms * (1 + off)),
        )
        for network, mean_ms, off in zip(
            SPACE.decode(CODES), profile_of().latency_model(SPACE).predict(CODES)[0], OFF, strict=True
        )
    ]
    certificate = CertificateSection.model_construct(
        source="held-out", kendall_tau=0.95, mape=0.05, coverage90=0.5, networks=len(CODES)
    )
    said = []
    progress = Silent()
    progress.say = said.append
    bad = profile_of().model_copy(update={"networks": networks, "certificate": certificate})
    search_for_device(bad, "board", scoring, tmp_path / "bad", config=TINY, progress=progress)
    assert "its 90 % interval holds 50% of networks" in said[0]
    assert "profiles check board/nano-96x192-3-fp32/v1" in said[0]
    recorded = read_manifest(tmp_path / "bad")["trust"]["board/nano-96x192-3-fp32/v1"]
    # 19 networks: the 18th of |off| / 4 % over the 1.645 of a normal distribution
    assert recorded["sd_factor"] == pytest.approx(0.18 / 0.04 / 1.6449, abs=1e-3)
    wide = Archive(tmp_path / "bad" / "archive.jsonl").candidates[0]
    plain = profile_of().latency_model(SPACE).predict_one(wide.architecture)
    assert wide.latency_sd_ms == pytest.approx(recorded["sd_factor"] * plain[1], rel=1e-4)

    good = bad.model_copy(update={"certificate": certificate.model_copy(update={"coverage90": 0.85})})
    said.clear()
    search_for_device(good, "board", scoring, tmp_path / "good", config=TINY, progress=progress)
    assert not [text for text in said if "below the bar" in text]
    assert read_manifest(tmp_path / "good")["trust"] == {}


def test_going_on_with_other_pictures_is_refused(tmp_path, scoring):
    search(tmp_path, scoring)
    with pytest.raises(UsageError, match=r"evaluation\.guide_pictures = 3; this one has 4"):
        search(tmp_path, replace(scoring, guide_pictures=None))


def test_limits_and_folders_of_other_searches_are_refused_before_processes_are_waited_for(
    tmp_path, scoring, monkeypatch
):
    def never(*arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr("mosegedge.search.targeted.shared_among", never)
    limit = replace(TINY, limits=(Limit(objective="latency", bound=0.01),))
    with pytest.raises(InfeasibleError, match="No network keeps to"):
        search(tmp_path / "run", scoring, config=limit)
    assert not (tmp_path / "run").exists()
    with pytest.raises(AssertionError):
        search(tmp_path / "other", scoring)
    with pytest.raises(UsageError, match=r"settings\.seed = 7; this one has 8"):
        search(tmp_path / "other", scoring, config=replace(TINY, seed=8))


def test_a_simulated_profile_is_refused(tmp_path, scoring):
    with pytest.raises(ProfileError, match=r"board/nano-fp32 is simulated.*mosegedge profile"):
        search(tmp_path / "run", scoring, profile_of(origin="simulated"))
    assert not (tmp_path / "run").exists()


def test_a_profile_of_another_space_is_refused(tmp_path, scoring):
    with pytest.raises(ProfileError, match=r"nano:128x192:3 .*asked for is nano:96x192:3"):
        search(tmp_path / "run", scoring, profile_of(space=SearchSpace.load("nano:128x192:3")))
    assert not (tmp_path / "run").exists()


def test_a_scale_that_the_profile_does_not_cover_is_refused(tmp_path, scoring):
    with pytest.raises(UsageError, match=r"does not cover scale digit 2\. It covers 0,1\..*--scales 0,1"):
        search(tmp_path / "run", scoring, config=replace(TINY, scales=(0, 2, 3)))
    assert not (tmp_path / "run").exists()


def test_pictures_of_other_classes_are_refused(tmp_path, scoring):
    class Two(Noise):
        classes = ("a", "b")

    with pytest.raises(UsageError, match="2 classes, the supernet has 3"):
        search(tmp_path / "run", replace(scoring, train=Two("train"), guide=Two("guide")))


def test_a_supernet_that_knows_its_classes_scores_on_no_others(tmp_path, scoring):
    info = SupernetInfo(space=SPACE, data="noise", step=0, training={}, classes=("a", "c", "b"))
    path = tmp_path / "supernet.safetensors"
    save_supernet(path, Supernet(SPACE, torch.Generator().manual_seed(0)), info)
    swapped = replace(scoring, supernet=path)
    for refused in (lambda: search(tmp_path / "run", swapped), swapped.alone):
        with pytest.raises(CheckpointError, match="class 1 is 'c' in it and 'b' here"):
            refused()
    assert not (tmp_path / "run").exists()


def test_a_missing_supernet_is_named(tmp_path, scoring):
    with pytest.raises(CheckpointError, match="gone"):
        search(tmp_path / "run", replace(scoring, supernet=tmp_path / "gone.safetensors"))


def test_processes_of_one_machine_share_its_memory_for_pictures(scoring, monkeypatch):
    asked = []
    monkeypatch.setattr("mosegedge.search.scoring.usual_bytes", lambda processes: asked.append(processes) or 0)
    replace(scoring, processes=4).alone()
    assert asked == [4]


@pytest.mark.parametrize("wrong", [{"statistics_pictures": 0}, {"guide_pictures": 0}])
def test_scoring_on_no_pictures_is_refused(scoring, wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is 0"):
        replace(scoring, **wrong)
