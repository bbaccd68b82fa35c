"""The types of settings: every key a YAML file may hold, its type, its range and its default.

Nothing comes in, and nothing is read here. A room because what can be set is looked up far more
often than how a file is read, which is ``config``'s business.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    Tag,
    model_validator,
)

from watchword.data.tasks import Task, UnknownRule, find_task, own_task
from watchword.data.utterance import Split
from watchword.errors import ConfigError

# strict: "40" is no number, 1 is not true, and "yes" is a word
Flag = Annotated[bool, Strict()]
Real = Annotated[float, Strict()]
Share = Annotated[float, Strict(), Field(ge=0, lt=1)]
Probability = Annotated[float, Strict(), Field(ge=0, le=1)]
Positive = Annotated[float, Strict(), Field(gt=0)]
NotNegative = Annotated[float, Strict(), Field(ge=0)]
Count = Annotated[int, Strict(), Field(gt=0)]
Length = Annotated[int, Strict(), Field(gt=0, le=65_536)]
CountOrNone = Annotated[int, Strict(), Field(ge=0)]
Words = tuple[str, ...]
FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class Section(BaseModel):
    """A part of the settings: frozen, and no key beyond those it names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


T = TypeVar("T", bound=Section)


def _as_text(value: object) -> object:
    """Let a number stand for its name, as in ``task: 12``."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_option(value: object) -> object:
    """Return one value, or several whole numbers as a tuple; refuse anything else."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)) and all(type(item) is int for item in value):
        return tuple(value)
    raise ValueError("an option is a number, a word, true, false or a list of whole numbers")


Name = Annotated[str, BeforeValidator(_as_text), Field(pattern=FOLDER_NAME)]
Option = Annotated[Any, AfterValidator(_as_option)]


class OwnTask(Section):
    """A task of the user's own words."""

    name: Name = "own"
    keywords: Annotated[Words, Field(min_length=1)]
    unknown: UnknownRule = "tenth"
    has_silence: Flag = True


class CorpusSettings(Section):
    """A folder of speech and what a task makes of it.

    ``folder`` is looked up below the data folder of the environment, then as it is given; the names
    of the public archives are downloaded when they are not there. Utterances whose transcript holds
    a word of ``without`` are not heard, nor are clips whose name the corpus ``unless_in`` has too:
    it has the better copy. Of its speakers the share ``apart`` is not heard, so that they can serve
    to calibrate. A corpus that ``is_background`` is noise.
    """

    folder: Annotated[str, Field(min_length=1)]
    share: Annotated[float, Strict(), Field(gt=0, le=1)] | None = None
    words: dict[str, str] = Field(default_factory=dict)
    hold_out: Words = ()
    leave_out: Words = ()
    without: Words = ()
    unless_in: str | None = None
    apart: Share = 0.0
    splits: dict[Split, Split] = Field(default_factory=dict)
    cut: Literal["whole", "pieces"] = "whole"
    is_rebuilt: Flag = False
    is_background: Flag = False


class DataSettings(Section):
    """Which speech, and how much of it is unknown and silence.

    With ``loud_silence`` half of the silence that training cuts peaks above -20 dB, not a quarter.
    """

    corpora: Annotated[tuple[CorpusSettings, ...], Field(min_length=1)] = (
        CorpusSettings(folder="speech_commands_v0.02"),
    )
    unknown_share: Share = 0.1
    silence_share: Share = 0.1
    loud_silence: Flag = False
    train_on_dropped: Flag = True
    hold_out_backgrounds: Words = ()

    @model_validator(mode="after")
    def _leaves_room(self) -> DataSettings:
        taken = self.unknown_share + self.silence_share
        if taken >= 1:
            raise ValueError(
                f"unknown_share and silence_share sum to {taken:g} and leave no room for keywords: "
                "their sum must stay below 1"
            )
        return self


