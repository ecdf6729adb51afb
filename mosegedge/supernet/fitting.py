"""One optimiser step after the other, whatever network is trained: precision, clipping, moving average, exact state."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import SGD

from mosegedge.errors import TrainingError
from mosegedge.supernet.place import Place
from mosegedge.supernet.schedule import FitConfig, learning_rate

_MOMENTUM, _AVERAGE, _SCALER = "momentum.", "average.", "scaler."
_SMALLEST_SCALE = 1.0  # a loss that overflows fp16 at this scale will not recover


class Fitter:
    """The optimiser of one network with all that it remembers.

    A step is `begin`, `backward` once for each loss, and `finish`.

    Args:
        network: What is trained, in the memory of the place.
        config: How.
        place: Where, and beside which other processes.
        scaler: Scales the losses of fp16; None in other formats.

    Attributes:
        average: The moving average of parameters and buffers by name; empty without one.
    """

    def __init__(
        self,
        network: nn.Module,
        config: FitConfig,
        place: Place,
        *,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.network, self.config, self.place = network, config, place
        self.optimizer = _fused_sgd(network, config)
        self.average = {name: tensor.clone() for name, tensor in network.state_dict().items()} if config.ema else {}
        self.scaler = scaler or (torch.amp.GradScaler("cuda") if config.precision == "fp16" else None)

    def begin(self, step: int) -> None:
        """Forgets gradients and sets the learning rate of a step."""
        self.optimizer.zero_grad()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of one loss."""
        (self.scaler.scale(loss) if self.scaler else loss).backward()  # type: ignore[no-untyped-call]

    def finish(self, step: int) -> None:
        """Changes the weights.

        Raises:
            TrainingError: The gradients are not finite.
        """
        self.place.ranks.average_gradients(self.network.parameters())
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        self._clip(step)
        _lay_out_gradients(self.network.parameters())
        if self.scaler:
            # Leaves a step out whose gradients overflowed, and tries the next one with a smaller scale.
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self._follow(step)

    def companions(self) -> list[dict[str, Tensor]]:
        """What belongs to the parameters by their names: momenta, and the moving average where there is one."""
        return [self._momenta(), self.average]

    def adopt_average(self) -> None:
        """Puts the moving average, where there is one, in the place of the weights."""
        if self.average:
            self.network.load_state_dict(self.average)

    def state(self) -> dict[str, Tensor]:
        """All tensors that going on needs, the network's own among them."""
        tensors = dict(self.network.state_dict())
        tensors |= {_MOMENTUM + name: tensor for name, tensor in self._momenta().items()}
        tensors |= {_AVERAGE + name: tensor for name, tensor in self.average.items()}
        if self.scaler:
            known = self.scaler.state_dict()
            tensors[f"{_SCALER}scale"] = torch.tensor(known["scale"], dtype=torch.float64)
            tensors[f"{_SCALER}tracker"] = torch.tensor(known["_growth_tracker"])
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Takes back what `state` gave; returns the network's own tensors, which the caller checks and loads."""
        for name, parameter in self.network.named_parameters():
            if _MOMENTUM + name in tensors:
                # Into the buffer that is there: it lies in memory as its parameter does, as the optimiser needs it.
                self.optimizer.state[parameter]["momentum_buffer"].copy_(tensors[_MOMENTUM + name])
        for name in self.average:
            self.average[name] = self.place.put(tensors[_AVERAGE + name])
        if self.scaler:
            scale, tracker = tensors[f"{_SCALER}scale"], tensors[f"{_SCALER}tracker"]
            known = {"scale": float(scale), "_growth_tracker": int(tracker)}
            self.scaler.load_state_dict(self.scaler.state_dict() | known)
        return {n: t for n, t in tensors.items() if not n.startswith((_MOMENTUM, _AVERAGE, _SCALER))}

    def _momenta(self) -> dict[str, Tensor]:
        state = self.optimizer.state
        return {
            name: state[parameter]["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
            if state[parameter].get("momentum_buffer") is not None
        }

    def _follow(self, step: int) -> None:
        """Moves the average; at first faster, as random weights are no part of a good one."""
        share = 1 - min(self.config.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in self.network.state_dict().items() if self.average else ():
                if tensor.is_floating_point():
                    self.average[name].lerp_(tensor, share)
                else:
                    self.average[name].copy_(tensor)

    def _clip(self, step: int) -> None:
        """Shrinks gradients to the norm that is allowed; those that need not shrink are not touched."""
        gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._check(norm, step)
        bound = self.config.gradient_norm
        if bound and norm > bound:
            torch.nn.utils.clip_grads_with_norm_(self.network.parameters(), bound, norm)

    def _check(self, norm: Tensor, step: int) -> None:
        if norm.isfinite() or (self.scaler and self.scaler.get_scale() >= _SMALLEST_SCALE):
            return
        raise TrainingError(
            f"The training diverged at step {step}: the norm of the gradients is {norm.item()}.",
            known=f"The learning rate there is {learning_rate(self.config, step):.4g}.",
            fix="Start again with a smaller --learning-rate and another --output.",
        )


def _fused_sgd(network: nn.Module, config: FitConfig) -> SGD:
    """One pass over the memory of weights, gradients and momenta, where PyTorch's default makes four.

    Momenta are there from the start, as zeros: that is what the first step makes of none.
    """
    optimizer = SGD(_parameter_groups(network, config), lr=config.learning_rate, momentum=config.momentum, fused=True)
    if config.momentum:
        for parameter in network.parameters():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def _lay_out_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Brings gradients into the memory layout of their weights: fused steps on a CPU go by memory, not by index."""
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None and not _lie_alike(gradient, parameter):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)


def _lie_alike(one: Tensor, other: Tensor) -> bool:
    steps = zip(one.shape, one.stride(), other.stride(), strict=True)
    return all(size == 1 or first == second for size, first, second in steps)


def _parameter_groups(network: nn.Module, config: FitConfig) -> list[dict[str, object]]:
    """Decay is for kernels alone; it would pull norms and biases to zero."""
    kernels = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in network.parameters() if parameter.dim() <= 1]
    return [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
