"""From waveforms to features: what the ear of every model measures.

In comes a waveform ``(batch, samples)`` in [-1, 1], out go log-mel energies or MFCCs
``(batch, mels, frames)``. It is a room because the same measurement must be made in training, in
evaluation and on a stream, and must therefore have one definition. Nothing here reads a config or
a file; the two presets of the project are dictionaries of keyword arguments, ``PAPER`` and
``DEFAULT``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.errors import AudioError, ConfigError, DataError
from watchword.mel import cosine_transform as cosine_transform
from watchword.mel import mel_filters as mel_filters
from watchword.units import SAMPLE_RATE_HZ, Frames, Hz, Samples


class FrontEndSettings(TypedDict):
    """Keyword arguments that fix a front end."""

    mels: int
    window_samples: Samples
    hop_samples: Samples
    fft_samples: Samples
    low_hz: float
    high_hz: float
    floor: float
    is_centred: bool


PAPER: Final[FrontEndSettings] = {
    "mels": 40,
    "window_samples": 320,
    "hop_samples": 160,
    "fft_samples": 512,
    "low_hz": 0.0,
    "high_hz": 8_000.0,
    "floor": 1e-3,
    "is_centred": True,
}
"""The published front end: 101 centred frames for a second of audio."""

DEFAULT: Final[FrontEndSettings] = {
    "mels": 40,
    "window_samples": 480,
    "hop_samples": 160,
    "fft_samples": 512,
    "low_hz": 20.0,
    "high_hz": 7_600.0,
    "floor": 1e-6,
    "is_centred": False,
}
"""Our front end: frames start at ``t * hop`` and never look ahead, 98 for a second of audio."""


def frame_count(
    samples: Samples,
    *,
    window_samples: Samples,
    hop_samples: Samples,
    is_centred: bool = False,
) -> Frames:
    """Return how many frames a waveform gives.

    Args:
        samples: Length of the waveform.
        window_samples: Length of the analysis window.
        hop_samples: Step between the starts of two frames.
        is_centred: Whether frame ``t`` is centred on sample ``t * hop_samples``.

    Returns:
        ``1 + samples // hop_samples`` when centred, else
        ``1 + (samples - window_samples) // hop_samples``, 0 for less audio than one window.

    Example:
        >>> frame_count(16_000, window_samples=480, hop_samples=160)
        98
        >>> frame_count(16_000, window_samples=320, hop_samples=160, is_centred=True)
        101
    """
    if is_centred:
        return 1 + samples // hop_samples
    return max(0, 1 + (samples - window_samples) // hop_samples)


def log_mel(
    waveform: Tensor,
    filters: Tensor,
    *,
    window_samples: Samples,
    hop_samples: Samples,
    floor: float = 1e-6,
    is_centred: bool = False,
) -> Tensor:
    """Return the log-mel energies of each frame.

    Frame ``t`` covers samples ``[t * hop_samples, t * hop_samples + window_samples)``: it never
    looks at audio that has not arrived, so a stream and a file give the same features. With
    ``is_centred`` it is centred on sample ``t * hop_samples`` instead, of a waveform that is
    reflected at both ends, as in the published system.

    Args:
        waveform: Audio in [-1, 1], shape ``(batch, samples)``; any float, measured in float32.
        filters: Mel filter bank, shape ``(mels, fft_samples // 2 + 1)``.
        window_samples: Length of the periodic Hann window, at most ``fft_samples``.
        hop_samples: Step between the starts of two frames.
        floor: Energy added to every band before the log.
        is_centred: Whether frames are centred, and the waveform reflected.

    Returns:
        Natural log of mel energy, shape ``(batch, mels, frames)``, see :func:`frame_count`.

    Raises:
        AudioError: If the array is not ``(batch, samples)`` or shorter than one frame needs.

    Source:
        Davis & Mermelstein (1980), without the final cosine transform.

    Example:
        >>> sound = torch.zeros(1, 16_000)
        >>> log_mel(sound, mel_filters(), window_samples=480, hop_samples=160).shape
        torch.Size([1, 40, 98])
    """
    fft_samples = 2 * (filters.shape[1] - 1)
    with torch.autocast(waveform.device.type, enabled=False):
        window = torch.hann_window(window_samples, device=waveform.device)
        window = _in_fft_frame(window, fft_samples, is_centred=is_centred)
        padded = _padded(waveform, window_samples, fft_samples, is_centred=is_centred)
        # On a CPU a few clips at a time: their spectra stay in its cache (a quarter faster).
        parts = torch.split(padded, 16) if padded.device.type == "cpu" else (padded,)
        bands = filters.float().T
        energies = torch.cat([_energies(part, window, bands, hop_samples) for part in parts])
        return energies.add(floor).log().transpose(1, 2).contiguous()


def _energies(padded: Tensor, window: Tensor, bands: Tensor, hop_samples: Samples) -> Tensor:
    """Return mel energies, shape ``(batch, frames, mels)``."""
    spectrum = torch.fft.rfft(padded.unfold(1, window.shape[0], hop_samples) * window)
    squares = torch.view_as_real(spectrum).square_()  # its parts side by side: twice as fast
    return torch.matmul(squares[..., 0] + squares[..., 1], bands)  # (batch, frames, bins) @ bands


def _in_fft_frame(window: Tensor, fft_samples: Samples, *, is_centred: bool) -> Tensor:
    """Return the window with zeros around it (centred) or behind it, ``(fft_samples,)``."""
    spare = fft_samples - window.shape[0]
    before = spare // 2 if is_centred else 0
    return F.pad(window, (before, spare - before))


def _padded(
    waveform: Tensor, window_samples: Samples, fft_samples: Samples, *, is_centred: bool
) -> Tensor:
    """Return float32 audio with what the first and the last frame need around it."""
    needed = fft_samples // 2 + 1 if is_centred else window_samples
    if waveform.ndim != 2 or waveform.shape[1] < needed:
        raise AudioError(
            f"a waveform of shape {tuple(waveform.shape)} came in; the front end needs "
            f"(batch, samples) with at least {needed} samples: pad the audio or stack it"
        )
    waveform = waveform.float()
    if is_centred:
        half = fft_samples // 2
        return F.pad(waveform, (half, half), mode="reflect")
    return F.pad(waveform, (0, fft_samples - window_samples))  # met by the window's zeros only


def mfcc(log_mels: Tensor, transform: Tensor) -> Tensor:
    """Return mel-frequency cepstral coefficients.

    Args:
        log_mels: Log-mel energies, shape ``(batch, mels, frames)``.
        transform: What :func:`cosine_transform` returns, shape ``(coefficients, mels)``.

    Returns:
        Coefficients, shape ``(batch, coefficients, frames)``.

    Source:
        Davis & Mermelstein (1980), equation 1, with an orthonormal transform and natural log.

    Example:
        >>> mfcc(torch.ones(1, 40, 98), cosine_transform(40, 13)).shape
        torch.Size([1, 13, 98])
    """
    with torch.autocast(log_mels.device.type, enabled=False):
        return transform @ log_mels


class LogMel(nn.Module):
    """Waveform ``(batch, samples)`` -> log-mel energies ``(batch, mels, frames)``.

    ``mean`` is subtracted from each band and ``deviation`` divides it: buffers, so they travel
    with the weights, and 0 and 1 until :meth:`set_normalisation` is called.

    Args:
        sample_rate_hz: Sample rate of the audio.
        mels: How many mel bands.
        window_samples: Length of the periodic Hann window.
        hop_samples: Step between the starts of two frames.
        fft_samples: Length of the Fourier transform, even, at least ``window_samples``.
        low_hz: Lower edge of the first band.
        high_hz: Upper edge of the last band.
        floor: Energy added to every band before the log.
        is_centred: Whether frames are centred (paper) or start at ``t * hop`` (default).

    Raises:
        ConfigError: If the window does not fit the transform or the bands make no sense.

    Example:
        >>> LogMel(**DEFAULT)(torch.zeros(2, 16_000)).shape
        torch.Size([2, 40, 98])
        >>> LogMel(**PAPER)(torch.zeros(2, 16_000)).shape
        torch.Size([2, 40, 101])
    """

    filters: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        *,
        sample_rate_hz: Hz = SAMPLE_RATE_HZ,
        mels: int = 40,
        window_samples: Samples = 480,
        hop_samples: Samples = 160,
        fft_samples: Samples = 512,
        low_hz: float = 20.0,
        high_hz: float = 7_600.0,
        floor: float = 1e-6,
        is_centred: bool = False,
    ) -> None:
        super().__init__()
        is_possible = 0 < window_samples <= fft_samples and fft_samples % 2 == 0
        if not is_possible or hop_samples < 1 or floor <= 0:
            raise ConfigError(
                f"window_samples={window_samples}, hop_samples={hop_samples}, "
                f"fft_samples={fft_samples} and floor={floor:g} do not fit together; needed are "
                "0 < window <= an even fft, hop >= 1 and floor > 0: change the front end"
            )
        self.window_samples = window_samples
        self.hop_samples = hop_samples
        self.floor = floor
        self.is_centred = is_centred
        filters = mel_filters(
            sample_rate_hz=sample_rate_hz,
            fft_samples=fft_samples,
            mels=mels,
            low_hz=low_hz,
            high_hz=high_hz,
        )
        self.register_buffer("filters", filters, persistent=False)
        self._start_normalisation(mels)

    def _start_normalisation(self, bands: int) -> None:
        """Register a normalisation that changes nothing."""
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))

    def set_normalisation(self, mean: Tensor, deviation: Tensor) -> None:
        """Set what is subtracted from each band and what it is then divided by.

        Args:
            mean: Mean of each band, shape ``(mels,)``.
            deviation: Standard deviation of each band, shape ``(mels,)``, positive.

        Raises:
            DataError: If a shape is wrong, or a value is not finite, or a deviation not positive.
        """
        is_right_shape = mean.shape == deviation.shape == self.mean.shape
        is_finite = bool(torch.isfinite(mean).all() and torch.isfinite(deviation).all())
        if not is_right_shape or not is_finite or not bool((deviation > 0).all()):
            raise DataError(
                f"a mean of shape {tuple(mean.shape)} and a deviation of shape "
                f"{tuple(deviation.shape)} came in; needed are finite values of shape "
                f"{tuple(self.mean.shape)}, deviations above 0: estimate them with this front end"
            )
        self.mean.copy_(mean)
        self.deviation.copy_(deviation)

    def measure(self, waveform: Tensor) -> Tensor:
        """Return features before normalisation, ``(batch, mels, frames)``; see `log_mel`."""
        return log_mel(
            waveform,
            self.filters,
            window_samples=self.window_samples,
            hop_samples=self.hop_samples,
            floor=self.floor,
            is_centred=self.is_centred,
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Return normalised features, shape ``(batch, mels, frames)``, float32."""
        return (self.measure(waveform) - self.mean[:, None]) / self.deviation[:, None]

    def frames(self, samples: Samples) -> Frames:
        """Return how many frames this front end makes of so many samples."""
        return frame_count(
            samples,
            window_samples=self.window_samples,
            hop_samples=self.hop_samples,
            is_centred=self.is_centred,
        )


class Mfcc(LogMel):
    """Waveform ``(batch, samples)`` -> MFCCs ``(batch, coefficients, frames)``.

    Normalised like :class:`LogMel`, each coefficient by itself.

    Args:
        coefficients: How many of the first cosines are kept, at most ``mels``.
        mels: How many mel bands are measured.
        **settings: The other arguments of :class:`LogMel`.

    Raises:
        ConfigError: If more coefficients than bands are asked for.

    Example:
        >>> Mfcc(coefficients=13, **DEFAULT)(torch.zeros(2, 16_000)).shape
        torch.Size([2, 13, 98])
    """

    transform: Tensor

    def __init__(self, *, coefficients: int = 40, mels: int = 40, **settings: Any) -> None:
        super().__init__(mels=mels, **settings)
        self.register_buffer("transform", cosine_transform(mels, coefficients), persistent=False)
        self._start_normalisation(coefficients)

    def measure(self, waveform: Tensor) -> Tensor:
        """Return MFCCs before normalisation, ``(batch, coefficients, frames)``; see `mfcc`."""
        return mfcc(super().measure(waveform), self.transform)


def estimate_normalisation(front_end: LogMel, batches: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each band over all frames of some audio.

    Only float64 sums are kept, so an hour of audio needs no more memory than a batch. What the
    front end already subtracts and divides by is left out of account. A band that never changes
    gets a deviation of one: it is centred and stays finite.

    Args:
        front_end: A log-mel or MFCC front end.
        batches: Waveforms, each ``(batch, samples)``, on the front end's device.

    Returns:
        Mean and deviation, each ``(mels,)``, float32.

    Raises:
        DataError: If there is no audio at all.

    Example:
        >>> mean, deviation = estimate_normalisation(LogMel(), [torch.zeros(1, 16_000)])
        >>> round(mean[0].item(), 3), deviation[0].item()
        (-13.816, 1.0)
    """
    count = 0
    total = square = torch.zeros_like(front_end.mean, dtype=torch.float64)
    with torch.no_grad():
        for batch in batches:
            features = front_end.measure(batch).double()
            count += features.shape[0] * features.shape[2]
            total = total + features.sum(dim=(0, 2))
            square = square + features.square().sum(dim=(0, 2))
    if not count:
        raise DataError(
            "no audio came in to estimate mean and deviation of the features from; at least one "
            "frame is needed: check that the training split is not empty"
        )
    mean = total / count
    variance = square / count - mean.square()
    deviation = torch.where(variance > 1e-8, variance.clamp_min(0).sqrt(), 1.0)
    return mean.float(), deviation.float()
