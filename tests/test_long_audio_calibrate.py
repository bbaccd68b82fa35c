"""Operating points are chosen on evidence, and no better ones are there to choose."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from watchword.decision import OperatingPoint
from watchword.errors import ConfigError, DataError
from watchword.facts import Timing
from watchword.long_audio import calibrate as room
from watchword.long_audio.calibrate import Calibrated, Choice, Target
from watchword.long_audio.curve import Counts, count, grid, track
from watchword.long_audio.judge import judge
from watchword.long_audio.rates import hours_for
from watchword.long_audio.reference import Event, Recording
from watchword.long_audio.scores import LongScores, detections

HZ = 16_000
TIMING = Timing(HZ, HZ, HZ, 0, 0)
"""A score every second, the first after one second."""
GRID = grid()
LOGITS = np.log(GRID / (1 - GRID))


def scores_of(labels: Sequence[str], *recordings: NDArray[np.float64]) -> LongScores:
    """Scores of recordings: posteriors of the keywords, shape ``(rows, keywords)``."""
    return LongScores(
        "key",
        (*labels, "_unknown_"),
        TIMING,
        tuple(f"r{number}" for number in range(len(recordings))),
        np.array([len(rows) * HZ for rows in recordings]),
        tuple(
            np.column_stack([rows, 1 - rows.sum(axis=1)]).astype(np.float32) for rows in recordings
        ),
    )


def spoken(words: Sequence[str], apart: int = 10) -> Recording:
    """A recording in which a word ends every ten seconds, when row 9, 19, ... is due."""
    events = tuple(
        Event(word, apart * (n + 1) - 0.5, apart * (n + 1)) for n, word in enumerate(words)
    )
    return Recording("r0", (), float(apart * len(words)), events)


def by_hand() -> tuple[LongScores, list[Recording]]:
    """Twenty events, fifteen at 0.9 and five at 0.6, and two hours with 30 scores of 0.7."""
    said = np.zeros((400, 1))
    said[19::20, 0] = [0.9, 0.9, 0.9, 0.6] * 5
    quiet = np.zeros((7_200, 1))
    quiet[100::240] = 0.7
    return scores_of(["go"], said, quiet), [
        spoken(["go"] * 20, apart=20),
        Recording("r1", (), 7_200.0),
    ]


# ---------------------------------------------------------------------------------- by hand


def test_the_threshold_lies_where_one_would_set_it_by_hand() -> None:
    scores, recordings = by_hand()
    told: list[tuple[int, int]] = []
    found = room.calibrate(
        scores,
        recordings,
        ["go"],
        Target(fa_per_hour=2.0),
        told=lambda *some: told.append(some),
    )
    # above 0.7 nothing is falsely accepted; 0.9 is the farthest from it that misses no more
    expected = max(value for value in GRID.tolist() if value <= 0.9)
    assert found.points == {"go": OperatingPoint(expected, 1, 500.0, patience=1)}
    assert (found.frr, found.choices["go"].frr) == (0.25, 0.25)
    assert 0 < found.fa_per_hour == found.choices["go"].fa_per_hour < 0.5
    assert (len(found.judged.misses), len(found.judged.hits)) == (5, 15)
    assert found.judged.false_accepts == []
    assert found.judged.hours == pytest.approx(7_600 / 3_600)
    assert told == [(1, 1)]


def test_a_target_of_misses_takes_the_false_accepts_it_must() -> None:
    scores, recordings = by_hand()
    found = room.calibrate(scores, recordings, ["go"], Target(frr=0.1))
    expected = max(value for value in GRID.tolist() if value <= 0.6)
    assert found.points == {"go": OperatingPoint(expected, 1, 500.0, patience=1)}
    assert (found.frr, found.fa_per_hour) == (0.0, 15.0)
    assert len(found.judged.negative.false_accepts) == 30
    # a quarter may be missed: then nothing is falsely accepted
    found = room.calibrate(scores, recordings, ["go"], Target(frr=0.25))
    assert (found.frr, len(found.judged.false_accepts)) == (0.25, 0)


def test_a_temperature_moves_the_threshold_and_nothing_else() -> None:
    scores, recordings = by_hand()
    hard, plain, soft = (
        room.calibrate(scores, recordings, ["go"], Target(2.0), temperature=temperature)
        for temperature in (0.5, 1.0, 2.0)
    )
    assert (soft.frr, len(soft.judged.false_accepts)) == (0.25, 0)
    # 0.9 against 0.1 is 9 to 1, and 3 to 1 at temperature 2
    assert soft.points["go"].threshold == max(value for value in GRID.tolist() if value <= 0.75)
    assert plain.points["go"].threshold > 0.85
    # and 81 to 1 at 1/2: a threshold that no score reaches without the temperature
    assert hard.points["go"].threshold > 0.95
    assert (hard.judged.misses, hard.frr) == (plain.judged.misses, 0.25)
    assert len(hard.judged.misses) == 5


def drawn(seed: int, keywords: Sequence[str]) -> tuple[LongScores, list[Recording]]:
    """Words and an hour of noise whose logits lie so that no threshold parts them."""
    rng = np.random.default_rng(seed)
    words = [*keywords] * 20 + rng.choice([*keywords], 17).tolist()

    def scores_at(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        powers = np.exp(logits)
        return np.asarray(powers / (1 + powers.sum(axis=1, keepdims=True)))

    said = rng.normal(-5, 1, (10 * len(words), len(keywords)))
    for number, word in enumerate(words):
        place = [*keywords].index(word)
        for row in (8, 9):
            said[10 * number + row, place] = rng.normal(2.5 - place, 1.5)
    quiet = rng.normal(-5, 1, (3_600, len(keywords)))
    for place in range(len(keywords)):
        loud = rng.choice(3_600, 150, replace=False)
        quiet[loud, place] = rng.exponential(1.0, 150) - 1.5 + 0.7 * place
    scores = scores_of(keywords, scores_at(said), scores_at(quiet))
    return scores, [spoken(words), Recording("r1", (), 3_600.0)]


def common(
    scores: LongScores, recordings: Sequence[Recording], keywords: Sequence[str]
) -> list[tuple[float, float]]:
    """False accepts per hour and mean FRR where all keywords have one and the same point."""
    found = []
    for smoothed in room.smoothed_points():
        for rest_ms in room.REFRACTORIES_MS:
            point = smoothed.changed(refractory_ms=rest_ms)
            every = [
                count(track(scores, recordings, keyword, point, 1.0), GRID) for keyword in keywords
            ]
            per_hour = np.sum([room.expected_per_hour(one) for one in every], axis=0)
            frr = np.mean([one.misses / one.events for one in every], axis=0)
            found += [*zip(per_hour.tolist(), frr.tolist(), strict=True)]
    return found


@pytest.mark.parametrize("seed", range(3))
def test_no_single_threshold_for_all_is_better_and_the_counts_are_those_of_a_judge(
    seed: int,
) -> None:
    keywords = ["go", "stop"]
    scores, recordings = drawn(seed, keywords)
    others = common(scores, recordings, keywords)
    least = min(per_hour for per_hour, _ in others)
    reached = []
    for goal in (4.0, 8.0, 20.0):
        assert goal > least
        found = room.calibrate(scores, recordings, keywords, Target(fa_per_hour=goal))
        check_counts(found, scores, recordings)
        assert found.fa_per_hour <= goal
        best = min(frr for per_hour, frr in others if per_hour <= goal)
        assert found.frr <= best + 1e-12
        reached.append(found.frr)
    assert reached == sorted(reached, reverse=True)
    assert reached[0] > reached[-1]
    for share in (0.2, 0.35):
        found = room.calibrate(scores, recordings, keywords, Target(frr=share))
        check_counts(found, scores, recordings)
        assert found.frr <= share
        best = min(per_hour for per_hour, frr in others if frr <= share)
        assert found.fa_per_hour <= best + 1e-12


def check_counts(found: Calibrated, scores: LongScores, recordings: Sequence[Recording]) -> None:
    """What is said of a choice is what a judge finds who listens at the stored numbers."""
    again = judge(found.points, recordings, detections(scores, found.points))
    assert found.judged.outcomes == again.outcomes
    for keyword, choice in found.choices.items():
        rate = again.false_reject_rate(keyword)
        assert rate is not None
        assert choice.frr == rate.value
        assert round(choice.point.threshold, 4) == choice.point.threshold


# ---------------------------------------------------------------------------------- the search

CHOICE = st.builds(
    Choice,
    point=st.just(OperatingPoint()),
    frr=st.integers(0, 32).map(lambda value: value / 32),
    fa_per_hour=st.integers(0, 64).map(lambda value: value / 32),
)
OPTIONS = st.dictionaries(
    st.sampled_from("abc"), st.lists(CHOICE, min_size=1, max_size=7), min_size=1
)


def rates_of(choices: Sequence[Choice]) -> tuple[float, float]:
    """False accepts per hour of all and their mean FRR; exact, for they are sums of 32ths."""
    return sum(one.fa_per_hour for one in choices), sum(one.frr for one in choices) / len(choices)


@settings(max_examples=300, deadline=None)
@given(OPTIONS, st.integers(1, 96).map(lambda value: value / 32), st.booleans())
def test_the_choice_is_the_best_of_all_combinations(
    options: Mapping[str, list[Choice]], limit: float, is_frr: bool
) -> None:
    assume(not is_frr or limit < 1)
    target = Target(frr=limit) if is_frr else Target(fa_per_hour=limit)
    every = [rates_of(some) for some in itertools.product(*options.values())]
    fits = [pair for pair in every if pair[is_frr] <= limit]
    if not fits:
        with pytest.raises(ConfigError, match="out of reach"):
            room._cheapest(options, target)
        return
    found = room._cheapest(options, target)
    assert all(found[keyword] in options[keyword] for keyword in options)
    assert rates_of([*found.values()])[is_frr] <= limit
    assert rates_of([*found.values()])[not is_frr] == min(pair[not is_frr] for pair in fits)


def test_many_keywords_with_many_points_are_searched_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    options = {}
    for keyword in "abcdefgh":
        rates = np.cumsum(rng.exponential(0.1, 30))
        misses = np.cumsum(rng.exponential(0.01, 30))[::-1]
        options[keyword] = [
            Choice(OperatingPoint(), *some, latency_s=0.1)
            for some in zip(misses.tolist(), rates.tolist(), strict=True)
        ]
    found = {}
    for most in (64, 256, 8_192):
        monkeypatch.setattr(room, "MOST", most)
        found[most] = rates_of([*room._cheapest(options, Target(6.0)).values()])
        assert found[most][0] <= 6.0
    # of 64 combinations that are kept each is a 64th of the range of all rates from the next
    assert found[8_192][1] <= found[256][1] <= found[64][1] < 1.1 * found[8_192][1]


# ---------------------------------------------------------------------------------- the tail


def counts_of(false_accepts: NDArray[np.int64], hours: float) -> Counts:
    """False accepts at each threshold of the grid."""
    none = np.full(len(GRID), np.nan)
    return Counts(GRID, np.zeros(len(GRID), np.int64), 20, false_accepts, hours, none)


def passing(logits: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many logits reach each threshold of the grid."""
    return np.asarray((logits[:, None] >= LOGITS).sum(axis=0), np.int64)


