"""``watchword spot``, ``listen`` and ``export``: words on a command line → one call each.

In come the words a user types, out go detections as text or JSON, pictures, or a bundle. A room
beside ``cli``, which runs them as three of its commands, because hearing needs no torch and must
not wait for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from watchword.console import Console
    from watchword.spot_jobs import Told

SPOT_EXAMPLE = "Example: watchword spot meeting.flac --keywords stop,go --labels meeting.txt"
LISTEN_EXAMPLE = "Example: watchword listen --keywords stop,go --threshold 0.8"
EXPORT_EXAMPLE = "Example: watchword export output/.../best.safetensors -o my-word.watchword"

Json = Annotated[bool, typer.Option("--json", help="Print a JSON object a line for programs.")]
Model = Annotated[
    str, typer.Option("--model", "-m", help="Name of a shipped model, or a .watchword file.")
]
Keywords = Annotated[
    str, typer.Option("--keywords", "-k", help="Separated by commas; all, if not given.")
]
Threshold = Annotated[
    float | None, typer.Option(help="Score that counts as heard; the model's, if not given.")
]
Smoothing = Annotated[
    int | None, typer.Option(help="Scores that smoothing looks at; the model's, if not given.")
]
Refractory = Annotated[
    float | None, typer.Option(help="Rest after a detection in ms; the model's, if not given.")
]
Int8 = Annotated[bool, typer.Option("--int8", help="Use the 8-bit graphs.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; 1 is best for small models.")]


def spot(
    recordings: Annotated[
        list[Path], typer.Argument(help="Sound files.", metavar="FILE", dir_okay=False)
    ],
    *,
    model: Model = "commands-12",
    keywords: Keywords = "",
    threshold: Threshold = None,
    smoothing: Smoothing = None,
    refractory: Refractory = None,
    int8: Int8 = False,
    threads: Threads = 1,
    labels: Annotated[
        Path | None, typer.Option(help="Audacity labels: a .txt file, or a folder for several.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Picture of sound, scores and detections: a .png file, or a folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find keywords in recordings of any format, rate and length."""
    from watchword import spot_jobs
    from watchword.console import Console

    listening = spot_jobs.Listening(
        model, keywords, threshold, smoothing, refractory, int8, threads
    )
    with Console(is_quiet=as_json) as console:

        def emit(record: dict[str, Any]) -> None:
            where = f"{record['recording']}  " if len(recordings) > 1 else ""
            _answer(console, json.dumps(record) if as_json else f"{where}{_line(record)}")

        told = spot_jobs.spot(
            recordings,
            listening,
            emit=emit,
            warn=_warn if as_json else console.say,
            labels=labels,
            plot=plot,
            progress=console.progress,
        )
        console.stop()
        for line in _summary(told, labels, plot):
            console.say(line)
    if told.fault:
        raise told.fault


def _answer(console: Console, line: str) -> None:
    """Print a detection at once; on a terminal above the bar, which both would else spoil."""
    if not console.bars.disable and sys.stdout.isatty():
        console.say(line)
    else:
        print(line, flush=True)


def _warn(line: str) -> None:
    """Print a line beside what a program reads."""
    typer.echo(line, err=True)


def _summary(told: Told, labels: Path | None, plot: Path | None) -> Iterator[str]:
    """Yield lines about what was heard in recordings."""
    if not told.heard_s:
        return
    speed = told.heard_s / max(told.took_s, 1e-3)
    yield (
        f"{_count(told.detections, 'detection')} in {_count(told.recordings, 'recording')}, "
        f"{told.heard_s:.1f} s of audio in {told.took_s:.1f} s"
        + (f" ({speed:,.0f} times as fast as sound)" if speed >= 2 else "")
    )
    if told.peak and not told.detections:
        yield (
            "the highest score was {score:.2f}, of {keyword}; its threshold is "
            "{threshold:.2f}".format(**told.peak)
        )
    yield from (f"{what}: {path}" for what, path in (("labels", labels), ("plot", plot)) if path)


