"""The files that a device gets: ONNX of a layer or a network, in the form and the precision that its compiler takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mosegedge.devices.inventory import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.devices.suiting import in_forms_of, in_precision_of, target_of_device
from mosegedge.errors import ExportError
from mosegedge.profiling.plan import Item, Plan
from mosegedge.profiling.roofline import ProbeSpec
from mosegedge.space import Architecture, SearchSpace

# PyTorch's exporter and its number of threads are global: devices that are profiled side by side build in turn.
_BUILDING = threading.Lock()


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What is sent to a device.

    Attributes:
        content: The file.
        model_format: `onnx`, or what the device's compiler makes, where that ran on the host.
        notes: What the compiler on the host said.
        warnings: What the device's compiler is known to take badly in it.
    """

    content: bytes
    model_format: str = "onnx"
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def model_file(item: Item, plan: Plan, description: DeviceDescription) -> ModelFile:
    """The file of one layer, network or probe for one device.

    Args:
        item: What to build.
        plan: The space, and the device with its opset and precision.
        description: What the device says of itself; whether the precision has to be in the file is its to tell.

    Raises:
        ExportError: The device's compiler is known not to take a form in it.
        DeviceError: The compiler on the host failed.
    """
    # A probe is in its precision from the start: what it moves has to be known.
    precise = isinstance(item.source, ProbeSpec)
    return file_for(plan.device, onnx_of(item, plan), description, precise=precise)


def file_for(device: Device, onnx: bytes, description: DeviceDescription, *, precise: bool = False) -> ModelFile:
    """ONNX turned into the file that a device takes; raises what `model_file` raises.

    Args:
        device: The device.
        onnx: In single precision, unless `precise`.
        description: What the device says of itself.
        precise: Whether the file is in the device's precision already.
    """
    from mosegedge.devices.host_compiler import prepare

    suited = in_forms_of(device, onnx)
    warnings = _warnings(suited, target_of_device(device))
    ready = suited if precise else in_precision_of(device, description, suited)
    content, model_format, notes = prepare(device, ready)
    return ModelFile(content, model_format, tuple(notes), warnings)


def _warnings(onnx: bytes, target: str) -> tuple[str, ...]:
    """What a target takes badly, each kind once.

    Raises:
        ExportError: There is something that it does not take at all.
    """
    from mosegedge.networks.targets import check_for

    findings = check_for(onnx, target)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise ExportError(
            f"{target} does not take {errors[0].op_type} as in {errors[0].node}: {errors[0].why}",
            known=f"{len(errors)} such node(s).",
            fix=errors[0].instead,
        )
    return tuple(dict.fromkeys(f"{target} takes {found.op_type} badly: {found.why}" for found in findings))


def onnx_of(item: Item, plan: Plan) -> bytes:
    """ONNX in single precision, with weights that depend only on the layer, or on the network and its space.

    Probes are in the precision of the device.
    """
    if isinstance(item.source, ProbeSpec):
        return _onnx_of_probe(item.source, plan)
    if isinstance(item.source, Architecture):
        return network_onnx(plan.space, item.source, opset=plan.device.opset)
    # torch is needed from here on, and only here.
    from mosegedge.networks.onnx import onnx_of_layer

    with _BUILDING, _one_torch_thread():
        return onnx_of_layer(item.source, opset=plan.device.opset)


def _onnx_of_probe(spec: ProbeSpec, plan: Plan) -> bytes:
    from mosegedge.networks.probes import onnx_of_convolution, onnx_of_relu

    opset, half = plan.device.opset, plan.device.precision == "fp16"
    if spec.kernel:
        return onnx_of_convolution(spec.shape, kernel=spec.kernel, opset=opset, half=half)
    return onnx_of_relu(spec.shape, opset=opset, half=half)


def network_onnx(space: SearchSpace, network: Architecture, *, opset: int) -> bytes:
    """ONNX of a whole network in single precision, with weights that depend on it and its space alone."""
    from mosegedge.networks.onnx import onnx_of_network

    with _BUILDING, _one_torch_thread():
        return onnx_of_network(space, network, opset=opset)


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """More threads do not help a model of a few layers, and hurt where other programs want the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
