"""Rates, curves and records → figures.

In come numbers that ``metrics`` and ``groups`` made, out go matplotlib figures; ``save`` writes
them. It is a room because a figure computes nothing: what it shows can be read in ``report.json``
too. Pictures of sound and of the lambda layer are drawn in ``pictures`` and found here as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword import metrics
from watchword.canvas import FAINT, FONT_POINTS, INK, PALE, STROKES, caption, legend, save, sheet
from watchword.canvas import matplotlib as _matplotlib
from watchword.errors import DataError
from watchword.groups import Speakers
from watchword.metrics import ClassRates, Curve, Rate, curve, equal_error_rate
from watchword.pictures import lambda_maps, noise_mixing, training_curves
from watchword.scores import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "confusion",
    "confusion_of_run",
    "curves_of_runs",
    "det",
    "det_of_runs",
    "lambda_maps",
    "noise_mixing",
    "per_class",
    "roc",
    "roc_det_of_runs",
    "roc_of_runs",
    "save",
    "speakers",
    "training_curves",
]

DET_TICKS: Final = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
FEW: Final = 4


def confusion(labels: Sequence[str], counts: NDArray[np.int64], *, title: str = "") -> Figure:
    """Draw a confusion matrix: numbers are clips, shade is the share of the row.

    Args:
        labels: Names of the classes.
        counts: How often each was taken for each, shape ``(targets, predictions)``.
        title: What stands above it.
    """
    clips = counts.sum(axis=1)
    shares = counts / np.maximum(clips, 1)[:, None]
    size = 2.2 + 0.44 * len(labels) if len(labels) <= 14 else 2.6 + 0.27 * len(labels)
    figure, (panel,) = sheet(size, size)
    # shade by square root: one clip in a hundred shall be seen
    norm = _matplotlib("colors").PowerNorm(0.5, 0, 1)
    panel.imshow(shares, cmap="Greys", norm=norm, aspect="equal")
    points = FONT_POINTS - 1 if len(labels) <= 14 else FONT_POINTS - 3
    for row, column in np.argwhere(counts):
        ink = "white" if shares[row, column] > 0.3 else INK
        text = f"{counts[row, column]:,}"
        panel.text(column, row, text, ha="center", va="center", color=ink, fontsize=points)
    every = np.arange(len(labels))
    panel.set_xticks(every, labels, rotation=90, fontsize=points)
    named = [f"{label} ({count:,})" for label, count in zip(labels, clips, strict=True)]
    panel.set_yticks(every, named, fontsize=points)
    panel.tick_params(which="both", length=0)
    panel.spines[:].set_visible(False)
    panel.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    panel.grid(which="minor", color=FAINT, linewidth=0.5)
    caption(panel, title, "answered", "right answer (clips)")
    return figure


def confusion_of_run(scores: Scores, name: str) -> Figure:
    """Draw the confusion matrix of one run, over the clips that count for accuracy.

    Args:
        scores: Every clip of a split, all parts.
        name: What the run is called.

    Raises:
        DataError: If no clip counts for accuracy.
    """
    task = scores.select(scores.parts == "task")
    title = f"{name}, task {scores.task}, {scores.split}: {metrics.accuracy(task)}"
    return confusion(scores.labels, metrics.confusion(task), title=title)


def per_class(rows: Sequence[ClassRates], *, title: str = "") -> Figure:
    """Draw recall and precision of each class with their 95 % intervals, the worst recall on top.

    Args:
        rows: Rates of each class; those without clips are left out.
        title: What stands above it.
    """
    judged = [(row, row.recall) for row in rows if row.recall is not None]
    judged.sort(key=lambda item: item[1].value, reverse=True)
    figure, (panel,) = sheet(6.4, 1.3 + 0.36 * len(judged))
    for height, (row, recall) in enumerate(judged):
        _whisker(panel, height + 0.15, recall, marker="o", filled=True)
        if row.precision is not None:
            _whisker(panel, height - 0.15, row.precision, marker="s", filled=False)
    names = [f"{row.label} ({recall.count:,})" for row, recall in judged]
    panel.set_yticks(range(len(judged)), names)
    panel.set_ylim(-0.6, len(judged) - 0.4)
    panel.plot([], [], "o", color=INK, label="recall: of its clips, those found")
    panel.plot([], [], "s", color=INK, mfc="white", label="precision: of its answers, those right")
    panel.xaxis.set_major_formatter("{x:g} %")
    panel.grid(axis="x", color=FAINT, linewidth=0.6)
    caption(panel, title, "share of clips, with 95 % interval", "")
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=FONT_POINTS - 1,
    )
    return figure


def speakers(spread: Speakers, *, title: str = "") -> Figure:
    """Draw the accuracy of each speaker, worst first, beside what chance alone would show.

    Args:
        spread: What ``groups.by_speaker`` found.
        title: What stands above it.
    """
    values = 100 * np.array([rate.value for _, rate in spread.rates])
    count = len(values)
    figure, (panel,) = sheet(6.4, 3.8)
    tenth = -(-count // 10)
    places = np.arange(1, count + 1)
    panel.axvspan(0.5, tenth + 0.5, color=FAINT, alpha=0.6, linewidth=0, label="worst tenth")
    panel.plot(
        places, values, drawstyle="steps-mid", color="black", linewidth=1.6, label="speakers found"
    )
    label = "by chance, if all were equally easy"
    panel.plot(places, 100 * spread.by_chance, "--", color=PALE, lw=1.6, label=label, zorder=1.5)
    panel.set_xlim(0.5, count + 0.5)
    panel.set_ylim(min(values.min(), 100 * spread.by_chance.min()) - 4, 101.5)
    panel.yaxis.set_major_formatter("{x:g} %")
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    note = (
        f"{count:,} of {spread.known:,} speakers, those with {spread.minimum_clips} clips or more"
    )
    caption(panel, title, f"{note}; the worst first", "accuracy of the speaker")
    legend(panel, loc="lower right")
    return figure


def roc(curves: Mapping[str, Curve], *, title: str = "") -> Figure:
    """Draw recall against false accepts (logarithmic) of clips; see ``det`` for the names.

    Args:
        curves: Name → curve.
        title: What stands above it.
    """
    figure, (panel,) = sheet(6.0, 4.6)
    _draw_roc(panel, curves, title)
    return figure


def det(curves: Mapping[str, Curve], *, title: str = "") -> Figure:
    """Draw false rejects against false accepts of clips over normal-deviate (probit) axes.

    With more than a few curves the last one and the worst are told apart by strokes, and the others
    stay pale behind them. Rates of 0 and 1 lie at infinity and end the lines.

    Args:
        curves: Name → curve.
        title: What stands above it.

    Source:
        Martin et al. (1997), The DET curve in assessment of detection task performance.
    """
    figure, (panel,) = sheet(6.0, 5.4)
    _draw_det(panel, curves, title)
    return figure


def roc_of_runs(runs: Mapping[str, Scores]) -> Figure:
    """Draw the ROC of several runs in one panel; see ``roc_det_of_runs``."""
    return roc(curves_of_runs(runs), title=f"ROC, {_of_runs(runs)}")


def det_of_runs(runs: Mapping[str, Scores]) -> Figure:
    """Draw the DET curves of several runs in one panel; see ``roc_det_of_runs``."""
    return det(curves_of_runs(runs), title=f"DET, {_of_runs(runs)}")


def roc_det_of_runs(runs: Mapping[str, Scores]) -> Figure:
    """Draw ROC and DET of several runs side by side, keywords pooled.

    Args:
        runs: Name of the run → its scores, all of the same task and split.

    Raises:
        DataError: If there is no run, or tasks, labels or splits differ.
    """
    curves = curves_of_runs(runs)
    figure, (left, right) = sheet(10.4, 5.2, ncols=2)
    _draw_roc(left, curves, "ROC")
    _draw_det(right, curves, "DET")
    figure.suptitle(_of_runs(runs), fontsize=FONT_POINTS + 2)
    return figure


def curves_of_runs(runs: Mapping[str, Scores]) -> dict[str, Curve]:
    """Return the pooled curve of each run, over the clips that count for accuracy.

    Raises:
        DataError: If there is no run, or tasks, labels or splits differ.
    """
    kinds = sorted({f"{x.task}/{x.split} ({len(x.labels)} labels)" for x in runs.values()})
    if len(kinds) != 1 or len({x.labels for x in runs.values()}) != 1:
        raise DataError(
            f"runs cannot share a figure: found {', '.join(kinds) or 'none'}, needed runs of one "
            "task, its labels and one split: draw the others apart"
        )
    tasks = {name: scores.select(scores.parts == "task") for name, scores in runs.items()}
    return {name: curve(scores, scores.keywords) for name, scores in tasks.items()}


def _of_runs(runs: Mapping[str, Scores]) -> str:
    """Return what the curves of runs are measured on, for a title."""
    first = next(iter(runs.values()))
    return f"task {first.task}, {first.split}, keywords pooled"


def _draw_roc(panel: Axes, curves: Mapping[str, Curve], title: str) -> None:
    lowest = 1.0
    for name, line, look in _strokes(curves):
        seen = line.false_accept_rate > 0
        accepted, found = line.false_accept_rate[seen], 1 - line.false_reject_rate[seen]
        panel.plot(100 * accepted, 100 * found, label=name, **look)
        lowest = min(lowest, float(found[0]))
    panel.set_xscale("log")
    panel.set_xlim(100 / max(line.negatives for line in curves.values()), 100)
    panel.set_ylim(max(0, 100 * lowest - 2), 100.4)
    panel.xaxis.set_major_formatter("{x:g} %")
    panel.yaxis.set_major_formatter("{x:g} %")
    panel.grid(color=FAINT, linewidth=0.6)
    caption(panel, title, "false accept rate (clips)", "recall = 1 − false reject rate")
    legend(panel, loc="lower right")


def _draw_det(panel: Axes, curves: Mapping[str, Curve], title: str) -> None:
    probit = np.vectorize(NormalDist().inv_cdf, otypes=[float])
    for name, line, look in _strokes(curves):
        far, frr = line.false_accept_rate, line.false_reject_rate
        seen = (far > 0) & (far < 1) & (frr > 0) & (frr < 1)
        panel.plot(probit(far[seen]), probit(frr[seen]), label=name, **look)
    counts = zip(*((line.negatives, line.positives) for line in curves.values()), strict=True)
    left, bottom = (float(probit(min(0.8 / max(count), 0.008))) for count in counts)
    names = [f"{100 * tick:g}" for tick in DET_TICKS]
    panel.set_xticks(probit(DET_TICKS), names)
    panel.set_yticks(probit(DET_TICKS), names)
    panel.set(xlim=(left, 0), ylim=(bottom, 0))
    panel.axline((0, 0), slope=1, color=PALE, linewidth=0.8, linestyle=":")
    here = max(left, bottom) + 0.15
    turned: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "va": "bottom"}
    turned["transform_rotates_text"] = True
    panel.text(here, here + 0.03, "equal error", fontsize=7, color=INK, **turned)
    panel.grid(color=FAINT, linewidth=0.6)
    caption(panel, title, "false accept rate (% of clips)", "false reject rate (% of clips)")
    legend(panel, loc="upper right", frameon=True, framealpha=1, edgecolor="none")


def _strokes(curves: Mapping[str, Curve]) -> list[tuple[str, Curve, dict[str, Any]]]:
    """Return label, curve and look of each line: few in their own stroke, many others pale."""
    rates = {name: equal_error_rate(line) for name, line in curves.items()}
    *others, last = curves
    ranked = sorted(others, key=lambda name: -rates[name])
    bold = [*others, last] if len(curves) <= len(STROKES) else [last, *ranked[: FEW - 1]]
    looks: list[tuple[str, Curve, dict[str, Any]]] = []
    for name in sorted(set(curves) - set(bold), key=list(curves).index):
        label = "" if looks else f"the other {len(curves) - len(bold)}"
        looks.append((label, curves[name], {"color": "#b0b0b0", "linewidth": 0.7}))
    for stroke, name in zip(STROKES, bold, strict=False):
        label = f"{name} (EER {100 * rates[name]:.2g} %)"
        width = 2.0 if stroke is STROKES[0] else 1.4
        markers = {"markevery": (0.05, 0.17), "markersize": 4.5}
        looks.append((label, curves[name], {**stroke, "linewidth": width, **markers}))
    return looks


def _whisker(panel: Axes, height: float, rate: Rate, *, marker: str, filled: bool) -> None:
    """Draw a rate and its interval on one line."""
    low, high = (100 * end for end in rate.interval)
    panel.plot([low, high], [height, height], color=PALE, linewidth=1.2, solid_capstyle="butt")
    face = INK if filled else "white"
    panel.plot(100 * rate.value, height, marker, color=INK, markerfacecolor=face, markersize=5)
