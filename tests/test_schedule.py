"""How training moves: rates and averages by hand, statistics measured anew."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from watchword.config import TrainSettings
from watchword.schedule import Average, learning_rate, settle


def test_cosine_per_epoch_is_a_staircase() -> None:
    stairs = TrainSettings(epochs=4, warmup_epochs=0, is_cosine_per_epoch=True)
    assert learning_rate(stairs, 1.9) == learning_rate(stairs, 1.0)
    assert learning_rate(stairs, 2.0) == pytest.approx(0.05)


def test_the_average_follows_by_hand() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = Average(layer, decay=0.5)
    layer.weight.data.fill_(1.0)
    average.follow(layer)  # keeps 1/11 of 0
    assert float(average.state["weight"]) == pytest.approx(10 / 11)
    for _ in range(200):
        average.follow(layer)
    assert float(average.state["weight"]) == pytest.approx(1.0)


def test_settling_measures_plain_means_of_what_is_heard_and_changes_nothing_else() -> None:
    network = nn.Sequential(nn.BatchNorm1d(1), nn.Dropout(0.5))
    norm = network[0]
    norm.running_mean.fill_(9.0)
    norm.weight.data.fill_(3.0)
    batches = [torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[5.0, 5.0]]])]
    settle(network, batches)
    assert norm.running_mean.tolist() == [3.0]  # of 1 and 5
    assert norm.running_var.tolist() == [1.0]  # of 2, from two values, and 0
    assert norm.weight.tolist() == [3.0]
    assert not any(part.training for part in network.modules())
    assert norm.weight.grad is None


def test_a_network_that_hears_nothing_forgets_its_statistics() -> None:
    norm = nn.BatchNorm1d(1)
    norm.running_mean.fill_(9.0)
    settle(norm, [])
    assert norm.running_mean.tolist() == [0.0]
