"""Once-for-all's elastic ResNet-50 (`ofa_resnet50`) as the encoder of a supernet.

Its networks are those of the space `mosegnas` without decoder: the same layers in the same order, the same widths after
rounding, and a smaller network is the same slice of the same tensors. Taking its weights over is therefore a change of
names alone, but for the first convolution, since pictures are normalised with other constants here.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import CheckpointError
from mosegedge.files import exclusive
from mosegedge.space import SearchSpace
from mosegedge.space.presets import Preset
from mosegedge.supernet.checkpoint import SUPERNET_FILE, Imported, SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.ofa_layout import LAYOUT, encoder_of
from mosegedge.supernet.state_file import read_state_file

UNTRAINED = ("decoder", "auxiliary heads")
SOURCE_MEAN, SOURCE_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of pixel values in 0..1, as its training normalises pictures."""

_FIRST = "subnet.encoder.stem.conv1."


def renormalised(encoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder for pictures as they are normalised here, with the change folded into its first convolution.

    What is x here is gain * x + offset there. The gain goes into the kernel, and what the offset adds into the mean of
    the batch norm. Outputs differ only where the 3x3 window reaches beyond the picture (first row and column, padded
    with zeros), since zero is another colour there.

    Args:
        encoder: Tensors by name, as `encoder_of` gives them.
    """
    mean, std, source_mean, source_std = (torch.tensor(v).double() for v in (MEAN, STD, SOURCE_MEAN, SOURCE_STD))
    kernel, centre = (encoder[_FIRST + name] for name in ("conv.weight", "norm.running_mean"))
    offset = (mean - source_mean) / source_std
    shift = (kernel.double() * offset.view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
    folded = kernel.double() * (std / source_std).view(1, 3, 1, 1)
    changed = {"conv.weight": folded.float(), "norm.running_mean": (centre.double() - shift).float()}
    return encoder | {_FIRST + name: tensor for name, tensor in changed.items()}


def import_ofa(source: Path, output: Path, space: SearchSpace, *, seed: int = 0) -> tuple[Path, SupernetInfo]:
    """Writes a supernet whose encoder has the weights of a once-for-all checkpoint; the rest is initialised anew.

    Args:
        source: State dictionary of `ofa_resnet50`, a file of `torch.save`.
        output: Run folder.
        space: Space of the supernet; its encoder must have the checkpoint's shapes, as that of `mosegnas` has.
        seed: Decides the weights of decoder and auxiliary heads.

    Returns:
        Path of the weights, and what their header says.

    Raises:
        CheckpointError: The file is no such checkpoint, or the folder holds a supernet already.
        UsageError: A training is at work in the folder.
    """
    target = output / SUPERNET_FILE
    state = read_state_file(source)
    encoder, left_out = encoder_of(state.tensors, space, source)
    supernet = Supernet(space, torch.Generator().manual_seed(seed))
    info = SupernetInfo(
        space=space,
        data="",
        step=0,
        training={},
        untrained=UNTRAINED,
        imported=Imported(
            layout=LAYOUT,
            file=source.name,
            sha256=state.sha256,
            size_bytes=state.size_bytes,
            mapped=len(state.tensors) - len(left_out),
            left_out=left_out,
            differences=differences_to(space),
            seed=seed,
        ),
    )
    supernet.network.load_state_dict(supernet.network.state_dict() | renormalised(encoder))
    with exclusive(output, "training"):
        if held := sorted(output.glob("*.safetensors")):
            raise CheckpointError(f"{held[0]} exists; an import replaces no weights.", fix="Choose another --output.")
        save_supernet(target, supernet, info)
    return target, info


def differences_to(space: SearchSpace) -> dict[str, str]:
    """What is not the same here, for the header and the terminal."""
    preset, widths = space.preset, range(3)
    pairs = len({preset.stem_middle_channels(w) for w in widths}) * len({preset.stem_channels(w) for w in widths})
    found = {
        "stem widths": "The source chooses the widths of its first and of its last stem convolution separately, here "
        f"one digit sets both: 3 of its {pairs} pairs are stems of this space. All stem weights are kept.",
        "normalisation": f"Pictures have mean {MEAN[0]:g} and deviation {STD[0]:g} here, the source's have ImageNet's. "
        "The change is folded into the first convolution, exactly but for its first row and column of outputs, where "
        "the padding is another colour.",
        "batch norm": "Statistics are taken over and sliced like weights, as the source does. Before a network is "
        "scored they are re-estimated; there the source averages variances over n values, PyTorch over n - 1.",
        "sizes": "The source rounds up when it halves odd sizes; here every side is a multiple of 32.",
    }
    public = Preset.load("mosegnas")
    trained_for = (public.width_multipliers, public.expansion_ratios)
    if (preset.width_multipliers, preset.expansion_ratios) != trained_for:
        found["choices"] = (
            f"The public file was trained for widths {trained_for[0]} and ratios {trained_for[1]}; "
            f"{space.name} slices at {preset.width_multipliers} and {preset.expansion_ratios}."
        )
    return found
