"""Graphs of clips and of streams that average what they hear, for bundles worked out by hand.

``waveform`` (batch, samples of a clip) goes to ``posteriors`` (batch, classes); ``chunk`` and
``audio``, the samples before it, go to ``posteriors`` (streams, scores, classes) and
``next_audio``. What they answer differs from bundle to bundle and is given as nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper

Node = onnx.NodeProto


def averaging(
    name: str, classes: int, clip: int, score: int, answer: Sequence[Node]
) -> dict[str, bytes]:
    """The two graphs of a bundle.

    ``answer`` goes from ``p``, the mean of the clip at each score (streams, 1, scores), to ``each``
    (streams, scores, classes); it may use the constant ``one``.
    """
    mean = helper.make_node("AveragePool", ["heard"], ["p"], kernel_shape=[clip], strides=[score])
    of_clips = [
        helper.make_node("Unsqueeze", ["waveform", "axis"], ["heard"]),
        mean,
        *answer,
        helper.make_node("Squeeze", ["each", "axis"], ["posteriors"]),
    ]
    of_streams = [
        helper.make_node("Concat", ["audio", "chunk"], ["all"], axis=1),
        helper.make_node("Unsqueeze", ["all", "axis"], ["heard"]),
        mean,
        *answer,
        helper.make_node("Identity", ["each"], ["posteriors"]),
        helper.make_node("Slice", ["all", "start", "end", "axis"], ["next_audio"]),
    ]
    past = ["streams", clip - score]
    return {
        "clip.onnx": _model(
            name, of_clips, {"waveform": ["batch", clip]}, {"posteriors": ["batch", classes]}
        ),
        "stream.onnx": _model(
            name,
            of_streams,
            {"chunk": ["streams", "samples"], "audio": past},
            {"posteriors": ["streams", "scores", classes], "next_audio": past},
        ),
    }


def _model(
    name: str, nodes: list[Node], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]
) -> bytes:
    """A model of some nodes; the constants that these use are there."""
    given, returned = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in x.items()]
        for x in (inputs, outputs)
    )
    past = inputs.get("audio", [0, 0])[1]
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("start", TensorProto.INT64, [1], [-past]),
        helper.make_tensor("end", TensorProto.INT64, [1], [2**62]),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes, name, given, returned, [one for one in constants if one.name in used]
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
