"""Windows that fired where nothing was said: the right ones, the very clips, and as a corpus."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import long_models
from conftest import listing
from watchword import bundle, spotter
from watchword.audio import FULL_SCALE
from watchword.data.manifest import read_manifest
from watchword.errors import ConfigError, DataError
from watchword.facts import Timing
from watchword.long_audio import mine
from watchword.long_audio import scores as answers
from watchword.long_audio.mine import Window
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.scores import LongScores
from watchword.stream import Runner
from watchword.words import UNKNOWN

RATE = long_models.RATE
TENTHS = Timing(RATE, RATE, RATE // 10, 0, 9)
"""A clip is a second and a score is due every tenth of one, the first after half a second with
silence before it, so row 5 is due after 1 s."""
BURSTS = (2.0, 0.6, 0.7), (5.03, 0.5, -0.8), (9.7, 0.3, 0.9)
"""The last one ends with the audio: its score is highest in the silence that follows."""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    path = long_models.write(tmp_path_factory.mktemp("model") / "x.watchword")
    return Runner(bundle.read(path))


def heard(recordings: Sequence[Recording], *rows: dict[int, float], labels: int = 2) -> LongScores:
    """Scores of 60 rows for each recording; ``rows`` say how sure the first keyword is in which."""
    posteriors = []
    for of_one in rows:
        values = np.zeros((60, labels + 1), np.float32)
        for row, value in of_one.items():
            values[row, 0] = value
        posteriors.append(values)
    names = (*["go", "stop", "left"][:labels], UNKNOWN)
    lengths = np.array([round(one.duration_s * RATE) for one in recordings], np.int64)
    called = tuple(one.name for one in recordings)
    return LongScores("key", names, TENTHS, called, lengths, tuple(posteriors))


def recording(**given: Any) -> Recording:
    return Recording("r", (Path("r.wav"),), 6.9, **given)


def times(recordings: Sequence[Recording], *rows: dict[int, float], **given: Any) -> list[float]:
    """When the windows of ``go`` are due, the surest first."""
    windows = mine.find(heard(recordings, *rows), recordings, ["go"], **given)
    return [round(one.time_s, 3) for one in windows]


# -------------------------------------------------------------------------------- which windows


def test_the_surest_window_comes_first_and_says_what_it_was_taken_for() -> None:
    scores = heard([recording()], {10: 0.4, 40: 0.9})
    first, second = mine.find(scores, [recording()], ["stop", "go"])
    assert first == Window(0, pytest.approx(3.5), 4.5, "go", pytest.approx(0.9))
    assert second == Window(0, pytest.approx(0.5), 1.5, "go", pytest.approx(0.4))


def test_a_posterior_below_near_is_no_window() -> None:
    assert times([recording()], {10: 0.3, 40: 0.29}, near=0.3 - 1e-6) == [1.5]
    assert times([recording()], {10: 0.3, 40: 0.29}, near=0.2) == [1.5, 4.5]


def test_of_windows_nearer_than_asked_only_the_surest_is_taken() -> None:
    flank = {16: 0.5, 18: 0.5, 19: 0.6, 20: 0.9, 21: 0.6, 22: 0.5, 23: 0.5, 24: 0.5, 30: 0.4}
    # 2.1 s and 2.9 s are 0.4 s from 2.5 s: not nearer
    assert times([recording()], flank) == [2.5, 2.1, 2.9, 3.5]
    assert times([recording()], flank, apart_s=1.01) == [2.5]
    assert len(times([recording()], flank, apart_s=0.0)) == len(flank)


def test_windows_of_a_long_plateau_stand_apart() -> None:
    found = times([recording()], dict.fromkeys(range(60), 0.8), apart_s=0.7)
    assert all(after - before >= 0.7 - 1e-9 for before, after in pairwise(sorted(found)))
    assert len(found) == 9  # 60 rows, one of seven


@pytest.mark.parametrize("keyword", ["go", "stop"])
def test_a_window_near_an_event_of_any_keyword_is_not_taken(keyword: str) -> None:
    one = recording(events=(Event(keyword, 3.0, 3.4),))
    every = dict.fromkeys(range(60), 0.8)
    found = times([one], every, apart_s=0.0)
    # a clip and half a second on either side of it must not touch 3.0 to 3.4 s
    assert found
    assert all(time_s + 0.5 <= 3.0 + 1e-9 or time_s - 1.5 >= 3.4 - 1e-9 for time_s in found)
    assert {2.5, 4.9} <= {*found}  # and no more than those are lost


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("We will GO.", False),
        ("they wrote on the left", False),  # a keyword of the model that is not asked for
        ("nothing of the kind, cargo", True),
        ("", True),
    ],
)
def test_a_window_within_a_text_that_holds_a_keyword_is_not_taken(
    text: str, is_taken: bool
) -> None:
    one = recording(said=(Said(text, 2.0, 4.0), Said("and then", 4.0, 6.9)))
    scores = heard([one], {20: 0.9, 50: 0.8}, labels=3)
    found = [window.time_s for window in mine.find(scores, [one], ["go"])]
    assert found == ([2.5, 5.5] if is_taken else [5.5])


def test_a_homophone_is_a_keyword_that_is_said() -> None:
    one = recording(said=(Said("I know", 0.0, 6.9),))
    scores = replace(heard([one], {15: 0.9}), labels=("no", "stop", UNKNOWN))
    assert mine.find(scores, [one], ["no"]) == []


def test_recordings_in_which_keywords_may_occur_unmarked_are_left_out() -> None:
    pair = [recording(may_hold=True), replace(recording(), name="s")]
    scores = heard(pair, {10: 0.99}, {20: 0.5})
    (found,) = mine.find(scores, pair, ["go"])
    assert (found.recording, found.time_s) == (1, 2.5)


@pytest.mark.parametrize(
    "given",
    [{"near": 0.0}, {"near": 1.5}, {"near": np.nan}, {"apart_s": -1.0}, {"apart_s": np.inf}],
)
def test_numbers_that_cannot_be_meant_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"were asked for, needed a posterior above 0 and at"):
        times([recording()], {10: 0.9}, **given)


def test_where_keywords_may_occur_everywhere_nothing_is_mined() -> None:
    with pytest.raises(DataError, match=r"keywords may occur in all of 1 recordings, needed some"):
        times([recording(may_hold=True)], {10: 0.9})


# ------------------------------------------------------------------------------- the very clips


def test_a_clip_is_what_begins_there_with_zeros_outside_the_audio() -> None:
    ramp = np.arange(1, 40_001, dtype=np.int16)
    assert np.array_equal(mine.clip(ramp, 0.5), ramp[8_000:24_000])
    early = mine.clip(ramp, -0.25)
    assert not early[:4_000].any()
    assert np.array_equal(early[4_000:], ramp[:12_000])
    late = mine.clip(ramp, 2.0)
    assert np.array_equal(late[:8_000], ramp[32_000:])
    assert not late[8_000:].any()
    short = mine.clip(ramp[:1_600], -0.5)
    assert np.array_equal(np.flatnonzero(short), np.arange(8_000, 9_600))
    for start_s in (-1.0, -3.0, 2.5, 9.0):
        assert not mine.clip(ramp, start_s).any()
    assert mine.clip(ramp, -3.0).shape == mine.clip(ramp, 9.0).shape == (RATE,)


def read_back(folder: Path, windows: Sequence[Window]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The clips of windows, in their order."""
    with (folder / mine.LIST).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(windows)
    clips = [soundfile.read(folder / row["file"], dtype="int16") for row in rows]
    assert {rate_hz for _, rate_hz in clips} == {RATE}
    return np.stack([samples.astype(np.float32) / FULL_SCALE for samples, _ in clips])


