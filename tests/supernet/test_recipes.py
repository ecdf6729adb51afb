"""Recipes: files with every setting, read strictly."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from mosegedge.data import geometry, space_for
from mosegedge.errors import UsageError
from mosegedge.supernet.recipe import changed, load_recipe, shipped_recipes
from mosegedge.supernet.schedule import TrainConfig


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_every_shipped_recipe_is_read() -> None:
    assert shipped_recipes() == ("camvid", "cityscapes", "cocostuff10k", "scenes", "voc2012")
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert recipe.data == recipe.name == name
        assert space_for(recipe.space, recipe.data).classes == geometry(recipe.data).classes


def test_recipe_of_the_scenes_has_the_values_of_a_training_without_one() -> None:
    assert load_recipe("scenes").segment == TrainConfig()


def test_training_after_the_search_is_the_papers() -> None:
    retrain = load_recipe("cityscapes").retrain
    assert (retrain.steps, retrain.batch_size, retrain.learning_rate, retrain.warmup_steps) == (40_000, 8, 0.01, 0)
    assert (retrain.schedule, retrain.power, retrain.momentum, retrain.weight_decay) == ("poly", 0.9, 0.9, 1e-5)
    assert load_recipe("cityscapes").space == "mosegnas:768x1536:19"
    assert load_recipe("voc2012").retrain.steps == 60_000
    assert load_recipe("voc2012").space.startswith("mosegnas:512x512:")
    assert load_recipe("cocostuff10k").retrain.steps == 20_000
    assert load_recipe("cocostuff10k").space.startswith("mosegnas:640x640:")


def test_recipe_of_ones_own_takes_defaults_for_what_it_does_not_name(tmp_path: Path) -> None:
    recipe = load_recipe(
        written(tmp_path, 'data = "scenes"\nspace = "nano"\n[segment]\nsteps = 7\nlearning_rate = 1\n')
    )
    assert (recipe.name, recipe.segment) == ("mine", TrainConfig(steps=7, learning_rate=1.0))
    options = {"steps": None, "seed": 4}
    assert asdict(changed(recipe.segment, options)) == asdict(recipe.segment) | {"seed": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[segment]\nstep = 7", r"mine.toml has the unknown setting 'step' in \[segment\].*Settings there: steps, "),
        ("[segmnt]\nsteps = 7", "the unknown setting 'segmnt'.*name, data, space"),
        ("[retrain]\nrandom_networks = 1", r"unknown setting 'random_networks' in \[retrain\]"),
        ("[pretrain]\nclass_weights = 'none'", r"unknown setting 'class_weights' in \[pretrain\]"),
        ("[segment]\nsteps = '7'", r"has '7' for 'steps' in \[segment\]"),
        ("[segment]\nsteps = 7.5", r"has 7.5 for 'steps' in \[segment\]"),
        ("[segment]\nsteps = true", r"has True for 'steps' in \[segment\]"),
        ("[segment]\nlearning_rate = nan", r"A learning rate of nan"),
        ("[segment]\nschedule = 'step'", r"has 'step' for 'schedule'.*'poly' or 'cosine'"),
        ("[segment]\nprecision = 'int8'", "has 'int8' for 'precision'"),
        ("[segment]\nema = 1.0", "ema is 1. It can be from 0 to less than 1"),
        ("[segment]\nohem_threshold = 70", "ohem_threshold is 70. It can be from 0 to 1"),
        ("[segment]\ndepth_from = -0.1", "depth_from is -0.1"),
        ("[segment]\npower = -1", "power is -1. It can be 0 or more"),
        ("[pretrain]\ncrop = 100", "crop is 100"),
        ("[pretrain]\nlabel_smoothing = nan", "label_smoothing is nan"),
        ("[segment\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"(?s){message}"):
        load_recipe(written(tmp_path, f'data = "scenes"\nspace = "nano"\n{text}\n'))


def test_missing_settings_and_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks the setting 'space'"):
        load_recipe(written(tmp_path, 'data = "scenes"\n'))
    for name in ("cityscape", str(tmp_path / "none.toml")):
        with pytest.raises(UsageError, match=r"There is no recipe .*camvid, cityscapes"):
            load_recipe(name)