def listen(
    *,
    model: Model = "commands-12",
    keywords: Keywords = "",
    threshold: Threshold = None,
    smoothing: Smoothing = None,
    refractory: Refractory = None,
    int8: Int8 = False,
    threads: Threads = 1,
    device: Annotated[
        str, typer.Option(help="Number or name of the microphone; the usual, if not given.")
    ] = "",
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="List the microphones and end.")
    ] = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help="Hear raw 16-bit mono samples at 16 kHz from a pipe, such as that of "
            "arecord -t raw -f S16_LE -r 16000 -c 1.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Listen to a microphone or to another program until interrupted."""
    from watchword import microphone, spot_jobs
    from watchword.meter import Meter

    if list_devices:
        _list(microphone.devices(), as_json=as_json)
        return
    listening = spot_jobs.Listening(
        model, keywords, threshold, smoothing, refractory, int8, threads
    )
    with Meter(is_quiet=as_json) as meter:
        told = spot_jobs.listen(
            listening,
            device=int(device) if device.isdecimal() else device or None,
            is_stdin=stdin,
            emit=lambda record: meter.answer(json.dumps(record) if as_json else _line(record)),
            show=meter.show,
            say=meter.say,
            warn=meter.warn,
        )
        meter.stop()
        if told.heard_s or not told.fault:
            meter.say(f"{_count(told.detections, 'detection')} in {told.heard_s:.1f} s of audio")
    if told.fault:
        raise told.fault


def _list(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print microphones, or that there is none."""
    from watchword.console import Console

    if as_json:
        for record in found:
            print(json.dumps(record))
        return
    with Console() as console:
        if found:
            columns = ("number", "name", "channels", "rate_hz")
            rows = [{key: one[key] for key in columns} for one in found]
            marks = [{"": "the usual" if one["is_usual"] else None} for one in found]
            table = [row | mark for row, mark in zip(rows, marks, strict=True)]
            console.table(table, is_answer=True)
        else:
            console.answer("this machine has no microphone")


def _line(record: dict[str, Any]) -> str:
    """Return a detection as a line to read."""
    minutes, hundredths = divmod(round(100 * record["time_s"]), 6_000)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    time = f"{clock}:{hundredths // 100:02d}.{hundredths % 100:02d}"
    return f"{time:>10}  {record['keyword']:<12} {record['score']:.2f}"


def _count(number: int, what: str) -> str:
    """Return how many there are."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def export(
    model: Annotated[Path, typer.Argument(help="A checkpoint, or the name of a shipped model.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .watchword file or a folder; beside the model."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the model shall be called; its run's name.")] = "",
    env: Annotated[
        Path | None, typer.Option("--env", help="YAML file: where data and outputs live.")
    ] = None,
    score_hop: Annotated[float, typer.Option(help="Time between two scores in ms.")] = 80.0,
    no_int8: Annotated[
        bool, typer.Option("--no-int8", help="No 8-bit graphs: then no speech is needed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a bundle of a checkpoint: waveform in, posteriors out, the same everywhere."""
    from watchword import bundle_jobs
    from watchword.console import Console

    with Console(is_quiet=as_json) as console:
        record = bundle_jobs.export(
            model,
            output=output,
            name=name,
            environment=env,
            score_hop_ms=score_hop,
            is_int8=not no_int8,
            console=console,
        )
        if not as_json:
            rows = record["parity"]["rows"]
            shown = [
                {key.removesuffix("_answer"): value for key, value in row.items()} for row in rows
            ]
            console.table(shown, "answers against the training code")
            if record["int8"]:
                console.say(_cost(**record["int8"]))
            console.answer(f"bundle: {record['path']} ({record['bytes']:,} bytes)")
    if as_json:
        print(json.dumps(record))


def _cost(
    *,
    heard: str,
    clips: int,
    float_accuracy: float,
    int8_accuracy: float,
    float_bytes: int,
    int8_bytes: int,
) -> str:
    """Return what 8 bits cost as a line to read."""
    return (
        f"8 bits: {100 * int8_accuracy:.2f} % of {clips:,} {heard} are right, in float "
        f"{100 * float_accuracy:.2f} %; {100 * int8_bytes / float_bytes:.0f} % of the size"
    )
