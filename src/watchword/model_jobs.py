"""The jobs that only look at a model: what it is, how large, and which settings made it.

In come names and paths as a user gives them, out come plain records and lines. A room beside
``jobs`` because nothing here trains, listens or writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from watchword.errors import CheckpointError, ConfigError

DIFFERENCES_SHOWN = 3
DEFINING = ("task", "model", "features")
"""The sections that matter most where settings differ."""


def info(
    model: str,
    *,
    width: float | None,
    outputs: int | None,
    frames: int | None,
    mels: int | None,
) -> list[dict[str, Any]]:
    """Return the size of a model, of a checkpoint, or of every model.

    Args:
        model: Name in the table of models, path of a checkpoint, or nothing for all models.
        width: Width multiplier; 1 where not given.
        outputs: Number of outputs; 12 where not given.
        frames: Length of the features; 98 where not given.
        mels: Bands of the features; those a model was published with where not given.

    Raises:
        ConfigError: If there is no such model, or a checkpoint is asked for other sizes than its
            own.
    """
    from watchword import checkpoint, models

    is_path = "/" in model or model.endswith(checkpoint.SUFFIXES) or Path(model).is_file()
    if model not in models.MODELS and is_path:
        asked = {"--width": width, "--outputs": outputs, "--frames": frames, "--mels": mels}
        return [_info_of_checkpoint(Path(model), [k for k, v in asked.items() if v is not None])]
    width = 1.0 if width is None else width
    outputs, frames = 12 if outputs is None else outputs, 98 if frames is None else frames
    names = [model] if model else list(models.MODELS)
    return [_info_of_model(name, width, outputs, frames, mels) for name in names]


def _info_of_model(
    name: str, width: float, outputs: int, frames: int, mels: int | None
) -> dict[str, Any]:
    """Return the size of a model that the table names."""
    from watchword import models

    bands = mels or models.entry(name).mels
    network = models.create(name, classes=outputs, width=width, mels=bands)
    size = models.measure_size(network, mels=bands, frames=frames)
    return {
        "model": name,
        "width": width,
        "outputs": outputs,
        "mels": bands,
        "frames": frames,
        "parameters": size.parameters,
        "macs": size.macs,
    }


def _info_of_checkpoint(path: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Return what a checkpoint is; it has its own sizes, and no option may ask for others."""
    from watchword import build, checkpoint

    if asked:
        raise ConfigError(
            f"{', '.join(asked)} was given with {path}, and a checkpoint has its own sizes: leave "
            "it out, or name a model of the table"
        )
    loaded = checkpoint.load(path)
    size = build.measure(loaded)
    keys = ("epoch", "valid_accuracy", "seed", "commit", "command")
    return {
        "model": loaded.settings.model.name,
        "width": loaded.settings.model.width,
        "outputs": len(loaded.labels),
        "mels": loaded.settings.features.bands,
        "frames": size.frames,
        "parameters": size.parameters,
        "macs": size.macs,
        "task": loaded.settings.find_task().name,
        "labels": " ".join(loaded.labels),
        **{key: loaded.provenance.get(key) for key in keys},
    }


def differs(config: Path, model: Path) -> str:
    """Return in what a settings file differs from the one a checkpoint was trained with, or "".

    Args:
        config: Settings file.
        model: Checkpoint.

    Returns:
        The first few keys with their values, task, network and features before the others.

    Raises:
        CheckpointError: If they describe different networks.
    """
    from watchword.config import load_settings

    settings, _ = load_settings(config)

    from watchword import checkpoint

    trained = checkpoint.load(model).settings
    if settings.model.name != trained.model.name:
        raise CheckpointError(
            f"{model} holds a {trained.model.name} and {config} describes a {settings.model.name}: "
            "give the settings file it was trained with, or none"
        )
    found = _differences(settings.model_dump(mode="json"), trained.model_dump(mode="json"))
    found.sort(key=lambda line: not line.startswith(DEFINING))
    more = len(found) - DIFFERENCES_SHOWN
    listed = ", ".join(found[:DIFFERENCES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{config} differs from {model.name} in {listed}" if found else ""


def _differences(mine: object, theirs: object, key: str = "") -> list[str]:
    """Return the keys in which two trees of settings differ, short values beside them."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            line
            for name in dict.fromkeys([*theirs, *mine])
            for line in _differences(mine.get(name), theirs.get(name), f"{key}.{name}".strip("."))
        ]
    if mine == theirs:
        return []
    is_short = not isinstance(mine, dict | list) and not isinstance(theirs, dict | list)
    return [f"{key} ({mine}, not {theirs})" if is_short else key]
