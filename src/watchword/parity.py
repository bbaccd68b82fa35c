"""Whether every way of computing gives the same answers: torch, graphs, clips, streams, 8 bits.

In come a trained model, its graphs and real audio, out comes a table of differences. A room because
a model that answers otherwise on a device than in the laboratory has not been measured at all: the
comparison is part of every export, and an export beyond the tolerance fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from watchword.decision import Posteriors
from watchword.errors import BundleError
from watchword.graph import Ears, MirroredFront, Plan, StreamFront
from watchword.stream import Runner, Waveforms

TOLERANCE: Final = 1e-4
"""Largest difference of a posterior between float computations of the same clip."""
CHUNKS: Final = (1, 160, 777, 1_280, 4_001)
"""Lengths of the chunks that streams are fed in, in turn."""
BATCH: Final = 32


@dataclass(frozen=True)
class Row:
    """One way of computing against the training code on whole clips.

    Args:
        path: The way.
        posteriors: How many rows of posteriors were compared.
        largest: Largest difference of a posterior.
        mean: Mean difference.
        same_answer: Part of the rows whose largest posterior is the same class.
        tolerance: Largest difference allowed, or None where an approximation is meant.
    """

    path: str
    posteriors: int
    largest: float
    mean: float
    same_answer: float
    tolerance: float | None

    @property
    def is_within(self) -> bool:
        """Whether the difference is allowed."""
        return self.tolerance is None or self.largest <= self.tolerance


def compare(
    model: nn.Module,
    fronts: StreamFront | MirroredFront,
    ears: Ears,
    runners: Sequence[tuple[str, Runner, float | None]],
    clips: Waveforms,
    recording: Waveforms,
) -> list[Row]:
    """Return how far each way of computing is from the training code.

    Args:
        model: Waveform -> logits, as trained.
        fronts: Front end of streams.
        ears: Features -> posteriors.
        runners: Name, graphs and tolerance of each bundle's precision, of one timing.
        clips: Shape ``(clips, clip_samples)``.
        recording: Some streams of audio longer than a clip, shape ``(streams, samples)``.
    """
    lies = fronts.plan
    of_clips = _offline(model, clips)
    silence = runners[0][1].timing.silence_samples  # which a runner hears of itself
    heard = np.pad(recording, ((0, 0), (silence, 0)))
    of_stream = _offline(model, _windows(heard, lies).reshape(-1, lies.clip_samples))
    rows = [
        _row("torch, stream", of_stream, _torch_stream(fronts, ears, heard), TOLERANCE),
    ]
    for name, runner, tolerance in runners:
        found = np.concatenate([runner.clips(part) for part in _batches(clips)])
        rows.append(_row(f"clip{name}.onnx", of_clips, found, tolerance))
        streamed = _streamed(runner, recording)
        rows.append(_row(f"stream{name}.onnx", of_stream, streamed, tolerance))
    return rows


def refuse_beyond(rows: Sequence[Row]) -> None:
    """Raise if a way of computing differs more than it may.

    Args:
        rows: The table.

    Raises:
        BundleError: If so; nothing may be shipped then.
    """
    for row in rows:
        if not row.is_within:
            raise BundleError(
                f"{row.path} differs from the training code by {row.largest:.2g} in a posterior, "
                f"at most {row.tolerance:g} is allowed: the export is wrong and was not written; "
                "report it with the model"
            )


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the table as JSON types.

    Args:
        rows: The table.
    """
    return [asdict(row) for row in rows]


@torch.no_grad()
def _offline(model: nn.Module, clips: Waveforms) -> Posteriors:
    """Return posteriors of clips by the training code."""
    found = [model(torch.from_numpy(part)).softmax(1).numpy() for part in _batches(clips)]
    return np.concatenate(found)


def _batches(clips: Waveforms) -> list[Waveforms]:
    """Return clips in batches."""
    return [clips[start : start + BATCH] for start in range(0, len(clips), BATCH)]


def _windows(recording: Waveforms, lies: Plan) -> Waveforms:
    """Return the clip that each score of streams hears, ``(streams, scores, clip_samples)``."""
    scores = 1 + (recording.shape[1] - lies.used_samples) // lies.score_samples
    padded = np.pad(recording, ((0, 0), (0, lies.clip_samples)))
    starts = np.arange(scores) * lies.score_samples
    clips = padded[:, starts[:, None] + np.arange(lies.clip_samples)]
    clips[:, :, lies.used_samples :] = 0  # of no frame, or not heard yet
    return np.ascontiguousarray(clips)


@torch.no_grad()
def _torch_stream(
    fronts: StreamFront | MirroredFront, ears: Ears, recording: Waveforms
) -> Posteriors:
    """Return posteriors of streams by the modules that were traced, hop by hop."""
    lies = fronts.plan
    lead = np.zeros((len(recording), lies.lead_samples), np.float32)
    audio = torch.from_numpy(np.concatenate([lead, recording], axis=1))
    state: Sequence[Tensor] = [torch.zeros(len(recording), *shape) for shape in fronts.shapes]
    found = []
    for start in range(0, audio.shape[1] - lies.score_samples + 1, lies.score_samples):
        clips, *state = fronts(audio[:, start : start + lies.score_samples], *state)
        found.append(ears(clips))
    scores = torch.stack(found, 1)[:, lies.warm_up_scores :]
    return scores.reshape(-1, scores.shape[2]).numpy()


def _streamed(runner: Runner, recording: Waveforms) -> Posteriors:
    """Return posteriors of streams by a graph, in chunks of all lengths."""
    state, found, place, turn = runner.start(len(recording)), [], 0, 0
    while place < recording.shape[1]:
        length = CHUNKS[turn % len(CHUNKS)]
        rows, state = runner.step(recording[:, place : place + length], state)
        found.append(rows)
        place, turn = place + length, turn + 1
    scores = np.concatenate(found, axis=1)
    return scores.reshape(-1, scores.shape[2])


def _row(path: str, needed: Posteriors, found: Posteriors, tolerance: float | None) -> Row:
    """Return the difference of two tables of posteriors."""
    assert needed.shape == found.shape, f"{path}: {found.shape} for {needed.shape}"
    apart = np.abs(needed.astype(np.float64) - found)
    same = needed.argmax(1) == found.argmax(1)
    largest = float(apart.max()) if np.isfinite(apart).all() else float("inf")
    return Row(path, len(needed), largest, float(apart.mean()), float(same.mean()), tolerance)


def accuracy(hear: Callable[[Waveforms], Posteriors], clips: Waveforms, targets: Any) -> float:
    """Return the part of clips that are answered rightly.

    Args:
        hear: Waveforms -> posteriors.
        clips: Shape ``(clips, clip_samples)``.
        targets: Class of each.
    """
    found = np.concatenate([hear(part) for part in _batches(clips)])
    return float((found.argmax(1) == targets).mean())
