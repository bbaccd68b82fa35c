"""Rooms: reverberation by impulse responses, and rooms that nobody has measured.

In comes a batch of clips and its draws, out go the same clips as heard in a room. It is a room
because measured and synthetic impulse responses must be prepared in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from watchword.augment.cuts import fast_lengths
from watchword.augment.level import SILENCE_POWER
from watchword.augment.steps import Draws, EachClip, TensorDraws
from watchword.errors import DataError
from watchword.units import SAMPLE_RATE_HZ, Samples, Seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class Reverb(EachClip):
    """Convolves a clip with the impulse response of a random room.

    The direct path (the largest value of a response) is moved to its first sample, so the word
    does not move; what lies before it is dropped. The energy of the clip is kept, what rings on
    after its end is cut.

    Attributes:
        rooms: Impulse responses, shape ``(rooms, samples)``, zeros behind shorter ones; best kept
            on the device of the batches.

    Raises:
        DataError: If there is no room, or one is silent.
    """

    rooms: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what is no room, and align the others."""
        super().__post_init__()
        if self.rooms.ndim != 2 or 0 in self.rooms.shape or bool((self.rooms == 0).all(1).any()):
            raise DataError(
                f"impulse responses of shape {tuple(self.rooms.shape)} came in, or one is silent; "
                "needed is (rooms, samples) with a sound in each: leave the empty ones out"
            )
        object.__setattr__(self, "rooms", aligned(self.rooms))  # frozen for everybody else

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return the index of each clip's ``room``."""
        return {"room": rng.integers(self.rooms.shape[0], size=batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips in their rooms."""
        samples = x.shape[1]
        needed = samples + self.rooms.shape[1] - 1  # shorter, and the tail would wrap around
        length = fast_lengths(needed, 2 * needed)[0]
        responses = self.rooms.to(x.device)[draws["room"]]
        product = torch.fft.rfft(x, n=length) * torch.fft.rfft(responses, n=length)
        wet: Tensor = torch.fft.irfft(product, n=length)[:, :samples]
        before, after = x.square().sum(dim=1), wet.square().sum(dim=1)
        return wet * (before / after.clamp_min(SILENCE_POWER)).sqrt()[:, None]


def aligned(rooms: Tensor) -> Tensor:
    """Return responses that begin with their largest value, same shape, zeros behind."""
    samples = rooms.shape[1]
    index = rooms.abs().argmax(dim=1, keepdim=True) + torch.arange(samples, device=rooms.device)
    return rooms.gather(1, index.clamp_max(samples - 1)).masked_fill(index >= samples, 0.0)


def synthetic_rooms(
    count: int,
    seed: int,
    *,
    samples: Samples = 6_400,
    decay_s: tuple[Seconds, Seconds] = (0.15, 0.7),
    direct_db: tuple[float, float] = (-2.0, 12.0),
) -> Tensor:
    """Return impulse responses of rooms that do not exist.

    A direct path, then, after a gap of 1 to 5 ms, Gaussian noise that decays exponentially. High
    frequencies die earlier than low ones, as walls and air have it.

    Args:
        count: How many rooms.
        seed: Where the random numbers begin; equal seeds give equal rooms.
        samples: Length of each response.
        decay_s: Shortest and longest reverberation time (-60 dB).
        direct_db: Lowest and highest ratio of direct to reverberant energy.

    Returns:
        Responses, shape ``(count, samples)``, float32; the direct path has the value 1.

    Source:
        Polack (1988), the exponentially decaying noise model; Habets (2007), section 2.5.

    Example:
        >>> synthetic_rooms(3, seed=0).shape
        torch.Size([3, 6400])
    """
    rng = np.random.default_rng(seed)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    decay = rng.uniform(*decay_s, (count, 1))
    noise = rng.standard_normal((count, samples))
    dull = 0.5 * (noise + np.roll(noise, 1, axis=1))  # a zero at half the sample rate
    reach = np.exp(-6.9 * time_s / (0.5 * decay))
    tail = (reach * noise + (1 - reach) * dull) * np.exp(-6.9 * time_s / decay)
    gap = rng.uniform(0.001, 0.005, (count, 1))
    tail[time_s < gap] = 0.0
    energy = 10.0 ** (-rng.uniform(*direct_db, (count, 1)) / 10.0)
    tail *= np.sqrt(energy / np.square(tail).sum(axis=1, keepdims=True))
    tail = np.clip(tail, -0.99, 0.99)  # the direct path stays the largest
    tail[:, 0] = 1.0
    return torch.from_numpy(tail.astype(np.float32))
