"""Runs → a model that comes with the package: weights, facts and a card.

In come the folders of runs that differ in their seed alone, with their reports; out goes a folder
that ``shipped`` finds by its name. A room because what leaves the house is chosen by a rule, says
where it comes from, and tells nothing about the machine it was made on.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from watchword import build, bundle, checkpoint, licences, model_card, models, shipped
from watchword.bundle import Bundle
from watchword.checkpoint import Checkpoint
from watchword.config import Settings, dump_settings
from watchword.errors import CheckpointError, ConfigError, DataError
from watchword.files import folder_written_whole, write_whole
from watchword.portable import portable
from watchword.units import CLIP_SAMPLES, SAMPLE_RATE_HZ

MOST_BYTES: Final = 1_200_000
SPLITS: Final = ("valid", "test")


@dataclass(frozen=True)
class Seed:
    """One run of a recipe: its best model and its reports.

    Args:
        folder: Folder of the run.
        model: Its best checkpoint.
        reports: Its reports by split.
    """

    folder: Path
    model: Checkpoint
    reports: dict[str, dict[str, Any]]

    @property
    def valid_accuracy(self) -> float:
        """What training chose the epoch by."""
        return float(self.model.provenance.get("valid_accuracy", 0.0))


def ship(
    runs: Sequence[Path], name: str, into: Path | None = None, *, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Write the best of some runs as a shipped model, whole or not at all.

    Args:
        runs: Folders of runs that differ in their seed alone; the one that training found best on
            validation is shipped, the others say how far seeds spread.
        name: Name of the model: small letters, digits and hyphens.
        into: Where its folder shall be; the package's own place where not given.
        notes: Weaknesses that no report can know, a sentence each.

    Returns:
        Name, folder, bytes, the seed that was shipped and all seeds.

    Raises:
        ConfigError: If the name cannot be one, or no place is given outside a checkout.
        CheckpointError: If weights are damaged or larger than ``MOST_BYTES``.
        DataError: If a run lacks a report, runs are of different recipes, the licence of a corpus
            is not known, or the folder cannot be written.
    """
    _check_name(name)
    folder = _place(into) / name
    _refuse_other_things(folder, name)
    seeds = [_read(run) for run in dict.fromkeys(run.resolve() for run in runs)]
    _refuse_mixed(seeds)
    best = max(seeds, key=lambda seed: seed.valid_accuracy)
    files = dict(_files(name, best, seeds, notes))
    with folder_written_whole(folder) as part:
        for file, content in files.items():
            write_whole(part / file, content)
    return {
        "name": name,
        "folder": str(folder),
        "bytes": len(files[shipped.WEIGHTS]),
        "seed": best.model.settings.seed,
        "of_seeds": [seed.model.settings.seed for seed in seeds],
        "valid_accuracy": best.valid_accuracy,
    }


# --------------------------------------------------------------------------------------- what comes


def _check_name(name: str) -> None:
    """Refuse a name that could be a path, or that the table of networks has."""
    if not shipped.NAME.fullmatch(name) or name in models.MODELS:
        raise ConfigError(
            f"{name!r} cannot be the name of a model: needed are small letters, digits and single "
            "hyphens, and no name of a network; choose one such as commands-12"
        )


def _place(into: Path | None) -> Path:
    """Return the folder of shipped models, which exists to be written in a checkout only."""
    if into is not None:
        return into
    source = shipped.FOLDER.parents[1]
    if source.name != "src" or not (source.parent / "pyproject.toml").is_file():
        raise ConfigError(
            f"watchword runs from {shipped.FOLDER.parent}, which is no checkout: say with --into "
            "where the model shall be"
        )
    return shipped.FOLDER


def _refuse_other_things(folder: Path, name: str) -> None:
    """Raise if a folder would be replaced that is no model of this name."""
    if not folder.exists():
        return
    with suppress(CheckpointError):
        if shipped.read_card(folder / shipped.CARD)["name"] == name:
            return
    raise DataError(
        f"{folder} is there and is no shipped model of that name: it is left alone; choose another "
        "name or place"
    )


def _read(run: Path) -> Seed:
    """Return the model of a run and its reports, which must be of that model."""
    file = run / "best.safetensors"
    if not file.is_file():
        raise DataError(f"{run} is no folder of a run: it has no {file.name}; train first")
    model = checkpoint.load(file)
    build.trained(model)  # refuses weights that are damaged or do not fit
    task = model.settings.find_task().name
    reports = {}
    for split in SPLITS:
        reports[split] = _read_json(_report_folder(run, task, split) / "report.json")
        _refuse_stale(run, model, reports[split], split)
    return Seed(run, model, reports)


