"""The light half in a fresh process: what it loads, and that it hears."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "torch",
    "onnx",
    "onnxscript",
    "matplotlib",
    "pydantic",
    "ruamel",
    "safetensors",
    "sklearn",
)

HEARS = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))  # None: importing any of them fails
import numpy as np
import watchword as ww
spotter = ww.Spotter("commands-12", keywords=["stop", "go"])
assert spotter.feed(np.zeros(32_000, np.int16)) == []
print(sorted(spotter.scores), max(spotter.scores.values()) < 0.5)
"""

BARE = """
import sys
import watchword
print(sorted(name for name in sys.modules if name in ("numpy", "onnxruntime", "soundfile")))
"""


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_shipped_model_listens_where_no_heavy_package_can_be_imported() -> None:
    assert run(HEARS) == "['go', 'stop'] True"


def test_importing_the_package_loads_nothing() -> None:
    assert run(BARE) == "[]"


def test_the_commands_that_hear_answer_without_heavy_packages() -> None:
    others = tuple(name for name in HEAVY if name != "pydantic")  # typer itself uses that
    code = f"""
import sys
sys.modules.update(dict.fromkeys({others!r}))
from watchword import cli
cli.main(["spot", "no-such-file.wav"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert done.stderr.count("\n") == 1
