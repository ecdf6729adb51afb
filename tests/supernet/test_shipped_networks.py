"""Trained networks that come with the project: small, whole, and those of the record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mosegedge.files import sha256_of_file
from mosegedge.supernet.network import load_network

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "benchmarks/data/camvid").glob("*.safetensors"))
RECORD = json.loads((ROOT / "benchmarks/results/camvid_inherited.json").read_text())
FINALISTS = {entry["contender"]["code"] for entry in RECORD["entries"] if entry["contender"]["kind"] == "search"}
README = (ROOT / "benchmarks/README.md").read_text()


def test_every_finalist_of_the_record_is_there():
    assert {str(load_network(path).subnet.architecture) for path in FILES} == FINALISTS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_network_is_small_whole_and_described(path: Path):
    assert path.stat().st_size < 5e6
    assert sha256_of_file(path)[:12] in README
    network = load_network(path)
    assert network.info.data == "camvid"
    assert network.info.classes[0] == "sky"
    assert network.info.training["supernet"] == RECORD["facts"]["supernet_sha256"]
    height, width = network.info.space.input_size(network.subnet.architecture)
    with torch.no_grad():
        logits = network.subnet(torch.zeros(1, 3, height, width))
    assert logits.shape == (1, 11, height, width)
    assert logits.isfinite().all()
