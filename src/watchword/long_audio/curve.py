"""Scores of recordings → what each threshold would give: the DET curve over false accepts per hour.

In come scores and the reference, out go counts at every threshold of a grid. A room because
calibration searches in these counts and the report draws them. The detections are those of
``Decision``, which is asked for all thresholds at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watchword.decision import Decision, Detection, OperatingPoint, Posteriors, tempered
from watchword.long_audio.matching import TOLERANCE_S, Outcome, match
from watchword.long_audio.reference import Recording, hours
from watchword.long_audio.scores import LongScores
from watchword.long_audio.sweep import SweepPoint
from watchword.report import POOLED
from watchword.units import Seconds

LOWEST_LOGIT, HIGHEST_LOGIT, STEPS = -2.0, 7.0, 55
FAR_APART: Final = 50
"""Rows between two stretches that are looked at one after the other."""


def grid() -> NDArray[np.float64]:
    """Return the thresholds of a curve, falling: evenly spaced logits from 0.999 to 0.12.

    They have four digits, so that a threshold that is printed or stored is the one that counted.
    """
    logits = np.linspace(HIGHEST_LOGIT, LOWEST_LOGIT, STEPS)
    return np.asarray(np.round(1 / (1 + np.exp(-logits)), 4))


@dataclass(frozen=True, eq=False)
class Track:
    """The score of one keyword all along some recordings.

    Args:
        keyword: Which.
        recordings: What was heard.
        scores: Smoothed scores of each recording, shape ``(rows,)``.
        times_s: The time of each row.
        point: Smoothing and refractory period; its threshold counts for nothing.
        score_hop_ms: Time between two rows.
    """

    keyword: str
    recordings: tuple[Recording, ...]
    scores: tuple[Posteriors, ...]
    times_s: tuple[NDArray[np.float64], ...]
    point: OperatingPoint
    score_hop_ms: float


def track(
    scores: LongScores,
    recordings: Sequence[Recording],
    keyword: str,
    point: OperatingPoint,
    temperature: float,
) -> Track:
    """Return the score of a keyword all along some recordings.

    Args:
        scores: What a model answered.
        recordings: The same recordings.
        keyword: Which.
        point: Smoothing and refractory period.
        temperature: What the logits are divided by.
    """
    column, hop_ms = scores.labels.index(keyword), scores.timing.score_hop_ms
    smooth = Decision({keyword: point.changed(threshold=1.0)}, hop_ms)
    smoothed = []
    for posteriors in scores.posteriors:
        rows = tempered(posteriors, temperature)[:, [column]]
        smoothed.append(smooth.step(rows, smooth.start())[0][:, 0])
    times_s = tuple(scores.times_s(number) for number in range(len(recordings)))
    return Track(keyword, tuple(recordings), tuple(smoothed), times_s, point, hop_ms)


def detections(
    of: Track, thresholds: NDArray[np.float64]
) -> Iterator[tuple[Recording, list[list[Detection]]]]:
    """Yield the detections in each recording at each threshold.

    Args:
        of: The score of a keyword.
        thresholds: Some, shape ``(thresholds,)``.
    """
    point = replace(of.point, smoothing_scores=1, patience=None)  # the scores are smoothed already
    names = [f"{place}" for place in range(len(thresholds))]
    points = {
        name: replace(point, threshold=float(value))
        for name, value in zip(names, thresholds, strict=True)
    }
    decision = Decision(points, of.score_hop_ms)
    for one, scores, times_s in zip(of.recordings, of.scores, of.times_s, strict=True):
        found: list[list[Detection]] = [[] for _ in names]
        memory = decision.start()
        for first, end in _stretches(scores >= decision.thresholds.min()):
            # what lies between two stretches is below all thresholds, and changes nothing else
            memory = replace(memory, rows=first, above=np.zeros(len(names), bool))
            rows = np.repeat(scores[first:end, None], len(names), axis=1)
            _, fired, memory = decision.step(rows, memory)
            for row, place in fired:
                when_s, score = float(times_s[first + row]), float(scores[first + row])
                found[place].append(Detection(of.keyword, when_s, score))
        yield one, found


def _stretches(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first place and end of runs of true values, those that lie close together as one."""
    edges = np.flatnonzero(np.diff(is_in, prepend=False, append=False))
    is_far = edges[2::2] - edges[1:-1:2] >= FAR_APART
    firsts = edges[::2][np.concatenate([[True], is_far])] if len(edges) else edges
    ends = edges[1::2][np.concatenate([is_far, [True]])] if len(edges) else edges
    return [*zip(firsts.tolist(), ends.tolist(), strict=True)]