def test_a_window_is_the_clip_that_its_posterior_was_computed_from(
    runner: Runner, tmp_path: Path
) -> None:
    path = long_models.record(tmp_path / "a.wav", 10.0, *BURSTS)
    one = Recording("a", (path,), 10.0)
    scores = answers.hear(runner, [one])
    windows = mine.find(scores, [one], ["loud", "low"], near=0.1)
    assert {window.keyword for window in windows} == {"loud", "low"}
    assert max(window.time_s for window in windows) > 10.0  # the last one ends in silence
    mine.write(tmp_path / "mined", windows, [one])
    posteriors = runner.clips(read_back(tmp_path / "mined", windows))
    for window, row in zip(windows, posteriors, strict=True):
        column = scores.labels.index(window.keyword)
        assert row[column] == pytest.approx(window.posterior, abs=1e-5)  # a mean of 32 bits


def test_of_a_real_model_too_the_clip_gives_the_posterior(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    tones = sum(np.sin(2 * np.pi * hz * np.arange(8 * RATE) / RATE) for hz in (300, 700, 2_300))
    gusts = np.repeat(rng.uniform(0, 1, 80), RATE // 10)
    soundfile.write(tmp_path / "a.flac", 0.1 * tones * gusts + rng.normal(0, 0.02, 8 * RATE), RATE)
    one = Recording("a", (tmp_path / "a.flac",), 8.0)
    shipped = Runner(spotter.open_bundle(spotter.DEFAULT_MODEL))
    scores = answers.hear(shipped, [one])
    windows = mine.find(scores, [one], shipped.facts.keywords, near=1e-6, apart_s=0.0)
    # every row, those that began in the silence before and ended in that after among them: one
    # every 0.08 s from 0.52 to 8 s, and six or seven in the half second that follows
    assert len(windows) > 94
    assert min(window.start_s for window in windows) == pytest.approx(-0.48)
    assert max(window.time_s for window in windows) > 8.4
    mine.write(tmp_path / "mined", windows, [one])
    posteriors = shipped.clips(read_back(tmp_path / "mined", windows))
    found = [
        row[scores.labels.index(window.keyword)]
        for window, row in zip(windows, posteriors, strict=True)
    ]
    # The file holds 16 bits, as the clips do, so nothing is rounded; what is left is how the two
    # graphs of a bundle differ, which an export measures: some 1e-5 of a posterior.
    assert np.abs(np.array(found) - [window.posterior for window in windows]).max() < 1e-4


def test_a_model_that_heeds_less_than_a_clip_has_its_window_begin_where_it_began_to_hear() -> None:
    scores = replace(heard([recording()], {10: 0.9}), timing=Timing(RATE, 14_400, 1_600, 0, 8))
    (found,) = mine.find(scores, [recording()], ["go"])
    # of 0.9 s that are heard 0.4 are silence at the start: row 0 begins there and is due at 0.5
    assert found.time_s == pytest.approx(1.5)
    assert found.start_s == pytest.approx(0.6)  # row 10 begins ten tenths later


def test_a_window_at_the_very_start_begins_with_the_silence_before_it(
    runner: Runner, tmp_path: Path
) -> None:
    path = long_models.record(tmp_path / "a.wav", 4.0, (0.0, 0.3, 0.9))
    one = Recording("a", (path,), 4.0)
    scores = answers.hear(runner, [one])
    # 0.3 s of 0.9 are a mean of 0.27 of the first score, due at 0.5 s, as of the next five
    (found,) = mine.find(scores, [one], ["loud"], near=0.2, apart_s=1.0)
    assert found == Window(0, -0.5, 0.5, "loud", pytest.approx(0.27, abs=1e-4))
    mine.write(tmp_path / "mined", [found], [one])
    clips = read_back(tmp_path / "mined", [found])
    assert clips.shape == (1, RATE)
    assert np.array_equal(np.flatnonzero(clips[0]), np.arange(8_000, 12_800))
    # in another order of sums of 32 bits
    assert runner.clips(clips)[0, 0] == pytest.approx(found.posterior, abs=1e-5)
    line = (tmp_path / "mined" / mine.LIST).read_text().splitlines()[1]
    assert line.endswith(",a,0.500,loud,0.2700")
    # and it is not taken where a keyword is said at the start
    told = replace(one, events=(Event("loud", 0.0, 0.3),))
    assert mine.find(scores, [told], ["loud"], near=0.2, apart_s=1.0) == []


# -------------------------------------------------------------------------------- as a corpus


@pytest.fixture
def mined(tmp_path: Path) -> tuple[Path, list[Window], list[Recording]]:
    """Three windows of two recordings, written."""
    recordings = [
        Recording(
            name,
            (long_models.record(tmp_path / f"{name}.wav", 4.0, (0.0, 4.0, height)),),
            4.0,
            tags=tags,
        )
        for name, height, tags in (("a", 0.25, {"speaker": "ann"}), ("b", 0.5, {}))
    ]
    windows = [
        Window(1, 1.0, 2.0, "stop", 0.9),
        Window(0, 3.5, 4.5, "go", 0.8),
        Window(0, 0.0, 1.0, "stop", 0.7),
    ]
    mine.write(tmp_path / "mined", windows, recordings)
    return tmp_path / "mined", windows, recordings


def test_what_is_mined_is_a_corpus_of_other_words(
    mined: tuple[Path, list[Window], list[Recording]],
) -> None:
    manifest = read_manifest(mined[0])
    assert manifest.layout == "lists"
    assert [one.word for one in manifest.utterances] == [UNKNOWN] * 3
    assert {one.split for one in manifest.utterances} == {"train"}
    assert {one.name: one.speaker for one in manifest.utterances} == {
        "go/000001.wav": "ann",
        "stop/000000.wav": None,
        "stop/000002.wav": "ann",
    }


def test_the_list_says_what_was_taken_for_what_and_when(
    mined: tuple[Path, list[Window], list[Recording]],
) -> None:
    lines = (mined[0] / mine.LIST).read_text().splitlines()
    assert lines == [
        "file,split,speaker,recording,time_s,keyword,posterior",
        "stop/000000.wav,train,,b,2.000,stop,0.9000",
        "go/000001.wav,train,ann,a,4.500,go,0.8000",
        "stop/000002.wav,train,ann,a,1.000,stop,0.7000",
    ]
    heights = [clip.mean() for clip in read_back(mined[0], mined[1])]
    assert heights == pytest.approx([0.5, 0.125, 0.25], abs=1e-4)


def test_progress_is_told_to_the_end(
    mined: tuple[Path, list[Window], list[Recording]], tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    mine.write(tmp_path / "more", *mined[1:], told=lambda *numbers: told.append(numbers))
    assert told == [(2, 3), (3, 3)]


def test_clips_that_were_mined_before_are_replaced(
    mined: tuple[Path, list[Window], list[Recording]],
) -> None:
    folder, windows, recordings = mined
    mine.write(folder, windows[:1], recordings)
    assert {*listing(folder)} == {mine.LIST, "stop/000000.wav"}


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_what_is_something_else_is_not_replaced(
    mined: tuple[Path, list[Window], list[Recording]], tmp_path: Path, there: str
) -> None:
    other = tmp_path / "other"
    if there == "folder":
        other.mkdir()
        (other / "mine.wav").write_bytes(b"precious")
    elif there == "file":
        other.write_bytes(b"precious")
    else:
        other.symlink_to(mined[0])
    before = listing(tmp_path)
    with pytest.raises(DataError, match=r"other holds something other than mined clips, needed an"):
        mine.write(other, *mined[1:])
    assert listing(tmp_path) == before


def test_no_window_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no window fired or nearly did, needed at least one to"):
        mine.write(tmp_path / "mined", [], [])
    assert not (tmp_path / "mined").exists()


@pytest.mark.parametrize("keyword", ["../../out", "/etc/x", "..", "hey you!", "w" * 300])
def test_no_keyword_leads_out_of_the_folder(
    mined: tuple[Path, list[Window], list[Recording]], tmp_path: Path, keyword: str
) -> None:
    windows = [replace(mined[1][0], keyword=keyword)]
    place = tmp_path / "deep" / "mined"
    mine.write(place, windows, mined[2])
    (file,) = place.rglob("*.wav")
    assert re.fullmatch(r"[\w-]{2,40}/000000\.wav", file.relative_to(place).as_posix())
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"mined"}
    with (place / mine.LIST).open(newline="") as table:
        assert next(csv.DictReader(table))["keyword"] == keyword
