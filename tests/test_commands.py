from __future__ import annotations

import os
from pathlib import Path

import pytest

from watchword.data import commands
from watchword.data.manifest import read_manifest
from watchword.data.utterance import Utterance
from watchword.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


# Speakers from the official lists of the public archive, and from neither list.
@pytest.mark.parametrize(
    ("split", "speakers"),
    [
        ("valid", ["067f61e2", "2296b1af", "50ed8a7b", "6940f7f3", "0ea9c8ce", "471a0925"]),
        ("test", ["cd85758f", "3d86b69a", "8fe67225", "cfde27ba", "c9b5ff26"]),
        ("train", ["023a61ad", "0447d7c1", "0132a06d", "10627519", "0f7dc557", "01d22d03"]),
    ],
)
def test_the_hash_rule_agrees_with_the_official_lists(split: str, speakers: list[str]) -> None:
    assert [commands.which_split(speaker) for speaker in speakers] == [split] * len(speakers)


def test_the_hash_rule_gives_a_tenth_to_valid_and_a_tenth_to_test() -> None:
    splits = [commands.which_split(f"{number:08x}") for number in range(10_000)]
    # a share of 0.1 among 10,000 has a deviation of 0.003; four of them
    assert splits.count("valid") / 10_000 == pytest.approx(0.1, abs=0.012)
    assert splits.count("test") / 10_000 == pytest.approx(0.1, abs=0.012)


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("yes/0a7c2a8d_nohash_0.wav", "0a7c2a8d"),
        ("yes/0a7c2a8d_nohash_12.flac", "0a7c2a8d"),
        ("yes/take_2.wav", None),
        ("yes/_nohash_0.wav", None),
        ("_nohash_/take.wav", None),
    ],
)
def test_a_speaker_is_what_stands_before_nohash(name: str, speaker: str | None) -> None:
    assert commands.speaker_of(name) == speaker


def test_lists_decide_over_the_hash_rule(tmp_path: Path) -> None:
    names = {"yes": [f"yes/{speaker}_nohash_0.wav" for speaker in ("067f61e2", "aa", "bb")]}
    (tmp_path / "validation_list.txt").write_text("yes/aa_nohash_0.wav\n\nno/gone_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("yes/bb_nohash_0.wav\r\n")
    found = commands.utterances_of_archive(tmp_path, names)
    assert found == [
        Utterance("yes/067f61e2_nohash_0.wav", "yes", "067f61e2", "train"),
        Utterance("yes/aa_nohash_0.wav", "yes", "aa", "valid"),
        Utterance("yes/bb_nohash_0.wav", "yes", "bb", "test"),
    ]


def test_the_hash_rule_decides_where_there_is_no_list(tmp_path: Path) -> None:
    names = {"yes": ["yes/067f61e2_nohash_0.wav", "yes/cd85758f_nohash_1.wav"]}
    found = commands.utterances_of_archive(tmp_path, names)
    assert [utterance.split for utterance in found] == ["valid", "test"]


def test_the_hash_rule_stands_in_for_one_missing_list(tmp_path: Path) -> None:
    names = {"yes": ["yes/cd85758f_nohash_1.wav", "yes/0132a06d_nohash_0.wav"]}
    (tmp_path / "validation_list.txt").write_text("yes/0132a06d_nohash_0.wav\n")
    found = commands.utterances_of_archive(tmp_path, names)
    assert [utterance.split for utterance in found] == ["test", "valid"]


def test_a_name_in_both_lists_is_refused(tmp_path: Path) -> None:
    for name in ("validation_list.txt", "testing_list.txt"):
        (tmp_path / name).write_text("yes/aa_nohash_0.wav\n")
    with pytest.raises(DataError, match=r"yes/aa_nohash_0.wav is in both .+ needed one split"):
        commands.utterances_of_archive(tmp_path, {})


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not_in_v0.02_list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"not_in_v0\.02_list\.txt: cannot be read .+ one name a l"):
        commands.dropped_names(tmp_path)


def test_dropped_names_are_those_of_the_list_or_none(tmp_path: Path) -> None:
    assert commands.dropped_names(tmp_path) == frozenset()
    (tmp_path / "not_in_v0.02_list.txt").write_text("bed/a_nohash_0.wav\nbed/b_nohash_0.wav\n")
    assert commands.dropped_names(tmp_path) == {"bed/a_nohash_0.wav", "bed/b_nohash_0.wav"}


def test_the_test_archive_keeps_its_classes_and_tells_word_and_speaker() -> None:
    names = {
        "_silence_": ["_silence_/0.wav"],
        "_unknown_": ["_unknown_/bed_0a7c2a8d_nohash_0.wav.wav"],
        "yes": ["yes/067f61e2_nohash_1.wav"],
    }
    found = commands.utterances_of_test_archive(names)
    assert commands.is_test_archive(names)
    assert found == [
        Utterance("_silence_/0.wav", "_silence_", None, "test"),
        Utterance("_unknown_/bed_0a7c2a8d_nohash_0.wav.wav", "_unknown_", "0a7c2a8d", "test"),
        Utterance("yes/067f61e2_nohash_1.wav", "yes", "067f61e2", "test"),
    ]
    assert [commands.spoken_word(utterance) for utterance in found] == ["_silence_", "bed", "yes"]


def test_a_folder_of_unknown_words_alone_is_no_test_archive() -> None:
    assert not commands.is_test_archive(
        {"_unknown_": ["_unknown_/take1.wav"], "yes": ["yes/1.wav"]}
    )
    assert not commands.is_test_archive({"yes": ["yes/067f61e2_nohash_1.wav"]})


@pytest.mark.speech
def test_the_hash_rule_equals_the_lists_of_the_real_archive() -> None:
    folder = os.environ.get("WATCHWORD_SPEECH_COMMANDS")
    if not folder:
        pytest.skip("needs Speech Commands: WATCHWORD_SPEECH_COMMANDS names its folder")
    found = read_manifest(Path(folder)).utterances
    assert [u.name for u in found if commands.which_split(u.speaker or u.name) != u.split] == []
