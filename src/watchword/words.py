"""The words of Speech Commands, and the two classes that are no words.

Nothing comes in and nothing is computed. A room because tasks, reports and readers of data sets
must mean the same words by the same names.

Source:
    Warden 2018 (arXiv 1804.03209), table 1; SPEC §4 for the words that training never hears.
"""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "_unknown_"
SILENCE: Final = "_silence_"

COMMANDS: Final = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
DIGITS: Final = (
    *("zero", "one", "two", "three", "four"),
    *("five", "six", "seven", "eight", "nine"),
)
OTHERS_V1: Final = (
    *("bed", "bird", "cat", "dog", "happy"),
    *("house", "marvin", "sheila", "tree", "wow"),
)
OTHERS_V2: Final = ("backward", "follow", "forward", "learn", "visual")
OTHERS: Final = (*DIGITS, *OTHERS_V1, *OTHERS_V2)
"""The 25 words that are ``_unknown_`` in the official test archive of v0.02."""
NEVER_HEARD: Final = ("house", "nine", "sheila", "tree", "visual")
"""Words that tasks with an open ``_unknown_`` never train on: they show how a new word is met."""
