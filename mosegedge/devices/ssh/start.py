"""How a Python program is started on a device: the one place where anything is quoted for a shell.

The login shell may be any (bash, csh, fish, a restricted one), and it may print what it likes before the program
starts. So it is handed one word list without anything that these shells read differently: `sh -c SCRIPT`. The script
reads the environment, chooses the interpreter, prints a line that nobody else can print, and becomes the program.
Vendors write their environment scripts for bash, so where one is read, bash goes on with it if there is one.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = "mosegedge-"
_NAMES = "python3 python python3.7 python3.8 python3.9 python3.10 python3.11 python3.12 python3.13"
_CANDIDATES = _NAMES + " /usr/local/python3*/bin/python3"
_OLD = "import sys; sys.exit(sys.version_info < (3, 7))"
# A Python that was built with a shared library of its own, as on many boards, does not start before that is found.
_OWN_LIBRARY = (
    "b=${q%/bin/*}; v=${LD_LIBRARY_PATH-}",
    'for s in "$b"/lib/libpython3*.so*; do if [ "$b" != /usr ] && [ -e "$s" ]; then v=$b/lib${v:+:$v}; break; fi; done',
)
NO_ENVIRONMENT, NO_INTERPRETER, STARTED, SAID = "no-environment", "no-interpreter", "started", "said"
READING, READ = "reading", "read"  # These two are only on the way: the answer follows.
# Where sshd is near, bash reads ~/.bashrc once more unless it is told that it is an inner shell.
_BASH = 'SHLVL=${SHLVL:-1}; export SHLVL; b=$(command -v bash) || b=sh; exec "$b" -c "$0"'


@dataclass(frozen=True, slots=True)
class Start:
    """A command for the login shell, and how to know its answer.

    Attributes:
        command: What the login shell is given.
        token: Begins the line that is printed before the program starts.
    """

    command: str
    token: str

    def answer(self, line: str) -> tuple[str, str] | None:
        """What a line of output says: a word and the rest; None for noise."""
        _, found, rest = line.partition(f"{_MARK}{self.token} ")
        if not found:
            return None
        word, _, text = rest.rstrip("\r\n").partition(" ")
        return word, text


def start_program(interpreters: Sequence[str], environments: Sequence[str], arguments: Sequence[str]) -> Start:
    """Starts a Python program.

    Args:
        interpreters: Candidates; the first that exists and is new enough is taken, or the first that exists.
        environments: Candidates for the script that is read before; none is needed where the list is empty.
        arguments: What the interpreter is given.
    """
    token = secrets.token_hex(8)
    rest = " ".join(shlex.quote(part) for part in arguments)
    check = f'LD_LIBRARY_PATH=$v "$q" -c {shlex.quote(_OLD)} </dev/null >/dev/null 2>&1'
    steps = [
        *_environment(environments, token),
        f'for p in {_programs(interpreters)}; do q=$(command -v "$p") && [ -x "$q" ] || continue',
        *_OWN_LIBRARY,
        '[ "$o" ] || { o=$q; w=$v; }',
        f"if {check if len(interpreters) > 1 else 'true'}; then o=$q; w=$v; break; fi; done",
        f'[ "$o" ] || {{ f=; for p in {_CANDIDATES}; do q=$(command -v "$p") && f="$f $q"; done',
        _say(NO_INTERPRETER, "$f"),
        "exit 1; }",
        'if [ "$w" ]; then LD_LIBRARY_PATH=$w; export LD_LIBRARY_PATH; fi',
        _say(STARTED, "$$"),
        f'exec "$o" {rest}',
    ]
    return _start(token, steps, for_bash=bool(environments))


def say(expression: str) -> Start:
    """Prints the value of a shell expression that this program wrote itself, as `$HOME`."""
    return _start(secrets.token_hex(8), [_say(SAID, expression)])


def kill(pid: int) -> Start:
    """Ends a program and all that it started."""
    steps = [f"kill -s KILL -- -{pid} 2>/dev/null", f"kill -s KILL {pid} 2>/dev/null", _say(SAID, "")]
    return _start(secrets.token_hex(8), steps)


def expression(path: str) -> str:
    """A path below the user's home, as it stands in the double quotes of `say`."""
    plain = path.removeprefix("~/")
    for character in '\\`"$':
        plain = plain.replace(character, "\\" + character)
    return "$HOME/" + plain


def home_path(path: str) -> str:
    """A path as a shell expression; `~` and paths without a folder begin at the user's home."""
    if path.startswith("/"):
        return shlex.quote(path)
    return '"$HOME"/' + shlex.quote(path.removeprefix("~/"))


def _environment(candidates: Sequence[str], token: str) -> list[str]:
    if not candidates:
        return []
    return [
        f'e=; for p in {" ".join(map(home_path, candidates))}; do if [ -r "$p" ]; then e=$p; break; fi; done',
        f'[ "$e" ] || {{ {_say(NO_ENVIRONMENT, "")}; exit 1; }}',
        _say(READING, "$e"),
        # What it prints is not for the protocol, and it must not read what is meant for the program.
        '. "$e" </dev/null >&2 && r=0 || r=$?',
        # Its last line may be a question that was answered with no. It may have changed any variable and option.
        f"set +eux; {_variables(token)}",
        _say(READ, "$r"),
    ]


def _programs(candidates: Sequence[str]) -> str:
    """Programs as words of a shell; names without a slash stay as they are, to be looked for in PATH."""
    return " ".join(home_path(path) if "/" in path else shlex.quote(path) for path in candidates)


def _say(word: str, expression: str) -> str:
    # The token comes from a variable: a shell that echoes its commands does not print this line by that.
    return f'echo "{_MARK}$t {word} {expression}"'


def _variables(token: str) -> str:
    return f"t={token}; o=; w="


def _start(token: str, steps: Sequence[str], *, for_bash: bool = False) -> Start:
    script = shlex.quote("; ".join([_variables(token), *steps]))
    return Start(f"sh -c {shlex.quote(_BASH)} {script}" if for_bash else f"sh -c {script}", token)
