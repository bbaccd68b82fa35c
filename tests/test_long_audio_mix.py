"""Clips and backgrounds → recordings whose truth is checked against their samples."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from watchword.errors import ConfigError, DataError
from watchword.long_audio import mix as room
from watchword.long_audio import readers
from watchword.long_audio.mix import Recipe, mix
from watchword.long_audio.reference import Recording, Said, check

RATE = 16_000
HERTZ = {"yes": 500, "no": 800, "bird": 1_100, "cat": 1_400, "know": 1_700}
SPEAKERS = {"train": ("aa", "ab"), "valid": ("ba",), "test": ("ca", "cb", "cc")}
KEYWORDS = ("yes", "no")
QUICK = Recipe(recording_s=12.0)
Row = dict[str, str]


def tone(seconds: float, hz: float, height: float = 0.2) -> NDArray[np.float64]:
    """A sine."""
    wave: NDArray[np.float64] = height * np.sin(
        2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE
    )
    return wave


def write(path: Path, sound: NDArray[Any]) -> None:
    """Write a sound file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE, subtype="PCM_16")


def word(hz: float, start: int, samples: int = 6_400) -> NDArray[np.float64]:
    """A clip of a second with a tone in it and a faint hiss all over it."""
    clip = np.random.default_rng(start).normal(0, 1e-3, RATE)
    clip[start : start + samples] += tone(samples / RATE, hz)
    return clip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of tones, noises, rooms and sentences, each with its lists."""
    folder = tmp_path_factory.mktemp("world")
    lists: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for row, (name, hz) in enumerate(HERTZ.items()):
        for column, (split, speaker) in enumerate(
            (split, one) for split, of_split in SPEAKERS.items() for one in of_split
        ):
            path = f"{name}/{speaker}_nohash_0.wav"
            write(folder / "words" / path, word(hz + 10 * column, 1_600 * (1 + (row + column) % 5)))
            lists[split].append(f"{path}\n")
    (folder / "words" / "validation_list.txt").write_text("".join(lists["valid"]))
    (folder / "words" / "testing_list.txt").write_text("".join(lists["test"]))
    rows = ["file,split,scene"]
    for number, (split, seconds) in enumerate((("train", 3), ("test", 3), ("test", 40))):
        hiss = np.random.default_rng(number).normal(0.1, 0.02, seconds * RATE)
        write(folder / "noise" / f"{split}{seconds}.wav", hiss)
        rows.append(f"{split}{seconds}.wav,{split},{'rain' if seconds == 3 else ''}")
    write(folder / "noise" / "zeros.wav", np.zeros(RATE))
    (folder / "noise" / "list.csv").write_text("\n".join([*rows, "zeros.wav,test,none"]))
    response = np.zeros(4_800)
    response[[100, 900, 4_000]] = 0.8, 0.4, -0.2
    write(folder / "rooms" / "hall" / "one.wav", response)
    told = ["file,split,speaker,transcript"]
    for split, text in (("train", "yes"), ("test", "a cat sat"), ("test", "I know, yes")):
        name = f"{split}{len(text)}.wav"
        write(folder / "read" / name, tone(2.5, 300))
        told.append(f'{name},{split},reader,"{text}"')
    (folder / "read" / "list.csv").write_text("\n".join(told))
    return folder


def mixed(world: Path, folder: Path, **given: Any) -> tuple[Recording, ...]:
    """Mix the test speakers of the world."""
    return mix(
        folder,
        given.pop("speech", [world / "words"]),
        **{"split": "test", "keywords": KEYWORDS, "recipe": QUICK, **given},
    )


def heard(recording: Recording) -> NDArray[np.float64]:
    """Its samples."""
    samples, rate_hz = soundfile.read(recording.files[0])
    assert rate_hz == RATE
    assert len(samples) == recording.duration_s * RATE
    return np.asarray(samples)


def rows_of(folder: Path, *kinds: str) -> list[Row]:
    """The lines of the table of sources."""
    with (folder / "sources.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if not kinds or row["kind"] in kinds]


def spans(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Start and end of each, in order of time."""
    return sorted((float(row["start_s"]), float(row["end_s"])) for row in rows)


def by_recording(rows: Sequence[Row]) -> list[list[Row]]:
    """The lines of each recording."""
    names = sorted({row["recording"] for row in rows})
    return [[row for row in rows if row["recording"] == name] for name in names]


