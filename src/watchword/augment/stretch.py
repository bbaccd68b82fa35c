"""Tempo without pitch and pitch without tempo: waveform ``(batch, samples)`` to waveform.

In comes a batch of clips and its draws, out go clips of the same length that are said quicker or
slower, higher or lower. It is a room because both are one phase vocoder, the only calculation here
that needs an explanation of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from watchword.augment.cuts import fast_lengths, fitted, resampled_back
from watchword.augment.steps import Draws, EachClip, TensorDraws, check_span, uniform
from watchword.units import Samples

FFT_SAMPLES = 512
HOP_SAMPLES = 128
PART_CLIPS = 4
"""Clips that are stretched at a time on a CPU, so that their spectrograms stay in its cache."""

RUN = 16
"""Frames whose phases are summed up before the runs are joined."""

TINY = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeStretch(EachClip):
    """Says a clip faster or slower at the same pitch.

    What gets longer than the clip keeps the stretch of highest energy; what gets shorter is
    surrounded by zeros.

    Attributes:
        speed: Lowest and highest speed; 1 leaves the tempo as it is.

    Raises:
        ConfigError: If the range runs backwards or is not positive.

    Source:
        Settings published with arXiv 2104.08086: 0.75 to 1.25.
    """

    speed: tuple[float, float] = (0.75, 1.25)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span("TimeStretch's speed", self.speed, above=0)

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``speed`` of each clip."""
        return {"speed": uniform(rng, self.speed, batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips at their tempo."""
        samples = x.shape[1]
        lengths = (samples / draws["speed"]).round().long()
        longest = math.ceil(samples / self.speed[0])
        return fitted(stretched(x, lengths, longest), lengths, samples)


@dataclass(frozen=True, kw_only=True, eq=False)
class PitchShift(EachClip):
    """Says a clip higher or lower at the same tempo: stretched, then resampled to its old length.

    Pitches come from at most 16 steps, so that the batch needs at most 16 transforms of its own.

    Attributes:
        semitones: Lowest and highest move; 12 doubles every frequency.

    Raises:
        ConfigError: If the range runs backwards.

    Source:
        Settings published with arXiv 2104.08086: ±4 semitones.
    """

    semitones: tuple[float, float] = (-4.0, 4.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span("PitchShift's semitones", self.semitones)

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``place`` among the pitches there are, from 0 to below 1."""
        return {"place": rng.random(batch)}

    def lengths(self, samples: Samples) -> tuple[Samples, ...]:
        """Return the lengths a clip is stretched to; ``length / samples`` is the pitch's factor."""
        low, high = (samples * 2.0 ** (move / 12.0) for move in self.semitones)
        return fast_lengths(round(low), round(high))

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips at their pitch."""
        choices = self.lengths(x.shape[1])
        places = (draws["place"] * len(choices)).long()
        lengths = torch.tensor(choices, device=x.device)[places]
        return resampled_back(stretched(x, lengths, max(choices)), lengths, x.shape[1])


def stretched(x: Tensor, lengths: Tensor, longest: Samples) -> Tensor:
    """Return each clip at a length of its own and its old pitch.

    A phase vocoder: the spectrogram is read at another pace. Magnitudes are interpolated between
    two frames, and each bin's phase advances from output frame to output frame as it did between
    the two frames that are being read. Phases are kept as complex numbers of length one and summed
    up by multiplication, which needs neither angles nor unwrapping.

    Args:
        x: Waveforms, shape ``(batch, samples)``.
        lengths: New length of each, int64, shape ``(batch,)``, at most ``longest``.
        longest: Longest length there is.

    Returns:
        Waveforms with zeros behind their end, shape ``(batch, longest)``.

    Source:
        Flanagan & Golden (1966), "Phase vocoder"; Laroche & Dolson (1999), section 2.
    """
    size = PART_CLIPS if x.device.type == "cpu" else max(1, x.shape[0])
    parts = zip(torch.split(x, size), torch.split(lengths, size), strict=True)
    return torch.cat([_vocoded(part, ends, longest) for part, ends in parts])


def _vocoded(x: Tensor, lengths: Tensor, longest: Samples) -> Tensor:
    """Return some clips stretched, see :func:`stretched`."""
    window = torch.hann_window(FFT_SAMPLES, device=x.device)
    half = FFT_SAMPLES // 2
    padded = functional.pad(x, (half, half + 2 * HOP_SAMPLES))  # two frames of silence to end on
    spectra = torch.fft.rfft(padded.unfold(1, FFT_SAMPLES, HOP_SAMPLES) * window)
    pace = (x.shape[1] / lengths)[:, None]
    count = RUN * math.ceil((2 + longest // HOP_SAMPLES) / RUN)
    reads = pace * torch.arange(count, device=x.device)  # in input frames
    read = _read(spectra, reads.clamp_max(spectra.shape[1] - 2))
    frames = torch.fft.irfft(read, n=FFT_SAMPLES) * window  # (batch, frames, fft)
    weights = _overlapped(window.square().expand(1, frames.shape[1], -1))
    sound = (_overlapped(frames) / weights.clamp_min(TINY))[:, half : half + longest]
    return sound.masked_fill(torch.arange(longest, device=x.device) >= lengths[:, None], 0.0)


def _overlapped(frames: Tensor) -> Tensor:
    """Return the sum of frames laid one hop apart, ``(batch, samples)``."""
    batch, count, length = frames.shape
    hops = length // HOP_SAMPLES
    sound = frames.new_zeros(batch, count + hops - 1, HOP_SAMPLES)
    for hop in range(hops):
        part = frames[:, :, hop * HOP_SAMPLES : (hop + 1) * HOP_SAMPLES]
        sound[:, hop : hop + count] += part
    return sound.reshape(batch, -1)


def _read(spectra: Tensor, reads: Tensor) -> Tensor:
    """Return spectra at fractional frames ``(batch, reads)`` with phases that go on evenly."""
    spectra = spectra + TINY  # so that silence has a phase as well
    power = spectra.real.square() + spectra.imag.square()
    scale = power.clamp_min(TINY**2).rsqrt()
    magnitudes = power * scale
    phases = spectra * scale  # complex numbers of length one
    before = reads.long()
    share = (reads - before)[:, :, None]
    read = torch.lerp(_taken(magnitudes, before), _taken(magnitudes, before + 1), share)
    advances = phases[:, 1:] * phases[:, :-1].conj()
    steps = torch.cat([phases[:, :1], _taken(advances, before[:, :-1])], dim=1)
    return _running_product(steps) * read


def _taken(frames: Tensor, index: Tensor) -> Tensor:
    """Return some frames of each clip, ``(batch, index, bins)``."""
    batch, count, bins = frames.shape
    rows = index + count * torch.arange(batch, device=index.device)[:, None]
    return frames.reshape(-1, bins).index_select(0, rows.flatten()).view(batch, -1, bins)


def _running_product(frames: Tensor) -> Tensor:
    """Return the product of all frames so far, in runs: several times faster than cumprod."""
    batch, count, bins = frames.shape
    runs = frames.reshape(batch, -1, RUN, bins)
    for place in range(1, RUN):
        runs[:, :, place] *= runs[:, :, place - 1]
    for run in range(1, count // RUN):
        runs[:, run] *= runs[:, run - 1, -1:]
    return runs.reshape(batch, count, bins)
