from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from standin import PROVENANCE, QUICK, SPACE

from mosegedge.errors import SearchError, UsageError
from mosegedge.files import exclusive
from mosegedge.progress import Silent
from mosegedge.search.config import PAPER, InnerSettings, PrescreenSettings, SearchConfig, configuration
from mosegedge.search.exploration import deviations_in
from mosegedge.search.manifest import manifest_of, read_manifest, start_or_resume
from mosegedge.space import SearchSpace


def start(folder, *, space=SPACE, config=QUICK, provenance=PROVENANCE, progress=None):
    start_or_resume(folder, manifest_of(space, config, provenance), progress or Silent())


def test_the_manifest_says_what_made_the_run(tmp_path):
    start(tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest["space"] == {"name": SPACE.name, "digest": SPACE.digest}
    assert manifest["settings"]["seed"] == 7
    assert manifest["settings"]["inner"]["population"] == 20
    assert {"numpy", "torch", "lightgbm", "pymoo"} <= set(manifest["versions"])
    before = (tmp_path / "run.json").read_bytes()
    start(tmp_path)
    assert (tmp_path / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": replace(QUICK, seed=8)}, r"settings.seed = 7; this one has 8"),
        ({"config": replace(QUICK, scales=(0, 1))}, "settings.scales"),
        ({"config": replace(QUICK, max_latency_ms=9.5)}, "settings.max_latency_ms = nothing; this one has 9.5"),
        ({"config": replace(QUICK, inner=InnerSettings(population=30, generations=15))}, "settings.inner.population"),
        ({"space": SearchSpace.load("tiny")}, "space.digest"),
        ({"provenance": replace(PROVENANCE, profile_digest="q")}, "profile.digest"),
        ({"provenance": replace(PROVENANCE, supernet_digest="t")}, "supernet.digest"),
        ({"provenance": replace(PROVENANCE, data="camvid")}, "data"),
        ({"provenance": replace(PROVENANCE, evaluation={"guide_pictures": 9})}, "evaluation.guide_pictures"),
    ],
)
def test_a_run_with_other_settings_is_refused_by_the_name_of_the_field(tmp_path, change, named):
    start(tmp_path)
    with pytest.raises(UsageError, match=named):
        start(tmp_path, **change)


def test_moved_files_and_new_package_versions_do_not_stop_a_run(tmp_path):
    start(tmp_path)
    start(tmp_path, provenance=replace(PROVENANCE, profile="elsewhere.json", supernet="moved.safetensors"))
    manifest = read_manifest(tmp_path)
    manifest["versions"]["numpy"] = "0.1"
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    said = []
    progress = Silent()
    progress.say = said.append
    start(tmp_path, progress=progress)
    assert "other package versions" in said[0]


def as_schema_5(manifest):
    settings = {name: value for name, value in manifest["settings"].items() if name != "explore_from"}
    return {**manifest, "schema": 5, "settings": settings}


def as_schema_4(today):
    manifest = as_schema_5(today)
    settings = manifest["settings"]
    (exploration,) = settings["exploration"]
    return {**manifest, "schema": 4, "settings": {**settings, "exploration": exploration}}


def as_schema_3(today):
    manifest = as_schema_4(today)
    settings = {name: value for name, value in manifest["settings"].items() if name != "sampling"}
    return {**manifest, "schema": 3, "settings": settings}


def as_schema_2(today):
    manifest = as_schema_3(today)
    new = ("objectives", "limits", "confidence", "latency", "pick")
    settings = {name: value for name, value in manifest["settings"].items() if name not in new}
    profile = {name: manifest["profile"][name] for name in ("reference", "digest")}
    kept = {name: value for name, value in manifest.items() if name != "other_profiles"}
    return {**kept, "schema": 2, "profile": profile, "settings": settings}


def as_schema_1(today):
    manifest = as_schema_2(today)
    settings = {**manifest["settings"], "inner": {**manifest["settings"]["inner"]}}
    for name in ("predictor", "exploration", "prescreen"):
        del settings[name]
    del settings["inner"]["method"], settings["inner"]["from_archive"]
    return {**manifest, "schema": 1, "settings": settings}


def test_a_run_from_before_there_were_choices_is_read_as_the_papers_method(tmp_path):
    inner = replace(QUICK.inner, from_archive=0.5)
    config = replace(QUICK, inner=inner, prescreen=PrescreenSettings(strategy="hierarchical", solver="genetic"))
    start(tmp_path, config=config)
    today = read_manifest(tmp_path)
    before = json.dumps(as_schema_1(today))
    (tmp_path / "run.json").write_text(before)
    assert read_manifest(tmp_path) == today
    start(tmp_path, config=config)
    assert (tmp_path / "run.json").read_text() == before
    with pytest.raises(UsageError, match='solver = "genetic"; this one has "exact"'):
        start(tmp_path, config=replace(QUICK, inner=inner))


