"""What became of detections in hours of audio → one record → JSON, Markdown and figures.

In comes what ``judge`` returned, with DET curves and where it all comes from, out goes a folder
that one can show around: ``report.json``, figures and ``report.md``. A room because the record is
made once, and every page and figure is only another way to read it. Where there is no evidence
stands None, never a rate of zero.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from watchword import canvas
from watchword.errors import DataError
from watchword.files import write_whole
from watchword.long_audio.figures import draw
from watchword.long_audio.judge import Judged
from watchword.long_audio.page import headline, markdown
from watchword.long_audio.rates import PerHour, spread
from watchword.long_audio.reference import Event, Recording, hours
from watchword.long_audio.sweep import SweepPoint
from watchword.metrics import Rate
from watchword.report import check_provenance
from watchword.units import Seconds

SNR: Final = "snr_db"
SPEAKER: Final = "speaker"
MOST_VALUES: Final = 30
"""A tag of more values is a name, not a condition."""
SNR_STEP_DB: Final = 5
"""SNR of more values than that is rounded to this."""
FEWEST_EVENTS: Final = 5
"""Of a speaker who is judged alone."""
WORST_SPEAKERS: Final = 10
BIN_MS: Final = 50.0
MOST_BINS: Final = 40

Record = dict[str, Any]


@dataclass(frozen=True)
class _Asked:
    """A keyword that was listened for and said, and whether it was missed."""

    event: Event
    recording: str
    tags: Mapping[str, str]
    is_missed: bool


def build_report(
    judged: Judged,
    curves: Mapping[str, Sequence[SweepPoint]],
    *,
    provenance: Mapping[str, Any],
) -> Record:
    """Return everything that is to be told about a model in hours of audio, in plain JSON types.

    Rates are fractions, intervals are ``[low, high]`` of 95 %. Where there is no evidence stands
    None. ``counted_over`` names the hours that the headline's false accepts are counted in: the
    negative ones, or all where there is none without a keyword.

    Args:
        judged: What became of events and detections.
        curves: Name → the points of its DET curve, false accepts counted over the same hours; that
            of one threshold for all keywords is called ``report.POOLED``.
        provenance: Where the result comes from; at least ``seed``, ``config``, ``commit`` and
            ``command`` (None where one is not known). JSON types only.

    Raises:
        DataError: If there is no audio, or the provenance is incomplete or no JSON.
    """
    check_provenance(provenance)
    if not judged.hours:
        raise DataError(
            f"no report without audio: found {len(judged.recordings)} recordings of 0 hours, "
            "needed at least one that lasts: name recordings"
        )
    asked = _asked(judged)
    parts = {"negative": judged.negative, "positive": judged.positive, "all": judged}
    keywords = [_keyword(keyword, judged, parts) for keyword in judged.keywords]
    rates = [row["false_rejects"]["rate"] for row in keywords if row["false_rejects"]]
    latencies_s = judged.latencies_s()
    record = {
        "points": [{"keyword": name, **asdict(point)} for name, point in judged.points.items()],
        "tolerance_s": judged.tolerance_s,
        "heard": {name: _heard(part.recordings) for name, part in parts.items()},
        "may_hold": _heard([one for one in judged.recordings if one.may_hold]),
        "counted_over": "negative" if judged.negative.hours else "all",
        "events": len(asked),
        "false_rejects": _rejects(judged.false_reject_rate()),
        "mean_keyword_false_reject_rate": fmean(rates) if rates else None,
        "false_accepts": _accepts(parts),
        "excused": {
            name: sum(len(one.excused) for one in part.outcomes) for name, part in parts.items()
        },
        "latency": _spread(latencies_s),
        "latency_histogram": _histogram(latencies_s),
        "keywords": keywords,
        "by_snr": _by_snr(asked),
        "by_tag": _by_tag(asked),
        "speakers": _speakers(asked),
        "hours_by_tag": _hours_by_tag(judged.negative),
        "negative_speakers": _negative_speakers(judged.negative),
        "curves": {name: [_point(one) for one in points] for name, points in curves.items()},
        "false_accept_list": _false_accepts(judged),
        "miss_list": _misses(asked),
        "provenance": dict(provenance),
    }
    return {"headline": headline(record), **record}


def write_report(record: Mapping[str, Any], folder: Path) -> Path:
    """Write record, figures and page into a folder, each file whole or not at all.

    The page comes last, so that what it shows is there. Figures of an older report that this one
    has no evidence for are removed.

    Args:
        record: What ``build_report`` returned.
        folder: Where to write; made if need be.

    Returns:
        Path of ``report.md``.

    Raises:
        DataError: If something cannot be written.
        WatchwordError: If matplotlib is not installed.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(folder / "report.json", text.encode())
    figures = draw(record)
    for name, figure in figures.items():
        if figure is None:
            (folder / name).unlink(missing_ok=True)
        else:
            canvas.save(figure, folder / name)
    shown = [name for name, figure in figures.items() if figure is not None]
    write_whole(folder / "report.md", markdown(record, shown).encode())
    return folder / "report.md"