# ------------------------------------------------------------------------------------------- truth


def test_events_are_where_the_tones_are(world: Path, tmp_path: Path) -> None:
    recordings = mixed(world, tmp_path / "mix")
    for recording in recordings:
        sound = heard(recording)
        for event in recording.events:
            start, end = round(event.start_s * RATE), round(event.end_s * RATE)
            assert abs(end - start - 6_400) <= 160  # tones begin and end on frames of 10 ms
            inside = np.square(sound[start:end]).mean()
            for outside in (sound[start - 480 : start - 160], sound[end + 160 : end + 480]):
                assert np.square(outside).mean() < 1e-3 * inside
            spectrum = np.abs(np.fft.rfft(sound[start : start + 6_400]))
            column = [*sum(SPEAKERS.values(), ())].index(event.tags["speaker"])
            assert spectrum.argmax() * 2.5 == HERTZ[event.keyword] + 10 * column


def test_every_keyword_clip_of_the_split_is_said_once_and_nobody_else(
    world: Path, tmp_path: Path
) -> None:
    recordings = mixed(world, tmp_path / "mix", noise=world / "noise")
    said = [row["clip"] for row in rows_of(tmp_path / "mix", "keyword")]
    assert sorted(said) == sorted(
        f"{word}/{speaker}_nohash_0.wav" for word in KEYWORDS for speaker in SPEAKERS["test"]
    )
    everyone = rows_of(tmp_path / "mix", "keyword", "other")
    assert {row["speaker"] for row in everyone} <= {*SPEAKERS["test"]}
    assert {row["clip"] for row in rows_of(tmp_path / "mix", "noise")} <= {
        "test3.wav",
        "test40.wav",
    }
    assert sum(len(one.events) for one in recordings) == 6
    check(recordings, "mix")


def test_other_words_are_said_unmarked_but_never_those_that_sound_like_a_keyword(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, others=0.6, hours=0.05)
    mixed(world, tmp_path / "mix", recipe=recipe, without=["cat"])
    said = Counter(row["word"] for row in rows_of(tmp_path / "mix", "other"))
    assert {*said} == {"bird"}
    assert said["bird"] / len(rows_of(tmp_path / "mix")) == pytest.approx(0.6, abs=0.15)


