"""The record of hours of audio → figures.

In comes what ``report.build_report`` made, out go a DET curve over false accepts per hour, the
latencies and the false rejects by SNR. A room because a figure computes nothing: what it shows can
be read in ``report.json`` too. No false accept is drawn as the rate it may be at most, never as
zero: a logarithmic axis has no place for zero, and an honest report has none either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from watchword.canvas import FAINT, INK, PALE, STROKES, caption, legend, matplotlib, sheet
from watchword.report import POOLED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

BAND: Final = "#e3e3e3"
RATES: Final = ("false_accepts", "false_rejects")
LEAST_PER_HOUR: Final = 1e-9
"""What a logarithmic axis takes for zero; far beyond its left end."""
FEW: Final = 3
"""Keywords that have a stroke of their own; the others stay pale."""
MOST_PER_HOUR: Final = 60.0
"""Beyond one false accept a minute nobody listens: curves are cut there."""


def draw(record: Record) -> dict[str, Figure | None]:
    """Return the figures of a report by file name; None where there is no evidence.

    Args:
        record: What ``report.build_report`` returned.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    return {
        "det.png": det(record),
        "latency.png": latency(record),
        "frr_by_snr.png": by_snr(record),
    }


# --------------------------------------------------------------------------------------------- det


def det(record: Record) -> Figure | None:
    """Draw false rejects over false accepts per hour, all keywords pooled and the worst alone.

    Args:
        record: What ``report.build_report`` returned.

    Returns:
        The figure; None where no curve has both keywords and hours.
    """
    curves = {name: _line(points) for name, points in record["curves"].items()}
    curves = {name: line for name, line in curves.items() if line}
    if not curves:
        return None
    main = POOLED if POOLED in curves else next(iter(curves))
    line = curves.pop(main)
    rows = {row["keyword"]: row for row in record["keywords"]}
    if len(rows) == 1:  # one keyword alone is all keywords pooled
        curves.clear()
    judged = _judged(record, rows.get(main, record))
    figure, (panel,) = sheet(6.4, 4.6)
    panel.set_xscale("log")
    _main(panel, line, main)
    _operating_point(panel, *judged)
    for name, label, look in _looks(record, curves):
        panel.plot(*_across(_joined(curves[name])), label=label, **look)
    _band(panel, line)
    _limits(panel, [line, *curves.values()], *judged)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_major_formatter("{x:g} %")
    panel.grid(color=FAINT, linewidth=0.6)
    hours = f"{line[0]['false_accepts']['hours']:,.1f} h"
    keywords = f"{line[0]['false_rejects']['events']:,} keywords said"
    caption(panel, f"DET: {keywords}, {hours}", "false accepts per hour", "false reject rate")
    legend(panel, loc="upper right", frameon=True, framealpha=1, edgecolor="none")
    return figure


def _line(points: Sequence[Record]) -> list[Record]:
    """Return the points that have evidence on both axes, the highest threshold first."""
    seen = [point for point in points if point["false_rejects"] and point["false_accepts"]]
    return sorted(seen, key=lambda point: -float(point["threshold"]))


def _joined(line: Sequence[Record]) -> list[tuple[float, float]]:
    """Return false accepts per hour and false rejects in per cent where there is one to count."""
    return [
        (point["false_accepts"]["per_hour"], 100 * point["false_rejects"]["rate"])
        for point in line
        if point["false_accepts"]["count"]
    ]


def _alone(line: Sequence[Record]) -> tuple[float, float] | None:
    """Return the fewest false rejects without a false accept, over the rate that may be at most."""
    without = [point for point in line if not point["false_accepts"]["count"]]
    if not without:
        return None
    best = min(without, key=lambda point: float(point["false_rejects"]["rate"]))
    return best["false_accepts"]["interval"][1], 100 * best["false_rejects"]["rate"]


