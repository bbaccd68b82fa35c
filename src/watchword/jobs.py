"""The jobs behind the commands: each a short line of calls through the rooms below.

In come paths and names as a user gives them, out come plain records. A room because a command line
has words and a program has calls, and this is where the one becomes the other; ``cli.py`` prints
what these return. The jobs on speech alone are next door in ``data_jobs``, those that only look at
a model in ``model_jobs``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from watchword import shipped
from watchword.console import Console
from watchword.data.utterance import Split
from watchword.data_jobs import say_refused
from watchword.errors import ConfigError, DataError
from watchword.words import UNKNOWN

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

    from watchword.checkpoint import Checkpoint
    from watchword.config import CorpusSettings, Environment, Settings
    from watchword.data.rows import Source
    from watchword.data.tasks import Task
    from watchword.robust_jobs import Folders


# ------------------------------------------------------------------------------------------ train


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
        gpu: Number of the one GPU to use; -1 for the CPU.
        processes: GPUs, or processes on a CPU.
        nodes: Machines.

    Returns:
        Run folder, checkpoint and validation accuracy; None on all processes but the first.
    """
    settings, where, notes = _plan_of_run(config, overrides, data, environment)

    from watchword import devices

    fabric = _devices(settings, gpu, processes, nodes)
    # before other processes start: they find the corpora prepared, and a fault is met only once
    corpora = _corpora(settings, where, console)
    for note in notes:
        console.say(f"note: {note}")
    folder = where.output / settings.run_name
    fabric.launch()
    if not fabric.is_global_zero:
        console.silence()
    try:
        _fit(settings, corpora, folder, fabric, console)
    except BaseException:
        devices.end_other_processes(fabric)  # none of them shall wait for this one
        raise
    return _result_of_run(folder, corpora, gpu, console) if fabric.is_global_zero else None


def _plan_of_run(
    config: Path, overrides: Sequence[str], data: Path | None, environment: Path | None
) -> tuple[Settings, Environment, list[str]]:
    """Return settings, places and notes on the settings; a folder replaces the first corpus."""
    from watchword.config import load_environment, load_settings

    if data is not None:
        overrides = [*overrides, f"data.corpora.0.folder={json.dumps(_absolute(data))}"]
    settings, notes = load_settings(config, overrides)
    return settings, load_environment(environment), list(notes)


def _devices(settings: Settings, gpu: int | None, processes: int | None, nodes: int) -> Fabric:
    """Return the devices of a run whose settings are checked, its other processes not started."""
    from watchword import build, devices
    from watchword.memory import keep_freed_memory

    fabric = devices.fabric(settings.train, gpu=gpu, processes=processes, nodes=nodes)
    build.check(settings)
    keep_freed_memory()
    return fabric


def _fit(
    settings: Settings, corpora: Sequence[Source], folder: Path, fabric: Fabric, console: Console
) -> None:
    """Say what a run is made of, and train it."""
    from watchword.models import fused
    from watchword.progress import Watcher
    from watchword.train import Run
    from watchword.watch import TrainingWatch, count_rows

    is_first = fabric.is_global_zero
    run = Run(settings, corpora, folder, fabric)
    watcher = TrainingWatch(console, folder) if is_first else Watcher()
    counts = run.plan.counts([source.name for source in corpora])
    title = f"task {run.task.name}: clips of an epoch"
    console.table(count_rows(counts, run.task.labels), title)
    console.say(
        f"{settings.model.name} k={settings.model.width:g} on {fabric.world_size} × "
        f"{fabric.device.type}, {len(run.valid):,} validation clips, run folder {folder}"
    )
    if fabric.device.type == "cpu" and not fused.is_compiled():
        console.say("note: no C compiler found (gcc or clang); lambda layers train half as fast")
    if is_first:
        _keep_settings(settings, folder)
    run.fit(watcher)


