"""Reports of several seeds → means, deviations, and differences paired by seed.

In come the rates of each run, out go the rows of a table in plain JSON types. A room because it is
arithmetic that a reader can redo, and because of two laws: what a seed changes is told beside every
mean, and settings are compared seed by seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MEASURES: Final = ("all", "kept", "commands", "unknown", "silence", "never heard", "archive")
"""What a report says about a split, in the order of the columns."""
PARTS: Final = {
    "kept": "kept",
    "commands": "commands",
    "unknown": "unknown",
    "silence": "silence",
    "never heard": "held_out",
}
"""Measures that are the accuracy of one part of a report."""
T_95: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Student's t of a 95 % interval for 1, 2, 3… degrees of freedom.

Source:
    Student (1908), The probable error of a mean; the quantile 0.975 of his distribution.
"""

Rates = dict[str, float | None]


@dataclass(frozen=True)
class Outcome:
    """What came of one finished run.

    Args:
        variant: Its settings by name.
        seed: Its seed.
        rates: Part (``valid``, ``test``) → measure → rate in [0, 1], None without evidence.
        clips: Part → clips that accuracy is measured on.
        parameters: Of the network.
        macs: Multiplications of a second.
        minutes: Time of its training steps.
        commit: The source it was trained with.
        data: Name of each corpus it was judged on → fingerprint.
        epoch: The epoch that validation chose.
    """

    variant: str
    seed: int
    rates: dict[str, Rates]
    clips: dict[str, int] = field(default_factory=dict)
    parameters: int | None = None
    macs: int | None = None
    minutes: float | None = None
    commit: str | None = None
    data: dict[str, str] = field(default_factory=dict)
    epoch: int | None = None


def measures(report: Mapping[str, Any]) -> Rates:
    """Return what a report says, by the names of ``MEASURES``.

    Where v0.02 dropped no clip, *kept* would be *all* again and is None.

    Args:
        report: What ``report.build_report`` returned.
    """
    parts, archive = report["parts"], report.get("archive_weighted")
    found: Rates = {"all": report["accuracy"]}
    for name, part in PARTS.items():
        found[name] = parts[part]["accuracy"] if parts.get(part) else None
    if not parts.get("dropped"):
        found["kept"] = None
    return found | {"archive": archive["accuracy"] if archive else None}


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return count, mean and sample deviation; the deviation of one value is None.

    Args:
        values: One for each seed.

    Example:
        >>> spread([0.5, 1.0])
        {'n': 2, 'mean': 0.75, 'deviation': 0.3535533905932738}
        >>> spread([0.5]), spread([])
        ({'n': 1, 'mean': 0.5, 'deviation': None}, {'n': 0, 'mean': None, 'deviation': None})
    """
    return {
        "n": len(values),
        "mean": statistics.fmean(values) if values else None,
        "deviation": statistics.stdev(values) if len(values) > 1 else None,
    }


def difference(mine: Mapping[int, float], theirs: Mapping[int, float]) -> dict[str, Any] | None:
    """Return the mean difference over the seeds that both have, and its standard error.

    Pairing by seed takes out what the seed does to both alike, such as the order of clips.

    Args:
        mine: Seed → rate.
        theirs: Seed → rate of what it is compared with.

    Returns:
        ``n``, ``mean`` and ``standard_error`` (None for one pair); None without a pair.

    Example:
        >>> difference({0: 0.75, 1: 1.0, 2: 0.5}, {0: 0.5, 1: 0.5})
        {'n': 2, 'mean': 0.375, 'standard_error': 0.125}
    """
    found = spread([mine[seed] - theirs[seed] for seed in mine if seed in theirs])
    if not found["n"]:
        return None
    deviation = found.pop("deviation")
    return found | {
        "standard_error": None if deviation is None else deviation / math.sqrt(found["n"])
    }


def t_95(degrees: int) -> float:
    """Return how many standard errors a 95 % interval reaches either way.

    Args:
        degrees: Degrees of freedom, at least 1: pairs less one. Beyond the table the last value
            stands, which is a little too wide.
    """
    return T_95[min(degrees, len(T_95)) - 1]


def compare(outcomes: Sequence[Outcome], variants: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each variant: size, time, and every measure over its seeds.

    Args:
        outcomes: The finished runs.
        variants: Names in the order of the table; differences are to the first one.
    """
    return [_row(outcomes, name, variants[0]) for name in variants]


