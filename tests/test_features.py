"""Features equal librosa's, never look ahead, and refuse what is no audio."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from watchword.errors import AudioError, ConfigError, DataError
from watchword.features import (
    DEFAULT,
    PAPER,
    FrontEndSettings,
    LogMel,
    Mfcc,
    cosine_transform,
    estimate_normalisation,
    frame_count,
    log_mel,
    mel_filters,
    mfcc,
)

librosa = pytest.importorskip("librosa", reason="librosa is the other implementation (extra dev)")


def noise(samples: int = 16_000, batch: int = 1, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch, samples, generator=generator)


# Both sides compute float32 spectra of white noise, whose bands lie within some 30 dB of each
# other. An error of 1e-6 of the largest amplitude is then below 1e-4 of the smallest band, and so
# is its logarithm's.
LOG_TOLERANCE = 2e-4


def librosa_log_mel(
    waveform: np.ndarray,
    settings: FrontEndSettings,
    *,
    is_htk: bool = True,
) -> np.ndarray:
    """Return librosa's ln(mel + floor), (mels, frames)."""
    window, fft = settings["window_samples"], settings["fft_samples"]
    if not settings["is_centred"]:
        # librosa puts the window into the middle of the transform, we put it at the start
        before = (fft - window) // 2
        waveform = np.pad(waveform, (before, fft - window - before))
    mel = librosa.feature.melspectrogram(
        y=waveform,
        sr=16_000,
        n_fft=fft,
        hop_length=settings["hop_samples"],
        win_length=window,
        center=settings["is_centred"],
        pad_mode="reflect",
        power=2.0,
        n_mels=settings["mels"],
        fmin=settings["low_hz"],
        fmax=settings["high_hz"],
        htk=is_htk,
        norm=None,
    )
    return np.log(mel + settings["floor"])


GRID: list[FrontEndSettings] = [
    PAPER,
    DEFAULT,
    {**DEFAULT, "mels": 32, "high_hz": 4_000.0},
    {**DEFAULT, "window_samples": 400, "hop_samples": 200, "floor": 1e-3},
    {**DEFAULT, "window_samples": 512, "high_hz": 8_000.0},
    {**DEFAULT, "window_samples": 640, "fft_samples": 1_024, "mels": 64, "hop_samples": 320},
    {**PAPER, "window_samples": 480, "mels": 20, "low_hz": 125.0, "high_hz": 7_500.0},
    {**PAPER, "window_samples": 1_024, "fft_samples": 1_024, "mels": 80, "low_hz": 60.0},
]


@pytest.mark.parametrize("settings", GRID)
def test_log_mel_equals_librosa(settings: FrontEndSettings) -> None:
    waveform = noise()
    ours = LogMel(**settings)(waveform)[0].numpy()
    theirs = librosa_log_mel(waveform[0].numpy(), settings)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=LOG_TOLERANCE)


@pytest.mark.parametrize("is_htk", [True, False])
@pytest.mark.parametrize(("mels", "low_hz", "high_hz"), [(40, 20, 7_600), (20, 0, 4_000)])
def test_mel_filters_equal_librosa_on_both_scales(
    is_htk: bool, mels: int, low_hz: float, high_hz: float
) -> None:
    ours = mel_filters(mels=mels, low_hz=low_hz, high_hz=high_hz, is_htk=is_htk)
    theirs = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=mels, fmin=low_hz, fmax=high_hz, htk=is_htk, norm=None
    )
    # both are computed in float64 and rounded to float32 once; the edges differ in the last digits
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)


@pytest.mark.parametrize(("mels", "coefficients"), [(40, 40), (40, 13), (26, 12)])
def test_mfcc_equals_librosa(mels: int, coefficients: int) -> None:
    settings: FrontEndSettings = {**DEFAULT, "mels": mels}
    waveform = noise()
    ours = Mfcc(coefficients=coefficients, **settings)(waveform)[0].numpy()
    theirs = librosa.feature.mfcc(
        S=librosa_log_mel(waveform[0].numpy(), settings),
        n_mfcc=coefficients,
        dct_type=2,
        norm="ortho",
    )
    # an orthonormal transform of 40 numbers grows errors sqrt(40) times at most
    np.testing.assert_allclose(ours, theirs, atol=LOG_TOLERANCE * math.sqrt(mels))


