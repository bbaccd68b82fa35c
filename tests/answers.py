"""Scores made by hand, for tests of what is computed from them."""

from __future__ import annotations

import numpy as np

from watchword.scores import Scores
from watchword.words import SILENCE, UNKNOWN

LABELS = ("yes", "no", UNKNOWN, SILENCE)


def answers(
    targets: list[int],
    predictions: list[int],
    *,
    labels: tuple[str, ...] = LABELS,
    words: list[str] | None = None,
    speakers: list[str] | None = None,
    parts: list[str] | None = None,
    heard: list[bool] | None = None,
    corpora: list[str] | None = None,
    sure: float = 5.0,
) -> Scores:
    """Scores whose highest logit is the prediction."""
    clips = len(targets)
    logits = np.zeros((clips, len(labels)))
    logits[np.arange(clips), predictions] = sure
    words = words or [labels[target] for target in targets]
    return Scores(
        task="demo",
        split="valid",
        labels=labels,
        names=np.array([f"{word}/{i}.wav" for i, word in enumerate(words)]),
        words=np.array(words),
        speakers=np.array(speakers or [""] * clips),
        corpora=np.array(corpora or ["speech"] * clips),
        parts=np.array(parts or ["task"] * clips),
        dropped=np.zeros(clips, bool),
        heard=np.array(heard or [True] * clips),
        targets=np.array(targets),
        logits=logits,
    )
