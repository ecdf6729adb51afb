"""Runs a bundle on a device: same masks as PyTorch, latency as predicted; the FPS card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.transforms import to_batch
from mosegedge.devices import AgentClient, Device, open_agent
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.errors import VerificationError
from mosegedge.export.bundle import CARD, REPORT, Bundle, Prediction
from mosegedge.export.onnx import TOLERANCE, Picture, relative_difference, torch_output
from mosegedge.files import write_atomic
from mosegedge.progress import Progress
from mosegedge.supernet.evaluate import spread_indices

_BURSTS = 30
_BURST = BurstSettings(min_samples=10, max_samples=20, min_ns=50_000_000)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Measured latency of a network.

    Attributes:
        median_ms: Median of all timed runs.
        p95_ms: 95 % quantile.
        low_ms: 10 % quantile, the statistic of profiles that were measured on a noisy host.
        samples: Number of timed runs.
    """

    median_ms: float
    p95_ms: float
    low_ms: float
    samples: int


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What a device made of a bundle.

    Attributes:
        device: Name of the device.
        golden_difference: Largest difference of the golden output to PyTorch, relative to the largest logit.
        pictures: Number of real pictures compared.
        agreement: Share of pixels with the same class as PyTorch, over all pictures.
        worst_agreement: The same for the worst picture.
        required_agreement: What was asked for.
        latency: Measured latency.
        predicted_ms: What the bundle says that a profile predicts, and its standard deviation, where it says so.
        comparable_ms: Measured latency by that profile's statistic, to be compared with the prediction.
        fps_card: One line with the figures that a data sheet would carry.
        passed: Whether golden output and masks agree.
    """

    device: str
    golden_difference: float
    pictures: int
    agreement: float
    worst_agreement: float
    required_agreement: float
    latency: Latency
    predicted_ms: tuple[float, float] | None
    comparable_ms: float | None
    fps_card: str
    passed: bool

    def require_passed(self, folder: Path) -> None:
        """Raises VerificationError when the device does not compute what PyTorch computes."""
        if not self.passed:
            worst = f"{self.worst_agreement:.2%} of the pixels of the worst picture"
            raise VerificationError(
                f"On {self.device} the network of {folder} differs from PyTorch: golden output by "
                f"{self.golden_difference:.1e}, masks agree in {worst}.",
                known=f"Asked for: at most {TOLERANCE:.0e} and at least {self.required_agreement:.2%}.",
                fix=f"{folder / REPORT} has the details; export again, or lower --agreement if this is acceptable.",
            )


def verify_bundle(
    bundle: Bundle,
    device: Device,
    dataset: SegmentationSet,
    *,
    pictures: int,
    agreement: float,
    progress: Progress,
) -> VerifyReport:
    """Runs a bundle through the device's agent and writes verify.json and fps_card.txt into it.

    Args:
        bundle: The exported network.
        device: Where it runs.
        dataset: Real pictures.
        pictures: How many of them are compared.
        agreement: Share of pixels of every picture that must get PyTorch's class.
        progress: Told about every picture and burst.

    Returns:
        The report, whether passed or not; call `require_passed` on it.
    """
    subnet = bundle.subnet()
    golden_input, golden_output = bundle.golden()
    indices = spread_indices(dataset, pictures)
    shares: list[float] = []
    with open_agent(device) as agent:
        model = agent.load(bundle.onnx())
        difference = relative_difference(_output(agent, model, golden_input, golden_output.shape), golden_output)
        progress.start("comparing masks", len(indices))
        for index in indices:
            picture: Picture = to_batch([dataset.read(index)], bundle.input_size).numpy()
            expected = torch_output(subnet, picture)
            shares.append(_agreement(_output(agent, model, picture, expected.shape), expected))
            progress.advance(note=f"{shares[-1]:.2%} equal")
        latency = _measure(agent, model, progress)
        description = agent.describe()
    worst = min(shares)
    predicted = bundle.manifest.predicted
    report = VerifyReport(
        device=device.name,
        golden_difference=difference,
        pictures=len(shares),
        agreement=float(np.mean(shares)),
        worst_agreement=worst,
        required_agreement=agreement,
        latency=latency,
        predicted_ms=(predicted.latency_ms, predicted.sd_ms) if predicted else None,
        comparable_ms=_comparable_ms(latency, predicted),
        fps_card=_card(bundle, device, latency, description.hardware, description.vendor, description.conditions),
        passed=difference <= TOLERANCE and worst >= agreement,
    )
    write_atomic(bundle.folder / REPORT, json.dumps(asdict(report), indent=2, allow_nan=False) + "\n")
    write_atomic(bundle.folder / CARD, report.fps_card + "\n")
    return report


def _output(agent: AgentClient, model: str, picture: Picture, shape: tuple[int, ...]) -> Picture:
    """What the device computes, which must be comparable: the same shape, and numbers."""
    outputs = agent.run(model, [picture])
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
    return outputs[0]


def _comparable_ms(latency: Latency, predicted: Prediction | None) -> float | None:
    if predicted is None:
        return None
    return latency.median_ms if predicted.statistic == "median" else latency.low_ms


def _agreement(output: Picture, expected: Picture) -> float:
    """Share of pixels with the same class; on the network's own output size."""
    same: NDArray[np.bool_] = output.argmax(axis=1) == expected.argmax(axis=1)
    return float(same.mean())


def _measure(agent: AgentClient, model: str, progress: Progress) -> Latency:
    progress.start("timing", _BURSTS)
    bursts = []
    for burst in agent.time([model] * _BURSTS, _BURST):
        bursts.append(np.array(burst.samples_ns) / 1e6)
        progress.advance(note=f"{np.median(bursts[-1]):.2f} ms")
    samples = np.concatenate(bursts)
    return Latency(
        median_ms=float(np.median(samples)),
        p95_ms=float(np.quantile(samples, 0.95)),
        low_ms=float(np.quantile(samples, 0.1)),
        samples=len(samples),
    )


def _card(
    bundle: Bundle,
    device: Device,
    latency: Latency,
    hardware: dict[str, Any],
    vendor: dict[str, Any],
    conditions: dict[str, Any],
) -> str:
    height, width = bundle.input_size
    versions = [f"{name} {version}" for name, version in vendor.get("runtime", {}).items()]
    runtime = ", ".join([*versions, str(vendor.get("accelerator", device.backend))])
    clocks = conditions.get("clock_mhz")
    network = f"{bundle.space.preset.name} {bundle.architecture.slug}"
    return (
        f"{network} on {device.name} ({hardware.get('cpu', 'unknown processor')}; {runtime}): "
        f"latency {latency.median_ms:.2f} ms median, {latency.p95_ms:.2f} ms p95, "
        f"{1000 / latency.median_ms:.1f} images/s, n {latency.samples}, input 1x3x{height}x{width}, batch 1, fp32, "
        f"{device.threads} thread(s), clocks {_clock_text(clocks)}, host IO not included"
    )


def _clock_text(clocks_mhz: list[int] | None) -> str:
    if not clocks_mhz:
        return "not measured"
    low, high = min(clocks_mhz), max(clocks_mhz)
    return f"{low} MHz" if low == high else f"{low} to {high} MHz"
