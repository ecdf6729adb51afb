"""`mosegedge export` and `mosegedge verify`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosegedge.cli.options import (
    DataRootOption,
    DeviceOption,
    InheritedOption,
    ProfileRootOption,
    ThreadsOption,
    open_data,
    open_device,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.weights import weights_of

if TYPE_CHECKING:
    from mosegedge.export.bundle import Bundle

_PANEL = "Export and verify"

AcceptOption = Annotated[
    bool, typer.Option("--accept-new-host-key", help="Accept the key of a host that was never met.")
]


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
        str,
        typer.Argument(
            help="A code, RUN:k for the k-th chosen network of a search, or the run folder of a retrained network.",
            metavar="CODE|RUN:k|RUN",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    supernet: InheritedOption = None,
    device: DeviceOption = "local",
    profile: Annotated[
        str | None, typer.Option(help="Profile that predicts the latency; that of the search by default.")
    ] = None,
    profile_root: ProfileRootOption = Path("profiles"),
    data_root: DataRootOption = None,
    opset: Annotated[
        int | None, typer.Option(help="ONNX opset, 11 to 17; by default the highest that the device takes.")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Have the device build its own file, or write the ONNX alone.")
    ] = True,
    accept_new_host_key: AcceptOption = False,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Export a network with inherited weights or its own: as checked ONNX, and as the file that the device runs.

    Batch-norm statistics of inherited weights are re-estimated; those of a retrained network are its own, and no
    supernet is read. ONNX Runtime on this machine must give PyTorch's output. The device, or its compiler, then builds
    its own file, which goes into the bundle with a program that checks it there.
    """
    from mosegedge.export.build import DeviceForms, open_builder
    from mosegedge.export.manifest import MANIFEST
    from mosegedge.export.predict import predicted_latency, profiled_device
    from mosegedge.export.suitable import opset_for

    set_threads(threads)
    target = open_device(device)
    opset = opset_for(target, opset)
    weights = weights_of(network, supernet)
    space, architecture = weights.info.space, weights.architecture
    reference = profile or weights.profile
    predicted = predicted_latency(reference, space, architecture, root=profile_root) if reference else None
    if reference and (measured_on := profiled_device(reference, root=profile_root)) != target.name:
        say(f"Note: {reference} predicts the latency on {measured_on}, not on {target.name}; --profile names another.")
    if (output / MANIFEST).is_file():
        say(f"The bundle in {output} is replaced.")
    with ExitStack() as stack:
        opened = open_builder(target, opset=opset, say=say, accept_new_host_key=accept_new_host_key)
        # Without a build the file still has to suit the device's compiler, which no agent needs to be asked about.
        forms = stack.enter_context(opened) if build else DeviceForms(target, say)
        bundle = weights.export(output, data_root, opset=opset, predicted=predicted, target=forms)
    emit({"bundle": str(output), **bundle.manifest.model_dump()}, "\n".join(_lines(bundle)), as_json=as_json)
    say(f"Next: mosegedge verify {output} --device {device}")


def _lines(bundle: Bundle) -> list[str]:
    """What was exported, for a terminal."""
    from mosegedge.export.manifest import NETWORK

    manifest, (height, width) = bundle.manifest, bundle.input_size
    name = f"{bundle.architecture.slug} of {bundle.space.name}"
    lines = [
        str(bundle.folder),
        f"network     {name}, input {height}x{width}, opset {manifest.opset}",
        f"difference  {manifest.difference_to_torch:.1e} of the largest logit, ONNX Runtime against PyTorch",
    ]
    if manifest.predicted:
        predicted = manifest.predicted
        lines.append(f"predicted   {predicted.latency_ms:.2f} +- {predicted.sd_ms:.2f} ms by {predicted.profile}")
    artefact = manifest.artefact
    if artefact:
        mark = " (simulated)" if artefact.origin == "simulated" else ""
        runtime = ", ".join(f"{name} {version}" for name, version in artefact.runtime.items())
        where = f"{artefact.device}: {artefact.accelerator}, {runtime}"
        itself = artefact.file == NETWORK
        lines += [
            f"file        {artefact.file}, {artefact.precision}, sha256 {artefact.sha256}",
            f"runs on     {where}{mark}" if itself else f"built in    {artefact.build_s:.1f} s for {where}{mark}",
            *(f"note        {note}" for note in artefact.notes),
            "there       python3 verify.py, in a copy of this folder on the device, needs no mosegedge",
        ]
    return lines


def verify(
    bundle: Annotated[Path, typer.Argument(help="Folder that `mosegedge export` wrote.")],
    device: DeviceOption = "local",
    data_root: DataRootOption = None,
    pictures: Annotated[int, typer.Option(min=1, help="Real pictures to compare masks on.")] = 20,
    agreement: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Share of pixels that must agree, per picture; by default that of the precision."
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also show the time of every block inside the network.")
    ] = False,
    accept_new_host_key: AcceptOption = False,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Run a bundle on a device: same masks as PyTorch, latency as predicted; writes the FPS card.

    The file that runs is the one in the bundle. Masks must agree in 99.9 % of the pixels of every picture in fp32, in
    99.3 % in fp16, in 94 % in bf16, where rounding moves pixels that two classes share almost equally.
    """
    from mosegedge.export.bundle import load_bundle
    from mosegedge.export.verify import verify_bundle

    set_threads(threads)
    opened = load_bundle(bundle)
    dataset = open_data(opened.manifest.data, "val", data_root)
    with progress() as bar:
        report = verify_bundle(
            opened,
            open_device(device),
            dataset,
            pictures=pictures,
            agreement=agreement,
            layers=layers,
            accept_new_host_key=accept_new_host_key,
            progress=bar,
        )
    emit(report.to_json(), "\n".join(report.lines()), as_json=as_json)
    report.require_passed(bundle)
