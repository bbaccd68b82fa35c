"""A checkpoint over a split → scores → report.

In come a trained model and prepared corpora, out come scores with all that is known about each
clip, and the report computed from them. A room because evaluation must be the same for every model,
and because it must never look at a label before the scores are written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from watchword import build
from watchword.chain import to_waveforms
from watchword.checkpoint import Checkpoint
from watchword.data import commands
from watchword.data.batches import Reader
from watchword.data.rows import SILENT_ROW, Clips, Source
from watchword.data.sampling import evaluation
from watchword.data.tasks import Task
from watchword.data.utterance import Split
from watchword.errors import CheckpointError
from watchword.report import build_report
from watchword.scores import Scores
from watchword.words import SILENCE

Change = Callable[[Tensor, slice], Tensor]
"""From the waveforms of a batch and its part of the list of clips to what a model hears."""


def outputs_for(checkpoint: Checkpoint, task: Task) -> list[list[int]]:
    """Return which outputs of a model mean each label of a task.

    A model may be asked a task with fewer keywords than it knows. Its outputs for words that the
    task leaves out are left out, so that it chooses among those of the task; its outputs for words
    that the task calls unknown count as unknown.

    Args:
        checkpoint: The model.
        task: The task.

    Returns:
        For each label, in order, the indices of one output or more.

    Raises:
        CheckpointError: If the model lacks one of the task's classes.
    """
    missing = [label for label in task.labels if label not in checkpoint.labels]
    if missing:
        raise CheckpointError(
            f"the model has no output for {', '.join(missing)}, which task {task.name} needs; it "
            f"was trained on task {checkpoint.settings.find_task().name} with the outputs "
            f"{', '.join(checkpoint.labels)}: choose a task among these"
        )
    meant = [task.target(label) for label in checkpoint.labels]
    return [[i for i, place in enumerate(meant) if place == n] for n in range(len(task.labels))]


def answers(logits: Tensor, outputs: Sequence[Sequence[int]]) -> Tensor:
    """Return the logits of a task's labels: where several outputs mean one, their chances add up.

    Args:
        logits: Shape ``(clips, outputs)``.
        outputs: What ``outputs_for`` returned.

    Returns:
        Shape ``(clips, classes)``.

    Example:
        >>> answers(torch.log(torch.tensor([[0.5, 0.2, 0.3]])), [[0], [1, 2]]).exp()
        tensor([[0.5000, 0.5000]])
    """
    return torch.stack([logits[:, list(same)].logsumexp(1) for same in outputs], dim=1)


def score(
    checkpoint: Checkpoint,
    sources: Sequence[Source],
    task: Task,
    split: Split,
    *,
    device: torch.device | None = None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
    change: Change | None = None,
) -> Scores:
    """Return what a model answers to every clip of a split.

    Args:
        checkpoint: The model.
        sources: The corpora.
        task: The task; the model must have its classes.
        split: The split.
        device: Where to compute; the CPU where not given.
        told: Called with the clips done and the clips in all.
        change: What is done to every clip before the model hears it; nothing where not given.

    Raises:
        CheckpointError: If the model cannot answer the task.
        DataError: If the split has no clip of the task.
    """
    outputs, where = outputs_for(checkpoint, task), device or torch.device("cpu")
    model = build.trained(checkpoint).to(where)
    clips, parts = evaluation(sources, task, split)
    reader = build.reader(checkpoint.settings, sources, split)

    def waveforms() -> Iterator[Tensor]:
        for part, audio in reader.batches(clips):
            heard = to_waveforms(audio, where)
            yield change(heard, part) if change else heard
            told(part.stop, len(clips))

    logits = listen(model, outputs, waveforms())
    return describe(checkpoint, clips, parts, logits, reader, task, split)


@torch.no_grad()
def listen(
    model: build.Classifier, outputs: Sequence[Sequence[int]], waveforms: Iterable[Tensor]
) -> np.ndarray:
    """Return the logits of a task's labels, float32 ``(clips, classes)``.

    Args:
        model: In eval mode.
        outputs: What ``outputs_for`` returned.
        waveforms: Batches ``(batch, samples)`` on the device of the model.
    """
    found = [answers(model(batch).float(), outputs).cpu().numpy() for batch in waveforms]
    return np.concatenate(found)


def hearing(checkpoint: Checkpoint) -> Callable[[Source, str], bool]:
    """Return what tells whether the training of a model heard a word.

    It did not hear the words that its task keeps apart or leaves out, those held out of the corpus
    at hand, and those held out of all its corpora. Of a word that none of them has, nothing is
    known, and it counts as heard.

    Args:
        checkpoint: The model.

    Returns:
        From a corpus and a word as the corpus names it to whether training heard it.
    """
    learned = checkpoint.settings.find_task()
    held_out = [set(corpus.hold_out) for corpus in checkpoint.settings.data.corpora]
    everywhere = set.intersection(*held_out)

    def is_heard(source: Source, word: str) -> bool:
        is_left_out = learned.target(source.word_as(word)) is None
        return not (is_left_out or word in everywhere or source.is_held_out(word, learned))

    return is_heard


def describe(
    checkpoint: Checkpoint,
    clips: Clips,
    parts: np.ndarray,
    logits: np.ndarray,
    reader: Reader,
    task: Task,
    split: Split,
) -> Scores:
    """Return logits with what is known about each clip.

    Args:
        checkpoint: The model.
        clips: The clips, in the order of the logits.
        parts: The part of the report each belongs to.
        logits: Shape ``(clips, classes)``.
        reader: What read them.
        task: The task.
        split: The split.
    """
    rows = []
    is_heard = hearing(checkpoint)
    for number, (source, row) in enumerate(zip(clips.source, clips.row, strict=True)):
        if row == SILENT_ROW:
            rows.append((f"{SILENCE}/{split}-{number:04}", SILENCE, "", "background", False, True))
            continue
        corpus = reader.sources[source]
        said = corpus.store.utterance(row)
        word = commands.spoken_word(said)
        is_dropped = said.name in corpus.store.manifest.dropped
        known = (said.name, word, said.speaker or "", corpus.name)
        rows.append((*known, is_dropped, is_heard(corpus, word)))
    columns = map(np.array, zip(*rows, strict=True))
    names = ("names", "words", "speakers", "corpora", "dropped", "heard")
    return Scores(
        task=task.name,
        split=split,
        labels=task.labels,
        parts=parts,
        targets=clips.target,
        logits=logits,
        **dict(zip(names, columns, strict=True)),
    )


def report(
    scores: Scores, checkpoint: Checkpoint, sources: Sequence[Source], path: Path
) -> dict[str, Any]:
    """Return the report of an evaluation, with where model and data come from.

    Args:
        scores: What the model answered.
        checkpoint: The model.
        sources: The corpora.
        path: Where the model was read from.
    """
    return build_report(scores, provenance=origin(checkpoint, sources, path))


def origin(checkpoint: Checkpoint, sources: Sequence[Source], path: Path) -> dict[str, Any]:
    """Return where a result comes from: the model, its training, the data and the command.

    Args:
        checkpoint: The model.
        sources: The corpora it is evaluated on.
        path: Where the model was read from.
    """
    trained = checkpoint.provenance
    size, accuracy = build.measure(checkpoint), trained.get("valid_accuracy")
    return {
        "model": f"{checkpoint.settings.model.name}, width {checkpoint.settings.model.width:g}",
        "parameters": size.parameters,
        "macs": f"{size.macs:,} at {size.frames} frames",
        "seed": trained.get("seed"),
        "config": checkpoint.settings.name,
        "commit": trained.get("commit"),
        "command": trained.get("command"),
        "epoch": trained.get("epoch"),
        "chosen on": None if accuracy is None else f"valid, accuracy {accuracy:.4f}",
        "evaluated by": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "checkpoint": path.name,
        "data": {source.name: source.store.fingerprint for source in sources},
        "trained on": trained.get("data"),
        "rebuilt audio in training": ", ".join(trained.get("rebuilt") or ()) or "none",
        "clips of a training epoch": trained.get("epoch_clips"),
        "teachers, and digests of their weights": trained.get("teachers") or "none",
    }
