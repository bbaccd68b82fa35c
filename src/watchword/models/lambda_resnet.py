"""LambdaResNet18: a residual network over time whose second convolutions are lambda layers.

``features (batch, mels, frames) -> logits (batch, classes)``. The mel bands are the input channels,
so every convolution runs over time only. Width 1 is the paper's "LambdaResNet18", width 2 its
"LambdaResNet18-2".

Source:
    "Efficient keyword spotting by capturing long-range interactions with temporal lambda networks",
    2021 (arXiv 2104.08086), figure 2 and the settings its authors published; parameter counts in
    SPEC §2.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from watchword.errors import ConfigError
from watchword.models.layers import ConvNorm, Form, GatedLambda, TemporalLambda, scaled
from watchword.models.layout import AvgPool1d, BatchNorm1d, MaxPool1d

STEM_CHANNELS = 16
STEM_KERNEL = 3
STAGE_CHANNELS = (24, 36, 48, 60)
BLOCKS_PER_STAGE = 2


class LambdaResNet18(nn.Module):
    """The paper's network: stem, four stages of two lambda blocks, mean over time, linear layer.

    Args:
        mels: Bands of the features.
        classes: Number of outputs.
        width: Width multiplier k.
        heads: Heads of each lambda layer.
        query_depth: Query depth of each lambda layer.
        intra_depth: Intra-depth u of each lambda layer.
        scope: Frames each position lambda sees: one odd number, or one for each stage. At one
            second the last stage has 7 frames, and only 13 taps can be reached (SPEC §2.1, weak
            point 4).
        embedding_deviation: Standard deviation of the position embeddings at the start; 1.0 as
            published.
        normalise_logits: Divide the outputs by their length, as published. The softmax of 12 such
            outputs never exceeds 0.21, so no threshold on it means anything (SPEC §2.1, weak
            point 1).
        unit_queries: Divide each query by its root mean square (see ``TemporalLambda``).
        is_gated: Add each lambda layer to its input, from nothing at the start (see
            ``GatedLambda``), instead of putting it in the line.
        rectify_branch: Rectify the main branch of a block before the sum too, as published.
        form: Which of the equal computations the lambda layers run.

    Raises:
        ConfigError: If there are not as many scopes as stages, or the numbers make no layer.

    Example:
        >>> import torch
        >>> LambdaResNet18(mels=40, classes=12)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self,
        *,
        mels: int,
        classes: int,
        width: float = 1.0,
        heads: int = 4,
        query_depth: int = 16,
        intra_depth: int = 1,
        scope: int | Sequence[int] = 23,
        embedding_deviation: float | None = None,
        normalise_logits: bool = False,
        unit_queries: bool = False,
        is_gated: bool = False,
        rectify_branch: bool = True,
        form: Form = "skew",
    ) -> None:
        super().__init__()
        self.normalise_logits = normalise_logits
        scopes = [scope] * len(STAGE_CHANNELS) if isinstance(scope, int) else scope
        if len(scopes) != len(STAGE_CHANNELS):
            raise ConfigError(
                f"found {len(scopes)} scopes for {len(STAGE_CHANNELS)} stages, needed one for "
                "each: change scope"
            )
        self.stem = Stem(mels)
        self.stages = nn.Sequential()
        channels = STEM_CHANNELS
        for stage, base in enumerate(STAGE_CHANNELS):
            for block in range(BLOCKS_PER_STAGE):
                stride = 2 if stage > 0 and block == 0 else 1
                out = scaled(base, width, heads)
                attend = TemporalLambda(
                    out,
                    heads=heads,
                    query_depth=query_depth,
                    intra_depth=intra_depth,
                    scope=scopes[stage],
                    embedding_deviation=embedding_deviation,
                    unit_queries=unit_queries,
                    form=form,
                )
                self.stages.append(
                    LambdaBlock(
                        channels,
                        out,
                        GatedLambda(attend) if is_gated else attend,
                        stride=stride,
                        rectify_branch=rectify_branch,
                    )
                )
                channels = out
        self.classify = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.

        Raises:
            ConfigError: If there are fewer than three frames.
        """
        summary = self.stages(self.stem(features)).mean(dim=2)  # (batch, 60 k)
        logits: Tensor = self.classify(summary)
        return F.normalize(logits, dim=1) if self.normalise_logits else logits


class Stem(nn.Sequential):
    """A convolution of three frames and a max pool that halves the frames.

    Args:
        mels: Bands of the features.
    """

    def __init__(self, mels: int) -> None:
        super().__init__(
            ConvNorm(mels, STEM_CHANNELS, STEM_KERNEL, padding=0),
            nn.ReLU(),
            MaxPool1d(3, stride=2, padding=1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return a sequence, shape ``(batch, 16, (frames - 1) // 2)``.

        Args:
            features: Shape ``(batch, mels, frames)``.

        Raises:
            ConfigError: If there are fewer than three frames.
        """
        frames = features.shape[2]
        if frames < STEM_KERNEL:
            raise ConfigError(
                f"found features of {frames} frames, needed at least {STEM_KERNEL}: give a longer "
                "clip, or a smaller features.hop_samples"
            )
        for part in self:
            features = part(features)
        return features


class LambdaBlock(nn.Module):
    """Convolution, lambda layer and shortcut.

    As published, the main branch is rectified before the sum, and again after it.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        attend: The lambda layer, ``channels_out`` wide.
        stride: Step between output frames.
        rectify_branch: Whether the main branch is rectified before the sum.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        attend: TemporalLambda | GatedLambda,
        *,
        stride: int,
        rectify_branch: bool = True,
    ) -> None:
        super().__init__()
        self.rectify_branch = rectify_branch
        is_changed = stride != 1 or channels_in != channels_out
        self.conv = ConvNorm(channels_in, channels_out, 3, stride=stride)
        self.attend = attend
        self.pool = AvgPool1d(3, stride=1, padding=1) if is_changed else nn.Identity()
        self.norm: nn.Module = BatchNorm1d(channels_out)
        self.shortcut = (
            ConvNorm(channels_in, channels_out, 1, stride=stride) if is_changed else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels_out, frames / stride)``.

        Args:
            x: Shape ``(batch, channels_in, frames)``.
        """
        main = self.attend(self.conv(x).relu())
        main = self.norm(self.pool(main))
        main = main.relu() if self.rectify_branch else main
        return F.relu(main + self.shortcut(x))
