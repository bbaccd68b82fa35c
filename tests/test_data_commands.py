"""``watchword data``: folders are fetched, prepared, checked and made, as typed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import long_models
from conftest import Ask, World
from watchword import audio
from watchword.data import archives
from watchword.data_commands import span, split_named
from watchword.errors import ConfigError


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two words by two speakers, nothing wrong with them."""
    rng = np.random.default_rng(0)
    for name in ("yes/a", "yes/b", "no/a", "no/b"):
        path = tmp_path / "mine" / f"{name}_nohash_0.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.write(path, rng.uniform(-0.1, 0.1, 16_000))
    return tmp_path / "mine"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three words by three speakers, one for each split."""
    folder = tmp_path_factory.mktemp("clips")
    lists: dict[str, list[str]] = {"validation": [], "testing": []}
    for word in ("loud", "low", "other"):
        for speaker, of_split in (("a", "testing"), ("b", "validation"), ("c", None)):
            name = f"{word}/{speaker}_nohash_0.wav"
            long_models.record(folder / name, 1.0, (0.2, 0.5, 0.3))
            if of_split:
                lists[of_split].append(f"{name}\n")
    for of_split, names in lists.items():
        (folder / f"{of_split}_list.txt").write_text("".join(names))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands write where nothing is."""
    monkeypatch.chdir(tmp_path)


