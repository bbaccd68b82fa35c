"""Which clips an epoch hears, and in which order; which clips an evaluation hears.

In come prepared corpora and a task, out go rows: for each clip its corpus, its place in that corpus
and its class. A room because the shares of ``_unknown_``, of silence and of each corpus are decided
here and nowhere else. Everything is a function of the seed and the epoch, so a run that was killed
goes on exactly where it stopped.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchword.data.manifest import Split
from watchword.data.rows import SILENT_ROW, Clips, Source, candidates, never_heard, silent
from watchword.data.tasks import Task
from watchword.data.utterance import Utterance
from watchword.errors import DataError
from watchword.words import SILENCE, UNKNOWN

TENTH = 0.1
ROUNDING = 1e-9
"""What the sum of a few shares may be off by."""


@dataclass(frozen=True)
class Group:
    """Clips of one kind, and how many of them an epoch hears.

    Args:
        clips: At least one clip.
        quota: Clips in an epoch.
    """

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
        is_silent = clips.row == SILENT_ROW
        table: dict[str, dict[str, int]] = {}
        for number, name in enumerate([*names, SILENCE]):
            mine = is_silent if number == len(names) else (clips.source == number) & ~is_silent
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

    The kinds are keywords, other words and silence. Corpora without a share are heard once an
    epoch; a corpus with share s gives that part of the keyword clips, if it has any, and that part
    of the other words: each class is so mixed from the same corpora, and what sets a corpus apart
    cannot tell the class. Where the task draws ``_unknown_`` anew every epoch, other words fill
    ``unknown_share`` of it. Silence fills ``silence_share``: the corpora's own, each clip at most
    once an epoch, and beyond that cuts of background recordings.

    Args:
        sources: The corpora.
        task: The task.
        seed: Seed of the run.
        unknown_share: Part of an epoch that is ``_unknown_``, in [0, 1), for tasks that draw it.
        silence_share: Part of an epoch that is silence, in [0, 1), for tasks that have it.

    Raises:
        DataError: If a class has no training clip, or the shares leave no room.
    """
    drawn_share = unknown_share if task.unknown == "tenth" else 0.0
    silence_share = silence_share if task.has_silence else 0.0
    _refuse_no_room(drawn_share, silence_share)
    found = [candidates(source, i, task, "train") for i, source in enumerate(sources)]
    _refuse_missing(found, task)
    _refuse_idle(found, sources, task)
    keywords, others, quiet = zip(*(_by_kind(clips, task) for clips in found), strict=True)
    shares = [source.share for source in sources]
    quotas = _quotas([len(clips) for clips in keywords], shares, total=None)
    spoken = sum(quotas)
    drawn: int | None = None
    if task.unknown == "tenth":
        drawn = round(spoken * drawn_share / (1.0 - drawn_share - silence_share))
    other_quotas = _quotas([len(clips) for clips in others], shares, total=drawn)
    spoken += sum(other_quotas)
    silence = round(spoken * silence_share / (1.0 - silence_share))
    own = Clips.join(quiet)
    own_quota = min(len(own), silence)
    pairs = zip([*keywords, *others, own], [*quotas, *other_quotas, own_quota], strict=True)
    groups = tuple(Group(clips, quota) for clips, quota in pairs if quota)
    return Plan(task, groups, silence - own_quota, seed)


def _by_kind(clips: Clips, task: Task) -> tuple[Clips, Clips, Clips]:
    """Return clips of keywords, clips of other words and clips of silence."""
    is_keyword = clips.target < len(task.keywords)
    is_silence = clips.target == (task.labels.index(SILENCE) if task.has_silence else -1)
    return clips[is_keyword], clips[~is_keyword & ~is_silence], clips[is_silence]


def _quotas(
    counts: Sequence[int], shares: Sequence[float | None], *, total: int | None
) -> list[int]:
    """Return how many of its ``counts`` clips of one kind each corpus gives, in all ``total``.

    Without a total, corpora without a share give all of theirs.
    """
    found = [*zip(counts, shares, strict=True)]
    taken = sum(share for count, share in found if count and share is not None)
    natural = sum(count for count, share in found if share is None)
    is_full = taken > 1 - ROUNDING
    if taken > 1 + ROUNDING or (total is None and natural and is_full):
        raise DataError(
            f"the shares of the corpora sum to {taken:g}: they must stay below 1 in sum, "
            "and what is left goes to the corpora without a share; lower data.corpora.share"
        )
    if total is None:
        total = round(natural / (1.0 - taken)) if natural else sum(counts)
    left = max(0.0, 1.0 - taken) if natural else 0.0
    whole = taken + left or 1.0  # without a corpus by its natural size, the shares are all there is
    return [
        round(total * left * count / max(1, natural))
        if share is None
        else round(total * share / whole * bool(count))
        for count, share in found
    ]


