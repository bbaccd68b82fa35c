"""Streams: the same answers as the whole file gives, for chunks of every length."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bundles
from bundles import CLIP, SCORE
from watchword import bundle, shipped, stream
from watchword.decision import Posteriors
from watchword.errors import AudioError, BundleError, ConfigError
from watchword.stream import Runner, State, Waveforms

SAMPLES = 47
FIRST = CLIP // SCORE - 1
"""Score hops before the first score of the tiny bundle, those of silence included."""
SILENCE = CLIP // 2
"""Zeros that are heard before a stream of the tiny bundle: two score hops, half a clip."""


@cache
def tiny() -> Runner:
    """Runs the bundle whose posterior is the mean of 8 samples."""
    return Runner(bundle.of(bundles.facts(), bundles.graphs()))


def timed(**changes: int) -> Runner:
    """Runs the same with other timing."""
    timing = {**bundles.facts()["timing"], **changes}
    return Runner(bundle.of(bundles.facts(timing=timing), bundles.graphs()))


@cache
def runner_of(name: str) -> Runner:
    """Runs a shipped model."""
    return Runner(bundle.read(shipped.find_bundle(Path(name))))


def audio_of(streams: int, samples: int = SAMPLES, seed: int = 0) -> Waveforms:
    """Multiples of 1/64 from 0 to 1, whose means of 8 are exact in float32."""
    drawn = np.random.default_rng(seed).integers(0, 65, (streams, samples))
    return (drawn / 64).astype(np.float32)


def streamed(run: Runner, audio: Waveforms, chunk: int, state: State | None = None) -> Posteriors:
    """All posteriors of audio that comes in chunks."""
    state, found = state or run.start(len(audio)), []
    for first in range(0, audio.shape[1], chunk):
        posteriors, state = run.step(audio[:, first : first + chunk], state)
        found.append(posteriors)
    return np.concatenate(found, axis=1)


def by_hand(audio: Waveforms) -> NDArray[np.float64]:
    """The mean of each window of 8 samples, one every 2: posteriors of ``loud``."""
    whole = np.pad(audio.astype(np.float64), ((0, 0), (SILENCE, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(whole, CLIP, axis=1)
    return windows[:, ::SCORE].mean(axis=2)


# ---------------------------------------------------------------------------------- by hand


@pytest.mark.parametrize(
    ("heard", "lead", "zeros"),
    [
        (0, 0, 0),  # nothing was heard: nothing follows
        (0, 4, 0),
        (100, 0, 8_000),  # half a second, and 8,100 is a multiple of 2
        (101, 0, 8_001),
        (101, 4, 8_001),
        (100, 4, 8_000),
        (1, 0, 8_001),
    ],
)
def test_zeros_that_end_a_stream_are_half_a_second_and_a_whole_hop(
    heard: int, lead: int, zeros: int
) -> None:
    run = timed(lead_samples=lead, warm_up_scores=FIRST + lead // 2)
    assert run.flush_samples(heard) == zeros


def test_zeros_that_end_a_stream_complete_the_hop_that_its_lead_began() -> None:
    run = timed(used_samples=7, lead_samples=1)
    assert [run.flush_samples(heard) for heard in (100, 101)] == [8_001, 8_000]


def test_zeros_that_end_a_short_stream_fill_its_first_window() -> None:
    # half of the window is silence before the stream, so 16,000 samples are to be filled
    run = timed(clip_samples=32_000, used_samples=32_000, warm_up_scores=15_999)
    assert [run.flush_samples(heard) for heard in (1, 7_999, 8_000, 8_001)] == [
        15_999,
        8_001,
        8_000,
        8_001,  # 8,000 and the rest of a hop
    ]


def test_zeros_that_end_a_stream_of_a_shipped_model_by_hand() -> None:
    run = timed(
        clip_samples=16_000,
        used_samples=16_000,
        score_samples=1_280,
        lead_samples=640,
        warm_up_scores=12,
    )
    # scores are due at 8,320, 9,600, ..., 24,960: the first of them at or after 24,000
    assert [run.flush_samples(heard) for heard in (1, 320, 16_000)] == [8_319, 8_000, 8_960]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 100), st.sampled_from([0, 2, 6, 40]))
def test_after_the_zeros_no_audio_waits_for_a_score(heard: int, lead: int) -> None:
    run = timed(lead_samples=lead, warm_up_scores=FIRST + lead // 2)
    _, state = run.step(np.ones((1, heard), np.float32), run.start())
    posteriors, state = run.step(np.zeros((1, run.flush_samples(heard)), np.float32), state)
    assert state.pending.shape == (1, 0)
    assert posteriors.shape[1] >= 1
    assert posteriors[0, -1, 0] == 0  # the last score heard nothing of it


def test_the_digest_is_that_of_the_graph_that_hears_streams() -> None:
    graphs = bundles.graphs()
    other = {"clip.int8.onnx": graphs["clip.onnx"], "stream.int8.onnx": graphs["clip.onnx"]}
    made = bundle.of(bundles.facts(), {**graphs, **other})
    assert Runner(made).digest == sha256(graphs["stream.onnx"]).hexdigest() == tiny().digest
    assert Runner(made, is_int8=True).digest == sha256(graphs["clip.onnx"]).hexdigest()


def test_what_is_prepared_needs_no_loading_when_audio_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    audio = audio_of(1)
    expected = streamed(tiny(), audio, 5)
    run = Runner(bundle.of(bundles.facts(), bundles.graphs()))
    run.prepare()
    monkeypatch.delattr(stream, "_session")  # what loads a graph
    run.prepare()
    assert np.array_equal(streamed(run, audio, 5), expected)


def test_a_graph_that_cannot_be_run_is_refused_when_it_is_prepared() -> None:
    run = Runner(bundle.of(bundles.facts(), {**bundles.graphs(), "stream.onnx": b"no graph"}))
    with pytest.raises(BundleError, match=r"stream\.onnx cannot be run \(.+\): update onnxruntime"):
        run.prepare()


def test_posteriors_are_the_means_that_one_can_work_out() -> None:
    audio = audio_of(1)
    found = streamed(tiny(), audio, SAMPLES)
    assert found.dtype == np.float32
    assert np.array_equal(found[..., 0], by_hand(audio))
    assert np.array_equal(found[..., 1], 1 - by_hand(audio))


def test_the_first_score_comes_after_half_a_window_and_one_with_every_hop_after() -> None:
    audio, state = audio_of(1, 20), tiny().start()
    for heard in range(1, 21):
        posteriors, state = tiny().step(audio[:, heard - 1 : heard], state)
        is_due = heard >= 4 and heard % SCORE == 0
        assert posteriors.shape == (1, int(is_due), 2)


@pytest.mark.parametrize(
    ("samples", "means"),
    [
        (1, []),
        (3, []),
        (4, [4]),  # and four zeros before it
        (5, [4]),
        (6, [4, 6]),
        (7, [4, 6]),
        (8, [4, 6, 8]),
        (10, [4, 6, 8, 8]),
    ],
)
def test_a_stream_of_less_than_a_clip_has_the_scores_that_are_due(
    samples: int, means: list[int]
) -> None:
    for chunk in (1, 3, samples):
        found = streamed(tiny(), np.ones((1, samples), np.float32), chunk)
        assert found[0, :, 0].tolist() == [ones / 8 for ones in means]
    assert tiny().timing.times_s(np.arange(4)).tolist() == [n / 16_000 for n in (4, 6, 8, 10)]


@pytest.mark.parametrize("samples", [1, 3, 4, 7])
def test_the_end_of_a_stream_of_less_than_a_clip_is_heard(samples: int) -> None:
    _, state = tiny().step(np.ones((1, samples), np.float32), tiny().start())
    posteriors, _ = tiny().step(np.zeros((1, 8_001), np.float32), state)
    # scores are due at 4, 6 and 8, of which those up to the last sample were told; each holds all
    held = [samples / 8 for due in (4, 6, 8) if due > samples]
    assert posteriors[0, : len(held), 0].tolist() == held
    assert held


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 100), st.sampled_from([1, 2, 5, 100]), st.integers(0, 5))
def test_a_word_that_begins_a_stream_is_heard_as_one_after_silence(
    samples: int, chunk: int, hops: int
) -> None:
    word = audio_of(1, samples)
    zeros = np.zeros((1, hops * SCORE), np.float32)
    after = streamed(tiny(), np.concatenate([zeros, word], axis=1), chunk)
    found = streamed(tiny(), word, chunk)
    assert np.array_equal(after[:, hops:], found)
    times_s = tiny().timing.times_s
    shift_s = times_s(hops + np.arange(9)) - times_s(np.arange(9))
    assert shift_s * 16_000 == pytest.approx(hops * SCORE)


def without_silence(run: Runner, streams: int = 1) -> State:
    """The state of streams before which nothing is heard but what a score needs to be on time."""
    state = run.start(streams)
    return State(state.arrays, np.zeros((streams, run.timing.lead_samples), np.float32), 0)


@pytest.mark.parametrize("chunk", [1, 2, 7, SAMPLES])
@pytest.mark.parametrize("lead", [0, 4])
def test_a_stream_is_one_that_was_fed_its_silence_by_hand(chunk: int, lead: int) -> None:
    run = timed(lead_samples=lead, warm_up_scores=FIRST + lead // 2)
    audio = audio_of(2)
    fed = np.concatenate([np.zeros((2, SILENCE), np.float32), audio], axis=1)
    by_itself = streamed(run, audio, chunk)
    assert np.array_equal(streamed(run, fed, chunk, without_silence(run, 2)), by_itself)
    # a score of the former is due when a whole clip was fed, and that is so much earlier here
    assert run.timing.times_s(0) * 16_000 == CLIP - SILENCE


def test_zeros_that_lead_a_stream_are_heard_before_it_and_delay_nothing() -> None:
    timing = {**bundles.facts()["timing"], "lead_samples": 4, "warm_up_scores": FIRST + 2}
    led = Runner(bundle.of(bundles.facts(timing=timing), bundles.graphs()))
    audio = audio_of(1)
    for chunk in (1, 3, SAMPLES):
        assert np.array_equal(streamed(led, audio, chunk), streamed(tiny(), audio, chunk))


def test_a_stream_without_audio_has_no_scores() -> None:
    for _ in range(3):
        posteriors, state = tiny().step(np.empty((1, 0), np.float32), tiny().start())
        assert posteriors.shape == (1, 0, 2)
        assert state.scores == 2  # of the silence before it: fewer than are thrown away


# ------------------------------------------------------------------------- stream equals file


@pytest.mark.parametrize("chunk", range(1, 21))
def test_a_stream_equals_the_file_to_the_last_bit(chunk: int) -> None:
    audio = audio_of(1)
    assert np.array_equal(streamed(tiny(), audio, chunk), streamed(tiny(), audio, SAMPLES))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=12))
def test_a_stream_in_any_pieces_equals_the_clips_it_is_made_of(lengths: list[int]) -> None:
    audio, found = audio_of(1, sum(lengths)), []
    _, state = tiny().step(audio[:, :0], tiny().start())
    for last, length in zip(np.cumsum(lengths), lengths, strict=True):
        posteriors, state = tiny().step(audio[:, last - length : last], state)
        found.append(posteriors[0])
    whole = np.pad(audio[0], (SILENCE, 0))
    starts = range(0, len(whole) - CLIP + 1, SCORE)
    clips = [whole[start : start + CLIP] for start in starts]
    expected = tiny().clips(np.reshape(np.array(clips, np.float32), (-1, CLIP)))
    assert np.array_equal(np.concatenate([np.empty((0, 2)), *found]), expected)
    assert state.pending.shape == (1, audio.shape[1] % SCORE)


def test_more_scores_than_are_computed_at_once_come_in_order() -> None:
    audio = audio_of(1, 1_001)
    for chunk in (1_001, 300, 7):
        assert np.array_equal(streamed(tiny(), audio, chunk)[..., 0], by_hand(audio))


def speechlike(streams: int, samples: int, seed: int = 0) -> Waveforms:
    """Hum whose pitch and loudness wander: the shipped models are not sure of it."""
    random = np.random.default_rng(seed)
    time_s = np.arange(samples) / 16_000
    pitch = 120 + 60 * np.sin(2 * np.pi * random.uniform(1, 4, (streams, 1)) * time_s)
    phase = 2 * np.pi * np.cumsum(pitch, axis=1) / 16_000
    voice = sum(np.sin(phase * part) / part for part in range(1, 20))
    swell = np.sin(2 * np.pi * random.uniform(1, 3, (streams, 1)) * time_s) ** 2
    heard: Waveforms = (0.1 * voice * swell + random.normal(0, 0.01, voice.shape)).astype("f4")
    return heard


# Float32 sums in another order: blocks of a matrix product depend on how many scores are computed
# together. Some units in the last place of 1, 1e-7 each, grow through ten layers and a softmax.
ROUNDING = 1e-5


@pytest.mark.parametrize("name", shipped.names())
@pytest.mark.parametrize("chunk", [37, 160, 1_280, 5_000, 16_001])
def test_a_stream_of_a_shipped_model_equals_the_file_and_its_clips(name: str, chunk: int) -> None:
    run, audio = runner_of(name), speechlike(1, 30_000)
    whole = streamed(run, audio, 30_000)
    hop, clip = run.timing.score_samples, run.timing.clip_samples
    # half a clip of 16,000 samples holds six whole hops of 1,280
    padded = np.pad(audio[0], (7_680, 0))
    starts = range(0, 37_680 - clip + 1, hop)
    clips = run.clips(np.stack([padded[start : start + clip] for start in starts]))
    found = streamed(run, audio, chunk)
    assert found.shape == whole.shape == (1, len(starts), len(run.facts.labels))
    assert np.abs(found - whole).max() < ROUNDING
    assert np.abs(found[0] - clips).max() < ROUNDING
    assert 0.1 < found.max(axis=2).min() < 0.9  # posteriors that could have differed


@pytest.mark.parametrize("name", shipped.names())
def test_a_stream_of_a_shipped_model_is_one_that_was_fed_its_silence_by_hand(name: str) -> None:
    run, audio = runner_of(name), speechlike(1, 12_000, seed=2)
    fed = np.concatenate([np.zeros((1, 7_680), np.float32), audio], axis=1)
    found = streamed(run, audio, 12_000)
    assert np.array_equal(streamed(run, fed, 19_680, without_silence(run)), found)
    # due after 8,320, 9,600 and 10,880 samples
    assert found.shape[1] == 3
    assert (run.timing.times_s(np.arange(3)) * 16_000).tolist() == [8_320, 9_600, 10_880]


@pytest.mark.parametrize("name", shipped.names())
def test_streams_of_a_shipped_model_side_by_side_equal_each_alone(name: str) -> None:
    run, audio = runner_of(name), speechlike(3, 20_000, seed=1)
    together = streamed(run, audio, 3_000)
    alone = np.concatenate([streamed(run, one[None], 3_000) for one in audio])
    assert np.abs(together - alone).max() < ROUNDING


# ------------------------------------------------------------------------- state is a value


@pytest.mark.parametrize("chunk", [1, 2, 5, 9])
def test_streams_side_by_side_equal_each_alone(chunk: int) -> None:
    audio = audio_of(4)
    alone = np.concatenate([streamed(tiny(), one[None], chunk) for one in audio])
    assert np.array_equal(streamed(tiny(), audio, chunk), alone)


def test_a_state_can_be_gone_on_from_twice() -> None:
    audio = audio_of(2)
    _, state = tiny().step(audio[:, :13], tiny().start(2))
    first = streamed(tiny(), audio[:, 13:], 3, state)
    assert np.array_equal(streamed(tiny(), audio[:, 13:], 5, state), first)
    other = streamed(tiny(), 1 - audio[:, 13:], 3, state)
    assert not np.array_equal(other, first)
    assert np.array_equal(streamed(tiny(), audio[:, 13:], 3, state), first)


def test_a_state_does_not_change_when_the_chunk_does() -> None:
    audio = audio_of(1)
    chunk = audio[:, :13].copy()
    _, state = tiny().step(chunk, tiny().start())
    chunk[:] = -1
    assert np.array_equal(streamed(tiny(), audio[:, 13:], 7, state)[0], later(audio, 13))


def later(audio: Waveforms, heard: int) -> Posteriors:
    """Posteriors of a file that come after so many samples."""
    whole = streamed(tiny(), audio, audio.shape[1])
    found: Posteriors = whole[0, max(0, (SILENCE + heard) // SCORE - FIRST) :]
    return found


def test_a_state_holds_less_than_a_score_hop_of_audio_however_much_was_heard() -> None:
    state = tiny().start()
    for samples in (1, 1_001, 2, 5_000, 1):
        _, state = tiny().step(audio_of(1, samples), state)
        assert state.pending.shape[1] < SCORE
        assert state.pending.base is None
        assert [array.shape for array in state.arrays] == [(1, CLIP - SCORE)]


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("shape", [(8,), (1, 7), (1, 8, 1), (0, 7)])
def test_clips_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"clips of shape .+ came in, needed \(clips, 8\): cut th"):
        tiny().clips(np.zeros(shape, np.float32))


def test_no_clips_are_no_posteriors_and_float64_is_as_good() -> None:
    assert tiny().clips(np.zeros((0, 8), np.float32)).shape == (0, 2)
    assert tiny().clips(np.full((1, 8), 0.25)).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("shape", [(8,), (1, 8), (3, 8), (2, 8, 1)])
def test_a_chunk_without_a_row_for_each_stream_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioError, match=r"came in for 2 streams, needed \(2, samples\): give one"):
        tiny().step(np.zeros(shape, np.float32), tiny().start(2))


def test_numbers_that_cannot_be_meant_are_refused() -> None:
    made = bundle.of(bundles.facts(), bundles.graphs())
    for threads in (0, -1, 257):
        with pytest.raises(
            ConfigError, match=rf"{threads} threads were asked for, needed from 1 t"
        ):
            Runner(made, threads=threads)
    for streams in (0, -1):
        with pytest.raises(
            ConfigError, match=rf"{streams} streams were asked for, needed at least"
        ):
            tiny().start(streams)


def test_8_bit_graphs_that_are_not_there_are_asked_for_in_vain() -> None:
    made = bundle.of(bundles.facts(), bundles.graphs(), "a.watchword")
    with pytest.raises(BundleError, match=r"a\.watchword has no stream\.int8\.onnx, there are"):
        Runner(made, is_int8=True)


def broken(**graphs: bytes) -> Runner:
    """Runs a bundle with other graphs; ``clip`` and ``stream`` name them."""
    contents = {f"{name}.onnx": content for name, content in graphs.items()}
    made = bundle.of(bundles.facts(), {**bundles.graphs(), **contents}, "a.watchword")
    return Runner(made)


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(100), b"\0\0\0\0ORTM" + bytes(100)])
def test_a_graph_that_is_none_is_refused_when_it_is_first_needed(content: bytes) -> None:
    with pytest.raises(
        BundleError, match=r"^a\.watchword: stream\.onnx cannot be run \(.+\): upda"
    ):
        broken(stream=content).step(audio_of(1), tiny().start())
    with pytest.raises(
        BundleError, match=r"^a\.watchword: clip\.onnx cannot be run \(.+\): update"
    ):
        broken(clip=content).clips(audio_of(1, CLIP))


def test_a_graph_with_other_inputs_is_refused() -> None:
    swapped = broken(stream=bundles.graphs()["clip.onnx"])
    with pytest.raises(BundleError, match=r"stream\.onnx cannot be run \(.+\): update onnxruntime"):
        swapped.step(audio_of(1), swapped.start())


def test_names_of_a_forger_s_choice_do_not_break_the_line() -> None:
    model = onnx.load_from_string(bundles.graphs()["clip.onnx"])
    model.graph.node[0].op_type = "No\x1b[2J\nSuch"
    with pytest.raises(BundleError, match=r"clip\.onnx cannot be run \(.+\): update") as refusal:
        broken(clip=model.SerializeToString()).clips(audio_of(1, CLIP))
    assert str(refusal.value).isprintable()


def strided(strides: int) -> bytes:
    """The stream graph with scores at other times than the bundle says."""
    model = onnx.load_from_string(bundles.graphs()["stream.onnx"])
    pool = next(node for node in model.graph.node if node.op_type == "AveragePool")
    next(part for part in pool.attribute if part.name == "strides").ints[:] = [strides]
    content: bytes = model.SerializeToString()
    return content


def test_a_graph_that_answers_in_another_shape_is_refused() -> None:
    run = broken(stream=strided(1))
    # 8 samples and 4 zeros before them: 6 scores, or one for each sample but those of the first
    message = r"posteriors is float32 \(1, 11, 2\), needed float32 \(1, 6, 2\)\): update onnxrunti"
    with pytest.raises(BundleError, match=message):
        run.step(audio_of(1, 8), run.start())
    facts = bundles.facts(labels=["loud", "quiet", "_unknown_"])
    run = Runner(bundle.of(facts, bundles.graphs()))
    with pytest.raises(BundleError, match=r"posteriors is float32 \(1, 2\), needed float32 \(1, 3"):
        run.clips(audio_of(1, CLIP))
