"""Chunks in, detections out: what a program that listens holds in its hands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bundles
from forgery import entries, honest, zipped
from watchword import audio, bundle, shipped, spotter
from watchword.decision import Detection, tempered
from watchword.errors import AudioError, BundleError, CheckpointError, ConfigError
from watchword.spotter import Spotter

MADE = bundle.of(bundles.facts(), bundles.graphs(), "tiny")
HZ = 16_000
# a window of 8 samples reaches the threshold of 0.5 with four samples of 1 in it
LATE_BURST = np.array([0] * 10 + [1] * 6 + [0] * 14, np.float32)
PIECES = st.lists(st.integers(0, 40), max_size=12)


def ears(**options: Any) -> Spotter:
    """One who listens for ``loud`` with the tiny bundle."""
    return Spotter(MADE, **options)


def draw(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Noise in multiples of 1/64 that crosses the threshold now and then."""
    drawn = np.random.default_rng(seed).integers(0, 65, samples)
    return (drawn / 64).astype(np.float32)


def heard(who: Spotter, pieces: list[NDArray[Any]]) -> list[Detection]:
    """All detections of a stream and its end."""
    return [one for piece in pieces for one in who.feed(piece)] + who.finish()


# ---------------------------------------------------------------------------------- by hand


def test_a_burst_is_detected_when_the_score_that_heard_it_is_due() -> None:
    # scores are due after 4, 6, 8, ..., 14, ... samples; that at 14 has heard 6 to 13: four ones
    assert ears().feed(LATE_BURST) == [Detection("loud", 14 / HZ, 0.5)]


def test_a_detection_is_told_by_the_chunk_that_completes_it() -> None:
    who = ears()
    found = [who.feed(LATE_BURST[sample : sample + 1]) for sample in range(len(LATE_BURST))]
    assert [number for number, some in enumerate(found) if some] == [13]
    assert found[13] == [Detection("loud", 14 / HZ, 0.5)]


def test_the_first_score_of_a_stream_may_fire_and_none_comes_before_it() -> None:
    who = ears()
    scores, found = who.hear(np.ones(3, np.float32))
    assert (scores.shape, found) == ((0, 1), [])
    # four ones, and the four zeros that are heard before a stream
    assert who.feed(np.ones(1, np.float32)) == [Detection("loud", 4 / HZ, 0.5)]


@pytest.mark.parametrize("before", [0, 2, 10, 100])
def test_a_word_that_begins_a_stream_is_detected_as_one_that_comes_after_silence(
    before: int,
) -> None:
    # of six ones the scores that are due 4, 6, 8 and 10 samples after their start heard 4, 6, 6, 4
    word = np.array([0] * before + [1] * 6 + [0] * 8, np.float32)
    who = ears(smoothing_scores=3, patience=3)
    assert who.feed(word) == [Detection("loud", (before + 8) / HZ, 0.5)]


def test_smoothing_threshold_and_rest_are_the_caller_s_or_the_bundle_s() -> None:
    rows = np.repeat([0, 1, 0, 1, 0], 16).astype("f4")
    assert [one.time_s * HZ for one in ears().feed(rows)] == [20, 52]
    assert [one.time_s * HZ for one in ears(threshold=1.0).feed(rows)] == [24, 56]
    assert [one.time_s * HZ for one in ears(refractory_ms=2.1).feed(rows)] == [20]
    # means of 4 of 1/4, 1/2, 3/4, 1, 1, ...: (1/4 + 1/2 + 3/4 + 1) / 4 is the first above 1/2
    assert [one.time_s * HZ for one in ears(smoothing_scores=4).feed(rows)] == [24, 56]


def test_each_keyword_is_decided_at_its_own_point() -> None:
    low = {"threshold": 0.25, "smoothing_scores": 1, "refractory_ms": 0.0}
    deciding = {"default": bundles.facts()["operating_point"]["default"], "keywords": {"loud": low}}
    made = bundle.of(
        bundles.facts(labels=["loud", "quiet"], operating_point=deciding), bundles.graphs()
    )
    who = Spotter(made)
    assert who.keywords == ("loud", "quiet")
    assert who.points["loud"].threshold == 0.25
    # quiet is 1 - loud: it falls below 1/2 at 16 and is there again at 20
    assert who.feed(LATE_BURST) == [
        Detection("quiet", 4 / HZ, 1.0),
        Detection("loud", 12 / HZ, 0.25),
        Detection("quiet", 20 / HZ, 0.5),
    ]
    assert Spotter(made, ["quiet"]).feed(LATE_BURST)[1] == Detection("quiet", 20 / HZ, 0.5)


