"""Which clips an epoch hears, and in which order; which clips an evaluation hears.

In come prepared corpora and a task, out go rows: for each clip its corpus, its place in that corpus and its class. A
room because the shares of ``_unknown_``, of silence and of each corpus are decided here and nowhere else. Everything is
a function of the seed and the epoch, so a run that was killed goes on exactly where it stopped.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from watchword.data.clips import ClipStore
from watchword.data.manifest import SILENCE, UNKNOWN, Split
from watchword.data.tasks import Task
from watchword.errors import DataError

TENTH = 0.1
SILENT_ROW = -1


@dataclass(frozen=True)
class Source:
    """A prepared corpus and what a task makes of it.

    Args:
        name: What reports call the corpus.
        store: Its prepared clips.
        share: Its part of every batch; None means by its natural size.
        words: Words of the corpus that count as another word or class, e.g. ``{"know": "_unknown_"}``; the key ``*``
            stands for every word not named.
        hold_out: Words never trained on, beside those of the task.
        leave_out: Names of clips never trained on.
        is_rebuilt: Whether its audio was rebuilt from features and not recorded.
    """

    name: str
    store: ClipStore
    share: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    hold_out: tuple[str, ...] = ()
    leave_out: frozenset[str] = frozenset()
    is_rebuilt: bool = False

    def word_as(self, word: str) -> str:
        """Return what a word of this corpus counts as.

        Args:
            word: The word as the corpus names it.
        """
        return self.words.get(word, self.words.get("*", word))


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
        return Clips(
            np.concatenate([part.source for part in parts]),
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.target for part in parts]),
        )


def silent(count: int, task: Task) -> Clips:
    """Return rows of silence.

    Args:
        count: How many.
        task: A task with the class ``_silence_``.
    """
    target = task.labels.index(SILENCE) if task.has_silence else 0
    return Clips(
        np.zeros(count, np.int16), np.full(count, SILENT_ROW), np.full(count, target, np.int64)
    )


def candidates(source: Source, number: int, task: Task, split: Split) -> Clips:
    """Return every clip of a corpus that a split of a task may use.

    Words that training must never hear are left out of ``train`` and are found by ``never_heard``.

    Args:
        source: The corpus.
        number: Its index among the corpora.
        task: The task.
        split: The split.
    """
    held = set(task.never_heard) | set(source.hold_out)
    rows, targets = [], []
    for row, place in enumerate(source.store.index):
        utterance = source.store.manifest.utterances[place]
        word = source.word_as(utterance.word)
        target = task.target(word)
        is_barred = utterance.word in held or (
            split == "train" and utterance.name in source.leave_out
        )
        if utterance.split == split and target is not None and not is_barred:
            rows.append(row)
            targets.append(target)
    return Clips(
        np.full(len(rows), number, np.int16),
        np.array(rows, np.int64),
        np.array(targets, np.int64),
    )


def never_heard(source: Source, number: int, task: Task, split: Split) -> Clips:
    """Return the clips of words that training never hears; each counts as ``_unknown_``.

    Args:
        source: The corpus.
        number: Its index among the corpora.
        task: A task; without ``_unknown_`` there are none.
        split: The split.
    """
    held = set(task.never_heard) | set(source.hold_out)
    utterances = source.store.manifest.utterances
    rows = [
        row
        for row, place in enumerate(source.store.index)
        if utterances[place].split == split and utterances[place].word in held
    ]
    if task.unknown == "none":
        rows = []
    target = task.labels.index(UNKNOWN) if rows else 0
    return Clips(
        np.full(len(rows), number, np.int16),
        np.array(rows, np.int64),
        np.full(len(rows), target, np.int64),
    )


@dataclass(frozen=True)
class Group:
    """Clips of one corpus and one kind, and how many of them an epoch hears."""

    clips: Clips
    quota: int

    def draw(self, seed: int, number: int, epoch: int) -> Clips:
        """Return this epoch's clips: the next ``quota`` of an endless line of shuffled passes.

        Every clip is heard once before any is heard twice, across epochs too.

        Args:
            seed: Seed of the run.
            number: Index of the group.
            epoch: Epoch, from 0.
        """
        size = len(self.clips)
        places = np.arange(epoch * self.quota, (epoch + 1) * self.quota)
        order = np.empty(len(places), np.int64)
        for turn in np.unique(places // size):
            shuffled = np.random.default_rng([seed, 1, number, int(turn)]).permutation(size)
            chosen = places // size == turn
            order[chosen] = shuffled[places[chosen] % size]
        return self.clips[order]


@dataclass(frozen=True)
class Plan:
    """What every epoch of a training run hears.

    Args:
        task: The task.
        groups: Clips by corpus and kind with their quotas.
        silence: Silent clips in an epoch.
        seed: Seed of the run.
    """

    task: Task
    groups: tuple[Group, ...]
    silence: int
    seed: int

    def __len__(self) -> int:
        return sum(group.quota for group in self.groups) + self.silence

    def epoch(self, number: int) -> Clips:
        """Return the clips of an epoch in the order in which training hears them.

        Args:
            number: Epoch, from 0.
        """
        drawn = [group.draw(self.seed, i, number) for i, group in enumerate(self.groups)]
        clips = Clips.join([*drawn, silent(self.silence, self.task)])
        return clips[np.random.default_rng([self.seed, 2, number]).permutation(len(clips))]

    def counts(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return the number of clips an epoch hears, by corpus and class.

        Args:
            names: Names of the corpora, in order.
        """
        clips = self.epoch(0)
        table: dict[str, dict[str, int]] = {}
        for number, name in [*enumerate(names), (SILENT_ROW, SILENCE)]:
            mine = (clips.source == number) & (clips.row != SILENT_ROW)
            if number == SILENT_ROW:
                mine = clips.row == SILENT_ROW
            found = np.bincount(clips.target[mine], minlength=len(self.task.labels))
            if found.any():
                table[name] = dict(zip(self.task.labels, found.tolist(), strict=True))
        return table


