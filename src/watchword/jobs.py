"""The jobs behind the commands: each a short line of calls through the rooms below.

In come paths and names as a user gives them, out come plain records. A room because a command line has words and a
program has calls, and this is where the one becomes the other; ``cli.py`` prints what these return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from watchword.console import Console
from watchword.errors import CheckpointError, ConfigError, DataError


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
    from watchword import build
    from watchword.config import dump_settings, load_environment, load_settings
    from watchword.watch import TrainingWatch
    from watchword.files import write_whole
    from watchword.train import Run

    if data is not None:
        overrides = [*overrides, f"data.corpora.0.folder={_absolute(data)}"]
    settings, notes = load_settings(config, overrides)
    where = load_environment(environment)
    fabric = build.fabric(settings.train, gpu=gpu, processes=processes, nodes=nodes)
    fabric.launch()
    is_first = fabric.is_global_zero
    if not is_first:
        console.is_quiet = console.out.quiet = True
    for note in notes:
        console.say(f"note: {note}")
    folder = where.output / settings.run_name
    with fabric.rank_zero_first():
        corpora = build.sources(settings, where, console.progress)
    run = Run(settings, corpora, folder, fabric)
    write_whole(folder / "config.yml", dump_settings(settings).encode())
    console.table(
        [
            {"corpus": name, **counts, "sum": sum(counts.values())}
            for name, counts in run.plan.counts([source.name for source in corpora]).items()
        ],
        title=f"task {run.task.name}: clips of an epoch",
    )
    if is_first:
        console.say(
            f"{settings.model.name} k={settings.model.width:g} on {fabric.world_size} × "
            f"{fabric.device.type}, {len(run.valid):,} validation clips, run folder {folder}"
        )
    run.fit(TrainingWatch(console, folder))
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
        output: Folder of the report; beside the checkpoint where not given.
        environment: Environment file.
        gpu: Number of a GPU.

    Returns:
        The report, with the path of its page as ``report``.
    """
    from watchword import build, checkpoint, page
    from watchword.config import CorpusSettings, load_environment
    from watchword.data.tasks import find_task
    from watchword.evaluate import report, score
    from watchword.report import write_report

    if split not in ("train", "valid", "test"):
        raise ConfigError(f"no split is called {split!r}: choose train, valid or test")
    where = load_environment(environment)
    loaded = checkpoint.load(model)
    device = build.device(gpu)
    asked = loaded.settings.find_task() if task is None else find_task(task)
    settings = loaded.settings
    if data is None:
        corpora = build.sources(settings, where, console.progress)
    else:
        corpus = CorpusSettings(folder=_absolute(data))
        corpora = [build.source(corpus, where, train_on_dropped=True, told=console.progress)]
    scores = score(
        loaded,
        corpora,
        asked,
        split,  # type: ignore[arg-type] - checked above
        device=device,
        told=lambda done, total: console.progress("evaluating", done, total),
    )
    record = report(scores, loaded, corpora, model)
    folder = output or model.parent / f"eval-{asked.name}-{split}"
    written = write_report(record, scores, folder)
    console.say(page.headline(record))
    console.say(f"report: {written}")
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
    if Path(model).is_file():
        return [_info_of_checkpoint(Path(model))]
    from watchword import models

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
    """Return in which way a settings file describes another model than a checkpoint; nothing if it does not.

    Args:
        config: Settings file.
        model: Checkpoint.

    Raises:
        CheckpointError: If the networks differ.
    """
    from watchword import checkpoint
    from watchword.config import load_settings

    settings, _ = load_settings(config)
    trained = checkpoint.load(model).settings
    if settings.model.name != trained.model.name:
        raise CheckpointError(
            f"{model} holds a {trained.model.name} and {config} describes a {settings.model.name}: "
            "give the settings file it was trained with, or none"
        )
    if settings.find_task() != trained.find_task():
        return f"{config} asks task {settings.find_task().name}, {model.name} was trained on {trained.find_task().name}"
    return ""


def fetch(name: str, *, environment: Path | None, console: Console) -> Path:
    """Download and unpack a public archive.

    Args:
        name: Name of the archive.
        environment: Environment file.
        console: Where progress is shown.
    """
    from watchword.config import load_environment
    from watchword.data import archives

    where = load_environment(environment)
    return archives.fetch(name, where.datasets, progress=_bar(console, f"fetching {name}"))


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
    store = prepare_clips(folder, where.prepared, progress=_bar(console, f"preparing {folder.name}"))
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


def check(folder: Path, *, console: Console) -> Any:
    """Check a folder of speech, show what was found and return it.

    Args:
        folder: Folder of speech.
        console: Where progress and findings are shown.
    """
    from watchword.data.check import check_folder

    report = check_folder(folder, progress=_bar(console, f"checking {folder.name}"))
    console.table(report.rows(), title=report.summary())
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
        output: Picture to write.
    """
    from watchword import metrics, pictures, plots
    from watchword.scores import load_runs

    if kind == "training":
        figure = pictures.training_curves(runs)
    elif kind == "confusion":
        if len(runs) != 1:
            raise ConfigError(f"{len(runs)} reports were given and one confusion matrix is drawn: give one")
        scores = next(iter(load_runs(runs).values()))
        task = scores.select(scores.parts == "task")
        figure = plots.confusion(scores.labels, metrics.confusion(task))
    else:
        curves = plots.curves_of_runs(load_runs(runs))
        figure = {"roc": plots.roc, "det": plots.det}[kind](curves)
    plots.save(figure, output)
    return output


def _bar(console: Console, what: str) -> Callable[[int, int], None]:
    """Return a callback that shows how far something has come."""
    return lambda done, total: console.progress(what, done, total)


def _absolute(folder: Path) -> str:
    """Return a folder's absolute path, or raise if there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the folder that holds the speech")
    return str(folder.resolve())
