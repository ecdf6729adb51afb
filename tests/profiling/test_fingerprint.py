"""Which differences between two descriptions make them two devices."""

from __future__ import annotations

import pytest

from mosegedge.profiling.fingerprint import difference


def facts(**npu: str) -> dict[str, object]:
    runtime = {"cann": "6.0.1"}
    return {"hardware": {"cores": 4}, "vendor": {"npu": npu, "runtime": runtime, "accelerator": "Ascend310"}}


def test_a_sensor_that_did_not_answer_is_no_other_device():
    assert difference(facts(soc="Ascend310", chip_name="310"), facts(soc="Ascend310")) == ""
    assert difference(facts(soc="Ascend310"), facts(soc="Ascend310", nve_level="2")) == ""


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (facts(soc="Ascend310", chip_name="310B"), "vendor: npu: chip_name: 310 then, 310B now"),
        ({**facts(chip_name="310"), "hardware": {"cores": 8}}, "hardware: cores: 4 then, 8 now"),
        ({**facts(chip_name="310"), "hardware": {}}, "hardware: cores: 4 then, None now"),
        ({"hardware": {"cores": 4}, "vendor": {}}, "vendor: accelerator: Ascend310 then, None now"),
        ({"hardware": {"cores": 4}}, "vendor: {"),
    ],
)
def test_what_differs_is_told_with_both_values(after, told):
    assert difference(facts(chip_name="310", soc="Ascend310"), after).startswith(told)
    assert difference(after, after) == ""


def test_processors_of_one_name_and_two_designs_are_two_devices():
    old, new = {"cpu": "AMD EPYC"}, {"cpu": "AMD EPYC", "cpu_design": "family 26 model 2", "cpu_features": "avx512f"}
    other = {**new, "cpu_design": "family 25 model 17"}
    assert "cpu_design: family 26 model 2 then, family 25 model 17 now" in difference(
        {"hardware": new}, {"hardware": other}
    )
    assert "cpu_features" in difference({"hardware": new}, {"hardware": {**new, "cpu_features": "avx2"}})
    # Profiles from before this was asked for cannot tell.
    assert difference({"hardware": old}, {"hardware": new}) == difference({"hardware": new}, {"hardware": old}) == ""


def test_a_journal_without_a_fingerprint_is_of_another_device():
    assert difference(None, facts()).startswith("None then")
