"""The record of rates under stated conditions → a page of Markdown and a figure.

In comes what ``robust_report.build_record`` made, out go tables, text and four small panels. It is
a room beside ``page`` because this record asks another question: not how good a model is, but how
much of that is left where rooms are loud, far away and never quiet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from watchword.canvas import FAINT, FONT_POINTS, INK, PALE, STROKES, caption, legend, sheet
from watchword.page import percent, provenance_blocks, rate, span, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

JUDGED: Final = ("without_silence", "commands", "unknown", "silence")
PART_NAMES: Final = {
    "accuracy": "all clips",
    "without_silence": "without silence",
    "commands": "keywords",
    "unknown": "unknown",
    "silence": "silence",
}
"""What a table calls the parts of a split that are told for every condition."""
MISTAKES_SHOWN: Final = 3
BAR_PERCENT: Final = 99
"""What the recall of silence shall reach at every level."""

DONE: Final = """\
- **SNR** is the mean power of the whole clip, silence around the word included, divided by that of
  the noise: one second of a recording. Clips of the class silence, and spoken clips of digital
  zero, have no such ratio and stay as they are.
- **Level** is a gain: 0 dB is the clip as recorded.
- **Shift** moves a clip later (+) or earlier (−) and lets zeros in at the other end: a word that
  lies at that end is cut.
- **In a room** a clip is convolved with a measured impulse response. The direct path stays where
  the word was, the energy is kept, what rings on after the clip is cut.
- A clip that would go beyond full scale is turned down as a whole until it fits.
- Which second of noise and which room a clip gets depends on its name alone, so that every model
  hears the same.
