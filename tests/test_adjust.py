"""Adjusted logits: by hand, in every network, and put back."""

from __future__ import annotations

import math

import pytest
import torch

from watchword import adjust, build, models
from watchword.checkpoint import SHIFT, Checkpoint
from watchword.config import Settings


def test_the_shift_by_hand() -> None:
    assert adjust.shift(0.5, [300, 100]) == pytest.approx(
        [0.5 * math.log(0.75), 0.5 * math.log(0.25)]
    )
    assert adjust.shift(0, [300, 100]) == [0, 0]


def test_a_class_without_clips_counts_as_one_clip() -> None:
    assert adjust.shift(1, [0, 1]) == pytest.approx([math.log(0.5)] * 2)


def test_an_adjustment_of_one_leaves_the_ratio_of_likelihoods_and_not_of_shares() -> None:
    """One feature, seen in three of four clips of a class of 300 and one of four of a class of 100.

    Clips that show it are of the first class in 225 of 250 cases, which is what a network learns;
    were the classes as frequent as each other, it would be three of four.
    """
    learned = torch.tensor([225.0, 25.0]).log()
    for adjustment, seen in ((0.0, 0.9), (1.0, 0.75), (0.5, 1 / (1 + math.sqrt(1 / 9 / 3)))):
        taken = torch.tensor(adjust.shift(adjustment, [300, 100]))
        assert float((learned - taken).softmax(0)[0]) == pytest.approx(seen, abs=1e-6)


@pytest.mark.parametrize("name", sorted(models.MODELS))
def test_each_network_answers_lower_by_the_shift_and_changes_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    mels = models.entry(name).mels
    network = models.create(name, classes=3, mels=mels, frames=98).eval()
    features = torch.randn(2, mels, 98)
    with torch.no_grad():
        before = network(features)
        adjust.lower(network, [-2.0, 0.0, -0.5])
        after = network(features)
    assert torch.allclose(after, before - torch.tensor([-2.0, 0.0, -0.5]), atol=1e-5)


def test_what_was_taken_off_is_put_back() -> None:
    settings = Settings.model_validate({"task": "2", "model": {"width": 0.25}})
    labels = settings.find_task().labels
    model = build.classifier(settings, len(labels)).eval()
    clip = 0.1 * torch.randn(2, 16_000)
    taken = adjust.shift(0.5, [10, 10, 60])
    with torch.no_grad():
        before = model(clip)
        adjust.lower(model.network, taken)
        adjusted = Checkpoint(settings, labels, model.state_dict(), {SHIFT: taken})
        after, back = (build.trained(one)(clip) for one in (adjusted, adjust.as_trained(adjusted)))
    assert torch.allclose(after, before - torch.tensor(taken), atol=1e-5)
    assert torch.allclose(back, before, atol=1e-5)
    plain = Checkpoint(settings, labels, model.state_dict(), {})
    assert adjust.as_trained(plain) is plain
