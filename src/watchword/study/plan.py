"""A study file → its runs, each with its settings and its folder.

In comes a YAML file (``name``, ``base``, ``seeds``, ``settings``, and where wanted ``common`` and
``parts``), out goes a ``Study``, or one error that lists every fault with its line. A room because
a slip in the last of twenty settings must be met before the first is trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from watchword.config import load_environment, load_section, load_settings
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError
from watchword.fields import Name, Section
from watchword.settings import Environment, Settings

JOINT: Final = "--"
"""What stands between study and variant in the name of a run; it is in neither of them."""
TAKEN: Final = ("name", "seed")
"""Settings that a study gives its runs itself."""

Lines = Callable[[Sequence[Any]], int | None]


def _is_joinable(name: str) -> str:
    """Refuse a name that would make the folders of two studies alike."""
    if JOINT in name:
        raise ValueError(f"{name!r} found, should hold no {JOINT!r}, which joins study and variant")
    return name


def _as_changes(value: object) -> object:
    """Return overrides, a list or a mapping, in the words of the command line."""
    if isinstance(value, dict):
        value = [f"{key}={json.dumps(item, default=str)}" for key, item in value.items()]
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(
            "should be overrides, a mapping such as {train.epochs: 20} or a list such as "
            "[train.epochs=20]"
        )
    taken = [item for item in value if item.partition("=")[0] in TAKEN]
    if taken:
        raise ValueError(f"{taken[0]} found, and name and seed are the study's own: leave it out")
    return value


def _are_different(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse a list that names something twice."""
    twice = [item for item in dict.fromkeys(items) if items.count(item) > 1]
    if twice:
        raise ValueError(f"{twice[0]} is named twice: keep one of them")
    return items


def _hold_valid(parts: tuple[Split, ...]) -> tuple[Split, ...]:
    """Refuse parts without the one that choices are made on."""
    if "valid" not in parts:
        raise ValueError("valid is missing, and choices are made on it: add it")
    return parts


JoinableName = Annotated[Name, AfterValidator(_is_joinable)]
Changes = Annotated[tuple[str, ...], BeforeValidator(_as_changes)]
Seed = Annotated[int, Strict(), Field(ge=0, lt=2**63)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_are_different)]
Parts = Annotated[tuple[Split, ...], AfterValidator(_are_different), AfterValidator(_hold_valid)]


class StudyFile(Section):
    """What a study file may hold.

    ``base`` is looked up beside the file, then from the working folder; what ``settings`` and
    ``common`` hold is read as on the command line.
    """

    name: JoinableName
    base: Annotated[str, Field(min_length=1)]
    seeds: Seeds
    settings: Annotated[dict[JoinableName, Changes], Field(min_length=1)]
    common: Changes = ()
    parts: Parts = ("valid",)


@dataclass(frozen=True)
class Run:
    """One training run of a study.

    Args:
        variant: Its settings by name.
        settings: The settings themselves, seed included.
        changes: What makes them of the base, in the words of the command line.
        folder: Where training keeps it.
    """

    variant: str
    settings: Settings
    changes: tuple[str, ...]
    folder: Path

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.settings.seed

    @property
    def label(self) -> str:
        """What lines and notes call it."""
        return f"{self.variant} seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """Settings × seeds.

    Args:
        file: What the study file says.
        path: Where it says so.
        base: The settings file that all start from.
        environment: Where data and outputs live.
        runs: The runs, in the order they are started: every variant with the first seed comes
            first, so that there is something to compare early.
        notes: What the user should know about how the settings were read.
    """

    file: StudyFile
    path: Path
    base: Path
    environment: Environment
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where the table and the logs of the processes go."""
        return self.environment.output / self.file.name


def load_study(path: Path, *, environment: Path | None = None, data: Path | None = None) -> Study:
    """Read a study file, and with it the settings of every run.

    Args:
        path: The study file.
        environment: Environment file.
        data: Folder of speech that replaces the first corpus of all runs.

    Raises:
        ConfigError: If a file cannot be read, or the study or settings of it hold a fault; the
            message lists all of them with their lines.
        DataError: If ``data`` is no folder.
    """
    file, line_of = load_section(StudyFile, path)
    where = load_environment(environment)
    base = _find_base(file, path, line_of)
    load_settings(base)  # its own faults are told by its own lines
    folder = _on_folder(data)
    _refuse_faults(file, path, base, line_of)
    notes: dict[str, None] = {}
    runs = []
    for seed in file.seeds:
        for variant, own in file.settings.items():
            name = f"name={file.name}{JOINT}{variant}"
            changes = (*file.common, *own, *folder, name, f"seed={seed}")
            settings, told = load_settings(base, changes)
            notes |= dict.fromkeys(told)
            runs.append(Run(variant, settings, changes, where.output / settings.run_name))
    return Study(file, path, base, where, tuple(runs), tuple(notes))


def _find_base(file: StudyFile, path: Path, line_of: Lines) -> Path:
    """Return the settings file that a study starts from."""
    places = (path.parent / file.base, Path(file.base))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(
            f"{path} line {line_of(['base'])}: base: no file {file.base} beside the study or in "
            "the working folder: name a settings file"
        )
    return found


def _on_folder(data: Path | None) -> tuple[str, ...]:
    """Return the override that puts a folder in the place of the first corpus, if there is one."""
    if data is None:
        return ()
    if not data.is_dir():
        raise DataError(f"{data} is no folder: give the folder that holds the speech")
    return (f"data.corpora.0.folder={json.dumps(str(data.resolve()))}",)


def _refuse_faults(file: StudyFile, path: Path, base: Path, line_of: Lines) -> None:
    """Raise one error with the faults of all variants, if there are any."""
    faults: dict[str, None] = {}  # one in common is met once for each variant
    for variant, own in file.settings.items():
        try:
            load_settings(base, (*file.common, *own))
        except ConfigError as error:
            found = _find_fault(file, variant, base, line_of)
            whole = f"line {line_of(['settings', variant])}: settings.{variant}: {error}"
            faults[found or whole] = None
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ConfigError(f"{path} has {count}: {'; '.join(faults)}")


def _find_fault(file: StudyFile, variant: str, base: Path, line_of: Lines) -> str | None:
    """Return the first override that is a fault for itself, with its line, or None."""
    places: list[tuple[list[Any], Changes]] = [
        (["common"], file.common),
        (["settings", variant], file.settings[variant]),
    ]
    for place, changes in places:
        for number, change in enumerate(changes):
            fault = _fault_of(base, change)
            if fault:
                # in a mapping its key has a line, in a list its number; the other finds the place's
                ends = (change.partition("=")[0], number)
                line = max(line_of([*place, end]) or 0 for end in ends)
                return f"line {line}: {'.'.join(place)}: {fault}"
    return None


def _fault_of(base: Path, change: str) -> str:
    """Return what is wrong with one override, or ""."""
    try:
        load_settings(base, [change])
    except ConfigError as error:
        # the study's line stands in front of it, in place of these
        return str(error).removeprefix(f"{base} has 1 fault: ").removeprefix("command line: ")
    return ""
