"""Parts of the agent without a process: the timed loop, the lock file, the interpreter check, the cache."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import device_agents
from device_agents import __main__ as command_line
from device_agents import disk, leftovers, lock, priority, telemetry, timing
from device_agents.cache import Cache
from device_agents.protocol import RpcError

SOURCES = sorted(Path(device_agents.__file__).parent.rglob("*.py"))


class Clock:
    """Time moves only when a model runs."""

    def __init__(self, monkeypatch, durations_ns):
        self.now_ns = 0
        self.durations = iter(durations_ns)
        self.runs = 0
        monkeypatch.setattr(timing.time, "perf_counter_ns", lambda: self.now_ns)

    def execute(self):
        self.runs += 1
        self.now_ns += next(self.durations)


def test_warm_up_lasts_until_two_runs_are_no_faster(monkeypatch):
    clock = Clock(monkeypatch, [900, 500, 300, 299, 305, 1, 2, 3])
    result = timing.burst(clock.execute, 3, 3, 0, 10)
    assert result["warmup_ns"] == [900, 500, 300, 299, 305]
    assert result["samples_ns"] == [1, 2, 3]
    assert len(result["preempted"]) == 3


def test_warm_up_has_an_upper_limit(monkeypatch):
    clock = Clock(monkeypatch, [1000 // (n + 1) for n in range(20)])
    assert len(timing.burst(clock.execute, 1, 1, 0, 4)["warmup_ns"]) == 4


@pytest.mark.parametrize(("min_ns", "expected"), [(0, 2), (50, 5), (10_000, 8)])
def test_sampling_goes_on_until_there_is_enough_time_or_too_many_samples(monkeypatch, min_ns, expected):
    clock = Clock(monkeypatch, [10] * 100)
    assert len(timing.burst(clock.execute, 2, 8, min_ns, 0)["samples_ns"]) == expected


def test_the_garbage_collector_is_off_meanwhile_and_on_again_even_after_a_failure():
    seen = []

    def execute():
        seen.append(gc.isenabled())
        if len(seen) == 3:
            raise ValueError("the model broke")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="broke"):
        timing.burst(execute, 5, 5, 0, 1)
    assert seen == [False] * 3
    assert gc.isenabled()


def test_the_lock_does_not_follow_a_link(tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(RpcError, match="cannot be opened"):
        lock.DeviceLock(str(tmp_path / "lock")).acquire("test", 0)
    assert (tmp_path / "target").read_text() == "precious"


def test_the_holder_may_take_the_lock_again(tmp_path):
    mine = lock.DeviceLock(str(tmp_path / "lock"))
    assert mine.acquire("test", 0)["pid"] == mine.acquire("test", 0)["pid"] == os.getpid()
    with pytest.raises(RpcError) as refused:
        lock.DeviceLock(str(tmp_path / "lock")).acquire("other", 0)
    assert refused.value.data["owner"] == "test"


def test_a_lock_file_with_nonsense_in_it_is_no_obstacle(tmp_path):
    (tmp_path / "lock").write_bytes(b"\xff[garbage")
    assert lock.DeviceLock(str(tmp_path / "lock")).acquire("test", 0)["owner"] == "test"


def test_the_cache_drops_what_was_unused_longest(tmp_path, monkeypatch):
    cache = Cache(str(tmp_path))
    for age, name in enumerate("abc"):
        path = Path(cache.models) / f"{name * 64}.onnx"
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000 - age, 1000 - age))
    cache.close()
    monkeypatch.setattr("device_agents.cache._LARGEST_CACHE_BYTES", 150)
    again = Cache(str(tmp_path))
    again.close()
    assert [path.name[0] for path in Path(again.models).iterdir()] == ["a"]


def test_the_cache_keeps_what_a_measurement_of_these_hours_needs(tmp_path, monkeypatch):
    cache = Cache(str(tmp_path))
    for name in "abc":
        (Path(cache.models) / f"{name * 64}.onnx").write_bytes(b"x" * 100)
    cache.close()
    monkeypatch.setattr("device_agents.cache._LARGEST_CACHE_BYTES", 150)
    again = Cache(str(tmp_path))
    again.close()
    assert len(list(Path(again.models).iterdir())) == 3


def test_the_scheduler_is_asked_and_asked_back():
    before = os.sched_getscheduler(0)
    with priority.preferred() as granted:
        assert granted in {"real-time", "raised", "normal"}
        if granted == "real-time":
            assert os.sched_getscheduler(0) == os.SCHED_FIFO
    assert os.sched_getscheduler(0) == before


def test_telemetry_leaves_out_what_it_cannot_read(monkeypatch):
    monkeypatch.setattr(telemetry, "_read", lambda path: None)
    assert telemetry.hardware()["cores"] >= 1
    assert "memory_mib" not in telemetry.hardware()
    assert "clock_mhz" not in telemetry.conditions()
    assert telemetry.resident_mib() == 0


@pytest.mark.parametrize(
    ("text", "design", "features"),
    [
        (
            "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nstepping\t: 1\n"
            "flags\t\t: fpu avx2 avx512f lm\n" * 2,
            "AuthenticAMD family 26 model 2 stepping 1",
            "avx2 avx512f",
        ),
        (
            "".join(
                f"processor\t: {core}\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"
                for core, part in enumerate(("0xd05", "0xd0b", "0xd05"))
            ),
            "implementer 0x41 part 0xd05; implementer 0x41 part 0xd0b",
            "asimd asimddp",
        ),
        ("processor\t: 0\nHardware\t: board\n", None, None),
    ],
)
def test_processors_of_one_name_are_told_apart_by_their_design(monkeypatch, text, design, features):
    monkeypatch.setattr(telemetry, "_read", lambda path: text if path == "/proc/cpuinfo" else None)
    found = telemetry.hardware()
    assert (found.get("cpu_design"), found.get("cpu_features")) == (design, features)


def test_an_old_interpreter_is_told_that_it_is_too_old(monkeypatch, capsys):
    monkeypatch.setattr(command_line, "OLDEST_PYTHON", (99, 0))
    assert command_line.main() == 3
    assert "needs Python 3.7 or newer" in capsys.readouterr().err


def test_no_module_needs_more_than_python_37():
    run = "import sys, vermin; sys.argv[0] = 'vermin'; vermin.main()"
    command = [sys.executable, "-c", run, "-t=3.7-", "--violations", "--no-tips", "--eval-annotations"]
    finished = subprocess.run([*command, *map(str, SOURCES)], capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_module_parses_as_python_36(source):
    import ast

    tree = ast.parse(source.read_text(), feature_version=(3, 6))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] in {"mosegedge", "__future__"}]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full: No space left"),
        (errno.EDQUOT, "disk is full: Disk quota exceeded"),
        (errno.EROFS, "may not use a file or folder: Read-only file system"),
        (errno.EACCES, "may not use a file or folder: Permission denied"),
        (errno.EIO, "refused something: Input/output error"),
    ],
)
def test_what_the_system_refuses_is_a_sentence(tmp_path, number, words):
    text = disk.sentence(OSError(number, os.strerror(number), str(tmp_path / "absent" / "file")), ())
    assert words in text
    assert str(tmp_path / "absent" / "file") in text
    assert (f"MiB free in {tmp_path}/absent" in text) == (number != errno.EIO)


def aged(path: Path, *, folder: bool = False) -> Path:
    if folder:
        path.mkdir()
    else:
        path.write_bytes(b"x")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
    return path


def test_leftovers_go_when_their_process_ended_or_they_are_old(tmp_path):
    for name in ("models", "built", "agents", "tmp"):
        (tmp_path / name).mkdir()
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    mine = leftovers.prefix("build")
    of_the_ended = mine.replace(f"-{os.getpid()}-", f"-{child.pid}-")
    elsewhere = of_the_ended.replace("mosegedge-build-", "mosegedge-build-other_")
    built, models, agents, temporary = (tmp_path / name for name in ("built", "models", "agents", "tmp"))
    kept = [built / f"{mine}abc", built / f"{elsewhere}abc", models / ".mosegedge-12.part"]
    for path in kept:
        path.mkdir()
    (built / f"{of_the_ended}abc").mkdir()
    (built / f"{of_the_ended}abc" / "model.om").write_bytes(b"half")
    aged(built / f"{elsewhere}old", folder=True)
    aged(models / ".mosegedge-34.part")
    aged(agents / ".abc.pyz.x7")
    aged(temporary / "mosegedge-tensors-x7", folder=True)
    kept += [aged(models / f"{'a' * 64}.onnx"), aged(temporary / "mosegedge", folder=True), aged(temporary / ".X")]
    kept += [aged(agents / f"{number}.pyz") for number in range(5)]
    for number, path in enumerate(kept[-5:]):
        os.utime(path, (1000 + number, 1000 + number))
    leftovers.remove_leftovers(str(tmp_path), str(temporary), str(kept.pop(-4)))
    kept.append(agents / "1.pyz")
    kept.remove(agents / "0.pyz")
    assert {path for folder in (built, models, agents, temporary) for path in folder.iterdir()} == set(kept)


def test_agents_that_may_still_run_keep_their_file(tmp_path):
    (tmp_path / "agents").mkdir()
    for number in range(6):
        (tmp_path / "agents" / f"{number}.pyz").write_bytes(b"x")
    leftovers.remove_leftovers(str(tmp_path), str(tmp_path / "tmp"))
    assert len(list((tmp_path / "agents").iterdir())) == 6
