"""Scores of recordings: what they make heard is what one who listens hears."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bundles
from watchword import audio, bundle, shipped, spotter
from watchword.bundle import Bundle
from watchword.decision import Detection, OperatingPoint
from watchword.errors import AudioError, ConfigError, DataError
from watchword.facts import Timing
from watchword.long_audio import scores as answers
from watchword.long_audio.reference import Event, Recording
from watchword.long_audio.scores import LongScores
from watchword.spotter import Spotter
from watchword.stream import Runner

HZ = 16_000
POINT = OperatingPoint(threshold=0.6, smoothing_scores=2, refractory_ms=0.3)
SMALL = LongScores(
    "key",
    ("loud", "_unknown_"),
    Timing(8, 8, 2, 0, 3),
    ("a", "b"),
    np.array([7, 3]),
    (
        np.array([[0.25, 0.75], [0.5, 0.5], [1, 0]], np.float32),
        np.array([[0.125, 0.875]], np.float32),
    ),
)


def tiny(temperature: float = 1.0, **changes: Any) -> Bundle:
    """The bundle whose posterior of ``loud`` is the mean of 8 samples."""
    deciding = {**bundles.facts()["operating_point"], "temperature": temperature}
    return bundle.of(bundles.facts(operating_point=deciding, **changes), bundles.graphs(), "tiny")


def draw(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Noise in multiples of 1/64 that crosses the threshold now and then."""
    return (np.random.default_rng(seed).integers(0, 65, samples) / 64).astype(np.float32)


def stored(
    path: Path, *pieces: NDArray[np.float32], rate_hz: int = HZ, name: str = ""
) -> Recording:
    """A recording of as many files as there are pieces."""
    files = []
    for number, samples in enumerate(pieces):
        files.append(path / f"{name or path.name}-{number}.wav")
        soundfile.write(files[-1], samples, rate_hz, subtype="FLOAT")
    seconds = sum(map(len, pieces)) / rate_hz
    return Recording(name or path.name, tuple(files), seconds)


def heard_by_spotter(
    model: Bundle, pieces: Sequence[NDArray[Any]], point: OperatingPoint = POINT
) -> list[Detection]:
    """What one who listens to a recording from start to end hears in it."""
    who = Spotter(
        model,
        threshold=point.threshold,
        smoothing_scores=point.smoothing_scores,
        refractory_ms=point.refractory_ms,
        patience=point.patience,
    )
    return [*spotter.hear(pieces, who).detections]


def heard_by_scores(
    model: Bundle, *recordings: Recording, point: OperatingPoint = POINT
) -> list[list[Detection]]:
    """The same from scores of all recordings."""
    points = dict.fromkeys(model.facts.keywords, point)
    found = answers.hear(Runner(model), recordings)
    return answers.detections(found, points, model.facts.temperature)


# ---------------------------------------------------------------------------------- as a spotter


@pytest.mark.parametrize("temperature", [1.0, 0.5, 1.7])
@pytest.mark.parametrize("chunk", [1, 7, 160, 10_000])
def test_detections_are_those_of_a_spotter_to_the_last_bit(
    tmp_path: Path, chunk: int, temperature: float
) -> None:
    model = tiny(temperature)
    sounds = [draw(samples, seed) for seed, samples in enumerate((301, 3_000, 64, 8))]
    recordings = [stored(tmp_path, one, name=f"r{n}") for n, one in enumerate(sounds)]
    found = heard_by_scores(model, *recordings)
    assert sum(map(len, found)) > 30
    for one, detections in zip(sounds, found, strict=True):
        pieces = [one[start : start + chunk] for start in range(0, len(one), chunk)]
        assert detections == heard_by_spotter(model, pieces)


def test_a_recording_longer_than_a_block_is_heard_as_one(tmp_path: Path) -> None:
    sound = np.zeros(round(2.5 * answers.BLOCK_S * HZ) + 5, np.float32)
    block = round(answers.BLOCK_S * HZ)
    for start in (3, block - 4, 2 * block - 1, len(sound) - 6):
        sound[start : start + 6] = 1
    found = heard_by_scores(tiny(), stored(tmp_path, sound))[0]
    assert len(found) == 4
    assert found == heard_by_spotter(tiny(), [sound])
    assert found[-1].time_s <= len(sound) / HZ


