"""This machine measured as a board behind SSH, with the real ONNX Runtime: the same profile as without SSH.

What the numbers have in common is the business of `benchmarks.same_device`; here it is everything else.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from mosegedge.devices import Device, load_device
from mosegedge.profiling import ProfileSettings, profile_device
from mosegedge.space import SearchSpace

SPACE = SearchSpace.load("nano:96x192:19")
SETTINGS = ProfileSettings(scales=(0,), networks=8, passes=2, method="networks")


def built(path) -> dict[str, str]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return {record["key"]: record["sha256"] for record in records if record["type"] == "built"}


def test_the_profile_over_ssh_is_that_of_the_machine_itself(tmp_path, sshd, home):
    home.known_hosts.write_text(sshd.key_line)
    here = replace(load_device("local"), cache=str(tmp_path / "cache here"))
    there = Device(
        **{**vars(here), "name": "loopback", "connection": "ssh", "address": "127.0.0.1", "port": sshd.port,
           "interpreter": sys.executable, "cache": str(tmp_path / "cache there")}
    )  # fmt: skip
    root = tmp_path / "profiles"
    local, remote = (profile_device(device, SPACE, settings=SETTINGS, root=root) for device in (here, there))
    assert [entry.key for entry in remote.entries] == [entry.key for entry in local.entries]
    assert [network.code for network in remote.networks] == [network.code for network in local.networks]
    assert (remote.failed, remote.protocol.restarts) == ([], 0)
    assert remote.device.vendor == local.device.vendor
    assert remote.device.hardware == local.device.hardware
    assert remote.protocol.bursts == local.protocol.bursts
    journals = [root / f"{name}/nano-96x192-19-fp32/v1.journal.jsonl" for name in ("local", "loopback")]
    assert built(journals[0]) == built(journals[1])
    assert len(built(journals[1])) == len(remote.entries) + len(remote.networks)
    assert (tmp_path / "cache there" / "models").is_dir()
    assert len(list((tmp_path / "cache there" / "agents").iterdir())) == 1
