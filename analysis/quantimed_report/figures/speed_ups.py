# SPDX-License-Identifier: BSD-3-Clause
"""Speed-up to one target over the baseline, paired by seed."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from .. import style
from ..statistics import CLOCKS, Entry
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Speed-up"
CAPTION = ("How many times sooner than the baseline an algorithm reached a target: a dot for each pair of runs with the "
           "same seed, the median as a mark, and as a bar its range (up to 5 pairs) or an interval that holds the true "
           "median with 95 % or more, wider where the points of a curve leave a time open. A run that is INVALID or "
           "incomplete counts as one that missed. The target is the one given, the middle one of several, or nine tenths of the fall to the best loss of any run.")


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study)
              if len(setting.algorithms) > 1 and math.isfinite(setting.judged.main_target)]
    if not groups:
        return "no two algorithms with runs that count and a target that they can be compared at"
    most = max(len(setting.algorithms) for setting in groups)
    return common.panels(groups, _panel, height=0.6 + 0.27 * most, title_width=42)


def _panel(ax: Axes, setting: common.Setting) -> None:
    judged = setting.judged
    target, baseline = judged.main_target, judged.baseline
    entries = judged.race(target).entries
    others = [algorithm for algorithm in setting.algorithms if algorithm != baseline]
    ax.set_xscale("log")
    ax.axvline(1, color=style.colour(baseline), linestyle=style.line_style(baseline), linewidth=1)
    has_ratio = [_speed_ups(ax, at, algorithm, entries[algorithm], entries[baseline]) for at, algorithm in enumerate(others)]
    by = f", {CLOCKS[setting.clock]}" if setting.clock else ""
    over = f"over {style.label(baseline)} to {target:.4g}{by}"
    if any(has_ratio):
        low, high = ax.get_xlim()
        ax.set_xlim(min(low / 1.1, 0.8), max(high * 1.1, 1.25))
        common.plain_log_ticks(ax.xaxis)
        ax.set_xlabel(f"{over} (×)")
    else:  # no axis without anything on it
        ax.set_xlim(0.5, 2)
        ax.xaxis.set_major_locator(NullLocator())
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(f"{over}:\nno ratio, both arrived in no pair")
    ax.set_yticks(range(len(others)), [style.label(algorithm) for algorithm in others])
    ax.set_ylim(len(others) - 0.5, -0.5)
    ax.grid(False, axis="y")


def _speed_ups(ax: Axes, at: int, algorithm: str, mine: Entry, theirs: Entry) -> bool:
    """Whether there is a ratio: a pair in which both arrived."""
    colour, found = style.colour(algorithm), mine.speed_up
    arrived, other_arrived = np.isfinite(mine.times), np.isfinite(theirs.times)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.divide(theirs.times, mine.times)[arrived & other_arrived]
    drawn = ratios[np.isfinite(ratios) & (ratios > 0)]
    ax.plot(drawn, np.full(drawn.size, at + 0.24), "o", color=colour, alpha=0.5, markersize=2, markeredgewidth=0)
    if math.isfinite(found.median) and found.median > 0:
        ax.plot(found.median, at, marker=style.marker(algorithm), color=colour, label=style.label(algorithm))
        ax.annotate(f"{found.median:.2f}×", (found.median, at), (0, 4), textcoords="offset points", ha="center",
                    fontsize=6)
    if math.isfinite(found.high) and found.low > 0:
        ax.hlines(at, found.low, found.high, color=colour, linewidth=2, alpha=0.7)
    pairs = arrived.size
    words = [f"{text} in {count} of {pairs}" for text, count in (
        ("missed the target", int((~arrived & other_arrived).sum())), ("alone reached it", int((arrived & ~other_arrived).sum())),
        ("both missed", int((~arrived & ~other_arrived).sum()))) if count]
    if words:
        ax.annotate("; ".join(words), (1, at), xycoords=("axes fraction", "data"), ha="right", va="top", fontsize=6)
    return drawn.size > 0
