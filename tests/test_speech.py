"""What settings say of corpora is what is found, prepared and left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from watchword import audio, build, speech
from watchword.config import CorpusSettings, Environment, Settings, parse_settings
from watchword.data import archives, batches
from watchword.data.layouts import is_apart
from watchword.errors import ConfigError, DataError


def settings(text: str) -> Settings:
    return parse_settings(text)[0]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two words by two speakers, one clip of which v0.02 has dropped."""
    rng = np.random.default_rng(0)
    for name in ("yes/a_nohash_0", "yes/b_nohash_0", "no/a_nohash_0", "no/b_nohash_0"):
        path = tmp_path / "mine" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, rng.uniform(-0.1, 0.1, 1_600))
    (tmp_path / "mine" / "not_in_v0.02_list.txt").write_text("yes/a_nohash_0.wav\n")
    return tmp_path / "mine"


def test_a_source_carries_what_its_section_says(corpus: Path, tmp_path: Path) -> None:
    section = CorpusSettings(
        folder="mine",
        share=0.5,
        words={"no": "_unknown_"},
        hold_out=("x",),
        leave_out=("no/b.wav",),
    )
    told: list[tuple[str, int, int | None]] = []
    made = speech.source(
        section,
        Environment(datasets=tmp_path),
        train_on_dropped=True,
        told=lambda *words: told.append(words),
    )
    assert (made.name, made.share, made.hold_out) == ("mine", 0.5, ("x",))
    assert made.word_as("no") == "_unknown_"
    assert made.leave_out == {"no/b.wav"}
    assert len(made.store.clips) == 4
    assert told[-1] == ("preparing mine", 4, 4)
    assert (tmp_path / "prepared").is_dir()


def test_dropped_clips_are_left_out_if_settings_say_so(corpus: Path, tmp_path: Path) -> None:
    where = Environment(datasets=tmp_path, cache=tmp_path / "cache")
    asked = settings("data: {corpora: [{folder: mine}], train_on_dropped: false}")
    (made,) = speech.sources(asked, where)
    assert made.leave_out == {"yes/a_nohash_0.wav"}
    assert (tmp_path / "cache").is_dir()


def listed(folder: Path, rows: list[str]) -> Path:
    """Write a corpus of sentences with transcripts; each row is ``name,split,transcript``."""
    lines = ["file,split,transcript", *rows]
    folder.mkdir(parents=True)
    for row in rows:
        audio.write(folder / row.split(",")[0], np.full(3_200, 0.1, np.float32))
    (folder / "all.csv").write_text("\n".join(lines))
    return folder


def test_sentences_that_hold_a_word_are_heard_by_no_split(tmp_path: Path) -> None:
    rows = ["a.wav,valid,GO ON", "b.wav,valid,he goes", "c.wav,test,don't", "d.wav,valid,"]
    listed(tmp_path / "read", rows)
    section = CorpusSettings(folder="read", without=("go", "Don"), splits={"valid": "train"})
    made = speech.source(section, Environment(datasets=tmp_path), train_on_dropped=True)
    assert made.ignored == {"a.wav"}  # whole words: neither "goes" nor "don't"
    said = made.store.manifest.utterances
    heard = {split: [said[i].name for i in made.rows_of(split)] for split in ("train", "valid")}
    assert heard == {"train": ["b.wav", "d.wav"], "valid": []}


def test_speakers_apart_are_heard_by_no_split_and_all_others_are(tmp_path: Path) -> None:
    people = [f"p{number}" for number in range(40)]
    lines = ["file,split,speaker,transcript"]
    for number, name in enumerate(people):
        split = ("train", "valid", "test")[number % 3]
        lines.append(f"{name}.wav,{split},{name},so it is")
        path = tmp_path / "read" / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        audio.write(path, np.full(1_600, 0.1, np.float32))
    (tmp_path / "read" / "all.csv").write_text("\n".join(lines))
    apart = {f"{name}.wav" for name in people if is_apart(name, 0.25)}
    assert 0 < len(apart) < len(people)
    for share, ignored in ((0.25, apart), (0.0, set())):
        section = CorpusSettings(folder="read", apart=share)
        made = speech.source(section, Environment(datasets=tmp_path), train_on_dropped=True)
        assert made.ignored == ignored
        said = made.store.manifest.utterances
        heard = {
            said[row].name for split in ("train", "valid", "test") for row in made.rows_of(split)
        }
        assert heard == {f"{name}.wav" for name in people} - ignored


@pytest.mark.parametrize("share", ["-0.1", "1.0", "some"])
def test_a_share_of_speakers_that_cannot_be_meant_is_refused(share: str) -> None:
    with pytest.raises(ConfigError, match=r"apart"):
        settings(f"data: {{corpora: [{{folder: read, apart: {share}}}]}}")


