"""Networks as users name them: a code, or a number of a finished search."""

from __future__ import annotations

import json

import products
import pytest

from mosegedge.cli.choice import network_and_profile
from mosegedge.errors import ArchitectureError, SearchError, UsageError

CODES = [str(products.SPACE.smallest), str(products.SPACE.uniform(2, 1)), str(products.SPACE.largest)]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "a run: of mine"
    folder.mkdir()
    chosen = [{"k": k, "code": code} for k, code in enumerate(CODES, start=1)]
    (folder / "front.json").write_text(json.dumps({"chosen": chosen}))
    (folder / "run.json").write_text(json.dumps({"profile": {"reference": "local/nano-fp32/v2"}}))
    return folder


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_kth_chosen_network_with_the_profile_of_the_search(run, k):
    architecture, profile = network_and_profile(f"{run}:{k}")
    assert str(architecture) == CODES[k - 1]
    assert profile == "local/nano-fp32/v2"


def test_a_code_has_no_profile():
    assert network_and_profile(CODES[1]) == (products.SPACE.uniform(2, 1), None)
    assert network_and_profile(CODES[1].replace(" ", "-"))[0] == products.SPACE.uniform(2, 1)


@pytest.mark.parametrize("k", ["0", "4", "99999999999999999999"])
def test_numbers_outside_the_chosen_ones_are_refused(run, k):
    with pytest.raises(UsageError, match="does not exist") as caught:
        network_and_profile(f"{run}:{k}")
    assert "1 to 3" in str(caught.value)


def test_an_unfinished_search_has_no_chosen_networks(run):
    (run / "front.json").unlink()
    with pytest.raises(UsageError, match="has no finished search"):
        network_and_profile(f"{run}:1")


@pytest.mark.parametrize("text", ["", ":", "nonsense", "run:", ":1", "run:-1", "run:\N{SUPERSCRIPT TWO}", "1" * 29])
def test_nonsense_is_no_network(text):
    with pytest.raises(ArchitectureError):
        network_and_profile(text)


@pytest.mark.parametrize("name", ["front.json", "run.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"chosen": [1]}', '{"profile": 3}', "\x00"])
def test_damaged_files_are_named(run, name, content):
    (run / name).write_text(content)
    with pytest.raises(SearchError, match=name):
        network_and_profile(f"{run}:1")


def test_a_run_without_its_manifest_is_damaged(run):
    (run / "run.json").unlink()
    with pytest.raises(SearchError, match=r"run\.json"):
        network_and_profile(f"{run}:1")
