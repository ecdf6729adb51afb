"""What a device takes: whether it can run what is asked, and an ONNX file in its forms and its precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mosegedge.devices.backends import get_backend
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceError

if TYPE_CHECKING:
    from mosegedge.devices.replies import DeviceDescription


def require_suitable(device: Device, description: DeviceDescription, *, opset: int) -> None:
    """Compares what is asked of a device with what its agent says that it can do.

    Raises:
        DeviceError: It cannot take the opset or the precision, or has no clock of its own where that one is to count.
    """
    vendor = description.vendor
    offered = vendor.get("precisions", [device.precision])
    if device.precision not in offered:
        raise DeviceError(
            f"{device.name} cannot run {device.precision} with {device.backend}.",
            known=f"It offers {', '.join(offered) or 'nothing'}.",
            fix="Correct `precision` of the device in devices.toml.",
        )
    if opset > vendor.get("opset", opset):
        raise DeviceError(
            f"The runtime of {device.name} does not take opset {opset}.",
            known=f"Its highest is {vendor['opset']}.",
            fix=f"Set opset = {vendor['opset']} for it in devices.toml.",
        )
    if device.clock == "host" and vendor.get("host_clock") is False:
        raise DeviceError(
            f"{device.name} is set to the host's clock, which means nothing with {vendor.get('accelerator')}: there it "
            "would time the start of a program.",
            fix='Set clock = "device" for it in devices.toml.',
        )
    if device.clock == "device" and vendor.get("clock", "host") != "device":
        raise DeviceError(
            f"{device.name} is set to the device's clock, and {device.backend} has none there.",
            fix='Set clock = "host" for it in devices.toml.',
        )


def settings_of(device: Device) -> dict[str, str]:
    """A device's settings with the defaults of its backend.

    Raises:
        DeviceError: One is unknown to the backend.
    """
    return get_backend(device.backend).checked_settings(device.settings, device.source)


def target_of_device(device: Device) -> str:
    """Whose tables of operators hold for a device: its backend, with the chip where that decides."""
    from mosegedge.networks.targets import target_of

    return target_of(device.backend, settings_of(device))


def in_forms_of(device: Device, onnx: bytes) -> bytes:
    """The same network in operators that the device's compiler takes; its results are the same."""
    from mosegedge.networks.targets import rewrite_for

    return rewrite_for(onnx, target_of_device(device))


def in_precision_of(device: Device, description: DeviceDescription, onnx: bytes) -> bytes:
    """The network in the device's precision where that has to be in the file; else as it is."""
    from mosegedge.networks.precision import to_fp16

    return to_fp16(onnx) if description.vendor.get("typed_onnx") and device.precision == "fp16" else onnx