def test_the_cosine_transform_is_orthonormal() -> None:
    matrix = cosine_transform(40, 40)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(40), atol=1e-6, rtol=0)
    constant = mfcc(torch.ones(1, 40, 1), matrix)[0, :, 0]  # only the first coefficient is left
    torch.testing.assert_close(constant[0].item(), math.sqrt(40), atol=1e-5, rtol=0)
    torch.testing.assert_close(constant[1:], torch.zeros(39), atol=1e-5, rtol=0)


def test_a_full_scale_tone_has_the_energy_that_arithmetic_gives() -> None:
    # A cosine on bin 32 (1,000 Hz) under a Hann window of 512 with sum 256: |X| = 128 in its bin,
    # 64 in each neighbour. Every bin's triangles sum to one between the first and last peak, so the
    # mel energies sum to 128² + 2 · 64² = 24,576.
    tone = torch.cos(2 * torch.pi * 1_000 * torch.arange(16_000) / 16_000)[None]
    bands = log_mel(tone, mel_filters(), window_samples=512, hop_samples=160)[0, :, 0].exp().sum()
    assert bands.item() == pytest.approx(24_576, rel=1e-4)  # the floor of 40 bands is 4e-5


def test_digital_silence_is_the_log_of_the_floor() -> None:
    assert LogMel(**PAPER)(torch.zeros(1, 16_000)).unique().item() == pytest.approx(math.log(1e-3))


@pytest.mark.parametrize(("settings", "frames"), [(PAPER, 101), (DEFAULT, 98)])
def test_a_second_has_as_many_frames_as_the_preset_promises(
    settings: FrontEndSettings, frames: int
) -> None:
    assert LogMel(**settings)(noise()).shape == (1, 40, frames)


@pytest.mark.parametrize("settings", [PAPER, DEFAULT])
@pytest.mark.parametrize("samples", [480, 639, 640, 641, 15_999, 23_456])
def test_the_frame_count_is_the_one_that_comes_out(
    settings: FrontEndSettings, samples: int
) -> None:
    front_end = LogMel(**settings)
    assert front_end(noise(samples)).shape[2] == front_end.frames(samples)


def test_audio_shorter_than_a_window_has_no_frames() -> None:
    assert frame_count(479, window_samples=480, hop_samples=160) == 0


@pytest.mark.parametrize("frame", [0, 10, 96])
def test_later_audio_never_changes_an_earlier_frame(frame: int) -> None:
    front_end = LogMel(**DEFAULT)
    waveform = noise()
    changed = waveform.clone()
    changed[:, frame * 160 + 480 :] = 0.9  # everything behind this frame's window
    before, after = front_end(waveform), front_end(changed)
    assert torch.equal(before[:, :, : frame + 1], after[:, :, : frame + 1])
    assert not torch.equal(before[:, :, frame + 1], after[:, :, frame + 1])


def test_the_beginning_of_a_stream_gives_the_beginning_of_the_features() -> None:
    front_end = LogMel(**DEFAULT)
    waveform = noise()
    whole, beginning = front_end(waveform), front_end(waveform[:, :8_000])
    assert torch.equal(whole[:, :, : beginning.shape[2]], beginning)


@pytest.mark.parametrize("front_end", [LogMel(**PAPER), LogMel(**DEFAULT), Mfcc(**DEFAULT)])
def test_a_batch_equals_its_clips_one_by_one(front_end: LogMel) -> None:
    waveform = noise(batch=19)  # more than one part of the calculation, the last not full
    one_by_one = torch.cat([front_end(clip[None]) for clip in waveform])
    # matrix products may sum in another order for another number of rows
    torch.testing.assert_close(front_end(waveform), one_by_one, atol=1e-5, rtol=1e-5)


