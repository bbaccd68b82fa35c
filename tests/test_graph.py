from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from watchword import graph
from watchword.errors import ConfigError
from watchword.features import DEFAULT, PAPER, LogMel, Mfcc
from watchword.graph import ClipFront, Front, MirroredFront, StreamFront, plan
from watchword.mel import mel_filters

FRONTS: dict[str, LogMel] = {
    "default": LogMel(**DEFAULT),
    "paper": LogMel(**PAPER),
    "window of 2.5 hops": LogMel(window_samples=400),
    "window beside hops": LogMel(window_samples=500, hop_samples=320),
    "mfcc": Mfcc(
        coefficients=10, window_samples=640, hop_samples=320, fft_samples=1_024, high_hz=4_000
    ),
    "mfcc of 64": Mfcc(coefficients=64, mels=64, window_samples=400, fft_samples=512),
    "odd fft": LogMel(fft_samples=500, window_samples=480),
}


@pytest.fixture(params=FRONTS)
def front_end(request: Any) -> LogMel:
    """A front end with a normalisation of its own."""
    found = FRONTS[request.param]
    chance = torch.Generator().manual_seed(2)
    bands = found.mean.shape[0]
    found.set_normalisation(
        torch.randn(bands, generator=chance) - 5, torch.rand(bands, generator=chance) + 1
    )
    return found


def sound(samples: int, streams: int = 2) -> Tensor:
    """Noise that swells, with a stretch of digital silence."""
    chance = torch.Generator().manual_seed(3)
    x = torch.randn(streams, samples, generator=chance) * torch.linspace(0, 0.3, samples)
    x[:, samples // 2 : samples // 2 + 3_000] = 0
    return x.clamp(-1, 1)


def test_features_are_those_of_training(front_end: LogMel) -> None:
    waveform = sound(16_000)
    found = ClipFront(front_end, plan(front_end, 1_280))(waveform)
    # float32 energies of another order of sums, then a logarithm: a few 1e-6 of values about 10
    assert torch.allclose(found, front_end(waveform), rtol=0, atol=2e-4)


def test_energies_are_those_of_the_fourier_transform() -> None:
    filters = mel_filters(fft_samples=512)
    window = torch.hann_window(480)
    frames = torch.randn(1, 480, 3, generator=torch.Generator().manual_seed(4))
    spectrum = torch.fft.rfft(frames[0].T.double() * window, n=512).abs() ** 2
    found = graph.Spectra(window, filters)(frames)[0].T
    assert torch.allclose(found.double(), spectrum @ filters.double().T, rtol=1e-5)


@pytest.mark.parametrize("points", [500, 512, 1_024, 2, 6, 14])
def test_a_transform_of_any_even_length_is_split_where_it_is_cheapest(points: int) -> None:
    outer = graph._outer_points(points)
    assert points % outer == 0


def test_two_steps_need_a_fifth_of_the_products_of_one_matrix_or_less() -> None:
    front = Front(LogMel(**DEFAULT))
    spectra, frames = front.spectra, 98
    first = spectra.first.numel() * spectra.inner * frames
    second = spectra.second.numel() * frames
    assert first + second < 480 * 2 * 257 * frames / 5


def stream_of(front_end: LogMel) -> StreamFront | MirroredFront:
    """What hears streams for a front end."""
    clip = ClipFront(front_end, plan(front_end, 1_280))
    bands = front_end.mean.shape[0]
    return MirroredFront(clip) if front_end.is_centred else StreamFront(clip, bands)


@pytest.mark.parametrize("hops", [1, 3])
def test_each_score_of_a_stream_hears_the_features_of_the_clip_before_it(
    front_end: LogMel, hops: int
) -> None:
    stream = stream_of(front_end)
    lies, audio = stream.plan, sound(16_000 + 9 * 1_280)
    fed = torch.cat([torch.zeros(2, lies.lead_samples), audio], 1)
    fed = fed[:, : fed.shape[1] // (hops * 1_280) * hops * 1_280]
    state = [torch.zeros(2, *shape) for shape in stream.shapes]
    heard = []
    for start in range(0, fed.shape[1], hops * 1_280):
        clips, *state = stream(fed[:, start : start + hops * 1_280], *state)
        heard.append(clips.reshape(2, hops, *clips.shape[1:]))
    found = torch.cat(heard, 1)[:, lies.warm_up_scores :]
    for score in range(found.shape[1]):
        start = score * lies.score_samples
        clip = torch.zeros(2, 16_000)
        clip[:, : lies.used_samples] = audio[:, start : start + lies.used_samples]
        assert torch.allclose(found[:, score], front_end(clip), rtol=0, atol=2e-4)


def test_the_first_score_comes_when_a_whole_clip_was_heard() -> None:
    lies = plan(LogMel(**DEFAULT), 1_280)
    assert (lies.warm_up_scores + 1) * 1_280 - lies.lead_samples == lies.used_samples == 16_000


def test_samples_after_the_last_frame_are_not_waited_for() -> None:
    lies = plan(LogMel(window_samples=400), 1_280)
    assert lies.used_samples == 97 * 160 + 400 == 15_920
    assert (lies.warm_up_scores + 1) * 1_280 - lies.lead_samples == 15_920


@pytest.mark.parametrize(("score_samples", "nearest"), [(1_000, 960), (80, 160), (0, 160)])
def test_scores_that_fall_between_frames_are_refused(score_samples: int, nearest: int) -> None:
    with pytest.raises(ConfigError, match=f"a frame comes every 160; .* {nearest} is nearest"):
        plan(LogMel(**DEFAULT), score_samples)