def test_predict_returns_the_latest_scores_as_open_wake_word_does() -> None:
    who = ears()
    assert who.predict(np.ones(3, np.float32)) == {"loud": 0.0}
    assert who.predict(np.ones(5, np.float32)) == {"loud": 1.0}
    assert who.predict(np.zeros(1, np.float32)) == {"loud": 1.0}  # no new score
    assert who.predict(np.zeros(5, np.float32)) == {"loud": 0.25}
    who.predict(np.zeros(9, np.float32))["loud"] = 9.0  # a copy
    assert who.scores == {"loud": 0.0}


# ---------------------------------------------------------------------------------- temperature


def warm(temperature: float, **changes: Any) -> bundle.Bundle:
    """The tiny bundle with a temperature."""
    deciding = {**bundles.facts()["operating_point"], "temperature": temperature}
    return bundle.of(bundles.facts(operating_point=deciding, **changes), bundles.graphs(), "warm")


def test_scores_are_those_of_tempered_posteriors() -> None:
    # 5 and 3 of 8 samples are 5/8 and 3/8; at temperature 1/2 their squares are 25 and 9 of 34
    who = Spotter(warm(0.5), threshold=0.6)
    scores, found = who.hear(np.array([1] * 3 + [0] * 5, np.float32))
    assert (scores[:, 0].tolist(), found) == ([float(np.float32(9 / 34))] * 3, [])
    who.reset()
    # the score at 4 has heard four ones, which are a half; that at 6 all five
    assert who.feed(np.array([1] * 5 + [0] * 3, np.float32)) == [
        Detection("loud", 6 / HZ, float(np.float32(25 / 34)))
    ]
    assert who.scores == {"loud": float(np.float32(25 / 34))}


def test_the_threshold_is_one_on_the_tempered_score() -> None:
    # half is half at every temperature; 6/8 against 2/8 is 3 to 1, and 9 to 1 at 1/2
    rows = np.array([1] * 6 + [0] * 2, np.float32)
    for temperature, reached in ((0.5, 0.9), (1.0, 0.75), (2.0, 3**0.5 / (1 + 3**0.5))):
        just = float(np.float32(reached))
        assert Spotter(warm(temperature), threshold=just).feed(rows)
        above = float(np.nextafter(np.float32(reached), np.float32(1), dtype=np.float32)) + 1e-7
        assert Spotter(warm(temperature), threshold=above).feed(rows) == []
    assert ears().points == Spotter(warm(0.5)).points


@pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("chunk", [1, 3, 8, 50, 1_000])
def test_with_a_temperature_the_stream_equals_the_file_and_its_clips(
    temperature: float, chunk: int
) -> None:
    made, samples = warm(temperature), draw(301)
    who, whole = Spotter(made, smoothing_scores=2), Spotter(made, smoothing_scores=2)
    pieces = [samples[n : n + chunk] for n in range(0, len(samples), chunk)]
    found, expected = spotter.hear(pieces, who), spotter.hear([samples], whole)
    assert found.detections == expected.detections
    assert found.detections
    assert np.array_equal(found.scores, expected.scores)
    plain = spotter.hear([samples], Spotter(made, smoothing_scores=1)).scores[:, 0]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (4, 0)), 8)[::2]
    clips = spotter.Runner(made).clips(windows)
    assert np.array_equal(plain[: len(windows)], tempered(clips, temperature)[:, 0])


def test_the_temperature_looks_at_all_labels_and_not_only_at_what_is_listened_for() -> None:
    both = Spotter(warm(0.5, labels=["loud", "quiet"]))
    one = Spotter(warm(0.5, labels=["loud", "quiet"]), ["loud"])
    scores, alone = both.hear(draw(99))[0], one.hear(draw(99))[0]
    assert np.array_equal(scores[:, :1], alone)
    assert scores.sum(axis=1) == pytest.approx(1.0, abs=1e-6)


def test_a_bundle_of_the_first_format_is_heard_as_ever(tmp_path: Path) -> None:
    graphs = {name: content for name, content in entries().items() if name != bundle.FACTS}
    old = honest(graphs)
    assert b'"format": 1' in old[bundle.FACTS]
    path = zipped(tmp_path / "old.watchword", old.items())
    found = bundle.read(path)
    assert (found.facts.told["format"], found.facts.temperature) == (1, 1.0)
    assert heard(Spotter(path), [draw(300)]) == heard(ears(), [draw(300)]) != []


