"""Hours of spoken sentences: what is not said is certain, and whose voices speak."""

from __future__ import annotations

import csv
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from conftest import listing
from watchword.data import sentences, synth
from watchword.data.manifest import read_manifest
from watchword.data.sentences import LIST, synthesise, texts, without
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError, WatchwordError
from watchword.long_audio import readers
from watchword.words import sounding_like

LINES = ["So it is.", "He saw the sea", "They ran home; nobody came!"]
VOICES = {"train": synth.TRAIN_VOICES, "valid": synth.VALID_VOICES, "test": synth.TEST_VOICES}
SHORT_H = 0.002


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LIST).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seconds by voices of valid, in chapters of three sentences."""
    return synthesise(tmp_path_factory.mktemp("s") / "x", LINES, split="valid", hours=SHORT_H)


# ---------------------------------------------------------------------------- which sentences


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Sentences of two speakers, one of whom is apart at a quarter, and of nobody."""
    rows = [
        "a.wav,train,ls1272,one sentence",
        "b.wav,train,ls1673,another one",
        "c.wav,valid,ls1673,a third",
        "d.wav,valid,,somebody's",
        "e.wav,valid,ls1272,",
    ]
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "list.csv").write_text("\n".join(["file,split,speaker,transcript", *rows]))
    return tmp_path / "read"


def test_a_text_file_has_a_sentence_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("﻿ So it is. \n\n* * *\nÜber sie\r\n", encoding="utf-8")
    assert texts(path) == ["So it is.", "Über sie"]  # a line without a word is none


@pytest.mark.parametrize(
    ("split", "apart", "found"),
    [
        (None, None, ["one sentence", "another one", "a third", "somebody's"]),
        ("train", None, ["one sentence", "another one"]),
        (None, 0.25, ["another one", "a third"]),
        ("valid", 0.25, ["a third"]),
        (None, -0.25, ["one sentence", "somebody's"]),
        ("valid", -0.25, ["somebody's"]),
    ],
)
def test_of_a_corpus_one_takes_a_split_and_speakers(
    corpus: Path, split: Split | None, apart: float | None, found: list[str]
) -> None:
    assert texts(corpus, split, apart) == found


@pytest.mark.parametrize("apart", [0.0, -0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_share_of_speakers_that_cannot_be_meant_is_refused(corpus: Path, apart: float) -> None:
    with pytest.raises(ConfigError, match=r"of the speakers was asked for, needed above 0 and bel"):
        texts(corpus, None, apart)


@pytest.mark.parametrize(("split", "apart"), [("valid", None), (None, 0.5)])
def test_a_text_file_has_no_splits_and_no_speakers(
    tmp_path: Path, split: Split | None, apart: float | None
) -> None:
    (tmp_path / "x.txt").write_text("So it is.")
    with pytest.raises(ConfigError, match=r"x\.txt were asked for, which is a file, needed a corp"):
        texts(tmp_path / "x.txt", split, apart)


def test_no_sentence_is_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n...\n")
    (tmp_path / "folder").mkdir()
    for source, split in (("empty.txt", None), ("folder", None), ("read", "test")):
        with pytest.raises(DataError, match=rf"{source} holds no sentence, needed a line or a tr"):
            texts(tmp_path / source, split)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Über".encode("latin-1"))
    for name in ("latin.txt", "nowhere.txt"):
        with pytest.raises(DataError, match=rf"{name} cannot be read .*, needed a text file in UT"):
            texts(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("Do not STOP!", False),
        ("stop-and-go", False),
        ("I know", False),  # as "no" sounds
        ("Unstoppable nobody", True),
        ("In 1492", False),  # digits are read as words
        ("so it was", True),
    ],
)
def test_sentences_with_a_barred_word_or_its_homophone_are_left_out(
    text: str, is_kept: bool
) -> None:
    barred = sounding_like("no") | sounding_like("stop")
    assert without(["other words", text], barred) == ["other words", *([text] if is_kept else [])]


def test_where_nothing_is_barred_all_is_kept() -> None:
    assert without(["In 1492 no"], []) == ["In 1492 no"]


def test_where_all_sentences_are_barred_it_is_said() -> None:
    with pytest.raises(DataError, match=r"all of 2 sentences hold a digit or one of go, stop, nee"):
        without(["stop", "go on"], {"go", "stop"})


# ------------------------------------------------------------------------------- how they are said


def test_hours_are_reached_and_not_passed_by_more_than_a_chapter(spoken: Path) -> None:
    rows = rows_of(spoken)
    lengths = Counter[str]()
    for row in rows:
        about = soundfile.info(spoken / row["file"])
        assert (about.samplerate, about.channels, about.subtype) == (16_000, 1, "PCM_16")
        assert float(row["seconds"]) == pytest.approx(about.frames / 16_000, abs=1e-3)
        lengths[row["chapter"]] += about.frames
    seconds = [frames / 16_000 for frames in lengths.values()]
    assert sum(seconds) >= 3_600 * SHORT_H > sum(seconds[:-1])


def test_the_list_says_all_and_all_of_it_is_audible(spoken: Path) -> None:
    rows = rows_of(spoken)
    assert tuple(rows[0]) == sentences.COLUMNS
    assert {row["split"] for row in rows} == {"valid"}
    assert {row["transcript"] for row in rows} == {*LINES}
    for row in rows:
        samples, _ = soundfile.read(spoken / row["file"])
        assert 10 ** (-34 / 20) < np.sqrt(np.mean(samples**2)) < 10 ** (-12 / 20)
        assert np.abs(samples).max() < 0.95


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_the_voices_of_a_split_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: Split
) -> None:
    def quick(sayings: list[Any], *, seed: int) -> list[np.ndarray[Any, Any]]:
        return [np.full(22_050, 0.1, np.float32) for _ in sayings]

    monkeypatch.setattr(sentences.espeak, "speak", quick)
    rows = rows_of(synthesise(tmp_path / "x", LINES, split=split, hours=0.1))
    heard = {row["voice"] for row in rows}
    assert heard <= {*VOICES[split]}
    assert len(heard) > 5  # every chapter is another speaker
    of_speaker = {row["chapter"]: row["speaker"] for row in rows}
    assert len({*of_speaker.values()}) == len(of_speaker) == 120  # chapters of three seconds


