"""The command line: words → one call each.

In come the words a user types, out go lines to read, JSON for programs and an exit code: 0 when it
worked, 1 when what was checked has errors, 2 for a user's mistake, with one line that says what to
do. A room because nothing else may print or exit. Heavy packages are imported inside the commands,
so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from watchword import __version__
from watchword.data_commands import data_app
from watchword.errors import ConfigError, WatchwordError, missing_extra
from watchword.long_audio.commands import (
    CALIBRATE_EXAMPLE,
    MINE_EXAMPLE,
    Int8,
    Keywords,
    Stream,
    Tolerance,
    Workers,
    calibrate,
    mine,
)
from watchword.long_audio.commands import stream as evaluate_stream
from watchword.model_commands import INFO_EXAMPLE, MODELS_EXAMPLE, SHIP_EXAMPLE, info, models, ship
from watchword.options import Env, Json
from watchword.spot_commands import (
    EXPORT_EXAMPLE,
    LISTEN_EXAMPLE,
    SPOT_EXAMPLE,
    Refractory,
    Smoothing,
    Threshold,
    export,
    listen,
    spot,
)
from watchword.study.command import EXAMPLE as STUDY_EXAMPLE
from watchword.study.command import study

SHORT_HELP = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="watchword",
    help="Keyword spotting: train small lambda networks, measure them honestly, ship them.",
    epilog="Example: watchword spot recording.flac",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings=SHORT_HELP,
)
plot_app = typer.Typer(
    no_args_is_help=True,
    help="Draw runs and reports.",
    epilog="Example: watchword plot training output/google_commands/*",
)
app.add_typer(data_app, name="data")
app.add_typer(plot_app, name="plot")

# typer brings a click of its own or uses the one installed, by version: the root of its complaints
Complaint: Any = next(k for k in typer.BadParameter.__mro__ if k.__name__ == "ClickException")
EXTRAS = {
    "espeakng_loader": "synth",
    "matplotlib": "plot",
    "onnx": "export",
    "onnxscript": "export",
    "sounddevice": "mic",
}
INTERRUPTED = 130

Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="Settings to change, such as train.epochs=2.", metavar="KEY=VALUE"),
]
Gpu = Annotated[
    int | None,
    typer.Option("--gpu", help="Number of the one GPU to use; -1 for the CPU."),
]
Processes = Annotated[
    int | None,
    typer.Option(help="GPUs, or processes on a CPU; all GPUs, or one process, if not given."),
]
Nodes = Annotated[int, typer.Option(min=1, help="Machines.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of speech, in place of the first corpus.")
]
OtherFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of speech, in place of what it learned from.")
]
Evaluated = Annotated[
    Path,
    typer.Argument(help="A checkpoint, or the name of a shipped model; with --stream a bundle."),
]
TaskName = Annotated[str | None, typer.Option(help="Task; as trained, if not given.")]
SplitName = Annotated[str, typer.Option(help="train, valid or test.")]
ReportFolder = Annotated[
    Path | None, typer.Option(help="Folder of the report; beside the checkpoint, if not given.")
]
Robust = Annotated[
    bool, typer.Option("--robust", help="Test in noise, rooms, at other levels and moments.")
]
NoiseFolder = Annotated[
    Path | None, typer.Option("--noise", help="Folder of noise for --robust, used by its split.")
]
RoomsFolder = Annotated[
    Path | None, typer.Option("--rooms", help="Folder of impulse responses for --robust.")
]


def _tell_version(*, is_asked: bool) -> None:
    """Print the version and end, if that is asked for."""
    if is_asked:
        print(f"watchword {__version__}")
        raise typer.Exit


@app.callback()
def _whole(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and end.",
            is_eager=True,
            callback=lambda value: _tell_version(is_asked=value),
        ),
    ] = False,
) -> None:
    """Take what is said to all commands."""


# ------------------------------------------------------------------------------------------ train


@app.command(
    epilog="Example: watchword train configs/google_commands/lambda_resnet18.yml task=core-10"
)
def train(
    config: Annotated[Path, typer.Argument(help="Settings, a YAML file from configs/.")],
    overrides: Overrides = None,
    *,
    data: DataFolder = None,
    env: Env = None,
    gpu: Gpu = None,
    processes: Processes = None,
    nodes: Nodes = 1,
    as_json: Json = False,
) -> None:
    """Train a model; the same command goes on where a killed run stopped."""
    from watchword import jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        result = jobs.train(
            config,
            overrides or [],
            data=data,
            environment=env,
            gpu=gpu,
            processes=processes,
            nodes=nodes,
            console=console,
        )
        if result:
            console.answer(f"checkpoint: {result['checkpoint']}")
    if result and as_json:
        print(json.dumps(result))


# ------------------------------------------------------------------------------------------- eval


@app.command("eval", epilog="Example: watchword eval output/.../best.pth.tar --split test --json")
def evaluate(
    model: Evaluated,
    *,
    data: OtherFolder = None,
    task: TaskName = None,
    split: SplitName = "valid",
    output: ReportFolder = None,
    robust: Robust = False,
    noise: NoiseFolder = None,
    rooms: RoomsFolder = None,
    stream: Stream = None,
    keywords: Keywords = "",
    threshold: Threshold = None,
    smoothing: Smoothing = None,
    refractory: Refractory = None,
    tolerance: Tolerance = 1.0,
    int8: Int8 = False,
    workers: Workers = None,
    env: Env = None,
    gpu: Gpu = None,
    as_json: Json = False,
) -> None:
    """Evaluate a checkpoint on clips, or a bundle on long recordings, and write a report."""
    for_clips = (data, task, noise, rooms, env, gpu) != (None,) * 6 or robust or split != "valid"
    points = (threshold, smoothing, refractory, workers) != (None,) * 4
    for_streams = points or bool(keywords) or int8 or tolerance != 1.0
    _refuse_mixture(is_stream=bool(stream), for_clips=for_clips, for_streams=for_streams)
    if stream:
        evaluate_stream(
            str(model),
            stream,
            keywords=keywords,
            threshold=threshold,
            smoothing=smoothing,
            refractory=refractory,
            tolerance=tolerance,
            int8=int8,
            workers=workers,
            output=output,
            as_json=as_json,
        )
        return
    from watchword import jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        record = jobs.evaluate(
            model,
            data=data,
            task=task,
            split=split,
            output=output,
            environment=env,
            gpu=gpu,
            is_robust=robust,
            noise=noise,
            rooms=rooms,
            console=console,
        )
    if as_json:
        print(json.dumps(record))


def _refuse_mixture(*, is_stream: bool, for_clips: bool, for_streams: bool) -> None:
    """Refuse options of the other kind of evaluation, which would do nothing."""
    if is_stream and for_clips:
        raise ConfigError(
            "options for clips were asked for with --stream, needed those for recordings: "
            "name a part of a corpus as --stream FOLDER:test, or leave --stream out"
        )
    if for_streams and not is_stream:
        raise ConfigError(
            "operating points, keywords, a tolerance, 8 bits or workers were asked for on clips, "
            "needed --stream with recordings: name some, or leave those options out"
        )


app.command(epilog=SPOT_EXAMPLE)(spot)
app.command(epilog=LISTEN_EXAMPLE)(listen)
app.command(epilog=EXPORT_EXAMPLE)(export)
app.command(epilog=CALIBRATE_EXAMPLE)(calibrate)
app.command(epilog=MINE_EXAMPLE)(mine)
app.command(epilog=STUDY_EXAMPLE)(study)
app.command(epilog=INFO_EXAMPLE)(info)
app.command(epilog=MODELS_EXAMPLE)(models)
app.command(epilog=SHIP_EXAMPLE)(ship)


# ------------------------------------------------------------------------------------------- plot

Runs = Annotated[list[Path], typer.Argument(help="Folders of runs or reports.")]
Out = Annotated[Path, typer.Option("--output", "-o", help="Picture to write.")]


FIGURES = {
    "training": ("Draw loss and accuracy of runs over their epochs.", "*"),
    "curves": ("Draw ROC and DET curves of several reports in one figure.", "*/eval-*-test"),
    "roc": ("Draw the ROC of several reports in one figure.", "*/eval-*-test"),
    "det": ("Draw the DET curves of several reports in one figure.", "*/eval-*-test"),
    "confusion": ("Draw the confusion matrix of a report.", "RUN/eval-12-test"),
}
"""Each figure with what it is and, for its example, what it is drawn of."""


def _add_figure(kind: str, about: str, of: str) -> None:
    """Make the command that draws one kind of figure and says where it is."""

    def draw(runs: Runs, *, output: Out = Path(f"{kind}.png")) -> None:
        from watchword import jobs
        from watchword.console import Console

        with Console() as console:
            console.answer(str(jobs.plot(kind, runs, output)))

    draw.__doc__ = about
    example = f"Example: watchword plot {kind} output/google_commands/{of}"
    plot_app.command(kind, epilog=example)(draw)


for _kind, (_about, _of) in FIGURES.items():
    _add_figure(_kind, _about, _of)


# ---------------------------------------------------------------------------------------- the end


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        arguments: Words of the command line; those of this process where not given.
    """
    run(app, "watchword", arguments)


