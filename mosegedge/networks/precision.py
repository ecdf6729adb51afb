"""Number formats of ONNX files."""


def to_fp16(onnx: bytes) -> bytes:
    """Half precision inside, single precision at inputs and outputs."""
    raise NotImplementedError(len(onnx))
