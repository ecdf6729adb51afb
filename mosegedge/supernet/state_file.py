"""State dictionaries of other programs: files of `torch.save`, which are pickles, read as data and never run."""

from __future__ import annotations

import io
import pickle
import re
import struct
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mosegedge.errors import CheckpointError
from mosegedge.files import read_regular, sha256_of_bytes

MOST_BYTES = 2 * 2**30
_AGAIN = "Copy or download it again and compare its size and digest with those of the source."

# What damaged or hostile bytes make of a reader that only builds tensors and containers.
_DAMAGED = (
    pickle.PickleError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    zipfile.BadZipFile,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class StateFile:
    """Named tensors of a file.

    Attributes:
        tensors: By their names in the file.
        size_bytes: Size of the file.
        sha256: Digest of the bytes that the tensors were read from.
    """

    tensors: dict[str, Tensor]
    size_bytes: int
    sha256: str


def read_state_file(path: Path) -> StateFile:
    """Reads the state dictionary of a module, alone or as the entry `state_dict` of a training's checkpoint.

    Nothing in the file is run: a pickle that asks for more than tensors and containers is refused.

    Args:
        path: A file of `torch.save`, of today's form or of that before PyTorch 1.6.

    Raises:
        CheckpointError: The file is missing, too large, damaged, asks for code to be run, or holds something else.
    """
    if not path.exists():
        raise CheckpointError(f"There is no file {path}.", fix="Name the file that torch.save wrote.")
    try:
        content = read_regular(path, most_bytes=MOST_BYTES)
    except (ValueError, IsADirectoryError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a state dictionary: {error}.", fix="Name the file that torch.save wrote."
        ) from error
    return StateFile(_tensors(_load(content, path), path), len(content), sha256_of_bytes(content))


def _load(content: bytes, path: Path) -> Any:
    if content[:64].lstrip().startswith(b"<"):
        raise CheckpointError(
            f"{path} is a web page, not a state dictionary.",
            known="Download services answer with a page where they ask for a confirmation or refuse.",
            fix="Open it in a browser to see what it says, and download the file itself.",
        )
    try:
        _require_plain_archive(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # About unusual pickles; what matters is said below.
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise _refusal(path, error) from error


def _require_plain_archive(content: bytes) -> None:
    """Refuses archives that unpack to more than they are, and programs; `torch.save` writes neither."""
    if not content.startswith(b"PK"):
        return  # The form before PyTorch 1.6 is no archive.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("its entries are compressed, which torch.save never does")
    if sum(entry.file_size for entry in entries) > len(content):
        raise ValueError("its entries are larger than the file")
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise ValueError("it holds a TorchScript program, not a state dictionary")


def _refusal(path: Path, error: BaseException) -> CheckpointError:
    # PyTorch's own texts go on to recommend loading without the guard, which must not be passed on.
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if asked:
        return CheckpointError(
            f"{path} asks for {asked[1]}, which is more than tensors; nothing in it was run.",
            known="A state dictionary needs tensors and containers only; a pickle that asks for more can run any code.",
            fix="Ask its author for a state dictionary alone: torch.save({'state_dict': net.state_dict()}, FILE).",
        )
    lines = str(error).splitlines()
    plain = lines and isinstance(error, RuntimeError | ValueError | zipfile.BadZipFile)
    reason = lines[0].split(". ")[0].rstrip(".") if plain else "it is damaged, or no file of torch.save"
    return CheckpointError(f"{path} cannot be read as a state dictionary: {reason}.", fix=_AGAIN)


def _tensors(loaded: Any, path: Path) -> dict[str, Tensor]:
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(state, dict) or not state:
        raise CheckpointError(
            f"{path} holds {'nothing' if isinstance(state, dict) else type(state).__name__}, no state dictionary.",
            fix="Save one as torch.save({'state_dict': net.state_dict()}, FILE).",
        )
    for name, value in state.items():
        plain = type(value) in (Tensor, nn.Parameter) and value.layout is torch.strided and value.device.type == "cpu"
        if not isinstance(name, str) or not plain or value.is_quantized:
            raise CheckpointError(
                f"{path} is no state dictionary: entry {str(name)[:80]!r} ({type(value).__name__}) is no plain tensor.",
                known="Names are texts, and tensors are dense and on the CPU.",
                fix="Save one as torch.save({'state_dict': net.state_dict()}, FILE).",
            )
    return {name: value.detach() for name, value in state.items()}
