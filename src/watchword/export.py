"""Checkpoint → bundle: traced, in float and in 8 bits, compared, and only then written.

In come a trained model and sounds it should hear, out goes a bundle with the table of differences
in it. A room because a bundle is what users trust: what goes into one, and what must hold before it
is written, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from watchword import build, bundle, graph, licences, parity, quantise, trace
from watchword.bundle import CLIP, CLIP_INT8, STREAM, STREAM_INT8, Bundle
from watchword.checkpoint import Checkpoint
from watchword.decision import OperatingPoint
from watchword.errors import DataError
from watchword.models.frozen import frozen
from watchword.portable import portable
from watchword.stream import Runner, Waveforms
from watchword.units import SAMPLE_RATE_HZ

SCORE_HOP_MS: Final = 80.0
STREAMS: Final = 2
STREAM_CLIPS: Final = 12
"""Clips end to end in each stream that is compared."""
MOST_COMPARED: Final = 256
BATCH: Final = 32

Told = Callable[[str], None]


@dataclass(frozen=True)
class Sounds:
    """What an export listens to.

    Args:
        ranges: Clips that 8-bit ranges are measured on, shape ``(clips, clip_samples)``; of
            training, or none for no 8-bit graphs.
        clips: Clips that answers are compared on, likewise; of validation.
        targets: Their classes, to tell what 8 bits cost; None where they are not known.
        what: What they are, in words.
    """

    ranges: Waveforms | None
    clips: Waveforms
    targets: NDArray[np.int64] | None
    what: str


def export(
    checkpoint: Checkpoint,
    sounds: Sounds,
    path: Path,
    *,
    name: str,
    score_hop_ms: float = SCORE_HOP_MS,
    point: OperatingPoint | None = None,
    told: Told = lambda _what: None,
) -> Bundle:
    """Write a model as a bundle, if all ways of computing it agree.

    Args:
        checkpoint: The model.
        sounds: What to compare on, and what 8-bit ranges are measured on.
        path: A ``.watchword`` file, or a folder.
        name: What the model shall be called.
        score_hop_ms: Time between two scores of a stream; a multiple of the front end's hop.
        point: Operating point until one is calibrated; the usual one where not given.
        told: Called with what is being done.

    Raises:
        BundleError: If a graph's answers differ from those of the training code.
        ConfigError: If scores would not fall on frames.
        DataError: If there are no sounds, or the file cannot be written.
    """
    if not len(sounds.clips):
        raise DataError(
            f"no clips of {sounds.what} were given to compare answers on, needed some: give a data "
            "set that has any"
        )
    model = build.trained(checkpoint)
    told("tracing the front end and the network")
    lies = graph.plan(model.ear, round(score_hop_ms * SAMPLE_RATE_HZ / 1_000))
    bands = model.ear.mean.shape[0]
    clip_front = graph.ClipFront(model.ear, lies)
    stream_front = (
        graph.MirroredFront(clip_front) if lies.is_centred else graph.StreamFront(clip_front, bands)
    )
    ears = graph.Ears(frozen(model.network, mels=bands, frames=lies.frames))
    traced = trace.trace(clip_front, stream_front, ears, (bands, lies.frames))
    facts = _facts(checkpoint, name, lies, stream_front, point or OperatingPoint())
    graphs = _graphs(traced, facts, None)
    if sounds.ranges is not None:
        told("measuring ranges for 8 bits")
        small = quantise.eight_bit(traced.network, _features(clip_front, sounds.ranges))
        graphs |= _graphs(traced, facts, small)
    told("comparing every way of computing")
    made = bundle.of(facts, graphs)
    rows, cost = _compared(model, stream_front, ears, made, sounds)
    parity.refuse_beyond(rows)
    facts["parity"] = {"heard": sounds.what, "rows": parity.as_json(rows)}
    facts["int8"] = cost
    return bundle.write(path, facts, graphs)


def _graphs(traced: trace.Traced, facts: Mapping[str, Any], small: Any) -> dict[str, bytes]:
    """Return the graphs of clips and of streams, in float or with an 8-bit network."""
    told = {key: facts[key] for key in ("name", "labels", "licence")}
    names = (CLIP, STREAM) if small is None else (CLIP_INT8, STREAM_INT8)
    if small is not None:
        traced = replace(
            traced,
            clip_front=quantise.stored_small(traced.clip_front),
            stream_front=quantise.stored_small(traced.stream_front),
        )
    network = traced.network if small is None else small
    joined = trace.clip_graph(traced, network, told), trace.stream_graph(traced, network, told)
    return {file: one.SerializeToString() for file, one in zip(names, joined, strict=True)}


@torch.no_grad()
def _features(front: graph.ClipFront, clips: Waveforms) -> list[NDArray[np.float32]]:
    """Return the features of clips in batches of one size, as the calibration needs them."""
    count = -(-len(clips) // BATCH) * BATCH
    parts = _spread(clips, count).reshape(-1, BATCH, clips.shape[1])
    return [front(torch.from_numpy(part)).numpy() for part in parts]


def _compared(
    model: build.Classifier,
    front: graph.StreamFront | graph.MirroredFront,
    ears: graph.Ears,
    made: Bundle,
    sounds: Sounds,
) -> tuple[list[parity.Row], dict[str, Any] | None]:
    """Return the table of differences, and what 8 bits cost in accuracy."""
    whole = Runner(made)
    runners: list[tuple[str, Runner, float | None]] = [("", whole, parity.TOLERANCE)]
    small = Runner(made, is_int8=True) if CLIP_INT8 in made.graphs else None
    if small:
        runners.append((".int8", small, None))
    chosen = _spread(sounds.clips, min(MOST_COMPARED, len(sounds.clips)))
    recording = _spread(sounds.clips, STREAMS * STREAM_CLIPS).reshape(STREAMS, -1)
    rows = parity.compare(model, front, ears, runners, chosen, recording)
    if small is None or sounds.targets is None:
        return rows, None
    reached = [parity.accuracy(r.clips, sounds.clips, sounds.targets) for r in (whole, small)]
    cost = {
        "heard": sounds.what,
        "clips": len(sounds.clips),
        "float_accuracy": reached[0],
        "int8_accuracy": reached[1],
        "float_bytes": len(made.graphs[CLIP]),
        "int8_bytes": len(made.graphs[CLIP_INT8]),
    }
    return rows, cost


def _spread(clips: Waveforms, count: int) -> Waveforms:
    """Return so many clips from all over a list, some of them again where it is short."""
    return clips[np.arange(count) * len(clips) // count]


def _facts(
    checkpoint: Checkpoint,
    name: str,
    lies: graph.Plan,
    front: graph.StreamFront | graph.MirroredFront,
    point: OperatingPoint,
) -> dict[str, Any]:
    """Return what the bundle will say of itself."""
    settings, size = checkpoint.settings, build.measure(checkpoint)
    told = portable({key: value for key, value in checkpoint.provenance.items() if key != "data"})
    return {
        "name": name,
        "labels": list(checkpoint.labels),
        "timing": {
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "clip_samples": lies.clip_samples,
            "used_samples": lies.used_samples,
            "score_samples": lies.score_samples,
            "lead_samples": lies.lead_samples,
            "warm_up_scores": lies.warm_up_scores,
        },
        "state": [
            {"input": key, "output": trace.after(key), "shape": list(shape)}
            for key, shape in zip(front.names, front.shapes, strict=True)
        ],
        "operating_point": {
            "default": asdict(point),
            "keywords": {},
            "is_calibrated": False,
        },
        "model": {
            "architecture": settings.model.name,
            "width": settings.model.width,
            "parameters": size.parameters,
            "macs": size.macs,
        },
        "task": settings.find_task().name,
        "front_end": settings.features.model_dump(mode="json"),
        "licence": licences.WEIGHTS,
        "attribution": _attribution(checkpoint),
        "provenance": told,
    }


def _attribution(checkpoint: Checkpoint) -> list[dict[str, str]]:
    """Return whom the weights owe their audio; a corpus nobody knows is named by its folder."""
    found = []
    for corpus in checkpoint.settings.data.corpora:
        folder = Path(corpus.folder).name
        try:
            known = licences.corpus_of(folder)
        except DataError:
            found.append({"corpus": folder, "licence": "NOASSERTION", "credit": ""})
        else:
            found.append({"corpus": known.title, "licence": known.licence, "credit": known.credit})
    return list({one["corpus"]: one for one in found}.values())


def generated(clip_samples: int) -> Sounds:
    """Return sounds to compare answers on where no speech is at hand: tones and noises.

    Args:
        clip_samples: Samples of a clip.

    Example:
        >>> generated(16_000).clips.shape
        (48, 16000)
    """
    rng = np.random.default_rng(5)
    time_s = np.arange(clip_samples) / SAMPLE_RATE_HZ
    low_hz, high_hz = rng.uniform(80, 400, 48), rng.uniform(400, 7_000, 48)
    swept = low_hz[:, None] * time_s + (high_hz - low_hz)[:, None] * time_s**2 / 2
    tones = np.sin(2 * np.pi * swept) * np.sin(np.pi * time_s * rng.integers(1, 9, 48)[:, None])
    noise = rng.standard_normal(tones.shape) * 0.1
    level = 10 ** (rng.uniform(-60, 0, 48) / 20)
    clips = np.clip((tones + noise) * level[:, None], -1, 1).astype(np.float32)
    return Sounds(None, clips, None, "generated tones and noises")