def test_files_of_one_recording_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    one = np.array([0] * 9 + [1] * 4, np.float32)
    other = np.array([1] * 4 + [0] * 9, np.float32)
    high = replace(POINT, threshold=1.0, smoothing_scores=1)
    found = heard_by_scores(tiny(), stored(tmp_path, one, other), point=high)[0]
    assert found == heard_by_spotter(tiny(), [np.concatenate([one, other])], high)
    # eight ones lie from sample 9 to 16; the score at 18 has heard 10 to 17: seven of them
    assert found == []
    found = heard_by_scores(tiny(), stored(tmp_path, one[1:], other), point=high)[0]
    assert found == [Detection("loud", 16 / HZ, 1.0)]


@pytest.mark.parametrize("samples", [1, 4, 7])
def test_a_recording_shorter_than_a_window_is_heard_to_its_end(
    tmp_path: Path, samples: int
) -> None:
    sound = np.ones(samples, np.float32)
    low = replace(POINT, threshold=samples / 8, smoothing_scores=1)
    found = heard_by_scores(tiny(), stored(tmp_path, sound), point=low)[0]
    assert found == heard_by_spotter(tiny(), [sound], low)
    assert found[0] == Detection("loud", samples / HZ, samples / 8)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_recording_of_another_rate_is_heard_as_a_spotter_hears_its_blocks(
    tmp_path: Path, temperature: float
) -> None:
    slow = np.repeat(draw(600), 180)  # changes slowly enough to live through the resampling
    one = stored(tmp_path, slow, rate_hz=44_100)
    found = heard_by_scores(tiny(temperature), one)[0]
    assert len(found) > 50
    assert found == heard_by_spotter(tiny(temperature), [*audio.blocks(one.files[0], 1.0)])


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_model_fires_in_scores_as_in_a_spotter_that_hears_the_same_chunks(
    tmp_path: Path, name: str
) -> None:
    model = bundle.read(shipped.find_bundle(Path(name)))
    one = stored(tmp_path, draw(70_000) - np.float32(0.5), np.zeros(40_000, np.float32))
    low = OperatingPoint(1e-5, 2, 0.0, patience=2)
    found = heard_by_scores(model, one, point=low)[0]
    assert found
    assert found == heard_by_spotter(model, [*answers.chunks(one)], low)


def test_each_keyword_has_its_own_column_and_point(tmp_path: Path) -> None:
    model = tiny(labels=["loud", "quiet"])
    one = stored(tmp_path, np.array([0] * 10 + [1] * 6 + [0] * 14, np.float32))
    scores = answers.hear(Runner(model), [one])
    points = {"quiet": OperatingPoint(0.5, 1, 0.0), "loud": OperatingPoint(0.25, 1, 0.0)}
    assert answers.detections(scores, points)[0] == [
        Detection("quiet", 4 / HZ, 1.0),
        Detection("loud", 12 / HZ, 0.25),
        Detection("quiet", 20 / HZ, 0.5),
    ]
    assert answers.detections(scores, {"loud": points["loud"]})[0] == [
        Detection("loud", 12 / HZ, 0.25)
    ]
    with pytest.raises(ConfigError, match="no keyword was given to decide about"):
        answers.detections(scores, {})
    with pytest.raises(ValueError, match="index"):
        answers.detections(scores, {"soft": POINT})


def test_rows_are_due_as_the_stream_says_and_none_after_the_end() -> None:
    assert (SMALL.times_s(0) * HZ).tolist() == [4, 6, 7]  # the last but for the end at 8
    assert (SMALL.times_s(1) * HZ).tolist() == [3]  # but for the end at 4


# ---------------------------------------------------------------------------------- side by side


def test_several_at_a_time_give_what_one_after_the_other_gives(tmp_path: Path) -> None:
    recordings = [stored(tmp_path, draw(200 + 900 * n, n), name=f"r{n}") for n in range(7)]
    run = Runner(tiny())
    alone, beside = (answers.hear(run, recordings, workers=workers) for workers in (1, 2))
    assert (alone.key, alone.names, alone.labels) == (beside.key, beside.names, beside.labels)
    assert alone.names == tuple(f"r{n}" for n in range(7))
    assert alone.samples.tolist() == beside.samples.tolist() == [200 + 900 * n for n in range(7)]
    for one, other in zip(alone.posteriors, beside.posteriors, strict=True):
        assert np.array_equal(one, other)


