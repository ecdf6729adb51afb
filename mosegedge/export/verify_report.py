"""What a device made of a bundle: the content of verify.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mosegedge.errors import VerificationError
from mosegedge.export.bundle import REPORT
from mosegedge.export.layers import BlockTime, table_of
from mosegedge.export.measuring import Latency


@dataclass(frozen=True, kw_only=True)
class DeployedFile:
    """The file that ran: the one in the bundle.

    Attributes:
        file: Its name there.
        format: What loads it.
        sha256: Its digest, in the bundle and on the device.
    """

    file: str
    format: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What a device made of a bundle.

    Attributes:
        device: Name of the device.
        backend: Runtime of its agent.
        precision: Number format.
        threads: Threads inside one operator.
        settings: What only that backend knows.
        accelerator: What computed.
        runtime: Versions by name.
        origin: `measured`, or `simulated` where times come from a law.
        created: When, in UTC.
        artefact: The file that ran.
        golden_difference: Largest difference of the golden output to PyTorch, relative to the largest logit.
        golden_tolerance: What is rounding in this precision.
        pictures: Number of real pictures compared.
        agreement: Share of pixels with the same class as PyTorch, over all pictures.
        worst_agreement: The same for the worst picture.
        agreements: The same picture by picture.
        required_agreement: What was asked for, of every picture.
        clock: Whose time counts, `host` or `device`.
        latency: Measured latency by that clock.
        host_latency: By the host's clock.
        device_latency: By the device's own, where it has one.
        predicted_ms: What the bundle says that a profile predicts, and its standard deviation, where it says so.
        comparable_ms: Measured latency by that profile's statistic, to be compared with the prediction.
        conditions: Clocks, temperature, throttling and load: before, while and after it was timed.
        throttled: Why the device was slower than it can be; empty where it was not, or does not tell.
        clean: Whether the latency may be quoted: measured, and not throttled.
        notes: Versions and settings that differ from those that the file was built with.
        layers: Time inside the network by block, where it was asked for.
        fps_card: One line with the figures that a data sheet would carry.
        passed: Whether golden output and masks agree.
    """

    device: str
    backend: str
    precision: str
    threads: int
    settings: dict[str, str]
    accelerator: str
    runtime: dict[str, str]
    origin: str
    created: str
    artefact: DeployedFile
    golden_difference: float
    golden_tolerance: float
    pictures: int
    agreement: float
    worst_agreement: float
    agreements: tuple[float, ...]
    required_agreement: float
    clock: str
    latency: Latency
    host_latency: Latency
    device_latency: Latency | None
    predicted_ms: tuple[float, float] | None
    comparable_ms: float | None
    conditions: tuple[dict[str, Any], ...]
    throttled: tuple[str, ...]
    clean: bool
    notes: tuple[str, ...]
    layers: tuple[BlockTime, ...]
    fps_card: str
    passed: bool

    def with_layers(self, layers: tuple[BlockTime, ...]) -> VerifyReport:
        """The same report with the time inside the network."""
        return replace(self, layers=layers)

    def to_json(self) -> dict[str, Any]:
        """Plain values for verify.json."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report for a terminal; every line with a number of a simulated device says that it is one."""
        mark = " (simulated)" if self.origin == "simulated" else ""
        masks = (
            f"{self.agreement:.4%} of the pixels of {self.pictures} picture(s), {self.worst_agreement:.4%} in the worst"
        )
        rounding = f"at most {self.golden_tolerance:.0e} is rounding in {self.precision}"
        lines = [
            f"file     {self.artefact.file}, sha256 {self.artefact.sha256}",
            f"masks    agree with PyTorch in {masks}{mark}",
            f"golden   differs by {self.golden_difference:.1e} of the largest logit, {rounding}{mark}",
            f"latency  {_latency_text(self.latency)} by the {self.clock}'s clock{mark}",
        ]
        if self.device_latency:
            other = self.host_latency if self.clock == "device" else self.device_latency
            name = "host" if self.clock == "device" else "device"
            lines.append(f"         {_latency_text(other)} by the {name}'s clock{mark}")
        if self.predicted_ms and self.comparable_ms:
            mean, sd = self.predicted_ms
            error = mean / self.comparable_ms - 1
            lines.append(
                f"         predicted {mean:.2f} +- {sd:.2f} ms; measured by the profile's statistic "
                f"{self.comparable_ms:.2f} ms ({error:+.1%}){mark}"
            )
        if self.layers:
            total = sum(time.ms for time in self.layers)
            lines.append(f"inside   {total:.2f} ms in a run in which every layer is timed, which is slower{mark}")
            lines += table_of(self.layers, mark)
        if self.throttled:
            lines.append(f"not clean: throttled while it was timed ({', '.join(self.throttled)})")
        return [*lines, *(f"note     {note}" for note in self.notes), self.fps_card]

    def require_passed(self, folder: Path) -> None:
        """Raises VerificationError when the device does not compute what PyTorch computes."""
        if not self.passed:
            worst = f"{self.worst_agreement:.2%} of the pixels of the worst picture"
            raise VerificationError(
                f"On {self.device} the network of {folder} differs from PyTorch: golden output by "
                f"{self.golden_difference:.1e}, masks agree in {worst}.",
                known=f"Asked for: at most {self.golden_tolerance:.0e} and at least {self.required_agreement:.2%}.",
                fix=f"{folder / REPORT} has the details; export again, or lower --agreement if this is acceptable.",
            )


def _latency_text(latency: Latency) -> str:
    return f"{latency.median_ms:.2f} ms median, {latency.p95_ms:.2f} ms p95, {latency.low_ms:.2f} ms low"
