"""MHAtt-RNN: two recurrent layers and four attention heads that ask from the middle of the clip.

``features (batch, mels, frames) -> logits (batch, classes)``.

Source:
    Rybakov et al., "Streaming keyword spotting on mobile devices", Interspeech 2020
    (arXiv 2005.06720), §3.6 and table 2: 743K parameters, with 20 cepstral coefficients as
    features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from watchword.models.layers import scaled

CONV_CHANNELS = 10
CONV_KERNEL = 5
RECURRENT_UNITS = 128
DENSE = (64, 32)


class MhattRnn(nn.Module):
    """Two convolutions over time, two recurrent layers, attention and three dense layers.

    The recurrent layers are bidirectional GRUs; the attention's heads ask from the middle frame.

    Args:
        mels: Bands of the features.
        classes: Number of outputs.
        width: Multiplier of the recurrent units.
        heads: Attention heads.
        dropout: Share of the attended summary dropped in training.

    Example:
        >>> MhattRnn(mels=20, classes=12)(torch.zeros(2, 20, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(
        self, *, mels: int, classes: int, width: float = 1.0, heads: int = 4, dropout: float = 0.2
    ) -> None:
        super().__init__()
        kernel, padding = (1, CONV_KERNEL), (0, CONV_KERNEL // 2)
        units = scaled(RECURRENT_UNITS, width)
        self.convs = nn.Sequential(  # over time only: each band is filtered alike
            nn.Conv2d(1, CONV_CHANNELS, kernel, padding=padding),
            nn.BatchNorm2d(CONV_CHANNELS),
            nn.ReLU(),
            nn.Conv2d(CONV_CHANNELS, 1, kernel, padding=padding),
            nn.BatchNorm2d(1),
            nn.ReLU(),
        )
        self.recur = nn.GRU(mels, units, num_layers=2, batch_first=True, bidirectional=True)
        self.heads = heads
        self.query = nn.Linear(2 * units, heads * 2 * units)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Sequential(
            nn.Linear(heads * 2 * units, DENSE[0]), nn.ReLU(), nn.Linear(*DENSE)
        )
        self.classify = nn.Linear(DENSE[1], classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        x = self.convs(features.unsqueeze(1)).squeeze(1).transpose(1, 2)  # (batch, frames, mels)
        states, _ = self.recur(x)  # (batch, frames, 2 units)
        middle = states[:, states.shape[1] // 2]
        queries = self.query(middle).unflatten(1, (self.heads, -1))  # (batch, heads, 2 units)
        weights = torch.softmax(queries @ states.transpose(1, 2), dim=2)  # (batch, heads, frames)
        attended = (weights @ states).flatten(1)
        logits: Tensor = self.classify(self.dense(self.dropout(attended)))
        return logits
