"""The record of hours of audio, its figures and sounds → the sections of a page, as HTML.

In comes what ``report.build_report`` made, with pictures and the worst mistakes as sounds, out go
the words, tables, pictures and players of each section. A room beside ``page`` because this page is
for ears; every number is one of the record, and nothing is computed here. All that comes from a
user, such as the name of a recording, is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from watchword.decision import point_of
from watchword.long_audio.elements import picture, table
from watchword.long_audio.page import CAPTIONS, PARTS
from watchword.long_audio.phrases import false_accepts, false_rejects, median_latency, minus, ms
from watchword.long_audio.players import players
from watchword.long_audio.sounds import Sound
from watchword.page import percent

Record = Mapping[str, Any]

ALTERNATIVES: Final = {
    "det.png": "Curve of the false reject rate over false accepts per hour",
    "latency.png": "Histogram of the latencies",
    "frr_by_snr.png": "False reject rate at each signal-to-noise ratio, with intervals",
}


def header(record: Record) -> str:
    """Return what stands above all sections: what was heard, and the three numbers to quote.

    Args:
        record: What ``report.build_report`` returned.
    """
    return f"{_heard(record)}\n{_headline(record)}"


def sections(
    record: Record,
    pictures: Mapping[str, bytes],
    alarms: Sequence[Sound],
    misses: Sequence[Sound],
) -> list[tuple[str, str, str]]:
    """Return the sections of the page in order, each with its key, its title and its HTML.

    Args:
        record: What ``report.build_report`` returned.
        pictures: PNG files by the names that ``figures.draw`` gives them; those of other names are
            left out.
        alarms: False accepts to listen to, the worst first.
        misses: Misses to listen to, the worst first.

    Raises:
        WatchwordError: If matplotlib is not installed, and there are sounds.
    """
    return [
        ("points", "Operating points", _points(record)),
        ("keywords", "Keywords", _keywords(record)),
        ("curves", "Trade-off and latency", _curves(record, pictures)),
        ("conditions", "By SNR and other conditions", _conditions(record, pictures)),
        ("speakers", "Worst speakers", _speakers(record)),
        ("alarms", "Worst false accepts", _alarms(record, alarms)),
        ("misses", "Worst misses", _misses(record, misses)),
        ("counted", "What was counted", _counted(record)),
        ("origin", "Where this comes from", _origin(record["provenance"])),
    ]


# -------------------------------------------------------------------------------------------- words


def _number(text: str) -> str:
    """Return ``value (what it is counted from)`` with the value in front."""
    value, _, rest = text.partition(" (")
    told = escape(rest.removesuffix(")"))
    return f"{escape(value)} <small>{told}</small>" if told else escape(value)


def _length(part: Record) -> str:
    """Return how much audio there is."""
    count, hours = part["recordings"], part["hours"]
    long = f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    return f"{long} in {count:,} recording{'s' * (count != 1)}"


def _value(row: Record) -> str:
    """Return the value of a tag."""
    return "not told" if row["value"] is None else escape(minus(str(row["value"])))


def _figure(pictures: Mapping[str, bytes], name: str) -> str:
    """Return a picture with its caption; nothing where it is not there."""
    if name not in pictures:
        return ""
    return (
        f"<figure>{picture(pictures[name], ALTERNATIVES[name])}"
        f"<figcaption>{escape(CAPTIONS[name])}</figcaption></figure>"
    )


# ----------------------------------------------------------------------------------------- sections


def _heard(record: Record) -> str:
    """Return what the model listens for, and how long it did."""
    words = [f"<strong>{escape(row['keyword'])}</strong>" for row in record["points"]]
    heard, parts = record["heard"], []
    if heard["negative"]["recordings"]:
        parts.append(f"{_length(heard['negative'])} without a keyword")
    if heard["positive"]["recordings"]:
        parts.append(f"{_length(heard['positive'])} with {record['events']:,} keywords")
    told = f"{_length(heard['all'])}: {', '.join(parts)}" if len(parts) > 1 else parts[0]
    return f'<p class="keywords">Listens for {", ".join(words)}.</p>\n<p>Heard {told}.</p>'


def _headline(record: Record) -> str:
    where = record["counted_over"]
    over = "in hours without a keyword" if where == "negative" else "in hours with keywords"
    missed = false_rejects(record["false_rejects"], "none was said")
    figures = [
        ("Missed keywords (false reject rate)", missed),
        (f"False accepts, {over}", false_accepts(record["false_accepts"][where])),
        ("Median latency after the keyword", median_latency(record["latency"], "none was found")),
    ]
    cells = []
    for name, text in figures:
        value, _, told = text.partition(" (")
        counts = escape(told.removesuffix(")"))
        cells.append(
            f'<div><dt>{name}</dt><dd class="value">{escape(value)}</dd>'
            f'<dd class="counts">{counts}</dd></div>'
        )
    return f'<dl class="headline">{"".join(cells)}</dl>'


def _points(record: Record) -> str:
    rows = {
        row["keyword"]: (
            f"{row['threshold']:.3f}",
            point_of(row).rule,
            f"{row['refractory_ms']:,.0f} ms",
        )
        for row in record["points"]
    }
    if len(rows) > 1 and len(set(rows.values())) == 1:
        rows = {f"all {len(rows)} keywords": next(iter(rows.values()))}
    cells = [(escape(keyword), *numbers) for keyword, numbers in rows.items()]
    header = ("keyword", "threshold", "a score is reached in", "refractory period")
    return table(header, cells, "Operating points")


def _keywords(record: Record) -> str:
    where = record["counted_over"]
    rows = [
        (
            escape(row["keyword"]),
            _number(false_rejects(row["false_rejects"], "never said")),
            _number(false_accepts(row["false_accepts"][where])),
            _number(median_latency(row["latency"], "never found")),
        )
        for row in record["keywords"]
    ]
    header = ("keyword", "missed (FRR)", "false accepts", "median latency")
    mean = record["mean_keyword_false_reject_rate"]
    told = "" if mean is None else f"<p>Mean of the keywords' own rates: {percent(mean)}.</p>\n"
    return told + table(header, rows, "Each keyword")


def _curves(record: Record, pictures: Mapping[str, bytes]) -> str:
    found = record["latency"]
    text = "<p>No keyword was found, so there is no latency.</p>"
    if found:
        text = (
            f"<p>Nine tenths of {found['count']:,} detections came by {ms(found['p90_s'])} ms; "
            f"they lie between {ms(found['lowest_s'])} and {ms(found['highest_s'])} ms. Below "
            "zero a keyword was detected before its end.</p>"
        )
    drawn = _figure(pictures, "det.png") + _figure(pictures, "latency.png")
    return f"{text}\n{drawn}"


def _conditions(record: Record, pictures: Mapping[str, bytes]) -> str:
    found = record["by_snr"]
    tables = []
    if found:
        step_db = found["rounded_to_db"]
        name = f"SNR (dB, rounded to {step_db})" if step_db else "SNR (dB)"
        tables.append(_rates(name, found["rows"]))
    tables += [_rates(escape(tag), rows) for tag, rows in record["by_tag"].items()]
    for tag, rows in record["hours_by_tag"].items():
        cells = [(_value(row), f"{row['hours']:,.2f}", _number(row["text"])) for row in rows]
        header = (f"hours without a keyword, by {escape(tag)}", "hours", "false accepts")
        tables.append(table(header, cells, f"False accepts by {tag}"))
    told = "" if found else "<p>The signal-to-noise ratio of no keyword is told.</p>\n"
    drawn = _figure(pictures, "frr_by_snr.png")
    return f'{told}<div class="tables">{drawn}{"".join(tables)}</div>'


def _rates(name: str, rows: Sequence[Record]) -> str:
    """Return false rejects by the values of something."""
    cells = [(_value(row), _number(false_rejects(row))) for row in rows]
    return table((name, "missed (FRR)"), cells, "Missed keywords by a condition")


def _speakers(record: Record) -> str:
    found, others = record["speakers"], record["negative_speakers"]
    blocks = ["<p>No speaker is known who said enough keywords to be judged alone.</p>"]
    if found:
        blocks = [
            f"<p>{found['judged']:,} of {found['known']:,} speakers said {found['fewest_events']} "
            "keywords or more; the mean of their false reject rates is "
            f"{percent(found['mean_false_reject_rate'])}. Those who are missed most:</p>",
            _rates("speaker", found["worst"]),
        ]
    if others:
        blocks.append(
            f"<p>{others['taken']:,} of {others['known']:,} speakers who said no keyword were "
            "taken to say one at least once.</p>"
        )
        if others["worst"]:
            rows = [(_value(row), _number(row["text"])) for row in others["worst"]]
            blocks.append(table(("speaker", "false accepts"), rows, "Who is taken for a keyword"))
    return "\n".join(blocks)


def _alarms(record: Record, alarms: Sequence[Sound]) -> str:
    count = len(record["false_accept_list"])
    if not count:
        return "<p>There was no false accept.</p>"
    lead = (
        f"{len(alarms):,} of {count:,}, those first whose score rose the farthest above the "
        "threshold. The line through the picture is the detection."
    )
    return f"<p>{lead}</p>\n{players(alarms)}" if alarms else f"<p>{_unheard(count)}</p>"


def _misses(record: Record, misses: Sequence[Sound]) -> str:
    count = len(record["miss_list"])
    if not count:
        return f"<p>{'No keyword was missed.' if record['events'] else 'None was said.'}</p>"
    lead = (
        f"{len(misses):,} of {count:,}, those first whose score stayed the farthest below the "
        "threshold. The lines through the picture are the start and the end of the word."
    )
    return f"<p>{lead}</p>\n{players(misses)}" if misses else f"<p>{_unheard(count)}</p>"


def _unheard(count: int) -> str:
    return f"There are {count:,}; none was cut out to be listened to."


def _counted(record: Record) -> str:
    """Return the hours of each kind, what the words mean, and what weakens the numbers."""
    rows = [
        (
            name,
            f"{record['heard'][part]['recordings']:,}",
            f"{record['heard'][part]['hours']:,.2f}",
            _number(false_accepts(record["false_accepts"][part])),
            f"{record['excused'][part]:,}",
        )
        for part, name in PARTS.items()
    ]
    header = ("recordings", "how many", "hours", "false accepts", "excused")
    terms = [
        (
            "False reject rate",
            "Keywords that were said and not detected between their start and "
            f"{record['tolerance_s']:g} s after their end, divided by all that were said. One "
            "keyword has one detection at most. Interval: Wilson, 95 %.",
        ),
        (
            "False accepts per hour",
            "Detections of what was not said, divided by hours of audio. Interval: exact Poisson, "
            "95 %. Where there was none its upper end is told, because no false accept in a short "
            "time is not a rate of zero.",
        ),
        (
            "Latency",
            "Time of the detection minus the end of the keyword; not the time that computing "
            "takes.",
        ),
        (
            "Excused",
            "Detections that are no false accepts: a text of the recording holds the keyword, or "
            "a word that sounds like it, without telling when it was said.",
        ),
    ]
    if record["may_hold"]["recordings"]:
        terms.append(
            (
                "Unmarked keywords",
                f"may occur in {_length(record['may_hold'])}: some of what is counted there as a "
                "false accept may be a keyword that somebody said.",
            )
        )
    told = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in terms)
    return f'{table(header, rows, "Hours")}\n<dl class="terms">{told}</dl>'


def _origin(provenance: Record) -> str:
    """Return where it all comes from: what fits in a line as a table, the rest to be opened."""
    nested = {key: value for key, value in provenance.items() if isinstance(value, Mapping)}
    rows = [
        (escape(key), escape(_plain(value)))
        for key, value in provenance.items()
        if key not in nested
    ]
    blocks = [table(("what", "value"), rows, "Provenance", "scroll long")] if rows else []
    for key, value in nested.items():
        text = escape(json.dumps(value, indent=2, ensure_ascii=False))
        blocks.append(
            f"<details><summary>{escape(key)}</summary><pre><code>{text}</code></pre></details>"
        )
    return "\n".join(blocks)


def _plain(value: Any) -> str:
    if value is None:
        return "not known"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
