"""The words of Speech Commands, the two classes that are no words, and the words of a text.

In comes a text, out come its words; the rest is names. A room because tasks, reports and readers of
data sets must mean the same words by the same names.

Source:
    Warden 2018 (arXiv 1804.03209), table 1; SPEC §4 for the words that training never hears.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
HOMOPHONES: Final[Mapping[str, frozenset[str]]] = {
    "no": frozenset({"know"}),
    "right": frozenset({"write", "rite", "wright"}),
    "one": frozenset({"won"}),
    "two": frozenset({"to", "too"}),
    "four": frozenset({"for", "fore"}),
    "eight": frozenset({"ate"}),
}
"""Words that sound like a word of Speech Commands: who says one has said the other."""


def words_of(text: str) -> list[str]:
    """Return the words of a text, case folded, without punctuation.

    Args:
        text: The text.

    Example:
        >>> words_of("Don't STOP!")
        ["don't", 'stop']
    """
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def sounding_like(word: str) -> frozenset[str]:
    """Return a word, case folded, with the words that sound like it.

    Args:
        word: The word.

    Example:
        >>> sorted(sounding_like("No"))
        ['know', 'no']
    """
    return HOMOPHONES.get(word.casefold(), frozenset()) | {word.casefold()}
