# SPDX-License-Identifier: BSD-3-Clause
"""results/lenet.md and its figure: what GN-LeNet on CIFAR-10 came to. Sentences are said only where the figures carry them."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from quantimed_report import style

from .field_page import brief, table
from .field_findings import listed
from .lenet_runs import TUNING_SEED, TUNING_SHARE, Entrant, Spent, jobs_of, loss_of
from .processes import minutes
from .statistics import FEWEST_SEEDS, compare, estimate, know, ratios, spread_text
from .study_file import StudyError, as_blocks
from .traces import read_trace

TITLE = "# GN-LeNet on CIFAR-10"  # the first line of what is written
MEGA = 1e6


@dataclass(frozen=True)
class Curve:
    time: np.ndarray
    megabytes: np.ndarray  # sent by a node so far, to both of its neighbours
    accuracy: np.ndarray  # of the mean model on the test set, %


@dataclass(frozen=True)
class Entry:
    """An algorithm and its judged runs."""
    entrant: Entrant
    spent: Spent

    @property
    def name(self) -> str:
        return self.entrant.name

    @cached_property
    def files(self) -> dict[int, Path]:
        """Those that have ended, also where they diverged."""
        return {seed: path for seed in self.entrant.seeds if not math.isnan(loss_of(path := self.entrant.path_of(seed)))}

    @property
    def label(self) -> str:
        code = self.entrant.options.get("codec", "")
        return f"{self.name}, {code}" if code else self.name

    def faults(self) -> list[int]:
        return [seed for seed, path in self.files.items() if math.isinf(loss_of(path))]

    def summary(self, name: str) -> dict[int, float]:
        return {seed: read_trace(path).summary[name] for seed, path in self.files.items()}

    @cached_property
    def accuracy(self) -> dict[int, float]:
        """Percent, by seed; 0 where a run does not count."""
        return {seed: 0.0 if seed in self.faults() else 100 * found for seed, found in self.summary("final_test_accuracy").items()}

    @cached_property
    def errors(self) -> dict[int, float]:
        return {seed: 100 - found for seed, found in self.accuracy.items()}

    def of_a_node(self, name: str, unit: float = 1) -> dict[int, float]:
        return {seed: found / unit / int(self.entrant.options["nodes"]) for seed, found in self.summary(name).items()}

    @cached_property
    def epochs(self) -> dict[int, float]:
        found = {}
        for seed, path in self.files.items():
            with h5py.File(path, "r") as file:
                samples = int(file["data"].attrs["training_samples"])
                nodes = int(file["config"].attrs["nodes"])
                own = str(self.entrant.options["samples-per-node"])
                found[seed] = float(file["summary"].attrs["total_samples"]) / (samples if own == "all" else nodes * int(own))
        return found

    @cached_property
    def consensus(self) -> dict[int, float]:
        found = {}
        for seed, path in self.files.items():
            with h5py.File(path, "r") as file:
                found[seed] = math.sqrt(float(file["progress/consensus_error"][-1])) / float(np.linalg.norm(file["model/mean"][:]))
        return found

    @cached_property
    def processor(self) -> dict[int, float]:
        return {seed: self.spent.of(path) for seed, path in self.files.items()}

    def curve(self, seed: int) -> Curve:
        """Bytes in proportion to iterations, which is exact for rounds and the mean for what is asynchronous."""
        with h5py.File(self.files[seed], "r") as file:
            progress, summary = file["progress"], file["summary"].attrs
            share = progress["iteration"][:] / float(summary["iterations"])
            sent = share * float(summary["total_bytes"]) / int(file["config"].attrs["nodes"]) / MEGA
            return Curve(progress["time"][:], sent, 100 * progress["test_accuracy"][:])


# ---- the table -----------------------------------------------------------------------------------------------------
def cell(values: dict[int, float], unit: str = "") -> str:
    found = estimate(values.values())
    if found.count < 2 or math.isnan(found.median) or found.low == found.high:
        return brief(found.median) + unit
    return f"{brief(found.median)}{unit} [{brief(found.low)}–{brief(found.high)}]"


def steps_of(one: Entry) -> str:
    chosen = one.entrant.chosen()
    assert chosen
    second = {"": "", "epsilon": f", ε {chosen.mixing}", "gamma": f", γ {chosen.mixing}"}[one.entrant.mixing]
    return f"α {chosen.alpha}{' (edge)' if one.entrant.edges() else ''}{second}"


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    first = entries[0]
    return [[one.label, cell(one.accuracy), "–" if one is first else estimate(ratios(one.errors, first.errors).values()).text("×"),
             cell(one.summary("final_loss")), cell(one.summary("iterations")), cell(one.epochs), cell(one.of_a_node("total_bytes", MEGA)),
             cell(one.consensus), steps_of(one), cell(one.processor), ", ".join(f"seed {seed}" for seed in one.faults()) or "none"]
            for one in entries]


def ranking(entries: Sequence[Entry]) -> str:
    """A winner only where every interval clears, as `compare` has it; its rule takes six seeds or more."""
    first, others = entries[0], entries[1:]
    if not others:
        return f"{first.name} alone has judged runs."
    seeds = min(len(one.files) for one in entries)
    place = f"**{first.name}** has the highest median accuracy, {brief(estimate(first.accuracy.values()).median)} %"
    if seeds < FEWEST_SEEDS:
        apart = [one.name for one in others if max(one.accuracy.values()) < min(first.accuracy.values())]
        close = [one.name for one in others if one.name not in apart]
        return (f"{place}, and no winner is named: the program's rule takes an interval, and so {FEWEST_SEEDS} seeds or more, and here are {seeds}. "
                f"Ranges that lie wholly below that of {first.name}: {listed(apart) if apart else 'none'}; that overlap with it: {listed(close) if close else 'none'}.")
    judged = compare({one.name: list(ratios(one.errors, first.errors).values()) for one in others})
    close = [name for name, found in judged.items() if not found.is_clear]
    return f"{place}; " + ("clearly less wrong than each of the others." if not close else f"not told apart from {listed(close)}.")


HEAD = ("algorithm, code", "test accuracy, %", "errors over those of the first, by seed", "training loss", "iterations", "epochs",
        "MB sent by a node", "distance of the nodes from their mean, over its length", "steps that were judged", "processor time of a run, s",
        "runs that do not count")


def of_search(entries: Sequence[Entry]) -> list[str]:
    result = []
    for one in entries:
        texts = []
        for trial, loss in zip(one.entrant.trials, one.entrant.losses()):
            texts.append(f"{trial.alpha}{f' & {trial.mixing}' if trial.mixing else ''}: {'no loss' if math.isinf(loss) else f'{loss:.3f}'}")
        result.append([one.name, one.entrant.mixing or "–", "; ".join(texts)])
    return result


# ---- the figure ----------------------------------------------------------------------------------------------------
def draw_panel(axes: Axes, entries: Sequence[Entry], against_bytes: bool) -> None:
    for one in entries:
        curves = [one.curve(seed) for seed in one.files if seed not in one.faults()]
        if not curves:
            continue
        points = min(len(curve.time) for curve in curves)
        accuracies = np.array([curve.accuracy[:points] for curve in curves])
        at = np.median([(curve.megabytes if against_bytes else curve.time)[:points] for curve in curves], axis=0)
        shown = slice(1 if against_bytes else 0, None)  # nothing is sent at the start, and the axis is logarithmic
        axes.plot(at[shown], np.median(accuracies, axis=0)[shown], color=style.colour(one.name), linestyle=style.line_style(one.name), label=one.label)
        axes.fill_between(at[shown], accuracies.min(axis=0)[shown], accuracies.max(axis=0)[shown], color=style.colour(one.name), alpha=0.15, linewidth=0)
    axes.set(xlabel="MB sent by a node" if against_bytes else "virtual time, s")
    if against_bytes:
        axes.set_xscale("log")


@style.styled
def draw(entries: Sequence[Entry]) -> plt.Figure:
    figure = plt.figure(figsize=(2 * style.width(), 3.2))
    cells = figure.add_gridspec(2, 2, height_ratios=[1.0, 0.3])
    left = figure.add_subplot(cells[0, 0])
    right = figure.add_subplot(cells[0, 1], sharey=left)
    draw_panel(left, entries, False)
    draw_panel(right, entries, True)
    left.set_ylabel("test accuracy, %")
    below = figure.add_subplot(cells[1, :])
    below.axis("off")
    below.legend(*left.get_legend_handles_labels(), loc="center", ncol=3)
    return figure


# ---- the page ------------------------------------------------------------------------------------------------------
def reservations(entries: Sequence[Entry], test: int) -> list[str]:
    options, edges = entries[0].entrant.options, [one.name for one in entries if one.entrant.edges()]
    highest = estimate(entries[0].accuracy.values()).median / 100
    epochs = [estimate(one.epochs.values()).median for one in entries]
    texts = [
        f"A short horizon: {brief(min(epochs))} to {brief(max(epochs))} passes over the images, where published networks take hundreds, and their steps fall at the end. "
        "These accuracies say who is ahead early, and nothing of where anybody ends.",
        f"Trials had 1/{TUNING_SHARE} of the judged time, one seed and {options['trials']} points, so steps are coarse, and those that are best early need not be "
        "so at the end. Steps are constant.",
        "The last training loss chose the steps, and never the test set.",
        f"Accuracy is of the mean model, which no node has; how far nodes are from it is in the table. Of {test:,} images a share of {100 * highest:.0f} % "
        f"has a standard error of {100 * math.sqrt(max(highest * (1 - highest), 1e-9) / test):.1f} points, which all seeds share, and the range over seeds does not show.",
        f"{len(entries[0].entrant.seeds)} seeds, which draw the start, the batches, the moves of images and the speeds; who holds which class is the same but for the order of images within a class.",
        "One link and one kind of stragglers. Who waits for the slowest of 16 at every iteration loses by this wide range of speeds, and would not where all nodes are alike.",
        "The messages of dsgd, async-dsgd and the two quantized algorithms are known before the gradient is, and travel while it is computed; those of d2, qg-dsgdm and "
        "choco-sgd wait for it. That is what the algorithms are, and costs the latter about an exact message's time an iteration (choco-sgd, whose signs are short, little).",
        "quantimed-dsgd computes until a deadline that gives the batch of the others in the mean; the batches of fast nodes are larger, and all nodes weigh the same.",
        "A run ends with the iteration that is under way when its time is over, so up to one iteration later.",
        "Second steps: of γ and ε two values were tried each, at every other trial, so with equal trials these algorithms have half as many α.",
    ]
    if edges:
        texts.append(f"α at the edge of what was tried, so that a better one may lie beyond: {listed(edges)}.")
    return [f"- {text}" for text in texts]


def facts(found: Sequence[Entrant], entries: Sequence[Entry], source: str, command: str, quick: bool) -> list[str]:
    first, options = entries[0], entries[0].entrant.options
    every = [path for one in entries for path in one.files.values()]
    commits, machines = sorted({read_trace(path).commit for path in every}), sorted({read_trace(path).machine for path in every})
    jobs = jobs_of(found)
    there = [job for job in jobs if not math.isnan(loss_of(job.path))]
    seconds = sum(value for job in there if not math.isnan(value := first.spent.of(job.path)))
    missing = len(jobs) - len(there)
    return [f"Made by `{command}`: {len(there)} runs in virtual time, program at commit {', '.join(commits)}, on {'; '.join(machines)}; "
            f"{minutes(seconds)} of processor time."
            + (f" **{missing} of its {len(jobs)} runs are missing: this page is of those that had ended.**" if missing else "")
            + (" **Quick: few images, nodes, trials and iterations: this shows that all of it works, and is no finding.**" if quick else ""), "",
            f"Data: {source}.", "",
            f"{options['nodes']} nodes on a ring, shards by label, batch {options['batch']}, speed `{options['speed']}` samples a second, link "
            f"`{options['link']}`, bits on the wire. *Equal is the virtual time*: {brief(first.entrant.horizon)} s for each, so that faster algorithms do more iterations. "
            f"Each got {options['trials']} trials of {brief(first.entrant.horizon / TUNING_SHARE)} s on seed {TUNING_SEED}; the least training loss over {jobs[0].evaluated:,} images chose. Judged are seeds "
            f"{', '.join(map(str, first.entrant.seeds))}. Medians; {spread_text(max(len(one.files) for one in entries))}."]


def write_page(found: Sequence[Entrant], spent: Spent, output: Path, source: str, command: str, quick: bool) -> None:
    entries = [one for one in (Entry(entrant, spent) for entrant in found) if one.files and one.entrant.chosen()]
    if not entries:
        raise StudyError(f"{found[0].folder}: no judged run has ended; run without --report-only")
    know(values for one in entries for values in (one.accuracy.values(), one.errors.values()))
    entries.sort(key=lambda one: -estimate(one.accuracy.values()).median)
    with h5py.File(next(iter(entries[0].files.values())), "r") as file:
        test = min(int(file["data"].attrs["test_samples"]), int(entries[0].entrant.options["evaluate-samples"]))
    output.parent.mkdir(parents=True, exist_ok=True)
    picture = output.with_suffix(".png")
    figure = draw(entries)
    style.save_png(figure, picture)
    style.close(figure)
    absent = [entrant.name for entrant in found if entrant.name not in {one.name for one in entries}]
    lines = [TITLE, "", *facts(found, entries, source, command, quick), "", "# What was found", "", ranking(entries)
             + (f" Without a judged run, and not in the table: {listed(absent)}." if absent else ""),
             *table(HEAD, rows(entries)), f"![Test accuracy against virtual time and against bytes]({picture.name})", "",
             f"An epoch is as many gradients as there are training images. Test accuracy is over {test:,} images; training loss over as many of those trained on. "
             "Processor time is with the curve's, and of the last command where a run was stopped and continued.", "",
             "# The search", "", "Training loss after a trial's time, by α, and by ε or γ where there is one.", *table(("algorithm", "second step", "trials"), of_search(entries)),
             "# Reservations", "", *reservations(entries, test), "", "# The files", "",
             "Read one after the other, later lines win; `bench/lenet/run` adds the data, steps, seeds and a trial's time.", ""]
    lines += as_blocks((path for one in found for path in one.files), "bench/lenet")
    output.write_text("\n".join(lines), encoding="utf-8")
