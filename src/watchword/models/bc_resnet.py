"""BC-ResNet: two-dimensional residual blocks whose time part works on the mean over frequency.

``features (batch, mels, frames) -> logits (batch, classes)``; the channel axis is added inside. The
width is the paper's τ: width 1 is BC-ResNet-1, width 8 is BC-ResNet-8.

Source:
    Kim et al., "Broadcasted residual learning for efficient keyword spotting", Interspeech 2021
    (arXiv 2106.04140), §2 and table 1; sub-band normalisation from Chang et al., "SubSpectral
    normalization for neural audio data processing", ICASSP 2021.
"""

from __future__ import annotations

from torch import Tensor, nn

from watchword.errors import ConfigError
from watchword.models.layers import scaled
from watchword.models.separable import BandConv, FrameConv

STEM_CHANNELS = 16
STAGES = ((8, 2, 1), (12, 2, 2), (16, 4, 2), (20, 4, 1))
"""Of each stage: channels at width 1, blocks, step between bands in its first block."""
HEAD_CHANNELS = 32
HEAD_FRAMES = 5
SUB_BANDS = 5


class BcResNet(nn.Module):
    """Stem, four stages of broadcasted residual blocks, and a head that ends the frequency axis.

    The bands are halved by the stem and by the second and third stage: 40, 20, 10, 5. The time
    parts of the four stages see three frames that are 1, 2, 4 and 8 apart.

    Args:
        mels: Bands of the features; an eighth of them must be a multiple of ``sub_bands``.
        classes: Number of outputs.
        width: The paper's τ.
        sub_bands: Parts of the frequency axis that are normalised each on its own.
        dropout: Share of the channels of each block's time part dropped in training.

    Example:
        >>> import torch
        >>> BcResNet(mels=40, classes=12)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self,
        *,
        mels: int,
        classes: int,
        width: float = 1.0,
        sub_bands: int = SUB_BANDS,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        channels = scaled(STEM_CHANNELS, width)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=(2, 1), padding=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.stages = nn.Sequential()
        for stage, (base, blocks, step) in enumerate(STAGES):
            out = scaled(base, width)
            for block in range(blocks):
                self.stages.append(
                    BroadcastBlock(
                        channels,
                        out,
                        is_transition=block == 0,
                        step=step if block == 0 else 1,
                        dilation=2**stage,
                        sub_bands=sub_bands,
                        dropout=dropout,
                    )
                )
                channels = out
        wide = scaled(HEAD_CHANNELS, width)
        bands = (mels + 7) // 8  # halved three times, each time rounded up
        self.head = nn.Sequential(
            nn.Conv2d(
                channels,
                channels,
                (bands, HEAD_FRAMES),
                padding=(0, HEAD_FRAMES // 2),
                groups=channels,
                bias=False,
            ),
            nn.Conv2d(channels, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        )
        self.classify = nn.Linear(wide, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.

        Raises:
            ConfigError: If the bands cannot be divided into sub-bands.
        """
        x = self.stages(self.stem(features.unsqueeze(1)))  # (batch, 20 τ, mels / 8, frames)
        logits: Tensor = self.classify(self.head(x).mean(dim=(2, 3)))
        return logits


class BroadcastBlock(nn.Module):
    """A frequency part in two dimensions, a time part on its mean, and their sum.

    With f2 the frequency part and f1 the time part, ``y = ReLU(x + f2(x) + f1(mean(f2(x))))``,
    where the mean goes over the bands and the time part's result is added to each of them. A
    transition changes channels before f2 and has no ``x +``.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        is_transition: Whether a convolution of one band and one frame comes first, and no shortcut.
        step: Step between output bands.
        dilation: Step between the three frames that the time part sees.
        sub_bands: Parts of the frequency axis that are normalised each on its own.
        dropout: Share of the time part's channels dropped in training.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        is_transition: bool,
        step: int = 1,
        dilation: int = 1,
        sub_bands: int = SUB_BANDS,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.is_transition = is_transition
        self.mix = (
            nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, bias=False),
                nn.BatchNorm2d(channels_out),
                nn.ReLU(),
            )
            if is_transition
            else nn.Identity()
        )
        self.frequency = nn.Sequential(
            BandConv(channels_out, step=step),
            SubSpectralNorm(channels_out, sub_bands),
        )
        self.time = nn.Sequential(
            FrameConv(channels_out, dilation=dilation),
            nn.BatchNorm1d(channels_out),
            nn.SiLU(),
            nn.Conv1d(channels_out, channels_out, 1, bias=False),
            nn.Dropout1d(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, bands / step, frames)``.

        Args:
            x: Shape ``(batch, channels_in, bands, frames)``.
        """
        y: Tensor = self.frequency(self.mix(x))
        y = y + self.time(y.mean(dim=2)).unsqueeze(2)
        return (y if self.is_transition else y + x).relu()


class SubSpectralNorm(nn.Module):
    """Batch normalisation of each part of the frequency axis on its own.

    Args:
        channels: Channels of the input.
        sub_bands: Equal parts of the frequency axis, each with its own statistics and gains.

    Source:
        Chang et al. 2021, §3.2.

    Example:
        >>> import torch
        >>> SubSpectralNorm(8, 5)(torch.zeros(2, 8, 20, 98)).shape
        torch.Size([2, 8, 20, 98])
    """

    def __init__(self, channels: int, sub_bands: int) -> None:
        super().__init__()
        self.sub_bands = sub_bands
        self.norm = nn.BatchNorm2d(channels * sub_bands)

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised activations of the same shape.

        Args:
            x: Shape ``(batch, channels, bands, frames)``.

        Raises:
            ConfigError: If the bands are no multiple of ``sub_bands``.
        """
        _, channels, bands, frames = x.shape
        if bands % self.sub_bands:
            raise ConfigError(
                f"found {bands} bands inside the network, needed a multiple of {self.sub_bands} "
                "that are normalised each on its own: change features.mels (40 as published) or "
                "model.options.sub_bands"
            )
        parts = x.reshape(-1, channels * self.sub_bands, bands // self.sub_bands, frames)
        y: Tensor = self.norm(parts)
        return y.reshape(x.shape)
