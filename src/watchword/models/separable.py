"""Depthwise convolutions over bands or frames, which learn faster on a CPU in other forms.

In come activations, out go filtered ones, each channel by a filter of its own. A room because the
library under torch has no fast gradient for few channels, nor a fast kernel for long filters. In
training on a CPU these layers compute the same numbers by matrix products or sums of shifted
copies; anywhere else they are torch's own convolutions, so that multiplications are counted, and
graphs exported, as published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEW_TAPS = 5
"""Up to so many taps of each channel, sums of shifted copies are fastest."""
MANY_TAPS = 15
"""From so many taps, a product with a band matrix is."""


class BandConv(nn.Conv2d):
    """A depthwise convolution over the bands, without bias, padded to keep them.

    Args:
        channels: Channels in and out, each with its own filter.
        taps: Bands a filter sees, odd.
        step: Step between output bands.
    """

    def __init__(self, channels: int, taps: int = 3, *, step: int = 1) -> None:
        super().__init__(
            channels,
            channels,
            (taps, 1),
            stride=(step, 1),
            padding=(taps // 2, 0),
            groups=channels,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return filtered bands, ``(batch, channels, bands / step, frames)``.

        Args:
            x: Shape ``(batch, channels, bands, frames)``.
        """
        if not (self.training and x.is_cpu):
            return super().forward(x)
        batch, channels, bands = x.shape[:3]
        maps = band_matrix(self.weight.flatten(1), bands, step=self.stride[0])
        filtered = torch.bmm(maps.expand(batch, -1, -1, -1).flatten(0, 1), x.flatten(0, 1))
        return filtered.view(batch, channels, -1, x.shape[3])


class FrameConv(nn.Conv1d):
    """A depthwise convolution over the frames, without bias, padded to keep them.

    Args:
        channels: Channels in and out, each with its own filter.
        taps: Frames a filter sees, odd.
        dilation: Step between those frames.
    """

    def __init__(self, channels: int, taps: int = 3, *, dilation: int = 1) -> None:
        super().__init__(
            channels,
            channels,
            taps,
            padding=taps // 2 * dilation,
            dilation=dilation,
            groups=channels,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return filtered frames, ``(batch, channels, frames)``.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        taps = self.kernel_size[0]
        if not (self.training and x.is_cpu) or FEW_TAPS < taps < MANY_TAPS:
            return super().forward(x)
        return self._shifted(x) if taps <= FEW_TAPS else self._banded(x)

    def _shifted(self, x: Tensor) -> Tensor:
        """Return the sum of the taps' shifted copies."""
        frames, step = x.shape[2], self.dilation[0]
        reach = len(self.weight[0, 0]) // 2 * step
        padded = F.pad(x, (reach, reach))
        first, *others = (
            padded[..., tap * step : tap * step + frames] * weight
            for tap, weight in enumerate(self.weight.unbind(2))
        )
        return sum(others, start=first)

    def _banded(self, x: Tensor) -> Tensor:
        """Return each channel's product with a map of frames × frames."""
        maps = band_matrix(self.weight.flatten(1), x.shape[2], dilation=self.dilation[0])
        return torch.bmm(x.transpose(0, 1), maps.transpose(1, 2)).transpose(0, 1)


class EndBands(nn.Conv2d):
    """Several filters of each channel over all bands, without bias: the frequency axis ends.

    Args:
        channels: Channels in, each with its own filters.
        bands: Bands in.
        filters: Filters of each channel.
    """

    def __init__(self, channels: int, bands: int, filters: int) -> None:
        super().__init__(channels, channels * filters, (bands, 1), groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return filtered frames, ``(batch, channels * filters, 1, frames)``.

        Args:
            x: Shape ``(batch, channels, bands, frames)``.
        """
        if not (self.training and x.is_cpu):
            return super().forward(x)
        batch, channels, bands, frames = x.shape
        filters = self.weight.view(channels, -1, bands).expand(batch, -1, -1, -1)
        filtered = torch.bmm(filters.flatten(0, 1), x.flatten(0, 1))
        return filtered.view(batch, -1, 1, frames)


def band_matrix(weight: Tensor, size: int, *, step: int = 1, dilation: int = 1) -> Tensor:
    """Return filters laid out as maps: a map times a column is the padded convolution of it.

    Args:
        weight: A filter for each channel, shape ``(channels, taps)``, taps odd.
        size: Length of the axis that is filtered.
        step: Step between outputs.
        dilation: Step between the inputs that a filter sees.

    Returns:
        The maps, shape ``(channels, ceil(size / step), size)``.

    Example:
        >>> band_matrix(torch.tensor([[1.0, 2.0, 3.0]]), 4, step=2)
        tensor([[[2., 3., 0., 0.],
                 [0., 1., 2., 3.]]])
    """
    taps = weight.shape[1]
    place = torch.arange(size, device=weight.device)
    ahead = place - place[::step].unsqueeze(1) + taps // 2 * dilation
    tap = ahead // dilation
    inside = (ahead % dilation == 0) & (tap >= 0) & (tap < taps)
    return weight[:, tap.clamp(0, taps - 1)] * inside
