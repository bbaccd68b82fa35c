"""LambdaCast: broadcasted blocks while frequency matters, then gated lambda layers over time.

``features (batch, mels, frames) -> logits (batch, classes)``; the channel axis is added inside. Our
own network. Its first blocks keep the frequency axis and see it by small convolutions; then the
axis is ended, and blocks go on over time alone, at a quarter of the frames, where channels cost
little. There each frame gets what a lambda layer finds in the whole clip added to what convolutions
find around it, from nothing at the start of training to as much as helps.

Source:
    The broadcasted residual block: Kim et al. 2021 (arXiv 2106.04140), §2.1; the lambda layer:
    Bello 2021 (arXiv 2102.08602). The network is this project's (docs/models/lambda_cast.md).
"""

from __future__ import annotations

from torch import Tensor, nn

from watchword.errors import ConfigError
from watchword.models.bc_resnet import SUB_BANDS, SubSpectralNorm
from watchword.models.layers import ConvNorm, Form, GatedLambda, TemporalLambda, scaled
from watchword.models.separable import BandConv, EndBands, FrameConv

STEM_CHANNELS = 20
STEM_KERNEL = (5, 7)
STEM_STEPS = (2, 4)
CAST_CHANNELS = 12
CAST_BLOCKS = 2
FILTERS = 6
"""Filters of each channel over all bands, where the frequency axis ends."""
TIME_BLOCKS = 3


class LambdaCast(nn.Module):
    """Stem, broadcasted blocks, the end of the bands, lambda blocks, mean over time.

    Args:
        mels: Bands of the features; half of them, rounded up, must be a multiple of ``sub_bands``.
        classes: Number of outputs.
        width: Width multiplier of all channels.
        cast_blocks: Blocks that keep the frequency axis.
        time_blocks: Blocks after it.
        kernel: Frames that the convolution of a time block sees, odd.
        heads: Heads of each lambda layer.
        query_depth: Query depth of each lambda layer.
        scope: Frames each position lambda sees, odd.
        unit_queries: Divide each query by its root mean square (see ``TemporalLambda``).
        has_lambdas: Whether time blocks have lambda layers (false in an ablation).
        sub_bands: Parts of the frequency axis that are normalised each on its own.
        dropout: Share of the summary's channels dropped in training.
        form: Which of the equal computations the lambda layers run.

    Raises:
        ConfigError: If the bands cannot be divided so, or the numbers make no layer.

    Example:
        >>> import torch
        >>> LambdaCast(mels=40, classes=12)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self,
        *,
        mels: int,
        classes: int,
        width: float = 1.0,
        cast_blocks: int = CAST_BLOCKS,
        time_blocks: int = TIME_BLOCKS,
        kernel: int = 3,
        heads: int = 4,
        query_depth: int = 8,
        scope: int = 23,
        unit_queries: bool = True,
        has_lambdas: bool = True,
        sub_bands: int = SUB_BANDS,
        dropout: float = 0.1,
        form: Form = "skew",
    ) -> None:
        super().__init__()
        bands = _bands_after_stem(mels, sub_bands)
        stem, cast = scaled(STEM_CHANNELS, width), scaled(CAST_CHANNELS, width, heads)
        wide = cast * FILTERS

        def attend() -> TemporalLambda:
            return TemporalLambda(
                wide,
                heads=heads,
                query_depth=query_depth,
                scope=scope,
                unit_queries=unit_queries,
                form=form,
            )

        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, STEM_KERNEL, STEM_STEPS, padding=(2, 3), bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        )
        self.cast = nn.Sequential()
        for block in range(cast_blocks):
            self.cast.append(
                CastBlock(
                    cast if block else stem, cast, is_transition=not block, sub_bands=sub_bands
                )
            )
        self.end_bands = nn.Sequential(
            EndBands(cast, bands, FILTERS), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.time = nn.Sequential(
            *(
                TimeBlock(wide, attend() if has_lambdas else None, kernel)
                for _ in range(time_blocks)
            )
        )
        self.drop = nn.Dropout(dropout)
        self.classify = nn.Linear(wide, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        x = self.cast(self.stem(features.unsqueeze(1)))  # (batch, 12 k, mels / 2, frames / 4)
        x = self.time(self.end_bands(x).squeeze(2))  # (batch, 72 k, frames / 4)
        logits: Tensor = self.classify(self.drop(x.mean(dim=2)))
        return logits


class CastBlock(nn.Module):
    """A frequency part in two dimensions, a time part on its mean, and their sum.

    With f the frequency part and g the time part, ``y = ReLU(x + f(x) + g(mean(f(x))))``, where the
    mean goes over the bands and the time part's result is added to each of them. A transition
    changes channels by a 1×1 convolution first, and has no ``x +``.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        is_transition: Whether channels change, and there is no shortcut.
        sub_bands: Parts of the frequency axis that are normalised each on its own.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        is_transition: bool,
        sub_bands: int = SUB_BANDS,
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
            BandConv(channels_out), SubSpectralNorm(channels_out, sub_bands)
        )
        self.time = nn.Sequential(
            FrameConv(channels_out),
            nn.BatchNorm1d(channels_out),
            nn.SiLU(),
            nn.Conv1d(channels_out, channels_out, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, bands, frames)``.

        Args:
            x: Shape ``(batch, channels_in, bands, frames)``.
        """
        y = self.frequency(self.mix(x))
        y = y + self.time(y.mean(dim=2)).unsqueeze(2)
        summed: Tensor = y if self.is_transition else y + x
        return summed.relu()


class TimeBlock(nn.Module):
    """A separable convolution over time, a gated lambda layer, a 1×1 convolution and a shortcut.

    With c the convolution and a the lambda layer, ``z = c(x) + gate(a(c(x)))`` and
    ``y = ReLU(x + mix(z))``. The gate is a normalisation whose gains begin at zero: the block
    learns as a convolutional one until the lambda layer has something to add.

    Args:
        channels: Channels in and out.
        attend: The lambda layer, ``channels`` wide, or none.
        kernel: Frames that the convolution sees, odd.
    """

    def __init__(self, channels: int, attend: TemporalLambda | None, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            FrameConv(channels, kernel), ConvNorm(channels, channels, 1), nn.ReLU()
        )
        self.attend = GatedLambda(attend) if attend else nn.Identity()
        self.mix = ConvNorm(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, of the input's shape.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        summed: Tensor = x + self.mix(self.attend(self.conv(x)))
        return summed.relu()


def _bands_after_stem(mels: int, sub_bands: int) -> int:
    """Return how many bands the stem leaves, if they can be divided."""
    bands = (mels + 1) // 2
    if bands % sub_bands:
        raise ConfigError(
            f"found {mels} bands, of which the stem leaves {bands}, needed a multiple of "
            f"{sub_bands} there: change features.mels (40 is usual) or model.options.sub_bands"
        )
    return bands
