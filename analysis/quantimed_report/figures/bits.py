# SPDX-License-Identifier: BSD-3-Clause
"""Loss against the bits that went over the wire."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..statistics import BAND, spread
from ..style import styled
from quantimed.traces import Run, Study, phase_order
from . import common

TITLE = "Loss against bits on the wire"
CAPTION = ("Training loss of the mean model after so many bits that all nodes together sent to all their "
           "neighbours: the real bytes of the messages, with their headers. " + BAND)


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study) if setting.runs[0].nodes > 1]
    if not groups:
        return "no run of several nodes counts"
    figure = common.panels(groups, _panel)
    common.legend_above(figure.axes[0])
    return figure


def bits_sent(run: Run) -> np.ndarray:
    """By all nodes to all neighbours until each point of the curve, [K]."""
    sent = 8.0 * run.rounds("bytes_sent").astype(float)
    if run.network.get("schedule"):  # as many copies of each as the summary has counted
        sent *= 8.0 * run.number("total_bytes") / max(np.nansum(sent), 1.0)
    else:
        edges, _, _ = run.edges()
        sent *= np.bincount(edges.ravel(), minlength=run.nodes)
    order = phase_order(run)
    until = run.rounds("start_time")
    for phase in order[:order.index("publish") + 1]:
        until = until + run.rounds(f"{phase}_time")
    known = np.isfinite(sent) & np.isfinite(until)
    by_time = np.argsort(until[known])
    total = np.concatenate([[0.0], np.cumsum(sent[known][by_time])])
    # The last point is when the last node ended: whatever was sent was sent by then.
    bits = total[np.searchsorted(until[known][by_time], run.progress["time"], side="right")]
    bits[-1:] = total[-1]
    return bits


def _panel(ax: Axes, setting: common.Setting) -> None:
    for algorithm in setting.algorithms:
        curves = [(bits_sent(run), run.progress["loss"]) for run in setting.of(algorithm)]
        curves = [(bits[1:], loss[1:]) for bits, loss in curves if bits.size > 1 and bits[1] > 0]  # without the start
        if not curves:
            continue
        grid = common.common_grid([bits for bits, _ in curves], log=True)
        median, low, high = spread(np.array([np.interp(np.log(grid), np.log(bits), loss) for bits, loss in curves]))
        colour = style.colour(algorithm)
        ax.plot(grid / 1e6, median, color=colour, linestyle=style.line_style(algorithm), label=style.label(algorithm))
        if len(curves) > 1:
            ax.fill_between(grid / 1e6, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.set_xscale("log")
    common.plain_log_ticks(ax.xaxis)
    common.log_when_positive(ax)
    ax.set_xlabel("bits on the wire, all nodes (Mbit)")
    ax.set_ylabel("training loss")
