"""Files of `torch.save` are data: nothing in them is run, and what is no state dictionary is refused in plain words."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mosegedge.errors import CheckpointError
from mosegedge.files import sha256_of_bytes
from mosegedge.supernet.state_file import read_state_file


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.made}",))


def saved(state: object, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_state_file(path)
    assert "weights_only" not in str(caught.value)  # PyTorch's advice would be to switch the guard off.
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dictionary_is_read_with_size_and_digest(tmp_path: Path, legacy: bool) -> None:
    weight = torch.arange(6.0).view(2, 3)
    content = saved({"epoch": 3, "state_dict": OrderedDict(w=weight, p=nn.Parameter(weight))}, legacy=legacy)
    (tmp_path / "file").write_bytes(content)
    state = read_state_file(tmp_path / "file")
    assert (state.size_bytes, state.sha256) == (len(content), sha256_of_bytes(content))
    assert list(state.tensors) == ["w", "p"]
    assert all(torch.equal(tensor, weight) and not tensor.requires_grad for tensor in state.tensors.values())


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_asks_for_code_is_refused_and_nothing_runs(tmp_path: Path, legacy: bool) -> None:
    made = tmp_path / "made"
    for state in ({"state_dict": {"w": torch.ones(2)}, "extra": Trap(made)}, Trap(made), {"state_dict": Trap(made)}):
        message = refused(tmp_path / "file", saved(state, legacy=legacy))
        assert "asks for posix.system, which is more than tensors; nothing in it was run" in message
    assert "asks for torch.nn.modules.linear.Linear" in refused(tmp_path / "file", saved(nn.Linear(2, 2)))
    refused(tmp_path / "file", pickle.dumps(Trap(made)))
    assert not made.exists()


def test_what_is_no_state_dictionary_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert "holds Tensor, no state dictionary" in refused(path, saved(torch.ones(2)))
    assert "holds nothing, no state dictionary" in refused(path, saved({"state_dict": {}}))
    assert "entry 'step' (int) is no plain tensor" in refused(path, saved({"w": torch.ones(2), "step": 3}))
    assert "entry '3' (Tensor)" in refused(path, saved({3: torch.ones(2)}))
    assert "entry 'w' (Tensor) is no plain tensor" in refused(path, saved({"w": torch.ones(2, 2).to_sparse()}))
    assert "is a web page" in refused(path, b"\n<!DOCTYPE html><html><title>Virus scan warning</title></html>")
    assert "no file of torch.save" in refused(path, b"some notes")
    assert "cannot be read as a state dictionary" in refused(path, b"")


def test_archives_that_unpack_to_more_or_hold_programs_are_refused(tmp_path: Path) -> None:
    content, packed = saved({"w": torch.zeros(100_000)}), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in archive.namelist():
            target.writestr(name, archive.read(name))
    assert "entries are compressed" in refused(tmp_path / "file", packed.getvalue())
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as target:
        target.writestr("net/constants.pkl", b"")
    assert "TorchScript program" in refused(tmp_path / "file", program.getvalue())


@pytest.mark.parametrize("legacy", [False, True])
def test_cut_and_flipped_files_are_read_or_refused_and_nothing_else(tmp_path: Path, legacy: bool) -> None:
    content = saved({"state_dict": {f"layer{i}.weight": torch.ones(4, 3) for i in range(5)}}, legacy=legacy)
    rng = np.random.default_rng(0)
    for end in rng.integers(0, len(content) - 1, 60):
        refused(tmp_path / "file", content[:end])
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] = int(rng.integers(256))
        (tmp_path / "file").write_bytes(damaged)
        with suppress(CheckpointError):
            read_state_file(tmp_path / "file")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("pipe", "no regular file"), (".", "Is a directory"), ("none", "There is no file")):
        with pytest.raises(CheckpointError, match=message):
            read_state_file(tmp_path / name)
