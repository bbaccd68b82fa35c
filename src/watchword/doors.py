"""The two published commands, ``train.py`` and ``eval.py``, word for word.

In come the words that the published system's page writes, out goes what ``watchword train`` and
``watchword eval`` do. A room because these words are not ours to choose: their options keep their
names whatever becomes of our own command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from watchword.cli import (
    SHORT_HELP,
    DataFolder,
    Gpu,
    Nodes,
    NoiseFolder,
    OtherFolder,
    Overrides,
    Processes,
    Robust,
    RoomsFolder,
    SplitName,
    TaskName,
    evaluate,
    run,
    train,
)
from watchword.options import Json

ConfigEnv = Annotated[
    Path | None, typer.Option("--config_env", help="YAML file: where data and outputs live.")
]


def train_door(arguments: Sequence[str] | None = None) -> None:
    """Run ``train.py`` as the published system's page writes it.

    Args:
        arguments: Words of the command line; those of this process where not given.
    """

    def door(
        config_exp: Annotated[Path, typer.Option("--config_exp", help="Settings, a YAML file.")],
        config_env: ConfigEnv = None,
        gpu: Gpu = None,
        overrides: Overrides = None,
        *,
        data: DataFolder = None,
        processes: Processes = None,
        nodes: Nodes = 1,
    ) -> None:
        train(
            config_exp,
            overrides,
            data=data,
            env=config_env,
            gpu=gpu,
            processes=processes,
            nodes=nodes,
        )

    door.__doc__ = train.__doc__
    example = "python -u train.py --config_exp configs/google_commands/lambda_resnet18.yml --gpu 0"
    _open(door, "train.py", example, arguments)


def eval_door(arguments: Sequence[str] | None = None) -> None:
    """Run ``eval.py`` as the published system's page writes it.

    Args:
        arguments: Words of the command line; those of this process where not given.
    """

    def door(
        model: Annotated[Path, typer.Option("--model", help="A checkpoint, or a model's name.")],
        config_exp: Annotated[
            Path | None, typer.Option("--config_exp", help="Settings; the checkpoint has its own.")
        ] = None,
        config_env: ConfigEnv = None,
        gpu: Gpu = None,
        *,
        data: OtherFolder = None,
        task: TaskName = None,
        split: SplitName = "test",
        robust: Robust = False,
        noise: NoiseFolder = None,
        rooms: RoomsFolder = None,
        as_json: Json = False,
    ) -> None:
        if config_exp is not None:
            _compare(config_exp, model)
        evaluate(
            model,
            data=data,
            task=task,
            split=split,
            robust=robust,
            noise=noise,
            rooms=rooms,
            env=config_env,
            gpu=gpu,
            as_json=as_json,
        )

    door.__doc__ = evaluate.__doc__
    example = "python -u eval.py --model output/google_commands/RUN/best.pth.tar --gpu 0"
    _open(door, "eval.py", example, arguments)


def _compare(config: Path, model: Path) -> None:
    """Say so if a settings file differs from what the checkpoint was trained with."""
    from watchword import model_jobs

    difference = model_jobs.differs(config, model)
    if difference:
        typer.echo(f"note: {difference}; the checkpoint's own settings are used", err=True)


def _open(
    door: Callable[..., None], name: str, example: str, arguments: Sequence[str] | None
) -> None:
    """Run a function as a program of one command."""
    program = typer.Typer(add_completion=False, rich_markup_mode="rich")
    program.command(epilog=f"Example: {example}", context_settings=SHORT_HELP)(door)
    run(program, name, arguments)
