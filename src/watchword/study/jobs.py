"""A study file → its runs, trained and evaluated side by side, and their table.

In come a study file and how many processes may run at a time, out comes the record of all runs that
are finished. A room because a command line has words, and this is where they become a study.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchword.errors import ConfigError
from watchword.study import page, runs
from watchword.study.plan import Study, load_study
from watchword.study.processes import ENDED, FAILED, Job, Shared
from watchword.study.watch import WAITING, StudyWatch
from watchword.units import Seconds

if TYPE_CHECKING:
    from watchword.console import Console

POLL_S: Final[Seconds] = 0.2


def study(
    path: Path,
    *,
    console: Console,
    at_once: int = 1,
    threads: int | None = None,
    collect_only: bool = False,
    data: Path | None = None,
    environment: Path | None = None,
    gpu: int | None = None,
) -> dict[str, Any]:
    """Train and evaluate what is not finished of a study, then write its table.

    Args:
        path: Study file.
        console: Where progress and the table are shown.
        at_once: Processes at a time.
        threads: Threads of each; the cores divided by ``at_once`` where not given.
        collect_only: Start nothing.
        data: Folder that replaces the first corpus of all runs.
        environment: Environment file.
        gpu: Number of the one GPU for all runs; -1 for the CPU.

    Returns:
        The record, with the path of its page as ``page`` and why runs failed as ``failures``.

    Raises:
        ConfigError: If the study or settings of it hold a fault.
        DataError: If data is missing, or no run is finished at the end.
    """
    plan = load_study(path, environment=environment, data=data)
    failures: dict[str, str] = {}
    if not collect_only:
        _check(plan, gpu, console)
        for note in plan.notes:
            console.say(f"note: {note}")
        shared = Shared(environment, gpu, threads or max(1, _cores() // at_once))
        failures = run_all([Job(plan, run, shared) for run in plan.runs], at_once, console)
    record = runs.collect(plan, failures)
    written = page.write(record, plan.folder)
    for title, rows in page.narrow(record):
        console.table(rows, title, is_answer=True)
    for note in record["notes"]:
        console.answer(f"note: {note}")
    for label, why in failures.items():
        console.say(f"{label} failed: {why}")
    console.answer(f"table: {written}")
    return record | {"page": str(written), "failures": failures}


def _check(plan: Study, gpu: int | None, console: Console) -> None:
    """Build every variant once and prepare its corpora, before hours of work depend on it."""
    todo = {run.variant: run for run in plan.runs if runs.next_step(plan, run) is not None}
    if not todo:
        return

    from watchword import build, devices, speech

    devices.device(gpu)
    for variant, run in todo.items():
        try:
            build.check(run.settings)
        except ConfigError as error:
            raise ConfigError(f"{plan.path}: settings.{variant}: {error}") from error
    prepared = []
    for run in todo.values():
        if run.settings.data not in prepared:
            speech.sources(run.settings, plan.environment, console.progress)
            prepared.append(run.settings.data)


def _cores() -> int:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(jobs: Sequence[Job], at_once: int, console: Console) -> dict[str, str]:
    """Work on all runs, so many at a time; none is left working, whatever happens.

    Args:
        jobs: The runs.
        at_once: How many may be worked on at a time, those of other processes among them.
        console: Where to show them.

    Returns:
        Label of each run that failed → why.
    """
    with _signals_interrupt(), StudyWatch(console) as watch:
        try:
            while any(job.state.kind not in ENDED for job in jobs):
                _turn(jobs, at_once)
                watch.show({job.run.label: job.state for job in jobs})
                time.sleep(POLL_S)
        finally:
            for job in jobs:
                job.stop()
            for job in jobs:
                job.wait()
    return {job.run.label: job.state.detail for job in jobs if job.state.kind == FAILED}


def _turn(jobs: Sequence[Job], at_once: int) -> None:
    """Look after every process once, and start others where there is room."""
    for job in jobs:
        if job.is_busy:
            job.go_on()
    for job in jobs:
        if job.state.kind == WAITING and sum(other.is_busy for other in jobs) < at_once:
            job.go_on()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let what ends a process, or closes its terminal, end the study as its key does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is not signal.SIG_IGN:  # nohup has its reasons
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
