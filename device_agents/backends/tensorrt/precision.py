"""Which precision a build gets, and by which path: a switch of the builder, or the types in the ONNX file."""

from device_agents.onnx_file import OnnxFacts
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

PRECISIONS = ("fp32", "fp16", "int8")
BY_FLAG = "precision %s by the builder's flag"
BY_TYPES = "precision %s by the types in the ONNX file"


def check_precision(precision: str, facts: OnnxFacts, has_flags: bool, version: str) -> str:
    """Refuses what would be another precision than the one asked for; returns the note for the artefact.

    Args:
        precision: The one asked for.
        facts: The ONNX file.
        has_flags: Whether this builder chooses the precision by flags.
        version: Of TensorRT, for messages.
    """
    if precision not in PRECISIONS:
        text = "Precision %s is not possible with this backend; set one of %s."
        raise RpcError(BACKEND_FAILED, text % (precision, ", ".join(PRECISIONS)))
    if precision == "int8":
        if facts.precision != "int8":
            text = "int8 needs an ONNX file with QuantizeLinear nodes; this one is in %s. Quantise it, or use fp16."
            raise RpcError(BAD_MODEL, text % facts.precision)
        return (BY_FLAG if has_flags else BY_TYPES) % precision
    if precision == "fp32":
        if facts.precision != "fp32":
            text = "The device is set to fp32, the ONNX file is in %s. Send the fp32 file, or change the precision."
            raise RpcError(BAD_MODEL, text % facts.precision)
        return (BY_FLAG if has_flags else BY_TYPES) % precision
    if has_flags:
        return BY_FLAG % precision
    if facts.precision not in ("fp16", "mixed"):
        text = "TensorRT %s takes the types in the ONNX file as they are, and this file is in %s. Send it in fp16: "
        raise RpcError(BAD_MODEL, (text + "the host converts it.") % (version, facts.precision))
    return BY_TYPES % precision
