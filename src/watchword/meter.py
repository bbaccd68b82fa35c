"""What a terminal shows while a microphone is heard: the level, the scores, and what was detected.

In come a peak and scores a dozen times a second, out goes a small picture that is drawn over
itself; detections stay above it. A room because the screen must not slow the listening, and because
without a terminal nothing of this may appear in what other programs read.
"""

from __future__ import annotations

import math
import sys
from types import TracebackType
from typing import Final

import rich.console
from rich.live import Live
from rich.text import Text

WIDTH: Final = 30
QUIETEST_DB: Final = -60.0
PICTURES_A_SECOND: Final = 12


class Meter:
    """A picture that is drawn over itself; used as a context, so that it is cleared at the end.

    Args:
        is_quiet: Show nothing.
    """

    def __init__(self, *, is_quiet: bool = False) -> None:
        self.out = rich.console.Console(stderr=True, markup=False, highlight=False, quiet=is_quiet)
        is_shown = not is_quiet and sys.stderr.isatty()
        self.live = (
            Live(console=self.out, refresh_per_second=PICTURES_A_SECOND, transient=True)
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
        if self.live:
            self.live.stop()

    def answer(self, line: str) -> None:
        """Print a detection; on a terminal it stays above the picture.

        Args:
            line: Text.
        """
        if self.live and sys.stdout.isatty():
            self.live.console.print(line)
        else:
            print(line, flush=True)

    def show(self, peak: float, scores: dict[str, float], time_s: float) -> None:
        """Draw level and scores.

        Args:
            peak: Largest absolute sample, in [0, 1].
            scores: Score of each keyword.
            time_s: Seconds heard.
        """
        if self.live:
            self.live.update(Text(picture(peak, scores, time_s)))


def picture(peak: float, scores: dict[str, float], time_s: float) -> str:
    """Return level and scores as lines of text.

    Args:
        peak: Largest absolute sample, in [0, 1].
        scores: Score of each keyword.
        time_s: Seconds heard.

    Example:
        >>> print(picture(1.0, {"stop": 0.5}, 61.0))
            1:01   level  ██████████████████████████████   0 dB
                    stop  ███████████████                0.50
    """
    level_db = max(QUIETEST_DB, 20 * math.log10(max(peak, 1e-6)))
    minutes, seconds = divmod(int(time_s), 60)
    clock = f"{minutes}:{seconds:02d}"
    lines = [f"{clock:>8}{'level':>8}  {_bar(1 - level_db / QUIETEST_DB)} {level_db:3.0f} dB"]
    lines += [f"{word:>16}  {_bar(score)} {score:.2f}" for word, score in scores.items()]
    return "\n".join(lines)


def _bar(share: float) -> str:
    """Return a bar as long as a share of the width."""
    return ("█" * round(min(1.0, max(0.0, share)) * WIDTH)).ljust(WIDTH)
