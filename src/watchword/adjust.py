"""Shares of classes → a network whose answers do not lean towards the frequent ones.

In go a network and what it was trained on, out comes the same network with other biases. A room
because training wants many unknown clips, a task counts few, and what lies between the two is one
number for each class that must be taken off once, and can be put back.

Source:
    Menon et al. 2021, "Long-tail learning via logit adjustment" (arXiv 2007.07314), eq. 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import nn

from watchword.checkpoint import SHIFT, Checkpoint

BIAS: Final = "classify.bias"
"""The last layer of every network of `watchword.models`, one number for each class."""


def shift(adjustment: float, counts: Sequence[int]) -> list[float]:
    """Return what is taken off the logit of each class: τ log π.

    Args:
        adjustment: τ: 0 leaves all as it is, 1 answers as if all classes were equally frequent.
        counts: Clips of each class in an epoch; a class without any counts as one clip.

    Returns:
        A number for each class, at most 0.

    Example:
        >>> [round(one, 3) for one in shift(0.5, [3, 1])]
        [-0.144, -0.693]
    """
    clips = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
    taken: list[float] = (adjustment * (clips / clips.sum()).log()).tolist()
    return taken


@torch.no_grad()
def lower(network: nn.Module, by: Sequence[float]) -> None:
    """Take a number off each logit, once and for all: off the biases of the last layer.

    Args:
        network: Any of `watchword.models`; changed in place.
        by: A number for each class.
    """
    bias = network.get_parameter(BIAS)
    bias.sub_(torch.tensor(by, dtype=bias.dtype, device=bias.device))


def as_trained(found: Checkpoint) -> Checkpoint:
    """Return a checkpoint as its training left it, nothing taken off its logits.

    Args:
        found: As read from disk.
    """
    name, taken = f"network.{BIAS}", found.provenance.get(SHIFT)
    if not taken or name not in found.weights:
        return found
    bias = found.weights[name]
    raised = bias + torch.tensor(taken, dtype=bias.dtype)
    return replace(found, weights={**found.weights, name: raised})
