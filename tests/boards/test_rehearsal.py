"""From a board to a verified network on it, by the commands of the README: boards of stand-ins over real SSH."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rehearsal
import torch

from mosegedge.files import sha256_of_file
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, save_supernet
from mosegedge.supernet.model import Supernet

FORMATS = {"atlas200dk": "om", "rtx": "engine"}
METHODS = {"atlas200dk": "both", "rtx": "networks"}


@pytest.fixture(scope="module")
def user(tmp_path_factory):
    with rehearsal.boards(tmp_path_factory.mktemp("boards")) as started:
        space, path = SearchSpace.load(rehearsal.SPACE), started.project / "runs/supernet/supernet.safetensors"
        path.parent.mkdir(parents=True)
        info = SupernetInfo(space=space, data="scenes", step=0, training={})
        save_supernet(path, Supernet(space, torch.Generator().manual_seed(0)), info)
        yield started


def done(result) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("board", sorted(FORMATS))
def test_from_a_board_to_a_verified_network_on_it(user, board):
    assert user.run(f"devices doctor {board}").returncode == 3  # nobody has taken its key on yet
    doctor, profile, search, export, verify = rehearsal.commands(board)
    assert "host key" in done(user.run(doctor))
    done(user.run(f"{profile} --method {METHODS[board]}"))
    measured = json.loads(done(user.run(f"profiles show {board}/nano-96x192-19-fp16 --json")))
    assert (measured["clock"], measured["failed"]) == ("device", 0)
    done(user.run(search))
    done(user.run(export))
    bundle = user.project / f"runs/{board}-bundle"
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert manifest["artefact"]["format"] == FORMATS[board]
    assert sha256_of_file(bundle / f"network.{FORMATS[board]}") == manifest["artefact"]["sha256"]
    verified = json.loads(done(user.run(f"{verify} --json")))
    assert verified["passed"]
    assert verified["golden_difference"] < 1e-2
    predicted_ms, _ = verified["predicted_ms"]
    # The times are those of a law, so what is predicted from layers can be compared.
    assert verified["comparable_ms"] == pytest.approx(predicted_ms, rel=0.2)


def test_the_agents_stay_on_the_boards_and_nothing_else_does(user):
    for board in FORMATS:
        left = sorted(path.name for path in (Path(user.project).parent / board / "cache").iterdir())
        assert left == ["agents", "built", "models"]