def _row(outcomes: Sequence[Outcome], name: str, first: str) -> dict[str, Any]:
    """Return the row of one variant."""
    mine = [one for one in outcomes if one.variant == name]
    minutes = [one.minutes for one in mine if one.minutes is not None]
    parts = list(dict.fromkeys(part for one in outcomes for part in one.rates))
    return {
        "variant": name,
        "seeds": [one.seed for one in mine],
        "parameters": mine[0].parameters if mine else None,
        "macs": mine[0].macs if mine else None,
        "minutes": statistics.fmean(minutes) if minutes else None,
        "commits": sorted({one.commit or "unknown" for one in mine}),
        "parts": {
            part: {measure: _cell(outcomes, name, first, part, measure) for measure in MEASURES}
            for part in parts
        },
    }


def _cell(
    outcomes: Sequence[Outcome], name: str, first: str, part: str, measure: str
) -> dict[str, Any]:
    """Return one measure of a variant over its seeds, and its difference to the first variant."""
    mine, theirs = (_by_seed(outcomes, who, part, measure) for who in (name, first))
    return spread(list(mine.values())) | {
        "by_seed": {str(seed): rate for seed, rate in mine.items()},
        "difference": None if name == first else difference(mine, theirs),
    }


def _by_seed(
    outcomes: Sequence[Outcome], variant: str, part: str, measure: str
) -> dict[int, float]:
    """Return seed → rate of the runs of a variant that have evidence for it."""
    runs = [one for one in outcomes if one.variant == variant]
    found = {one.seed: one.rates.get(part, {}).get(measure) for one in runs}
    return {seed: rate for seed, rate in found.items() if rate is not None}


def cautions(outcomes: Sequence[Outcome], seeds: int) -> list[str]:
    """Return what a reader must know before believing the table.

    Args:
        outcomes: The finished runs.
        seeds: Seeds that each variant should have.
    """
    return [_about_seeds(seeds), *_about_commits(outcomes), *_about_clips(outcomes)]


def _about_seeds(seeds: int) -> str:
    """Return what so few seeds can and cannot tell."""
    if seeds == 1:
        return "n = 1 seed: nothing here tells a difference from what another seed would change"
    return (
        f"n = {seeds} seeds is few: behind a mean stands the sample deviation over seeds, behind a "
        f"difference its standard error, and its 95 % interval reaches {t_95(seeds - 1):.1f} of "
        "them either way (Student's t); all are judged on the same clips, whose own chance is in "
        "none of these"
    )


def _about_commits(outcomes: Sequence[Outcome]) -> list[str]:
    """Say so if runs come from different or from changed source."""
    found: dict[str, dict[str, None]] = {}
    for one in outcomes:
        found.setdefault(one.commit or "unknown", {})[one.variant] = None
    notes = []
    if len(found) > 1:
        listed = "; ".join(f"{commit}: {', '.join(names)}" for commit, names in found.items())
        notes.append(f"runs come from different commits, which may differ in more ({listed})")
    changed = [commit for commit in found if commit == "unknown" or commit.endswith("-dirty")]
    if changed:
        notes.append(f"no commit holds the source of runs from {', '.join(changed)}")
    return notes


def _about_clips(outcomes: Sequence[Outcome]) -> list[str]:
    """Say so if variants were not judged on the same clips."""
    notes = []
    for part in dict.fromkeys(part for one in outcomes for part in one.clips):
        counts = sorted({one.clips[part] for one in outcomes if part in one.clips})
        if len(counts) > 1:
            shown = ", ".join(f"{count:,}" for count in counts)
            notes.append(f"runs are judged on different clips of {part} ({shown})")
    prints: dict[str, set[str]] = {}
    for one in outcomes:
        for name, print_ in one.data.items():
            prints.setdefault(name, set()).add(print_)
    other = sorted(name for name, found in prints.items() if len(found) > 1)
    if other:
        notes.append(f"the data changed between runs: {', '.join(other)}")
    return notes
