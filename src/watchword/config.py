"""Settings: what a YAML file says, typed and frozen.

In comes a YAML file with ``key=value`` overrides, out goes a ``Settings`` tree or one error that lists every fault
with its line. A room because settings enter nowhere else: ``build.py`` turns them into keyword arguments, and no layer,
loss or loader has ever heard of them. YAML is read as version 1.2, in which ``yes``, ``no``, ``on`` and ``off`` are
words, as four of the ten commands must be, and ``1e-3`` is a number.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from watchword.data.tasks import Task, UnknownRule, find_task, own_task
from watchword.errors import ConfigError, nearest

Share = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Words = tuple[str, ...]


class Section(BaseModel):
    """A part of the settings: frozen, and no key beyond those it names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


T = TypeVar("T", bound=Section)


def _as_text(value: object) -> object:
    """Let a number stand for its name, as in ``task: 12``."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_as_text)]


class OwnTask(Section):
    """A task of the user's own words."""

    name: Name = "own"
    keywords: Annotated[Words, Field(min_length=1)]
    unknown: UnknownRule = "tenth"
    has_silence: bool = True


class CorpusSettings(Section):
    """A folder of speech and what a task makes of it.

    ``folder`` is looked up below the data folder of the environment unless it is absolute; the names of the public
    archives are downloaded when they are not there.
    """

    folder: Annotated[str, Field(min_length=1)]
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    words: dict[str, str] = Field(default_factory=dict)
    hold_out: Words = ()
    leave_out: Words = ()
    cut: Literal["whole", "pieces"] = "whole"
    is_rebuilt: bool = False


class DataSettings(Section):
    """Which speech, and how much of it is unknown and silence."""

    corpora: Annotated[tuple[CorpusSettings, ...], Field(min_length=1)] = (
        CorpusSettings(folder="speech_commands_v0.02"),
    )
    unknown_share: Share = 0.1
    silence_share: Share = 0.1
    train_on_dropped: bool = True
    hold_out_backgrounds: Words = ()


class FeatureSettings(Section):
    """What the model hears; the defaults are the default front end."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    mels: Count = 40
    coefficients: Count = 20
    window_samples: Count = 480
    hop_samples: Count = 160
    fft_samples: Count = 512
    low_hz: Annotated[float, Field(ge=0)] = 20.0
    high_hz: Positive = 7600.0
    floor: Positive = 1e-6
    is_centred: bool = False
    is_normalised: bool = True

    @property
    def bands(self) -> int:
        """Rows of the features."""
        return self.coefficients if self.kind == "mfcc" else self.mels


class ModelSettings(Section):
    """Which network, how wide, and its own options."""

    name: str = "lambda_resnet18"
    width: Positive = 1.0
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)


class TrainSettings(Section):
    """How the network learns."""

    epochs: Count = 40
    batch_size: Count = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Positive = 0.1
    final_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    momentum: Share = 0.9
    is_nesterov: bool = True
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    decay_norms_and_biases: bool = False
    warmup_epochs: Annotated[float, Field(ge=0)] = 2.0
    is_cosine_per_epoch: bool = False
    label_smoothing: Share = 0.05
    ema_decay: Share = 0.998
    settle_batches: Annotated[int, Field(ge=0)] = 16
    gradient_clip: Positive | None = None
    precision: Literal["32", "bf16"] = "32"
    sync_batch_norm: bool = True
    save_minutes: Positive = 5.0


class Chance(Section):
    """An augmentation that happens to some clips."""

    probability: Probability = 1.0


class Volume(Chance):
    """The paper's volume: a gain within plus or minus so many decibels."""

    decibels: Positive = 5.0


class ZeroSegment(Chance):
    """The paper's erasing: a stretch of zeros at a random place."""

    milliseconds: Positive = 100.0


class TimeStretch(Chance):
    """The paper's time stretch: speed changes, pitch does not."""

    slowest: Positive = 0.75
    fastest: Positive = 1.25


class PitchShift(Chance):
    """The paper's pitch shift: pitch changes, speed does not."""

    semitones: Positive = 4.0


class ShiftFraction(Chance):
    """The paper's shift, as a part of the clip."""

    fraction: Share = 0.2


class ClipPercentile(Chance):
    """The paper's clipping: the loudest percentiles are cut off."""

    lowest: Positive = 10.0
    highest: Positive = 20.0


