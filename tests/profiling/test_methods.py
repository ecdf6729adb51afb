"""Layers alone, networks alone, or both: from the plan to the profile, through the real agent on a fake board."""

from __future__ import annotations

import json
import sys

import fakeboard
import numpy as np
import pytest
from comparing import JOURNAL, SPACE

from mosegedge.cli.main import main
from mosegedge.errors import UsageError
from mosegedge.profiling import ProfileSettings, load_profile, make_plan, profile_device


def truth_ms(codes) -> np.ndarray:
    return np.array([fakeboard.network_us(SPACE, network) for network in SPACE.decode(codes)]) / 1e3


@pytest.mark.parametrize(("method", "fit", "mape"), [("layers", 0, 0.2), ("networks", 12, 0.1)])
def test_a_profile_of_one_kind_of_models_measures_no_other(board, method, fit, mape):
    settings = ProfileSettings(scales=(0,), networks=24, passes=2, method=method)
    profile = profile_device(board, SPACE, settings=settings)
    assert profile.model.method == method
    roles = [network.role for network in profile.networks]
    assert (roles.count("fit"), roles.count("held-out")) == (fit, 12)
    assert bool(profile.entries) == (method == "layers")
    records = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    timed = {record["key"] for record in records if record["type"] == "burst"}
    assert all(key.startswith("network ") for key in timed) == (method == "networks")
    codes = SPACE.sample(50, np.random.default_rng(1))
    codes[:, 0] = 0
    predicted, sd = load_profile("board/nano-fp32").latency_model().predict(codes)
    errors = np.abs(predicted / truth_ms(codes) - 1)
    assert errors.mean() < mape
    assert np.mean(errors <= 1.645 * sd / predicted) > 0.5
    of_layers = (profile.certificate.sum_of_layers_mape, profile.repeatability.layers_mape)
    assert (None in of_layers) == (of_layers == (None, None)) == (method == "networks")


def test_the_command_line_prints_a_profile_without_layers(board, monkeypatch, capsys):
    command = "mosegedge profile --device board --space nano --scales 0 --networks 16 --passes 2 --method networks"
    out = run(command, monkeypatch, capsys)
    assert "multiply_adds_million" in out
    assert "plain sum" not in out
    assert "tau" in run("mosegedge profiles list", monkeypatch, capsys)


def run(command, monkeypatch, capsys) -> str:
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_the_method_belongs_to_the_plan(board):
    plans = {
        method: make_plan(SPACE, board, ProfileSettings(scales=(0,), networks=300, method=method))
        for method in ("layers", "networks", "both")
    }
    assert len({plan.digest for plan in plans.values()}) == 3
    assert [len(plan.layers) for plan in plans.values()] == [159, 0, 159]
    assert [len(plan.fit) for plan in plans.values()] == [0, 240, 240]
    assert [len(plan.held_out) for plan in plans.values()] == [60, 60, 60]
    with pytest.raises(UsageError, match="no method 'guess'"):
        ProfileSettings(method="guess")


def test_networks_that_judge_are_drawn_without_looking_at_those_that_fit(board):
    ours, alone = (
        make_plan(SPACE, board, ProfileSettings(scales=(0, 1), networks=24, method=method)).held_out
        for method in ("both", "layers")
    )
    assert ours == alone
