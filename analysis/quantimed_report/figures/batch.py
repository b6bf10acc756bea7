# SPDX-License-Identifier: BSD-3-Clause
"""Distribution of batch sizes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Batch sizes"
CAPTION = ("The share of iterations, over nodes and seeds, whose batch was at most so large. With a fixed batch "
           "that is a step; with a deadline a fast node's batch is larger than a slow one's.")


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    figure = common.panels(groups, _panel, height=1.8)
    common.legend_above(figure.axes[0])
    return figure


def _panel(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        values = common.pooled(setting.of(algorithm), "batch")
        if values.size:
            common.ecdf(ax, values, algorithm)
    ax.set_xlim(left=0)
    ax.set_xlabel("batch of an iteration (samples)")
    ax.set_ylabel("iterations (%)")