def test_how_far_it_has_come_is_told_in_seconds(tmp_path: Path) -> None:
    recordings = [stored(tmp_path, np.zeros(n * HZ, np.float32), name=f"r{n}") for n in (1, 3, 2)]
    told: list[tuple[int, int]] = []
    answers.hear(Runner(tiny()), recordings, told=lambda *some: told.append(some))
    assert told == [(1, 6), (4, 6), (6, 6)]


def test_a_file_that_is_no_audio_is_named(tmp_path: Path) -> None:
    good = stored(tmp_path, draw(99), name="good")
    (tmp_path / "bad.wav").write_bytes(b"RIFF of nothing")
    bad = Recording("bad", (tmp_path / "bad.wav",), 1.0)
    with pytest.raises(AudioError, match=r"bad\.wav"):
        answers.hear(Runner(tiny()), [good, bad], workers=2)


# ---------------------------------------------------------------------------------- the key


def test_the_key_tells_files_and_models_apart_and_nothing_else(tmp_path: Path) -> None:
    one, other = (stored(tmp_path, draw(99, n), name=f"r{n}") for n in range(2))
    run = Runner(tiny())
    key = answers.key_of(run, [one, other])
    assert len(key) == 64
    assert answers.key_of(run, [replace(one, events=(Event("loud", 0, 1),)), other]) == key
    assert answers.key_of(Runner(tiny(2.0, name="a")), [one, other]) == key
    moved = tmp_path / "moved.wav"
    shutil.copy2(one.files[0], moved)
    assert answers.key_of(run, [replace(one, files=(moved,)), other]) == key
    timing = {**bundles.facts()["timing"], "lead_samples": 4, "warm_up_scores": 5}
    found = {
        key,
        answers.key_of(run, [one]),
        answers.key_of(run, [other, one]),
        answers.key_of(run, [replace(one, name="other"), other]),
        answers.key_of(run, [replace(one, files=(one.files[0],) * 2), other]),
        answers.key_of(Runner(tiny(labels=["lout", "_unknown_"])), [one, other]),
        answers.key_of(Runner(tiny(timing=timing)), [one, other]),
    }
    graphs = {**bundles.graphs(), "stream.onnx": bundles.graphs()["clip.onnx"]}
    found.add(answers.key_of(Runner(bundle.of(bundles.facts(), graphs)), [one, other]))
    was = one.files[0].stat()
    os.utime(one.files[0], ns=(was.st_atime_ns, was.st_mtime_ns + 1_000_000))
    found.add(answers.key_of(run, [one, other]))
    stored(tmp_path, draw(101), name="r0")
    os.utime(one.files[0], ns=(was.st_atime_ns, was.st_mtime_ns))
    found.add(answers.key_of(run, [one, other]))
    assert len(found) == 10


