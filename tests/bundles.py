"""A bundle so small that its answers can be worked out by hand.

Its clip is 8 samples, a score is due every 2. The posterior of ``loud`` is the mean of the clip's
samples (feed it values from 0 to 1), that of ``_unknown_`` is what is left to 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from watchword import bundle

CLIP, SCORE = 8, 2
LABELS = ["loud", "_unknown_"]


def facts(**changes: Any) -> dict[str, Any]:
    """What the bundle says of itself, but for format and files."""
    return {
        "name": "loud",
        "labels": LABELS,
        "timing": {
            "sample_rate_hz": 16_000,
            "clip_samples": CLIP,
            "used_samples": CLIP,
            "score_samples": SCORE,
            "lead_samples": 0,
            "warm_up_scores": CLIP // SCORE - 1,
        },
        "state": [{"input": "audio", "output": "next_audio", "shape": [CLIP - SCORE]}],
        "operating_point": {
            "default": {"threshold": 0.5, "smoothing_scores": 1, "refractory_ms": 0.0},
            "keywords": {},
            "is_calibrated": False,
        },
        "licence": "CC0-1.0",
        **changes,
    }


def graphs() -> dict[str, bytes]:
    """The two graphs."""
    return {"clip.onnx": _clip(), "stream.onnx": _stream()}


def write(path: Path, **changes: Any) -> Path:
    """Write the bundle; ``changes`` are facts."""
    bundle.write(path, facts(**changes), graphs())
    return path


def _answer(heard: str) -> list[onnx.NodeProto]:
    """From ``heard`` (streams, 1, samples) to ``posteriors`` (streams, scores, 2)."""
    return [
        helper.make_node("AveragePool", [heard], ["p"], kernel_shape=[CLIP], strides=[SCORE]),
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Concat", ["p", "q"], ["pq"], axis=1),
        helper.make_node("Transpose", ["pq"], ["each"], perm=[0, 2, 1]),
    ]


def _model(
    nodes: list[onnx.NodeProto], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]
) -> bytes:
    """A model of some nodes; the constants that all use are there."""
    values = [
        {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in x}
        for x in (inputs.items(), outputs.items())
    ]
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("start", TensorProto.INT64, [1], [-(CLIP - SCORE)]),
        helper.make_tensor("end", TensorProto.INT64, [1], [2**62]),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "loud",
        [*values[0].values()],
        [*values[1].values()],
        [one for one in constants if one.name in used],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _clip() -> bytes:
    """``waveform`` (batch, 8) to ``posteriors`` (batch, 2)."""
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "axis"], ["heard"]),
        *_answer("heard"),
        helper.make_node("Squeeze", ["each", "axis"], ["posteriors"]),
    ]
    return _model(nodes, {"waveform": ["batch", CLIP]}, {"posteriors": ["batch", 2]})


def _stream() -> bytes:
    """``chunk`` and ``audio`` to ``posteriors`` and ``next_audio``."""
    nodes = [
        helper.make_node("Concat", ["audio", "chunk"], ["all"], axis=1),
        helper.make_node("Unsqueeze", ["all", "axis"], ["heard"]),
        *_answer("heard"),
        helper.make_node("Identity", ["each"], ["posteriors"]),
        helper.make_node("Slice", ["all", "start", "end", "axis"], ["next_audio"]),
    ]
    return _model(
        nodes,
        {"chunk": ["streams", "samples"], "audio": ["streams", CLIP - SCORE]},
        {"posteriors": ["streams", "scores", 2], "next_audio": ["streams", CLIP - SCORE]},
    )
