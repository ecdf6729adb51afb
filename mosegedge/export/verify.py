"""Runs the file of a bundle on its device: same masks as PyTorch, latency as predicted; the FPS card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.transforms import to_batch
from mosegedge.devices import AgentClient, Device, open_agent
from mosegedge.devices.backends import get_backend
from mosegedge.devices.replies import DeviceDescription, LoadedModel
from mosegedge.devices.suiting import require_suitable
from mosegedge.errors import DeviceError, VerificationError
from mosegedge.export.bounds import Bounds, bounds_of
from mosegedge.export.bundle import CARD, REPORT, Bundle
from mosegedge.export.card import card_of
from mosegedge.export.layers import by_block
from mosegedge.export.measuring import Timing, measured
from mosegedge.export.onnx import Picture, relative_difference, torch_output
from mosegedge.export.suitable import require_same_accelerator, require_same_file, require_same_kind
from mosegedge.export.verify_report import DeployedFile, VerifyReport
from mosegedge.files import write_atomic
from mosegedge.networks.subnet import SubNet
from mosegedge.progress import Progress
from mosegedge.supernet.evaluate import spread_indices

__all__ = ["VerifyReport", "verify_bundle"]

_WAIT_FOR_LOCK_S = 10  # the agent of a run that was killed needs a moment to notice


@dataclass(frozen=True, slots=True)
class _Reference:
    """PyTorch's side of the comparison."""

    subnet: SubNet
    golden_input: Picture
    golden_output: Picture
    size: tuple[int, int]
    dataset: SegmentationSet
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the device made of the pictures."""

    golden_difference: float
    agreements: tuple[float, ...]


def verify_bundle(
    bundle: Bundle,
    device: Device,
    dataset: SegmentationSet,
    *,
    pictures: int,
    agreement: float | None = None,
    layers: bool = False,
    accept_new_host_key: bool = False,
    progress: Progress,
) -> VerifyReport:
    """Runs a bundle through the device's agent and writes verify.json and fps_card.txt into it.

    The file that is run and timed is the one in the bundle: its digest is that of what the device loaded.

    Args:
        bundle: The exported network.
        device: Where it runs.
        dataset: Real pictures.
        pictures: How many of them are compared.
        agreement: Share of pixels of every picture that must get PyTorch's class; by the device's precision if None.
        layers: Also ask the runtime for the time of every layer inside the network.
        accept_new_host_key: Accept the key of a host that was never met.
        progress: Told about every picture and burst.

    Returns:
        The report, whether passed or not; call `require_passed` on it.

    Raises:
        DeviceError: The bundle was built for another kind of device, or the device cannot be reached or gives no
            outputs.
        DeviceBusyError: Another run is timing the device, and would be disturbed.
        VerificationError: The output cannot be compared at all.
    """
    require_same_kind(bundle, device)
    usual = bounds_of(device.precision)
    bounds = usual if agreement is None else Bounds(usual.golden, agreement)
    reference = _Reference(
        bundle.subnet(), *bundle.golden(), bundle.input_size, dataset, spread_indices(dataset, pictures)
    )
    with open_agent(device, accept_new_host_key=accept_new_host_key) as agent:
        description = agent.describe()
        require_suitable(device, description, opset=bundle.manifest.opset)
        require_same_accelerator(bundle, device, description)
        agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        loaded = _load(agent, bundle)
        outcome = _compare(agent, loaded, reference, progress)
        timing = measured(agent, loaded.model, progress)
        blocks = [layer.name for layer in bundle.space.layers_of(bundle.architecture)]
        times = by_block(agent.layers(loaded.model), blocks) if layers else ()
    report = _report(bundle, device, description, outcome, timing, bounds)
    report = report.with_layers(times)
    write_atomic(bundle.folder / REPORT, json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n")
    write_atomic(bundle.folder / CARD, report.fps_card + "\n")
    return report


def _load(agent: AgentClient, bundle: Bundle) -> LoadedModel:
    content, model_format, sha256 = bundle.deployed()
    loaded = agent.load_sent(agent.send(content, model_format), model_format)
    require_same_file(bundle, agent.device, deployed=sha256, loaded=loaded.artefact.sha256)
    if not loaded.inputs:
        raise DeviceError(
            f"The runtime of {agent.device.name} does not tell the inputs of {bundle.deployed_file}: it can be timed "
            "there, and its outputs cannot be compared.",
            known="So it is with TensorRT where the command trtexec is all there is.",
            fix="Install the runtime's Python module for the interpreter of this device.",
        )
    return loaded


def _compare(agent: AgentClient, loaded: LoadedModel, reference: _Reference, progress: Progress) -> _Outcome:
    golden = reference.golden_output
    difference = relative_difference(_output(agent, loaded, reference.golden_input, golden.shape), golden)
    shares: list[float] = []
    progress.start("comparing masks", len(reference.indices))
    for index in reference.indices:
        picture: Picture = to_batch([reference.dataset.read(index)], reference.size).numpy()
        expected = torch_output(reference.subnet, picture)
        shares.append(_agreement(_output(agent, loaded, picture, expected.shape), expected))
        progress.advance(note=f"{shares[-1]:.2%} equal")
    return _Outcome(difference, tuple(shares))


def _output(agent: AgentClient, loaded: LoadedModel, picture: Picture, shape: tuple[int, ...]) -> Picture:
    """What the device computes, which must be comparable: the same shape, and numbers."""
    outputs = agent.run(loaded.model, [picture.astype(loaded.inputs[0].dtype)])
    if len(outputs) != 1 or outputs[0].shape != shape:
        raise VerificationError(
            f"On {agent.device.name} the network gives {[output.shape for output in outputs]}, PyTorch {[shape]}.",
            fix="Export the network again.",
        )
    if not np.isfinite(outputs[0]).all():
        raise VerificationError(
            f"On {agent.device.name} the network gives values that are infinite or no numbers.",
            known="PyTorch's are finite.",
            fix="Try another --opset, or another precision of the device.",
        )
    return outputs[0].astype(np.float32)


def _agreement(output: Picture, expected: Picture) -> float:
    """Share of pixels with the same class; on the network's own output size."""
    same: NDArray[np.bool_] = output.argmax(axis=1) == expected.argmax(axis=1)
    return float(same.mean())


