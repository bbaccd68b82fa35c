"""The record of hours of audio, its figures and sounds → one HTML file that plays them.

In comes what ``report.build_report`` made, with pictures and the worst mistakes as sounds, out goes
a page that needs nothing but itself: no script, no request, sounds and pictures within it. A room
because the page is for ears; every number on it is one of the record, and nothing is computed here.
All that comes from a user, such as the name of a recording, is escaped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from watchword.canvas import DOTS_PER_INCH
from watchword.decision import point_of
from watchword.long_audio.page import CAPTIONS, PARTS
from watchword.long_audio.sounds import Sound, flac, minus, spectrogram_png
from watchword.page import percent, span

Record = Mapping[str, Any]

POLICY: Final = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser may load: what is in the page, and nothing else."""
ALTERNATIVES: Final = {
    "det.png": "Curve of the false reject rate over false accepts per hour",
    "latency.png": "Histogram of the latencies",
    "frr_by_snr.png": "False reject rate at each signal-to-noise ratio, with intervals",
}
CSS_DOTS_PER_INCH: Final = 96
HOW_TO_LISTEN: Final = (
    "Above, the score of the keyword and, dotted, the threshold; below, the spectrogram. Their "
    "times are those of the player."
)
STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1a1a1a; --pale: #5f6368; --line: #dcdcdc; --wash: #f6f6f4;
  --mark: #b5480a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #131416; --ink: #e6e6e3; --pale: #a0a3a8; --line: #34363a; --wash: #1b1d20;
    --mark: #f0935a;
  }
  figure img { filter: invert(1) hue-rotate(180deg); mix-blend-mode: screen; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 64rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
h1, h2, h3 { line-height: 1.25; margin: 0; }
h1, h2 { text-wrap: balance; }
h1 { font-size: 1.75rem; font-weight: 650; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; font-weight: 650; margin: 3.25rem 0 0.9rem; scroll-margin-top: 1rem; }
h3 { font-size: 1rem; font-weight: 600; }
p, li, dd { max-width: 70ch; }
p { margin: 0.7rem 0; }
a { color: inherit; text-decoration-color: var(--pale); text-underline-offset: 0.2em; }
a:hover { text-decoration-color: currentColor; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 3px; border-radius: 2px; }
small, .note, figcaption, .counts { color: var(--pale); }
small, figcaption, .note { font-size: 0.875rem; line-height: 1.45; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; list-style: none; padding: 0; }
nav { margin-top: 1.6rem; font-size: 0.9rem; }
nav li { max-width: none; }
nav a { display: inline-block; padding: 0.15rem 0; }
.headline {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: 1.4rem 2rem; margin: 1.9rem 0 1.4rem; padding: 1.3rem 0;
  border-top: 1px solid var(--line); border-bottom: 1px solid var(--line);
}
.headline > div { display: flex; flex-direction: column; }
.headline dt { font-size: 0.875rem; color: var(--pale); }
.headline dd { margin: 0; }
.headline .value { font-size: 1.65rem; font-weight: 600; line-height: 1.3; }
.value, .counts, td, .keywords { font-variant-numeric: tabular-nums; }
.counts { font-size: 0.875rem; }
.scroll { overflow-x: auto; margin: 1rem 0; max-width: max-content; }
table { border-collapse: collapse; font-size: 0.9rem; }
caption { text-align: left; color: var(--pale); font-size: 0.875rem; padding-bottom: 0.4rem; }
th, td {
  text-align: left; vertical-align: baseline; padding: 0.42rem 1.6rem 0.42rem 0;
  border-bottom: 1px solid var(--line);
}
th:last-child, td:last-child { padding-right: 0; }
thead th { font-weight: 500; color: var(--pale); font-size: 0.85rem; }
tbody th { font-weight: 600; }
td, thead th { white-space: nowrap; }
.long td { white-space: normal; overflow-wrap: anywhere; }
td small { margin-left: 0.35rem; }
.tables { display: flex; flex-wrap: wrap; gap: 0.5rem 3.5rem; align-items: flex-start; }
.tables > * { min-width: 0; max-width: 100%; }
figure { margin: 1.4rem 0; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: 0.5rem; max-width: 60ch; }
.sounds {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr));
  gap: 2.4rem 2.5rem; list-style: none; padding: 0; margin: 1.6rem 0;
}
.sounds li { max-width: none; min-width: 0; break-inside: avoid; }
.sounds figure { margin: 0.5rem 0 0.6rem; }
.sounds img { width: 100%; max-width: 27rem; }
.sounds audio { display: block; width: 100%; max-width: 27rem; height: 2.5rem; }
.sounds .note { margin: 0.6rem 0 0; }
.rank { color: var(--pale); font-weight: 400; margin-right: 0.35rem; }
.terms dt { font-weight: 600; margin-top: 0.8rem; }
.terms dd { margin: 0.1rem 0 0; }
summary { cursor: pointer; padding: 0.3rem 0; }
pre {
  overflow-x: auto; background: var(--wash); padding: 0.9rem 1rem; border-radius: 6px;
  font: 0.82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}
