"""An explanation adds up to the prediction, judges every layer by the roof, and knows what each digit costs."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import standins

from mosegedge.cli.explain_text import explain_result, explain_text
from mosegedge.errors import ProfileError
from mosegedge.profiling.explain import bytes_moved, explain
from mosegedge.profiling.explain_words import NO_ROOFLINE, layer_words, summary_words
from mosegedge.report.explanation_file import explanation_svg
from mosegedge.space import Architecture
from mosegedge.space.counting import flops_of
from mosegedge.space.neighbours import neighbours

CODE = Architecture.parse("2-11-112210-112210-11321310-112210")
SPACE = standins.SPACE


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return standins.make_profile(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def found(profile):
    return explain(profile, profile.latency_model(SPACE), CODE)


def with_roof(profile, **numbers):
    return profile.model_copy(update={"roofline": profile.roofline.model_copy(update=numbers)})


def test_layers_add_up_to_the_prediction(profile, found):
    mean_ms, sd_ms = profile.latency_model(SPACE).predict_one(CODE)
    assert (found.latency_ms, found.sd_ms) == (mean_ms, sd_ms)
    assert [layer.slot for layer in found.layers] == [layer.name for layer in SPACE.layers_of(CODE)]
    outside_ms = sum(found.outside_ms.values())
    assert sum(layer.latency_ms for layer in found.layers) + outside_ms == pytest.approx(mean_ms)
    assert sum(layer.share for layer in found.layers) + outside_ms / mean_ms == pytest.approx(1)
    assert sum(found.parts_ms.values()) == pytest.approx(mean_ms)
    parts = {part.name: part.latency_ms for part in profile.latency_model(SPACE).parts(CODE)}
    assert found.parts_ms == pytest.approx(parts)
    isolated = {entry.key: entry.value_ms for entry in profile.entries}
    assert all(layer.isolated_ms == isolated[layer.spec.key] for layer in found.layers)


def test_a_layer_is_bound_by_what_takes_longest_at_the_roof(profile):
    model = profile.latency_model(SPACE)
    for numbers, bound in (
        ({"peak_gmacs_per_s": 1e-3, "bandwidth_gb_per_s": 1e6}, "compute"),
        ({"peak_gmacs_per_s": 1e6, "bandwidth_gb_per_s": 1e-3}, "memory"),
        ({"launch_ms": 1e6}, "launch"),
    ):
        judged = explain(with_roof(profile, **numbers), model, CODE)
        assert judged.bound_by(bound) == len(judged.layers)
        assert f"All {len(judged.layers)} layers are" in summary_words(judged)[1]


def test_efficiency_is_the_least_time_over_the_time_in_the_network(found):
    roof = found.roofline
    for layer in found.layers:
        multiply_adds, moved = flops_of(layer.spec), bytes_moved(layer.spec, "fp32")
        least_ms = max(multiply_adds / roof.peak_gmacs_per_s, moved / roof.bandwidth_gb_per_s) / 1e6
        assert layer.roof_ms == pytest.approx(least_ms)
        assert layer.efficiency == pytest.approx(least_ms / layer.latency_ms)
        assert layer.intensity == pytest.approx(multiply_adds / moved)
    assert bytes_moved(found.layers[0].spec, "fp32") == 2 * bytes_moved(found.layers[0].spec, "fp16")


def test_digits_cost_what_predicting_each_neighbour_says(profile, found):
    model = profile.latency_model(SPACE)
    expected = {
        (near.position, near.step): model.predict_one(near.architecture)[0] - found.latency_ms
        for near in neighbours(CODE)
    }
    assert {(cost.neighbour.position, cost.neighbour.step): cost.delta_ms for cost in found.steps} == pytest.approx(
        expected
    )
    assert found.best_saving.delta_ms == pytest.approx(min(expected.values()))
    assert sorted(digit.position for digit in found.digits) == list(range(29))
    effects = [digit.effect_ms for digit in found.digits]
    assert effects == sorted(effects, reverse=True)
    assert effects[0] == pytest.approx(max(map(abs, expected.values())))


def test_all_neighbours_are_predicted_at_once(profile, monkeypatch):
    model = profile.latency_model(SPACE)
    calls = []
    predict = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, codes: calls.append(len(codes)) or predict(self, codes))
    explain(profile, model, CODE)
    assert max(calls) == 1 + len(neighbours(CODE))
    assert sum(count > 1 for count in calls) == 1


def test_what_the_profile_does_not_cover_is_no_number(profile):
    full = profile.latency_model(SPACE)
    constant_ms = full.constant_ms.copy()
    constant_ms[3:] = np.nan
    model = type(full)(**{**vars_of(full), "constant_ms": constant_ms})
    partly = explain(profile, model, CODE)
    scale = next(digit for digit in partly.digits if digit.position == 0)
    assert scale.up.delta_ms is None
    assert scale.down.delta_ms < 0
    assert "not in profile" in explain_text(partly)
    assert explain_result(partly)["digits"][0]["name"]
    with pytest.raises(ProfileError, match="scale 3"):
        explain(profile, model, Architecture((3, *CODE.digits[1:])))


def vars_of(model):
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def test_a_profile_without_a_roofline_says_so(profile):
    old = profile.model_copy(update={"roofline": None})
    found = explain(old, old.latency_model(SPACE), CODE)
    assert found.roofline is None
    assert {layer.bound for layer in found.layers} == {layer.efficiency for layer in found.layers} == {None}
    assert NO_ROOFLINE in summary_words(found)
    assert "was not measured" in explain_text(found)
    assert explain_result(found)["roofline"] is None
    assert 'class="roof"' not in explanation_svg(found, old.name)


def test_text_names_every_layer_and_every_digit(found):
    text = explain_text(found)
    for layer in found.layers:
        line = next(line for line in text.splitlines() if line.startswith(layer.slot.removeprefix("encoder.")))
        assert f"{layer.share:.1%}" in line
        assert layer_words(layer.spec) in line
    assert text.startswith("".join(summary_words(found)[0]))
    assert "layer 3 goes, layer 4 comes with expansion 1" in text
    result = json.loads(json.dumps(explain_result(found)))
    assert len(result["digits"]) == 29
    assert sum(row["share"] for row in result["layers"]) + sum(
        result["outside_ms"].values()
    ) / found.latency_ms == pytest.approx(1)
    assert Architecture.parse(result["best_saving"]["code"])


@pytest.mark.parametrize("others", [SPACE.smallest, SPACE.largest])
def test_both_steps_of_the_scale_are_seen_where_all_other_digits_go_to_one_side(profile, others):
    code = Architecture((2, *others.digits[1:]))
    picture = ElementTree.fromstring(explanation_svg(explain(profile, profile.latency_model(SPACE), code), "p"))
    bars = [mark for mark in picture.iter() if mark.get("class", "").startswith("step ")]
    titles = ["".join(bar.itertext()) for bar in bars]
    widths = [float(bar.get("width")) for bar, title in zip(bars, titles, strict=True) if title.startswith("scale")]
    assert len(widths) == 2
    assert min(widths) > 10


def test_the_picture_shows_every_layer_twice_and_every_step(found):
    svg = explanation_svg(found, "local/<nano>")
    root = ElementTree.fromstring(svg)
    titles = [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]
    for layer in found.layers:
        begin = f"{layer.slot.removeprefix('encoder.')}: {layer_words(layer.spec)}"
        assert sum(title.startswith(begin) for title in titles) == 2, "in the bar and under the roof"
    for cost in found.steps:
        assert sum(title.endswith(str(cost.neighbour.architecture)) for title in titles) == 1
    for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 62 <= float(circle.get("cx")) <= 422
        assert 42 <= float(circle.get("cy")) <= 308
    assert not re.search(r"https?:(?!//www\.w3\.org/2000/svg)", svg)
