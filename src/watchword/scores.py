"""What a model answered: one row for each evaluated clip, kept in one file.

In come the logits of a whole split with what is known about each clip, out goes ``scores.npz``; it
comes back without unpickling anything. It is a room because evaluation writes scores first and
every number of a report is computed from them: a new metric never needs the model again.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watchword.errors import DataError
from watchword.files import written_whole
from watchword.words import SILENCE, UNKNOWN

PARTS: Final = ("task", "extra-unknown", "held-out")
FILE_NAME: Final = "scores.npz"

_COLUMNS: Final = {
    "names": np.str_,
    "words": np.str_,
    "speakers": np.str_,
    "corpora": np.str_,
    "parts": np.str_,
    "dropped": np.bool_,
    "heard": np.bool_,
    "targets": np.int64,
}


@dataclass(frozen=True, eq=False)
class Scores:
    """The logits of a split, every row one evaluated clip.

    Columns are converted to the types below; lists are welcome.

    Args:
        task: Name of the task, e.g. ``core-10``.
        split: ``train``, ``valid`` or ``test``.
        labels: Names of the classes, in the order of the logits.
        names: Corpus-relative name of each clip, e.g. ``yes/ab_nohash_0.wav``, shape ``(clips,)``;
            silence cut from noise is called ``_silence_/valid-0003``.
        words: Word as spoken (``bed``, ``yes``, ``_silence_``), shape ``(clips,)``.
        speakers: Speaker, ``""`` if not known, shape ``(clips,)``.
        corpora: Name of the corpus, shape ``(clips,)``.
        parts: One of ``PARTS``, shape ``(clips,)``: *task* counts for accuracy, *extra-unknown* are
            unknown clips beyond the task's share, *held-out* are words that the task keeps apart.
        dropped: Whether v0.02 of Speech Commands dropped the clip, shape ``(clips,)``.
        heard: Whether training heard the word, shape ``(clips,)``: False for the words that it is
            known to have left out.
        targets: Index of the right answer in ``labels``, shape ``(clips,)``.
        logits: What the model answered, float32, shape ``(clips, classes)``.

    Raises:
        DataError: If there is no clip, or the columns cannot belong to each other.
    """

    task: str
    split: str
    labels: tuple[str, ...]
    names: NDArray[np.str_]
    words: NDArray[np.str_]
    speakers: NDArray[np.str_]
    corpora: NDArray[np.str_]
    parts: NDArray[np.str_]
    dropped: NDArray[np.bool_]
    heard: NDArray[np.bool_]
    targets: NDArray[np.int64]
    logits: NDArray[np.float32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        for name, kind in _COLUMNS.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        object.__setattr__(self, "logits", np.asarray(self.logits, dtype=np.float32))
        _check(self)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.targets)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Index of the class with the highest logit, shape ``(clips,)``."""
        return np.asarray(np.argmax(self.logits, axis=1), dtype=np.int64)

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether the highest logit is the target's, shape ``(clips,)``."""
        return np.asarray(self.predictions == self.targets)

    @property
    def keywords(self) -> tuple[str, ...]:
        """Labels that are neither unknown nor silence."""
        return tuple(label for label in self.labels if label not in (UNKNOWN, SILENCE))

    def is_target(self, *labels: str) -> NDArray[np.bool_]:
        """Return whether the right answer is one of the labels, shape ``(clips,)``."""
        return np.isin(self.targets, [self.labels.index(x) for x in labels if x in self.labels])

    def select(self, rows: NDArray[np.bool_]) -> Scores:
        """Return the scores of some clips only.

        Args:
            rows: Which clips to keep, shape ``(clips,)``.

        Raises:
            DataError: If no clip is left.
        """
        columns = {name: getattr(self, name)[rows] for name in (*_COLUMNS, "logits")}
        return replace(self, **columns)


