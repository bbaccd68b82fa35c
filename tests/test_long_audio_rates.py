"""Rates of long audio: against published tables, against another implementation, and by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.errors import DataError
from watchword.long_audio.rates import PerHour, hours_for, poisson, spread

# ---------------------------------------------------------------------------------------- per hour


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0.0, 3.69),
        (1, 0.025, 5.57),
        (2, 0.242, 7.22),
        (3, 0.619, 8.77),
        (4, 1.09, 10.24),
        (5, 1.62, 11.67),
        (10, 4.80, 18.39),
        (100, 81.36, 121.63),
    ],
)
def test_the_interval_is_that_of_published_tables(count: int, low: float, high: float) -> None:
    # the tables have three digits at most
    assert poisson(count) == (pytest.approx(low, abs=6e-3), pytest.approx(high, abs=6e-3))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 30, 99, 100, 101, 999, 1_000, 1_001, 5_000])
def test_the_interval_is_that_of_the_chi_squared_distribution(count: int) -> None:
    chi2 = pytest.importorskip("scipy.stats").chi2
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    # a printed rate has three digits; this is a thousand times finer
    assert poisson(count) == pytest.approx((low, chi2.ppf(0.975, 2 * count + 2) / 2), rel=1e-6)


def test_each_end_is_where_the_count_is_a_surprise_of_one_in_forty() -> None:
    low, high = poisson(4)
    chances = [
        [math.exp(-mean) * mean**k / math.factorial(k) for k in range(5)] for mean in (low, high)
    ]
    assert 1 - sum(chances[0][:4]) == pytest.approx(0.025)
    assert sum(chances[1]) == pytest.approx(0.025)


@given(st.integers(0, 300))
def test_the_interval_holds_the_count_and_grows_with_it(count: int) -> None:
    low, high = poisson(count)
    assert low <= count < high
    after = poisson(count + 1)
    assert low < after[0]
    assert high < after[1]


@pytest.mark.parametrize(
    ("count", "hours", "text"),
    [
        (0, 2, "at most 1.8 per hour (none in 2 h; 95 %)"),
        (0, 24.1, "at most 0.15 per hour (none in 24.1 h; 95 %)"),
        (0, 0.25, "at most 15 per hour (none in 0.25 h; 95 %)"),
        (1, 2, "0.50 per hour (1 in 2 h; 95 % 0.01–2.79)"),
        (3, 12.5, "0.24 per hour (3 in 12.5 h; 95 % 0.05–0.70)"),
        (10, 20, "0.50 per hour (10 in 20 h; 95 % 0.24–0.92)"),
        (1_000, 100, "10.00 per hour (1,000 in 100 h; 95 % 9.39–10.64)"),
        (1, 1_000, "0.001 per hour (1 in 1,000 h; 95 % 3e-05–0.01)"),
        (0, 0.001, "at most 3,689 per hour (none in 0.001 h; 95 %)"),
    ],
)
def test_a_rate_is_told_with_its_count_its_hours_and_its_interval(
    count: int, hours: float, text: str
) -> None:
    assert str(PerHour(count, hours)) == text


def test_a_rate_by_hand() -> None:
    rate = PerHour(3, 12)
    assert rate.value == 0.25
    assert rate.interval == pytest.approx((0.6187 / 12, 8.7673 / 12), abs=1e-5)


@pytest.mark.parametrize(
    ("count", "hours", "message"),
    [
        (0, 0.0, r"found 0 false accepts in 0 hours, needed some audio: name recordings that last"),
        (2, -1.0, r"found 2 false accepts in -1 hours, needed some audio"),
        (0, float("inf"), r"found 0 false accepts in inf hours"),
        (0, float("nan"), r"found 0 false accepts in nan hours"),
        (-1, 2.0, r"found -1 false accepts in 2 hours"),
    ],
)
def test_no_evidence_is_no_rate(count: int, hours: float, message: str) -> None:
    with pytest.raises(DataError, match="no rate without evidence: " + message):
        PerHour(count, hours)


def test_hours_that_show_a_rate_are_those_in_which_it_is_the_most_that_none_allows() -> None:
    assert hours_for(0.5) == pytest.approx(7.378, abs=1e-3)
    assert PerHour(0, hours_for(0.1)).interval[1] == pytest.approx(0.1)


# ------------------------------------------------------------------------------------------ spread


@pytest.mark.parametrize(
    ("count", "first", "last"),
    [
        (1, 1, 1),
        (2, 1, 2),
        (5, 1, 5),  # the whole range, which covers less
        (6, 1, 6),
        (8, 1, 8),
        (9, 2, 8),
        (10, 2, 9),
        (12, 3, 10),
        (15, 4, 12),
        (20, 6, 15),
        (25, 8, 18),
        (100, 40, 61),
        (1_000, 470, 531),  # from here on by the normal distribution
    ],
)
def test_the_interval_of_a_median_is_that_of_the_sign_test(
    count: int, first: int, last: int
) -> None:
    values = [float(place) for place in range(count, 0, -1)]  # the place is the value
    assert spread(values).interval_s == (first, last)


@pytest.mark.parametrize("count", [6, 7, 11, 50, 333, 999])
def test_the_interval_of_a_median_is_the_narrowest_that_covers_enough(count: int) -> None:
    low, _ = spread([float(place) for place in range(count)]).interval_s
    below = int(low)
    chances = [math.comb(count, k) / 2**count for k in range(below + 2)]
    assert sum(chances[: below + 1]) <= 0.025 < sum(chances)


def test_latencies_by_hand() -> None:
    found = spread([0.4, -0.1, 0.2, 0.1])
    assert (found.count, found.lowest_s, found.highest_s) == (4, -0.1, 0.4)
    assert found.median_s == pytest.approx(0.15)
    assert found.p90_s == pytest.approx(0.34)  # seven tenths of the way from 0.2 to 0.4
    assert found.interval_s == (-0.1, 0.4)
    assert spread([0.3]).median_s == spread([0.3]).p90_s == 0.3


def test_no_latency_has_no_spread() -> None:
    with pytest.raises(DataError, match="no latency without a detection: found 0, needed at least"):
        spread([])


def test_no_time_shows_a_rate_of_zero() -> None:
    with pytest.raises(DataError, match="0 false accepts per hour cannot be shown in any time"):
        hours_for(0)
