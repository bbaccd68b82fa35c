"""Posteriors over time → detections: the one place that says when a keyword was heard.

In come posteriors, one row every score hop, out go detections. A room because the microphone, the
server and the evaluation must mean the same by *detection*, and because its arithmetic can be
redone by hand:

* The **score** of a keyword is, where a ``patience`` is given, the highest value that its posterior
  reached in at least so many of the last ``smoothing_scores`` rows: a word that is there is heard
  in row after row, what only sounds like it in one or two. Rows before the first are zero.
* Without a patience it is the mean of the posterior over those rows. At the start of a stream it
  is the mean over as many as there have been, but not over fewer than half of them, the missing
  ones being zero: one row is no evidence where ten are asked for, and a word at the very start can
  still be heard.
* A **burst** is a run of scores at or above the threshold. Its first score fires, be it the first
  of the stream.
* After a detection the keyword **rests** for ``refractory_ms``: a burst that begins in that time
  does not fire, however long it lasts.

State is a value: the same rows give the same detections, in whatever pieces they come.

Source:
    SPEC §7.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from watchword.errors import ConfigError, nearest

Posteriors = NDArray[np.float32]
LONGEST_SMOOTHING: Final = 1_000
"""Scores; at 80 ms each more than a minute, beyond which nothing is a keyword."""
LONGEST_REST: Final = 2**62
"""Rows; longer than any stream, and twice that still is a number of 64 bits."""
LARGEST_BLOCK: Final = 2**22
"""Numbers that are sorted at a time."""
LOWEST_POSTERIOR: Final = 1e-30
"""Below it 32 bits do not reach; no temperature makes anything of it."""


@dataclass(frozen=True)
class OperatingPoint:
    """Where and how a keyword is decided.

    Args:
        threshold: Score from which it counts as heard, in (0, 1].
        smoothing_scores: Rows that a score is made of, at least 1.
        refractory_ms: How long it rests after a detection, at least 0.
        patience: In how many of those rows, from 1 to all, a score must have been reached; their
            mean is the score where it is not given.

    Raises:
        ConfigError: If a number lies outside its range.

    Example:
        >>> OperatingPoint(threshold=0.8).smoothing_scores
        3
    """

    threshold: float = 0.7
    smoothing_scores: int = 3
    refractory_ms: float = 1_000.0
    patience: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not 0 < self.threshold <= 1:
            raise ConfigError(
                f"a threshold of {self.threshold:g} was given, needed above 0 and at most 1: "
                "scores are means of posteriors"
            )
        scores = self.smoothing_scores
        if not (1 <= scores <= LONGEST_SMOOTHING and scores == int(scores)):
            raise ConfigError(
                f"smoothing over {scores} scores was asked for, needed a whole number from 1 to "
                f"{LONGEST_SMOOTHING:,}: 1 is none at all"
            )
        if not 0 <= self.refractory_ms < float("inf"):
            raise ConfigError(
                f"a refractory period of {self.refractory_ms:g} ms was given, needed a finite time "
                "from 0 on"
            )
        rows = self.patience
        if rows is not None and not (1 <= rows <= scores and rows == int(rows)):
            raise ConfigError(
                f"a patience of {rows} scores was given, needed a whole number from 1 to the "
                f"{scores} that are smoothed over"
            )

    def changed(self, **values: float | int | None) -> OperatingPoint:
        """Return the point with some numbers changed; what is None stays.

        With other rows to smooth over, patience stays the share of them that it was.

        Args:
            **values: New numbers by name.

        Example:
            >>> OperatingPoint(0.8, 10, patience=8).changed(smoothing_scores=5).patience
            4
        """
        changes: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
        scores = changes.get("smoothing_scores", self.smoothing_scores)
        if self.patience is not None and scores != self.smoothing_scores:
            changes.setdefault(
                "patience", math.ceil(self.patience / self.smoothing_scores * scores)
            )
        return replace(self, **changes)

    @property
    def rule(self) -> str:
        """What makes a score, in words.

        Example:
            >>> OperatingPoint(0.8, 10, patience=8).rule, OperatingPoint(0.8).rule
            ('8 of 10 scores', 'mean of 3 scores')
        """
        of = "mean" if self.patience is None else f"{self.patience}"
        return f"{of} of {self.smoothing_scores} scores"


def point_of(told: Mapping[str, Any]) -> OperatingPoint:
    """Return the operating point of a report's row; reports of old know no patience.

    Args:
        told: Its numbers by name, and whatever else.
    """
    return OperatingPoint(
        told["threshold"], told["smoothing_scores"], told["refractory_ms"], told.get("patience")
    )


@dataclass(frozen=True)
class Detection:
    """A keyword that was heard.

    Args:
        keyword: Which.
        time_s: When, in seconds of the stream: the end of the audio that the score had heard.
        score: Its score then.
    """

    keyword: str
    time_s: float
    score: float


@dataclass(frozen=True)
class Memory:
    """What a decision remembers of a stream.

    Args:
        recent: The last rows that smoothing still needs, shape ``(rows, keywords)``.
        above: Whether each keyword's last score was at or above its threshold.
        fired: Row of each keyword's last detection, far in the past where there was none.
        rows: Rows heard so far.
    """

    recent: Posteriors
    above: NDArray[np.bool_]
    fired: NDArray[np.int64]
    rows: int


class Decision:
    """Decides for some keywords, each at its operating point.

    Args:
        points: Keywords with their operating points, at least one.
        score_hop_ms: Time between two rows.

    Raises:
        ConfigError: If there is no keyword.

    Example:
        >>> decide = Decision({"stop": OperatingPoint(0.5, smoothing_scores=1)}, score_hop_ms=80)
        >>> rows = np.array([[0.2], [0.9], [0.8], [0.1]], np.float32)
        >>> scores, fired, _ = decide.step(rows, decide.start())
        >>> fired
        [(1, 0)]
    """

    def __init__(self, points: Mapping[str, OperatingPoint], score_hop_ms: float) -> None:
        if not points:
            raise ConfigError("no keyword was given to decide about, needed at least one: name it")
        self.keywords = tuple(points)
        self.score_hop_ms = score_hop_ms
        self.thresholds = np.array([p.threshold for p in points.values()], np.float32)
        self.smoothing = np.array([p.smoothing_scores for p in points.values()])
        self.patience = np.array([p.patience or 0 for p in points.values()])
        """In how many rows a score must have been reached; 0 where it is their mean."""
        rests = np.array([p.refractory_ms / score_hop_ms for p in points.values()])
        self.rests = np.minimum(np.ceil(rests - 1e-9), LONGEST_REST).astype(np.int64)
        """Rows from one detection to the next at least."""

    def start(self) -> Memory:
        """Return the memory of a stream that has not begun."""
        count = len(self.keywords)
        return Memory(
            recent=np.empty((0, count), np.float32),
            above=np.zeros(count, bool),
            fired=np.full(count, -LONGEST_REST),
            rows=0,
        )

    def step(
        self, posteriors: Posteriors, memory: Memory
    ) -> tuple[Posteriors, list[tuple[int, int]], Memory]:
        """Return scores, detections and the next memory.

        Args:
            posteriors: Of the keywords alone, in order, shape ``(rows, keywords)``.
            memory: What was returned with the rows before.

        Returns:
            Scores of the same shape; for each detection its row among these and the index of its
            keyword, in order of time; the memory.
        """
        if not len(posteriors):
            return posteriors, [], memory
        scores = self._smoothed(posteriors, memory)
        above = scores >= self.thresholds
        before = np.concatenate([memory.above[None], above[:-1]])
        fired = memory.fired.copy()
        found = []
        for row, keyword in np.argwhere(above & ~before).tolist():
            if memory.rows + row - fired[keyword] >= self.rests[keyword]:
                fired[keyword] = memory.rows + row
                found.append((row, keyword))
        kept = int(self.smoothing.max()) - 1
        recent = np.concatenate([memory.recent, posteriors])
        recent = recent[max(0, len(recent) - kept) :].copy()
        rows = memory.rows + len(posteriors)
        return scores, found, Memory(recent, above[-1].copy(), fired, rows)

    def _smoothed(self, posteriors: Posteriors, memory: Memory) -> Posteriors:
        """Return the score at each row."""
        if self.smoothing.max() == 1:
            return posteriors
        rows = np.concatenate([memory.recent, posteriors])
        if not self.patience.any():
            return self._means(rows, posteriors, memory)
        held = self._held(rows, len(posteriors))
        if self.patience.all():
            return held
        return np.where(self.patience > 0, held, self._means(rows, posteriors, memory))

    def _held(self, rows: Posteriors, count: int) -> Posteriors:
        """Return what the last rows reached as often as patience asks, at each of the last rows.

        Args:
            rows: What was heard before, as far as it is remembered, and now.
            count: Rows of now.
        """
        widest = int(self.smoothing.max())
        before = np.zeros((max(widest - 1 + count - len(rows), 0), rows.shape[1]), np.float32)
        windows = sliding_window_view(np.concatenate([before, rows]), widest, axis=0)[-count:]
        is_old = np.arange(widest) < widest - self.smoothing[:, None]
        place = np.minimum(widest - self.patience, widest - 1)[None, :, None]
        scores = np.empty((count, rows.shape[1]), np.float32)
        size = max(1, LARGEST_BLOCK // (widest * rows.shape[1]))
        for first in range(0, count, size):
            block = np.sort(np.where(is_old, -1.0, windows[first : first + size]), axis=-1)
            scores[first : first + size] = np.take_along_axis(block, place, axis=-1)[..., 0]
        return scores

    def _means(self, rows: Posteriors, posteriors: Posteriors, memory: Memory) -> Posteriors:
        """Return the mean over each row and those before it, summed oldest last in float64."""
        start = len(memory.recent)
        place = np.arange(start, len(rows))
        seen = memory.rows + np.arange(1, len(posteriors) + 1)
        total = np.zeros(posteriors.shape, np.float64)
        for back in range(int(self.smoothing.max())):
            is_there = (self.smoothing > back) & (seen[:, None] > back)
            total += np.where(is_there, rows[np.maximum(place - back, 0)], 0.0)
        counts = np.clip(seen[:, None], np.maximum(self.smoothing // 2, 1), self.smoothing)
        scores: Posteriors = (total / counts).astype(np.float32)
        return scores


def tempered(posteriors: Posteriors, temperature: float) -> Posteriors:
    """Return posteriors as the softmax of the logits divided by a temperature.

    The logarithms of posteriors are logits but for a number that the softmax does not see.

    Args:
        posteriors: Of all classes, shape ``(rows, classes)``, each row summing to one.
        temperature: Above 1 the posteriors become less sure, below 1 surer; 1 changes nothing.

    Source:
        Guo et al. (2017), On calibration of modern neural networks, section 4.2.

    Example:
        >>> tempered(np.array([[0.8, 0.2]], np.float32), 2.0).round(3).tolist()
        [[0.6669999957084656, 0.3330000042915344]]
    """
    if temperature == 1:
        return posteriors
    powers = np.maximum(posteriors, LOWEST_POSTERIOR).astype(np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def points_for(
    keywords: Sequence[str] | None,
    known: Sequence[str],
    points: Mapping[str, OperatingPoint],
    default: OperatingPoint,
) -> dict[str, OperatingPoint]:
    """Return the operating point of each keyword that is listened for.

    Args:
        keywords: Which; all where None.
        known: Keywords of the model.
        points: Those with an operating point of their own.
        default: That of the others.

    Raises:
        ConfigError: If the model does not know a keyword, or none is named.

    Example:
        >>> list(points_for(["go"], ["stop", "go"], {}, OperatingPoint()))
        ['go']
    """
    wanted = list(known) if keywords is None else list(keywords)
    for keyword in wanted:
        if keyword not in known:
            raise ConfigError(
                f"the model does not know the keyword {keyword!r}: {nearest(keyword, [*known])}"
            )
    if not wanted:
        raise ConfigError(f"no keyword was named to listen for; there are: {', '.join(known)}")
    return {keyword: points.get(keyword, default) for keyword in dict.fromkeys(wanted)}
