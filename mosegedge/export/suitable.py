"""Whether a device can run what is to be exported or verified; asked before any long work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mosegedge.errors import DeviceError, UsageError

if TYPE_CHECKING:
    from mosegedge.devices import Device
    from mosegedge.devices.replies import DeviceDescription
    from mosegedge.export.bundle import Bundle


def opset_for(device: Device, asked: int | None) -> int:
    """The ONNX opset of an export: the device's highest, or the one that was asked for.

    Raises:
        UsageError: The device does not take the one that was asked for.
    """
    if asked is not None and asked > device.opset:
        raise UsageError(
            f"--opset {asked} is above what {device.name} takes.",
            known=f"Its highest is {device.opset} ({device.source}).",
            fix=f"Leave --opset out, or give {device.opset} or less.",
        )
    return device.opset if asked is None else asked


def require_same_kind(bundle: Bundle, device: Device) -> None:
    """Compares the device with the one that the bundle was built for, before anything is sent.

    Raises:
        DeviceError: Its runtime or precision is another one.
    """
    artefact = bundle.manifest.artefact
    if artefact is None:
        return
    built = f"{artefact.precision} by {artefact.backend} for {artefact.device}"
    if (artefact.backend, artefact.precision) != (device.backend, device.precision):
        raise DeviceError(
            f"{bundle.folder / artefact.file} is {built}; {device.name} runs {device.precision} with {device.backend}.",
            fix=_export_for(bundle, device),
        )


def require_same_accelerator(bundle: Bundle, device: Device, description: DeviceDescription) -> None:
    """Compares what the agent found with what the bundle was built on.

    Raises:
        DeviceError: It is another accelerator, or its precision must be in the file and is not.
    """
    artefact, vendor = bundle.manifest.artefact, description.vendor
    if artefact is None:
        if vendor.get("typed_onnx") and device.precision != "fp32":
            raise DeviceError(
                f"{bundle.folder} holds single precision alone; {device.name} needs a file in {device.precision}.",
                fix=_export_for(bundle, device),
            )
        return
    found = str(vendor.get("accelerator", device.backend))
    if found != artefact.accelerator:
        raise DeviceError(
            f"{bundle.folder / artefact.file} was built on {artefact.accelerator}; {device.name} has {found}.",
            fix=_export_for(bundle, device),
        )


def require_same_file(bundle: Bundle, device: Device, *, deployed: str, loaded: str) -> None:
    """Holds that the file that the device runs is the one in the bundle.

    Raises:
        DeviceError: The device compiled something else from it.
    """
    if loaded != deployed:
        raise DeviceError(
            f"{device.name} does not run ONNX itself, and {bundle.folder} holds nothing that was built for it.",
            known="Only the file that is deployed is verified.",
            fix=_export_for(bundle, device),
        )


def _export_for(bundle: Bundle, device: Device) -> str:
    return f"Export for it: mosegedge export {bundle.architecture.slug} --device {device.name} --output DIR"
