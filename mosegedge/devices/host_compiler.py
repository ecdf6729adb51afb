"""Compilers that run on the host."""

from mosegedge.devices.inventory import Device


def prepare(device: Device, onnx: bytes) -> tuple[bytes, str, tuple[str, ...]]:
    """What is sent to a device."""
    del device
    return onnx, "onnx", ()
