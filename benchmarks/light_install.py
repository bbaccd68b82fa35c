"""What ``pip install watchword`` brings: files of each package, measured in an empty environment.

    python benchmarks/light_install.py --save docs/results/light_install.md

Builds the wheel of this checkout, installs it with the newest of what it needs, and adds up the
files that the packages list. pip itself is not counted; compiled caches, which Python writes, stand
apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from watchword.files import write_whole
from watchword.page import table

CHECKOUT: Final = Path(__file__).parent.parent
COUNTED: Final = 12
COUNT: Final = """
import json
from importlib import metadata
rows = []
for package in metadata.distributions():
    if package.metadata["Name"] in ("pip", "setuptools", "wheel"):
        continue
    sizes = [0, 0]
    for file in package.files or []:
        place = package.locate_file(file)
        if place.is_file():
            sizes["__pycache__" in str(file)] += place.stat().st_size
    rows.append([package.metadata["Name"], package.version, *sizes])
print(json.dumps(rows))
"""


def main() -> None:
    """Install, add up, print, and save where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", type=Path, help="page to write")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = describe(installed(Path(folder)))
    if asked.save:
        write_whole(asked.save, page.encode())
    print(page, end="")


def installed(folder: Path) -> list[tuple[str, str, int, int]]:
    """Return name, version, bytes of files and bytes of caches of each package.

    Args:
        folder: An empty folder.
    """
    python = folder / "env" / "bin" / "python"
    wheels = folder / "wheels"
    _run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, CHECKOUT)
    _run(sys.executable, "-m", "venv", folder / "env")
    _run(python, "-m", "pip", "install", "-q", *wheels.glob("*.whl"))
    rows: list[Any] = json.loads(_run(python, "-c", COUNT))
    return sorted((tuple(row) for row in rows), key=lambda row: -row[2])


def _run(*words: object) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        [*map(str, words)], cwd=tempfile.gettempdir(), check=True, capture_output=True, text=True
    )
    return done.stdout


def describe(rows: list[tuple[str, str, int, int]]) -> str:
    """Return the page.

    Args:
        rows: What ``installed`` returned.
    """
    files, caches = sum(row[2] for row in rows) / 1e6, sum(row[3] for row in rows) / 1e6
    lines = [
        [name, version, f"{size / 1e6:.1f}", f"{cache / 1e6:.1f}"]
        for name, version, size, cache in rows[:COUNTED]
    ]
    python = ".".join(map(str, sys.version_info[:2]))
    blocks = [
        "# What a light install weighs",
        "Made by `benchmarks/light_install.py`; do not edit. "
        f"`pip install watchword` into an empty environment of Python {python} on {sys.platform}, "
        f"{time.strftime('%Y-%m-%d')}: **{files:.1f} MB** in {len(rows)} packages, and "
        f"{caches:.1f} MB of compiled caches.",
        table(["package", "version", "files, MB", "caches, MB"], lines),
    ]
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    main()
