"""Weights of a once-for-all network: every tensor finds its place, and sub-networks of both sides compute the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import ofa_standin
import pytest
import torch

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import CheckpointError
from mosegedge.files import sha256_of_file
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import load_supernet, supernet_info
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.ofa import SOURCE_MEAN, SOURCE_STD, import_ofa, renormalised
from mosegedge.supernet.ofa_layout import encoder_of, places
from mosegedge.supernet.start import encoder_path, read_encoder

SPACE = SearchSpace.load("nano:96x192:5")
MOSEGNAS = SearchSpace.load("mosegnas")
GOLDEN = json.loads((Path(__file__).parent / "ofa_resnet50.json").read_text())
HERE = Path("ofa.pth")


@pytest.fixture(scope="module")
def source() -> ofa_standin.StandIn:
    return ofa_standin.stand_in(SPACE)


@pytest.fixture(scope="module")
def run(source: ofa_standin.StandIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("import")
    import_ofa(ofa_standin.write(folder, {"state_dict": source.state_dict()}), folder / "run", SPACE, seed=3)
    return folder


def features(supernet: Supernet, code, picture: torch.Tensor) -> list[torch.Tensor]:
    encoder, found = supernet.extract(code).encoder, []
    with torch.no_grad():
        for part in (encoder.stem, encoder.stage1, encoder.stage2, encoder.stage3, encoder.stage4):
            picture = part(picture)
            found.append(picture)
    return found


def test_every_tensor_of_the_package_has_its_place_with_its_shape() -> None:
    shapes = {place.elastic: list(place.shape) for place in places(MOSEGNAS)}
    left = {name: GOLDEN["tensors"][name] for name in GOLDEN["tensors"].keys() - shapes.keys()}
    assert shapes.items() <= GOLDEN["tensors"].items()
    assert left == {"classifier.linear.linear.weight": [1000, 2048], "classifier.linear.linear.bias": [1000]}


def test_places_are_all_tensors_of_the_encoder() -> None:
    with torch.device("meta"):
        wanted = {name for name in Supernet(SPACE, torch.Generator()).network.state_dict() if ".encoder." in name}
    assert sorted(place.name for place in places(SPACE)) == sorted(wanted)


def test_every_width_after_rounding_is_the_package_s() -> None:
    preset, three = MOSEGNAS.preset, range(3)
    assert [preset.stem_middle_channels(w) for w in three] == GOLDEN["stem_middle"]
    assert [preset.stem_channels(w) for w in three] == GOLDEN["stem_output"]
    assert [[preset.stage_channels(s, w) for w in three] for s in range(4)] == GOLDEN["stage_output"]
    hidden = [[[preset.hidden_channels(s, w, e) for e in three] for w in three] for s in range(4)]
    assert hidden == GOLDEN["hidden"]


def test_features_of_sub_networks_are_equal(source: ofa_standin.StandIn, rng: np.random.Generator) -> None:
    supernet = Supernet(SPACE, torch.Generator().manual_seed(0)).eval()
    tensors, _ = encoder_of(source.state_dict(), SPACE, HERE)
    supernet.network.load_state_dict(supernet.network.state_dict() | tensors)
    picture = torch.from_numpy(rng.normal(size=(1, 3, 64, 96)).astype(np.float32))
    for code in [SPACE.smallest, SPACE.largest, *SPACE.decode(SPACE.sample(8, rng))]:
        with torch.no_grad():
            wanted = source.features(picture, code)
        for ours, theirs in zip(features(supernet, code, picture), wanted, strict=True):
            assert ours.shape == theirs.shape
            assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_other_normalisation_is_folded_into_the_first_convolution(source: ofa_standin.StandIn) -> None:
    tensors, _ = encoder_of(source.state_dict(), SPACE, HERE)
    supernet = Supernet(SPACE, torch.Generator().manual_seed(0)).eval()
    supernet.network.load_state_dict(supernet.network.state_dict() | renormalised(tensors))
    pixels = torch.rand((1, 3, 64, 96), generator=torch.Generator().manual_seed(0))
    first = supernet.extract(SPACE.largest).encoder.stem.conv1
    with torch.no_grad():
        ours = first((pixels - ofa_standin.planes(MEAN)) / ofa_standin.planes(STD))
        normal = (pixels - ofa_standin.planes(SOURCE_MEAN)) / ofa_standin.planes(SOURCE_STD)
        theirs = source.input_stem[0](normal, ours.shape[1]).relu()
    torch.testing.assert_close(ours[..., 1:, 1:], theirs[..., 1:, 1:], rtol=1e-4, atol=1e-5)
    assert (ours[..., 0, :] - theirs[..., 0, :]).abs().max() > 1e-3  # As the command says.


def test_the_import_tells_what_it_took_what_it_left_and_what_is_new(run: Path) -> None:
    path = run / "run" / "supernet.safetensors"
    info = supernet_info(path)
    assert (info.space, info.data, info.step, info.training) == (SPACE, "", 0, {})
    assert info.untrained == ("decoder", "auxiliary heads")
    assert info.imported
    assert info.imported.file == "ofa.pth"
    assert info.imported.sha256 == sha256_of_file(run / "ofa.pth")
    assert info.imported.size_bytes == (run / "ofa.pth").stat().st_size
    assert info.imported.mapped == len(list(places(SPACE)))
    assert info.imported.seed == 3
    assert set(info.imported.left_out) == {"classifier.linear.linear.weight", "classifier.linear.linear.bias"}
    assert set(info.imported.differences) == {"stem widths", "normalisation", "batch norm", "sizes", "choices"}
    with pytest.raises(CheckpointError, match=r"random weights in its decoder and auxiliary heads.*ofa\.pth"):
        info.require_trained(path)


def test_encoder_is_the_file_s_and_the_rest_is_that_of_the_seed(run: Path, source: ofa_standin.StandIn) -> None:
    imported, _ = load_supernet(run / "run" / "supernet.safetensors")
    fresh = Supernet(SPACE, torch.Generator().manual_seed(3)).network.state_dict()
    encoder = renormalised(encoder_of(source.state_dict(), SPACE, HERE)[0])
    for name, tensor in imported.network.state_dict().items():
        assert torch.equal(tensor, encoder.get(name, fresh[name])), name


def test_a_training_of_other_classes_and_size_starts_from_it(run: Path, source: ofa_standin.StandIn) -> None:
    other = SearchSpace.load("nano:128x256:7")
    start = read_encoder(encoder_path(str(run / "run")), other)
    encoder = renormalised(encoder_of(source.state_dict(), SPACE, HERE)[0])
    supernet = Supernet(other, torch.Generator().manual_seed(0))
    start.copy_into(supernet.network)
    state = supernet.network.state_dict()
    assert start.tensors.keys() == encoder.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in encoder.items())


def test_the_public_file_s_choices_are_no_difference_in_the_paper_s_space() -> None:
    from mosegedge.supernet.ofa import differences_to

    assert "choices" not in differences_to(MOSEGNAS)
    other = replace(MOSEGNAS.preset, width_multipliers=(0.5, 0.75, 1.0))
    assert "slices at (0.5, 0.75, 1.0)" in differences_to(SearchSpace(other))["choices"]


@pytest.mark.parametrize("legacy", [False, True])
def test_names_of_fixed_layers_bare_dictionaries_and_old_files_are_read(
    tmp_path: Path, source: ofa_standin.StandIn, legacy: bool
) -> None:
    state = source.state_dict()
    fixed = {
        name.replace(".conv.conv.", ".conv.", 1).replace(".bn.bn.", ".bn.").replace(".linear.linear.", ".linear."): t
        for name, t in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert {"input_stem.1.conv.conv.weight", "blocks.0.downsample.bn.bias", "classifier.linear.bias"} <= fixed.keys()
    _, info = import_ofa(ofa_standin.write(tmp_path, fixed, legacy=legacy), tmp_path / "run", SPACE)
    supernet, _ = load_supernet(tmp_path / "run" / "supernet.safetensors")
    assert info.imported
    assert info.imported.mapped == len(fixed) - 2
    wanted = state["blocks.17.conv3.conv.conv.weight"]
    assert torch.equal(supernet.network.state_dict()["subnet.encoder.stage4.3.conv3.conv.weight"], wanted)


def test_other_networks_are_refused_by_name_shape_and_value(source: ofa_standin.StandIn) -> None:
    state = source.state_dict()
    name = "blocks.3.conv2.bn.bn.running_var"
    without = {key: value for key, value in state.items() if key != name}
    wrong = {
        r"lacks 'blocks\.3\.conv2\.bn\.bn\.running_var'.*1 are missing": without,
        r"has 'blocks\.18\.conv1\.conv\.conv\.weight', which": state
        | {"blocks.18.conv1.conv.conv.weight": state[name]},
        r"has the shape 3, the space nano:96x192:5 needs \d+": state | {name: torch.ones(3)},
        r"holds torch\.int64 values": state | {name: state[name].long()},
        "not finite": state | {name: state[name] / 0},
        "negative variance": state | {name: -state[name]},
    }
    for message, tensors in wrong.items():
        with pytest.raises(CheckpointError, match=message):
            encoder_of(tensors, SPACE, HERE)
    with pytest.raises(CheckpointError, match="--space mosegnas"):
        encoder_of(state, SearchSpace.load("tiny"), HERE)


def test_an_import_replaces_nothing(run: Path) -> None:
    before = (run / "run" / "supernet.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="an import replaces no weights"):
        import_ofa(run / "ofa.pth", run / "run", SPACE)
    assert (run / "run" / "supernet.safetensors").read_bytes() == before
