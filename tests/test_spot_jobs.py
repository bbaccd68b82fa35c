"""Recordings and live audio: what is heard, what a fault leaves, and where things are written."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import bundles
from microphones import plug
from watchword import audio, spot_jobs
from watchword.errors import AudioError, ConfigError, DataError, WatchwordError
from watchword.spot_jobs import Listening, Told, targets

LOUD = 0.88
BURST_S = (8_000 + 6) / 16_000
"""When the mean of the last 8 samples reaches 0.5: at 5 of 0.88, and a score is due every 2."""


def burst(*starts: int, samples: int = 16_000) -> np.ndarray:
    """Silence with a tenth of a second of loud samples at some places."""
    waveform = np.zeros(samples)
    for start in starts:
        waveform[start : start + 1_600] = LOUD
    return waveform


def record(path: Path, waveform: np.ndarray, rate_hz: int = 16_000, **kind: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, waveform, rate_hz, **kind)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.write(tmp_path_factory.mktemp("model") / "loud.watchword")


def spot(
    model: Path, *recordings: Path, threshold: float | None = None, **words: Any
) -> tuple[Told, list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    listening = Listening(str(model), threshold=threshold)
    return spot_jobs.spot(recordings, listening, emit=found.append, **words), found


# ------------------------------------------------------------------------------------- recordings


def test_a_burst_is_one_detection_with_its_recording(model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", burst(8_000))
    told, found = spot(model, path)
    assert found == [
        {"keyword": "loud", "time_s": 0.5, "score": 0.66, "recording": str(path)}
    ]  # 6 · 0.88 / 8 at 8,006 samples, to the millisecond
    assert (told.recordings, told.heard_s, told.detections, told.fault) == (1, 1.0, 1, None)


def test_detections_come_in_order_of_recordings_and_time(model: Path, tmp_path: Path) -> None:
    two = record(tmp_path / "two.wav", burst(2_000, 30_000, samples=40_000))
    one = record(tmp_path / "one.flac", burst(8_000))
    told, found = spot(model, two, one, two)  # named twice, heard once
    places = [(Path(one["recording"]).name, one["time_s"]) for one in found]
    assert places == [("two.wav", 0.125), ("two.wav", 1.875), ("one.flac", 0.5)]
    assert (told.recordings, told.heard_s) == (2, 3.5)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "subtype"),
    [
        *[(rate_hz, 1, "PCM_16") for rate_hz in (8_000, 11_025, 22_050, 44_100, 96_000, 192_000)],
        *[(16_000, channels, "PCM_16") for channels in (2, 3, 8)],
        *[(48_000, 2, subtype) for subtype in ("PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")],
    ],
)
def test_recordings_of_all_kinds_are_heard(
    model: Path, tmp_path: Path, rate_hz: int, channels: int, subtype: str
) -> None:
    waveform = np.zeros(rate_hz)
    waveform[rate_hz // 2 : rate_hz * 6 // 10] = LOUD
    every = np.repeat(waveform[:, None], channels, axis=1)
    path = record(tmp_path / "a.wav", every, rate_hz, subtype=subtype)
    told, found = spot(model, path)
    assert len(found) == 1
    assert found[0]["time_s"] == pytest.approx(BURST_S, abs=0.001)  # resampling smears an edge
    assert told.heard_s == pytest.approx(1, abs=0.001)


def test_clipped_audio_is_heard(model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", 1.7 * burst(8_000), subtype="FLOAT")
    assert len(spot(model, path)[1]) == 1


def test_a_recording_shorter_than_a_window_is_heard_to_its_end(model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", np.full(7, LOUD))
    _, found = spot(model, path, threshold=0.7)
    # the scores that are due at 4, 6 and 8 samples have heard 4, 6 and all of them: 7 · 0.88 / 8
    assert [(one["time_s"], one["score"]) for one in found] == [(0.0, 0.77)]


def test_the_highest_score_is_told_with_what_it_had_to_reach(model: Path, tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{x}.wav", x * burst(8_000)) for x in (0.3, 0.5, 0.4)]
    told, found = spot(model, *paths, threshold=0.8)
    assert found == []
    assert told.peak == {"keyword": "loud", "time_s": 0.5, "score": 0.44, "threshold": 0.8}


def test_how_far_it_has_come_is_told_in_seconds(model: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    paths = [record(tmp_path / f"{x}.wav", np.zeros(x * 16_000)) for x in (2, 3)]
    spot(model, *paths, tmp_path / "missing.wav", progress=lambda *step: steps.append(step))
    assert steps == [("seconds heard", done, 5) for done in (1, 2, 3, 4, 5)]


def test_a_header_that_does_not_know_its_length_is_not_believed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int, int | None]] = []
    path = record(tmp_path / "a.wav", burst(8_000))
    endless = SimpleNamespace(frames=2**63 - 1, samplerate=16_000)
    monkeypatch.setattr(soundfile, "info", lambda _path: endless)
    spot(model, path, progress=lambda *step: steps.append(step))
    assert steps == [("seconds heard", 1, None)]


# ----------------------------------------------------------------------------------------- faults


def test_what_came_before_nan_is_told_labelled_and_drawn(model: Path, tmp_path: Path) -> None:
    waveform = burst(8_000, 40_000, samples=64_000)
    waveform[50_000] = np.nan
    path = record(tmp_path / "a.wav", waveform, subtype="FLOAT")
    told, found = spot(model, path, labels=tmp_path / "a.txt", plot=tmp_path / "a.png")
    assert [one["time_s"] for one in found] == [0.5, 2.5]
    assert "NaN or infinite samples found" in str(told.fault)
    assert str(told.fault).endswith("; the 3.0 s before it were heard")
    assert (tmp_path / "a.txt").read_text().count("loud") == 2
    assert (tmp_path / "a.png").is_file()


def test_a_detection_that_is_pending_at_a_fault_is_made(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = np.zeros(8_007, np.float32)
    waveform[8_002:] = LOUD  # 4 of 8 when the last score is due, 5 at the next

    def blocks(*_: object) -> Iterator[np.ndarray]:
        yield waveform
        raise AudioError("unplugged")

    monkeypatch.setattr(audio, "blocks", blocks)
    told, found = spot(model, Path("a.wav"))
    assert [(one["time_s"], one["score"]) for one in found] == [(0.5, 0.55)]
    assert str(told.fault) == "unplugged; the 0.5 s before it were heard"


def test_a_damaged_file_is_heard_up_to_the_damage(model: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, 160_000)
    path = record(tmp_path / "a.flac", noise + burst(8_000, samples=160_000))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    told, found = spot(model, path)
    assert len(found) == 1
    assert "cannot be decoded" in str(told.fault)
    assert 4 < told.heard_s < 7


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file, needed a sound file; check the name"),
        (b"", "the file is empty (0 bytes), needed audio; remove it or record it again"),
        (b"no sound", "cannot be decoded"),
    ],
)
def test_what_is_no_recording_is_a_fault_and_nothing_is_written(
    model: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    told, found = spot(model, path, labels=tmp_path / "a.txt", plot=tmp_path / "a.png")
    assert found == []
    assert message in str(told.fault)
    assert "before it were heard" not in str(told.fault)
    assert not {*tmp_path.iterdir()} & {tmp_path / "a.txt", tmp_path / "a.png"}


def test_a_header_without_samples_is_a_fault(model: Path, tmp_path: Path) -> None:
    told, _ = spot(model, record(tmp_path / "a.wav", np.zeros(0)))
    assert "no samples found, needed audio" in str(told.fault)


def test_one_bad_recording_does_not_keep_the_others_from_being_heard(
    model: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    (tmp_path / "b.wav").touch()
    names = [record(tmp_path / name, burst(8_000)) for name in ("a.wav", "c.wav")]
    told, found = spot(model, names[0], tmp_path / "b.wav", names[1], warn=said.append)
    assert len(found) == 2
    (line,) = said
    assert "b.wav: the file is empty" in line
    assert "1 of 3 recordings could not be heard to their end, needed" in str(told.fault)
    assert "mend those named above" in str(told.fault)


# ----------------------------------------------------------------------------- labels and pictures


def test_labels_are_those_of_audacity(model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", burst(8_000, 40_000, samples=48_000))
    spot(model, path, labels=tmp_path / "new" / "b.txt")
    assert (tmp_path / "new" / "b.txt").read_text() == (
        "0.500375\t0.500375\tloud 0.66\n2.500375\t2.500375\tloud 0.66\n"
    )


def test_labels_of_a_recording_without_detections_are_an_empty_file(
    model: Path, tmp_path: Path
) -> None:
    spot(model, record(tmp_path / "a.wav", np.zeros(99)), labels=tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == b""


@pytest.mark.parametrize(
    ("recordings", "names"),
    [
        (["a/x.wav", "b/y.flac"], ["x", "y"]),
        (["a/x.wav", "b/x.wav"], ["a-x", "b-x"]),
        (["a/x.wav", "a/x.flac"], ["x.wav", "x.flac"]),
        (["a/X.wav", "b/x.wav"], ["a-X", "b-x"]),  # one file to some file systems
        (["a/s/x.wav", "b/s/x.wav", "y.wav"], ["a-s-x", "b-s-x", "data-main-y"]),
        (["a/b-x.wav", "a-b/x.wav", "c/x.wav"], ["1-b-x", "2-x", "3-x"]),
    ],
)
def test_recordings_of_one_name_get_files_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recordings: Sequence[str], names: list[str]
) -> None:
    (tmp_path / "data" / "main").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data" / "main")
    paths = [Path(name) for name in recordings]
    found = [path.stem for path in targets(Path("out"), paths, ".txt", "--labels").values()]
    assert found == names


def test_one_recording_never_takes_the_labels_of_another(model: Path, tmp_path: Path) -> None:
    one = record(tmp_path / "one" / "x.wav", burst(8_000))
    two = record(tmp_path / "two" / "x.wav", np.zeros(16_000))
    spot(model, one, two, labels=tmp_path / "labels")
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "labels").iterdir()}
    assert {name: size > 0 for name, size in sizes.items()} == {"one-x.txt": 1, "two-x.txt": 0}


@pytest.mark.parametrize(
    ("place", "count", "message"),
    [
        ("x.txt", 2, "x.txt names one file for 2 recordings, needed a folder: --labels x"),
        ("x.wav", 1, "x.wav names no .txt file and no folder that is there.*--labels x.txt"),
        ("x.flac", 2, "x.flac names no .txt file"),
    ],
)
def test_labels_go_nowhere_else(place: str, count: int, message: str) -> None:
    recordings = [Path(f"{number}.wav") for number in range(count)]
    with pytest.raises(ConfigError, match=message):
        targets(Path(place), recordings, ".txt", "--labels")


def test_a_folder_with_a_dot_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "v1.5").mkdir()
    (found,) = targets(tmp_path / "v1.5", [Path("a.wav")], ".txt", "--labels").values()
    assert found == tmp_path / "v1.5" / "a.txt"


def test_where_nothing_can_be_written_is_said(model: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", burst(8_000))
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot be written \(File exists\).*choose another"):
        spot(model, path, labels=tmp_path / "file" / "a.txt")


def test_a_missing_matplotlib_is_said_before_anything_is_heard(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(audio, "blocks", lambda *_: pytest.fail("heard"))
    path = record(tmp_path / "a.wav", burst(8_000))
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[plot\]'"):
        spot(model, path, plot=tmp_path / "a.png")


def test_pictures_are_named_like_their_recordings(model: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    paths = [record(tmp_path / f"{name} $向左.wav", burst(8_000)) for name in "ab"]
    spot(model, *paths, plot=tmp_path / "out", progress=lambda what, *_: steps.append(what))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a $向左.png", "b $向左.png"]
    assert set(steps) == {"seconds heard", "seconds drawn"}


# ------------------------------------------------------------------------------------- live audio


def listen(model: Path, **words: Any) -> tuple[Told, list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    given = {"device": None, "is_stdin": False, **words}
    return spot_jobs.listen(Listening(str(model)), emit=found.append, **given), found


def chunks(waveform: np.ndarray) -> list[np.ndarray]:
    return np.array_split((32_767 * waveform).astype(np.int16), max(1, len(waveform) // 1_280))


def test_a_microphone_that_is_unplugged_ends_it_with_all_that_was_heard(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = np.concatenate([burst(8_000, samples=12_000), np.full(7, LOUD)])  # 7 at the very end
    module = plug(monkeypatch, *chunks(late))
    told, found = listen(model)
    assert [one["time_s"] for one in found] == [0.5, 0.75]
    assert list(found[0]) == ["keyword", "time_s", "score"]
    assert (told.detections, told.heard_s) == (2, 12_007 / 16_000)
    assert isinstance(told.fault, AudioError)
    assert "unplugged" in str(told.fault)
    assert module.is_closed


def test_an_interruption_ends_it_without_a_fault(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = plug(monkeypatch, *chunks(burst(2_000)), *chunks(burst(2_000)))
    seen = []

    def show(_peak: float, _scores: object, _thresholds: object, time_s: float) -> None:
        seen.append(time_s)
        if time_s >= 1:
            raise KeyboardInterrupt

    told, found = listen(model, show=show)
    assert (told.fault, told.heard_s, len(found)) == (None, 1.0, 1)
    assert module.is_closed
    assert len(seen) == 12


def test_what_is_shown_are_peak_scores_thresholds_and_time(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Any, ...]] = []
    said: list[str] = []
    plug(monkeypatch, np.full(1_280, -16_384, np.int16), np.full(1_280, 16_384, np.int16))
    listen(model, show=lambda *words: shown.append(words), say=said.append)
    assert shown[0] == (0.5, {"loud": -0.5}, {"loud": 0.5}, 0.08)
    assert shown[1] == (0.5, {"loud": 0.5}, {"loud": 0.5}, 0.16)
    assert said == ["listening for loud; Ctrl-C ends it"]


def test_the_standard_input_is_heard_like_a_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = burst(2_000, 9_000)
    samples = (32_768 * waveform).astype("<i2")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(samples.tobytes())))
    told, found = listen(model, is_stdin=True)
    _, same = spot(model, record(tmp_path / "a.wav", samples))
    assert found == [{k: v for k, v in one.items() if k != "recording"} for one in same]
    assert (told.fault, told.heard_s) == (None, 1.0)


def test_one_source_is_listened_to(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"--device 2 was given with --stdin, needed one.*leave"):
        listen(model, device=2, is_stdin=True)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(AudioError, match=r"input is closed, needed raw samples.*open a pipe"):
        listen(model, is_stdin=True)


def test_without_a_microphone_nothing_is_said_to_be_heard(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    plug(monkeypatch, names=())
    told, _ = listen(model, say=said.append)
    assert (said, told.heard_s) == ([], 0.0)
    assert "this machine has no microphone" in str(told.fault)
