# SPDX-License-Identifier: BSD-3-Clause
"""Against values worked out by hand; computed by the program."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import a_run
from quantimed_report import statistics
from quantimed_report.statistics import (both_clocks, estimate, estimates, judge_runs, median, medians, performance_profile,
                                         slope, spread)
from quantimed.traces import ReportError, Run

INF = math.inf
pytestmark = pytest.mark.usefixtures("program")


def race(fast: str, slow: str, seeds: int = 5, factor: float = 2, **changes: object) -> list[Run]:
    """Straight falls from 9 to 1 in 8 points; `slow` takes `factor` times as long."""
    losses = [9, 8, 7, 6, 5, 4, 3, 2, 1]
    return [a_run(name, seed, losses, [(10 + seed / 10) * k * by for k in range(9)], **changes)
            for seed in range(1, seeds + 1) for name, by in ((fast, 1), (slow, factor))]


def judged(runs: list[Run], targets: list[float] = [3]) -> statistics.Judged:
    return judge_runs(runs, lambda run: run.algorithm, targets)


def test_median_takes_a_miss_as_the_largest() -> None:
    assert median([1, INF, 2]) == 2
    assert median([1, INF]) == INF
    assert median([INF, INF]) == INF
    assert median([1, 2, 3, 4]) == 2.5
    assert median([1, math.nan, 2]) == 1.5
    assert math.isnan(median([]))
    assert medians([]) == [] and medians([[1], [2, 4]]) == [1, 3]


def test_up_to_five_values_have_a_range_and_more_an_interval_with_its_coverage() -> None:
    five = estimate([5, 1, 2, 4, 3])
    assert (five.kind, five.low, five.high, five.coverage, five.count) == ("range", 1, 5, 0, 5)
    ten = estimate([*range(1, 9), INF, INF])
    assert (ten.kind, ten.low, ten.high, ten.median) == ("interval", 2, INF, 5.5)
    assert ten.coverage == 1 - 22 / 1024
    assert estimates([[1.0], []])[1].kind == "none"


def test_a_band_has_the_edges_of_an_estimate() -> None:
    few = np.array([[1.0], [2.0], [9.0]])
    assert [float(edge[0]) for edge in spread(few)] == [2, 1, 9]
    many = np.arange(10.0)[:, None]
    found = estimate(many[:, 0])
    assert [float(edge[0]) for edge in spread(many)] == [found.median, found.low, found.high] == [4.5, 1, 8]


def test_a_race_has_a_winner_with_its_interval() -> None:
    found = judged(race("q-dsgd", "dsgd", 6)).race(3)
    assert (found.winner, found.close, found.mark("q-dsgd"), found.mark("dsgd")) == ("q-dsgd", [], "✓", "")
    assert found.against["dsgd"].ratio.kind == "interval" and found.against["dsgd"].ratio.median == pytest.approx(2)
    assert found.entries["q-dsgd"].speed_up.median == pytest.approx(2)
    assert found.entries["q-dsgd"].time.median == pytest.approx(60 * 1.035)


def test_equals_are_too_close_to_call() -> None:
    runs = race("q-dsgd", "dsgd", 5, 1.001)
    found = judged(runs).race(3)
    assert found.winner is None and found.close and found.mark(found.first) == "≈"
    assert judged(runs).headline("paper").startswith("Too close to call to loss 3")


def test_what_does_not_count_never_arrives() -> None:
    runs = race("q-dsgd", "dsgd", 6)
    runs[1] = a_run("dsgd", 1, runs[1].progress["loss"], runs[1].progress["time"], status="diverged")
    found = judged(runs)
    assert found.rows["dsgd"]["diverged"] == 1 and found.race(3).entries["dsgd"].times[0] == INF
    assert found.time_of(runs[1], 3) == INF and found.time_of(runs[0], 3) == pytest.approx(60.6)


def test_targets_are_shares_of_the_fall_to_the_best_of_any_run_that_counts() -> None:
    runs = [a_run("dsgd", 1, (9, 5, 4)), a_run("q-dsgd", 1, (9, 3, 1)), a_run("q-dsgd", 2, (9, 3, -9), status="diverged"),
            a_run("dsgd", 2, (9, 5, 4))]
    assert judged(runs, []).targets == [5, 3, 1.8, 1.4, 1.08]


def test_both_clocks_of_a_run_that_was_made_for_each() -> None:
    """Algorithms whose messages steer them are run once for the paper's bits, once for the wire's."""
    twins = [run for bits, by in (("paper", 1), ("wire", 2)) for run in race("async-dsgd", "dsgd", 5, by, config={"bits": bits})]
    assert [len(found) for found in both_clocks(twins)] == [2] * 10
    found = judged(twins)
    assert found.clocks == ["paper", "wire"]
    assert found.race(3, "paper").winner is None and found.race(3, "wire").winner == "async-dsgd"
    assert found.turns_round == "Only one of the two clocks names a winner at loss 3."


def test_a_row_has_the_figures_of_the_run_by_the_comparisons_own_clock() -> None:
    own = a_run("async-dsgd", 1, (9, 5, 2), config={"bits": "wire"}, summary={"total_bytes": 612480})
    other = a_run("async-dsgd", 1, (9, 5, 1), config={"bits": "paper"}, summary={"total_bytes": 1301520},
                  path=Path("async-dsgd-seed1-paper.h5"))
    for files in ((own, other), (other, own)):
        [row] = judged(list(files)).rows.values()
        assert row["final_loss"]["median"] == 2 and row["bytes_sent"] == 612480
    assert judged([other, own]).race(3, "paper").entries["async-dsgd"].arrived == 1


def test_a_program_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTIMED_PROGRAM", str(tmp_path / "gone"))
    with pytest.raises(ReportError, match="gone: no such program"):
        median([1, 2])


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