@pytest.mark.parametrize(("accepts", "mean_excess"), [(400, 1.0), (60, 0.7), (60, 3.0), (20, 4.0)])
def test_what_is_expected_is_the_rate_of_an_exponential_tail(
    accepts: int, mean_excess: float
) -> None:
    # Twenty accepts, of known mean excess b, leave a standard error of 1 / sqrt(20) = 0.22 in the
    # logarithm of their rate and of 0.22 d in d = (x - u) / b: at most 0.92 at d = 4. Its mean over
    # 400 draws is within 3 * 0.92 / 20 = 0.14 of its bias, which is -1/40 of the logarithm of a
    # count and -d / 20 of 1 / b, and what one assumed accept of one logit adds: d (b - 1) / (21 b),
    # together from -0.25 to 0.15: 0.25 + 0.14 is the bound.
    rng, hours = np.random.default_rng(0), 10.0
    true = np.log(accepts / hours) - (LOGITS - LOGITS[-1]) / mean_excess
    errors = []
    for _ in range(400):
        drawn = LOGITS[-1] + rng.exponential(mean_excess, rng.poisson(accepts))
        counts = counts_of(passing(drawn), hours)
        found = room.expected_per_hour(counts)
        assert (np.diff(found) >= 0).all()
        believed = counts.false_accepts > room.TAIL_COUNT
        assert found[believed].tolist() == (counts.false_accepts[believed] / hours).tolist()
        errors.append(np.log(found) - true)
    start = np.log(20 / hours)
    is_near = (true < start) & (true > start - 4) & (true > np.log(0.01 / hours) + 1)
    assert is_near.sum() > 10
    assert np.abs(np.mean(errors, axis=0)[is_near]).max() < 0.39


