"""Evaluation: each clip judged by itself, by the outputs the task asks for, with its origin."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import World
from watchword import build, checkpoint, speech
from watchword.checkpoint import Checkpoint
from watchword.config import (
    CorpusSettings,
    DataSettings,
    OwnTask,
    Settings,
    load_environment,
    load_settings,
)
from watchword.data.rows import Source
from watchword.data.sampling import evaluation
from watchword.data.tasks import find_task
from watchword.errors import CheckpointError, DataError
from watchword.evaluate import answers, hearing, outputs_for, report, score
from watchword.scores import Scores


def knows(task: str) -> Checkpoint:
    """A checkpoint of a task, without weights."""
    settings = Settings(task=task)
    return Checkpoint(settings, settings.find_task().labels, {}, {})


@pytest.fixture(scope="module")
def loaded(trained: World) -> Checkpoint:
    return checkpoint.load(trained.checkpoint)


@pytest.fixture(scope="module")
def corpora(trained: World, loaded: Checkpoint) -> list[Source]:
    return speech.sources(loaded.settings, load_environment(trained.env))


@pytest.fixture(scope="module")
def valid(loaded: Checkpoint, corpora: list[Source]) -> Scores:
    return score(loaded, corpora, find_task("12"), "valid")


# ------------------------------------------------------------------------------------ which outputs


def test_the_task_it_was_trained_on_uses_every_output() -> None:
    assert outputs_for(knows("12"), find_task("12")) == [[place] for place in range(12)]


def test_words_that_the_task_leaves_out_are_left_out() -> None:
    # 12: yes no up down left right on off stop go unknown silence; core-10 has no on, no off
    chosen = outputs_for(knows("12"), find_task("core-10"))
    assert chosen == [[0], [1], [2], [3], [4], [5], [8], [9], [10], [11]]


def test_words_that_the_task_calls_unknown_count_as_unknown() -> None:
    chosen = outputs_for(knows("12"), find_task("2"))
    assert chosen == [[4], [5], [0, 1, 2, 3, 6, 7, 8, 9, 10]]  # silence is no word


@pytest.mark.parametrize(
    ("trained_on", "asked", "lacks"),
    [("35", "12", "_unknown_, _silence_"), ("core-10", "12", "on, off"), ("12", "17", "backward")],
)
def test_a_model_of_another_task_is_refused(trained_on: str, asked: str, lacks: str) -> None:
    message = rf"no output for {lacks}.*, which task {asked} needs; .* trained on task {trained_on}"
    with pytest.raises(CheckpointError, match=message):
        outputs_for(knows(trained_on), find_task(asked))


def test_chances_of_outputs_that_mean_the_same_add_up() -> None:
    chances = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
    added = answers(chances.log(), [[1], [0, 3]]).exp()
    torch.testing.assert_close(added, torch.tensor([[0.2, 0.5], [0.1, 0.8]]))


def test_one_output_for_a_label_is_passed_on_to_the_bit() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 50
    assert torch.equal(answers(logits, [[2], [0]]), logits[:, [2, 0]])


# ------------------------------------------------------------------------------------------- scores


def assert_same(mine: np.ndarray, theirs: np.ndarray) -> None:
    """Compare logits: the order of float32 sums depends on the size of a batch.

    Eight layers each multiply three factors, so that rounding of 1e-7 becomes some 1e-4 of the
    largest logit.
    """
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-3 * np.abs(theirs).max())


def test_logits_are_those_of_the_model_on_each_clip_alone(
    valid: Scores, loaded: Checkpoint, corpora: list[Source]
) -> None:
    model = build.trained(loaded)
    clips, _ = evaluation(corpora, find_task("12"), "valid")
    audio = build.reader(loaded.settings, corpora, "valid").batches(clips)
    for part, batch in audio:
        for number, clip in enumerate(batch, start=part.start):
            waveform = torch.from_numpy(clip[None].astype(np.float32) / 32_768)
            with torch.no_grad():
                alone = model(waveform)[0].numpy()
            assert_same(valid.logits[number], alone)


def test_every_clip_of_the_split_is_there_with_its_origin(valid: Scores) -> None:
    assert (valid.task, valid.split) == ("12", "valid")
    counted = valid.words[valid.parts == "task"]
    assert sorted(counted[:10]) == sorted(valid.keywords)
    assert valid.targets[:10].tolist() == [valid.labels.index(word) for word in counted[:10]]
    assert counted[10] in ("happy", "seven")  # one of two unknown words, a tenth of ten
    assert valid.targets[10:12].tolist() == [10, 11]
    assert set(valid.words[valid.parts == "extra-unknown"]) == {"happy", "seven"} - {counted[10]}
    spoken = valid.corpora == "speech"
    assert all(
        name.startswith(f"{word}/{speaker}_nohash_")
        for name, word, speaker in zip(
            valid.names[spoken], valid.words[spoken], valid.speakers[spoken], strict=True
        )
    )
    assert set(valid.names[~spoken]) == {"_silence_/valid-0011"}
    assert set(valid.words[~spoken]) == {"_silence_"}
    assert not valid.dropped.any()


def test_dropped_clips_are_marked(loaded: Checkpoint, corpora: list[Source]) -> None:
    (source,) = corpora
    clip = next(u.name for u in source.store.manifest.utterances if u.split == "valid")
    manifest = replace(source.store.manifest, dropped=frozenset({clip}))
    marked = replace(source, store=replace(source.store, manifest=manifest))
    scores = score(loaded, [marked], find_task("12"), "valid")
    assert scores.names[scores.dropped].tolist() == [clip]


def test_on_the_official_test_archive_words_never_heard_are_told_apart(
    trained: World, loaded: Checkpoint, corpora: list[Source], tmp_path: Path
) -> None:
    clip = next(trained.speech.glob("yes/*.wav"))
    for name in ("yes/a", "_unknown_/bed_b", "_unknown_/house_c", "_silence_/d"):
        place = tmp_path / "archive" / f"{name}_nohash_0.wav.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place)
    section, where = CorpusSettings(folder=str(tmp_path / "archive")), load_environment(trained.env)
    archive = speech.source(section, where, train_on_dropped=True)
    assert archive.store.manifest.layout == "commands-test"
    scores = score(loaded, [archive], find_task("12"), "test")
    found = zip(scores.words, scores.parts, scores.heard, strict=True)
    assert sorted(found) == [
        ("_silence_", "task", True),
        ("bed", "task", True),
        ("house", "task", False),  # task 12 keeps it apart
        ("yes", "task", True),
    ]
    parts = report(scores, loaded, [archive], trained.checkpoint)["parts"]
    counts = {name: parts[name]["count"] for name in ("unknown", "unknown_heard", "held_out")}
    assert counts == {"unknown": 2, "unknown_heard": 1, "held_out": 1}


def test_training_heard_what_neither_its_task_nor_its_corpora_left_out(
    corpora: list[Source],
) -> None:
    def with_corpora(*hold_out: tuple[str, ...], task: str | OwnTask = "core-10") -> Checkpoint:
        sections = tuple(CorpusSettings(folder="x", hold_out=words) for words in hold_out)
        settings = Settings(task=task, data=DataSettings(corpora=sections))
        return Checkpoint(settings, settings.find_task().labels, {}, {})

    (other,) = corpora
    own = replace(other, hold_out=("cat",), words={"haus": "house", "jes": "yes"})
    assert not hearing(with_corpora(()))(other, "house")  # never heard in core-10
    assert not hearing(with_corpora(()))(own, "haus")  # counts as house here
    assert not hearing(with_corpora(()))(other, "on")  # left out of core-10
    assert not hearing(with_corpora(()))(own, "cat")  # held out of the corpus at hand
    assert not hearing(with_corpora(("dog",), ("dog", "bed")))(other, "dog")  # of all corpora
    is_heard = hearing(with_corpora(("dog",), ("dog", "bed")))
    assert all(is_heard(other, word) for word in ("bed", "yes", "cat", "banana"))
    assert is_heard(own, "jes")
    # a task of one's own that has the word as keyword hears it
    assert hearing(with_corpora((), task=OwnTask(keywords=("house", "yes"))))(other, "house")


def test_scores_are_the_same_every_time(
    valid: Scores, loaded: Checkpoint, corpora: list[Source]
) -> None:
    told: list[tuple[int, int]] = []
    again = score(loaded, corpora, find_task("12"), "valid", told=lambda *words: told.append(words))
    assert np.array_equal(valid.logits, again.logits)
    assert told[-1] == (len(again), len(again))


def test_a_smaller_task_gets_the_logits_of_its_own_outputs(
    valid: Scores, loaded: Checkpoint, corpora: list[Source]
) -> None:
    core = score(loaded, corpora, find_task("core-10"), "valid")
    assert set(core.words).isdisjoint({"on", "off"})
    assert core.labels == find_task("core-10").labels
    columns = [valid.labels.index(label) for label in core.labels]
    rows = {name: row for row, name in enumerate(valid.names)}
    for row, (name, word) in enumerate(zip(core.names, core.words, strict=True)):
        if word != "_silence_":  # another list, another silence
            assert_same(core.logits[row], valid.logits[rows[name]][columns])


def test_a_split_without_clips_is_refused(loaded: Checkpoint, corpora: list[Source]) -> None:
    (source,) = corpora
    kept = tuple(u for u in source.store.manifest.utterances if u.split != "test")
    index = np.arange(len(kept))
    store = replace(source.store, manifest=replace(source.store.manifest, utterances=kept))
    store = replace(store, index=index)
    with pytest.raises(DataError, match="no test clip of task 12 in speech"):
        score(loaded, [replace(source, store=store)], find_task("12"), "test")


# ------------------------------------------------------------------------------------------- report


def test_a_report_says_where_model_and_data_come_from(
    trained: World, valid: Scores, loaded: Checkpoint, corpora: list[Source]
) -> None:
    record = report(valid, loaded, corpora, trained.checkpoint)
    told = record["provenance"]
    assert record["count"] == 12  # ten commands, one unknown, one silence
    assert told["model"] == "lambda_resnet18, width 0.25"
    assert (told["seed"], told["config"], told["checkpoint"]) == (0, "tiny", "best.pth.tar")
    assert told["data"] == {"speech": corpora[0].store.fingerprint} == told["trained on"]
    assert told["epoch"] in (1, 2)
    assert told["chosen on"].startswith("valid, accuracy 0.")
    assert told["macs"].endswith(" at 98 frames")
    assert told["rebuilt audio in training"] == "none"


def test_the_chosen_epoch_is_judged_the_same_by_training_and_by_evaluation(
    valid: Scores, loaded: Checkpoint
) -> None:
    counted = valid.select(valid.parts == "task")
    assert counted.is_correct.mean() == pytest.approx(loaded.provenance["valid_accuracy"])


def test_a_checkpoint_that_tells_little_still_gives_a_report(
    trained: World, valid: Scores, loaded: Checkpoint, corpora: list[Source]
) -> None:
    record = report(valid, replace(loaded, provenance={}), corpora, trained.checkpoint)
    assert record["provenance"]["chosen on"] is None
    assert record["provenance"]["seed"] is None


def test_the_run_keeps_the_settings_it_was_made_from(trained: World, loaded: Checkpoint) -> None:
    assert load_settings(trained.run / "config.yml") == (loaded.settings, [])
