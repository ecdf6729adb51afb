"""One optimiser step after the other: schedule, average, clipping, number formats, exact state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mosegedge.errors import TrainingError, UsageError
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.place import Place, device_named
from mosegedge.supernet.schedule import FitConfig, learning_rate

CONFIG = FitConfig(steps=12, batch_size=2, learning_rate=0.05, warmup_steps=3, gradient_norm=0)


def small_network() -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, generator=generator)
    return network


def steps_of(fitter: Fitter, first: int, last: int, scale: float = 1.0) -> list[float]:
    """Takes steps on pictures that depend on the step alone; returns the learning rates."""
    rates = []
    for step in range(first, last):
        picture = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(step))
        fitter.begin(step)
        fitter.backward(fitter.network(picture).square().mean() * scale)
        fitter.finish(step)
        rates.append(fitter.optimizer.param_groups[0]["lr"])
    return rates


@settings(max_examples=12)
@given(
    cut=st.integers(0, 12),
    schedule=st.sampled_from(["poly", "cosine"]),
    warmup=st.integers(0, 12),
    ema=st.sampled_from([0.0, 0.5, 0.99]),
    scaled=st.booleans(),
)
def test_a_fitter_that_goes_on_does_exactly_what_one_without_a_break_does(
    cut: int, schedule: str, warmup: int, ema: float, scaled: bool
) -> None:
    config = replace(CONFIG, schedule=schedule, warmup_steps=warmup, ema=ema)

    def fitter() -> Fitter:
        # The scaler of fp16, whose scale grows after every second step.
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2) if scaled else None
        return Fitter(small_network(), config, Place(), scaler=scaler)

    straight, before, after = fitter(), fitter(), fitter()
    rates = steps_of(straight, 0, 12)
    found = steps_of(before, 0, cut)
    own = after.restore({name: tensor.clone() for name, tensor in before.state().items()})
    after.network.load_state_dict(own)
    found += steps_of(after, cut, 12)
    assert found == rates == [learning_rate(config, step) for step in range(12)]
    expected, state = straight.state(), after.state()
    assert expected.keys() == state.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, state[name]), name


def test_schedules_fall_from_the_warm_up_to_zero() -> None:
    poly = FitConfig(steps=1000, learning_rate=0.2, warmup_steps=10, power=0.9)
    assert learning_rate(poly, 0) == pytest.approx(0.02)
    assert learning_rate(poly, 500) == pytest.approx(0.2 * 0.5**0.9)
    assert learning_rate(poly, 999) == pytest.approx(0.2 * 0.001**0.9)
    cosine = replace(poly, schedule="cosine", warmup_steps=0)
    assert learning_rate(cosine, 0) == pytest.approx(0.2)
    assert learning_rate(cosine, 500) == pytest.approx(0.1)
    assert learning_rate(cosine, 750) == pytest.approx(0.1 * (1 - math.sqrt(0.5)))
    assert learning_rate(cosine, 999) < 1e-6


def test_average_lags_behind_the_weights_and_takes_their_place_at_the_end() -> None:
    fitter = Fitter(small_network(), replace(CONFIG, ema=0.8), Place())
    name, average = "0.weight", small_network().state_dict()["0.weight"]
    for step in range(12):
        steps_of(fitter, step, step + 1)
        decay = min(0.8, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * fitter.network.state_dict()[name]
    torch.testing.assert_close(fitter.average[name], average)
    torch.testing.assert_close(fitter.average["1.num_batches_tracked"], torch.tensor(12))
    assert not torch.equal(fitter.network.state_dict()[name], fitter.average[name])
    fitter.adopt_average()
    assert torch.equal(fitter.network.state_dict()[name], fitter.average[name])


def moved(config: FitConfig, scale: float) -> Tensor:
    fitter = Fitter(small_network(), config, Place())
    before = torch.cat([p.detach().flatten().clone() for p in fitter.network.parameters()])
    steps_of(fitter, 0, 1, scale)
    return torch.cat([p.detach().flatten() for p in fitter.network.parameters()]) - before


def test_gradients_are_clipped_to_their_norm() -> None:
    config = replace(CONFIG, weight_decay=0.0, warmup_steps=0)
    assert moved(replace(config, gradient_norm=0.01), 1.0).norm() == pytest.approx(0.05 * 0.01, rel=1e-3)
    free = moved(config, 1.0)
    torch.testing.assert_close(moved(config, 2.0), 2 * free)
    torch.testing.assert_close(moved(replace(config, gradient_norm=1e9), 1.0), free)


def test_steps_are_those_of_plain_sgd_however_gradients_lie_in_memory() -> None:
    config = replace(CONFIG, weight_decay=0.01, warmup_steps=0)
    networks = []
    for _ in range(2):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for parameter in network.parameters():
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
        networks.append(network)
    fitter = Fitter(networks[0], config, Place())
    plain = torch.optim.SGD(networks[1].parameters(), lr=0.05, momentum=0.9, weight_decay=0.01, foreach=False)
    plain.param_groups[0]["params"] = [p for p in networks[1].parameters() if p.dim() > 1]
    plain.add_param_group({"params": [p for p in networks[1].parameters() if p.dim() == 1], "weight_decay": 0.0})
    for step in range(3):
        fitter.begin(step)
        for group in plain.param_groups:
            group["lr"] = learning_rate(config, step)
        for parameters in zip(*(network.parameters() for network in networks), strict=True):
            for parameter in parameters:
                generator = torch.Generator().manual_seed(step)
                parameter.grad = torch.randn(parameter.shape, generator=generator)  # contiguous, its kernel is not
        fitter.finish(step)
        plain.step()
    for found, expected in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(found, expected)


def test_steps_that_overflow_are_left_out_until_the_scale_fits() -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120, growth_interval=1000)
    fitter = Fitter(small_network(), CONFIG, Place(), scaler=scaler)
    before = fitter.network.state_dict()["0.weight"].clone()
    steps_of(fitter, 0, 1, scale=2.0**20)
    assert torch.equal(fitter.network.state_dict()["0.weight"], before)
    assert scaler.get_scale() == 2.0**119
    with pytest.raises(TrainingError, match="diverged at step 0"):
        steps_of(Fitter(small_network(), CONFIG, Place()), 0, 1, scale=math.inf)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Place().require("fp16"), r"fp16 cannot be trained on a CPU.*--precision bf16"),
        (lambda: device_named("gpu"), "no processor 'gpu'.*auto, cpu or cuda"),
    ],
)
def test_what_a_processor_cannot_do_is_said(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){message}"):
        call()


def test_processor_is_a_gpu_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="no GPU here"):
        device_named("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device_named("auto") == device_named("cuda") == torch.device("cuda", 3)
    assert device_named("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(UsageError, match=r"Process 4 .* sees 4.*--nproc-per-node 4"):
        device_named("cuda")


def test_a_gpu_that_only_imitates_bf16_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Old GPU")
    with pytest.raises(UsageError, match="Old GPU has no bf16 arithmetic"):
        Place(device=torch.device("cuda", 0)).require("bf16")


def test_half_precision_computes_in_it_and_keeps_weights_in_full() -> None:
    Place().require("bf16")
    network = small_network()
    with Place().autocast("bf16"):
        assert network(torch.randn(2, 3, 4, 4)).dtype == torch.bfloat16
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
