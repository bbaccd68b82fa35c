"""``watchword spot``, ``listen`` and ``export``: words on a command line → one call each.

In come the words a user types, out go detections as text or JSON, pictures, or a bundle. A room
beside ``cli``, which runs them as three of its commands, because hearing needs no torch and must
not wait for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

SPOT_EXAMPLE = "Example: watchword spot meeting.flac --keywords stop,go --labels meeting.txt"
LISTEN_EXAMPLE = "Example: arecord -q -f S16_LE -r 16000 -c 1 | watchword listen --stdin"
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
    int | None, typer.Option(help="Scores that are averaged; the model's, if not given.")
]
Refractory = Annotated[
    float | None, typer.Option(help="Rest after a detection in ms; the model's, if not given.")
]
Int8 = Annotated[bool, typer.Option("--int8", help="Use the 8-bit graphs.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads; 1 is best for small models.")]


def spot(
    recordings: Annotated[list[Path], typer.Argument(help="Sound files.")],
    *,
    model: Model = "commands-12",
    keywords: Keywords = "",
    threshold: Threshold = None,
    smoothing: Smoothing = None,
    refractory: Refractory = None,
    int8: Int8 = False,
    threads: Threads = 1,
    labels: Annotated[
        Path | None, typer.Option(help="Audacity labels: a file, or a folder for several.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture of sound, scores and detections; likewise.")
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
            if as_json:
                print(json.dumps(record), flush=True)
            else:
                where = f"{record['recording']}  " if len(recordings) > 1 else ""
                console.answer(f"{where}{_line(record)}")

        told = spot_jobs.spot(
            recordings, listening, emit=emit, say=console.say, labels=labels, plot=plot
        )
        speed = told["heard_s"] / max(told["took_s"], 1e-3)
        console.say(
            f"{told['detections']} detections in {told['recordings']} recordings, "
            f"{told['heard_s']:.1f} s of audio in {told['took_s']:.1f} s ({speed:,.0f} times as "
            "fast as sound)"
        )


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
        bool, typer.Option("--stdin", help="Hear raw 16-bit mono samples at 16 kHz from a pipe.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Listen to a microphone or to another program until interrupted."""
    from watchword import microphone, spot_jobs
    from watchword.console import Console
    from watchword.meter import Meter

    if list_devices:
        _list(microphone.devices(), as_json=as_json)
        return
    listening = spot_jobs.Listening(
        model, keywords, threshold, smoothing, refractory, int8, threads
    )
    with Console(is_quiet=as_json) as console, Meter(is_quiet=as_json) as meter:

        def emit(record: dict[str, Any]) -> None:
            if as_json:
                print(json.dumps(record), flush=True)
            else:
                meter.answer(_line(record))

        told = spot_jobs.listen(
            listening,
            device=int(device) if device.isdigit() else device or None,
            is_stdin=stdin,
            emit=emit,
            show=meter.show,
        )
        console.say(f"{told['detections']} detections in {told['heard_s']:.1f} s")


def _list(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print microphones, or that there is none."""
    from watchword.console import Console

    if as_json:
        print(json.dumps(found))
        return
    with Console() as console:
        if found:
            console.table(found, is_answer=True)
        else:
            console.answer("this machine has no microphone")


def _line(record: dict[str, Any]) -> str:
    """Return a detection as a line to read."""
    minutes, seconds = divmod(record["time_s"], 60)
    return f"{int(minutes):3d}:{seconds:05.2f}  {record['keyword']:<12} {record['score']:.2f}"


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
            console.table(record["parity"]["rows"], "answers against the training code")
            console.answer(f"bundle: {record['path']} ({record['bytes']:,} bytes)")
    if as_json:
        print(json.dumps(record))
