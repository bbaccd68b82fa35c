"""What every augmentation is: random numbers drawn first, then a calculation without chance.

In comes a numpy generator and the size of a batch, out go *draws*: all random numbers of that
batch, always equally many of them, whatever their values. In come a batch and its draws, out goes
the changed batch. It is a room because this split is what lets a run be resumed bit for bit, and
lets several processes draw for the whole batch and each apply its own part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from watchword.errors import ConfigError

Draws = dict[str, np.ndarray]
"""Random numbers of a batch by name, each ``(batch, ...)``."""

TensorDraws = dict[str, Tensor]
"""The same on the device of the batch."""

Array = TypeVar("Array", np.ndarray, Tensor)


def take(draws: dict[str, Array], part: slice | Array) -> dict[str, Array]:
    """Return the draws of some clips of the batch, such as one process's share.

    Args:
        draws: Random numbers of a batch, each ``(batch, ...)``.
        part: A slice of the batch, or an array of rows.

    Returns:
        The same names, each ``(clips, ...)``.

    Example:
        >>> take({"offset": np.arange(4)}, slice(1, 3))
        {'offset': array([1, 2])}
    """
    return {name: values[part] for name, values in draws.items()}


def as_tensors(draws: Draws, device: torch.device | str = "cpu") -> TensorDraws:
    """Return draws as tensors on a device."""
    return {name: torch.from_numpy(values).to(device) for name, values in draws.items()}


def uniform(rng: np.random.Generator, span: tuple[float, float], batch: int) -> np.ndarray:
    """Return one number of a range for each clip, ``(batch,)``, float32."""
    return rng.uniform(span[0], span[1], batch).astype(np.float32)


def check_span(name: str, span: tuple[float, float], *, above: float | None = None) -> None:
    """Refuse a range that runs backwards or begins too low.

    Args:
        name: What the range is called in the message.
        span: Lowest and highest value.
        above: A value that the lowest must exceed.

    Raises:
        ConfigError: If the range is not ``low <= high`` or does not lie above ``above``.
    """
    low, high = span
    if not low <= high or (above is not None and low <= above):
        bound = "" if above is None else f" above {above:g}"
        raise ConfigError(
            f"{name} runs from {low:g} to {high:g}; needed is a range from low to high{bound}: "
            "put the smaller number first"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Augmentation(ABC):
    """One change of a batch, applied to each clip with its own probability.

    A kind of augmentation says which numbers it needs (``numbers``) and what it does to a batch
    (``apply``).

    Attributes:
        probability: Chance of each clip to be changed, from 0 to 1.

    Raises:
        ConfigError: If the probability is not from 0 to 1.
    """

    probability: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 <= self.probability <= 1:
            raise ConfigError(
                f"{type(self).__name__} has a probability of {self.probability:g}; needed is a "
                "number from 0 to 1: change it, or leave the augmentation out"
            )

    def draw(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return all random numbers of a batch, ``chosen`` among them.

        Args:
            rng: Source of chance; which clips are chosen does not change how far it is advanced.
            batch: How many clips.

        Returns:
            Names and arrays, each ``(batch, ...)``.
        """
        chosen = rng.random(batch) < self.probability
        return {"chosen": chosen, **self.numbers(rng, batch)}

    @abstractmethod
    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return the random numbers this kind needs, for every clip, chosen or not."""

    @abstractmethod
    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the batch with the chosen clips changed; the input is left as it is.

        Args:
            x: Waveforms ``(batch, samples)`` or features ``(batch, mels, frames)``.
            draws: What :meth:`draw` returned, as tensors on the device of ``x``.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class EachClip(Augmentation):
    """A kind that says what it does to chosen clips (``change``); others stay as they are."""

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the batch with the chosen clips changed; the input is left as it is.

        Args:
            x: Waveforms ``(batch, samples)`` or features ``(batch, mels, frames)``.
            draws: What :meth:`draw` returned, as tensors on the device of ``x``.

        Returns:
            A batch of the same shape.
        """
        rows = draws["chosen"].nonzero().squeeze(1)
        if rows.shape[0] == 0:
            return x
        if rows.shape[0] == x.shape[0]:
            return self.change(x, draws)
        return x.index_copy(0, rows, self.change(x[rows], take(draws, rows)))

    @abstractmethod
    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return every clip of ``x`` changed, never in place."""
