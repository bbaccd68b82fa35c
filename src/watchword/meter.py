"""What a terminal shows while a microphone is heard: the level, the scores, and what was detected.

In come a peak and scores a dozen times a second, out goes a small picture that is drawn over
itself; detections stay above it. A room because the screen must not slow the listening, and because
without a terminal nothing of this may appear in what other programs read.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Final

import rich.console
from rich.cells import cell_len, set_cell_size
from rich.live import Live
from rich.text import Text

from watchword.units import Decibels, Seconds

WIDTH: Final = 30
"""Cells of the widest bar."""
NAME: Final = 16
"""Cells of a keyword's name, with the space before it."""
NUMBER: Final = 10
"""Cells of what stands after a bar, with the spaces around it."""
QUIETEST_DB: Final[Decibels] = -60.0
LOUDEST: Final = 0.999
"""Peak from which a sound is taken to be clipped."""
PICTURES_A_SECOND: Final = 12
FULL: Final = "█"
MARK: Final = "┊"
PLAIN: Final = str.maketrans({FULL: "#", MARK: "|", "…": "."})
"""For terminals that cannot show the others."""


class Meter:
    """A picture that is drawn over itself; used as a context, so that it is cleared at the end.

    Args:
        is_quiet: Show no picture and say nothing; answers and warnings are printed.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self.is_quiet = is_quiet
        self.out = rich.console.Console(
            stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True
        )
        self.is_plain = not self.out.encoding.startswith("utf")
        is_shown = not is_quiet and sys.stderr.isatty() and not self.out.is_dumb_terminal
        self.live = (
            Live(
                console=self.out,
                refresh_per_second=PICTURES_A_SECOND,
                transient=True,
                redirect_stdout=False,  # a file or a program may read it
            )
            if is_shown
            else None
        )

    def __enter__(self) -> Meter:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Clear the picture; lines can still be printed."""
        if self.live:
            self.live.stop()

    def answer(self, line: str) -> None:
        """Print a detection at once; on a terminal it stays above the picture.

        Args:
            line: Text.
        """
        if self.live and sys.stdout.isatty():
            self.out.print(line)
        else:
            print(line, flush=True)

    def say(self, line: str) -> None:
        """Print a line for people.

        Args:
            line: Text.
        """
        if not self.is_quiet:
            self.out.print(line)

    def warn(self, line: str) -> None:
        """Print a line that must not be missed, also where a program reads the answers.

        Args:
            line: Text.
        """
        self.out.print(line)

    def show(
        self,
        peak: float,
        scores: Mapping[str, float],
        thresholds: Mapping[str, float],
        time_s: Seconds,
    ) -> None:
        """Draw level and scores, as many as the terminal has room for.

        Args:
            peak: Largest absolute sample, in [0, 1].
            scores: Score of each keyword.
            thresholds: Threshold of each keyword.
            time_s: Seconds heard.
        """
        if not self.live:
            return
        width, height = self.out.size
        drawn = picture(peak, scores, thresholds, time_s, columns=width, lines=height - 3)
        shown = drawn.translate(PLAIN) if self.is_plain else drawn
        self.live.update(Text(shown, no_wrap=True, overflow="crop"))


def picture(
    peak: float,
    scores: Mapping[str, float],
    thresholds: Mapping[str, float],
    time_s: Seconds,
    *,
    columns: int = 80,
    lines: int = 24,
) -> str:
    """Return level and scores as lines of text; a mark stands where a threshold is not reached.

    Args:
        peak: Largest absolute sample, in [0, 1].
        scores: Score of each keyword.
        thresholds: Threshold of each keyword.
        time_s: Seconds heard.
        columns: Cells of a line.
        lines: Most lines; of more keywords those with the highest scores are shown.

    Example:
        >>> print(picture(1.0, {"stop": 0.5, "go": 0.9}, {"stop": 0.7, "go": 0.7}, 61.0))
            1:01   level  ██████████████████████████████   0 dB clipped
                    stop  ███████████████     ┊          0.50
                      go  ███████████████████████████    0.90
    """
    width = max(1, min(WIDTH, columns - NAME - NUMBER))
    level_db = max(QUIETEST_DB, 20 * math.log10(max(peak, 1e-6)))
    clipped = " clipped" if peak >= LOUDEST else ""
    level = _bar(1 - level_db / QUIETEST_DB, width)
    drawn = [f"{clock(time_s):>8}{'level':>8}  {level} {level_db:3.0f} dB{clipped}"]
    words = _highest(scores, max(1, lines - 2)) if len(scores) >= lines else [*scores]
    drawn += [
        f"{_name(word)}  {_bar(scores[word], width, thresholds[word])} {scores[word]:.2f}"
        for word in words
    ]
    if len(words) < len(scores):
        drawn.append(f"{'':{NAME}}  and {len(scores) - len(words)} lower")
    return "\n".join(drawn)


def clock(time_s: Seconds) -> str:
    """Return a time in whole seconds as a clock shows it.

    Args:
        time_s: Seconds.

    Example:
        >>> clock(61.9), clock(3_661)
        ('1:01', '1:01:01')
    """
    minutes, seconds = divmod(int(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _highest(scores: Mapping[str, float], most: int) -> list[str]:
    """Return the keywords with the highest scores, in the order of the model."""
    chosen = {*sorted(scores, key=lambda word: -scores[word])[:most]}
    return [word for word in scores if word in chosen]


def _name(word: str) -> str:
    """Return a name at the right of its cells, cut if it is longer."""
    if cell_len(word) >= NAME:
        word = set_cell_size(word, NAME - 2) + "…"
    return " " * (NAME - cell_len(word)) + word


def _bar(share: float, width: int, mark: float = 0.0) -> str:
    """Return a bar as long as a share of the width, with a mark beyond its end."""
    cells = list((FULL * round(min(1.0, max(0.0, share)) * width)).ljust(width))
    place = math.ceil(mark * width) - 1
    if place >= 0 and cells[place] == " ":
        cells[place] = MARK
    return "".join(cells)
