"""How far a run has come: told while it learns, kept on disk, taken up again.

In come the loop's sums and tensors, out go ``state.ckpt`` and ``metrics.jsonl``, and from them the
same again. A room because a run may be killed at any moment, and what a later process needs must be
in one place.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from watchword import checkpoint
from watchword.errors import CheckpointError
from watchword.files import write_whole
from watchword.pictures import LOG_NAME

STATE_FILE = "state.ckpt"
STATE_PARTS = ("card", "network", "ear", "average", "average_steps", "optimizer", "progress")


class Watcher:
    """Told how training goes; this one says nothing. Override what should be shown."""

    def epoch_starts(self, epoch: int, epochs: int, batches: int) -> None:
        """Hear that an epoch of so many batches starts; ``epoch`` counts from 1."""

    def batch_done(self) -> None:
        """Hear that a batch was learned from."""

    def epoch_ends(self, record: dict[str, Any]) -> None:
        """Hear an epoch's line of ``metrics.jsonl``."""


@dataclass
class Progress:
    """How far a run has come: all that a later process needs beside weights and optimiser.

    Args:
        epoch: Epochs finished.
        batch: Batches of the current epoch finished.
        loss: Sum of the losses of the current epoch's clips.
        correct: Clips of the current epoch classified right while learning from them.
        clips: Clips of the current epoch learned from.
        seconds: Time the current epoch took so far.
        best: Best validation accuracy, in [0, 1].
        history: A line of ``metrics.jsonl`` for each finished epoch.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    correct: int = 0
    clips: int = 0
    seconds: float = 0.0
    best: float = -1.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def start_epoch(self) -> None:
        """Forget the sums of the epoch that was finished."""
        self.batch, self.loss, self.correct, self.clips, self.seconds = 0, 0.0, 0, 0, 0.0


def write_state(folder: Path, state: dict[str, Any], progress: Progress) -> None:
    """Write the log, then the state, each whole or not at all.

    A process killed between the two repeats the epoch and writes the same line again.

    Args:
        folder: Folder of the run.
        state: Tensors and plain values by the names in ``STATE_PARTS``, without ``progress``.
        progress: How far the run has come.
    """
    lines = "".join(json.dumps(record) + "\n" for record in progress.history)
    write_whole(folder / LOG_NAME, lines.encode())
    buffer = io.BytesIO()
    torch.save({**state, "progress": json.dumps(asdict(progress))}, buffer)
    write_whole(folder / STATE_FILE, buffer.getvalue())


def read_state(folder: Path, card: str) -> dict[str, Any] | None:
    """Return the last state of a run, with its ``Progress``, or None if there is none.

    Args:
        folder: Folder of the run.
        card: What the state must share with the run that goes on from it.

    Raises:
        CheckpointError: If it is damaged, or belongs to other settings or other data.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    state = checkpoint.load_tensors(path)
    if not isinstance(state, dict) or set(state) != set(STATE_PARTS):
        raise CheckpointError(
            f"{path} is no state of a run: remove that folder to start the run anew, or give this "
            "one another name (name=...)"
        )
    if state["card"] != card:
        raise CheckpointError(
            f"{folder} holds a run of other settings or other data: give this one another name "
            "(name=...), or remove that folder to start it anew"
        )
    return {**state, "progress": Progress(**json.loads(state["progress"]))}


def part_of(clips: int, rank: int, processes: int) -> slice:
    """Return the clips of a batch that one of several processes learns from.

    Neighbours stay together, because mixup mixes neighbours.

    Args:
        clips: Clips in the batch of all processes.
        rank: Number of the process, from 0.
        processes: How many there are.

    Example:
        >>> [part_of(7, rank, 2) for rank in (0, 1)]
        [slice(0, 4, None), slice(4, 7, None)]
    """
    pairs = (clips + 1) // 2
    return slice(2 * (pairs * rank // processes), min(clips, 2 * (pairs * (rank + 1) // processes)))
