# SPDX-License-Identifier: BSD-3-Clause
"""Accuracy of the mean model against time and against iterations."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ..statistics import BAND
from ..style import styled
from quantimed.traces import Study
from . import common

TITLE = "Accuracy"
CAPTION = "Share of samples that the mean model classifies right, against time and against iterations. " + BAND


@styled
def draw(study: Study) -> Figure | str:
    groups = [setting for setting in common.settings(study) if _column(setting)]
    if not groups:
        return "no run that counts has an accuracy (regression, or no comparison)"
    figure = common.panels(groups, _over_time, _over_iterations, height=1.8)
    common.legend_above(figure.axes[0])
    return figure


def _column(setting: common.Setting) -> str:
    """Of test samples where there are any, else of training samples."""
    for column in ("test_accuracy", "accuracy"):
        if any(np.all(np.isfinite(run.progress[column])) for run in setting.runs):
            return column
    return ""


def _panel(ax: Axes, setting: common.Setting, x: str, log: bool) -> None:
    column = _column(setting)
    for algorithm in setting.algorithms:
        common.band(ax, setting.of(algorithm), x, column, log)
    ax.set_ylabel(column.replace("_", " ") + " (%)")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))


def _over_time(ax: Axes, setting: common.Setting) -> None:
    ax.set_xscale("log")
    _panel(ax, setting, "time", log=True)
    common.plain_log_ticks(ax.xaxis)
    ax.set_xlabel(f"{setting.clock_label} (s)")


def _over_iterations(ax: Axes, setting: common.Setting) -> None:
    _panel(ax, setting, "iteration", log=False)
    ax.set_xlabel("iterations of a node")
