"""The spoken command set: laid out as the archive, speakers kept apart, the same for a seed."""

from __future__ import annotations

import errno
import os
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile

from watchword.data import espeak, synth
from watchword.data.manifest import read_manifest
from watchword.data.synth import DEMO_WORDS, noises, speakers, synthesise
from watchword.data.utterance import Split
from watchword.errors import ConfigError, DataError, WatchwordError

WORDS = ("yes", "no")


@pytest.fixture(scope="module")
def spoken_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two words by four training speakers, one for valid and one for test."""
    return synthesise(tmp_path_factory.mktemp("synth") / "set", words=WORDS, variants=4)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def listed(folder: Path, name: str) -> set[str]:
    return set((folder / name).read_text(encoding="utf-8").split())


def test_the_folder_is_laid_out_as_the_public_archive(spoken_set: Path) -> None:
    assert {path.name for path in spoken_set.iterdir() if path.is_dir()} == {
        "_background_noise_",
        *WORDS,
    }
    clips = {f"{path.parent.name}/{path.name}" for path in spoken_set.glob("[!_]*/*.wav")}
    assert len(clips) == len(WORDS) * (4 + 1 + 1)
    valid, test = (listed(spoken_set, f"{name}_list.txt") for name in ("validation", "testing"))
    assert len(valid) == len(test) == len(WORDS)
    assert valid | test < clips


def test_the_reader_of_the_public_archive_reads_it(spoken_set: Path) -> None:
    manifest = read_manifest(spoken_set)
    assert manifest.layout == "commands"
    assert len(manifest.backgrounds) == 6
    counts = Counter((utterance.word, utterance.split) for utterance in manifest.utterances)
    each = {"train": 4, "valid": 1, "test": 1}
    assert counts == {(word, split): each[split] for word in WORDS for split in each}


def test_a_speaker_is_in_one_split_only(spoken_set: Path) -> None:
    lists = [listed(spoken_set, f"{name}_list.txt") for name in ("validation", "testing")]
    heard = [{name.split("/")[1].split("_nohash_")[0] for name in names} for names in lists]
    everyone = {path.name.split("_nohash_")[0] for path in spoken_set.glob("[!_]*/*.wav")}
    assert not heard[0] & heard[1]
    assert len(everyone - heard[0] - heard[1]) == 4


def test_clips_are_one_second_of_16_bit_mono_with_a_word_in_it(spoken_set: Path) -> None:
    for path in spoken_set.glob("[!_]*/*.wav"):
        info = soundfile.info(path)
        assert (info.frames, info.samplerate, info.channels) == (16_000, 16_000, 1)
        assert info.subtype == "PCM_16"
        clip, _ = soundfile.read(path)
        # The softest word has -32 dB over its own length, of which a clip holds at least a tenth.
        assert np.sqrt(np.mean(clip**2)) > 10 ** (-42 / 20)
        assert np.abs(clip).max() < 1.0


def test_the_same_seed_gives_the_same_bytes(spoken_set: Path, tmp_path: Path) -> None:
    again = synthesise(tmp_path / "again", words=WORDS, variants=4)
    assert contents(again) == contents(spoken_set)


def test_another_seed_gives_another_set(spoken_set: Path, tmp_path: Path) -> None:
    other = contents(synthesise(tmp_path / "other", words=WORDS, variants=4, seed=1))
    assert not set(other.values()) & set(contents(spoken_set).values())


def test_a_word_sounds_the_same_whichever_words_stand_beside_it(
    spoken_set: Path, tmp_path: Path
) -> None:
    alone = contents(synthesise(tmp_path / "alone", words=("no",), variants=4))
    both = contents(spoken_set)
    assert {name: both[name] for name in alone if name.startswith("no/")} == {
        name: data for name, data in alone.items() if name.startswith("no/")
    }


def test_progress_counts_every_clip(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    synthesise(tmp_path / "set", words=WORDS, variants=1, progress=lambda *step: seen.append(step))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_valid_and_test_voices_are_never_heard_in_training() -> None:
    voices = [{speaker.voice for speaker in of_split} for of_split in speakers(500, 3).values()]
    assert [len(of_split) for of_split in voices] == [40, 10, 10]
    assert len(set.union(*voices)) == 60


def test_forty_variants_are_forty_voices_and_more_are_still_distinct() -> None:
    assert len({speaker.voice for speaker in speakers(40, 0)["train"]}) == 40
    many = [speaker for of_split in speakers(500, 0).values() for speaker in of_split]
    assert len({speaker.name for speaker in many}) == len(many) == 500 + 125 + 125


def test_every_voice_of_the_tables_exists() -> None:
    tables = (*synth.TRAIN_VOICES, *synth.VALID_VOICES, *synth.TEST_VOICES)
    spoken = espeak.speak([espeak.Saying("yes", "en-us", voice) for voice in tables], seed=1)
    assert all(np.abs(waveform).max() > 0.05 for waveform in spoken)


def test_the_demonstration_speaks_the_ten_commands_and_two_others() -> None:
    assert len(set(DEMO_WORDS)) == 12
    assert {"yes", "no", "up", "down", "left", "right"} < set(DEMO_WORDS)
    assert {"on", "off", "stop", "go"} < set(DEMO_WORDS)
    assert not {"house", "nine", "sheila", "tree", "visual"} & set(DEMO_WORDS)


@pytest.mark.parametrize(("name", "slope_db"), [("white", 0), ("pink", -3), ("brown", -6)])
def test_noise_falls_with_frequency_as_its_colour_says(name: str, slope_db: float) -> None:
    noise = noises(seed=0)[f"{name}_noise.wav"]
    frequency, power = scipy.signal.welch(noise, 16_000, nperseg=4_096)
    band = (frequency > 100) & (frequency < 4_000)
    measured = np.polyfit(np.log2(frequency[band]), 10 * np.log10(power[band]), 1)[0]
    # 156 averaged periodograms scatter by 0.35 dB a bin; over 1,000 bins the slope is far surer.
    assert measured == pytest.approx(slope_db * 10 * np.log10(2) / 3, abs=0.1)


def test_noises_are_twenty_seconds_within_full_scale() -> None:
    for noise in noises(seed=0).values():
        assert noise.shape == (320_000,)
        assert 0.01 < np.abs(noise).max() <= 0.9 + 1e-6


def test_a_set_that_is_there_is_not_spoken_again(
    spoken_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(espeak, "speak", lambda *_, **__: pytest.fail("spoken again"))
    assert synthesise(spoken_set, words=WORDS, variants=4) == spoken_set


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert (synthesise(tmp_path / "set", words=("yes",), variants=1) / "yes").is_dir()


@pytest.mark.parametrize("changes", [{"variants": 5}, {"seed": 1}, {"words": ("yes",)}])
def test_another_set_is_not_written_over(spoken_set: Path, changes: dict[str, Any]) -> None:
    asked = {"words": WORDS, "variants": 4, **changes}
    with pytest.raises(DataError, match=r"holds something other.*is needed: delete it"):
        synthesise(spoken_set, **asked)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(DataError, match="holds something other"):
        synthesise(tmp_path, words=WORDS, variants=1)
    assert contents(tmp_path) == {"letters.txt": b"dear"}


@pytest.mark.parametrize("words", [(), ("yes", "yes"), ("../yes",), ("",), ("Yes",), ("_x_",)])
def test_words_that_are_no_folder_names_are_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"words to speak are.*letters a–z are needed: spell"):
        synthesise(tmp_path / "set", words=words)
    assert not any(tmp_path.iterdir())


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the seed is -1; 0 or more is needed: choose another"):
        synthesise(tmp_path / "set", variants=1, seed=-1)
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("split", "voices"),
    [
        ("train", synth.TRAIN_VOICES),
        ("valid", synth.VALID_VOICES),
        ("test", synth.TEST_VOICES),
    ],
)
def test_a_drawn_speaker_has_a_voice_of_the_split(split: Split, voices: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    drawn = [synth.draw_speaker(rng, split) for _ in range(400)]
    assert {one.voice for one in drawn} == {*voices}  # 400 draws of 40: none is missed by chance
    assert {one.accent for one in drawn} == {*espeak.ACCENTS}
    assert len({one.name for one in drawn}) > 390  # a name for each manner of speaking
    again = np.random.default_rng(0)
    assert [synth.draw_speaker(again, split) for _ in range(400)] == drawn


@pytest.mark.parametrize("level_db", [-32.0, -14.0])
def test_a_sound_gets_the_level_asked_for_unless_its_peak_forbids_it(level_db: float) -> None:
    hiss = np.random.default_rng(1).normal(0, 0.01, 16_000)
    levelled = synth.at_level(hiss, level_db=level_db)
    assert 20 * np.log10(np.sqrt(np.mean(levelled**2))) == pytest.approx(level_db, abs=0.01)
    spike = np.zeros(16_000)
    spike[0] = 1.0
    assert synth.at_level(spike, level_db=level_db).max() == pytest.approx(0.9)


def test_a_set_is_there_only_if_its_stamp_says_the_same(tmp_path: Path) -> None:
    stamp = {"seed": 3}
    assert not synth.is_there(tmp_path / "absent", "a.json", stamp)
    assert not synth.is_there(tmp_path, "a.json", stamp)
    (tmp_path / "a.json").write_text('{"seed": 3}')
    assert synth.is_there(tmp_path, "a.json", stamp)
    for name, other in (("a.json", {"seed": 4}), ("b.json", stamp)):
        with pytest.raises(DataError, match="holds something other than this set"):
            synth.is_there(tmp_path, name, other)


def test_a_set_without_variants_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 variants asked for; at least 1 is needed: 40"):
        synthesise(tmp_path / "set", variants=0)


def test_a_word_longer_than_a_clip_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    word = "antidisestablishmentarianism" * 2
    with pytest.raises(ConfigError, match=r"takes [\d,]+ samples; 1 to 16,000 are needed: leave"):
        synthesise(tmp_path / "set", words=("yes", word), variants=1)
    assert not any(tmp_path.iterdir())


def test_a_full_disk_is_one_line_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left.*is needed: free some"):
        synthesise(tmp_path / "set", words=("yes",), variants=1)
    assert not any(tmp_path.iterdir())


def test_without_the_package_the_install_command_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(WatchwordError, match=r"pip install 'watchword\[synth\]'"):
        synthesise(tmp_path / "set", words=("yes",), variants=1)
