"""Settings: what a YAML file says, typed and frozen.

In comes a YAML file with ``key=value`` overrides, out goes a ``Settings`` tree or one error that
lists every fault with its line. A room because settings enter nowhere else: ``build.py`` and
``chain.py`` turn them into keyword arguments, and no layer, loss or loader has heard of them. YAML
is read as version 1.2, in which ``yes``, ``no``, ``on`` and ``off`` are words, as four of the ten
commands must be, and ``1e-3`` is a number. The types are next door in ``settings`` and
``augment_settings``, and found here as well.
"""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from watchword import shipped
from watchword.augment_settings import AugmentSettings, Mask
from watchword.errors import ConfigError
from watchword.fields import Section, T
from watchword.settings import (
    BY_NAME,
    BY_WORDS,
    CorpusSettings,
    DataSettings,
    DistillSettings,
    Environment,
    FeatureSettings,
    ModelSettings,
    OwnTask,
    Settings,
    TrainSettings,
)

UNSAID = (BY_NAME, BY_WORDS, "[key]")  # parts of a place that are in no file
ALIASES = {"num_labels": "task", "num_lables": "task"}


def load_settings(path: Path, overrides: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read a settings file and apply overrides to it.

    Args:
        path: A YAML file, or the name of a shipped model, which means what that was trained with.
        overrides: ``key=value`` pairs with dotted keys, such as ``train.epochs=2``; values are
            YAML, and nothing after the sign means none.

    Returns:
        The settings, and what the user should know about how they were read.

    Raises:
        ConfigError: If the file cannot be read, or holds a fault; the message lists all of them.
    """
    text = _read(shipped.find(path, shipped.SETTINGS))
    return parse_settings(text, overrides, where=str(path))


def parse_settings(
    text: str, overrides: Iterable[str] = (), *, where: str = "settings"
) -> tuple[Settings, list[str]]:
    """Read settings from YAML text; see ``load_settings``.

    Args:
        text: YAML 1.2.
        overrides: ``key=value`` pairs.
        where: What messages call the text.

    Raises:
        ConfigError: If the text or an override holds a fault; the message lists all of them.

    Example:
        >>> settings, notes = parse_settings("num_lables: 35", ["train.epochs=2"])
        >>> settings.task, settings.train.epochs, notes
        ('35', 2, ['num_lables: 35 is read as task: 35'])
    """
    tree = _load_yaml(text, where)
    notes = _resolve_aliases(tree, where) + _empty_steps(tree)
    changed = []
    for override in overrides:
        key, value, note = _read_override(override)
        changed.append(_set(tree, key, value, override))
        notes += note
    return _validate(Settings, tree, where, changed), notes


def load_environment(path: Path | None) -> Environment:
    """Read where data and outputs live.

    Args:
        path: A YAML file, or None for the defaults.

    Raises:
        ConfigError: If the file cannot be read or holds a fault.
    """
    return Environment() if path is None else load_section(Environment, path)[0]


def load_section(kind: type[T], path: Path) -> tuple[T, Callable[[Sequence[Any]], int | None]]:
    """Return the section in a file, and what tells the line of a place such as ``["a", "b"]``."""
    tree = _load_yaml(_read(path), str(path))
    return _validate(kind, tree, str(path)), partial(_line, tree)


def dump_settings(settings: Settings) -> str:
    """Return settings as YAML that ``parse_settings`` reads back to the same.

    Args:
        settings: Any settings.
    """
    stream = io.StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(settings.model_dump(mode="json", exclude_none=True), stream)
    return stream.getvalue()


# ------------------------------------------------------------------------------------------- YAML


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}): give a YAML settings file") from error


def _load_yaml(text: str, where: str) -> Any:
    """Return the tree of a YAML text; its mappings know their lines."""
    yaml: Any = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    tree = _parse(yaml, text, where)
    if tree is None:
        tree = yaml.load("{}")
    if not isinstance(tree, dict):
        kind = "list" if isinstance(tree, list) else "value"
        raise ConfigError(
            f"{where} holds a {kind} where sections such as 'train:' are needed: "
            "start from a file in configs/"
        )
    return tree


def _parse(yaml: Any, text: str, where: str) -> Any:
    """Return what a YAML text holds, or raise with the line that cannot be read."""
    try:
        return yaml.load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{where}{line} is not valid YAML ({problem}): write key: value, one on a line"
        ) from error


def _resolve_aliases(tree: Any, where: str) -> list[str]:
    """Turn other names of a setting into its own, in place; say which."""
    given = [key for key in (*ALIASES, "task") if key in tree]
    if len(given) > 1:
        raise ConfigError(
            f"{where} gives the task {len(given)} times ({', '.join(given)}): keep one of them"
        )
    notes = []
    for alias in given:
        if alias in ALIASES:
            notes.append(f"{alias}: {tree[alias]} is read as {ALIASES[alias]}: {tree[alias]}")
            line = tree.lc.data.get(alias)
            tree["task"] = tree.pop(alias)
            if line:
                tree.lc.data["task"] = line
    return notes


def _empty_steps(tree: Any) -> list[str]:
    """Say which augmentations are named and yet not done, because nothing follows their name."""
    steps = tree.get("augment")
    empty = (
        [key for key, value in steps.items() if value is None] if isinstance(steps, dict) else []
    )
    return [f"augment.{key} is empty and so not done: to do it write {key}: {{}}" for key in empty]


def _plain(value: Any) -> Any:
    """Return a YAML tree in Python's own types."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, ScalarBoolean)):
        return bool(value)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


# -------------------------------------------------------------------------------------- overrides


def _read_override(override: str) -> tuple[str, Any, list[str]]:
    """Return the dotted key and the value of ``key=value``, and what the user should know."""
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"{override!r} is no setting: write key=value, such as train.epochs=2")
    value = _parse(YAML(typ="safe", pure=True), text, f"{override!r}")
    if key not in ALIASES:
        return key, value, []
    return ALIASES[key], value, [f"{key}={text} is read as {ALIASES[key]}={text}"]