def _keep_settings(settings: Settings, folder: Path) -> None:
    """Write the settings of a run into its folder, unless a run is there, perhaps another one."""
    from watchword.config import dump_settings
    from watchword.files import write_whole
    from watchword.progress import STATE_FILE

    if not (folder / STATE_FILE).exists():
        write_whole(folder / "config.yml", dump_settings(settings).encode())


def _result_of_run(
    folder: Path, corpora: Sequence[Source], gpu: int | None, console: Console
) -> dict[str, Any]:
    """Evaluate the chosen model of a run on validation and return what came of the run."""
    from watchword import checkpoint, devices

    model = folder / "best.safetensors"
    loaded, device = checkpoint.load(model), devices.device(gpu)
    task = loaded.settings.find_task()
    record = _judge(model, loaded, corpora, (task, "valid"), device, None, console)
    return {
        "run": str(folder),
        "checkpoint": str(folder / "best.pth.tar"),
        "valid_accuracy": record["accuracy"],
        "report": record["report"],
    }


# ------------------------------------------------------------------------------------------- eval


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
    is_robust: bool = False,
    noise: Path | None = None,
    rooms: Path | None = None,
) -> dict[str, Any]:
    """Evaluate a checkpoint over a split and write the report.

    Args:
        model: Checkpoint, or the name of a shipped model.
        console: Where progress is shown.
        data: Folder of speech; the model's own corpora where not given. A folder of the name or
            place of one of these counts its words as that one did.
        task: Task; the model's own where not given.
        split: ``train``, ``valid`` or ``test``.
        output: Folder of the report; where not given, one beside the checkpoint that is named after
            task, split and the corpora that the model was not trained on; for a shipped model below
            its name among the outputs.
        environment: Environment file.
        gpu: Number of a GPU; -1 for the CPU.
        is_robust: Whether to test it in noise, in rooms and at other levels instead; the report
            then lies in the folder ``robust`` of the other one.
        noise: Folder of noise for that; the environment's, or else the background recordings.
        rooms: Folder of impulse responses for that; the environment's, or else none.

    Returns:
        The report, with the path of its page as ``report``.
    """
    from watchword import robust_jobs
    from watchword.config import load_environment

    if split not in get_args(Split):
        raise ConfigError(f"no split is called {split!r}: choose {', '.join(get_args(Split))}")
    where = load_environment(environment)
    if data is not None:
        _absolute(data)  # refused before anything heavy is loaded
    part = cast(Split, split)
    given = robust_jobs.folders(noise, rooms, part, where, console, is_asked=is_robust)

    from watchword import checkpoint, devices

    loaded, device = checkpoint.load(model), devices.device(gpu)
    asked = _find_task(loaded, task)
    settings, notes = _on_folder(loaded.settings, data, asked, where)
    corpora = _corpora(settings, where, console)
    question = (asked, part)
    model = shipped.home(model, where.output)  # nothing is written into the package
    return _judge(model, loaded, corpora, question, device, output, console, notes, given)


def _find_task(loaded: Checkpoint, name: str | None) -> Task:
    """Return the task of a name, or the one a model was trained on; it must have its classes."""
    from watchword.data.tasks import find_task
    from watchword.evaluate import outputs_for

    learned = loaded.settings.find_task()
    asked = learned if name in (None, learned.name) else find_task(str(name))
    outputs_for(loaded, asked)  # refuses another task before any audio is read
    return asked


def _on_folder(
    settings: Settings, data: Path | None, task: Task, where: Environment
) -> tuple[Settings, list[str]]:
    """Return settings of one corpus, a folder, as training took it if it knew it, and notes."""
    from watchword.config import CorpusSettings

    if data is None:
        return settings, []
    section = _section_of(data, settings.data.corpora, where)
    is_guess = section is None and UNKNOWN in task.labels
    notes = [f"{data} is none of the corpora of training: words taken as spelled"] * is_guess
    corpus = (section or CorpusSettings(folder=".")).model_copy(update={"folder": _absolute(data)})
    chosen = settings.data.model_copy(update={"corpora": (corpus,)})
    return settings.model_copy(update={"data": chosen}), notes