@media (max-width: 34rem) {
  body { padding-top: 1.5rem; }
  h1 { font-size: 1.45rem; }
  h2 { margin-top: 2.6rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, audio { display: none !important; }
  h2, h3 { break-after: avoid; }
  figure, tr, .headline { break-inside: avoid; }
  .scroll { overflow: visible; }
  td { white-space: normal; }
}
"""


def html(
    record: Record,
    pictures: Mapping[str, bytes],
    alarms: Sequence[Sound],
    misses: Sequence[Sound],
    *,
    title: str,
) -> str:
    """Return the page.

    Args:
        record: What ``report.build_report`` returned.
        pictures: PNG files by the names that ``figures.draw`` gives them; those of other names are
            left out.
        alarms: False accepts to listen to, the worst first.
        misses: Misses to listen to, the worst first.
        title: What stands above, e.g. the name of the model.

    Raises:
        WatchwordError: If matplotlib is not installed, and there are sounds.
    """
    sections = [
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
    links = "".join(f'<li><a href="#{key}">{name}</a></li>' for key, name, _ in sections)
    bodies = "\n".join(
        f'<section aria-labelledby="{key}">\n<h2 id="{key}">{name}</h2>\n'
        f"{body if key == 'origin' else body.replace(' %', '&nbsp;%')}\n</section>"
        for key, name, body in sections
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{_heard(record)}
{_headline(record)}
<nav aria-label="On this page"><ul>{links}</ul></nav>
</header>
<main>
{bodies}
</main>
</body>
</html>
"""


# ------------------------------------------------------------------------------------------- pieces


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], label: str, kind: str = "scroll"
) -> str:
    """Return a table that scrolls sideways where it is too wide; cells are HTML already."""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in header)
    lines = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="{kind}" role="region" aria-label="{escape(label)}" tabindex="0"><table>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def _data(content: bytes, kind: str) -> str:
    """Return the address of content that is within the page."""
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _figure(pictures: Mapping[str, bytes], name: str) -> str:
    """Return a picture with its caption; nothing where it is not there."""
    if name not in pictures:
        return ""
    return (
        f"<figure>{_image(pictures[name], ALTERNATIVES[name])}"
        f"<figcaption>{escape(CAPTIONS[name])}</figcaption></figure>"
    )


def _image(png: bytes, alternative: str) -> str:
    """Return a picture in the size that its letters were drawn for."""
    width, height = (
        round(int.from_bytes(png[place : place + 4]) * CSS_DOTS_PER_INCH / DOTS_PER_INCH)
        for place in (16, 20)
    )
    return (
        f'<img src="{_data(png, "image/png")}" width="{width}" height="{height}" '
        f'alt="{escape(alternative)}">'
    )


def _sounds(sounds: Sequence[Sound]) -> str:
    """Return sounds with their players and spectrograms."""
    items = "\n".join(_sound(place, one) for place, one in enumerate(sounds, start=1))
    return f'<p class="note">{HOW_TO_LISTEN}</p>\n<ol class="sounds">\n{items}\n</ol>'


def _sound(place: int, sound: Sound) -> str:
    title = escape(sound.title)
    picture = _image(spectrogram_png(sound), f"Scores and spectrogram: {sound.title}")
    return (
        f'<li><article><h3><span class="rank">{place}</span>{title}</h3>\n'
        f"<figure>{picture}</figure>\n"
        f'<audio controls preload="none" aria-label="{title}" '
        f'src="{_data(flac(sound.waveform), "audio/flac")}"></audio>\n'
        f'<p class="note">{escape(sound.note)}</p></article></li>'
    )


# -------------------------------------------------------------------------------------------- words


def _number(text: str) -> str:
    """Return ``value (what it is counted from)`` with the value in front."""
    value, _, rest = text.partition(" (")
    told = escape(rest.removesuffix(")"))
    return f"{escape(value)} <small>{told}</small>" if told else escape(value)


def _rate(row: Record | None, otherwise: str) -> str:
    """Return false rejects as text, ``3.2 % (41/1,280; 95 % 2.4–4.3)``."""
    if row is None:
        return otherwise
    counts = f"{row['misses']:,}/{row['events']:,}"
    return f"{percent(row['rate'])} ({counts}; 95 % {span(row['interval'])})"


def _accepts(row: Record | None) -> str:
    """Return false accepts per hour as text, which knows what zero means."""
    return "no such recording" if row is None else str(row["text"])


