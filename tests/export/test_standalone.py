"""verify.py of a bundle: run as on a board, by a plain interpreter that has the runtime and not mosegedge."""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import products
import pytest

from mosegedge.devices import Device
from mosegedge.export import standalone_verify
from mosegedge.export.bundle import load_bundle
from mosegedge.export.onnx import relative_difference
from mosegedge.files import sha256_of_bytes


@pytest.fixture
def folder(engine_bundle, tmp_path):
    return shutil.copytree(engine_bundle, tmp_path / "on the board")


def run(folder, *arguments, flags=("-I",), **environment):
    """Runs verify.py from another folder, with nothing in the environment but what the board is like."""
    return subprocess.run(
        [sys.executable, *flags, str(folder / "verify.py"), *(arguments or ("--runs", "5"))],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"MOSEGEDGE_LOCK": str(folder.parent / "lock"), **environment},
    )


def test_a_copy_of_the_folder_passes(folder):
    result = run(folder)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    network = f"nano, {products.SPACE.smallest.slug}, fp32 by fakeengine on FakeChip 1"
    assert lines[0] == f"network   {network}"
    artefact = load_bundle(folder).manifest.artefact
    assert lines[1] == f"file      network.fakeengine, sha256 {artefact.sha256}, as exported"
    assert lines[3] == "masks     agree with PyTorch in 100.0000% of the pixels, asked for 99.9%"
    assert "n 5, by the host's clock" in lines[4]
    assert lines[-1] == "passed"
    assert "noise from C" in result.stderr, "what a vendor's library prints stays out of the results"


def test_it_is_the_file_of_the_package_and_the_manifest_has_its_digest(folder):
    content = (folder / "verify.py").read_bytes()
    assert load_bundle(folder).manifest.files_sha256["verify.py"] == sha256_of_bytes(content)
    assert content.decode() == importlib.util.find_spec(standalone_verify.__name__).loader.get_source(
        standalone_verify.__name__
    )


def test_a_bundle_of_onnx_for_a_device_that_runs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MOSEGEDGE_LOCK", str(tmp_path / "lock"))
    device = Device(name="local", backend="onnxruntime", connection="local", cache=str(tmp_path / "cache"))
    folder = products.make_bundle(tmp_path / "bundle", device=device).folder
    result = run(folder)
    assert result.returncode == 0, result.stderr
    assert "network.onnx, sha256" in result.stdout
    bare = run(folder, flags=("-I", "-S"))  # without the packages of the interpreter
    assert bare.returncode == 3
    assert "pip install" in bare.stderr
    assert bare.stdout == ""


@pytest.mark.parametrize("name", ["network.fakeengine", "agent.pyz", "golden_input.npy", "golden_output.npy"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_tampered_file_is_refused(folder, name, how):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if how == "gone":
        (folder / name).unlink()
    result = run(folder)
    assert result.returncode == 10
    assert f"{name} is missing or was changed after the export." in result.stderr
    assert result.stdout == ""


def test_a_golden_output_that_the_device_does_not_give_fails(folder):
    expected = np.load(folder / "golden_output.npy")
    np.save(folder / "golden_output.npy", -expected)
    products.seal(folder)
    result = run(folder)
    assert result.returncode == 10
    assert result.stdout.splitlines()[-1].startswith("FAILED")


def test_a_device_that_computes_something_else_fails(folder):
    result = run(folder, FAKE_WRONG="yes")
    assert result.returncode == 10
    assert "golden    differs by 2.0e+00 of the largest logit, at most 1e-04 is rounding" in result.stdout


def test_another_kind_of_device_is_refused_with_a_sentence(folder):
    result = run(folder, FAKE_CHIP="FakeChip 2")
    assert result.returncode == 3
    assert result.stdout == ""
    said = "network.fakeengine was built for FakeChip 1, this device has FakeChip 2."
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_runtime_that_gives_no_outputs_is_refused_with_a_sentence(folder):
    result = run(folder, FAKE_TIMES_ONLY="yes")
    assert (result.returncode, result.stdout) == (3, "")
    assert "network.fakeengine can be timed here, but its outputs cannot be compared" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_clouds_a_number_is_told(folder):
    products.edit(folder, lambda manifest: manifest["artefact"].update(origin="simulated", clock="device"))
    result = run(folder, FAKE_THROTTLED="hot,slow", FAKE_VERSION="2")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[4] == "latency   1.50 ms median, 1.50 ms p95, 666.7 images/s, n 5, by the device's clock (simulated)"
    assert lines[2].endswith("(simulated)")
    assert lines[5].startswith("throttled hot, slow:")
    assert lines[6] == "note      built with fakeengine 1.0, here it is 2"


def test_a_device_that_is_being_timed_is_left_alone(folder):
    from device_agents.lock import DeviceLock

    lock = DeviceLock(str(folder.parent / "lock"))
    lock.acquire("another run", 0)
    try:
        result = run(folder)
    finally:
        os.close(lock._descriptor)
    assert result.returncode == 3
    assert "another run" in result.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"artefact": null}', b'{"artefact": {}}', b"\xff"])
def test_a_damaged_manifest_is_a_sentence(folder, content):
    (folder / "bundle.json").write_bytes(content)
    result = run(folder)
    assert (result.returncode, result.stdout) == (10, "")
    assert "bundle.json is missing or damaged" in result.stderr


def test_wrong_arguments(folder):
    assert run(folder, "--runs", "0").returncode == 2
    assert run(folder, "--nonsense").returncode == 2


def test_an_old_interpreter_says_that_it_is_old(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 6, 8))
    assert standalone_verify.main() == 3
    assert "needs Python 3.7 or newer" in capsys.readouterr().err


