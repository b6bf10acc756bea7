# SPDX-License-Identifier: BSD-3-Clause
"""How old the models are that a node mixes."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Staleness and age of messages"
CAPTION = ("Shares of iterations, over nodes and seeds. Staleness is the node's own iteration less that of the "
           "models it mixes (a slow node meets models from later iterations: below 0); age is the time since they "
           "were published. Both are means over the node's neighbours.")


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study) if setting.runs[0].nodes > 1]
    if not groups:
        return "no run of several nodes counts"
    figure = common.panels(groups, _staleness, _age, height=1.7)
    common.legend_above(figure.axes[0])
    return figure


def _staleness(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        values = common.pooled(setting.of(algorithm), "staleness")
        if values.size:
            common.ecdf(ax, values, algorithm)
    ax.set_xlabel("staleness (iterations)")
    ax.set_ylabel("iterations (%)")


def _age(ax: Axes, setting: common.Setting) -> None:
    found = {algorithm: common.pooled(setting.of(algorithm), "message_age") for algorithm in setting.algorithms}
    found = {algorithm: values for algorithm, values in found.items() if values.size}
    factor, unit = common.time_unit(max((float(values.max()) for values in found.values()), default=0.0))
    for algorithm, values in found.items():
        common.ecdf(ax, factor * values, algorithm)
    if all(values.min() > 0 for values in found.values()):
        ax.set_xscale("log")
        common.plain_log_ticks(ax.xaxis)
    ax.set_xlabel(f"age of messages, {setting.rounds_label} ({unit})")
    ax.set_ylabel("iterations (%)")
