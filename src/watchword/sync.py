"""Batch normalisation over the batches of several CPU processes.

In come activations on every process, out go activations normalised with the statistics of all of them. A room because
torch has this for GPUs alone, and without it two processes do not compute what one computes on the doubled batch.

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
    def backward(_context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class SyncBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics are those of all processes together; channels are axis 1."""

    def _check_input_dim(self, _input: Tensor) -> None:
        """Accept any number of axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised activations of the same shape.

        Args:
            x: Shape ``(batch, channels, ...)``.
        """
        if not self.training or not distributed.is_initialized():
            return super().forward(x)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() / x.shape[1]
        sums = torch.cat([x.sum(axes), x.square().sum(axes), x.new_tensor([count])])
        sums = _SumOverProcesses.apply(sums)
        total = sums[-1].detach()
        mean, square = sums[:-1].chunk(2)
        mean = mean / total
        variance = (square / total - mean.square()).clamp_min(0.0)
        self._remember(mean.detach(), variance.detach(), total)
        shape = (1, -1) + (1,) * (x.ndim - 2)
        gain = (variance + self.eps).rsqrt()
        bias = -mean * gain
        if self.affine:
            gain = gain * self.weight
            bias = bias * self.weight + self.bias
        return x * gain.view(shape) + bias.view(shape)

    def _remember(self, mean: Tensor, variance: Tensor, total: Tensor) -> None:
        """Move the running statistics towards those of a batch; the variance without its bias."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        momentum = self.momentum if self.momentum is not None else 0.1
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * total / (total - 1), momentum)
        self.num_batches_tracked += 1

    @classmethod
    def convert(cls, network: nn.Module) -> nn.Module:
        """Replace every batch normalisation of a network, weights and names unchanged.

        Args:
            network: Changed in place, and returned.
        """
        for name, part in list(network.named_children()):
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                twin = cls(part.num_features, part.eps, part.momentum, part.affine)
                twin.load_state_dict(part.state_dict())
                setattr(network, name, twin)
            else:
                cls.convert(part)
        return network
