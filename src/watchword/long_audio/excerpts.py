"""A recording and two times → the audio between them.

In comes a recording, one file or several that follow each other without a gap, out go its samples
at 16 kHz from one time to another, as if all had been read. A room because a few seconds of many
hours shall cost no more than seconds, and only some formats let one seek to the sample.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import soundfile

from watchword import audio
from watchword.audio import Pcm, Waveform
from watchword.errors import DataError
from watchword.long_audio.reference import Recording
from watchword.units import SAMPLE_RATE_HZ, Hz, Samples, Seconds

SURE_SEEK: Final = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"})
"""Formats in which the place that is asked for is the place one gets."""
MOST_FRAMES: Final = 2**48  # a header that tells of more does not know
MARGIN_S: Final[Seconds] = 0.1  # resampling hears some milliseconds to both sides


def cut(recording: Recording, start_s: Seconds, end_s: Seconds) -> Pcm:
    """Return the audio of a recording between two times; before and after it there is silence.

    Of files in which one can seek no more is read than is asked for.

    Args:
        recording: Its files follow each other without a gap.
        start_s: From; may lie before the recording.
        end_s: To; may lie after it.

    Returns:
        Samples at 16 kHz, shape ``(samples,)``.

    Raises:
        DataError: If the times enclose nothing.
        AudioError: If a file cannot be read.
    """
    first, last = (round(time_s * SAMPLE_RATE_HZ) for time_s in (start_s, end_s))
    if last <= first:
        raise DataError(
            f"a cut of {recording.name} from {start_s:g} to {end_s:g} s holds nothing, needed two "
            "times in seconds, the earlier one first: mend them"
        )
    sound, place = np.zeros(last - first, np.int16), -first
    for path in recording.files:
        place += _lay(path, sound, place)
        if place >= len(sound):
            break
    return sound


def _lay(path: Path, sound: Pcm, place: Samples) -> Samples:
    """Lay what fits of a file into a sound, its start at a place; return the file's length."""
    known = _known(path)
    if known is None:
        return _lay_by_walking(path, sound, place)
    frames, rate_hz = known
    samples = round(frames * SAMPLE_RATE_HZ / rate_hz)
    first, last = max(0, -place), min(samples, len(sound) - place)
    if first < last:
        found = audio.to_int16(_stretch(path, rate_hz, first, last))
        sound[place + first : place + first + len(found)] = found
    return samples


def _known(path: Path) -> tuple[int, Hz] | None:
    """Return frames and rate of a file in which one can seek, None for any other."""
    try:
        about = soundfile.info(path)
    except audio.UNDECODABLE:
        return None
    is_sure = about.format in SURE_SEEK and 0 < about.frames < MOST_FRAMES
    return (about.frames, about.samplerate) if is_sure else None


def _stretch(path: Path, rate_hz: Hz, first: Samples, last: Samples) -> Waveform:
    """Return the samples of a file from one to another, counted at 16 kHz, as if all were read."""
    shared = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    inside, outside = rate_hz // shared, SAMPLE_RATE_HZ // shared  # a period of both rates
    margin = 0 if rate_hz == SAMPLE_RATE_HZ else math.ceil(MARGIN_S * rate_hz / inside)
    start = max(0, first // outside - margin)
    stop = -(-last // outside) + margin
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(start * inside)
            samples = file.read((stop - start) * inside, dtype="float32", always_2d=True)
    except audio.UNDECODABLE:
        samples, _ = audio.decode(path)  # which says what is wrong with it
        samples = samples[start * inside : stop * inside]
    heard = audio.conform(samples, rate_hz, what=str(path))
    return heard[first - start * outside : last - start * outside]


def _lay_by_walking(path: Path, sound: Pcm, place: Samples) -> Samples:
    """Lay a file into a sound piece by piece, from its start to where the sound ends."""
    samples = 0
    for piece in audio.blocks(path):
        where = place + samples
        first, last = max(0, -where), min(len(piece), len(sound) - where)
        if first < last:
            sound[where + first : where + last] = audio.to_int16(piece[first:last])
        samples += len(piece)
        if place + samples >= len(sound):
            break
    return samples