def test_clips_are_said_as_often_as_each_other_before_any_is_said_again(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, hours=0.04, others=0.0)
    recordings = mixed(world, tmp_path / "mix", recipe=recipe)
    said = [row["clip"] for row in rows_of(tmp_path / "mix")]
    passes = [said[start : start + 6] for start in range(0, len(said) - 5, 6)]
    assert len(passes) > 4
    assert all(len({*one}) == 6 for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    assert len(recordings) == 12
    assert [one.duration_s for one in recordings] == [12.0] * 12


def test_a_recording_begins_and_ends_with_background_and_words_keep_their_distance(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, gap_s=(0.7, 0.9), hours=0.02)
    recordings = mixed(world, tmp_path / "mix", recipe=recipe)
    of_recordings = by_recording(rows_of(tmp_path / "mix"))
    for recording, rows in zip(recordings, of_recordings, strict=True):
        times = spans(rows)
        assert times[0][0] >= 1.2
        assert times[-1][1] <= recording.duration_s - 1.2
        gaps = [later[0] - former[1] for former, later in pairwise(times)]
        assert 0.7 <= min(gaps) <= max(gaps) < 0.9 + 1e-3
    assert len(of_recordings) == 6


def test_words_overlap_where_asked_but_never_a_word_with_itself(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, overlap=1.0, hours=0.05)
    check(mixed(world, tmp_path / "mix", recipe=recipe), "mix")
    overlaps = 0
    for rows in by_recording(rows_of(tmp_path / "mix")):
        ordered = sorted(rows, key=lambda row: float(row["start_s"]))
        for former, later in pairwise(ordered):
            start, (first, last) = float(later["start_s"]), spans([former])[0]
            if start < last:
                overlaps += 1
                assert former["word"] != later["word"]
                assert start >= (first + last) / 2 - 1 / RATE
    assert overlaps > 0.5 * len(rows_of(tmp_path / "mix"))


def test_three_words_at_once_are_three_words(world: Path, tmp_path: Path) -> None:
    for name, samples in (("yes", 800), ("no", 1_600), ("bird", 14_400)):
        write(tmp_path / "a" / name / "ca_nohash_0.wav", word(HERTZ[name], 800, samples))
    (tmp_path / "a" / "validation_list.txt").write_text("")
    (tmp_path / "a" / "testing_list.txt").write_text(
        "".join(f"{name}/ca_nohash_0.wav\n" for name in ("yes", "no", "bird"))
    )
    recipe = replace(QUICK, overlap=1.0, hours=0.2)
    check(mixed(world, tmp_path / "mix", speech=[tmp_path / "a"], recipe=recipe), "mix")
    sounding = [
        sum(start <= at < end for start, end in spans(rows))
        for rows in by_recording(rows_of(tmp_path / "mix"))
        for at, _ in spans(rows)
    ]
    assert max(sounding) == 3


def test_a_name_that_two_folders_have_is_taken_from_the_first(world: Path, tmp_path: Path) -> None:
    write(tmp_path / "more" / "yes" / "cb_nohash_0.wav", word(2_000, 1_600))
    write(tmp_path / "more" / "yes" / "cd_nohash_0.wav", word(2_000, 1_600))
    (tmp_path / "more" / "validation_list.txt").write_text("")
    (tmp_path / "more" / "testing_list.txt").write_text(
        "yes/cb_nohash_0.wav\nyes/cd_nohash_0.wav\n"
    )
    mixed(world, tmp_path / "mix", speech=[world / "words", tmp_path / "more"])
    said = [(row["clip"], row["folder"]) for row in rows_of(tmp_path / "mix", "keyword")]
    assert ("yes/cb_nohash_0.wav", "words") in said
    assert ("yes/cd_nohash_0.wav", "more") in said
    assert len(said) == 7


def test_who_is_of_another_split_elsewhere_and_what_was_dropped_is_not_heard(
    world: Path, tmp_path: Path
) -> None:
    write(tmp_path / "more" / "bird" / "ca_nohash_9.wav", word(2_000, 1_600))
    (tmp_path / "more" / "validation_list.txt").write_text("bird/ca_nohash_9.wav\n")
    (tmp_path / "more" / "testing_list.txt").write_text("")
    (tmp_path / "more" / "not_in_v0.02_list.txt").write_text("yes/cb_nohash_0.wav\n")
    mixed(world, tmp_path / "mix", speech=[world / "words", tmp_path / "more"])
    said = {row["clip"] for row in rows_of(tmp_path / "mix", "keyword")}
    assert said == {"yes/cc_nohash_0.wav", "no/cb_nohash_0.wav", "no/cc_nohash_0.wav"}
    found = json.loads((tmp_path / "mix" / "mix.json").read_text())
    assert found["left_out"] == {"dropped": 1, "speaker of another split": 4}


def test_silent_and_damaged_clips_are_left_out_and_counted(world: Path, tmp_path: Path) -> None:
    for speaker, sound in (
        ("ca", np.zeros(RATE)),
        ("cb", np.full(RATE, 0.2)),
        ("cc", word(9e2, 0)),
    ):
        write(tmp_path / "a" / "yes" / f"{speaker}_nohash_0.wav", sound)
    (tmp_path / "a" / "yes" / "cd_nohash_0.wav").write_bytes(b"no sound")
    names = [f"yes/c{letter}_nohash_0.wav\n" for letter in "abcd"]
    (tmp_path / "a" / "validation_list.txt").write_text("")
    (tmp_path / "a" / "testing_list.txt").write_text("".join(names))
    recipe = replace(QUICK, hours=0.01)
    mixed(world, tmp_path / "mix", speech=[tmp_path / "a"], keywords=["yes"], recipe=recipe)
    found = json.loads((tmp_path / "mix" / "mix.json").read_text())
    assert found["left_out"] == {"no usable audio": 1, "silent": 2}
    assert {row["speaker"] for row in rows_of(tmp_path / "mix")} == {"cc"}
    (tmp_path / "a" / "yes" / "cc_nohash_0.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"no clip of a keyword is usable audio, the last is"):
        mixed(world, tmp_path / "none", speech=[tmp_path / "a"], keywords=["yes"])
    assert not (tmp_path / "none").exists()


def test_of_a_longer_clip_the_loudest_second_is_said(world: Path, tmp_path: Path) -> None:
    long = np.concatenate([word(700, 1_600) * 0.1, word(900, 4_800), word(700, 1_600) * 0.1])
    write(tmp_path / "a" / "yes" / "ca_nohash_0.wav", long)
    (tmp_path / "a" / "validation_list.txt").write_text("")
    (tmp_path / "a" / "testing_list.txt").write_text("yes/ca_nohash_0.wav\n")
    (recording,) = mixed(world, tmp_path / "mix", speech=[tmp_path / "a"], keywords=["yes"])
    (event,) = recording.events
    assert event.end_s - event.start_s == pytest.approx(0.4, abs=0.01)
    assert recording.duration_s == pytest.approx(event.end_s + 1.2, abs=1e-9)
    assert np.ptp(np.flatnonzero(heard(recording))) < RATE


def test_a_clip_shorter_than_a_second_is_as_loud_as_any(world: Path, tmp_path: Path) -> None:
    write(tmp_path / "a" / "yes" / "ca_nohash_0.wav", tone(0.25, 500))
    (tmp_path / "a" / "validation_list.txt").write_text("")
    (tmp_path / "a" / "testing_list.txt").write_text("yes/ca_nohash_0.wav\n")
    recipe = replace(QUICK, level_dbfs=(-20.0, -20.0))
    given: dict[str, Any] = {"speech": [tmp_path / "a"], "keywords": ["yes"], "recipe": recipe}
    (recording,) = mixed(world, tmp_path / "mix", **given)
    (event,) = recording.events
    assert event.end_s - event.start_s == pytest.approx(0.25)
    sound = heard(recording)[round(event.start_s * RATE) : round(event.end_s * RATE)]
    assert np.square(sound).mean() == pytest.approx(0.01, rel=1e-3)


# ------------------------------------------------------------------------------------------- sound


def test_the_ratio_is_the_one_that_the_tag_says(world: Path, tmp_path: Path) -> None:
    recipe = replace(QUICK, snr_db=(-3.0, 12.0))
    dry = mixed(world, tmp_path / "dry", recipe=recipe)
    noisy = mixed(world, tmp_path / "noisy", recipe=recipe, noise=world / "noise")
    assert len({one.tags["snr_db"] for one in noisy}) > 1
    for one, other in zip(dry, noisy, strict=True):
        assert one.tags == {}
        assert [(e.keyword, e.start_s) for e in one.events] == [
            (e.keyword, e.start_s) for e in other.events
        ]
        speech = heard(one)
        noise = np.square(heard(other) - speech).mean()
        for event in other.events:
            assert event.tags["snr_db"] == other.tags["snr_db"]
            # the clip holds nothing but the word's 6,400 samples of a second, and a faint hiss
            start = round(event.start_s * RATE)
            clip = np.square(speech[start : start + 6_400]).sum() / RATE
            found_db = 10 * np.log10(clip / noise)
            assert found_db == pytest.approx(float(other.tags["snr_db"]), abs=0.15)


def test_words_are_as_loud_as_asked_and_nothing_leaves_full_scale(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, level_dbfs=(-26.0, -26.0), others=0.0)
    for one in mixed(world, tmp_path / "soft", recipe=recipe):
        sound = heard(one)
        for event in one.events:
            start = round(event.start_s * RATE)
            clip = np.square(sound[start : start + 6_400]).sum() / RATE
            assert 10 * np.log10(clip) == pytest.approx(-26.0, abs=0.1)
    loud = replace(QUICK, level_dbfs=(0.0, 0.0), snr_db=(0.0, 0.0))
    for one in mixed(world, tmp_path / "loud", recipe=loud, noise=world / "noise"):
        # turned down as a whole: a cut sound would touch its limit again and again
        assert np.abs(heard(one)).max() == pytest.approx(0.999, abs=1e-4)
        assert np.count_nonzero(np.abs(heard(one)) > 0.998) < 9


def test_a_background_fills_its_recording_without_offset_and_all_are_used(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, hours=0.02, snr_db=(0.0, 0.0), level_dbfs=(-20.0, -20.0))
    recordings = mixed(world, tmp_path / "mix", recipe=recipe, noise=world / "noise")
    used = [row["clip"] for row in rows_of(tmp_path / "mix", "noise")]
    assert all(
        {*pair} == {"test3.wav", "test40.wav"} for pair in zip(*[iter(used)] * 2, strict=True)
    )
    assert {one.tags["noise"] for one in recordings} == {"rain", "test40"}
    for one in recordings:
        levels = np.square(heard(one)[: 12 * RATE].reshape(-1, 1_600)).mean(1)
        assert levels.min() > 0.7 * 0.01  # of -20 dB: the power of 1,600 samples strays by 4 %
        assert abs(heard(one).mean()) < 2e-3  # the folder's noise has an offset of 5 deviations


def test_in_a_room_words_ring_on_and_their_times_stay(world: Path, tmp_path: Path) -> None:
    dry = mixed(world, tmp_path / "dry")
    wet = mixed(world, tmp_path / "wet", rooms=world / "rooms", recipe=replace(QUICK, reverb=1.0))
    for one, other in zip(dry, wet, strict=True):
        assert other.tags == {"room": "hall/one"}
        assert one.events == other.events
        end = round(one.events[-1].end_s * RATE)
        before, after = (
            np.square(heard(each)[end + 320 : end + 640]).mean() for each in (one, other)
        )
        assert after > 100 * before
    assert {row["clip"] for row in rows_of(tmp_path / "wet", "room")} == {"hall/one.wav"}
    half = replace(QUICK, reverb=0.5, hours=0.05)
    some = mixed(world, tmp_path / "half", rooms=world / "rooms", recipe=half)
    assert 3 <= sum("room" in one.tags for one in some) <= 12


def test_sentences_are_said_with_their_text(world: Path, tmp_path: Path) -> None:
    recipe = replace(QUICK, speech=0.4, others=0.0, hours=0.05)
    recordings = mixed(world, tmp_path / "mix", recipe=recipe, negative=world / "read")
    check(recordings, "mix")
    texts = [text for one in recordings for text in one.said]
    assert {text.text for text in texts} == {"a cat sat", "I know, yes"}
    assert [text.end_s - text.start_s for text in texts] == pytest.approx([2.5] * len(texts))
    assert not any(one.may_hold for one in recordings)
    assert len(rows_of(tmp_path / "mix", "sentence")) == len(texts)
    kept = mixed(world, tmp_path / "kept", recipe=recipe, negative=world / "read", without=["cat"])
    assert {text.text for one in kept for text in one.said} == {"I know, yes"}


def test_sentences_may_be_of_another_split_or_of_speakers_apart(
    world: Path, tmp_path: Path
) -> None:
    talk = tmp_path / "talk"
    told = ["file,split,speaker,transcript"]
    for reader in ("ls1272", "ls1673"):  # at a share of a quarter the second is apart
        write(talk / f"{reader}.wav", tone(2.0, 300))
        told.append(f"{reader}.wav,valid,{reader},spoken by {reader}")
    (talk / "list.csv").write_text("\n".join(told))
    for source, heard in (("valid", 2), ("valid:0.25", ["ls1673"]), ("valid:-0.25", ["ls1272"])):
        folder = tmp_path / source.replace(":", "-")
        recipe = replace(QUICK, hours=0.01, speech=1.0, others=0.0)
        negative = Path(f"{talk}:{source}")
        recordings = mixed(world, folder, keywords=[], recipe=recipe, negative=negative)
        texts = {said.text for one in recordings for said in one.said}
        assert len(texts) == 2 if heard == 2 else texts == {f"spoken by {heard[0]}"}
        assert {row["kind"] for row in rows_of(folder)} == {"sentence"}
    with pytest.raises(
        ConfigError, match=r"others and speech are 1 of the utterances, needed less"
    ):
        mixed(world, tmp_path / "all", recipe=recipe, negative=negative)


def test_a_sentence_without_a_text_may_hold_keywords(world: Path, tmp_path: Path) -> None:
    write(tmp_path / "talk" / "one.wav", tone(3.0, 300))
    (tmp_path / "talk" / "list.csv").write_text("file,split\none.wav,test\n")
    recipe = replace(QUICK, speech=0.5, others=0.0, hours=0.02)
    recordings = mixed(world, tmp_path / "mix", recipe=recipe, negative=tmp_path / "talk")
    held = {row["recording"] for row in rows_of(tmp_path / "mix", "sentence")}
    assert held
    assert {one.name for one in recordings if one.may_hold} == held
    assert all(one.said == () for one in recordings)


# ----------------------------------------------------------------------------- the folder it makes


def test_the_same_recipe_makes_the_same_bytes_and_another_seed_another_order(
    world: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, reverb=0.5, overlap=0.3, speech=0.1, snr_db=(0.0, 20.0))
    given = {"noise": world / "noise", "rooms": world / "rooms", "negative": world / "read"}
    mixed(world, tmp_path / "a", recipe=recipe, **given)
    mixed(world, tmp_path / "b", recipe=recipe, **given)
    first, again = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == again
    assert {*first} > {"mix-0001.flac", "manifest.jsonl", "sources.csv", "mix.json"}
    assert str(tmp_path).encode() not in b"".join(first.values())
    assert str(world).encode() not in b"".join(first.values())
    mixed(world, tmp_path / "c", recipe=replace(recipe, seed=1), **given)
    orders = [[row["clip"] for row in rows_of(tmp_path / name, "keyword")] for name in "ac"]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])


