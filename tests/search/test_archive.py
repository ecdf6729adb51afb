from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymoo.indicators.hv import HV
from standin import SPACE

from mosegedge.errors import MosegedgeError, SearchError
from mosegedge.search.archive import Archive, Candidate, evaluated, front_of, objectives
from mosegedge.search.dominance import hypervolume, nondominated
from mosegedge.search.select import choose, trade_offs

POINTS = arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.integers(0, 12).map(float))


def candidate(number=0, *, latency_ms=10.0, miou=0.5, failure=None):
    architecture = SPACE.decode(SPACE.sample(1, np.random.default_rng(number)))[0]
    return Candidate(
        architecture=architecture,
        generation=1,
        reason="accuracy",
        latency_ms=latency_ms,
        latency_sd_ms=0.1,
        params=5,
        flops=7,
        predicted_miou=0.45,
        miou=miou,
        failure=failure,
    )


@given(st.integers(0, 10**6), st.floats(0.001, 1e4), st.none() | st.floats(0, 1), st.text())
def test_a_candidate_survives_its_json_form(number, latency_ms, miou, failure):
    before = candidate(number, latency_ms=latency_ms, miou=miou, failure=None if miou is not None else failure)
    assert Candidate.from_json(before.to_json()) == before


def test_an_archive_is_read_back_in_order(tmp_path):
    archive = Archive(tmp_path / "archive.jsonl")
    given_ones = [candidate(0), candidate(1, miou=None, failure="DeviceError: gone"), candidate(2)]
    for one in given_ones:
        archive.append(one)
    again = Archive(tmp_path / "archive.jsonl")
    assert again.candidates == tuple(given_ones)
    assert candidate(1).architecture in again
    assert candidate(3).architecture not in again
    assert evaluated(again.candidates) == [given_ones[0], given_ones[2]]
    assert (again.before(1), len(again.of(1))) == ([], 3)


def test_an_archive_takes_no_network_twice_and_nothing_without_a_result(tmp_path):
    archive = Archive(tmp_path / "archive.jsonl")
    archive.append(candidate(0))
    with pytest.raises(SearchError, match="evaluated already"):
        archive.append(candidate(0))
    with pytest.raises(SearchError, match="neither or both"):
        archive.append(candidate(1, miou=None))
    with pytest.raises(SearchError, match="neither or both"):
        archive.append(candidate(1, failure="x"))
    assert len(Archive(tmp_path / "archive.jsonl")) == 1


def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path):
    path = tmp_path / "archive.jsonl"
    archive = Archive(path)
    archive.append(candidate(0))
    archive.append(candidate(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    cut = Archive(path)
    assert len(cut) == 1
    cut.append(candidate(1))
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [
        {"code": "0"}, {"code": 5}, {"surprise": 1}, {"miou": None}, {"miou": "0.5"}, {"latency_ms": None},
        {"latency_ms": "fast"}, {"flops": True},
    ],
)  # fmt: skip
def test_a_line_that_is_no_candidate_is_named(tmp_path, change):
    from mosegedge.files import Journal

    path = tmp_path / "archive.jsonl"
    Journal(path).append(candidate(0).to_json())
    Journal(path).append(candidate(1).to_json() | change)
    with pytest.raises(SearchError, match=r"Line 2 of .*archive.jsonl"):
        Archive(path)


@pytest.mark.parametrize("line", ["[1, 2]", "7", '"code"', "null", "{}"])
def test_a_line_that_is_no_object_with_a_code_is_named(tmp_path, line):
    path = tmp_path / "archive.jsonl"
    Archive(path).append(candidate(0))
    path.write_bytes(path.read_bytes() + line.encode() + b"\n")
    with pytest.raises(SearchError, match=r"Line 2 of .*archive.jsonl is no evaluated network"):
        Archive(path)


def test_a_line_that_is_no_json_is_named(tmp_path):
    path = tmp_path / "archive.jsonl"
    archive = Archive(path)
    archive.append(candidate(0))
    archive.append(candidate(1))
    path.write_bytes(b"#" + path.read_bytes())
    with pytest.raises(MosegedgeError, match=r"Line 1 of .*archive.jsonl is damaged.*--output"):
        Archive(path)


@given(POINTS)
def test_the_sweep_finds_what_comparing_all_pairs_finds(points):
    pairs = (points[:, None] <= points[None]).all(axis=2) & (points[:, None] < points[None]).any(axis=2)
    assert nondominated(points).tolist() == (~pairs.any(axis=0)).tolist()
    lifted = np.concatenate([points, points[:, :1]], axis=1)
    assert nondominated(lifted).tolist() == nondominated(points).tolist()


@given(POINTS)
def test_the_hypervolume_is_that_of_pymoo(points):
    reference = np.array([9.0, 10.0])
    assert hypervolume(points, reference) == pytest.approx(float(HV(ref_point=reference)(points)), abs=1e-9)


def test_the_hypervolume_of_known_steps():
    steps = np.array([[1.0, 3.0], [2.0, 1.0], [5.0, 0.0]])
    assert hypervolume(steps, np.array([4.0, 4.0])) == 1 * 1 + 2 * 3


def test_of_two_equal_networks_the_front_keeps_the_earlier():
    first, second = candidate(0), replace(candidate(1))
    faster = candidate(2, latency_ms=5.0, miou=0.4)
    worse = candidate(3, latency_ms=6.0, miou=0.3)
    failed = candidate(4, latency_ms=1.0, miou=None, failure="x")
    assert front_of([first, second, faster, worse, failed]) == [faster, first]
    assert front_of([failed]) == []
    assert objectives([failed]).shape == (0, 2)


def front(latencies, mious):
    return [candidate(n, latency_ms=x, miou=y) for n, (x, y) in enumerate(zip(latencies, mious, strict=True))]


def test_a_knee_has_the_largest_trade_off():
    latency = np.linspace(0, 1, 11)
    value = np.where(latency <= 0.5, 1.6 * latency, 0.8 + 0.4 * (latency - 0.5))
    values = trade_offs(np.stack([latency, 1 - value], axis=1))
    assert values[1:-1].argmax() + 1 == 5
    assert values[5] > 1


def test_knees_and_the_most_accurate_network_are_chosen():
    latency = np.linspace(2, 42, 41)
    gain = np.where(latency < 10, 0.03, np.where(latency < 25, 0.002, np.where(latency < 30, 0.02, 0.001)))
    members = front(latency, 0.2 + np.cumsum(gain) / 2)
    chosen = choose(members, 5)
    assert len(chosen) == 5
    assert members[-1] in chosen
    assert {8, 9, 10} & {round(c.latency_ms) for c in chosen}
    assert {29, 30, 31} & {round(c.latency_ms) for c in chosen}
    assert [c.latency_ms for c in chosen] == sorted(c.latency_ms for c in chosen)


@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**31))
def test_choosing_gives_as_many_different_members_as_there_are(size, count, seed):
    rng = np.random.default_rng(seed)
    members = front(np.sort(rng.random(size)) + 1 + np.arange(size), np.sort(rng.random(size)))
    chosen = choose(members, count)
    assert len({c.architecture for c in chosen}) == min(size, count)
    assert all(c in members for c in chosen)
    assert members[-1] in chosen
