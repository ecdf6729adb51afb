"""Inputs that nobody sent: one maker for runtimes with numpy and without."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import device_agents
from device_agents import random_inputs, tensors
from device_agents.backends.ascend import acl_model
from device_agents.backends.tensorrt import engine
from device_agents.random_inputs import random_content

KINDS = {*tensors.DTYPES, *engine._MEMBERS.values(), *(name for name, _ in acl_model._DTYPES.values())}


@pytest.mark.parametrize("dtype", sorted(KINDS))
def test_every_type_that_a_runtime_may_ask_for_is_finite_and_of_the_right_size(dtype):
    content = random_content(dtype, 10_000 * np.dtype(dtype).itemsize)
    values = np.frombuffer(content, dtype)
    assert values.shape == (10_000,)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) > 1
    assert content == random_content(dtype, len(content))


def test_arrays_hold_the_same_values():
    (array,) = tensors.random_arrays([{"name": "input", "dtype": "float32", "shape": [1, 3, 40, 60]}])
    assert array.tobytes() == random_content("float32", 4 * 3 * 40 * 60)
    assert array.flags.writeable


def test_nobody_else_makes_random_numbers_or_reads_onnx_by_hand():
    root = Path(device_agents.__file__).parent
    texts = {path: path.read_text() for path in root.rglob("*.py")}
    simulated = root / "backends" / "simulated"
    makers = {path for path, text in texts.items() if re.search(r"random\.Random\(|\.gauss\(|RandomState", text)}
    assert {path for path in makers if simulated not in path.parents} == {Path(random_inputs.__file__)}
    assert [path.name for path, text in texts.items() if "def _varint(" in text] == ["onnx_file.py"]
