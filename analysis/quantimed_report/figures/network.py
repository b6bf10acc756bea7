# SPDX-License-Identifier: BSD-3-Clause
"""The network, and the spectrum of its mixing matrix W."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import style, words
from ..style import styled
from quantimed.traces import Run, Study
from . import common

TITLE = "Network and spectrum of W"
CAPTION = ("Left: the nodes and edges of one run; the darker an edge, the larger its weight. Right: the eigenvalues "
           "of the mixing matrix W. The largest is 1; β is the largest size among the others, and the closer it is "
           "to 1, the slower nodes agree.")
MOST_NODES = 2000


@styled
def draw(study: Study) -> Figure | str:
    several = [run for run in study.counted if 1 < run.nodes <= MOST_NODES]
    if not several:
        return f"no run that counts has from 2 to {MOST_NODES} nodes"
    run = _typical(several)
    figure, (graph, spectrum) = plt.subplots(1, 2, figsize=(style.width(), 2.1))
    _graph(graph, run)
    _spectrum(spectrum, run)
    return figure


def _typical(runs: list[Run]) -> Run:
    """The first run of the network kind that most runs have."""
    kinds = [(str(run.config.get("graph")), str(run.config.get("mixing")), run.nodes) for run in runs]
    most = max(kinds, key=kinds.count)
    return min((run for run, kind in zip(runs, kinds) if kind == most), key=lambda run: (run.seed, str(run.path)))


def mixing_matrix(run: Run) -> np.ndarray:
    """W, [n, n]."""
    edges, weights, own = run.edges()
    matrix = np.diag(own.astype(float))
    matrix[edges[:, 0], edges[:, 1]] = weights
    matrix[edges[:, 1], edges[:, 0]] = weights
    return matrix


def _graph(ax: Axes, run: Run) -> None:
    edges, weights, _ = run.edges()
    angle = np.pi / 2 - 2 * np.pi * np.arange(run.nodes) / run.nodes
    places = np.column_stack([np.cos(angle), np.sin(angle)])
    shade = weights / weights.max() if weights.size and weights.max() > 0 else np.ones(weights.size)
    faint = min(1.0, 60 / max(1, len(edges))) ** 0.75  # many edges would make one black disk
    colours = np.column_stack([np.zeros((len(edges), 3)), np.clip(faint * (0.25 + 0.75 * shade), 0.02, 1)])
    ax.add_collection(LineCollection(places[edges], colors=colours, linewidths=0.7 if len(edges) < 200 else 0.4))
    ax.scatter(*places.T, s=max(2, min(40, 600 / run.nodes)), color=style.BLUE, zorder=3, linewidths=0)
    ax.set_xlim(-1.15, 1.15)
    ax.set_ylim(-1.15, 1.15)
    ax.set_aspect("equal")
    ax.set_axis_off()
    mean = ", its mean" if run.network.get("schedule") else ""
    ax.set_title(common.in_lines(f"{words.graph(str(run.config.get('graph')))}{mean}, {words.nodes(run.nodes)}, {len(edges)} edges, seed {run.seed}", 28), loc="left")


def _spectrum(ax: Axes, run: Run) -> None:
    eigenvalues = np.sort(np.linalg.eigvalsh(mixing_matrix(run)))[::-1]
    beta = max(abs(eigenvalues[1]), abs(eigenvalues[-1]))
    ax.axhline(0, color=style.GREY, linewidth=0.6)
    for height in (beta, -beta):
        ax.axhline(height, color=style.VERMILION, linestyle="--", linewidth=0.8)
    size = max(1.0, min(3.5, 120 / run.nodes))
    ax.plot(np.arange(1, run.nodes + 1), eigenvalues, "o", color=style.BLUE, markersize=size)
    ax.set_ylim(-1.1, 1.1)
    ax.set_title(f"{words.weights(str(run.config.get('mixing')))}:\nβ = {beta:.4g}", loc="left")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.set_xlabel("eigenvalue (rank)")
    ax.set_ylabel("eigenvalue of W (1)")
