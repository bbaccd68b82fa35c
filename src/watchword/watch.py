"""What a run shows: its clips by class, then a bar, a line an epoch and TensorBoard curves.

In come the loop's events, out go lines and event files. A room because the loop itself shows
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from watchword.console import Console
from watchword.progress import Watcher
from watchword.words import SILENCE

CURVES = (
    *("loss", "train_accuracy", "valid_loss", "valid_accuracy"),
    *("learning_rate", "clips_per_second"),
)


class TrainingWatch(Watcher):
    """Shows a run on a console and logs it for TensorBoard.

    Args:
        console: Where to show it.
        folder: Folder of the run; the curves go to ``tensorboard/`` in it.
    """

    def __init__(self, console: Console, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.open = SummaryWriter  # looked for now: if it is missing, nothing is lost yet
        self.console, self.folder = console, folder
        self.epoch, self.epochs, self.batches, self.done = 0, 0, 0, 0
        self.writer: Any = None

    def epoch_starts(self, epoch: int, epochs: int, batches: int) -> None:
        """Start counting batches of an epoch.

        Args:
            epoch: Epoch, from 1.
            epochs: Epochs of the run.
            batches: Batches in this one.
        """
        self.epoch, self.epochs, self.batches, self.done = epoch, epochs, batches, 0

    def batch_done(self) -> None:
        """Move the bar; it spans the run, so that the time left is that of the run."""
        self.done += 1
        past = (self.epoch - 1) * self.batches
        self.console.progress("training", past + self.done, self.epochs * self.batches)

    def epoch_ends(self, record: dict[str, Any]) -> None:
        """Print the epoch's line and log its curves.

        Args:
            record: Line of ``metrics.jsonl``.
        """
        self.console.say(
            f"epoch {record['epoch']:>3}/{self.epochs}  loss {record['loss']:.3f}  "
            f"train {record['train_accuracy']:.1%}  valid {record['valid_accuracy']:.2%} "
            f"of {record['valid_count']:,}  {record['clips_per_second']:.0f} clips/s  "
            f"{record['seconds']:.0f} s"
        )
        if self.writer is None:
            curves = str(self.folder / "tensorboard")
            self.writer = self.open(curves, purge_step=record["epoch"])
        for name in CURVES:
            self.writer.add_scalar(name, record[name], record["epoch"])
        self.writer.flush()
        if record["epoch"] == self.epochs:
            self.writer.close()


def count_rows(
    counts: Mapping[str, Mapping[str, int]], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of a table of clips: classes downwards, corpora across, and sums.

    Args:
        counts: Clips by corpus and class; silence cut from background stands under ``_silence_``.
        labels: The classes, in order.

    Example:
        >>> count_rows({"mine": {"yes": 2, "no": 1}, "_silence_": {"no": 3}}, ["yes", "no"])[-1]
        {'class': 'sum', 'mine': 3, 'background': 3, 'sum': 6}
    """
    columns = {"background" if name == SILENCE else name: counts[name] for name in counts}
    rows: list[dict[str, Any]] = []
    for label in labels:
        clips = {name: column.get(label, 0) for name, column in columns.items()}
        rows.append({"class": label, **clips, "sum": sum(clips.values())})
    sums = {name: sum(row[name] for row in rows) for name in [*columns, "sum"]}
    return [*rows, {"class": "sum", **sums}]
