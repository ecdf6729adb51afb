"""What the doctor hears about a GPU box."""

from __future__ import annotations

import pytest
from nvidiabox import Box


def checks_of(folder, **box) -> dict[str, dict]:
    with Box(folder, **box) as opened:
        return {check["name"]: check for check in opened.call("checks")["result"]}


def test_a_well_kept_box(tmp_path):
    checks = checks_of(tmp_path, reasons="0x3")
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ["driver", "gpu", "cuda", "tensorrt", "gpu processes", "gpu memory", "persistence mode", "gpu clocks"], "ok"
    )
    assert checks["tensorrt"]["found"] == "tensorrt 10.3.0"
    assert checks["cuda"]["found"] == "cuda.bindings.runtime, CUDA 13.6, driver takes up to 13.8"


@pytest.mark.parametrize(
    ("state", "name", "found", "fix"),
    [
        ({"processes": "41 7"}, "gpu processes", "process 7, 41 computes on the GPU", "End it"),
        ({"persistence": "0"}, "persistence mode", "sleeps between runs", "nvidia-smi -pm 1"),
        ({"reasons": "0x64"}, "gpu clocks", "lowered by SwPowerCap, SwThermalSlowdown, HwThermalSlowdown", "cool"),
        ({"reasons": "0x0"}, "gpu clocks", "SM clock 1695 MHz of at most 2100 MHz", "nvidia-smi -lgc"),
        (
            {"modules": "cuda_new nvml", "programs": "trtexec"},
            "tensorrt",
            "trtexec 10.3.0 at",
            "results can be verified",
        ),
    ],
)
def test_each_warning_says_what_to_do(tmp_path, state, name, found, fix):
    check = checks_of(tmp_path, **state)[name]
    assert check["status"] == "warning"
    assert found in check["found"]
    assert fix in check["fix"]


def test_a_bare_machine(tmp_path):
    checks = checks_of(tmp_path, modules="")
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ["driver", "gpu", "tensorrt"], "failed"
    )
    assert all(check["fix"] for check in checks.values())
    assert "cuda.cudart: No module named 'cuda'" in checks["gpu"]["found"]


def test_a_driver_that_cuda_does_not_like_is_told_apart_from_no_driver(tmp_path):
    checks = checks_of(tmp_path, gpu="none")
    assert checks["driver"]["status"] == "ok"
    assert "the driver sees NVIDIA GeForce RTX 3090 (stand-in), CUDA does not" in checks["gpu"]["found"]


def test_a_module_that_is_there_but_does_not_load_is_not_replaced_by_the_command(tmp_path):
    module = tmp_path / "broken" / "tensorrt"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("raise ImportError('libnvinfer.so.10: cannot open shared object file')")
    with Box(tmp_path, modules=f"cuda_new nvml {module.parent}", programs="trtexec") as box:
        refused = box.call("describe")["error"]["message"]
    assert "libnvinfer.so.10" in refused
