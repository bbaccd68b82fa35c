"""Front end and network → ONNX graphs of clips and of streams.

In come torch modules, out come ONNX models that share one network: it is traced once and joined to
what stands before it, so that a clip and a stream cannot differ but in their front. A room because
exporting is the exporter's business, and what is kept of its result, and under which names, is
decided here.
"""

from __future__ import annotations

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import Tensor, nn
from torch.export import Dim

from watchword.graph import ClipFront, Ears, MirroredFront, StreamFront

OPSET: Final = 18
IR_VERSION: Final = 9
"""What onnxruntime 1.16 and all later read."""
TRACED: Final = 2
"""Rows of the batch that is traced; one would be taken for a constant."""
TRACED_SCORES: Final = 3
NETWORK: Final = "network/"
"""Before the names of everything that belongs to the network."""


@dataclass(frozen=True)
class Traced:
    """The three parts a bundle's graphs are made of.

    Args:
        clip_front: Waveform ``(batch, samples)`` -> features.
        stream_front: Chunk and state -> features of the clip before each score, and state.
        network: Features -> posteriors.
        states: Names of the state's arrays.
        classes: Outputs of the network.
    """

    clip_front: onnx.ModelProto
    stream_front: onnx.ModelProto
    network: onnx.ModelProto
    states: tuple[str, ...]
    classes: int


def trace(
    clip: ClipFront, stream: StreamFront | MirroredFront, ears: Ears, features: Sequence[int]
) -> Traced:
    """Return front ends and network as ONNX models.

    Args:
        clip: Front end of clips.
        stream: Front end of streams.
        ears: Network.
        features: Shape of a clip's features, ``(mels, frames)``.
    """
    lies, batch, streams = clip.plan, Dim("batch"), Dim("streams")
    waveform = torch.zeros(TRACED, lies.clip_samples)
    heard = torch.zeros(TRACED, *features)
    chunk = torch.zeros(TRACED, TRACED_SCORES * lies.score_samples)
    state = [torch.zeros(TRACED, *shape) for shape in stream.shapes]
    scores = Dim("scores")
    return Traced(
        _export(clip, [waveform], [{0: batch}], ["waveform"], ["features"]),
        _export(
            stream,
            [chunk, *state],
            [{0: streams, 1: lies.score_samples * scores}, *({0: streams} for _ in state)],
            ["chunk", *stream.names],
            ["clips", *map(after, stream.names)],
        ),
        _export(ears, [heard], [{0: batch}], ["features"], ["posteriors"]),
        tuple(stream.names),
        int(ears(heard).shape[1]),
    )


def alone(module: nn.Module, given: Tensor) -> onnx.ModelProto:
    """Return a module of one input as an ONNX model ``x -> y``, to be timed by itself.

    Args:
        module: The module.
        given: What it is traced with; its first axis stays free.
    """
    return _export(module, [given], [{0: Dim("batch")}], ["x"], ["y"])


def after(name: str) -> str:
    """Return what the graph calls an array of the next state.

    Args:
        name: What it calls that of the present one.
    """
    return f"next_{name}"


def clip_graph(
    traced: Traced, network: onnx.ModelProto, told: Mapping[str, Any]
) -> onnx.ModelProto:
    """Return waveform ``(batch, samples)`` -> posteriors ``(batch, classes)``.

    Args:
        traced: The parts.
        network: The network of these, in float or in 8 bits.
        told: What the file says of itself.
    """
    joined = _joined(traced.clip_front, network, "features")
    _name_output(joined, NETWORK + "posteriors", "posteriors")
    return _finished(joined, told)


def stream_graph(
    traced: Traced, network: onnx.ModelProto, told: Mapping[str, Any]
) -> onnx.ModelProto:
    """Return chunk and state -> posteriors ``(streams, scores, classes)`` and state.

    Args:
        traced: The parts.
        network: The network of these, in float or in 8 bits.
        told: What the file says of itself.
    """
    joined = _joined(traced.stream_front, network, "clips")
    graph = joined.graph
    graph.initializer.append(
        helper.make_tensor("each_score", TensorProto.INT64, [2], [-1, traced.classes])
    )
    graph.node.extend(
        [
            helper.make_node("Shape", ["chunk"], ["streams_heard"], start=0, end=1),
            helper.make_node("Concat", ["streams_heard", "each_score"], ["by_stream"], axis=0),
            helper.make_node("Reshape", [NETWORK + "posteriors", "by_stream"], ["posteriors"]),
        ]
    )
    found = [output for output in graph.output if not output.name.startswith(NETWORK)]
    del graph.output[:]
    shape: list[str | int | None] = ["streams", "scores", traced.classes]
    graph.output.append(helper.make_tensor_value_info("posteriors", TensorProto.FLOAT, shape))
    order = {after(name): place for place, name in enumerate(traced.states)}
    graph.output.extend(sorted(found, key=lambda output: order[output.name]))
    return _finished(joined, told)


def _joined(front: onnx.ModelProto, network: onnx.ModelProto, features: str) -> onnx.ModelProto:
    """Return a front end with the network behind it."""
    second = compose.add_prefix(copy.deepcopy(network), NETWORK)
    first = copy.deepcopy(front)
    _unite_opsets(first, second)
    return compose.merge_models(first, second, io_map=[(features, NETWORK + "features")])


def _unite_opsets(*models: onnx.ModelProto) -> None:
    """Give models the same list of operator sets, each once, so that they can be merged."""
    found = {(one.domain, one.version) for model in models for one in model.opset_import}
    for model in models:
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid(*one) for one in sorted(found))


def _name_output(model: onnx.ModelProto, old: str, new: str) -> None:
    """Give an output of a graph another name."""
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == old:
                node.output[place] = new
    for output in model.graph.output:
        if output.name == old:
            output.name = new


def _finished(model: onnx.ModelProto, told: Mapping[str, Any]) -> onnx.ModelProto:
    """Return a model that says what it is, checked."""
    _shorten(model.graph)
    model.producer_name, model.producer_version = "watchword", ""
    model.graph.name = str(told.get("name", "watchword"))
    del model.metadata_props[:]
    for key, value in told.items():
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=text))
    del model.graph.value_info[:]
    _unite_opsets(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def _shorten(graph: onnx.GraphProto) -> None:
    """Give all that is inside a graph a short name: of 8-bit graphs, names are a third."""
    kept = {value.name for value in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}

    def name(old: str) -> str:
        return old if old in kept else short.setdefault(old, f"v{len(short)}")

    for one in graph.initializer:
        one.name = name(one.name)
    for place, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{place}"
        node.input[:] = [name(old) for old in node.input]
        node.output[:] = [name(old) for old in node.output]


def _export(
    module: nn.Module,
    given: Sequence[Tensor],
    free: Sequence[Mapping[int, Any]],
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> onnx.ModelProto:
    """Return a module as an ONNX model, without what the exporter notes for itself."""
    with _quietly():
        program = torch.onnx.export(
            module.eval(),
            tuple(given),
            input_names=[*inputs],
            output_names=[*outputs],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple(free),
            custom_translation_table=_operators(),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    model.ir_version = IR_VERSION
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model


def _operators() -> dict[Any, Any]:
    """Return what ONNX has for our own operators."""
    from onnxscript import opset18

    from watchword.models import frozen

    assert frozen.unit is not None  # importing the room registers the operator

    def unit(x: Any, axis: int) -> Any:
        return opset18.LpNormalization(x, axis=axis, p=2)

    return {torch.ops.watchword.unit.default: unit}


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter's remarks about itself from the user's screen."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
