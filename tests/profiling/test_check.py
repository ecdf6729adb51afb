"""`profiles check`: fresh networks on a board with a known law, stopped, killed, changed, and run out of networks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import fakeboard
import numpy as np
import pytest
from comparing import SPACE, undisturbed_run

from mosegedge.cli.main import main
from mosegedge.devices import load_device, open_agent
from mosegedge.errors import DeviceBusyError, ProfileError, UsageError
from mosegedge.files import sha256_of_file
from mosegedge.profiling import check, check_loop, load_profile
from mosegedge.profiling.anchors import ANCHORS, anchors_of, slowdown_by
from mosegedge.profiling.check import CheckSettings, check_profile
from mosegedge.profiling.check_record import CheckRecord
from mosegedge.profiling.fresh import fresh_networks
from mosegedge.space import Architecture

SMALL = CheckSettings(networks=12, rounds=4, seed=3)
SERIES = Path("profiles/board/nano-fp32")


@pytest.fixture(scope="module")
def profiled():
    """The text of a profile of the board."""
    return undisturbed_run().text


@pytest.fixture
def board(board, profiled):
    """The board in a folder with that profile."""
    SERIES.mkdir(parents=True)
    (SERIES / "v1.json").write_bytes(profiled)
    return board


def test_fresh_networks_make_the_next_version_and_leave_the_first_alone(board, profiled):
    before = load_profile("board/nano-fp32")
    checked = check_profile("board/nano-fp32", board, settings=SMALL, command="the command")
    assert (checked.version, checked.parent, checked.command) == (2, 1, "the command")
    assert (SERIES / "v1.json").read_bytes() == profiled
    for field in ("entries", "model", "failed", "repeatability", "protocol", "space", "device"):
        assert getattr(checked, field) == getattr(before, field)
    fresh = [entry for entry in checked.networks if entry.role == "check"]
    assert checked.networks[: len(before.networks)] == before.networks
    assert len(fresh) == 12
    assert not {entry.code for entry in fresh} & {entry.code for entry in before.networks}
    for entry in fresh:
        truth_ms = fakeboard.network_us(SPACE, Architecture.parse(entry.code)) / 1e3
        assert entry.value_ms == pytest.approx(truth_ms, abs=2e-6)
    certificate = checked.certificate
    assert (certificate.source, certificate.networks) == ("check", 12)
    assert certificate.kendall_tau == certificate.repeatability_kendall_tau == 1
    assert certificate.mape < 1e-3
    assert checked.journal_sha256 == sha256_of_file(SERIES / "v2.journal.jsonl")
    assert not (SERIES / "v1.check.jsonl").exists()


def test_the_speed_of_the_device_is_told_from_the_mistakes_of_the_model(board, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_SLOWDOWN", "1.25")
    checked = check_profile("board/nano-fp32", board, settings=SMALL)
    certificate = checked.certificate
    assert certificate.slowdown == pytest.approx(1.25, rel=1e-3)
    assert certificate.mape == pytest.approx(0.2, rel=1e-2)
    assert certificate.mape_at_this_speed < 1e-3
    assert certificate.coverage90 == 0
    assert certificate.coverage90_at_this_speed > 0
    monkeypatch.setattr(sys, "argv", ["mosegedge", "profiles", "show", "board/nano-fp32"])
    with pytest.raises(SystemExit, match="0"):
        main()
    said = (
        "networks of the profile were 25.0% slower (give or take 0.0%) when timed again, at that speed it is 0.0% off"
    )
    assert said in capsys.readouterr().out


def test_anchors_are_from_the_fastest_to_the_slowest_and_few_of_them_tell_nothing(board):
    profile = load_profile("board/nano-fp32")
    then_ms = {entry.code: entry.value_ms for entry in profile.networks}
    anchors = anchors_of(profile.networks)
    assert len(set(anchors)) == ANCHORS
    assert [then_ms[anchors[0]], then_ms[anchors[-1]]] == [min(then_ms.values()), max(then_ms.values())]
    slowdown = slowdown_by(profile.networks, {code: 0.5 * then_ms[code] for code in anchors})
    assert (slowdown.ratio, slowdown.relative_se) == (pytest.approx(0.5), pytest.approx(0, abs=1e-12))
    assert slowdown_by(profile.networks, {code: then_ms[code] for code in anchors[:4]}) is None


@pytest.mark.parametrize("anchors", [0, 4])
def test_without_enough_anchors_a_check_tells_no_speed(board, monkeypatch, anchors):
    known = anchors_of(load_profile("board/nano-fp32").networks)[:anchors]
    monkeypatch.setattr(check, "anchors_of", lambda networks: known)
    certificate = check_profile("board/nano-fp32", board, settings=SMALL).certificate
    assert (certificate.networks, certificate.slowdown, certificate.mape_at_this_speed) == (12, None, None)


def test_a_second_check_draws_others_and_takes_the_place_of_the_first(board):
    settings = CheckSettings(networks=6, rounds=2)
    first = check_profile("board/nano-fp32", board, settings=settings)
    second = check_profile("board/nano-fp32", board, settings=settings)
    codes = [{entry.code for entry in one.networks if entry.role == "check"} for one in (first, second)]
    assert (second.version, second.parent) == (3, 2)
    assert not codes[0] & codes[1]
    begin = json.loads((SERIES / "v3.journal.jsonl").read_text().splitlines()[0])
    assert begin["seed"] != json.loads((SERIES / "v2.journal.jsonl").read_text().splitlines()[0])["seed"]
    assert set(begin["codes"]) == codes[1]


def test_a_check_of_an_older_version_names_it_as_parent(board):
    check_profile("board/nano-fp32", board, settings=SMALL)
    again = check_profile("board/nano-fp32/v1", board, settings=SMALL)
    assert (again.version, again.parent) == (3, 1)


def start_host() -> subprocess.Popen[str]:
    command = [sys.executable, fakeboard.__file__, "profiles", "check", "board/nano-fp32"]
    command += ["--networks", "12", "--rounds", "4", "--seed", "3", "--json"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_or_killed_it_goes_on_with_the_same_networks(board, signal_number):
    open_record = SERIES / "v1.check.jsonl"
    host = start_host()
    while host.poll() is None and not (open_record.exists() and open_record.read_bytes().count(b"\n") >= 20):
        time.sleep(0.002)
    host.send_signal(signal_number)
    _, errors = host.communicate()
    assert open_record.exists()
    kept = open_record.read_bytes()
    if signal_number == signal.SIGINT:
        assert host.returncode == 130
        assert "the same command goes on" in errors
    host = start_host()
    output, errors = host.communicate(timeout=60)
    assert host.returncode == 0, errors
    found = json.loads(output)
    assert (found["name"], found["parent"]) == ("board/nano-fp32/v2", "board/nano-fp32/v1")
    record = (SERIES / "v2.journal.jsonl").read_bytes()
    assert record.startswith(kept[: kept.rfind(b"\n") + 1])
    bursts = [json.loads(line) for line in record.splitlines() if b'"burst"' in line]
    keys = [(burst["code"], burst["round"]) for burst in bursts]
    assert len(keys) == len(set(keys)) == 4 * (12 + ANCHORS)
    disturbed = load_profile("board/nano-fp32/v2")
    undisturbed = check_profile("board/nano-fp32/v1", board, settings=SMALL)
    assert disturbed.networks == undisturbed.networks
    assert disturbed.certificate == undisturbed.certificate


def test_another_runtime_is_refused_with_the_way_out(board, monkeypatch):
    monkeypatch.setenv("FAKE_VERSION", "2.0")
    with pytest.raises(ProfileError, match=r"1\.0 then, 2\.0 now") as error:
        check_profile("board/nano-fp32", board, settings=SMALL)
    assert "profiles stale board/nano-fp32/v1" in error.value.fix
    assert "rebase" in error.value.fix
    assert not (SERIES / "v2.json").exists()


def test_another_precision_in_the_inventory_is_refused_before_anything_is_sent(board):
    Path("devices.toml").write_text('[board]\ntemplate = "local"\nbackend = "fake"\nprecision = "fp16"\n')
    with pytest.raises(ProfileError, match="precision: fp32 then, fp16 now"):
        check_profile("board/nano-fp32", load_device("board"), settings=SMALL)


def test_an_open_check_with_other_settings_is_refused_and_can_be_set_aside(board, monkeypatch):
    def stop(self, description):
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(check_loop.CheckLoop, "send", stop)
        with pytest.raises(KeyboardInterrupt):
            check_profile("board/nano-fp32", board, settings=SMALL, command="first")
    with pytest.raises(ProfileError, match="networks = 12; this one has 8") as error:
        check_profile("board/nano-fp32", board, settings=CheckSettings(networks=8, rounds=4, seed=3))
    assert "first" in error.value.known
    checked = check_profile("board/nano-fp32", board, settings=CheckSettings(networks=8, rounds=4), restart=True)
    assert checked.certificate.networks == 8
    assert (SERIES / "v1.check.jsonl.old1").exists()


def test_a_measurement_that_was_not_finished_comes_first(board):
    (SERIES / "v2.journal.jsonl").touch()
    with pytest.raises(ProfileError, match="not finished"):
        check_profile("board/nano-fp32", board, settings=SMALL)


def test_a_device_in_use_is_an_error_and_nothing_is_lost(board):
    with open_agent(board) as other:
        other.lock()
        with pytest.raises(DeviceBusyError):
            check_profile("board/nano-fp32", board, settings=SMALL)
    assert check_profile("board/nano-fp32", board, settings=SMALL).version == 2


def test_networks_that_the_device_does_not_run_are_left_out_until_they_are_too_many(board, monkeypatch):
    codes = [
        str(network)
        for network in fresh_networks(load_profile("board/nano-fp32"), SPACE, 12, np.random.default_rng(SMALL.seed))
    ]
    monkeypatch.setenv(fakeboard.FAILING_NETWORKS, codes[4])
    checked = check_profile("board/nano-fp32", board, settings=SMALL)
    assert {entry.code for entry in checked.networks if entry.role == "check"} == set(codes) - {codes[4]}
    monkeypatch.setenv(fakeboard.FAILING_NETWORKS, "0")
    with pytest.raises(Exception, match="no kernel"):
        check_profile("board/nano-fp32", board, settings=CheckSettings(networks=12, rounds=4, seed=4))


def test_an_agent_that_dies_is_started_again_and_the_check_is_that_of_an_undisturbed_one(board):
    Path("deaths").write_text("60 3 100")
    checked = check_profile("board/nano-fp32", board, settings=SMALL)
    records = [json.loads(line) for line in (SERIES / "v2.journal.jsonl").read_text().splitlines()]
    told = [record for record in records if record["type"] in ("event", "resumed")]
    assert [record["type"] for record in told] == ["event", "resumed"] * 3
    assert "with status -9" in told[0]["text"]
    assert Path("deaths").read_text() == ""
    undisturbed = check_profile("board/nano-fp32/v1", board, settings=SMALL)
    assert checked.networks == undisturbed.networks
    assert checked.certificate == undisturbed.certificate


def test_a_network_that_takes_the_agent_down_again_and_again_is_left_out(board, monkeypatch):
    fresh = fresh_networks(load_profile("board/nano-fp32"), SPACE, 12, np.random.default_rng(SMALL.seed))
    codes = [str(network) for network in fresh]
    monkeypatch.setenv(fakeboard.DEADLY_NETWORK, codes[4])
    checked = check_profile("board/nano-fp32", board, settings=SMALL)
    assert {entry.code for entry in checked.networks if entry.role == "check"} == set(codes) - {codes[4]}
    records = [json.loads(line) for line in (SERIES / "v2.journal.jsonl").read_text().splitlines()]
    assert [record["code"] for record in records if record["type"] == "crash"] == [codes[4]] * 3
    (failure,) = [record for record in records if record["type"] == "failed"]
    assert failure["error"].startswith("The agent died 3 times in a row with it: ")


def test_a_budget_ends_after_two_rounds_at_least(board):
    checked = check_profile("board/nano-fp32", board, settings=CheckSettings(networks=6, rounds=9, budget_s=1e-6))
    end = json.loads((SERIES / "v2.journal.jsonl").read_text().splitlines()[-1])
    assert end == {"type": "end", "rounds": 2}
    assert checked.certificate.networks == 6


def test_what_an_earlier_run_took_counts_against_the_budget(board):
    settings = CheckSettings(networks=6, rounds=4, budget_s=100.0)
    check_profile("board/nano-fp32", board, settings=settings)
    lines = [json.loads(line) for line in (SERIES / "v2.journal.jsonl").read_text().splitlines()]
    rounds = [line for line in lines if line["type"] == "round"]
    assert [line["round"] for line in rounds] == [0, 1, 2, 3]
    assert all(line["wall_s"] > 0 for line in rounds)
    second = lines.index(rounds[1])
    stopped = [*lines[:second], {**rounds[1], "wall_s": 99.9999}]
    for path in SERIES.glob("v2.*"):
        path.unlink()
    (SERIES / "v1.check.jsonl").write_text("".join(json.dumps(line) + "\n" for line in stopped))
    check_profile("board/nano-fp32", board, settings=settings)
    assert json.loads((SERIES / "v2.journal.jsonl").read_text().splitlines()[-1])["rounds"] == 2


def test_fresh_networks_are_spread_over_the_scales_and_run_out_in_words(board, monkeypatch):
    profile = load_profile("board/nano-fp32")
    found = fresh_networks(profile, SPACE, 30, np.random.default_rng(0))
    assert len({str(network) for network in found}) == 30
    assert {network.scale for network in found} == {0}
    some = SPACE.sample(7, np.random.default_rng(1))
    monkeypatch.setattr(type(SPACE), "sample", lambda self, count, rng: some[rng.integers(7, size=count)])
    assert len(fresh_networks(profile, SPACE, 30, np.random.default_rng(0))) == 7
    monkeypatch.setattr(type(SPACE), "sample", lambda self, count, rng: some[rng.integers(4, size=count)])
    with pytest.raises(ProfileError, match="Only 4 networks of nano"):
        fresh_networks(profile, SPACE, 30, np.random.default_rng(0))


def test_networks_with_a_layer_that_the_profile_lacks_are_no_use(board):
    profile = load_profile("board/nano-fp32")
    gone = profile.entries[100].key
    rest = profile.model_copy(update={"entries": [entry for entry in profile.entries if entry.key != gone]})
    for network in fresh_networks(rest, SPACE, 40, np.random.default_rng(0)):
        assert gone not in {layer.spec.key for layer in SPACE.layers_of(network)}


@pytest.mark.parametrize(
    "settings", [{"networks": 4}, {"rounds": 1}, {"budget_s": 0.0}, {"seed": -1}], ids=lambda value: next(iter(value))
)
def test_what_cannot_be_checked_is_refused(settings):
    with pytest.raises(UsageError):
        CheckSettings(**settings)


@pytest.mark.parametrize("content", ["[1]\n", '{"type":"burst"}\n', '{"type":"tea"}\n', "{]\n{}\n", '"x"\n'])
def test_a_damaged_record_is_named(tmp_path, content):
    (tmp_path / "v1.check.jsonl").write_text(content)
    with pytest.raises(ProfileError, match=r"v1\.check\.jsonl"):
        CheckRecord(tmp_path / "v1.check.jsonl")


@pytest.mark.parametrize(("more", "code"), [([], 0), (["--require"], 4)])
def test_below_a_bar_it_warns_or_fails_as_asked(board, monkeypatch, capsys, more, code):
    # Half of all networks take twice as long as the table says.
    slower = lambda agent, space, network, description: fakeboard.ModelFile(  # noqa: E731
        json.dumps({"us": fakeboard.network_us(space, network) * (1 + network.digits[5] % 2)}).encode()
    )
    monkeypatch.setattr(check_loop, "network_file", slower)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "mosegedge",
            "profiles",
            "check",
            "board/nano-fp32",
            "--networks",
            "16",
            "--rounds",
            "2",
            "--seed",
            "1",
            *more,
        ],
    )
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert int(end.value.code or 0) == code
    assert "16 check networks" in printed.out
    assert "below the bar" in printed.err
    assert "before, certificate: tau 1.000" in printed.err
    assert load_profile("board/nano-fp32").certificate.coverage90 < 0.8
