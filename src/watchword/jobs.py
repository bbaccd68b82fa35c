"""The jobs behind the commands: each a short line of calls through the rooms below.

In come paths and names as a user gives them, out come plain records. A room because a command line
has words and a program has calls, and this is where the one becomes the other; ``cli.py`` prints
what these return.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from watchword.console import Console
from watchword.data.utterance import Split
from watchword.errors import CheckpointError, ConfigError, DataError

if TYPE_CHECKING:
    from watchword.config import Settings
    from watchword.data.check import CheckReport


def train(
    config: Path,
    overrides: Sequence[str],
    *,
    console: Console,
    data: Path | None = None,
    environment: Path | None = None,
    gpu: int | None = None,
    processes: int | None = None,
    nodes: int = 1,
) -> dict[str, Any] | None:
    """Train what a settings file describes, then evaluate the chosen model on validation.

    Args:
        config: Settings file.
        overrides: ``key=value`` pairs.
        console: Where progress is shown.
        data: Folder that replaces the first corpus.
        environment: Environment file.
        gpu: Number of the one GPU to use.
        processes: GPUs, or processes on a CPU.
        nodes: Machines.

    Returns:
        Run folder, checkpoint and validation accuracy; None on all processes but the first.
    """
    from watchword.config import load_environment, load_settings
    from watchword.memory import keep_freed_memory

    if data is not None:
        overrides = [*overrides, f"data.corpora.0.folder={json.dumps(_absolute(data))}"]
    settings, notes = load_settings(config, overrides)
    where = load_environment(environment)

    from watchword import build
    from watchword.train import Run, Watcher
    from watchword.watch import TrainingWatch, count_rows

    fabric = build.fabric(settings.train, gpu=gpu, processes=processes, nodes=nodes)
    build.check(settings)
    keep_freed_memory()
    fabric.launch()
    is_first = fabric.is_global_zero
    if not is_first:
        console.silence()
    for note in notes:
        console.say(f"note: {note}")
    folder = where.output / settings.run_name
    with fabric.rank_zero_first():
        corpora = build.sources(settings, where, console.progress)
    run = Run(settings, corpora, folder, fabric)
    watcher = TrainingWatch(console, folder) if is_first else Watcher()
    counts = run.plan.counts([source.name for source in corpora])
    title = f"task {run.task.name}: clips of an epoch"
    console.table(count_rows(counts, run.task.labels), title)
    console.say(
        f"{settings.model.name} k={settings.model.width:g} on {fabric.world_size} × "
        f"{fabric.device.type}, {len(run.valid):,} validation clips, run folder {folder}"
    )
    if is_first:
        _keep_settings(settings, folder)
    run.fit(watcher)
    if not is_first:
        return None
    record = evaluate(
        folder / "best.safetensors",
        data=None,
        task=None,
        split="valid",
        output=None,
        environment=environment,
        gpu=gpu,
        console=console,
    )
    return {
        "run": str(folder),
        "checkpoint": str(folder / "best.pth.tar"),
        "valid_accuracy": record["accuracy"],
        "report": record["report"],
    }


def _keep_settings(settings: Settings, folder: Path) -> None:
    """Write the settings of a run into its folder, unless a run is there, perhaps another one."""
    from watchword.config import dump_settings
    from watchword.files import write_whole
    from watchword.train import STATE_FILE

    if not (folder / STATE_FILE).exists():
        write_whole(folder / "config.yml", dump_settings(settings).encode())


def evaluate(
    model: Path,
    *,
    console: Console,
    data: Path | None,
    task: str | None,
    split: str,
    output: Path | None,
    environment: Path | None,
    gpu: int | None,
) -> dict[str, Any]:
    """Evaluate a checkpoint over a split and write the report.

    Args:
        model: Checkpoint.
        console: Where progress is shown.
        data: Folder of speech; the corpora the model was trained on where not given.
        task: Task; the one the model was trained on where not given.
        split: ``train``, ``valid`` or ``test``.
        output: Folder of the report; beside the checkpoint where not given, named after task, split
            and the corpora that the model was not trained on.
        environment: Environment file.
        gpu: Number of a GPU.

    Returns:
        The report, with the path of its page as ``report``.
    """
    from watchword.config import CorpusSettings, load_environment
    from watchword.data.tasks import find_task

    if split not in get_args(Split):
        raise ConfigError(f"no split is called {split!r}: choose {', '.join(get_args(Split))}")
    where = load_environment(environment)
    folder_of_speech = None if data is None else _absolute(data)

    from watchword import build, checkpoint, page
    from watchword.evaluate import outputs_for, report, score
    from watchword.report import write_report

    loaded = checkpoint.load(model)
    device = build.device(gpu)
    learned = loaded.settings.find_task()
    asked = learned if task in (None, learned.name) else find_task(str(task))
    outputs_for(loaded, asked)  # refuses another task before any audio is read
    if folder_of_speech is None:
        corpora = build.sources(loaded.settings, where, console.progress)
    else:
        corpus = CorpusSettings(folder=folder_of_speech)
        corpora = [build.source(corpus, where, train_on_dropped=True, told=console.progress)]
    scores = score(
        loaded,
        corpora,
        asked,
        cast(Split, split),
        device=device,
        told=lambda done, total: console.progress("evaluating", done, total),
    )
    record = report(scores, loaded, corpora, model)
    heard = loaded.provenance.get("data") or {}
    others = [s.name for s in corpora if heard.get(s.name) != s.store.fingerprint]
    name = "-".join(["eval", asked.name, split, *others])
    written = write_report(record, scores, output or model.parent / name)
    console.answer(page.headline(record))
    console.answer(f"report: {written}")
    return record | {"report": str(written)}


def info(
    model: str, *, width: float, outputs: int, frames: int, mels: int | None
) -> list[dict[str, Any]]:
    """Return the size of a model, of a checkpoint, or of every model.

    Args:
        model: Name in the table of models, path of a checkpoint, or nothing for all models.
        width: Width multiplier.
        outputs: Number of outputs.
        frames: Length of the features.
        mels: Bands of the features; those a model was published with where not given.
    """
    from watchword import checkpoint, models

    is_path = "/" in model or model.endswith(checkpoint.SUFFIXES) or Path(model).is_file()
    if model not in models.MODELS and is_path:
        return [_info_of_checkpoint(Path(model))]
    records = []
    for name in [model] if model else list(models.MODELS):
        bands = mels or models.entry(name).mels
        network = models.create(name, classes=outputs, width=width, mels=bands)
        size = models.measure_size(network, mels=bands, frames=frames)
        records.append(
            {
                "model": name,
                "width": width,
                "outputs": outputs,
                "mels": bands,
                "frames": frames,
                "parameters": size.parameters,
                "macs": size.macs,
            }
        )
    return records


def _info_of_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint is."""
    from watchword import build, checkpoint

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
    said = {
        "task": (settings.find_task().name, trained.find_task().name),
        "model.width": (f"{settings.model.width:g}", f"{trained.model.width:g}"),
    }
    pairs = [
        f"{key} {mine}, not {theirs}" for key, (mine, theirs) in said.items() if mine != theirs
    ]
    return f"{config} says {' and '.join(pairs)} as {model.name}" if pairs else ""


