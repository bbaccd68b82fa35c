"""Augmentation: more ways to say a word than were recorded, batched, on any device.

In comes a batch of waveforms ``(batch, samples)`` or features ``(batch, mels, frames)``, out goes
the batch changed. It is a room because chance enters training here: every augmentation draws its
random numbers for the whole batch first and then computes without chance, so that a run can be
resumed and several processes agree. The parts: *steps* (what an augmentation is), *timing*,
*stretch*, *level*, *rooms* (waveforms), *masking* (features), *cuts* (what they share).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from watchword.augment.level import (
    BackgroundNoise,
    ClipPercentile,
    Gain,
    Lowpass4k,
    Noise,
    Volume,
)
from watchword.augment.masking import BandGain, Mixup, SpecAugment
from watchword.augment.rooms import Reverb, synthetic_rooms
from watchword.augment.steps import Augmentation, Draws, TensorDraws, as_tensors, take
from watchword.augment.stretch import PitchShift, TimeStretch
from watchword.augment.timing import RandomPlacement, Resample, Shift, ShiftFraction, ZeroSegment

__all__ = [
    "Augment",
    "Augmentation",
    "BackgroundNoise",
    "BandGain",
    "ClipPercentile",
    "Draws",
    "Gain",
    "Lowpass4k",
    "Mixup",
    "Noise",
    "PitchShift",
    "RandomPlacement",
    "Resample",
    "Reverb",
    "Shift",
    "ShiftFraction",
    "SpecAugment",
    "TensorDraws",
    "TimeStretch",
    "Volume",
    "ZeroSegment",
    "as_tensors",
    "synthetic_rooms",
    "take",
]


class Augment:
    """A list of augmentations that are applied one after the other.

    Args:
        steps: The augmentations, first to last.
        limit: Largest absolute value that comes out, as a converter would clip it: 1 for
            waveforms, None for features.

    Example:
        >>> chain = Augment([Shift(probability=0.8), Gain()])
        >>> draws = chain.draw(np.random.default_rng(0), batch=4)
        >>> sorted(draws)
        ['0.chosen', '0.offset', '1.chosen', '1.gain_db']
    """

    def __init__(self, steps: Sequence[Augmentation], *, limit: float | None = 1.0) -> None:
        self.steps = tuple(steps)
        self.limit = limit

    def draw(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return all random numbers of a batch, named ``<place in the list>.<name>``."""
        return {
            f"{place}.{name}": values
            for place, step in enumerate(self.steps)
            for name, values in step.draw(rng, batch).items()
        }

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the batch after every step; the input is left as it is.

        Args:
            x: Waveforms ``(batch, samples)`` or features ``(batch, mels, frames)``.
            draws: What :meth:`draw` returned, as tensors on the device of ``x``.

        Returns:
            The changed batch.
        """
        for place, step in enumerate(self.steps):
            start = f"{place}."
            own = {k.removeprefix(start): v for k, v in draws.items() if k.startswith(start)}
            x = step.apply(x, own)
        return x if self.limit is None or not self.steps else x.clamp(-self.limit, self.limit)
