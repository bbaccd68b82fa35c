"""Settings → objects: the only room that knows both.

In come typed settings, out go plans, readers, networks, front ends and optimisers. A room because
no layer and no loop may read settings, and no setting may know a class: what a word in a YAML file
means is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from watchword import features, models
from watchword.chain import Chain, augmentation
from watchword.checkpoint import Checkpoint, refuse_other_weights
from watchword.config import (
    FeatureSettings,
    Settings,
    TrainSettings,
)
from watchword.data import batches, sampling
from watchword.data.batches import Reader
from watchword.data.manifest import Split
from watchword.data.rows import Source, holds_keywords
from watchword.data.sampling import Plan
from watchword.errors import CheckpointError
from watchword.sync import SyncBatchNorm
from watchword.units import CLIP_SAMPLES

__all__ = [
    "Chain",
    "Checkpoint",
    "Classifier",
    "augmentation",
    "check",
    "classifier",
    "ear",
    "measure",
    "network",
    "normalise",
    "optimizer",
    "plan",
    "reader",
    "synchronised",
    "trained",
]

Ear = features.LogMel | features.Mfcc


class Classifier(nn.Module):
    """A whole model, waveform in and logits out: its front end and its network.

    Args:
        ear: Front end, waveform ``(batch, samples)`` to features ``(batch, mels, frames)``.
        network: Features to logits ``(batch, classes)``.
    """

    def __init__(self, ear: Ear, network: nn.Module) -> None:
        super().__init__()
        self.ear, self.network = ear, network

    def forward(self, waveform: Tensor) -> Tensor:
        """Return logits, shape ``(batch, classes)``.

        Args:
            waveform: Shape ``(batch, samples)``, in [-1, 1].
        """
        logits: Tensor = self.network(self.ear(waveform))
        return logits


# ------------------------------------------------------------------------------------------- data


def plan(settings: Settings, corpora: Sequence[Source]) -> Plan:
    """Return what every epoch hears.

    Args:
        settings: Task, seed and shares.
        corpora: Prepared corpora.
    """
    return sampling.plan(
        corpora,
        settings.find_task(),
        seed=settings.seed,
        unknown_share=settings.data.unknown_share,
        silence_share=settings.data.silence_share,
    )


def reader(settings: Settings, corpora: Sequence[Source], split: Split) -> Reader:
    """Return what reads the audio of a split.

    An evaluation cuts silence from the corpora whose keywords it counts: accuracy must not depend
    on which noise a model was trained with.

    Args:
        settings: Which background recordings are held out.
        corpora: Prepared corpora.
        split: The split.
    """
    task = settings.find_task()
    noisy = [
        source
        for number, source in enumerate(corpora)
        if split == "train" or holds_keywords(source, number, task, split)
    ]
    noise = batches.background(noisy, split, hold_out=settings.data.hold_out_backgrounds)
    return Reader(corpora, noise, split, settings.data.loud_silence and split == "train")


# ------------------------------------------------------------------------------------------ model


def ear(settings: FeatureSettings) -> Ear:
    """Return the front end.

    Args:
        settings: Section ``features``.
    """
    common = settings.model_dump(exclude={"kind", "coefficients", "is_normalised"})
    if settings.kind == "mfcc":
        return features.Mfcc(coefficients=settings.coefficients, **common)
    return features.LogMel(**common)


def normalise(front_end: Ear, waveforms: Iterable[Tensor]) -> None:
    """Give a front end the mean and deviation of each band over some audio.

    Args:
        front_end: The front end, changed in place.
        waveforms: Batches ``(batch, samples)``.
    """
    front_end.set_normalisation(*features.estimate_normalisation(front_end, waveforms))


def network(settings: Settings, classes: int) -> nn.Module:
    """Return the network, freshly initialised.

    Args:
        settings: Sections ``model`` and ``features``.
        classes: Number of outputs.
    """
    chosen = settings.model
    models.check_options(chosen.name, chosen.options)
    return models.create(
        chosen.name,
        classes=classes,
        width=chosen.width,
        mels=settings.features.bands,
        frames=ear(settings.features).frames(CLIP_SAMPLES),
        **chosen.options,
    )


def classifier(settings: Settings, classes: int) -> Classifier:
    """Return front end and network, freshly initialised.

    Args:
        settings: Sections ``model`` and ``features``.
        classes: Number of outputs.
    """
    return Classifier(ear(settings.features), network(settings, classes))


def trained(checkpoint: Checkpoint) -> Classifier:
    """Return the model of a checkpoint, in eval mode.

    Args:
        checkpoint: As read from disk.

    Raises:
        CheckpointError: If the weights are not those of the network that the settings describe.
    """
    model = classifier(checkpoint.settings, len(checkpoint.labels))
    try:
        model.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise refuse_other_weights(error, checkpoint.settings) from error
    if not all(bool(torch.isfinite(w).all()) for w in checkpoint.weights.values()):
        raise CheckpointError(
            "the weights hold numbers that are not finite: the run had diverged; use an earlier "
            "checkpoint, or train again with a lower train.learning_rate"
        )
    return model.eval()


def measure(checkpoint: Checkpoint) -> models.Size:
    """Count the parameters and multiply-accumulates of a checkpoint's network over one clip.

    Args:
        checkpoint: The model.
    """
    settings = checkpoint.settings
    frames = ear(settings.features).frames(CLIP_SAMPLES)
    return models.measure_size(
        network(settings, len(checkpoint.labels)), mels=settings.features.bands, frames=frames
    )


def check(settings: Settings) -> None:
    """Build what settings describe and throw it away, before hours of work depend on it.

    Args:
        settings: Any settings.

    Raises:
        ConfigError: If front end, network or augmentation cannot be built, or do not fit together.
    """
    frames = ear(settings.features).frames(CLIP_SAMPLES)
    classes = len(settings.find_task().labels)
    models.measure_size(network(settings, classes), mels=settings.features.bands, frames=frames)
    noise = np.zeros(2 * CLIP_SAMPLES, np.int16)
    augmentation(settings.augment, noise, torch.device("cpu"), seed=settings.seed)


def synchronised(module: nn.Module, device: torch.device) -> nn.Module:
    """Return a network whose batch normalisation sees the batches of all processes.

    Args:
        module: The network, changed in place.
        device: Where it will train.
    """
    if device.type == "cuda":
        twin: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]  # torch gives it no types
        return twin
    return SyncBatchNorm.convert(module)


# --------------------------------------------------------------------------------------- training


def optimizer(settings: TrainSettings, module: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay spares norms and biases unless asked for.

    Args:
        settings: Section ``train``.
        module: The network.
    """
    weights = [p for p in module.parameters() if p.ndim > 1 or settings.decay_norms_and_biases]
    spared = [p for p in module.parameters() if p.ndim <= 1 and not settings.decay_norms_and_biases]
    groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": settings.weight_decay}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
    return torch.optim.SGD(
        groups,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.is_nesterov and settings.momentum > 0,
        fused=True,
    )