def _set(tree: Any, key: str, value: Any, override: str) -> str:
    """Set one value in the tree, in place; what the file leaves out starts from the defaults.

    Returns:
        The key below which nothing is the file's.
    """
    *folders, last = key.split(".")
    place, changed = tree, key
    default: Any = Settings().model_dump(mode="json")
    for depth, folder in enumerate(folders, start=1):
        default = default.get(folder) if isinstance(default, dict) else None
        if isinstance(place, dict) and place.get(folder) is None:
            place[folder] = {} if default is None or isinstance(default, dict) else default
            changed = min(changed, ".".join(folders[:depth]), key=len)
        place = place[folder] if isinstance(place, dict) else place[_index(place, folder, override)]
        if not isinstance(place, (dict, list)):
            raise ConfigError(
                f"{override!r}: {folder} is a value and holds no settings: name a section, such as "
                "train.epochs=2"
            )
    place[last if isinstance(place, dict) else _index(place, last, override)] = value
    return changed


def _index(items: list[Any], index: str, override: str) -> int:
    """Return the number in a dotted key that names an entry of a list."""
    if not index.isdecimal() or int(index) >= len(items):
        entries = "the only entry is 0" if len(items) == 1 else f"use 0 to {len(items) - 1}"
        raise ConfigError(
            f"{override!r}: {index!r} names none of the entries there: "
            f"{entries if items else 'the list is empty'}"
        )
    return int(index)


# ----------------------------------------------------------------------------------------- faults


def _validate(kind: type[T], tree: Any, where: str, changed: Sequence[str] = ()) -> T:
    """Return the tree as typed settings, or raise one error that lists every fault."""
    try:
        return kind.model_validate(_plain(tree))
    except ValidationError as error:
        faults = _faults(kind, tree, error, changed)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ConfigError(f"{where} has {count}: {'; '.join(faults)}") from error


def _faults(
    kind: type[Section], tree: Any, error: ValidationError, changed: Sequence[str]
) -> list[str]:
    """Return what is wrong, in the order of lines; faults of the command line come last."""
    found: dict[str, int] = {}
    for fault in error.errors(include_url=False, include_context=False):
        if fault["type"] == "too_short" and fault["input"]:
            continue  # its entries have faults of their own
        path = [part for part in fault["loc"] if part not in UNSAID]
        key, line = ".".join(map(str, path)), _line(tree, path)
        place = f"line {line}: " if line else ""
        if any(f"{key}.".startswith(f"{other}.") for other in changed):
            place, line = "command line: ", None
        found[f"{place}{key}: {_explain(kind, path, fault)}"] = line or sys.maxsize
    return sorted(found, key=found.__getitem__)


def _explain(kind: type[Section], path: Sequence[Any], fault: Any) -> str:
    """Return one fault in words."""
    if fault["type"] == "extra_forbidden":
        return f"no such setting ({_hint(str(path[-1]), _keys(kind, path[:-1]))})"
    if fault["type"] == "missing":
        return "is needed and is not there"
    message = str(fault["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if fault["type"] == "value_error":
        return message
    return f"{_shown(fault['input'])} found, {NEEDED.get(fault['type'], message)}"


NEEDED = {
    "bool_type": "should be true or false",
    "dict_type": "should be a section, key: value on each line",
    "finite_number": "should be a finite number",
    "float_type": "should be a number",
    "int_from_float": "should be a whole number",
    "int_type": "should be a whole number",
    "model_type": "should be a section, key: value on each line",
    "string_pattern_mismatch": "should be made of letters, digits, dots, hyphens and underscores",
    "string_type": "should be text, in quotes where it looks like something else",
    "too_short": "should have at least one entry",
    "tuple_type": "should be a list, such as [a, b]",
}
"""What pydantic calls a fault, and what a user should hear."""


def _shown(value: object) -> str:
    """Return a value as a message names it."""
    if isinstance(value, (dict, list)):
        return "a section" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else repr(value) if isinstance(value, str) else str(value)


def _hint(name: str, names: list[str]) -> str:
    """Return the nearest known setting, or all of them: several faults must fit into a line."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"


def _keys(kind: type[Section], path: Sequence[Any]) -> list[str]:
    """Return the settings that exist at a place of the tree."""
    section: Any = kind
    for part in path:
        if isinstance(part, int):
            continue
        section = _section_of(section.model_fields[part].annotation)
    return list(section.model_fields)


def _section_of(annotation: Any) -> Any:
    """Return the section in an annotation such as ``Noise | None`` or ``tuple[Corpus, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _section_of(part)
        if found:
            return found
    return None


def _line(tree: Any, path: Sequence[Any]) -> int | None:
    """Return the line of a setting in its file, from 1, or None where it came from elsewhere."""
    line = None
    for part in path:
        marks = getattr(tree, "lc", None)
        if marks is None or marks.data is None or part not in marks.data:
            break
        line = marks.data[part][0] + 1
        tree = tree[part]
    return line


__all__ = [
    "AugmentSettings",
    "CorpusSettings",
    "DataSettings",
    "DistillSettings",
    "Environment",
    "FeatureSettings",
    "Mask",
    "ModelSettings",
    "OwnTask",
    "Settings",
    "TrainSettings",
    "dump_settings",
    "load_environment",
    "load_section",
    "load_settings",
    "parse_settings",
]