def posteriors(scores: Scores) -> NDArray[np.float64]:
    """Return the softmax of the logits, taken in float64.

    Returns:
        Probabilities in [0, 1], rows summing to one, shape ``(clips, classes)``.
    """
    logits = scores.logits.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def save(scores: Scores, path: Path) -> None:
    """Write scores into one ``.npz`` file, whole or not at all.

    Raises:
        DataError: If the file cannot be written.
    """
    arrays = {field.name: np.asarray(getattr(scores, field.name)) for field in fields(scores)}
    with written_whole(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: Path) -> Scores:
    """Read scores that ``save`` wrote; nothing is unpickled.

    Raises:
        DataError: If the file is missing, damaged, or holds something else.
    """
    damage = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
    try:
        values = _read(path)
        labels = tuple(str(label) for label in np.atleast_1d(values.pop("labels")))
        task, split = str(values.pop("task")), str(values.pop("split"))
        return Scores(task=task, split=split, labels=labels, **values)
    except (DataError, *damage) as fault:
        raise DataError(
            f"{path} cannot be read as scores ({fault}); needed is a whole {FILE_NAME} as "
            "evaluation writes it: evaluate the model again"
        ) from fault


def load_runs(paths: Sequence[Path]) -> dict[str, Scores]:
    """Read the scores of several runs, for one figure.

    Args:
        paths: Files that ``save`` wrote, or folders that hold a ``scores.npz``.

    Returns:
        Name of the run → its scores, in the order given; see ``run_names``.

    Raises:
        DataError: If one of them cannot be read.
    """
    files = [path / FILE_NAME if path.is_dir() else path for path in paths]
    return {name: load(file) for name, file in zip(run_names(files), files, strict=True)}


def run_names(files: Sequence[Path]) -> list[str]:
    """Return a short name for each run: the folders in which the files' places differ.

    Example:
        >>> run_names([Path("out/k1/valid/scores.npz"), Path("out/k2/valid/scores.npz")])
        ['k1', 'k2']
        >>> run_names([Path("out/k1/valid/scores.npz")])
        ['k1/valid']
    """
    folders = [file.absolute().parent.parts for file in files]
    if len(set(folders)) < 2:
        return ["/".join(folder[-2:]) for folder in folders]
    while min(map(len, folders)) > 1 and len({folder[0] for folder in folders}) == 1:
        folders = [folder[1:] for folder in folders]
    while min(map(len, folders)) > 1 and len({folder[-1] for folder in folders}) == 1:
        folders = [folder[:-1] for folder in folders]
    return ["/".join(folder) for folder in folders]


def _read(path: Path) -> dict[str, Any]:
    """Return every array of the file that is a field of scores."""
    if not zipfile.is_zipfile(path):
        raise DataError("no such file" if not path.exists() else "not an .npz file, or cut short")
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        names = {field.name for field in fields(Scores)} - {"heard"}
        values = {name: file[name] for name in names}
        # early files have no such column: there the part told it
        heard = file["heard"] if "heard" in file else values["parts"] != "held-out"
    return {**values, "heard": heard}


def _check(scores: Scores) -> None:
    """Refuse columns that cannot belong to each other."""
    clips, classes = len(scores.names), len(scores.labels)
    shapes = {name: getattr(scores, name).shape for name in _COLUMNS}
    uneven = sorted(name for name, shape in shapes.items() if shape != (clips,))
    if uneven or scores.logits.shape != (clips, classes):
        found = ", ".join(f"{name} {shapes[name]}" for name in uneven)
        raise DataError(
            f"scores do not fit together: found {found or f'logits {scores.logits.shape}'}; needed "
            f"are {clips} clips, as there are names, by {classes} labels: give every column one "
            "row for each clip"
        )
    _refuse(clips == 0, "no clip", "at least one", "choose a split and a task that have clips")
    _refuse(
        len(set(scores.labels)) < classes, "a label twice", "different labels", "name each once"
    )
    known = np.isin(scores.parts, PARTS).all()
    _refuse(not known, "a part of another name", f"one of {', '.join(PARTS)}", "name it so")
    is_inside = (scores.targets >= 0) & (scores.targets < classes)
    _refuse(not is_inside.all(), "a target beyond the labels", f"0 to {classes - 1}", "count again")
    finite = np.isfinite(scores.logits).all()
    _refuse(not finite, "logits that are no numbers", "finite ones", "look for NaN in the model")


def _refuse(is_wrong: bool, found: str, needed: str, todo: str) -> None:  # noqa: FBT001 - the claim
    """Raise the error of three parts if the claim holds."""
    if is_wrong:
        raise DataError(f"scores cannot be used: found {found}, needed {needed}: {todo}")
