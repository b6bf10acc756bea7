"""Times to a loss, and medians with intervals paired by seed."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .traces import Curve


@dataclass(frozen=True)
class Estimate:
    median: float
    low: float
    high: float
    count: int

    def text(self, unit: str = "", digits: int = 3) -> str:
        def number(x: float) -> str:
            return "never" if np.isinf(x) else f"{x:.{digits}g}{unit}"
        if number(self.low) == number(self.high):
            return number(self.median)
        return f"{number(self.median)} [{number(self.low)}–{number(self.high)}]"


def time_to_loss(curve: Curve, target: float) -> float:
    """When the curve first is at the target, linear between its points; infinite where it never is."""
    below = np.flatnonzero(curve.loss <= target)
    if not below.size:
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(curve.time_s[0])
    part = (curve.loss[k - 1] - target) / (curve.loss[k - 1] - curve.loss[k])
    return float(curve.time_s[k - 1] + part * (curve.time_s[k] - curve.time_s[k - 1]))


def common_target(curves: Iterable[Curve]) -> float:
    """The lowest loss that every one of the runs reached."""
    return max(float(np.nanmin(curve.loss)) for curve in curves)


def bootstrap_median(values: Iterable[float], draws: int = 10_000) -> Estimate:
    """Median and its 95 % interval, resampled over seeds. With three seeds that is nearly from least to most."""
    data = np.asarray(list(values), dtype=float)
    if not data.size:
        raise ValueError("no values to take a median of")
    samples = np.random.default_rng(1).choice(data, (draws, data.size))
    # Order statistics, not means of neighbours: infinite times stay what they are.
    medians = np.quantile(samples, 0.5, axis=1, method="lower")
    low, high = np.quantile(medians, [0.025, 0.975], method="nearest")
    return Estimate(float(np.quantile(data, 0.5, method="lower")), float(low), float(high), data.size)


def ratios(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> dict[int, float]:
    """Paired by seed; a seed that only one side has gives nothing."""
    result = {}
    for seed in numerators.keys() & denominators.keys():
        above, below = numerators[seed], denominators[seed]
        result[seed] = 0.0 if np.isinf(below) else float("inf") if below == 0 else above / below
    return dict(sorted(result.items()))
