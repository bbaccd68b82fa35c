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
from watchword.models.lambda_resnet import LambdaBlock
from watchword.models.layers import GatedLambda, TemporalLambda, fold_norms


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
    product; below them stand ones that repeat the content for every frame, so that both lambdas are
    made and added in that product. Queries have their depth beside the frames, so that the last sum
    needs no array turned.

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
        repeat = torch.eye(self.depth).repeat_interleave(frames, 1)  # (k, k n)
        self.register_buffer("places", torch.cat([places, repeat]))
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
        content = values @ keys.transpose(1, 2)  # (b, v, k)
        lambdas = torch.cat([values, content], 2) @ self.places  # (b, v, k n)
        lambdas = lambdas.reshape(-1, self.width, 1, self.depth, self.frames)
        applied = (lambdas * queries).sum(3)  # (b, v, h, n)
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
        for name, values in zip(("gain", "offset"), _affine(layer.norm), strict=True):
            each = values.view(-1, layer.sub_bands).repeat_interleave(bands // layer.sub_bands, 1)
            self.register_buffer(name, each[:, :, None].detach())  # (channels, bands, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised activations of the same shape.

        Args:
            x: Shape ``(batch, channels, bands, frames)``.
        """
        return x * self.gain + self.offset


class FrozenBlock(nn.Module):
    """A block of LambdaResNet18 with what changes nothing left out.

    A sum of two rectified branches is not rectified again: where the shortcut hands on its input,
    that was rectified by the block before.

    Args:
        block: The block, in eval mode, its convolutions folded.
    """

    def __init__(self, block: LambdaBlock) -> None:
        super().__init__()
        self.conv, self.attend, self.shortcut = block.conv, block.attend, block.shortcut
        self.pool, self.norm = block.pool, block.norm
        self.rectify_branch = block.rectify_branch
        self.is_positive = block.rectify_branch and isinstance(block.shortcut, nn.Identity)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, ``(batch, channels, frames)``.

        Args:
            x: Not negative, shape ``(batch, channels, frames)``.
        """
        main = self.norm(self.pool(self.attend(self.conv(x).relu())))
        main = main.relu() if self.rectify_branch else main
        total: Tensor = main + self.shortcut(x)
        return total if self.is_positive else total.relu()


def _fold_gains(block: LambdaBlock) -> None:
    """Fold the normalisation after a gated layer into what comes before it, in place.

    With a = ReLU(conv), the block has ``s · (a + gate(lambda(a))) + t``; for s > 0, ``s · a`` is
    the convolution with s times its weights, of which the layer's projection takes 1/s.
    """
    gated, norm = block.attend, block.norm
    if not isinstance(gated, GatedLambda) or not isinstance(block.pool, nn.Identity):
        return
    assert isinstance(norm, nn.BatchNorm1d)
    gain, offset = _affine(norm)
    if not bool((gain > 0).all()):
        return
    conv, project, gate = block.conv.conv, gated.attend.project, gated.gate
    assert conv.bias is not None
    conv.weight.mul_(gain[:, None, None])
    conv.bias.mul_(gain)
    project.weight.div_(gain[None, :, None])
    gate.weight.mul_(gain)
    gate.bias.copy_(gate.bias * gain + offset)
    block.norm = nn.Identity().eval()


def _affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return what a normalisation in eval mode multiplies by, and what it adds."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return gain, norm.bias - norm.running_mean * gain


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
    for part in twin.modules():
        if isinstance(part, LambdaBlock):
            _fold_gains(part)
    for name, shape in shapes.items():
        part = twin.get_submodule(name)
        fixed = (
            FrozenLambda(part, shape[2])
            if isinstance(part, TemporalLambda)
            else FrozenNorm(part, shape[2])  # type: ignore[arg-type]  # the other of the two
        )
        twin.set_submodule(name, fixed)
    for name, part in [*twin.named_modules()]:
        if isinstance(part, LambdaBlock):
            twin.set_submodule(name, FrozenBlock(part))
    for value in twin.parameters():
        value.requires_grad = False
    return twin.eval()
