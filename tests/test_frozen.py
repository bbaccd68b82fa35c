from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from watchword import models
from watchword.models.frozen import frozen, unit
from watchword.models.layers import TemporalLambda


def untidy(network: nn.Module) -> nn.Module:
    """A network as training leaves it: statistics, gains and gates are no longer 0 and 1."""
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                assert part.running_mean is not None
                assert part.running_var is not None
                part.running_mean.normal_(0, 0.2, generator=chance)
                part.running_var.uniform_(0.5, 2, generator=chance)
                if part.affine:
                    part.weight.uniform_(-1, 1.5, generator=chance)
                    part.bias.normal_(0, 0.2, generator=chance)
    return network.eval()


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in models.MODELS),
    ("lambda_resnet18", {"unit_queries": True, "is_gated": True, "scope": [23, 23, 23, 11]}),
    ("lambda_resnet18", {"is_gated": True, "rectify_branch": False}),
    ("lambda_resnet18", {"intra_depth": 2, "query_depth": 8, "normalise_logits": True}),
]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_frozen_network_computes_what_the_network_does(
    name: str, options: dict[str, Any]
) -> None:
    row = models.entry(name)
    torch.manual_seed(0)
    network = untidy(models.create(name, classes=5, **options))
    features = torch.randn(3, row.mels, row.frames)
    fixed = frozen(network, mels=row.mels, frames=row.frames)
    with torch.no_grad():
        needed, found = network(features), fixed(features)
    # sums in another order; logits of untidy networks reach some tens
    assert torch.allclose(needed, found, rtol=1e-4, atol=1e-4 * float(needed.abs().max()))


def test_gains_above_zero_are_folded_and_change_nothing() -> None:
    torch.manual_seed(0)
    network = untidy(models.create("lambda_resnet18", classes=5, is_gated=True))
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.weight.abs_().add_(0.1)
    fixed = frozen(network, mels=40, frames=98)
    norms = [part for part in fixed.modules() if isinstance(part, nn.BatchNorm1d)]
    assert len(norms) == 8 + 4  # gates, and what follows a pool
    features = torch.randn(3, 40, 98)
    with torch.no_grad():
        needed, found = network(features), fixed(features)
    assert torch.allclose(needed, found, rtol=1e-4, atol=1e-4 * float(needed.abs().max()))


def test_freezing_leaves_the_network_as_it_was() -> None:
    network = models.create("lambda_resnet18", classes=3, width=0.5).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    frozen(network, mels=40, frames=50)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert any(isinstance(part, TemporalLambda) for part in network.modules())


def test_a_frozen_network_has_no_lambda_layer_left_and_trains_no_more() -> None:
    fixed = frozen(models.create("lambda_cast", classes=3), mels=40, frames=98)
    assert not any(isinstance(part, TemporalLambda) for part in fixed.modules())
    assert not any(value.requires_grad for value in fixed.parameters())


def test_a_query_of_zeros_has_no_direction_and_gives_no_nan() -> None:
    assert torch.equal(unit(torch.zeros(2, 3), 1), torch.zeros(2, 3))
