"""``watchword models``, ``info`` and ``ship``: words on a command line → one call each.

In come the words a user types, out go tables, cards or JSON. A room beside ``cli``, which runs them
as three of its commands, because all are about models there are, and nothing here may load torch
before somebody asks for what only torch knows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from watchword.errors import ConfigError

INFO_EXAMPLE = (
    "Example: watchword info commands-12, or watchword info lambda_resnet18 --width 2 --outputs 12"
)
MODELS_EXAMPLE = "Example: watchword models commands-12"
SHIP_EXAMPLE = "Example: watchword ship output/google_commands/RUN-seed* --name commands-12"

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def models(
    name: Annotated[str, typer.Argument(help="A model whose card is wanted.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """List the trained models that come with this version, or show the card of one."""
    from watchword import shipped

    if as_json:
        print(json.dumps(shipped.card(name) if name else shipped.records()))
        return
    from watchword.console import Console

    with Console() as console:
        if name:
            console.page(shipped.body(shipped.page(name)))
        elif records := shipped.records():
            licences = ", ".join(sorted({record.pop("licence") for record in records}))
            console.table(records, is_answer=True)
            console.answer(f"licence: {licences}; the card of one: watchword models NAME")
        else:
            console.answer("no models are shipped with this version: train one")


def ship(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs that differ in their seed alone.")
    ],
    *,
    name: Annotated[str, typer.Option(help="Name of the model, such as commands-12.")],
    seeds: Annotated[
        list[Path] | None, typer.Option("--seeds", help="More of these runs.", metavar="RUNS...")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="Where its folder shall be; the package, if not given.")
    ] = None,
    note: Annotated[
        list[str] | None, typer.Option(help="A weakness that no report can know, a sentence.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a model of this package of the run that is best on validation, with its card."""
    from watchword import ship as room
    from watchword.console import Console

    record = room.ship([*runs, *(seeds or [])], name, into, notes=note or ())
    if as_json:
        print(json.dumps(record))
        return
    among = ", ".join(map(str, record["of_seeds"]))
    with Console() as console:
        console.answer(
            f"{name}: seed {record['seed']}, the best on validation "
            f"({100 * record['valid_accuracy']:.1f} %) of {among}; {record['bytes']:,} bytes"
        )
        console.answer(f"card: {Path(record['folder']) / 'card.md'}")


def info(
    model: Annotated[
        str,
        typer.Argument(help="Name of a network or of a shipped model, a checkpoint or a bundle."),
    ] = "",
    *,
    width: Annotated[float | None, typer.Option(help="Width multiplier; 1, if not given.")] = None,
    outputs: Annotated[int | None, typer.Option(help="Outputs; 12, if not given.")] = None,
    frames: Annotated[
        int | None, typer.Option(help="Frames of the features; as published, if not given.")
    ] = None,
    mels: Annotated[
        int | None, typer.Option(help="Bands of the features; as published, if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count a model's parameters and multiplications, or tell what a checkpoint or a bundle is."""
    from watchword import bundle_card, model_jobs
    from watchword.console import Console

    if bundle_card.is_bundle(model) or model_jobs.is_shipped_bundle(model):
        _tell_bundle(model, [width, outputs, frames, mels], as_json=as_json)
        return
    records = model_jobs.info(model, width=width, outputs=outputs, frames=frames, mels=mels)
    if as_json:
        print(json.dumps(records[0] if model else records))
        return
    with Console() as console:
        if model:
            console.record(records[0])
        else:
            console.table(records, is_answer=True)


def _tell_bundle(model: str, asked: Sequence[object], *, as_json: bool) -> None:
    """Print what a bundle says of itself; it has its own sizes."""
    from watchword import model_jobs
    from watchword.console import Console

    if any(value is not None for value in asked):
        raise ConfigError(f"{model} is a bundle and has its own sizes: leave --width and such out")
    record = model_jobs.info_of_bundle(model)
    if as_json:
        print(json.dumps(record))
        return
    with Console() as console:
        console.record(record)
