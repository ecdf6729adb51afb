"""Programs start whatever the login shell is and prints, with the environment and the interpreter asked for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from opensshd import new_sshd

from mosegedge.devices import connect, open_agent
from mosegedge.errors import DeviceError

ODD = 'it\'s $HOME "x" * `a` \\ ~ | & ; < >'


def output(device, *arguments: str) -> bytes:
    with connect(device) as connection:
        process = connection.run(
            ["-c", "import os, sys; print(os.environ.get('WHERE', ''), *sys.argv[1:])", *arguments]
        )
        said = process.stdout.read()
        assert process.wait(20) == 0
        return said


def run_sshd(tmp_path, keys, home, board, *lines: str):
    server = new_sshd(
        tmp_path / "other", keys, *lines, HOME=str(tmp_path / "remote home"), MOSEGEDGE_LOCK=str(tmp_path / "lock")
    )
    server.start()
    home.known_hosts.write_text(server.key_line)
    return server, replace(board, port=server.port)


@pytest.mark.parametrize(
    "force",
    [
        'rbash -c "$SSH_ORIGINAL_COMMAND"',
        'dash -c "$SSH_ORIGINAL_COMMAND"',
        'echo Welcome to the board; printf "no end of line"; sh -c "$SSH_ORIGINAL_COMMAND"',
        'bash -xvc "$SSH_ORIGINAL_COMMAND" 2>&1',
    ],
)
def test_the_login_shell_may_be_any_and_may_print(tmp_path, keys, home, board, force):
    server, device = run_sshd(tmp_path, keys, home, board, f"ForceCommand {force}")
    try:
        assert output(device, ODD).strip().endswith(ODD.encode())
        with connect(device) as connection:
            connection.put(b"content", f"{connection.cache}/file")
            assert connection.get(f"{connection.cache}/file") == b"content"
            why = "ends at once" if "rbash" in force else "prints something" if "dash" not in force else None
            assert [note for note in connection.notes if why and why in note] == connection.notes
            assert bool(connection.notes) == bool(why)
    finally:
        server.stop()


def test_noise_of_bashrc_disturbs_neither_programs_nor_files(board, tmp_path):
    (tmp_path / "remote home/.bashrc").write_text("echo 'loading modules'; echo aside >&2\n")
    with open_agent(board) as agent:
        assert agent.describe().backend == "onnxruntime"


def test_a_login_that_runs_nothing_is_told_with_what_it_printed(tmp_path, keys, home, board):
    server, device = run_sshd(tmp_path, keys, home, board, "ForceCommand echo This account is not available")
    try:
        with pytest.raises(DeviceError, match="did not start a program") as error:
            output(device)
        assert "This account is not available" in error.value.known
    finally:
        server.stop()


def test_noise_without_end_is_bounded(tmp_path, keys, home, board):
    server, device = run_sshd(tmp_path, keys, home, board, "ForceCommand yes")
    try:
        with pytest.raises(DeviceError, match="did not start a program"):
            output(device)
    finally:
        server.stop()


def test_the_environment_script_is_read_first(board, tmp_path):
    script = tmp_path / "set env.sh"
    script.write_text("export WHERE=there; echo noise; cat; false\n")
    assert output(replace(board, environment=f"/absent/set_env.sh,{script}"), "x") == b"there x\n"
    (tmp_path / "remote home/env.sh").write_text("export WHERE=home\n")
    assert output(replace(board, environment="~/env.sh")) == b"home\n"
    assert output(replace(board, environment="env.sh")) == b"home\n"


def test_an_environment_script_that_is_missing_is_named(board):
    with pytest.raises(DeviceError, match=r"no environment script /absent/a.sh or /absent/b.sh"):
        output(replace(board, environment="/absent/a.sh, /absent/b.sh"))


def test_the_first_interpreter_that_exists_and_is_new_enough_is_taken(board, tmp_path):
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert output(replace(board, interpreter=f"/absent/python3,{old},{sys.executable}"), "x") == b" x\n"


def test_an_interpreter_that_is_missing_is_named_with_those_that_are_there(board):
    with pytest.raises(DeviceError, match=r"no interpreter /absent/python3 or python9") as error:
        output(replace(board, interpreter="/absent/python3,python9"))
    assert "python3" in error.value.known
    assert "devices.toml" in error.value.fix


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("/tmp/a b", "/tmp/a b"), ("~/c $x", "HOME/c $x"), ("d", "HOME/d"), ("", "HOME/.cache/mosegedge")],
)
def test_the_cache_is_an_absolute_path(board, tmp_path, wanted, found):
    with connect(replace(board, cache=wanted)) as connection:
        assert connection.cache == found.replace("HOME", str(tmp_path / "remote home"))
        assert Path(connection.cache).is_absolute()
