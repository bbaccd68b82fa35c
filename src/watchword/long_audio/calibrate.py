"""Scores of validation recordings → operating points with their evidence.

In come scores, the reference and a target, out come threshold, smoothing and refractory period of
each keyword and the temperature of the posteriors, or a refusal that says what evidence is missing.
A room because an operating point is chosen here and nowhere else, and only on evidence.

The false accepts that a threshold lets through by pure luck in the recordings at hand are no
promise: a threshold just above the highest score of ten hours will be passed about once in ten
other hours. So few counts are not taken at their word. The highest false accepts of a keyword are
taken to thin out exponentially as the logit of the threshold rises, and the rate at a threshold is
what this law expects, extrapolated where nothing was counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watchword.decision import OperatingPoint
from watchword.errors import ConfigError, DataError
from watchword.long_audio.curve import Counts, count, grid, track
from watchword.long_audio.judge import Judged, judge
from watchword.long_audio.matching import TOLERANCE_S
from watchword.long_audio.rates import hours_for
from watchword.long_audio.reference import Recording, hours
from watchword.long_audio.scores import LongScores, detections
from watchword.units import Seconds

SMOOTHINGS: Final = (1, 2, 3, 4, 6, 8, 10, 12, 15)
PATIENCES: Final = (0.5, 0.65, 0.8, 1.0)
"""Shares of the scores smoothed over: the more, the fewer false accepts, and the later."""
REFRACTORIES_MS: Final = (500.0, 1_000.0)
TAIL_COUNT: Final = 20
"""False accepts from which the tail's law is learned."""
ASSUMED_EXCESS: Final = 1.0
"""Logits by which one more false accept is taken to pass: what is assumed where few are counted."""
MOST: Final = 4_096
"""Combinations of operating points that are looked at side by side."""
FEWEST_EVENTS: Final = 20
"""Of a keyword; with fewer a rate of misses says nothing."""


@dataclass(frozen=True)
class Target:
    """What an operating point shall reach: one of the two rates, and in what time.

    Args:
        fa_per_hour: False accepts per hour of all keywords together, at most.
        frr: Mean false reject rate of the keywords, at most, in (0, 1).
        latency_s: Median time from the end of a keyword to its detection, of each keyword, at most;
            any where not given.

    Raises:
        ConfigError: If not exactly one rate is given, or a number is out of range.
    """

    fa_per_hour: float | None = None
    frr: float | None = None
    latency_s: Seconds | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if (self.fa_per_hour is None) == (self.frr is None):
            raise ConfigError(
                "one target is needed, found "
                f"{'none' if self.frr is None else 'two'}: give --fa-per-hour or --target-frr"
            )
        if self.fa_per_hour is not None and not 0 < self.fa_per_hour < math.inf:
            raise ConfigError(
                f"a target of {self.fa_per_hour:g} false accepts per hour was given, needed a "
                "number above 0: 0.5 is usual, 0 cannot be shown in any time"
            )
        if self.frr is not None and not 0 < self.frr < 1:
            raise ConfigError(
                f"a target of {self.frr:g} of the keywords missed was given, needed a share "
                "between 0 and 1, such as 0.05"
            )
        if self.latency_s is not None and not 0 <= self.latency_s < math.inf:
            raise ConfigError(
                f"a median latency of at most {1_000 * self.latency_s:g} ms was asked for, needed "
                "a finite time from 0 on, such as 300"
            )


@dataclass(frozen=True)
class Choice:
    """An operating point of a keyword and what is expected of it.

    Args:
        point: The operating point.
        frr: Misses ÷ events on the recordings at hand.
        fa_per_hour: False accepts per hour to be expected.
        latency_s: Median latency of the events that were found; NaN where none was.
    """

    point: OperatingPoint
    frr: float
    fa_per_hour: float
    latency_s: Seconds


@dataclass(frozen=True)
class Calibrated:
    """What was chosen, and what it does on the recordings it was chosen on.

    Args:
        choices: By keyword.
        judged: What the chosen points do there.
    """

    choices: Mapping[str, Choice]
    judged: Judged

    @property
    def points(self) -> dict[str, OperatingPoint]:
        """The operating point of each keyword."""
        return {keyword: choice.point for keyword, choice in self.choices.items()}

    @property
    def fa_per_hour(self) -> float:
        """False accepts per hour to be expected of all keywords together."""
        return sum(choice.fa_per_hour for choice in self.choices.values())

    @property
    def frr(self) -> float:
        """Mean false reject rate of the keywords."""
        return float(np.mean([choice.frr for choice in self.choices.values()]))


