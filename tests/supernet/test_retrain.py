"""One network after the search: what it starts from, exact resume, its file, its score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from stopping import StopAt

from mosegedge.data import SegmentationSet, cached
from mosegedge.data.prepared import PictureCache
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError, UsageError
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.evaluate import confusion_of
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.network import load_network, network_path, save_network
from mosegedge.supernet.retrain import retrain_network
from mosegedge.supernet.runnable import score_part
from mosegedge.supernet.schedule import RetrainConfig
from mosegedge.supernet.start import read_encoder, read_supernet

SPACE = SearchSpace.load("nano:96x192:19")
CONFIG = RetrainConfig(steps=4, batch_size=2, learning_rate=0.05, seed=3, ema=0.9, ohem_threshold=0.7)


@pytest.fixture(scope="module")
def pictures() -> SegmentationSet:
    return cached(SceneSet("train", 6))


@pytest.fixture(scope="module")
def supernet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("supernet") / "supernet.safetensors"
    info = SupernetInfo(space=SPACE, data="scenes", step=0, training={})
    save_supernet(path, Supernet(SPACE, torch.Generator().manual_seed(1)), info)
    return path


def test_interrupted_training_ends_with_the_same_network(
    pictures: SegmentationSet, supernet: Path, tmp_path: Path
) -> None:
    start, network = read_supernet(supernet, SPACE), SPACE.smallest

    def retrained(name: str, progress: Silent) -> Path:
        return retrain_network(
            SPACE, network, pictures, tmp_path / name,
            config=CONFIG, progress=progress, recipe="scenes", start=start, checkpoint_steps=1,
        )  # fmt: skip

    straight = retrained("straight", Silent())
    with pytest.raises(KeyboardInterrupt):
        retrained("cut", StopAt(2))
    expected, found = load_file(straight), load_file(retrained("cut", Silent()))
    assert expected.keys() == found.keys()
    assert not [name for name in expected if "auxiliary" in name]
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name
    assert network_path(str(tmp_path / "cut")) == tmp_path / "cut/network.safetensors"

    loaded = load_network(straight)
    assert loaded.subnet.architecture == network
    assert loaded.info.training["supernet"] == start.sha256
    assert (loaded.info.training["recipe"], loaded.info.training["ohem_threshold"]) == ("scenes", 0.7)
    inherited = Supernet(SPACE, torch.Generator().manual_seed(1)).inherited(network)
    assert all(not torch.equal(tensor, inherited[name]) for name, tensor in found.items() if "weight" in name)

    val = SceneSet("val", 5)
    together = confusion_of(loaded.subnet, PictureCache(val, tuple(range(5))), SPACE.input_size(network))
    scores = score_part(loaded.runnable(torch.device("cpu")), val, progress=Silent())
    assert np.array_equal(scores.matrix.counts, together.counts)


def test_network_starts_from_the_slices_it_inherits(supernet: Path, rng: np.random.Generator) -> None:
    everything, encoder = read_supernet(supernet, SPACE), read_encoder(supernet, SPACE)
    shared = Supernet(SPACE, torch.Generator().manual_seed(1))
    for architecture in SPACE.decode(SPACE.sample(10, rng)):
        network = TrainingNetwork(SPACE, architecture)
        decoder = network.subnet.decoder.fuse.conv.weight.clone()
        encoder.copy_into(network)
        assert torch.equal(network.subnet.decoder.fuse.conv.weight, decoder)
        expected = shared.inherited(architecture)
        for name, tensor in network.subnet.state_dict().items():
            assert torch.equal(tensor, expected[name]) == name.startswith("encoder.") or tensor.dim() < 4, name
        everything.copy_into(network)
        for name, tensor in network.subnet.state_dict().items():
            assert torch.equal(tensor, expected[name]), name
        auxiliary = shared.network.auxiliary16.state_dict()
        assert all(torch.equal(t, auxiliary[n]) for n, t in network.auxiliary16.state_dict().items())


def test_half_a_file_keeps_norms_and_gives_nearly_the_same_scores(tmp_path: Path) -> None:
    subnet = build_with_weights(lambda: SubNet(SPACE, SPACE.smallest), torch.Generator().manual_seed(1)).eval()
    info = SupernetInfo(space=SPACE, data="scenes", step=3, training={"recipe": "scenes"}, classes=("road", "sky"))
    whole, half = tmp_path / "whole.safetensors", tmp_path / "half.safetensors"
    save_network(whole, subnet, info)
    save_network(half, subnet, info, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    kept, short = load_file(whole), load_file(half)
    assert {name for name in kept if kept[name].dtype != short[name].dtype} == {
        name for name in kept if kept[name].dim() == 4
    }
    loaded, picture = load_network(half), torch.rand(1, 3, *SPACE.input_size(SPACE.smallest))
    assert loaded.info == load_network(whole).info
    assert {tensor.dtype for tensor in loaded.subnet.parameters()} == {torch.float32}
    with torch.no_grad():
        expected, found = subnet(picture), loaded.subnet(picture)
    assert 0 < float((expected - found).abs().max()) < 2e-3 * float(expected.abs().max())


def test_weights_of_another_space_are_refused(supernet: Path) -> None:
    with pytest.raises(CheckpointError, match="is of space nano:96x192:19, not nano:192x384:19"):
        read_supernet(supernet, SearchSpace.load("nano"))
    assert read_encoder(supernet, SearchSpace.load("nano:64x192:11")).kind == "encoder"
    with pytest.raises(CheckpointError, match=r"not that of space tiny.*its stem_width is"):
        read_encoder(supernet, SearchSpace.load("tiny"))
    with pytest.raises(CheckpointError, match="format 'mosegedge-supernet-1'"):
        load_network(supernet)


def test_other_settings_and_other_weights_are_another_training(
    pictures: SegmentationSet, supernet: Path, tmp_path: Path
) -> None:
    short, start = replace(CONFIG, steps=1), read_supernet(supernet, SPACE)
    run = {"progress": Silent(), "config": short}
    retrain_network(SPACE, SPACE.smallest, pictures, tmp_path, recipe="scenes", **run)
    # The name of the recipe decides nothing.
    retrain_network(SPACE, SPACE.smallest, pictures, tmp_path, recipe="mine", **run)
    with pytest.raises(CheckpointError, match="its supernet was None"):
        retrain_network(SPACE, SPACE.smallest, pictures, tmp_path, start=start, **run)
    with pytest.raises(CheckpointError, match="its code was 0 00 "):
        retrain_network(SPACE, SPACE.largest, pictures, tmp_path, **run)
    with pytest.raises(UsageError, match="scenes has 19 classes, the space nano:96x192:11 has 11"):
        retrain_network(SearchSpace.load("nano:96x192:11"), SPACE.smallest, pictures, tmp_path, **run)
