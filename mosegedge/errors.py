"""Every error a user can meet, and the exit code of each.

    MosegedgeError                 1   something failed; the message says what
    |-- UsageError                 2   an argument or a file of the user's is wrong
    |   |-- ArchitectureError      2   a code that names no network of the space
    |   `-- SpaceError             2   a preset or a space that cannot be used
    |-- DeviceError                3   a device cannot be reached or cannot do what is asked
    |   |-- AgentError             3   the agent on the device failed or broke the protocol
    |   |   `-- ModelRefusedError  3   a compiler or runtime does not take one model; others may go well
    |   |-- ConnectionLostError    3   the way to the device broke, or is not there now; it may come back
    |   `-- DeviceBusyError        3   another run holds the device
    |-- ProfileError               4   a profile is missing, damaged, or of another space
    |-- DataError                  5   a data set is missing or not in its layout
    |-- CheckpointError            6   a supernet checkpoint is missing, damaged, or of another space
    |-- SearchError                7   a search cannot go on
    |   |-- InfeasibleError        8   no network meets the constraints
    |   `-- RankLostError          7   one of the processes that share a search was lost
    |-- TrainingError             11   a training diverged
    |-- ExportError                9   a network could not be exported
    `-- VerificationError         10   an exported network disagrees with PyTorch

A command stopped by Ctrl-C ends with 130; what was measured or evaluated until then is kept.
"""

from __future__ import annotations


class MosegedgeError(Exception):
    """A failure with a message made of three parts.

    Args:
        what: What failed, with the value that made it fail.
        known: What is known about it (what was expected, what was found elsewhere).
        fix: The next thing to do, as a command where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, known: str = "", fix: str = "") -> None:
        self.what = what
        self.known = known
        self.fix = fix
        super().__init__(" ".join(part for part in (what, known, fix) if part))


class UsageError(MosegedgeError):
    """An argument or a file written by the user is wrong."""

    exit_code = 2


class ArchitectureError(UsageError):
    """A code that names no network of the search space."""


class SpaceError(UsageError):
    """A preset or a search space that cannot be used."""


class DeviceError(MosegedgeError):
    """A device cannot be reached, or cannot do what is asked of it."""

    exit_code = 3


class AgentError(DeviceError):
    """The agent on the device failed, or did not follow the protocol."""


class ModelRefusedError(AgentError):
    """The device's compiler or runtime does not take this model, today or later; others may go well."""


class ConnectionLostError(DeviceError):
    """The way to a device broke, or is not there at the moment; it may come back."""


class DeviceBusyError(DeviceError):
    """Another run holds the device's lock."""


class ProfileError(MosegedgeError):
    """A profile is missing, damaged, or belongs to another space."""

    exit_code = 4


class DataError(MosegedgeError):
    """A data set is missing or not in the layout that was expected."""

    exit_code = 5


class CheckpointError(MosegedgeError):
    """A checkpoint is missing, damaged, or belongs to another space."""

    exit_code = 6


class SearchError(MosegedgeError):
    """A search cannot start or cannot go on."""

    exit_code = 7


class InfeasibleError(SearchError):
    """No network of the space meets the constraints."""

    exit_code = 8


class RankLostError(SearchError):
    """One of the processes that share a search ended or cannot be reached; what is archived is kept."""


class TrainingError(MosegedgeError):
    """A training cannot go on."""

    exit_code = 11


class ExportError(MosegedgeError):
    """A network could not be exported."""

    exit_code = 9


class VerificationError(MosegedgeError):
    """An exported network does not compute what PyTorch computes."""

    exit_code = 10
