# SPDX-License-Identifier: BSD-3-Clause
"""Loss of the mean model against iterations."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Training loss over iterations"
CAPTION = ("Training loss of the mean model for the same number of iterations, which need not take the same "
           "time. " + BAND)


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    figure = common.panels(groups, _panel)
    common.legend_above(figure.axes[0])
    return figure


def _panel(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        common.band(ax, setting.of(algorithm), "iteration", "loss")
    common.log_when_positive(ax)
    ax.set_xlabel("iterations of a node")
    ax.set_ylabel("training loss")
