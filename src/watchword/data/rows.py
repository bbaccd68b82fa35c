"""Rows that name clips: what a task makes of a corpus.

In come prepared corpora and a task, out go rows: for each clip its corpus, its place in that corpus
and its class. A room because training, evaluation and readers of audio speak of clips in these
rows, and because the words that training must never hear are left out here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from watchword.data.clips import ClipStore
from watchword.data.manifest import Split
from watchword.data.tasks import Task
from watchword.data.utterance import Utterance
from watchword.words import SILENCE, UNKNOWN

SILENT_ROW = -1


@dataclass(frozen=True)
class Source:
    """A prepared corpus and what a task makes of it.

    Args:
        name: What reports call the corpus.
        store: Its prepared clips.
        share: Its part of the keyword clips and of the other clips of an epoch, as far as it has
            any; None means by its natural size.
        words: Words of the corpus that count as another word or class, e.g.
            ``{"know": "_unknown_"}``; the key ``*`` stands for every word not named.
        hold_out: Words of the corpus never trained on, beside those of the task.
        leave_out: Names of clips never trained on.
        is_rebuilt: Whether its audio was rebuilt from features and not recorded.
        splits: Splits of the corpus that count as another, e.g. ``{"valid": "train"}``.
        ignored: Names of clips that no split hears.
        is_background: Whether it is noise: nothing of it is a class, its clips are mixed under
            others and cut as silence.
    """

    name: str
    store: ClipStore
    share: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    hold_out: tuple[str, ...] = ()
    leave_out: frozenset[str] = frozenset()
    is_rebuilt: bool = False
    splits: Mapping[Split, Split] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    is_background: bool = False

    def split_of(self, spoken: Utterance) -> Split:
        """Return the split that an utterance of this corpus counts to.

        Args:
            spoken: The utterance.
        """
        return self.splits.get(spoken.split, spoken.split)

    def rows_of(self, split: Split) -> np.ndarray:
        """Return the clips of a split, as rows of the store's clips, in order.

        Args:
            split: The split.
        """
        is_heard = [
            self.split_of(spoken) == split and spoken.name not in self.ignored
            for spoken in self.store.manifest.utterances
        ]
        return np.flatnonzero(np.array(is_heard, bool)[self.store.index])

    def word_as(self, word: str) -> str:
        """Return what a word of this corpus counts as.

        Args:
            word: The word as the corpus names it.
        """
        return self.words.get(word, self.words.get("*", word))

    def is_held_out(self, word: str, task: Task) -> bool:
        """Tell whether training must never hear a word of this corpus.

        Args:
            word: The word as the corpus names it.
            task: The task.
        """
        return word in self.hold_out or not {word, self.word_as(word)}.isdisjoint(task.never_heard)


@dataclass(frozen=True)
class Clips:
    """Rows that name clips: parallel arrays, one entry a clip.

    Args:
        source: Index of the corpus, int16.
        row: Row of its clip array, int64; ``SILENT_ROW`` for silence.
        target: Class, int64.
    """

    source: np.ndarray
    row: np.ndarray
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, index: np.ndarray | slice) -> Clips:
        return Clips(self.source[index], self.row[index], self.target[index])

    @staticmethod
    def join(parts: Sequence[Clips]) -> Clips:
        """Return several lists as one.

        Args:
            parts: At least one list.
        """
        columns = zip(*((part.source, part.row, part.target) for part in parts), strict=True)
        return Clips(*map(np.concatenate, columns))


def silent(count: int, task: Task) -> Clips:
    """Return rows of silence.

    Args:
        count: How many.
        task: A task with the class ``_silence_``.
    """
    target = task.labels.index(SILENCE) if task.has_silence else 0
    return Clips(np.zeros(count, np.int16), np.full(count, SILENT_ROW), np.full(count, target))


def candidates(source: Source, number: int, task: Task, split: Split) -> Clips:
    """Return every clip of a corpus that a split of a task may use.

    What training must never hear is left out of ``train``. Other words that it never hears are left
    out of every split and found by ``never_heard``; a keyword held out of this corpus is evaluated.

    Args:
        source: The corpus.
        number: Its index among the corpora.
        task: The task.
        split: The split.
    """

    def target(word: str) -> int | None:
        found = task.target(source.word_as(word))
        is_keyword = found is not None and found < len(task.keywords)
        is_barred = source.is_held_out(word, task) and (split == "train" or not is_keyword)
        return None if is_barred else found

    left_out = source.leave_out if split == "train" else frozenset()
    return _select(source, number, split, target, left_out)


def holds_keywords(source: Source, number: int, task: Task, split: Split) -> bool:
    """Tell whether a corpus has a clip of a keyword in a split.

    Args:
        source: The corpus.
        number: Its index among the corpora.
        task: The task.
        split: The split.
    """
    return bool((candidates(source, number, task, split).target < len(task.keywords)).any())


def never_heard(source: Source, number: int, task: Task, split: Split) -> Clips:
    """Return the clips of other words that training never hears; each counts as ``_unknown_``.

    Args:
        source: The corpus.
        number: Its index among the corpora.
        task: A task; without ``_unknown_`` there are none.
        split: The split.
    """
    unknown = task.labels.index(UNKNOWN) if UNKNOWN in task.labels else None

    def target(word: str) -> int | None:
        is_other = task.target(source.word_as(word)) == unknown
        return unknown if is_other and source.is_held_out(word, task) else None

    return _select(source, number, split, target)


def _select(
    source: Source,
    number: int,
    split: Split,
    target: Callable[[str], int | None],
    left_out: Set[str] = frozenset(),
) -> Clips:
    """Return the clips of a split to whose words a function gives a class."""
    utterances = source.store.manifest.utterances
    targets = {word: target(word) for word in {utterance.word for utterance in utterances}}
    if source.is_background:
        targets = dict.fromkeys(targets)
    found = (None if spoken.name in left_out else targets[spoken.word] for spoken in utterances)
    of_utterance = np.array([-1 if one is None else one for one in found], np.int64)
    rows = source.rows_of(split)
    rows = rows[of_utterance[source.store.index[rows]] >= 0]
    of_row = of_utterance[source.store.index[rows]]
    return Clips(np.full(len(rows), number, np.int16), rows, of_row)
