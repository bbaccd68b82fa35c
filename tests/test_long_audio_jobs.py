"""The jobs on long recordings: what is named, heard once, judged, calibrated and mined."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import long_models
from conftest import listing
from watchword import bundle, spotter
from watchword.console import Console
from watchword.data.manifest import read_manifest
from watchword.decision import OperatingPoint
from watchword.errors import ConfigError, DataError, WatchwordError
from watchword.long_audio import asking, jobs, making, readers, sources
from watchword.long_audio import scores as answers
from watchword.long_audio.asking import Asked
from watchword.long_audio.calibrate import Target
from watchword.long_audio.reference import hours

KEYWORDS = ("loud", "low")
NOTHING: dict[str, float | int | None] = {}
TARGET = Target(fa_per_hour=100.0)
"""The 3 minutes of negative audio that tests make can show no less."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, a recording in which its keywords are said and one in which they are not."""
    folder = tmp_path_factory.mktemp("long")
    long_models.write(folder / "model.watchword")
    long_models.said_often(folder / "said")
    long_models.never_said(folder / "never")
    return folder


@pytest.fixture
def console() -> Iterator[Console]:
    with Console(is_quiet=True) as quiet:
        yield quiet


def asked(world: Path, *names: str, **given: Any) -> Asked:
    """What is asked of the model, of recordings in its world."""
    sources = [str(world / name) for name in names or ("said", "never")]
    return Asked(str(world / "model.watchword"), sources, **{"workers": 2, **given})


