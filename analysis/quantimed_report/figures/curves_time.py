# SPDX-License-Identifier: BSD-3-Clause
"""Loss of the mean model against time."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Training loss over time"
CAPTION = ("Training loss of the mean model; lower and further left is better, and on this axis the same distance to "
           "the side is the same speed-up everywhere. " + BAND + " A curve ends with the first of its seeds. Where "
           "time depends on how bits are counted, it is drawn by both counts.")


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


def _panel(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        common.band(ax, setting.of(algorithm), "time", "loss", log=True)
    ax.set_xscale("log")
    common.plain_log_ticks(ax.xaxis)
    common.log_when_positive(ax)
    ax.set_xlabel(f"{setting.clock_label} (s)")
    ax.set_ylabel("training loss")