class FeatureSettings(Section):
    """What the model hears; the defaults are the default front end."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    mels: Length = 40
    coefficients: Length = 20
    window_samples: Length = 480
    hop_samples: Length = 160
    fft_samples: Length = 512
    low_hz: NotNegative = 20.0
    high_hz: Positive = 7600.0
    floor: Positive = 1e-6
    is_centred: Flag = False
    is_normalised: Flag = True

    @property
    def bands(self) -> int:
        """Rows of the features."""
        return self.coefficients if self.kind == "mfcc" else self.mels


class ModelSettings(Section):
    """Which network, how wide, and its own options."""

    name: str = "lambda_resnet18"
    width: Annotated[float, Strict(), Field(gt=0, le=64)] = 1.0
    options: dict[str, Option] = Field(default_factory=dict)


class DistillSettings(Section):
    """Trained networks whose posteriors make up a part of the targets."""

    teachers: Annotated[tuple[Path, ...], Field(min_length=1)]
    weight: Share = 0.7


class TrainSettings(Section):
    """How the network learns, and the checkpoint whose weights it starts from, if any."""

    epochs: Count = 40
    batch_size: Count = 128
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Positive = 0.1
    final_learning_rate: NotNegative = 0.0
    momentum: Share = 0.9
    is_nesterov: Flag = True
    weight_decay: NotNegative = 1e-3
    decay_norms_and_biases: Flag = False
    warmup_epochs: NotNegative = 2.0
    is_cosine_per_epoch: Flag = False
    label_smoothing: Share = 0.05
    ema_decay: Share = 0.998
    settle_batches: CountOrNone = 16
    gradient_clip: Positive | None = None
    precision: Annotated[Literal["64", "32", "bf16"], BeforeValidator(_as_text)] = "32"
    sync_batch_norm: Flag = True
    distill: DistillSettings | None = None
    start_from: Path | None = None
    save_minutes: Positive = 5.0
    hear_ahead: Literal["auto", "always", "never"] = "auto"


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

    lowest_db: Real = 0.0
    highest_db: Real = 15.0


class Shift(Chance):
    """A shift in time, either way, zeros enter."""

    milliseconds: Positive = 100.0


class Resample(Chance):
    """Faster and higher, or slower and lower, like a tape."""

    fraction: Annotated[float, Strict(), Field(gt=0, lt=0.5)] = 0.15


class Reverb(Chance):
    """The sound of a room, from synthetic impulse responses."""

    rooms: Count = 64


class Gain(Chance):
    """A level, in decibels."""

    lowest_db: Real = -20.0
    highest_db: Real = 6.0


class Lowpass(Chance):
    """Nothing above 4 kHz, as in rebuilt clips and telephones."""


class BandGain(Chance):
    """Some bands louder, others softer, as another microphone would have them."""

    knots: Annotated[int, Strict(), Field(ge=2)] = 4
    spread: Positive = 0.5


class Mask(Chance):
    """SpecAugment: stretches of frames and of bands are covered."""

    time_masks: CountOrNone = 2
    frames: CountOrNone = 20
    frequency_masks: CountOrNone = 2
    bands: CountOrNone = 5


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
    band_gain: BandGain | None = None
    mask: Mask | None = None
    mixup: Mixup | None = None


BY_NAME, BY_WORDS = "task by name", "task by words"


def _make_task(asked: str | OwnTask) -> Task:
    """Return the task of a name or of the user's own words."""
    if isinstance(asked, str):
        return find_task(asked)
    return own_task(
        asked.name, asked.keywords, unknown=asked.unknown, has_silence=asked.has_silence
    )


def _is_a_task(asked: str | OwnTask) -> str | OwnTask:
    """Refuse a task that does not exist, among the other faults of the settings."""
    try:
        _make_task(asked)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return asked


class Settings(Section):
    """Everything a run is made from."""

    name: Name = "default"
    task: Annotated[
        Annotated[str, BeforeValidator(_as_text), Tag(BY_NAME)] | Annotated[OwnTask, Tag(BY_WORDS)],
        Discriminator(lambda asked: BY_WORDS if isinstance(asked, (dict, OwnTask)) else BY_NAME),
        AfterValidator(_is_a_task),
    ] = "12"
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**63)] = 0
    data: DataSettings = DataSettings()
    features: FeatureSettings = FeatureSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()

    def find_task(self) -> Task:
        """Return the task these settings ask for."""
        return _make_task(self.task)

    @property
    def run_name(self) -> str:
        """Folder of the run: model, width, task, name of the settings and seed.

        Example:
            >>> Settings(seed=3).run_name
            'lambda_resnet18-k1-task-12-default-seed3'
        """
        task = self.task if isinstance(self.task, str) else self.task.name
        width = str(self.model.width).removesuffix(".0")  # all digits: no two widths look alike
        return f"{self.model.name}-k{width}-task-{task}-{self.name}-seed{self.seed}"


class Environment(Section):
    """Where data and outputs live; relative paths start at the working folder.

    ``noise`` and ``rooms`` are the folders of recordings that ``eval --robust`` tests with.
    """

    datasets: Path = Path("datasets")
    output: Path = Path("output/google_commands")
    cache: Path | None = None
    noise: Path | None = None
    rooms: Path | None = None

    @property
    def prepared(self) -> Path:
        """Where prepared corpora are kept."""
        return self.cache or self.datasets / "prepared"
