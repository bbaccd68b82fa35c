"""Numbers of the record of hours of audio → the words that every page has for them.

In come rows of what ``report.build_report`` made, out go rates with their counts and intervals,
latencies, and minus signs that are some. A room because the page to read and the page to hear shall
say the same of the same number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watchword.page import percent, span

Record = Mapping[str, Any]


def false_rejects(row: Record | None, otherwise: str = "") -> str:
    """Return a false reject rate in the house's form: ``3.2 % (41/1,280; 95 % 2.4–4.3)``.

    Args:
        row: Holds ``misses``, ``events``, ``rate`` and ``interval``.
        otherwise: What is said where there is none.
    """
    if row is None:
        return otherwise
    counts = f"{row['misses']:,}/{row['events']:,}"
    return f"{percent(row['rate'])} ({counts}; 95 % {span(row['interval'])})"


def false_accepts(row: Record | None) -> str:
    """Return false accepts per hour, in words that know what zero means.

    Args:
        row: Holds ``text``; None where there is no recording to count in.
    """
    return "no such recording" if row is None else str(row["text"])


def median_latency(row: Record | None, otherwise: str = "") -> str:
    """Return a median latency with its interval: ``90 ms (95 % 40 to 130)``.

    Args:
        row: Holds ``median_s`` and ``interval_s``.
        otherwise: What is said where there is none.
    """
    if row is None:
        return otherwise
    low, high = row["interval_s"]
    return f"{ms(row['median_s'])} ms (95 % {ms(low)} to {ms(high)})"


def ms(time_s: float) -> str:
    """Return a time in milliseconds, without its unit.

    Args:
        time_s: In seconds.

    Example:
        >>> ms(-0.1), ms(1.25)
        ('−100', '1,250')
    """
    return minus(f"{1_000 * time_s:,.0f}")


def minus(text: str) -> str:
    """Return a number with a minus sign that is one; other words stay.

    Args:
        text: A number or words.

    Example:
        >>> minus("-10"), minus("-x")
        ('−10', '-x')
    """
    return f"−{text[1:]}" if re.fullmatch(r"-[\d.,]+", text) else text
