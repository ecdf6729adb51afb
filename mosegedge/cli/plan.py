"""What a training would do: `mosegedge train --dry-run`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mosegedge.cli.options import open_data
from mosegedge.cli.output import emit
from mosegedge.errors import DataError

if TYPE_CHECKING:
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.schedule import FitConfig


@dataclass(frozen=True)
class Plan:
    """A training before it begins.

    Attributes:
        recipe: Name of the recipe.
        stage: Which of its trainings.
        space: The search space.
        data: Name of the data set.
        config: The settings, changed by options.
        on: The processor, as the user named it.
    """

    recipe: str
    stage: str
    space: SearchSpace
    data: str
    config: FitConfig
    on: str


def show_plan(plan: Plan, data_root: Path | None, *, as_json: bool) -> None:
    """Prints a plan.

    Raises:
        UsageError: It cannot be carried out on that processor.
    """
    from mosegedge.supernet.activation import stages
    from mosegedge.supernet.place import Place, device_named
    from mosegedge.supernet.schedule import SandwichConfig, learning_rate

    config = plan.config
    place = Place(device=device_named(plan.on))
    place.require(config.precision)
    pictures, opened = _pictures(plan, data_root)
    first, last = (
        learning_rate(config, min(config.warmup_steps, config.steps - 1)),
        learning_rate(config, config.steps - 1),
    )
    parts = [asdict(part) for part in stages(config)] if isinstance(config, SandwichConfig) else []
    result: dict[str, Any] = {
        "recipe": plan.recipe,
        "stage": plan.stage,
        "space": plan.space.name,
        "data": plan.data,
        "pictures": pictures,
        "processor": str(place.device),
        "learning_rates": {"after_warmup": first, "last": last},
        "stages": parts,
        "settings": asdict(config),
    }
    epochs = f", {config.steps * config.batch_size / pictures:.1f} times over the pictures" if pictures else ""
    warmup = f" after {config.warmup_steps} steps of warm-up" if config.warmup_steps else ""
    lines = [
        f"recipe      {plan.recipe}, stage {plan.stage}",
        f"space       {plan.space.name}",
        f"data        {plan.data}, {opened}",
        f"steps       {config.steps} of {config.batch_size} pictures{epochs}",
        f"rate        {first:.4g}{warmup}, {config.schedule} to {last:.2g} in the last step",
        *(f"from step   {part['first']}: {part['opened']}" for part in parts),
        f"computes    {config.precision} on {place.device}",
        "settings    " + ", ".join(f"{name} {value}" for name, value in asdict(config).items()),
    ]
    emit(result, "\n".join(lines), as_json=as_json)


def _pictures(plan: Plan, data_root: Path | None) -> tuple[int | None, str]:
    """How many pictures there are, where the data set can be opened, and what to say of it."""
    from mosegedge.data.classified import ClassFolders
    from mosegedge.supernet.schedule import PretrainConfig

    pretraining = isinstance(plan.config, PretrainConfig)
    if pretraining and data_root is None:
        return None, "not named: --data-root DIR"
    try:
        pictures = ClassFolders.open(data_root) if pretraining and data_root else None
        count = len(pictures or open_data(plan.data, "train", data_root))
    except DataError as error:
        return None, f"not opened: {error.what}"
    return count, f"{count} pictures"
