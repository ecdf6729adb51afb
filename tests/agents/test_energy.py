"""Energy sensors and what is made of them: counters that wrap, stand still, vanish, or may not be read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from device_agents import energy
from device_agents.sensors import meter as meters
from device_agents.sensors import rails
from device_agents.sensors.meter import Absent, NotMeasuredError, Sampled
from device_agents.sensors.rapl import Rapl

RANGE_UJ = 10_000_000
REST_W, WORK_W = 3.0, 11.0
RUN_NS = 700_000


class Machine(Rapl):
    """Packages in a folder of its own, with simulated time: the files move every millisecond, as the kernel's do."""

    def __init__(self, folder: Path, *, packages: int = 2, begins_uj: int = 0) -> None:
        super().__init__(str(folder))
        self.folder, self.packages = folder, packages
        self.clock_ns, self.spent_uj = 0, float(begins_uj)
        for number in range(packages):
            self._domain(f"intel-rapl:{number}", f"package-{number}")
        self._domain("intel-rapl:0:0", "core")
        self._domain(f"intel-rapl:{packages}", "psys")
        self.write()

    def _domain(self, folder: str, name: str) -> None:
        (self.folder / folder).mkdir()
        (self.folder / folder / "name").write_text(name + "\n")
        (self.folder / folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
        (self.folder / folder / "energy_uj").write_text("123456\n")

    def write(self) -> None:
        for number in range(self.packages):
            uj = int(self.spent_uj / self.packages) % (RANGE_UJ + 1)
            (self.folder / f"intel-rapl:{number}" / "energy_uj").write_text(f"{uj}\n")

    def pass_time(self, spent_ns: int, power_w: float) -> None:
        before = self.clock_ns // 10**6
        self.clock_ns += spent_ns
        self.spent_uj += power_w * spent_ns / 1e3
        if self.clock_ns // 10**6 > before:
            self.write()

    def now_ns(self) -> int:
        return self.clock_ns

    def rest(self, seconds: float) -> None:
        self.pass_time(int(seconds * 1e9), REST_W)

    def run(self) -> None:
        self.pass_time(RUN_NS, WORK_W)


@pytest.fixture
def machine(tmp_path) -> Machine:
    return Machine(tmp_path)


def sensor_on(machine: Machine) -> energy.Sensor:
    return energy.Sensor(machine)


def test_energy_and_power_are_those_of_the_machine(machine):
    sensor = sensor_on(machine)
    found = energy.reading(sensor, machine.run)
    assert found["energy_mj"] == pytest.approx(WORK_W * RUN_NS / 1e6, rel=0.02)
    assert found["ns"] >= 100_000_000
    assert sensor.rest_w() == pytest.approx(REST_W, rel=0.02)
    assert sensor.step_ns == pytest.approx(1e6, rel=0.2)


def test_a_counter_that_begins_again_at_0_loses_nothing(tmp_path):
    machine = Machine(tmp_path, packages=1, begins_uj=RANGE_UJ - 100_000)
    found = energy.reading(sensor_on(machine), machine.run)
    assert int((tmp_path / "intel-rapl:0" / "energy_uj").read_text()) < RANGE_UJ - 100_000
    assert found["energy_mj"] == pytest.approx(WORK_W * RUN_NS / 1e6, rel=0.02)


@pytest.mark.parametrize("run_ns", [20_000, 5_000_000, 300_000_000])
def test_short_and_long_runs_are_measured_alike(machine, run_ns):
    found = energy.reading(sensor_on(machine), lambda: machine.pass_time(run_ns, WORK_W))
    assert found["energy_mj"] == pytest.approx(WORK_W * run_ns / 1e6, rel=0.03)
    assert found["ns"] <= 100_000_000 + 3 * max(run_ns, 10**6)


def test_without_packages_the_reason_names_the_place(tmp_path):
    with pytest.raises(NotMeasuredError, match="no RAPL"):
        energy.opened([Rapl(str(tmp_path / "absent"))])


def test_a_counter_for_root_only_says_how_to_allow_it(machine, monkeypatch):
    def refused(path: str) -> None:
        if path.endswith("energy_uj"):
            raise PermissionError(13, "Permission denied")
        return open(path)  # noqa: PTH123 - as the module does

    monkeypatch.setattr(meters, "open", refused, raising=False)
    with pytest.raises(NotMeasuredError, match=r"root only.*chmod a\+r"):
        energy.opened([machine])


def test_a_counter_that_stands_still_is_no_energy_of_0(machine):
    machine.write = lambda: None
    with pytest.raises(NotMeasuredError, match="did not move in 3 s"):
        energy.opened([machine])


def test_a_counter_that_vanishes_during_a_run_is_not_guessed(machine):
    sensor = sensor_on(machine)
    runs = []

    def run() -> None:
        runs.append(1)
        if len(runs) == 30:
            (machine.folder / "intel-rapl:1" / "energy_uj").unlink()
            machine.write = lambda: None
        machine.run()

    with pytest.raises(NotMeasuredError, match="cannot be read"):
        energy.reading(sensor, run)


def test_a_counter_that_goes_back_or_counts_nonsense_is_refused(machine):
    sensor = sensor_on(machine)
    with pytest.raises(NotMeasuredError, match="nonsense"):
        energy.reading(sensor, lambda: machine.pass_time(RUN_NS, 1e-3))
    machine.read_mj = iter([9.0, 8.0]).__next__
    with pytest.raises(NotMeasuredError, match="went back"):
        energy.reading(sensor, machine.run)


def test_the_first_sensor_that_works_is_taken_and_all_reasons_are_told(machine, tmp_path):
    assert energy.opened([Absent("no luck"), machine]).meter is machine
    with pytest.raises(NotMeasuredError, match="no luck; there is no"):
        energy.opened([Absent("no luck"), Rapl(str(tmp_path / "absent"))])
    with pytest.raises(NotMeasuredError, match="no sensor is known"):
        energy.opened([])


def test_the_power_of_a_rail_is_added_up_by_a_thread_that_ends(tmp_path):
    folder = tmp_path / "hwmon" / "hwmon3"
    folder.mkdir(parents=True)
    for name, value in {"name": "ina3221", "in2_label": "VDD_IN", "in2_input": 5000, "curr2_input": 1600}.items():
        (folder / name).write_text(f"{value}\n")
    [rail] = rails.meters(str(tmp_path / "hwmon"), str(tmp_path / "iio"))
    assert "VDD_IN" in rail.name
    rail.settle_ns, rail.least_ns = 0, 30_000_000
    sensor = energy.Sensor(rail)
    found = energy.reading(sensor, lambda: time.sleep(0.001))
    assert found["mj"] * 1e6 / found["ns"] == pytest.approx(8.0, rel=1e-9)
    (folder / "curr2_input").unlink()
    with pytest.raises(NotMeasuredError, match="stopped telling"):
        energy.reading(sensor, lambda: time.sleep(0.001))
    rail.stop()
    assert rail._thread is None


def test_rails_of_older_boards_and_of_sensors_that_tell_power(tmp_path):
    old, new = tmp_path / "iio" / "iio:device0", tmp_path / "hwmon" / "hwmon0"
    for folder, files in (
        (old, {"rail_name_0": "POM_5V_GPU", "rail_name_1": "POM_5V_IN", "in_power0_input": 1, "in_power1_input": 2500}),
        (new, {"name": "ina238", "in1_label": "VIN_SYS_5V0", "power1_input": 7_500_000}),
    ):
        folder.mkdir(parents=True)
        for name, value in files.items():
            (folder / name).write_text(f"{value}\n")
    [by_iio] = rails.meters(str(tmp_path / "absent"), str(tmp_path / "iio"))
    [by_hwmon] = rails.meters(str(tmp_path / "hwmon"), str(tmp_path / "iio"))
    assert [sampled._power_w() for sampled in (by_iio, by_hwmon)] == [2.5, 7.5]
    assert rails.meters(str(tmp_path), str(tmp_path)) == []


def test_a_sensor_that_tells_no_power_is_no_sensor():
    with pytest.raises(NotMeasuredError, match="tells no power"):
        energy.opened([Sampled("npu-smi", lambda: None, 0.01)])
