"""TC-ResNet: residual networks of wide convolutions over time.

``features (batch, mels, frames) -> logits (batch, classes)``. Three networks: TC-ResNet8 and
TC-ResNet14 as published, and the TC-ResNet14 that the lambda paper's experiments compare with,
which borrows that paper's stem.

Source:
    Choi et al., "Temporal convolution for real-time keyword spotting on mobile devices",
    Interspeech 2019 (arXiv 1904.03814), figure 2 and table 1; the other variant from the settings
    published with arXiv 2104.08086.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from watchword.models.lambda_resnet import STEM_CHANNELS, Stem
from watchword.models.layers import ConvNorm, scaled
from watchword.models.layout import AvgPool1d, BatchNorm1d, Conv1d

KERNEL = 9
CHANNELS_8 = (16, 24, 32, 48)
CHANNELS_14 = (16, 24, 24, 32, 32, 48, 48)
STAGE_CHANNELS = (24, 36, 48)


class TcResNet(nn.Module):
    """TC-ResNet as published.

    Args:
        mels: Bands of the features.
        classes: Number of outputs.
        channels: Channels of the stem and of each block; a block strides by 2 where they change.
        width: Width multiplier.
        dropout: Share of the summary dropped in training.

    Example:
        >>> import torch
        >>> TcResNet(mels=40, classes=12, channels=CHANNELS_8)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self,
        *,
        mels: int,
        classes: int,
        channels: tuple[int, ...] = CHANNELS_14,
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        wide = [scaled(count, width) for count in channels]
        self.stem = ConvNorm(mels, wide[0], 3)
        self.blocks = nn.Sequential(
            *(
                TcBlock(*sides, stride=1 if before == after else 2)
                for sides, (before, after) in zip(pairwise(wide), pairwise(channels), strict=True)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(wide[-1], classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        summary = self.blocks(self.stem(features).relu()).mean(dim=2)
        logits: Tensor = self.classify(self.dropout(summary))
        return logits


class TcBlock(nn.Module):
    """Two convolutions of nine frames and a shortcut.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        stride: Step between output frames; 1 means that the shortcut is the identity.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels_in, channels_out, KERNEL, stride=stride)
        self.second = ConvNorm(channels_out, channels_out, KERNEL)
        self.shortcut = (
            nn.Sequential(ConvNorm(channels_in, channels_out, 1, stride=stride), nn.ReLU())
            if stride > 1
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, frames / stride)``.

        Args:
            x: Shape ``(batch, channels_in, frames)``.
        """
        main = self.second(self.first(x).relu())
        return F.relu(main + self.shortcut(x))


class TcResNetPaper(nn.Module):
    """The TC-ResNet14 of the lambda paper's experiments.

    Its stem and max pool are those of LambdaResNet18; three stages of two blocks follow, the first
    block of each with stride 2 and an average pool of nine frames.

    Args:
        mels: Bands of the features.
        classes: Number of outputs.
        width: Width multiplier.
        normalise_logits: Divide the outputs by their length, as in those experiments.

    Example:
        >>> import torch
        >>> TcResNetPaper(mels=40, classes=11)(torch.zeros(2, 40, 101)).shape
        torch.Size([2, 11])
    """

    def __init__(
        self, *, mels: int, classes: int, width: float = 1.0, normalise_logits: bool = False
    ) -> None:
        super().__init__()
        self.normalise_logits = normalise_logits
        self.stem = Stem(mels)
        self.stages = nn.Sequential()
        channels = STEM_CHANNELS
        for base in STAGE_CHANNELS:
            out = scaled(base, width)
            self.stages.append(TcPaperBlock(channels, out, stride=2))
            self.stages.append(TcPaperBlock(out, out, stride=1))
            channels = out
        self.classify = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        summary = self.stages(self.stem(features)).mean(dim=2)
        logits: Tensor = self.classify(summary)
        return F.normalize(logits, dim=1) if self.normalise_logits else logits


class TcPaperBlock(nn.Module):
    """Two convolutions of nine frames, an average pool where the block strides, and a shortcut.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        stride: Step between output frames; 1 means that the shortcut is the identity.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        half = KERNEL // 2
        self.first = ConvNorm(channels_in, channels_out, KERNEL, stride=stride)
        self.second = Conv1d(channels_out, channels_out, KERNEL, padding=half, bias=False)
        self.pool = AvgPool1d(KERNEL, stride=1, padding=half) if stride > 1 else nn.Identity()
        self.norm = BatchNorm1d(channels_out)
        self.shortcut = (
            ConvNorm(channels_in, channels_out, 1, stride=stride) if stride > 1 else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, frames / stride)``.

        Args:
            x: Shape ``(batch, channels_in, frames)``.
        """
        main = self.second(self.first(x).relu())
        main = self.norm(self.pool(main)).relu()
        return F.relu(main + self.shortcut(x))