def _refuse_no_room(unknown_share: float, silence_share: float) -> None:
    """Raise if unknown and silence leave nothing for keywords."""
    if unknown_share + silence_share > 1 - ROUNDING:
        raise DataError(
            f"data.unknown_share {unknown_share:g} and data.silence_share {silence_share:g} leave "
            "no room for keywords: their sum must stay below 1, so lower one of them"
        )


def _refuse_missing(found: Sequence[Clips], task: Task) -> None:
    """Raise if a class that must have clips has none."""
    counts = np.bincount(Clips.join(found).target, minlength=len(task.labels))
    pairs = zip(task.labels, counts, strict=True)
    missing = [label for label, count in pairs if count == 0 and label != SILENCE]
    if missing:
        raise DataError(
            f"task {task.name} needs training clips of {', '.join(missing)} and the data has none: "
            "check the folder with 'watchword data check', or choose another task"
        )


def _refuse_idle(found: Sequence[Clips], sources: Sequence[Source], task: Task) -> None:
    """Raise if a corpus has a share of every epoch and no clip to fill it."""
    for clips, source in zip(found, sources, strict=True):
        if source.share is not None and not len(clips):
            raise DataError(
                f"corpus {source.name} has a share of {source.share:g} and no training clip of "
                f"task {task.name}: check its splits and the words it counts as, or leave it out"
            )


def evaluation(sources: Sequence[Source], task: Task, split: Split) -> tuple[Clips, np.ndarray]:
    """Return the clips an evaluation hears, the same every time, and the part each belongs to.

    Every keyword clip of the split counts. Where the task draws ``_unknown_``, clips of other words
    count up to a tenth of the keyword clips, spread evenly over the words (the official archive's
    rule: 408 beside 4,074 commands); the rest are ``extra-unknown``, and words never heard are
    ``held-out``. As many clips of silence are cut from the split's part of the background
    recordings. Folders ``_unknown_`` and ``_silence_`` of a data set count as they are instead.

    Args:
        sources: The corpora.
        task: The task.
        split: The split.

    Returns:
        The clips, and an array of the names of their parts: ``task`` (what accuracy is measured
        on, and first in the list), ``extra-unknown`` or ``held-out``.

    Raises:
        DataError: If the split has no clip that counts for accuracy.
    """
    everything = Clips.join([candidates(s, i, task, split) for i, s in enumerate(sources)])
    keywords, others, own_silence = _by_kind(everything, task)
    tenth = -(-len(keywords) // 10)  # rounded up
    counted, extra = _counted(others, keywords, tenth, sources, task)
    if not len(keywords) + len(counted):
        raise DataError(
            f"no {split} clip of task {task.name} in {', '.join(s.name for s in sources)}, needed "
            "some of its keywords: choose a split and a task that the folder holds"
        )
    quiet = own_silence if len(own_silence) else silent(tenth * task.has_silence, task)
    held = Clips.join([never_heard(s, i, task, split) for i, s in enumerate(sources)])
    counted = Clips.join([keywords, counted, quiet])
    parts = {"task": counted, "extra-unknown": extra, "held-out": held}
    names = np.repeat([*parts], [len(clips) for clips in parts.values()])
    return Clips.join([*parts.values()]), names


def _counted(
    others: Clips, keywords: Clips, tenth: int, sources: Sequence[Source], task: Task
) -> tuple[Clips, Clips]:
    """Return the clips of other words that count for accuracy, and the rest.

    All count where the task says so. Otherwise those count that a data set has chosen itself (its
    folder ``_unknown_``); where it has not, the first clip of each word in a fixed shuffled order,
    then the second of each, and so on. A corpus without keywords never counts: accuracy must not
    depend on which negatives a model was trained with.
    """
    if task.unknown != "tenth":
        return others, others[:0]
    pairs = zip(others.source, others.row, strict=True)
    spoken = [sources[source].store.utterance(int(row)) for source, row in pairs]
    may_count = np.isin(others.source, np.unique(keywords.source))
    is_counted = may_count & np.array([one.word == UNKNOWN for one in spoken], bool)
    if not is_counted.any():
        ranks = [rank for rank in _ranks(spoken) if may_count[rank[-1]]]
        is_counted[[place for *_, place in sorted(ranks)[:tenth]]] = True
    return others[is_counted], others[~is_counted]


def _ranks(spoken: Sequence[Utterance]) -> list[tuple[int, bytes, int]]:
    """Return for each utterance its rank among those of its word, a key of the word, its place."""
    seen: Counter[str] = Counter()
    ranks = []
    for place in sorted(range(len(spoken)), key=lambda i: _stable(spoken[i].name)):
        word = spoken[place].word
        seen[word] += 1
        ranks.append((seen[word], _stable(word), place))
    return ranks


def _stable(name: str) -> bytes:
    """Return a fixed pseudo-random key of a name."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).digest()
