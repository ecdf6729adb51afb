"""The search as a whole: same seed, same files; killed, cut short or failing; limits and refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import running
from running import run_in
from standin import PROVENANCE, QUICK, SPACE, Latency, evaluate

from mosegedge.errors import DataError, InfeasibleError, ProfileError, SearchError, UsageError
from mosegedge.files import exclusive
from mosegedge.search.archive import Archive, Candidate, evaluated
from mosegedge.search.config import InnerSettings
from mosegedge.search.loop import Search
from mosegedge.search.manifest import read_manifest
from mosegedge.search.records import JUDGED, generation_record

SHORT = replace(QUICK, initial=12, generations=1, inner=InnerSettings(population=8, generations=4))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    run_in(folder)
    return folder


def generations_of(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "generations.jsonl").read_text().splitlines()
    return [{**json.loads(line), "seconds": None} for line in lines]


def assert_same_results(folder: Path, expected: Path) -> None:
    for name in ("archive.jsonl", "baselines.jsonl", "front.json", "run.json"):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name
    assert generations_of(folder) == generations_of(expected)
    assert [record["generation"] for record in generations_of(folder)] == list(range(QUICK.generations + 1))


def test_a_run_holds_what_it_promises(finished):
    archive = Archive(finished / "archive.jsonl")
    assert [len(archive.of(number)) for number in range(4)] == [24, 4, 4, 4]
    assert len(set(SPACE.decode(SPACE.encode([c.architecture for c in archive.candidates])))) == 36
    assert [c.reason for c in archive.of(0)[:3]] == ["lower bound", "upper bound", "random"]
    assert all(c.predicted_miou is not None for c in archive.candidates if c.generation)
    assert {c.reason for c in archive.candidates if c.generation} <= {"uniformity", "accuracy"}
    for candidate in archive.candidates:
        codes = SPACE.encode([candidate.architecture])
        assert candidate.miou == evaluate(candidate.architecture)
        assert candidate.latency_ms == pytest.approx(Latency().predict(codes)[0][0], abs=1e-6)
        assert (candidate.params, candidate.flops) == (SPACE.params(codes)[0], SPACE.flops(codes)[0])
    uniform = Archive(finished / "baselines.jsonl").candidates
    assert [c.architecture for c in uniform] == [SPACE.uniform(s, w) for s in range(5) for w in range(3)]
    front = json.loads((finished / "front.json").read_text())
    assert [c["k"] for c in front["chosen"]] == [1, 2, 3, 4, 5]
    assert {c["code"] for c in front["chosen"]} <= {c["code"] for c in front["front"]}
    volumes = [record["hypervolume"] for record in generations_of(finished)]
    assert volumes == sorted(volumes)
    assert volumes[-1] == front["hypervolume"]


def test_same_seed_same_bytes_and_another_seed_others(finished, tmp_path):
    run_in(tmp_path / "same")
    assert_same_results(tmp_path / "same", finished)
    run_in(tmp_path / "other", replace(QUICK, seed=8))
    assert (tmp_path / "other" / "archive.jsonl").read_bytes() != (finished / "archive.jsonl").read_bytes()


def test_a_finished_search_is_not_done_again(finished):
    before = (finished / "archive.jsonl").read_bytes()

    def never(architecture):
        raise AssertionError(f"{architecture} was evaluated again")

    result = run_in(finished, score=never)
    assert (result.evaluated, result.failed) == (36, 0)
    assert (finished / "archive.jsonl").read_bytes() == before


def test_killed_at_any_point_it_ends_with_the_same_archive(finished, tmp_path):
    rng = np.random.default_rng()  # another two points each time; the archive must not care
    early = [("baselines", int(rng.integers(1, 15))), ("archive", int(rng.integers(1, 23)))][int(rng.integers(2))]
    lines = [early, ("later", 24 + int(rng.integers(0, 7)))]
    for name, least in lines:
        process = subprocess.Popen([sys.executable, running.__file__, str(tmp_path)], stderr=subprocess.DEVNULL)
        journal = tmp_path / f"{'archive' if name == 'later' else name}.jsonl"
        while process.poll() is None and count_lines(journal) < least:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL, f"{lines}: ended before it was killed"
    run_in(tmp_path)
    assert_same_results(tmp_path, finished)


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("kept", [0, 0.3, 24, 24.5, 30.9, 32, 36])
def test_cut_after_any_byte_it_goes_on(finished, tmp_path, kept):
    """`kept` lines of the archive are left, the last of them in part; generations only where all of them are."""
    lines = (finished / "archive.jsonl").read_bytes().splitlines(keepends=True)
    whole = int(kept)
    torn = lines[whole][: int(len(lines[whole]) * (kept - whole))] if whole < len(lines) else b""
    generations = (finished / "generations.jsonl").read_bytes().splitlines(keepends=True)
    done = sum(whole > needed for needed in (24, 28, 32))  # a kill can come between the last result and this line
    (tmp_path / "run.json").write_bytes((finished / "run.json").read_bytes())
    (tmp_path / "archive.jsonl").write_bytes(b"".join(lines[:whole]) + torn)
    (tmp_path / "generations.jsonl").write_bytes(b"".join(generations[:done]) + b'{"best_mi')
    run_in(tmp_path)
    assert_same_results(tmp_path, finished)


def test_results_can_be_told_in_another_order_and_by_another_process(finished, tmp_path):
    """What was handed out but not told is handed out again."""
    first = Search(SPACE, Latency(), QUICK, tmp_path, PROVENANCE)
    handed = first.ask(5)
    assert len(handed) == 5
    first.tell([replace(handed[3], miou=np.float32(0.25))])
    again = Search(SPACE, Latency(), QUICK, tmp_path, PROVENANCE)
    assert [c.architecture for c in again.ask(4)] == [c.architecture for c in [*handed[:3], handed[4]]]
    with pytest.raises(SearchError, match="was not asked for"):
        again.tell([replace(handed[3], miou=0.25)])
    with pytest.raises(SearchError, match="neither or both"):
        again.tell([handed[0]])
    assert len(again.ask(100)) == 19
    assert again.ask(1) == []


def test_a_failure_is_archived_without_a_score_and_ignored_by_the_predictor(tmp_path):
    seen = []

    class Recorder:
        def fit(self, codes, targets):
            seen.append((len(codes), float(targets.max())))

        def predict(self, codes):
            return SPACE.flops(codes) / 1e9

    def broken(architecture):
        if architecture == SPACE.largest:
            raise DataError("Picture 3 is unreadable.")
        return float("nan") if architecture == SPACE.smallest else evaluate(architecture)

    config = replace(SHORT, held_out=0.0, baselines=False)
    made = Search(SPACE, Latency(), config, tmp_path, PROVENANCE, predictor_for=lambda *_: Recorder())
    result = made.run(broken)
    assert (result.evaluated, result.failed) == (14, 2)
    assert seen[0][0] == 10
    smallest, largest, *_ = Archive(tmp_path / "archive.jsonl").candidates
    assert (smallest.miou, largest.miou) == (None, None)
    assert largest.failure == "DataError: Picture 3 is unreadable."
    assert smallest.failure == "The evaluation gave nan, which is no mIoU in 0..1."
    assert not {smallest.architecture, largest.architecture} & {c.architecture for c in result.front}
    assert generations_of(tmp_path)[0]["failed"] == 2


def test_where_everything_fails_the_search_says_so_also_the_second_time(tmp_path):
    def broken(architecture):
        raise DataError("No pictures.")

    for _ in range(2):
        with pytest.raises(SearchError, match=r"All 12 evaluations failed\. The first failure: DataError: No pictures"):
            run_in(tmp_path, SHORT, broken)
    assert not (tmp_path / "front.json").exists()


def test_a_generation_that_fails_as_a_whole_leaves_a_record():
    planned = [replace(c, miou=0.2) for c in made_candidates(3)] + [
        replace(c, generation=1, failure="x") for c in made_candidates(5)[3:]
    ]
    record = generation_record(1, planned)
    assert (record["evaluated"], record["failed"], record["new_tau"]["predictor"]) == (0, 2, None)


def test_predictions_are_judged_over_the_latest_generations_together():
    made = made_candidates(3 + JUDGED + 5)
    initial, later = [replace(c, miou=0.2) for c in made[:3]], made[3:]
    # The first five, which no longer count, were ordered the wrong way round; in each generation there are two.
    guesses = [-i if i < 5 else i for i in range(len(later))]
    past = initial + [
        replace(c, generation=1 + i // 2, predicted_miou=0.01 * guess, miou=0.01 * i, latency_ms=100.0 - i)
        for i, (c, guess) in enumerate(zip(later, guesses, strict=True))
    ]
    last = max(c.generation for c in past)
    assert generation_record(last, past)["new_tau"] == {"networks": JUDGED, "predictor": 1.0, "latency": -1.0}
    assert generation_record(0, initial)["new_tau"] == {"networks": 0, "predictor": None, "latency": None}
    assert generation_record(1, past[:5])["new_tau"] == {"networks": 2, "predictor": -1.0, "latency": -1.0}


def made_candidates(count: int):
    rng = np.random.default_rng(3)
    return [
        Candidate(architecture=a, generation=0, reason="random", latency_ms=1.0, latency_sd_ms=0.1, params=1, flops=1)
        for a in SPACE.decode(SPACE.sample(count, rng))
    ]


def test_an_error_of_another_kind_ends_the_run_and_nothing_is_archived_for_it(tmp_path):
    def stopped(architecture):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path, replace(SHORT, baselines=False), stopped)
    assert len(Archive(tmp_path / "archive.jsonl")) == 0


def test_too_small_a_start_for_the_predictor_is_named(tmp_path):
    with pytest.raises(SearchError, match="--initial"):
        run_in(tmp_path, replace(SHORT, initial=3, baselines=False))


def test_no_candidate_breaks_the_latency_limit(tmp_path):
    limit = 5.0
    result = run_in(tmp_path, replace(SHORT, max_latency_ms=limit, generations=2))
    archive = Archive(tmp_path / "archive.jsonl")
    assert len(evaluated(archive.candidates)) == result.evaluated == 20
    assert max(c.latency_ms for c in archive.candidates) <= limit


def test_a_limit_below_everything_is_refused_with_the_nearest_that_can_be_met(tmp_path):
    fastest = Latency().predict(SPACE.encode([SPACE.smallest]))[0][0]
    with pytest.raises(InfeasibleError) as refusal:
        run_in(tmp_path, replace(QUICK, max_latency_ms=0.1))
    assert str(SPACE.smallest) in refusal.value.known
    assert f"{fastest:.4g} +- {0.02 * fastest:.2g} ms" in refusal.value.known
    named = float(refusal.value.fix.split("--max-latency-ms to ")[1].split()[0])
    assert fastest <= named <= fastest * 1.01
    assert not (tmp_path / "run.json").exists()
    run_in(tmp_path, replace(SHORT, max_latency_ms=named, initial=1, generations=0, baselines=False))


def test_only_the_allowed_scales_are_searched(tmp_path):
    result = run_in(tmp_path, replace(SHORT, scales=(1, 3)))
    candidates = [*Archive(tmp_path / "archive.jsonl").candidates, *result.baselines]
    assert {c.architecture.scale for c in candidates} == {1, 3}


@pytest.mark.parametrize("wrong", [np.nan, -1.0, np.inf])
def test_a_profile_that_predicts_no_latency_is_refused(tmp_path, wrong):
    class Broken:
        def predict(self, codes):
            return np.full(len(codes), wrong), np.ones(len(codes))

    with pytest.raises(ProfileError, match=r"The profile predicts (nan|-1\.0|inf)"):
        Search(SPACE, Broken(), QUICK, tmp_path, PROVENANCE)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(QUICK, seed=8), "settings.seed = 7; this one has 8"),
        (replace(QUICK, max_latency_ms=50.0), "settings.max_latency_ms = nothing; this one has 50.0"),
        (replace(QUICK, scales=(0, 1)), "settings.scales"),
        (replace(QUICK, inner=InnerSettings(population=20, generations=16)), "settings.inner.generations = 15"),
    ],
)
def test_going_on_with_other_settings_is_refused_by_name(finished, changed, name):
    with pytest.raises(UsageError, match=name) as refusal:
        Search(SPACE, Latency(), changed, finished, PROVENANCE)
    assert "--output" in refusal.value.fix


def test_going_on_with_another_profile_is_refused_but_the_same_one_may_have_moved(finished):
    with pytest.raises(UsageError, match=r"profile\.digest"):
        Search(SPACE, Latency(), QUICK, finished, replace(PROVENANCE, profile_digest="q"))
    Search(SPACE, Latency(), QUICK, finished, replace(PROVENANCE, profile="elsewhere.json", supernet="elsewhere"))


def test_other_package_versions_are_mentioned(finished, tmp_path):
    said = []

    class Listener:
        def start(self, what, total, done=0): ...
        def advance(self, steps=1, note=""): ...
        def say(self, text):
            said.append(text)

    manifest = read_manifest(finished)
    (tmp_path / "run.json").write_text(json.dumps({**manifest, "versions": {"torch": "1.0"}}))
    Search(SPACE, Latency(), QUICK, tmp_path, PROVENANCE, progress=Listener())
    assert len(said) == 1
    assert "other package versions" in said[0]


def test_a_second_search_in_the_folder_is_refused_while_the_first_works(tmp_path):
    with (
        exclusive(tmp_path, "search", error=SearchError),
        pytest.raises(SearchError, match="Another search is at work"),
    ):
        run_in(tmp_path, SHORT)
    assert not (tmp_path / "archive.jsonl").exists()
    run_in(tmp_path, SHORT)


def test_results_without_a_manifest_are_refused(finished, tmp_path):
    (tmp_path / "archive.jsonl").write_bytes((finished / "archive.jsonl").read_bytes())
    with pytest.raises(SearchError, match=r"no run\.json"):
        Search(SPACE, Latency(), QUICK, tmp_path, PROVENANCE)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99}'])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(SearchError, match=r"run\.json is"):
        Search(SPACE, Latency(), QUICK, tmp_path, PROVENANCE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial": 0}, {"evaluations": 0}, {"seed": -1}, {"max_latency_ms": 0.0}, {"max_latency_ms": float("nan")},
        {"held_out": 1.0}, {"chosen": 0}, {"generations": -1},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_named(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        replace(QUICK, **wrong)


@pytest.mark.parametrize("scales", [(), (1, 0), (0, 0), (5,), (-1,)])
def test_scales_that_are_none_are_refused(tmp_path, scales):
    with pytest.raises(UsageError, match="cannot be searched"):
        run_in(tmp_path, replace(QUICK, scales=scales))
