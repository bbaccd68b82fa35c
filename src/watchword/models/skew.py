"""The product of values with maps that hold each frame's taps, shifted at no cost.

In come taps and values, out goes their product, with its gradients. A room because this is where
the lambda layer that trains spends its time, and strides must be read slowly.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SkewedProduct(torch.autograd.Function):
    """Multiply values by maps that hold each frame's taps, shifted to the frame's place.

    With ``maps[b, h, n, u, m] = taps[b, h, n, u, m - n + r // 2]``, zero outside the scope, the
    result is ``content[b, v, h n] + Σ_u Σ_m values[b, v, u, m] · maps[b, h, n, u, m]``. The shift
    is never computed: taps are written to, and their gradients read from, a strided view whose rows
    are one longer than the map's, and the products work on the map within.

    Source:
        Dai et al. 2019, "Transformer-XL" (arXiv 1901.02860), appendix B, which shifts by reshaping.
    """

    @staticmethod
    def forward(context: Any, content: Tensor, taps: Tensor, values: Tensor) -> Tensor:
        """Return the result, ``(batch, value_depth, heads * frames)``.

        Args:
            context: Keeps what the way back needs.
            content: What is added to, shape ``(batch, value_depth, heads * frames)``.
            taps: Shape ``(batch, heads, frames, intra_depth, scope)``.
            values: Shape ``(batch, value_depth, intra_depth, frames)``.
        """
        batch, heads, frames, depth, scope = taps.shape
        flat = values.flatten(2)
        # a row of taps for frame n begins n places later: in a table whose rows are one longer
        # than its width, that is the same column
        table = taps.new_zeros(batch, heads, frames, depth, frames + scope - 1)
        shifted = _shifted(table, frames, depth, scope)
        shifted.copy_(taps.flatten(0, 1))
        maps = table[..., scope // 2 : scope // 2 + frames].reshape(
            batch, heads * frames, depth * frames
        )
        context.save_for_backward(maps, flat)
        context.shape = taps.shape
        return torch.baddbmm(content, flat, maps.transpose(1, 2))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of content, taps and values.

        Args:
            context: As kept by ``forward``.
            gradient: Shape ``(batch, value_depth, heads * frames)``.
        """
        maps, flat = context.saved_tensors
        batch, heads, frames, depth, scope = context.shape
        of_values = gradient @ maps
        table = gradient.new_zeros(batch, heads, frames, depth, frames + scope - 1)
        inside = table[..., scope // 2 : scope // 2 + frames]
        inside.copy_((gradient.transpose(1, 2) @ flat).view(inside.shape))
        of_taps = _shifted(table, frames, depth, scope).reshape(context.shape)
        return gradient, of_taps, of_values.view(batch, -1, depth, frames)


def _shifted(table: Tensor, frames: int, depth: int, scope: int) -> Tensor:
    """Return the places of the taps in a table, ``(batch * heads, frames, depth, scope)``."""
    width = frames + scope - 1
    return table.as_strided(
        (table.shape[0] * table.shape[1], frames, depth, scope),
        (frames * depth * width, depth * width + 1, width, 1),
    )
