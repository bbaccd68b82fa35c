"""What is said in recordings, and when: the reference that detections are judged by.

In come names, times and texts, out go recordings whose reference can be meant, or one line that
says what is wrong with it. A room because evaluation, calibration, mining and mixing all speak of
recordings in these words; how they lie on disk is the business of ``readers``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watchword.errors import DataError, nearest
from watchword.units import Seconds
from watchword.words import sounding_like, words_of

SLACK_S: Final[Seconds] = 0.05
"""By so much an event may end after its recording: label editors round."""
LONGEST_EVENT_S: Final[Seconds] = 10.0
"""No keyword takes longer; a longer event is in most cases one in milliseconds or samples."""


@dataclass(frozen=True)
class Event:
    """A keyword that was said.

    Args:
        keyword: Which.
        start_s: Where the word begins in its recording.
        end_s: Where it ends.
        tags: What is known of it, e.g. ``{"speaker": "ab12", "snr_db": "10"}``.
    """

    keyword: str
    start_s: Seconds
    end_s: Seconds
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A text that was said between two times, without times of its words.

    Args:
        text: The words.
        start_s: Where it begins.
        end_s: Where it ends.
    """

    text: str
    start_s: Seconds
    end_s: Seconds

    def counts(self, keyword: str) -> int:
        """Return how often the text holds a keyword or a homophone of it.

        Args:
            keyword: The word.

        Example:
            >>> Said("No, I know: nobody knows.", 0, 2).counts("no")
            2
        """
        meant = sounding_like(keyword)
        return sum(word in meant for word in words_of(self.text))


@dataclass(frozen=True)
class Recording:
    """Minutes or hours of audio, and what is known to be said in them.

    Args:
        name: What reports call it, different for each.
        files: Sound files that follow each other without a gap; mostly one.
        duration_s: Length of all of them together.
        events: Keywords that are said, in order of time.
        said: Texts that are said, in order of time.
        may_hold: Whether keywords may occur in it that no event and no text tells of.
        tags: What is known of all of it, e.g. ``{"speaker": "ls84", "noise": "rain"}``.
    """

    name: str
    files: tuple[Path, ...]
    duration_s: Seconds
    events: tuple[Event, ...] = ()
    said: tuple[Said, ...] = ()
    may_hold: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_negative(self) -> bool:
        """Whether no keyword is marked in it: hours in which nothing shall be heard."""
        return not self.events


def check(recordings: Sequence[Recording], source: str) -> None:
    """Refuse recordings whose reference cannot be meant; the first fault is named.

    Args:
        recordings: What a manifest holds.
        source: The manifest, for messages.

    Raises:
        DataError: If there is no audio, two recordings share a name, an event or a text lies
            outside its recording, runs backwards or seems to be in another unit, or events of one
            keyword overlap.
    """
    if not recordings or sum(one.duration_s for one in recordings) <= 0:
        raise DataError(
            f"{source} holds no audio, found {len(recordings)} recordings of 0 hours, needed at "
            "least one that lasts: no evidence is no rate; name recordings"
        )
    names: set[str] = set()
    for one in recordings:
        if one.name in names:
            raise DataError(
                f"{source}: two recordings are called {one.name}, needed a name for each: rename "
                "one of them"
            )
        names.add(one.name)
        _check_one(one, f"{source}: {one.name}")


def _check_one(one: Recording, where: str) -> None:
    """Refuse what cannot be meant in one recording."""
    for event in one.events:
        what = f"{event.keyword!r} from {event.start_s:g} to {event.end_s:g} s"
        _check_span(what, event.start_s, event.end_s, one.duration_s, where)
        if event.end_s - event.start_s > LONGEST_EVENT_S:
            raise DataError(
                f"{where}: {what} lasts longer than {LONGEST_EVENT_S:g} s, needed the start and "
                "end of one word in seconds: divide milliseconds by 1,000"
            )
    for text in one.said:
        what = f"the text from {text.start_s:g} to {text.end_s:g} s"
        _check_span(what, text.start_s, text.end_s, one.duration_s, where)
    last: dict[str, Event] = {}
    for event in sorted(one.events, key=lambda event: event.start_s):
        before = last.get(event.keyword)
        if before and event.start_s < before.end_s:
            raise DataError(
                f"{where}: two events of {event.keyword!r} overlap, from {before.start_s:g} to "
                f"{before.end_s:g} and from {event.start_s:g} to {event.end_s:g} s, needed one "
                "after the other: mend their times or remove one"
            )
        last[event.keyword] = event


def _check_span(what: str, start_s: float, end_s: float, duration_s: float, where: str) -> None:
    """Refuse a stretch of time that its recording does not have."""
    if not (math.isfinite(start_s) and math.isfinite(end_s)) or start_s >= end_s:
        raise DataError(
            f"{where}: {what} does not end after it starts, needed two times in seconds, the "
            "earlier one first: mend them"
        )
    if start_s < 0 or end_s > duration_s + SLACK_S:
        raise DataError(
            f"{where}: {what} lies outside the recording, which lasts {duration_s:g} s, needed "
            "times within it, in seconds: divide milliseconds by 1,000 or samples by their rate"
        )


def refuse_strangers(recordings: Iterable[Recording], keywords: Sequence[str], source: str) -> None:
    """Refuse events of words that are no keywords of a model.

    Args:
        recordings: What a manifest holds.
        keywords: Keywords of the model.
        source: The manifest, for messages.

    Raises:
        DataError: If a word is no keyword.
    """
    for one in recordings:
        for event in one.events:
            if event.keyword not in keywords:
                raise DataError(
                    f"{source}: {one.name} has an event {event.keyword!r}, and the model does not "
                    f"know this keyword: {nearest(event.keyword, [*keywords])}"
                )


def hours(recordings: Iterable[Recording]) -> float:
    """Return how long recordings last together, in hours.

    Args:
        recordings: Some.
    """
    return sum(one.duration_s for one in recordings) / 3_600
