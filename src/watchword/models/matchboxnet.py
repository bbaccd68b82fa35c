"""MatchboxNet: residual blocks of long filters over time, one for each channel.

``features (batch, mels, frames) -> logits (batch, classes)``. MatchboxNet-BxRxC has B blocks of R
parts with C channels; width 1 is C = 64.

Source:
    Majumdar & Ginsburg, "MatchboxNet: 1D time-channel separable convolutional neural network
    architecture for speech commands recognition", Interspeech 2020 (arXiv 2004.08531), §2 and
    table 1.
"""

from __future__ import annotations

from torch import Tensor, nn

from watchword.models.layers import ConvNorm, scaled
from watchword.models.separable import FrameConv

ENDS_CHANNELS = 128
CHANNELS = 64
FIRST_KERNEL, LAST_KERNEL = 11, 29


class MatchboxNet(nn.Module):
    """A separable convolution, residual blocks, a dilated one, a pointwise one and a linear layer.

    Args:
        mels: Coefficients of the features.
        classes: Number of outputs.
        width: Multiplier of the blocks' channels; the layers before and after them keep 128.
        blocks: Residual blocks, the paper's B; filters of the first see 13 frames, of each later
            one two more.
        repeats: Parts of each block, the paper's R.

    Example:
        >>> import torch
        >>> MatchboxNet(mels=64, classes=35)(torch.zeros(2, 64, 98)).shape
        torch.Size([2, 35])
    """

    def __init__(
        self, *, mels: int, classes: int, width: float = 1.0, blocks: int = 3, repeats: int = 2
    ) -> None:
        super().__init__()
        channels = scaled(CHANNELS, width)
        self.first = nn.Sequential(Separable(mels, ENDS_CHANNELS, FIRST_KERNEL), nn.ReLU())
        self.blocks = nn.Sequential()
        for block in range(blocks):
            channels_in = channels if block else ENDS_CHANNELS
            kernel = FIRST_KERNEL + 2 * (block + 1)
            self.blocks.append(MatchboxBlock(channels_in, channels, kernel, repeats=repeats))
        self.last = nn.Sequential(
            Separable(channels, ENDS_CHANNELS, LAST_KERNEL, dilation=2),
            nn.ReLU(),
            ConvNorm(ENDS_CHANNELS, ENDS_CHANNELS, 1),
            nn.ReLU(),
        )
        self.classify = nn.Linear(ENDS_CHANNELS, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        x = self.last(self.blocks(self.first(features)))  # (batch, 128, frames)
        logits: Tensor = self.classify(x.mean(dim=2))
        return logits


class MatchboxBlock(nn.Module):
    """Separable convolutions with a shortcut that is projected and normalised.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Frames that each filter sees.
        repeats: Separable convolutions, all but the last followed by ReLU.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, repeats: int) -> None:
        super().__init__()
        self.parts = nn.Sequential(Separable(channels_in, channels_out, kernel))
        for _ in range(repeats - 1):
            self.parts.extend([nn.ReLU(), Separable(channels_out, channels_out, kernel)])
        self.shortcut = ConvNorm(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, frames)``.

        Args:
            x: Shape ``(batch, channels_in, frames)``.
        """
        y: Tensor = self.parts(x) + self.shortcut(x)
        return y.relu()


class Separable(nn.Sequential):
    """A time-channel separable convolution: over frames, then over channels, then normalised.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Frames that each filter sees.
        dilation: Step between those frames.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, dilation: int = 1
    ) -> None:
        super().__init__(
            FrameConv(channels_in, kernel, dilation=dilation),
            ConvNorm(channels_in, channels_out, 1),
        )
