"""`mosegedge search` as real processes: started by torchrun, and one of them killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from projects import FILES, SMALL, made_in

from mosegedge.cli.main import main

ARGUMENTS = ["search", *FILES[:4], *SMALL, "--initial", "10", "--predictor", "rbf", "--inner", "random"]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return made_in(tmp_path_factory.mktemp("project"))


def search_here(folder: Path, output: str) -> int:
    """The search in this process; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["mosegedge", *ARGUMENTS, "--output", output])
        with pytest.raises(SystemExit) as end:
            main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def alone(folder) -> Path:
    assert search_here(folder, "alone") == 0
    return folder / "alone"


def environment(**others: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **others}


def results_in(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in ("archive.jsonl", "baselines.jsonl", "front.json", "run.json")]


def test_two_ranks_under_torchrun_leave_the_archive_of_one(folder, alone):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "mosegedge",
    ]
    done = subprocess.run(
        [*command, *ARGUMENTS, "--output", "shared", "--json"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == "shared"
    assert results_in(folder / "shared") == results_in(alone)
    assert done.stderr.count("mosegedge report shared") == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Networks evaluated by rank: ")]
    here, there = (int(word) for word in line.rpartition(": ")[2].rstrip(".").split(", "))
    assert here + there == 12 + 3
    assert there > 0


def test_a_killed_rank_ends_the_search_and_one_process_finishes_it(folder, alone, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    started = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-m", "mosegedge", *ARGUMENTS, "--output", "killed"]
    other = subprocess.Popen(command, cwd=folder, env=environment(RANK="1", **started), stdout=-1, stderr=-1, text=True)
    archive = folder / "killed" / "archive.jsonl"

    def kill() -> None:
        while other.poll() is None and not (archive.exists() and archive.read_bytes()):
            time.sleep(0.002)
        other.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:  # this process is rank 0
        for name, value in {"RANK": "0", **started}.items():
            patch.setenv(name, value)
        code = search_here(folder, "killed")
    signal.signal(signal.SIGTERM, before)  # after a loss it is passed over, as the process is to end
    killer.join()
    out, err = capsys.readouterr()
    assert (code, out, other.communicate()) == (7, "", ("", ""))
    kept = archive.read_bytes().count(b"\n")
    assert "mosegedge: Rank 1 of 2 was lost: " in err
    assert f"{kept} evaluated networks are kept in killed/archive.jsonl. Go on from there" in err
    assert 1 <= kept < 12
    assert search_here(folder, "killed") == 0
    assert results_in(folder / "killed") == results_in(alone)


def test_what_cannot_be_shared_and_what_was_not_started_by_a_launcher_is_refused(folder, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for arguments, said in ((["verify", "alone"], "search verify was started as 2 processes"), ([], "RANK is not set")):
        if arguments:
            for name, value in {"RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
                monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv("RANK")
        monkeypatch.setattr(sys, "argv", ["mosegedge", "search", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        assert said in capsys.readouterr().err


def test_no_other_rank_prints_what_the_first_one_says(monkeypatch, capfd):
    values = {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for arguments in (["--output", "x"], ["--generations", "many"], ["--help"]):
        monkeypatch.setattr(sys, "argv", ["mosegedge", "search", *arguments])
        with pytest.raises(SystemExit):
            main()
    assert capfd.readouterr() == ("", "")
