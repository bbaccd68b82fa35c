"""The lambda layer in training as compiled code, where a C compiler is found.

In come a sequence and the layer's weights, out goes its output with the statistics of the batch. A
room because this is the one place where arrays leave torch: ``lambda.c`` does what projection,
normalisation, softmax and products do one after another, clip by clip within the cache. Its results
are those of :class:`~watchword.models.layers.TemporalLambda` but for rounding.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from watchword import native

LAMBDA, COLUMNS = (Path(__file__).with_name(name) for name in ("lambda.c", "columns.c"))


class Sizes(ctypes.Structure):
    """The sizes of a layer and of a batch, as the C code knows them."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("clips", "frames", "heads", "depth", "width")),
        *((name, ctypes.c_long) for name in ("scope", "is_unit", "threads")),
        ("eps", ctypes.c_float),
    )


def is_possible(x: Tensor) -> bool:
    """Tell whether the compiled code can take a sequence: float32 on a CPU, a compiler found.

    Args:
        x: Shape ``(batch, channels, frames)``.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and x.shape[0] * x.shape[2] > 1  # one value has no variance; torch says so
        and is_compiled()
    )


def is_compiled() -> bool:
    """Tell whether there is compiled code on this machine; it is made at the first call."""
    return native.library(LAMBDA) is not None and native.library(COLUMNS) is not None


class FusedLambda(torch.autograd.Function):
    """Project, normalise over the batch, and apply content and position lambdas."""

    @staticmethod
    def forward(
        context: Any,
        rows: Tensor,
        weight: Tensor,
        gain: Tensor,
        offset: Tensor,
        embedding: Tensor,
        options: tuple[int, bool, float],
    ) -> tuple[Tensor, Tensor]:
        """Return the output ``(batch, frames, channels)``, and mean and variance of each column.

        Args:
            context: Keeps what the way back needs.
            rows: Shape ``(batch, frames, channels)``.
            weight: Projection to queries, values and keys, shape ``(columns, channels)``.
            gain: Of the normalisation of queries and values.
            offset: Of the same.
            embedding: E, shape ``(query_depth, 1, scope)``.
            options: Heads, whether queries are bounded, and the normalisation's epsilon.
        """
        heads, is_unit, eps = options
        depth, _, scope = embedding.shape
        width = len(gain) - heads * depth
        sizes = (*rows.shape[:2], heads, depth, width, scope, is_unit, torch.get_num_threads())
        context.sizes = Sizes(*sizes, eps)
        rows = rows.contiguous()
        z = _rows(F.conv2d(_image(rows), weight[:, :, None, None])).contiguous()
        moments = z.new_empty(2, len(gain))
        y = z.new_empty(*rows.shape[:2], heads * width)
        given = [part.contiguous() for part in (gain, offset, embedding)]
        call(COLUMNS, "column_moments", z, *_sides(z), len(gain), *moments)
        call(LAMBDA, "lambda_forward", context.sizes, z, *moments, *given, y)
        context.save_for_backward(rows, weight, z, moments, *given)
        context.mark_non_differentiable(moments)
        return y, moments

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of rows, weight, gain, offset and embedding.

        Args:
            context: As kept by ``forward``.
            gradient: Of the output, shape ``(batch, frames, channels)``.
        """
        rows, weight, z, moments, *given = context.saved_tensors
        gradient = gradient.contiguous()
        of_z = torch.empty_like(z)
        sums = [part.new_zeros(context.sizes.threads, *part.shape) for part in given]
        call(LAMBDA, "lambda_backward", context.sizes, z, *moments, *given, gradient, of_z, *sums)
        of_gain, of_offset, of_embedding = (total[0] for total in sums)
        norm = *moments, given[0], context.sizes.eps
        told = z, *_sides(z), len(of_gain), *norm, of_gain, of_offset, of_z, of_z
        call(COLUMNS, "column_gradients", *told)
        of_image, of_weight, _ = torch.ops.aten.convolution_backward(
            *(_image(of_z), _image(rows), weight[:, :, None, None], None, (1, 1), (0, 0), (1, 1)),
            *(False, (0, 0), 1, (True, True, False)),
        )
        of_rows, of_weight = _rows(of_image), of_weight.flatten(1)
        return of_rows, of_weight, of_gain, of_offset, of_embedding, None


def _image(rows: Tensor) -> Tensor:
    """Return rows ``(batch, frames, columns)`` as images one row high, in the same memory.

    A convolution of one pixel is a matrix product, and the quicker one on many processors.
    """
    return rows.transpose(1, 2).unsqueeze(2)


def _rows(image: Tensor) -> Tensor:
    """Return images one row high as rows ``(batch, frames, columns)``."""
    return image.squeeze(2).transpose(1, 2)


def _sides(rows: Tensor) -> tuple[int, int]:
    """Return how many rows there are, and columns."""
    return rows.shape[0] * rows.shape[1], rows.shape[2]


class FusedNorm(torch.autograd.Function):
    """Normalise columns over all rows."""

    @staticmethod
    def forward(
        context: Any, rows: Tensor, gain: Tensor, offset: Tensor, eps: float
    ) -> tuple[Tensor, Tensor]:
        """Return normalised rows, and mean and variance of each column.

        Args:
            context: Keeps what the way back needs.
            rows: Shape ``(batch, frames, columns)``, contiguous.
            gain: What a normalised column is multiplied by.
            offset: What is then added.
            eps: Added to the variance.
        """
        moments, y = rows.new_empty(2, len(gain)), torch.empty_like(rows)
        call(COLUMNS, "column_moments", rows, *_sides(rows), len(gain), *moments)
        call(COLUMNS, "column_apply", rows, *_sides(rows), *moments, gain, offset, eps, y)
        context.save_for_backward(rows, gain, moments)
        context.eps = eps
        context.mark_non_differentiable(moments)
        return y, moments

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of rows, gain and offset.

        Args:
            context: As kept by ``forward``.
            gradient: Of the normalised rows.
        """
        rows, gain, moments = context.saved_tensors
        gradient = gradient.contiguous()
        of_rows, (of_gain, of_offset) = torch.empty_like(rows), torch.empty_like(moments)
        sums = of_gain, of_offset
        call(COLUMNS, "column_sums", rows, *_sides(rows), moments[0], gradient, *sums)
        told = rows, *_sides(rows), len(gain), *moments, gain, context.eps, *sums, gradient, of_rows
        call(COLUMNS, "column_gradients", *told)
        return of_rows, of_gain, of_offset, None


def call(source: Path, name: str, *arguments: Tensor | Sizes | int | float) -> None:
    """Call a function of the compiled code.

    Args:
        source: Where it is.
        name: Its name.
        *arguments: Arrays, sizes and numbers, as it declares them.

    Raises:
        MemoryError: If it found no memory.
    """
    if getattr(native.library(source), name)(*map(_as_c, arguments)) != 0:
        raise MemoryError(f"no memory for {name}: use smaller batches")


def _as_c(argument: Tensor | Sizes | int | float) -> Any:
    """Return an argument as C knows it; an array as where it begins."""
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, Sizes):
        return ctypes.byref(argument)
    return ctypes.c_long(argument) if isinstance(argument, int) else ctypes.c_float(argument)
