"""Rates over groups of clips: by speaker, by unknown word, and weighed as the test archive does.

In come scores, out go the spread over speakers and the recall of words. It is a room of its own
because clips of one speaker, or of one word, succeed and fail together: an average over clips hides
what one person or one word meets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from watchword.errors import DataError
from watchword.metrics import Interval, Rate, accuracy, wilson
from watchword.scores import Scores
from watchword.words import COMMANDS, OTHERS, SILENCE, UNKNOWN

ARCHIVE_WEIGHTS: Final = {"commands": 0.833, "unknown": 0.0835, "silence": 0.0835}

_DRAWS: Final = 400


@dataclass(frozen=True, eq=False)
class Speakers:
    """How accuracy spreads over speakers.

    Args:
        known: Number of speakers.
        minimum_clips: Clips a speaker needs to be judged alone.
        rates: Speaker and accuracy, of those with enough clips, worst first.
        by_chance: Accuracies in rising order that as many speakers with as many clips would show if
            all were equally easy, shape ``(judged speakers,)``.
        interval: 95 % interval of the accuracy over all clips given, when speakers are the sample
            and not clips.
    """

    known: int
    minimum_clips: int
    rates: tuple[tuple[str, Rate], ...]
    by_chance: NDArray[np.float64]
    interval: Interval

    @property
    def worst_decile(self) -> float:
        """Mean accuracy of the worst tenth of the judged speakers, in [0, 1]."""
        return _lowest_tenth([rate.value for _, rate in self.rates])

    @property
    def worst_decile_by_chance(self) -> float:
        """What ``worst_decile`` would be if all speakers were equally easy, in [0, 1]."""
        return _lowest_tenth(self.by_chance)


def by_speaker(scores: Scores, minimum_clips: int = 5) -> Speakers:
    """Return how accuracy spreads over speakers.

    Args:
        scores: The clips to judge; those without a known speaker stand for themselves.
        minimum_clips: Clips a speaker needs to be judged alone, above zero.

    Raises:
        DataError: If no speaker has so many clips.
    """
    is_known = scores.speakers != ""
    people, owner = np.unique(scores.speakers[is_known], return_inverse=True)
    clips = np.bincount(owner, minlength=len(people))
    hits = np.bincount(owner, weights=scores.is_correct[is_known], minlength=len(people)).astype(
        int
    )
    judged = np.flatnonzero(clips >= minimum_clips)
    if not len(judged):
        raise DataError(
            f"no speaker can be judged: found none with {minimum_clips} clips, needed at least "
            "one: lower the minimum, or use a corpus that names its speakers"
        )
    rates = [(str(people[i]), Rate(int(hits[i]), int(clips[i]))) for i in judged]
    worst_first = sorted(rates, key=lambda item: (item[1].value, -item[1].count, item[0]))
    alone = scores.is_correct[~is_known].astype(int)
    return Speakers(
        known=len(people),
        minimum_clips=minimum_clips,
        rates=tuple(worst_first),
        by_chance=_sorted_by_chance(clips[judged], hits[judged].sum() / clips[judged].sum()),
        interval=cluster_interval(np.append(hits, alone), np.append(clips, np.ones_like(alone))),
    )


def cluster_interval(hits: NDArray[np.int64], clips: NDArray[np.int64]) -> Interval:
    """Return the 95 % interval of an accuracy whose clips come in clusters.

    The variance between clusters (of a ratio) says how many independent clips the clips are worth;
    the Wilson interval is taken at that number, and is never narrower than with single clips.

    Args:
        hits: Right clips of each cluster, shape ``(clusters,)``.
        clips: Clips of each cluster, shape ``(clusters,)``.

    Source:
        Korn & Graubard (1998), Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data; here with Wilson's interval, not the exact one.
    """
    total, clusters = float(clips.sum()), len(clips)
    value = float(hits.sum()) / total
    spread = float(np.sum((hits - value * clips) ** 2)) / total**2
    variance = spread * clusters / max(clusters - 1, 1)
    worth = value * (1 - value) / variance if variance > 0 else total
    return wilson(value, min(worth, total))


@dataclass(frozen=True, slots=True)
class WordRate:
    """How often a word that is no keyword is told from the keywords.

    Args:
        word: As spoken.
        is_heard: Whether training heard the word, in one corpus at least.
        recall: Of its clips, those called unknown.
    """

    word: str
    is_heard: bool
    recall: Rate


def unknown_words(scores: Scores) -> list[WordRate]:
    """Return the recall of each word that counts as unknown, whatever its part, worst first.

    Returns:
        Words; empty if no clip is unknown.
    """
    rows = scores.is_target(UNKNOWN)
    rates = []
    for word in np.unique(scores.words[rows]).tolist():
        clips = scores.select(rows & (scores.words == word))
        rates.append(WordRate(word, bool(clips.heard.any()), accuracy(clips)))
    return sorted(rates, key=lambda item: (item.recall.value, -item.recall.count, item.word))


@dataclass(frozen=True, slots=True)
class WordGroup:
    """Words whose clips are pooled to one recall.

    Args:
        words: One word, or the rare ones together.
        recall: Over all their clips.
    """

    words: tuple[str, ...]
    recall: Rate


@dataclass(frozen=True, slots=True)
class ArchiveAccuracy:
    """Accuracy as the official test archive weighs its parts.

    Args:
        value: The weighted sum, in [0, 1].
        interval: Its 95 % interval.
        commands: Recall over all command clips.
        unknown: Mean recall over words, each word counting once.
        silence: Recall over all silence clips.
        groups: The words behind ``unknown``, with their recalls.
        left_out: Words of the archive in too few clips to judge.
    """

    value: float
    interval: Interval
    commands: Rate
    unknown: float
    silence: Rate
    groups: tuple[WordGroup, ...]
    left_out: tuple[str, ...]


def archive_weighted(scores: Scores, minimum_clips: int = 10) -> ArchiveAccuracy:
    """Return 0.833 × commands + 0.0835 × unknown + 0.0835 × silence.

    These are the shares of the official 4,890-clip test archive of task 12. Its unknown clips are
    spread over 25 words, so *unknown* is the mean over words: a word with enough clips counts by
    itself; the rarer ones are pooled, those that training heard in one group and the others in
    another, and the group counts once for each of its words; a group of too few clips is left out.
    Only corpora that hold commands too count, as a word of another language may be spelled alike.
    The interval adds up the Wilson reaches of the parts.

    Args:
        scores: Every clip of a split, all parts.
        minimum_clips: Clips that a word or group needs to be judged.

    Raises:
        DataError: If the task is another one, or a part has no clips.

    Source:
        Warden (2018), arXiv 1804.03209, for the archive; Zou & Donner (2008), Construction of
        confidence limits about effect measures, for the interval of a sum.
    """
    if set(scores.labels) != {*COMMANDS, UNKNOWN, SILENCE}:
        raise DataError(
            f"no accuracy as the archive weighs it: found task {scores.task} with "
            f"{len(scores.labels)} labels, needed the ten commands, unknown and silence: use task "
            "12"
        )
    in_task = scores.parts == "task"
    commands = scores.select(in_task & scores.is_target(*COMMANDS))
    silence = accuracy(scores.select(in_task & scores.is_target(SILENCE)))
    rows = scores.is_target(UNKNOWN) & np.isin(scores.corpora, np.unique(commands.corpora))
    rows &= np.isin(scores.words, [*OTHERS, UNKNOWN])
    groups, left_out = _word_groups(unknown_words(scores.select(rows)), minimum_clips)
    words = sum(len(group.words) for group in groups)
    terms = [(ARCHIVE_WEIGHTS["commands"], accuracy(commands))]
    terms += [(ARCHIVE_WEIGHTS["unknown"] * len(g.words) / words, g.recall) for g in groups]
    terms += [(ARCHIVE_WEIGHTS["silence"], silence)]
    value, interval = _weighted_sum(terms)
    unknown = sum(len(group.words) * group.recall.value for group in groups) / words
    return ArchiveAccuracy(value, interval, terms[0][1], unknown, silence, groups, left_out)


def _word_groups(
    words: list[WordRate], minimum_clips: int
) -> tuple[tuple[WordGroup, ...], tuple[str, ...]]:
    """Return words that have clips enough, alone or pooled, and the words left out."""
    groups = [WordGroup((w.word,), w.recall) for w in words if w.recall.count >= minimum_clips]
    left_out: list[str] = []
    for is_heard in (True, False):
        rare = [w for w in words if w.is_heard == is_heard and w.recall.count < minimum_clips]
        clips = sum(w.recall.count for w in rare)
        if clips >= minimum_clips:
            pooled = Rate(sum(w.recall.hits for w in rare), clips)
            groups.append(WordGroup(tuple(w.word for w in rare), pooled))
        else:
            left_out += [w.word for w in rare]
    if not groups:
        raise DataError(
            f"no recall of unknown words: found no word or group with {minimum_clips} clips, "
            "needed one: evaluate more unknown words"
        )
    return tuple(groups), tuple(sorted(left_out))


def _weighted_sum(terms: list[tuple[float, Rate]]) -> tuple[float, Interval]:
    """Return the sum of weight × rate and its interval from the reaches of the rates."""
    value = sum(weight * rate.value for weight, rate in terms)
    down = sum((weight * (rate.value - rate.interval[0])) ** 2 for weight, rate in terms) ** 0.5
    up = sum((weight * (rate.interval[1] - rate.value)) ** 2 for weight, rate in terms) ** 0.5
    return value, (max(0.0, value - down), min(1.0, value + up))


def _sorted_by_chance(clips: NDArray[np.int64], value: float) -> NDArray[np.float64]:
    """Return the mean of many draws in which every speaker has the same accuracy, each sorted."""
    drawn = np.random.default_rng(0).binomial(clips, value, size=(_DRAWS, len(clips))) / clips
    return np.asarray(np.sort(drawn, axis=1).mean(axis=0))


def _lowest_tenth(rising: list[float] | NDArray[np.float64]) -> float:
    """Return the mean of the first tenth, at least of one."""
    return float(np.mean(rising[: -(-len(rising) // 10)]))
