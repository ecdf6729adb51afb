"""Proof that an imported once-for-all checkpoint computes what the `ofa` package computes with it.

Random weights and batch-norm statistics in the package's network are saved as the public file is, imported, and random
sub-networks of both sides see the same input: once with sliced statistics, once with those of the batch. Compared are
the features after the stem and after each stage; the error is the largest difference by the largest feature.

The package is no dependency of mosegedge. Put it into a folder of its own and on the path of this command; modules that
it imports for its data providers alone and that are not installed are replaced by empty ones:

    pip install --no-deps --target /tmp/ofa ofa==0.1.0.post202307202001
    PYTHONPATH=/tmp/ofa python -m benchmarks.ofa_import

With --golden it writes the names and shapes that the tests compare with.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.machinery
import importlib.metadata
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import UsageError
from mosegedge.networks.subnet import Encoder
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import STAGES, STEM_DEPTH, STEM_WIDTH
from mosegedge.supernet.checkpoint import load_supernet
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.ofa import SOURCE_MEAN, SOURCE_STD, import_ofa
from mosegedge.supernet.ofa_layout import encoder_of
from mosegedge.supernet.state_file import read_state_file

DEPTHS, RATIOS, WIDTHS = [0, 1, 2], [0.2, 0.25, 0.35], [0.65, 0.8, 1.0]
PARTS = ("stem", "stage 1", "stage 2", "stage 3", "stage 4")
PROVIDERS_ONLY = (
    *("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"),
    *("yaml", "tqdm"),
)
SIZE, BATCH, TOLERANCE = (128, 192), 2, 1e-4


def main() -> None:
    """Runs the proof and ends with 1 if a feature differs by more than the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--golden", type=Path, help="Only write names, shapes and widths of the package's network.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    package = package_module()
    if arguments.golden:
        arguments.golden.write_text(json.dumps(golden(package), indent=1) + "\n")
        return
    if not prove(package, arguments.networks, arguments.seed):
        sys.exit(1)


def package_module() -> types.ModuleType:
    """The package's elastic networks.

    Raises:
        UsageError: It is not on the path.
    """
    for name in PROVIDERS_ONLY:
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = _EmptyModule(name)
            parent, _, leaf = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], leaf, sys.modules[name])
    try:
        return importlib.import_module("ofa.imagenet_classification.elastic_nn.networks")
    except ImportError as error:
        raise UsageError(
            f"The package ofa cannot be imported: {error}.", fix="See: python -m benchmarks.ofa_import --help"
        ) from error


class _EmptyModule(types.ModuleType):
    """A module whose every name is an empty class, for imports that nothing here uses."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)  # PyTorch asks which modules there are

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def package_network(package: types.ModuleType) -> nn.Module:
    """The network of the public checkpoint."""
    network: nn.Module = package.OFAResNets(
        dropout_rate=0, depth_list=DEPTHS, expand_ratio_list=RATIOS, width_mult_list=WIDTHS
    )
    return network


def golden(package: types.ModuleType) -> dict[str, Any]:
    """Names and shapes of its tensors, and every width that its layers can take."""
    with torch.device("meta"):
        network: Any = package_network(package)
    stem = network.input_stem
    firsts = [network.blocks[group[0]] for group in network.grouped_block_index]
    return {
        "package": f"ofa {importlib.metadata.version('ofa')}",
        "network": "OFAResNets, depth_list 0 1 2, expand_ratio_list 0.2 0.25 0.35, width_mult_list 0.65 0.8 1.0",
        "stem_middle": stem[0].out_channel_list,
        "stem_output": stem[2].out_channel_list,
        "stage_output": [block.out_channel_list for block in firsts],
        "hidden": [[[_hidden(block, w, r) for r in RATIOS] for w in block.out_channel_list] for block in firsts],
        "tensors": {name: list(tensor.shape) for name, tensor in network.state_dict().items()},
    }


def _hidden(block: Any, width: int, ratio: float) -> int:
    block.active_out_channel, block.active_expand_ratio = width, ratio
    hidden: int = block.active_middle_channels
    return hidden


def prove(package: types.ModuleType, networks: int, seed: int) -> bool:
    """Imports random weights, compares features and prints the errors; whether all are within the tolerance."""
    generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    theirs: Any = package_network(package).eval()
    shake(theirs, generator)
    space = SearchSpace.load("mosegnas")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "ofa_resnet50.pth"
        torch.save({"state_dict": theirs.state_dict()}, source)
        path, info = import_ofa(source, Path(folder) / "run", space, seed=seed)
        imported, _ = load_supernet(path)
        state = read_state_file(source)
    imported_from = info.imported
    assert imported_from, "an import says where it comes from"
    print(f"package     ofa {importlib.metadata.version('ofa')}, torch {torch.__version__}")
    print(f"file        {len(state.tensors)} tensors, {state.size_bytes} bytes; {imported_from.mapped} mapped")
    print(f"left out    {', '.join(imported_from.left_out)}")

    as_in_file = Supernet(space, torch.Generator().manual_seed(seed)).eval()
    tensors, _ = encoder_of(state.tensors, space, source)
    as_in_file.network.load_state_dict(as_in_file.network.state_dict() | tensors)
    codes = [space.smallest, space.largest, *space.decode(space.sample(networks - 2, rng))][:networks]
    picture = torch.rand((BATCH, 3, *SIZE), generator=generator)
    same_input = (picture - _planes(SOURCE_MEAN)) / _planes(SOURCE_STD)
    own_input = (picture - _planes(MEAN)) / _planes(STD)
    good = True
    for name, training in (("sliced statistics", False), ("statistics of the batch", True)):
        errors = [compare(theirs, as_in_file, code, (same_input, same_input), training=training) for code in codes]
        good &= report(f"{name}, same input, {len(codes)} networks", np.array(errors))
    print(f"all within {TOLERANCE:g}: {good}")
    errors = [compare(theirs, imported, code, (same_input, own_input), training=False) for code in codes]
    report(
        "sliced statistics, each side's own normalisation (the border of the first convolution differs)",
        np.array(errors),
    )
    inside = stem_inside(theirs, imported, codes, same_input, own_input)
    print(f"  first convolution without its first row and column: {inside:.1e}")
    return good and inside <= TOLERANCE


def shake(network: nn.Module, generator: torch.Generator) -> None:
    """Random weights of the usual size; random statistics and norms, none of them the identity."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.0, generator=generator)
                module.bias.uniform_(-0.2, 0.2, generator=generator)
                statistics = dict(module.named_buffers())
                statistics["running_mean"].uniform_(-0.2, 0.2, generator=generator)
                statistics["running_var"].uniform_(0.8, 1.6, generator=generator)