# --------------------------------------------------------------------------------------------- help


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("mix", ["--snr", "--noise", "--hours"]),
        ("sentences", ["--text", "--without", "--not-apart"]),
    ],
)
def test_help_tells_the_options_and_an_example(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, command: str, words: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    answer = ask("data", command, "--help")
    assert answer.code == 0
    assert f"Example: watchword data {command} " in " ".join(answer.out.split())
    assert all(word in answer.out for word in words)


# -------------------------------------------------------------------------------- check and prepare


def test_a_clean_folder_is_said_to_be_clean(ask: Ask, speech: Path) -> None:
    answer = ask("data", "check", speech)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{speech}: 4 utterances, 0 noise recordings, 0 errors, 0 warnings\n"


def test_warnings_are_shown_and_are_no_failure(ask: Ask, speech: Path) -> None:
    audio.write(speech / "yes" / "c_nohash_0.wav", np.zeros(16_000))
    answer = ask("data", "check", speech)
    assert answer.code == 0
    assert "1.00 s of digital silence" in " ".join(answer.out.split())
    assert "0 errors, 1 warnings" in answer.out


def test_errors_are_shown_and_told_by_the_exit_code(ask: Ask, speech: Path) -> None:
    (speech / "yes" / "c_nohash_0.wav").write_bytes(b"")
    (speech / "no" / "c_nohash_0.wav").write_bytes(b"no audio at all")
    answer = ask("data", "check", speech)
    assert answer.code == 1
    assert "empty" in answer.out
    assert "unreadable" in answer.out
    record = json.loads(ask("data", "check", speech, "--json").out)
    assert (record["errors"], record["is_clean"]) == (2, False)


def test_data_commands_refuse_what_is_no_folder_of_speech(
    ask: Ask, speech: Path, tmp_path: Path
) -> None:
    for command in ("check", "prepare"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert "nowhere: no such folder" in ask("data", command, tmp_path / "nowhere").line
        assert "empty: no utterances found" in ask("data", command, tmp_path / "empty").line
        clip = speech / "yes" / "a_nohash_0.wav"
        assert "found a file, needed the folder" in ask("data", command, clip).line


def test_preparing_says_what_there_is(ask: Ask, speech: Path, tmp_path: Path) -> None:
    (tmp_path / "env.yml").write_text(f"datasets: {tmp_path}\n")
    words = ["data", "prepare", speech, "--env", tmp_path / "env.yml"]
    record = json.loads(ask(*words, "--json").out)
    assert (record["layout"], record["clips"], record["words"]) == ("commands", 4, 2)
    assert record["train"] + record["valid"] + record["test"] == 4
    answer = ask(*words)
    assert "clips        4" in answer.out
    assert record["fingerprint"] in answer.out


def test_recordings_that_are_left_out_are_said(
    ask: Ask, speech: Path, tmp_path: Path, trained: World
) -> None:
    (tmp_path / "env.yml").write_text(f"datasets: {tmp_path}\n")
    (speech / "yes" / "c_nohash_0.wav").write_bytes(b"no audio at all")
    where = ["--env", tmp_path / "env.yml"]
    said = "mine: 1 of 5 recordings are no usable audio and are left out: see "
    (tmp_path / "x.yml").write_text(
        "task: {keywords: [yes, no], unknown: none, has_silence: false}\n"
        "model: {name: tc_resnet8, width: 0.25}\n"
        "train: {epochs: 1, batch_size: 2, settle_batches: 0}\n"
    )
    commands = {
        "prepare": ["data", "prepare", speech],
        "train": ["train", tmp_path / "x.yml", "--data", speech],
        "eval": ["eval", trained.checkpoint, "--data", speech, "--output", tmp_path / "report"],
    }
    for name, words in commands.items():
        err = ask(*words, *where).err
        assert err.count(said) == 1, (name, err)
        place = Path(err.partition(said)[2].splitlines()[0])
        assert place.read_text().splitlines()[1].startswith("yes/c_nohash_0.wav,"), name
    assert ask("data", "prepare", speech, *where, "--json").err == ""


# ---------------------------------------------------------------------------------- synth and fetch


def test_synthetic_speech_is_made_where_it_is_asked_for(ask: Ask, tmp_path: Path) -> None:
    words = ["--words", "yes, no", "--variants", 1]
    answer = ask("data", "synth", tmp_path / "x", *words)
    assert (answer.code, answer.out) == (0, f"speech is in {tmp_path / 'x'}\n")
    assert len(list((tmp_path / "x" / "yes").glob("*.wav"))) == 3  # one each for three splits
    record = json.loads(ask("data", "synth", tmp_path / "z", *words, "--seed", 3, "--json").out)
    made = {"folder": str(tmp_path / "z"), "words": ["yes", "no"], "variants": 1, "seed": 3}
    assert record == made
    assert "words to speak" in ask("data", "synth", tmp_path / "y", "--words", "Yes!").line
    (tmp_path / "words.txt").write_text("yes\nno\n")
    words = ("--words", tmp_path / "words.txt", "--variants", 1, "--json")
    assert json.loads(ask("data", "synth", tmp_path / "w", *words).out)["words"] == ["yes", "no"]


def test_a_public_archive_is_fetched_by_name(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "did you mean" in ask("data", "fetch", "speech_commands_v0.2").line

    def fetch(name: str, datasets: Path, *, progress: archives.Progress) -> Path:
        progress("download", 0, None)
        progress("check", 5, 10)
        return datasets / name

    monkeypatch.setattr(archives, "fetch", fetch)
    (tmp_path / "env.yml").write_text("datasets: here\n")
    words = ["data", "fetch", "speech_commands_v0.01", "--env", tmp_path / "env.yml"]
    assert ask(*words).out == "speech_commands_v0.01 is in here/speech_commands_v0.01\n"
    answer = ask(*words, "--json")
    folder = "here/speech_commands_v0.01"
    assert json.loads(answer.out) == {"name": "speech_commands_v0.01", "folder": folder}
    assert answer.err == ""


# ---------------------------------------------------------------------------------------------- mix


def mixing(clips: Path, *words: object) -> list[object]:
    """The words of a short mix."""
    said = ["--speech", clips, "--keywords", "loud, low", "--split", "test"]
    return ["data", "mix", "mix", *said, "--length", 12, *words]


def test_data_mix_tells_what_was_made_and_it_can_be_evaluated(ask: Ask, clips: Path) -> None:
    words = ["--snr", "5:15", "--gap", "1", "--level", "-30:-20", "--hours", 0.01]
    answer = ask(*mixing(clips, *words))
    assert answer.code == 0, answer.err
    assert re.fullmatch(r"recordings: 3, hours: 0\.01, keywords: \d+, in mix\n", answer.out)
    told = json.loads(Path("mix/mix.json").read_text())
    assert told["recipe"]["snr_db"] == [5.0, 15.0]
    assert told["recipe"]["gap_s"] == [1.0, 1.0]
    assert told["recipe"]["level_dbfs"] == [-30.0, -20.0]
    again = ask(*mixing(clips, *words, "--json"))
    assert (again.code, again.err) == (0, "")
    record = json.loads(again.out)
    assert (record["folder"], record["recordings"]) == ("mix", 3)
    assert record["events"] == sum(told["events"].values())
    model = long_models.write(Path("model.watchword"))
    assert ask("eval", model, "--stream", "mix").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--snr", "abc"], "--snr abc is no number and no LOW:HIGH, needed such as 10 or 5:20"),
        (["--snr", "5:"], "--snr 5: is no number and no LOW:HIGH"),
        (["--level", "x:1"], "--level x:1 is no number and no LOW:HIGH"),
        (["--gap", ""], "--gap is no number and no LOW:HIGH"),
        (["--snr", "20:5"], "snr_db runs from 20 to 5, needed two numbers"),
        (["--snr", "nan"], "snr_db runs from nan to nan"),
        (["--hours", "0"], "0 hours asked for, needed at least 5 seconds"),
        (["--hours", "-1"], "-1 hours asked for"),
        (["--length", "0"], "recording_s is 0, needed 5 to 3600 seconds"),
        (["--seed", "-1"], "the seed is -1, needed 0 or more"),
        (["--overlap", "2"], "overlap is 2, needed a share from 0 to 1"),
        (["--reverb", "0.5"], "reverb is 0.5 and there is no folder for it"),
        (["--split", "dev2"], "no split is called 'dev2', needed train, valid or test: name one"),
        (["--noise-split", "x"], "no split is called 'x'"),
        (["--keywords", " , "], "no keyword was named, and nothing tells how long to mix"),
        (["--keywords", "zebra"], "zebra"),
        (["--speech", "nowhere"], "nowhere"),
        (["--noise", "nowhere"], "nowhere"),
    ],
)
def test_data_mix_refuses_in_one_line_and_writes_nothing(
    ask: Ask, clips: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    assert message in ask(*mixing(clips, *words)).line
    assert [*tmp_path.iterdir()] == []


# ---------------------------------------------------------------------------------------- sentences


def test_data_sentences_tells_what_was_made(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("So it is.\nStop it.\nI know.\n")
    words = ["--text", "x.txt", "--without", "stop, no", "--hours", 0.0005, "--split", "val"]
    answer = ask("data", "sentences", "spoken", *words)
    assert (answer.code, answer.out) == (0, "0.0005 hours of speech are in spoken\n")
    assert "Stop" not in Path("spoken/utterances.csv").read_text()
    answer = ask("data", "sentences", "spoken", *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    made = {"folder": "spoken", "sentences": 1, "hours": 0.0005, "split": "valid"}
    assert json.loads(answer.out) == made


def test_data_sentences_takes_speakers_that_are_apart_or_are_not(ask: Ask, tmp_path: Path) -> None:
    rows = ["a.wav,train,ls1272,one sentence", "b.wav,valid,ls1673,another sentence"]
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "list.csv").write_text("\n".join(["file,split,speaker,transcript", *rows]))
    for option, text in (("--apart", "another sentence"), ("--not-apart", "one sentence")):
        words = ["--text", "read", option, 0.25, "--hours", 0.0002]
        assert ask("data", "sentences", option.strip("-"), *words).code == 0
        told = Path(option.strip("-"), "utterances.csv").read_text()
        assert told.count(text) == told.count("sentence") > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hours", "0"], "0 hours were asked for, needed a time above 0"),
        (["--hours", "nan"], "nan hours were asked for"),
        (["--split", "dev2"], "no split is called 'dev2', needed train, valid or test"),
        (["--of", "dev2"], "no split is called 'dev2'"),
        (["--of", "valid"], "x.txt were asked for, which is a file, needed a corpus"),
        (["--apart", "0.2"], "x.txt were asked for, which is a file, needed a corpus"),
        (["--apart", "-0.2"], "Invalid value for '--apart'"),
        (["--not-apart", "2"], "Invalid value for '--not-apart'"),
        (["--not-apart", "0"], "a share of 0 of the speakers was asked for"),
        (
            ["--apart", "0.2", "--not-apart", "0.3"],
            "--apart 0.2 was given with --not-apart 0.3, needed one of them: leave one out",
        ),
        (["--without", "so"], "all of 1 sentences hold a digit or one of so, needed some"),
        (["--text", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--seed", "-1"], "the seed is -1, needed 0 or more"),
    ],
)
def test_data_sentences_refuses_in_one_line_and_writes_nothing(
    ask: Ask, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "x.txt").write_text("So it is.")
    assert message in ask("data", "sentences", "spoken", "--text", "x.txt", *words).line
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


# ------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("text", "found"), [("10", (10.0, 10.0)), ("-30:-18", (-30.0, -18.0)), ("5:20", (5.0, 20.0))]
)
def test_a_span_is_one_number_or_two(text: str, found: tuple[float, float]) -> None:
    assert span(text, "--snr") == found


def test_a_span_that_is_none_is_refused() -> None:
    for text in ("", "a", "1:b", "1:2:3", "1:", ":1"):
        with pytest.raises(ConfigError, match=r"is no number and no LOW:HIGH, needed such as 10"):
            span(text, "--snr")


def test_a_split_has_the_names_that_corpora_give_it() -> None:
    assert [split_named(name) for name in ("train", "dev", "Test")] == ["train", "valid", "test"]
    with pytest.raises(
        ConfigError, match=r"no split is called 'both', needed train, valid or test"
    ):
        split_named("both")