@dataclass(frozen=True, eq=False)
class Counts:
    """What each threshold of a grid gives for one keyword, arrays of shape ``(thresholds,)``.

    Args:
        thresholds: Falling.
        misses: Events that were not found.
        events: Out of how many.
        false_accepts: False accepts in the negative recordings, or in all where none is negative.
        hours: How long those are.
        latencies_s: Median latency of the events that were found, NaN where none was.
    """

    thresholds: NDArray[np.float64]
    misses: NDArray[np.int64]
    events: int
    false_accepts: NDArray[np.int64]
    hours: float
    latencies_s: NDArray[np.float64]


def count(of: Track, thresholds: NDArray[np.float64], tolerance_s: Seconds = TOLERANCE_S) -> Counts:
    """Return what thresholds give for a keyword.

    Args:
        of: Its score along recordings.
        thresholds: Falling.
        tolerance_s: How long after its end a keyword may be detected.
    """
    negative = [one for one in of.recordings if one.is_negative] or list(of.recordings)
    counted = {id(one) for one in negative}
    misses, false_accepts = (np.zeros(len(thresholds), np.int64) for _ in range(2))
    events = 0
    latencies_s: list[list[float]] = [[] for _ in thresholds]
    for one, at_each in detections(of, thresholds):
        there = sum(event.keyword == of.keyword for event in one.events)
        events += there
        misses += there
        outcomes: dict[tuple[float, ...], Outcome] = {}  # which thresholds close by share
        for place, found in enumerate(at_each):
            if found:
                times_s = tuple(heard.time_s for heard in found)
                if times_s not in outcomes:
                    outcomes[times_s] = match(found, one, [of.keyword], tolerance_s)
                outcome = outcomes[times_s]
                misses[place] -= len(outcome.hits)
                false_accepts[place] += len(outcome.false_accepts) * (id(one) in counted)
                latencies_s[place] += [hit.latency_s for hit in outcome.hits]
    medians = np.array([np.median(some) if some else np.nan for some in latencies_s])
    return Counts(thresholds, misses, events, false_accepts, hours(negative), medians)


def det(
    scores: LongScores,
    recordings: Sequence[Recording],
    points: Mapping[str, OperatingPoint],
    *,
    temperature: float = 1.0,
    tolerance_s: Seconds = TOLERANCE_S,
) -> dict[str, list[SweepPoint]]:
    """Return the curve of each keyword that is said, and of all with one threshold.

    Args:
        scores: What a model answered.
        recordings: The same recordings.
        points: Keywords that are listened for; their smoothing and refractory periods hold.
        temperature: What the logits are divided by.
        tolerance_s: How long after its end a keyword may be detected.

    Returns:
        Points of falling thresholds; the pooled ones last, if there are several keywords.
    """
    thresholds = grid()
    found = {
        keyword: count(
            track(scores, recordings, keyword, point, temperature), thresholds, tolerance_s
        )
        for keyword, point in points.items()
    }
    curves = {keyword: _points(one) for keyword, one in found.items() if one.events}
    if curves and len(found) > 1:
        some = next(iter(found.values()))
        pooled = Counts(
            thresholds,
            np.sum([one.misses for one in found.values()], axis=0),
            sum(one.events for one in found.values()),
            np.sum([one.false_accepts for one in found.values()], axis=0),
            some.hours,
            np.full(len(thresholds), np.nan),  # no curve shows it
        )
        curves[POOLED] = _points(pooled)
    return curves


def _points(of: Counts) -> list[SweepPoint]:
    """Return counts as points of a curve."""
    rows = zip(of.thresholds, of.misses, of.false_accepts, strict=True)
    return [
        SweepPoint(float(threshold), int(misses), of.events, int(accepts), of.hours)
        for threshold, misses, accepts in rows
    ]


def traces(
    scores: LongScores,
    recordings: Sequence[Recording],
    points: Mapping[str, OperatingPoint],
    temperature: float,
) -> Callable[[Recording, str], tuple[NDArray[np.float64], Posteriors]]:
    """Return what gives the times and scores of a keyword in a recording.

    Args:
        scores: What a model answered.
        recordings: The same recordings.
        points: Keywords that are listened for.
        temperature: What the logits are divided by.
    """
    numbers = {one.name: number for number, one in enumerate(recordings)}
    decision = Decision(points, scores.timing.score_hop_ms)
    columns = [scores.labels.index(keyword) for keyword in points]

    @cache
    def smoothed(number: int) -> Posteriors:
        rows = tempered(scores.posteriors[number], temperature)[:, columns]
        return decision.step(rows, decision.start())[0]

    def trace(recording: Recording, keyword: str) -> tuple[NDArray[np.float64], Posteriors]:
        number = numbers[recording.name]
        column = decision.keywords.index(keyword)
        return scores.times_s(number), smoothed(number)[:, column]

    return trace
