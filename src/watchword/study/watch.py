"""What a study shows: a line for each run, renewed on a terminal, now and then elsewhere.

In come states, out go lines. A room because the processes themselves show nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, NamedTuple

from rich.live import Live
from rich.table import Table
from rich.text import Text

from watchword.console import BETWEEN_LINES_S, Console
from watchword.units import Seconds

WAITING, DONE = "waiting", "done"
IDLE: Final = (WAITING, DONE)


class State(NamedTuple):
    """How a run is doing: its kind, such as ``training``, and what there is to add."""

    kind: str
    detail: str = ""

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class StudyWatch:
    """Shows the runs of a study; used as a context, so that the screen is left in order.

    Args:
        console: Where to show them.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live: Live | None = None
        self.shown: dict[str, State] = {}
        self.shown_s: Seconds = time.monotonic()

    def __enter__(self) -> StudyWatch:
        if not self.console.bars.disable:
            self.console.stop()  # bars and lines cannot share a screen
            self.live = Live(console=self.console.out, redirect_stdout=False, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live is not None:
            self.live.stop()

    def show(self, states: Mapping[str, State]) -> None:
        """Show how all runs are doing.

        Args:
            states: Label of each run → its state.
        """
        if self.live is not None:
            if states != self.shown:
                grid = _grid(fitting(states, self.console.out.height - 2))
                self.live.update(grid, refresh=True)
                self.shown = dict(states)
            return
        now_s = time.monotonic()
        is_time = now_s - self.shown_s >= BETWEEN_LINES_S
        for label, state in states.items():
            before = self.shown.get(label, State(WAITING))
            if state.kind != before.kind or (is_time and state != before):
                self.console.say(f"{label}: {state.text}")
                self.shown[label] = state
        if is_time:
            self.shown_s = now_s


def fitting(states: Mapping[str, State], lines: int) -> dict[str, State]:
    """Return states that fit on a screen: where they do not, the idle ones are only counted.

    Args:
        states: Label of each run → its state.
        lines: Lines there are.

    Example:
        >>> states = {"a": State("done"), "b": State("training"), "c": State("done")}
        >>> fitting(states, 2)
        {'b': State(kind='training', detail=''), 'the others': State(kind='2 done', detail='')}
    """
    if len(states) <= lines:
        return dict(states)
    kinds = [state.kind for state in states.values() if state.kind in IDLE]
    counts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
    busy = {label: state for label, state in states.items() if state.kind not in IDLE}
    return busy | {"the others": State(", ".join(counts))}


def _grid(states: Mapping[str, State]) -> Table:
    """Return the lines of a screen; text stands in it as it is."""
    grid = Table.grid("run", "state", padding=(0, 2))
    for label, state in states.items():
        grid.add_row(Text(label), Text(state.text, overflow="ellipsis", no_wrap=True))
    return grid
