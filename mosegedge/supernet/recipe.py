"""Recipes: all settings of the trainings on one data set, as a file.

A file names the data set and the space, and has a table for each stage, whose names are those of the settings in
`schedule.py`. The shipped ones say where each value comes from. A table that is absent is a stage with its defaults.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from mosegedge.errors import UsageError
from mosegedge.supernet.schedule import FitConfig, PretrainConfig, RetrainConfig, TrainConfig

DEFAULT = "scenes"
_Config = TypeVar("_Config", bound=FitConfig)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The trainings on one data set.

    Attributes:
        name: For headers and messages.
        data: Name of the data set.
        space: The search space; with a crop of its own where the data set is trained at another than the preset's.
        pretrain: Of the encoder, on pictures by class.
        segment: Of the supernet.
        retrain: Of one network after the search.
    """

    name: str
    data: str
    space: str
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    segment: TrainConfig = field(default_factory=TrainConfig)
    retrain: RetrainConfig = field(default_factory=RetrainConfig)

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    names = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_recipe(name: str) -> Recipe:
    """Reads a shipped recipe by its name, or a user's from the path of a TOML file.

    Raises:
        UsageError: There is no such recipe, or a setting is unknown or has a value that cannot be used.
    """
    path: Path | Traversable = Path(name) if name.endswith(".toml") else _folder() / f"{name}.toml"
    if not path.is_file():
        raise UsageError(
            f"There is no recipe {name}.",
            known=f"Shipped recipes: {', '.join(shipped_recipes())}.",
            fix="A recipe of your own is named by its file: --recipe my_recipe.toml.",
        )
    try:
        table = tomllib.loads(path.read_bytes().decode())
        # As JSON, where strict reading takes tables for dataclasses.
        return TypeAdapter(Recipe).validate_json(json.dumps({"name": Path(name).stem} | table, default=str))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The recipe {name} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise _explained(name, error) from error
    except UsageError as error:
        raise UsageError(f"The recipe {name} cannot be used: {error.what}", known=error.known, fix=error.fix) from error


def changed(config: _Config, options: dict[str, Any]) -> _Config:
    """The settings with those options that were given (not None) in the place of their own."""
    return replace(config, **{name: value for name, value in options.items() if value is not None})


def _explained(name: str, error: ValidationError) -> UsageError:
    """The first thing that is wrong with a recipe."""
    problem = error.errors()[0]
    *table, setting = (str(part) for part in problem["loc"])
    where = f" in [{'.'.join(table)}]" if table else ""
    kind = {"pretrain": PretrainConfig, "segment": TrainConfig, "retrain": RetrainConfig}.get("".join(table), Recipe)
    known = f"Settings there: {', '.join(entry.name for entry in fields(kind))}."
    if problem["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return UsageError(f"The recipe {name} has the unknown setting {setting!r}{where}.", known=known)
    if problem["type"] in ("missing", "missing_argument"):
        return UsageError(f"The recipe {name} lacks the setting {setting!r}{where}.", known=known)
    text = f"The recipe {name} has {problem['input']!r} for {setting!r}{where}: {problem['msg']}."
    return UsageError(text, fix="The shipped recipes are examples: mosegedge train --recipe scenes --dry-run.")


def _folder() -> Traversable:
    return resources.files("mosegedge.supernet") / "recipes"
