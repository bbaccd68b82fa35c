"""Collected runs → rows of accuracy against size, one for each recipe, grouped by budget.

In come folders with settings and reports of a run, out go rows that page and figure show. A room
because it is arithmetic that a reader can redo, and because of one law: networks are compared
where they heard the same audio equally often, and where something else differs it is said. No torch
here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import budgets
import names

from watchword.config import load_settings
from watchword.errors import DataError
from watchword.portable import portable
from watchword.study.comparison import difference, measures, spread

SPLITS: Final = ("valid", "test")
MEASURES: Final = ("test", "commands", "unknown", "silence", "never heard", "valid")
"""What a row says: accuracy on the open test, its parts, and on valid without dropped clips."""
LEADING_TASK: Final = "12"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One collected run.

    Args:
        name: Name of its folder.
        settings: Its settings, in plain JSON types.
        reports: Its reports by split.
    """

    name: str
    settings: Record
    reports: Mapping[str, Record]


@dataclass(frozen=True)
class Row:
    """One recipe over its seeds.

    Args:
        runs: Runs that differ in their seed alone, by seed.
        network: What the network is called.
        parameters: Trained numbers.
        macs: Multiplications of a clip.
        rates: Measure → ``n``, ``mean``, ``deviation`` and ``by_seed``.
        interval: 95 % interval of the accuracy on the open test, the mean of the seeds' ends: the
            chance of the clips, which all seeds share.
        budget: Letter of its budget.
        differs: What else differs from most rows of that budget.
    """

    runs: tuple[Run, ...]
    network: str
    parameters: int
    macs: int
    rates: Mapping[str, Record]
    interval: tuple[float, float]
    budget: str = ""
    differs: tuple[str, ...] = ()

    @property
    def settings(self) -> Record:
        """The settings of its first seed."""
        return self.runs[0].settings

    @property
    def model(self) -> str:
        """Name in the table of models."""
        return str(self.settings["model"]["name"])

    @property
    def task(self) -> str:
        """The task."""
        return str(self.runs[0].reports["test"]["task"])

    @property
    def is_ours(self) -> bool:
        """Whether it is one of the networks that the others are compared with."""
        return self.model in names.OURS

    @property
    def test(self) -> float:
        """Mean accuracy on the open test."""
        return float(self.rates["test"]["mean"])


# ------------------------------------------------------------------------------------------ reading


def read(folder: Path) -> list[Run]:
    """Return all collected runs, by name.

    Args:
        folder: Holds a folder for each run.

    Raises:
        DataError: If a run lacks a report.
        ConfigError: If its settings are none.
    """
    return [_read_run(file.parent) for file in sorted(folder.glob("*/config.yml"))]


def _read_run(folder: Path) -> Run:
    settings = portable(load_settings(folder / "config.yml")[0].model_dump(mode="json"))
    for corpus in settings["data"]["corpora"]:
        corpus["folder"] = Path(corpus["folder"]).name  # where it lay changes nothing
    reports = {split: _read_report(folder / split / "report.json") for split in SPLITS}
    return Run(folder.name, settings, reports)


def _read_report(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{file.parent.parent.name} has no report that can be read on {file.parent.name} "
            f"({error}): collect it again"
        ) from error


# --------------------------------------------------------------------------------------------- rows


def rows(runs: Sequence[Run]) -> list[Row]:
    """Return one row for each recipe: task by task, budget by budget, the best first.

    Args:
        runs: Collected runs.

    Raises:
        DataError: If a report does not say how large its network is, or one seed of a recipe was
            collected twice.
    """
    recipes: dict[str, list[Run]] = {}
    for run in runs:
        recipes.setdefault(budgets.recipe(run.settings), []).append(run)
    plain = [_row(sorted(found, key=_seed)) for found in recipes.values()]
    tasks = sorted({row.task for row in plain}, key=lambda task: (task != LEADING_TASK, task))
    return [row for task in tasks for row in _budgeted([r for r in plain if r.task == task])]


def rates(run: Run) -> dict[str, float | None]:
    """Return what a run reaches, by the names of ``MEASURES``; None where there is no evidence.

    Task 12 is weighed as the official archive; other tasks count every clip of theirs alike.

    Args:
        run: A collected run.
    """
    test, valid = measures(run.reports["test"]), measures(run.reports["valid"])
    archive = run.reports["test"].get("archive_weighted")
    shown = {name: test[name] for name in ("commands", "unknown", "silence", "never heard")}
    shown["unknown"] = archive["unknown"] if archive else test["unknown"]
    return {
        "test": test["archive"] if archive else test["all"],
        **shown,
        "valid": valid["all"] if valid["kept"] is None else valid["kept"],
    }


