"""The worst false accepts and misses → sounds to play, each with a note and a small picture.

In come judged recordings and the scores of their keywords, out go a few seconds of audio, what was
said there and what the model made of it. A room because a rate says how bad it is and only
listening says why.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from watchword import audio, canvas
from watchword.audio import Pcm, Waveform
from watchword.decision import Detection, OperatingPoint
from watchword.errors import DataError
from watchword.long_audio.judge import Judged
from watchword.long_audio.reference import Event, Recording
from watchword.pictures import spectrogram_db
from watchword.units import SAMPLE_RATE_HZ, Hz, Samples, Seconds

Trace = tuple[NDArray[np.float64], NDArray[np.floating[Any]]]
"""When the scores of a keyword were due and what they were, each of shape ``(scores,)``."""
Traces = Callable[[Recording, str], Trace]

BEFORE_S: Final[Seconds] = 1.5  # a score hears one second, and its mean a little more
AFTER_S: Final[Seconds] = 1.0
AROUND_S: Final[Seconds] = 1.0
SURE_SEEK: Final = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"})
"""Formats in which the place that is asked for is the place one gets."""
MOST_FRAMES: Final = 2**48  # a header that tells of more does not know
MARGIN_S: Final[Seconds] = 0.1  # resampling hears some milliseconds to both sides
HOP: Final[Samples] = 64
FLOOR_DB: Final = -90.0
RANGE_DB: Final = 60.0
MOST_LETTERS: Final = 240


@dataclass(frozen=True)
class Sound:
    """A stretch of a recording to listen to.

    Args:
        title: What happened, and where.
        note: What was said there, and what the scores were.
        start_s: Where the stretch begins in its recording.
        waveform: Its audio at 16 kHz, shape ``(samples,)``.
        trace: Scores of the keyword within the stretch.
        threshold: From which score on the keyword counts as heard.
        mark_s: From when to when the picture is marked: the word that was said, or twice the time
            of the detection.
    """

    title: str
    note: str
    start_s: Seconds
    waveform: Pcm
    trace: Trace
    threshold: float
    mark_s: tuple[Seconds, Seconds]

    @property
    def duration_s(self) -> Seconds:
        """How long it lasts."""
        return len(self.waveform) / SAMPLE_RATE_HZ


def worst(judged: Judged, traces: Traces, limit: int = 10) -> tuple[list[Sound], list[Sound]]:
    """Return the worst false accepts and the worst misses, to listen to.

    Args:
        judged: What a model did in recordings.
        traces: Gives the scores of a keyword in a recording; asked once for each of the two.
        limit: How many of each, at most.

    Returns:
        The surest false accepts first; the misses that were farthest from being heard first.

    Raises:
        AudioError: If a recording can no longer be read.
    """

    def alarm_peak(recording: Recording, found: Detection) -> float:
        trace = traces(recording, found.keyword)
        return max(found.score, highest(trace, found.time_s, found.time_s + AFTER_S))

    def miss_peak(recording: Recording, event: Event) -> float:
        trace = traces(recording, event.keyword)
        return highest(trace, event.start_s, event.end_s + judged.tolerance_s)

    alarms = [
        false_accept(recording, found, judged.points[found.keyword], traces, judged.tolerance_s)
        for recording, found in worst_false_accepts(judged, limit, alarm_peak)
    ]
    misses = [
        miss(recording, event, judged.points[event.keyword], traces, judged.tolerance_s)
        for recording, event in worst_misses(judged, miss_peak, limit)
    ]
    return alarms, misses


def highest(trace: Trace, start_s: Seconds, end_s: Seconds) -> float:
    """Return the highest score between two times, both included; 0 where there is none.

    Args:
        trace: Scores of a keyword.
        start_s: From.
        end_s: To.

    Example:
        >>> highest((np.array([0.0, 1.0, 2.0]), np.array([0.9, 0.2, 0.4])), 1.0, 2.0)
        0.4
    """
    _, scores = within(trace, start_s, end_s)
    return float(scores.max(initial=0.0))


def within(trace: Trace, start_s: Seconds, end_s: Seconds) -> Trace:
    """Return the scores that were due between two times, both included.

    Args:
        trace: Scores of a keyword.
        start_s: From.
        end_s: To.
    """
    times_s, scores = trace
    slack_s = 0.5 / SAMPLE_RATE_HZ  # times that are equal may differ in their last bits
    first, last = np.searchsorted(times_s, [start_s - slack_s, end_s + slack_s])
    return times_s[first:last], scores[first:last]


def worst_false_accepts(
    judged: Judged,
    limit: int = 10,
    peaks: Callable[[Recording, Detection], float] | None = None,
) -> list[tuple[Recording, Detection]]:
    """Return the false accepts whose score is the farthest above the threshold, these first.

    A detection has the score with which its burst began, hardly above the threshold; how sure the
    model was is told by the highest score of the burst.

    Args:
        judged: What a model did in recordings.
        limit: How many, at most.
        peaks: Gives the score to go by; that of the detection where None.
    """

    def excess(pair: tuple[Recording, Detection]) -> float:
        score = peaks(*pair) if peaks else pair[1].score
        return score - judged.points[pair[1].keyword].threshold

    found = [
        (recording, one)
        for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True)
        for one in outcome.false_accepts
    ]
    return sorted(found, key=excess, reverse=True)[:limit]


def worst_misses(
    judged: Judged, peaks: Callable[[Recording, Event], float], limit: int = 10
) -> list[tuple[Recording, Event]]:
    """Return the misses whose highest score stayed the farthest below the threshold, these first.

    Args:
        judged: What a model did in recordings.
        peaks: Gives the highest score that an event reached.
        limit: How many, at most.
    """

    def excess(pair: tuple[Recording, Event]) -> float:
        return peaks(*pair) - judged.points[pair[1].keyword].threshold

    missed = [
        (recording, event)
        for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True)
        for event in outcome.misses
    ]
    return sorted(missed, key=excess)[:limit]


def false_accept(
    recording: Recording,
    found: Detection,
    point: OperatingPoint,
    traces: Traces,
    tolerance_s: Seconds,
) -> Sound:
    """Return a false accept to listen to, from 1.5 s before its detection to 1 s after it.

    Args:
        recording: Where it happened.
        found: The detection.
        point: The operating point of its keyword.
        traces: Gives the scores of a keyword in a recording.
        tolerance_s: How long after its end a keyword could be detected.

    Raises:
        AudioError: If the recording can no longer be read.
    """
    start_s, end_s = found.time_s - BEFORE_S, found.time_s + AFTER_S
    trace = within(traces(recording, found.keyword), start_s, end_s)
    peak = max(found.score, highest(trace, found.time_s, end_s))
    what = f"{found.keyword}, {peak:.2f}, heard at {clock(found.time_s)} in {recording.name}"
    about = [_said(recording, found.time_s, tolerance_s), *_tags(recording.tags)]
    note = f"{', '.join(about)}; {point.threshold:.2f} was needed"
    waveform = cut(recording, start_s, end_s)
    mark_s = (found.time_s, found.time_s)
    return Sound(what, note, start_s, waveform, trace, point.threshold, mark_s)


def miss(
    recording: Recording, event: Event, point: OperatingPoint, traces: Traces, tolerance_s: Seconds
) -> Sound:
    """Return a miss to listen to: the word, and a second to both sides of it.

    Args:
        recording: Where it happened.
        event: What was said.
        point: The operating point of its keyword.
        traces: Gives the scores of a keyword in a recording.
        tolerance_s: How long after its end a keyword could be detected.

    Raises:
        AudioError: If the recording can no longer be read.
    """
    start_s, end_s = event.start_s - AROUND_S, event.end_s + AROUND_S
    whole = traces(recording, event.keyword)
    peak = highest(whole, event.start_s, event.end_s + tolerance_s)
    what = f"{event.keyword}, missed at {clock(event.start_s)} in {recording.name}"
    about = ", ".join(_tags({**event.tags, **recording.tags, **event.tags}))
    reached = f"the highest score was {peak:.2f}, {point.threshold:.2f} was needed"
    if peak >= point.threshold:
        reached += ", and the detection was not its own"
    waveform = cut(recording, start_s, end_s)
    trace, mark_s = within(whole, start_s, end_s), (event.start_s, event.end_s)
    note = "; ".join(filter(None, [about, reached]))
    return Sound(what, note, start_s, waveform, trace, point.threshold, mark_s)


def _said(recording: Recording, time_s: Seconds, tolerance_s: Seconds) -> str:
    """Return what is known to have been said when something was heard."""
    for event in sorted(recording.events, key=lambda event: -event.start_s):
        if event.start_s <= time_s <= event.end_s + tolerance_s:
            return f"“{event.keyword}” was said at {clock(event.start_s)}"
    for text in recording.said:
        if text.start_s <= time_s <= text.end_s + tolerance_s:
            return f"within “{shorten(text.text, MOST_LETTERS, placeholder=' …')}”"
    if recording.may_hold:
        return "what was said is not known"
    return "no keyword was said"


def _tags(tags: Mapping[str, str]) -> list[str]:
    """Return what is known of an event or a recording, in words."""
    words = {"speaker": ("said by ", ""), "snr_db": ("at ", " dB SNR")}
    parts = [(*words.get(name, (f"{name} ", "")), value) for name, value in tags.items()]
    return [f"{before}{minus(value)}{after}" for before, after, value in parts]


def minus(text: str) -> str:
    """Return a number with a minus sign that is one; other words stay.

    Args:
        text: A number or words.

    Example:
        >>> minus("-10"), minus("-x")
        ('−10', '-x')
    """
    return f"−{text[1:]}" if re.fullmatch(r"-[\d.,]+", text) else text


def clock(time_s: Seconds) -> str:
    """Return a time as a clock shows it, to a tenth of a second.

    Args:
        time_s: Seconds from the start of a recording.

    Example:
        >>> clock(3.4), clock(723.44), clock(3_659.97)
        ('0:03.4', '12:03.4', '1:01:00.0')
    """
    tenths = round(10 * time_s)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{tenths // 10:02}.{tenths % 10}"
    return f"{hours}:{minutes:02}:{seconds}" if hours else f"{minutes}:{seconds}"


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


def flac(waveform: Pcm) -> bytes:
    """Return audio as a FLAC file, which browsers play.

    Args:
        waveform: Samples at 16 kHz, shape ``(samples,)``.
    """
    encoded = io.BytesIO()
    soundfile.write(encoded, waveform, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()


def spectrogram_png(sound: Sound) -> bytes:
    """Return a small picture: the scores with their threshold, below them the spectrogram.

    The axis of time begins at 0, as the player of the sound does.

    Args:
        sound: What is heard.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    figure, (line, image) = canvas.sheet(4.2, 2.0, nrows=2, sharex=True, height_ratios=[1.0, 1.7])
    times_s, scores = sound.trace
    ink, mark = canvas.INK, canvas.STROKES[1]["color"]
    line.fill_between(times_s - sound.start_s, 0, scores, color=ink, alpha=0.15, linewidth=0)
    line.plot(times_s - sound.start_s, scores, color=ink, linewidth=1.0)
    line.axhline(sound.threshold, color=canvas.PALE, linewidth=0.9, linestyle=":")
    line.set(ylim=(0, 1.05), yticks=[0, 1])
    levels = spectrogram_db(sound.waveform / audio.FULL_SCALE, HOP)
    top = max(FLOOR_DB + RANGE_DB, float(levels.max()))
    image.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        extent=(0, sound.duration_s, 0, SAMPLE_RATE_HZ / 2_000),
        vmin=top - RANGE_DB,
        vmax=top,
    )
    image.set(xlim=(0, sound.duration_s), yticks=[0, 4, 8])
    image.xaxis.set_major_formatter("{x:g} s")
    for panel in (line, image):
        for time_s in set(sound.mark_s):
            panel.axvline(time_s - sound.start_s, color=mark, linewidth=1.0)
    canvas.caption(line, "", "", "score")
    canvas.caption(image, "", "", "kHz")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=canvas.DOTS_PER_INCH, metadata={"Software": None})
    return drawn.getvalue()