def _report_folder(run: Path, task: str, split: str) -> Path:
    """Return where the report of a run on a split lies."""
    for folder in (run / split, run / f"eval-{task}-{split}"):
        if (folder / "report.json").is_file():
            return folder
    raise DataError(
        f"{run} has no eval-{task}-{split}/report.json, and nothing is shipped that was not "
        f"measured: watchword eval {run / 'best.safetensors'} --split {split} --output "
        f"{run / split}"
    )


def _read_json(file: Path) -> dict[str, Any]:
    """Return the record in a file."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{file} cannot be read as a report ({error}): evaluate again") from error


def _refuse_stale(run: Path, model: Checkpoint, report: dict[str, Any], split: str) -> None:
    """Raise if a report is not of the model that lies beside it."""
    for key in ("seed", "epoch"):
        found, needed = report["provenance"].get(key), model.provenance.get(key)
        if found != needed:
            raise DataError(
                f"{run}: the report on {split} is of {key} {found} and best.safetensors of {key} "
                f"{needed}: evaluate again"
            )


def _refuse_mixed(seeds: Sequence[Seed]) -> None:
    """Raise if runs differ in more than their seed."""
    if not seeds:
        raise ConfigError("no run was given, and one or more are needed: name their folders")
    first, *others = [_recipe(seed) for seed in seeds]
    for seed, recipe in zip(seeds[1:], others, strict=True):
        keys = [key for key in recipe if recipe[key] != first[key]]
        if keys:
            raise DataError(
                f"{seed.folder.name} and {seeds[0].folder.name} differ in {', '.join(keys)}: "
                "needed are runs that differ in their seed alone"
            )
    numbers = [seed.model.settings.seed for seed in seeds]
    if len(set(numbers)) < len(numbers):
        raise DataError(f"seeds {', '.join(map(str, numbers))}: one was given twice; name it once")


def _recipe(seed: Seed) -> dict[str, Any]:
    """Return the settings of a run without its seed and without places."""
    return dict(portable(seed.model.settings.model_dump(mode="json", exclude={"seed"})))


# ---------------------------------------------------------------------------------------- what goes


def _files(
    name: str, best: Seed, seeds: Sequence[Seed], notes: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of a shipped model, the facts last."""
    model = without_places(best.model)
    answers = _report_folder(best.folder, model.settings.find_task().name, "test")
    content = {
        shipped.WEIGHTS: checkpoint.to_bytes(model),
        shipped.BUNDLE: bundle.to_bytes(_bundle_of(best, name)),
        shipped.LOG: _bytes_of(best.folder / shipped.LOG),
        shipped.ANSWERS: _bytes_of(answers / shipped.ANSWERS),
    }
    size = len(content[shipped.WEIGHTS])
    if size > MOST_BYTES:
        raise CheckpointError(
            f"{best.folder / 'best.safetensors'} makes {size:,} bytes of weights, and a shipped "
            f"model has at most {MOST_BYTES:,}: train a narrower one"
        )
    facts = _facts(name, model, best, seeds) | {
        "notes": list(notes),
        "bytes": size,
        "sha256": {file: hashlib.sha256(data).hexdigest() for file, data in content.items()},
    }
    others, robust, long = _further(best, facts["task"])
    page = model_card.markdown(facts, best.reports, others, robust, long)
    yield from content.items()
    yield shipped.SETTINGS, dump_settings(model.settings).encode()
    yield shipped.PAGE, page.encode()
    yield shipped.CARD, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode()


def _facts(name: str, model: Checkpoint, best: Seed, seeds: Sequence[Seed]) -> dict[str, Any]:
    """Return what is known about a model, in plain JSON types."""
    size, settings = build.measure(model), model.settings
    return {
        "format": shipped.FORMAT,
        "name": name,
        "architecture": settings.model.name,
        "width": settings.model.width,
        "task": settings.find_task().name,
        "labels": list(model.labels),
        "parameters": size.parameters,
        "macs": size.macs,
        "frames": size.frames,
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "input_samples": CLIP_SAMPLES,
        "licence": licences.WEIGHTS,
        "corpora": _corpora(model),
        "rebuilt": _rebuilt(model),
        "results": {split: model_card.measures(best.reports[split]) for split in SPLITS},
        "seeds": [_result(seed, is_shipped=seed is best) for seed in seeds],
        "settings": settings.model_dump(mode="json"),
        "provenance": model.provenance,
    }


