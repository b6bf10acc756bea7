# SPDX-License-Identifier: BSD-3-Clause
"""Two kinds of time: nodes that stop computing together at a deadline, and nodes that go on at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .. import style
from ..style import styled
from quantimed.traces import Run, Study, phase_order
from . import common
from .overshoot import has_deadline

TITLE = "Timeline"
CAPTION = ("The beginning of two runs, to the same scale. Above, with a deadline: every node computes exactly so "
           "long, on as many samples as it can (the number in the block), then all exchange. Below, asynchronous: "
           "every block has its own length, and a node continues with the newest models it has, waiting for nobody: at once in "
           "real time, after the time of its own exchange in virtual time, as in the paper.")
ROUNDS = 4
MOST_NODES = 10


@dataclass(frozen=True)
class Block:
    node: int
    iteration: int
    phase: str
    start: float  # s, of the run's clock
    length: float
    batch: float


@styled
def draw(study: Study) -> Figure | str:
    chosen = chosen_runs(study)
    if not chosen:
        return "no run that counts has deadlines or is asynchronous"
    figure, axes = plt.subplots(len(chosen), 1, squeeze=False, sharex=True,
                                figsize=(style.width(), sum(_height(run) for run in chosen) + 0.5))
    span = shown_span(chosen)
    factor, unit = common.time_unit(span)
    phases: set[str] = set()
    for ax, run in zip(axes[:, 0], chosen):
        phases |= _panel(ax, run, span, factor)
    axes[-1, 0].set_xlim(0, factor * span)
    axes[-1, 0].set_xlabel(f"{common.rounds_label(chosen)} ({unit})")
    others = [phase for phase in phase_order(chosen[0]) if phase in phases - {"compute"}]
    handles = [Patch(facecolor="white", edgecolor=style.BLACK)]
    handles += [Patch(facecolor=style.PHASE_COLOURS[phase]) for phase in others]
    common.show_legend(figure, handles, ["compute, in the algorithm's colour", *others], columns=3)
    return figure


def chosen_runs(study: Study) -> list[Run]:
    """A run with deadlines and an asynchronous one, of the same setting and seed where there are such."""
    for setting in (groups := common.settings(study)):
        deadline, newest = _deadline_runs(setting.runs), _newest_runs(setting.runs)
        for run in deadline:
            for other in newest:
                if run.seed == other.seed:
                    return [run, other]
    runs = [run for setting in groups for run in setting.runs]
    return _deadline_runs(runs)[:1] or _newest_runs(runs)[:1]


def _deadline_runs(runs: list[Run]) -> list[Run]:
    return [run for run in runs if not run.is_newest and has_deadline(run)]


def _newest_runs(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.is_newest]


def shown_span(chosen: list[Run]) -> float:
    """Long enough for ROUNDS of the slower kind, but blocks of the faster must stay legible."""
    ends = [end_of_round(run, ROUNDS) for run in chosen]
    return max(1e-9, min(max(ends), 2 * min(ends)))


def end_of_round(run: Run, rounds: int) -> float:
    """When half of the nodes have ended so many iterations, or the run has ended."""
    start = run.rounds("start_time")
    if start.shape[0] > rounds and np.any(np.isfinite(start[rounds])):
        return float(np.nanmedian(start[rounds]))
    return float(run.progress["time"][-1])


def blocks(run: Run, until: float, nodes: int) -> list[Block]:
    """Of the first `nodes` nodes, all phases that took time and began before `until`."""
    start, batch = run.rounds("start_time")[:, :nodes], run.rounds("batch")[:, :nodes]
    earliest = np.where(np.isfinite(start), start, np.inf).min(axis=1)
    last = int(np.searchsorted(earliest, until)) + 1
    start, batch = start[:last], batch[:last]
    found, at = [], start.astype(float).copy()
    for phase in phase_order(run):
        length = run.rounds(f"{phase}_time")[:last, :nodes].astype(float)
        for k, i in np.argwhere(np.isfinite(at) & (at < until) & (length > 0)):
            found.append(Block(int(i), int(k), phase, float(at[k, i]), float(length[k, i]), float(batch[k, i])))
        at = at + length
    return found


def _height(run: Run) -> float:
    return 0.45 + 0.17 * min(run.nodes, MOST_NODES)


def _panel(ax: Axes, run: Run, span: float, factor: float) -> set[str]:
    shown = min(run.nodes, MOST_NODES)
    found = blocks(run, span, shown)
    for block in found:
        compute = block.phase == "compute"
        ax.broken_barh([(factor * block.start, factor * block.length)], (block.node - 0.42, 0.84),
                       facecolor=style.colour(run.algorithm) if compute else style.PHASE_COLOURS[block.phase],
                       edgecolor="white", linewidth=0.3)
        visible = min(block.start + block.length, span) - block.start
        if compute and visible > 0.022 * span:
            ax.text(factor * (block.start + visible / 2), block.node, f"{block.batch:.0f}", color="white", fontsize=5.5,
                    rotation=0 if visible > 0.042 * span else 90, ha="center", va="center", clip_on=True)
    few = f", {shown} of {run.nodes} nodes" if shown < run.nodes else ""
    kind = "asynchronous" if run.is_newest else "deadline"
    ax.set_title(f"{kind}: {style.label(run.algorithm)}, seed {run.seed}{few}", loc="left")
    ax.set_ylim(shown - 0.5, -0.5)
    ax.set_yticks(range(shown))
    ax.set_ylabel("node")
    ax.grid(False, axis="y")
    return {block.phase for block in found if block.length > 0.002 * span}