- **Silence** is seconds of noise brought to a peak level. Digital zero is one clip.
"""


def headline(record: Record) -> str:
    """Return the one line to quote: the clean accuracy, and the most that each kind of test costs.

    Args:
        record: What ``robust_report.build_record`` returned.
    """
    clean, *others = record["conditions"]
    worst: dict[str, Record] = {}
    for row in sorted(others, key=lambda row: float(row["accuracy"])):
        worst.setdefault(row["kind"], row)
    kinds = dict.fromkeys(row["kind"] for row in others)
    told = [f"{worst[k]['label']} {points(worst[k]['to_clean']['accuracy'])}" for k in kinds]
    where = f"task {record['task']}, {record['split']}"
    return f"clean accuracy {rate(clean)}, {where}; points at worst: {', '.join(told)}"


def rows(record: Record) -> list[dict[str, str]]:
    """Return the table of conditions as text, a row each, narrow enough for a screen.

    Args:
        record: What ``robust_report.build_record`` returned.
    """
    return [
        {
            "condition": row["label"],
            "accuracy": percent(row["accuracy"]),
            "points": points(row["to_clean"]["accuracy"]),
            **{
                PART_NAMES[part]: percent(row["parts"][part] and row["parts"][part]["accuracy"])
                for part in JUDGED
            },
        }
        for row in record["conditions"]
    ]


def silence_rows(record: Record) -> list[dict[str, str]]:
    """Return the recall of silence as text, a row for each level and a column for each noise.

    Args:
        record: What ``robust_report.build_record`` returned.

    Returns:
        Rows; none where the task has no class of silence.
    """
    levels: dict[str, dict[str, str]] = {}
    for row in record["silence"]:
        line = levels.setdefault(row["name"], {"peak": _level(row)})
        line[row["noise"]] = f"{percent(row['accuracy'])} ({span(row['interval'])})"
    return list(levels.values())


def points(difference: float | None) -> str:
    """Return a difference of two rates in points, signed, a dash for None.

    Example:
        >>> points(-0.0123), points(0.0)
        ('−1.2', '0.0')
    """
    if difference is None:
        return "–"
    text = f"{100 * difference:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def markdown(record: Record, figure: str) -> str:
    """Return the page.

    Args:
        record: What ``robust_report.build_record`` returned.
        figure: File name of the figure that lies beside the page.
    """
    about = "Accuracy under each condition, and recall of silence at each level."
    blocks = [
        f"# Robustness: task {record['task']}, {record['split']}",
        f"**{headline(record)}**",
        "\n".join(f"- {note}" for note in record["notes"]),
        f"![{about}]({figure})",
        "## Conditions",
        _conditions(record),
        "## Points lost and won",
        "Against the clean rate of the same clips; *lost* clips are right clean and wrong here.",
        _differences(record),
        *(["## Silence at every level", _silence_table(record)] if record["silence"] else []),
        "## What was done",
        DONE.strip(),
        "## Where this comes from",
        *provenance_blocks({**record["provenance"], **record["sounds"]}),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _conditions(record: Record) -> str:
    """Return every rate with its count and interval."""
    lines = []
    for row in record["conditions"]:
        rates = [row["parts"][part] for part in JUDGED]
        lines.append((row["label"], rate(row), *(rate(one) if one else "–" for one in rates)))
    return table(("condition", *PART_NAMES.values()), lines)


def _differences(record: Record) -> str:
    """Return the distance of every rate to the clean one."""
    lines = [
        (
            row["label"],
            *(points(row["to_clean"][part]) for part in PART_NAMES),
            f"{row['lost']:,}",
            f"{row['won']:,}",
        )
        for row in record["conditions"][1:]
    ]
    return table(("condition", *PART_NAMES.values(), "lost", "won"), lines)


def _silence_table(record: Record) -> str:
    """Return the recall of silence with its counts, and what it was taken for."""
    lines = []
    for row in record["silence"]:
        wrong = [f"{count} × {label.strip('_')}" for label, count in row["taken_for"].items()]
        lines.append((_level(row), row["noise"], rate(row), ", ".join(wrong[:MISTAKES_SHOWN])))
    return table(("peak", "cut from", "recall", "taken for"), lines)


def _level(row: Record) -> str:
    """Return a level of silence."""
    value = row["value"]
    return "digital zero" if value is None else f"{value:g} dBFS".replace("-", "−")


# ------------------------------------------------------------------------------------------ figure


def draw(record: Record) -> Figure:
    """Draw accuracy by SNR and in rooms, by level and by shift, and the recall of silence by level.

    Args:
        record: What ``robust_report.build_record`` returned.
    """
    figure, panels = sheet(9.6, 6.6, nrows=2, ncols=2)
    spoken = record["conditions"]
    of = {kind: [row for row in spoken if row["kind"] == kind] for kind in ("noise", "level")}
    shifts = [row for row in spoken if row["kind"] == "shift"]
    clean, room = spoken[0], [row for row in spoken if row["kind"] == "room"]
    before = [row for row in shifts if row["value"] < 0]
    behind = [row for row in shifts if row["value"] > 0]
    _panel(panels[0], [clean, *of["noise"]], room)
    _panel(panels[1], [clean, *of["level"]])
    _panel(panels[2], [*before, clean, *behind])
    told = " and rooms" if room else ""
    caption(panels[0], f"Background noise{told}", "signal-to-noise ratio (dB)", "accuracy")
    caption(panels[1], "Level", "gain (dB)", "")
    caption(panels[2], "Time shift", "later by (ms)", "accuracy")
    lowest = min(panel.dataLim.ymin for panel in panels[:3])
    for panel in panels[:3]:  # one scale, so that what hurts most is seen
        panel.set_ylim(max(0, 10 * ((lowest - 1) // 10)), 101)
    legend(panels[0], loc="lower left")
    _silence(panels[3], record["silence"])
    caption(panels[3], "Silence", "peak of the noise (dBFS)", "recall of silence")
    figure.suptitle(
        f"task {record['task']}, {record['split']}: {clean['count']:,} clips",
        fontsize=FONT_POINTS + 2,
    )
    return figure


def _panel(panel: Axes, line: Sequence[Record], beside: Sequence[Record] = ()) -> None:
    """Draw the rates of conditions from left to right; those beside it are not joined."""
    places = range(len(line))
    aside = [len(line) + 0.3 + step for step in range(len(beside))]
    for part, stroke in zip(("accuracy", *JUDGED[1:]), STROKES, strict=False):
        look = {**stroke, "linewidth": 2.0 if part == "accuracy" else 1.2, "markersize": 4.5}
        if part != "accuracy" and line[0]["parts"][part] is None:
            continue
        values = [_percent(row, part) for row in line]
        panel.plot(places, values, label=PART_NAMES[part], **look)
        alone = [_percent(row, part) for row in beside]
        panel.plot(aside, alone, **{**look, "linestyle": ""})
    for place, row in zip([*places, *aside], [*line, *beside], strict=True):
        _interval(panel, place, row)
    names = [_tick(row) for row in (*line, *beside)]
    _axes(panel, [*places, *aside], names)


def _silence(panel: Axes, found: Sequence[Record]) -> None:
    """Draw the recall of silence by level, a line for each noise."""
    levels = list(dict.fromkeys(row["value"] for row in found))
    noises = list(dict.fromkeys(row["noise"] for row in found))
    for noise, stroke in zip(noises, STROKES, strict=False):
        line = [row for row in found if row["noise"] == noise]
        places = [levels.index(row["value"]) for row in line]
        values = [100 * row["accuracy"] for row in line]
        panel.plot(places, values, label=noise, **{**stroke, "linewidth": 1.4, "markersize": 4.5})
        for place, row in zip(places, line, strict=True):
            if row["count"] > 1:
                _interval(panel, place, row)
    _axes(panel, range(len(levels)), ["zero" if x is None else _number(x) for x in levels])
    if found:
        panel.axhline(BAR_PERCENT, color=PALE, lw=0.8, ls=":", label=f"{BAR_PERCENT} %", zorder=1)
        panel.set_ylim(top=101)
        legend(panel, loc="lower left")


def _interval(panel: Axes, place: float, row: Record) -> None:
    """Draw the interval of a rate."""
    ends = [100 * end for end in row["interval"]]
    panel.plot([place, place], ends, color=INK, linewidth=1.0, zorder=1.5)


def _axes(panel: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    panel.set_xticks(places, names)
    panel.yaxis.set_major_formatter("{x:g} %")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)


def _percent(row: Record, part: str) -> float:
    """Return a rate in per cent."""
    found = row if part == "accuracy" else row["parts"][part]
    return float(100 * found["accuracy"])


def _tick(row: Record) -> str:
    """Return what stands below a condition; clean is 0 where numbers stand beside it."""
    names = {"clean": "clean", "room": "in a room"}
    return names.get(row["kind"]) or _number(row["value"])


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
