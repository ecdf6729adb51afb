"""Clocks, temperature, power and throttling from NVML, nvidia-smi and a Jetson's own tools."""

from __future__ import annotations

import os
import sys
import time

import pytest
from nvidiabox import STANDINS, program

from device_agents import energy
from device_agents.sensors import jetson, nvidia, nvidia_smi, nvml
from device_agents.sensors.meter import NotMeasuredError

BUS = "0000:65:00.0"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with chosen commands, and NVML if wanted."""
    monkeypatch.setattr(jetson, "_RELEASE", str(tmp_path / "absent"))
    monkeypatch.setattr(jetson, "_MODEL", str(tmp_path / "model"))
    monkeypatch.setattr(jetson, "_THERMAL", str(tmp_path / "thermal"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def install(programs="", *, with_nvml=False, **state):
        for name in programs.split():
            program(tmp_path / "bin", name)
        if with_nvml:
            monkeypatch.syspath_prepend(str(STANDINS / "common"))
            monkeypatch.syspath_prepend(str(STANDINS / "nvml"))
        for name, value in state.items():
            monkeypatch.setenv(f"STANDIN_{name.upper()}", value)
        return tmp_path

    yield install
    for name in ("pynvml", "standin_gpu"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("state", ["ok", "old"])
def test_nvml_tells_all_that_it_has(machine, state):
    machine(with_nvml=True, nvml=state, reasons="0x2c", processes="12")
    assert nvidia.conditions(BUS) == {
        "clocks": {"sm_mhz": 1695, "sm_max_mhz": 2100, "memory_mhz": 9751},
        "temperature_c": 71.0,
        "power_w": 215.3,
        "power_limit_w": 350.0,
        "performance_state": 2,
        "throttled": ["SwPowerCap", "HwSlowdown", "SwThermalSlowdown"],
        "clocks_set": False,
        "source": "nvml",
    }
    assert nvidia.hardware(BUS) == {
        "name": "NVIDIA GeForce RTX 3090 (stand-in)",
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
        "compute_capability": "8.6",
        "driver": "560.35.03",
        "memory_mib": 24576,
        "persistence_mode": True,
        "source": "nvml",
    }
    assert nvidia.processes(BUS) == [12]
    assert nvml.conditions("0000:99:00.0") == {}
    assert nvml.conditions()["clocks"]["sm_mhz"] == 1695


def test_the_counter_of_a_gpu_tells_energy_and_its_power_does_where_there_is_none(machine):
    machine(with_nvml=True, nvml="ok", energy_w="120")
    sensor = energy.opened(nvidia.meters(BUS))
    found = energy.reading(sensor, lambda: time.sleep(0.0005))
    sensor.meter.stop()
    assert "NVML counter" in sensor.meter.name
    assert found["mj"] * 1e6 / found["ns"] == pytest.approx(120, rel=0.1)
    assert sensor.step_ns == pytest.approx(5e6, rel=0.3)
    _, by_power = nvidia.meters(BUS)
    by_power.start()
    assert by_power._power_w() == 215.3
    by_power.stop()
    with pytest.raises(NotMeasuredError, match="NVML is not there"):
        energy.opened(nvidia.meters("0000:99:00.0"))
    assert nvml.memory_mib(BUS) == (4096, 24576)


@pytest.mark.parametrize(
    ("bits", "names"),
    [
        (0x0, []),
        (0x3, []),
        (
            0x1FF,
            ["SwPowerCap", "HwSlowdown", "SyncBoost", "SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown"],
        ),
        (0x1600, ["BoardLimit", "Reliability", "Unknown0x1000"]),
    ],
)
def test_being_idle_and_clocks_that_were_set_are_no_throttling(bits, names):
    expected = [*names, "DisplayClockSetting"] if bits == 0x1FF else names
    assert nvml.throttle_names(bits) == expected


@pytest.mark.parametrize("release", ["new", "old"])
def test_nvidia_smi_where_there_is_no_nvml(machine, release):
    group = "clocks_throttle_reasons" if release == "old" else "clocks_event_reasons"
    active = f"{group}.gpu_idle {group}.hw_slowdown {group}.sw_thermal_slowdown"
    machine("nvidia-smi", smi=release, active=active, processes=f"33 {os.getpid()}")
    assert nvidia.conditions(BUS) == {
        "clocks": {"sm_mhz": 1695, "sm_max_mhz": 2100, "memory_mhz": 9751},
        "temperature_c": 71.0,
        "power_w": 215.3,
        "performance_state": 2,
        "throttled": ["HwSlowdown", "SwThermalSlowdown"],
        "source": "nvidia-smi",
    }
    hardware = nvidia.hardware(BUS)
    assert hardware.get("compute_capability") == (None if release == "old" else "8.6")
    assert hardware["persistence_mode"] is False
    assert nvidia.processes(BUS) == [33]
    assert nvidia_smi.conditions("0000:99:00.0") == {}


def test_a_machine_without_any_source_says_nothing(machine):
    machine()
    assert nvidia.conditions(BUS) == {}
    assert nvidia.hardware(BUS) == {}
    assert nvidia.processes(BUS) is None


def test_a_driver_that_does_not_answer_says_nothing(machine):
    machine("nvidia-smi", with_nvml=True, nvml="none", gpu="none")
    assert nvidia.conditions(BUS) == {}
    assert nvidia.hardware(BUS) == {}


def test_a_jetson_by_its_own_tools(machine):
    folder = machine("tegrastats nvpmodel jetson_clocks")
    (folder / "model").write_bytes(b"NVIDIA Jetson Orin Nano Developer Kit\0")
    assert jetson.is_jetson()
    assert nvidia.conditions() == {
        "clocks": {"gpu_mhz": 918, "memory_mhz": 2133},
        "temperature_c": 61.5,
        "power_w": 7.812,
        "rails_w": {"VDD_CPU_GPU_CV": 3.0, "VDD_IN": 7.812},
        "power_mode": "15W",
        "source": "jetson",
    }
    assert nvidia.hardware() == {
        "name": "NVIDIA Jetson Orin Nano Developer Kit",
        "power_mode": "15W",
        "source": "jetson",
    }
    assert jetson.clocks_locked() is False


def test_a_jetson_whose_nvml_tells_a_part(machine):
    folder = machine("tegrastats nvpmodel", with_nvml=True)
    (folder / "model").write_bytes(b"NVIDIA Jetson AGX Orin\0")
    found = nvidia.conditions()
    assert found["source"] == "nvml + jetson"
    assert found["clocks"]["sm_mhz"] == 1695
    assert found["power_mode"] == "15W"


def test_a_jetson_without_tegrastats_by_the_thermal_zones(machine):
    folder = machine()
    (folder / "model").write_bytes(b"NVIDIA Jetson Nano\0")
    for number, (kind, value) in enumerate([("CPU-therm", "41000"), ("GPU-therm", "39500"), ("broken", "")]):
        zone = folder / "thermal" / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(kind + "\n")
        (zone / "temp").write_text(value + "\n")
    assert nvidia.conditions() == {"temperature_c": 39.5, "source": "jetson"}
    assert jetson.clocks_locked() is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("RAM 1/2MB GR3D_FREQ 0% cpu@44C", {"temperature_c": 44.0}),
        (
            "EMC_FREQ 0% GR3D_FREQ 12%@[1300,1300] GPU@40.2C CPU@45C",
            {"clocks": {"gpu_mhz": 1300}, "temperature_c": 40.2},
        ),
        ("GR3D_FREQ @[306,0,0] cv0@-256C tj@50.25C", {"clocks": {"gpu_mhz": 306}, "temperature_c": 50.25}),
        (
            "GR3D_FREQ 0%@76 thermal@41C POM_5V_IN 2500/2400 POM_5V_GPU 40/40",
            {
                "clocks": {"gpu_mhz": 76},
                "temperature_c": 41.0,
                "power_w": 2.5,
                "rails_w": {"POM_5V_GPU": 0.04, "POM_5V_IN": 2.5},
            },
        ),
    ],
)
def test_lines_of_tegrastats_are_read_word_by_word(line, expected):
    assert jetson.read_tegrastats(line) == expected