def test_words_that_training_never_hears_are_not_heard_within_sentences(tmp_path: Path) -> None:
    listed(tmp_path / "read", ["a.wav,train,a House of nine", "b.wav,train,a mouse"])
    made = settings("task: 12\ndata: {corpora: [{folder: read}]}")
    (read,) = speech.sources(made, Environment(datasets=tmp_path))
    assert read.ignored == {"a.wav"}


def test_a_copy_is_not_heard_where_the_better_one_is_at_hand(corpus: Path, tmp_path: Path) -> None:
    for name in ("yes/a_nohash_0.wav", "yes/c_nohash_0.wav"):
        path = tmp_path / "rebuilt" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, np.full(1_600, 0.1, np.float32))
    made = settings(
        "data: {corpora: [{folder: mine}, {folder: rebuilt, unless_in: mine, is_rebuilt: true}]}"
    )
    recorded, rebuilt = speech.sources(made, Environment(datasets=tmp_path))
    assert recorded.ignored == frozenset()
    assert "yes/a_nohash_0.wav" in rebuilt.ignored
    assert "yes/c_nohash_0.wav" not in rebuilt.ignored


@pytest.mark.parametrize("other", ["mine", "mines"])
def test_the_better_copies_must_be_in_another_corpus(
    other: str, corpus: Path, tmp_path: Path
) -> None:
    made = settings(f"data: {{corpora: [{{folder: mine, unless_in: {other}}}]}}")
    message = f"mine is heard unless_in {other}, needed the folder of another corpus"
    with pytest.raises(ConfigError, match=message):
        speech.sources(made, Environment(datasets=tmp_path))


def test_a_missing_folder_is_one_line_with_its_name(tmp_path: Path) -> None:
    for folder in ("nowhere", str(tmp_path / "nowhere")):
        with pytest.raises(DataError, match=r"nowhere: no such folder, needed a corpus"):
            speech.source(
                CorpusSettings(folder=folder), Environment(datasets=tmp_path), train_on_dropped=True
            )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_looked_for_below_the_data_folder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = Environment(datasets=tmp_path / "data")
    assert speech.find_folder("speech", where) == tmp_path / "data" / "speech"
    (tmp_path / "speech").mkdir()
    assert speech.find_folder("speech", where) == Path("speech")
    (tmp_path / "speech" / "yes").mkdir()
    (tmp_path / "data" / "speech").mkdir(parents=True)
    assert speech.find_folder("speech", where) == Path("speech")
    (tmp_path / "data" / "speech" / "yes").mkdir()
    assert speech.find_folder("speech", where) == tmp_path / "data" / "speech"


def test_a_public_archive_is_fetched_if_its_folder_is_missing_or_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(name: str, datasets: Path, *, progress: archives.Progress) -> Path:
        progress("download", 5_000_000, 2_428_923_189)
        progress("unpack", 1_000_000, None)
        asked.append((name, datasets))
        return datasets / name

    monkeypatch.setattr(archives, "fetch", fetch)
    monkeypatch.chdir(tmp_path)
    where, name = Environment(datasets=tmp_path), "speech_commands_v0.02"
    told: list[tuple[str, int, int | None]] = []
    speech.find_folder(name, where, lambda *words: told.append(words))
    assert told == [(f"downloading {name}, MB", 5, 2_428), (f"unpacking {name}, MB", 1, None)]
    (tmp_path / name).mkdir()
    assert speech.find_folder(name, where) == tmp_path / name
    assert asked == [(name, tmp_path)] * 2
    (tmp_path / name / "yes").mkdir()
    speech.find_folder(name, where)
    speech.find_folder(str(tmp_path / "elsewhere" / name), where)
    assert len(asked) == 2


def test_an_evaluation_cuts_silence_where_its_keywords_are(corpus: Path, tmp_path: Path) -> None:
    rows = [f"{split}.wav,{split}," for split in ("train", "valid", "test")]
    listed(tmp_path / "noise", rows)
    made = settings(
        "task: {name: own, keywords: [yes, no]}\n"
        "data: {corpora: [{folder: mine}, {folder: noise, is_background: true}]}"
    )
    (corpus / "validation_list.txt").write_text("yes/b_nohash_0.wav\n")
    (corpus / "testing_list.txt").write_text("no/b_nohash_0.wav\n")
    corpora = speech.sources(made, Environment(datasets=tmp_path))
    heard = {split: build.reader(made, corpora, split).background for split in ("train", "valid")}
    assert heard["train"][:3_200].tolist() == [3_277] * 3_200  # 0.1 of full scale: the noise
    assert np.array_equal(heard["valid"], batches.coloured_noise("valid"))  # mine has none