def test_no_false_accept_is_never_a_rate_of_zero_and_no_worse_than_some() -> None:
    none, hours = np.zeros(len(GRID), np.int64), 10.0
    found = room.expected_per_hour(counts_of(none, hours))
    assert found[-1] == pytest.approx(1 / hours)
    assert found.min() == 0.01 / hours
    assert (np.diff(found) >= 0).all()
    assert room.expected_per_hour(counts_of(none, 5.0)).tolist() == (2 * found).tolist()
    some = passing(LOGITS[-1] + np.random.default_rng(0).exponential(1.0, 20))
    assert (found <= room.expected_per_hour(counts_of(some, hours))).all()
    one = none.copy()
    one[-1] = 1
    ratio = room.expected_per_hour(counts_of(one, hours)) / found
    assert ratio[-1] == pytest.approx(1.0)
    assert ratio.min() > 0.1  # one accept at the lowest threshold is no law either


def test_false_accepts_that_pass_every_threshold_do_not_die_out() -> None:
    found = room.expected_per_hour(counts_of(np.full(len(GRID), 15), 10.0))
    # fifteen pass the nine logits of the grid: their mean excess is some 136 logits
    assert found[0] == pytest.approx(1.5 * math.exp(-9 / 136), rel=0.01)
    assert found[-1] == 1.5
    many = room.expected_per_hour(counts_of(np.full(len(GRID), 500), 10.0))
    assert many.tolist() == [50.0] * len(GRID)