class NoiseAt(Chance):
    """Background noise at a signal-to-noise ratio."""

    lowest_db: float = 0.0
    highest_db: float = 15.0


class Shift(Chance):
    """A shift in time, either way, zeros enter."""

    milliseconds: Positive = 100.0


class Resample(Chance):
    """Faster and higher, or slower and lower, like a tape."""

    fraction: Annotated[float, Field(gt=0, lt=0.5)] = 0.15


class Reverb(Chance):
    """The sound of a room, from synthetic impulse responses."""

    rooms: Count = 64


class Gain(Chance):
    """A level, in decibels."""

    lowest_db: float = -20.0
    highest_db: float = 6.0


class Lowpass(Chance):
    """Nothing above 4 kHz, as in rebuilt clips and telephones."""


class Mask(Chance):
    """SpecAugment: stretches of frames and of bands are covered."""

    time_masks: Annotated[int, Field(ge=0)] = 2
    frames: Annotated[int, Field(ge=0)] = 20
    frequency_masks: Annotated[int, Field(ge=0)] = 2
    bands: Annotated[int, Field(ge=0)] = 5


class Mixup(Chance):
    """Two clips and their classes mixed."""

    alpha: Positive = 0.2


class AugmentSettings(Section):
    """What is done to training clips, in this order; what is not named is not done."""

    resample: Resample | None = None
    time_stretch: TimeStretch | None = None
    pitch_shift: PitchShift | None = None
    shift: Shift | None = None
    shift_fraction: ShiftFraction | None = None
    random_placement: Chance | None = None
    zero_segment: ZeroSegment | None = None
    reverb: Reverb | None = None
    volume: Volume | None = None
    clip_percentile: ClipPercentile | None = None
    noise: NoiseAt | None = None
    gain: Gain | None = None
    lowpass: Lowpass | None = None
    mask: Mask | None = None
    mixup: Mixup | None = None


class Settings(Section):
    """Everything a run is made from."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "default"
    task: Name | OwnTask = "12"
    seed: Annotated[int, Field(ge=0)] = 0
    data: DataSettings = DataSettings()
    features: FeatureSettings = FeatureSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()

    @model_validator(mode="after")
    def _has_a_task(self) -> Settings:
        try:
            self.find_task()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def find_task(self) -> Task:
        """Return the task these settings ask for."""
        if isinstance(self.task, str):
            return find_task(self.task)
        own = self.task
        return own_task(own.name, own.keywords, unknown=own.unknown, has_silence=own.has_silence)

    @property
    def run_name(self) -> str:
        """Folder of the run: model, width, task, name of the settings and seed."""
        task = self.task if isinstance(self.task, str) else self.task.name
        return f"{self.model.name}-k{self.model.width:g}-task-{task}-{self.name}-seed{self.seed}"


class Environment(Section):
    """Where data and outputs live; relative paths start at the working folder."""

    datasets: Path = Path("datasets")
    output: Path = Path("output/google_commands")
    cache: Path | None = None

    @property
    def prepared(self) -> Path:
        """Where prepared corpora are kept."""
        return self.cache or self.datasets / "prepared"


ALIASES = {"num_labels": "task", "num_lables": "task"}


def load_settings(path: Path, overrides: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read a settings file and apply overrides to it.

    Args:
        path: A YAML file.
        overrides: ``key=value`` pairs with dotted keys, such as ``train.epochs=2``; values are YAML.

    Returns:
        The settings, and what the user should know about how they were read.

    Raises:
        ConfigError: If the file cannot be read, or holds a fault; the message lists all of them.
    """
    text = _read(path)
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
        ConfigError: If the text holds a fault; the message lists all of them.

    Example:
        >>> settings, notes = parse_settings("num_lables: 35", ["train.epochs=2"])
        >>> settings.task, settings.train.epochs, notes
        ('35', 2, ['num_lables: 35 is read as task: 35'])
    """
    tree = _load_yaml(text, where)
    notes = _resolve_aliases(tree, where)
    for override in overrides:
        notes += _apply(tree, override)
    return _validate(Settings, tree, where), notes


def load_environment(path: Path | None) -> Environment:
    """Read where data and outputs live.

    Args:
        path: A YAML file, or None for the defaults.

    Raises:
        ConfigError: If the file cannot be read or holds a fault.
    """
    if path is None:
        return Environment()
    return _validate(Environment, _load_yaml(_read(path), str(path)), str(path))


def dump_settings(settings: Settings) -> str:
    """Return settings as YAML that ``parse_settings`` reads back to the same.

    Args:
        settings: Any settings.
    """
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(settings.model_dump(mode="json"), stream)
    return stream.getvalue()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ConfigError(f"{path} cannot be read ({reason}): give a YAML settings file") from error


def _load_yaml(text: str, where: str) -> Any:
    """Return the tree of a YAML text; its mappings know their lines."""
    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    try:
        tree = yaml.load(text)
    except YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{where}{line} is not valid YAML ({problem}): mend that line") from error
    if tree is None:
        tree = yaml.load("{}")
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{where} holds a {type(tree).__name__} where sections such as 'train:' are needed: "
            "start from a file in configs/"
        )
    return tree


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


def _apply(tree: Any, override: str) -> list[str]:
    """Set one value in the tree, in place; return notes."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"{override!r} is no setting: write key=value, such as train.epochs=2")
    value = YAML(typ="safe", pure=True).load(text) if text else None
    notes = []
    if key in ALIASES:
        notes.append(f"{key}={text} is read as {ALIASES[key]}={text}")
        key = ALIASES[key]
    *folders, last = key.split(".")
    place = tree
    for folder in folders:
        if isinstance(place, list):
            place = _item(place, folder, override)
            continue
        if not isinstance(place.get(folder), (dict, list)):
            place[folder] = {}
        place = place[folder]
    if isinstance(place, list):
        _item(place, last, override)
        place[int(last)] = value
    else:
        place[last] = value
    return notes


