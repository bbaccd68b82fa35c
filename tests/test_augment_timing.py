"""Words move, speed up and change pitch by what arithmetic says, and are not cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sounds import SAMPLES, decibels, noise, once, pitch_hz, tone, word
from watchword.augment import (
    PitchShift,
    RandomPlacement,
    Resample,
    Shift,
    ShiftFraction,
    TimeStretch,
    ZeroSegment,
)
from watchword.augment.cuts import fast_lengths, fitted, fitted_alike
from watchword.augment.stretch import stretched


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


@pytest.mark.parametrize("length", [9_000, SAMPLES, 19_001])
def test_clips_of_one_length_are_fitted_like_those_of_many(length: int) -> None:
    clips = noise(3, length) * torch.linspace(0, 1, length) ** 3  # energy towards the end
    lengths = torch.full((3,), length)
    assert torch.equal(fitted_alike(clips, SAMPLES), fitted(clips, lengths, SAMPLES))


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