def test_every_sentence_is_said_before_any_is_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(sayings: list[Any], *, seed: int) -> list[np.ndarray[Any, Any]]:
        return [np.full(22_050, 0.1, np.float32) for _ in sayings]

    monkeypatch.setattr(sentences.espeak, "speak", quick)
    many = [f"sentence {word}" for word in "abcdefghijklmnopqrstuvwxyz"] * 4
    many = [f"{text} {place}" for place, text in enumerate(many)]
    rows = rows_of(synthesise(tmp_path / "x", many, split="train", hours=200 / 3_600))
    said = [row["transcript"] for row in rows]
    assert {*said[:104]} == {*many}
    assert said[:104] != many  # in an order of the seed's
    assert {*Counter(said).values()} <= {1, 2, 3}


def test_the_same_seed_makes_the_same_bytes_and_another_one_others(
    spoken: Path, tmp_path: Path
) -> None:
    again = synthesise(tmp_path / "again", LINES, split="valid", hours=SHORT_H)
    assert listing(again) == listing(spoken)
    other = synthesise(tmp_path / "other", LINES, split="valid", hours=SHORT_H, seed=1)
    assert rows_of(other) != rows_of(spoken)


def test_the_same_speech_is_used_again(spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_words: object, **_named: object) -> None:
        raise AssertionError("it was spoken again")

    monkeypatch.setattr(sentences.espeak, "speak", fail)
    before = listing(spoken)
    assert synthesise(spoken, LINES, split="valid", hours=SHORT_H) == spoken
    assert listing(spoken) == before


@pytest.mark.parametrize(
    "given", [{"hours": 0.003}, {"seed": 1}, {"split": "test"}, {"sentences": LINES[:1]}]
)
def test_other_speech_in_the_folder_is_refused(spoken: Path, given: dict[str, Any]) -> None:
    asked = {"sentences": LINES, "split": "valid", "hours": SHORT_H, **given}
    before = listing(spoken)
    with pytest.raises(DataError, match=r"holds something other than this set"):
        synthesise(spoken, **asked)
    assert listing(spoken) == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("precious")
    with pytest.raises(DataError, match=r"holds something other than this set"):
        synthesise(tmp_path, LINES, split="valid", hours=SHORT_H)
    assert {*listing(tmp_path)} == {"x"}


def test_what_stops_on_the_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_words: object, **_named: object) -> None:
        raise DataError("espeak-ng stopped")

    monkeypatch.setattr(sentences.espeak, "speak", stop)
    with pytest.raises(DataError, match="espeak-ng stopped"):
        synthesise(tmp_path / "x", LINES, split="valid", hours=SHORT_H)
    assert [*tmp_path.iterdir()] == []


def test_progress_is_told_in_minutes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    synthesise(
        tmp_path / "x",
        LINES,
        split="test",
        hours=0.02,
        progress=lambda *numbers: told.append(numbers),
    )
    assert told == sorted(told)
    assert told[-1] == (1, 1)


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_no_time_is_refused(tmp_path: Path, hours: float) -> None:
    with pytest.raises(ConfigError, match=r"hours were asked for, needed a time above 0: 1 is a"):
        synthesise(tmp_path / "x", LINES, split="valid", hours=hours)


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the seed is -1, needed 0 or more: choose another"):
        synthesise(tmp_path / "x", LINES, split="valid", hours=SHORT_H, seed=-1)


def test_without_espeak_the_install_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda *_: None)
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[synth\]'"):
        synthesise(tmp_path / "x", LINES, split="valid", hours=SHORT_H)


# ----------------------------------------------------------------------------------- as a corpus


def test_training_reads_what_was_spoken(spoken: Path) -> None:
    manifest = read_manifest(spoken)
    assert manifest.layout == "lists"
    assert {one.text for one in manifest.utterances} == {*LINES}
    assert {one.speaker for one in manifest.utterances} == {
        row["speaker"] for row in rows_of(spoken)
    }


def test_the_sentences_of_a_chapter_are_one_recording(spoken: Path) -> None:
    rows = rows_of(spoken)
    recordings = readers.read(spoken, ["stop"], split="valid")
    assert len(recordings) == len({row["chapter"] for row in rows})
    for number, one in enumerate(recordings):
        chapter = [row for row in rows if row["chapter"] == str(number)]
        assert [file.relative_to(spoken).as_posix() for file in one.files] == [
            row["file"] for row in chapter
        ]
        assert [said.text for said in one.said] == [row["transcript"] for row in chapter]
        told_s = sum(float(row["seconds"]) for row in chapter)  # each rounded to a millisecond
        assert one.duration_s == pytest.approx(told_s, abs=0.0005 * len(chapter) + 1e-9)
        assert not one.may_hold
        assert one.is_negative
    with pytest.raises(DataError, match=r"lists no train recording, found valid"):
        readers.read(spoken, ["stop"], split="train")
