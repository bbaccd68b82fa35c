"""What became of detections in hours of audio → one record → JSON, Markdown and figures.

In comes what ``judge`` returned, with DET curves and where it all comes from, out goes a folder
that one can show around: ``report.json``, figures and ``report.md``. A room because the record is
made once, and every page and figure is only another way to read it. Where there is no evidence
stands None, never a rate of zero.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from watchword import canvas
from watchword.errors import DataError
from watchword.files import write_whole
from watchword.long_audio import groups
from watchword.long_audio.figures import draw
from watchword.long_audio.judge import Judged
from watchword.long_audio.page import headline, markdown
from watchword.long_audio.rates import accepts_record, rejects_record, spread
from watchword.long_audio.reference import Recording, hours
from watchword.long_audio.sweep import SweepPoint
from watchword.metrics import Rate
from watchword.report import check_provenance
from watchword.units import Seconds

BIN_MS: Final = 50.0
MOST_BINS: Final = 40

Record = dict[str, Any]


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
    said = groups.spoken(judged)
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
        "events": len(said),
        "false_rejects": _rejects(judged.false_reject_rate()),
        "mean_keyword_false_reject_rate": fmean(rates) if rates else None,
        "false_accepts": _accepts(parts),
        "excused": {
            name: sum(len(one.excused) for one in part.outcomes) for name, part in parts.items()
        },
        "latency": _spread(latencies_s),
        "latency_histogram": _histogram(latencies_s),
        "keywords": keywords,
        "by_snr": groups.by_snr(said),
        "by_tag": groups.by_tag(said),
        "speakers": groups.speakers(said),
        "hours_by_tag": groups.hours_by_tag(judged.negative),
        "negative_speakers": groups.negative_speakers(judged.negative),
        "curves": {name: [_point(one) for one in points] for name, points in curves.items()},
        "false_accept_list": _false_accepts(judged),
        "miss_list": _misses(said),
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
    shown = canvas.save_all(draw(record), folder)
    write_whole(folder / "report.md", markdown(record, shown).encode())
    return folder / "report.md"


# ------------------------------------------------------------------------------------------ counts


def _keyword(keyword: str, judged: Judged, parts: Mapping[str, Judged]) -> Record:
    return {
        "keyword": keyword,
        "false_rejects": _rejects(judged.false_reject_rate(keyword)),
        "false_accepts": _accepts(parts, keyword),
        "latency": _spread(judged.latencies_s(keyword)),
    }


def _rejects(rate: Rate | None) -> Record | None:
    """Return a false reject rate in plain JSON types, None where no keyword was said."""
    return None if rate is None else rejects_record(rate)


def _heard(recordings: Sequence[Recording]) -> Record:
    return {"recordings": len(recordings), "hours": hours(recordings)}


def _accepts(parts: Mapping[str, Judged], keyword: str | None = None) -> Record:
    """Return false accepts per hour in each part of the hours, None where there are none."""
    return {
        name: accepts_record(part.false_accepts_per_hour(keyword)) if part.hours else None
        for name, part in parts.items()
    }


def _point(one: SweepPoint) -> Record:
    """Return a point of a DET curve."""
    return {
        "threshold": one.threshold,
        "false_rejects": _rejects(one.false_reject_rate if one.events else None),
        "false_accepts": accepts_record(one.false_accepts_per_hour) if one.hours else None,
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


# ------------------------------------------------------------------------------------------- lists


def _false_accepts(judged: Judged) -> list[Record]:
    """Return every false accept, the surest first."""
    found = [
        {"recording": recording.name, **asdict(one)}
        for recording, outcome in zip(judged.recordings, judged.outcomes, strict=True)
        for one in outcome.false_accepts
    ]
    return sorted(found, key=lambda row: -row["score"])


def _misses(said: Sequence[groups.Spoken]) -> list[Record]:
    """Return every miss: without noise first, then by falling SNR, last those that tell none."""
    found = [
        {
            "recording": one.recording,
            "keyword": one.event.keyword,
            "start_s": one.event.start_s,
            "end_s": one.event.end_s,
            "tags": dict(one.tags),
        }
        for one in said
        if one.is_missed
    ]
    return sorted(found, key=_noise)


def _noise(miss: Record) -> tuple[int, float]:
    """Order misses by the noise around them, the least first; a word such as clean is none."""
    value = miss["tags"].get(groups.SNR)
    number = None if value is None else groups.number(value)
    return (2 if value is None else 0, 0.0) if number is None else (1, -number)
