# SPDX-License-Identifier: BSD-3-Clause
"""Rates of the theory: how fast the gradient, or the loss, falls with the horizon T."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .. import style
from ..statistics import medians, slope
from ..style import styled
from quantimed.traces import Run, Study
from . import common

TITLE = "Rates"
CAPTION = ("Runs that differ in the horizon T, on logarithmic axes: (1/T) Σ ‖∇f(x̄)‖² over the run, or the final "
           "loss less the lowest loss known where the gradient was not kept. Dots are seeds, lines are fitted, the "
           "slope with its 95 % bootstrap interval over seeds. The grey line is the T^(-1/3) promised for α = "
           "T^(-1/6), ε = T^(-1/2).")
LEAST_HORIZONS = 3
RESAMPLES = 1000


@dataclass(frozen=True)
class Rate:
    horizons: np.ndarray  # T, ascending
    values: list[np.ndarray]  # of the seeds, for each T
    by_gradient: bool

    @property
    def medians(self) -> np.ndarray:
        return np.array(medians(self.values))


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study, leave_out=("iterations",)) if rates(setting)]
    if not groups:
        return f"no algorithm has runs that count with {LEAST_HORIZONS} different --iterations or more"
    figure = common.panels(groups, _panel, height=2.5)
    common.legend_above(figure.axes[0], columns=1)
    return figure


def rates(setting: common.Setting) -> dict[str, Rate]:
    found = {}
    by_gradient = all(np.all(np.isfinite(run.progress["gradient_norm_squared"])) for run in setting.runs)
    best = min(float(run.progress["loss"].min()) for run in setting.runs)
    for algorithm in setting.algorithms:
        by_horizon: dict[int, list[float]] = {}
        for run in setting.of(algorithm):
            value = mean_gradient(run) if by_gradient else float(run.progress["loss"][-1]) - best
            if value > 0:
                by_horizon.setdefault(int(run.config["iterations"]), []).append(value)
        if len(by_horizon) >= LEAST_HORIZONS:
            horizons = sorted(by_horizon)
            found[algorithm] = Rate(np.array(horizons), [np.array(by_horizon[T]) for T in horizons], by_gradient)
    return found


def mean_gradient(run: Run) -> float:
    """(1/T) Σ ‖∇f(x̄)‖², with straight lines between the points of the curve."""
    iteration, squared = run.progress["iteration"], run.progress["gradient_norm_squared"]
    length = iteration[-1] - iteration[0]
    return float(np.trapz(squared, iteration) / length) if length > 0 else float(squared[-1])


def slope_interval(rate: Rate, seed: int = 1) -> tuple[float, float]:
    """Of the slope through medians, over resampled seeds at each horizon; NaN for fewer than three seeds."""
    if min(each.size for each in rate.values) < 3:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    slopes = [slope(rate.horizons, [float(np.median(random.choice(each, each.size))) for each in rate.values])
              for _ in range(RESAMPLES)]
    low, high = np.quantile(slopes, (0.025, 0.975))
    return float(low), float(high)


def _panel(ax: Axes, setting: common.Setting) -> None:
    found = rates(setting)
    for algorithm, rate in found.items():
        colour = style.colour(algorithm)
        for horizon, values in zip(rate.horizons, rate.values):
            ax.plot(np.full(values.size, horizon), values, "o", color=colour, alpha=0.4, markersize=2,
                    markeredgewidth=0)
        ax.plot(rate.horizons, rate.medians, linestyle="none", marker=style.marker(algorithm), color=colour)
        ax.plot(*_fit(rate), color=colour, linestyle=style.line_style(algorithm), label=_words(algorithm, rate))
    _promise(ax, list(found.values()))
    ax.set_xscale("log")
    ax.set_yscale("log")
    horizons = sorted({int(T) for rate in found.values() for T in rate.horizons})
    ax.set_xticks(horizons, [str(T) for T in horizons])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="x", which="minor", bottom=False)
    common.plain_log_ticks(ax.yaxis)
    ax.set_xlabel("horizon T (iterations)")
    by_gradient = next(iter(found.values())).by_gradient
    ax.set_ylabel("mean of ‖∇f(x̄)‖²" if by_gradient else "final loss − best known")


def _fit(rate: Rate) -> tuple[np.ndarray, np.ndarray]:
    power, offset = np.polyfit(np.log(rate.horizons), np.log(rate.medians), 1)
    return rate.horizons, np.exp(offset) * rate.horizons**power


def _words(algorithm: str, rate: Rate) -> str:
    low, high = slope_interval(rate)
    interval = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low) else ""
    return f"{style.label(algorithm)}: slope {slope(rate.horizons, rate.medians):.2f}{interval}"


def _promise(ax: Axes, found: Sequence[Rate]) -> None:
    """Through the highest of the first medians, so that it is seen beside the others."""
    first = max(found, key=lambda rate: rate.medians[0])
    ax.plot(first.horizons, first.medians[0] * (first.horizons / first.horizons[0]) ** (-1 / 3), color=style.GREY,
            linewidth=0.8, label="promised: slope −1/3")