def fetch(name: str, *, environment: Path | None, console: Console) -> Path:
    """Download and unpack a public archive.

    Args:
        name: Name of the archive.
        environment: Environment file.
        console: Where progress is shown.
    """
    from watchword import build
    from watchword.config import load_environment
    from watchword.data import archives

    where = load_environment(environment)
    told = build.archive_progress(name, console.progress)
    return archives.fetch(name, where.datasets, progress=told)


def prepare(folder: Path, *, environment: Path | None, console: Console) -> dict[str, Any]:
    """Prepare a folder of speech and return what it holds.

    Args:
        folder: Folder of speech.
        environment: Environment file.
        console: Where progress is shown.
    """
    from watchword.config import load_environment
    from watchword.data.clips import prepare as prepare_clips

    where = load_environment(environment)
    told = _bar(console, f"preparing {folder.name}")
    store = prepare_clips(folder, where.prepared, progress=told)
    splits = [store.utterance(row).split for row in range(len(store.clips))]
    return {
        "folder": str(folder),
        "layout": store.manifest.layout,
        "clips": len(store.clips),
        **{split: splits.count(split) for split in ("train", "valid", "test")},
        "words": len({utterance.word for utterance in store.manifest.utterances}),
        "backgrounds": len(store.background_spans),
        "refused": len(store.refused),
        "fingerprint": store.fingerprint,
    }


def check(folder: Path, *, console: Console) -> CheckReport:
    """Check a folder of speech, show what was found and return it.

    Args:
        folder: Folder of speech.
        console: Where progress and findings are shown.
    """
    from watchword.data.check import check_folder

    report = check_folder(folder, progress=_bar(console, f"checking {folder.name}"))
    columns = ("kind", "severity", "clips", "the first of them", "detail")
    rows = [dict(zip(columns, row, strict=True)) for row in report.rows()]
    if rows:
        console.table(rows, is_answer=True)
    console.answer(
        f"{folder}: {report.utterances:,} utterances, {report.backgrounds:,} noise recordings, "
        f"{len(report.errors):,} errors, {len(report.warnings):,} warnings"
    )
    return report


def synthesise(
    folder: Path, *, words: Sequence[str], variants: int, seed: int, console: Console
) -> Path:
    """Make a command set with espeak-ng voices.

    Args:
        folder: Where to.
        words: Words; the demo's twelve where empty.
        variants: Training voices of each word.
        seed: Seed.
        console: Where progress is shown.
    """
    from watchword.data import synth

    return synth.synthesise(
        folder,
        words=tuple(words) or synth.DEMO_WORDS,
        variants=variants,
        seed=seed,
        progress=_bar(console, "speaking"),
    )


def plot(kind: str, runs: Sequence[Path], output: Path) -> Path:
    """Draw one figure of runs or reports.

    Args:
        kind: ``training``, ``roc``, ``det`` or ``confusion``.
        runs: Folders, or the files in them.
        output: Picture to write, a PNG.

    Returns:
        The picture.

    Raises:
        ConfigError: If the output is no PNG, or several matrices are asked for.
        DataError: If a folder holds no scores or no log.
    """
    from watchword import pictures, plots
    from watchword.scores import load_runs

    if output.suffix.lower() != ".png":
        raise ConfigError(f"{output} names no PNG, and figures are PNG: end the name in .png")
    if kind == "training":
        return plots.save(pictures.training_curves(runs), output)
    scores = load_runs(runs)
    if kind == "confusion":
        if len(scores) != 1:
            raise ConfigError(
                f"{len(scores)} reports were given and one confusion matrix is drawn: give one"
            )
        ((name, only),) = scores.items()
        return plots.save(plots.confusion_of_run(only, name), output)
    first = next(iter(scores.values()))
    title = f"{kind.upper()}, task {first.task}, {first.split}, keywords pooled"
    draw = {"roc": plots.roc, "det": plots.det}[kind]
    return plots.save(draw(plots.curves_of_runs(scores), title=title), output)


def _bar(console: Console, what: str) -> Callable[[int, int], None]:
    """Return a callback that shows how far something has come."""
    return lambda done, total: console.progress(what, done, total)


def _absolute(folder: Path) -> str:
    """Return a folder's absolute path, or raise if there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the folder that holds the speech")
    return str(folder.resolve())
