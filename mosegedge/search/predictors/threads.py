"""Linear algebra on one thread, so that results do not depend on the number of cores or on who else uses them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np  # noqa: F401 - its BLAS must be there before the libraries are looked up
import scipy.linalg  # noqa: F401 - brings a BLAS of its own
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS of numpy and scipy uses one thread inside; asking for it again inside costs next to nothing."""
    if all(library.num_threads == 1 for library in _blas().lib_controllers):
        yield
        return
    with _blas().limit(limits=1):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch uses one thread inside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
