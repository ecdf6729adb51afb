"""Spaces: sizes, tables of parameters and FLOPs to the last digit, presets, the walk from code to layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mosegedge.errors import SpaceError
from mosegedge.space import Architecture, BottleneckSpec, DecoderSpec, SearchSpace, StemSpec, shipped_presets
from mosegedge.space.presets import DecoderPreset, Preset

MIDDLE = "4 11 112220 112220 11222220 112220"
RESNET50 = "4 12 122220 222222 22222222 122220"
SCALES = range(5)


def with_scale(space: SearchSpace, architecture: Architecture) -> np.ndarray:
    codes = np.repeat(space.encode([architecture]), 5, axis=0)
    codes[:, 0] = SCALES
    return codes


@pytest.mark.parametrize(
    ("preset", "network", "params", "mega_flops"),
    [
        ("mosegnas", "smallest", 9_131_432, [24_630, 31_170, 38_480, 46_560, 55_420]),
        ("mosegnas", "middle", 18_720_616, [41_760, 52_850, 65_250, 78_960, 93_960]),
        ("mosegnas", "largest", 51_314_464, [94_120, 119_120, 147_070, 177_950, 211_770]),
        ("tiny", "smallest", 578_135, [29.8, 67.0, 119.1, 186.1, 268.0]),
        ("tiny", "middle", 1_419_399, [55.4, 124.7, 221.6, 346.3, 498.6]),
        ("tiny", "largest", 3_872_723, [126.8, 285.2, 507.0, 792.1, 1140.6]),
        ("nano", "smallest", 175_699, [11.5, 25.8, 45.9, 71.7, 103.3]),
        ("nano", "middle", 722_727, [29.9, 67.3, 119.7, 187.0, 269.3]),
        ("nano", "largest", 2_606_671, [78.3, 176.1, 313.0, 489.1, 704.3]),
    ],
)
def test_params_and_flops_of_landmarks(preset: str, network: str, params: int, mega_flops: list[float]) -> None:
    space = SearchSpace.load(preset)
    architectures = {"smallest": space.smallest, "middle": Architecture.parse(MIDDLE), "largest": space.largest}
    codes = with_scale(space, architectures[network])
    step = 10 if preset == "mosegnas" else 0.1
    assert space.params(codes).tolist() == [params] * 5
    assert np.abs(space.flops(codes) / 1e6 - mega_flops).max() <= step / 2 * 1.001


@pytest.mark.parametrize(
    ("code", "params", "giga_flops"),
    [
        ("4 12 202231 221313 02113100 221231", 31.70, 127.99),
        ("4 02 001100 001100 11233310 223232", 35.31, 103.11),
        ("4 11 012300 012300 20333331 221223", 30.60, 106.11),
        ("4 11 203233 011200 21121313 221213", 30.09, 106.40),
        ("1 00 001200 011100 00213200 001100", 9.99, 34.65),
        ("1 00 113210 011100 20112211 003200", 12.66, 41.61),
    ],
)
def test_codes_near_the_papers_figures(code: str, params: float, giga_flops: float) -> None:
    space = SearchSpace.load("mosegnas")
    codes = space.encode([Architecture.parse(code)])
    assert round(space.params(codes)[0] / 1e6, 2) == params
    assert round(space.flops(codes)[0] / 1e9, 2) == giga_flops


def test_light_decoder_is_a_preset_and_not_a_code_change() -> None:
    """Reading B of the paper's FLOPs: no spatial path, 64 channels, bilinear; bounds computed independently."""
    preset = Preset.load("mosegnas")
    light = DecoderPreset(heads=64, spatial=0, fusion=128, output=64, upsampling="bilinear")
    space = SearchSpace(replace(preset, decoder=light))
    bounds = np.stack([with_scale(space, network)[4] for network in (space.smallest, space.largest)])
    assert np.round(space.params(bounds) / 1e6, 2).tolist() == [6.66, 48.18]
    assert np.round(space.flops(bounds) / 1e9, 2).tolist() == [28.16, 183.30]


def test_bilinear_decoder_saves_the_documented_parameters() -> None:
    preset = Preset.load("mosegnas")
    bilinear = SearchSpace(replace(preset, decoder=replace(preset.decoder, upsampling="bilinear")))
    codes = bilinear.encode([bilinear.smallest, bilinear.largest])
    assert bilinear.params(codes).tolist() == [8_823_803, 51_006_835]


@pytest.mark.parametrize("preset", shipped_presets())
def test_number_of_codes_and_of_table_rows(preset: str) -> None:
    space = SearchSpace.load(preset)
    assert space.size == 4_098_191_328_270
    assert len(space.entries) == 1245
    assert len({spec.key for spec in space.entries}) == len(set(space.entries))


