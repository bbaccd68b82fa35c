"""Pieces of clips: one window of each, and the window that holds the word.

In come waveforms of a batch and where to cut each, out go waveforms of one length. It is a room
because shifting, resampling, stretching and noise all end in the same cut, and none of them may
lose the word.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from watchword.units import Samples


def cut(x: Tensor, starts: Tensor, samples: Samples) -> Tensor:
    """Return ``x[b, starts[b] : starts[b] + samples]`` of each clip.

    Args:
        x: Waveforms, shape ``(batch, length)``.
        starts: First sample of each piece, int64, from 0 to ``length - samples``.
        samples: Length of the pieces.

    Returns:
        Pieces, shape ``(batch, samples)``.
    """
    x = x.contiguous()
    rows = torch.arange(x.shape[0], device=x.device) * x.shape[1]
    return x.reshape(-1).unfold(0, samples, 1)[rows + starts]  # whole rows are copied at once


def shifted(x: Tensor, offsets: Tensor, limit: Samples) -> Tensor:
    """Return clips moved later by ``offsets`` samples (earlier if negative); zeros enter.

    Args:
        x: Waveforms, shape ``(batch, samples)``.
        offsets: Samples to move by, int64, shape ``(batch,)``, within ``limit`` of 0.
        limit: Largest possible offset.

    Returns:
        Waveforms of the same shape.
    """
    return cut(functional.pad(x, (limit, limit)), limit - offsets, x.shape[1])


def fitted(x: Tensor, lengths: Tensor, samples: Samples) -> Tensor:
    """Return clips of one length, without cutting the word where that can be avoided.

    A clip that is too long keeps the stretch of highest energy. A clip that is too short is
    surrounded by zeros, so that the centre of its energy keeps its relative place.

    Args:
        x: Waveforms with zeros behind their end, shape ``(batch, longest)``.
        lengths: How long each is, int64, shape ``(batch,)``.
        samples: Wanted length.

    Returns:
        Waveforms, shape ``(batch, samples)``.
    """
    excess = (lengths - samples).clamp_min(0)
    spare = (samples - lengths).clamp_min(0)
    before = (energy_centre(x, lengths) * spare).long()
    longest_excess = max(0, x.shape[1] - samples)
    room = int(spare.max())  # zeros that the shortest clip needs on either side
    starts = room - before + _least_loss(x, excess, lengths, longest_excess)
    return cut(functional.pad(x, (room, room)), starts, samples)


def fitted_alike(x: Tensor, samples: Samples) -> Tensor:
    """Return clips of one length at another, by the rules of :func:`fitted`, but quicker.

    Args:
        x: Waveforms, shape ``(batch, length)``.
        samples: Wanted length.

    Returns:
        Waveforms, shape ``(batch, samples)``.
    """
    length = x.shape[1]
    if length <= samples:
        spare = samples - length
        before = (energy_centre(x, torch.tensor(length, device=x.device)) * spare).long()
        return cut(functional.pad(x, (spare, spare)), spare - before, samples)
    head = x[:, : length - samples].square().cumsum(dim=1)
    tail = x[:, samples:].square().flip(1).cumsum(dim=1).flip(1)
    loss = functional.pad(head, (1, 0)) + functional.pad(tail, (0, 1))  # lost by each start
    return cut(x, loss.argmin(dim=1), samples)


def energy_centre(x: Tensor, lengths: Tensor) -> Tensor:
    """Return where the centre of each clip's energy lies, from 0 to 1; a half for silence."""
    power = x.square()
    total = power.sum(dim=1)
    moment = power @ torch.arange(x.shape[1], device=x.device, dtype=x.dtype)
    return torch.where(total > 0, moment / (total * lengths).clamp_min(1e-30), 0.5)


def _least_loss(x: Tensor, excess: Tensor, lengths: Tensor, longest: Samples) -> Tensor:
    """Return the start, from 0 to ``excess``, at which a cut loses the least energy."""
    if longest == 0:
        return torch.zeros_like(excess)
    head = x[:, :longest].square().cumsum(dim=1)
    tail = cut(x, (lengths - longest).clamp_min(0), longest).flip(1).square().cumsum(dim=1)
    head = functional.pad(head, (1, 0))  # lost when s samples go in front: (batch, longest + 1)
    tail = functional.pad(tail, (1, 0))
    left_over = excess[:, None] - torch.arange(longest + 1, device=x.device)
    loss = head + tail.gather(1, left_over.clamp_min(0))
    return loss.masked_fill(left_over < 0, torch.inf).argmin(dim=1)


@lru_cache
def fast_lengths(shortest: Samples, longest: Samples, most: int = 16) -> tuple[Samples, ...]:
    """Return lengths between two bounds whose Fourier transform is fast, evenly spread.

    Args:
        shortest: Lower bound.
        longest: Upper bound.
        most: How many lengths at most.

    Returns:
        Even numbers with no prime factor above 7, rising; the bounds' mean if there is none.

    Example:
        >>> fast_lengths(15_000, 16_000, most=4)
        (15000, 15360, 15680, 16000)
    """
    smooth = [n for n in range(shortest, longest + 1) if n % 2 == 0 and _is_smooth(n)]
    if not smooth:
        return ((shortest + longest) // 2,)
    wanted = [shortest + (longest - shortest) * i / (most - 1) for i in range(most)]
    nearest = {min(smooth, key=lambda n, w=w: abs(n - w)) for w in wanted}  # type: ignore[misc]
    return tuple(sorted(nearest))


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5, 7):
        while number % prime == 0:
            number //= prime
    return number == 1


def resampled(x: Tensor, length: Samples) -> Tensor:
    """Return clips resampled to another length.

    A band-limited (Fourier) resampling: nothing is folded back and nothing below the new limit is
    dampened.

    Args:
        x: Waveforms, shape ``(batch, samples)``.
        length: Their new length.

    Returns:
        Waveforms, shape ``(batch, length)``.

    Source:
        Oppenheim & Schafer, Discrete-Time Signal Processing, section 4.6, done in one block.
    """
    spectrum = torch.fft.rfft(x, norm="forward")  # divided by the old length, so that levels stay
    changed: Tensor = torch.fft.irfft(spectrum[:, : length // 2 + 1], n=length, norm="forward")
    return changed


def resampled_back(x: Tensor, lengths: Tensor, samples: Samples) -> Tensor:
    """Return clips of different lengths resampled to one; see :func:`resampled`.

    Args:
        x: Waveforms with zeros behind their end, shape ``(batch, longest)``.
        lengths: How long each is, int64, shape ``(batch,)``.
        samples: New length of all of them.

    Returns:
        Waveforms, shape ``(batch, samples)``.
    """
    resized = x.new_empty(x.shape[0], samples)
    for length in sorted(set(lengths.tolist())):
        rows = (lengths == length).nonzero().squeeze(1)
        spectrum = torch.fft.rfft(x[rows, :length])[:, : samples // 2 + 1]
        resized[rows] = torch.fft.irfft(spectrum, n=samples) * (samples / length)
    return resized
