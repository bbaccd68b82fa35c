"""Logits and targets → what a step makes smaller.

In come logits and targets as distributions, out goes a sum of losses. A room because what the
network is asked for, and which answers a rare class is owed, is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from watchword.config import TrainSettings


class Loss:
    """Cross entropy with smoothed labels, after an adjustment for what the classes' shares are.

    With π the share of each class in training and τ the adjustment, the loss is that of
    ``logits + τ log π``: the network need not learn what the shares already say, and its own
    logits are those of a world in which classes are as frequent as each other (τ = 1) or nearer to
    it (τ below 1).

    Args:
        settings: Section ``train``.
        counts: Clips of each class in an epoch; a class without any counts as one clip.
        device: Where logits come from.

    Source:
        Menon et al. 2021, "Long-tail learning via logit adjustment" (arXiv 2007.07314), eq. 10.

    Example:
        >>> loss = Loss(TrainSettings(logit_adjustment=1, label_smoothing=0), [3, 1])
        >>> target = torch.tensor([[0.0, 1.0]])
        >>> [round(float(loss(torch.tensor([[0.0, x]]), target)), 3) for x in (0.0, 1.1)]
        [1.386, 0.692]
    """

    def __init__(
        self,
        settings: TrainSettings,
        counts: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        self.smoothing = settings.label_smoothing
        clips = torch.tensor(counts, dtype=torch.float64).clamp(min=1)
        shift = settings.logit_adjustment * (clips / clips.sum()).log()
        self.shift = shift.to(torch.float32).to(device)

    def __call__(self, logits: Tensor, soft: Tensor) -> Tensor:
        """Return the sum of losses over clips.

        Args:
            logits: Shape ``(batch, classes)``.
            soft: Targets as distributions, of the same shape.
        """
        return F.cross_entropy(
            logits.float() + self.shift, soft, label_smoothing=self.smoothing, reduction="sum"
        )
