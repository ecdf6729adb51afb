"""The state that a training goes on from: weights, momenta, averages, and what it was started with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from mosegedge.errors import CheckpointError
from mosegedge.files import exclusive
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import SupernetInfo, read_tensors, write_tensors
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.ranks import Ranks
from mosegedge.supernet.schedule import FitConfig

STATE_FILE = "training.safetensors"
_STATE_FORMAT = "mosegedge-training-1"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What decides a training, as headers have it.

    Attributes:
        space: The search space.
        data: Name of the data set.
        classes: Names of its classes in the order of the labels.
        config: The settings.
        facts: What else decides it, as the digest of the weights that it starts from.
        recipe: Name of the recipe that the settings come from; two that agree in all settings are the same training.
    """

    space: SearchSpace
    data: str
    classes: tuple[str, ...]
    config: FitConfig
    facts: dict[str, Any]
    recipe: str

    def info(self, step: int) -> SupernetInfo:
        """The header at a step."""
        training = asdict(self.config) | self.facts | ({"recipe": self.recipe} if self.recipe else {})
        return SupernetInfo(space=self.space, data=self.data, step=step, training=training, classes=self.classes)

    def require_same(self, path: Path, found: SupernetInfo) -> None:
        """Raises CheckpointError where a file comes from another training."""
        # Settings that are younger than the file had their default when it was written.
        before = asdict(type(self.config)()) | found.training | _identity(found.space, found.data)
        now = self.info(0).training | _identity(self.space, self.data)
        # Facts of the other training that this one has not, as the weights it started from.
        changed = [name for name, value in now.items() if before.get(name) != value]
        changed += [name for name in before if name not in now]
        changed = [name for name in changed if name != "recipe"]
        what = f"its {changed[0]} was {before.get(changed[0])}" if changed else ""
        if difference := what or found.other_classes(self.classes):
            raise CheckpointError(
                f"{path.parent} holds another training: {difference}.",
                known=f"It stands at step {found.step}.",
                fix="Repeat its settings to go on with it, or choose another --output.",
            )


def save_state(path: Path, fitter: Fitter, origin: Origin, step: int) -> None:
    """Writes the state after a number of steps atomically; only the first process does."""
    if fitter.place.ranks.first:
        write_tensors(path, fitter.state(), _STATE_FORMAT, origin.info(step))


def restore(path: Path, fitter: Fitter, origin: Origin, load: Callable[[dict[str, Tensor]], object]) -> int:
    """Gives the fitter and the network what they had.

    Args:
        path: The state; absent for a new training.
        fitter: Takes its part.
        origin: Of this training.
        load: Takes the network's tensors.

    Returns:
        The step to go on from, 0 for a new training.

    Raises:
        CheckpointError: The state is damaged or of another training.
    """
    if not path.exists():
        return 0
    tensors, info = read_tensors(path, _STATE_FORMAT)
    origin.require_same(path, info)
    load(fitter.restore(tensors))
    return info.step


@contextmanager
def run_folder(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Keeps other trainings out of a run folder; of several processes the first one holds it."""
    if not ranks.first:
        yield
        return
    with exclusive(folder, "training"):
        yield


class Log:
    """Curves of a training for TensorBoard; processes other than the first write nothing."""

    def __init__(self, folder: Path, start: int, ranks: Ranks) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=start) if ranks.first else None

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._writer:
            self._writer.close()

    def add(self, values: dict[str, float], step: int) -> None:
        """One point of each curve."""
        if self._writer:
            for name, value in values.items():
                self._writer.add_scalar(f"loss/{name}", value, step)


def _identity(space: SearchSpace, data: str) -> dict[str, Any]:
    return {"space": space.name, "digest": space.digest, "data": data}
