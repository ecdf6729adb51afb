"""Boards made of stand-ins behind OpenSSH's own server on loopback, and the commands of a user who has such boards.

Nothing here is hardware: TensorRT, CUDA, NVML, ATC, pyACL and npu-smi are stand-ins that follow the vendors' documents,
and compute with ONNX Runtime on this machine. What runs for real is everything else: the command line, SSH, the agent
and its protocol, the journal, the files.

    python tests/boards/rehearsal.py atlas200dk      prints a transcript, for the README
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

TESTS = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(TESTS / part) for part in ("agents", "ascend", "ssh", "tensorrt")]

import ascendboard  # noqa: E402
import nvidiabox  # noqa: E402
from opensshd import USER, Sshd, make_key  # noqa: E402

from mosegedge.cli.main import main  # noqa: E402

README = (TESTS.parent / "README.md").read_text()
SPACE = "nano:96x192:19"
SMALL = f"--space {SPACE} --scales 0 --networks 8 --passes 2"
SEARCH = (
    "--initial 6 --generations 1 --evaluations 2 --inner-generations 4 --guide-pictures 4 --statistics-pictures 8 "
    "--scales 0 --chosen 2"
)
_COMMANDS = ("profile", "search", "export")
TRAIN = f"train --space {SPACE} --data scenes --steps 3 --batch-size 2 --output runs/supernet"


class Result(NamedTuple):
    """What a command ended with."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Rehearsal:
    """A user's project folder, with boards that answer.

    Attributes:
        project: Where the commands run; has a devices.toml.
        environment: Their environment, with a home of its own.
    """

    project: Path
    environment: dict[str, str]

    def run(self, arguments: str) -> Result:
        """Runs `mosegedge` with these arguments, in this process: torch is imported once for all of them."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch.object(sys, "argv", ["mosegedge", *shlex.split(arguments)]),
            chdir(self.project),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
            except SystemExit as end:
                return Result(int(end.code or 0), out.getvalue(), err.getvalue())
        return Result(0, out.getvalue(), err.getvalue())


def commands(board: str) -> list[str]:
    """From a board to a verified network on it: the README's commands, made small by a space and by options."""
    lines = re.findall(rf"^mosegedge (.*{board}.*)$", README, re.MULTILINE)
    profile, search, export = (next(line for line in lines if line.startswith(name)) for name in _COMMANDS)
    named, used = f"--profile {board}/mosegnas-fp16", f"--profile {board}/nano-96x192-19-fp16"
    assert search.count(named) == 1, search  # given once more, it would be a search for two devices
    return [
        f"devices doctor {board} --accept-new-host-key",
        f"{profile} {SMALL}",
        f"{search.replace(named, used)} {SEARCH}",
        export,
        f"verify runs/{board}-bundle --device {board} --pictures 2 --agreement 0.5",
    ]


@contextmanager
def boards(folder: Path) -> Iterator[Rehearsal]:
    """Starts the servers and writes what a user would have written."""
    keys = folder / "keys"
    for name in ("host", "user"):
        make_key(keys / name)
    shutil.copy(keys / "user.pub", keys / "authorized")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    ssh = folder / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    shutil.copy(keys / "user", ssh / "id_ed25519")
    project = folder / "project"
    project.mkdir()
    servers = []
    tables = []
    for name, variables in _boards(folder).items():
        server = Sshd(folder / name / "sshd", keys / "host", keys / "authorized")
        server.start()
        servers.append(server)
        script = folder / name / "set_env.sh"
        script.write_text("".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()))
        tables.append(
            f'[{name}]\naddress = "127.0.0.1"\nport = {server.port}\nuser = "{USER}"\n'
            f'environment = "{script}"\ninterpreter = "{sys.executable}"\ncache = "{folder / name / "cache"}"\n'
        )
    (project / "devices.toml").write_text("\n".join(tables))
    environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
    changed = {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "config")}
    try:
        yield Rehearsal(project, environment | changed)
    finally:
        for server in servers:
            server.stop()


def _boards(folder: Path) -> dict[str, dict[str, str]]:
    """Variables of each board, as its environment script would set them."""
    atlas = ascendboard.Board(folder / "atlas200dk", extra={"ASCEND_STANDIN_MS_PER_MB": "2"})
    (folder / "rtx").mkdir()
    rtx = nvidiabox.environment(folder / "rtx", programs="nvidia-smi")
    rtx["PATH"] = f"{folder / 'rtx' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    both = {"atlas200dk": atlas.environment(), "rtx": rtx}
    return {name: {**variables, "MOSEGEDGE_LOCK": str(folder / name / "lock")} for name, variables in both.items()}


def transcript() -> None:
    """Prints the commands and what they print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", choices=["atlas200dk", "rtx"])
    board = parser.parse_args().board
    with tempfile.TemporaryDirectory() as folder, boards(Path(folder)) as rehearsal:
        for line in [TRAIN, *commands(board)]:
            result = rehearsal.run(line)
            sys.stdout.write(f"$ mosegedge {line}\n{result.stderr}{result.stdout}[exit {result.returncode}]\n\n")
            sys.stdout.flush()


if __name__ == "__main__":
    transcript()
