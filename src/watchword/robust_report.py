"""Scores under stated conditions → one record → JSON, a page and a figure.

In come the scores of the same clips under each condition, and of silence at each level; out goes a
folder with all of them and what they say. It is a room because a rate that falls must be compared
with the clean one on the same clips, and because scores are kept first here too: a new question
never needs the model again.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from watchword import canvas, metrics
from watchword.files import write_whole
from watchword.report import check_provenance, parts, rate_record
from watchword.robust_page import JUDGED, draw, markdown
from watchword.scores import FILE_NAME, Scores, save

Kind = Literal["clean", "noise", "level", "shift", "room", "silence"]
FIGURE: Final = "robust.png"

_NAMES: Final[dict[Kind, tuple[str, str]]] = {
    "clean": ("clean", "clean"),
    "noise": ("snr_{:g}db", "{:g} dB SNR"),
    "level": ("level_{:g}db", "level {:g} dB"),
    "shift": ("shift_{:+g}ms", "shift {:+g} ms"),
    "room": ("rooms", "in a room"),
    "silence": ("silence_{:g}dbfs", "silence, peak {:g} dBFS"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is done to every clip of a split, or one level of silence.

    Args:
        kind: ``clean``; ``noise`` at a signal-to-noise ratio in dB; ``level``, a gain in dB;
            ``shift`` in ms, later if positive; ``room``; or ``silence`` of a peak in dBFS, that of
            digital zero being minus infinity.
        value: Of the kind's unit.

    Example:
        >>> Condition("shift", 50).name, Condition("level", -20).label
        ('shift_+50ms', 'level −20 dB')
    """

    kind: Kind
    value: float = 0.0

    @property
    def name(self) -> str:
        """Folder of its scores."""
        return "silence_zero" if self.is_zero else _NAMES[self.kind][0].format(self.value)

    @property
    def label(self) -> str:
        """What a table calls it."""
        if self.is_zero:
            return "silence, digital zero"
        return _NAMES[self.kind][1].format(self.value).replace("-", "−")

    @property
    def is_zero(self) -> bool:
        """Whether it is digital zero."""
        return math.isinf(self.value)


CLEAN: Final = Condition("clean")
ROOM: Final = Condition("room")
SPOKEN: Final = (
    CLEAN,
    *(Condition("noise", snr_db) for snr_db in (20, 10, 5, 0)),
    *(Condition("level", gain_db) for gain_db in (-10, -20, -30)),
    *(Condition("shift", ms) for ms in (-200, -150, -100, -50, 50, 100, 150, 200)),
    ROOM,
)
"""What is done to the clips of a split."""
SILENT: Final = tuple(Condition("silence", p) for p in (-math.inf, -80, -60, -40, -20, -10, 0))
"""The levels of silence."""


def build_record(
    found: Mapping[Condition, Scores],
    *,
    sounds: Mapping[str, Any],
    notes: Sequence[str],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that the scores say, in plain JSON types.

    Rates are fractions, intervals ``[low, high]`` of 95 %; where there is no evidence stands None.
    ``to_clean`` is a rate less the clean one of the same clips, ``lost`` and ``won`` are the clips
    of part *task* that are wrong here and right clean, and the other way round.

    Args:
        found: Scores by condition, ``CLEAN`` among them; all but silence over the same clips.
        sounds: Where noise and rooms come from; JSON types.
        notes: What a reader must know, such as what was left out.
        provenance: As ``report.build_report`` demands it.

    Raises:
        DataError: If no clip counts for accuracy, or the provenance is incomplete or no JSON.
    """
    check_provenance(provenance)
    clean = found[CLEAN]
    return {
        "task": clean.task,
        "split": clean.split,
        "labels": list(clean.labels),
        "notes": list(notes),
        "sounds": dict(sounds),
        "conditions": [
            _row(condition, scores, clean)
            for condition, scores in found.items()
            if condition.kind != "silence"
        ],
        "silence": [
            {**_name(condition), "noise": str(noise), **_silence(scores, str(noise))}
            for condition, scores in found.items()
            if condition.kind == "silence"
            for noise in dict.fromkeys(scores.corpora.tolist())
        ],
        "provenance": dict(provenance),
    }


def write_record(
    record: Mapping[str, Any], found: Mapping[Condition, Scores], folder: Path
) -> Path:
    """Write scores, record, figure and page into a folder, each file whole or not at all.

    Scores come first, so that nothing measured is lost; those of an older record that this one has
    not are removed.

    Args:
        record: What ``build_record`` returned for the scores.
        found: Scores by condition; each gets a folder of its own.
        folder: Where to write; made if need be.

    Returns:
        Path of ``report.md``.

    Raises:
        DataError: If something cannot be written.
        WatchwordError: If matplotlib is not installed.
    """
    for condition in (*SPOKEN, *SILENT):
        if condition in found:
            save(found[condition], folder / condition.name / FILE_NAME)
        else:
            (folder / condition.name / FILE_NAME).unlink(missing_ok=True)
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(folder / "report.json", text.encode())
    canvas.save(draw(record), folder / FIGURE)
    write_whole(folder / "report.md", markdown(record, FIGURE).encode())
    return folder / "report.md"


def _name(condition: Condition) -> dict[str, Any]:
    """Return what a condition is called; the level of digital zero is None."""
    value = None if condition.is_zero else condition.value
    return {
        "name": condition.name,
        "label": condition.label,
        "kind": condition.kind,
        "value": value,
    }


def _row(condition: Condition, scores: Scores, clean: Scores) -> dict[str, Any]:
    """Return the rates under one condition and how far they are from the clean ones."""
    in_task = scores.parts == "task"
    task, before = scores.select(in_task), clean.select(in_task)
    here, there = parts(scores), parts(clean)
    rates: dict[str, float | None] = {
        part: here[part]["accuracy"] - there[part]["accuracy"] if here[part] else None
        for part in JUDGED
    }
    return {
        **_name(condition),
        **rate_record(metrics.accuracy(task)),
        "parts": here,
        "to_clean": {
            "accuracy": metrics.accuracy(task).value - metrics.accuracy(before).value,
            **rates,
        },
        "lost": int(np.sum(before.is_correct & ~task.is_correct)),
        "won": int(np.sum(~before.is_correct & task.is_correct)),
    }


def _silence(scores: Scores, noise: str) -> dict[str, Any]:
    """Return the recall of silence that was cut from one noise, and what it was taken for."""
    cuts = scores.select(scores.corpora == noise)
    wrong = Counter(cuts.labels[place] for place in cuts.predictions[~cuts.is_correct])
    return {**rate_record(metrics.accuracy(cuts)), "taken_for": dict(wrong.most_common())}
