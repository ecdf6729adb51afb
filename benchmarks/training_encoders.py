"""Training steps of the same encoders: ours, and those of the `ofa` package with its own dynamic layers.

Both are trained to name what pictures show, with the classifier of 1,000 classes that both projects have for that. How
`ofa` is put on the path says `benchmarks.ofa_import`, which also shows that both compute the same features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import SGD, Optimizer

from benchmarks.interleaved import Work
from benchmarks.ofa_import import package_module, package_network, setting
from benchmarks.training_steps import Ground
from mosegedge.supernet.classifier import ElasticClassifier
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.ranks import Ranks

OURS, THEIRS, THEIRS_LAST = "mosegedge", "ofa", "ofa, channels last"
OURS_PASSES, THEIRS_PASSES = "mosegedge, passes alone", "ofa, passes alone"
_CLASSES = 1000

Works = dict[Work, Callable[[], object]]


def encoder_works(common: Ground) -> Works:
    """Whole steps and passes alone of every network, ours and theirs.

    A whole step of ours clips gradients and looks whether they are finite; theirs does neither, as in its own training.
    """
    ours, theirs = our_encoder_works(common), package_works(common, channels_last=False)
    return ours | theirs | package_works(common, channels_last=True)


def our_encoder_works(common: Ground) -> Works:
    """Ours, as `mosegedge train --stage pretrain` trains them."""
    generator = torch.Generator().manual_seed(common.config.seed)
    model = ElasticClassifier(common.space, _CLASSES, generator, Ranks()).train()
    model = common.place.hold(model, channels_last=common.config.channels_last)
    fitter = Fitter(model.network, common.config, common.place)
    labels = _labels(common)
    works: Works = {}
    for name, code in common.codes.items():

        def passes(code: Any = code) -> None:
            fitter.begin(0)
            fitter.backward(F.cross_entropy(model(common.pictures, code), labels))

        def step(passes: Callable[[], None] = passes) -> None:
            passes()
            fitter.finish(0)

        works[Work(name, OURS)], works[Work(name, OURS_PASSES)] = step, passes
    return works


def package_works(common: Ground, *, channels_last: bool) -> Works:
    """Theirs; channels last is our addition, and only whole steps are taken with it."""
    with torch.random.fork_rng():
        network: Any = package_network(package_module()).train()
    network = common.place.hold(network, channels_last=channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    pictures, labels = common.pictures.contiguous(memory_format=layout), _labels(common)
    config = common.config
    optimizer: Optimizer = SGD(
        network.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay, nesterov=True
    )
    works: Works = {}
    for name, code in common.codes.items():

        def passes(choices: dict[str, list[Any]] = setting(code)) -> None:  # noqa: B008 - the loop's own
            network.set_active_subnet(**choices)
            network.zero_grad()
            F.cross_entropy(network(pictures), labels).backward()  # type: ignore[no-untyped-call]

        def step(passes: Callable[[], None] = passes) -> None:
            passes()
            optimizer.step()

        works[Work(name, THEIRS_LAST if channels_last else THEIRS)] = step
        if not channels_last:
            works[Work(name, THEIRS_PASSES)] = passes
    return works


def _labels(common: Ground) -> Tensor:
    return common.place.put(torch.arange(len(common.pictures)) % _CLASSES)
