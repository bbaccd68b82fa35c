"""Sounds with known properties, and an augmentation applied once, for the tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from watchword.augment import Augmentation, as_tensors, synthetic_rooms

SAMPLES = 16_000


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tone(hz: float, samples: int = SAMPLES) -> Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(samples) / 16_000)[None]


def word(start: int, stop: int, hz: float = 500.0) -> Tensor:
    """Return a clip that is silent but for a tone with soft ends."""
    clip = torch.zeros(1, SAMPLES)
    clip[:, start:stop] = tone(hz, stop - start) * torch.hann_window(stop - start)
    return clip


def pitch_hz(waveform: Tensor) -> float:
    """Return the frequency of the strongest partial, to a tenth of a hertz."""
    tapered = waveform * torch.hann_window(waveform.shape[-1])
    return torch.fft.rfft(tapered, n=160_000).abs().argmax().item() / 10


def decibels(ratio: Tensor) -> Tensor:
    return 10 * torch.log10(ratio)


def once(step: Augmentation, x: Tensor, seed: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
    draws = as_tensors(step.draw(np.random.default_rng(seed), x.shape[0]))
    return step.apply(x, draws), draws


POOL = noise(80_000, seed=9)
ROOMS = synthetic_rooms(4, seed=0)
