"""Stretches of recordings to listen to: which, cut to the sample, and what is said of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from watchword import audio
from watchword.decision import Detection, OperatingPoint
from watchword.errors import AudioError, DataError
from watchword.long_audio import sounds
from watchword.long_audio.judge import Judged, judge
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.sounds import Sound, Trace, cut, flac, highest, spectrogram_png, within

RATE_HZ = 16_000
POINTS = {"go": OperatingPoint(threshold=0.6), "stop": OperatingPoint(threshold=0.8)}


def noise(samples: int, channels: int = 1, seed: int = 0) -> NDArray[np.int16]:
    """Samples of all heights below a third of full scale, so that resampling does not clip."""
    drawn = np.random.default_rng(seed).integers(-10_000, 10_000, (samples, channels))
    return drawn.astype(np.int16)


def write(path: Path, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


def recording(*files: Path, duration_s: float = 60.0, **about: Any) -> Recording:
    return Recording(about.pop("name", "mix-0004"), files, duration_s, **about)


def heard(path: Path) -> NDArray[np.int16]:
    """A file as a model hears it, in 16 bits."""
    return audio.to_int16(audio.read(path)[0])


# ---------------------------------------------------------------------------------------- cutting


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_cut_goes_across_files_that_follow_each_other(tmp_path: Path, suffix: str) -> None:
    whole = noise(48_000)[:, 0]
    parts = np.split(whole, [10_000, 10_016, 31_111])
    files = [write(tmp_path / f"{n}{suffix}", part) for n, part in enumerate(parts)]
    found = cut(recording(*files), 0.5, 2.5)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, whole[8_000:40_000])


@pytest.mark.parametrize(("start_s", "end_s"), [(-0.5, 0.5), (0.75, 1.5), (-1.0, 3.0), (2.0, 3.0)])
def test_outside_a_recording_there_is_silence(tmp_path: Path, start_s: float, end_s: float) -> None:
    whole = noise(16_000)[:, 0]
    found = cut(recording(write(tmp_path / "a.wav", whole)), start_s, end_s)
    around = np.concatenate([np.zeros(16_000, np.int16), whole, np.zeros(48_000, np.int16)])
    first = round((start_s + 1) * RATE_HZ)
    np.testing.assert_array_equal(found, around[first : first + round((end_s - start_s) * RATE_HZ)])


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 44_056])
@pytest.mark.parametrize("start_s", [0.0, 0.31, 2.4])
def test_a_cut_of_another_rate_is_what_the_whole_would_be(
    tmp_path: Path, rate_hz: int, start_s: float
) -> None:
    path = write(tmp_path / "a.wav", noise(3 * rate_hz, channels=2), rate_hz)
    whole = heard(path)
    first = round(start_s * RATE_HZ)
    difference = cut(recording(path), start_s, start_s + 0.6).astype(int) - whole[first:][:9_600]
    assert np.abs(difference).max() <= 1  # resampling rounds differently from another start


def test_files_of_all_kinds_can_follow_each_other(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.flac", noise(20_003)),
        write(tmp_path / "b.wav", noise(55_123, channels=2), 44_100),
        write(tmp_path / "c.ogg", noise(30_000), 24_000),
        write(tmp_path / "d.wav", noise(16_000)),
    ]
    whole = np.concatenate([heard(path) for path in files])
    found = cut(recording(*files), 0.0, len(whole) / RATE_HZ)
    assert np.abs(found.astype(int) - whole).max() <= 1
    late = cut(recording(*files), 3.9, 4.6)  # from the middle of the .ogg into the last
    assert np.abs(late.astype(int) - whole[62_400:73_600]).max() <= 1


def test_no_more_is_read_than_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.flac", noise(44_100 * 60), 44_100)
    counts, read = [], soundfile.SoundFile.read

    def counted(self: soundfile.SoundFile, frames: int, **kind: Any) -> Any:
        counts.append(frames)
        return read(self, frames, **kind)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    cut(recording(path, tmp_path / "after it, never opened.wav"), 50.0, 51.0)
    assert sum(counts) < 1.5 * 44_100


def test_a_file_that_does_not_know_its_length_is_read_from_its_start(tmp_path: Path) -> None:
    path = write(tmp_path / "piped.flac", noise(32_000))
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO counts samples in 36 bits; a pipe leaves zeros
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(cut(recording(path), 0.5, 1.0), heard(path)[8_000:16_000])


def test_a_cut_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"mix-0004 from 2 to 1 s holds nothing, needed two times"):
        cut(recording(), 2.0, 1.0)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file, needed a sound file"):
        cut(recording(tmp_path / "gone.wav"), 0.0, 1.0)


def test_a_file_without_samples_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.wav", noise(0))
    with pytest.raises(AudioError, match=r"empty\.wav: no samples found, needed audio"):
        cut(recording(path), 0.0, 1.0)


def test_a_file_that_breaks_off_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "short.flac", noise(160_000))
    path.write_bytes(path.read_bytes()[:100_000])
    np.testing.assert_array_equal(cut(recording(path), 0.0, 1.0), noise(160_000)[:16_000, 0])
    with pytest.raises(AudioError, match=r"short\.flac: .*needed"):
        cut(recording(path), 8.0, 9.0)


# ------------------------------------------------------------------------------------ which to hear


def trace(*scores: float, step_s: float = 0.5) -> Trace:
    return step_s * np.arange(len(scores)), np.array(scores, np.float32)


NO_SCORES = trace()
SOME_SCORES = trace(0.1, 0.7, 0.2)


def test_the_highest_score_is_sought_between_two_times_both_included() -> None:
    scores = trace(0.9, 0.1, 0.3, 0.2, 0.8)
    assert highest(scores, 0.5, 1.5) == pytest.approx(0.3)
    assert highest(scores, 0.5, 2.0) == pytest.approx(0.8)
    assert highest(scores, 1.6, 1.9) == 0.0
    assert [*within(scores, 0.5, 1.0)[0]] == [0.5, 1.0]


def test_a_time_that_differs_in_its_last_bits_is_the_same_time() -> None:
    times_s = np.arange(40) * 0.08
    assert len(within((times_s, times_s), 3 * 0.1 * 0.8, 0.8)[0]) == 8  # 0.24000000000000005


@pytest.fixture
def judged() -> Judged:
    """Two recordings; go is needed to reach 0.6, stop 0.8."""
    first = recording(name="a", events=(Event("go", 5.0, 5.5), Event("stop", 20.0, 20.5)))
    second = recording(name="b", events=(Event("go", 1.0, 1.4), Event("go", 30.0, 30.4)))
    found = [
        [Detection("stop", 9.0, 0.90), Detection("go", 12.0, 0.65)],
        [Detection("go", 1.2, 0.99), Detection("go", 3.0, 0.85), Detection("stop", 4.0, 0.99)],
    ]
    return judge(POINTS, [first, second], found)


def test_the_false_accept_that_is_farthest_above_its_threshold_comes_first(judged: Judged) -> None:
    found = [(where.name, one.time_s) for where, one in sounds.worst_false_accepts(judged)]
    assert found == [("b", 3.0), ("b", 4.0), ("a", 9.0), ("a", 12.0)]  # 0.25, 0.19, 0.10, 0.05
    assert len(sounds.worst_false_accepts(judged, 2)) == 2


def test_what_came_of_a_burst_can_be_gone_by(judged: Judged) -> None:
    found = sounds.worst_false_accepts(judged, 1, lambda _, one: one.time_s / 10)
    assert [(where.name, one.time_s) for where, one in found] == [("a", 12.0)]


def test_the_miss_that_is_farthest_below_its_threshold_comes_first(judged: Judged) -> None:
    peaks = {5.0: 0.30, 20.0: 0.45, 30.0: 0.55}  # 0.30, 0.35 and 0.05 were lacking
    found = sounds.worst_misses(judged, lambda _, event: peaks[event.start_s])
    assert [(where.name, event.start_s) for where, event in found] == [
        ("a", 20.0),
        ("a", 5.0),
        ("b", 30.0),
    ]
    assert len(sounds.worst_misses(judged, lambda *_: 0.0, limit=2)) == 2


def test_mistakes_that_are_equally_bad_stay_in_order(judged: Judged) -> None:
    found = sounds.worst_misses(judged, lambda _, event: POINTS[event.keyword].threshold)
    assert [event.start_s for _, event in found] == [5.0, 20.0, 30.0]


def test_both_kinds_are_made_into_sounds_the_worst_first(tmp_path: Path, judged: Judged) -> None:
    path = write(tmp_path / "a.wav", noise(60 * RATE_HZ))
    recordings = tuple(Recording(one.name, (path,), 60.0, one.events) for one in judged.recordings)
    there = Judged(judged.points, recordings, judged.outcomes)

    def traces(where: Recording, keyword: str) -> Trace:
        times_s = np.arange(0, 60, 0.1)
        scores = np.full(len(times_s), 0.2 if (where.name, keyword) == ("a", "stop") else 0.1)
        scores[123] = 0.97 if (where.name, keyword) == ("a", "go") else 0.1
        return times_s, scores

    alarms, misses = sounds.worst(there, traces, limit=3)
    assert [one.title for one in alarms] == [
        "go, 0.97, heard at 0:12.0 in a",  # its burst went on to rise
        "go, 0.85, heard at 0:03.0 in b",
        "stop, 0.99, heard at 0:04.0 in b",
    ]
    assert [one.title for one in misses] == [
        "stop, missed at 0:20.0 in a",
        "go, missed at 0:05.0 in a",
        "go, missed at 0:30.0 in b",
    ]
    whole = noise(60 * RATE_HZ)[:, 0]
    np.testing.assert_array_equal(alarms[1].waveform, whole[24_000:64_000])
    np.testing.assert_array_equal(misses[1].waveform, whole[64_000:104_000])


# ------------------------------------------------------------------------------------ what is said


def alarm(scores: Trace = NO_SCORES, **about: Any) -> Sound:
    where = recording(duration_s=100.0, **about)
    found = Detection("go", 10.0, 0.61)
    return sounds.false_accept(where, found, POINTS["go"], lambda *_: scores, 1.0)


def missed(event: Event, scores: Trace = NO_SCORES, **about: Any) -> Sound:
    where = recording(duration_s=100.0, **about)
    return sounds.miss(where, event, POINTS[event.keyword], lambda *_: scores, 1.0)


@pytest.mark.parametrize(
    ("about", "note"),
    [
        ({}, "no keyword was said; 0.60 was needed"),
        ({"may_hold": True}, "what was said is not known; 0.60 was needed"),
        (
            {"events": (Event("stop", 9.0, 9.5),), "tags": {"noise": "rain", "snr_db": "-5"}},
            "“stop” was said at 0:09.0, noise rain, at −5 dB SNR; 0.60 was needed",
        ),
        (
            {"events": (Event("stop", 8.6, 9.1), Event("go", 9.4, 9.8))},
            "“go” was said at 0:09.4; 0.60 was needed",
        ),
        ({"events": (Event("stop", 8.0, 8.9),)}, "no keyword was said; 0.60 was needed"),
        (
            {"said": (Said("let it go on", 0.0, 12.0),), "tags": {"speaker": "ls84"}},
            "within “let it go on”, said by ls84; 0.60 was needed",
        ),
    ],
)
def test_a_false_accept_tells_what_was_said_there(about: dict[str, Any], note: str) -> None:
    assert alarm(**about).note == note


def test_a_long_text_is_cut_short() -> None:
    note = alarm(said=(Said("word " * 200, 0.0, 60.0),)).note
    assert "word …”" in note
    assert len(note) < sounds.MOST_LETTERS + 50


def test_a_false_accept_shows_the_highest_score_of_its_burst() -> None:
    times_s = np.arange(0, 20, 0.5)
    scores = np.where(times_s == 10.5, 0.93, 0.2)
    found = alarm((times_s, scores))
    assert found.title == "go, 0.93, heard at 0:10.0 in mix-0004"
    assert [*found.trace[0]] == [8.5, 9.0, 9.5, 10.0, 10.5, 11.0]
    assert (found.start_s, found.duration_s, found.mark_s) == (8.5, 2.5, (10.0, 10.0))


def test_a_miss_tells_what_is_known_of_it() -> None:
    event = Event("stop", 70.4, 71.0, {"speaker": "ab12", "snr_db": "10"})
    times_s = np.arange(0, 100, 0.1)
    scores = np.where(np.isclose(times_s, 71.9), 0.41, 0.05)
    found = missed(event, (times_s, scores), tags={"noise": "rain", "speaker": "not this one"})
    assert found.title == "stop, missed at 1:10.4 in mix-0004"
    assert found.note == (
        "said by ab12, at 10 dB SNR, noise rain; the highest score was 0.41, 0.80 was needed"
    )
    assert (found.start_s, found.duration_s, found.mark_s) == (69.4, 2.6, (70.4, 71.0))


def test_a_miss_of_which_nothing_is_known_has_its_scores() -> None:
    found = missed(Event("go", 5.0, 5.5), trace(*[0.7] * 20))
    assert found.note == (
        "the highest score was 0.70, 0.60 was needed, and the detection was not its own"
    )


# ------------------------------------------------------------------------------- sound and picture


def test_a_sound_can_be_played_bit_for_bit() -> None:
    samples = noise(40_000)[:, 0]
    found, rate_hz = soundfile.read(io.BytesIO(flac(samples)), dtype="int16")
    assert rate_hz == RATE_HZ
    np.testing.assert_array_equal(found, samples)


def sound(samples: NDArray[np.int16], scores: Trace = SOME_SCORES) -> Sound:
    return Sound("title", "note", 0.0, samples, scores, 0.6, (1.0, 1.5))


def test_a_picture_is_a_small_png() -> None:
    png = spectrogram_png(sound(noise(40_000)[:, 0]))
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[place : place + 4]) for place in (16, 20))
    assert (width, height) == (630, 300)
    assert len(png) < 250_000


def test_a_picture_shows_sound_and_scores() -> None:
    tone = (8_000 * np.sin(np.arange(40_000))).astype(np.int16)
    drawn = {
        spectrogram_png(one)
        for one in (
            sound(np.zeros(40_000, np.int16)),
            sound(tone),
            sound(tone, trace(0.1, 0.3, 0.2)),
            sound(tone, NO_SCORES),  # before the first score of a recording
        )
    }
    assert len(drawn) == 4
    assert spectrogram_png(sound(tone)) in drawn