def _bundle_of(best: Seed, name: str) -> Bundle:
    """Return the bundle that lies beside a run's model, under the name it is shipped by."""
    stems = ("calibrated", "best")
    places = [best.folder / f"{stem}{bundle.SUFFIX}" for stem in stems]
    file = next((place for place in places if place.is_file()), places[-1])
    if not file.is_file():
        raise DataError(
            f"{best.folder} has no {file.name}, and a shipped model can be listened with: "
            f"watchword export {best.folder / 'best.safetensors'}"
        )
    found = bundle.read(file)
    told, known = found.facts.told.get("provenance", {}), best.model.provenance
    for key in ("seed", "epoch", "commit"):
        if told.get(key) != known.get(key):
            raise DataError(
                f"{file} is of {key} {told.get(key)} and best.safetensors of {key} "
                f"{known.get(key)}: export again"
            )
    return bundle.of({**found.facts.told, "name": name}, found.graphs, str(file))


def _result(seed: Seed, *, is_shipped: bool) -> dict[str, Any]:
    """Return what one seed reached."""
    rates = {split: model_card.measures(seed.reports[split]) for split in SPLITS}
    return {
        "seed": seed.model.settings.seed,
        "run": seed.model.settings.run_name,
        "is_shipped": is_shipped,
        "valid_accuracy": seed.valid_accuracy,
        "results": {
            split: {what: row["accuracy"] for what, row in rows.items()}
            for split, rows in rates.items()
        },
    }


def _corpora(model: Checkpoint) -> list[dict[str, Any]]:
    """Return the corpora of training; one whose licence nobody knows is refused."""
    heard = model.provenance.get("epoch_clips") or {}
    corpora = model.settings.data.corpora
    names = [Path(corpus.folder).name for corpus in corpora]
    found = []
    for place, (corpus, name) in enumerate(zip(corpora, names, strict=True)):
        licences.corpus_of(corpus.folder)
        key = name if names.count(name) == 1 else f"{name}#{place}"  # as speech.sources names them
        found.append(
            {
                "folder": corpus.folder,
                "clips": sum(heard.get(key, {}).values()),
                "is_rebuilt": corpus.is_rebuilt,
                "is_background": corpus.is_background,
            }
        )
    return found


def _rebuilt(model: Checkpoint) -> dict[str, Any]:
    """Return how many of the clips of an epoch were rebuilt, in all and by class."""
    heard = model.provenance.get("epoch_clips") or {}
    names = model.provenance.get("rebuilt") or []
    by_class = {
        label: [
            sum(heard[name].get(label, 0) for name in names if name in heard),
            sum(clips.get(label, 0) for clips in heard.values()),
        ]
        for label in model.labels
    }
    part, whole = (sum(counts[i] for counts in by_class.values()) for i in (0, 1))
    return {"clips": part, "of": whole, "by_class": by_class}


def _further(
    best: Seed, task: str
) -> tuple[list[dict[str, Any]], dict[str, Any] | None, list[dict[str, Any]]]:
    """Return the other reports in a run's folder, that on robustness, and those on long audio."""
    known = {_report_folder(best.folder, task, split) for split in SPLITS}
    files = sorted(best.folder.rglob("report.json"))
    records = [_read_json(file) for file in files if file.parent not in known]
    epoch = best.model.provenance.get("epoch")
    of_it = [record for record in records if record.get("provenance", {}).get("epoch") == epoch]
    robust = [record for record in of_it if "conditions" in record and record["task"] == task]
    robust.sort(key=lambda record: record["split"] == "test")
    others = [record for record in of_it if "per_class" in record]
    long = [portable(record) for record in of_it if "counted_over" in record]
    return others, portable(robust[-1]) if robust else None, long


def _bytes_of(file: Path) -> bytes:
    """Return the content of a file of a run."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read ({error.strerror or error}), and a shipped model can be drawn: "
            "give a whole run with its reports"
        ) from error


def without_places(model: Checkpoint) -> Checkpoint:
    """Return a checkpoint that tells nothing about the machine it was made on.

    Args:
        model: The checkpoint.
    """
    settings = Settings.model_validate(portable(model.settings.model_dump(mode="json")))
    told = dict(model.provenance)
    with suppress(ValueError):  # a command that no shell would take is treated as plain text
        told["command"] = shlex.join(map(portable, shlex.split(str(told.get("command")))))
    return replace(model, settings=settings, provenance=portable(told))
