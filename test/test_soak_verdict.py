"""What a long run calls growth: rising series, flat ones, noise, outliers and steps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

from soak_verdict import LIMITS, UNITS, WARM_UP_S, resistant_line, trend, trends, verdict

HOUR = np.arange(0.0, 3600.0, 2.0)
SEEDS = range(20)


def noise(seed: int, size: float, count: int = len(HOUR)) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, count)


@pytest.mark.parametrize("per_hour", [12.0, 40.0, 1000.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_leak_is_seen_through_the_noise(per_hour, seed):
    found = trend(HOUR, 150 + per_hour * HOUR / 3600 + noise(seed, 5.0), 10.0)
    assert found.grows
    assert found.rise == pytest.approx(per_hour * (3600 - WARM_UP_S) / 3600, rel=0.02, abs=1.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_around_a_level_is_no_growth(seed):
    found = trend(HOUR, 150 + noise(seed, 20.0), 10.0)
    assert not found.grows
    assert found.rise == pytest.approx(0.0, abs=6.0)


def test_a_flat_series_does_not_rise_at_all():
    found = trend(HOUR, np.full(HOUR.shape, 7.0), 0.5)
    assert (found.first, found.last, found.rise, found.grows) == (7.0, 7.0, 0.0, False)


def test_what_falls_does_not_grow():
    assert not trend(HOUR, 200 - HOUR / 36, 10.0).grows


def test_growth_within_the_limit_passes_and_beyond_it_fails():
    after_warm_up = (HOUR[-1] - WARM_UP_S) / HOUR[-1]
    for rise, grows in ((9.9, False), (10.1, True)):
        values = rise / after_warm_up * HOUR / HOUR[-1]
        assert trend(HOUR, values, 10.0).grows == grows


@pytest.mark.parametrize("place", ["begin", "end", "anywhere"])
def test_busy_moments_of_the_machine_make_no_trend(place):
    """A tenth of all samples is fifty times too large; least squares would see a trend."""
    values = np.full(HOUR.shape, 15.0)
    count = len(values) // 10
    spikes = {"begin": np.arange(count) + 40, "end": len(values) - 1 - np.arange(count),
              "anywhere": np.random.default_rng(1).choice(len(values), count)}[place]  # fmt: skip
    values[spikes] = 750.0
    assert trend(HOUR, values, 10.0).rise == pytest.approx(0.0, abs=0.1)


def test_a_leak_is_seen_among_busy_moments():
    values = 15 + HOUR / 100
    values[::9] = 0.0
    assert trend(HOUR, values, 10.0).grows


@pytest.mark.parametrize("at", [0.2, 0.3, 0.5, 0.7, 0.8])
def test_one_thread_that_stays_is_one_too_many(at):
    values = np.where(at * 3600 < HOUR, 12.0, 11.0)
    assert trend(HOUR, values, LIMITS["threads"]).grows


def test_a_thread_that_comes_and_goes_is_none_too_many():
    values = np.where((HOUR // 30) % 7 == 0, 12.0, 11.0)
    assert not trend(HOUR, values, LIMITS["threads"]).grows


def test_a_handle_every_ten_minutes_is_seen():
    assert trend(HOUR, 30 + HOUR // 600, LIMITS["handles"]).grows


def test_the_warm_up_does_not_count():
    values = np.where(HOUR < WARM_UP_S, 20.0, 150.0)
    assert not trend(HOUR, values, 10.0).grows
    assert not trend(HOUR[:20], np.where(HOUR[:20] < 9, 20.0, 150.0), 10.0).grows, "a quarter"


def test_missing_values_are_left_out():
    values = np.where(HOUR % 3 == 0, np.nan, 150 + HOUR / 100)
    assert trend(HOUR, values, 10.0).rise == pytest.approx(35.4, abs=0.5)


@pytest.mark.parametrize("values", [np.full(len(HOUR), np.nan), np.r_[1.0, 1.0, [np.nan] * 1798]])
def test_without_values_nothing_can_be_said_and_that_is_a_failure(values):
    assert trend(HOUR, values, 10.0).grows


def test_the_line_goes_through_points_on_a_line():
    assert resistant_line(np.arange(10.0), 3 * np.arange(10.0) - 4) == pytest.approx((3.0, -4.0))


def rows(**columns):
    names = ["seconds", *columns]
    return [dict(zip(names, row, strict=True)) for row in zip(HOUR, *columns.values(), strict=True)]


def test_each_limited_column_is_judged_and_the_others_are_not():
    flat, rising = np.full(HOUR.shape, 100.0), 100 + HOUR / 60
    columns = {"mirror memory_mb": flat, "camera threads": flat, "camera handles": flat,
               "recognizer memory_mb": rising, "recognizer latency_median_ms": flat,
               "recognizer latency_p95_ms": rising, "labels_per_s": rising}  # fmt: skip
    found = trends(rows(**columns))
    assert set(found) == {name for name in columns if name.split()[-1] in LIMITS}
    assert [name for name, one in found.items() if one.grows] == ["recognizer memory_mb"]
    lines, code = verdict(found, "")
    assert code == 1
    assert lines[-1] == "FAILED: rising beyond their limits: recognizer memory_mb"
    assert "GROW recognizer memory_mb: 101.0 -> 160.0 MB, rise +58.97, limit 10" in lines


def test_nothing_that_grows_is_told_and_passes():
    found = trends(rows(**{"mirror memory_mb": np.full(HOUR.shape, 100.0)}))
    assert verdict(found, "") == (
        ["ok   mirror memory_mb: 100.0 -> 100.0 MB, rise +0.00, limit 10", "nothing grows"],
        0,
    )


def test_a_run_that_ended_early_fails_even_if_nothing_grows():
    found = trends(rows(**{"mirror memory_mb": np.full(HOUR.shape, 100.0)}))
    lines, code = verdict(found, "mirror died after 3 s")
    assert code == 1 and lines[-1] == "FAILED: mirror died after 3 s"


def test_no_samples_are_an_error():
    with pytest.raises(ValueError, match="no samples"):
        trends([])


def test_every_limit_has_a_unit():
    assert set(LIMITS) == set(UNITS)
