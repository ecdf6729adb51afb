"""The memory that models have given back: the C library keeps it for the next ones, unless it is asked not to."""

import contextlib
import ctypes


def trim() -> None:
    """Has the system get back what was freed.

    Otherwise the resident memory of an agent stays as it was when most models were loaded (glibc with ONNX Runtime: of
    1.9 GiB that a hundred networks took, 0.02 to 0.4 GiB came back by themselves), and a host that watches it has
    models unloaded and loaded again for nothing. Other C libraries have no such call.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
