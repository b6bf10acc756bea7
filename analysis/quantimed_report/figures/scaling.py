# SPDX-License-Identifier: BSD-3-Clause
"""Speed-up and efficiency over cores, from the folders that `quantimed scale` leaves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style, words
from ..statistics import estimates
from ..style import styled
from quantimed.traces import Run, Study
from . import common

TITLE = "Scaling over cores"
CAPTION = ("Samples per second on n cores over those on the fewest, paired by repeat: median and range (up to 5 repeats; from 6 on an "
           "interval that holds the true median with 95 % or more). Strong: the "
           "cores share the work of one; weak: each has as much. The dashed line is ideal; efficiency is the share "
           "of it that was reached.")
KINDS = ("strong", "weak")


@dataclass(frozen=True)
class Point:
    cores: int
    speed_ups: np.ndarray  # a pair each
    ideal: float

    @property
    def efficiencies(self) -> np.ndarray:
        return self.speed_ups / self.ideal


@styled
def draw(study: Study) -> Figure | str:
    groups = {where: runs for where, runs in _groups(study).items()
              if any(len(points(runs, algorithm)) > 1 for algorithm in _algorithms(runs))}
    if not groups:
        return "no runs of `quantimed scale` that count on two numbers of cores"
    shown = list(groups.items())[:common.MAX_PANELS]
    figure, axes = plt.subplots(len(shown), 2, squeeze=False, figsize=(style.width(), 1.75 * len(shown) + 0.4))
    for row, ((_, kind), runs) in zip(axes, shown):
        _panels(row, kind, runs)
    common.legend_above(axes[0, 0])
    if len(groups) > len(shown):
        common.say_left_out(axes[-1, 1], f"{len(groups) - len(shown)} more studies")
    return figure


def _groups(study: Study) -> dict[tuple[Path, str], list[Run]]:
    """Also runs that do not count: they tell which number of cores was the fewest."""
    found: dict[tuple[Path, str], list[Run]] = {}
    for run in sorted(study.runs, key=lambda run: (run.path.parent, run.kind)):
        if run.kind in KINDS:
            found.setdefault((run.path.parent, run.kind), []).append(run)
    return found


def _algorithms(runs: Sequence[Run]) -> list[str]:
    return style.in_order([run.algorithm for run in runs])


def points(runs: Sequence[Run], algorithm: str) -> list[Point]:
    """From the fewest cores to the most, of those that have a pair of runs that count."""
    mine = [run for run in runs if run.algorithm == algorithm]
    fewest = min((run.nodes for run in mine), default=0)
    base = {run.repeat: samples_per_s(run) for run in mine if run.nodes == fewest and run.counts}
    found = []
    for cores in sorted({run.nodes for run in mine}):
        ratios = np.array([samples_per_s(run) / base[run.repeat] for run in mine
                           if run.nodes == cores and run.counts and run.repeat in base])
        if ratios.size:
            found.append(Point(cores, ratios, cores / fewest))
    return found


def samples_per_s(run: Run) -> float:
    return run.number("total_samples") / run.number("end_time_s")


def _panels(row: np.ndarray, kind: str, runs: Sequence[Run]) -> None:
    speed, efficiency = row
    cores = sorted({run.nodes for run in runs})
    speed.plot(cores, np.array(cores) / cores[0], color=style.GREY, linestyle=(0, (4, 2)), linewidth=0.8, label="ideal")
    efficiency.axhline(100, color=style.GREY, linestyle=(0, (4, 2)), linewidth=0.8)
    for algorithm in _algorithms(runs):
        found = points(runs, algorithm)
        if len(found) > 1:
            _curve(speed, algorithm, found, [point.speed_ups for point in found])
            _curve(efficiency, algorithm, found, [100 * point.efficiencies for point in found])
    missing = common.say_missing([each for each in _algorithms(runs) if len(points(runs, each)) < 2])
    efficiency.set_title(textwrap.fill(missing, 28), loc="left", fontsize=6, color=style.GREY)
    for ax in (speed, efficiency):
        ax.set_xscale("log", base=2)
        ax.set_xticks(cores, [str(n) for n in cores])
        ax.minorticks_off()
        ax.set_xlabel("cores")
        ax.set_ylim(bottom=0)
    speed.set_ylabel("speed-up (×)")
    speed.set_title(f"{kind}, {words.dataset(runs[0].dataset)}", loc="left")
    efficiency.set_ylabel("efficiency (%)")


def _curve(ax: Axes, algorithm: str, found: Sequence[Point], values: Sequence[np.ndarray]) -> None:
    found_medians = estimates(values)
    medians = np.array([each.median for each in found_medians])
    below = medians - [each.low for each in found_medians]
    above = [each.high for each in found_medians] - medians
    ax.errorbar([point.cores for point in found], medians, (below, above), color=style.colour(algorithm),
                linestyle=style.line_style(algorithm), marker=style.marker(algorithm), capsize=2, elinewidth=0.8,
                label=style.label(algorithm))