def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make hearing an error."""

    def fail(*_words: object, **_named: object) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr(answers, "hear", fail)


# -------------------------------------------------------------------------- how sources are named


@pytest.mark.parametrize(
    ("source", "path", "split", "share"),
    [
        ("read-speech", "read-speech", None, None),
        ("read-speech:valid", "read-speech", "valid", None),
        ("a/b:c/read:train:0.2", "a/b:c/read", "train", 0.2),
        ("read:train:-0.2", "read", "train", -0.2),
        ("m.jsonl", "m.jsonl", None, None),
        ("test", "test", None, None),
        (":test", ":test", None, None),
        ("nowhere:dev", "nowhere:dev", None, None),
    ],
)
def test_a_source_is_a_path_with_a_split_and_a_share_if_it_has_them(
    source: str, path: str, split: str | None, share: float | None
) -> None:
    assert sources.part_of(source) == (Path(path), split, share)


@pytest.mark.parametrize("share", ["much", "0", "1", "-1", "2", "nan", ""])
def test_a_share_that_is_none_is_refused(share: str) -> None:
    message = rf"names the share '{share}' of speakers, needed a number between 0 and 1"
    with pytest.raises(ConfigError, match=message):
        sources.part_of(f"read:valid:{share}")


def test_a_split_that_is_none_is_told_from_a_path_that_is_missing(world: Path) -> None:
    with pytest.raises(ConfigError, match=r"no split is called 'dev', needed train, valid, test"):
        sources.part_of(f"{world}:dev")
    (world / "odd:dev").mkdir(exist_ok=True)
    assert sources.part_of(f"{world}/odd:dev") == (world / "odd:dev", None, None)


def corpus(folder: Path, rows: list[str]) -> Path:
    """A corpus of read speech; rows are ``file,split,speaker,transcript``."""
    folder.mkdir(parents=True)
    (folder / "list.csv").write_text("\n".join(["file,split,speaker,transcript", *rows]))
    for row in rows:
        long_models.record(folder / row.split(",")[0], 1.0)
    return folder


def test_of_several_sources_recordings_are_named_and_tagged_apart(tmp_path: Path) -> None:
    rows = ["a.wav,valid,ann,so it is", "b.wav,test,bob,so it was"]
    read = corpus(tmp_path / "read", rows)
    more = long_models.record(tmp_path / "more" / "a.wav", 2.0).parent
    lines = long_models.manifest(tmp_path / "m.jsonl", [{"audio": "more/a.wav", "name": "a"}])
    found = sources.read([f"{read}:valid", f"{read}:test", str(more), str(lines)], KEYWORDS)
    assert [one.name for one in found] == ["read:valid/a", "read:test/b", "more/a", "m/a"]
    assert [one.tags["source"] for one in found] == ["read:valid", "read:test", "more", "m"]
    assert found[0].tags["speaker"] == "ann"


def test_a_source_alone_leaves_names_as_they_are_and_twice_is_once(tmp_path: Path) -> None:
    folder = str(long_models.record(tmp_path / "more" / "a.wav", 2.0).parent)
    (found,) = sources.read([folder], KEYWORDS)
    assert (found.name, found.tags["source"]) == ("a", "more")
    assert len(sources.read([folder, folder], KEYWORDS)) == 1


def test_only_speakers_apart_or_all_others_are_read_if_a_share_is_named(tmp_path: Path) -> None:
    rows = [f"{name}.wav,valid,{name},so" for name in ("ls1272", "ls1673")]
    read = corpus(tmp_path / "read", rows)
    for share, speaker in ((0.25, "ls1673"), (-0.25, "ls1272")):
        found = sources.read([f"{read}:valid:{share}"], KEYWORDS)
        assert [one.tags["speaker"] for one in found] == [speaker]


def test_no_source_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recordings were named, needed at least one"):
        sources.read([], KEYWORDS)
    folders = [long_models.record(tmp_path / name / "x" / "a.wav", 1.0).parent for name in "ab"]
    with pytest.raises(ConfigError, match=r"two sources of recordings are called x, needed a name"):
        sources.read([*map(str, folders)], KEYWORDS)


def test_keywords_are_those_named_or_all(world: Path) -> None:
    model = spotter.open_bundle(world / "model.watchword")
    assert asking.wanted(asked(world), model) == KEYWORDS
    assert asking.wanted(asked(world, keywords=" low, ,low"), model) == ("low",)
    with pytest.raises(ConfigError, match=r"does not know the keyword 'lowd': did you mean l"):
        asking.wanted(asked(world, keywords="lowd"), model)


# ------------------------------------------------------------------------------------ heard once


@pytest.mark.parametrize("place", ["scores.npz", "folder"])
def test_scores_are_kept_and_used_again(
    world: Path,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    words = asked(world, "never", scores=tmp_path / place)
    first = asking.hear(words, console)
    kept = tmp_path / place / answers.FILE_NAME if place == "folder" else tmp_path / place
    assert kept.is_file()
    deaf(monkeypatch)
    again = asking.hear(words, console)
    assert np.array_equal(again.scores.posteriors[0], first.scores.posteriors[0])
    assert again.keywords == KEYWORDS


def test_scores_of_other_files_or_another_model_are_not_used(
    world: Path, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = long_models.record(tmp_path / "a.wav", 2.0)
    words = Asked(str(world / "model.watchword"), [str(path)], scores=tmp_path / "kept")
    before = asking.hear(words, console).scores
    long_models.record(path, 2.0, (0.5, 1.0, 0.9))  # the same size
    os.utime(path, ns=(1, 1))
    after = asking.hear(words, console).scores
    assert after.key != before.key
    assert after.posteriors[0].max() > before.posteriors[0][:, 0].max()
    deaf(monkeypatch)
    asking.hear(words, console)
    with pytest.raises(AssertionError, match="the model was run"):
        asking.hear(Asked("commands-12", [str(path)], scores=tmp_path / "kept"), console)


def test_damaged_scores_are_named_and_not_written_over(
    world: Path, tmp_path: Path, console: Console
) -> None:
    (tmp_path / "x.npz").write_bytes(b"precious")
    with pytest.raises(DataError, match=r"x\.npz cannot be read as scores .*: remove it, and eval"):
        asking.hear(asked(world, scores=tmp_path / "x.npz"), console)
    assert (tmp_path / "x.npz").read_bytes() == b"precious"


# ------------------------------------------------------------------------------------------ eval


def test_an_evaluation_writes_its_report_three_times_and_its_scores(
    world: Path, tmp_path: Path, console: Console
) -> None:
    record = jobs.evaluate(asked(world), tmp_path / "out", changes=NOTHING, console=console)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.json", "report.md", jobs.PAGE, answers.FILE_NAME} <= names
    assert record["page"] == str(tmp_path / "out" / "report.md")
    assert record["html"] == str(tmp_path / "out" / jobs.PAGE)
    told = json.loads((tmp_path / "out" / "report.json").read_text())
    origin = told["provenance"]
    assert origin["model"] == "loud-low"
    assert origin["recordings"] == {"said": round(124 / 3_600, 4), "never": 0.05}
    assert origin["operating points"] == "default"
    assert "loud-low" in (tmp_path / "out" / jobs.PAGE).read_text()


def test_an_evaluation_finds_what_a_spotter_finds(
    world: Path, tmp_path: Path, console: Console
) -> None:
    heard = asking.hear(asked(world, "said"), console)
    points = dict.fromkeys(KEYWORDS, OperatingPoint(**long_models.POINT))
    (found,) = answers.detections(heard.scores, points)
    spotted = spotter.spot(world / "said" / "said.wav", world / "model.watchword")
    assert len(found) == 40
    assert [(one.keyword, one.time_s) for one in found] == [
        (one.keyword, one.time_s) for one in spotted
    ]


def test_changes_of_the_operating_points_count(
    world: Path, tmp_path: Path, console: Console
) -> None:
    words = asked(world, "never", scores=tmp_path / "s.npz")
    pages = {}
    for threshold in (0.5, 0.2):
        changes = {"threshold": threshold, "smoothing_scores": None, "refractory_ms": None}
        record = jobs.evaluate(words, tmp_path / f"{threshold}", changes=changes, console=console)
        pages[threshold] = Path(record["page"]).read_text()
    assert pages[0.5] != pages[0.2]
    assert "none in 0.05 h" in pages[0.5]
    assert "(2 in 0.05 h" in pages[0.2]


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        ({"tolerance_s": -1.0}, {}, r"a tolerance of -1 s was given, needed a finite time"),
        ({}, {"threshold": 2.0}, r"a threshold of 2 was given, needed above 0 and at most 1"),
        ({}, {"smoothing_scores": 0}, r"smoothing over 0 scores was asked for"),
        ({}, {"refractory_ms": -1.0}, r"a refractory period of -1 ms was given"),
        ({"keywords": "lout"}, {}, r"does not know the keyword 'lout'"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_heard(
    world: Path,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    deaf(monkeypatch)
    with pytest.raises(ConfigError, match=message):
        jobs.evaluate(asked(world, **given), tmp_path / "out", changes=changes, console=console)
    assert [*tmp_path.iterdir()] == []


def test_without_matplotlib_nothing_is_heard_in_vain(
    world: Path, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf(monkeypatch)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        WatchwordError, match=r"matplotlib is not installed, .+ 'watchword\[plot\]'"
    ):
        jobs.evaluate(asked(world), tmp_path / "out", changes={}, console=console)
    assert [*tmp_path.iterdir()] == []


# -------------------------------------------------------------------------------------- calibrate


@pytest.fixture(scope="module")
def calibrated(world: Path) -> tuple[Path, dict[str, Any]]:
    """The calibrated model, and what the job answered."""
    before = (world / "model.watchword").read_bytes()
    with Console(is_quiet=True) as console:
        words = asked(world, scores=world / "scores.npz")
        record = jobs.calibrate(words, TARGET, world / "new.watchword", console=console)
    assert (world / "model.watchword").read_bytes() == before
    return world / "new.watchword", record


def test_a_calibrated_bundle_says_points_temperature_and_evidence(
    calibrated: tuple[Path, dict[str, Any]], world: Path
) -> None:
    path, record = calibrated
    made, old = bundle.read(path), bundle.read(world / "model.watchword")
    assert made.facts.is_calibrated
    assert not old.facts.is_calibrated
    assert made.facts.temperature == record["temperature"] != 1
    assert {**made.graphs} == {**old.graphs}
    for row in record["keywords"]:
        point = made.facts.points[row["keyword"]]
        numbers = point.threshold, point.smoothing_scores, point.refractory_ms
        assert numbers == (row["threshold"], row["smoothing_scores"], row["refractory_ms"])
        assert row["events"] == 20
    evidence = made.facts.told["operating_point"]["evidence"]
    assert evidence["target"] == {"fa_per_hour": 100.0}
    assert evidence["expected_fa_per_hour"] <= 100
    assert evidence["recordings"] == {"said": round(124 / 3_600, 4), "never": 0.05}
    assert evidence["false_rejects"]["events"] == 40
    assert evidence["false_accepts"]["hours"] == pytest.approx(0.05)
    assert evidence["listening_for"] == [*KEYWORDS]
    error = evidence["calibration_error"]
    assert error["after"] < error["before"]


def test_a_spotter_honours_what_was_calibrated(
    calibrated: tuple[Path, dict[str, Any]], world: Path, tmp_path: Path, console: Console
) -> None:
    path, record = calibrated
    found = spotter.spot(world / "said" / "said.wav", path)
    rejects = record["false_rejects"]
    assert len(found) == rejects["events"] - rejects["count"]  # a hit for each, and nothing else
    heard = asking.hear(Asked(str(path), [str(world / "said")]), console)
    facts = heard.model.facts
    (ours,) = answers.detections(heard.scores, facts.points, facts.temperature)
    assert [(one.keyword, one.time_s) for one in ours] == [(o.keyword, o.time_s) for o in found]
    (other,) = answers.detections(heard.scores, facts.points, 1.0)
    told = [one.score for one in found]
    assert told == [one.score for one in ours] != [one.score for one in other]


def test_the_scores_of_a_model_serve_the_calibrated_one(
    calibrated: tuple[Path, dict[str, Any]],
    world: Path,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deaf(monkeypatch)
    sources = [str(world / name) for name in ("said", "never")]
    words = Asked(str(calibrated[0]), sources, scores=world / "scores.npz")
    record = jobs.evaluate(words, tmp_path, changes=NOTHING, console=console)
    assert record["provenance"]["operating points"] == "calibrated"
    assert record["provenance"]["temperature"] == calibrated[1]["temperature"]


def test_what_other_keywords_were_calibrated_at_is_kept(
    calibrated: tuple[Path, dict[str, Any]], world: Path, tmp_path: Path, console: Console
) -> None:
    path, _ = calibrated
    facts = {key: value for key, value in bundle.read(path).facts.told.items() if key != "files"}
    facts["operating_point"] = {**facts["operating_point"], "temperature": 3.0}
    bundle.write(tmp_path / "old.watchword", facts, bundle.read(path).graphs)
    sources = [str(world / name) for name in ("said", "never")]
    words = Asked(
        str(tmp_path / "old.watchword"), sources, keywords="low", scores=world / "scores.npz"
    )
    jobs.calibrate(words, TARGET, tmp_path / "new.watchword", console=console)
    made = bundle.read(tmp_path / "new.watchword").facts
    assert made.temperature == 3.0  # at which the point of loud was chosen
    assert made.points["loud"] == bundle.read(path).facts.points["loud"]
    assert made.told["operating_point"]["evidence"]["listening_for"] == ["low"]


def test_a_target_of_misses_is_reached_too(world: Path, tmp_path: Path, console: Console) -> None:
    long_models.never_said(tmp_path / "never", 3_700)
    sources = [str(world / "said"), str(tmp_path / "never")]
    words = Asked(str(world / "model.watchword"), sources)
    record = jobs.calibrate(words, Target(frr=0.05), tmp_path / "b.watchword", console=console)
    assert record["target"] == {"frr": 0.05}
    assert record["mean_frr"] <= 0.05


@pytest.mark.parametrize(
    ("names", "target", "message"),
    [
        (["said", "never"], 0.5, r"0\.05 hours of recordings without keywords were given.*7\.4 h"),
        (["said"], 100.0, r"0\.00 hours of recordings without keywords were given"),
        (["never"], 100.0, r"'loud' is said 0 times in these recordings, needed 20 at least"),
    ],
)
def test_too_little_evidence_is_refused_before_anything_is_heard(
    world: Path,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    target: float,
    message: str,
) -> None:
    deaf(monkeypatch)
    words = asked(world, *names, scores=tmp_path / "s.npz")
    with pytest.raises(DataError, match=message):
        jobs.calibrate(words, Target(target), tmp_path / "new.watchword", console=console)
    assert [*tmp_path.iterdir()] == []


def test_the_model_itself_is_not_written_over(
    world: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf(monkeypatch)
    monkeypatch.chdir(world)
    before = listing(world)
    with pytest.raises(ConfigError, match=r"model\.watchword is the model itself, needed another"):
        jobs.calibrate(asked(world), TARGET, Path("model.watchword"), console=console)
    (world / "taken").mkdir(exist_ok=True)
    (world / "taken" / "x").touch()
    with pytest.raises(DataError, match=r"taken is there and is no bundle"):
        jobs.calibrate(asked(world), TARGET, Path("taken"), console=console)
    assert before.items() <= listing(world).items()


# ------------------------------------------------------------------------------------------- mine


def test_windows_that_nearly_fired_are_mined(world: Path, tmp_path: Path, console: Console) -> None:
    record = jobs.mine(asked(world), tmp_path / "m", near=0.32, most=None, console=console)
    assert record["clips"] == 2  # and none of the forty that are said
    assert record["keywords"] == {"loud": 1, "low": 1}
    assert record["surest"] == pytest.approx(0.4, abs=1e-3)
    assert record["hours"] == pytest.approx((124 + 180) / 3_600)
    assert len(read_manifest(tmp_path / "m").utterances) == 2
    record = jobs.mine(asked(world), tmp_path / "m", near=0.3, most=1, console=console)
    assert record["clips"] == 1


def test_mining_refuses_before_anything_is_heard(
    world: Path, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf(monkeypatch)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").touch()
    long_models.record(tmp_path / "bare" / "a.wav", 2.0)
    with pytest.raises(DataError, match=r"taken holds something other than mined clips"):
        jobs.mine(asked(world), tmp_path / "taken", near=0.3, most=None, console=console)
    with pytest.raises(ConfigError, match=r"windows from a posterior of 0, 0\.4 s apart"):
        jobs.mine(asked(world), tmp_path / "m", near=0.0, most=None, console=console)
    words = Asked(str(world / "model.watchword"), [str(tmp_path / "bare")])
    with pytest.raises(DataError, match=r"keywords may occur in all of 1 recordings"):
        jobs.mine(words, tmp_path / "m", near=0.3, most=None, console=console)
    assert not (tmp_path / "m").exists()


# ------------------------------------------------------------------------------------------- data


def test_a_mix_is_counted_as_it_lies_there(tmp_path: Path, console: Console) -> None:
    speech = tmp_path / "speech"
    for word in ("loud", "other"):
        for speaker in "abc":
            path = speech / word / f"{speaker}_nohash_0.wav"
            long_models.record(path, 1.0, (0.2, 0.5, 0.3))
    (speech / "testing_list.txt").write_text("loud/a_nohash_0.wav\nother/a_nohash_0.wav\n")
    (speech / "validation_list.txt").write_text("loud/b_nohash_0.wav\nother/b_nohash_0.wav\n")
    record = making.mix(
        tmp_path / "mix",
        [speech],
        {"hours": 0.01, "recording_s": 12.0, "seed": 3},
        console=console,
        split="test",
        keywords=["loud"],
    )
    there = readers.read(tmp_path / "mix", ["loud"])
    assert record == {
        "folder": str(tmp_path / "mix"),
        "recordings": len(there),
        "hours": hours(there),
        "events": sum(len(one.events) for one in there),
    }
    assert record["events"] > 0


def test_what_is_spoken_holds_no_word_that_was_barred_nor_its_homophones(
    tmp_path: Path, console: Console
) -> None:
    lines = ["No way.", "I know.", "So it is.", "It was 2 days", "Nobody came"]
    (tmp_path / "x.txt").write_text("\n".join(lines))
    record = making.speak(
        tmp_path / "spoken",
        tmp_path / "x.txt",
        of=None,
        apart=None,
        without=["No"],
        split="valid",
        time_h=0.001,
        seed=0,
        console=console,
    )
    assert record == {
        "folder": str(tmp_path / "spoken"),
        "sentences": 2,
        "hours": 0.001,
        "split": "valid",
    }
    told = (tmp_path / "spoken" / "utterances.csv").read_text()
    assert "Nobody came" in told
    assert "know" not in told
    assert "No way" not in told
