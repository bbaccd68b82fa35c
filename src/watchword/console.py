"""What a person sees while a command works: lines, tables and bars with the time that is left.

In come events of the rooms below, out goes text: on the standard error while something works, on
the standard output what came of it. A room because how things look belongs in one place, and
because a program that asks for JSON sees none of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any

import rich.console
from rich import box
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from watchword.units import Seconds

SETTLING_S: Seconds = 1.0
FIRST_LINE_S: Seconds = 5.0
BETWEEN_LINES_S: Seconds = 30.0


@dataclass
class Pace:
    """How fast something goes, for the time that is left.

    What is told in the first second does not count: there a run that goes on tells what an earlier
    one had done.

    Args:
        first_s: When it was first heard of.
        start_s: From when on it counts.
        start: What was done then.
        shown_s: When a line was last printed, or 0.
    """

    first_s: Seconds
    start_s: Seconds
    start: int
    shown_s: Seconds = 0.0

    def left_s(self, now_s: Seconds, done: int, total: int) -> Seconds | None:
        """Return the time that is left, or None where nothing tells.

        Args:
            now_s: Now.
            done: What is done.
            total: What there is.

        Example:
            >>> Pace(99.0, start_s=100.0, start=10).left_s(130.0, done=20, total=40)
            60.0
        """
        if done <= self.start:
            return None
        return (total - done) * (now_s - self.start_s) / (done - self.start)


def is_first_process() -> bool:
    """Tell whether this is the one process of a run on this machine that speaks.

    Source:
        ``LOCAL_RANK`` as torchrun and lightning set it for the processes they start.
    """
    return os.environ.get("LOCAL_RANK", "0") == "0"


class Console:
    """Lines, tables and bars; used as a context, so that bars are cleared whatever happens.

    Args:
        is_quiet: Show nothing.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        is_quiet = is_quiet or not is_first_process()
        plain: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        self.out = rich.console.Console(stderr=True, soft_wrap=True, quiet=is_quiet, **plain)
        self.results = rich.console.Console(soft_wrap=True, quiet=is_quiet, **plain)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.out,
            transient=True,
            redirect_stdout=False,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self.tasks: dict[str, TaskID] = {}
        self.paces: dict[str, Pace] = {}

    def __enter__(self) -> Console:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Clear the bars; lines and tables can still be printed."""
        if not self.bars.disable:
            self.bars.stop()

    def silence(self) -> None:
        """Show nothing from now on, as all processes of a run but the first do."""
        self.stop()
        self.bars.disable = self.out.quiet = self.results.quiet = True

    def say(self, line: str) -> None:
        """Print a line while something works.

        Args:
            line: Text; square brackets are printed as they are.
        """
        self.out.print(line)

    def answer(self, line: str) -> None:
        """Print a line of what came of it, on the standard output.

        Args:
            line: Text; square brackets are printed as they are.
        """
        self.stop()
        self.results.print(line)

    def table(
        self, records: Sequence[Mapping[str, Any]], title: str = "", *, is_answer: bool = False
    ) -> None:
        """Print records as a table, one row each.

        Args:
            records: Mappings; the columns are the keys of all of them, in order of appearance.
            title: Line above the table.
            is_answer: Whether it goes to the standard output.
        """
        columns = list(dict.fromkeys(key for record in records for key in record))
        table = Table(title=title or None, title_justify="left", box=box.SIMPLE, pad_edge=False)
        for column in columns:
            values = [record.get(column) for record in records]
            if all(value is None or isinstance(value, (int, float)) for value in values):
                widest = max((len(text(value)) for value in values), default=0)
                table.add_column(column, justify="right", overflow="fold", min_width=widest)
            else:
                table.add_column(column, overflow="fold")
        for record in records:
            table.add_row(*(text(record.get(column)) for column in columns))
        self._print(table, is_answer=is_answer)

    def record(self, values: Mapping[str, Any]) -> None:
        """Print one record on the standard output, a line for each of its values.

        Args:
            values: Names and values.
        """
        grid = Table.grid("name", "value", padding=(0, 2))
        for name, value in values.items():
            grid.add_row(name.replace("_", " "), text(value))
        self._print(grid, is_answer=True)

    def page(self, markdown: str) -> None:
        """Print a page on the standard output: drawn on a terminal, elsewhere as it is.

        Args:
            markdown: Text.
        """
        from rich.markdown import Markdown

        self.stop()
        if self.results.is_terminal:
            self.results.print(Markdown(markdown), soft_wrap=False)
        else:
            self.results.print(markdown, end="")

    def _print(self, table: Table, *, is_answer: bool) -> None:
        """Print a table as wide as the screen."""
        for column in table.columns:
            column.overflow = "fold"
        if is_answer:
            self.stop()
        console = self.results if is_answer else self.out
        console.print(table, soft_wrap=False)

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Show how far something has come: a bar on a terminal, now and then a line elsewhere.

        Args:
            what: What is being done.
            done: How much of it is done.
            total: How much there is, or None where nobody knows.
        """
        if self.bars.disable:
            self._progress_line(what, done, total)
            return
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(what, total=total)
        is_going = total is None or done < total
        self.bars.update(self.tasks[what], completed=done, total=total, visible=is_going)

    def _progress_line(self, what: str, done: int, total: int | None) -> None:
        """Print a line with the time left, unless the last one is recent."""
        now_s = time.monotonic()
        pace = self.paces.setdefault(what, Pace(now_s, now_s, done))
        if now_s - pace.first_s < SETTLING_S:
            pace.start_s, pace.start = now_s, done
        wait_s = BETWEEN_LINES_S if pace.shown_s else FIRST_LINE_S
        if now_s - (pace.shown_s or pace.first_s) < wait_s:
            return
        pace.shown_s = now_s
        self.say(f"{what}: {how_far(done, total, pace.left_s(now_s, done, total or done))}")


def how_far(done: int, total: int | None, left_s: Seconds | None) -> str:
    """Return how far something has come, in words.

    Args:
        done: What is done.
        total: What there is, or None where nobody knows.
        left_s: Time that is left, or None where nothing tells.

    Example:
        >>> how_far(1200, 48000, 754.4)
        '1,200 of 48,000, 0:12:34 left'
        >>> how_far(7, None, None)
        '7'
    """
    if total is None:
        return f"{done:,}"
    left = "" if left_s is None else f", {timedelta(seconds=round(left_s))} left"
    return f"{done:,} of {total:,}{left}"


def text(value: object) -> str:
    """Return a value as a table shows it.

    Args:
        value: Any value.

    Example:
        >>> text(2241012), text(0.5), text("yes"), text(None)
        ('2,241,012', '0.5', 'yes', '')
    """
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
