"""Counts and scores → rates, each with its denominator and its interval.

In come scores (``watchword.scores``), out go numbers: accuracy, recall, confusions, ROC and DET
curves, equal error rates, calibration. A function judges every row it is given; choose rows with
``Scores.select``. It is a room because it is arithmetic that a reader can redo, and because of one
law: no evidence raises, it never becomes a perfect score. Rates over groups of clips (speakers,
words) are next door in ``groups``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.errors import DataError, missing_extra
from watchword.scores import Scores, posteriors

Interval = tuple[float, float]

DEVIATIONS_95: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits out of a count of clips.

    Args:
        hits: How many.
        count: Out of how many.

    Raises:
        DataError: If the count is zero: no evidence is no rate.

    Example:
        >>> print(Rate(2310, 2424))
        95.3 % (2,310/2,424; 95 % 94.4–96.1)
    """

    hits: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise DataError(
                "no rate without evidence: found 0 clips, needed at least one: choose a split, "
                "a part or a class that has clips"
            )

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{100 * self.value:.1f} % ({self.hits:,}/{self.count:,}; "
            f"95 % {100 * low:.1f}–{100 * high:.1f})"
        )

    @property
    def value(self) -> float:
        """Hits ÷ count, in [0, 1]."""
        return self.hits / self.count

    @property
    def interval(self) -> Interval:
        """Wilson interval of 95 %, low and high in [0, 1]."""
        return wilson(self.value, self.count)


def wilson(value: float, count: float) -> Interval:
    """Return the score interval of a proportion, which holds near 0 and 1 too.

    Args:
        value: The proportion found, in [0, 1].
        count: Number of independent trials, above zero.

    Returns:
        Low and high end of the 95 % interval, in [0, 1].

    Source:
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    z = DEVIATIONS_95
    middle = (value + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * (value * (1 - value) / count + (z / count / 2) ** 2) ** 0.5
    return min(value, max(0.0, middle - reach)), max(value, min(1.0, middle + reach))


def accuracy(scores: Scores) -> Rate:
    """Return the share of clips whose highest logit is the right one."""
    return Rate(int(scores.is_correct.sum()), len(scores))


def macro_accuracy(scores: Scores) -> float:
    """Return the mean recall of the classes that have clips, in [0, 1]."""
    recalls = [row.recall.value for row in per_class(scores) if row.recall is not None]
    return float(np.mean(recalls))


def majority_accuracy(scores: Scores) -> Rate:
    """Return what always answering with the most frequent class would reach."""
    return Rate(int(np.bincount(scores.targets).max()), len(scores))


def confusion(scores: Scores) -> NDArray[np.int64]:
    """Return how often each class was taken for each, shape ``(targets, predictions)``."""
    every = np.arange(len(scores.labels))
    counts = _sklearn().confusion_matrix(scores.targets, scores.predictions, labels=every)
    return np.asarray(counts, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ClassRates:
    """How one class fares.

    Args:
        label: Name of the class.
        recall: Of its clips, those found; None if it has no clips.
        precision: Of the clips given its name, those that are; None if it was never answered.
    """

    label: str
    recall: Rate | None
    precision: Rate | None


def per_class(scores: Scores) -> list[ClassRates]:
    """Return recall and precision of each class, in the order of the labels."""
    classes = len(scores.labels)
    hits = np.bincount(scores.targets[scores.is_correct], minlength=classes).tolist()
    clips = np.bincount(scores.targets, minlength=classes).tolist()
    answers = np.bincount(scores.predictions, minlength=classes).tolist()
    return [
        ClassRates(label, Rate(hit, clip) if clip else None, Rate(hit, answer) if answer else None)
        for label, hit, clip, answer in zip(scores.labels, hits, clips, answers, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Clips of one class that were taken for another.

    Args:
        target: The right answer.
        prediction: The answer given.
        names: The clips, those the model was surest about first.
        words: The word spoken in each of them.
    """

    target: str
    prediction: str
    names: tuple[str, ...]
    words: tuple[str, ...]


def top_confusions(scores: Scores, limit: int = 10) -> list[Confusion]:
    """Return the most frequent confusions with the clips to listen to.

    Args:
        scores: The clips to judge.
        limit: How many pairs at most, above zero.

    Returns:
        Pairs, the most frequent first; empty if every clip is right.
    """
    surest_first = np.argsort(-posteriors(scores).max(axis=1), kind="stable")
    pairs: dict[tuple[int, int], list[int]] = {}
    for row in surest_first[~scores.is_correct[surest_first]].tolist():
        pair = (int(scores.targets[row]), int(scores.predictions[row]))
        pairs.setdefault(pair, []).append(row)
    ranked = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        Confusion(
            scores.labels[target],
            scores.labels[prediction],
            tuple(scores.names[rows].tolist()),
            tuple(scores.words[rows].tolist()),
        )
        for (target, prediction), rows in ranked[:limit]
    ]


