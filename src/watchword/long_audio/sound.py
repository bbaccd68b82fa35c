"""The arithmetic of mixed recordings: where a word lies in its clip, levels, rooms, backgrounds.

In come waveforms, out go waveforms and places in them. A room because what truth a mixed recording
has, and at which ratio of powers, is decided here, and can be redone by hand.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.audio import Waveform
from watchword.units import SAMPLE_RATE_HZ, Decibels, Samples

FRAME_SAMPLES: Final[Samples] = 160
"""A word begins and ends at a multiple of 10 ms of its clip."""
BELOW_LOUDEST_DB: Final[Decibels] = 30.0
"""Speech is at most so far below the loudest frame of its clip."""
ABOVE_FLOOR_DB: Final[Decibels] = 6.0
"""Speech is so far above the floor, which one frame of ten lies below."""
BRIDGED_FRAMES: Final = 15
"""A pause of up to 150 ms, such as before the last sound of "eight", is within a word."""
SHORTEST_FRAMES: Final = 6
"""What is shorter than 60 ms is a click."""
FADE_SAMPLES: Final[Samples] = 80
"""A clip comes and goes within 5 ms, so that its ends do not click."""
CROSSFADE_SAMPLES: Final[Samples] = 800
"""A background that is repeated goes over into its beginning within 50 ms."""
QUIETEST_SHARE: Final = 1e-3
"""What a stretch of a background must hold of its mean power: many are padded with zeros."""
_FAINTEST_POWER: Final = 1e-10  # a third of the smallest step of 16 bits


def power(sound: NDArray[Any]) -> float:
    """Return the mean square of a sound, 1 being that of a square wave of full scale.

    Args:
        sound: Shape ``(samples,)``; without samples it has no power.

    Example:
        >>> power(np.array([0.5, -0.5]))
        0.25
    """
    return float(np.square(sound, dtype=np.float64).mean()) if sound.size else 0.0


def at_level(sound: Waveform, level_dbfs: Decibels) -> Waveform:
    """Return a sound at a level.

    Args:
        sound: Shape ``(samples,)``, not all zero.
        level_dbfs: Its root mean square in dB of full scale.

    Example:
        >>> at_level(np.array([0.5, -0.5], np.float32), -20.0)
        array([ 0.1, -0.1], dtype=float32)
    """
    gain = 10 ** (level_dbfs / 20) / math.sqrt(power(sound))
    return sound * np.float32(gain)


def centred(sound: Waveform) -> Waveform:
    """Return a sound without its constant offset.

    Args:
        sound: Shape ``(samples,)``.
    """
    return sound - np.float32(sound.mean(dtype=np.float64))


def faded(clip: Waveform) -> Waveform:
    """Return a clip that begins and ends softly.

    Args:
        clip: Shape ``(samples,)``.
    """
    samples = min(FADE_SAMPLES, len(clip) // 2)
    ramp = ((np.arange(samples) + 0.5) / max(samples, 1)).astype(np.float32)
    soft = clip.copy()
    soft[:samples] *= ramp
    soft[len(clip) - samples :] *= ramp[::-1]
    return soft


def endpoints(clip: Waveform) -> tuple[Samples, Samples]:
    """Return where the word in a clip begins and where it ends.

    Frames of 10 ms are speech if they are at most 30 dB below the loudest one and 6 dB above the
    floor, the level that one frame of ten lies below. Pauses of up to 150 ms are bridged; of the
    parts that are still apart and last 60 ms, the one with the most energy is the word. Where there
    is none, as in steady noise or in a clip that its word fills, all of the clip is the word.

    Args:
        clip: One word, maybe with noise, shape ``(samples,)``.

    Returns:
        First sample of the word and first sample after it.

    Source:
        Rabiner & Sambur (1975), An algorithm for determining the endpoints of isolated utterances:
        energy against two thresholds, here without zero crossings. The second threshold guards
        against noise, as the margin of ITU-T P.56 (2011) does.

    Example:
        >>> clip = np.zeros(16_000, np.float32)
        >>> clip[4_000:9_600] = 0.1
        >>> endpoints(clip)
        (4000, 9600)
    """
    frames = len(clip) // FRAME_SAMPLES
    if not frames:
        return 0, len(clip)
    cut = clip[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)
    energy = np.square(cut, dtype=np.float64).mean(axis=1)
    levels_db = 10 * np.log10(np.maximum(energy, _FAINTEST_POWER))
    lowest = max(levels_db.max() - BELOW_LOUDEST_DB, np.quantile(levels_db, 0.1) + ABOVE_FLOOR_DB)
    speech = np.flatnonzero(levels_db >= lowest)
    parts = np.split(speech, np.flatnonzero(np.diff(speech) > BRIDGED_FRAMES + 1) + 1)
    lasting = [part for part in parts if len(part) and np.ptp(part) + 1 >= SHORTEST_FRAMES]
    if not lasting:
        return 0, len(clip)
    word = max(lasting, key=lambda part: float(energy[part].sum()))
    return int(word[0]) * FRAME_SAMPLES, int(word[-1] + 1) * FRAME_SAMPLES


def in_room(clip: Waveform, response: Waveform) -> Waveform:
    """Return a clip as heard in a room, with what rings on after its end.

    The direct path, the largest value of the response, is moved to its first sample, so the word
    does not move. The energy within the length of the clip is that of the clip, as in
    ``augment.rooms.Reverb``.

    Args:
        clip: Shape ``(samples,)``, not all zero.
        response: Impulse response, shape ``(response samples,)``, not all zero.

    Returns:
        Shape ``(samples + aligned response samples - 1,)``.

    Example:
        >>> in_room(np.array([1, 0], np.float32), np.array([0, 0.5, 0, 0.25], np.float32))
        array([1. , 0. , 0.5, 0. ], dtype=float32)
    """
    aligned = response[int(np.abs(response).argmax()) :]
    samples = len(clip) + len(aligned) - 1
    length = 1 << (samples - 1).bit_length()
    product = np.fft.rfft(clip.astype(np.float64), length) * np.fft.rfft(aligned, length)
    wet = np.fft.irfft(product, length)[:samples]
    wet *= math.sqrt(power(clip) / power(wet[: len(clip)]))
    return wet.astype(np.float32)


def background(noise: Waveform, samples: Samples, rng: np.random.Generator) -> Waveform:
    """Return a stretch of a background, from a place that is drawn and not all but silent.

    Args:
        noise: The recording, shape ``(noise samples,)``, not all zero. A shorter one is repeated,
            its end going over into its beginning at equal power.
        samples: How long the stretch shall be.
        rng: Where the place is drawn from.

    Returns:
        Shape ``(samples,)``.
    """
    if len(noise) < samples:
        loop = _loop(noise)
        return np.resize(np.roll(loop, -int(rng.integers(len(loop)))), samples)
    last = len(noise) - samples
    starts = np.unique(np.append(np.arange(0, last, SAMPLE_RATE_HZ), last))
    energy = np.concatenate([[0.0], np.cumsum(np.square(noise, dtype=np.float64))])
    held = (energy[starts + samples] - energy[starts]) / samples
    start = int(rng.choice(starts[held >= QUIETEST_SHARE * power(noise)]))
    return noise[start : start + samples]


def _loop(noise: Waveform) -> Waveform:
    """Return a recording whose end can be followed by its beginning."""
    fade = min(CROSSFADE_SAMPLES, len(noise) // 4)
    angle = (np.arange(fade) + 0.5) / max(fade, 1) * (np.pi / 2)
    loop = noise[: len(noise) - fade].copy()
    loop[:fade] = loop[:fade] * np.sin(angle) + noise[len(noise) - fade :] * np.cos(angle)
    return loop


def within_scale(sound: Waveform, limit: float = 0.999) -> Waveform:
    """Return a sound turned down as a whole, if it has peaks beyond full scale.

    Args:
        sound: Shape ``(samples,)``.
        limit: Where the highest peak of a sound that is turned down comes to lie.
    """
    peak = float(np.abs(sound).max(initial=0.0))
    return sound if peak <= 1.0 else sound * np.float32(limit / peak)
