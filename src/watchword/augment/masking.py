"""Changes of features, and mixtures of clips: ``(batch, mels, frames)`` to the same.

In comes a batch of features and its draws, out go features with gaps, or two clips in one. It is a
room because these are done after the front end, where the others are done before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from watchword.augment.steps import Augmentation, Draws, EachClip, TensorDraws
from watchword.errors import ConfigError
from watchword.units import Frames


@dataclass(frozen=True, kw_only=True, eq=False)
class SpecAugment(EachClip):
    """Masks stretches of time and groups of bands.

    Each mask has a width drawn evenly from 0 to its maximum, both included, and lies anywhere.

    Attributes:
        time_masks: How many masks of frames.
        max_frames: Widest of them.
        band_masks: How many masks of bands.
        max_bands: Widest of them.
        value: What stands in the gaps; None for the mean of the clip.

    Raises:
        ConfigError: If a count or a width is negative.

    Source:
        Park et al. (2019), arXiv 1904.08779, without time warping; 2 × 25 frames and 2 × 7 bands
        as in Rybakov et al. (2020), arXiv 2005.06720.
    """

    time_masks: int = 2
    max_frames: Frames = 25
    band_masks: int = 2
    max_bands: int = 7
    value: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        numbers = (self.time_masks, self.max_frames, self.band_masks, self.max_bands)
        if min(numbers) < 0:
            raise ConfigError(
                f"SpecAugment has masks and widths of {numbers}; needed are counts of 0 or more: "
                "0 masks leave that axis alone"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return widths and places (0 to below 1) of the masks, each ``(batch, masks)``."""
        times, bands = (batch, self.time_masks), (batch, self.band_masks)
        return {
            "frames": rng.integers(self.max_frames + 1, size=times),
            "frame_place": rng.random(times),
            "bands": rng.integers(self.max_bands + 1, size=bands),
            "band_place": rng.random(bands),
        }

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the features with gaps."""
        is_band = covered(draws["bands"], draws["band_place"], x.shape[1])
        is_time = covered(draws["frames"], draws["frame_place"], x.shape[2])
        gaps = is_band[:, :, None] | is_time[:, None, :]
        if self.value is not None:
            return x.masked_fill(gaps, self.value)
        return torch.where(gaps, x.mean(dim=(1, 2), keepdim=True), x)


@dataclass(frozen=True, kw_only=True, eq=False)
class BandGain(EachClip):
    """Makes some bands louder and others softer, smoothly: another microphone, another room.

    Offsets are drawn at knots spread evenly over the bands, and joined by straight lines.

    Attributes:
        knots: How many offsets are drawn, at least 2.
        spread: Largest offset, in units of the features: deviations of a band where the front end
            normalises, else nepers of energy.

    Raises:
        ConfigError: If there are fewer than two knots, or the spread is not positive.

    Source:
        Nam et al. (2022), FilterAugment, arXiv 2110.03282, its linear form with fixed boundaries.
    """

    knots: int = 4
    spread: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if self.knots < 2 or self.spread <= 0:
            raise ConfigError(
                f"BandGain has {self.knots} knots and a spread of {self.spread:g}; needed are at "
                "least 2 knots and a spread above 0: to change nothing, leave it out"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return the offsets at the knots, ``(batch, knots)``."""
        drawn = rng.uniform(-self.spread, self.spread, (batch, self.knots))
        return {"offsets": drawn.astype(np.float32)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the features with the offsets added."""
        offsets = draws["offsets"].unsqueeze(1)  # (batch, 1, knots)
        lines = functional.interpolate(offsets, x.shape[1], mode="linear", align_corners=True)
        return x + lines.transpose(1, 2).to(x.dtype)


def covered(widths: Tensor, places: Tensor, length: int) -> Tensor:
    """Return which positions of an axis lie under a mask.

    Args:
        widths: Width of each mask, int64, shape ``(batch, masks)``.
        places: Where each lies within the room it has, from 0 to below 1, same shape.
        length: Length of the axis.

    Returns:
        Truth values, shape ``(batch, length)``.
    """
    widths = widths.clamp_max(length)
    starts = (places * (length - widths + 1)).long()
    behind = torch.arange(length, device=widths.device) - starts[:, :, None]
    return ((behind >= 0) & (behind < widths[:, :, None])).any(dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixup(Augmentation):
    """Mixes each clip with its neighbour in the batch, and its targets alike.

    Clips 0 and 1, 2 and 3, … are partners, so a process that holds a slice of even length of the
    batch holds both. This asks for a batch in random order. Apply it with the same draws to the
    features and to the soft targets ``(batch, classes)``.

    Attributes:
        alpha: Both parameters of the Beta distribution that weights are drawn from; small values
            keep most clips nearly as they are.

    Raises:
        ConfigError: If alpha is not positive.

    Source:
        Zhang et al. (2018), arXiv 1710.09412.
    """

    alpha: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if self.alpha <= 0:
            raise ConfigError(
                f"Mixup has an alpha of {self.alpha:g}; needed is a number above 0: "
                "to mix nothing, leave it out"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``weight`` of each clip in its own mixture, from 0 to 1."""
        return {"weight": rng.beta(self.alpha, self.alpha, batch).astype(np.float32)}

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return ``weight * x + (1 - weight) * partner`` of the chosen clips."""
        weight = torch.where(draws["chosen"], draws["weight"], 1.0).to(x.dtype)
        weight = weight.reshape(-1, *[1] * (x.ndim - 1))
        partner = torch.arange(x.shape[0], device=x.device) ^ 1
        return torch.lerp(x[partner.clamp_max(x.shape[0] - 1)], x, weight)
