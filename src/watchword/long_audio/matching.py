"""Detections against reference events: what was found, what was missed, what was no keyword.

In come the detections in a recording and its reference, out go pairs, misses and false accepts. A
room because every rate on long audio is a count of these, and because the counting can be redone by
hand:

* A detection may belong to an event of its keyword if it comes no earlier than the event's start
  and no later than ``tolerance_s`` after its end.
* One event has one detection and one detection has one event, and as many of them are paired as
  can be. What is left are **misses** and **false accepts**.
* A detection that is left is **excused**, and no false accept, if it comes within a text, or up to
  ``tolerance_s`` after it, that holds its keyword or a homophone of it; each such word that is no
  event excuses one detection.

Source:
    SPEC §7 for the false accept; the pairing of points with intervals by earliest end is optimal
    (Kleinberg & Tardos 2005, Algorithm Design, section 4.1, for the argument by exchange).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watchword.decision import Detection
from watchword.errors import ConfigError
from watchword.long_audio.reference import Event, Recording, Said
from watchword.units import Seconds

TOLERANCE_S: Final[Seconds] = 1.0
"""A score hears one second, so no score after this time has heard the end of the word."""


@dataclass(frozen=True)
class Hit:
    """An event with its detection.

    Args:
        event: What was said.
        detection: What was heard.
    """

    event: Event
    detection: Detection

    @property
    def latency_s(self) -> Seconds:
        """Time of the detection minus end of the keyword; negative where it came before."""
        return self.detection.time_s - self.event.end_s


@dataclass(frozen=True)
class Outcome:
    """What became of the events and detections of a recording, each in order of time.

    Args:
        hits: Events that were found.
        misses: Events that were not.
        false_accepts: Detections of what was not said.
        excused: Detections of words that a text holds.
    """

    hits: tuple[Hit, ...]
    misses: tuple[Event, ...]
    false_accepts: tuple[Detection, ...]
    excused: tuple[Detection, ...]


def match(
    detections: Sequence[Detection],
    recording: Recording,
    keywords: Sequence[str],
    tolerance_s: Seconds = TOLERANCE_S,
) -> Outcome:
    """Return what became of detections in a recording.

    Args:
        detections: All in it, of the keywords that were listened for.
        recording: Its reference.
        keywords: The keywords that were listened for: events of others are not asked for.
        tolerance_s: How long after the end of an event its detection may come, in seconds.

    Raises:
        ConfigError: If the tolerance is negative or endless.

    Example:
        >>> said = Recording("r", (), 9.0, (Event("go", 1.0, 1.4),))
        >>> found = match([Detection("go", 1.6, 0.9), Detection("go", 3.0, 0.8)], said, ["go"])
        >>> len(found.hits), len(found.misses), len(found.false_accepts)
        (1, 0, 1)
    """
    check_tolerance(tolerance_s)
    hits: list[Hit] = []
    misses: list[Event] = []
    left: list[Detection] = []
    for keyword in dict.fromkeys(keywords):
        events = [event for event in recording.events if event.keyword == keyword]
        found = sorted((d for d in detections if d.keyword == keyword), key=lambda d: d.time_s)
        paired, missed, rest = _pair(found, events, tolerance_s)
        hits += paired
        misses += missed
        left += rest
    excused = _excused(left, recording, tolerance_s)
    false_accepts = [one for place, one in enumerate(left) if place not in excused]
    return Outcome(
        tuple(sorted(hits, key=lambda hit: hit.detection.time_s)),
        tuple(sorted(misses, key=lambda event: event.start_s)),
        tuple(sorted(false_accepts, key=lambda one: one.time_s)),
        tuple(sorted((left[place] for place in excused), key=lambda one: one.time_s)),
    )


def check_tolerance(tolerance_s: Seconds) -> None:
    """Refuse a tolerance that cannot be meant.

    Args:
        tolerance_s: How long after the end of an event its detection may come, in seconds.

    Raises:
        ConfigError: If it is negative or endless.
    """
    if not 0 <= tolerance_s < float("inf"):
        raise ConfigError(
            f"a tolerance of {tolerance_s:g} s was given, needed a finite time from 0 on"
        )


def _pair(
    detections: Sequence[Detection], events: Sequence[Event], tolerance_s: Seconds
) -> tuple[list[Hit], list[Event], list[Detection]]:
    """Pair detections in order of time, each with the open event that ends first."""
    waiting = sorted(events, key=lambda event: event.end_s)
    hits, left = [], []
    for one in detections:
        open_ones = (e for e in waiting if e.start_s <= one.time_s <= e.end_s + tolerance_s)
        event = next(open_ones, None)
        if event is None:
            left.append(one)
        else:
            waiting.remove(event)
            hits.append(Hit(event, one))
    return hits, waiting, left


def _excused(
    detections: Sequence[Detection], recording: Recording, tolerance_s: Seconds
) -> set[int]:
    """Return which detections a text excuses, each by a word of its own."""
    texts = sorted(recording.said, key=lambda text: text.end_s)  # as events are paired
    counts = [
        {
            keyword: text.counts(keyword) - _marked(text, keyword, recording.events)
            for keyword in {one.keyword for one in detections}
        }
        for text in texts
    ]
    excused = set()
    for place, one in enumerate(detections):
        for text, left in zip(texts, counts, strict=True):
            is_within = text.start_s <= one.time_s <= text.end_s + tolerance_s
            if is_within and left[one.keyword] > 0:
                left[one.keyword] -= 1
                excused.add(place)
                break
    return excused


def _marked(text: Said, keyword: str, events: Sequence[Event]) -> int:
    """Return how many events of a keyword lie within a text."""
    middles = ((one.start_s + one.end_s) / 2 for one in events if one.keyword == keyword)
    return sum(text.start_s <= middle <= text.end_s for middle in middles)