def over_seeds(runs: Sequence[Run], of: Callable[[Run], float | None]) -> dict[str, Any]:
    """Return count, mean, deviation and each seed's value of what is measured.

    Args:
        runs: Runs of one recipe.
        of: What is measured of a run.
    """
    found = {_seed(run): rate for run in runs if (rate := of(run)) is not None}
    return {**spread(list(found.values())), "by_seed": found}


def _row(runs: Sequence[Run]) -> Row:
    """Return the row of some runs, without its budget."""
    first = runs[0]
    _refuse_twins(runs)
    parameters, macs = _size(first)
    found = {run.name: rates(run) for run in runs}
    ends = [(r.get("archive_weighted") or r)["interval"] for r in _tests(runs)]
    low, high = (sum(end) / len(runs) for end in zip(*ends, strict=True))
    return Row(
        runs=tuple(runs),
        network=names.title(first.settings["model"]["name"], first.settings["model"]["width"]),
        parameters=parameters,
        macs=macs,
        rates={measure: over_seeds(runs, _named(found, measure)) for measure in MEASURES},
        interval=(low, high),
    )


def _named(
    found: Mapping[str, Mapping[str, float | None]], measure: str
) -> Callable[[Run], float | None]:
    return lambda run: found[run.name][measure]


def _refuse_twins(runs: Sequence[Run]) -> None:
    """Raise if two runs are the same seed of the same recipe."""
    for one, other in pairwise(runs):
        if _seed(one) == _seed(other):
            raise DataError(
                f"{one.name} and {other.name} are the same seed of the same settings, and each "
                "counts once: remove the folder of one"
            )


def _tests(runs: Sequence[Run]) -> list[Record]:
    return [run.reports["test"] for run in runs]


def _size(run: Run) -> tuple[int, int]:
    """Return parameters and MACs; a report says ``2,103,456 at 98 frames``."""
    told = run.reports["test"]["provenance"]
    macs = str(told.get("macs", "")).partition(" ")[0].replace(",", "")
    if "parameters" not in told or not macs.isdecimal():
        raise DataError(
            f"the report of {run.name} on test does not say how large the network is: evaluate it "
            "again and collect it again"
        )
    return int(told["parameters"]), int(macs)


def _seed(run: Run) -> int:
    return int(run.settings["seed"])


# ------------------------------------------------------------------------------------------ budgets


def _budgeted(found: Sequence[Row]) -> list[Row]:
    """Return the rows of one task with their budgets: the largest budget, then the best, first."""
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(budgets.budget(row.settings), []).append(row)
    largest_first = sorted(groups.values(), key=lambda group: (-len(group), group[0].runs[0].name))
    return [
        row
        for number, group in enumerate(largest_first)
        for row in sorted(_compared(group, chr(ord("A") + number)), key=lambda row: -row.test)
    ]


def _compared(group: Sequence[Row], letter: str) -> list[Row]:
    """Return the rows of one budget, each with what differs from most of them."""
    usual = budgets.usual_sections([row.settings for row in group])
    return [
        replace(
            row,
            budget=letter,
            differs=tuple(budgets.differences(budgets.sections(row.settings), usual)),
        )
        for row in group
    ]


def best_comparator(row: Row, others: Sequence[Row]) -> Row | None:
    """Return the best network that is not ours, of the same budget and no more MACs.

    Args:
        row: One of our rows.
        others: All rows.
    """
    same = [other for other in others if (other.task, other.budget) == (row.task, row.budget)]
    rivals = [other for other in same if not other.is_ours and other.macs <= row.macs]
    return max(rivals, key=lambda other: other.test, default=None)


def lead(row: Row, rival: Row) -> dict[str, Any]:
    """Return how far a row is above another: seed by seed where both have them, else by the means.

    Args:
        row: A row.
        rival: Another.

    Returns:
        ``n`` pairs (0 where no seed is shared), ``mean`` and ``standard_error``.
    """
    mine, theirs = (one.rates["test"]["by_seed"] for one in (row, rival))
    apart = {"n": 0, "mean": row.test - rival.test, "standard_error": None}
    return difference(mine, theirs) or apart
