"""The types of settings: every key a YAML file may hold, its type, its range and its default.

Nothing comes in, and nothing is read here. A room because what can be set is looked up far more
often than how a file is read, which is ``config``'s business. The section ``augment`` is next door
in ``augment_settings``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Strict,
    Tag,
    model_validator,
)

from watchword.augment_settings import AugmentSettings
from watchword.data.tasks import Task, UnknownRule, find_task, own_task
from watchword.data.utterance import Split
from watchword.errors import ConfigError
from watchword.fields import (
    Count,
    CountOrNone,
    Flag,
    Length,
    Name,
    NotNegative,
    Option,
    Positive,
    Section,
    Share,
    Words,
    as_text,
)


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
    logit_adjustment: NotNegative = 0.0
    ema_decay: Share = 0.998
    settle_batches: CountOrNone = 16
    gradient_clip: Positive | None = None
    precision: Annotated[Literal["64", "32", "bf16"], BeforeValidator(as_text)] = "32"
    sync_batch_norm: Flag = True
    distill: DistillSettings | None = None
    start_from: Path | None = None
    save_minutes: Positive = 5.0
    hear_ahead: Literal["auto", "always", "never"] = "auto"


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
        Annotated[str, BeforeValidator(as_text), Tag(BY_NAME)] | Annotated[OwnTask, Tag(BY_WORDS)],
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
