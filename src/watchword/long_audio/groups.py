"""What became of detections → rates by condition and by speaker, in plain JSON types.

In comes what ``judge`` returned, out go false rejects by SNR, by tag and by speaker, and false
accepts per hour by what is known of the hours. A room because a rate over all hides whom it fails:
which tags are conditions, what order their values have, and who said enough to be judged alone, is
decided here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Final

from watchword.long_audio.judge import Judged
from watchword.long_audio.rates import accepts_record, rejects_record
from watchword.long_audio.reference import Event
from watchword.metrics import Rate

SNR: Final = "snr_db"
SPEAKER: Final = "speaker"
MOST_VALUES: Final = 30
"""A tag of more values is a name, not a condition."""
SNR_STEP_DB: Final = 5
"""SNR of more values than that is rounded to this."""
FEWEST_EVENTS: Final = 5
"""Of a speaker who is judged alone."""
WORST_SPEAKERS: Final = 10

Record = dict[str, Any]


@dataclass(frozen=True)
class Spoken:
    """A keyword that was listened for and said, and whether it was missed.

    Args:
        event: What was said, and when.
        recording: Name of the recording.
        tags: What is known of it; what is known of the event outweighs what is of the recording.
        is_missed: Whether it was missed.
    """

    event: Event
    recording: str
    tags: Mapping[str, str]
    is_missed: bool


def spoken(judged: Judged) -> list[Spoken]:
    """Return what became of every event, recording by recording, in order of time.

    Args:
        judged: What became of events and detections.
    """
    found = []
    for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True):
        told = [(hit.event, False) for hit in outcome.hits]
        told += [(event, True) for event in outcome.misses]
        for event, is_missed in sorted(told, key=lambda one: one[0].start_s):
            tags = {**recording.tags, **event.tags}
            found.append(Spoken(event, recording.name, tags, is_missed))
    return found


# ----------------------------------------------------------------------------------- false rejects


def by_snr(said: Sequence[Spoken]) -> Record | None:
    """Return false rejects by SNR, rounded where there are too many; None if none is told.

    Args:
        said: What ``spoken`` returned.
    """
    values = {one.tags[SNR] for one in said if SNR in one.tags}
    if not values:
        return None
    step_db = SNR_STEP_DB if len(values) > MOST_VALUES else None
    if step_db:
        said = [
            replace(one, tags={SNR: _rounded(one.tags[SNR], step_db)}) if SNR in one.tags else one
            for one in said
        ]
    return {"rounded_to_db": step_db, "rows": _rows(said, SNR)}


def by_tag(said: Sequence[Spoken]) -> dict[str, list[Record]]:
    """Return false rejects by every tag that is a condition: of few values, and of two at least.

    Args:
        said: What ``spoken`` returned.
    """
    return {tag: _rows(said, tag) for tag in _conditions(one.tags for one in said)}


def speakers(said: Sequence[Spoken]) -> Record | None:
    """Return the speakers who are missed most; None where nobody said enough to be judged.

    Args:
        said: What ``spoken`` returned.
    """
    rows = [row for row in _rows(said, SPEAKER) if row["value"] is not None]
    judged = [row for row in rows if row["events"] >= FEWEST_EVENTS]
    if not judged:
        return None
    judged.sort(key=lambda row: (-row["rate"], -row["events"]))
    return {
        "known": len(rows),
        "judged": len(judged),
        "fewest_events": FEWEST_EVENTS,
        "mean_false_reject_rate": fmean(row["rate"] for row in judged),
        "worst": judged[:WORST_SPEAKERS],
    }


def _rows(said: Iterable[Spoken], tag: str) -> list[Record]:
    """Return false rejects by the value of a tag; None, where it is not told, comes last."""
    groups: dict[str | None, list[bool]] = defaultdict(list)
    for one in said:
        groups[one.tags.get(tag)].append(one.is_missed)
    return [
        {"value": value, **rejects_record(Rate(sum(groups[value]), len(groups[value])))}
        for value in sorted(groups, key=_order)
    ]


# ----------------------------------------------------------------------------------- false accepts


def hours_by_tag(negative: Judged) -> dict[str, list[Record]]:
    """Return false accepts per hour by every tag of the negative hours that is a condition.

    Args:
        negative: What was done in recordings without a keyword.
    """
    tags = _conditions(one.tags for one in negative.recordings)
    return {tag: _hours_by(negative, tag) for tag in tags}


def negative_speakers(negative: Judged) -> Record | None:
    """Return who is taken for a keyword most surely; None where no speaker is told.

    Args:
        negative: What was done in recordings without a keyword.
    """
    rows = [row for row in _hours_by(negative, SPEAKER) if row["value"] is not None]
    if not rows:
        return None
    wrong = [row for row in rows if row["count"]]
    wrong.sort(key=lambda row: (-row["interval"][0], -row["per_hour"]))
    return {"known": len(rows), "taken": len(wrong), "worst": wrong[:WORST_SPEAKERS]}


def _hours_by(judged: Judged, tag: str) -> list[Record]:
    """Return false accepts per hour by the value of a tag; of those that lasted."""
    values = sorted({one.tags.get(tag) for one in judged.recordings}, key=_order)
    parts = [(value, _where(judged, tag, value)) for value in values]
    return [
        {
            "value": value,
            "recordings": len(part.recordings),
            **accepts_record(part.false_accepts_per_hour()),
        }
        for value, part in parts
        if part.hours
    ]


def _where(judged: Judged, tag: str, value: str | None) -> Judged:
    """Return what was done in the recordings that have a value of a tag."""
    return judged.select(lambda one: one.tags.get(tag) == value)


# ------------------------------------------------------------------------------------------- tags


def _conditions(tags: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the names of tags that have few values, and two at least."""
    values: dict[str, set[str]] = defaultdict(set)
    for some in tags:
        for name, value in some.items():
            values[name].add(value)
    return [
        name
        for name in sorted(values.keys() - {SNR, SPEAKER})
        if 2 <= len(values[name]) <= MOST_VALUES
    ]


def _order(value: str | None) -> tuple[int, float, str]:
    """Order numbers by size, then words, then what is not told."""
    if value is None:
        return 2, 0.0, ""
    told = number(value)
    return (1, 0.0, value) if told is None else (0, told, value)


def _rounded(value: str, step: int) -> str:
    """Return a number rounded to a step; what is none stays."""
    told = number(value)
    return value if told is None else str(step * round(told / step))


def number(value: str) -> float | None:
    """Return the number that a tag holds, or None.

    Args:
        value: Of the tag.

    Example:
        >>> number("-5"), number("clean"), number("inf")
        (-5.0, None, None)
    """
    try:
        told = float(value)
    except ValueError:
        return None
    return told if math.isfinite(told) else None
