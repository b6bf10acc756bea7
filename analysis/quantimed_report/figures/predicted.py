# SPDX-License-Identifier: BSD-3-Clause
"""Predicted against measured iterations, phase by phase, from the folders that `quantimed predict` leaves."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import style, words
from ..statistics import median
from ..style import styled
from quantimed.traces import Run, Study
from . import common

TITLE = "Predicted against measured"
CAPTION = ("An iteration of a node by its phases, as virtual time predicts it from this machine's costs (hatched) "
           "and as it was measured (means over the runs that count; the thin bar is their range). The number is how "
           "far the prediction is off.")


@styled
def draw(study: Study) -> Figure | str:
    groups = {folder: pairs for folder in _folders(study) if (pairs := predictions(study, folder))}
    if not groups:
        return "no runs of `quantimed predict` that count, predicted and measured on as many nodes"
    shown = list(groups.items())[:common.MAX_PANELS]
    heights = [0.8 + 0.45 * len(pairs) for _, pairs in shown]
    figure, axes = plt.subplots(len(shown), 1, squeeze=False, figsize=(style.width(), sum(heights) + 0.3),
                                gridspec_kw={"height_ratios": heights})
    seen: list[dict[str, float]] = []
    for ax, (folder, pairs) in zip(axes[:, 0], shown):
        made = {run.algorithm for run in study.runs if run.path.parent == folder and run.kind == "measured"}
        _panel(ax, pairs, seen, common.say_missing(style.in_order(made - pairs.keys())))
    common.phase_legend(axes[0, 0], seen)
    if len(groups) > len(shown):
        common.say_left_out(axes[-1, 0], f"{len(groups) - len(shown)} more folders")
    return figure


def _folders(study: Study) -> list[Path]:
    return sorted({run.path.parent for run in study.counted if run.kind == "predicted"})


def predictions(study: Study, folder: Path) -> dict[str, tuple[Run, list[Run]]]:
    """By algorithm the prediction, and the measured runs with as many nodes; not predictions for other numbers."""
    here = [run for run in study.counted if run.path.parent == folder]
    found = {}
    for algorithm in style.in_order([run.algorithm for run in here]):
        measured = [run for run in here if run.kind == "measured" and run.algorithm == algorithm]
        predicted = [run for run in here if run.kind == "predicted" and run.algorithm == algorithm
                     and any(run.nodes == other.nodes for other in measured)]
        if predicted:
            found[algorithm] = (predicted[0], [run for run in measured if run.nodes == predicted[0].nodes])
    return found


def _panel(ax: Axes, pairs: dict[str, tuple[Run, list[Run]]], seen: list[dict[str, float]], missing: str) -> None:
    bars = [(algorithm, common.mean_phases([predicted]), [common.mean_phases([run]) for run in measured])
            for algorithm, (predicted, measured) in pairs.items()]
    longest = max(sum(phases.values()) for _, predicted, measured in bars for phases in (predicted, *measured))
    factor, unit = common.time_unit(longest)
    for at, (_, predicted, measured) in enumerate(bars):
        mean = {phase: sum(run[phase] for run in measured) / len(measured) for phase in predicted}
        seen += [predicted, mean]
        _two_bars(ax, at, predicted, mean, [factor * sum(run.values()) for run in measured], factor)
    any_run = next(iter(pairs.values()))[0]
    title = f"{words.dataset(any_run.dataset)}, {words.nodes(any_run.nodes)}"
    ax.set_title("\n".join(filter(None, (title, textwrap.fill(missing, 42)))), loc="left")
    ax.set_xlim(0, 1.18 * factor * longest or 1)
    ax.set_yticks(range(len(bars)), [style.label(algorithm) for algorithm, _, _ in bars])
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_xlabel(f"time of an iteration ({unit})")


def _two_bars(ax: Axes, at: int, predicted: dict[str, float], mean: dict[str, float], totals: Sequence[float],
              factor: float) -> None:
    end = common.stacked_bar(ax, at - 0.19, predicted, factor, height=0.36, hatch="////")
    common.stacked_bar(ax, at + 0.19, mean, factor, height=0.36)
    ax.hlines(at + 0.19, min(totals), max(totals), color=style.BLACK, linewidth=1)
    measured = median(totals)
    if measured > 0:
        ax.annotate(f"{100 * (end / measured - 1):+.0f} %", (max(end, *totals), at), (3, 0),
                    textcoords="offset points", va="center", fontsize=6)
