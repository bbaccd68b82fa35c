"""Counts on long audio → rates: false accepts per hour and latencies, with their intervals.

In come counts, hours and times, out go numbers that say how sure they are. A room because it is
arithmetic that a reader can redo, and because of one law: no false accept in a short time is not a
rate of zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from watchword.errors import DataError
from watchword.metrics import Interval, Rate
from watchword.units import Seconds

TAIL: Final = 0.025
"""Of each side of a 95 % interval."""
LOW, MANY = 0.005, 100.0
"""Rates below the one and numbers from the other on are not shown with two decimals."""
HALVINGS: Final = 60
"""So often a bracket is halved: beyond that numbers of 64 bits do not differ."""


@dataclass(frozen=True, slots=True)
class PerHour:
    """False accepts in a time.

    Args:
        count: How many.
        hours: In how many hours.

    Raises:
        DataError: If there is no time: no evidence is no rate.

    Example:
        >>> print(PerHour(3, 12.5))
        0.24 per hour (3 in 12.5 h; 95 % 0.05–0.70)
        >>> print(PerHour(0, 2))
        at most 1.8 per hour (none in 2 h; 95 %)
    """

    count: int
    hours: float

    def __post_init__(self) -> None:
        if not 0 < self.hours < float("inf") or self.count < 0:
            raise DataError(
                f"no rate without evidence: found {self.count} false accepts in {self.hours:g} "
                "hours, needed some audio: name recordings that last"
            )

    def __str__(self) -> str:
        low, high = self.interval
        time = f"{self.hours:.3g} h" if self.hours < MANY else f"{self.hours:,.0f} h"
        if not self.count:
            most = f"{high:.2g}" if high < MANY else f"{high:,.0f}"
            return f"at most {most} per hour (none in {time}; 95 %)"
        return (
            f"{_shown(self.value)} per hour ({self.count:,} in {time}; "
            f"95 % {_shown(low)}–{_shown(high)})"
        )

    @property
    def value(self) -> float:
        """Count ÷ hours."""
        return self.count / self.hours

    @property
    def interval(self) -> Interval:
        """Exact interval of 95 %, per hour."""
        low, high = poisson(self.count)
        return low / self.hours, high / self.hours


def _shown(per_hour: float) -> str:
    """Return a rate above zero that is not shown as zero, however low it is."""
    return f"{per_hour:,.2f}" if per_hour >= LOW else f"{per_hour:.1g}"


@cache
def poisson(count: int) -> Interval:
    """Return the exact 95 % interval of the mean of a Poisson variable that showed a count.

    Args:
        count: What was counted, at least 0.

    Returns:
        The smallest and the largest mean under which this count is no surprise, 2.5 % each.

    Source:
        Garwood (1936), Fiducial limits for the Poisson distribution, Biometrika 28.

    Example:
        >>> [round(limit, 2) for limit in poisson(0)]
        [0.0, 3.69]
    """
    low = _solve(lambda mean: 1 - _at_most(count - 1, mean) - TAIL, count) if count else 0.0
    return low, _solve(lambda mean: TAIL - _at_most(count, mean), count)


def _at_most(count: int, mean: float) -> float:
    """Return the chance that a Poisson variable of some mean shows at most a count."""
    shown = np.arange(count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(shown[1:]))])  # their logarithms
    return float(np.exp(shown * math.log(mean) - mean - factorials).sum())


def _solve(rising: Callable[[float], float], count: int) -> float:
    """Return where a rising function of a mean crosses zero."""
    low, high = 1e-12, 2.0 * count + 20.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def hours_for(per_hour: float) -> float:
    """Return how many hours without a false accept show that a rate is at most some number.

    Args:
        per_hour: False accepts per hour, above 0.

    Raises:
        DataError: If the rate is zero: no time shows that.

    Example:
        >>> round(hours_for(0.5), 1)
        7.4
    """
    if not per_hour > 0:
        raise DataError(
            f"{per_hour:g} false accepts per hour cannot be shown in any time, needed a rate above "
            "0: 0.5 is usual"
        )
    return poisson(0)[1] / per_hour


def accepts_record(rate: PerHour) -> dict[str, Any]:
    """Return false accepts per hour in plain JSON types; the text says what zero means.

    Args:
        rate: How many in how many hours.

    Example:
        >>> accepts_record(PerHour(0, 2))["text"]
        'at most 1.8 per hour (none in 2 h; 95 %)'
    """
    return {
        "count": rate.count,
        "hours": rate.hours,
        "per_hour": rate.value,
        "interval": list(rate.interval),
        "text": str(rate),
    }


def rejects_record(rate: Rate) -> dict[str, Any]:
    """Return a false reject rate in plain JSON types.

    Args:
        rate: Misses out of all keywords that were said.

    Example:
        >>> rejects_record(Rate(1, 4))["rate"]
        0.25
    """
    return {
        "misses": rate.hits,
        "events": rate.count,
        "rate": rate.value,
        "interval": list(rate.interval),
    }


@dataclass(frozen=True, slots=True)
class Spread:
    """How some latencies are spread.

    Args:
        count: How many.
        median_s: Their median.
        interval_s: 95 % interval of the median.
        p90_s: Nine tenths are at most this.
        lowest_s: The lowest.
        highest_s: The highest.
    """

    count: int
    median_s: Seconds
    interval_s: Interval
    p90_s: Seconds
    lowest_s: Seconds
    highest_s: Seconds


def spread(latencies_s: Sequence[Seconds]) -> Spread:
    """Return how latencies are spread.

    Args:
        latencies_s: At least one.

    Returns:
        The interval of the median has the order statistics of the sign test as its ends; with
        fewer than six latencies it is the whole range, which then covers less than 95 %.

    Raises:
        DataError: If there is none.

    Source:
        Conover (1999), Practical Nonparametric Statistics, section 3.2.
    """
    if not latencies_s:
        raise DataError("no latency without a detection: found 0, needed at least one")
    ordered, count = sorted(latencies_s), len(latencies_s)
    below, chance = 0, 0.5**count if count < 1_000 else 0.0
    tail = chance
    while count < 1_000 and below < count // 2:
        chance *= (count - below) / (below + 1)
        if tail + chance > TAIL:
            break
        tail += chance
        below += 1
    if count >= 1_000:
        below = max(0, math.floor(count / 2 - 1.96 * math.sqrt(count) / 2))
    return Spread(
        count,
        _quantile(ordered, 0.5),
        (ordered[below], ordered[count - 1 - below]),
        _quantile(ordered, 0.9),
        ordered[0],
        ordered[-1],
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile, between two values by a line."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
