"""How training moves: the learning rate over a run, and the average of its weights.

In come settings and a network, out go a rate for each moment and a state to evaluate, with the
statistics that belong to it. A room because all this is arithmetic that a reader can redo by hand,
and the loop is easier to read without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from watchword.config import TrainSettings


def learning_rate(settings: TrainSettings, epoch: float) -> float:
    """Return the learning rate at a point of the run.

    A linear rise over the warm-up, then half a cosine down to the final rate.

    Args:
        settings: Section ``train``.
        epoch: Epochs done, fractional within an epoch.

    Source:
        Loshchilov & Hutter 2017 (arXiv 1608.03983), eq. 5, without restarts; Kim et al. 2021
        (arXiv 2106.04140), §4.1, for the warm-up.

    Example:
        >>> settings = TrainSettings(epochs=10, warmup_epochs=2, learning_rate=0.1)
        >>> [round(learning_rate(settings, epoch), 3) for epoch in (0, 1, 2, 6, 10)]
        [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if settings.is_cosine_per_epoch:
        epoch = math.floor(epoch)
    if epoch < settings.warmup_epochs:
        return settings.learning_rate * epoch / settings.warmup_epochs
    span = max(settings.epochs - settings.warmup_epochs, 1e-9)
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, (epoch - settings.warmup_epochs) / span)))
    lowest = settings.final_learning_rate
    return lowest + (settings.learning_rate - lowest) * fall


class Average:
    """An exponential moving average of a network's weights and running statistics.

    Args:
        network: The network to follow.
        decay: What a step keeps of the average, in [0, 1); 0 makes it a copy. Early in training
            less is kept, so that the average is not held back by the random start.

    Source:
        Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; the early
        schedule ``step / (10 + step)`` as in TensorFlow's ``ExponentialMovingAverage``.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.followed: nn.Module | None = None
        self.now: dict[str, Tensor] = {}
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def follow(self, network: nn.Module) -> None:
        """Move a step towards the network's present state.

        Args:
            network: The network.
        """
        self.steps += 1
        keep = min(self.decay, self.steps / (10 + self.steps))
        if self.followed is not network:  # looked up once: its tensors change in place
            self.followed, self.now = network, network.state_dict()
        real = [name for name, value in self.now.items() if value.is_floating_point()]
        kept = [self.state[name] for name in real]
        torch._foreach_lerp_(kept, [self.now[name] for name in real], 1 - keep)  # all in one call
        for name in self.now.keys() - set(real):
            self.state[name].copy_(self.now[name])


@torch.no_grad()
def settle(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the normalisation statistics of a network anew, as a plain mean over batches.

    Averaged statistics are not the statistics of averaged weights, and a product of three
    normalised factors, as a lambda layer is, feels the difference.

    Args:
        network: A network; all of it but its normalisation is in eval mode meanwhile.
        batches: What it hears, each of shape ``(batch, mels, frames)``.

    Source:
        Izmailov et al. 2018 (arXiv 1803.05407), §3: a pass over training data after averaging.
    """
    network.eval()
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            part.reset_running_stats()
            part.momentum = None  # a plain mean over the batches
            part.train()
    for features in batches:
        network(features)
    network.eval()
