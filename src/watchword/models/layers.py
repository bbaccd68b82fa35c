"""The temporal lambda layer, and the small parts that several networks share.

In comes a sequence ``(batch, channels, frames)``, out goes one of the same length. A room because the lambda layer
is what this project exists for: its equal forms live side by side here, where a test can hold them against each
other and a benchmark can choose between them.

Source:
    Bello, "LambdaNetworks: modeling long-range interactions without attention", ICLR 2021 (arXiv 2102.08602); its
    temporal form in "Efficient keyword spotting by capturing long-range interactions with temporal lambda networks",
    2021 (arXiv 2104.08086).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Form = Literal["convolve", "window", "map", "skew"]
FORMS: tuple[Form, ...] = get_args(Form)


class ConvNorm(nn.Sequential):
    """A convolution over time without bias, followed by batch normalisation.

    Args:
        channels_in: Channels of the input.
        channels_out: Channels of the output.
        kernel: Width of the kernel in frames.
        stride: Step between output frames.
        padding: Frames of zeros on either side; half the kernel where not given.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        padding = kernel // 2 if padding is None else padding
        conv = nn.Conv1d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.add_module("conv", conv)
        self.add_module("norm", nn.BatchNorm1d(channels_out))


class TemporalLambda(nn.Module):
    """Summarise a clip, and each frame's surroundings, as linear maps that every frame applies to its query.

    With heads h, query depth k, intra-depth u, value depth v = channels / h and scope r, for frame n::

        content lambda    C[k, v]    = Σ_u Σ_m softmax_m(K)[k, u, m] · V[v, u, m]      one for the whole clip
        position lambda   P[n, k, v] = Σ_u Σ_j E[k, u, j] · V[v, u, n + j - r // 2]    E shared by all frames
        output of head h  y[h, v, n] = Σ_k Q[h, k, n] · (C + P[n])[k, v]

    Four ways of computing it give the same numbers; ``form`` chooses:

    * ``convolve``: convolve V with E, then contract with Q. The published graph; multiplications are counted on it.
    * ``window``: contract Q with E first, then sum over a sliding window of V.
    * ``map``: add the key's softmax to E laid out as a frames × frames map, contract with Q, multiply by V.
    * ``skew``: contract Q with E, shift each frame's row into place (Dai et al. 2019, appendix B), multiply by V.

    Args:
        channels: Channels in and out; a multiple of ``heads``.
        heads: Number of heads h.
        query_depth: Query and key depth k.
        intra_depth: Intra-depth u.
        scope: Frames r that the position lambda sees, odd.
        embedding_deviation: Standard deviation of E at the start; ``(k · r) ** -0.5`` where not given (SPEC §2.1,
            weak point 2: with 1.0, as published, the position path starts 7 to 26 times larger than the content path).
        form: Which of the equal computations to run.

    Source:
        Bello 2021, §3.1 and figure 3; the paper's temporal form §2.2.

    Example:
        >>> TemporalLambda(24)(torch.zeros(2, 24, 50)).shape
        torch.Size([2, 24, 50])
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int = 4,
        query_depth: int = 16,
        intra_depth: int = 1,
        scope: int = 23,
        embedding_deviation: float | None = None,
        form: Form = "skew",
    ) -> None:
        super().__init__()
        if channels % heads or scope % 2 == 0:
            raise ValueError(f"{channels} channels for {heads} heads, scope {scope}: need whole heads and an odd scope")
        self.heads, self.query_depth, self.intra_depth = heads, query_depth, intra_depth
        self.value_depth, self.scope, self.form = channels // heads, scope, form
        queries, values = heads * query_depth, self.value_depth * intra_depth
        self.split = (queries + values, query_depth * intra_depth)
        self.project = nn.Conv1d(channels, sum(self.split), 1, bias=False)  # queries, values, keys in one
        self.norm: nn.Module = nn.BatchNorm1d(queries + values)  # keys are not normalised
        self.embedding = nn.Parameter(torch.empty(query_depth, intra_depth, scope))
        nn.init.normal_(self.embedding, std=embedding_deviation or (query_depth * scope) ** -0.5)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries ``(b, h, k, n)``, softmaxed keys ``(b, k, u, n)`` and values ``(b, v, u, n)``.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.
        """
        batch, frames = x.shape[0], x.shape[2]
        normed, keys = self.project(x).split(self.split, dim=1)
        queries, values = self.norm(normed).split(
            (self.heads * self.query_depth, self.value_depth * self.intra_depth), dim=1
        )
        return (
            queries.reshape(batch, self.heads, self.query_depth, frames),
            keys.reshape(batch, self.query_depth, self.intra_depth, frames).softmax(-1),
            values.reshape(batch, self.value_depth, self.intra_depth, frames),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape ``(batch, channels, frames)``.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.
        """
        queries, keys, values = self.parts(x)
        if self.form == "map":
            y = self._map(queries, keys, values)
        else:
            positional = {"convolve": self._convolve, "window": self._window, "skew": self._skew}[self.form]
            y = self._content(queries, keys, values) + positional(queries, values)
        return y.reshape(x.shape)

    def _content(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the content path, ``(b, h, v, n)``."""
        content = values.flatten(2) @ keys.flatten(2).transpose(1, 2)  # (b, v, k)
        return content.unsqueeze(1) @ queries

    def _convolve(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the position path by convolving values with E, ``(b, h, v, n)``."""
        batch, frames = values.shape[0], values.shape[3]
        rows = values.reshape(batch * self.value_depth, self.intra_depth, frames)
        position = F.conv1d(rows, self.embedding, padding=self.scope // 2)
        position = position.reshape(batch, self.value_depth, self.query_depth, frames)
        return torch.einsum("bhkn,bvkn->bhvn", queries, position)

    def _weights(self, queries: Tensor) -> Tensor:
        """Return Q · E: how much each tap of the scope counts for each frame, ``(b, h, n, u, r)``."""
        weights = queries.transpose(2, 3) @ self.embedding.flatten(1)
        return weights.unflatten(-1, (self.intra_depth, self.scope))

    def _window(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the position path by a weighted sum over sliding windows of values, ``(b, h, v, n)``."""
        windows = F.pad(values, (self.scope // 2, self.scope // 2)).unfold(-1, self.scope, 1)
        return torch.einsum("bhnur,bvunr->bhvn", self._weights(queries), windows)

    def _skew(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the position path by placing Q · E in a frames × frames map, ``(b, h, v, n)``."""
        batch, frames = values.shape[0], values.shape[3]
        weights = self._weights(queries).transpose(2, 3)  # (b, h, u, n, r)
        wide = frames + self.scope - 1
        # each row padded to one more than the map is wide, then read as rows of that width: row n moves right by n
        skewed = F.pad(weights, (0, frames)).flatten(-2)[..., : frames * wide].unflatten(-1, (frames, wide))
        maps = skewed[..., self.scope // 2 : self.scope // 2 + frames]  # (b, h, u, n, m)
        maps = maps.transpose(2, 3).reshape(batch, self.heads * frames, self.intra_depth * frames)
        y = values.flatten(2) @ maps.transpose(1, 2)  # (b, v, h n)
        return y.unflatten(-1, (self.heads, frames)).transpose(1, 2)

    def toeplitz(self, frames: int) -> Tensor:
        """Return E laid out as a map: ``T[n, k, u, m] = E[k, u, m - n + r // 2]``, zero outside the scope.

        Args:
            frames: Length of the sequence.

        Returns:
            The map, shape ``(frames, query depth, intra-depth, frames)``.
        """
        frame = torch.arange(frames, device=self.embedding.device)
        tap = frame.unsqueeze(0) - frame.unsqueeze(1) + self.scope // 2  # (n, m)
        inside = (tap >= 0) & (tap < self.scope)
        placed = self.embedding[..., tap.clamp(0, self.scope - 1)] * inside  # (k, u, n, m)
        return placed.permute(2, 0, 1, 3)

    def maps(self, x: Tensor) -> Tensor:
        """Return what each frame takes from each other frame, ``(batch, heads, frames, intra-depth, frames)``.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.
        """
        queries, keys, _ = self.parts(x)
        return self._attend(queries, keys)

    def _attend(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return Qᵀ · (T + softmax(K)), ``(b, h, n, u, m)``."""
        total = self.toeplitz(queries.shape[-1]) + keys.unsqueeze(1)  # (b, n, k, u, m)
        rows = queries.permute(0, 3, 1, 2) @ total.flatten(3)  # (b, n, h, u m)
        return rows.transpose(1, 2).unflatten(-1, (self.intra_depth, -1))

    def _map(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return content and position paths together by one map, ``(b, h, v, n)``."""
        attended = self._attend(queries, keys).flatten(3)  # (b, h, n, u m)
        return values.flatten(2).unsqueeze(1) @ attended.transpose(2, 3)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold the normalisation of queries and values into the projection, in place; for inference only.

        Values are padded after the bias, as the unfolded layer pads what its normalisation returns. Keys get a bias
        of zero: the softmax over time cancels any other.
        """
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm1d):
            return
        assert norm.running_var is not None
        assert norm.running_mean is not None
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        folded = nn.Conv1d(self.project.in_channels, self.project.out_channels, 1).to(gain)
        folded.weight.copy_(self.project.weight)
        folded.weight[: len(gain)] *= gain[:, None, None]
        folded.bias.copy_(F.pad(norm.bias - norm.running_mean * gain, (0, self.split[1])))
        self.project, self.norm = folded, nn.Identity()


def set_form(network: nn.Module, form: Form) -> None:
    """Choose the computation of every lambda layer of a network, in place.

    Args:
        network: Any network.
        form: One of ``FORMS``.
    """
    for layer in network.modules():
        if isinstance(layer, TemporalLambda):
            layer.form = form


@torch.no_grad()
def fold_norms(network: nn.Module) -> nn.Module:
    """Return the network with every foldable batch normalisation folded into the convolution before it, in place.

    Args:
        network: A network in eval mode.

    Returns:
        The same network.
    """
    for part in network.modules():
        if isinstance(part, TemporalLambda):
            part.fold()
        elif isinstance(part, ConvNorm) and isinstance(part.norm, nn.BatchNorm1d):
            part.conv = nn.utils.fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity()
    return network


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """Return a channel count multiplied by a width, rounded up to a whole multiple.

    Args:
        channels: Channels at width 1.
        width: Width multiplier, above 0.
        multiple: What the result must be divisible by.

    Example:
        >>> scaled(24, 1.5), scaled(45, 0.5), scaled(24, 0.3, 4)
        (36, 23, 8)
    """
    return max(multiple, math.ceil(channels * width / multiple - 1e-9) * multiple)
