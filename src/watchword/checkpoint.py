"""A trained model on disk: weights with their settings, labels and provenance.

In comes a ``Checkpoint``, out go two files with the same content: ``NAME.safetensors`` and, for the
published commands, ``NAME.pth.tar``. A room because a checkpoint alone must be enough to evaluate,
stream and export a model, on any device, and because files from strangers come in here: nothing is
unpickled but tensors and plain values.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

import watchword
from watchword import shipped
from watchword.config import Settings
from watchword.errors import CheckpointError, WatchwordError
from watchword.files import write_whole

FORMAT = 1
KEY = "watchword"
SHIFT = "logit_shift"
"""What a provenance calls the number that was taken off the logit of each class."""
PICKLED = (".pth.tar", ".pth", ".pt", ".ckpt")
SUFFIXES = (".safetensors", *PICKLED)
DAMAGE = (RuntimeError, EOFError, ValueError, KeyError, OSError)


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and all that is known about it.

    Args:
        settings: What it was made from.
        labels: Its outputs by name, in order.
        weights: Its state dict, front end included.
        provenance: Plain values: seed, commit, command, data fingerprints, epoch, accuracy.
    """

    settings: Settings
    labels: tuple[str, ...]
    weights: dict[str, Tensor]
    provenance: dict[str, Any]

    @property
    def card(self) -> str:
        """Everything but the weights, as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "settings": self.settings.model_dump(mode="json"),
                "labels": list(self.labels),
                "provenance": self.provenance,
            }
        )

    @property
    def digest(self) -> str:
        """The first 16 digits of the SHA-256 of the weights, whatever file they lie in."""
        return hashlib.sha256(to_safetensors(_plain_weights(self))).hexdigest()[:16]


def save(checkpoint: Checkpoint, stem: Path) -> None:
    """Write ``<stem>.safetensors`` and ``<stem>.pth.tar``, each whole or not at all.

    Args:
        checkpoint: The model.
        stem: Path without suffix.

    Raises:
        DataError: If the disk is full or the folder cannot be written.
    """
    write_whole(stem.with_name(f"{stem.name}.safetensors"), to_bytes(checkpoint))
    buffer = io.BytesIO()
    torch.save({KEY: checkpoint.card, "state_dict": _plain_weights(checkpoint)}, buffer)
    write_whole(stem.with_name(f"{stem.name}.pth.tar"), buffer.getvalue())


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as the content of a ``.safetensors`` file.

    Args:
        checkpoint: The model.
    """
    return to_safetensors(_plain_weights(checkpoint), metadata={KEY: checkpoint.card})


def _plain_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Return weights as files hold them: on the CPU, without gradients, no views."""
    return {name: value.detach().cpu().contiguous() for name, value in checkpoint.weights.items()}


def load(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Args:
        path: ``*.safetensors`` or ``*.pth.tar``, or the name of a shipped model.

    Raises:
        CheckpointError: If the file is missing, cut short, foreign, hostile or of another version,
            or not what was shipped.
    """
    path = shipped.find(path)
    if not path.is_file():
        raise CheckpointError(
            f"{path} is no file: give a checkpoint that training wrote, such as best.pth.tar"
        )
    card, weights = _load_pickled(path) if path.name.endswith(PICKLED) else _load_safe(path)
    return _from_card(card, weights, path)


def load_tensors(path: Path) -> Any:
    """Return what ``torch.save`` wrote, if it holds nothing but tensors and plain values.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is cut short or holds anything that would have to be executed.
    """
    if not zipfile.is_zipfile(path):  # torch would try formats of long ago
        raise _damaged(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds objects other than tensors and plain values, and loading it would run "
            "their code: use a checkpoint that watchword wrote"
        ) from error
    except DAMAGE as error:
        raise _damaged(path) from error


def _load_pickled(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the card and weights of a ``.pth.tar``."""
    content = load_tensors(path)
    if not isinstance(content, dict) or not isinstance(content.get(KEY), str):
        raise _foreign(path)
    return content[KEY], content.get("state_dict", {})


def _load_safe(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the card and weights of a ``.safetensors``."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            card = (file.metadata() or {}).get(KEY)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    except (SafetensorError, *DAMAGE) as error:
        raise _damaged(path) from error
    if card is None:
        raise _foreign(path)
    return card, weights


def _damaged(path: Path) -> CheckpointError:
    """Return the error for a file that cannot be read to its end."""
    return CheckpointError(
        f"{path} is damaged, cut short or no checkpoint ({path.stat().st_size:,} bytes): copy it "
        "again or use another one"
    )


def _foreign(path: Path) -> CheckpointError:
    """Return the error for a file that this program has not written."""
    return CheckpointError(
        f"{path} is a checkpoint of another program: it has no {KEY!r} entry with settings and "
        "labels; train with watchword"
    )


def _from_card(card: str, weights: dict[str, Tensor], path: Path) -> Checkpoint:
    """Return the checkpoint of a card and weights, or say what the card lacks."""
    try:
        content = json.loads(card)
        if content["format"] != FORMAT:
            raise CheckpointError(
                f"{path} has format {content['format']}, this program reads format {FORMAT}: use "
                "the version of watchword that wrote it"
            )
        settings = Settings.model_validate(content["settings"])
        labels = tuple(content["labels"])
        told = _plain_provenance(content["provenance"], len(labels))
        found = Checkpoint(settings, labels, dict(weights), told)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(path) from error
    are_tensors = all(isinstance(value, Tensor) for value in found.weights.values())
    if labels != settings.find_task().labels or not are_tensors:
        raise _unreadable(path)
    return found


def _plain_provenance(found: Any, classes: int) -> dict[str, Any]:
    """Return a provenance whose known entries have the types that reports rely on."""
    told = dict(found)
    types = {
        "valid_accuracy": float,
        "rebuilt": list,
        "data": dict,
        "epoch_clips": dict,
        "teachers": dict,
    }
    for name, kind in types.items():
        if not isinstance(told.get(name, kind()), kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    shift = told.get(SHIFT, [0.0] * classes)
    if len(shift) != classes or not all(isinstance(one, float) for one in shift):
        raise TypeError(f"{SHIFT} is no number for each class")
    return told


def _unreadable(path: Path) -> CheckpointError:
    """Return the error for a file of ours whose content means nothing to this version."""
    return CheckpointError(
        f"{path} holds settings, labels or weights that this version cannot read: use the version "
        "of watchword that wrote it"
    )


def provenance(seed: int) -> dict[str, Any]:
    """Return where a result comes from: seed, versions, commit and command.

    Args:
        seed: Seed of the run.
    """
    return {
        "seed": seed,
        "watchword": watchword.__version__,
        "torch": torch.__version__,
        "commit": _commit(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _commit() -> str:
    """Return the commit of the source this runs from, with a mark if it was changed since.

    A package that is installed inside the checkout of something else has no commit.
    """
    source = Path(__file__)
    try:
        _git("ls-files", "--error-unmatch", source.name, folder=source.parent)
        return _git(
            "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*", folder=source.parent
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str, folder: Path) -> str:
    """Return what git answers in a folder."""
    answer = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
    )
    return answer.stdout.strip()


def refuse_other_weights(error: RuntimeError, settings: Settings) -> WatchwordError:
    """Return the error for weights that do not fit the network their settings describe.

    Args:
        error: What torch said.
        settings: The settings.
    """
    first = str(error).splitlines()[1:2]
    return CheckpointError(
        f"the weights are not those of {settings.model.name} at width {settings.model.width:g} "
        f"({first[0].strip() if first else error}): the checkpoint was changed after training; "
        "use an unchanged one"
    )
