"""Changes of level, background and bandwidth: waveform ``(batch, samples)`` to waveform.

In comes a batch of clips and its draws, out go the same words, louder or softer, with something
behind them, through a worse microphone. It is a room because none of these moves the word.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from watchword.augment.steps import Draws, EachClip, TensorDraws, check_span, uniform
from watchword.errors import ConfigError, DataError
from watchword.units import SAMPLE_RATE_HZ

SILENCE_POWER = 1e-10
"""Mean square below which a clip counts as digital silence (-100 dB of full scale)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gain(EachClip):
    """Makes a clip louder or softer.

    Attributes:
        gain_db: Lowest and highest gain.

    Raises:
        ConfigError: If the range runs backwards.
    """

    gain_db: tuple[float, float] = (-12.0, 6.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span(f"{type(self).__name__}'s gain_db", self.gain_db)

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``gain_db`` of each clip."""
        return {"gain_db": uniform(rng, self.gain_db, batch)}

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the batch; a gain of 0 dB costs less than taking clips out and putting them back.

        Args:
            x: Waveforms ``(batch, samples)``.
            draws: What :meth:`draw` returned, as tensors.
        """
        gain_db = torch.where(draws["chosen"], draws["gain_db"], 0.0)
        return self.change(x, {**draws, "gain_db": gain_db})

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips with their gain."""
        return x * (10.0 ** (draws["gain_db"] / 20.0))[:, None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume(Gain):
    """The paper's gain, ±5 dB (settings published with arXiv 2104.08086)."""

    gain_db: tuple[float, float] = (-5.0, 5.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Noise(EachClip):
    """Adds a stretch of background recordings at a drawn signal-to-noise ratio.

    The ratio is that of the mean powers over the whole clip, silence around the word included:
    what a reader of the two files can measure. A clip of digital silence has no such ratio; it gets
    the noise at a drawn level instead.

    Attributes:
        pool: Background recordings end to end, shape ``(samples,)``, int16 or float in [-1, 1];
            best kept on the device of the batches.
        snr_db: Lowest and highest ratio.
        level_db: Lowest and highest level of noise on digital silence, in dB of full scale (root
            mean square).

    Raises:
        ConfigError: If a range runs backwards.
        DataError: If the pool is shorter than a clip.
    """

    pool: Tensor = field(repr=False)
    snr_db: tuple[float, float] = (0.0, 15.0)
    level_db: tuple[float, float] = (-60.0, -20.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span("Noise's snr_db", self.snr_db)
        check_span("Noise's level_db", self.level_db)

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``place`` within the pool from 0 to below 1, ``snr_db`` and ``level_db``."""
        return {
            "place": rng.random(batch),
            "snr_db": uniform(rng, self.snr_db, batch),
            "level_db": uniform(rng, self.level_db, batch),
        }

    def apply(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the batch; no noise costs less than taking clips out and putting them back.

        Args:
            x: Waveforms ``(batch, samples)``.
            draws: What :meth:`draw` returned, as tensors.
        """
        snr_db = torch.where(draws["chosen"], draws["snr_db"], torch.inf)
        level_db = torch.where(draws["chosen"], draws["level_db"], -torch.inf)
        return self.change(x, {**draws, "snr_db": snr_db, "level_db": level_db})

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips with noise."""
        noise = self.stretches(draws["place"], x.shape[1])
        power = _power(x)
        wanted = torch.where(
            power > SILENCE_POWER,
            power * 10.0 ** (-draws["snr_db"] / 10.0),
            10.0 ** (draws["level_db"] / 10.0),
        )
        gain = (wanted / _power(noise).clamp_min(SILENCE_POWER)).sqrt()
        return torch.addcmul(x, noise, gain[:, None])

    def stretches(self, places: Tensor, samples: int) -> Tensor:
        """Return a stretch of the pool for each clip, ``(batch, samples)``, float32."""
        if self.pool.shape[0] < samples:
            raise DataError(
                f"the background holds {self.pool.shape[0]} samples and a clip {samples}; needed "
                "is at least a clip's length: add noise recordings or leave the noise out"
            )
        starts = (places * (self.pool.shape[0] - samples + 1)).long()
        noise = self.pool.to(places.device).unfold(0, samples, 1)[starts]
        return noise.float() / 32_768.0 if noise.dtype == torch.int16 else noise.float()


@dataclass(frozen=True, kw_only=True, eq=False)
class BackgroundNoise(Noise):
    """The paper's noise, 0 to 15 dB SNR (settings published with arXiv 2104.08086)."""

    snr_db: tuple[float, float] = (0.0, 15.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lowpass4k(EachClip):
    """Removes everything above 4 kHz, so that bandwidth cannot tell the class.

    Some corpora end at 4 kHz, and with them whole words; a network that hears which corpus a clip
    is from has learned nothing about words.

    Attributes:
        cut_hz: Where nothing is left.
        width_hz: Width of the raised-cosine slope below it.
        sample_rate_hz: Sample rate of the clips.

    Raises:
        ConfigError: If the slope does not lie between 0 and half the sample rate.
    """

    cut_hz: float = 4_000.0
    width_hz: float = 200.0
    sample_rate_hz: int = SAMPLE_RATE_HZ

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        if not 0 < self.width_hz < self.cut_hz <= self.sample_rate_hz / 2:
            raise ConfigError(
                f"Lowpass4k cuts at {self.cut_hz:g} Hz with a slope of {self.width_hz:g} Hz; "
                f"needed is 0 < slope < cut <= {self.sample_rate_hz / 2:g} Hz: change them"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return nothing beyond which clips are chosen."""
        del rng, batch
        return {}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips without what is above the cut."""
        del draws
        samples = x.shape[1]
        kept = int(self.cut_hz * samples / self.sample_rate_hz)
        bins_hz = torch.arange(kept, device=x.device) * (self.sample_rate_hz / samples)
        slope = ((self.cut_hz - bins_hz) / self.width_hz).clamp(0.0, 1.0)
        gains = 0.5 - 0.5 * torch.cos(torch.pi * slope)
        softened: Tensor = torch.fft.irfft(torch.fft.rfft(x)[:, :kept] * gains, n=samples)
        return softened


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipPercentile(EachClip):
    """Clips a waveform at two of its own percentiles, as an overdriven input does.

    A drawn percentage ``p`` clips at the ``p``-th and the ``(100 - p)``-th percentile.

    Attributes:
        percent: Lowest and highest ``p``, below 50.

    Raises:
        ConfigError: If the range runs backwards or leaves 0 to 50.

    Source:
        Settings published with arXiv 2104.08086: 10 to 20 %.
    """

    percent: tuple[float, float] = (10.0, 20.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        super().__post_init__()
        check_span("ClipPercentile's percent", self.percent)
        if self.percent[0] < 0 or self.percent[1] >= 50:
            raise ConfigError(
                f"ClipPercentile clips at {self.percent[0]:g} to {self.percent[1]:g} percent; "
                "needed is a range from 0 to below 50: it is taken off at both ends"
            )

    def numbers(self, rng: np.random.Generator, batch: int) -> Draws:
        """Return ``percent`` of each clip."""
        return {"percent": uniform(rng, self.percent, batch)}

    def change(self, x: Tensor, draws: TensorDraws) -> Tensor:
        """Return the clips clipped."""
        ordered = _sorted(x)
        rank = draws["percent"].double() / 100.0 * (x.shape[1] - 1)
        below = rank.long()
        share = (rank - below).to(x.dtype)
        low = torch.lerp(_column(ordered, below), _column(ordered, below + 1), share)
        top = x.shape[1] - 1 - below
        high = torch.lerp(_column(ordered, top), _column(ordered, top - 1), share)
        return torch.minimum(torch.maximum(x, low[:, None]), high[:, None])


def _power(x: Tensor) -> Tensor:
    """Return the mean square of each clip."""
    length: Tensor = torch.linalg.vector_norm(x, dim=1)  # needs no array of squares
    return length.square() / x.shape[1]


def _sorted(x: Tensor) -> Tensor:
    """Return each clip's samples in rising order; numpy is twenty times faster on a CPU."""
    if x.device.type != "cpu":
        return x.sort(dim=1).values
    return torch.from_numpy(np.sort(x.detach().numpy(), axis=1))


def _column(x: Tensor, index: Tensor) -> Tensor:
    """Return one sample of each clip."""
    return x.gather(1, index[:, None]).squeeze(1)