def run(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> None:
    """Run a program and exit; a user's mistake becomes one line and exit code 2.

    Args:
        program: The program.
        name: What usage lines call it.
        arguments: Words of the command line; those of this process where not given.
    """
    words = None if arguments is None else list(arguments)
    try:
        code = program(words, prog_name=name, standalone_mode=False)
    except WatchwordError as error:
        _stop(name, str(error), 2)
    except Complaint as error:
        message = error.format_message().rstrip(".")
        if message:
            _stop(name, f"{message}: see {name} --help", 2)
        sys.exit(2)  # no command was given, and the help was shown
    except ModuleNotFoundError as error:
        package = (error.name or "watchword").partition(".")[0]
        if package == "watchword":
            raise
        _stop(name, str(missing_extra(package, EXTRAS.get(package, "train"))), 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        found = f"{error.filename or 'the disk'}: {error.strerror or error}"
        _stop(name, f"{found}; check the path, who may use it, and the room on its disk", 2)
    if code == INTERRUPTED:  # typer catches the key itself, and returns this
        _stop(
            name,
            "interrupted; trainings go on where they stopped when the same command is given",
            code,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _stop(name: str, message: str, code: int) -> None:
    """Print one line to the standard error and exit; of several processes the first one speaks."""
    from watchword.console import is_first_process

    if is_first_process():
        typer.echo(f"{name}: {' '.join(message.split())}", err=True)
    sys.exit(code)