def plan(
    sources: Sequence[Source],
    task: Task,
    *,
    seed: int,
    unknown_share: float = TENTH,
    silence_share: float = TENTH,
) -> Plan:
    """Decide how many clips of each corpus and kind an epoch hears.

    The two kinds are keywords and other words. Corpora without a share are heard once an epoch; a corpus with share s
    gives that part of the keyword clips, if it has any, and that part of the other words: each class is so mixed from
    the same corpora, and what sets a corpus apart cannot tell the class. Where the task draws ``_unknown_`` anew every
    epoch, other words fill ``unknown_share`` of it; silence fills ``silence_share``.

    Args:
        sources: The corpora.
        task: The task.
        seed: Seed of the run.
        unknown_share: Part of an epoch that is ``_unknown_``, in [0, 1), for tasks that draw it.
        silence_share: Part of an epoch that is silence, in [0, 1), for tasks that have it.

    Raises:
        DataError: If a class has no training clip, or the shares leave no room.
    """
    found = [candidates(source, i, task, "train") for i, source in enumerate(sources)]
    _refuse_missing(found, task)
    silence_share = silence_share if task.has_silence else 0.0
    keywords, others = zip(*(_by_kind(clips, task) for clips in found), strict=True)
    shares = [source.share for source in sources]
    quotas = _quotas([len(clips) for clips in keywords], shares, total=None)
    spoken = sum(quotas)
    drawn: int | None = None
    if task.unknown == "tenth":
        drawn = round(spoken * unknown_share / (1.0 - unknown_share - silence_share))
    other_quotas = _quotas([len(clips) for clips in others], shares, total=drawn)
    spoken += sum(other_quotas)
    pairs = [*zip(keywords, quotas, strict=True), *zip(others, other_quotas, strict=True)]
    groups = tuple(Group(clips, quota) for clips, quota in pairs if quota)
    return Plan(task, groups, round(spoken * silence_share / (1.0 - silence_share)), seed)


def _by_kind(clips: Clips, task: Task) -> tuple[Clips, Clips]:
    """Return clips of keywords and clips of other words."""
    is_keyword = clips.target < len(task.keywords)
    return clips[is_keyword], clips[~is_keyword]