def test_the_oldest_python_of_a_board_runs_it():
    start = "import sys, vermin; sys.argv[0] = 'vermin'; vermin.main()"
    command = [sys.executable, "-c", start, "-t=3.7-", "--no-tips", "--violations", standalone_verify.__file__]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    ast.parse(Path(standalone_verify.__file__).read_text(), feature_version=(3, 6))


@pytest.fixture(params=["numpy", "plain"])
def module(request, monkeypatch) -> ModuleType:
    """The program with and without numpy."""
    if request.param == "plain":
        monkeypatch.setattr(standalone_verify, "numpy", None)
    return standalone_verify


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_outputs_are_compared_as_on_the_host(module, rng, dtype):
    expected = rng.normal(size=(1, 5, 4, 6)).astype(np.float32)
    output = (expected + rng.normal(size=expected.shape) * 0.3).astype(dtype)
    difference, agreement = module.compare(output.tobytes(), dtype, expected.tobytes(), 5)
    assert difference == pytest.approx(relative_difference(output.astype(np.float32), expected), rel=1e-6)
    assert agreement == pytest.approx((output.argmax(1) == expected.argmax(1)).mean())
    assert 0 < agreement < 1
    output[0, 0, 0, 0] = np.nan
    assert module.compare(output.tobytes(), dtype, expected.tobytes(), 5) == (np.inf, 0.0)


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_pictures_are_read_without_numpy(tmp_path, rng, version):
    picture = rng.normal(size=(1, 3, 4, 6)).astype(np.float32)
    (tmp_path / "picture.npy").write_bytes(npy(picture, version))
    shape, content = standalone_verify.read_npy(str(tmp_path / "picture.npy"))
    assert (shape, content) == ((1, 3, 4, 6), picture.tobytes())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"noise, and more of it",
        npy(np.zeros((1, 3, 4, 6))),
        npy(np.zeros((3, 4), np.float32)),
        npy(np.zeros((1, 3, 4, 6), np.float32))[:-1],
        npy(np.asfortranarray(np.zeros((1, 3, 4, 6), np.float32))),
        npy(np.zeros((1, 0, 4, 6), np.float32)),
    ],
    ids=["empty", "noise", "type", "shape", "short", "order", "nothing"],
)
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "picture.npy").write_bytes(content)
    with pytest.raises(standalone_verify.CheckError, match="is no float32 picture"):
        standalone_verify.read_npy(str(tmp_path / "picture.npy"))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_quantiles_are_those_of_numpy(rng, share, count):
    values = sorted(rng.normal(size=count))
    assert standalone_verify.quantile(values, share) == pytest.approx(np.quantile(values, share))


def test_half_precision_inputs_are_converted(rng):
    picture = rng.normal(size=(1, 3, 2, 2)).astype(np.float32)
    assert standalone_verify._as_type(picture.tobytes(), "float16") == picture.astype(np.float16).tobytes()
    assert standalone_verify._as_type(picture.tobytes(), "float32") == picture.tobytes()
