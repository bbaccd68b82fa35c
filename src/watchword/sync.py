"""Batch normalisation over the batches of several CPU processes.

In come activations on every process, out go activations normalised with the statistics of all of
them. A room because torch has this for GPUs alone, and without it two processes do not compute what
one computes on the doubled batch.

Source:
    Ioffe & Szegedy 2015 (arXiv 1502.03167), algorithm 1, with sums taken over processes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class _SumOverProcesses(torch.autograd.Function):
    """Sum over processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class SyncBatchNorm(nn.BatchNorm1d):
    """Batch normalisation with the statistics of all processes together; channels are axis 1."""

    def _check_input_dim(self, _input: Tensor) -> None:
        """Accept any number of axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised activations of the same shape.

        Args:
            x: Shape ``(batch, channels, ...)``.
        """
        if not self.training or not distributed.is_initialized():
            return super().forward(x)
        wide = x if x.dtype == torch.float64 else x.float()
        mean, variance, total = _joint_statistics(wide)
        self._remember(mean.detach(), variance.detach(), total)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        gain = (variance + self.eps).rsqrt()
        bias = -mean * gain
        if self.affine:
            gain = gain * self.weight
            bias = bias * self.weight + self.bias
        return (wide * gain.to(wide).view(shape) + bias.to(wide).view(shape)).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, total: float) -> None:
        """Move the running statistics towards those of a batch; the variance without its bias."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        weight = self.momentum
        if weight is None:  # as in torch: a plain mean over all batches
            weight = 1.0 / float(self.num_batches_tracked)
        variance = variance * (total / (total - 1))
        self.running_mean.lerp_(mean.to(self.running_mean), weight)
        self.running_var.lerp_(variance.to(self.running_var), weight)

    @classmethod
    def convert(cls, network: nn.Module) -> nn.Module:
        """Replace every batch normalisation of a network, weights and names unchanged.

        Args:
            network: Changed in place.

        Returns:
            The network, or its replacement where it is a batch normalisation itself.
        """
        if isinstance(network, nn.modules.batchnorm._BatchNorm):
            twin = cls(network.num_features, network.eps, network.momentum, network.affine)
            for name, value in [*network.named_parameters(), *network.named_buffers()]:
                setattr(twin, name, value)
            return twin.train(network.training)
        for name, part in list(network.named_children()):
            setattr(network, name, cls.convert(part))
        return network


def _joint_statistics(x: Tensor) -> tuple[Tensor, Tensor, float]:
    """Return mean and variance of each channel over all processes, float64, and the values in each.

    Processes exchange sums in float64, so that a mean far from zero costs the variance no digits.
    """
    axes = [axis for axis in range(x.ndim) if axis != 1]
    count = x.numel() // x.shape[1]
    variance, mean = (part.double() for part in torch.var_mean(x, axes, correction=0))
    sums = torch.cat([mean, variance + mean.square(), mean.new_ones(1)]) * count
    sums = _SumOverProcesses.apply(sums)  # type: ignore[no-untyped-call]  # torch gives it no types
    total = sums[-1].detach()
    mean, square = (sums[:-1] / total).chunk(2)
    return mean, (square - mean.square()).clamp_min(0.0), float(total)
