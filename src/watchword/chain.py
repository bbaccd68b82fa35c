"""What is done to the clips of a training batch, from waveform to features.

In come settings and the noise of the training split, out goes a ``Chain`` that draws random numbers
for a whole batch and applies them to a part of it. A room because the order of augmentations, and
what each word of the section ``augment`` means, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from watchword import augment
from watchword.config import AugmentSettings, Mask
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ

INT16_SCALE = 32_768.0


def to_waveforms(audio: np.ndarray, device: torch.device) -> Tensor:
    """Return int16 audio as waveforms on a device, float32 in [-1, 1), of the same shape.

    Args:
        audio: Int16 samples.
        device: Where to.
    """
    return torch.from_numpy(np.ascontiguousarray(audio)).to(device).float().div_(INT16_SCALE)


class Chain:
    """What is done to the clips of a batch, from waveform to features.

    Random numbers are drawn for a whole batch, and applied to the part that a process learns from.

    Args:
        waveform: Steps ``(batch, samples)`` to the same, in order.
        features: Steps ``(batch, mels, frames)`` to the same, in order.
        mixup: Mixes pairs of clips and their classes, or nothing.
        device: Where batches live.
    """

    def __init__(
        self,
        waveform: augment.Augment,
        features: augment.Augment,
        mixup: augment.Mixup | None,
        device: torch.device,
    ) -> None:
        self.waveform, self.features, self.mixup, self.device = waveform, features, mixup, device

    def draw(self, rng: np.random.Generator, batch: int) -> list[dict[str, np.ndarray]]:
        """Return the random numbers of a batch.

        Args:
            rng: Where they come from.
            batch: Clips in it.
        """
        mixes = [self.mixup.draw(rng, batch)] if self.mixup else []
        return [self.waveform.draw(rng, batch), self.features.draw(rng, batch), *mixes]

    def on_waveforms(
        self, x: Tensor, draws: Sequence[dict[str, np.ndarray]], part: slice
    ) -> Tensor:
        """Return augmented waveforms ``(clips, samples)``.

        Args:
            x: The part's waveforms.
            draws: The batch's random numbers.
            part: The part.
        """
        return self.waveform.apply(x, self._of(draws[0], part))

    def on_features(
        self, x: Tensor, targets: Tensor, draws: Sequence[dict[str, np.ndarray]], part: slice
    ) -> tuple[Tensor, Tensor]:
        """Return augmented features ``(clips, mels, frames)`` and targets ``(clips, classes)``.

        Args:
            x: The part's features.
            targets: Their classes, each row with sum 1.
            draws: The batch's random numbers.
            part: The part.
        """
        x = self.features.apply(x, self._of(draws[1], part))
        if self.mixup is None:
            return x, targets
        mixes = self._of(draws[2], part)
        return self.mixup.apply(x, mixes), self.mixup.apply(targets, mixes)

    def _of(self, draws: dict[str, np.ndarray], part: slice) -> dict[str, Tensor]:
        """Return the random numbers of a part, on the device."""
        return augment.as_tensors(augment.take(draws, part), self.device)


def augmentation(
    settings: AugmentSettings, noise: np.ndarray, device: torch.device, *, seed: int
) -> Chain:
    """Return what is done to training clips.

    Args:
        settings: Section ``augment``.
        noise: Background of the training split, int16 ``(samples,)``.
        device: Where batches live.
        seed: Seed of the rooms.
    """
    pool = to_waveforms(noise, device)
    steps: dict[str, Callable[..., augment.Augmentation]] = {
        "resample": lambda s, **p: augment.Resample(speed=(1 - s.fraction, 1 + s.fraction), **p),
        "time_stretch": lambda s, **p: augment.TimeStretch(speed=(s.slowest, s.fastest), **p),
        "pitch_shift": lambda s, **p: augment.PitchShift(
            semitones=(-s.semitones, s.semitones), **p
        ),
        "shift": lambda s, **p: augment.Shift(limit_samples=_samples(s.milliseconds), **p),
        "shift_fraction": lambda s, **p: augment.ShiftFraction(limit=s.fraction, **p),
        "random_placement": lambda s, **p: augment.RandomPlacement(samples=CLIP_SAMPLES, **p),
        "zero_segment": lambda s, **p: augment.ZeroSegment(
            segment_samples=_samples(s.milliseconds), **p
        ),
        "reverb": lambda s, **p: augment.Reverb(
            rooms=augment.synthetic_rooms(s.rooms, seed).to(device), **p
        ),
        "volume": lambda s, **p: augment.Volume(gain_db=(-s.decibels, s.decibels), **p),
        "clip_percentile": lambda s, **p: augment.ClipPercentile(
            percent=(s.lowest, s.highest), **p
        ),
        "noise": lambda s, **p: augment.Noise(pool=pool, snr_db=(s.lowest_db, s.highest_db), **p),
        "gain": lambda s, **p: augment.Gain(gain_db=(s.lowest_db, s.highest_db), **p),
        "lowpass": lambda s, **p: augment.Lowpass4k(**p),
    }
    made = [
        make(section, probability=section.probability)
        for name, make in steps.items()
        if (section := getattr(settings, name)) is not None
    ]
    on_bands = settings.band_gain
    gains = [augment.BandGain(**on_bands.model_dump())] if on_bands else []
    masks = [_mask(settings.mask)] if settings.mask else []
    mix = settings.mixup
    mixup = augment.Mixup(probability=mix.probability, alpha=mix.alpha) if mix else None
    return Chain(
        augment.Augment(made), augment.Augment([*gains, *masks], limit=None), mixup, device
    )


def _mask(settings: Mask) -> augment.SpecAugment:
    """Return what covers stretches of frames and of bands."""
    return augment.SpecAugment(
        probability=settings.probability,
        time_masks=settings.time_masks,
        max_frames=settings.frames,
        band_masks=settings.frequency_masks,
        max_bands=settings.bands,
    )


def _samples(milliseconds: float) -> int:
    """Return a length in samples."""
    return round(milliseconds * SAMPLE_RATE_HZ / 1000)
