# SPDX-License-Identifier: BSD-3-Clause
"""Where the time went, node by node."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..style import styled
from quantimed.traces import Run, Study, phase_order
from . import common

TITLE = "Where the time went, by node"
CAPTION = ("The same for each node of one run of each algorithm (the largest setting's first seed): who computes "
           "and who waits. Means over the node's iterations.")

MOST_NODES = 100


@styled
def draw(study: Study) -> Figure | str:
    groups = common.settings(study)
    if not groups:
        return common.NO_RUNS
    setting = groups[0]
    runs = [min(setting.of(algorithm), key=lambda run: (run.seed, run.repeat)) for algorithm in setting.algorithms]
    figure, axes = plt.subplots(len(runs), 1, squeeze=False, sharex=True,
                                figsize=(style.width(), 1.15 * len(runs) + 0.5))
    for ax, run in zip(axes[:, 0], runs):
        _panel(ax, run)
    axes[-1, 0].set_xlabel(f"node (durations: {setting.rounds_label})")
    seen = [common.mean_phases([run]) for run in runs]
    first = f"{setting.name}, seed {runs[0].seed}: {style.label(runs[0].algorithm)}"
    first = textwrap.fill(first, 48, max_lines=3, placeholder=" …", break_on_hyphens=False)
    axes[0, 0].set_title(first, loc="left")
    common.phase_legend(axes[0, 0], seen)
    return figure


def shown_nodes(nodes: int) -> np.ndarray:
    """All, or evenly spaced ones."""
    return np.unique(np.linspace(0, nodes - 1, min(nodes, MOST_NODES)).round().astype(int))


def _panel(ax: Axes, run: Run) -> None:
    shown = shown_nodes(run.nodes)
    times = {phase: np.nanmean(run.rounds(f"{phase}_time")[:, shown], axis=0) for phase in phase_order(run)}
    factor, unit = common.time_unit(float(sum(times.values()).max()))
    bottom, places = np.zeros(len(shown)), np.arange(len(shown))
    for phase, seconds in times.items():
        ax.bar(places, factor * seconds, bottom=bottom, width=0.85, color=style.PHASE_COLOURS[phase])
        bottom = bottom + factor * seconds
    ticks = places[::max(1, len(places) // 10)]
    ax.set_xticks(ticks, [str(shown[k]) for k in ticks])
    ax.grid(False, axis="x")
    ax.set_title(style.label(run.algorithm), loc="left")
    ax.set_ylabel(f"iteration ({unit})")
    if len(shown) < run.nodes:
        common.say_left_out(ax, f"{len(shown)} of {run.nodes} nodes")