# ---------------------------------------------------------------------------------- what is fed


def test_int16_float32_and_float64_are_the_same_sound() -> None:
    floats = draw(300) * np.float32(0.75)
    whole = audio.to_int16(floats)
    expected = heard(ears(), [floats])
    assert len(expected) > 3
    for samples in (whole, floats.astype(np.float64), floats.astype(">f4"), floats[::-1][::-1]):
        assert heard(ears(), [samples]) == expected


@settings(max_examples=60, deadline=None)
@given(PIECES)
def test_the_same_audio_in_whatever_pieces_gives_the_same_detections(lengths: list[int]) -> None:
    samples = draw(sum(lengths))
    pieces = np.split(samples, np.cumsum(lengths)[:-1]) if lengths else []
    who = ears()
    assert heard(who, [*pieces]) == heard(ears(), [samples])


def test_a_huge_chunk_is_heard_as_any_other() -> None:
    samples = np.tile(LATE_BURST, 4_000)
    who = ears()
    found = who.feed(samples)
    assert [round(one.time_s * HZ) for one in found] == [14 + 30 * n for n in range(4_000)]
    assert who.heard_s == 7.5


REFUSED: list[tuple[Any, str]] = [
    (
        np.zeros((2, 8), np.float32),
        r"a chunk of shape \(2, 8\) came in, needed \(samples,\) of .+: give chunk\[:, 0\]",
    ),
    (np.float32(0.5), r"a chunk of shape \(\) came in, needed \(samples,\) .+: give a numpy array"),
    (
        bytes(8),
        r"a chunk of bytes came in, needed an array: .+ give np\.frombuffer\(chunk, np\.int",
    ),
    (np.zeros(8, np.int32), r"a chunk of type int32 came in, needed int16 or float in \[-1, 1\]"),
    (
        np.zeros(8, np.uint8),
        r"a chunk of type uint8 came in, needed int16 or float in \[-1, 1\]: c",
    ),
    (np.zeros(8, bool), r"a chunk of type bool came in, needed int16 or float"),
    (np.zeros(8, complex), r"a chunk of type complex128 came in"),
    (np.array(["a"]), r"a chunk of type <U1 came in"),
    (np.array([0, np.nan], np.float32), r"a chunk: NaN or infinite samples found, needed finite"),
    (np.array([0, -np.inf]), r"a chunk: NaN or infinite samples found, needed finite values in \["),
    (np.array([0.0, 20_000.0]), r"a chunk: samples up to ±20000 found, needed values in \[-1, 1\]"),
    (np.full(100_000, np.nan), r"a chunk: NaN or infinite samples found"),
    ([[0.0], [0.0, 1.0]], r"a chunk that is no array came in \(.+\), needed int16 or float in \[-"),
    (None, r"a chunk of shape \(\) came in"),
]


@pytest.mark.parametrize(("chunk", "message"), REFUSED)
def test_after_a_chunk_that_is_no_audio_the_stream_goes_on_as_if_it_had_not_come(
    chunk: Any, message: str
) -> None:
    who, other = ears(smoothing_scores=3), ears(smoothing_scores=3)
    samples = draw(300)
    found, expected = who.feed(samples[:101]), other.feed(samples[:101])
    for listen in (who.feed, who.hear, who.predict):
        with pytest.raises(AudioError, match=message):
            listen(chunk)
    assert (who.heard_s, who.scores) == (other.heard_s, other.scores)
    found += who.feed(samples[101:]) + who.finish()
    assert found == expected + other.feed(samples[101:]) + other.finish()


ACTS = st.lists(
    st.one_of(st.integers(0, 40), st.integers(-len(REFUSED), -1), st.sampled_from(["end", "new"])),
    max_size=15,
)


@settings(max_examples=80, deadline=None)
@given(ACTS)
def test_whatever_is_fed_each_stream_is_heard_as_its_good_audio(acts: list[int | str]) -> None:
    who, stream, place, found = ears(), np.empty(0, np.float32), 0, []
    source = draw(700)
    for act in acts:
        if act == "new":
            who.reset()
        if act == "end":
            assert found + who.finish() == heard(ears(), [stream])
        if isinstance(act, str):
            stream, found = np.empty(0, np.float32), []
        elif act < 0:
            with pytest.raises(AudioError):
                who.feed(REFUSED[act][0])
        else:
            piece, place = source[place : place + act], place + act
            stream = np.concatenate([stream, piece])
            found = found + who.feed(piece)


