"""How recordings are mixed: the numbers, and what of them cannot be meant.

In come numbers, out goes a recipe, or one line that says what is wrong with it. A room because
whoever gathers, casts and mixes reads the same recipe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from watchword.errors import ConfigError
from watchword.units import SAMPLE_RATE_HZ, Decibels, Samples, Seconds

SHORTEST_S: Final[Seconds] = 5.0
LONGEST_S: Final[Seconds] = 3_600.0
_RANGES: Final = {"snr_db": (-60.0, 100.0), "level_dbfs": (-80.0, 0.0), "gap_s": (0.0, 600.0)}


@dataclass(frozen=True)
class Recipe:
    """How recordings are mixed.

    Args:
        snr_db: Lowest and highest ratio of a clip's mean power to that of the background of its
            recording; drawn for each recording.
        level_dbfs: Lowest and highest root mean square of clips, in dB of full scale; drawn for
            each recording.
        gap_s: Shortest and longest time from the end of a word to the start of the next.
        overlap: Share of words that begin before the former one, another word, has ended.
        reverb: Share of recordings that are heard in a room.
        others: Share of utterances that are words, but no keywords.
        speech: Share of utterances that are sentences of negative speech.
        recording_s: How long a recording lasts, about.
        hours: How long all recordings last; None: until every keyword clip was said once.
        seed: Anything random follows from it.

    Raises:
        ConfigError: If a number cannot be meant.
    """

    snr_db: tuple[Decibels, Decibels] = (10.0, 10.0)
    level_dbfs: tuple[Decibels, Decibels] = (-30.0, -18.0)
    gap_s: tuple[Seconds, Seconds] = (0.5, 3.0)
    overlap: float = 0.0
    reverb: float = 0.0
    others: float = 0.3
    speech: float = 0.0
    recording_s: Seconds = 120.0
    hours: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name, (lowest, highest) in _RANGES.items():
            low, high = getattr(self, name)
            if not lowest <= low <= high <= highest:
                raise ConfigError(
                    f"{name} runs from {low:g} to {high:g}, needed two numbers from {lowest:g} to "
                    f"{highest:g}, the smaller one first: mend them"
                )
        for name in ("overlap", "reverb", "others", "speech"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name} is {getattr(self, name):g}, needed a share from 0 to 1: mend it"
                )
        if self.others + self.speech > 1.0:
            raise ConfigError(
                f"others and speech are {self.others + self.speech:g} of the utterances, needed "
                "1 at most: lower one of them"
            )
        if not SHORTEST_S <= self.recording_s <= LONGEST_S:
            raise ConfigError(
                f"recording_s is {self.recording_s:g}, needed {SHORTEST_S:g} to {LONGEST_S:g} "
                "seconds: mend it, or ask for more hours"
            )
        if self.hours is not None and not SHORTEST_S <= self.hours * 3_600 < math.inf:
            raise ConfigError(
                f"{self.hours:g} hours asked for, needed at least {SHORTEST_S:g} seconds of them: "
                "mend it, or leave it out and every keyword clip is said once"
            )
        if self.seed < 0:
            raise ConfigError(f"the seed is {self.seed}, needed 0 or more: choose another")

    @property
    def recordings(self) -> int | None:
        """How many recordings fill the hours; None where the clips decide."""
        if self.hours is None:
            return None
        return max(1, round(self.hours * 3_600 / self.recording_s))

    @property
    def samples(self) -> Samples:
        """Length of a recording."""
        if self.hours is None or self.recordings is None:
            return round(self.recording_s * SAMPLE_RATE_HZ)
        return round(self.hours * 3_600 / self.recordings * SAMPLE_RATE_HZ)