@dataclass(frozen=True, eq=False)
class Curve:
    """False rejects against false accepts of clips, as the threshold on a posterior falls.

    Args:
        false_accept_rate: Share of the negatives at or above the threshold, rising from 0 to 1.
        false_reject_rate: Share of the positives below the threshold, falling from 1 to 0.
        thresholds: Posterior that a clip has to reach, falling; the first is above every clip.
        positives: Number of clips of the keyword.
        negatives: Number of other clips.
    """

    false_accept_rate: NDArray[np.float64]
    false_reject_rate: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    positives: int
    negatives: int


def curve(scores: Scores, keywords: Sequence[str]) -> Curve:
    """Return the one-against-rest curve of keywords, for ROC and DET alike.

    With several keywords their clips are pooled: every clip is asked once for each keyword, and one
    threshold serves all.

    Args:
        scores: The clips to judge.
        keywords: One label or several.

    Raises:
        DataError: If a label is unknown, or there are no positives or no negatives.
    """
    missing = [keyword for keyword in keywords if keyword not in scores.labels]
    if missing or not keywords:
        raise DataError(
            f"no curve for {', '.join(missing) or 'no keyword'}: needed are labels of the scores: "
            f"choose from {', '.join(scores.labels)}"
        )
    columns = [scores.labels.index(keyword) for keyword in keywords]
    is_positive = scores.targets[:, None] == np.asarray(columns)
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if not (positives and negatives):
        raise DataError(
            f"no curve for {', '.join(keywords)}: found {positives} positive and {negatives} "
            "negative clips, needed at least one of each: choose a split or keywords that have both"
        )
    accepted, found, thresholds = _sklearn().roc_curve(
        is_positive.ravel(), posteriors(scores)[:, columns].ravel(), drop_intermediate=False
    )
    return Curve(accepted, 1 - found, thresholds, positives, negatives)


def equal_error_rate(curve: Curve) -> float:
    """Return the rate at which false rejects equal false accepts, between two clips by a line.

    Example:
        >>> far, frr = np.array([0, 0.1, 0.3, 1]), np.array([1, 0.2, 0.1, 0])
        >>> round(equal_error_rate(Curve(far, frr, frr, 10, 10)), 4)
        0.1667
    """
    gap = curve.false_reject_rate - curve.false_accept_rate
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    before, behind = curve.false_accept_rate[after - 1], curve.false_accept_rate[after]
    return float(before + share * (behind - before))


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Clips whose highest posterior lies in one range.

    Args:
        count: Number of clips.
        confidence: Their mean highest posterior.
        accuracy: Their accuracy.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far the highest posterior can be taken at its word.

    Args:
        error: Expected calibration error, in [0, 1]: mean distance of confidence and accuracy.
        confidence: Mean highest posterior.
        highest: Highest posterior of all: a model that can never be sure shows it here.
        bins: The ranges that hold clips, least confident first.
    """

    error: float
    confidence: float
    highest: float
    bins: tuple[CalibrationBin, ...]


def calibration(scores: Scores, bins: int = 15) -> Calibration:
    """Return the expected calibration error of clips over bins of equal width.

    Args:
        scores: The clips to judge.
        bins: How many.
    """
    return calibration_of(posteriors(scores).max(axis=1), scores.is_correct, bins)


def calibration_of(
    sureness: NDArray[np.floating[Any]], is_correct: NDArray[np.bool_], bins: int = 15
) -> Calibration:
    """Return the expected calibration error of answers over bins of equal width.

    Args:
        sureness: Highest posterior of each answer, in [0, 1].
        is_correct: Whether it is the right one.
        bins: How many.

    Source:
        Guo et al. (2017), On calibration of modern neural networks, section 2, with its 15 bins.
    """
    places = np.minimum((sureness * bins).astype(int), bins - 1)
    groups = [places == place for place in np.unique(places)]
    rows = tuple(
        CalibrationBin(int(g.sum()), float(sureness[g].mean()), float(is_correct[g].mean()))
        for g in groups
    )
    error = sum(row.count * abs(row.confidence - row.accuracy) for row in rows) / len(sureness)
    return Calibration(error, float(sureness.mean()), float(sureness.max()), rows)


def _sklearn() -> Any:
    """Return ``sklearn.metrics``, or say how to get it."""
    try:
        import sklearn.metrics
    except ImportError as fault:
        raise missing_extra("scikit-learn", "train") from fault
    return sklearn.metrics
