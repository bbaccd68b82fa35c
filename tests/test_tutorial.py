"""The tutorial: all its blocks run in order, in an empty folder, and print what the page shows."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
from collections.abc import Callable
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any

import pytest

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIKE_THE_PAGE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

needs_espeak = pytest.mark.skipif(
    util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


@needs_espeak
def test_the_tutorial_runs_and_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    printed = ""
    for kind, text in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        if kind == "console":
            follow(text)
        elif kind == "yaml":
            Path(text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        elif kind == "python":
            printed = captured(partial(exec, compile(text, "tutorial", "exec"), names))
        else:
            assert kind == "text", kind
            assert_shown(text, printed)


def test_the_tutorial_has_blocks_of_every_kind() -> None:
    found = [kind for kind, _ in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))]
    assert {"console", "python", "text", "yaml"} == set(found)


def follow(text: str) -> None:
    """Run the commands of a block, each followed by the lines it should print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        program, *words = shlex.split(command)
        assert program == "watchword", command
        assert_shown(shown, captured(partial(command_line, words)))


def command_line(words: list[str]) -> None:
    """Run the command line in this process; it must end well."""
    from watchword import cli

    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    assert exit_.value.code == 0, words


def captured(work: Callable[[], object]) -> str:
    """Return what some work prints on the standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        work()
    return out.getvalue()


def assert_shown(shown: str, printed: str) -> None:
    """Compare what the page shows with what was printed, ``...`` standing for anything."""
    assert doctest.OutputChecker().check_output(shown, printed, LIKE_THE_PAGE), (shown, printed)
