"""Settings become objects: every word means what it says, and what cannot be built is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from watchword import augment, build, devices, features, models
from watchword.config import (
    AugmentSettings,
    FeatureSettings,
    Settings,
    TrainSettings,
    parse_settings,
)
from watchword.errors import CheckpointError, ConfigError
from watchword.models import LambdaResNet18
from watchword.sync import SyncBatchNorm

CPU = torch.device("cpu")
NOISE = np.arange(40_000, dtype=np.int16)


def settings(text: str) -> Settings:
    return parse_settings(text)[0]


def chain(text: str) -> build.Chain:
    return build.augmentation(settings(f"augment: {{{text}}}").augment, NOISE, CPU, seed=0)


# ----------------------------------------------------------------------------------------- models


def test_the_front_end_is_the_one_that_is_asked_for() -> None:
    log_mel = build.ear(FeatureSettings(window_samples=320, is_centred=True, mels=32))
    assert isinstance(log_mel, features.LogMel)
    assert log_mel(torch.zeros(1, 16_000)).shape == (1, 32, 101)
    mfcc = build.ear(FeatureSettings(kind="mfcc", coefficients=13))
    assert isinstance(mfcc, features.Mfcc)
    assert mfcc(torch.zeros(1, 16_000)).shape == (1, 13, 98)


def test_normalising_makes_each_band_of_that_audio_standard() -> None:
    ear = build.ear(FeatureSettings())
    batch = torch.rand(8, 16_000, generator=torch.Generator().manual_seed(0)) - 0.5
    build.normalise(ear, [batch[:4], batch[4:]])
    heard = ear(batch)
    # float32 features of magnitude 10: means agree to about 1e-5
    assert heard.mean(dim=(0, 2)).abs().max() < 1e-4
    assert (heard.std(dim=(0, 2)) - 1).abs().max() < 1e-3


@pytest.mark.parametrize("name", models.MODELS)
def test_every_network_of_the_table_is_built_to_the_size_of_the_task(name: str) -> None:
    asked = settings(f"task: core-10\nmodel: {{name: {name}, width: 0.5}}")
    logits = build.classifier(asked, 10).eval()(torch.zeros(2, 16_000))
    assert logits.shape == (2, 10)


def test_a_network_of_fixed_length_is_built_for_the_frames_of_its_front_end() -> None:
    asked = settings("model: {name: kwt}\nfeatures: {window_samples: 320, is_centred: true}")
    assert build.classifier(asked, 12).eval()(torch.zeros(2, 16_000)).shape == (2, 12)
    assert build.network(asked, 12)(torch.zeros(2, 40, 101)).shape == (2, 12)
    with pytest.raises(ConfigError, match="kwt has no option 'frames': it has none"):
        build.network(settings("model: {name: kwt, options: {frames: 98}}"), 12)


def test_options_reach_the_network() -> None:
    asked = settings("model: {options: {normalise_logits: true, embedding_deviation: 1.0}}")
    network = build.network(asked, 12)
    assert isinstance(network, LambdaResNet18)
    with torch.no_grad():
        logits = network.eval()(torch.randn(3, 40, 98))
    torch.testing.assert_close(logits.norm(dim=1), torch.ones(3))


def test_the_published_count_is_counted() -> None:
    asked = settings(
        "task: 35\nmodel: {width: 2}\nfeatures: {window_samples: 320, is_centred: true}"
    )
    weights = build.classifier(asked, 35).state_dict()
    size = build.measure(build.Checkpoint(asked, asked.find_task().labels, weights, {}))
    assert (size.parameters, size.frames) == (267_099, 101)  # SPEC §2.1
    assert size.macs == pytest.approx(5.620e6, abs=500)


def test_a_trained_model_is_the_same_model_in_eval_mode() -> None:
    asked = settings("model: {width: 0.25}")
    model = build.classifier(asked, 12)
    labels = asked.find_task().labels
    again = build.trained(build.Checkpoint(asked, labels, model.state_dict(), {}))
    assert not again.training
    x = torch.rand(2, 16_000) - 0.5
    with torch.no_grad():
        assert torch.equal(model.eval()(x), again(x))


def test_a_missing_weight_is_refused() -> None:
    asked = settings("model: {width: 0.25}")
    weights = build.classifier(asked, 12).state_dict()
    weights.popitem()
    with pytest.raises(CheckpointError, match="weights are not those of lambda_resnet18 at width"):
        build.trained(build.Checkpoint(asked, asked.find_task().labels, weights, {}))


def test_batch_normalisation_is_made_to_see_all_processes() -> None:
    network = build.network(settings(""), 12)
    weights = network.state_dict()
    twin = build.synchronised(network, CPU)
    norms = [part for part in twin.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    assert norms
    assert all(isinstance(norm, SyncBatchNorm) for norm in norms)
    assert twin.state_dict().keys() == weights.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {name: lambda_resnet}", "no model is called 'lambda_resnet': did you mean"),
        ("model: {options: {depth: 3}}", "lambda_resnet18 has no option 'depth'"),
        ("model: {options: {mels: 3}}", "lambda_resnet18 has no option 'mels'"),
        ("features: {window_samples: 600}", "do not fit together"),
        ("features: {hop_samples: 8000}", "frames"),
        ("augment: {noise: {lowest_db: 5, highest_db: 0}}", "runs from 5 to 0"),
        ("augment: {time_stretch: {slowest: 2}}", "runs from 2 to 1.25"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_else_happens(
    text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build.check(settings(text))


# ------------------------------------------------------------------------------------ augmentation

MEANT: dict[str, tuple[str, type[augment.Augmentation], dict[str, Any]]] = {
    "resample": ("{fraction: 0.1}", augment.Resample, {"speed": (0.9, 1.1)}),
    "time_stretch": ("{slowest: 0.8}", augment.TimeStretch, {"speed": (0.8, 1.25)}),
    "pitch_shift": ("{semitones: 3}", augment.PitchShift, {"semitones": (-3, 3)}),
    "shift": ("{milliseconds: 50}", augment.Shift, {"limit_samples": 800}),
    "shift_fraction": ("{fraction: 0.1}", augment.ShiftFraction, {"limit": 0.1}),
    "random_placement": ("{}", augment.RandomPlacement, {"samples": 16_000}),
    "zero_segment": ("{milliseconds: 10}", augment.ZeroSegment, {"segment_samples": 160}),
    "reverb": ("{rooms: 2}", augment.Reverb, {}),
    "volume": ("{decibels: 3}", augment.Volume, {"gain_db": (-3, 3)}),
    "clip_percentile": ("{lowest: 5}", augment.ClipPercentile, {"percent": (5, 20)}),
    "noise": ("{lowest_db: -5}", augment.Noise, {"snr_db": (-5, 15)}),
    "gain": ("{highest_db: 0}", augment.Gain, {"gain_db": (-20, 0)}),
    "lowpass": ("{}", augment.Lowpass4k, {}),
}


@pytest.mark.parametrize("name", MEANT)
def test_an_augmentation_does_what_its_section_says(name: str) -> None:
    values, kind, meant = MEANT[name]
    values = values.replace("{", "{probability: 0.25, ", 1)
    (step,) = chain(f"{name}: {values}").waveform.steps
    assert type(step) is kind
    assert step.probability == 0.25
    for key, value in meant.items():
        assert getattr(step, key) == pytest.approx(value)


def test_waveforms_are_changed_in_the_order_of_the_settings() -> None:
    every = ", ".join(f"{name}: {{}}" for name in sorted(MEANT))
    made = [type(step) for step in chain(every).waveform.steps]
    assert made == [MEANT[name][1] for name in AugmentSettings.model_fields if name in MEANT]
    assert len(made) == len(AugmentSettings.model_fields) - 3
    # band_gain, mask and mixup see features


def test_masks_and_mixup_see_features() -> None:
    made = chain(
        "mask: {frames: 7, bands: 3, time_masks: 1, frequency_masks: 4}, mixup: {alpha: 1}"
    )
    (mask,) = made.features.steps
    assert isinstance(mask, augment.SpecAugment)
    assert (mask.max_frames, mask.max_bands, mask.time_masks, mask.band_masks) == (7, 3, 1, 4)
    assert made.mixup is not None
    assert made.mixup.alpha == 1


def augmented(made: build.Chain, x: Tensor, part: slice) -> tuple[Tensor, Tensor]:
    draws = made.draw(np.random.default_rng(0), len(x))
    targets = torch.eye(len(x))
    spectra = x[:, None, :4_000].reshape(len(x), 40, 100)
    heard = made.on_features(spectra[part], targets[part], draws, part)
    return made.on_waveforms(x[part], draws, part), torch.cat([heard[0].flatten(1), heard[1]], 1)


def test_a_part_of_a_batch_is_augmented_as_in_the_whole() -> None:
    made = chain("shift: {}, noise: {}, gain: {probability: 0.5}, mask: {}, mixup: {}")
    x = torch.rand(8, 16_000, generator=torch.Generator().manual_seed(0)) - 0.5
    waveforms, heard = augmented(made, x, slice(0, 8))
    for part in (slice(0, 4), slice(4, 8), slice(2, 4)):
        mine, mine_heard = augmented(made, x, part)
        assert torch.equal(mine, waveforms[part])
        assert torch.equal(mine_heard, heard[part])


def test_nothing_asked_for_is_nothing_done() -> None:
    made = chain("")
    x = torch.rand(4, 16_000)
    draws = made.draw(np.random.default_rng(0), 4)
    assert made.on_waveforms(x, draws, slice(0, 4)) is x
    same, targets = made.on_features(x, x, draws, slice(0, 4))
    assert same is x
    assert targets is x


# ---------------------------------------------------------------------------- optimiser and devices


def test_weight_decay_spares_norms_and_biases_unless_asked() -> None:
    network = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    decayed, spared = build.optimizer(TrainSettings(weight_decay=0.1), network).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(3, 2, 3), (2, 3)]
    assert [tuple(p.shape) for p in spared["params"]] == [(3,), (3,), (3,), (2,)]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)
    everything = TrainSettings(weight_decay=0.1, decay_norms_and_biases=True)
    (group,) = build.optimizer(everything, network).param_groups
    assert len(group["params"]) == 6


def test_the_optimiser_is_the_one_that_is_asked_for() -> None:
    network = nn.Linear(2, 2)
    sgd = build.optimizer(TrainSettings(learning_rate=0.5, momentum=0.8), network)
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["lr"], sgd.defaults["momentum"], sgd.defaults["nesterov"]) == (
        0.5,
        0.8,
        True,
    )
    assert not build.optimizer(TrainSettings(momentum=0.0), network).defaults["nesterov"]
    assert isinstance(build.optimizer(TrainSettings(optimizer="adamw"), network), torch.optim.AdamW)


@pytest.mark.parametrize(
    ("found", "asked", "message"),
    [
        (
            0,
            {"gpu": 3},
            r"--gpu 3 was asked for and this machine has no GPU: choose one of them, or",
        ),
        (0, {"gpu": 0}, r"--gpu 0 was asked for and this machine has no GPU"),
        (2, {"gpu": 2}, r"--gpu 2 was asked for and this machine has 2 GPUs, numbered from 0"),
        (2, {"gpu": -2}, r"--gpu -2 was asked for"),
        (2, {"processes": 3}, r"--processes 3 was asked for and this machine has 2 GPUs"),
        (0, {"processes": 0}, r"--processes 0 was asked for .* at least 1"),
        (2, {"gpu": 1, "processes": 1}, r"give --gpu or --processes"),
    ],
)
def test_devices_that_are_not_there_are_refused(
    monkeypatch: pytest.MonkeyPatch, found: int, asked: dict[str, int], message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: found)
    with pytest.raises(ConfigError, match=message):
        devices.fabric(TrainSettings(), **asked)  # type: ignore[arg-type]


def test_without_a_gpu_one_process_runs_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    fabric = devices.fabric(TrainSettings(precision="bf16"))
    assert (fabric.device, fabric.world_size) == (CPU, 1)
    assert devices.device(None) == CPU


def test_the_cpu_can_be_chosen_where_there_are_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.device(devices.CPU) == CPU
