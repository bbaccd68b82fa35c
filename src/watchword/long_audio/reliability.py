"""How far posteriors can be taken at their word, and the temperature that mends them.

In come scores and the reference, out go a temperature and how sure and how right the model was
before and after. A room because a score of 0.8 should mean that eight of ten such are right, and a
network that was trained to its limit is mostly surer than that.

One score is judged for each event, that of the clip in whose middle the word lies, or the nearest
to it, and as many scores evenly spread over the negative hours. What is neither of the keywords
counts as one answer, *none of them*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from watchword.canvas import FAINT, FONT_POINTS, PALE, STROKES, caption, legend, sheet
from watchword.decision import Posteriors, tempered
from watchword.errors import DataError
from watchword.facts import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE
from watchword.long_audio.matching import TOLERANCE_S
from watchword.long_audio.reference import Recording
from watchword.long_audio.scores import LongScores
from watchword.metrics import Calibration, calibration_of
from watchword.units import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROUNDS: Final = 60
LEAST: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Asked:
    """Scores whose right answer is known.

    Args:
        posteriors: Of all labels, shape ``(scores, labels)``.
        targets: The right keyword's place among ``columns``, or their number for none of them.
        columns: Labels that are keywords.
    """

    posteriors: Posteriors
    targets: NDArray[np.int64]
    columns: tuple[int, ...]


def ask(scores: LongScores, recordings: Sequence[Recording], keywords: Sequence[str]) -> Asked:
    """Return the scores that are judged.

    Args:
        scores: What a model answered.
        recordings: The same recordings.
        keywords: Keywords of the model.

    Raises:
        DataError: If no keyword is said, or none of the recordings is without.
    """
    columns = tuple(scores.labels.index(keyword) for keyword in keywords)
    rows, targets, spare = [], [], []
    middle_s = scores.timing.used_samples / 2 / SAMPLE_RATE_HZ
    for number, one in enumerate(recordings):
        times_s = scores.timing.times_s(np.arange(len(scores.posteriors[number])))
        for event in one.events:
            if event.keyword in keywords:
                due_s = (event.start_s + event.end_s) / 2 + middle_s
                rows.append(scores.posteriors[number][int(np.abs(times_s - due_s).argmin())])
                targets.append(keywords.index(event.keyword))
        if one.is_negative and not one.may_hold:
            spare.append(scores.posteriors[number][~_near_keywords(one, keywords, times_s)])
    others = np.concatenate(spare) if spare else np.empty((0, len(scores.labels)), np.float32)
    if not rows or not len(others):
        raise DataError(
            f"{len(rows)} events and {len(others):,} scores without a keyword were found, needed "
            "both to judge posteriors: give recordings of either kind"
        )
    chosen = np.linspace(0, len(others) - 1, min(len(rows), len(others))).astype(np.int64)
    return Asked(
        np.concatenate([np.stack(rows), others[chosen]]),
        np.array([*targets, *[len(columns)] * len(chosen)], np.int64),
        columns,
    )


def _near_keywords(
    recording: Recording, keywords: Sequence[str], times_s: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which scores may have heard a text that holds a keyword."""
    near = np.zeros(len(times_s), bool)
    for text in recording.said:
        if any(map(text.counts, keywords)):
            near |= (times_s >= text.start_s) & (times_s <= text.end_s + TOLERANCE_S)
    return near


def _answers(asked: Asked, temperature: float) -> NDArray[np.float64]:
    """Return the chances of each keyword and, last, of none of them."""
    rows = tempered(asked.posteriors, temperature).astype(np.float64)
    none = np.delete(rows, asked.columns, axis=1).sum(axis=1, keepdims=True)
    answers = np.concatenate([rows[:, asked.columns], none], axis=1)
    return np.asarray(np.maximum(answers, LEAST))


def surprise(asked: Asked, temperature: float) -> float:
    """Return the mean negative logarithm of the right answers' posteriors.

    Args:
        asked: Scores whose right answer is known.
        temperature: What the logits are divided by.
    """
    answers = _answers(asked, temperature)
    right = answers[np.arange(len(answers)), asked.targets]
    return float(-np.log(right).mean())


def fit(asked: Asked) -> float:
    """Return the temperature of the least surprise, to a thousandth.

    Args:
        asked: Scores whose right answer is known.

    Source:
        Guo et al. (2017), On calibration of modern neural networks, section 4.2; the search is
        Kiefer's (1953) by the golden section.
    """
    ratio = (5**0.5 - 1) / 2
    low, high = np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)
    for _ in range(ROUNDS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if surprise(asked, float(np.exp(left))) <= surprise(asked, float(np.exp(right))):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 3)


def reliability(asked: Asked, temperature: float) -> Calibration:
    """Return how sure and how right a model is.

    Args:
        asked: Scores whose right answer is known.
        temperature: What the logits are divided by.
    """
    answers = _answers(asked, temperature)
    return calibration_of(answers.max(axis=1), answers.argmax(axis=1) == asked.targets)


def draw(before: Calibration, after: Calibration, temperature: float) -> Figure:
    """Draw how right answers are over how sure they are, before and after a temperature.

    Args:
        before: As the network answers.
        after: With the temperature.
        temperature: What the logits are divided by.

    Raises:
        WatchwordError: If matplotlib is not installed.
    """
    figure, (panel,) = sheet(5.2, 4.6)
    panel.plot([0, 1], [0, 1], color=FAINT, linewidth=1.5)
    panel.annotate("as sure as right", (0.04, 0.08), color=PALE, fontsize=FONT_POINTS - 1)
    named = (("as trained", before), (f"temperature {temperature:g}", after))
    for (name, found), look in zip(named, STROKES, strict=False):
        sure = [one.confidence for one in found.bins]
        right = [one.accuracy for one in found.bins]
        label = f"{name}: calibration error {100 * found.error:.1f} %"
        panel.plot(sure, right, **look, linewidth=1.5, markersize=4, label=label)
    panel.set(xlim=(0, 1), ylim=(0, 1))
    panel.grid(color=FAINT, linewidth=0.6)
    count = sum(one.count for one in before.bins)
    caption(panel, f"{count:,} scores", "highest posterior", "share of right answers")
    legend(panel, loc="upper left")
    return figure
