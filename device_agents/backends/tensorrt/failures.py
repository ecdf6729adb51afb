"""Whether a failed build is the model's fault: then it fails tomorrow as well, and others need not.

TensorRT has no codes for it, only texts of its log. What is not recognised is not blamed on the model.
"""

import re

from device_agents.protocol import BACKEND_FAILED, BAD_MODEL

_SHORTAGE = re.compile(r"out of memory|outofmemory|bad_alloc|insufficient|no space left|cuda failure", re.IGNORECASE)
_MODEL = re.compile(
    r"failed to parse onnx|could not find any (supported )?(implementation|format)|no importer registered"
    r"|unsupported operator|not supported|unsupported_node",
    re.IGNORECASE,
)


def code_of(said: str) -> int:
    """The error code for what a parser or a builder said.

    Args:
        said: Its last messages.
    """
    return BAD_MODEL if _MODEL.search(said) and not _SHORTAGE.search(said) else BACKEND_FAILED
