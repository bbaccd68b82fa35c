"""Detections in recordings → counts: what was found, missed and falsely accepted, and for how long.

In come recordings with their detections, out goes what became of each, ready to be counted over any
part of them. A room because evaluation, calibration and the report must count the same things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from watchword.decision import Detection, OperatingPoint
from watchword.long_audio.matching import TOLERANCE_S, Hit, Outcome, match
from watchword.long_audio.rates import PerHour
from watchword.long_audio.reference import Event, Recording, hours
from watchword.metrics import Rate
from watchword.units import Seconds


@dataclass(frozen=True)
class Judged:
    """What a model did in recordings, at its operating points.

    Args:
        points: Keywords that were listened for, with their operating points.
        recordings: What was heard.
        outcomes: What became of each recording's events and detections.
        tolerance_s: How long after its end a keyword could be detected.
    """

    points: Mapping[str, OperatingPoint]
    recordings: tuple[Recording, ...]
    outcomes: tuple[Outcome, ...]
    tolerance_s: Seconds = TOLERANCE_S

    @property
    def keywords(self) -> tuple[str, ...]:
        """Keywords that were listened for."""
        return tuple(self.points)

    @property
    def hours(self) -> float:
        """How long the recordings last together."""
        return hours(self.recordings)

    @property
    def hits(self) -> list[Hit]:
        """Events that were found, recording by recording."""
        return [hit for one in self.outcomes for hit in one.hits]

    @property
    def misses(self) -> list[Event]:
        """Events that were not found, recording by recording."""
        return [event for one in self.outcomes for event in one.misses]

    @property
    def false_accepts(self) -> list[Detection]:
        """Detections of what was not said, recording by recording."""
        return [found for one in self.outcomes for found in one.false_accepts]

    def false_reject_rate(self, keyword: str | None = None) -> Rate | None:
        """Return misses ÷ events, of one keyword or of all; None where there is no event.

        Args:
            keyword: Which; all where None.
        """
        misses = sum(keyword in (None, event.keyword) for event in self.misses)
        hits = sum(keyword in (None, hit.event.keyword) for hit in self.hits)
        return Rate(misses, misses + hits) if misses + hits else None

    def false_accepts_per_hour(self, keyword: str | None = None) -> PerHour:
        """Return false accepts ÷ hours, of one keyword or of all.

        Args:
            keyword: Which; all where None.

        Raises:
            DataError: If there is no audio.
        """
        count = sum(keyword in (None, found.keyword) for found in self.false_accepts)
        return PerHour(count, self.hours)

    def latencies_s(self, keyword: str | None = None) -> list[Seconds]:
        """Return the latency of each hit, of one keyword or of all.

        Args:
            keyword: Which; all where None.
        """
        return [hit.latency_s for hit in self.hits if keyword in (None, hit.event.keyword)]

    def select(self, wanted: Callable[[Recording], bool]) -> Judged:
        """Return what was done in some of the recordings, maybe in none.

        Args:
            wanted: Tells which.
        """
        pairs = [
            pair for pair in zip(self.recordings, self.outcomes, strict=True) if wanted(pair[0])
        ]
        recordings, outcomes = tuple(r for r, _ in pairs), tuple(o for _, o in pairs)
        return replace(self, recordings=recordings, outcomes=outcomes)

    @property
    def negative(self) -> Judged:
        """What was done in the recordings without events: the negative hours."""
        return self.select(lambda one: one.is_negative)

    @property
    def positive(self) -> Judged:
        """What was done in the recordings with events."""
        return self.select(lambda one: not one.is_negative)


def judge(
    points: Mapping[str, OperatingPoint],
    recordings: Sequence[Recording],
    detections: Sequence[Sequence[Detection]],
    tolerance_s: Seconds = TOLERANCE_S,
) -> Judged:
    """Return what became of the events and detections of recordings.

    Args:
        points: Keywords that were listened for, with their operating points.
        recordings: What was heard.
        detections: Those in each recording.
        tolerance_s: How long after its end a keyword may be detected.

    Raises:
        ConfigError: If the tolerance cannot be meant.
    """
    outcomes = tuple(
        match(found, one, tuple(points), tolerance_s)
        for one, found in zip(recordings, detections, strict=True)
    )
    return Judged(points, tuple(recordings), outcomes, tolerance_s)
