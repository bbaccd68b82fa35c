"""Teachers: trained networks whose posteriors another network learns from.

In come checkpoints and the waveforms of a batch, out go targets. A room because distillation
touches training at one place only: what counts as the right answer.

Source:
    Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network" (arXiv 1503.02531),
    at temperature 1; the mean over several teachers: their §2; teachers hear what the pupil hears:
    Beyer et al. 2022 (arXiv 2106.05237), §3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from watchword import build, checkpoint
from watchword.adjust import as_trained
from watchword.config import TrainSettings
from watchword.errors import ConfigError


class Teachers:
    """An ensemble that says how a clip sounds to it, and how much its word counts.

    Args:
        models: Trained models, waveform ``(batch, samples)`` to logits ``(batch, classes)``, in
            eval mode.
        weight: Its part of the targets, in [0, 1); the rest is the label.
        digests: Of the weights of each, by the path that settings name.
    """

    def __init__(
        self, models: Sequence[nn.Module], weight: float, digests: Mapping[str, str] | None = None
    ) -> None:
        self.models, self.weight, self.digests = models, weight, dict(digests or {})

    @torch.no_grad()
    def teach(self, waveforms: Tensor, targets: Tensor) -> Tensor:
        """Return targets mixed with the mean of the teachers' posteriors, ``(batch, classes)``.

        Args:
            waveforms: What the pupil hears, before masks, shape ``(batch, samples)``.
            targets: Labels as distributions, shape ``(batch, classes)``.
        """
        if not self.models:
            return targets
        posteriors = torch.stack([model(waveforms).softmax(1) for model in self.models])
        return targets.lerp(posteriors.mean(0), self.weight)


def teachers(settings: TrainSettings, labels: Sequence[str], device: torch.device) -> Teachers:
    """Return the teachers that settings ask for, on a device; without any, none.

    What ``logit_adjustment`` took off a teacher is put back: labels and teachers speak of the same
    world then, in which classes have their shares of training, and a pupil is adjusted for them by
    itself.

    Args:
        settings: Section ``train``.
        labels: Outputs of the pupil.
        device: Where the pupil learns.

    Raises:
        CheckpointError: If a checkpoint is missing or damaged.
        ConfigError: If a teacher has other outputs.
    """
    if settings.distill is None:
        return Teachers([], 0.0)
    models, digests = [], {}
    for path in settings.distill.teachers:
        trained = checkpoint.load(path)
        if tuple(trained.labels) != tuple(labels):
            raise ConfigError(
                f"train.distill: {path} answers with {', '.join(trained.labels)}, needed the "
                f"outputs of this task, {', '.join(labels)}: choose teachers of the same task"
            )
        models.append(build.trained(as_trained(trained)).to(device))
        digests[str(path)] = trained.digest
    return Teachers(models, settings.distill.weight, digests)
