"""The doctor at the other end of a real SSH connection."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mosegedge.devices.doctor.diagnosis import Check, diagnose


def checks_of(device, **options) -> dict[str, Check]:
    return {check.name: check for check in diagnose(device, **options).checks}


def test_a_board_is_examined_from_its_address_to_its_lock(board, tmp_path):
    found = checks_of(board)
    failed = [check for check in found.values() if check.status == "failed"]
    assert failed == []
    assert list(found)[:5] == ["definition", "address", "host key", "login", "interpreter"]
    assert f"127.0.0.1 port {board.port}, SSH-2.0-" in found["address"].found
    assert "ssh-ed25519 SHA256:" in found["host key"].found
    assert str(tmp_path / "remote home") in found["login"].found
    assert sys.executable in found["interpreter"].found
    assert "onnxruntime" in found["runtime"].found
    cache = tmp_path / "remote home" / ".cache" / "mosegedge"
    assert [path.suffix for path in cache.rglob("*") if path.is_file()] == [".pyz"]


def test_an_unknown_host_key_stops_before_the_login_and_is_remembered_on_demand(board, home):
    home.known_hosts.unlink()
    found = checks_of(board)
    assert found["host key"].status == "failed"
    assert "--accept-new-host-key" in found["host key"].fix
    assert found["login"].status == found["users"].status == "skipped"
    assert not home.known_hosts.exists()
    found = checks_of(board, accept_new_host_key=True)
    assert "now remembered" in found["host key"].found
    assert found["login"].status == "ok"
    assert home.known_hosts.exists()


def test_a_login_that_is_refused_is_told(board, home, keys):
    (home.ssh / "id_ed25519").write_bytes((keys / "stranger").read_bytes())
    found = checks_of(board)
    assert found["host key"].status == "ok"
    assert found["login"].status == "failed"
    assert found["login"].fix
    assert found["interpreter"].found == "needs what failed: login"


@pytest.mark.parametrize("exists", [True, False])
def test_the_environment_script_is_named_or_missed(board, tmp_path, exists):
    script = tmp_path / "set_env.sh"
    if exists:
        script.write_text("echo 'Welcome to the toolkit'\n")
    found = checks_of(replace(board, environment=f"/no/set_env.sh,{script}"))
    if exists:
        assert found["environment"] == Check("environment", "ok", str(script))
        assert found["runtime"].status == "ok"
    else:
        assert found["environment"].status == "failed"
        assert "/no/set_env.sh" in found["environment"].found
        assert found["environment"].fix
        assert found["interpreter"].found == "needs what failed: environment"


def test_an_interpreter_that_is_not_there_is_told_with_those_that_are(board):
    found = checks_of(replace(board, interpreter="/no/python"))
    assert found["interpreter"].status == "failed"
    assert "/no/python" in found["interpreter"].found
    assert found["agent"].status == "skipped"
