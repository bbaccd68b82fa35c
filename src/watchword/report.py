"""Rates → one record → JSON, Markdown and figures.

In come scores and where they come from, out goes a folder that one can show around: ``scores.npz``,
``report.json``, figures and ``report.md``. It is a room because the record is made once, and every
page and figure is only another way to read it. A result without seed, config, commit and command is
a rumour, so those are demanded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from watchword import canvas, groups, metrics, plots
from watchword.errors import DataError
from watchword.files import write_whole
from watchword.metrics import Curve, Rate
from watchword.page import markdown
from watchword.scores import FILE_NAME, Scores, save
from watchword.words import SILENCE, UNKNOWN

DEMANDED: Final = ("seed", "config", "commit", "command")
POOLED: Final = "all keywords pooled"
WORST_SPEAKERS: Final = 10

Found = TypeVar("Found")


def build_report(scores: Scores, *, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the scores say, in plain JSON types.

    Rates are fractions, intervals are ``[low, high]`` of 95 %. Where there is no evidence stands
    None. ``accuracy`` and all that is not said to be otherwise is over the clips of part *task*.

    Args:
        scores: Every clip of a split, all parts.
        provenance: Where the result comes from; at least ``seed``, ``config``, ``commit`` and
            ``command`` (None where one is not known), further the data fingerprint, the corpora,
            how much was rebuilt. JSON types only; a nested mapping is printed at the page's end.

    Raises:
        DataError: If no clip counts for accuracy, or the provenance is incomplete or no JSON.
    """
    check_provenance(provenance)
    task = scores.select(scores.parts == "task")
    return {
        "task": scores.task,
        "split": scores.split,
        "labels": list(scores.labels),
        **rate_record(metrics.accuracy(task)),
        "macro_accuracy": metrics.macro_accuracy(task),
        "majority_accuracy": metrics.majority_accuracy(task).value,
        "parts": parts(scores),
        "corpora": {
            str(name): rate_record(metrics.accuracy(task.select(task.corpora == name)))
            for name in np.unique(task.corpora)
        },
        "per_class": [_class(row) for row in metrics.per_class(task)],
        "confusion": {"labels": list(scores.labels), "counts": metrics.confusion(task).tolist()},
        "eer": {name: _eer(curve) for name, curve in _curves(task).items()},
        "top_confusions": [
            {"count": len(pair.names), **_lists(asdict(pair))}
            for pair in metrics.top_confusions(task)
        ],
        "speakers": _or_none(_speakers, task),
        "unknown_words": [
            {"word": row.word, "is_heard": row.is_heard, **rate_record(row.recall)}
            for row in groups.unknown_words(scores)
        ],
        "archive_weighted": _or_none(_archive, scores),
        "calibration": _lists(asdict(metrics.calibration(task))),
        "provenance": dict(provenance),
    }


def write_report(report: Mapping[str, Any], scores: Scores, folder: Path) -> Path:
    """Write scores, record, figures and page into a folder, each file whole or not at all.

    Scores come first, so that nothing measured is lost; the page comes last, so that what it shows
    is there. Figures of an older report that this one has no evidence for are removed.

    Args:
        report: What ``build_report`` returned for the scores.
        scores: Every clip of the split, all parts.
        folder: Where to write; made if need be.

    Returns:
        Path of ``report.md``.

    Raises:
        DataError: If something cannot be written.
        WatchwordError: If matplotlib or scikit-learn is not installed.
    """
    save(scores, folder / FILE_NAME)
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / "report.json", text.encode())
    shown = canvas.save_all(draw(scores), folder)
    write_whole(folder / "report.md", markdown(report, shown).encode())
    return folder / "report.md"


def draw(scores: Scores) -> dict[str, Any]:
    """Return the figures of a report by file name; None where there is no evidence.

    Args:
        scores: Every clip of a split, all parts.
    """
    task = scores.select(scores.parts == "task")
    curves, spread = _curves(task), _or_none(groups.by_speaker, task)
    of = f"task {scores.task}, {scores.split}"
    accuracy = f"{of}: accuracy {metrics.accuracy(task)}"
    return {
        "confusion.png": plots.confusion(scores.labels, metrics.confusion(task), title=accuracy),
        "per_class.png": plots.per_class(metrics.per_class(task), title=of),
        "roc.png": plots.roc(curves, title=f"ROC, {of}") if curves else None,
        "det.png": plots.det(curves, title=f"DET, {of}") if curves else None,
        "speakers.png": plots.speakers(spread, title=of) if spread else None,
    }


