"""A network in 8 bits: static quantisation with ranges measured on real audio.

In comes a network as ONNX and features it should hear, out goes the same network with 8-bit weights
and activations around its products. A room because which operators are worth it, and how their
ranges are found, is decided here: the front end and the softmax stay in float, where a logarithm of
energies over twelve decades needs it.
"""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

PERCENTILE: Final = 99.99
"""Of the values of an activation, how many its range holds."""
WEIGHTED: Final = ("Conv", "Gemm", "MatMul")
"""What is computed in 8 bits; values of other operators are not kept, for no range needs them."""
LARGE: Final = 1_024
"""Numbers from which a constant is stored in fewer bits than it is computed in."""
HIGHEST: Final = 127
"""The largest number of eight bits with a sign."""


def eight_bit(network: onnx.ModelProto, features: Iterable[NDArray[np.float32]]) -> onnx.ModelProto:
    """Return a network with 8-bit weights and activations.

    Weights have a scale for each channel and use seven of the eight bits: processors without 8-bit
    dot products add two products in 16 bits, which eight would overflow, and answers must not
    depend on the processor.

    Args:
        network: Features -> posteriors, as traced.
        features: What it should hear, each ``(batch, mels, frames)``.
    """
    constants = {one.name for one in network.graph.initializer}
    weighted = [
        node.name
        for node in network.graph.node
        if node.op_type in WEIGHTED and (node.op_type != "MatMul" or node.input[1] in constants)
    ]
    with tempfile.TemporaryDirectory() as folder, _quietly():
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(network, before)
        quantization.quantize_static(
            before,
            after,
            _Heard(features),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=[*WEIGHTED],
            nodes_to_quantize=weighted,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
        return stored_in_bytes(onnx.load(after))


class _Heard(quantization.CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """Features one batch after another, as onnxruntime asks for them."""

    def __init__(self, features: Iterable[NDArray[np.float32]]) -> None:
        self.rest = iter(features)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or nothing."""
        batch = next(self.rest, None)
        return None if batch is None else {"features": batch}


def stored_small(front: onnx.ModelProto) -> onnx.ModelProto:
    """Return a front end whose large matrices are stored in fewer bits, and computed in float.

    Half precision for those of the Fourier transform, where large terms cancel; 8 bits with a scale
    for each row for mel filters, which add up energies: nothing cancels in a sum without signs, and
    a band is off by less than a hundredth.

    Args:
        front: A front end as traced.
    """
    model = copy.deepcopy(front)
    graph = model.graph
    casts = []
    for one in graph.initializer:
        values = numpy_helper.to_array(one)
        if values.dtype == np.float32 and values.size >= LARGE and values.min() < 0:
            name = one.name
            one.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [one.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return stored_in_bytes(model)


def stored_in_bytes(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose large matrices that are left in float are stored in 8 bits.

    Recurrent layers have no 8-bit form in ONNX that stays within the standard operators: they are
    computed in float, from weights with a scale for each row.

    Args:
        network: As quantised, or a front end.
    """
    model = copy.deepcopy(network)
    graph = model.graph
    nodes = []
    for one in list(graph.initializer):
        values = numpy_helper.to_array(one)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < LARGE:
            continue
        rows = np.abs(values).reshape(len(values), -1).max(axis=1)
        scales = np.where(rows > 0, rows / HIGHEST, 1).astype(np.float32)
        steps = np.round(values / scales.reshape(-1, *[1] * (values.ndim - 1)))
        kept, scale = f"{one.name}_bytes", f"{one.name}_scale"
        nodes.append(helper.make_node("DequantizeLinear", [kept, scale], [one.name], axis=0))
        graph.initializer.append(numpy_helper.from_array(scales, scale))
        one.CopyFrom(numpy_helper.from_array(steps.astype(np.int8), kept))
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return model


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep what onnxruntime's tool tells about itself from the user's screen."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(StringIO()):
            yield
    finally:
        root.setLevel(level)