@pytest.mark.parametrize("preset", shipped_presets())
def test_layers_of_connect(preset: str, rng: np.random.Generator) -> None:
    space = SearchSpace.load(preset)
    for architecture in space.decode(space.sample(50, rng)):
        layers = space.layers_of(architecture)
        stem, *bottlenecks, decoder = (layer.spec for layer in layers)
        assert isinstance(stem, StemSpec)
        assert isinstance(decoder, DecoderSpec)
        channels, height, width = stem.out_channels, stem.height // 4, stem.width // 4
        for spec in bottlenecks:
            assert isinstance(spec, BottleneckSpec)
            assert (spec.in_channels, spec.height, spec.width) == (channels, height, width)
            channels, height, width = spec.out_channels, height // spec.stride, width // spec.stride
        assert (channels, height * 32, width * 32) == (decoder.c32, decoder.height, decoder.width)
        assert len(bottlenecks) == sum(architecture.depth_of(stage) for stage in range(4))
        names = [layer.name for layer in layers]
        assert names == [name for name in space.slots if name in names]


def test_widths_of_the_paper_preset() -> None:
    preset = Preset.load("mosegnas")
    assert [preset.stem_channels(m) for m in range(3)] == [40, 48, 64]
    assert [preset.stem_middle_channels(m) for m in range(3)] == [24, 24, 32]
    assert [[preset.stage_channels(s, m) for m in range(3)] for s in range(4)] == [
        [168, 208, 256],
        [336, 408, 512],
        [664, 816, 1024],
        [1328, 1640, 2048],
    ]
    assert [preset.hidden_channels(3, m, r) for m in range(3) for r in range(3)] == [
        264, 336, 464, 328, 408, 576, 408, 512, 720,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mosegnas", [(512, 1024), (576, 1152), (640, 1280), (704, 1408), (768, 1536)]),
        ("mosegnas:640x640:171", [(416, 416), (480, 480), (544, 544), (576, 576), (640, 640)]),
        ("mosegnas:512x512:21", [(352, 352), (384, 384), (416, 416), (480, 480), (512, 512)]),
        ("tiny", [(64, 128), (96, 192), (128, 256), (160, 320), (192, 384)]),
    ],
)
def test_scale_digit_gives_the_documented_sizes(name: str, sizes: list[tuple[int, int]]) -> None:
    space = SearchSpace.load(name)
    assert [space.preset.scaled_size(scale) for scale in SCALES] == sizes


def test_crop_and_classes_are_part_of_name_and_digest() -> None:
    plain, cropped = SearchSpace.load("tiny"), SearchSpace.load("tiny:192x256:11")
    assert (plain.slug, cropped.slug) == ("tiny", "tiny-192x256-11")
    assert SearchSpace.load(cropped.name) == cropped
    assert plain.digest != cropped.digest
    assert plain.digest != SearchSpace.load("tiny", classes=11).digest


def test_own_preset_loads_from_toml(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "mosegedge/space/presets/nano.toml"
    path = tmp_path / "mine.toml"
    path.write_text(source.read_text().replace('name = "nano"', 'name = "mine"').replace("192, 384", "256, 256"))
    space = SearchSpace.load(str(path))
    assert (space.name, space.slug) == ("mine:256x256:19", "mine-256x256-19")
    assert Preset.from_json(space.preset.to_json()) == space.preset


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("classes = 19", "clases = 19", "unknown field 'clases'"),
        ("classes = 19", "", "lacks the field 'classes'"),
        ("classes = 19", "classes = 0", "classes is 0"),
        ("classes = 19", 'classes = "many"', "classes is 'many'"),
        ("[0.25, 0.5, 0.75]", "[0.25, 0.26, 0.75]", "not distinct after rounding"),
        ("[0.25, 0.5, 0.75]", "[0.75, 0.5, 0.25]", "must rise"),
        ("[0.25, 0.5, 0.75]", "[0.25, 0.5]", "2 values, it needs 3"),
        ('"bilinear"', '"cubic"', "'cubic'"),
        ("[192, 384]", "[64, 64]", "two are the same size"),
        ('"1/3"', '"a third"', "wrong type"),
        ("[decoder]", "[head]", "no table [decoder]"),
        ("=", "==", "not valid TOML"),
    ],
)
def test_bad_preset_is_refused_with_the_reason(tmp_path: Path, old: str, new: str, expected: str) -> None:
    source = Path(__file__).parents[2] / "mosegedge/space/presets/nano.toml"
    path = tmp_path / "mine.toml"
    path.write_text(source.read_text().replace(old, new))
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(str(path))
    assert expected in str(caught.value)


@pytest.mark.parametrize("name", ["tinny", "tiny:192", "tiny:0x4", "tiny:ax4:3", "tiny:64x64:3:4", "none.toml"])
def test_unknown_space_is_refused(name: str) -> None:
    with pytest.raises(SpaceError):
        SearchSpace.load(name)
