"""Layers over time that follow the layout of what they are given.

In comes a sequence ``(batch, channels, frames)``, out goes another. In memory either the frames of
a channel lie side by side, as torch lays them out, or the channels of a frame. The latter is two to
five times faster on a CPU for normalisation, pools and short convolutions. A room because that is a
matter of memory alone: shapes, weights and results are the same, and no network need know of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.models import fused


def frames_first(x: Tensor) -> Tensor:
    """Return the same sequence with the channels of each frame side by side in memory.

    Args:
        x: Shape ``(batch, channels, frames)``.

    Example:
        >>> frames_first(torch.zeros(1, 40, 98)).stride()
        (3920, 1, 40)
    """
    return x.transpose(1, 2).contiguous().transpose(1, 2)


def is_frames_first(x: Tensor) -> bool:
    """Tell whether the channels of each frame lie side by side, and the frames do not.

    Args:
        x: Shape ``(batch, channels, frames)``.
    """
    return not x.is_contiguous() and x.transpose(1, 2).is_contiguous()


class Conv1d(nn.Conv1d):
    """A convolution over time, as torch's."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sequence convolved.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        if not is_frames_first(x) or isinstance(self.padding, str):
            return super().forward(x)
        # one row high, it is an image whose channels lie side by side, which torch has code for
        weight = self.weight.unsqueeze(2)
        step, edge, apart = (1, *self.stride), (0, *self.padding), (1, *self.dilation)
        return F.conv2d(x.unsqueeze(2), weight, self.bias, step, edge, apart, self.groups).squeeze(
            2
        )


class BatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation of each channel, as torch's."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sequence normalised.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        if not is_frames_first(x):
            return super().forward(x)
        if not self.training or not fused.is_possible(x):
            return super().forward(x.contiguous())  # torch's sums over this layout are inexact
        rows, moments = fused.FusedNorm.apply(x.transpose(1, 2), self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]  # torch gives it no types
        self.remember(moments[0], moments[1], x.shape[0] * x.shape[2])
        turned: Tensor = rows.transpose(1, 2)
        return turned

    @torch.no_grad()
    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch, as a step in training does.

        Args:
            mean: Of each channel.
            variance: Of each channel, divided by the count.
            count: Values of a channel.
        """
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = self.momentum
        if share is None:  # as in torch: a plain mean over all batches
            share = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


class AvgPool1d(nn.AvgPool1d):
    """A mean over neighbouring frames, as torch's."""

    kernel_size: tuple[int]
    stride: tuple[int]
    padding: tuple[int]

    def forward(self, x: Tensor) -> Tensor:
        """Return the means.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        if not is_frames_first(x):
            return super().forward(x)
        width, step, edge = self.kernel_size[0], self.stride[0], self.padding[0]
        return F.avg_pool2d(x.unsqueeze(2), (1, width), (1, step), (0, edge)).squeeze(2)


class MaxPool1d(nn.MaxPool1d):
    """The largest of neighbouring frames, as torch's, with whole numbers for its sizes."""

    kernel_size: int
    stride: int
    padding: int

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest values.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        if not is_frames_first(x):
            largest: Tensor = super().forward(x)
            return largest
        width, step, edge = self.kernel_size, self.stride, self.padding
        return F.max_pool2d(x.unsqueeze(2), (1, width), (1, step), (0, edge)).squeeze(2)
