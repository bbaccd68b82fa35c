"""The matrices of the front end: mel filters and the cosine transform.

In come a sample rate and a few counts, out come fixed float32 matrices. It is a room because a
front end only multiplies by them, and whoever wants to know what a mel band is looks here.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from watchword.errors import ConfigError
from watchword.units import SAMPLE_RATE_HZ, Hz, Samples


def mel_filters(
    *,
    sample_rate_hz: Hz = SAMPLE_RATE_HZ,
    fft_samples: Samples = 512,
    mels: int = 40,
    low_hz: float = 20.0,
    high_hz: float = 7_600.0,
    is_htk: bool = True,
) -> Tensor:
    """Return triangular filters, evenly spaced on a mel scale, each with a peak of one.

    Args:
        sample_rate_hz: Sample rate of the audio.
        fft_samples: Length of the Fourier transform.
        mels: How many filters.
        low_hz: Where the first filter begins to rise.
        high_hz: Where the last filter has fallen to zero, at most half the sample rate.
        is_htk: The logarithmic scale of HTK; otherwise Slaney's, linear below 1,000 Hz.

    Returns:
        Filter bank, shape ``(mels, fft_samples // 2 + 1)``, float32.

    Raises:
        ConfigError: If the band edges make no sense, or a filter is too narrow to hold a bin.

    Source:
        Young et al. (2006), The HTK Book, section 5.4; Slaney (1998), Auditory Toolbox.

    Example:
        >>> mel_filters(mels=40).shape
        torch.Size([40, 257])
    """
    if mels < 1 or not 0 <= low_hz < high_hz <= sample_rate_hz / 2:
        raise ConfigError(
            f"{mels} mel bands from {low_hz:g} to {high_hz:g} Hz were asked for; needed are at "
            f"least one band and 0 <= low_hz < high_hz <= {sample_rate_hz / 2:g}, half the sample "
            "rate: change the band edges"
        )
    to_mel, to_hz = (_htk_mel, _htk_hz) if is_htk else (_slaney_mel, _slaney_hz)
    low_mel, high_mel = to_mel(np.array([low_hz, high_hz]))
    edges_hz = to_hz(np.linspace(low_mel, high_mel, mels + 2))
    bins_hz = np.arange(fft_samples // 2 + 1) * (sample_rate_hz / fft_samples)
    distance_hz = bins_hz - edges_hz[:, None]  # (mels + 2, bins)
    widths_hz = np.diff(edges_hz)[:, None]
    rising = distance_hz[:-2] / widths_hz[:-1]
    falling = -distance_hz[2:] / widths_hz[1:]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    empty = np.flatnonzero(filters.max(axis=1) == 0)
    if empty.size:
        raise ConfigError(
            f"{empty.size} of {mels} mel bands (the first is band {empty[0]}) hold no bin of a "
            f"{fft_samples}-point transform; every band needs one: ask for fewer bands or a "
            "longer fft_samples"
        )
    return torch.from_numpy(filters.astype(np.float32))


def _htk_mel(hz: np.ndarray) -> np.ndarray:
    return 2595.0 * np.log10(1.0 + hz / 700.0)


def _htk_hz(mel: np.ndarray) -> np.ndarray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def _slaney_mel(hz: np.ndarray) -> np.ndarray:
    above = 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / math.log(6.4)
    return np.where(hz < 1000.0, 3.0 * hz / 200.0, above)


def _slaney_hz(mel: np.ndarray) -> np.ndarray:
    above = 1000.0 * np.exp(math.log(6.4) * (np.maximum(mel, 15.0) - 15.0) / 27.0)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, above)


def cosine_transform(mels: int, coefficients: int) -> Tensor:
    """Return the orthonormal cosine transform (DCT-II) as a matrix.

    Args:
        mels: How many bands go in.
        coefficients: How many of the first cosines are kept, from 1 to ``mels``.

    Returns:
        Matrix, shape ``(coefficients, mels)``, float32; its rows have length one.

    Raises:
        ConfigError: If more coefficients than bands are asked for.

    Source:
        Ahmed, Natarajan & Rao (1974), "Discrete cosine transform".

    Example:
        >>> cosine_transform(40, 13).shape
        torch.Size([13, 40])
    """
    if not 1 <= coefficients <= mels:
        raise ConfigError(
            f"{coefficients} coefficients of {mels} mel bands were asked for; there are from 1 to "
            f"{mels}: ask for fewer coefficients or more bands"
        )
    angles = np.pi / mels * np.outer(np.arange(coefficients), np.arange(mels) + 0.5)
    matrix = math.sqrt(2.0 / mels) * np.cos(angles)
    matrix[0] /= math.sqrt(2.0)
    return torch.from_numpy(matrix.astype(np.float32))
