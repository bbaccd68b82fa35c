"""Res15: fifteen layers of dilated two-dimensional convolutions, the accurate and slow one.

``features (batch, mels, frames) -> logits (batch, classes)``; the channel axis is added inside.

Source:
    Tang & Lin, "Deep residual learning for small-footprint keyword spotting", ICASSP 2018
    (arXiv 1710.10361), table 1 and figure 2; counts in SPEC §2.3.
"""

from __future__ import annotations

from torch import Tensor, nn

from watchword.models.layers import scaled

CHANNELS = 45
LAYERS = 13


class Res15(nn.Module):
    """Thirteen dilated convolutions of 45 channels with a residual sum after every second one.

    Args:
        mels: Bands of the features; every convolution keeps them, so any number does.
        classes: Number of outputs.
        width: Width multiplier.

    Example:
        >>> import torch
        >>> Res15(mels=40, classes=12, width=0.2)(torch.zeros(2, 40, 98)).shape
        torch.Size([2, 12])
    """

    def __init__(self, *, mels: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        del mels
        channels = scaled(CHANNELS, width)
        self.stem = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.convs = nn.ModuleList()
        self.norms = nn.ModuleList()
        for layer in range(LAYERS):
            dilation = 2 ** (layer // 3)
            self.convs.append(
                nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
            )
            self.norms.append(nn.BatchNorm2d(channels, affine=False))
        self.classify = nn.Linear(channels, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            features: Shape ``(batch, mels, frames)``.
        """
        x = self.stem(features.unsqueeze(1)).relu()  # (batch, 45, mels, frames)
        residual = x
        for layer, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True), start=1):
            x = conv(x).relu()
            if layer % 2 == 0:
                x = x + residual
                residual = x
            x = norm(x)
        logits: Tensor = self.classify(x.mean(dim=(2, 3)))
        return logits
