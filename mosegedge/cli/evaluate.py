"""`mosegedge evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mosegedge.cli.options import DATA_SETS, DataRootOption, InheritedOption, ThreadsOption, open_once, set_threads
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.scorable import Scorable, scorable
from mosegedge.cli.scores_text import scores_text
from mosegedge.cli.training import ProcessorOption
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic

if TYPE_CHECKING:
    from mosegedge.data.averaging import Looks
    from mosegedge.data.dataset import SegmentationSet
    from mosegedge.supernet.runnable import Runnable

_USUAL = "0.5,0.75,1,1.25,1.5,1.75"


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "evaluate",
        rich_help_panel="Export and verify",
        epilog="Example: mosegedge evaluate runs/network --boundary --picture confusion.png",
    )(evaluate)


def evaluate(
    network: Annotated[
        str,
        typer.Argument(
            help="A code, RUN:k for the k-th chosen network of a search, the run folder of a retrained network, a "
            "bundle, or an exported ONNX file.",
            metavar="CODE|RUN:k|RUN|BUNDLE|FILE",
        ),
    ],
    supernet: InheritedOption = None,
    data: Annotated[
        str | None, typer.Option(help=f"{DATA_SETS[:-1]}; by default the one that the network was trained on.")
    ] = None,
    data_root: DataRootOption = None,
    part: Annotated[
        Literal["val", "guide"], typer.Option(help="Pictures for reports, or those that guide a search.")
    ] = "val",
    pictures: Annotated[
        int | None, typer.Option(min=1, help="Score on so many, spread evenly over the part; on all by default.")
    ] = None,
    scales: Annotated[
        str, typer.Option(help=f"Sizes of a picture whose predictions are averaged; usual for papers: {_USUAL}.")
    ] = "1",
    flip: Annotated[bool, typer.Option("--flip", help="Average over the mirror image too.")] = False,
    boundary: Annotated[bool, typer.Option("--boundary", help="Also score along edges: Boundary IoU.")] = False,
    boundary_share: Annotated[
        float | None,
        typer.Option(min=0.001, max=1, help="The same with edges of another width in diagonals of a picture; 0.02."),
    ] = None,
    statistics_pictures: Annotated[
        int, typer.Option(min=8, help="Pictures for batch-norm statistics of inherited weights, as in `search`.")
    ] = 64,
    picture: Annotated[Path | None, typer.Option(help="PNG file for the confusion matrix.")] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="PNG file for some pictures with labels, predictions and mistakes.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=20, help="Pictures in that file.")] = 3,
    output: Annotated[Path | None, typer.Option(help="JSON file for everything that --json prints.")] = None,
    on: ProcessorOption = "auto",
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Score a network on labelled pictures: IoU of every class, mIoU, pixel accuracy, the confusion matrix.

    A code is scored with inherited weights as a search scores it, a retrained network with its own, a bundle or ONNX
    file through ONNX Runtime on this machine. Labels are compared at their own size; pixels without one count nothing.
    The same command gives the same numbers.
    """
    from mosegedge.data.boundaries import USUAL_SHARE
    from mosegedge.supernet.evaluate import spread_indices
    from mosegedge.supernet.place import device_named
    from mosegedge.supernet.runnable import score_part

    set_threads(threads)
    looks = _looks(scales, flip=flip)
    _require_png(picture, overlays)
    found = scorable(network, supernet, on=on, threads=threads)
    device = device_named("cpu" if found.kind == "onnx" else on)
    dataset = open_once(data or found.data, part, data_root)
    runnable = found.runnable(dataset, data_root, device, statistics_pictures)
    with progress() as bar:
        scores = score_part(
            runnable,
            dataset,
            progress=bar,
            looks=looks,
            boundary_share=USUAL_SHARE if boundary and boundary_share is None else boundary_share,
            indices=None if pictures is None else spread_indices(dataset, pictures),
        )
    result = {
        "network": network,
        **found.facts(),
        "statistics_pictures": runnable.statistics_pictures,
        "data": dataset.name,
        "part": part,
        "scales": list(looks.scales),
        "flip": flip,
        "input_sizes": [list(size) for size in looks.sizes(runnable.size)],
        **scores.to_json(),
        "device": str(device),
        "threads": threads,
        "versions": _versions(found),
    }
    emit(result, "\n".join([*_head(found, runnable, dataset, looks), scores_text(scores)]), as_json=as_json)
    if output is not None:
        _write(output, (json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
    if picture is not None:
        from mosegedge.data.lettering import confusion_picture
        from mosegedge.data.sheet import png_of

        _write(picture, png_of(confusion_picture(scores.matrix, dataset.classes)))
    if overlays is not None:
        _write(overlays, _overlays(runnable, dataset, spread_indices(dataset, samples), looks))


def _looks(scales: str, *, flip: bool) -> Looks:
    from mosegedge.data.averaging import Looks

    try:
        numbers = tuple(float(scale) for scale in scales.split(","))
    except ValueError as error:
        raise UsageError(
            f"--scales {scales} cannot be read.", fix=f"Write numbers with commas: --scales {_USUAL}"
        ) from error
    return Looks(scales=numbers, flip=flip)


def _require_png(*files: Path | None) -> None:
    for file in files:
        if file is not None and file.suffix.lower() != ".png":
            raise UsageError(f"The picture {file} cannot be written.", known="It is a PNG file.", fix="Name it *.png.")


def _head(found: Scorable, runnable: Runnable, dataset: SegmentationSet, looks: Looks) -> list[str]:
    sizes = ", ".join(f"{width}x{height}" for height, width in looks.sizes(runnable.size))
    mirrored = ", each mirrored too" if looks.flip else ""
    return [
        f"network  {found.code} of {found.space}",
        f"weights  {found.described}",
        f"looks    at {dataset.name}/{dataset.split} in {sizes}{mirrored}",
    ]


def _versions(found: Scorable) -> dict[str, str]:
    from importlib.metadata import version

    packages = ["mosegedge", "torch", "numpy", "pillow"] + (["onnxruntime"] if found.kind == "onnx" else [])
    return {name: version(name) for name in packages}


def _overlays(runnable: Runnable, dataset: SegmentationSet, indices: tuple[int, ...], looks: Looks) -> bytes:
    from mosegedge.data.sheet import png_of, prediction_sheet
    from mosegedge.supernet.runnable import labelled

    pairs = [(one.sample, one.prediction) for one in labelled(runnable, dataset, indices, looks)]
    return png_of(prediction_sheet(f"{dataset.name}/{dataset.split}", pairs, dataset.classes, dataset.palette))


def _write(path: Path, content: bytes) -> None:
    write_atomic(path, content)
    say(f"Wrote {path}")
