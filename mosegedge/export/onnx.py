"""The ONNX file that is deployed: static shape, facts in its metadata, checked, and compared with PyTorch."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from mosegedge.errors import ExportError
from mosegedge.export.bounds import bounds_of
from mosegedge.networks.onnx import export_module
from mosegedge.networks.subnet import SubNet
from mosegedge.space import SearchSpace

Picture = NDArray[np.float32]
TOLERANCE = bounds_of("fp32").golden


def onnx_from_subnet(subnet: SubNet, space: SearchSpace, *, opset: int, metadata: dict[str, str]) -> bytes:
    """ONNX of a trained network at batch 1.

    Args:
        subnet: The network with its weights and statistics.
        space: The space that it belongs to.
        opset: 11 to 17.
        metadata: Written into the file beside the code and the space, as text.

    Raises:
        ExportError: The opset cannot be written, or the checker of ONNX refuses the result.
    """
    size = space.input_size(subnet.architecture)
    model = onnx.load_model_from_string(export_module(subnet, ((1, 3, *size),), opset=opset))
    model.producer_name = "mosegedge"
    facts = {"code": str(subnet.architecture), "space": space.name, "space_digest": space.digest} | metadata
    onnx.helper.set_model_props(model, facts)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"The exported network {subnet.architecture} is not valid ONNX: {error}.") from error
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def torch_output(subnet: SubNet, picture: Picture) -> Picture:
    """Logits of PyTorch for one normalised picture 1 x 3 x H x W."""
    with torch.no_grad():
        logits: Picture = subnet(torch.from_numpy(picture)).numpy()
    return logits


def check_against_torch(model: bytes, picture: Picture, expected: Picture) -> float:
    """Largest difference between ONNX Runtime on the host and PyTorch, relative to the largest logit.

    Raises:
        ExportError: It is above 1e-4.
    """
    difference = difference_to_torch(model, picture, expected)
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The exported ONNX differs from PyTorch by {difference:.2e} of the largest logit.",
            known=f"At most {TOLERANCE:.0e} is rounding.",
            fix="Try another --opset.",
        )
    return difference


def difference_to_torch(model: bytes, picture: Picture, expected: Picture) -> float:
    """The same difference, whatever it is; for files in another precision.

    Args:
        model: An ONNX file.
        picture: One normalised picture 1 x 3 x H x W.
        expected: PyTorch's logits for it.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return relative_difference(session.run(None, {"input": picture})[0], expected)


def relative_difference(output: Picture, expected: Picture) -> float:
    """Largest absolute difference over the largest absolute expected value."""
    return float(np.abs(output - expected).max() / max(float(np.abs(expected).max()), 1e-12))
