"""The temporal lambda layer, and the small parts that several networks share.

In comes a sequence ``(batch, channels, frames)``, out goes one of the same length. A room because
the lambda layer is what this project exists for: its equal forms live side by side here, where a
test can hold them against each other and a benchmark can choose between them.

Source:
    Bello, "LambdaNetworks: modeling long-range interactions without attention", ICLR 2021
    (arXiv 2102.08602); its temporal form in "Efficient keyword spotting by capturing long-range
    interactions with temporal lambda networks", 2021 (arXiv 2104.08086).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from watchword.errors import ConfigError, nearest
from watchword.models import fused
from watchword.models.layout import BatchNorm1d, Conv1d, frames_first, is_frames_first
from watchword.models.skew import SkewedProduct

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

    conv: nn.Conv1d
    norm: nn.Module

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
        conv = Conv1d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.add_module("conv", conv)
        self.add_module("norm", BatchNorm1d(channels_out))


class TemporalLambda(nn.Module):
    """Give each frame linear maps that sum up the clip and its surroundings, to apply to its query.

    With heads h, query depth k, intra-depth u, value depth v = channels / h and scope r, the
    content lambda C is one for the whole clip, and the position lambda P of frame n is made with
    embeddings E that all frames share. Values outside the clip are zero::

        C[k, v]    = Σ_u Σ_m softmax_m(K)[k, u, m] · V[v, u, m]
        P[n, k, v] = Σ_u Σ_j E[k, u, j] · V[v, u, n + j - r // 2]
        y[v, h, n] = Σ_k Q[k, h, n] · (C + P[n])[k, v]            channel v · heads + h of frame n

    Four ways of computing it give the same numbers; ``form`` chooses:

    * ``convolve``: convolve V with E, then contract with Q. The published graph; multiplications
      are counted on it.
    * ``window``: contract Q with E first, then sum over a sliding window of V.
    * ``map``: add the keys' softmax to E laid out as a frames × frames map, contract with Q,
      multiply by V.
    * ``skew``: contract Q with E, shift each frame's row into place (Dai et al. 2019, appendix B),
      multiply by V. In training on a CPU compiled code does the same (``fused``).

    Args:
        channels: Channels in and out; a multiple of ``heads``.
        heads: Number of heads h.
        query_depth: Query and key depth k.
        intra_depth: Intra-depth u.
        scope: Frames r that the position lambda sees, odd.
        embedding_deviation: Standard deviation of E at the start; ``(k · r) ** -0.5`` where not
            given (SPEC §2.1, weak point 2: with 1.0, as published, the position path starts 7 to 26
            times larger than the content path).
        unit_queries: Divide each head's query by its root mean square over the depth. The output is
            a product of three normalised factors, and on a few clips their tails multiply; a
            bounded query takes one of them away.
        form: Which of the equal computations to run.

    Raises:
        ConfigError: If the numbers make no layer, or there is no such form.

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
        unit_queries: bool = False,
        form: Form = "skew",
    ) -> None:
        super().__init__()
        self.unit_queries = unit_queries
        if channels % heads or scope % 2 == 0:
            raise ConfigError(
                f"found {channels} channels for {heads} heads and a scope of {scope} frames, "
                "needed whole channels for each head and an odd scope: change heads or scope"
            )
        if embedding_deviation is None:
            embedding_deviation = (query_depth * scope) ** -0.5
        self.heads, self.query_depth, self.intra_depth = heads, query_depth, intra_depth
        self.value_depth, self.scope, self.form = channels // heads, scope, known_form(form)
        queries, values = heads * query_depth, self.value_depth * intra_depth
        self.split = (queries + values, query_depth * intra_depth)
        self.project = nn.Conv1d(channels, sum(self.split), 1, bias=False)  # queries, values, keys
        self.norm: nn.Module = BatchNorm1d(queries + values)  # keys are not normalised
        self.embedding = nn.Parameter(torch.empty(query_depth, intra_depth, scope))
        nn.init.normal_(self.embedding, std=embedding_deviation)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the maps are made of: queries, keys and values.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.

        Returns:
            Queries ``(b, k, h, n)``, the keys' softmax over time ``(b, k, u, n)`` and values
            ``(b, v, u, n)``.
        """
        batch, frames = x.shape[0], x.shape[2]
        normed, keys = self.project(x).split(self.split, dim=1)
        queries, values = self.norm(normed).split(
            (self.heads * self.query_depth, self.value_depth * self.intra_depth), dim=1
        )
        queries = queries.reshape(batch, self.query_depth, self.heads, frames)
        if self.unit_queries:
            queries = F.normalize(queries, dim=1) * self.query_depth**0.5
        return (
            queries,
            keys.reshape(batch, self.query_depth, self.intra_depth, frames).softmax(-1),
            values.reshape(batch, self.value_depth, self.intra_depth, frames),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, shape ``(batch, channels, frames)``.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.
        """
        norm = self.norm
        is_usual = type(norm) is BatchNorm1d and norm.training and self.intra_depth == 1
        if is_usual and self.form == "skew" and fused.is_possible(x):
            return self._fused(x)
        is_turned = is_frames_first(x)
        queries, keys, values = self.parts(x.contiguous())
        if self.form == "map":
            y = self._map(queries, keys, values)
        elif self.form == "skew":
            y = self._skew(queries, keys, values)
        else:
            position = self._convolve if self.form == "convolve" else self._window
            y = self._content(queries, keys, values) + position(queries, values)
        return frames_first(y.reshape(x.shape)) if is_turned else y.reshape(x.shape)

    def _fused(self, x: Tensor) -> Tensor:
        """Return the layer's output by compiled code, with the statistics of the batch."""
        norm = self.norm
        assert isinstance(norm, BatchNorm1d)
        options = self.heads, self.unit_queries, norm.eps
        weights = self.project.weight.squeeze(2), norm.weight, norm.bias, self.embedding
        y, moments = fused.FusedLambda.apply(x.transpose(1, 2), *weights, options)  # type: ignore[no-untyped-call]  # torch gives it no types
        norm.remember(moments[0], moments[1], x.shape[0] * x.shape[2])
        turned: Tensor = y.transpose(1, 2)
        return turned

    def _content(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return the content path, ``(b, v, h n)``."""
        content = values.flatten(2) @ keys.flatten(2).transpose(1, 2)  # (b, v, k)
        return content @ queries.flatten(2)

    def _convolve(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the position path by convolving values with E, ``(b, v, h n)``."""
        batch, frames = values.shape[0], values.shape[3]
        rows = values.reshape(batch * self.value_depth, self.intra_depth, frames)
        position = F.conv1d(rows, self.embedding, padding=self.scope // 2)
        position = position.reshape(batch, self.value_depth, self.query_depth, frames)
        return torch.einsum("bkhn,bvkn->bvhn", queries, position).flatten(2)

    def _weights(self, queries: Tensor) -> Tensor:
        """Return Q · E, the weight of each tap of the scope for each frame, ``(b, h n, u r)``."""
        embedding = self.embedding.flatten(1).expand(queries.shape[0], -1, -1)  # spares a copy of Q
        return queries.flatten(2).transpose(1, 2) @ embedding

    def _window(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the position path by weighted sums over windows of values, ``(b, v, h n)``."""
        windows = F.pad(values, (self.scope // 2, self.scope // 2)).unfold(-1, self.scope, 1)
        shape = (values.shape[0], self.heads, values.shape[3], self.intra_depth, self.scope)
        weights = self._weights(queries).view(shape)
        return torch.einsum("bhnur,bvunr->bvhn", weights, windows).flatten(2)

    def _skew(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return both paths, Q · E placed in a frames × frames map, ``(b, v, h n)``."""
        shape = (values.shape[0], self.heads, values.shape[3], self.intra_depth, self.scope)
        taps = self._weights(queries).view(shape)  # (b, h, n, u, r)
        content = self._content(queries, keys, values)
        y: Tensor = SkewedProduct.apply(content, taps, values)  # type: ignore[no-untyped-call]  # torch gives it no types
        return y

    def toeplitz(self, frames: int) -> Tensor:
        """Return E laid out as a map, ``T[n, k, u, m] = E[k, u, m - n + r // 2]``.

        Args:
            frames: Length of the sequence.

        Returns:
            The map, zero outside the scope, shape ``(frames, query_depth, intra_depth, frames)``.
        """
        frame = torch.arange(frames, device=self.embedding.device)
        tap = frame.unsqueeze(0) - frame.unsqueeze(1) + self.scope // 2  # (n, m)
        inside = (tap >= 0) & (tap < self.scope)
        placed = self.embedding[..., tap.clamp(0, self.scope - 1)] * inside  # (k, u, n, m)
        return placed.permute(2, 0, 1, 3)

    def maps(self, x: Tensor) -> Tensor:
        """Return what each frame takes from each other frame.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.

        Returns:
            Weights of the values, shape ``(batch, heads, frames, intra_depth, frames)``: the output
            at a frame (third axis) is their product with the values, summed over the last two axes.
        """
        queries, keys, _ = self.parts(x)
        return self._attend(queries, keys)

    def _attend(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return Qᵀ · (T + softmax(K)), ``(b, h, n, u, m)``."""
        frames = queries.shape[3]
        total = self.toeplitz(frames) + keys.unsqueeze(1)  # (b, n, k, u, m)
        rows = queries.permute(0, 3, 2, 1) @ total.flatten(3)  # (b, n, h, u m)
        shape = (rows.shape[0], self.heads, frames, self.intra_depth, frames)
        return rows.transpose(1, 2).reshape(shape)

    def _map(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return both paths by one map, ``(b, v, h n)``."""
        attended = self._attend(queries, keys).flatten(3).flatten(1, 2)  # (b, h n, u m)
        return values.flatten(2) @ attended.transpose(1, 2)

    @torch.no_grad()
    def fold(self) -> None:
        """Fold the normalisation of queries and values into the projection, in place; in eval mode.

        Values are padded after the bias, as the unfolded layer pads what its normalisation returns.
        Keys get a bias of zero: the softmax over time cancels any other.
        """
        assert not self.training, "statistics of a batch cannot be folded"
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm1d):
            return
        assert norm.running_var is not None
        assert norm.running_mean is not None
        gain = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = F.pad(norm.bias - norm.running_mean * gain, (0, self.split[1]))
        folded = nn.Conv1d(self.project.in_channels, self.project.out_channels, 1).to(gain)
        folded.load_state_dict({"weight": self.project.weight, "bias": bias})
        folded.weight[: len(gain)] *= gain[:, None, None]
        self.project, self.norm = folded.eval(), nn.Identity().eval()


class GatedLambda(nn.Module):
    """A lambda layer added to its input, from nothing at the start to as much as helps.

    Its gate is a normalisation whose gains begin at zero, as the last one of a residual branch may
    (Goyal et al. 2017, arXiv 1706.02677, §5.1).

    Args:
        attend: The lambda layer.
    """

    def __init__(self, attend: TemporalLambda) -> None:
        super().__init__()
        self.attend = attend
        self.gate = BatchNorm1d(attend.heads * attend.value_depth)
        nn.init.zeros_(self.gate.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input and what the layer finds in it, of the same shape.

        Args:
            x: Sequence, shape ``(batch, channels, frames)``.
        """
        found: Tensor = self.gate(self.attend(x))
        return x + found


def known_form(form: Form) -> Form:
    """Return a form, if there is such a one.

    Args:
        form: One of ``FORMS``.

    Raises:
        ConfigError: If it is not; the message names those that exist.
    """
    if form not in FORMS:
        raise ConfigError(
            f"no form of the lambda layer is called {form!r}: {nearest(form, [*FORMS])}"
        )
    return form


def set_form(network: nn.Module, form: Form) -> None:
    """Choose the computation of every lambda layer of a network, in place.

    Args:
        network: Any network.
        form: One of ``FORMS``.

    Raises:
        ConfigError: If there is no such form.
    """
    form = known_form(form)
    for layer in network.modules():
        if isinstance(layer, TemporalLambda):
            layer.form = form


@torch.no_grad()
def fold_norms(network: nn.Module) -> nn.Module:
    """Fold the batch normalisation of every lambda layer and ``ConvNorm`` of a network, in place.

    Each goes into the convolution before it; what follows a pool or a sum stays.

    Args:
        network: A network in eval mode.

    Returns:
        The same network, which computes the same.
    """
    assert not network.training, "statistics of a batch cannot be folded"
    for part in network.modules():
        if isinstance(part, TemporalLambda):
            part.fold()
        elif isinstance(part, ConvNorm) and isinstance(part.norm, nn.BatchNorm1d):
            part.conv = nn.utils.fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity().eval()
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
