"""The jobs that only look at a model: what it is, how large, and which settings made it.

In come names and paths as a user gives them, out come plain records and lines. A room beside
``jobs`` because nothing here trains, listens or writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from watchword import shipped
from watchword.errors import CheckpointError, ConfigError, nearest

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
        model: Name in the table of models, path of a checkpoint, name of a shipped model, or
            nothing for all models of the table.
        width: Width multiplier; 1 where not given.
        outputs: Number of outputs; 12 where not given.
        frames: Length of the features; that which a model was published with where not given.
        mels: Bands of the features; those a model was published with where not given.

    Raises:
        ConfigError: If there is no such model, or a checkpoint is asked for other sizes than its
            own.
    """
    from watchword import models

    if model and model not in models.MODELS and _is_checkpoint(model):
        asked = {"--width": width, "--outputs": outputs, "--frames": frames, "--mels": mels}
        given = [key for key, value in asked.items() if value is not None]
        return [_info_of_checkpoint(Path(model), given)]
    width = 1.0 if width is None else width
    outputs = 12 if outputs is None else outputs
    names = [model] if model else list(models.MODELS)
    return [_info_of_model(name, width, outputs, frames, mels) for name in names]


def is_shipped_bundle(model: str) -> bool:
    """Tell whether words name a shipped model that has a bundle: what it is needs no torch.

    Args:
        model: What the user typed; a file that is there is no name.
    """
    is_name = model in shipped.names() and not Path(model).exists()
    return is_name and (shipped.FOLDER / model / shipped.BUNDLE).is_file()


def info_of_bundle(model: str) -> dict[str, Any]:
    """Return what a bundle says of itself, and of a shipped model also what its card says.

    Args:
        model: Path of a bundle, or name of a shipped model that has one.

    Raises:
        BundleError: If the bundle cannot be read or trusted.
        CheckpointError: If a file of the shipped model is not what was shipped.
    """
    from watchword import bundle, bundle_card

    if not is_shipped_bundle(model):
        return bundle_card.card(bundle.read(Path(model)))
    shipped.find(Path(model))  # the weights beside it are of the same model, or nothing is told
    record = bundle_card.card(bundle.read(shipped.find_bundle(model)))
    return {**record, **_told_of_shipped(model)}


def _is_checkpoint(model: str) -> bool:
    """Tell a checkpoint, by path or by the name of a shipped model, from the name of a network.

    Raises:
        ConfigError: If it can be neither.
    """
    from watchword import checkpoint, models

    is_path = "/" in model or model.endswith(checkpoint.SUFFIXES) or Path(model).is_file()
    if not is_path and model not in shipped.names():
        names = [*models.MODELS, *shipped.names()]
        raise ConfigError(f"no model is called {model!r}: {nearest(model, names)}")
    return True


def _info_of_model(
    name: str, width: float, outputs: int, frames: int | None, mels: int | None
) -> dict[str, Any]:
    """Return the size of a model that the table names."""
    from watchword import models

    entry = models.entry(name)
    bands, length = mels or entry.mels, entry.frames if frames is None else frames
    network = models.create(name, classes=outputs, width=width, mels=bands, frames=length)
    size = models.measure_size(network, mels=bands, frames=length)
    return {
        "model": name,
        "width": width,
        "outputs": outputs,
        "mels": bands,
        "frames": length,
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
    file = shipped.find(path)
    loaded = checkpoint.load(file)
    size = build.measure(loaded)
    keys = ("epoch", "valid_accuracy", "seed", "commit", "command")
    return {
        **({} if file == path else {"name": str(path)}),
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
        **({} if file == path else _told_of_shipped(str(path))),
    }


def _told_of_shipped(name: str) -> dict[str, Any]:
    """Return what the card of a shipped model says beyond its files."""
    from watchword.page import rate

    facts = shipped.card(name)
    results = {split: facts["results"][split]["all clips"] for split in ("valid", "test")}
    return {
        **{key: facts[key] for key in ("parameters", "macs", "bytes", "licence")},
        **{split: rate(row) for split, row in results.items()},
        "card": f"watchword models {name}",
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