def test_lower_precision_outside_changes_nothing_inside() -> None:
    front_end = LogMel(**DEFAULT)
    waveform = noise()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = front_end(waveform)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, front_end(waveform))
    assert front_end(waveform.double()).dtype == torch.float32


def test_normalised_training_audio_has_mean_zero_and_deviation_one() -> None:
    front_end = Mfcc(coefficients=13, **DEFAULT)
    batches = [noise(batch=3, seed=1), 0.1 * noise(batch=5, seed=2)]
    front_end.set_normalisation(*estimate_normalisation(front_end, batches))
    features = torch.cat([front_end(batch) for batch in batches])
    torch.testing.assert_close(features.mean(dim=(0, 2)), torch.zeros(13), atol=1e-4, rtol=0)
    deviation = features.std(dim=(0, 2), correction=0)
    torch.testing.assert_close(deviation, torch.ones(13), atol=1e-4, rtol=0)


def test_estimating_again_does_not_see_the_old_normalisation() -> None:
    front_end = LogMel(**DEFAULT)
    first = estimate_normalisation(front_end, [noise()])
    front_end.set_normalisation(*first)
    again = estimate_normalisation(front_end, [noise()])
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_the_normalisation_travels_with_the_weights() -> None:
    front_end = LogMel(**DEFAULT)
    front_end.set_normalisation(torch.full((40,), -3.0), torch.full((40,), 2.0))
    assert set(front_end.state_dict()) == {"mean", "deviation"}
    copy = LogMel(**DEFAULT)
    copy.load_state_dict(front_end.state_dict())
    assert torch.equal(copy(noise()), front_end(noise()))
    torch.testing.assert_close(copy(noise()), (copy.measure(noise()) + 3.0) / 2.0)


@pytest.mark.parametrize(("settings", "samples"), [(DEFAULT, 479), (PAPER, 256), (DEFAULT, 0)])
def test_audio_that_is_too_short_is_refused(settings: FrontEndSettings, samples: int) -> None:
    with pytest.raises(AudioError, match=rf"\(1, {samples}\) came in.*at least \d+ samples: pad"):
        LogMel(**settings)(torch.zeros(1, samples))


def test_a_waveform_without_a_batch_is_refused() -> None:
    with pytest.raises(AudioError, match=r"needs \(batch, samples\)"):
        LogMel(**DEFAULT)(torch.zeros(16_000))


@pytest.mark.parametrize(
    "change",
    [{"high_hz": 9_000.0}, {"low_hz": 7_700.0}, {"low_hz": -1.0}, {"mels": 0}],
)
def test_impossible_band_edges_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"low_hz < high_hz <= 8000.*change the band edges"):
        LogMel(**{**DEFAULT, **change})


def test_bands_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mel bands .* hold no bin of a 512-point.*fewer bands"):
        mel_filters(mels=128, low_hz=0.0)


@pytest.mark.parametrize(
    "change", [{"window_samples": 513}, {"hop_samples": 0}, {"fft_samples": 513}, {"floor": 0.0}]
)
def test_a_window_that_does_not_fit_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"do not fit together; needed .* change the front end"):
        LogMel(**{**DEFAULT, **change})


def test_more_coefficients_than_bands_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"41 coefficients of 40 mel bands.*ask for fewer"):
        Mfcc(coefficients=41, **DEFAULT)


@pytest.mark.parametrize(
    ("mean", "deviation"),
    [
        (torch.zeros(39), torch.ones(39)),
        (torch.zeros(40), torch.zeros(40)),
        (torch.full((40,), torch.nan), torch.ones(40)),
    ],
)
def test_an_impossible_normalisation_is_refused(
    mean: torch.Tensor, deviation: torch.Tensor
) -> None:
    with pytest.raises(DataError, match=r"came in; needed are finite values of shape \(40,\)"):
        LogMel(**DEFAULT).set_normalisation(mean, deviation)


def test_no_audio_gives_no_normalisation() -> None:
    with pytest.raises(DataError, match=r"no audio came in .* at least one frame .* check"):
        estimate_normalisation(LogMel(**DEFAULT), [])
