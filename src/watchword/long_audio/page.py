"""The record of hours of audio → a page of Markdown.

In comes what ``report.build_report`` made, out goes text: the headline first, then what an honest
reader asks next, at the end what was counted and where it all comes from. A room beside
``watchword.page`` because this record asks another question: not how many clips are right, but how
often somebody is not heard and how often the device answers nobody. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from watchword.decision import point_of
from watchword.long_audio.phrases import false_accepts, false_rejects, median_latency, ms
from watchword.page import code, percent, provenance_blocks, table

Record = Mapping[str, Any]

CAPTIONS: Final = {
    "det.png": "False rejects over false accepts per hour as the threshold moves. A hollow mark "
    "had no false accept at all: it may lie anywhere left of where it stands, which is the upper "
    "end of its 95 % interval.",
    "latency.png": "How long after the end of the keyword it was detected.",
    "frr_by_snr.png": "False rejects by signal-to-noise ratio, with their 95 % intervals.",
}
PARTS: Final = {
    "negative": "without a keyword (the negative hours)",
    "positive": "with keywords",
    "all": "all",
}
NEVER_SAID: Final = "no keyword was said in these recordings"
LISTED: Final = 10
"""Mistakes that the page names; the record has them all."""


def headline(record: Record) -> str:
    """Return the one line to quote: false rejects, false accepts per hour, latency.

    Args:
        record: What ``report.build_report`` returned.
    """
    where = record["counted_over"]
    told = record["false_accepts"][where]["text"]
    over = "without a keyword" if where == "negative" else PARTS["positive"]
    rejects, found = record["false_rejects"], record["latency"]
    parts = [f"FRR {false_rejects(rejects)}" if rejects else NEVER_SAID]
    parts.append(f"false accepts {told} in recordings {over}")
    if found:
        parts.append(f"median latency {median_latency(found)}")
    return "; ".join(parts)


def markdown(record: Record, figures: Sequence[str] = ()) -> str:
    """Return the page.

    Args:
        record: What ``report.build_report`` returned.
        figures: File names of the figures that lie beside the page.
    """
    blocks = [
        "# Hours of audio: missed keywords, false accepts and latency",
        f"**{headline(record)}**",
        _beside(record),
        *_figures(figures, "det.png"),
        "## Keywords",
        _keywords(record),
        "## Missed keywords",
        *_by_snr(record),
        *_figures(figures, "frr_by_snr.png"),
        *_by_tag(record),
        _speakers(record),
        _misses(record),
        "## False accepts",
        _hours(record),
        *_hours_by_tag(record),
        *_negative_speakers(record),
        _false_accepts(record),
        "## Latency",
        _latency(record),
        *_figures(figures, "latency.png"),
        "## Operating points",
        _points(record),
        "## What was counted",
        _counted(record),
        "## Where this comes from",
        *provenance_blocks(record["provenance"]),
    ]
    return "\n\n".join(blocks) + "\n"


# ------------------------------------------------------------------------------------------- words


def _length(part: Record) -> str:
    """Return how much audio there is."""
    count, hours = part["recordings"], part["hours"]
    told = f"{hours:,.1f}" if hours >= 10 else f"{hours:.2f}"
    return f"{told} h in {count:,} recording{'s' * (count != 1)}" if count else "no recording"


def _value(row: Record) -> str:
    """Return the value of a tag."""
    return "not told" if row["value"] is None else code(row["value"])


def _figures(there: Sequence[str], *wanted: str) -> list[str]:
    """Return the images with their captions, of those that are there."""
    return [
        f"![{CAPTIONS[name]}]({name})\n\n*{CAPTIONS[name]}*" for name in wanted if name in there
    ]


# ------------------------------------------------------------------------------------------ blocks


def _beside(record: Record) -> str:
    """Return what stands beside the headline."""
    heard = record["heard"]
    lines = [
        f"heard: {_length(heard['all'])}; {_length(heard['negative'])} without a keyword (the "
        f"*negative hours*), {_length(heard['positive'])} with keywords, of which "
        f"{record['events']:,} were listened for"
    ]
    if record["mean_keyword_false_reject_rate"] is not None:
        mean = percent(record["mean_keyword_false_reject_rate"])
        lines.append(f"mean of the keywords' own false reject rates: {mean}")
    if record["counted_over"] == "negative" and record["false_accepts"]["positive"]:
        told = false_accepts(record["false_accepts"]["positive"])
        lines.append(f"false accepts in recordings with keywords: {told}")
    return "\n".join(f"- {line}" for line in lines)


def _keywords(record: Record) -> str:
    where = record["counted_over"]
    rows = [
        (
            code(row["keyword"]),
            false_rejects(row["false_rejects"], "never said"),
            false_accepts(row["false_accepts"][where]),
            median_latency(row["latency"], "never found"),
        )
        for row in record["keywords"]
    ]
    over = "" if where == "all" else " in recordings without a keyword"
    header = ("keyword", "FRR (missed/said; 95 %)", f"false accepts{over}", "median latency")
    return table(header, rows)


def _by_snr(record: Record) -> list[str]:
    found = record["by_snr"]
    if not found:
        return ["The signal-to-noise ratio of no keyword is told."]
    step_db = found["rounded_to_db"]
    name = f"SNR (dB, rounded to {step_db})" if step_db else "SNR (dB)"
    return [table((name, "FRR"), [(_value(row), false_rejects(row)) for row in found["rows"]])]


def _by_tag(record: Record) -> list[str]:
    return [
        table((tag, "FRR"), [(_value(row), false_rejects(row)) for row in rows])
        for tag, rows in record["by_tag"].items()
    ]


def _speakers(record: Record) -> str:
    found = record["speakers"]
    if not found:
        return "No speaker is known who said enough keywords to be judged alone."
    text = (
        f"{found['judged']:,} of {found['known']:,} speakers said {found['fewest_events']} "
        f"keywords or more: the mean of their false reject rates is "
        f"{percent(found['mean_false_reject_rate'])}. Those who are missed most:"
    )
    rows = [(_value(row), false_rejects(row)) for row in found["worst"]]
    return text + "\n\n" + table(("speaker", "FRR"), rows)


def _misses(record: Record) -> str:
    found = record["miss_list"]
    if not found:
        return "No keyword was missed." if record["events"] else "No keyword was said."
    rows = [
        (
            code(row["recording"]),
            code(row["keyword"]),
            f"{row['start_s']:.2f}–{row['end_s']:.2f} s",
            ", ".join(f"{name} {code(value)}" for name, value in row["tags"].items()) or "–",
        )
        for row in found[:LISTED]
    ]
    lead = f"Misses to listen to first, of {len(found):,}; the least noise first:"
    return lead + "\n\n" + table(("recording", "keyword", "said at", "what is known"), rows)


def _hours(record: Record) -> str:
    rows = [
        (
            name,
            f"{record['heard'][part]['recordings']:,}",
            f"{record['heard'][part]['hours']:,.2f}",
            false_accepts(record["false_accepts"][part]),
            f"{record['excused'][part]:,}",
        )
        for part, name in PARTS.items()
    ]
    return table(("recordings", "how many", "hours", "false accepts", "excused"), rows)


def _hours_by_tag(record: Record) -> list[str]:
    blocks = []
    for tag, rows in record["hours_by_tag"].items():
        lines = [(_value(r), f"{r['recordings']:,}", f"{r['hours']:,.2f}", r["text"]) for r in rows]
        header = (f"negative hours by {tag}", "recordings", "hours", "false accepts")
        blocks.append(table(header, lines))
    return blocks


def _negative_speakers(record: Record) -> list[str]:
    found = record["negative_speakers"]
    if not found:
        return []
    text = (
        f"{found['taken']:,} of {found['known']:,} speakers who said no keyword were taken to say "
        "one at least once."
    )
    if not found["worst"]:
        return [text]
    rows = [(_value(row), row["text"]) for row in found["worst"]]
    return [f"{text} The surest to be:", table(("speaker", "false accepts"), rows)]


def _false_accepts(record: Record) -> str:
    found = record["false_accept_list"]
    if not found:
        return "There was no false accept."
    rows = [
        (
            code(row["recording"]),
            code(row["keyword"]),
            f"{row['time_s']:.2f} s",
            f"{row['score']:.3f}",
        )
        for row in found[:LISTED]
    ]
    lead = f"The surest false accepts, of {len(found):,}:"
    return lead + "\n\n" + table(("recording", "taken for", "at", "score"), rows)


def _latency(record: Record) -> str:
    found = record["latency"]
    if not found:
        return "No keyword was found, so there is no latency."
    low, high = ms(found["lowest_s"]), ms(found["highest_s"])
    return (
        f"Median {median_latency(found)}; nine tenths by {ms(found['p90_s'])} ms; from {low} ms to "
        f"{high} ms, {found['count']:,} detections. Latency is the time of the detection minus the "
        "end of the keyword, not the time that computing takes; below zero the keyword was "
        "detected before its end."
    )


def _points(record: Record) -> str:
    rows = [
        (
            code(row["keyword"]),
            f"{row['threshold']:.3f}",
            point_of(row).rule,
            f"{row['refractory_ms']:,.0f} ms",
        )
        for row in record["points"]
    ]
    return table(("keyword", "threshold", "a score is reached in", "refractory period"), rows)


def _counted(record: Record) -> str:
    """Return what the words of the page mean, and what weakens its numbers."""
    lines = [
        f"**FRR**, the false reject rate: keywords that were said and not detected between their "
        f"start and {record['tolerance_s']:g} s after their end, divided by all that were said. "
        "One keyword that was said has one detection at most. Interval: Wilson, 95 %.",
        "**False accepts per hour**: detections of what was not said, divided by hours of audio. "
        "Interval: exact Poisson, 95 %; where there was none, its upper end is told, because no "
        "false accept in a short time is not a rate of zero.",
        "**Excused** detections are no false accepts: a text of the recording holds the keyword, "
        "or a word that sounds like it, without telling when it was said.",
    ]
    unmarked = record["may_hold"]
    if unmarked["recordings"]:
        lines.append(
            f"**Keywords may occur unmarked** in {_length(unmarked)}: some of what is counted "
            "there as a false accept may be a keyword that somebody said."
        )
    return "\n".join(f"- {line}" for line in lines)
