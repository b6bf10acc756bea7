# SPDX-License-Identifier: BSD-3-Clause
"""How far gradients ended from their deadlines."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style
from ..style import styled
from quantimed.traces import Run, Study
from . import common

TITLE = "Overshoot of deadlines"
CAPTION = ("The share of iterations whose last sample ended at most so long after the deadline; left of 0 it ended "
           "before. The axis holds the middle 99 %; how many ended after it and the latest are written beside it.")


@styled
def draw(study: Study) -> Figure | str:
    groups = [common.Setting(setting.name, kept) for setting in common.settings(study)
              if (kept := [run for run in setting.runs if has_deadline(run)])]
    if not groups:
        return "no run that counts has a deadline"
    figure = common.panels(groups, _panel, height=1.9)
    common.legend_above(figure.axes[0])
    return figure


def has_deadline(run: Run) -> bool:
    return bool(np.any(run.rounds("deadline") > 0))


def _panel(ax: Axes, setting: common.Setting) -> None:
    found = {algorithm: common.pooled(setting.of(algorithm), "overshoot") for algorithm in setting.algorithms}
    found = {algorithm: values for algorithm, values in found.items() if values.size}
    edges = np.array([np.quantile(values, (0.005, 0.995)) for values in found.values()])
    low, high = min(0.0, edges.min()), max(0.0, edges.max())
    factor, unit = common.time_unit(max(-low, high))
    for k, (algorithm, values) in enumerate(found.items()):
        common.ecdf(ax, factor * values, algorithm)
        late, latest = np.mean(values > 0), values.max()
        words = f"after it: {100 * late:.3g} %" + (f", latest {factor * latest:.3g} {unit}" if late > 0 else "")
        ax.text(0.03, 0.93 - 0.12 * k, words, transform=ax.transAxes, fontsize=6, va="top",
                color=style.colour(algorithm))
    margin = 0.05 * (high - low) or 1 / factor
    ax.set_xlim(factor * (low - margin), factor * (high + margin))
    ax.axvline(0, color=style.BLACK, linewidth=0.8)
    ax.set_xlabel(f"end of the last sample, after the deadline ({unit})")
    ax.set_ylabel("iterations (%)")
