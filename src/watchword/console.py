"""What a person sees while a command works: lines, tables and bars with the time that is left.

In come events of the rooms below, out goes text on the standard error, so that the standard output stays free for
results. A room because how things look belongs in one place, and because a program that asks for JSON sees none of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import rich.console
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

SECONDS_BETWEEN_LINES = 30.0


class Console:
    """Lines, tables and bars; used as a context, so that bars are cleared whatever happens.

    Args:
        is_quiet: Show nothing.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self.is_quiet = is_quiet
        self.out = rich.console.Console(stderr=True, quiet=is_quiet, highlight=False, soft_wrap=True)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.out,
            transient=True,
            disable=is_quiet or not sys.stderr.isatty(),
        )
        self.tasks: dict[str, TaskID] = {}
        self.last_line = 0.0

    def __enter__(self) -> Console:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def say(self, line: str) -> None:
        """Print a line.

        Args:
            line: Text; square brackets are printed as they are.
        """
        self.out.print(line, markup=False)

    def table(self, records: Sequence[Mapping[str, Any]], title: str = "") -> None:
        """Print records as a table, one row each.

        Args:
            records: Mappings; the columns are the keys of all of them, in order of appearance.
            title: Line above the table.
        """
        columns = list(dict.fromkeys(key for record in records for key in record))
        table = Table(title=title or None, title_justify="left")
        for column in columns:
            is_number = all(isinstance(r.get(column, 0), (int, float)) for r in records)
            table.add_column(column.replace("_", " "), justify="right" if is_number else "left")
        for record in records:
            table.add_row(*(text(record.get(column, "")) for column in columns))
        self.out.print(table)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something has come: a bar on a terminal, now and then a line elsewhere.

        Args:
            what: What is being done.
            done: How much of it is done.
            total: How much there is.
        """
        if self.bars.disable:
            now = time.monotonic()
            if now - self.last_line > SECONDS_BETWEEN_LINES:
                self.last_line = now
                self.say(f"{what}: {done:,} of {total:,}")
            return
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(what, total=total)
        self.bars.update(self.tasks[what], completed=done, total=total, visible=done < total)


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
