"""TensorRT by the command trtexec, where no Python module is: arguments by version, files, failures."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from nvidiabox import NAMES as TABLES
from nvidiabox import Box

from device_agents.backends.tensorrt import trtexec
from device_agents.protocol import RpcError
from mosegedge.files import sha256_of_bytes

NAMES = TABLES["trtexec"]
BARE = "cuda_new nvml"
VERSIONS = [(8, 5, 3), (8, 6, 1), (10, 3, 0), (11, 4, 0)]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_argument_is_documented_for_its_version(version, precision):
    arguments = trtexec.build_arguments(version, "m.onnx", "m.engine", precision, 3, 64, "t.cache")
    arguments += trtexec.time_arguments(version, "m.engine", "t.json", 10)
    arguments += trtexec.layer_arguments(version, "m.engine", "p.json", "i.json", 10)
    for name in {argument.split("=")[0] for argument in arguments}:
        since, _, until = NAMES[name].partition("<")
        assert tuple(map(int, since.split("."))) <= version[:2], name
        assert not until or version[:2] < tuple(map(int, until.split("."))), name


@pytest.mark.parametrize(("version", "same_rules"), [((10, 3, 0), True), ((11, 0, 0), False)])
def test_times_follow_the_same_rules_in_every_version(version, same_rules):
    arguments = trtexec.time_arguments(version, "m", "t", 10)
    wanted = {"--useCudaGraph", "--useSpinWait", "--noDataTransfers", "--separateProfileRun"}
    assert (wanted & set(arguments) == wanted) is same_rules
    assert same_rules or not wanted & set(arguments)


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("v8503", (8, 5, 3)),
        ("v8601", (8, 6, 1)),
        ("v100300", (10, 3, 0)),
        ("v101601", (10, 16, 1)),
        ("v110400", (11, 4, 0)),
    ],
)
def test_the_version_is_read_from_the_banner(banner, version):
    assert trtexec.version_of(f"&&&& RUNNING TensorRT.trtexec [TensorRT {banner}] # trtexec --help\n", "p") == version


def test_percentiles_as_the_command_computes_them():
    values = [float(value) for value in range(1, 11)]
    assert trtexec.percentile(values, 50) == 5.0
    assert trtexec.percentile(values, 90) == 9.0
    assert trtexec.percentile(values, 99) == 10.0
    assert trtexec.percentile([3.0], 0) == 3.0


@pytest.mark.parametrize("version", ["8.5.3", "10.3.0", "11.4.0"])
def test_a_box_with_the_command_only_builds_times_and_names_layers(tmp_path, network, version):
    calls = tmp_path / "calls"
    with Box(tmp_path, modules=BARE, programs="trtexec", version=version, calls=str(calls)) as box:
        vendor = box.vendor()
        assert vendor["runtime"]["trtexec"] == version
        assert vendor["typed_onnx"] is version.startswith("11")
        assert vendor["host_clock"] is False
        assert vendor["notes"] == ["trtexec is used: this interpreter cannot import tensorrt"]
        loaded = box.load(network)["result"]
        assert loaded["inputs"] == [{"name": "input", "dtype": "float32", "shape": [1, 3, 64, 128]}]
        assert f"built by trtexec {version}" in loaded["artefact"]["notes"]
        assert box.load(network)["result"]["artefact"]["cached"]
        bursts, end = box.time([loaded["model"]] * 2)
        layers = box.call("layers", model=loaded["model"], runs=10)["result"]
        refused = box.run(loaded["model"], b"\0" * (4 * 3 * 64 * 128))["error"]["message"]
    law_ns = sum(layer["ns"] for layer in layers)
    runs = [ns for burst in bursts for ns in burst["warmup_ns"] + burst["device_ns"]]
    assert runs == [round(law_ns * (1 + index / 1000)) for index in range(len(runs))]
    assert end["result"]["after"]["trtexec_p99_ms"] == pytest.approx(law_ns / 1e6 * 1.031)
    assert "gives no outputs, so results cannot be verified here" in refused
    (conv,) = [layer for layer in layers if "encoder.stage1.0.conv1.conv.Conv" in layer["nodes"]]
    assert conv["ns"] == 2000
    build, timed, _ = calls.read_text().splitlines()
    assert ("--builderOptimizationLevel=3" in build) is not version.startswith("8.5")
    assert "--noTF32" in build
    assert "--iterations=32" in timed


def test_the_command_is_called_again_for_another_model_and_after_conditions_were_read(tmp_path, network, layer):
    calls = tmp_path / "calls"
    with Box(tmp_path, modules=BARE, programs="trtexec", calls=str(calls)) as box:
        first, second = (box.load(content)["result"]["model"] for content in (network, layer))
        built = len(calls.read_text().splitlines())
        box.time([first, second, first])
        assert len(calls.read_text().splitlines()) == built + 3
        box.time([first])
        assert len(calls.read_text().splitlines()) == built + 4


def test_fp16_by_option_or_by_the_file(tmp_path, network, network_fp16):
    calls = tmp_path / "calls"
    with Box(tmp_path / "a", modules=BARE, programs="trtexec", calls=str(calls), precision="fp16") as box:
        assert "precision fp16 by the builder's flag" in box.load(network)["result"]["artefact"]["notes"]
        assert " --fp16" in calls.read_text()
        calls.unlink()
    new = {"modules": BARE, "programs": "trtexec", "version": "11.4.0", "calls": str(calls)}
    with Box(tmp_path / "b", precision="fp16", **new) as box:
        assert "and this file is in fp32" in box.load(network)["error"]["message"]
        assert "precision fp16 by the types in the ONNX file" in box.load(network_fp16)["result"]["artefact"]["notes"]
        assert " --fp16" not in calls.read_text()


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        ("build", "trtexec 10.3.0 failed with status 1: [11/24/2026-07:00:00] [E] Error[10]: Could not find any"),
        ("marker", "trtexec 10.3.0 failed with status 0: &&&& RUNNING"),
    ],
)
def test_success_is_the_marker_and_the_status(tmp_path, layer, fail, message):
    with Box(tmp_path, modules=BARE, programs="trtexec", fail=fail) as box:
        assert message in box.load(layer)["error"]["message"]
        assert not list((Path(box.folders["models"]).parent / "built").glob("*.engine"))


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until(happened) -> bool:
    end = time.monotonic() + 20
    while not happened() and time.monotonic() < end:
        time.sleep(0.02)
    return happened()


@pytest.mark.parametrize("how", ["the host hangs up", "the agent is killed"])
def test_the_command_does_not_outlive_its_host(tmp_path, layer, how):
    calls = tmp_path / "calls"
    with Box(tmp_path, modules=BARE, programs="trtexec", fail="hang", calls=str(calls)) as box:
        digest = sha256_of_bytes(layer)
        Path(box.folders["models"], f"{digest}.onnx").write_bytes(layer)
        request = {"jsonrpc": "2.0", "id": 9, "method": "load", "params": {"model": digest, "format": "onnx"}}
        box.send(json.dumps(request).encode())
        assert wait_until(lambda: calls.exists() and calls.read_text().isdigit())
        pid = int(calls.read_text())
        assert is_running(pid)
        if how == "the host hangs up":
            box.process.stdin.close()
        else:
            box.process.kill()
        assert wait_until(lambda: not is_running(pid))


def test_a_model_that_cannot_be_read_is_the_models_fault(tmp_path, strange):
    with Box(tmp_path, modules=BARE, programs="trtexec") as box:
        error = box.load(strange)["error"]
        assert error["code"] == -32003
        assert "name: head.strange and operator: Unheard" in error["message"]


def test_an_engine_of_another_version_is_refused_by_the_command(tmp_path, layer):
    with Box(tmp_path, modules=BARE, programs="trtexec", version="8.6.1") as box:
        engine = Path(box.load(layer)["result"]["artefact"]["path"]).read_bytes()
    with Box(tmp_path, modules=BARE, programs="trtexec") as box:
        loaded = box.load(engine, "engine")["result"]
        assert loaded["inputs"] == []
        _, end = box.time([loaded["model"]])
        assert "stdVersionRead == serializationVersion failed" in end["error"]["message"]


def test_the_setting_decides_between_module_and_command(tmp_path):
    with Box(tmp_path / "a", programs="trtexec", settings={"trtexec": "always"}) as box:
        vendor = box.vendor()
        assert "tensorrt" not in vendor["runtime"]
        assert vendor["notes"] == ['trtexec is used because trtexec = "always" is set']
    with Box(tmp_path / "b", programs="trtexec") as box:
        assert "trtexec" not in box.vendor()["runtime"]
    with Box(tmp_path / "c", modules=BARE, programs="trtexec", settings={"trtexec": "never"}) as box:
        assert "tensorrt cannot be imported" in box.call("describe")["error"]["message"]
    with Box(tmp_path / "d", settings={"trtexec": "always"}) as box:
        assert "There is no trtexec here" in box.call("describe")["error"]["message"]


def test_a_module_that_fails_is_not_replaced_by_the_command(tmp_path):
    with Box(tmp_path, programs="trtexec", fail="crash") as box:
        assert "ended by signal 11" in box.call("describe")["error"]["message"]


def test_a_box_where_cuda_is_not_found_asks_the_driver_for_its_name(tmp_path):
    with Box(tmp_path / "a", modules="nvml", programs="trtexec") as box:
        vendor = box.vendor()
        assert vendor["gpu"]["name"] == "NVIDIA GeForce RTX 3090 (stand-in)"
        assert vendor["gpu"]["compute_capability"] == "8.6"
        assert vendor["runtime"]["driver"] == "560.35.03"
    with Box(tmp_path / "b", modules="", programs="trtexec") as box:
        assert "No GPU is found, so trtexec was not started" in box.call("describe")["error"]["message"]


def test_a_command_that_does_not_say_its_version_is_refused(tmp_path):
    with Box(tmp_path, modules=BARE, programs="trtexec", fail="silent") as box:
        assert "does not say which version it is: === Model Options ===" in box.call("describe")["error"]["message"]


def test_files_that_are_not_as_documented_are_named(tmp_path):
    with pytest.raises(RpcError, match=r"passed and wrote no times\.json"):
        trtexec.read_times(str(tmp_path / "times.json"))
    (tmp_path / "times.json").write_text("[]")
    with pytest.raises(RpcError, match="wrote no times"):
        trtexec.read_times(str(tmp_path / "times.json"))
    (tmp_path / "times.json").write_text('[{"name": "a"b"}]')
    with pytest.raises(RpcError, match="no JSON"):
        trtexec.read_profile(str(tmp_path / "times.json"))
    (tmp_path / "profile.json").write_text(
        '[\n  { "count" : 3 }\n, { "name" : "a", "timeMs" : 3, "averageMs" : 1.5 }\n]'
    )
    assert trtexec.read_profile(str(tmp_path / "profile.json")) == [("a", 1_500_000)]


def test_a_build_ends_when_its_time_is_over(tmp_path, layer):
    hangs = {"modules": BARE, "programs": "trtexec", "fail": "hang", "calls": str(tmp_path / "calls")}
    with Box(tmp_path, settings={"build_timeout_s": "1"}, **hangs) as box:
        error = box.load(layer)["error"]
    assert error["code"] == -32004
    assert "did not end within 1 s" in error["message"]
