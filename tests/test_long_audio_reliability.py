"""A temperature that was put into scores is found in them again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from watchword.decision import tempered
from watchword.errors import DataError
from watchword.facts import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, Timing
from watchword.long_audio import reliability as room
from watchword.long_audio.reference import Event, Recording, Said
from watchword.long_audio.reliability import Asked
from watchword.long_audio.scores import LongScores
from watchword.metrics import calibration_of

HZ = 16_000
TIMING = Timing(HZ, HZ, HZ // 10, 0, 9)
"""A score every tenth of a second, the first after half a second and half a clip of silence."""


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def simulated(temperature: float, rows: int = 6_000, seed: int = 0) -> Asked:
    """Answers of a model that is as right as it says at some temperature.

    Of its twelve labels the last two are no keywords. The right label is drawn from the softmax of
    the logits, and the posteriors are that of the logits times the temperature.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 12))
    chances = softmax(logits)
    label = (chances.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    return Asked(
        softmax(temperature * logits).astype(np.float32),
        np.minimum(label, 10).astype(np.int64),
        tuple(range(10)),
    )


# ---------------------------------------------------------------------------------- temperature


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_temperature_that_makes_scores_right_is_found(temperature: float, seed: int) -> None:
    asked = simulated(temperature, seed=seed)
    found = room.fit(asked)
    # Fisher: the variance of the estimate is 1 / (answers * curvature of their mean surprise)
    step = temperature / 40
    low, at, high = (
        room.surprise(asked, value)
        for value in (temperature - step, temperature, temperature + step)
    )
    error = 1 / np.sqrt(len(asked.targets) * (low - 2 * at + high) / step**2)
    assert 0.005 * temperature < error < 0.03 * temperature
    assert abs(found - temperature) < 4 * error + 0.0005  # and its rounding
    assert found == round(found, 3)
    # and it is the least: no temperature a hundredth away surprises less
    for other in (0.99 * found, 1.01 * found):
        assert room.surprise(asked, other) > room.surprise(asked, found)


def test_scores_that_were_too_sure_can_be_taken_at_their_word_afterwards() -> None:
    asked = simulated(2.0)
    before, after = (room.reliability(asked, value) for value in (1.0, room.fit(asked)))
    assert after.error <= before.error
    # 15 bins of some 400 answers: each is off by sqrt(p q / 400) < 0.025, and 0.8 of it on average
    assert after.error < 0.02 < 0.1 < before.error
    assert before.confidence > after.confidence


def test_surprise_and_reliability_by_hand() -> None:
    asked = Asked(
        np.array([[0.8, 0.1, 0.1], [0.5, 0.25, 0.25], [0.2, 0.6, 0.2]], np.float32),
        np.array([0, 1, 0]),  # the keyword, none of them, the keyword
        (0,),
    )
    # of the keyword .8 .5 .2, of none .2 .5 .8
    expected = -np.log([0.8, 0.5, 0.2]).mean()
    assert room.surprise(asked, 1.0) == pytest.approx(expected, abs=1e-6)
    found = room.reliability(asked, 1.0)
    assert found.confidence == pytest.approx((0.8 + 0.5 + 0.8) / 3, abs=1e-6)
    # of .5 and .5 the keyword is answered, which is wrong; of .8 and .8 one is right
    assert [(row.count, row.accuracy) for row in found.bins] == [(1, 0.0), (2, 0.5)]
    assert found.error == pytest.approx((0.5 + 2 * 0.3) / 3, abs=1e-6)
    soft = room.surprise(asked, 2.0)
    rows = tempered(asked.posteriors, 2.0).astype(np.float64)
    right = [rows[0, 0], rows[1, 1] + rows[1, 2], rows[2, 0]]
    assert soft == pytest.approx(-np.log(right).mean(), abs=1e-6)


def test_an_answer_that_was_all_but_ruled_out_surprises_by_its_own_posterior() -> None:
    # 1 - 0.9999999 is no 1e-9 in 32 bits; the posterior of what is left is
    asked = Asked(np.array([[1.0, 1e-9]], np.float32), np.array([1]), (0,))
    assert room.surprise(asked, 1.0) == pytest.approx(9 * np.log(10), rel=1e-6)
    never = replace(asked, posteriors=np.array([[1.0, 0.0]], np.float32))
    assert room.surprise(never, 1.0) == pytest.approx(12 * np.log(10), rel=1e-6)


def test_a_model_of_keywords_alone_has_no_other_answer() -> None:
    asked = Asked(np.array([[0.75, 0.25]], np.float32), np.array([0]), (0, 1))
    assert room.surprise(asked, 1.0) == pytest.approx(-np.log(0.75))


@pytest.mark.parametrize("is_right", [True, False])
def test_a_temperature_stays_within_what_a_bundle_may_say(is_right: bool) -> None:
    rows = np.tile(np.array([[0.9, 0.1]], np.float32), (50, 1))
    asked = Asked(rows, np.full(50, 0 if is_right else 1), (0,))
    found = room.fit(asked)
    # always right: as sure as can be; always wrong: as unsure as can be
    assert found == (LOWEST_TEMPERATURE if is_right else HIGHEST_TEMPERATURE)


# ---------------------------------------------------------------------------------- what is asked


def numbered(*rows: int, first: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Posteriors of recordings that hold their own row's number in thousandths."""
    found, place = [], first
    for count in rows:
        some = np.arange(place, place + count) / 1_000
        found.append(np.column_stack([some, np.full(count, 0.0), 1 - some]).astype(np.float32))
        place += count
    return tuple(found)


def scores_of(*rows: int) -> LongScores:
    names = tuple(f"r{number}" for number in range(len(rows)))
    samples = np.array([HZ // 2 + (count - 1) * TIMING.score_samples for count in rows])
    return LongScores("key", ("go", "stop", "_unknown_"), TIMING, names, samples, numbered(*rows))


def asked_rows(asked: Asked) -> list[int]:
    """The numbers of the rows that were asked."""
    return [round(1_000 * value) for value in asked.posteriors[:, 0].tolist()]


def negative(name: str, seconds: float = 3.0, **changes: Any) -> Recording:
    return Recording(name, (), seconds, **changes)


def test_the_row_in_whose_middle_a_word_lies_is_asked() -> None:
    events = (
        Event("go", 0.0, 0.06),  # at 0.53: row 0 is due at 0.5
        Event("go", 0.1, 0.3),  # from 0.3 of silence to 0.7, which is when row 2 is due
        Event("stop", 2.0, 2.4),  # from 1.7 to 2.7, which is when row 22 is due
        Event("go", 2.5, 2.56),  # at 3.03: row 25 is due at 3.0
        Event("up", 2.7, 2.9),  # no keyword of this model
        Event("go", 2.8, 3.0),  # the last row, due at 3.1, is the nearest to 3.4
    )
    said = Recording("r0", (), 3.1, events)
    asked = room.ask(scores_of(27, 10), [said, negative("r1")], ["stop", "go"])
    assert asked.columns == (1, 0)
    assert asked_rows(asked)[:5] == [0, 2, 22, 25, 26]
    assert asked.targets.tolist() == [1, 1, 0, 1, 1, 2, 2, 2, 2, 2]


def test_a_row_that_heard_only_a_part_of_the_clip_is_asked_at_its_own_middle() -> None:
    scores = replace(scores_of(22, 10), timing=Timing(HZ, HZ // 2, HZ // 10, 0, 4))
    said = Recording("r0", (), 3.1, (Event("go", 1.0, 1.4),))
    # its middle 1.2 is that of what was heard from 0.95 to 1.45; rows are due at 0.3, 0.4, ...,
    # since 0.2 of 0.5 s are silence before the first: two whole hops in a half
    assert asked_rows(room.ask(scores, [said, negative("r1")], ["go"]))[0] in (11, 12)
    said = Recording("r0", (), 3.1, (Event("go", 1.05, 1.45),))
    assert asked_rows(room.ask(scores, [said, negative("r1")], ["go"]))[0] == 12


def test_as_many_other_rows_are_asked_evenly_spread_over_the_negative_hours() -> None:
    events = tuple(Event("go", at, at + 0.2) for at in (0.4, 1.4, 2.4))
    said = Recording("r1", (), 3.0, events)
    scores = scores_of(11, 20, 10)
    asked = room.ask(scores, [negative("r0"), said, negative("r2")], ["go", "stop"])
    assert asked.targets.tolist() == [0, 0, 0, 2, 2, 2]
    # of 21 rows, 0 to 10 and 31 to 40, the first, the middle and the last
    assert asked_rows(asked)[3:] == [0, 10, 40]
    few = room.ask(scores_of(2, 20), [negative("r0"), said], ["go", "stop"])
    assert asked_rows(few)[3:] == [0, 1]


@pytest.mark.parametrize(
    "left_out",
    [
        {"said": (Said("I know, stop it", 0.0, 2.0),)},
        {"said": (Said("nothing", 0.0, 0.5), Said("GO!", 0.5, 2.0))},
        {"may_hold": True},
        {"events": (Event("up", 0.5, 0.9),)},
    ],
)
def test_where_a_keyword_may_be_said_nothing_is_taken_for_none_of_them(
    left_out: dict[str, Any],
) -> None:
    said = Recording("r0", (), 2.0, (Event("go", 0.5, 0.9), Event("stop", 1.0, 1.2)))
    quiet = negative("r2", said=(Said("a cat goes stopping", 0.0, 2.0),))
    recordings = [said, negative("r1", **left_out), quiet]
    asked = room.ask(scores_of(11, 11, 11), recordings, ["go", "stop"])
    assert asked_rows(asked)[2:] == [22, 32]
    with pytest.raises(DataError, match="2 events and 0 scores without a keyword were found"):
        room.ask(scores_of(11, 11), recordings[:2], ["go", "stop"])


def test_scores_of_one_kind_alone_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=r"^0 events and 1,100 scores without a keyword were found, needed both to judge "
        r"posteriors: give recordings of either kind$",
    ):
        room.ask(scores_of(1_100), [negative("r0")], ["go"])
    said = Recording("r0", (), 2.0, (Event("go", 0.5, 0.9),))
    with pytest.raises(DataError, match="1 events and 0 scores without a keyword were found, need"):
        room.ask(scores_of(11), [said], ["go"])
    with pytest.raises(DataError, match="0 events and 11 scores"):
        room.ask(scores_of(11, 11), [said, negative("r1")], ["stop"])


def test_the_picture_shows_both_and_says_how_far_they_are_off() -> None:
    pytest.importorskip("matplotlib")
    right = np.array([True, True, False, True])
    before = calibration_of(np.array([0.99, 0.98, 0.97, 0.96]), right)
    after = calibration_of(np.array([0.8, 0.8, 0.7, 0.7]), right)
    figure = room.draw(before, after, 1.5)
    (panel,) = figure.axes
    labels = [line.get_label() for line in panel.get_lines()][1:]
    assert labels == [
        f"as trained: calibration error {100 * before.error:.1f} %",
        f"temperature 1.5: calibration error {100 * after.error:.1f} %",
    ]
    line = panel.get_lines()[2]
    assert list(line.get_xdata()) == [one.confidence for one in after.bins]
    assert list(line.get_ydata()) == [one.accuracy for one in after.bins]
    assert panel.get_title(loc="left") == "4 scores"