# ---------------------------------------------------------------------------------- the end


def test_the_end_is_heard_with_silence_after_it_and_nothing_is_later_than_it() -> None:
    who = ears()
    assert who.feed(np.array([0] * 5 + [1] * 4, np.float32)) == []
    # the score at 10 has heard 2 to 9, of which four are ones; the recording ended at 9
    assert who.finish() == [Detection("loud", 9 / HZ, 0.5)]


def test_a_recording_shorter_than_a_clip_is_heard() -> None:
    assert heard(ears(), [np.ones(4, np.float32)]) == [Detection("loud", 4 / HZ, 0.5)]
    assert heard(ears(), [np.ones(3, np.float32)]) == []


def test_half_a_second_is_heard_after_the_end_or_what_is_missing_to_the_first_score() -> None:
    who = ears()
    who.feed(draw(101))
    # 101 + 8,000 samples, made whole to 8,102: 4,050 scores at 4, 6, ..., of which 49 were told
    assert len(who.end()[0]) == 4_050 - 49
    # a score at 19,999 samples with the 9,998 of silence, so at 10,001, of which 9,900 are missing
    timing = {**bundles.facts()["timing"], "lead_samples": 3, "warm_up_scores": 10_000}
    timing |= {"clip_samples": 19_999, "used_samples": 19_999}
    long = Spotter(bundle.of(bundles.facts(timing=timing), bundles.graphs()))
    long.feed(draw(101))
    assert len(long.end()[0]) == 1


@pytest.mark.parametrize("lead", [0, 40])
def test_a_stream_without_audio_ends_with_nothing(lead: int) -> None:
    timing = {**bundles.facts()["timing"], "lead_samples": lead, "warm_up_scores": 3 + lead // 2}
    made = bundle.of(bundles.facts(timing=timing), bundles.graphs())
    who = Spotter(made, threshold=1e-6)
    assert who.finish() == []
    assert who.feed(np.empty(0, np.int16)) == []
    scores, found = who.end()
    assert (scores.shape, found) == ((0, 1), [])


@pytest.mark.parametrize("end", ["reset", "finish"])
def test_what_is_fed_after_the_end_is_a_new_stream(end: str) -> None:
    who = ears(smoothing_scores=3, refractory_ms=1_000.0)
    who.feed(np.ones(33, np.float32))
    getattr(who, end)()
    assert (who.heard_s, who.scores) == (0.0, {"loud": 0.0})
    assert heard(who, [draw(300)]) == heard(
        ears(smoothing_scores=3, refractory_ms=1_000.0), [draw(300)]
    )


def test_memory_does_not_grow_with_the_stream() -> None:
    who = ears(smoothing_scores=7, refractory_ms=1.0)
    names = {*vars(who)}
    for number in range(2_000):
        who.feed(draw(1 + number % 50, seed=number))
        state, memory = who._state, who._memory
        assert state.pending.size < bundles.SCORE
        assert [array.shape for array in state.arrays] == [(1, bundles.CLIP - bundles.SCORE)]
        assert len(memory.recent) <= 6
        assert (memory.above.shape, memory.fired.shape) == ((1,), (1,))
        owned = (state.pending, memory.recent, memory.above, memory.fired)
        assert all(array.base is None for array in owned)  # no view keeps a longer array alive
    assert {*vars(who)} == names
    assert {*who.scores} == {"loud"}


# ---------------------------------------------------------------------------------- models


def test_spotters_of_a_file_share_one_session_and_keep_their_streams_apart(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "a.watchword")
    assert spotter.runner(path) is spotter.runner(str(path))
    assert spotter.runner(path) is not spotter.runner(path, threads=2)
    first, second = Spotter(path), Spotter(path)
    assert first._runner is second._runner
    one, two = draw(200), draw(200, seed=1)
    found: list[list[Detection]] = [[], []]
    for start in range(0, 200, 13):
        found[0] += first.feed(one[start : start + 13])
        found[1] += second.feed(two[start : start + 13])
    assert found == [ears().feed(one), ears().feed(two)]


def test_a_file_that_changed_is_read_anew_even_at_the_same_time(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "a.watchword")
    before, was = Spotter(path), path.stat()
    bundles.write(path, labels=["lout", "_unknown_"])
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert Spotter(path).keywords == ("lout",)
    assert before.feed(LATE_BURST)[0].keyword == "loud"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BundleError, match="is damaged, cut short or no bundle"):
        Spotter(path)


