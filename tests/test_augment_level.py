"""Levels, noise, rooms, masks and mixtures are what arithmetic says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sounds import POOL, ROOMS, SAMPLES, decibels, noise, once
from watchword.augment import (
    BandGain,
    ClipPercentile,
    Gain,
    Lowpass4k,
    Mixup,
    Noise,
    Reverb,
    SpecAugment,
    Volume,
    synthetic_rooms,
)


def test_gain_multiplies_by_what_the_decibels_say() -> None:
    changed = Gain().change(torch.ones(3, 4), {"gain_db": torch.tensor([20.0, 0.0, -20.0])})
    torch.testing.assert_close(changed[:, 0], torch.tensor([10.0, 1.0, 0.1]))


def test_volume_stays_within_five_decibels() -> None:
    gains = Volume().draw(np.random.default_rng(0), 1_000)["gain_db"]
    assert -5 <= gains.min() < -4.9
    assert 4.9 < gains.max() <= 5


@pytest.mark.parametrize("pool", [POOL, (POOL * 32_768).to(torch.int16)], ids=["float", "int16"])
def test_the_snr_that_is_measured_is_the_one_that_was_drawn(pool: Tensor) -> None:
    x = noise(8, SAMPLES, seed=1) * torch.logspace(-2, 0, 8)[:, None]
    changed, draws = once(Noise(pool=pool, snr_db=(-5, 20)), x)
    measured = decibels(x.square().mean(dim=1) / (changed - x).square().mean(dim=1))
    # the noise is measured as a difference of float32 numbers some hundred times its size
    torch.testing.assert_close(measured, draws["snr_db"], atol=0.01, rtol=0)


def test_noise_on_silence_has_the_level_that_was_drawn() -> None:
    changed, draws = once(Noise(pool=POOL), torch.zeros(8, SAMPLES))
    torch.testing.assert_close(
        decibels(changed.square().mean(dim=1)), draws["level_db"], atol=0.01, rtol=0
    )


def test_noise_is_a_stretch_of_the_pool() -> None:
    pool = torch.arange(1.0, 20_001.0) / 20_000
    draws = {"place": torch.tensor([0.0, 0.999999]), "snr_db": torch.zeros(2)}
    changed = Noise(pool=pool).change(
        torch.zeros(2, SAMPLES), {**draws, "level_db": torch.zeros(2)}
    )
    for clip, start in zip(changed, (0, 4_000), strict=True):  # the first and the last place
        stretch = pool[start : start + SAMPLES]
        torch.testing.assert_close(clip / stretch, (clip / stretch)[:1].expand(SAMPLES))


def test_a_silent_pool_adds_nothing() -> None:
    x = noise(2, SAMPLES)
    assert torch.equal(once(Noise(pool=torch.zeros(20_000)), x)[0], x)


def test_clipping_at_percentiles_equals_numpy() -> None:
    x = noise(6, SAMPLES)
    changed, draws = once(ClipPercentile(), x)
    for clip, result, percent in zip(x, changed, draws["percent"], strict=True):
        low, high = np.percentile(clip.double().numpy(), [percent.item(), 100 - percent.item()])
        expected = np.clip(clip.numpy(), low, high)
        # the percentile is interpolated in float32 between two neighbours, 1e-5 apart
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-7)
        assert 10 <= percent <= 20


def test_lowpass_leaves_nothing_above_four_kilohertz_and_all_below() -> None:
    x = noise(2, SAMPLES)
    before, after = torch.fft.rfft(x), torch.fft.rfft(Lowpass4k().change(x, {}))
    assert after[:, 4_000:].abs().max() < 1e-4  # rounding of a transform of 16,000 numbers
    torch.testing.assert_close(after[:, :3_800], before[:, :3_800], atol=1e-4, rtol=0)
    half = (after[:, 3_900] / before[:, 3_900]).abs()  # the middle of the slope
    torch.testing.assert_close(half, torch.full((2,), 0.5), atol=1e-3, rtol=0)


def test_reverb_equals_a_convolution_with_the_energy_kept() -> None:
    x = noise(2, SAMPLES)
    step = Reverb(rooms=ROOMS)
    changed = step.change(x, {"room": torch.tensor([1, 3])})
    for clip, result, room in zip(x, changed, (1, 3), strict=True):
        wet = np.convolve(clip.double().numpy(), ROOMS[room].double().numpy())[:SAMPLES]
        wet *= np.sqrt(clip.double().square().sum().item() / np.square(wet).sum())
        # a float32 Fourier transform of 25,000 numbers of size 0.1
        np.testing.assert_allclose(result.numpy(), wet, atol=1e-5)


def test_reverb_does_not_move_the_word() -> None:
    late = torch.zeros(1, 4_000)
    late[0, 700] = 1.0  # the direct path arrives after 44 ms
    late[0, 900] = 0.3
    x = noise(1, SAMPLES)
    changed = Reverb(rooms=late).change(x, {"room": torch.tensor([0])})
    correlation = torch.fft.irfft(torch.fft.rfft(changed) * torch.fft.rfft(x).conj())
    assert correlation.argmax().item() == 0


def test_a_room_without_echo_changes_nothing() -> None:
    dry = torch.zeros(1, 100)
    dry[0, 0] = 0.5
    x = noise(1, SAMPLES)
    torch.testing.assert_close(once(Reverb(rooms=dry), x)[0], x, atol=1e-6, rtol=1e-5)


def test_synthetic_rooms_begin_with_the_direct_path_and_decay() -> None:
    rooms = synthetic_rooms(20, seed=1)
    assert rooms.dtype == torch.float32
    assert (rooms[:, 0] == 1).all()
    assert (rooms[:, 1:].abs() < 1).all()
    early, late = rooms[:, 80:1_600].square().sum(dim=1), rooms[:, -1_600:].square().sum(dim=1)
    assert (late < early / 10).all()  # 0.25 s later: -21 dB at the slowest decay of 0.7 s
    assert torch.equal(rooms, synthetic_rooms(20, seed=1))
    assert not torch.equal(rooms, synthetic_rooms(20, seed=2))


def test_bands_are_raised_along_straight_lines_between_knots() -> None:
    step = BandGain(knots=3, spread=1.0)
    raised = step.change(torch.zeros(1, 5, 2), {"offsets": torch.tensor([[1.0, 0.0, -0.5]])})
    assert raised[0, :, 0].tolist() == [1.0, 0.5, 0.0, -0.25, -0.5]
    assert torch.equal(raised[0, :, 0], raised[0, :, 1])
    drawn = step.numbers(np.random.default_rng(0), 200)["offsets"]
    assert 0.95 < np.abs(drawn).max() <= 1.0


def test_masks_have_the_width_and_place_that_were_drawn() -> None:
    draws = {
        "frames": torch.tensor([[25, 0], [10, 10]]),
        "frame_place": torch.tensor([[0.0, 0.5], [0.0, 0.999]]),
        "bands": torch.tensor([[7, 0], [0, 0]]),
        "band_place": torch.tensor([[0.999, 0.0], [0.0, 0.0]]),
    }
    masked = SpecAugment(value=0.0).change(torch.ones(2, 40, 98), draws) == 0
    assert masked[0].all(dim=0).nonzero().flatten().tolist() == list(range(25))
    assert masked[0].all(dim=1).nonzero().flatten().tolist() == list(range(33, 40))
    assert masked[1].all(dim=0).nonzero().flatten().tolist() == [*range(10), *range(88, 98)]
    assert int(masked[1].sum()) == 20 * 40


def test_masks_are_filled_with_the_mean_of_the_clip() -> None:
    x = noise(30, 40, 98) + torch.arange(30.0)[:, None, None]
    changed, _ = once(SpecAugment(), x)
    is_masked = changed != x
    means = x.mean(dim=(1, 2), keepdim=True).expand_as(x)
    assert is_masked.any()
    assert torch.equal(changed[is_masked], means[is_masked])


def test_no_mask_is_wider_than_asked_and_none_is_missing() -> None:
    step = SpecAugment(max_frames=5, max_bands=2)
    draws = step.draw(np.random.default_rng(0), 400)
    assert sorted(set(draws["frames"].flatten().tolist())) == [0, 1, 2, 3, 4, 5]
    assert sorted(set(draws["bands"].flatten().tolist())) == [0, 1, 2]


def test_a_mask_wider_than_the_clip_covers_it() -> None:
    draws = {
        "frames": torch.tensor([[25]]),
        "frame_place": torch.tensor([[0.7]]),
        "bands": torch.zeros(1, 0, dtype=torch.int64),
        "band_place": torch.zeros(1, 0),
    }
    assert (SpecAugment(value=0.0).change(torch.ones(1, 40, 10), draws) == 0).all()


def test_mixup_weighs_neighbours_and_their_targets_alike() -> None:
    x = torch.tensor([[1.0], [3.0], [10.0], [20.0], [7.0]])
    draws = {
        "chosen": torch.tensor([True, True, True, False, True]),
        "weight": torch.tensor([0.75, 0.5, 0.9, 0.1, 0.2]),
    }
    mixed = Mixup().apply(x, draws)
    # .75·1 + .25·3, .5·3 + .5·1, .9·10 + .1·20, not chosen, no neighbour
    torch.testing.assert_close(mixed[:, 0], torch.tensor([1.5, 2.0, 11.0, 20.0, 7.0]))
    targets = Mixup().apply(torch.eye(5), draws)
    torch.testing.assert_close(targets[0], torch.tensor([0.75, 0.25, 0, 0, 0]))
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(5))
