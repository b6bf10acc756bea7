# SPDX-License-Identifier: BSD-3-Clause
"""Time to several targets, with the runs that missed them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..statistics import Entry
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Time to targets"
CAPTION = ("When the training loss had fallen to each of several targets and stayed there, from easy to hard: median and "
           "range over seeds. A cross in the strip above says that runs of an algorithm missed the target, INVALID and incomplete "
           "ones among them: as many as stand above it, or all; a median that is missed has no mark below. A hollow mark with an arrow is a bound: the "
           "median lies before it, and before the third point of its curve, so that nobody is told apart there.")

_STRIP = 0.80  # of the axes' height; misses are above


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study) if setting.judged.targets]
    if not groups:
        return common.NO_RUNS
    figure = common.panels(groups, _panel, height=2.6)
    common.legend_above(figure.axes[0])
    return figure


def _panel(ax: Axes, setting: common.Setting) -> None:
    targets, algorithms = setting.judged.targets, setting.algorithms
    ax.set_yscale("log")
    for k, algorithm in enumerate(algorithms):
        _times(ax, algorithm, np.arange(len(targets)) + 0.8 * ((k + 0.5) / len(algorithms) - 0.5),
               [setting.judged.race(target).entries[algorithm] for target in targets])
    _leave_room_for_the_strip(ax)
    common.plain_log_ticks(ax.yaxis)
    ax.set_xticks(range(len(targets)), [f"{target:.3g}" for target in targets])
    ax.grid(False, axis="x")
    ax.set_xlabel("target: training loss")
    ax.set_ylabel(f"{setting.clock_label} to target (s)")


def _times(ax: Axes, algorithm: str, at: np.ndarray, entries: Sequence[Entry]) -> None:
    colour = style.colour(algorithm)
    medians = np.array([entry.time.median if entry.is_resolved else math.nan for entry in entries])
    bounds = np.array([math.nan if entry.is_resolved else entry.bound for entry in entries])
    ax.plot(at, bounds, linestyle="none", marker=style.marker(algorithm), markerfacecolor="none", color=colour)
    for x, bound in zip(at, bounds):
        if math.isfinite(bound):
            ax.annotate("", (x, bound), (0, -11), textcoords="offset points",
                        arrowprops={"arrowstyle": "<-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 2})
    ax.plot(at, np.where(np.isfinite(medians) & (medians > 0), medians, np.nan), linestyle="none",
            marker=style.marker(algorithm), color=colour, label=style.label(algorithm))
    for x, entry in zip(at, entries):
        row = np.array(entry.times)
        reached = row[np.isfinite(row) & (row > 0)]
        if reached.size and entry.is_resolved:
            ax.vlines(x, reached.min(), reached.max(), color=colour, linewidth=1)
        missed = int(np.isinf(row).sum())
        if missed:
            ax.plot(x, _STRIP + 0.05, marker="x", color=colour, transform=ax.get_xaxis_transform())
        if reached.size and missed:
            ax.text(x, _STRIP + 0.09, f"{missed}/{row.size}", color=colour, fontsize=5.5, rotation=90, ha="center",
                    va="bottom", transform=ax.get_xaxis_transform())


def _leave_room_for_the_strip(ax: Axes) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** (1 / _STRIP - 1))
    ax.fill_between((0, 1), _STRIP, 1, color="#F2F2F2", zorder=0, linewidth=0, transform=ax.transAxes)
    ax.text(0.005, 0.99, "missed", transform=ax.transAxes, fontsize=6, color=style.GREY, va="top")
