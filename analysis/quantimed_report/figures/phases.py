# SPDX-License-Identifier: BSD-3-Clause
"""Where the time went: the phases of an iteration, by algorithm."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Where the time went"
CAPTION = ("An iteration of a node by its phases, in their order; means over iterations, nodes and seeds. The "
           "number is the share of computing gradients. Waiting is for other nodes, exchange is for messages under "
           "way.")


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    seen: list[dict[str, float]] = []
    most = max(len(setting.algorithms) for setting in groups)
    figure = common.panels(groups, lambda ax, setting: _panel(ax, setting, seen), height=0.75 + 0.25 * most,
                           title_width=42)
    common.phase_legend(figure.axes[0], seen)
    return figure


def _panel(ax: Axes, setting: common.Setting, seen: list[dict[str, float]]) -> None:
    rows = {algorithm: common.mean_phases(setting.of(algorithm)) for algorithm in setting.algorithms}
    seen += rows.values()
    longest = max(sum(phases.values()) for phases in rows.values())
    factor, unit = common.time_unit(longest)
    for at, phases in enumerate(rows.values()):
        end, total = common.stacked_bar(ax, at, phases, factor), sum(phases.values())
        if total > 0:
            ax.annotate(f"{100 * phases['compute'] / total:.0f} %", (end, at), (2, 0), textcoords="offset points",
                        va="center", fontsize=6)
    ax.set_xlim(0, 1.12 * factor * longest or 1)
    ax.set_yticks(range(len(rows)), [style.label(algorithm) for algorithm in rows])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_xlabel(f"an iteration, {setting.rounds_label} ({unit})")
