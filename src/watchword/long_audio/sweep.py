"""A threshold that moves → a DET curve over false accepts per hour.

In come counts at each threshold, out go rates with their intervals. A room because calibration and
the report read the same points.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchword.long_audio.rates import PerHour
from watchword.metrics import Rate


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """What a threshold gives: a point of the DET curve over false accepts per hour.

    Args:
        threshold: Score from which a keyword counts as heard.
        misses: Events that were not found.
        events: Out of how many.
        false_accepts: Detections of what was not said.
        hours: In how many hours.

    Example:
        >>> point = SweepPoint(threshold=0.7, misses=1, events=4, false_accepts=3, hours=12.5)
        >>> print(point.false_reject_rate)
        25.0 % (1/4; 95 % 4.6–69.9)
        >>> print(point.false_accepts_per_hour)
        0.24 per hour (3 in 12.5 h; 95 % 0.05–0.70)
    """

    threshold: float
    misses: int
    events: int
    false_accepts: int
    hours: float

    @property
    def false_reject_rate(self) -> Rate:
        """Misses ÷ events.

        Raises:
            DataError: If there is no event.
        """
        return Rate(self.misses, self.events)

    @property
    def false_accepts_per_hour(self) -> PerHour:
        """False accepts ÷ hours.

        Raises:
            DataError: If there is no time.
        """
        return PerHour(self.false_accepts, self.hours)
