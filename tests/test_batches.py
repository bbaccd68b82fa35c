"""Rows become the right audio, and silence comes at every level from the right recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.data.batches import (
    Reader,
    background,
    coloured_noise,
    cut_silence,
    fixed_silence,
)
from watchword.data.clips import ClipStore
from watchword.data.manifest import Manifest, Split, Utterance
from watchword.data.rows import SILENT_ROW, Clips, Source, silent
from watchword.data.tasks import TASKS

CLIP = 16_000
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


def source(
    *,
    clips: int = 0,
    first: int = 0,
    noise: np.ndarray | None = None,
    lengths: Sequence[int] = (),
    suffix: str = ".wav",
) -> Source:
    """Return a corpus whose clip i holds the number ``first + i``, and recordings of lengths."""
    noise = np.zeros(0, np.int16) if noise is None else noise
    ends = np.cumsum([0, *lengths])
    names = [f"_background_noise_/noise{i}{suffix}" for i in range(len(lengths))]
    said = tuple(Utterance(f"yes/{i:03}.wav", "yes", None, "train") for i in range(clips))
    values = np.arange(first, first + clips, dtype=np.int16)
    return Source(
        "corpus",
        ClipStore(
            manifest=Manifest(Path("corpus"), "tree", said, tuple(names), frozenset()),
            clips=np.repeat(values[:, None], CLIP, axis=1),
            index=np.arange(clips),
            starts=np.zeros(clips, np.int64),
            background=noise,
            background_spans=tuple(
                (name, int(start), int(stop))
                for name, start, stop in zip(names, ends, ends[1:], strict=False)
            ),
            fingerprint="0" * 64,
            refused=(),
        ),
    )


def test_loud_silence_puts_half_of_the_cuts_above_minus_20_db() -> None:
    noise = np.full(2 * CLIP, 100, np.int16)
    choices = np.full((3, 3), 0.5)
    choices[:, 1] = 0.0, 0.5, 1.0
    quiet = Clips(np.zeros(3, np.int16), np.full(3, SILENT_ROW), np.zeros(3, np.int64))
    usual, loud = (
        Reader([], noise, "train", loud).read(quiet, choices)[:, 0] for loud in (False, True)
    )
    # -80, -40 and 0 dB below 32,767; then -80, -20 and 0
    assert usual.tolist() == [3, 328, 32_767]
    assert loud.tolist() == [3, 3_277, 32_767]
    assert choices[1, 1] == 0.5


def test_a_corpus_that_is_noise_gives_the_clips_of_the_split() -> None:
    plain, noisy = source(clips=2), replace(source(clips=3, first=5), is_background=True)
    heard = background([plain, noisy], "train")
    assert heard.reshape(-1, CLIP)[:, 0].tolist() == [5, 6, 7]
    elsewhere = replace(noisy, splits={"train": "test"})
    assert background([elsewhere], "test").reshape(-1, CLIP)[:, 0].tolist() == [5, 6, 7]


def rows(of_source: list[int], row: list[int]) -> Clips:
    return Clips(np.array(of_source, np.int16), np.array(row), np.zeros(len(row), np.int64))


# --------------------------------------------------------------------------------------- reading


def test_a_reader_gives_each_row_its_own_audio() -> None:
    sources = [source(clips=3), source(clips=5, first=100)]
    noise = np.full(CLIP, 7, np.int16)
    clips = rows([1, 0, 0, 0, 1], [4, 2, -1, 0, 0])
    loudest = np.tile([0.0, 1.0, 0.5], (5, 1))
    audio = Reader(sources, noise, "train").read(clips, loudest)
    assert audio.shape == (5, CLIP)
    assert audio.dtype == np.int16
    assert (audio == audio[:, :1]).all()
    assert audio[:, 0].tolist() == [104, 2, 32_767, 0, 100]


@pytest.mark.parametrize("size", [1, 4, 10, 256])
def test_batches_are_the_list_in_order_whatever_their_size(size: int) -> None:
    task = TASKS["12"]
    clips = Clips.join([rows([0] * 7, list(range(7))), silent(3, task)])
    reader = Reader([source(clips=7)], coloured_noise("valid"), "valid")
    found = [*reader.batches(clips, size)]
    assert [(part.start, part.stop) for part, _ in found] == [
        (start, min(start + size, 10)) for start in range(0, 10, size)
    ]
    audio = np.concatenate([part for _, part in found])
    assert audio[:7, 0].tolist() == list(range(7))
    whole = reader.read(clips, fixed_silence(10, "valid"))
    assert np.array_equal(audio, whole)


def test_every_evaluation_of_a_split_hears_the_same_silence() -> None:
    again, other = fixed_silence(20, "test"), fixed_silence(20, "valid")
    assert np.array_equal(fixed_silence(20, "test"), again)
    assert np.array_equal(fixed_silence(5, "test"), again[:5])  # more clips change no earlier one
    assert not np.isin(again, other).any()
    assert again.shape == (20, 3)
    assert again.min() >= 0
    assert again.max() < 1


# --------------------------------------------------------------------------------------- silence


@pytest.mark.parametrize(
    ("level", "peak"),
    [
        (1.0, 32_767),
        (0.75, 3_277),  # -20 dB: 3,276.7
        (0.5, 328),  # -40 dB: 327.67
        (0.25, 33),  # -60 dB: 32.767
        (0.0, 3),  # -80 dB: 3.2767
    ],
)
def test_silence_has_the_peak_that_was_chosen(level: float, peak: int) -> None:
    noise = np.random.default_rng(0).integers(-900, 900, 3 * CLIP).astype(np.int16)
    piece = cut_silence(noise, np.array([[0.3, level, 0.5]]))[0]
    assert np.abs(piece).max() == peak


def test_silence_is_cut_where_it_was_chosen() -> None:
    noise = np.arange(-CLIP, CLIP + 1, dtype=np.int16)  # 16,002 places to cut
    places = np.array([0.0, 0.5, np.nextafter(1, 0)])
    choices = np.stack([places, np.ones(3), np.full(3, 0.5)], axis=1)
    first, middle, last = cut_silence(noise, choices)
    # -16,000 to -1, -7,999 to 8,000 and 1 to 16,000, each brought to full scale
    assert (first[0], middle[-1], last[-1]) == (-32_767, 32_767, 32_767)
    assert (first[-1], last[0]) == (-2, 2)
    assert middle[7_999] == 0


def test_one_piece_in_ten_is_digital_zero_and_the_others_spread_evenly_in_decibels() -> None:
    choices = np.random.default_rng(1).random((4_000, 3))
    peaks = []
    for part in np.array_split(choices, 20):
        peaks.extend(np.abs(cut_silence(coloured(0), part)).max(axis=1).tolist())
    found = np.array(peaks)
    # 400 expected, with a standard deviation of 19
    assert np.count_nonzero(found == 0) == pytest.approx(400, abs=76)
    decibels = 20 * np.log10(found[found > 0] / 32_767)
    counts = np.histogram(decibels, [-82, -60, -40, -20, 0])[0]
    # 900 expected in each, with a standard deviation of 26
    np.testing.assert_allclose(counts, 900, atol=104)


def coloured(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2_000, 2_000, CLIP + 50).astype(np.int16)


def test_silence_of_a_silent_recording_is_silent() -> None:
    zeros = np.zeros(CLIP, np.int16)
    assert not cut_silence(zeros, np.array([[0.5, 1.0, 0.5]])).any()
    assert cut_silence(zeros, np.empty((0, 3))).shape == (0, CLIP)


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_no_level_clips_even_the_loudest_recording(place: float, level: float) -> None:
    noise = np.full(CLIP + 3, -32_768, np.int16)
    piece = cut_silence(noise, np.array([[place, level, 0.5]]))
    assert piece.min() >= -32_767
    assert piece.max() < 0  # of one sign, as the recording: nothing has wrapped around


# ----------------------------------------------------------------------------------- backgrounds


LENGTHS = [200_000, 300_003]
NUMBERED = np.arange(sum(LENGTHS), dtype=np.int32)  # each sample tells its place


def heard(split: Split, hold_out: Sequence[str] = (), suffix: str = ".wav") -> np.ndarray:
    corpus = source(noise=NUMBERED, lengths=LENGTHS, suffix=suffix)
    return background([corpus], split, hold_out=hold_out)


def test_splits_hear_parts_of_each_recording_that_share_no_sample() -> None:
    parts = {split: heard(split) for split in SPLITS}
    together = np.concatenate([*parts.values()])
    assert np.array_equal(np.sort(together), NUMBERED)  # everything once
    assert len(parts["train"]) == 160_000 + 240_002
    assert len(parts["valid"]) == 20_000 + 30_000
    assert len(parts["test"]) == 20_000 + 30_001
    assert parts["valid"][0] == 160_000
    assert parts["test"][-1] == NUMBERED[-1]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("name", ["noise1{}", "_background_noise_/noise1{}"])
@pytest.mark.parametrize("has_suffix", [True, False])
def test_a_recording_that_is_held_out_is_heard_in_test_alone(
    suffix: str, name: str, has_suffix: bool
) -> None:
    held = [name.format(suffix if has_suffix else "")]
    train, valid, test = (heard(split, held, suffix) for split in SPLITS)
    assert max(train.max(), valid.max()) < LENGTHS[0]
    assert len(test) == 20_000 + LENGTHS[1]
    assert np.isin(NUMBERED[LENGTHS[0] :], test).all()


def test_a_recording_with_another_name_is_not_held_out() -> None:
    for name in ("noise", "noise11", "noise1.flac", "other/noise1"):
        assert len(heard("train", [name])) == len(heard("train"))


def test_recordings_of_several_corpora_are_heard_together() -> None:
    sources = [source(noise=NUMBERED, lengths=LENGTHS), source(noise=NUMBERED[:CLIP], lengths=())]
    assert len(background(sources, "valid")) == 50_000
    assert len(background(sources * 2, "valid")) == 100_000


@pytest.mark.parametrize("split", SPLITS)
def test_without_recordings_noise_of_three_colours_stands_in(split: Split) -> None:
    for sources in ([source()], [source(noise=NUMBERED[:9_999], lengths=[9_999])]):
        assert np.array_equal(background(sources, split), coloured_noise(split))


def test_a_clip_of_noise_is_enough() -> None:
    noise = NUMBERED[: 10 * CLIP]
    assert len(background([source(noise=noise, lengths=[10 * CLIP])], "valid")) == CLIP


def test_noise_has_its_three_colours_and_is_another_in_each_split() -> None:
    noise = coloured_noise("valid")
    assert noise.shape == (3 * 60 * CLIP,)
    assert not np.array_equal(noise, coloured_noise("test"))
    for colour, slope in zip(noise.reshape(3, -1), (0, -1, -2), strict=True):
        assert np.abs(colour).max() == pytest.approx(16_384, abs=1)
        assert abs(colour.mean()) < 1
        power = np.abs(np.fft.rfft(colour.astype(float))) ** 2
        octaves = 2 ** np.arange(6, 19)
        means = [power[low : 2 * low].mean() for low in octaves]
        # an octave of 64 bins or more knows its power to an eighth; over 12 octaves the slope of a
        # line through them is then good to some hundredths
        found = np.polyfit(np.log2(octaves), np.log2(means), 1)[0]
        assert found == pytest.approx(slope, abs=0.05)
