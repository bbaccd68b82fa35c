"""What a network learns from in a step: read, made silent or noisy, measured and masked.

In come rows that name clips and their place in a run, out come features and targets. A room because
this is half of a step's work and needs nothing of the other half: another process can do it ahead
(``ahead``), and what is heard is a function of the seed and the place alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from watchword import build
from watchword.chain import to_waveforms
from watchword.config import Settings
from watchword.data.batches import Reader
from watchword.data.rows import Clips
from watchword.models import fused
from watchword.models.layout import frames_first
from watchword.progress import part_of
from watchword.teach import teachers


@dataclass(frozen=True)
class Batch:
    """The clips of a step, and where in the run it is.

    Args:
        clips: The clips of all processes.
        epoch: Epoch, from 0.
        number: Number of the batch within it, from 0.
    """

    clips: Clips
    epoch: int
    number: int


@dataclass(frozen=True)
class Heard:
    """What a process learns from in a step.

    Args:
        features: Shape ``(clips, mels, frames)``.
        soft: Targets as distributions, shape ``(clips, classes)``.
        targets: Targets as classes, int64, shape ``(clips,)``.
    """

    features: Tensor
    soft: Tensor
    targets: Tensor


class Hearing:
    """Hears clips as the settings say, on one device.

    Args:
        settings: What is done to clips.
        reader: Reads the training split.
        ear: The front end; its normalisation may be learned later.
        labels: Outputs of the network.
        device: Where to.
    """

    def __init__(
        self,
        settings: Settings,
        reader: Reader,
        ear: build.Ear,
        labels: Sequence[str],
        device: torch.device,
    ) -> None:
        self.seed, self.reader, self.ear, self.device = settings.seed, reader, ear, device
        self.classes = len(labels)
        self.chain = build.augmentation(
            settings.augment, reader.background, device, seed=settings.seed
        )
        self.teachers = teachers(settings.train, labels, device)

    def batch(self, asked: Batch, rank: int = 0, processes: int = 1) -> Heard:
        """Return what a process learns from in a step.

        Args:
            asked: The step.
            rank: Number of the process, from 0.
            processes: How many there are.
        """
        rng = np.random.default_rng(self.place(asked))
        rng.integers(2**62)  # dropout's
        heard = self.hear(asked.clips, rng, part_of(len(asked.clips), rank, processes))
        if self.device.type != "cpu" or not fused.is_compiled():
            return heard
        return Heard(frames_first(heard.features), heard.soft, heard.targets)

    def seed_dropout(self, asked: Batch, rank: int = 0) -> None:
        """Set torch's random numbers for a step, which are those of dropout.

        Args:
            asked: The step.
            rank: Number of the process, from 0; each drops others.
        """
        seed = int(np.random.default_rng(self.place(asked)).integers(2**62)) + rank
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(seed)  # asks no other device: 0.4 ms less
        else:
            torch.manual_seed(seed)

    def place(self, asked: Batch) -> list[int]:
        """Return what the random numbers of a step are a function of.

        Args:
            asked: The step.
        """
        return [self.seed, 3, asked.epoch, asked.number]

    @torch.no_grad()
    def hear(self, clips: Clips, rng: np.random.Generator, part: slice) -> Heard:
        """Return a part of a batch, heard with the random numbers of the whole.

        Args:
            clips: The whole batch, of all processes.
            rng: Random numbers of the step.
            part: The part of the batch to return.
        """
        silence = rng.random((len(clips), 3))
        draws = self.chain.draw(rng, len(clips))
        waveforms = to_waveforms(self.reader.read(clips[part], silence[part]), self.device)
        targets = torch.from_numpy(clips.target[part]).to(self.device)
        soft = F.one_hot(targets, self.classes).float()
        waveforms = self.chain.on_waveforms(waveforms, draws, part)
        soft = self.teachers.teach(waveforms, soft)
        features, soft = self.chain.on_features(self.ear(waveforms), soft, draws, part)
        return Heard(features, soft, targets)
