"""``eval --stream``, ``calibrate``, ``mine``, ``data mix`` and ``data sentences`` as typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import long_models
from conftest import Ask, listing
from long_models import event
from watchword import bundle
from watchword.errors import ConfigError
from watchword.long_audio import scores as answers
from watchword.long_audio.commands import span, split_named


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, recordings in which its keywords are said and are not, and a corpus of clips."""
    folder = tmp_path_factory.mktemp("typed")
    long_models.write(folder / "model.watchword")
    long_models.said_often(folder / "said")
    long_models.never_said(folder / "never")
    lists: dict[str, list[str]] = {"validation": [], "testing": []}
    for word in ("loud", "low", "other"):
        for speaker, of_split in (("a", "testing"), ("b", "validation"), ("c", None)):
            name = f"{word}/{speaker}_nohash_0.wav"
            long_models.record(folder / "clips" / name, 1.0, (0.2, 0.5, 0.3))
            if of_split:
                lists[of_split].append(f"{name}\n")
    for of_split, names in lists.items():
        (folder / "clips" / f"{of_split}_list.txt").write_text("".join(names))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands write where nothing is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make hearing an error."""

    def fail(*_words: object, **_named: object) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr(answers, "hear", fail)


def sources(world: Path, option: str, *names: str) -> list[str]:
    """The words that name recordings."""
    return [word for name in names or ("said", "never") for word in (option, str(world / name))]


def plain(text: str) -> str:
    """An answer on one line."""
    return " ".join(text.split())


# ------------------------------------------------------------------------------------------ help


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["calibrate"], ["--fa-per-hour", "--target-frr", "-o"]),
        (["mine"], ["--near", "--most"]),
        (["data", "mix"], ["--snr", "--noise", "--hours"]),
        (["data", "sentences"], ["--text", "--without", "--not-apart"]),
    ],
)
def test_help_tells_the_options_and_an_example(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, command: list[str], words: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    answer = ask(*command, "--help")
    assert answer.code == 0
    assert f"Example: watchword {' '.join(command)} " in plain(answer.out)
    assert all(word in answer.out for word in words)


def test_help_of_eval_tells_of_streams(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert "--stream" in ask("eval", "--help").out


# ------------------------------------------------------------------------------------------ eval


def test_eval_on_streams_tells_rates_and_where_the_report_is(ask: Ask, world: Path) -> None:
    answer = ask("eval", world / "model.watchword", *sources(world, "--stream"))
    assert answer.code == 0, answer.err
    folder = Path("stream-model")
    assert f"report: {folder}/report.md, with sounds: {folder}/report.html" in answer.out
    assert "per hour" in answer.out
    assert {"report.json", "report.md", "report.html"} <= {path.name for path in folder.iterdir()}


def test_eval_on_streams_is_one_object_for_programs(ask: Ask, world: Path, tmp_path: Path) -> None:
    words = ["--output", tmp_path / "out", "--threshold", 0.6, "-k", "low", "--json"]
    answer = ask("eval", world / "model.watchword", *sources(world, "--stream"), *words)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert record["html"] == str(tmp_path / "out" / "report.html")
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {key: record[key] for key in told} == told
    assert "0.6" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize("name", ["said", "never"])
def test_recordings_of_one_kind_alone_can_be_evaluated(ask: Ask, world: Path, name: str) -> None:
    answer = ask("eval", world / "model.watchword", *sources(world, "--stream", name))
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["--keywords", "low"],
        ["--threshold", "0.5"],
        ["--smoothing", "2"],
        ["--refractory", "500"],
        ["--tolerance", "0.5"],
        ["--int8"],
        ["--workers", "1"],
    ],
)
def test_options_of_streams_are_refused_for_clips(ask: Ask, words: list[str]) -> None:
    line = ask("eval", "best.pth.tar", *words).line
    assert "were asked for on clips, needed --stream with recordings" in line


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "x"],
        ["--task", "12"],
        ["--split", "test"],
        ["--robust"],
        ["--noise", "x"],
        ["--rooms", "x"],
        ["--env", "x"],
        ["--gpu", "0"],
    ],
)
def test_options_of_clips_are_refused_for_streams(
    ask: Ask, world: Path, deaf: None, words: list[str]
) -> None:
    line = ask("eval", world / "model.watchword", *sources(world, "--stream"), *words).line
    assert "options for clips were asked for with --stream, needed those for recordings" in line


# ------------------------------------------------------------------------------- bad references


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"events": [event("loud", 3.0, 5.5)]}, "'loud' from 3 to 5.5 s lies outside the"),
        (
            {"events": [event("loud", 1.0, 1.8), event("loud", 1.7, 2.5)]},
            "two events of 'loud' overlap",
        ),
        ({"events": [event("lowd", 1.0, 1.8)]}, "does not know this keyword: did you mean low?"),
        ({"events": [event("loud", 1000, 1800)]}, "divide milliseconds by 1,000"),
        ({"events": [event("loud", 2.0, 1.0)]}, "does not end after it starts"),
        ({"events": [{"keyword": "loud", "start_s": 1.0}]}, "there is no 'end_s'"),
        ({"duration_s": 4000}, "and its header says 4 s"),
        ({"duration_s": 0}, "needed more than 0 seconds"),
    ],
)
def test_a_reference_that_cannot_be_meant_is_one_line_of_every_command(
    ask: Ask, world: Path, tmp_path: Path, deaf: None, told: dict[str, Any], message: str
) -> None:
    long_models.record(tmp_path / "a.wav", 4.0)
    path = long_models.manifest(tmp_path / "m.jsonl", [{"audio": "a.wav", **told}])
    before = listing(tmp_path)
    for words in (
        ["eval", world / "model.watchword", "--stream", path],
        ["calibrate", world / "model.watchword", "--on", path, "--fa-per-hour", 1, "-o", "b"],
        ["mine", world / "model.watchword", "--on", path, "-o", "mined"],
    ):
        assert message in ask(*words).line
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.jsonl", "nowhere.jsonl is no file and no folder, needed a .jsonl manifest"),
        ("nowhere:test", "nowhere is no file and no folder, needed a .jsonl manifest"),
        ("empty.jsonl", "empty.jsonl holds no recordings, needed one JSON object a line"),
        ("zero.jsonl", "zero.wav, which holds no samples, needed audio"),
        ("m.jsonl:test", "the split test was asked of m.jsonl, which has no list that tells it"),
        ("m.jsonl:dev", "no split is called 'dev', needed train, valid, test"),
        ("m.jsonl:valid:2", "names the share '2' of speakers, needed a number between 0 and 1"),
        ("missing.jsonl", "missing.jsonl: line 1 names gone.wav, no such file"),
    ],
)
def test_recordings_that_are_none_are_one_line(
    ask: Ask, world: Path, tmp_path: Path, deaf: None, source: str, message: str
) -> None:
    long_models.record(tmp_path / "a.wav", 4.0)
    long_models.record(tmp_path / "zero.wav", 0.0)
    long_models.manifest(tmp_path / "m.jsonl", [{"audio": "a.wav"}])
    long_models.manifest(tmp_path / "zero.jsonl", [{"audio": "zero.wav"}])
    long_models.manifest(tmp_path / "missing.jsonl", [{"audio": "gone.wav"}])
    (tmp_path / "empty.jsonl").write_text("\n")
    line = ask("eval", world / "model.watchword", "--stream", source).line
    assert message in line
    assert not (tmp_path / "stream-model").exists()


def test_without_a_model_or_a_source_a_command_says_what_is_missing(ask: Ask, world: Path) -> None:
    words = sources(world, "--on")
    assert "none.watchword is no file" in ask("mine", "none.watchword", *words, "-o", "m").line
    assert "Missing option '--on'" in ask("mine", world / "model.watchword", "-o", "m").line
    assert "Missing option '--output'" in ask("mine", world / "model.watchword", *words).line


# -------------------------------------------------------------------------------------- calibrate


def test_calibrate_tells_points_and_evidence_and_info_tells_them_again(
    ask: Ask, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = ["--fa-per-hour", 100, "-o", "new.watchword", "--scores", world / "s.npz"]
    answer = ask("calibrate", world / "model.watchword", *sources(world, "--on"), *words)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert (world / "s.npz").is_file()
    assert "operating points" in answer.out
    assert lines[-1] == "bundle: new.watchword"
    accepts = next(line for line in lines if line.startswith("false accepts "))
    assert re.match(
        r"false accepts at most \S+ per hour \(none in 0\.05 h; 95 %\) there; ", accepts
    )
    assert any(line.startswith("FRR ") and "/40; 95 %" in line for line in lines)
    temperature = next(line for line in lines if line.startswith("temperature "))
    card = json.loads(ask("info", "new.watchword", "--json").out)
    assert f"temperature {card['temperature']:g}:" in temperature
    assert card["false_accepts"] in accepts
    assert card["target"] == "at most 100 false accepts per hour"
    assert "not calibrated" not in card["operating_point_loud"]
    assert card["false_accepts"] in plain(ask("info", "new.watchword").out)


def test_calibrate_is_one_object_for_programs(ask: Ask, world: Path, tmp_path: Path) -> None:
    before = (world / "model.watchword").read_bytes()
    words = ["--fa-per-hour", 100, "-o", tmp_path / "folder", "-k", "low", "--json"]
    answer = ask("calibrate", world / "model.watchword", *sources(world, "--on"), *words)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert record["path"] == str(tmp_path / "folder")
    assert [row["keyword"] for row in record["keywords"]] == ["low"]
    facts = bundle.read(tmp_path / "folder").facts
    assert {*facts.points} == {"low"}
    assert facts.points["low"].threshold == record["keywords"][0]["threshold"]
    assert (world / "model.watchword").read_bytes() == before


def test_noise_of_which_nothing_tells_serves_if_it_is_trusted(
    ask: Ask, world: Path, tmp_path: Path
) -> None:
    long_models.record(tmp_path / "bare" / "noise.flac", 180.0, (20.0, 0.8, 0.5))
    words = [*sources(world, "--on", "said"), "--on", "bare", "--fa-per-hour", 100, "--json"]
    command = ["calibrate", world / "model.watchword", *words, "-o", "new.watchword"]
    assert "needed" in ask(*command).line
    assert not (tmp_path / "new.watchword").exists()
    answer = ask(*command, "--trust-negatives")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["false_accepts"]["hours"] == pytest.approx(0.05)
    assert (tmp_path / "new.watchword").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one target is needed, found none: give --fa-per-hour or --target-frr"),
        (["--fa-per-hour", "1", "--target-frr", "0.1"], "one target is needed, found two"),
        (["--fa-per-hour", "0"], "a target of 0 false accepts per hour was given"),
        (["--fa-per-hour", "-1"], "a target of -1 false accepts per hour was given"),
        (["--fa-per-hour", "nan"], "a target of nan false accepts per hour was given"),
        (["--target-frr", "5"], "a target of 5 of the keywords missed was given"),
        (["--target-frr", "0"], "a target of 0 of the keywords missed was given"),
        (["--fa-per-hour", "0.5"], "even without a false accept 7.4 hours are needed"),
        (["--target-frr", "0.1"], "1.0 hours are needed to show any rate"),
        (["--fa-per-hour", "many"], "Invalid value for '--fa-per-hour'"),
        (["--fa-per-hour", "100", "-k", "lowd"], "does not know the keyword 'lowd'"),
        (["--fa-per-hour", "100", "--tolerance", "-1"], "a tolerance of -1 s was given"),
        (["--fa-per-hour", "100", "--int8"], "8-bit"),
        (["--fa-per-hour", "100", "--workers", "0"], "Invalid value for '--workers'"),
    ],
)
def test_calibrate_refuses_in_one_line_and_writes_nothing(
    ask: Ask, world: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    command = ["calibrate", world / "model.watchword", *sources(world, "--on"), "-o", "new"]
    assert message in ask(*command, *words).line
    assert [*tmp_path.iterdir()] == []


def test_a_target_out_of_reach_is_one_line_and_nothing_is_written(
    ask: Ask, tmp_path: Path, world: Path
) -> None:
    long_models.record(tmp_path / "quiet.wav", 100.0)
    long_models.never_said(tmp_path / "hour", 3_700)
    spans = [(number, number + 0.8) for number in range(1, 91, 2)]
    events = [event(word, *span) for word in ("loud", "low") for span in spans]
    long_models.manifest(tmp_path / "m.jsonl", [{"audio": "quiet.wav", "events": events}])
    words = [
        "--on",
        "m.jsonl",
        "--on",
        "hour",
        "--target-frr",
        0.1,
        "-o",
        "new.watchword",
        "--json",
    ]
    line = ask("calibrate", world / "model.watchword", *words).line
    assert "a mean false reject rate of 10.0 % is out of reach: at the lowest thresholds" in line
    assert "100.0 % are missed" in line
    assert not (tmp_path / "new.watchword").exists()


# ------------------------------------------------------------------------------------------- mine


def test_mine_tells_how_much_and_how_to_train_on_it(ask: Ask, world: Path, tmp_path: Path) -> None:
    words = ["-o", "mined", "--near", 0.32]
    answer = ask("mine", world / "model.watchword", *sources(world, "--on"), *words)
    assert answer.code == 0, answer.err
    assert plain(answer.out) == (
        "2 clips of 0.08 hours are in mined; name it as a corpus of the training: "
        "- {folder: mined, share: 0.2}"
    )
    words = ["-o", tmp_path / "one", "--most", 1, "-k", "low", "--near", 0.32, "--json"]
    answer = ask("mine", world / "model.watchword", *sources(world, "--on"), *words)
    assert (answer.code, answer.err) == (0, "")
    record = json.loads(answer.out)
    assert (record["clips"], record["keywords"]) == (1, {"low": 1})
    assert len([*(tmp_path / "one").rglob("*.wav")]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--near", "0"], "windows from a posterior of 0, 0.4 s apart, were asked for"),
        (["--near", "2"], "windows from a posterior of 2, 0.4 s apart, were asked for"),
        (["--near", "0.99"], "no window fired or nearly did, needed at least one to write"),
        (["--most", "0"], "Invalid value for '--most'"),
        (["-k", "lowd"], "does not know the keyword 'lowd'"),
        (["-o", "taken"], "taken holds something other than mined clips"),
    ],
)
def test_mine_refuses_in_one_line_and_writes_nothing(
    ask: Ask, world: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "taken").write_text("precious")
    command = ["mine", world / "model.watchword", *sources(world, "--on"), "-o", "mined"]
    assert message in ask(*command, *words).line
    assert listing(tmp_path) == {"taken": b"precious"}


# ------------------------------------------------------------------------------------------- data


def mixing(world: Path, *words: object) -> list[object]:
    """The words of a short mix."""
    clips = ["--speech", world / "clips", "--keywords", "loud, low", "--split", "test"]
    return ["data", "mix", "mix", *clips, "--length", 12, *words]


def test_data_mix_tells_what_was_made_and_it_can_be_evaluated(ask: Ask, world: Path) -> None:
    words = ["--snr", "5:15", "--gap", "1", "--level", "-30:-20", "--hours", 0.01]
    answer = ask(*mixing(world, *words))
    assert answer.code == 0, answer.err
    assert re.fullmatch(r"3 recordings, 0\.01 hours, \d+ keywords are in mix\n", answer.out)
    told = json.loads(Path("mix/mix.json").read_text())
    assert told["recipe"]["snr_db"] == [5.0, 15.0]
    assert told["recipe"]["gap_s"] == [1.0, 1.0]
    assert told["recipe"]["level_dbfs"] == [-30.0, -20.0]
    again = ask(*mixing(world, *words, "--json"))
    assert (again.code, again.err) == (0, "")
    record = json.loads(again.out)
    assert (record["folder"], record["recordings"]) == ("mix", 3)
    assert record["events"] == sum(told["events"].values())
    assert ask("eval", world / "model.watchword", "--stream", "mix").code == 0


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
    ask: Ask, world: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    assert message in ask(*mixing(world, *words)).line
    assert [*tmp_path.iterdir()] == []


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
