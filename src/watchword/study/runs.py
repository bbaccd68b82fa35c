"""Run folders → what is finished, what comes next, and what came of it.

In come the runs of a study, out go their states, the command that each needs next, and one record
of all that are finished. A room because whether a run is done is read from the disk and from
nowhere else: a study that was killed knows as much as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from watchword.config import load_settings
from watchword.errors import ConfigError, DataError
from watchword.pictures import LOG_NAME, read_log
from watchword.study.comparison import Outcome, cautions, compare, measures
from watchword.study.plan import Run, Study

MODEL: Final = "best.safetensors"
TRAINING: Final = "training"
OTHER: Final = (
    "its folder holds a run of other settings: give the variant or the study another name, or "
    "remove that folder"
)
LARGEST_HEADER: Final = 100_000_000
"""Bytes that the header of a safetensors file may have.

Source:
    The format's description, github.com/huggingface/safetensors, section "Format".
"""


def is_of_other_settings(run: Run) -> bool:
    """Tell whether a run's folder holds a run of other settings, which no training goes on from.

    Args:
        run: The run.
    """
    if not (run.folder / LOG_NAME).is_file():  # nothing is kept yet, and settings are written anew
        return False
    try:
        kept, _ = load_settings(run.folder / "config.yml")
    except ConfigError:
        return True
    return kept != run.settings


def epochs(run: Run) -> list[dict[str, Any]]:
    """Return the lines of a run's log, none where there is no epoch yet.

    Args:
        run: The run.
    """
    with suppress(DataError):
        return read_log(run.folder)
    return []


def how_far(run: Run) -> str:
    """Return the last epoch of a run and its accuracy on validation, or "" where there is none.

    Args:
        run: The run.
    """
    log = epochs(run)
    if not log:
        return ""
    accuracy = 100 * log[-1]["valid_accuracy"]
    return f"epoch {log[-1]['epoch']} of {run.settings.train.epochs}, valid {accuracy:.1f} %"


def report_folder(run: Run, part: str) -> Path:
    """Return where the report of a run on a part belongs.

    Args:
        run: The run.
        part: The part.
    """
    return run.folder / f"eval-{run.settings.find_task().name}-{part}"


def read_report(run: Run, part: str) -> dict[str, Any] | None:
    """Return the report of a run's chosen model on a part, or None if there is none yet.

    One that was written while training went on is of another model, and does not count.

    Args:
        run: The run.
        part: The part.
    """
    try:
        text = (report_folder(run, part) / "report.json").read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text)
        epoch = report["provenance"]["epoch"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    chosen = _epoch_of_model(run.folder / MODEL)
    return report if chosen in (None, epoch) else None


def _epoch_of_model(path: Path) -> int | None:
    """Return the epoch a checkpoint is of, read from its card alone; None if it is not there."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, LARGEST_HEADER)))
        card = json.loads(header["__metadata__"]["watchword"])
        return int(card["provenance"]["epoch"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def next_step(study: Study, run: Run) -> str | None:
    """Return what a run needs next: training, the part to evaluate it on, or None if finished.

    Args:
        study: The study.
        run: One of its runs.
    """
    log = epochs(run)
    is_trained = bool(log) and log[-1]["epoch"] >= run.settings.train.epochs
    if not is_trained or read_report(run, "valid") is None:
        return TRAINING
    return next((part for part in study.file.parts if read_report(run, part) is None), None)


def state(study: Study, run: Run) -> str:
    """Return how far a run has come: finished, not finished, not started, or other settings.

    Args:
        study: The study.
        run: One of its runs.
    """
    if is_of_other_settings(run):
        return OTHER
    if next_step(study, run) is None:
        return "finished"
    so_far = how_far(run)
    return f"not finished: {so_far}" if so_far else "not started"


def collect(study: Study, failures: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return one record of a study, in plain JSON types: its runs, its table and its cautions.

    Args:
        study: The study.
        failures: Label of a run → why it failed just now.

    Raises:
        DataError: If no run is finished.
    """
    states = {run.label: state(study, run) for run in study.runs}
    states |= {label: f"failed: {why}" for label, why in (failures or {}).items()}
    outcomes = [outcome(study, run) for run in study.runs if states[run.label] == "finished"]
    if not outcomes:
        listed = "; ".join(f"{label}: {how}" for label, how in states.items())
        raise DataError(
            f"no run of study {study.file.name} is finished in {study.environment.output} "
            f"({listed}): start it, with the --env and --data it is collected with"
        )
    file, missing = study.file, len(study.runs) - len(outcomes)
    notes = [f"{missing} of {len(study.runs)} runs are not in the table"] * bool(missing)
    return {
        "study": file.name,
        "base": file.base,
        "common": list(file.common),
        "settings": {name: list(changes) for name, changes in file.settings.items()},
        "seeds": list(file.seeds),
        "parts": list(file.parts),
        "runs": [_run_record(run, states[run.label], outcomes) for run in study.runs],
        "variants": compare(outcomes, list(file.settings)),
        "notes": [*notes, *cautions(outcomes, len(file.seeds))],
    }


def outcome(study: Study, run: Run) -> Outcome:
    """Return what came of a finished run.

    Args:
        study: The study.
        run: One of its runs that is finished.
    """
    found = {part: read_report(run, part) for part in study.file.parts}
    reports = {part: report for part, report in found.items() if report is not None}
    told = reports["valid"]["provenance"]
    seconds = [line["seconds"] for line in epochs(run) if "seconds" in line]
    return Outcome(
        variant=run.variant,
        seed=run.seed,
        rates={part: measures(report) for part, report in reports.items()},
        clips={part: report["count"] for part, report in reports.items()},
        parameters=told.get("parameters"),
        macs=_count(told.get("macs")),
        minutes=sum(seconds) / 60 if seconds else None,
        commit=told.get("commit"),
        data=dict(told.get("data") or {}),
        epoch=told.get("epoch"),
    )


def _count(text: str | None) -> int | None:
    """Return the number that ``2,103,456 at 98 frames`` begins with."""
    digits = (text or "").partition(" ")[0].replace(",", "")
    return int(digits) if digits.isdecimal() else None


def _run_record(run: Run, how: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the record of one run: its state, and where finished what came of it."""
    record = {"variant": run.variant, "seed": run.seed, "run": run.folder.name, "state": how}
    mine = [one for one in outcomes if (one.variant, one.seed) == (run.variant, run.seed)]
    return record | ({} if not mine else asdict(mine[0]))