def test_a_mix_that_is_there_is_used_and_nothing_else_is_touched(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mix").mkdir()
    made = mixed(world, tmp_path / "mix", noise=world / "noise")
    assert [one.files[0].parent for one in made] == [tmp_path / "mix"] * len(made)
    with monkeypatch.context() as patched:
        patched.setattr(room, "folder_written_whole", None)
        assert mixed(world, tmp_path / "mix", noise=world / "noise") == made
    assert readers.read(tmp_path / "mix", KEYWORDS) == made
    with pytest.raises(DataError, match="holds something other than this mix; an absent or empty"):
        mixed(world, tmp_path / "mix", noise=world / "noise", recipe=replace(QUICK, seed=1))
    with pytest.raises(DataError, match="holds something other than this mix"):
        mixed(world, tmp_path / "mix")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("dear")
    with pytest.raises(DataError, match="delete it or name another one"):
        mixed(world, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    (tmp_path / "mix" / "mix.json").write_text("[]")
    with pytest.raises(DataError, match="holds something other than this mix"):
        mixed(world, tmp_path / "mix", noise=world / "noise")


def test_the_record_says_what_was_made_of_what(world: Path, tmp_path: Path) -> None:
    recordings = mixed(world, tmp_path / "mix", noise=world / "noise", without=["cat"])
    found = json.loads((tmp_path / "mix" / "mix.json").read_text())
    assert found["recipe"]["snr_db"] == [10.0, 10.0]
    assert (found["split"], found["keywords"], found["without"]) == ("test", [*KEYWORDS], ["cat"])
    assert found["events"] == {"yes": 3, "no": 3}
    assert found["other_words"] == len(rows_of(tmp_path / "mix", "other"))
    assert found["sentences"] == 0
    assert found["recordings"] == len(recordings)
    assert found["hours"] == pytest.approx(sum(one.duration_s for one in recordings) / 3_600)
    (speech,), (noise,) = found["sources"]["speech"], found["sources"]["noise"]
    assert (speech["folder"], speech["clips"]) == ("words", 9)
    assert (noise["folder"], noise["recordings"], noise["is_listed"]) == ("noise", 2, True)


def test_progress_is_told_in_clips_or_in_recordings(world: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    mixed(world, tmp_path / "a", progress=lambda *words: told.append(words))
    assert told[-1] == (6, 6)
    assert told == sorted(told)
    told.clear()
    recipe = replace(QUICK, hours=0.01)
    mixed(world, tmp_path / "b", progress=lambda *words: told.append(words), recipe=recipe)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_text_longer_than_a_recording_makes_it_longer(world: Path, tmp_path: Path) -> None:
    write(tmp_path / "talk" / "one.wav", tone(9.0, 300))
    (tmp_path / "talk" / "list.csv").write_text('file,split,transcript\none.wav,test,"so it is"\n')
    recipe = Recipe(recording_s=5.0, hours=0.01, speech=0.9, others=0.0)
    recordings = mixed(world, tmp_path / "mix", recipe=recipe, negative=tmp_path / "talk")
    assert len(recordings) == 7
    longest = max(recordings, key=lambda one: one.duration_s)
    (text,) = longest.said
    assert text == Said("so it is", text.start_s, text.start_s + 9.0)
    assert longest.duration_s == pytest.approx(text.end_s + 1.2)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"snr_db": (10.0, 5.0)}, "snr_db runs from 10 to 5, needed two numbers from -60 to 100"),
        ({"level_dbfs": (-20.0, 3.0)}, "level_dbfs runs from -20 to 3, .* the smaller one first"),
        ({"gap_s": (-1.0, 3.0)}, "gap_s runs from -1 to 3, needed two numbers from 0 to 600"),
        ({"gap_s": (0.0, float("nan"))}, "gap_s runs from 0 to nan"),
        ({"overlap": 1.5}, "overlap is 1.5, needed a share from 0 to 1: mend it"),
        ({"reverb": -0.1}, "reverb is -0.1, needed a share"),
        (
            {"others": 0.7, "speech": 0.4},
            "others and speech are 1.1 of the utterances, needed 1 at most",
        ),
        ({"recording_s": 2.0}, "recording_s is 2, needed 5 to 3600 seconds: mend it, or ask for"),
        ({"hours": 0.0}, "0 hours asked for, needed at least 5 seconds of them: mend it, or leave"),
        ({"hours": float("inf")}, "inf hours asked for"),
        ({"seed": -1}, "the seed is -1, needed 0 or more: choose another"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe(**given)


def test_folders_and_shares_that_contradict_each_other_are_refused(
    world: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"reverb is 0.5 and there is no folder for it, needed"):
        mixed(world, tmp_path / "mix", recipe=replace(QUICK, reverb=0.5))
    with pytest.raises(ConfigError, match=r"reverb is 0 and there is the folder .*rooms for it"):
        mixed(world, tmp_path / "mix", rooms=world / "rooms")
    with pytest.raises(ConfigError, match=r"speech is 0 and .* give both or leave out both"):
        mixed(world, tmp_path / "mix", negative=world / "read")
    with pytest.raises(ConfigError, match=r"no keyword was named, and nothing tells how long to"):
        mixed(world, tmp_path / "mix", keywords=[])
    with pytest.raises(ConfigError, match=r"no is a keyword and also among the words nobody says"):
        mixed(world, tmp_path / "mix", without=["no"])


def test_without_keywords_hours_are_negative_and_nobody_says_what_is_barred(
    world: Path, tmp_path: Path
) -> None:
    hours = replace(QUICK, hours=30 / 3_600, others=0.0)
    made = mixed(world, tmp_path / "mix", keywords=[], without=["no"], recipe=hours)
    assert sum(one.duration_s for one in made) == pytest.approx(30, abs=0.1)
    assert all(one.is_negative and not one.may_hold for one in made)
    with (tmp_path / "mix" / "sources.csv").open(encoding="utf-8") as table:
        said = {row["word"] for row in csv.DictReader(table)} - {""}
    assert said
    assert said.isdisjoint({"no", "know"})
    everything = [*HERTZ]
    with pytest.raises(DataError, match=r"no test clip found that may be said, needed at least"):
        mixed(world, tmp_path / "none", keywords=[], without=everything, recipe=hours)


def test_what_a_split_does_not_have_is_refused_by_name(world: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"words: no test clip of maybe, stop found, needed at"):
        mixed(world, tmp_path / "mix", keywords=["stop", "yes", "maybe"])
    with pytest.raises(DataError, match=r"no folder: no test clip of no, yes found"):
        mixed(world, tmp_path / "mix", speech=[])
    with pytest.raises(DataError, match=r"list.csv lists no valid recording, found test 3, train"):
        mixed(world, tmp_path / "mix", split="valid", noise=world / "noise")
    speech = replace(QUICK, speech=0.1)
    with pytest.raises(DataError, match=r"read: no valid sentence found that may be said, needed"):
        mixed(world, tmp_path / "mix", split="valid", negative=world / "read", recipe=speech)
    write(tmp_path / "hush" / "a.wav", np.full(RATE, 0.25))
    with pytest.raises(DataError, match=r"hush: all of 1 recordings of test are silent, needed"):
        mixed(world, tmp_path / "mix", noise=tmp_path / "hush")
    write(tmp_path / "void" / "a.wav", np.zeros(RATE))
    with pytest.raises(DataError, match=r"void: all of 1 recordings of test are silent"):
        mixed(world, tmp_path / "mix", rooms=tmp_path / "void", recipe=replace(QUICK, reverb=1.0))
    assert not (tmp_path / "mix").exists()


def test_a_place_that_cannot_be_written_to_is_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"mix cannot be written .*make room or choose another"):
        mixed(world, tmp_path / "file" / "mix")
    with pytest.raises(DataError, match="file holds something other than this mix"):
        mixed(world, tmp_path / "file")
