"""What a start of a program has answered, here or on a device, and the errors of one that did not start.

In: the lines that come before the program's own. Out: an `Answer`; `refusal` says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mosegedge.devices.ssh.start import NO_ENVIRONMENT, NO_INTERPRETER, READ, READING, Start
from mosegedge.errors import DeviceError

MOST_NOISE_BYTES = 1 << 16
_LONGEST_LINE_BYTES = 1 << 14
_SHOWN_NOISE = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said before the program's own output.

    Attributes:
        word: One of the words of `start.py`; empty where the output ended, or went on without end, before any.
        text: What belongs to it.
        script: The environment script that was read.
        status: With what that ended; empty where the shell ended with it.
        noise: All other output before the answer.
    """

    word: str
    text: str
    script: str
    status: str
    noise: bytes

    @property
    def is_endless(self) -> bool:
        """Whether more was printed than anybody has to say before a program starts."""
        return len(self.noise) >= MOST_NOISE_BYTES

    @property
    def note(self) -> str:
        """What the user should know although the program was started."""
        if self.status in ("", "0"):
            return ""
        return f"The environment script {self.script} ended with status {self.status}; the program was started anyway."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for, for messages.

    Attributes:
        name: The device.
        user: Who looked there.
        interpreters: Candidates.
        environments: Candidates.
        source: The file that says so.
    """

    name: str
    user: str
    interpreters: Sequence[str]
    environments: Sequence[str]
    source: str


def read_answer(start: Start, readline: Callable[[int], bytes]) -> Answer:
    """Reads until the line that only the starter can print."""
    noise, script, status = b"", "", ""
    while len(noise) < MOST_NOISE_BYTES:
        line = readline(_LONGEST_LINE_BYTES)
        if not line:
            break
        said = start.answer(line.decode(errors="replace")) if line.endswith(b"\n") else None
        if said is None:
            noise += line
        elif said[0] == READING:
            script = said[1]
        elif said[0] == READ:
            status = said[1]
        else:
            return Answer(*said, script, status, noise)
    return Answer("", "", script, status, noise)


def refusal(wanted: Wanted, answer: Answer) -> DeviceError:
    """Why the shell did not become the program, by its own words."""
    if answer.word == NO_ENVIRONMENT:
        return DeviceError(
            f"{wanted.name} has no environment script {' or '.join(wanted.environments)}.",
            known=f"Looked as the user {wanted.user}.",
            fix=f"Correct `environment` in {wanted.source}.",
        )
    if answer.word == NO_INTERPRETER:
        return DeviceError(
            f"{wanted.name} has no interpreter {' or '.join(wanted.interpreters)}.",
            known=" ".join([f"Found there: {answer.text.strip() or 'no Python at all'}.", answer.note]).strip(),
            fix=f"Install Python 3.7 or newer there, or correct `interpreter` in {wanted.source}.",
        )
    return DeviceError(f"{wanted.name} did not start a program: it answered {answer.word!r}.")


def ended_by_script(wanted: Wanted, answer: Answer, status: int, said: bytes) -> DeviceError:
    """The environment script has ended the shell that was to become the program.

    Args:
        wanted: What was asked for.
        answer: As far as it came.
        status: The shell's status.
        said: What came on stderr.
    """
    return DeviceError(
        f"{wanted.name} did not start a program: its environment script {answer.script} ended the shell, with status "
        f"{status}.",
        known=f"It printed: {shown(answer.noise + said)}",
        fix=f"Correct that script, or name another one: `environment` in {wanted.source}. It is read by bash, or by sh "
        "where there is no bash, and must not call exit.",
    )


def shown(noise: bytes) -> str:
    """The end of some output, for messages."""
    return noise[-_SHOWN_NOISE:].decode(errors="replace").strip() or "nothing"