def _section_of(
    data: Path, corpora: Sequence[CorpusSettings], where: Environment
) -> CorpusSettings | None:
    """Return the section of the corpus that a folder is, by its place or else by its name."""
    for corpus in corpora:
        places = (where.datasets / corpus.folder, Path(corpus.folder))
        if data.resolve() in [place.resolve() for place in places]:
            return corpus
    name = Path(os.path.abspath(data)).name  # as it is called, also where it is a link
    same = (corpus for corpus in corpora if Path(os.path.abspath(corpus.folder)).name == name)
    return next(same, None)


def _corpora(settings: Settings, where: Environment, console: Console) -> list[Source]:
    """Return prepared corpora, having said what is left out of them."""
    from watchword import speech

    corpora = speech.sources(settings, where, console.progress)
    for source in corpora:
        say_refused(source.store, console)
    return corpora


def _judge(
    model: Path,
    loaded: Checkpoint,
    corpora: Sequence[Source],
    question: tuple[Task, Split],
    device: torch.device,
    output: Path | None,
    console: Console,
    notes: Sequence[str] = (),
    given: Folders | None = None,
) -> dict[str, Any]:
    """Return the report of a model on a task and a split, written and told; robust if given."""
    from watchword import page, robust_jobs
    from watchword.evaluate import report, score
    from watchword.report import write_report

    task, split = question
    heard = loaded.provenance.get("data") or {}
    others = [s.name for s in corpora if heard.get(s.name) != s.store.fingerprint]
    name = "-".join(["eval", task.name, split, *others])
    folder = output or model.parent / name
    if given is not None:
        work = (model, loaded, corpora, question, given, device)
        return robust_jobs.judge(*work, folder / "robust", console, notes)
    told = partial(console.progress, "evaluating")
    scores = score(loaded, corpora, task, split, device=device, told=told)
    record = report(scores, loaded, corpora, model)
    written = write_report(record, scores, folder)
    for note in notes:
        console.say(f"note: {note}")
    console.answer(page.headline(record))
    console.answer(f"report: {written}")
    return record | {"report": str(written)}


# ------------------------------------------------------------------------------------------- plot


def plot(kind: str, runs: Sequence[Path], output: Path) -> Path:
    """Draw one figure of runs or reports.

    Args:
        kind: ``training``, ``curves`` (ROC and DET side by side), ``roc``, ``det`` or
            ``confusion``.
        runs: Folders, or the files in them, or names of shipped models.
        output: Picture to write, a PNG.

    Returns:
        The picture.

    Raises:
        ConfigError: If the output is no PNG, or several matrices are asked for.
        DataError: If a folder holds no scores or no log.
    """
    from watchword import plots
    from watchword.scores import load_runs

    if output.suffix.lower() != ".png":
        raise ConfigError(f"{output} names no PNG, and figures are PNG: end the name in .png")
    part = shipped.LOG if kind == "training" else shipped.ANSWERS
    runs = [shipped.find(run, part) for run in runs]
    if kind == "training":
        return plots.save(plots.training_curves(runs), output)
    scores = load_runs(runs)
    if kind != "confusion":
        draw = {
            "curves": plots.roc_det_of_runs,
            "roc": plots.roc_of_runs,
            "det": plots.det_of_runs,
        }
        return plots.save(draw[kind](scores), output)
    if len(scores) != 1:
        raise ConfigError(
            f"{len(scores)} reports were given and one confusion matrix is drawn: give one"
        )
    ((name, only),) = scores.items()
    return plots.save(plots.confusion_of_run(only, name), output)


def _absolute(folder: Path) -> str:
    """Return a folder's absolute path, or raise if there is none."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the folder that holds the speech")
    return str(folder.resolve())
