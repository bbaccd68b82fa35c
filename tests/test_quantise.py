"""Networks in 8 bits: what is stored small is computed as it was, to half a step."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from watchword import quantise

ROWS, COLUMNS = 64, 32


def network(weights: np.ndarray) -> onnx.ModelProto:
    """``x @ weights.T``, the weights turned at run time, as recurrent layers keep them."""
    nodes = [
        helper.make_node("Transpose", ["w"], ["turned"]),
        helper.make_node("MatMul", ["x", "turned"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", COLUMNS])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", ROWS])
    kept = [numpy_helper.from_array(weights, "w")]
    graph = helper.make_graph(nodes, "g", [given], [wanted], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def answered(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    """What onnxruntime computes."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: np.ndarray = session.run(["y"], {"x": x})[0]
    return found


def test_matrices_left_in_float_are_stored_in_bytes_with_a_scale_for_each_row() -> None:
    drawn = np.random.default_rng(0)
    weights = drawn.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    weights[3] *= 1_000  # a large row costs the others nothing
    weights[4] = 0
    small = quantise.stored_in_bytes(network(weights))
    kept = {one.name: numpy_helper.to_array(one) for one in small.graph.initializer}
    assert {name: value.dtype for name, value in kept.items()} == {
        "w_bytes": np.int8,
        "w_scale": np.float32,
    }
    step = np.abs(weights).max(axis=1) / 127
    stored = kept["w_bytes"] * kept["w_scale"][:, None]
    assert np.all(np.abs(stored - weights) <= 0.5001 * step[:, None])
    x = drawn.normal(size=(5, COLUMNS)).astype(np.float32)
    np.testing.assert_allclose(answered(small, x), x @ stored.T, rtol=1e-4, atol=1e-4)


def test_small_matrices_and_vectors_are_left_as_they_are() -> None:
    few = np.ones((quantise.LARGE // COLUMNS - 1, COLUMNS), np.float32)
    model = network(few)
    assert quantise.stored_in_bytes(model) == model


def test_a_front_end_keeps_signed_matrices_in_half_precision_and_filters_in_bytes() -> None:
    drawn = np.random.default_rng(0)
    transform = drawn.normal(size=(40, 64)).astype(np.float32)
    filters = np.abs(drawn.normal(size=(64, 32))).astype(np.float32)
    filters[filters < 0.5] = 0.0
    nodes = [
        helper.make_node("MatMul", ["x", "transform"], ["spectrum"]),
        helper.make_node("Abs", ["spectrum"], ["energies"]),
        helper.make_node("MatMul", ["energies", "filters"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 40])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])
    kept = [numpy_helper.from_array(transform, "transform")]
    kept.append(numpy_helper.from_array(filters, "filters"))
    graph = helper.make_graph(nodes, "g", [given], [wanted], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    small = quantise.stored_small(model)
    kinds = {one.name: numpy_helper.to_array(one).dtype for one in small.graph.initializer}
    assert kinds == {
        "transform_half": np.float16,
        "filters_bytes": np.int8,
        "filters_scale": np.float32,
    }
    x = drawn.normal(size=(3, 40)).astype(np.float32)
    np.testing.assert_allclose(answered(small, x), np.abs(x @ transform) @ filters, rtol=0.01)
