"""A corpus with its list → recordings: sentences of one speaker and chapter, joined.

In come the lists that training reads, out go recordings as long as nothing is left out of them,
with what their transcripts tell. A room because hours of read speech are the cheapest negative
hours there are, and because a split and the speakers that training left are told here alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

from watchword.data.layouts import is_apart, listed_utterances
from watchword.data.utterance import Split, Utterance
from watchword.errors import ConfigError, DataError
from watchword.long_audio.drafts import file_name, is_plain, lengths_s, rows, without_suffix
from watchword.long_audio.reference import Recording, Said
from watchword.units import Seconds

UNTAGGED: Final = frozenset(
    {"file", "split", "seconds", "speaker", "chapter", "index", "transcript"}
)
"""Columns of a corpus list that are no tags."""
LONGEST_TAG: Final = 60
"""Letters; a longer value is a text, and no group that a report could count by."""


def read_corpus(
    path: Path, lists: Sequence[Path], split: Split | None, apart: float | None
) -> tuple[Recording, ...]:
    """Return the recordings of a corpus, each as long as nothing is left out of it.

    Args:
        path: What the user named, for messages.
        lists: The lists, in the folder of the corpus.
        split: The part that is wanted; all of it where None.
        apart: Only the speakers that training left, when it left this share of them; where
            negative, all others.

    Raises:
        ConfigError: If a share is asked for that cannot be told.
        DataError: If a list cannot be meant, nothing in it is wanted, or a file is missing.
    """
    folder = lists[0].parent
    heard = listed_utterances(folder, lists)  # it refuses lines that name no file in the folder
    lines = {file_name(row, where): (where, row) for table in lists for where, row in rows(table)}
    sentences = [
        _Sentence(one, folder / one.name, lines[one.name][1], lines[one.name][0]) for one in heard
    ]
    wanted = _wanted(sentences, path, split, apart)
    lengths = lengths_s((one.file, f"{one.where} names") for one in wanted)
    return tuple(_joined(run, lengths) for run in _runs(wanted))


@dataclass(frozen=True)
class _Sentence:
    """A line of a corpus list.

    Args:
        heard: Its file, split, speaker and text.
        file: Where the file is.
        row: All values of the line by column.
        where: Which line, for messages.
    """

    heard: Utterance
    file: Path
    row: Mapping[str, str]
    where: str

    @property
    def chapter(self) -> tuple[str, ...]:
        """What it shares with the sentences before and after it; nothing where it has none."""
        told = self.row.get("chapter", "")
        return (self.heard.split, self.heard.speaker or "", told) if told else ()

    @property
    def index(self) -> int:
        """Its place in the chapter."""
        found = self.row.get("index", "")
        if not re.fullmatch(r"\d{1,9}", found, re.ASCII):
            raise DataError(
                f"{self.where} has the index {found!r}, needed a whole number, the place of the "
                "sentence in its chapter: mend the line, or remove the column chapter"
            )
        return int(found)

    @property
    def tags(self) -> dict[str, str]:
        """What is known of it in a few letters."""
        speaker = {"speaker": self.heard.speaker} if self.heard.speaker else {}
        return speaker | {
            key: value
            for key, value in self.row.items()
            if key not in UNTAGGED and is_plain(value) and len(value) <= LONGEST_TAG
        }


def _wanted(
    sentences: Sequence[_Sentence], path: Path, split: Split | None, apart: float | None
) -> list[_Sentence]:
    """Return the sentences of a split, of the speakers that training left out."""
    of_split = [one for one in sentences if split in (None, one.heard.split)]
    if not of_split:
        counts = Counter(one.heard.split for one in sentences)
        found = ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts))
        raise DataError(
            f"{path} lists no {split} recording, found {found or 'none'}, needed some that only "
            f"{split} hears: choose another split"
        )
    if apart is None:
        return of_split
    if not 0 < abs(apart) <= 1:
        raise ConfigError(
            f"a share of {apart:g} of the speakers was asked for, needed above 0 and at most 1: "
            "give the share that training left out, or minus the share for all others"
        )
    if not any(one.heard.speaker for one in of_split):
        raise ConfigError(
            f"speakers apart {apart:g} was asked of {path}, which tells of no speaker, needed the "
            "column speaker: ask for all of it"
        )
    is_left = [is_apart(one.heard.speaker, abs(apart)) for one in of_split]
    kept = [one for one, left in zip(of_split, is_left, strict=True) if left == (apart > 0)]
    if not kept:
        speakers = len({one.heard.speaker for one in of_split})
        raise DataError(
            f"{path} has nobody {'apart' if apart > 0 else 'else'} among its {speakers:,} speakers "
            f"at a share of {apart:g}, needed one at least: give the share that training left out, "
            "or more speakers"
        )
    return kept


def _runs(sentences: Iterable[_Sentence]) -> list[list[_Sentence]]:
    """Return the sentences that follow each other without a gap, together."""
    chapters: dict[tuple[str, ...], list[_Sentence]] = {}
    for one in sentences:
        chapters.setdefault(one.chapter or (one.heard.name,), []).append(one)
    return [run for chapter in chapters.values() for run in _without_gaps(chapter)]


def _without_gaps(chapter: list[_Sentence]) -> list[list[_Sentence]]:
    """Return the sentences of a chapter, cut where one is missing."""
    if not chapter[0].chapter:
        return [chapter]
    runs: list[list[_Sentence]] = []
    for one in sorted(chapter, key=lambda one: one.index):
        step = one.index - runs[-1][-1].index if runs else 0
        if runs and step == 0:
            raise DataError(
                f"{one.where} has the index {one.index} of {runs[-1][-1].heard.name} again, needed "
                "one for each sentence of a chapter: mend one of the lines"
            )
        if step == 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _joined(run: Sequence[_Sentence], lengths: Mapping[Path, Seconds]) -> Recording:
    """Return sentences that follow each other as one recording."""
    ends = [*accumulate(lengths[one.file] for one in run)]
    texts = [one.heard.text.strip() for one in run]
    return Recording(
        name=without_suffix(run[0].heard.name),
        files=tuple(one.file for one in run),
        duration_s=ends[-1],
        said=tuple(
            Said(text, start_s, end_s)
            for text, start_s, end_s in zip(texts, [0.0, *ends], ends, strict=False)
            if text
        ),
        may_hold=not all(texts),
        tags={
            key: value
            for key, value in run[0].tags.items()
            if all(one.tags.get(key) == value for one in run)
        },
    )
