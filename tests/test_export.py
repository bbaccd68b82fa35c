"""Exports of small untrained networks: what is true of them is true of any weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from test_frozen import untidy
from watchword import build, bundle, export, models, parity, quantise
from watchword.bundle import Bundle
from watchword.checkpoint import Checkpoint
from watchword.config import FeatureSettings, ModelSettings, Settings
from watchword.decision import OperatingPoint
from watchword.errors import BundleError, ConfigError, DataError
from watchword.export import Sounds, generated
from watchword.stream import Runner

OPERATORS = {
    *("Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "Div", "Erf", "Expand"),
    *("Gather", "GatherND", "GRU", "Gemm", "LayerNormalization", "Log", "LpNormalization"),
    *("MatMul", "MaxPool", "Mul", "Pad", "Pow", "Range", "ReduceMean", "ReduceSum", "Relu"),
    *("Reshape", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub"),
    *("Transpose", "Unsqueeze", "QuantizeLinear", "DequantizeLinear"),
}
"""All of them are in onnxruntime's full builds for servers, phones and browsers since opset 18."""


def checkpoint_of(name: str = "lambda_resnet18", width: float = 0.25, **changes: Any) -> Checkpoint:
    """A model of random weights as training would leave it; ``changes`` are settings."""
    options = {"unit_queries": True, "is_gated": True} if name == "lambda_resnet18" else {}
    plain: dict[str, Any] = {"model": ModelSettings(name=name, width=width, options=options)}
    settings = Settings(**{**plain, **changes})
    labels = settings.find_task().labels
    torch.manual_seed(0)
    model = build.classifier(settings, len(labels))
    untidy(model.network)
    told = {"seed": 3, "epoch": 7, "commit": "abc", "command": "train.py /home/me/x.yml"}
    return Checkpoint(settings, labels, model.state_dict(), told)


