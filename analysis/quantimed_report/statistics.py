"""What a reviewer asks for: times to targets with misses kept, pairs of runs, intervals and profiles.

A target that was missed has the time infinity. Medians and bootstrap intervals take infinity as the largest value,
so misses make a figure worse and are never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .traces import Run

BASELINE = "dsgd"
RESAMPLES = 4000


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float


def time_to_target(progress: dict[str, np.ndarray], target: float) -> float:
    """When the loss first falls to `target`, in s, on straight lines between the curve's points; inf when never."""
    time, loss = progress["time"], progress["loss"]
    reached = np.flatnonzero(loss <= target)
    if reached.size == 0 or math.isnan(target):
        return math.inf
    k = int(reached[0])
    if k == 0 or not np.isfinite(loss[k - 1]):
        return float(time[k])
    share = (loss[k - 1] - target) / (loss[k - 1] - loss[k])
    return float(time[k - 1] + share * (time[k] - time[k - 1]))


def common_target(runs: Iterable[Run]) -> float:
    """The target that was asked for (--target-loss), or else the lowest loss that every run reached.

    NaN where there is none: no run, runs with different --target-loss, or a run that starts at the target.
    """
    counted = [run for run in runs if run.counts]
    if not counted:
        return math.nan
    asked = {run.number("target_loss") for run in counted}
    if len(asked) == 1 and (given := asked.pop()) > 0:
        target = given
    else:
        target = max(float(run.progress["loss"].min()) for run in counted)
    start = min(float(run.progress["loss"][0]) for run in counted)
    return target if target < start else math.nan


def several_targets(runs: Sequence[Run], falls: Sequence[float] = (0.5, 0.75, 0.9, 0.95, 0.99)) -> list[float]:
    """Targets from easy to hard: shares of the way from the lowest start to the lowest loss that any run reached."""
    if not runs:
        return []
    start = min(float(run.progress["loss"][0]) for run in runs)
    best = min(float(run.progress["loss"].min()) for run in runs)
    return [start - fall * (start - best) for fall in falls] if best < start else []


# What makes two runs a pair: all but the algorithm is the same.
def pair_key(run: Run) -> tuple[object, ...]:
    return (run.seed, run.nodes, run.dataset, run.engine, run.repeat)


def pairs(runs: Iterable[Run], others: Iterable[Run],
          key: Callable[[Run], tuple[object, ...]] = pair_key) -> list[tuple[Run, Run]]:
    """Each run that counts with each of the others that counts and has the same key."""
    partners: dict[tuple[object, ...], list[Run]] = {}
    for other in others:
        if other.counts:
            partners.setdefault(key(other), []).append(other)
    return [(run, other) for run in runs if run.counts for other in partners.get(key(run), [])]


def paired_speed_ups(runs: Iterable[Run], baseline: Iterable[Run], target: float) -> np.ndarray:
    """The baseline's time to `target` over the run's own, a pair each.

    0 where only the baseline reached it, inf where only the run did; pairs where neither did say nothing.
    """
    ratios = []
    for run, other in pairs(runs, baseline):
        mine, theirs = time_to_target(run.progress, target), time_to_target(other.progress, target)
        if math.isfinite(mine) or math.isfinite(theirs):
            ratios.append(speed_up(theirs, mine))
    return np.array(ratios)


def speed_up(theirs: float, mine: float) -> float:
    if math.isinf(mine):
        return 0.0
    return theirs / mine if mine > 0 else math.inf


def median(values: Sequence[float] | np.ndarray) -> float:
    """Of an even number the mean of the middle two; inf is the largest value; NaN are left out."""
    ordered = np.sort(np.asarray(values, dtype=float))
    ordered = ordered[~np.isnan(ordered)]
    if ordered.size == 0:
        return math.nan
    low, high = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    return float(low if low == high else (low + high) / 2)


def bootstrap_median(values: Sequence[float] | np.ndarray, level: float = 0.95, seed: int = 1) -> Spread:
    """The median and its percentile interval over resampled seeds; the same for the same values every time.

    Fewer than three values give no interval (NaN).
    """
    sample = np.asarray(values, dtype=float)
    sample = sample[~np.isnan(sample)]
    if sample.size < 3:
        return Spread(median(sample), math.nan, math.nan)
    drawn = np.sort(np.random.default_rng(seed).choice(sample, size=(RESAMPLES, sample.size)), axis=1)
    low, high = drawn[:, (sample.size - 1) // 2], drawn[:, sample.size // 2]
    with np.errstate(invalid="ignore"):
        medians = np.where(low == high, low, (low + high) / 2)
    edges = np.quantile(medians, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return Spread(median(sample), float(edges[0]), float(edges[1]))


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, lower and upper edge of `values` [seeds, points]: the range of fewer than 5 seeds, else quartiles."""
    quantiles = (0.0, 1.0) if values.shape[0] < 5 else (0.25, 0.75)
    low, high = np.quantile(values, quantiles, axis=0)
    return np.median(values, axis=0), low, high


BAND = "The line is the median over seeds, the band their range (fewer than 5 seeds) or the middle half."


def performance_profile(times: dict[str, Sequence[float]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each solver the share of problems it solved within a factor of the fastest solver: (factors, shares).

    `times[solver][problem]` in s, inf where missed. A problem that nobody solved counts against all. Dolan and Moré,
    Math. Program. 91 (2002), doi:10.1007/s101070100263.
    """
    table = np.array([times[solver] for solver in times], dtype=float)  # [solvers, problems]
    best = table.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(best > 0, table / best, np.where(table > 0, np.inf, 1.0))
    ratios[~np.isfinite(table)] = np.inf
    curves = {}
    for solver, row in zip(times, ratios):
        factors = np.sort(row[np.isfinite(row)])
        curves[solver] = (factors, np.arange(1, factors.size + 1) / max(row.size, 1))
    return curves


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the straight line through log y against log x, least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
