"""Options that several commands share, and what they open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mosegedge.cli.completion import device_names
from mosegedge.cli.output import say
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from mosegedge.data.dataset import SegmentationSet
    from mosegedge.devices.inventory import Device
    from mosegedge.space import SearchSpace

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

SpaceOption = Annotated[
    str,
    typer.Option(
        help="Preset (mosegnas, tiny, nano), a preset file, or either with crop and classes: tiny:192x256:11."
    ),
]
DATA_SETS = "Data set: scenes, cityscapes, voc2012, cocostuff10k, camvid, or folder for your own."
DataOption = Annotated[str, typer.Option(help=DATA_SETS)]
DataRootOption = Annotated[Path | None, typer.Option(help="Folder of the data set, where it needs one.")]
SupernetOption = Annotated[
    str, typer.Option(help="Checkpoint file, run folder of a training, or `demo` for the shipped one.")
]
InheritedOption = Annotated[
    str | None,
    typer.Option(
        "--supernet",
        help="Where weights are inherited from, as in `search`; by default that of the search for RUN:k, and `demo` "
        "for a code.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="Name of a device: mosegedge devices list.", autocompletion=device_names)
]
ProfileRootOption = Annotated[
    Path, typer.Option("--profile-root", "--output-root", help="Folder of all profiles; both names of it will do.")
]
GuidePicturesOption = Annotated[int | None, typer.Option(help="Held-out pictures to score on; all by default.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="CPU threads for PyTorch.")]


def open_space(space: str, data: str, root: Path | None = None) -> SearchSpace:
    """The space by its name; a bare preset takes the crop and the classes that suit the data set."""
    from mosegedge.data import space_for

    return space_for(space, data, root)


def open_data(name: str, split: Literal["train", "guide", "val"], root: Path | None) -> SegmentationSet:
    """One part of a data set, kept in memory once read."""
    from mosegedge.data import cached

    return cached(open_once(name, split, root))


def open_once(name: str, split: Literal["train", "guide", "val"], root: Path | None) -> SegmentationSet:
    """One part of a data set whose pictures are looked at once, so that none is kept."""
    from mosegedge.data import load

    return load(name, split, root)


def open_device(name: str) -> Device:
    """A device that can be used as it is; mistakes in the tables of others are said."""
    from mosegedge.devices import load_device

    device = load_device(name)
    say_mistakes()
    return device


def say_mistakes() -> None:
    """Says which tables of a devices.toml cannot be used, where it is another device that is asked for."""
    from mosegedge.devices.inventory import mistakes

    for name, error in mistakes().items():
        say(f"The device {name} is left out. {error}")


def set_threads(threads: int) -> None:
    """Sets the number of PyTorch's threads; one is the default since more can be slower on a shared machine."""
    import torch

    torch.set_num_threads(threads)


def digits(text: str) -> tuple[int, ...]:
    """Scale digits as `0,2`, ascending."""
    try:
        return tuple(sorted(int(digit) for digit in text.split(",")))
    except ValueError as error:
        raise UsageError(f"--scales {text} cannot be read.", fix="Write digits with commas: --scales 0,2") from error


def seconds(text: str) -> float:
    """A time as `90s`, `10m` or `1h`."""
    unit = _SECONDS.get(text[-1:], 1.0)
    try:
        return float(text.rstrip("smh")) * unit
    except ValueError as error:
        raise UsageError(f"--budget {text} is no time.", fix="Write it as 90s, 10m or 1h.") from error


def require_space(space: str, data: str, found: SearchSpace, root: Path | None = None) -> None:
    """Raises UsageError when a supernet is of another space than the user says."""
    wanted = open_space(space, data, root)
    if wanted.digest != found.digest:
        raise UsageError(
            f"--space {space} means {wanted.name}, but the supernet is of {found.name}.",
            fix="Leave --space out, or name a supernet of that space.",
        )
