"""What training does to pictures reaches no validation, and nothing here rolls the dice of anybody else."""

import ast
import random
from pathlib import Path

import numpy as np
import torch

from mosegedge.data import batches as training
from mosegedge.data import transforms
from mosegedge.data.batches import batches
from mosegedge.data.prepared import PictureCache
from mosegedge.data.scenes import SceneSet
from mosegedge.supernet.evaluate import spread_indices

PACKAGE = Path(transforms.__file__).parents[1]


def test_validation_never_sees_training_augmentations(monkeypatch):
    def refuse(*_arguments):
        raise AssertionError("an evaluation asked for a random view")

    for module in (transforms, training):
        monkeypatch.setattr(module, "augment", refuse)
    val = SceneSet("val", 2)
    first, second = (next(PictureCache(val, spread_indices(val, 2)).batches((96, 192))) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, transforms.to_batch([val.read(0), val.read(1)], (96, 192)))


def test_only_training_batches_know_random_views():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "augment" in path.read_text()
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ImportFrom) and "augment" in {alias.name for alias in node.names})
        or (isinstance(node, ast.Attribute) and node.attr == "augment")
    }
    assert users == {"data/batches.py"}


def test_no_global_random_state_is_read_or_changed():
    def drawn(seed):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
        with batches(SceneSet("train", 4), crop=(32, 64), batch_size=2, seed=3, prefetch=0) as stream:
            batch = next(stream)
        after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
        assert before == after
        return batch

    assert torch.equal(drawn(1).images, drawn(2).images)