def test_a_run_that_explored_from_the_first_generation_on_goes_on(tmp_path):
    config = replace(configuration("default"), explore_from=1)
    start(tmp_path, config=config)
    today = read_manifest(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(as_schema_5(today)))
    assert read_manifest(tmp_path) == today
    start(tmp_path, config=config)
    with pytest.raises(UsageError, match=r"settings\.explore_from = 1; this one has 13"):
        start(tmp_path, config=configuration("default"))


def test_a_run_from_before_generations_explored_differently_goes_on(tmp_path):
    config = replace(configuration("default"), exploration=(1.5,))
    start(tmp_path, config=config)
    today = read_manifest(tmp_path)
    before = json.dumps(as_schema_4(today))
    assert '"exploration": 1.5' in before
    (tmp_path / "run.json").write_text(before)
    assert read_manifest(tmp_path) == today
    start(tmp_path, config=config)
    assert SearchConfig.from_json(read_manifest(tmp_path)["settings"]) == config


def test_a_run_from_before_there_were_objectives_goes_on(tmp_path):
    start(tmp_path)
    today = read_manifest(tmp_path)
    assert today["schema"] == 6
    before = json.dumps(as_schema_2(today))
    (tmp_path / "run.json").write_text(before)
    assert read_manifest(tmp_path) == today
    start(tmp_path)
    assert (tmp_path / "run.json").read_text() == before
    with pytest.raises(UsageError, match=r"settings\.objectives"):
        start(tmp_path, config=replace(QUICK, prescreen=PrescreenSettings(), objectives=("miou", "latency", "params")))


def test_a_run_from_before_there_was_a_choice_of_sampling_goes_on(tmp_path):
    start(tmp_path)
    today = read_manifest(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(as_schema_3(today)))
    assert read_manifest(tmp_path) == today
    start(tmp_path)
    with pytest.raises(UsageError, match=r"settings\.sampling = \"uniform\"; this one has \"leaning\""):
        start(tmp_path, config=replace(QUICK, sampling="leaning"))


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "settings": 2}'])
def test_a_damaged_manifest_is_named(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(SearchError, match=r"run\.json"):
        start(tmp_path)


def test_results_without_a_manifest_are_left_alone(tmp_path):
    (tmp_path / "archive.jsonl").write_text("")
    with pytest.raises(SearchError, match=r"no run\.json"):
        start(tmp_path)
    with pytest.raises(SearchError, match=r"no run\.json"):
        read_manifest(tmp_path)


def test_a_second_search_is_kept_out_until_the_first_process_is_gone(tmp_path):
    code = (
        "import sys, pathlib\nfrom mosegedge.files import exclusive\n"
        "with exclusive(pathlib.Path(sys.argv[1]), 'search'):\n    print('in', flush=True)\n    sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"in\n"
        with (
            pytest.raises(SearchError, match="Another search is at work"),
            exclusive(tmp_path, "search", error=SearchError),
        ):
            pass
        other.kill()
        other.communicate()
    with exclusive(tmp_path, "search", error=SearchError):
        pass


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initial", 0),
        ("evaluations", 0),
        ("generations", -1),
        ("seed", -1),
        ("max_latency_ms", 0.0),
        ("max_latency_ms", float("nan")),
        ("held_out", 1.0),
        ("chosen", 0),
        ("exploration", ()),
        ("exploration", (1.0, float("inf"))),
        ("exploration", (float("nan"),)),
        ("exploration", 1.0),
        ("explore_from", 0),
    ],
)
def test_impossible_settings_are_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name):
        SearchConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("population", 1), ("generations", 0), ("crossover", 1.5), ("from_archive", 2)]
)
def test_impossible_inner_settings_are_refused_by_name(name, value):
    with pytest.raises(UsageError, match=name):
        InnerSettings(**{name: value})


def test_the_paper_configuration_has_the_numbers_of_its_table():
    config = configuration("paper")
    ranknet, inner = config.ranknet, config.inner
    assert (config.initial, config.sampling, config.generations, config.evaluations) == (100, "uniform", 20, 8)
    assert (config.predictor, config.prescreen.strategy) == ("ranknet-paper", "hierarchical")
    assert config.exploration == (0.0,)
    assert (ranknet.epochs, ranknet.layers, ranknet.neurons) == (500, 3, 300)
    assert (ranknet.weight_decay, ranknet.learning_rate, ranknet.margin) == (1e-5, 8e-4, 0.05)
    assert (inner.population, inner.generations, inner.crossover, inner.mutation) == (100, 1000, 0.9, 0.05)
    assert config == PAPER


def test_the_default_configuration_is_that_of_the_settings_themselves():
    config = configuration("default")
    assert config == SearchConfig()
    assert (config.predictor, config.prescreen.strategy) == ("gp", "hypervolume")
    looks = [deviations_in(config.exploration, number, explore_from=config.explore_from) for number in range(1, 53)]
    assert looks == [1] * 12 + [1, 1, 1, 3] * 10
    assert (config.initial, config.sampling, config.generations, config.evaluations) == (50, "uniform", 52, 4)
    with pytest.raises(UsageError, match="no configuration 'best'"):
        configuration("best")