def calibrate(
    scores: LongScores,
    recordings: Sequence[Recording],
    keywords: Sequence[str],
    target: Target,
    *,
    temperature: float = 1.0,
    tolerance_s: Seconds = TOLERANCE_S,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> Calibrated:
    """Return the operating points that reach a target at the least cost.

    Of all thresholds, smoothings and refractory periods of all keywords those are chosen that make
    the mean of the keywords' false reject rates smallest under a limit on false accepts, or the
    other way round.

    Args:
        scores: What a model answered to validation recordings.
        recordings: The same recordings: some with events, some without.
        keywords: What is listened for.
        target: What is to be reached.
        temperature: What the logits are divided by.
        tolerance_s: How long after its end a keyword may be detected.
        told: Called with the keywords searched and the keywords in all.

    Raises:
        DataError: If a keyword is said too seldom, or there are too few negative hours.
        ConfigError: If the target is out of reach.
    """
    refuse_thin(recordings, keywords, target)
    options = {}
    for done, keyword in enumerate(keywords, start=1):
        found = _options(scores, recordings, keyword, temperature, tolerance_s)
        options[keyword] = _worth(found, keyword, target)
        told(done, len(keywords))
    choices = _cheapest(options, target)
    points = {keyword: choice.point for keyword, choice in choices.items()}
    judged = judge(points, recordings, detections(scores, points, temperature), tolerance_s)
    return Calibrated(choices, judged)


def refuse_thin(recordings: Sequence[Recording], keywords: Sequence[str], target: Target) -> None:
    """Refuse a target that these recordings cannot support.

    Args:
        recordings: Validation recordings.
        keywords: What is listened for.
        target: What is to be reached.

    Raises:
        DataError: If a keyword is said too seldom, or there are too few negative hours.
    """
    said = [event.keyword for one in recordings for event in one.events]
    for keyword in keywords:
        if said.count(keyword) < FEWEST_EVENTS:
            raise DataError(
                f"{keyword!r} is said {said.count(keyword)} times in these recordings, needed "
                f"{FEWEST_EVENTS} at least to know how often it is missed: add recordings with "
                "reference events, such as 'watchword data mix' makes"
            )
    negative = [one for one in recordings if one.is_negative]
    if negative and all(one.may_hold for one in negative):
        raise DataError(
            f"nothing tells what is said in any of {len(negative):,} recordings without keywords, "
            "needed some of which it is known: give transcripts, or --trust-negatives"
        )
    there = hours(negative)
    needed = hours_for(target.fa_per_hour) if target.fa_per_hour else 1.0
    if there < needed:
        goal = f"{target.fa_per_hour:g} per hour" if target.fa_per_hour else "any rate"
        raise DataError(
            f"{there:.2f} hours of recordings without keywords were given, and even without a "
            f"false accept {needed:.1f} hours are needed to show {goal} with 95 % confidence: add "
            f"{math.ceil(10 * (needed - there)) / 10:.1f} hours, or choose a higher target"
        )


def _options(
    scores: LongScores,
    recordings: Sequence[Recording],
    keyword: str,
    temperature: float,
    tolerance_s: Seconds,
) -> list[Choice]:
    """Return all operating points of a keyword."""
    found = []
    for point in smoothed_points():
        smooth = track(scores, recordings, keyword, point, temperature)
        for rest_ms in REFRACTORIES_MS:
            point = smooth.point.changed(refractory_ms=rest_ms)
            counts = count(replace(smooth, point=point), grid(), tolerance_s)
            rates = expected_per_hour(counts)
            for place, threshold in enumerate(counts.thresholds.tolist()):
                frr = counts.misses[place] / counts.events
                chosen = point.changed(threshold=threshold)
                latency_s = float(counts.latencies_s[place])
                found.append(Choice(chosen, float(frr), float(rates[place]), latency_s))
    return found


def smoothed_points() -> list[OperatingPoint]:
    """Return what is tried of smoothing and patience, at a threshold of 1.

    Example:
        >>> [point.rule for point in smoothed_points()][:4]
        ['1 of 1 scores', '1 of 2 scores', '2 of 2 scores', '2 of 3 scores']
    """
    return [
        OperatingPoint(1.0, smoothing, patience=patience)
        for smoothing in SMOOTHINGS
        for patience in sorted({math.ceil(share * smoothing) for share in PATIENCES})
    ]


def _worth(found: Sequence[Choice], keyword: str, target: Target) -> list[Choice]:
    """Return the choices that are quick enough and that no other one beats in both rates.

    Raises:
        ConfigError: If none is quick enough.
    """
    quick = list(found)
    if target.latency_s is not None:
        quick = [one for one in found if one.latency_s <= target.latency_s]
        if not quick:
            least = min(one.latency_s for one in found if not math.isnan(one.latency_s))
            raise ConfigError(
                f"a median latency of {1_000 * target.latency_s:.0f} ms is out of reach for "
                f"{keyword!r}, whose quickest operating point takes {1_000 * least:.0f} ms: allow "
                "more"
            )
    rates = np.array([(one.fa_per_hour, one.frr) for one in quick])
    return [quick[place] for place in _undominated(rates[:, 0], rates[:, 1])]


def _undominated(costs: NDArray[np.float64], misses: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return places of ever higher costs, each of which misses less than all before."""
    order = np.lexsort((misses, costs))
    least = np.minimum.accumulate(misses[order])
    return np.asarray(order[np.concatenate([[True], least[1:] < least[:-1]])])


def expected_per_hour(counts: Counts) -> NDArray[np.float64]:
    """Return the false accepts per hour to be expected at each threshold.

    Down to ``TAIL_COUNT`` false accepts the count is believed. Above that threshold u, with m of
    them left, at least one, the expectation is m exp(-(x - u) / b) at the logit x. There b is how
    far those m pass u together, over how many are seen to end: the maximum likelihood estimate of
    an exponential tail of which the highest threshold sees no end. One more that passes by
    ``ASSUMED_EXCESS`` is added, so that one false accept or none does not make a law. The
    expectation is never less than one false accept in a hundred times the hours.

    Args:
        counts: Of one keyword, thresholds falling.

    Returns:
        Shape ``(thresholds,)``, never falling as the threshold falls.

    Source:
        Pickands (1975), Statistical inference using extreme order statistics: excesses over a high
        threshold; the exponential is the member of his family with shape 0.
    """
    logits = np.log(counts.thresholds / (1 - counts.thresholds))
    seen = np.maximum.accumulate(counts.false_accepts).astype(np.float64)
    floor = 0.01 / counts.hours
    few = np.flatnonzero(seen <= TAIL_COUNT)
    start = int(few[-1]) if len(few) else 0
    steps = logits[:start] - logits[1 : start + 1]
    passed = float(np.sum(steps * (seen[:start] + seen[1 : start + 1]) / 2))
    excess = (passed + ASSUMED_EXCESS) / (seen[start] - seen[0] + 1)
    law = max(seen[start], 1.0) * np.exp(-(logits - logits[start]) / excess)
    expected = np.where(np.arange(len(seen)) <= start, law, seen)
    return np.asarray(np.maximum(np.maximum.accumulate(expected) / counts.hours, floor))


def _cheapest(options: Mapping[str, Sequence[Choice]], target: Target) -> dict[str, Choice]:
    """Return a choice for each keyword: the least of one rate under the limit on the other.

    Keyword after keyword joins all combinations that no other one beats in both rates, which finds
    the best of all; of more than ``MOST`` combinations as many, evenly spread, are gone on with.

    Raises:
        ConfigError: If no choice reaches the target.
    """
    costs, misses, picks = np.zeros(1), np.zeros(1), np.zeros((1, 0), np.int64)
    for choices in options.values():
        costs = np.add.outer(costs, [one.fa_per_hour for one in choices]).ravel()
        misses = np.add.outer(misses, [one.frr for one in choices]).ravel()
        kept = _undominated(costs, misses)
        kept = kept[np.linspace(0, len(kept) - 1, min(len(kept), MOST)).astype(np.int64)]
        costs, misses = costs[kept], misses[kept]
        picks = np.column_stack([picks[kept // len(choices)], kept % len(choices)])
    if target.fa_per_hour is not None:
        reached, surest = np.flatnonzero(costs <= target.fa_per_hour)[::-1], 0
    else:
        reached, surest = np.flatnonzero(misses / len(options) <= (target.frr or 0)), -1
    best = picks[reached[0] if len(reached) else surest].tolist()
    found = {key: options[key][pick] for key, pick in zip(options, best, strict=True)}
    if not len(reached):
        raise ConfigError(_out_of_reach(found, target))
    return found


def _out_of_reach(best: Mapping[str, Choice], target: Target) -> str:
    """Return what to say of a target that no threshold reaches."""
    per_hour = sum(one.fa_per_hour for one in best.values())
    frr = sum(one.frr for one in best.values()) / len(best)
    if target.fa_per_hour is not None:
        return (
            f"{target.fa_per_hour:g} false accepts per hour are out of reach: at the highest "
            f"thresholds {per_hour:.2f} are to be expected: choose a higher target, fewer "
            "keywords, or train against the false accepts ('watchword mine')"
        )
    return (
        f"a mean false reject rate of {100 * (target.frr or 0):.1f} % is out of reach: at the "
        f"lowest thresholds {100 * frr:.1f} % are missed: choose a higher target or better audio"
    )