def noises(count: int, seed: int) -> np.ndarray:
    """Clips of noise at many levels."""
    rng = np.random.default_rng(seed)
    level = 10 ** (rng.uniform(-60, -10, (count, 1)) / 20)
    return (rng.standard_normal((count, 16_000)) * level).clip(-1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle in float and in 8 bits."""
    targets = np.arange(30) % 12
    sounds = Sounds(noises(64, 1), noises(30, 2), targets, "noise")
    path = tmp_path_factory.mktemp("whole") / "noise.watchword"
    export.export(checkpoint_of(), sounds, path, name="noise")
    return bundle.read(path)


def graph_of(made: Bundle, name: str) -> onnx.ModelProto:
    """A graph of a bundle."""
    return onnx.load_from_string(made.graphs[name])


def test_every_way_of_computing_is_compared_and_the_table_is_stored(whole: Bundle) -> None:
    rows = whole.facts.told["parity"]["rows"]
    assert [row["path"] for row in rows] == [
        *("torch, stream", "clip.onnx", "stream.onnx", "clip.int8.onnx", "stream.int8.onnx")
    ]
    assert all(row["largest"] <= 1e-4 for row in rows[:3])
    assert all(row["tolerance"] is None for row in rows[3:])
    # two streams of 12 s, whose first score is due at 0.52 s: 2 · (1 + 183,680 // 1,280)
    assert [row["posteriors"] for row in rows] == [288, 30, 288, 30, 288]


def test_what_8_bits_cost_is_measured_and_stored(whole: Bundle) -> None:
    cost = whole.facts.told["int8"]
    assert cost["clips"] == 30
    assert 0 <= cost["int8_accuracy"] <= 1
    assert cost["int8_bytes"] == len(whole.graphs["clip.int8.onnx"]) < cost["float_bytes"]


@pytest.mark.parametrize("name", bundle.GRAPHS)
def test_graphs_use_operators_that_every_runtime_has(whole: Bundle, name: str) -> None:
    graph = graph_of(whole, name)
    assert {node.op_type for node in graph.graph.node} <= OPERATORS
    assert {node.domain for node in graph.graph.node} <= {"", "ai.onnx"}
    assert graph.ir_version == 9
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", 18)]


@pytest.mark.parametrize("name", bundle.GRAPHS)
def test_graphs_say_what_they_are_and_nothing_of_where_they_were_made(
    whole: Bundle, name: str
) -> None:
    graph = graph_of(whole, name)
    told = {one.key: one.value for one in graph.metadata_props}
    assert json.loads(told["labels"]) == list(whole.facts.labels)
    assert told["licence"] == "CC-BY-4.0"
    assert b"/home/" not in whole.graphs[name]
    assert b".py" not in whole.graphs[name]
    assert not any(node.metadata_props for node in graph.graph.node)


def test_facts_say_where_the_model_comes_from_and_not_from_whose_machine(whole: Bundle) -> None:
    told = whole.facts.told
    assert told["provenance"]["seed"] == 3
    assert told["provenance"]["command"] == "train.py x.yml"
    assert told["model"]["parameters"] == build.measure(checkpoint_of()).parameters
    assert told["task"] == "12"
    assert told["attribution"][0]["licence"] == "CC-BY-4.0"


def test_weights_of_the_network_are_8_bits_wide_and_the_front_end_is_not(whole: Bundle) -> None:
    graph = graph_of(whole, "clip.int8.onnx").graph
    values = [numpy_helper.to_array(one) for one in graph.initializer]
    weights = [value for value in values if value.ndim >= 2]
    fourier = [value for value in weights if value.dtype == np.float16]
    assert sum(value.size for value in fourier) == 17 * 32 * 32
    bytes_ = [value for value in weights if value.dtype == np.int8]
    filters = [value for value in bytes_ if value.shape == (40, 17 * 16)]
    assert [(value.min(), value.max()) for value in filters] == [(0, 127)]  # energies are added
    computed = [value for value in bytes_ if value.shape != (40, 17 * 16)]
    assert len(computed) > 10
    assert all(value.min() >= -64 and value.max() <= 64 for value in computed)  # seven bits
    assert all(value.size < quantise.LARGE for value in weights if value.dtype == np.float32)
    made_of = {output: node for node in graph.node for output in node.output}
    softmax = next(node for node in graph.node if "posteriors" in node.output)
    assert softmax.op_type == "Softmax"
    assert made_of[softmax.input[0]].op_type != "QuantizeLinear"


def test_a_batch_is_answered_as_its_clips_one_by_one(whole: Bundle) -> None:
    runner, clips = Runner(whole), noises(5, 3)
    together = runner.clips(clips)
    alone = np.concatenate([runner.clips(clips[i : i + 1]) for i in range(5)])
    assert np.abs(together - alone).max() < 1e-6  # products of other shapes round otherwise
    assert np.allclose(together.sum(1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle in float alone, of another network."""
    path = tmp_path_factory.mktemp("plain") / "plain.watchword"
    export.export(checkpoint_of("tc_resnet8"), generated(16_000), path, name="plain")
    return path


def test_the_same_model_makes_the_same_file(tmp_path: Path, plain: Path) -> None:
    again = tmp_path / "again.watchword"
    export.export(checkpoint_of("tc_resnet8"), generated(16_000), again, name="plain")
    assert again.read_bytes() == plain.read_bytes()


def test_without_ranges_there_are_no_8_bit_graphs(plain: Path) -> None:
    made = bundle.read(plain)
    assert {*made.graphs} == {"clip.onnx", "stream.onnx"}
    assert made.facts.told["int8"] is None
    assert made.facts.told["parity"]["heard"] == "generated tones and noises"


def test_an_export_beyond_the_tolerance_fails_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = parity._streamed

    def wrong(*given: Any) -> np.ndarray:
        return true(*given) + np.float32(2e-4)

    monkeypatch.setattr(parity, "_streamed", wrong)
    path = tmp_path / "wrong.watchword"
    with pytest.raises(BundleError, match=r"stream\.onnx differs .* by 0\.0002 .* 0\.0001 is"):
        export.export(checkpoint_of("tc_resnet8"), generated(16_000), path, name="wrong")
    assert not path.exists()


def test_numbers_that_are_none_are_beyond_every_tolerance() -> None:
    posteriors = np.full((2, 3), 1 / 3, np.float32)
    broken = np.where(np.eye(2, 3) > 0, np.nan, posteriors)
    row = parity._row("x", posteriors, broken, 1e-4)
    assert not row.is_within


def test_no_sounds_are_refused(tmp_path: Path) -> None:
    few = replace(generated(16_000), clips=noises(0, 1))
    with pytest.raises(DataError, match=r"no clips of generated .* needed some"):
        export.export(checkpoint_of(), few, tmp_path / "x.watchword", name="x")


def test_scores_that_fall_between_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a frame comes every 160"):
        export.export(checkpoint_of(), generated(16_000), tmp_path / "x", name="x", score_hop_ms=55)


def test_score_hop_and_operating_point_can_be_chosen(tmp_path: Path) -> None:
    point = OperatingPoint(0.9, 2, 500)
    made = export.export(
        *(checkpoint_of("tc_resnet8"), generated(16_000), tmp_path / "folder"),
        **{"name": "x", "score_hop_ms": 40.0, "point": point},
    )
    assert made.facts.timing.score_samples == 640
    assert made.facts.default_point == point
    assert not made.facts.is_calibrated
    assert bundle.read(tmp_path / "folder").graphs == made.graphs
    assert "clip.int8.onnx" not in made.graphs


def paper() -> FeatureSettings:
    """The published front end, whose frames are centred and its ends mirrored."""
    return FeatureSettings(window_samples=320, low_hz=0, high_hz=8_000, floor=1e-3, is_centred=True)


def coefficients() -> FeatureSettings:
    """MFCCs 20 ms apart."""
    return FeatureSettings(
        kind="mfcc", coefficients=10, window_samples=640, hop_samples=320, fft_samples=1_024
    )


@pytest.mark.parametrize("front", [paper, coefficients])
def test_other_front_ends_are_exported_too(
    tmp_path: Path, front: Callable[[], FeatureSettings]
) -> None:
    loaded = checkpoint_of("tc_resnet8", features=front())
    made = export.export(loaded, generated(16_000), tmp_path / "x.watchword", name="x")
    rows = made.facts.told["parity"]["rows"]
    assert all(row["largest"] <= 1e-4 for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_of_the_zoo_can_be_exported(tmp_path: Path, name: str) -> None:
    row = models.entry(name)
    fitting = {"mels": row.mels} if row.mels >= 40 else {"kind": "mfcc", "coefficients": row.mels}
    loaded = checkpoint_of(name, 1.0, features=FeatureSettings(**fitting))
    made = export.export(loaded, generated(16_000), tmp_path / "x.watchword", name="x")
    used = {node.op_type for graph in made.graphs for node in graph_of(made, graph).graph.node}
    assert used <= OPERATORS
    assert all(row["largest"] <= 1e-4 for row in made.facts.told["parity"]["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_of_the_zoo_has_an_8_bit_form(tmp_path: Path, name: str) -> None:
    row = models.entry(name)
    fitting = {"mels": row.mels} if row.mels >= 40 else {"kind": "mfcc", "coefficients": row.mels}
    loaded = checkpoint_of(name, 1.0, features=FeatureSettings(**fitting))
    sounds = Sounds(noises(32, 1), noises(12, 2), np.arange(12), "noise")
    made = export.export(loaded, sounds, tmp_path / "x.watchword", name="x")
    used = {node.op_type for graph in made.graphs for node in graph_of(made, graph).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} < used <= OPERATORS
    assert len(made.graphs["clip.int8.onnx"]) < len(made.graphs["clip.onnx"])