def setting(code: Architecture) -> dict[str, list[Any]]:
    """The package's depths, ratios and widths for a code of ours; its two stem widths are the same one."""
    digits = code.digits
    ratios = [RATIOS[max(digits[position], 1) - 1] for stage in STAGES for position in stage.expansions]
    widths = [digits[STEM_WIDTH], digits[STEM_WIDTH], *(digits[stage.width] for stage in STAGES)]
    depths = [DEPTHS[-1] if digits[STEM_DEPTH] else DEPTHS[0], *(DEPTHS[digits[stage.depth]] for stage in STAGES)]
    return {"d": depths, "e": ratios, "w": widths}


def compare(
    theirs: Any, ours: Supernet, code: Architecture, inputs: tuple[Tensor, Tensor], *, training: bool
) -> list[float]:
    """Errors after stem and stages, of the package's elastic forward pass against our extracted network."""
    theirs.set_active_subnet(**setting(code))
    fixed = theirs.get_active_subnet(preserve_weight=True).train(training)
    with torch.no_grad():
        wanted = features_of_package(fixed, inputs[0], code)
        found = features_of_ours(ours.extract(code).encoder.train(training), inputs[1])
        if not training:  # In training its elastic layers would change the statistics that they share.
            elastic = features_of_package(theirs, inputs[0], code)
            assert all(_error(a, b) <= TOLERANCE for a, b in zip(elastic, wanted, strict=True)), "its own two forms"
    return [_error(a, b) for a, b in zip(found, wanted, strict=True)]


def features_of_package(network: Any, x: Tensor, code: Architecture) -> list[Tensor]:
    """Features of its elastic network as it is set, or of one that it extracted."""
    elastic = hasattr(network, "runtime_depth")
    for index, layer in enumerate(network.input_stem):
        if not (elastic and network.input_stem_skipping and index == 1):
            x = layer(x)
    x = network.max_pooling(x)
    features, start = [x], 0
    for stage, digits in enumerate(STAGES):
        active = code.depth_of(stage)
        for block in network.blocks[start : start + active]:
            x = block(x)
        start += digits.max_depth if elastic else active
        features.append(x)
    return features


def features_of_ours(encoder: Encoder, x: Tensor) -> list[Tensor]:
    """The same of ours."""
    features = []
    for part in (encoder.stem, encoder.stage1, encoder.stage2, encoder.stage3, encoder.stage4):
        x = part(x)
        features.append(x)
    return features


def stem_inside(theirs: Any, ours: Supernet, codes: list[Architecture], same: Tensor, own: Tensor) -> float:
    """Largest error of the first convolution where its window lies inside the picture."""
    errors = []
    for code in codes:
        theirs.set_active_subnet(**setting(code))
        with torch.no_grad():
            stem: Any = ours.extract(code).encoder.stem
            errors.append(_error(stem.conv1(own)[..., 1:, 1:], theirs.input_stem[0](same)[..., 1:, 1:]))
    return max(errors)


def report(title: str, errors: Any) -> bool:
    """Prints the median and the largest error by part."""
    print(title)
    for part, column in zip(PARTS, errors.T, strict=True):
        print(f"  {part:8} median {np.median(column):.1e}  largest {column.max():.1e}")
    return bool(errors.max() <= TOLERANCE)


def _error(found: Tensor, wanted: Tensor) -> float:
    assert found.shape == wanted.shape, f"{found.shape} against {wanted.shape}"
    return float((found - wanted).abs().max() / wanted.abs().max())


def _planes(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


if __name__ == "__main__":
    main()
