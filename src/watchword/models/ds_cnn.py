"""DS-CNN: depthwise separable convolutions on few coefficients, the size of a microcontroller.

``features (batch, mels, frames) -> logits (batch, classes)``, where the bands are cepstral
coefficients; the channel axis is added inside.

Source:
    Zhang et al., "Hello Edge: keyword spotting on microcontrollers", 2017 (arXiv 1711.07128), §4.2,
    in the size of Banbury et al., "MLPerf Tiny benchmark", NeurIPS 2021 (arXiv 2106.07597).
"""

from __future__ import annotations

from torch import Tensor, nn

from watchword.models.layers import scaled

CHANNELS = 64
BLOCKS = 4
STEM_KERNEL = (4, 10)  # coefficients, frames


class DsCnn(nn.Module):
    """A convolution that halves both axes, and four depthwise separable blocks.

    Convolutions have no bias: the normalisation after each would take it away.

    Args:
        mels: Coefficients of the features.
        classes: Number of outputs.
        width: Width multiplier.
        dropout: Share of the summary dropped in training; half of it is dropped after the stem.

    Example:
        >>> import torch
        >>> DsCnn(mels=10, classes=12)(torch.zeros(2, 10, 49)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self, *, mels: int, classes: int, width: float = 1.0, dropout: float = 0.4
    ) -> None:
        super().__init__()
        del mels
        channels = scaled(CHANNELS, width)
        self.stem = nn.Sequential(
            nn.ZeroPad2d((4, 5, 1, 2)),  # frames, coefficients: halves either, rounded up
            nn.Conv2d(1, channels, STEM_KERNEL, stride=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout / 2),
        )
        self.blocks = nn.Sequential(*(SeparableBlock(channels) for _ in range(BLOCKS)))
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        x = self.blocks(self.stem(features.unsqueeze(1)))  # (batch, 64, mels / 2, frames / 2)
        logits: Tensor = self.classify(self.dropout(x.mean(dim=(2, 3))))
        return logits


class SeparableBlock(nn.Sequential):
    """A 3 × 3 convolution of each channel, then one that mixes channels; each normalised, ReLU.

    Args:
        channels: Channels in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
