"""Each augmentation changes the clips it was drawn for, and no other; chains keep their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sounds import POOL, ROOMS, SAMPLES, decibels, noise, once
from watchword.augment import (
    Augment,
    Augmentation,
    BackgroundNoise,
    BandGain,
    ClipPercentile,
    Gain,
    Lowpass4k,
    Mixup,
    Noise,
    PitchShift,
    Resample,
    Reverb,
    Shift,
    ShiftFraction,
    SpecAugment,
    TimeStretch,
    Volume,
    ZeroSegment,
    as_tensors,
    take,
)
from watchword.errors import ConfigError, DataError, WatchwordError

WAVEFORM_STEPS: list[Augmentation] = [
    Shift(probability=0.5),
    ShiftFraction(probability=0.5),
    Resample(probability=0.5),
    ZeroSegment(probability=0.5),
    TimeStretch(probability=0.5),
    PitchShift(probability=0.5),
    Gain(probability=0.5),
    Volume(probability=0.5),
    Noise(pool=POOL, probability=0.5),
    BackgroundNoise(pool=POOL, probability=0.5),
    ClipPercentile(probability=0.5),
    Lowpass4k(probability=0.5),
    Reverb(rooms=ROOMS, probability=0.5),
]
FEATURE_STEPS: list[Augmentation] = [
    BandGain(probability=0.5),
    SpecAugment(probability=0.5),
    SpecAugment(probability=0.5, value=0.0),
    Mixup(probability=0.5),
]
CASES = [(step, noise(12, SAMPLES)) for step in WAVEFORM_STEPS]
CASES += [(step, noise(12, 40, 98)) for step in FEATURE_STEPS]
NAMES = [type(step).__name__ for step, _ in CASES]
every_step = pytest.mark.parametrize(("step", "x"), CASES, ids=NAMES)


@every_step
def test_what_was_not_chosen_stays_and_the_input_is_left_alone(
    step: Augmentation, x: Tensor
) -> None:
    original = x.clone()
    changed, draws = once(step, x)
    assert changed.shape == x.shape
    assert changed.dtype == torch.float32
    assert torch.equal(x, original)
    is_same = (changed == x).flatten(1).all(dim=1)
    assert 0 < int(draws["chosen"].sum()) < 12
    assert is_same[~draws["chosen"]].all()
    assert not is_same[draws["chosen"]].all()


@every_step
def test_equal_seeds_give_equal_results_and_different_seeds_do_not(
    step: Augmentation, x: Tensor
) -> None:
    assert torch.equal(once(step, x, seed=3)[0], once(step, x, seed=3)[0])
    assert not torch.equal(once(step, x, seed=3)[0], once(step, x, seed=4)[0])


@every_step
@pytest.mark.parametrize("part", [slice(0, 4), slice(4, 12)])
def test_a_process_gets_its_part_of_the_whole_batch(
    step: Augmentation, x: Tensor, part: slice
) -> None:
    draws = step.draw(np.random.default_rng(0), 12)
    whole = step.apply(x, as_tensors(draws))[part]
    own = step.apply(x[part], as_tensors(take(draws, part)))
    # Fourier transforms of another number of clips may round differently
    torch.testing.assert_close(own, whole, atol=1e-6, rtol=1e-5)


@every_step
def test_as_many_numbers_are_drawn_whatever_they_are(step: Augmentation, x: Tensor) -> None:
    del x
    never = type(step)(**{**vars_of(step), "probability": 0.0})
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    step.draw(first, 7)
    never.draw(second, 7)
    assert first.bit_generator.state == second.bit_generator.state


def vars_of(step: Augmentation) -> dict[str, object]:
    return {name: getattr(step, name) for name in step.__dataclass_fields__}


@every_step
@pytest.mark.parametrize(("probability", "count"), [(0.0, 0), (1.0, 12)])
def test_probability_zero_changes_nothing_and_one_chooses_all(
    step: Augmentation, x: Tensor, probability: float, count: int
) -> None:
    changed, draws = once(type(step)(**{**vars_of(step), "probability": probability}), x)
    assert int(draws["chosen"].sum()) == count
    assert torch.equal(changed, x) is (count == 0)


@pytest.mark.parametrize("step", WAVEFORM_STEPS, ids=NAMES[: len(WAVEFORM_STEPS)])
def test_digital_silence_stays_finite(step: Augmentation) -> None:
    changed, _ = once(type(step)(**{**vars_of(step), "probability": 1.0}), torch.zeros(3, SAMPLES))
    assert torch.isfinite(changed).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_step
def test_a_gpu_gives_what_the_cpu_gives(step: Augmentation, x: Tensor) -> None:
    draws = step.draw(np.random.default_rng(0), 12)
    on_gpu = step.apply(x.cuda(), as_tensors(draws, "cuda"))
    assert on_gpu.device.type == "cuda"
    # other Fourier transforms; the vocoder sums such differences over 170 frames
    expected = step.apply(x, as_tensors(draws))
    torch.testing.assert_close(on_gpu.cpu(), expected, atol=1e-3, rtol=1e-3)


def chain() -> Augment:
    return Augment([Shift(), Noise(pool=POOL, probability=0.5), Gain(gain_db=(0, 20))])


def test_a_chain_applies_its_steps_in_order() -> None:
    steps = chain().steps
    draws = as_tensors(chain().draw(np.random.default_rng(0), 6))
    x = noise(6, SAMPLES)
    expected = x
    for place, step in enumerate(steps):
        own = {k.split(".")[1]: v for k, v in draws.items() if k.startswith(f"{place}.")}
        expected = step.apply(expected, own)
    assert torch.equal(chain().apply(x, draws), expected.clamp(-1, 1))


def test_a_chain_stays_within_its_limit_and_features_have_none() -> None:
    loud = torch.full((2, 400), 0.9)
    draws = {"0.chosen": torch.tensor([True, True]), "0.gain_db": torch.full((2,), 20.0)}
    assert Augment([Gain()]).apply(loud, draws).max() == 1
    assert Augment([Gain()], limit=None).apply(loud, draws).max() == pytest.approx(9.0)


def test_two_processes_together_equal_one() -> None:
    x = noise(8, SAMPLES)
    draws = chain().draw(np.random.default_rng(0), 8)
    halves = [
        chain().apply(x[part], as_tensors(take(draws, part))) for part in (slice(4), slice(4, 8))
    ]
    assert torch.equal(torch.cat(halves), chain().apply(x, as_tensors(draws)))


def test_a_chain_of_more_than_ten_steps_keeps_their_draws_apart() -> None:
    long = Augment([Gain(gain_db=(place, place)) for place in range(12)], limit=None)
    draws = as_tensors(long.draw(np.random.default_rng(0), 1))
    changed = long.apply(torch.ones(1, 4), draws)
    assert decibels(changed[0, 0].square()).item() == pytest.approx(66, abs=1e-3)  # 0 + 1 + … + 11


def test_an_empty_chain_changes_nothing() -> None:
    x = 5 * noise(2, SAMPLES)
    assert torch.equal(Augment([]).apply(x, {}), x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Shift(probability=1.5), ConfigError, r"Shift has a probability of 1.5; needed"),
        (lambda: Shift(limit_samples=-1), ConfigError, r"Shift has a limit of -1 samples; needed"),
        (lambda: ShiftFraction(limit=1.0), ConfigError, r"limit of 1; needed .* use Shift"),
        (lambda: Resample(speed=(1.2, 0.8)), ConfigError, r"speed runs from 1.2 to 0.8; needed"),
        (lambda: TimeStretch(speed=(0.0, 1.0)), ConfigError, r"speed runs from 0 to 1; .* above 0"),
        (lambda: PitchShift(semitones=(4, -4)), ConfigError, r"semitones runs from 4 to -4"),
        (
            lambda: Volume(gain_db=(5, -5)),
            ConfigError,
            r"Volume's gain_db runs .* smaller .* first",
        ),
        (lambda: Noise(pool=POOL, snr_db=(9, 1)), ConfigError, r"snr_db runs from 9 to 1"),
        (lambda: Noise(pool=POOL, level_db=(0, -9)), ConfigError, r"level_db runs from 0 to -9"),
        (lambda: ClipPercentile(percent=(10, 50)), ConfigError, r"clips at 10 to 50 percent; need"),
        (lambda: Lowpass4k(cut_hz=9_000), ConfigError, r"cuts at 9000 Hz .* needed .* change them"),
        (
            lambda: BandGain(knots=1),
            ConfigError,
            r"1 knots and a spread of 0\.5; needed are at least 2",
        ),
        (lambda: SpecAugment(time_masks=-1), ConfigError, r"\(-1, 25, 2, 7\); needed are counts"),
        (lambda: Mixup(alpha=0.0), ConfigError, r"alpha of 0; needed .* leave it out"),
        (lambda: Reverb(rooms=torch.zeros(2, 9)), DataError, r"shape \(2, 9\) .* leave the empty"),
        (lambda: Reverb(rooms=torch.zeros(9)), DataError, r"shape \(9,\) came in.* needed is"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    make: object, error: type[WatchwordError], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()  # type: ignore[operator] # a table of makers


def test_a_pool_shorter_than_a_clip_is_refused() -> None:
    with pytest.raises(DataError, match=r"holds 100 samples and a clip 16000; needed .* add noise"):
        once(Noise(pool=torch.ones(100)), noise(1, SAMPLES))
