"""LambdaCast: broadcasted blocks while frequency matters, then lambda layers over time.

``features (batch, mels, frames) -> logits (batch, classes)``; the channel axis is added inside. Our
own network. Its first stages keep the frequency axis and see it by small convolutions, as BC-ResNet
does, with a lambda layer on the mean over frequency; then the axis is ended and lambda blocks go on
over time alone, at a quarter of the frames, where channels cost little.

Source:
    The broadcasted residual block: Kim et al. 2021 (arXiv 2106.04140), §2.1; the lambda layer:
    Bello 2021 (arXiv 2102.08602). The network is this project's (docs/models/lambda_cast.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from watchword.models.bc_resnet import SUB_BANDS, SubSpectralNorm
from watchword.models.layers import ConvNorm, Form, TemporalLambda, scaled


class LambdaCast(nn.Module):
    """Stem, broadcasted lambda blocks in two dimensions, lambda blocks in one, mean over time."""

    def __init__(
        self,
        *,
        mels: int,
        classes: int,
        width: float = 1.0,
        stem_channels: int = 16,
        cast_channels: Sequence[int] = (12, 20),
        cast_blocks: Sequence[int] = (2, 2),
        time_channels: int = 64,
        time_blocks: int = 4,
        kernel: int = 3,
        heads: int = 4,
        query_depth: int = 8,
        scope: int = 23,
        cast_lambda: bool = True,
        time_lambda: bool = True,
        separable: bool = True,
        frame_steps: Sequence[int] = (1, 2),
        unit_queries: bool = False,
        dropout: float = 0.1,
        form: Form = "skew",
    ) -> None:
        super().__init__()
        channels = scaled(stem_channels, width)
        self.stem = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        bands = (mels + 1) // 2
        self.cast = nn.Sequential()
        for stage, base in enumerate(cast_channels):
            out = scaled(base, width, heads)
            for block in range(cast_blocks[stage]):
                steps = (2 if stage else 1, frame_steps[stage]) if block == 0 else (1, 1)
                bands = (bands + steps[0] - 1) // steps[0]
                self.cast.append(
                    CastBlock(
                        channels,
                        out,
                        TemporalLambda(
                            out,
                            heads=heads,
                            query_depth=query_depth,
                            scope=scope,
                            unit_queries=unit_queries,
                            form=form,
                        )
                        if cast_lambda
                        else nn.Conv1d(out, out, 1, bias=False),
                        steps=steps,
                        is_transition=block == 0,
                    )
                )
                channels = out
        wide = scaled(time_channels, width, heads)
        self.end_bands = nn.Sequential(
            nn.Conv2d(
                channels,
                wide,
                (bands, 1),
                groups=channels if wide % channels == 0 else 1,
                bias=False,
            ),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        )
        self.time = nn.Sequential(
            *(
                TimeBlock(
                    wide,
                    TemporalLambda(
                        wide,
                        heads=heads,
                        query_depth=query_depth,
                        scope=scope,
                        unit_queries=unit_queries,
                        form=form,
                    )
                    if time_lambda
                    else nn.Conv1d(wide, wide, 1, bias=False),
                    kernel=kernel,
                    separable=separable,
                )
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
        x = self.cast(self.stem(features.unsqueeze(1)))
        x = self.time(self.end_bands(x).squeeze(2))
        logits: Tensor = self.classify(self.drop(x.mean(dim=2)))
        return logits


class CastBlock(nn.Module):
    """A frequency part in two dimensions, a lambda layer on its mean, and their sum."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        attend: nn.Module,
        *,
        steps: tuple[int, int],
        is_transition: bool,
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
            nn.Conv2d(
                channels_out,
                channels_out,
                (3, steps[1]),
                stride=steps,
                padding=(1, 0),
                groups=channels_out,
                bias=False,
            ),
            SubSpectralNorm(channels_out, SUB_BANDS),
        )
        self.time = nn.Sequential(
            nn.Conv1d(channels_out, channels_out, 3, padding=1, groups=channels_out, bias=False),
            nn.BatchNorm1d(channels_out),
            nn.SiLU(),
            attend,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, bands, frames)``."""
        y = self.frequency(self.mix(x))
        y = y + self.time(y.mean(dim=2)).unsqueeze(2)
        return (y if self.is_transition else y + x).relu()


class TimeBlock(nn.Module):
    """A convolution over time, a lambda layer and a shortcut."""

    def __init__(self, channels: int, attend: nn.Module, *, kernel: int, separable: bool) -> None:
        super().__init__()
        self.conv = (
            nn.Sequential(
                nn.Conv1d(
                    channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False
                ),
                ConvNorm(channels, channels, 1),
            )
            if separable
            else ConvNorm(channels, channels, kernel)
        )
        self.attend = attend
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels, frames)``."""
        y: Tensor = self.conv(x)
        return F.relu(x + self.norm(self.attend(y.relu())))
