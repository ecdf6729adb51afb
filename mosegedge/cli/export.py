"""`mosegedge export` and `mosegedge verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import (
    DataRootOption,
    DeviceOption,
    ProfileRootOption,
    SupernetOption,
    ThreadsOption,
    open_data,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, progress, say

_PANEL = "Export and verify"


def register(app: typer.Typer) -> None:
    """Adds the commands to the root application."""
    app.command(
        "export",
        rich_help_panel=_PANEL,
        epilog="Example: mosegedge export runs/search:2 --supernet demo --output runs/bundle",
    )(export)
    app.command(
        "verify", rich_help_panel=_PANEL, epilog="Example: mosegedge verify runs/bundle --device local --pictures 20"
    )(verify)


def export(
    network: Annotated[
        str, typer.Argument(help="A code, or RUN:k for the k-th chosen network of a search.", metavar="CODE|RUN:k")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    supernet: SupernetOption = "demo",
    device: DeviceOption = "local",
    profile: Annotated[
        str | None, typer.Option(help="Profile that predicts the latency; that of the search by default.")
    ] = None,
    profile_root: ProfileRootOption = Path("profiles"),
    data_root: DataRootOption = None,
    opset: Annotated[int, typer.Option(help="ONNX opset, 11 to 17.")] = 17,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Export a network with its inherited weights as a checked ONNX bundle.

    Batch-norm statistics are re-estimated for the network; ONNX Runtime on this machine must give PyTorch's output.
    """
    from mosegedge.cli.choice import network_and_profile
    from mosegedge.devices import load_device
    from mosegedge.export.inherit import export_inherited
    from mosegedge.export.predict import predicted_latency
    from mosegedge.supernet.checkpoint import checkpoint_path, load_supernet

    set_threads(threads)
    load_device(device)
    architecture, searched_profile = network_and_profile(network)
    path = checkpoint_path(supernet)
    weights, info = load_supernet(path)
    reference = profile or searched_profile
    predicted = predicted_latency(reference, info.space, architecture, root=profile_root) if reference else None
    say(f"Re-estimating batch-norm statistics on {info.data} ...")
    bundle = export_inherited(
        output,
        architecture,
        supernet=weights,
        supernet_path=path,
        train=open_data(info.data, "train", data_root),
        guide=open_data(info.data, "guide", data_root),
        opset=opset,
        predicted=predicted,
    )
    height, width = bundle.input_size
    text = [
        str(output),
        f"network     {bundle.architecture.slug} of {bundle.space.name}, input {height}x{width}, opset {opset}",
        f"difference  {bundle.manifest.difference_to_torch:.1e} of the largest logit, ONNX Runtime against PyTorch",
    ]
    if predicted:
        text.append(f"predicted   {predicted.latency_ms:.2f} +- {predicted.sd_ms:.2f} ms by {predicted.profile}")
    emit({"bundle": str(output), **bundle.manifest.model_dump()}, "\n".join(text), as_json=as_json)
    say(f"Next: mosegedge verify {output} --device {device}")


def verify(
    bundle: Annotated[Path, typer.Argument(help="Folder that `mosegedge export` wrote.")],
    device: DeviceOption = "local",
    data_root: DataRootOption = None,
    pictures: Annotated[int, typer.Option(min=1, help="Real pictures to compare masks on.")] = 20,
    agreement: Annotated[
        float, typer.Option(min=0, max=1, help="Share of pixels that must agree, per picture.")
    ] = 0.999,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Run a bundle on a device: same masks as PyTorch, latency as predicted; writes the FPS card."""
    from mosegedge.devices import load_device
    from mosegedge.export.bundle import load_bundle
    from mosegedge.export.verify import verify_bundle

    set_threads(threads)
    opened = load_bundle(bundle)
    dataset = open_data(opened.manifest.data, "val", data_root)
    with progress() as bar:
        report = verify_bundle(
            opened, load_device(device), dataset, pictures=pictures, agreement=agreement, progress=bar
        )
    masks = f"{report.agreement:.4%} of the pixels of {report.pictures} pictures"
    lines = [
        f"masks    agree with PyTorch in {masks} ({report.worst_agreement:.4%} in the worst)",
        f"golden   differs by {report.golden_difference:.1e} of the largest logit",
        f"latency  {report.latency.median_ms:.2f} ms median, {report.latency.p95_ms:.2f} ms p95",
    ]
    if report.predicted_ms and report.comparable_ms:
        mean, sd = report.predicted_ms
        error = mean / report.comparable_ms - 1
        lines.append(
            f"         predicted {mean:.2f} +- {sd:.2f} ms; measured by the profile's statistic "
            f"{report.comparable_ms:.2f} ms ({error:+.1%})"
        )
    emit(asdict(report), "\n".join([*lines, report.fps_card]), as_json=as_json)
    report.require_passed(bundle)
