"""What a corpus consists of: utterances, their splits, and the manifest that lists them.

Nothing comes in and nothing is computed: these are the words in which the readers of layouts speak
to everyone else. It is a room of its own so that the readers need not know the door that chooses
among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "valid", "test"]
Layout = Literal["commands", "commands-test", "lists", "tree"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken item on disk.

    Attributes:
        name: Path relative to the corpus folder, with forward slashes, such as
            ``yes/0a7c2a8d_nohash_0.wav``.
        word: What is said: the label on disk; ``_unknown_`` where the corpus does not tell.
        speaker: Who says it, or None where that cannot be told.
        split: ``train``, ``valid`` or ``test``.
        text: What is said, where the corpus has a transcript of it; else empty.
    """

    name: str
    word: str
    speaker: str | None
    split: Split
    text: str = ""


@dataclass(frozen=True)
class Manifest:
    """All that a corpus folder holds, without its audio.

    Attributes:
        folder: The corpus folder; names are relative to it.
        layout: How it lies on disk: ``commands``, ``commands-test``, ``lists`` or ``tree``.
        utterances: Every utterance, sorted by name.
        backgrounds: Names of the noise recordings, sorted.
        dropped: Names that ``not_in_v0.02_list.txt`` lists; empty where there is no such file.
    """

    folder: Path
    layout: Layout
    utterances: tuple[Utterance, ...]
    backgrounds: tuple[str, ...]
    dropped: frozenset[str]
