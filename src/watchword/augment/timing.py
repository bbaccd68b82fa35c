"""Changes of when a word is said, and how fast: waveform ``(batch, samples)`` to waveform.

In comes a batch of clips and its draws, out go clips of the same length in which the word lies
elsewhere or is quicker or slower. It is a room because all of these may cut a word, and the care
not to do so is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from watchword.augment.cuts import cut, fast_lengths, fitted_alike, resampled, shifted
from watchword.augment.steps import Augmentation, Draws, EachClip, TensorDraws, check_span
from watchword.errors import ConfigError
from watchword.units import CLIP_SAMPLES, Samples


@dataclass(frozen=True, kw_only=True, eq=False)
class Shift(EachClip):
    """Moves a clip earlier or later; zeros enter at the other end.

    Attributes:
        limit_samples: Furthest move in either direction: 1,600 is 100 ms.

    Raises:
        ConfigError: If the limit is negative.

    Source:
        Sainath & Parada (2015), "Convolutional neural networks for small-footprint keyword
        spotting"; ±100 ms as in Kim et al. (2021), arXiv 2106.04140.
    """

    limit_samples: Samples = 1_600

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if self.limit_samples < 0:
            raise ConfigError(
                f"Shift has a limit of {self.limit_samples} samples; needed is 0 or more: "
                "give the furthest move, which holds in both directions"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``offset`` in samples, positive is later."""
        return {"offset": rng.integers(-self.limit_samples, self.limit_samples + 1, batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips moved."""
        return shifted(x, draws["offset"], self.limit_samples)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShiftFraction(EachClip):
    """Moves a clip by a fraction of its length; zeros enter at the other end.

    Attributes:
        limit: Furthest move in either direction, as a fraction of the clip, below 1.

    Raises:
        ConfigError: If the limit is not from 0 to 1.

    Source:
        Settings published with arXiv 2104.08086: ±20 %.
    """

    limit: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if not 0 <= self.limit < 1:
            raise ConfigError(
                f"ShiftFraction has a limit of {self.limit:g}; needed is a fraction of the clip "
                "from 0 to below 1: for samples use Shift"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``fraction`` of the clip, positive is later."""
        return {"fraction": rng.uniform(-self.limit, self.limit, batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips moved."""
        samples = x.shape[1]
        limit = round(self.limit * samples)
        offsets = (draws["fraction"] * samples).round().long().clamp(-limit, limit)
        return shifted(x, offsets, limit)


@dataclass(frozen=True, kw_only=True, eq=False)
class Resample(EachClip):
    """Plays a clip faster or slower, pitch and all, without cutting the word.

    A slower clip is longer than there is room: the stretch of highest energy is kept. A faster one
    is shorter: zeros surround it, and the centre of its energy keeps its relative place. Speeds
    come from at most 16 steps, so that clips of one speed are resampled together.

    Attributes:
        speed: Lowest and highest speed; 1 leaves the clip as it is.

    Raises:
        ConfigError: If the range runs backwards or is not positive.

    Source:
        Rybakov et al. (2020), arXiv 2005.06720: ±15 %.
    """

    speed: tuple[float, float] = (0.85, 1.15)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span("Resample's speed", self.speed, above=0)

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``place`` among the lengths there are, from 0 to below 1."""
        return {"place": rng.random(batch)}

    def lengths(self, samples: Samples) -> tuple[Samples, ...]:
        """Return the lengths that a clip of so many samples may get."""
        slowest, fastest = self.speed
        return fast_lengths(round(samples / fastest), round(samples / slowest))

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips resampled."""
        choices = self.lengths(x.shape[1])
        places = (draws["place"] * len(choices)).long()
        changed = torch.empty_like(x)
        for place in sorted(set(places.tolist())):
            rows = (places == place).nonzero().squeeze(1)
            changed[rows] = fitted_alike(resampled(x[rows], choices[place]), x.shape[1])
        return changed


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomPlacement(Augmentation):
    """Puts a clip at a random place of a second; a longer one is cut at a random place.

    Zeros at the end of a clip, with which a shorter recording was padded, count as free room. A
    clip that is not chosen keeps its beginning at the beginning.

    Attributes:
        samples: Length of what comes out.

    Source:
        Settings published with arXiv 2104.08086.
    """

    samples: Samples = CLIP_SAMPLES

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``place`` within the free room, from 0 to below 1."""
        return {"place": rng.random(batch)}

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return clips of ``samples`` samples, each at its place."""
        length = x.shape[1]
        place = torch.where(draws["chosen"], draws["place"], 0.0)
        is_sound = x != 0
        ends = torch.where(is_sound.any(1), length - is_sound.flip(1).int().argmax(1), length)
        room = self.samples - torch.where(ends > self.samples, length, ends)
        before = torch.where(room >= 0, place * (room + 1), place * (room - 1)).long()
        padded = torch.nn.functional.pad(x, (self.samples, self.samples))
        return cut(padded, self.samples - before, self.samples)


@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroSegment(EachClip):
    """Silences a stretch of each clip at a random place.

    Attributes:
        segment_samples: How long the silence is: 1,600 is 100 ms.

    Source:
        Settings published with arXiv 2104.08086: 100 ms.
    """

    segment_samples: Samples = 1_600

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``place`` among the possible starts, from 0 to below 1."""
        return {"place": rng.random(batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips with a silence each."""
        starts = draws["place"] * max(1, x.shape[1] - self.segment_samples + 1)
        behind = torch.arange(x.shape[1], device=x.device) - starts.long()[:, None]
        return x.masked_fill((behind >= 0) & (behind < self.segment_samples), 0.0)