@pytest.mark.parametrize("left", [60, 5])
def test_counts_that_fall_with_the_threshold_are_held_at_their_highest(left: int) -> None:
    rising = np.minimum(np.arange(len(GRID)) * 4, 100)
    merged = rising.copy()
    merged[-10:] = left  # bursts that merged
    found = room.expected_per_hour(counts_of(merged, 1.0))
    assert found[-1] == 100.0
    assert found.tolist() == room.expected_per_hour(counts_of(rising, 1.0)).tolist()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=55, max_size=55),
    st.floats(0.1, 1_000, allow_subnormal=False),
)
def test_what_is_expected_is_finite_above_zero_and_never_falls_as_the_threshold_does(
    accepts: list[int], hours: float
) -> None:
    found = room.expected_per_hour(counts_of(np.array(accepts), hours))
    assert np.isfinite(found).all()
    assert found.min() >= 0.01 / hours
    assert (np.diff(found) >= 0).all()


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((), r"one target is needed, found none: give --fa-per-hour or --target-frr"),
        ((0.5, 0.05), r"one target is needed, found two: give --fa-per-hour or --target-frr"),
        ((0.0,), r"a target of 0 false accepts per hour was given, needed a number above 0: 0\.5"),
        ((-1.0,), r"a target of -1 false accepts per hour was given, needed a number above 0"),
        ((math.inf,), r"a target of inf false accepts per hour was given"),
        ((math.nan,), r"a target of nan false accepts per hour was given"),
        ((None, 0.0), r"a target of 0 of the keywords missed was given, needed a share between 0"),
        ((None, 1.0), r"a target of 1 of the keywords missed was given, needed a share between 0"),
        ((None, math.nan), r"a target of nan of the keywords missed was given"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(
    numbers: tuple[float | None, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Target(*numbers)


QUIET = Recording("r1", (), 7_200.0)
SAID = spoken(["go", "stop"] * 20)


def test_a_keyword_that_is_said_too_seldom_is_named() -> None:
    few = spoken(["go"] * 20 + ["stop"] * 19)
    room.refuse_thin([few, QUIET], ["go"], Target(2.0))
    for one, there in ((few, 19), (spoken(["go"] * 20), 0)):
        with pytest.raises(
            DataError,
            match=rf"^'stop' is said {there} times in these recordings, needed 20 at least to know "
            r"how often it is missed: add recordings with reference events, such as 'watchword da",
        ):
            room.refuse_thin([one, QUIET], ["go", "stop"], Target(2.0))


@pytest.mark.parametrize(
    ("quiet_s", "target", "message"),
    [
        (
            7_200.0,
            Target(0.5),
            "2.00 hours of recordings without keywords were given, and even without a false accept "
            "7.4 hours are needed to show 0.5 per hour with 95 % confidence: add 5.4 hours, or "
            "choose a higher target",
        ),
        (0.0, Target(1.0), "0.00 hours of recordings without .+ 3.7 hours are .+: add 3.7 hours"),
        (3_600 * 7.37, Target(0.5), "7.37 hours .+ 7.4 hours are needed to .+: add 0.1 hours, or"),
        (1_800.0, Target(frr=0.1), "0.50 hours .+ 1.0 hours are needed to show any .+ add 0.5 ho"),
    ],
)
def test_too_few_hours_are_refused_with_those_that_are_needed_and_missing(
    quiet_s: float, target: Target, message: str
) -> None:
    recordings = [SAID, replace(QUIET, duration_s=quiet_s)] if quiet_s else [SAID]
    with pytest.raises(DataError, match=message) as refusal:
        room.refuse_thin(recordings, ["go", "stop"], target)
    # what it says is missing is enough
    missing = re.search(r"add ([\d.]+) hours", str(refusal.value))
    assert missing is not None
    more = replace(QUIET, name="more", duration_s=3_600 * float(missing[1]))
    room.refuse_thin([*recordings, more], ["go", "stop"], target)


def test_just_enough_hours_are_enough() -> None:
    for goal in (0.5, 2.0):
        quiet = replace(QUIET, duration_s=3_600 * hours_for(goal) + 1e-6)
        room.refuse_thin([SAID, quiet], ["go", "stop"], Target(goal))
    room.refuse_thin([SAID, replace(QUIET, duration_s=3_600.0)], ["go"], Target(frr=0.1))


def test_calibration_refuses_thin_evidence_before_it_searches() -> None:
    scores, recordings = by_hand()
    with pytest.raises(DataError, match=r"2\.00 hours of recordings without keywords were given"):
        room.calibrate(scores, recordings, ["go"], Target(0.5))


def test_false_accepts_that_no_threshold_stops_are_out_of_reach() -> None:
    scores, recordings = by_hand()
    quiet = scores.posteriors[1].copy()
    # so long that no smoothing makes less of it, and so far apart that each is one burst
    for row in range(100, 7_000, 300):
        quiet[row : row + 20] = [1, 0]
    loud = replace(scores, posteriors=(scores.posteriors[0], quiet))
    with pytest.raises(
        ConfigError,
        match=r"^3 false accepts per hour are out of reach: at the highest thresholds (\S+) are to "
        r"be expected: choose a higher target, fewer keywords, or train against the false accepts "
        r"\('watchword mine'\)$",
    ):
        room.calibrate(loud, recordings, ["go"], Target(3.0))


def test_keywords_that_no_threshold_hears_are_out_of_reach() -> None:
    scores, recordings = by_hand()
    said = scores.posteriors[0].copy()
    said[19:160:20] = [0, 1]  # eight of twenty
    deaf = replace(scores, posteriors=(said, scores.posteriors[1]))
    with pytest.raises(
        ConfigError,
        match=r"^a mean false reject rate of 10\.0 % is out of reach: at the lowest thresholds "
        r"40\.0 % are missed: choose a higher target or better audio$",
    ):
        room.calibrate(deaf, recordings, ["go"], Target(frr=0.1))


def test_a_model_without_any_false_accept_reaches_what_the_hours_can_show() -> None:
    keywords = [f"word{n}" for n in range(10)]
    words = keywords * 20
    said = np.zeros((10 * len(words), 10))
    for number, word in enumerate(words):
        said[10 * number + 9, keywords.index(word)] = 0.9
    quiet = Recording("r1", (), 3_600 * 2.0)
    scores = scores_of(keywords, said, np.zeros((7_200, 10)))
    found = room.calibrate(scores, [spoken(words), quiet], keywords, Target(2.0))
    assert (found.frr, len(found.judged.false_accepts)) == (0.0, 0)
    assert 0 < found.fa_per_hour <= 2.0


def test_hours_of_which_nothing_is_known_are_refused_before_they_are_heard() -> None:
    unknown = replace(QUIET, may_hold=True)
    message = (
        r"nothing tells what is said in any of 1 recordings .*: give transcripts, or --trust-n"
    )
    with pytest.raises(DataError, match=message):
        room.refuse_thin([SAID, unknown], ["go"], Target(2.0))
    room.refuse_thin([SAID, unknown, replace(QUIET, name="r2")], ["go"], Target(2.0))


# ---------------------------------------------------------------------------------- latency


def test_a_limit_on_latency_takes_quicker_points_or_is_refused() -> None:
    # each word has 0.6 when it ends and 0.95 a second later, the hours have 0.7 thirty times
    said, quiet = np.zeros((210, 1)), np.zeros((7_200, 1))
    said[9:-1:10, 0], said[10::10, 0], quiet[100::240] = 0.6, 0.95, 0.7
    scores = scores_of(["go"], said, quiet)
    recordings = [spoken(["go"] * 20), Recording("r1", (), 7_200.0)]

    def calibrated(fa_per_hour: float, latency_s: float | None) -> Calibrated:
        return room.calibrate(scores, recordings, ["go"], Target(fa_per_hour, None, latency_s))

    late = calibrated(2.0, None)
    assert (late.frr, late.choices["go"].latency_s) == (0.0, 1.0)
    assert late.judged.latencies_s() == [1.0] * 20
    assert late.points == calibrated(2.0, 1.0).points
    quick = calibrated(20.0, 0.5)
    assert (quick.frr, quick.fa_per_hour, quick.choices["go"].latency_s) == (0.0, 15.0, 0.0)
    with pytest.raises(ConfigError, match=r"^2 false accepts per hour are out of reach"):
        calibrated(2.0, 0.5)
    said[9:-1:10, 0] = 0.0
    scores = scores_of(["go"], said, quiet)
    with pytest.raises(ConfigError, match=r"500 ms is out of reach for 'go', whose .+ 1000 ms"):
        calibrated(20.0, 0.5)


@pytest.mark.parametrize("latency_s", [-0.1, float("nan"), float("inf")])
def test_a_latency_that_makes_no_sense_is_refused(latency_s: float) -> None:
    with pytest.raises(ConfigError, match=r"a median latency of at most .+ ms was asked for"):
        Target(fa_per_hour=1.0, latency_s=latency_s)