def _report(
    bundle: Bundle,
    device: Device,
    description: DeviceDescription,
    outcome: _Outcome,
    timing: Timing,
    bounds: Bounds,
) -> VerifyReport:
    created = datetime.now(UTC)
    predicted = bundle.manifest.predicted
    _, model_format, sha256 = bundle.deployed()
    vendor = description.vendor
    simulated = vendor.get("origin") == "simulated"
    worst = min(outcome.agreements)
    return VerifyReport(
        device=device.name,
        backend=device.backend,
        precision=device.precision,
        threads=device.threads,
        settings=get_backend(device.backend).checked_settings(device.settings, device.source),
        accelerator=str(vendor.get("accelerator", device.backend)),
        runtime={str(name): str(version) for name, version in vendor.get("runtime", {}).items()},
        origin="simulated" if simulated else "measured",
        created=created.isoformat(timespec="seconds"),
        artefact=DeployedFile(file=bundle.deployed_file, format=model_format, sha256=sha256),
        golden_difference=outcome.golden_difference,
        golden_tolerance=bounds.golden,
        pictures=len(outcome.agreements),
        agreement=float(np.mean(outcome.agreements)),
        worst_agreement=worst,
        agreements=outcome.agreements,
        required_agreement=bounds.agreement,
        clock=timing.clock,
        latency=timing.counted,
        host_latency=timing.host,
        device_latency=timing.device,
        predicted_ms=(predicted.latency_ms, predicted.sd_ms) if predicted else None,
        comparable_ms=timing.counted.comparable_ms(predicted),
        conditions=timing.conditions,
        throttled=timing.throttled,
        clean=not timing.throttled and not simulated,
        notes=_notes(bundle, device, vendor.get("runtime", {})),
        layers=(),
        fps_card=card_of(bundle, device, description, timing, created),
        passed=outcome.golden_difference <= bounds.golden and worst >= bounds.agreement,
    )


def _notes(bundle: Bundle, device: Device, runtime: dict[str, str]) -> tuple[str, ...]:
    """What is not as it was when the file was built."""
    artefact = bundle.manifest.artefact
    if artefact is None:
        return ()
    settings = get_backend(device.backend).checked_settings(device.settings, device.source)
    before = artefact.runtime | artefact.settings | {"threads": str(artefact.threads)}
    now = runtime | settings | {"threads": str(device.threads)}
    return tuple(
        f"built with {name} {value or 'empty'}, verified with {now.get(name, 'none') or 'empty'}"
        for name, value in sorted(before.items())
        if str(now.get(name)) != value
    )