def test_scores_of_streams_that_began_otherwise_have_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, run = stored(tmp_path, draw(99)), Runner(tiny())
    key, found = answers.key_of(run, [one]), one.files[0].stat()
    before = hashlib.sha256(
        json.dumps([run.digest, ["loud", "_unknown_"], [8, 8, 2, 0, 3]]).encode()
    )  # as keys were when nothing was heard before a stream
    before.update(f"{one.name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    monkeypatch.setattr(Timing, "silence_samples", 2)  # instead of 4
    assert len({key, before.hexdigest(), answers.key_of(run, [one])}) == 3


def test_the_8_bit_graph_has_a_key_of_its_own(tmp_path: Path) -> None:
    graphs = bundles.graphs()
    graphs |= {"stream.int8.onnx": graphs["clip.onnx"], "clip.int8.onnx": graphs["clip.onnx"]}
    made = bundle.of(bundles.facts(), graphs)
    one = [stored(tmp_path, draw(99))]
    assert answers.key_of(Runner(made), one) != answers.key_of(Runner(made, is_int8=True), one)


def test_a_file_that_is_gone_is_named_before_anything_is_heard(tmp_path: Path) -> None:
    gone = Recording("gone", (tmp_path / "gone.wav",), 1.0)
    with pytest.raises(
        AudioError,
        match=r"gone\.wav cannot be looked at \(No such file or directory\), needed a sound file",
    ):
        answers.hear(Runner(tiny()), [gone])


# ---------------------------------------------------------------------------------- the file


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    recordings = [stored(tmp_path, draw(500 + n, n), name=f"r{n}ü") for n in range(3)]
    made = answers.hear(Runner(tiny(1.5)), recordings)
    answers.save(made, tmp_path / "new" / answers.FILE_NAME)
    found = answers.load(tmp_path / "new" / answers.FILE_NAME)
    assert [*(tmp_path / "new").iterdir()] == [tmp_path / "new" / answers.FILE_NAME]
    assert (found.key, found.labels, found.timing) == (made.key, made.labels, made.timing)
    assert (found.names, found.samples.tolist()) == (made.names, made.samples.tolist())
    for one, other in zip(made.posteriors, found.posteriors, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    points = {"loud": POINT}
    assert answers.detections(found, points, 1.5) == answers.detections(made, points, 1.5)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"stream-scores\.npz cannot be written \(.+\); a folder"):
        answers.save(SMALL, tmp_path / "file" / answers.FILE_NAME)


def refused(path: Path) -> str:
    """Why a file is refused."""
    with pytest.raises(DataError) as refusal:
        answers.load(path)
    line = str(refusal.value)
    assert line.startswith(f"{path} cannot be read as scores of recordings (")
    assert line.endswith(
        "); needed is a whole stream-scores.npz as evaluation writes it: remove it, and evaluate "
        "again"
    )
    return line


class Trap:
    """What leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path, trace = tmp_path / "a.npz", tmp_path / "trace"
    refused(path)
    for content in (b"", b"PK", b"not scores " * 99, pickle.dumps(Trap(trace))):
        path.write_bytes(content)
        refused(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    refused(path)
    with path.open("wb") as file:
        np.savez(file, posteriors=np.zeros((3, 2)))
    refused(path)
    assert not trace.exists()


def parts() -> dict[str, Any]:
    """The parts of a file, as ``save`` writes them."""
    timing = {"clip_samples": 8, "used_samples": 8, "score_samples": 2}
    timing |= {"lead_samples": 0, "warm_up_scores": 3}
    about = {"key": "key", "labels": ["loud", "_unknown_"], "names": ["a", "b"], "timing": timing}
    return {
        "about": about,
        "samples": np.array([10, 9]),
        "rows": np.array([3, 1]),
        "posteriors": np.zeros((4, 2), np.float32),
    }


def forged(path: Path, **changes: Any) -> Path:
    """A file of other parts."""
    told = {**parts(), **changes}
    if isinstance(told["about"], dict):
        told["about"] = np.array(json.dumps(told["about"]))
    np.savez(path, **told)
    return path


def test_parts_that_belong_together_are_loaded(tmp_path: Path) -> None:
    found = answers.load(forged(tmp_path / "a.npz"))
    assert [len(rows) for rows in found.posteriors] == [3, 1]
    assert found.timing == SMALL.timing


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": np.array([3, 2])}, "its parts do not belong to each other"),
        ({"rows": np.array([2, 1])}, "its parts do not belong to each other"),
        ({"rows": np.array([4])}, "its parts do not belong to each other"),
        ({"samples": np.array([10])}, "its parts do not belong to each other"),
        ({"posteriors": np.zeros((4, 3), np.float32)}, "its parts do not belong to each other"),
        ({"posteriors": np.zeros(4, np.float32)}, "tuple index out of range"),
        ({"posteriors": np.array(["a"] * 4)}, "could not convert string to float"),
        ({"about": np.array("{")}, "Expecting property name"),
        ({"about": np.array("[]")}, "list indices must be"),
        ({"about": {**parts()["about"], "timing": {}}}, "missing 5 required"),
        ({"about": {**parts()["about"], "names": ["a"]}}, "its parts do not belong to each other"),
        ({"about": {"labels": [], "names": []}}, ""),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    assert reason in refused(forged(tmp_path / "a.npz", **changes))


def test_nothing_in_a_file_is_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for name in ("about", "posteriors"):
        path = tmp_path / f"{name}.npz"
        trap = np.array(Trap(trace), dtype=object)
        with path.open("wb") as file:
            np.savez(file, **{**parts(), name: trap})
        assert trace.exists() is False
        refused(path)
    assert not trace.exists()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_breaks_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    answers.save(SMALL, path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
        path.write_bytes(content)
        refused(path)
        return
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = answers.load(path)
    except DataError:
        return
    # names and dates that an archive repeats, and that nobody reads, may differ
    for one, other in zip(found.posteriors, SMALL.posteriors, strict=True):
        assert np.array_equal(one, other)