# ------------------------------------------------------------------------------------------ counts


def _asked(judged: Judged) -> list[_Asked]:
    """Return what became of every event, recording by recording, in order of time."""
    found = []
    for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True):
        told = [(hit.event, False) for hit in outcome.hits]
        told += [(event, True) for event in outcome.misses]
        for event, is_missed in sorted(told, key=lambda one: one[0].start_s):
            tags = {**recording.tags, **event.tags}
            found.append(_Asked(event, recording.name, tags, is_missed))
    return found


def _keyword(keyword: str, judged: Judged, parts: Mapping[str, Judged]) -> Record:
    return {
        "keyword": keyword,
        "false_rejects": _rejects(judged.false_reject_rate(keyword)),
        "false_accepts": _accepts(parts, keyword),
        "latency": _spread(judged.latencies_s(keyword)),
    }


def _heard(recordings: Sequence[Recording]) -> Record:
    return {"recordings": len(recordings), "hours": hours(recordings)}


def _rejects(rate: Rate | None) -> Record | None:
    """Return a false reject rate in plain JSON types."""
    if rate is None:
        return None
    return {
        "misses": rate.hits,
        "events": rate.count,
        "rate": rate.value,
        "interval": list(rate.interval),
    }


def _per_hour(rate: PerHour) -> Record:
    """Return false accepts per hour in plain JSON types; the text says what zero means."""
    return {
        "count": rate.count,
        "hours": rate.hours,
        "per_hour": rate.value,
        "interval": list(rate.interval),
        "text": str(rate),
    }


def _accepts(parts: Mapping[str, Judged], keyword: str | None = None) -> Record:
    """Return false accepts per hour in each part of the hours, None where there are none."""
    return {
        name: _per_hour(part.false_accepts_per_hour(keyword)) if part.hours else None
        for name, part in parts.items()
    }


def _point(one: SweepPoint) -> Record:
    """Return a point of a DET curve."""
    return {
        "threshold": one.threshold,
        "false_rejects": _rejects(one.false_reject_rate if one.events else None),
        "false_accepts": _per_hour(one.false_accepts_per_hour) if one.hours else None,
    }


# ----------------------------------------------------------------------------------------- latency


def _spread(latencies_s: Sequence[Seconds]) -> Record | None:
    """Return how latencies are spread, in plain JSON types."""
    if not latencies_s:
        return None
    found = asdict(spread(latencies_s))
    return {**found, "interval_s": list(found["interval_s"])}


