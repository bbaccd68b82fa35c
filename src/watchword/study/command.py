"""``watchword study``: words on a command line → one study.

In come the words a user types, out go a table or JSON, and the exit code. A room beside ``cli``,
which runs it as one of its commands, because a study has more words of its own than the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from watchword.options import Json

EXAMPLE = "Example: watchword study configs/studies/demo.yml --env configs/demo_env.yml --at-once 2"


def study(
    file: Annotated[Path, typer.Argument(help="Study, a YAML file: name, base, seeds, settings.")],
    *,
    at_once: Annotated[int, typer.Option(min=1, help="Processes at a time.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of each; cores divided by --at-once, if not given."),
    ] = None,
    collect_only: Annotated[
        bool, typer.Option("--collect-only", help="Start nothing; write what is finished.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Folder of speech, in place of the first corpus.")
    ] = None,
    env: Annotated[
        Path | None,
        typer.Option("--env", "--config_env", help="YAML file: where data and outputs live."),
    ] = None,
    gpu: Annotated[
        int | None, typer.Option(help="Number of the one GPU for all runs; -1 for the CPU.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Train settings × seeds of one file side by side, and compare them in one table.

    The same command goes on where a killed study stopped; finished runs are not done again. Exit
    code 1 if runs failed.
    """
    from watchword.console import Console
    from watchword.study import jobs

    with Console(is_quiet=as_json) as console:
        record = jobs.study(
            file,
            console=console,
            at_once=at_once,
            threads=threads,
            collect_only=collect_only,
            data=data,
            environment=env,
            gpu=gpu,
        )
    if as_json:
        print(json.dumps(record))
    return 1 if record["failures"] else 0
