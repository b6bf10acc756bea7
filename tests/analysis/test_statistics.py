"""Against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import a_run
from quantimed_report.statistics import (bootstrap_median, common_target, median, paired_speed_ups, performance_profile,
                                         several_targets, slope, spread, time_to_target)

INF = math.inf


def curve(losses: list[float], times: list[float]) -> dict[str, np.ndarray]:
    return {"loss": np.array(losses), "time": np.array(times)}


# From 10 to 8 in the first second, to 5 in two more, to 2 in one more.
@pytest.mark.parametrize(("target", "time"), [(10.0, 0.0), (11.0, 0.0), (8.0, 1.0), (6.5, 2.0), (5.0, 3.0), (3.5, 3.5),
                                              (2.0, 4.0), (1.9, INF), (math.nan, INF)])
def test_time_to_target_is_linear_between_points(target: float, time: float) -> None:
    assert time_to_target(curve([10, 8, 5, 2], [0, 1, 3, 4]), target) == pytest.approx(time)


def test_the_first_time_counts_when_the_loss_rises_again() -> None:
    assert time_to_target(curve([4, 2, 8, 1], [0, 2, 4, 6]), 3) == 1


def test_common_target_is_what_every_run_reached() -> None:
    runs = [a_run("dsgd", 1, (9, 3, 4)), a_run("q-dsgd", 1, (8, 5, 6))]
    assert common_target(runs) == 5
    assert common_target(runs + [a_run("q-dsgd", 2, (8, 1), status="diverged")]) == 5
    assert common_target([run for run in (a_run(losses=(9, 3), summary={"target_loss": 4.0}),)]) == 4
    assert math.isnan(common_target([]))
    assert math.isnan(common_target([a_run(losses=(9, 3)), a_run(losses=(3, 1))]))  # the second starts there


def test_several_targets_go_from_easy_to_hard() -> None:
    runs = [a_run(losses=(10, 4)), a_run(losses=(12, 2))]
    assert several_targets(runs, (0.5, 0.75)) == [6, 4]
    assert several_targets([], (0.5,)) == [] and several_targets([a_run(losses=(1, 2))], (0.5,)) == []


def test_speed_ups_are_paired_by_seed_and_keep_misses() -> None:
    runs = [a_run("q-dsgd", 1, (4, 0), times=(0, 2)), a_run("q-dsgd", 2, (4, 3), times=(0, 2)),
            a_run("q-dsgd", 3, (4, 0), times=(0, 4)), a_run("q-dsgd", 9, (4, 0), times=(0, 4))]
    others = [a_run("dsgd", 1, (4, 0), times=(0, 8)), a_run("dsgd", 2, (4, 0), times=(0, 8)),
              a_run("dsgd", 3, (4, 3), times=(0, 8))]
    assert paired_speed_ups(runs, others, 2).tolist() == [4, 0, INF]  # seed 9 has no partner
    others[0] = a_run("dsgd", 1, (4, 0), times=(0, 8), verdict="INVALID: crowded")
    assert paired_speed_ups(runs, others, 2).tolist() == [0, INF]
    assert paired_speed_ups(runs[:1], [a_run("dsgd", 1, (4, 0), times=(0, 8), nodes=3)], 2).size == 0
    assert paired_speed_ups(runs[1:2], others[2:], 2).size == 0


def test_median_takes_a_miss_as_the_largest() -> None:
    assert median([1, INF, 2]) == 2
    assert median([1, INF]) == INF
    assert median([INF, INF]) == INF
    assert median([1, math.nan, 2]) == 1.5
    assert math.isnan(median([]))


def test_bootstrap_interval() -> None:
    found = bootstrap_median([2, 2, 2, 2])
    assert (found.median, found.low, found.high) == (2, 2, 2)
    values = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    found = bootstrap_median(values)
    # The median of nine draws is 1 with probability 0.001, and at most 2 with 0.030: so 2 holds the lowest 2.5 %.
    assert (found.median, found.low, found.high) == (5, 2, 8)
    assert bootstrap_median(values) == found
    missed = bootstrap_median([1, 2, INF, INF, INF])
    assert missed.median == INF and missed.low < INF and missed.high == INF
    assert math.isnan(bootstrap_median([1, 2]).low) and bootstrap_median([1, 2]).median == 1.5
    assert math.isnan(bootstrap_median([]).median)


def test_band_is_the_range_of_few_and_the_middle_half_of_many() -> None:
    few = np.array([[1.0], [2.0], [9.0]])
    assert [float(edge[0]) for edge in spread(few)] == [2, 1, 9]
    many = np.array([[1.0], [2.0], [3.0], [4.0], [9.0]])
    assert [float(edge[0]) for edge in spread(many)] == [3, 2, 4]


def test_performance_profile() -> None:
    times = {"a": [1.0, 2.0, INF, INF], "b": [2.0, 2.0, 3.0, INF]}
    factors, shares = performance_profile(times)["a"]
    assert factors.tolist() == [1, 1] and shares.tolist() == [0.25, 0.5]
    factors, shares = performance_profile(times)["b"]
    assert factors.tolist() == [1, 1, 2] and shares.tolist() == [0.25, 0.5, 0.75]


def test_performance_profile_of_a_target_met_at_once() -> None:
    profile = performance_profile({"a": [0.0], "b": [1.0]})
    assert profile["a"][0].tolist() == [1] and profile["b"][0].size == 0


def test_slope_of_a_power() -> None:
    assert slope([10, 100, 1000], [5 * 10**-0.5, 5 * 100**-0.5, 5 * 1000**-0.5]) == pytest.approx(-0.5)
