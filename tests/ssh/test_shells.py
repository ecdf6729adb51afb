"""Programs start whatever the login shell is and prints, with the environment and the interpreter asked for."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import paramiko
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


def test_a_login_whose_sftp_ends_before_it_is_greeted_still_takes_files(tmp_path, keys, home, board, monkeypatch):
    invoke = paramiko.Channel.invoke_subsystem

    def invoked(channel, name):
        invoke(channel, name)
        patience = time.monotonic() + 20
        while not channel.closed and time.monotonic() < patience:
            time.sleep(0.01)
        assert channel.closed

    monkeypatch.setattr(paramiko.Channel, "invoke_subsystem", invoked)
    server, device = run_sshd(tmp_path, keys, home, board, 'ForceCommand rbash -c "$SSH_ORIGINAL_COMMAND"')
    try:
        with connect(device) as connection:
            connection.put(b"content", f"{connection.cache}/file")
            assert connection.get(f"{connection.cache}/file") == b"content"
            assert ["ends at once" in note for note in connection.notes] == [True]
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


def test_a_script_that_is_written_for_bash_is_read_by_bash(board, tmp_path):
    script = tmp_path / "set_env.sh"
    script.write_text(
        "set -u; words=(there here); here=${BASH_SOURCE[0]}\n[[ $here == *env.sh ]] && export WHERE=$words\n"
    )
    assert output(replace(board, environment=str(script)), ODD) == f"there {ODD}\n".encode()


@pytest.mark.parametrize("force", ['rbash -c "$SSH_ORIGINAL_COMMAND"', 'dash -c "$SSH_ORIGINAL_COMMAND"'])
@pytest.mark.parametrize("has_bash", [True, False])
def test_a_script_is_read_under_any_login_shell_with_and_without_bash(tmp_path, keys, home, board, force, has_bash):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dash", "rbash", *(["bash"] if has_bash else [])):
        (programs / name).symlink_to(shutil.which(name))
    script = tmp_path / "set_env.sh"
    script.write_text('export WHERE=there t=1 e=2 o=3; if [ "$BASH_VERSION" ]; then WHERE=bash; fi; set -eux\n')
    server, device = run_sshd(tmp_path, keys, home, board, f"ForceCommand PATH={programs}; export PATH; exec {force}")
    try:
        where = "bash" if has_bash else "there"
        assert output(replace(device, environment=str(script)), ODD) == f"{where} {ODD}\n".encode()
    finally:
        server.stop()


@pytest.mark.parametrize("text", ["echo Go away >&2; exit 3", "echo Go away; exec false"])
def test_a_script_that_ends_the_shell_is_named(board, tmp_path, text):
    script = tmp_path / "set env.sh"
    script.write_text(text)
    with pytest.raises(DeviceError, match=r"set env\.sh ended the shell, with status [13]") as error:
        output(replace(board, environment=str(script)))
    assert "Go away" in error.value.known
    assert "`environment` in devices.toml" in error.value.fix


def test_a_script_that_fails_is_named_and_the_program_starts(board, tmp_path):
    script = tmp_path / "set_env.sh"
    script.write_text("export WHERE=there; return 4\n")
    with connect(replace(board, environment=str(script))) as connection:
        process = connection.run(["-c", "import os; print(os.environ['WHERE'])"])
        assert process.stdout.read() == b"there\n"
        (note,) = connection.notes
    assert f"{script} ended with status 4" in note


def test_a_python_with_a_library_of_its_own_finds_it(board, tmp_path):
    """The stand-in for an interpreter works where a dynamic loader would find the library beside it, and only there."""
    folder = tmp_path / "usr local/python3.7"
    for place in ("bin", "lib"):
        (folder / place).mkdir(parents=True)
    (folder / "lib/libpython3.7m.so").touch()
    python = folder / "bin/python3"
    python.write_text(
        "#!/bin/sh\nIFS=:; for p in $LD_LIBRARY_PATH; do\n"
        f'[ -e "$p/libpython3.7m.so" ] && exec {sys.executable} "$@"; done\n'
        "echo error while loading shared libraries: libpython3.7m.so >&2; exit 127\n"
    )
    python.chmod(0o755)
    script = tmp_path / "set_env.sh"
    script.write_text("export LD_LIBRARY_PATH=/opt/vendor/lib64 WHERE=there\n")
    for device in (replace(board, interpreter=str(python)), replace(board, interpreter=f"/absent/python3,{python}")):
        assert output(device, "x") == b" x\n"
        assert output(replace(device, environment=str(script)), "x") == b"there x\n"
    (folder / "lib/libpython3.7m.so").unlink()
    with connect(replace(board, interpreter=str(python))) as connection:
        assert connection.run(["-c", "pass"]).wait(20) == 127


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
