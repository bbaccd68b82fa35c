"""KWT: a transformer whose patches are the frames.

``features (batch, mels, frames) -> logits (batch, classes)``. Width 1 is KWT-1, width 2 KWT-2 and
width 3 KWT-3.

Source:
    Berg et al., "Keyword transformer: a self-attention model for keyword spotting", Interspeech
    2021 (arXiv 2104.00769), §2 and table 1; normalisation after each sum as in Vaswani et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from watchword.errors import ConfigError
from watchword.models.layers import scaled

CHANNELS = 64
LAYERS = 12
MLP_RATIO = 4
DEVIATION = 0.02
"""Standard deviation of weights and embeddings at the start."""


class Kwt(nn.Module):
    """Project each frame, put a class token before them, and let twelve layers attend.

    Args:
        mels: Bands of the features.
        classes: Number of outputs.
        width: Multiplier of the channels and, rounded, of the heads: each head has 64 channels at
            whole widths.
        frames: Frames of every clip; each has a position embedding of its own.

    Example:
        >>> Kwt(mels=40, classes=12)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(self, *, mels: int, classes: int, width: float = 1.0, frames: int = 98) -> None:
        super().__init__()
        heads = max(1, round(width))
        channels = scaled(CHANNELS, width, heads)
        self.frames = frames
        self.project = nn.Linear(mels, channels)
        self.token = nn.Parameter(torch.empty(1, 1, channels))
        self.position = nn.Parameter(torch.empty(1, frames + 1, channels))
        self.layers = nn.Sequential(*(KwtLayer(channels, heads) for _ in range(LAYERS)))
        self.classify = nn.Linear(channels, classes)
        self.apply(_start)
        for embedding in (self.token, self.position):
            nn.init.trunc_normal_(embedding, std=DEVIATION)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.

        Raises:
            ConfigError: If there are other frames than the position embedding has.
        """
        if features.shape[2] != self.frames:
            raise ConfigError(
                f"found features of {features.shape[2]} frames, needed {self.frames}: this network "
                "has a position embedding for each frame, so give it clips of the length that it "
                "was built for"
            )
        x = self.project(features.transpose(1, 2))  # (batch, frames, channels)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        logits: Tensor = self.classify(self.layers(x)[:, 0])
        return logits


class KwtLayer(nn.Module):
    """Self-attention and a perceptron, each with a shortcut and normalised after the sum.

    Args:
        channels: Channels in and out; a multiple of ``heads``.
        heads: Attention heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(channels, 3 * channels, bias=False)  # queries, keys, values
        self.join = nn.Linear(channels, channels)
        self.attend_norm = nn.LayerNorm(channels)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, MLP_RATIO * channels),
            nn.GELU(),
            nn.Linear(MLP_RATIO * channels, channels),
        )
        self.perceptron_norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, ``(batch, tokens, channels)``.

        Args:
            x: Shape ``(batch, tokens, channels)``.
        """
        parts = self.ask(x).unflatten(2, (3, self.heads, -1))  # (batch, tokens, 3, heads, depth)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (batch, heads, tokens, depth)
        scores = queries * queries.shape[-1] ** -0.5 @ keys.transpose(2, 3)
        attended = scores.softmax(dim=-1) @ values
        x = self.attend_norm(x + self.join(attended.transpose(1, 2).flatten(2)))
        y: Tensor = self.perceptron_norm(x + self.perceptron(x))
        return y


def _start(part: nn.Module) -> None:
    """Draw the weights of a linear layer."""
    if isinstance(part, nn.Linear):
        nn.init.trunc_normal_(part.weight, std=DEVIATION)
        if part.bias is not None:
            nn.init.zeros_(part.bias)