def _histogram(latencies_s: Sequence[Seconds]) -> Record | None:
    """Return how many latencies lie in each bin, from its low edge to below its high one."""
    if not latencies_s:
        return None
    # a microsecond is no latency: 1.7 − 1.4 s shall be 300 ms
    rounded = [round(1_000 * latency, 3) for latency in latencies_s]
    width = BIN_MS
    while (max(rounded) // width - min(rounded) // width) >= MOST_BINS:
        width *= 2
    places = Counter(int(latency // width) for latency in rounded)
    first, last = min(places), max(places)
    return {
        "edges_ms": [width * place for place in range(first, last + 2)],
        "counts": [places[place] for place in range(first, last + 1)],
    }


# ---------------------------------------------------------------------------------------- by groups


def _rows(asked: Iterable[_Asked], tag: str) -> list[Record]:
    """Return false rejects by the value of a tag; None, where it is not told, comes last."""
    groups: dict[str | None, list[bool]] = defaultdict(list)
    for one in asked:
        groups[one.tags.get(tag)].append(one.is_missed)
    return [
        {"value": value, **(_rejects(Rate(sum(groups[value]), len(groups[value]))) or {})}
        for value in sorted(groups, key=_order)
    ]


def _order(value: str | None) -> tuple[int, float, str]:
    """Order numbers by size, then words, then what is not told."""
    if value is None:
        return 2, 0.0, ""
    number = _number(value)
    return (1, 0.0, value) if number is None else (0, number, value)


def _number(value: str) -> float | None:
    """Return the number that a tag holds, or None."""
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _by_snr(asked: Sequence[_Asked]) -> Record | None:
    """Return false rejects by SNR, rounded where there are too many; None if none is told."""
    values = {one.tags[SNR] for one in asked if SNR in one.tags}
    if not values:
        return None
    step_db = SNR_STEP_DB if len(values) > MOST_VALUES else None
    if step_db:
        asked = [
            replace(one, tags={SNR: _rounded(one.tags[SNR], step_db)}) if SNR in one.tags else one
            for one in asked
        ]
    return {"rounded_to_db": step_db, "rows": _rows(asked, SNR)}


def _rounded(value: str, step: int) -> str:
    """Return a number rounded to a step; what is none stays."""
    number = _number(value)
    return value if number is None else str(step * round(number / step))


def _by_tag(asked: Sequence[_Asked]) -> dict[str, list[Record]]:
    """Return false rejects by every tag that is a condition: of few values, and of two at least."""
    return {tag: _rows(asked, tag) for tag in _conditions(one.tags for one in asked)}


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


def _speakers(asked: Sequence[_Asked]) -> Record | None:
    """Return the speakers who are missed most; None where nobody said enough to be judged."""
    rows = [row for row in _rows(asked, SPEAKER) if row["value"] is not None]
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


def _hours_by_tag(negative: Judged) -> dict[str, list[Record]]:
    """Return false accepts per hour by every tag of the negative hours that is a condition."""
    tags = _conditions(one.tags for one in negative.recordings)
    return {tag: _hours_by(negative, tag) for tag in tags}


def _hours_by(judged: Judged, tag: str) -> list[Record]:
    """Return false accepts per hour by the value of a tag; of those that lasted."""
    values = sorted({one.tags.get(tag) for one in judged.recordings}, key=_order)
    parts = [(value, _where(judged, tag, value)) for value in values]
    return [
        {
            "value": value,
            "recordings": len(part.recordings),
            **_per_hour(part.false_accepts_per_hour()),
        }
        for value, part in parts
        if part.hours
    ]


def _where(judged: Judged, tag: str, value: str | None) -> Judged:
    """Return what was done in the recordings that have a value of a tag."""
    return judged.select(lambda one: one.tags.get(tag) == value)


def _negative_speakers(negative: Judged) -> Record | None:
    """Return who is taken for a keyword most surely; None where no speaker is told."""
    rows = [row for row in _hours_by(negative, SPEAKER) if row["value"] is not None]
    if not rows:
        return None
    wrong = [row for row in rows if row["count"]]
    wrong.sort(key=lambda row: (-row["interval"][0], -row["per_hour"]))
    return {"known": len(rows), "taken": len(wrong), "worst": wrong[:WORST_SPEAKERS]}


# ------------------------------------------------------------------------------------------- lists


def _false_accepts(judged: Judged) -> list[Record]:
    """Return every false accept, the surest first."""
    found = [
        {"recording": recording.name, **asdict(one)}
        for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True)
        for one in outcome.false_accepts
    ]
    return sorted(found, key=lambda row: -row["score"])


def _misses(asked: Sequence[_Asked]) -> list[Record]:
    """Return every miss: without noise first, then by falling SNR, last those that tell none."""
    found = [
        {
            "recording": one.recording,
            "keyword": one.event.keyword,
            "start_s": one.event.start_s,
            "end_s": one.event.end_s,
            "tags": dict(one.tags),
        }
        for one in asked
        if one.is_missed
    ]
    return sorted(found, key=_noise)


def _noise(miss: Record) -> tuple[int, float]:
    """Order misses by the noise around them, the least first; a word such as clean is none."""
    value = miss["tags"].get(SNR)
    number = None if value is None else _number(value)
    return (2 if value is None else 0, 0.0) if number is None else (1, -number)
