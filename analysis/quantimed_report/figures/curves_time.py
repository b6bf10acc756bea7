# SPDX-License-Identifier: BSD-3-Clause
"""Loss of the mean model against time."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Training loss over time"
CAPTION = ("Training loss of the mean model; lower and further left is better, and on this axis the same distance to "
           "the side is the same speed-up everywhere. " + BAND + " A curve ends with the first of its seeds, and begins "
           "with its first point after the start. Where time depends on how bits are counted, it is drawn by both counts; by "
           "the one that the runs do not have their time by, arrivals count up to the dotted line, where the first run ends.")


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    both = [each for setting in groups for each in (setting, setting.by_other_clock) if each]
    groups = both if len(both) <= common.MAX_PANELS else groups
    figure = common.panels(groups, _panel)
    common.legend_above(figure.axes[0])
    return figure


def _end_of_judgement(ax: Axes, setting: common.Setting) -> None:
    """By a clock that the runs do not have their time by, who runs on reaches what others had no time for."""
    until = setting.judged_until
    if until < ax.get_xlim()[1]:
        ax.axvline(until, color=style.GREY, linewidth=0.8, linestyle=":")
        ax.annotate(f"judged until {until:.3g} s", (until, 0.98), xycoords=("data", "axes fraction"), xytext=(-2, 0),
                    textcoords="offset points", rotation=90, ha="right", va="top", fontsize=5.5, color="#404040", zorder=5,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8})


def _panel(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        common.band(ax, setting.of(algorithm), "time", "loss", log=True)
    ax.set_xscale("log")
    common.plain_log_ticks(ax.xaxis)
    common.log_when_positive(ax)
    _end_of_judgement(ax, setting)
    ax.set_xlabel(f"{setting.clock_label} (s)")
    ax.set_ylabel("training loss")