def check_provenance(provenance: Mapping[str, Any]) -> None:
    """Refuse a result that nobody could remake, or that JSON cannot hold.

    Args:
        provenance: Where a result comes from.

    Raises:
        DataError: If it lacks one of ``DEMANDED``, or is no JSON.
    """
    missing = [key for key in DEMANDED if key not in provenance]
    if missing:
        raise DataError(
            f"a report without {', '.join(missing)} is a rumour: needed in its provenance are "
            f"{', '.join(DEMANDED)}: give them, None where one is not known"
        )
    try:
        json.dumps(dict(provenance), allow_nan=False)
    except (TypeError, ValueError) as fault:
        raise DataError(
            f"provenance cannot be written ({fault}); needed are JSON types: give text, numbers, "
            "lists and mappings"
        ) from fault


def parts(scores: Scores) -> dict[str, Any]:
    """Return the accuracy of each part of the split, None for one without clips.

    Args:
        scores: Every clip of a split, all parts.
    """
    task, unknown = scores.parts == "task", scores.is_target(UNKNOWN)
    silence = scores.is_target(SILENCE)
    rows: dict[str, NDArray[np.bool_]] = {
        "commands": task & scores.is_target(*scores.keywords),
        "unknown": task & unknown,
        "silence": task & silence,
        "without_silence": task & ~silence,
        "unknown_heard": unknown & scores.heard,
        "held_out": unknown & ~scores.heard,
        "kept": task & ~scores.dropped,
        "dropped": task & scores.dropped,
    }
    return {
        name: rate_record(metrics.accuracy(scores.select(is_in))) if is_in.any() else None
        for name, is_in in rows.items()
    }


def _curves(task: Scores) -> dict[str, Curve]:
    """Return the curve of each keyword that has clips, the pooled one last."""
    is_there = set(task.targets.tolist())
    keywords = [word for word in task.keywords if task.labels.index(word) in is_there]
    if len(is_there) < 2:
        return {}
    curves = {word: metrics.curve(task, [word]) for word in keywords}
    return curves | {POOLED: metrics.curve(task, keywords)} if len(keywords) > 1 else curves


def rate_record(rate: Rate) -> dict[str, Any]:
    """Return a rate in plain JSON types.

    Args:
        rate: Right clips out of a count of clips.
    """
    return {
        "count": rate.count,
        "correct": rate.hits,
        "accuracy": rate.value,
        "interval": list(rate.interval),
    }


def _class(row: metrics.ClassRates) -> dict[str, Any]:
    recall, precision = row.recall, row.precision
    return {
        "label": row.label,
        "count": recall.count if recall else 0,
        "answered": precision.count if precision else 0,
        "correct": recall.hits if recall else 0,
        "recall": recall.value if recall else None,
        "recall_interval": list(recall.interval) if recall else None,
        "precision": precision.value if precision else None,
        "precision_interval": list(precision.interval) if precision else None,
    }


def _eer(curve: Curve) -> dict[str, Any]:
    """Return an equal error rate; its interval is that of the rarer side."""
    rate = metrics.equal_error_rate(curve)
    rarer = min(curve.positives, curve.negatives)
    return {
        "eer": rate,
        "interval": list(metrics.wilson(rate, rarer)),
        "positives": curve.positives,
        "negatives": curve.negatives,
    }


def _speakers(task: Scores) -> dict[str, Any]:
    spread = groups.by_speaker(task)
    worst = spread.rates[:WORST_SPEAKERS]
    return {
        "known": spread.known,
        "judged": len(spread.rates),
        "minimum_clips": spread.minimum_clips,
        "mean_accuracy": float(np.mean([rate.value for _, rate in spread.rates])),
        "worst_decile": spread.worst_decile,
        "worst_decile_by_chance": spread.worst_decile_by_chance,
        "accuracy_interval": list(spread.interval),
        "worst": [{"speaker": name, **rate_record(rate)} for name, rate in worst],
    }


def _archive(scores: Scores) -> dict[str, Any]:
    found = groups.archive_weighted(scores)
    return {
        "accuracy": found.value,
        "interval": list(found.interval),
        "commands": rate_record(found.commands),
        "unknown": found.unknown,
        "silence": rate_record(found.silence),
        "groups": [{"words": list(g.words), **rate_record(g.recall)} for g in found.groups],
        "left_out": list(found.left_out),
    }


def _lists(value: Any) -> Any:
    """Return the same with lists for tuples, as JSON gives it back."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _or_none(measure: Callable[[Scores], Found], scores: Scores) -> Found | None:
    """Return what is measured, or None where there is no evidence for it."""
    try:
        return measure(scores)
    except DataError:
        return None
