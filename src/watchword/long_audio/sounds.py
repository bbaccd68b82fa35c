"""The worst false accepts and misses → sounds to play, each with a note.

In come judged recordings and the scores of their keywords, out go a few seconds of audio, what was
said there and what the model made of it. A room because a rate says how bad it is and only
listening says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.audio import Pcm
from watchword.decision import Detection, OperatingPoint
from watchword.long_audio.excerpts import cut
from watchword.long_audio.judge import Judged
from watchword.long_audio.phrases import minus
from watchword.long_audio.reference import Event, Recording
from watchword.units import SAMPLE_RATE_HZ, Seconds

Trace = tuple[NDArray[np.float64], NDArray[np.floating[Any]]]
"""When the scores of a keyword were due and what they were, each of shape ``(scores,)``."""
Traces = Callable[[Recording, str], Trace]

BEFORE_S: Final[Seconds] = 1.5  # a score hears one second, and its mean a little more
AFTER_S: Final[Seconds] = 1.0
AROUND_S: Final[Seconds] = 1.0
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
