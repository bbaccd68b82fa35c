"""Jobs that take turns → the seconds of each, round by round, and their ratios.

In come jobs by name, out go times. A room because a time without a baseline from the same run is a
rumour: on a noisy machine all jobs are slowed alike, and the ratio within a round is what counts.
No torch but in the note on the machine.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from watchword.errors import DataError

Job = Callable[[], object]

FILLED_S: Final = 0.02
MOST_PASSES: Final = 20


def take_turns(
    jobs: Mapping[str, Job],
    rounds: int,
    *,
    warm_up: int = 1,
    timed: Callable[[Job], float] | None = None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, list[float]]:
    """Return the seconds of each job in each round.

    Args:
        jobs: What is timed, by name.
        rounds: How often each is timed.
        warm_up: Rounds before, which do not count.
        timed: Runs a job and returns its seconds; ``once`` where not given.
        told: Called with the rounds done and the rounds in all, warm-up included.
    """
    timed = timed or once
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warm_up + rounds):
        for name, job in jobs.items():
            spent = timed(job)
            if turn >= warm_up:
                seconds[name].append(spent)
        told(turn + 1, warm_up + rounds)
    return seconds


def once(job: Job) -> float:
    """Return the seconds of one pass.

    Args:
        job: What is timed.
    """
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def averaged(job: Job) -> float:
    """Return the seconds of a pass, averaged over enough passes to fill some milliseconds.

    Args:
        job: What is timed.
    """
    passes = max(1, min(MOST_PASSES, int(FILLED_S / max(once(job), 1e-5))))
    return once(lambda: [job() for _ in range(passes)]) / passes


def ratios(mine: Sequence[float], base: Sequence[float]) -> list[float]:
    """Return the times of a job over those of another in the same round.

    Args:
        mine: Seconds, round by round.
        base: Seconds of the other, in as many rounds.

    Example:
        >>> ratios([4.0, 9.0], [2.0, 3.0])
        [2.0, 3.0]
    """
    return [a / b for a, b in zip(mine, base, strict=True)]


def summary(mine: Sequence[float], base: Sequence[float]) -> dict[str, Any]:
    """Return median milliseconds, the fastest and the slowest round, and the median ratio.

    Args:
        mine: Seconds, round by round.
        base: Seconds of what it is compared with.

    Example:
        >>> summary([0.004, 0.009, 0.005], [0.002, 0.003, 0.001])
        {'ms': 5.0, 'range_ms': [4.0, 9.0], 'ratio': 3.0}
    """
    return {
        "ms": round(1e3 * statistics.median(mine), 3),
        "range_ms": [round(1e3 * end, 3) for end in (min(mine), max(mine))],
        "ratio": round(statistics.median(ratios(mine, base)), 2),
    }


def machine() -> dict[str, Any]:
    """Return what must be known of the machine, and how busy it was; no names."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    """Return what the processor calls itself, or its family."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def read_json(file: Path) -> Any:
    """Return what was measured, or None where nothing was.

    Args:
        file: A file that a benchmark wrote.

    Raises:
        DataError: If it is no JSON.
    """
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{file.name} is no JSON that a benchmark wrote ({error}): measure again"
        ) from error
