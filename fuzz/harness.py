"""What the targets share: where they write, how they are run, and what counts as a finding.

In comes a function of bytes, out comes its run: under atheris, which looks for inputs that reach
new code, or under hypothesis where atheris has no wheel. A finding is any exception that is no
``WatchwordError``, a warning among them.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

Target = Callable[[bytes], None]
EXAMPLES = 100_000
"""Of hypothesis, a run."""
LONGEST = 4_096
"""Bytes that hypothesis makes at once."""


def scratch() -> Path:
    """Return a file to write inputs to, in memory where the system has such a folder."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else Path(tempfile.gettempdir())
    folder = place / f"watchword-{Path(sys.argv[0]).stem}"  # libFuzzer leaves without farewell
    folder.mkdir(exist_ok=True)
    return folder / "input"


def run(target: Target, seeds: Iterable[bytes]) -> None:
    """Feed a target until a finding, or until the time that was asked for is over.

    Args:
        target: A function that raises where it finds something.
        seeds: Good inputs to begin with.
    """
    warnings.simplefilter("error")
    try:
        import atheris
    except ImportError:
        return _with_hypothesis(target, [*seeds])
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.instrument_all()
        atheris.Setup([*sys.argv, corpus], target)
        atheris.Fuzz()


def _with_hypothesis(target: Target, seeds: list[bytes]) -> None:
    """Feed bytes made by chance, and good inputs with some bytes changed."""
    from hypothesis import given, settings
    from hypothesis import strategies as st

    changes = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=8)
    count = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(st.sampled_from(seeds) | st.binary(max_size=LONGEST), changes)
    def every(content: bytes, some: list[tuple[int, int]]) -> None:
        nonlocal count
        count += 1
        changed = bytearray(content or b"\0")
        for place, value in some:
            changed[place % len(changed)] = value
        target(bytes(changed))

    every()
    print(f"{count:,} examples of hypothesis, no finding")
