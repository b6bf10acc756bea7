# SPDX-License-Identifier: BSD-3-Clause
"""Small pictures for the claims. Colours by Okabe and Ito: told apart by the colour-blind too."""
from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .claims import DATA_SETS, OURS, TABLE_OF_STEPS, Claim, at_batch_50, race, worst_slowdowns
from .statistics import estimate
from .traces import Results, read_trace

COLOURS = {OURS: "#0072B2", "dsgd": "#D55E00", "async-dsgd": "#009E73", "q-dsgd": "#CC79A7"}
SMALL = {"font.size": 8, "legend.fontsize": 6, "xtick.labelsize": 7, "ytick.labelsize": 7, "axes.titlesize": 8}
PHASES = {"compute": "#0072B2", "mix": "#D55E00", "encode": "#E69F00", "exchange": "#56B4E9", "wait": "#999999"}


def save(figure: plt.Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
    return path


def loss_against_time(results: Results, study: str, axes: Axes, bits: str, batch: str) -> bool:
    wanted = {"batch": batch} if batch in results.values(study, "batch") else {}
    end = 0.0
    for algorithm in results.algorithms(study):
        curves = results.curves(study, algorithm, bits, **({} if algorithm == "async-dsgd" else wanted))
        for number, curve in enumerate(curves.values()):
            several = len(curve.files) > 1  # a point for each horizon
            axes.plot(curve.time_s, curve.loss, color=COLOURS[algorithm], marker="o" if several else "", markersize=2.5,
                      linewidth=0.9, label="" if number else algorithm)
            end = max(end, curve.time_s[-1]) if algorithm == OURS else end
    axes.set_xlim(0, 1.6 * end or 1)
    axes.set_xlabel("virtual time (s)")
    return end > 0


def data_set(results: Results, row: tuple[str, str, str], folder: Path) -> list[Path]:
    name, published, tuned = row
    panels = [(s, b) for s in (published, tuned) if results.has(s) for b in ("paper", "wire")]
    if not panels:
        return []
    figure, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels), 2.6), sharey=True, squeeze=False)
    for place, (study, bits) in zip(axes[0], panels):
        loss_against_time(results, study, place, bits, "50")
        place.set_title(f"steps {TABLE_OF_STEPS.get(study, 'published')}, {bits} bits")
    lows = [c.loss.min() for s, b in panels for a in results.algorithms(s) for c in results.curves(s, a, b).values()]
    axes[0][0].set_ylim(min(lows) * 0.98, min(lows) + (axes[0][0].get_ylim()[1] - min(lows)) * (0.25 if name == "MNIST" else 0.7))
    axes[0][0].set_ylabel(f"training loss\n{name}")
    axes[0][-1].legend()
    return [save(figure, folder / f"{published}.png")]


def phases(results: Results, folder: Path) -> list[Path]:
    bars: list[tuple[str, dict[str, float]]] = []
    for clock, study in (("paper's clock", "mnist"), ("50 nodes, measured costs", "averaging-machine"),
                         ("2 nodes, real time", "averaging-real")):
        for algorithm in results.algorithms(study):
            traces = [read_trace(j.path) for j in results.select(study, algorithm=algorithm)]
            traces = [t for t in traces if t.option("bits") == "paper"]
            bars.append((f"{clock}: {algorithm}",
                         {p: float(np.median([t.summary[f"{p}_share"] for t in traces])) for p in PHASES}))
    if not bars:
        return []
    figure, axes = plt.subplots(figsize=(6.5, 0.24 * len(bars) + 1))
    left = np.zeros(len(bars))
    for phase, colour in PHASES.items():
        widths = np.array([100 * shares[phase] for _, shares in bars])
        axes.barh([label for label, _ in bars], widths, left=left, color=colour, label=phase)
        left += widths
    axes.invert_yaxis()
    axes.set_xlabel("share of all nodes' time (%)")
    axes.legend(ncol=5, loc="lower center", bbox_to_anchor=(0.3, 1.0))
    return [save(figure, folder / "averaging.png")]


def batches(results: Results, folder: Path) -> list[Path]:
    if not results.has("batch"):
        return []
    figure, axes = plt.subplots(figsize=(4, 2.8))
    for l2, style in (("batch", "-"), ("dataset", "--")):
        for batch, colour in (("20", "#E69F00"), ("50", "#0072B2")):
            for number, curve in enumerate(results.curves("batch", OURS, "paper", batch=batch, l2_per=l2).values()):
                axes.plot(curve.time_s, curve.loss, style, color=colour, marker="o", markersize=2.5, linewidth=0.9,
                          label="" if number else f"b = {batch}, ℓ2 per {l2}")
    axes.set_ylim(top=4)
    axes.set_xlabel("virtual time (s)")
    axes.set_ylabel("training loss, MNIST")
    axes.legend()
    return [save(figure, folder / "batch.png")]


def slowdowns(results: Results, folder: Path) -> list[Path]:
    figure, axes = plt.subplots(1, 2, figsize=(6.5, 2.4), sharey=True)
    for place, (column, steps) in zip(axes, ((1, "published"), (2, "tuned"))):
        names = []
        for at, row in enumerate(DATA_SETS):
            found = race(results, row[column], **at_batch_50(results, row[column]))
            names.append(row[0].split(",")[0])
            for shift, algorithm in enumerate(COLOURS):
                if found and algorithm in found.files:
                    worst = worst_slowdowns({row[0]: found}, algorithm, "paper")
                    if not worst or not np.isfinite(height := estimate(worst.values()).median):
                        continue
                    place.bar(at + 0.2 * (shift - 1.5), height, 0.18, color=COLOURS[algorithm],
                              label="" if at else algorithm)
        place.set_xticks(range(len(names)), names, fontsize=6)
        place.set_title(f"{steps} steps")
    axes[0].set_yscale("log")
    axes[0].set_ylabel("time over the fastest's")
    axes[0].legend()
    return [save(figure, folder / "sensitivity.png")]


def draw(claims: list[Claim], results: Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(SMALL)
    for claim, row in ((claims[1], DATA_SETS[2]), (claims[2], DATA_SETS[3])):
        claim.figures = data_set(results, row, folder)
    claims[0].figures = data_set(results, DATA_SETS[0], folder) + data_set(results, DATA_SETS[1], folder)
    claims[3].figures = slowdowns(results, folder)
    claims[4].figures = phases(results, folder)
    claims[5].figures = batches(results, folder)
