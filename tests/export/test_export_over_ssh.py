"""From a network to a verified engine on a board behind OpenSSH's own server."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import boards
import products

from mosegedge.export.bundle import load_bundle
from mosegedge.export.verify import verify_bundle
from mosegedge.progress import Silent

# The server and its keys are those of the tests of the connection itself.
_SPEC = importlib.util.spec_from_file_location("sshd_of_tests", Path(__file__).parents[1] / "ssh" / "conftest.py")
ssh = sys.modules[_SPEC.name] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(ssh)
keys, home = ssh.keys, ssh.home


def test_an_engine_is_built_fetched_and_verified_over_ssh(tmp_path, keys, home, monkeypatch):
    builds = boards.install(tmp_path, monkeypatch)
    boards.shorten(monkeypatch)
    server = ssh.new_sshd(tmp_path / "sshd", keys, FAKE_BUILDS=str(builds), MOSEGEDGE_LOCK=str(tmp_path / "lock there"))
    server.start()
    try:
        home.known_hosts.write_text(server.key_line)
        device = replace(
            boards.board(tmp_path, clock="device"),
            connection="ssh",
            address="127.0.0.1",
            port=server.port,
            interpreter=sys.executable,
        )
        bundle = load_bundle(products.make_bundle(tmp_path / "bundle", opset=13, device=device).folder)
        report = verify_bundle(bundle, device, products.VAL, pictures=1, layers=True, progress=Silent())
    finally:
        server.stop()
    assert report.passed
    assert report.artefact.sha256 == bundle.manifest.artefact.sha256
    assert report.latency.median_ms == 1.5
    assert report.layers[0].block == "encoder.stem"
    assert builds.read_text() == "built\n", "verified as it was built, not built again"