def _item(items: list[Any], index: str, override: str) -> Any:
    """Return one entry of a list by its number in a dotted key."""
    if not index.isdecimal() or int(index) >= len(items):
        raise ConfigError(
            f"{override!r}: {index!r} names none of the {len(items)} entries there: "
            f"use a number from 0 to {len(items) - 1}"
        )
    return items[int(index)]


def _validate(kind: type[T], tree: Any, where: str) -> T:
    """Return the tree as typed settings, or raise one error that lists every fault."""
    try:
        return kind.model_validate(_plain(tree))
    except ValidationError as error:
        faults = _faults(kind, tree, error)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ConfigError(f"{where} has {count}: {'; '.join(faults)}") from error


def _faults(kind: type[Section], tree: Any, error: ValidationError) -> list[str]:
    """Return what is wrong, each fault once, with its line where the file has it."""
    found: dict[str, None] = {}
    for fault in error.errors(include_url=False, include_context=False):
        path = [part for part in fault["loc"] if not _is_branch(part)]
        line = _line(tree, path)
        place = f"line {line}: " if line else ""
        found[f"{place}{'.'.join(map(str, path))}: {_explain(kind, path, fault)}"] = None
    return [fault.replace(": : ", ": ") for fault in found]


def _is_branch(part: object) -> bool:
    """Tell whether a part of a fault's place is a name that pydantic gives a branch of a union."""
    return isinstance(part, str) and (part.startswith("function-") or part in {"OwnTask", "str"})


def _explain(kind: type[Section], path: Sequence[Any], fault: Any) -> str:
    """Return one fault in words."""
    if fault["type"] == "extra_forbidden":
        return f"no such setting: {nearest(str(path[-1]), _keys(kind, path[:-1]))}"
    message = str(fault["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    value = fault["input"]
    if fault["type"] in {"missing", "value_error"} or isinstance(value, (dict, list)):
        return message
    return f"{value!r} found; it {message}"


def _keys(kind: type[Section], path: Sequence[Any]) -> list[str]:
    """Return the settings that exist at a place of the tree."""
    section: Any = kind
    for part in path:
        if isinstance(part, int):
            continue
        section = _section_of(section.model_fields[part].annotation)
    return list(section.model_fields)


def _section_of(annotation: Any) -> Any:
    """Return the section inside an annotation such as ``Noise | None`` or ``tuple[Corpus, ...]``."""
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
    return line if path and line is not None else None


def _plain(value: Any) -> Any:
    """Return a YAML tree in Python's own types."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


__all__ = [
    "AugmentSettings",
    "CorpusSettings",
    "DataSettings",
    "Environment",
    "FeatureSettings",
    "ModelSettings",
    "OwnTask",
    "Settings",
    "TrainSettings",
    "dump_settings",
    "load_environment",
    "load_settings",
    "parse_settings",
]
