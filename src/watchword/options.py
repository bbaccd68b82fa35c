"""Options that several commands share, each with what its help says.

Nothing comes in. A room because an option that means the same shall be called and explained the
same wherever it is typed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
Env = Annotated[Path | None, typer.Option("--env", help="YAML file: where data and outputs live.")]