def _looks(
    record: Record, curves: Mapping[str, Sequence[Record]]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, label and look of each keyword: the worst by stroke, the others pale."""
    rates = {
        row["keyword"]: row["false_rejects"]["rate"]
        for row in record["keywords"]
        if row["false_rejects"]
    }
    ranked = sorted(curves, key=lambda name: -rates.get(name, 0.0))
    others = ranked[FEW:]
    looks: list[tuple[str, str, dict[str, Any]]] = []
    for name, stroke in zip(ranked[:FEW], STROKES[1:], strict=False):
        look = {**stroke, "linewidth": 1.2, "markersize": 4, "markevery": (0.15, 0.3)}
        looks.append((name, name, look))
    for place, name in enumerate(others):
        label = "" if place else f"the other {len(others)}" if others[1:] else name
        looks.append((name, label, {"color": "#b0b0b0", "linewidth": 0.7, "zorder": 1}))
    return looks


def _main(panel: Axes, line: Sequence[Record], label: str) -> None:
    """Draw the curve itself; what had no false accept stands alone, and may lie further left."""
    look = {**STROKES[0], "linewidth": 2.0, "markersize": 4.5, "markevery": (0.1, 0.25)}
    panel.plot(*_across(_joined(line)), label=label, zorder=3, **look)
    alone = _alone(line)
    if alone:
        x, y = alone
        arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.0, "shrinkA": 3}
        panel.annotate("", (x / 1.45, y), (x, y), arrowprops=arrow)
        face: dict[str, Any] = {
            "markerfacecolor": "white",
            "markeredgecolor": INK,
            "markersize": 6,
            "zorder": 4,
        }
        panel.plot(x, y, "o", linestyle="", label="no false accept: at most", **face)


def _across(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return what lies across and what up."""
    return [x for x, _ in places], [y for _, y in places]


def _band(panel: Axes, line: Sequence[Record]) -> None:
    """Shade where a curve may lie: the intervals of both its rates, corner by corner."""
    low = [[point[rate]["interval"][0] for point in line] for rate in RATES]
    high = [[point[rate]["interval"][1] for point in line] for rate in RATES]
    across = [max(one, LEAST_PER_HOUR) for one in [*low[0], *reversed(high[0])]]
    up = [100 * one for one in [*low[1], *reversed(high[1])]]
    panel.fill(across, up, color=BAND, linewidth=0, zorder=0.5, label="95 % interval")


def _judged(record: Record, row: Record) -> tuple[Record, Record | None]:
    """Return false accepts and false rejects of all keywords or of one, where it was judged."""
    return row["false_accepts"][record["counted_over"]], row["false_rejects"]


def _operating_point(panel: Axes, accepts: Record, rejects: Record | None) -> None:
    """Mark where the model was judged, with the intervals of both rates."""
    if not rejects:
        return
    x, y = accepts["per_hour"] or accepts["interval"][1], 100 * rejects["rate"]
    low, high = accepts["interval"]
    panel.plot([max(low, LEAST_PER_HOUR), high], [y, y], color=INK, linewidth=1.0, zorder=4)
    panel.plot([x, x], [100 * end for end in rejects["interval"]], color=INK, lw=1.0, zorder=4)
    face = INK if accepts["count"] else "white"
    label = f"operating point: {y:.1f} %, {_told(accepts)}"
    look: dict[str, Any] = {
        "markersize": 11,
        "markeredgecolor": INK,
        "markerfacecolor": face,
        "zorder": 5,
    }
    panel.plot(x, y, "*", linestyle="", label=label, **look)


def _told(accepts: Record) -> str:
    """Return false accepts per hour in a few words."""
    if accepts["count"]:
        return f"{accepts['per_hour']:.2g} per hour"
    return f"at most {accepts['interval'][1]:.2g} per hour"


def _limits(
    panel: Axes, lines: Sequence[Sequence[Record]], accepts: Record, rejects: Record | None
) -> None:
    """Show all that is drawn, but no more false accepts than anybody would bear."""
    places = [place for line in lines for place in [*_joined(line), *filter(None, [_alone(line)])]]
    here = accepts["per_hour"] or accepts["interval"][1]
    right = max(accepts["interval"][1] * 1.25, min(max(x for x, _ in places) * 1.25, MOST_PER_HOUR))
    left = min(here, *(x for x, _ in places)) / 1.8
    shown = [y for x, y in places if x <= right]
    if rejects:
        shown.append(100 * rejects["interval"][1])
    panel.set_xlim(left, right)
    panel.set_ylim(0, min(102, 1.15 * max([*shown, 1.0])))


# ------------------------------------------------------------------------------------------ others


def latency(record: Record) -> Figure | None:
    """Draw how long after the end of a keyword it was detected.

    Args:
        record: What ``report.build_report`` returned.

    Returns:
        The figure; None where nothing was found.
    """
    bins, found = record["latency_histogram"], record["latency"]
    if not bins:
        return None
    edges, counts = bins["edges_ms"], bins["counts"]
    figure, (panel,) = sheet(6.4, 3.4)
    width = edges[1] - edges[0]
    panel.bar(edges[:-1], counts, width, align="edge", color=FAINT, edgecolor="white", lw=0.6)
    median, late = 1_000 * found["median_s"], 1_000 * found["p90_s"]
    panel.axvline(median, color=INK, linewidth=1.8, label=f"median {_ms(median)}")
    panel.axvline(late, color=INK, linewidth=1.2, ls="--", label=f"nine tenths by {_ms(late)}")
    panel.axvline(0, color=PALE, linewidth=1.0, ls=":", label="end of the keyword")
    panel.set_ylim(0, 1.08 * max(counts))
    panel.yaxis.set_major_locator(matplotlib("ticker").MaxNLocator(8, integer=True))
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    panel.xaxis.set_major_formatter(_signed)
    title = f"Latency: {found['count']:,} detections"
    caption(panel, title, "detection − end of the keyword (ms)", "keywords found")
    legend(panel, loc="best")
    return figure


def by_snr(record: Record) -> Figure | None:
    """Draw false rejects by SNR with their intervals.

    Args:
        record: What ``report.build_report`` returned.

    Returns:
        The figure; None where there are not two SNRs to compare.
    """
    rows = [row for row in (record["by_snr"] or {"rows": []})["rows"] if row["value"] is not None]
    if len(rows) < 2:
        return None
    figure, (panel,) = sheet(max(4.2, 2.0 + 0.6 * len(rows)), 3.6)
    places = range(len(rows))
    rates = [100 * row["rate"] for row in rows]
    for place, row in zip(places, rows, strict=True):
        ends = [100 * end for end in row["interval"]]
        panel.plot([place, place], ends, color=PALE, linewidth=1.6, solid_capstyle="butt")
    panel.plot(places, rates, "o", color=INK, markersize=5.5)
    overall = 100 * record["false_rejects"]["rate"]
    label = f"all keywords said: {overall:.1f} %"
    panel.axhline(overall, color=PALE, linewidth=1.0, linestyle="--", label=label, zorder=1)
    names = [f"{_minus(row['value'])}\n({row['events']:,})" for row in rows]
    panel.set_xticks(places, names)
    panel.set_xlim(-0.6, len(rows) - 0.4)
    panel.set_ylim(0, min(102, 1.1 * max(100 * row["interval"][1] for row in rows)))
    panel.yaxis.set_major_formatter("{x:g} %")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    across = "signal-to-noise ratio (dB; keywords said)"
    caption(panel, "Missed keywords by noise", across, "false reject rate, 95 % interval")
    legend(panel, loc="upper right")
    return figure


def _ms(value: float) -> str:
    return f"{_minus(f'{value:.0f}')} ms"


def _signed(value: float, _: float) -> str:
    return _minus(f"{value:g}")


def _minus(number: str) -> str:
    """Return a number with a minus sign that is one; a word stays."""
    return f"−{number[1:]}" if number.startswith("-") else number
