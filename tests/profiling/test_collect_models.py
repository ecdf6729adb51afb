"""Models that a device or its compiler refuses are left out with the reason; devices that changed are not mixed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar

import fakeboard
import numpy as np
import pytest
from comparing import JOURNAL, SETTINGS, SPACE, assert_equal, bursts

from mosegedge.errors import AgentError, ExportError, ModelRefusedError, ProfileError
from mosegedge.profiling import (
    ProfileSettings,
    building,
    collector,
    make_plan,
    profile_device,
)
from mosegedge.profiling.models import ModelFile
from mosegedge.progress import Silent
from mosegedge.space import Architecture


def test_a_layer_that_the_device_cannot_run_carries_its_error_and_no_number(board, monkeypatch):
    plan = make_plan(SPACE, board, SETTINGS)
    failing = next(item for item in plan.layers if item.key.startswith("bottleneck id"))
    monkeypatch.setenv(fakeboard.FAILING_LAYER, failing.key)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert [(entry.key, "no kernel" in entry.error) for entry in profile.failed] == [(failing.key, True)]
    assert failing.key not in {entry.key for entry in profile.entries}
    codes = SPACE.sample(2000, np.random.default_rng(0))
    codes[:, 0] = 0
    rows = [row for row, spec in enumerate(SPACE.entries) if spec == failing.source]
    needs_it = np.isin(SPACE.entries_of(codes), rows).any(axis=1)
    assert 0 < needs_it.sum() < len(codes)
    model = profile.latency_model()
    assert np.isfinite(model.predict(codes[~needs_it])[0]).all()
    with pytest.raises(ProfileError, match=f"lacks .* could not run .*{re.escape(failing.key)}.*no kernel"):
        model.predict(codes)


def test_another_plan_does_not_go_on_with_this_journal(board):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS, command="mosegedge profile --seed 0")
    other = ProfileSettings(scales=(0,), networks=24, passes=2, seed=1)
    with pytest.raises(ProfileError) as error:
        profile_device(board, SPACE, settings=other)
    assert "mosegedge profile --seed 0" in error.value.known
    assert "--restart" in error.value.fix
    profile = profile_device(board, SPACE, settings=other, restart=True)
    assert profile.protocol.seed == 1
    assert bursts(JOURNAL.with_name("v1.journal.jsonl.old1"))


def test_a_device_that_changed_meanwhile_is_not_mixed(board, monkeypatch):
    Path("deaths").write_text("900 0 0 0")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    monkeypatch.setenv("FAKE_VERSION", "2.0")
    with pytest.raises(ProfileError, match=r"1\.0 then, 2\.0 now"):
        profile_device(board, SPACE, settings=SETTINGS)


def test_what_is_no_fault_of_the_model_is_tried_once_more_and_then_ends_the_run(board, monkeypatch, undisturbed):
    monkeypatch.setenv(fakeboard.TROUBLED_LAYER, undisturbed.entries[3].key)
    Path("troubles").write_text("1 2 3")
    with pytest.raises(AgentError, match="ran out of disk space") as error:
        profile_device(board, SPACE, settings=SETTINGS)
    assert not isinstance(error.value, ModelRefusedError)
    assert Path("troubles").read_text() == "3"  # the next run meets it, and goes on at its second try
    assert_equal(profile_device(board, SPACE, settings=SETTINGS), undisturbed)


@pytest.mark.parametrize("kind", [ExportError, ModelRefusedError])
def test_a_model_that_the_host_cannot_make_for_the_device_is_left_out(board, monkeypatch, undisturbed, kind):
    refused = {undisturbed.entries[3].key, make_plan(SPACE, board, SETTINGS).held_out[0].key}

    def model_file(item, plan, description):
        if item.key in refused:
            raise kind("no such operator")
        return fakeboard.model_file(item, plan, description)

    monkeypatch.setattr(building, "model_file", model_file)
    profile = profile_device(board, SPACE, settings=SETTINGS)
    assert {(entry.key, entry.error) for entry in profile.failed} == {(key, "no such operator") for key in refused}


def test_what_the_host_knew_of_a_model_is_said_once_and_reaches_the_profile(board, monkeypatch, undisturbed):
    class Heard(Silent):
        said: ClassVar[list[str]] = []

        def say(self, text):
            self.said.append(text)

    def model_file(item, plan, description):
        plain = fakeboard.model_file(item, plan, description)
        warnings = ("takes Resize badly",) if isinstance(item.source, Architecture) else ()
        return ModelFile(plain.content, plain.model_format, ("compiled here",), warnings)

    monkeypatch.setattr(building, "model_file", model_file)
    monkeypatch.setattr(collector, "check_compiler", lambda device: "ATC of CANN 6.0.1")
    profile = profile_device(board, SPACE, settings=SETTINGS, progress=Heard())
    assert {note.text: note.models for note in profile.notes} == {"compiled here": 183, "takes Resize badly": 24}
    assert Heard.said.count("takes Resize badly") == 1
    assert "compiled here" not in Heard.said
    begin = json.loads(JOURNAL.read_text().splitlines()[0])
    assert begin["fingerprint"]["host_compiler"] == "ATC of CANN 6.0.1"


def test_models_of_another_compiler_on_the_host_are_not_mixed(board, monkeypatch):
    Path("deaths").write_text("900 0 0 0")
    monkeypatch.setattr(collector, "check_compiler", lambda device: "CANN 6.0.1")
    with pytest.raises(AgentError):
        profile_device(board, SPACE, settings=SETTINGS)
    monkeypatch.setattr(collector, "check_compiler", lambda device: "CANN 8.0.0")
    with pytest.raises(ProfileError, match=r"host_compiler: CANN 6\.0\.1 then, CANN 8\.0\.0 now"):
        profile_device(board, SPACE, settings=SETTINGS)