def test_a_folder_is_a_model_and_is_read_anew(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "open")
    Spotter(path)
    bundles.write(path, labels=["lout", "_unknown_"])
    assert Spotter(path).keywords == ("lout",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"keywords": ["lout"]},
            r"does not know the keyword 'lout': did you mean loud\? There are",
        ),
        ({"keywords": "_unknown_"}, r"does not know the keyword '_unknown_': There are: loud"),
        ({"keywords": []}, r"no keyword was named to listen for; there are: loud"),
        ({"threshold": 0.0}, r"a threshold of 0 was given, needed above 0 and at most 1"),
        ({"smoothing_scores": 0}, r"smoothing over 0 scores was asked for"),
        ({"refractory_ms": -1.0}, r"a refractory period of -1 ms was given"),
        ({"threads": 0}, r"0 threads were asked for, needed from 1 to 256"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ears(**options)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no model is called 'no-such-model'"):
        Spotter("no-such-model")
    with pytest.raises(BundleError, match=r"gone\.watchword is no file: give a \.watchword file"):
        Spotter(tmp_path / "gone.watchword")
    with pytest.raises(BundleError, match=r"tiny has no stream\.int8\.onnx, there are clip\.onnx"):
        ears(is_int8=True)


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_model_hears_the_same_in_pieces_and_nothing_in_silence(name: str) -> None:
    samples = np.concatenate([draw(40_000) - np.float32(0.5), np.zeros(40_000, np.float32)])
    whole = Spotter(name, threshold=0.3).hear(samples)
    who = Spotter(name, threshold=0.3)
    parts = [who.hear(piece) for piece in np.array_split(samples, 17)]
    # of 16,000 samples of a clip 7,680, six whole hops in its half, are silence at the start
    assert len(whole[0]) == 1 + (80_000 - 8_320) // 1_280 == 57
    # in another order of sums, as test_stream says
    assert np.abs(np.concatenate([scores for scores, _ in parts]) - whole[0]).max() < 1e-5
    assert Spotter(name).feed(np.zeros(80_000, np.int16)) == []


# ---------------------------------------------------------------------------------- recordings


def stored(path: Path, samples: NDArray[np.float32], rate_hz: int = HZ) -> Path:
    """Write a file of float samples."""
    soundfile.write(path, samples, rate_hz, subtype="FLOAT")
    return path


def test_a_file_is_heard_as_its_samples(tmp_path: Path) -> None:
    samples = draw(70_000)  # longer than a block
    expected = heard(ears(threshold=0.75), [samples])
    assert len(expected) > 3
    path = stored(tmp_path / "a.wav", samples)
    assert spotter.spot(path, MADE, threshold=0.75) == expected
    assert spotter.spot(str(path), MADE, "loud", threshold=0.75) == expected


def test_a_recording_is_told_with_all_its_scores() -> None:
    told: list[Detection] = []
    who, samples = ears(), LATE_BURST[:15]
    found = spotter.hear([samples[:9], samples[9:]], who, told.append)
    assert found.detections == tuple(told) == (Detection("loud", 14 / HZ, 0.5),)
    assert (found.keywords, found.duration_s) == (("loud",), 15 / HZ)
    assert found.scores[:7, 0].tolist() == [0, 0, 0, 0, 0.25, 0.5, 0.625]
    # scores of the silence after it bear the time of the end
    assert (found.times_s[:7] * HZ).tolist() == [4, 6, 8, 10, 12, 14, 15]
    assert len(found.times_s) == len(found.scores)
    nothing = spotter.hear([], who)
    assert (nothing.detections, nothing.scores.shape, nothing.duration_s) == ((), (0, 1), 0.0)


def test_what_was_heard_before_a_fault_is_told_and_the_spotter_is_as_new() -> None:
    told: list[Detection] = []
    who = ears()
    with pytest.raises(AudioError, match="NaN or infinite"):
        spotter.hear([LATE_BURST, np.array([np.nan])], who, told.append)
    assert told == [Detection("loud", 14 / HZ, 0.5)]
    assert (who.heard_s, heard(who, [draw(300)])) == (0.0, heard(ears(), [draw(300)]))
