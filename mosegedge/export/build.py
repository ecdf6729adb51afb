"""From ONNX to the file that a device runs: built there or by its compiler, cached by digest, fetched, named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from mosegedge.devices import AgentClient, Device, open_agent
from mosegedge.devices.agent_package import agent_zipapp
from mosegedge.devices.backends import get_backend
from mosegedge.devices.replies import DeviceDescription, LoadedModel
from mosegedge.devices.suiting import in_forms_of, in_precision_of, require_suitable, settings_of, target_of_device
from mosegedge.errors import DeviceError, ExportError
from mosegedge.export.bounds import bounds_of
from mosegedge.export.layers import named
from mosegedge.export.manifest import NETWORK, ArtefactSection
from mosegedge.files import sha256_of_bytes

if TYPE_CHECKING:
    from mosegedge.networks.targets import Finding

_WAIT_FOR_LOCK_S = 10


@dataclass(frozen=True, kw_only=True)
class DeviceArtefact:
    """What a device made of a network.

    Attributes:
        content: The file.
        section: What the bundle says about it.
        cached: Whether the device had it already.
        agent: The agent that loads it, as one file.
    """

    content: bytes
    section: ArtefactSection
    cached: bool
    agent: bytes


@contextmanager
def open_builder(
    device: Device, *, opset: int, say: Callable[[str], None], accept_new_host_key: bool = False
) -> Iterator[DeviceBuilder]:
    """Connects to a device for one export; fails early where it cannot take what is asked.

    Args:
        device: Where the network is to run.
        opset: Of the ONNX file.
        say: Shows one line of prose.
        accept_new_host_key: Accept the key of a host that was never met.

    Raises:
        DeviceError: The device cannot be reached, or cannot run the precision or the opset.
    """
    with ExitStack() as stack:
        try:
            agent = stack.enter_context(open_agent(device, accept_new_host_key=accept_new_host_key))
            description = agent.describe()
        except DeviceError as error:
            fix = f"{error.fix} The ONNX file alone needs no device: --no-build".strip()
            raise type(error)(error.what, known=error.known, fix=fix) from error
        bounds_of(device.precision)
        require_suitable(device, description, opset=opset)
        yield DeviceBuilder(agent, description, say)


class DeviceForms:
    """What is known of a device that nobody has to reach: the forms that its compiler takes.

    Args:
        device: Where the network is to run.
        say: Shows one line of prose.
    """

    def __init__(self, device: Device, say: Callable[[str], None]) -> None:
        self._device = device
        self._say = say

    def suited(self, onnx: bytes) -> bytes:
        """The same network in forms that the device's compiler takes, checked node by node.

        Raises:
            ExportError: The compiler is known not to take one of them.
        """
        from mosegedge.networks.targets import check_for

        target = target_of_device(self._device)
        rewritten = in_forms_of(self._device, onnx)
        findings = check_for(rewritten, target)
        for line in _lines(findings):
            self._say(line)
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            raise ExportError(
                f"{target} does not take {errors[0].op_type} as in {errors[0].node}: {errors[0].why}",
                known=f"{len(errors)} such node(s).",
                fix=errors[0].instead,
            )
        return rewritten


class DeviceBuilder(DeviceForms):
    """A device that is ready to build.

    Args:
        agent: Its agent.
        description: What the agent said about the device.
        say: Shows one line of prose.
    """

    def __init__(self, agent: AgentClient, description: DeviceDescription, say: Callable[[str], None]) -> None:
        super().__init__(agent.device, say)
        self._agent = agent
        self._description = description

    def typed(self, onnx: bytes) -> bytes:
        """The network in the device's precision, where that has to be in the file; else as it is."""
        return in_precision_of(self._device, self._description, onnx)

    def build(self, network: bytes, typed: bytes, *, difference: float | None = None) -> DeviceArtefact:
        """Has the file built unless the device has it, and fetches it.

        Args:
            network: The ONNX file of the bundle.
            typed: The same in the device's precision; equal where the device needs no other file.
            difference: Of that file to PyTorch when ONNX Runtime on the host runs it, relative to the largest logit.

        Raises:
            AgentError: The compiler failed, or the file arrived damaged.
            DeviceBusyError: Another run is timing the device, and would be disturbed.
        """
        from mosegedge.devices.host_compiler import prepare

        started = monotonic()
        content, model_format, notes = prepare(self._device, typed)
        on_host_s = monotonic() - started if model_format != "onnx" else 0.0
        notes = (*notes, *self._precision_notes(difference))
        self._agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        self._say(f"Building for {self._device.name} ({self._device.backend}, {self._device.precision}) ...")
        loaded = self._agent.load_sent(self._agent.send(content, model_format), model_format)
        if loaded.artefact.cached and loaded.artefact.format != model_format:
            self._say(f"{self._device.name} had it built already.")
        known = {sha256_of_bytes(candidate): candidate for candidate in (network, content)}
        found = known.get(loaded.artefact.sha256)
        return DeviceArtefact(
            content=self._agent.fetch(loaded.artefact) if found is None else found,
            section=self._section(network, loaded, notes, on_host_s),
            cached=loaded.artefact.cached,
            agent=agent_zipapp(get_backend(self._device.backend)),
        )

    def _precision_notes(self, difference: float | None) -> list[str]:
        if difference is None:
            return []
        precision, usual = self._device.precision, bounds_of(self._device.precision).golden
        note = f"in {precision}, ONNX Runtime on the host is {difference:.1e} of the largest logit from PyTorch"
        if not difference <= usual:
            self._say(f"warning: {note}; {usual:.0e} is usual. Train it further, or use fp32.")
        return [note]

    def _section(
        self, network: bytes, loaded: LoadedModel, notes: tuple[str, ...], on_host_s: float
    ) -> ArtefactSection:
        device, vendor, artefact = self._device, self._description.vendor, loaded.artefact
        bounds = bounds_of(device.precision)
        name = f"network.{device.precision}.onnx" if artefact.format == "onnx" else f"network.{artefact.format}"
        return ArtefactSection(
            file=NETWORK if artefact.sha256 == sha256_of_bytes(network) else name,
            format=artefact.format,
            sha256=artefact.sha256,
            device=device.name,
            backend=device.backend,
            precision=device.precision,
            threads=device.threads,
            settings=settings_of(self._device),
            runtime={str(name): str(version) for name, version in vendor.get("runtime", {}).items()},
            accelerator=str(vendor.get("accelerator", device.backend)),
            clock="device" if device.clock == "device" else "host",
            origin="simulated" if vendor.get("origin") == "simulated" else "measured",
            build_s=artefact.build_s + on_host_s,
            notes=[*notes, *artefact.notes],
            golden_tolerance=bounds.golden,
            agreement=bounds.agreement,
        )


def _lines(findings: Sequence[Finding]) -> list[str]:
    """One line for all nodes with the same finding."""
    nodes: dict[str, list[str]] = {}
    for finding in findings:
        text = f"{finding.severity}: {finding.op_type}: {finding.why} {finding.instead}"
        nodes.setdefault(text, []).append(finding.node)
    return [f"{text} (in {named(found)})" for text, found in nodes.items()]
