"""Each augmentation does what arithmetic says, to the clips it was drawn for, and to no other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from watchword.augment import (
    Augment,
    Augmentation,
    BackgroundNoise,
    ClipPercentile,
    Gain,
    Lowpass4k,
    Mixup,
    Noise,
    PitchShift,
    RandomPlacement,
    Resample,
    Reverb,
    Shift,
    ShiftFraction,
    SpecAugment,
    TimeStretch,
    Volume,
    ZeroSegment,
    as_tensors,
    synthetic_rooms,
    take,
)
from watchword.augment.cuts import fast_lengths
from watchword.augment.stretch import stretched
from watchword.errors import ConfigError, DataError, WatchwordError

SAMPLES = 16_000


def noise(*shape: int, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tone(hz: float, samples: int = SAMPLES) -> Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(samples) / 16_000)[None]


def word(start: int, stop: int, hz: float = 500.0) -> Tensor:
    """Return a clip that is silent but for a tone with soft ends."""
    clip = torch.zeros(1, SAMPLES)
    clip[:, start:stop] = tone(hz, stop - start) * torch.hann_window(stop - start)
    return clip


def pitch_hz(waveform: Tensor) -> float:
    """Return the frequency of the strongest partial, to a tenth of a hertz."""
    tapered = waveform * torch.hann_window(waveform.shape[-1])
    return torch.fft.rfft(tapered, n=160_000).abs().argmax().item() / 10


def decibels(ratio: Tensor) -> Tensor:
    return 10 * torch.log10(ratio)


def once(step: Augmentation, x: Tensor, seed: int = 0) -> tuple[Tensor, dict[str, Tensor]]:
    draws = as_tensors(step.draw(np.random.default_rng(seed), x.shape[0]))
    return step.apply(x, draws), draws


POOL = noise(80_000, seed=9)
ROOMS = synthetic_rooms(4, seed=0)

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


# ── timing ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("offset", [-1_600, -1, 0, 1, 1_600])
def test_shift_moves_by_so_many_samples_and_zeros_enter(offset: int) -> None:
    x = noise(1, SAMPLES)
    moved = Shift().change(x, {"offset": torch.tensor([offset])})
    expected = torch.zeros(1, SAMPLES)
    if offset >= 0:
        expected[:, offset:] = x[:, : SAMPLES - offset]
    else:
        expected[:, :offset] = x[:, -offset:]
    assert torch.equal(moved, expected)


def test_shift_reaches_both_its_limits_and_no_further() -> None:
    offsets = Shift(limit_samples=3).draw(np.random.default_rng(0), 500)["offset"]
    assert sorted(set(offsets.tolist())) == [-3, -2, -1, 0, 1, 2, 3]


def test_shift_fraction_moves_by_a_fraction_of_the_clip() -> None:
    x = noise(2, 1_000)
    moved = ShiftFraction().change(x, {"fraction": torch.tensor([0.2, -0.1])})
    assert torch.equal(moved[0, 200:], x[0, :800])
    assert torch.equal(moved[1, :900], x[1, 100:])
    assert moved[0, :200].abs().max() == moved[1, 900:].abs().max() == 0


@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
def test_resample_scales_the_frequency_of_a_tone(place: float) -> None:
    step = Resample()
    lengths = step.lengths(SAMPLES)
    length = lengths[int(place * len(lengths))]
    changed = step.change(tone(1_000), {"place": torch.tensor([place])})
    # a second of audio tells two frequencies apart to about half a hertz
    assert pitch_hz(changed) == pytest.approx(1_000 * SAMPLES / length, abs=0.5)


def test_resample_keeps_the_level_of_a_tone_below_the_new_limit() -> None:
    changed = Resample(speed=(0.85, 0.85)).change(tone(5_000), {"place": torch.tensor([0.5])})
    assert decibels(changed.square().mean() / 0.125).abs().item() < 0.05


def test_resample_leaves_nothing_folded_back() -> None:
    step = Resample(speed=(1.15, 1.15))  # 7,500 Hz would become 8,625 Hz and fold to 7,375 Hz
    changed = step.change(tone(7_500), {"place": torch.tensor([0.5])})
    assert decibels(changed[:, 3_000:13_000].square().mean() / 0.125).item() < -40


def test_resample_speeds_span_what_was_asked_in_at_most_sixteen_steps() -> None:
    lengths = Resample().lengths(SAMPLES)
    assert len(lengths) <= 16
    # the nearest fast length is within a percent
    assert SAMPLES / lengths[-1] == pytest.approx(0.85, rel=0.01)
    assert SAMPLES / lengths[0] == pytest.approx(1.15, rel=0.01)


@pytest.mark.parametrize(("start", "stop"), [(0, 9_000), (3_500, 12_500), (7_000, 16_000)])
@pytest.mark.parametrize("place", [0.0, 0.4, 0.999])
def test_resample_does_not_cut_a_word_that_fits(start: int, stop: int, place: float) -> None:
    step = Resample()
    lengths = step.lengths(SAMPLES)
    factor = lengths[int(place * len(lengths))] / SAMPLES
    clip = word(start, stop)
    kept = step.change(clip, {"place": torch.tensor([place])}).square().sum()
    # all of its energy, which grows with its length; the soft ends ring by less than a thousandth
    assert (kept / clip.square().sum()).item() == pytest.approx(factor, rel=1e-3)


def test_a_faster_word_keeps_its_place() -> None:
    changed = Resample(speed=(1.15, 1.15)).change(word(8_000, 12_000), {"place": torch.tensor([0])})
    time = torch.arange(SAMPLES)
    centre = (changed.square() @ time.float()) / changed.square().sum()
    assert centre.item() == pytest.approx(10_000, abs=10)  # rounding to whole samples, twice


def test_fast_lengths_have_small_factors_only() -> None:
    for length in fast_lengths(13_913, 18_824):
        rest = length
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        assert rest == 1
        assert length % 2 == 0


def test_bounds_without_a_fast_length_give_their_mean() -> None:
    assert fast_lengths(15_990, 15_998) == (15_994,)


def test_zero_segment_silences_so_many_samples_in_a_row() -> None:
    changed, _ = once(ZeroSegment(), torch.ones(50, SAMPLES))
    assert (changed == 0).sum(dim=1).tolist() == [1_600] * 50
    assert (changed.diff(dim=1) != 0).sum(dim=1).max() <= 2  # one piece


def test_random_placement_moves_a_short_clip_within_its_free_room() -> None:
    x = torch.ones(200, 12_000)
    placed, _ = once(RandomPlacement(), x)
    assert placed.shape == (200, SAMPLES)
    assert placed.sum(dim=1).unique().tolist() == [12_000]
    starts = placed.argmax(dim=1)
    assert starts.min() < 200
    assert starts.max() > 3_800


def test_random_placement_counts_the_padding_as_free_room() -> None:
    x = torch.zeros(100, SAMPLES)
    x[:, :10_000] = 1
    placed, _ = once(RandomPlacement(), x)
    assert placed.sum(dim=1).unique().tolist() == [10_000]
    assert placed.argmax(dim=1).max() > 5_000


def test_random_placement_cuts_a_longer_clip_at_a_random_place() -> None:
    x = 1 + torch.arange(20_000.0).expand(100, -1)
    placed, _ = once(RandomPlacement(), x)
    assert placed.shape == (100, SAMPLES)
    assert (placed.diff(dim=1) == 1).all()
    assert placed[:, 0].min() < 400
    assert placed[:, 0].max() > 3_600


def test_random_placement_pads_what_is_not_chosen_at_the_end() -> None:
    x = noise(2, 12_000)
    placed, _ = once(RandomPlacement(probability=0.0), x)
    assert torch.equal(placed[:, :12_000], x)
    assert placed[:, 12_000:].abs().max() == 0


# ── stretch ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("speed", [0.75, 0.9, 1.0, 1.25])
def test_time_stretch_changes_the_duration_and_keeps_the_pitch(speed: float) -> None:
    clip = word(4_000, 10_000, hz=1_000)
    changed = TimeStretch().change(clip, {"speed": torch.tensor([speed])})
    assert pitch_hz(changed) == pytest.approx(1_000, abs=5)  # half a bin of a 0.1 s window
    width_before, width = ((x.abs() > 0.1).nonzero()[:, 1] for x in (clip, changed))
    ratio = (width.max() - width.min()) / (width_before.max() - width_before.min())
    # the vocoder reads whole windows of 32 ms, a tenth of this word
    assert ratio.item() == pytest.approx(1 / speed, rel=0.05)


@pytest.mark.parametrize("length", [12_791, 19_991])
def test_stretching_equals_librosas_phase_vocoder(length: int) -> None:
    # prime lengths: no frame but the first is read exactly, where rounding decides which two meet
    librosa = pytest.importorskip("librosa", reason="the other implementation (extra dev)")
    x = noise(1, SAMPLES)
    spectrum = librosa.stft(x[0].double().numpy(), n_fft=512, hop_length=128, pad_mode="constant")
    read = librosa.phase_vocoder(spectrum, rate=SAMPLES / length, hop_length=128, n_fft=512)
    theirs = librosa.istft(read, hop_length=128, n_fft=512, length=length)
    ours = stretched(x, torch.tensor([length]), length)[0].numpy()
    # the last windows differ: we read on into silence. Phases are summed in float32 over 160 steps
    # here and in float64 there, which moves each by some 1e-5 of a turn.
    np.testing.assert_allclose(ours[: length - 1_024], theirs[: length - 1_024], atol=1e-3)


@pytest.mark.parametrize("place", [0.0, 0.2, 0.8, 0.999])
def test_pitch_shift_moves_a_tone_by_semitones_and_keeps_the_duration(place: float) -> None:
    step = PitchShift()
    lengths = step.lengths(SAMPLES)
    semitones = 12 * np.log2(lengths[int(place * len(lengths))] / SAMPLES)
    assert abs(semitones) <= 4.01
    changed = step.change(tone(1_000), {"place": torch.tensor([place])})
    assert pitch_hz(changed) == pytest.approx(1_000 * 2 ** (semitones / 12), abs=2)
    assert changed[:, -800:].abs().max() > 0.1  # it lasts to the end


def test_pitch_shift_spans_four_semitones_either_way() -> None:
    lengths = PitchShift().lengths(SAMPLES)
    # the nearest fast length is within a percent, 0.17 semitones
    assert 12 * np.log2(lengths[0] / SAMPLES) == pytest.approx(-4, abs=0.17)
    assert 12 * np.log2(lengths[-1] / SAMPLES) == pytest.approx(4, abs=0.17)


# ── level ───────────────────────────────────────────────────────────────────────────────────────


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


# ── rooms ───────────────────────────────────────────────────────────────────────────────────────


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


# ── features ────────────────────────────────────────────────────────────────────────────────────


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


# ── chains ──────────────────────────────────────────────────────────────────────────────────────


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


# ── refusals ────────────────────────────────────────────────────────────────────────────────────


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