def _quotas(
    counts: Sequence[int], shares: Sequence[float | None], *, total: int | None
) -> list[int]:
    """Return how many clips of one kind each corpus gives.

    Args:
        counts: Clips of that kind in each corpus.
        shares: The corpora's shares; None means by its natural size.
        total: Clips wanted of that kind; None means that corpora without a share give all of theirs.
    """
    taken = sum(share or 0.0 for count, share in zip(counts, shares, strict=True) if count)
    natural = sum(count for count, share in zip(counts, shares, strict=True) if share is None)
    if taken > 1 or (total is None and natural and taken == 1):
        raise DataError(
            f"the shares of the corpora sum to {taken:g}: they must stay below 1 in sum, "
            "and what is left goes to the corpora without a share"
        )
    if total is None:
        total = round(natural / (1.0 - taken)) if natural else sum(counts)
    left = total * (1.0 - taken) if natural else 0.0
    scale = (
        1.0 if natural or not taken else 1.0 / taken
    )  # no corpus without a share: the shares are all
    return [
        round(left * count / natural)
        if share is None
        else round(share * scale * total * bool(count))
        for count, share in zip(counts, shares, strict=True)
    ]


def _refuse_missing(found: Sequence[Clips], task: Task) -> None:
    """Raise if a class that must have clips has none."""
    counts = np.bincount(Clips.join(found).target, minlength=len(task.labels))
    missing = [
        label
        for label, count in zip(task.labels, counts, strict=True)
        if count == 0 and label != SILENCE
    ]
    if missing:
        raise DataError(
            f"task {task.name} needs training clips of {', '.join(missing)} and the data has none: "
            "check the folder with 'watchword data check', or choose another task"
        )


def evaluation(
    sources: Sequence[Source], task: Task, split: Split
) -> tuple[Clips, np.ndarray]:
    """Return the clips an evaluation hears, the same ones every time, and the part of the report each belongs to.

    Every keyword clip of the split counts. Where the task draws ``_unknown_``, clips of other words count up to a
    tenth of the keyword clips, spread evenly over the words (the official archive's rule: 408 beside 4,074 commands);
    the rest are ``extra-unknown``, words never heard are ``held-out``, and as many clips of silence are cut from
    the split's part of the background recordings, unless the data set has its own.

    Args:
        sources: The corpora.
        task: The task.
        split: The split.

    Returns:
        The clips and their parts (``task``, ``extra-unknown`` or ``held-out``), an array of as many names.

    Raises:
        DataError: If the split has no clip of the task.
    """
    everything = Clips.join([candidates(s, i, task, split) for i, s in enumerate(sources)])
    keywords, others = _by_kind(everything, task)
    if not len(everything):
        raise DataError(
            f"no {split} clip of task {task.name} in {', '.join(s.name for s in sources)}: "
            "choose a split and a task that the folder holds"
        )
    is_silence = others.target == (task.labels.index(SILENCE) if task.has_silence else -1)
    own_silence, others = others[is_silence], others[~is_silence]
    counted, extra = _tenth(others, len(keywords), sources, task)
    own_count = len(own_silence) or math.ceil(TENTH * len(keywords)) * task.has_silence
    quiet = own_silence if len(own_silence) else silent(own_count, task)
    held = Clips.join([never_heard(s, i, task, split) for i, s in enumerate(sources)])
    lists = {"task": Clips.join([keywords, counted, quiet]), "extra-unknown": extra, "held-out": held}
    parts = np.concatenate([np.full(len(clips), part) for part, clips in lists.items()])
    return Clips.join(list(lists.values())), parts


def _tenth(
    others: Clips, keywords: int, sources: Sequence[Source], task: Task
) -> tuple[Clips, Clips]:
    """Return the clips of other words that count for accuracy, and the rest.

    All count where the task says so, or where the data set has chosen them itself (a folder ``_unknown_``).
    """
    spoken = [
        sources[source].store.utterance(int(row))
        for source, row in zip(others.source, others.row, strict=True)
    ]
    if task.unknown != "tenth" or all(utterance.word == UNKNOWN for utterance in spoken):
        return others, others[:0]
    rank: dict[str, int] = {}
    order = []
    for place in sorted(range(len(others)), key=lambda i: _stable(spoken[i].name)):
        word = spoken[place].word
        rank[word] = rank.get(word, 0) + 1
        order.append((rank[word], _stable(word), place))
    chosen = np.array([place for *_, place in sorted(order)], np.int64)
    count = math.ceil(TENTH * keywords)
    return others[np.sort(chosen[:count])], others[np.sort(chosen[count:])]


def _stable(name: str) -> bytes:
    """Return a fixed pseudo-random key of a name."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).digest()