def _latency(row: Record | None, otherwise: str) -> str:
    """Return a median latency as text, ``90 ms (95 % 40 to 130)``."""
    if row is None:
        return otherwise
    low, high = row["interval_s"]
    return f"{_ms(row['median_s'])} ms (95 % {_ms(low)} to {_ms(high)})"


def _ms(time_s: float) -> str:
    """Return a time in milliseconds."""
    return minus(f"{1_000 * time_s:,.0f}")


def _length(part: Record) -> str:
    """Return how much audio there is."""
    count, hours = part["recordings"], part["hours"]
    long = f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    return f"{long} in {count:,} recording{'s' * (count != 1)}"


def _value(row: Record) -> str:
    """Return the value of a tag."""
    return "not told" if row["value"] is None else escape(minus(str(row["value"])))


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
    figures = [
        ("Missed keywords (false reject rate)", _rate(record["false_rejects"], "none was said")),
        (f"False accepts, {over}", _accepts(record["false_accepts"][where])),
        ("Median latency after the keyword", _latency(record["latency"], "none was found")),
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
    return _table(header, cells, "Operating points")


def _keywords(record: Record) -> str:
    where = record["counted_over"]
    rows = [
        (
            escape(row["keyword"]),
            _number(_rate(row["false_rejects"], "never said")),
            _number(_accepts(row["false_accepts"][where])),
            _number(_latency(row["latency"], "never found")),
        )
        for row in record["keywords"]
    ]
    header = ("keyword", "missed (FRR)", "false accepts", "median latency")
    mean = record["mean_keyword_false_reject_rate"]
    told = "" if mean is None else f"<p>Mean of the keywords' own rates: {percent(mean)}.</p>\n"
    return told + _table(header, rows, "Each keyword")


def _curves(record: Record, pictures: Mapping[str, bytes]) -> str:
    found = record["latency"]
    text = "<p>No keyword was found, so there is no latency.</p>"
    if found:
        text = (
            f"<p>Nine tenths of {found['count']:,} detections came by {_ms(found['p90_s'])} ms; "
            f"they lie between {_ms(found['lowest_s'])} and {_ms(found['highest_s'])} ms. Below "
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
        tables.append(_table(header, cells, f"False accepts by {tag}"))
    told = "" if found else "<p>The signal-to-noise ratio of no keyword is told.</p>\n"
    drawn = _figure(pictures, "frr_by_snr.png")
    return f'{told}<div class="tables">{drawn}{"".join(tables)}</div>'


def _rates(name: str, rows: Sequence[Record]) -> str:
    """Return false rejects by the values of something."""
    cells = [(_value(row), _number(_rate(row, ""))) for row in rows]
    return _table((name, "missed (FRR)"), cells, "Missed keywords by a condition")


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
            blocks.append(_table(("speaker", "false accepts"), rows, "Who is taken for a keyword"))
    return "\n".join(blocks)


def _alarms(record: Record, alarms: Sequence[Sound]) -> str:
    count = len(record["false_accept_list"])
    if not count:
        return "<p>There was no false accept.</p>"
    lead = (
        f"{len(alarms):,} of {count:,}, those first whose score rose the farthest above the "
        "threshold. The line through the picture is the detection."
    )
    return f"<p>{lead}</p>\n{_sounds(alarms)}" if alarms else f"<p>{_unheard(count)}</p>"


def _misses(record: Record, misses: Sequence[Sound]) -> str:
    count = len(record["miss_list"])
    if not count:
        return f"<p>{'No keyword was missed.' if record['events'] else 'None was said.'}</p>"
    lead = (
        f"{len(misses):,} of {count:,}, those first whose score stayed the farthest below the "
        "threshold. The lines through the picture are the start and the end of the word."
    )
    return f"<p>{lead}</p>\n{_sounds(misses)}" if misses else f"<p>{_unheard(count)}</p>"


def _unheard(count: int) -> str:
    return f"There are {count:,}; none was cut out to be listened to."


def _counted(record: Record) -> str:
    """Return the hours of each kind, what the words mean, and what weakens the numbers."""
    rows = [
        (
            name,
            f"{record['heard'][part]['recordings']:,}",
            f"{record['heard'][part]['hours']:,.2f}",
            _number(_accepts(record["false_accepts"][part])),
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
    return f'{_table(header, rows, "Hours")}\n<dl class="terms">{told}</dl>'


def _origin(provenance: Record) -> str:
    """Return where it all comes from: what fits in a line as a table, the rest to be opened."""
    nested = {key: value for key, value in provenance.items() if isinstance(value, Mapping)}
    rows = [
        (escape(key), escape(_plain(value)))
        for key, value in provenance.items()
        if key not in nested
    ]
    blocks = [_table(("what", "value"), rows, "Provenance", "scroll long")] if rows else []
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
