"""Teachers make targets of what they hear, and must answer with the same outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from watchword import adjust, build, checkpoint
from watchword.checkpoint import Checkpoint
from watchword.config import Settings, TrainSettings
from watchword.errors import CheckpointError, ConfigError
from watchword.teach import Teachers, teachers

CPU = torch.device("cpu")


class Says(nn.Module):
    """Answers every clip with the same logits."""

    def __init__(self, *posteriors: float) -> None:
        super().__init__()
        self.logits = torch.tensor(posteriors).log()

    def forward(self, waveforms: Tensor) -> Tensor:
        return self.logits.expand(len(waveforms), -1)


def test_targets_by_hand() -> None:
    ensemble = Teachers([Says(0.8, 0.2), Says(0.4, 0.6)], weight=0.5)
    targets = ensemble.teach(torch.zeros(2, 160), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    # the teachers' mean is 0.6 and 0.4; half of it and half of the label
    assert torch.allclose(targets, torch.tensor([[0.8, 0.2], [0.3, 0.7]]))


def test_without_teachers_the_label_is_the_target() -> None:
    label = torch.tensor([[1.0, 0.0]])
    assert teachers(TrainSettings(), ["yes", "no"], CPU).teach(torch.zeros(1, 160), label) is label


def taught_by(*paths: Path, **train: object) -> TrainSettings:
    """Return settings of a pupil with teachers at a weight of 0.9."""
    distill = {"teachers": paths, "weight": 0.9}
    return TrainSettings.model_validate({"distill": distill, **train})


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return untaught(tmp_path)


def untaught(folder: Path, **train: object) -> Path:
    """Save a model with random weights, as if trained by these settings."""
    settings = Settings.model_validate({"task": "2", "model": {"width": 0.25}, "train": train})
    weights = build.classifier(settings, 3).state_dict()
    checkpoint.save(Checkpoint(settings, settings.find_task().labels, weights, {}), folder / "best")
    return folder / "best.safetensors"


def test_a_trained_model_teaches_what_it_answers(trained: Path) -> None:
    made = teachers(taught_by(trained), ["left", "right", "_unknown_"], CPU)
    clip = 0.1 * torch.randn(2, 16_000)
    label = torch.tensor([[1.0, 0.0, 0.0]]).expand(2, -1)
    answer = build.trained(checkpoint.load(trained))(clip).softmax(1)
    assert torch.allclose(made.teach(clip, label), 0.1 * label + 0.9 * answer, atol=1e-6)
    assert made.digests == {str(trained): checkpoint.load(trained).digest}
    assert (
        checkpoint.load(trained.with_suffix(".pth.tar")).digest == checkpoint.load(trained).digest
    )


def test_a_teacher_of_another_task_is_refused(trained: Path) -> None:
    message = r"answers with left, right, _unknown_, needed the outputs of this task, yes, no"
    with pytest.raises(ConfigError, match=message):
        teachers(taught_by(trained), ["yes", "no"], CPU)


def test_a_missing_teacher_is_refused(tmp_path: Path) -> None:
    absent = taught_by(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match=r"absent\.safetensors"):
        teachers(absent, ["yes", "no"], CPU)


def test_what_an_adjustment_took_off_a_teacher_is_put_back(tmp_path: Path, trained: Path) -> None:
    as_learned = checkpoint.load(trained)
    model, taken = build.trained(as_learned), adjust.shift(0.5, [10, 10, 60])
    adjust.lower(model.network, taken)
    told = {checkpoint.SHIFT: taken}
    lowered = Checkpoint(as_learned.settings, as_learned.labels, model.state_dict(), told)
    checkpoint.save(lowered, tmp_path / "lowered")
    clip = 0.1 * torch.randn(2, 16_000)
    label = torch.tensor([[1.0, 0.0, 0.0]]).expand(2, -1)
    adjusted, plain = (
        teachers(taught_by(path), as_learned.labels, CPU).teach(clip, label)
        for path in (tmp_path / "lowered.safetensors", trained)
    )
    assert torch.allclose(adjusted, plain, atol=1e-6)
