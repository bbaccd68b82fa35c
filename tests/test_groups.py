"""Groups of clips: speakers, unknown words and the archive's weights, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from answers import answers
from watchword import groups, metrics
from watchword.errors import DataError
from watchword.metrics import Rate
from watchword.scores import Scores
from watchword.words import SILENCE, UNKNOWN

COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
TASK_12 = (*COMMANDS, UNKNOWN, SILENCE)


# Speakers


def test_speakers_by_hand() -> None:
    scores = answers(
        [0] * 12,
        [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1],
        speakers=["a"] * 5 + ["b"] * 5 + ["c", ""],
    )
    found = groups.by_speaker(scores)
    assert found.known == 3
    assert found.rates == (("b", Rate(3, 5)), ("a", Rate(5, 5)))
    assert found.worst_decile == 0.6
    # two draws of five clips at 8/10 differ: the lower one is below, the higher above
    assert found.by_chance[0] < 0.8 < found.by_chance[1]
    assert found.worst_decile_by_chance == found.by_chance[0]


def test_clips_of_a_speaker_that_fall_together_count_as_one() -> None:
    # 20 speakers of 10 equal clips are worth 20 − 1 clips: variance p(1−p)/(G−1)
    hits, clips = np.array([10] * 15 + [0] * 5), np.full(20, 10)
    assert groups.cluster_interval(hits, clips) == pytest.approx(metrics.wilson(0.75, 19))


def test_speakers_that_do_not_matter_leave_the_interval() -> None:
    hits, clips = np.array([8] * 20), np.full(20, 10)
    assert groups.cluster_interval(hits, clips) == Rate(160, 200).interval


def test_no_speaker_with_clips_enough_is_refused() -> None:
    with pytest.raises(DataError, match=r"found none with 5 clips.*lower the minimum"):
        groups.by_speaker(answers([0] * 4, [0] * 4, speakers=["a"] * 4))
    with pytest.raises(DataError, match="no speaker can be judged"):
        groups.by_speaker(answers([0] * 9, [0] * 9))


# Words, and the archive


def test_unknown_words_by_hand() -> None:
    scores = answers(
        [2, 2, 2, 0],
        [2, 0, 1, 0],
        words=["bed", "bed", "house", "yes"],
        # as on the official test archive: a word that training never heard counts for accuracy
        parts=["task", "extra-unknown", "task", "task"],
        heard=[True, True, False, True],
    )
    assert groups.unknown_words(scores) == [
        groups.WordRate("house", False, Rate(0, 1)),
        groups.WordRate("bed", True, Rate(1, 2)),
    ]
    assert groups.unknown_words(answers([0], [0])) == []


def twelve() -> Scores:
    """Task 12: 9 of 10 commands, silence 4 of 4; the words of the unknown clips are below."""
    unknown = [("bed", 8, 10), ("house", 6, 12), ("cat", 5, 6), ("dog", 5, 6), ("tree", 0, 3)]
    targets, predictions, words, heard = [*range(10)], [*range(9), 0], [*COMMANDS], [True] * 10
    for word, hits, clips in unknown:
        targets += [10] * clips
        predictions += [10] * hits + [0] * (clips - hits)
        words += [word] * clips
        heard += [word not in ("house", "tree")] * clips
    targets, predictions = targets + [11] * 4, predictions + [11] * 4
    return answers(
        targets,
        predictions,
        labels=TASK_12,
        words=words + [SILENCE] * 4,
        heard=heard + [True] * 4,
    )


def test_the_archive_weighs_words_alike() -> None:
    found = groups.archive_weighted(twelve())
    # bed .8 and house .5 by themselves, cat and dog pooled 10/12 for two words; tree has 3 clips
    unknown = (0.8 + 0.5 + 2 * 10 / 12) / 4
    assert found.unknown == pytest.approx(unknown)
    assert found.left_out == ("tree",)
    assert found.value == pytest.approx(0.833 * 0.9 + 0.0835 * unknown + 0.0835 * 1)
    assert found.interval[0] < found.value < found.interval[1]
    assert (found.commands, found.silence) == (Rate(9, 10), Rate(4, 4))


def test_the_weights_are_the_archives() -> None:
    # 4,074 commands, 408 unknown and 408 silence of 4,890, rounded as SPEC quotes them
    assert sum(groups.ARCHIVE_WEIGHTS.values()) == pytest.approx(1)
    assert groups.ARCHIVE_WEIGHTS["commands"] == pytest.approx(4074 / 4890, abs=5e-4)
    assert groups.ARCHIVE_WEIGHTS["unknown"] == pytest.approx(408 / 4890, abs=5e-4)


def test_words_of_another_corpus_or_language_do_not_count() -> None:
    scores = twelve()
    far = scores.words == "house"
    moved = np.where(far, "arabic", scores.corpora)
    columns = {name: getattr(scores, name) for name in Scores.__dataclass_fields__}
    found = groups.archive_weighted(Scores(**{**columns, "corpora": moved}))
    assert [group.words for group in found.groups] == [("bed",), ("cat", "dog")]


def test_one_part_alone_has_the_interval_of_that_part() -> None:
    # with equal rates in one term the sum's interval is the rate's own
    _, interval = groups._weighted_sum([(1.0, Rate(9, 10))])
    assert interval == pytest.approx(Rate(9, 10).interval)


def test_another_task_is_not_weighed() -> None:
    with pytest.raises(DataError, match=r"found task demo with 4 labels.*use task 12"):
        groups.archive_weighted(answers([0], [0]))


def test_too_few_unknown_clips_are_not_weighed() -> None:
    few = twelve()
    few = few.select((few.targets != 10) | (few.words == "tree"))
    with pytest.raises(DataError, match=r"no word or group with 10 clips.*evaluate more"):
        groups.archive_weighted(few)
    with pytest.raises(DataError, match="found no clip"):
        groups.archive_weighted(few.select(few.targets != 10))
