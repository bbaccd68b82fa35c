"""The loss: cross entropy by hand, and what an adjustment for the shares of classes changes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from watchword.config import TrainSettings
from watchword.loss import Loss


def test_without_smoothing_and_adjustment_it_is_the_sum_of_cross_entropies() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.5, 2.0]])
    soft = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
    lines = [math.log(sum(math.exp(x) for x in row)) for row in logits.tolist()]
    by_hand = (lines[0] - 1.0) + (lines[1] - 0.25 * 0.5 - 0.75 * 2.0)
    loss = Loss(TrainSettings(label_smoothing=0), [5, 1, 2])
    assert float(loss(logits, soft)) == pytest.approx(by_hand, rel=1e-6)


def test_no_adjustment_changes_no_bit() -> None:
    drawn = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 12, generator=drawn)
    soft = F.one_hot(torch.arange(50) % 12, 12).float()
    loss = Loss(TrainSettings(), [1 + 7 * k for k in range(12)])
    plain = F.cross_entropy(logits, soft, label_smoothing=0.05, reduction="sum")
    assert loss(logits, soft).item() == plain.item()


def test_an_adjustment_of_one_learns_the_ratio_of_likelihoods_and_not_of_shares() -> None:
    """One feature, seen in three of four clips of a class of 300 and one of four of a class of 100.

    Clips that show it are of the first class in 225 of 250 cases; were the classes as frequent as
    each other, it would be three of four.
    """
    counts = torch.tensor([[225.0, 25.0], [75.0, 75.0]])  # rows: seen or not; columns: classes
    for adjustment, seen in ((0.0, 0.9), (1.0, 0.75), (0.5, 1 / (1 + math.sqrt(1 / 9 / 3)))):
        settings = TrainSettings(label_smoothing=0, logit_adjustment=adjustment)
        loss = Loss(settings, [300, 100])
        logits = torch.zeros(2, 2, requires_grad=True)
        for _ in range(2_000):
            rows = [loss(logits[[row, row]], torch.eye(2) * counts[row]) for row in range(2)]
            (gradient,) = torch.autograd.grad(rows[0] + rows[1], logits)
            with torch.no_grad():
                logits -= 0.01 * gradient
        assert float(logits.detach().softmax(1)[0, 0]) == pytest.approx(seen, abs=1e-3)


def test_a_class_without_clips_counts_as_one_clip() -> None:
    settings = TrainSettings(label_smoothing=0, logit_adjustment=1)
    loss = Loss(settings, [0, 1])
    soft = torch.tensor([[1.0, 0.0]])
    assert float(loss(torch.zeros(1, 2), soft)) == pytest.approx(math.log(2))
