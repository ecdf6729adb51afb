"""Content of inputs that nobody sent, by the standard library alone: boards need not have numpy."""

import random
import struct

_CODES = {
    "float32": "f",
    "float16": "e",
    "float64": "d",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "bool": "?",
}
_VALUES = 4096


def random_content(dtype: str, size: int) -> bytes:
    """A short series of normal numbers, or of zeros and ones, again and again; the same in every conversation.

    Enough for a time that depends on values, and quick to make.

    Args:
        dtype: Type as numpy calls it.
        size: Number of bytes.
    """
    generator = random.Random(0)  # noqa: S311 - no secret is made of it
    is_float = dtype.startswith("float")
    values = [generator.gauss(0.0, 1.0) if is_float else generator.randint(0, 1) for _ in range(_VALUES)]
    series = struct.pack("<%d%s" % (_VALUES, _CODES[dtype]), *values)
    return (series * (size // len(series) + 1))[:size]
