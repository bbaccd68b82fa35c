"""Plain values → the same without anything that means something on one machine only.

In come settings and commands as they were typed, out they go without places, user and machine. A
room because what is published tells how it was made, and nothing about the house it was made in.
"""

from __future__ import annotations

import getpass
import platform
import re
from contextlib import suppress
from functools import cache
from typing import Any, Final

PLACE: Final = re.compile(
    r"(?<![\w.+/\\-])(?!(?<=:)//)"  # not inside a relative path or an address
    r"(?:file:(?=/)|~[\w.-]*|[A-Za-z]:|\.\.)?(?:[/\\]+[^\s/\\'\"\[\]{},;=]+)+[/\\]*"
)
"""A path that means something on one machine only: absolute, in somebody's home, or upwards."""
WEIGHTS: Final = re.compile(r"\.(?:safetensors|pth\.tar|pth|pt|ckpt)$")


def portable(value: Any) -> Any:
    """Return plain values with paths cut to what they mean on any machine.

    Absolute paths, those of a home and those that go upwards keep their last part; that of a
    checkpoint keeps its run's folder too. Names of the user and of the machine are left out.

    Args:
        value: JSON types.

    Example:
        >>> portable({"folder": "/home/me/speech", "command": "train.py --env ../env.yml a/b.yml"})
        {'folder': 'speech', 'command': 'train.py --env env.yml a/b.yml'}
    """
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [portable(item) for item in value]
    if not isinstance(value, str):
        return value
    start, equals, rest = value.partition("=")
    if re.match(
        r"(?:/|~|\.\./|[A-Za-z]:[/\\])", rest or value
    ):  # the whole is a path, blanks and all
        return f"{start}{equals}{_last(rest)}" if equals and rest else _last(value)
    return PLACE.sub(lambda found: _last(found[0]), _nameless(value))


def _last(path: str) -> str:
    """Return the last part of a path, and the one before it where that is a checkpoint's run."""
    parts = [part for part in re.split(r"[/\\]+", path) if part]
    kept = 2 if parts and WEIGHTS.search(parts[-1]) else 1
    return "/".join(parts[-kept:])


def _nameless(text: str) -> str:
    """Return text without ``user@machine`` and without folders named after either."""
    text = re.sub(r"[\w.+-]+@[\w.-]+:?", "", text)
    for name in _names():
        text = re.sub(rf"(?<![\w.-])(?:[\w.+-]+/)*{re.escape(name)}/", "", text)
    return text


@cache
def _names() -> tuple[str, ...]:
    """Return what this user and this machine are called."""
    names = {platform.node()}
    with suppress(OSError, KeyError, ImportError):  # a container may have no list of users
        names.add(getpass.getuser())
    return tuple(name for name in names if name)
