"""A network as it is used: for clips of one length, with all that never changes worked out.

In comes a trained network, out goes a copy that computes the same for so many frames, of plain
operators that any runtime has. A room because what is fast in training and what is fast on a device
are different sums: here the weights that follow from others are computed once.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.models.bc_resnet import SubSpectralNorm
from watchword.models.layers import TemporalLambda, fold_norms


@torch.library.custom_op("watchword::unit", mutates_args=())
def unit(x: Tensor, axis: int) -> Tensor:
    """Return an array divided by its length along an axis; where that is zero, zeros.

    An operator of its own, so that export can name the one that ONNX has for it.

    Args:
        x: Any array.
        axis: The axis, counted from the front.

    Example:
        >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 1)
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    return F.normalize(x, dim=axis)


@unit.register_fake
def _(x: Tensor, axis: int) -> Tensor:
    """Return the shape of the result."""
    del axis
    return torch.empty_like(x)


class FrozenLambda(nn.Module):
    """A temporal lambda layer for sequences of one length, with its normalisation folded.

    The position embeddings are laid out as one matrix, so that values meet all their places in one
    product; queries have their depth beside the frames, so that the last sum needs no array turned.

    Args:
        layer: The layer, in eval mode and folded.
        frames: Length of the sequences.
    """

    project: nn.Conv1d
    places: Tensor

    def __init__(self, layer: TemporalLambda, frames: int) -> None:
        super().__init__()
        assert isinstance(layer.norm, nn.Identity), "the normalisation is not folded"
        self.heads, self.depth, self.frames = layer.heads, layer.query_depth, frames
        self.width, self.inner = layer.value_depth, layer.intra_depth
        self.unit_queries = layer.unit_queries
        self.project = copy.deepcopy(layer.project)
        queries, values = self.heads * self.depth, self.width * self.inner
        self.split = [queries, values, self.depth * self.inner]
        places = layer.toeplitz(frames)  # (n, k, u, m)
        places = places.permute(2, 3, 1, 0).reshape(self.inner * frames, self.depth * frames)
        self.register_buffer("places", places.contiguous())
        order = torch.arange(queries).view(self.depth, self.heads).T.reshape(-1)
        for rows in (self.project.weight, self.project.bias):
            assert rows is not None
            rows.requires_grad = False
            rows[:queries] = rows[:queries][order]
            if self.unit_queries:  # the mean square over the depth is one: what is left of it
                rows[queries : queries + values] *= self.depth**0.5

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, of the input's shape.

        Args:
            x: Shape ``(batch, channels, frames)``.
        """
        queries, values, keys = self.project(x).split(self.split, dim=1)
        queries = queries.reshape(-1, 1, self.heads, self.depth, self.frames)
        if self.unit_queries:
            queries = unit(queries, 3)
        if self.inner > 1:
            values = values.reshape(-1, self.width, self.inner * self.frames)
            keys = keys.reshape(-1, self.depth * self.inner, self.frames).softmax(2)
            keys = keys.reshape(-1, self.depth, self.inner * self.frames)
        else:
            keys = keys.softmax(2)
        content = (values @ keys.transpose(1, 2)).reshape(-1, self.width, 1, self.depth, 1)
        position = (values @ self.places).reshape(-1, self.width, 1, self.depth, self.frames)
        applied = ((content + position) * queries).sum(3)  # (b, v, h, n)
        y: Tensor = applied.reshape(-1, self.width * self.heads, self.frames)
        return y


class FrozenNorm(nn.Module):
    """A normalisation of parts of the frequency axis, as a gain and an offset of each band.

    Args:
        layer: The layer, in eval mode.
        bands: Bands that come in.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, layer: SubSpectralNorm, bands: int) -> None:
        super().__init__()
        norm = layer.norm
        assert norm.running_var is not None
        assert norm.running_mean is not None
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        offset = norm.bias - norm.running_mean * gain
        for name, values in (("gain", gain), ("offset", offset)):
            each = values.view(-1, layer.sub_bands).repeat_interleave(bands // layer.sub_bands, 1)
            self.register_buffer(name, each[:, :, None].detach())  # (channels, bands, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised activations of the same shape.

        Args:
            x: Shape ``(batch, channels, bands, frames)``.
        """
        return x * self.gain + self.offset


@torch.no_grad()
def frozen(network: nn.Module, *, mels: int, frames: int) -> nn.Module:
    """Return a copy of a network that computes the same for clips of one length.

    Args:
        network: Any network of the table.
        mels: Bands of the features.
        frames: Frames of a clip.

    Returns:
        ``features (batch, mels, frames) -> logits (batch, classes)``, in eval mode.
    """
    twin = fold_norms(copy.deepcopy(network).cpu().float().eval())
    shapes: dict[str, torch.Size] = {}
    hooks = [
        part.register_forward_pre_hook(
            lambda _, given, name=name: shapes.__setitem__(name, given[0].shape)
        )
        for name, part in twin.named_modules()
        if isinstance(part, TemporalLambda | SubSpectralNorm)
    ]
    twin(torch.zeros(1, mels, frames))
    for hook in hooks:
        hook.remove()
    for name, shape in shapes.items():
        part = twin.get_submodule(name)
        fixed = (
            FrozenLambda(part, shape[2])
            if isinstance(part, TemporalLambda)
            else FrozenNorm(part, shape[2])  # type: ignore[arg-type]  # the other of the two
        )
        twin.set_submodule(name, fixed)
    for value in twin.parameters():
        value.requires_grad = False
    return twin.eval()
