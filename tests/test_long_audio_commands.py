"""``eval --stream``, ``calibrate`` and ``mine`` as typed."""

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
from watchword.long_audio import scores as answers


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and recordings in which its keywords are said and are not."""
    folder = tmp_path_factory.mktemp("typed")
    long_models.write(folder / "model.watchword")
    long_models.said_often(folder / "said")
    long_models.never_said(folder / "never")
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
