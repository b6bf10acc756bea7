# SPDX-License-Identifier: BSD-3-Clause
"""What each method minimises: bench/field/minimises.ini, run twice, and the page on it.

Where slow nodes hold data of their own, a method that counts a node by how much it has done ends at another point than the
optimum. A step leaves an error, too, and so does a run that ends too early: with half the step and twice the time both
become smaller, and what a method counts its nodes by does not.
"""
from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from . import field_settings as settings
from .field_beside import counts, head, runs_of, write
from .field_settings import options_of
from .processes import Processes
from .statistics import compare, estimate, know, ratios, spread_text
from .study_file import StudyError, split_list

TITLE = "# What each method minimises"  # the first line of what is written
FALLS, STAYS = 1.5, 0.8  # with half the step: the gap before over the gap after is above it; the gap after over that before


def files(quick: bool) -> tuple[Path, ...]:
    return (settings.FOLDER / "minimises.ini", *((settings.FOLDER / "quick-minimises.ini",) if quick else ()))


def steps_of(options: dict[str, str]) -> dict[str, tuple[float, float]]:
    """By pass: step and time."""
    alpha, time = float(options["alpha"]), float(options["max-time"])
    return {"whole": (alpha, time), "half": (alpha / 2, 2 * time)}


# ---- runs ------------------------------------------------------------------------------------------------------------
def classes_apart(options: dict[str, str], folder: Path, processes: Processes) -> None:
    """That the slow nodes, which are the first, hold classes that no other node has: of data from files, with every seed."""
    path = folder / "data.h5"
    given = [f"--{name}={options[name]}" for name in ("dataset", "classes") if name in options]
    processes.call("minimises: export", ["export", *given, "--output", path, "--overwrite", "--quiet"])
    each, nodes = int(options["samples-per-node"]), int(options["nodes"])
    slow = int(options["speed"].partition(":")[2].partition(",")[0]) * each
    with h5py.File(path, "r") as file:
        labels = np.sort(file["train/targets"][: nodes * each])  # by-label: the first rows, sorted
    path.unlink()
    if len(labels) < nodes * each or set(labels[:slow]) & set(labels[slow:]):
        raise StudyError(f"{settings.FOLDER}/minimises.ini: a class is with slow nodes and with others; give other samples-per-node or classes")


def run(folder: Path, quick: bool, jobs: int, processes: Processes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = options_of(files(quick))
    classes_apart(options, folder, processes)
    config = [word for path in files(quick) for word in ("--config", path)]

    def once(name: str) -> None:
        alpha, time = steps_of(options)[name]
        processes.call(f"minimises: {name} step", [
            "compare", *config, "--alpha", alpha, "--max-time", time, "--seeds", settings.seeds(quick),
            "--threads", 1, "--output", folder / name, "--quiet"])

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(once, ("half", "whole")))  # the longer one first


# ---- what they show --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Ends:
    """Of one algorithm with one step, by seed: how far the end is above either least value."""
    folder: Path
    algorithm: str

    @cached_property
    def paths(self) -> dict[int, Path]:
        return runs_of(self.folder, self.algorithm)

    def figures(self, name: str) -> dict[int, float]:
        """Of the runs that count."""
        result = {}
        for seed, path in self.paths.items():
            with h5py.File(path, "r") as file:
                if counts(file):
                    result[seed] = float(file["summary"].attrs[name])
        return result

    @cached_property
    def plain(self) -> dict[int, float]:
        return self.figures("final_gap")

    @cached_property
    def weighted(self) -> dict[int, float]:
        return self.figures("final_gap_by_samples")

    @cached_property
    def samples(self) -> list[tuple[float, float]]:
        """Of each run: of the node that did least, and of that which did most."""
        return list(zip(self.figures("least_samples_of_a_node").values(), self.figures("most_samples_of_a_node").values()))

    @property
    def do_alike(self) -> bool:
        return all(least == most for least, most in self.samples)

    @property
    def faults(self) -> int:
        return len(self.paths) - len(self.plain)

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Time and the median gap to f* over the seeds."""
        times, gaps = [], []
        for path in self.paths.values():
            with h5py.File(path, "r") as file:
                if file["progress/loss"].shape[0] < 2 or not np.isfinite(file["progress/loss"][:]).all():
                    continue  # it diverged: the table says so
                times.append(file["progress/time"][:])
                gaps.append(file["progress/loss"][:] - float(file["summary"].attrs["optimal_loss"]))
        points = min(map(len, times))
        return np.median([t[:points] for t in times], axis=0), np.median([g[:points] for g in gaps], axis=0)

    @property
    def optimal_loss(self) -> float:
        with h5py.File(next(iter(self.paths.values())), "r") as file:
            return float(file["summary"].attrs["optimal_loss"])


def findings(whole: dict[str, Ends], half: dict[str, Ends]) -> dict[str, str]:
    """What the tests carry, all of them corrected together."""
    family: dict[str, list[float]] = {}
    for name in half:
        family[f"{name} falls"] = [r / FALLS for r in ratios(whole[name].plain, half[name].plain).values()]
        family[f"{name} stays"] = [r / STAYS for r in ratios(half[name].plain, whole[name].plain).values()]
        if not half[name].do_alike:
            family[f"{name} to weighted"] = list(ratios(half[name].plain, half[name].weighted).values())
            family[f"{name} to plain"] = list(ratios(half[name].weighted, half[name].plain).values())
    clear = {key for key, one in compare({k: v for k, v in family.items() if v}).items() if one.is_clear}
    result = {}
    for name in half:
        is_weighted, is_plain = f"{name} to weighted" in clear, f"{name} to plain" in clear or half[name].do_alike
        if half[name].faults or whole[name].faults:
            result[name] = "not decided: runs do not count"
        elif is_weighted and f"{name} stays" in clear:
            result[name] = "the weighted loss: the gap to f* stays"
        elif is_plain and f"{name} falls" in clear:
            result[name] = "the plain loss: what is left falls with the step"
        else:
            result[name] = "not decided"
    return result


# ---- the page --------------------------------------------------------------------------------------------------------
TEXT = ("Slow nodes hold one class, the others the other, so that it shows by what a method weighs its nodes. Two objectives are "
        "looked at: the **plain** one, f, the mean loss of all nodes' samples, whose least value is f*; and the **weighted** one, in "
        "which a node counts by the samples that it has computed in the run. Both least values are computed by Newton's method in "
        "float64 (`--optimum`). A run ends above f* for three reasons: it ended too early, its step leaves an error, or it goes "
        "elsewhere. With half the step and twice the time the first two become smaller, and the third does not.")


def figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.0f}"


def row(name: str, whole: Ends, half: Ends, finding: str) -> list[str]:
    def text(values: dict[int, float]) -> str:
        return estimate(values.values()).text(digits=2) if values else "–"

    shrunk = ratios(half.plain, whole.plain)
    least, most = (estimate(values).median if values else math.nan for values in ([pair[k] for pair in half.samples] for k in (0, 1)))
    return [name, figure(least) if half.do_alike else f"{figure(least)} to {figure(most)}", text(whole.plain), text(half.plain),
            text(shrunk) + "×" if shrunk else "–", "the same" if half.do_alike else text(half.weighted), finding,
            f"{whole.faults + half.faults} of {len(whole.paths) + len(half.paths)}" if whole.faults + half.faults else "none"]


def draw(half: dict[str, Ends], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(figsize=(6, 3.6), constrained_layout=True)
    for (name, ends), style in zip(half.items(), ("-", "--", "-.", ":", (0, (5, 1, 1, 1)))):
        time, gap = ends.curve()
        axes.plot(time[1:], gap[1:], label=name, linestyle=style, linewidth=1.6)
    axes.set(yscale="log", xlabel="virtual time, s", ylabel="f(mean model) − f*, median over seeds")
    axes.legend(fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=120)
    plt.close(picture)


def sentences(found: dict[str, str], half: dict[str, Ends]) -> list[str]:
    lines = []
    for start, text in (("the weighted", "end at the optimum of the objective that counts a node by what it has computed, and not at that of all samples"),
                        ("the plain", "go to the optimum of all samples, however unequal the nodes' speeds")):
        names = [name for name, finding in found.items() if finding.startswith(start)]
        if names:
            medians = [estimate(half[name].plain.values()).median for name in names]
            lines.append(f"**{', '.join(names)}** {text}: they end {min(medians):.2g} to {max(medians):.2g} above f* (medians).")
    if names := [name for name, finding in found.items() if finding.startswith("not")]:
        lines.append(f"Not decided: {', '.join(names)}.")
    return lines


def write_page(folder: Path, quick: bool, output: Path) -> None:
    from .field_page import SHOWN, table

    options = options_of(files(quick))
    names = split_list(options["algorithms"])
    whole, half = ({name: Ends(folder / part, name) for name in names} for part in ("whole", "half"))
    know(list(ends.values()) for by_name in (whole, half) for one in by_name.values() for ends in (one.plain, one.weighted))
    (alpha, time), (less, longer) = steps_of(options).values()
    found = findings(whole, half)
    first = half[names[0]]
    picture = output.with_suffix("") / "gap.png"
    draw(half, picture)
    paths = [path for by_name in (whole, half) for one in by_name.values() for path in one.paths.values()]
    lines = head(TITLE, "minimises", quick, paths, "runs in virtual time", ". The same bits on every machine with the same build",
                 "generated digits, short runs, few seeds")
    lines += [TEXT, "", *(f"{k}. {line}" for k, line in enumerate(sentences(found, half), 1)), "",
              f"{', '.join(f'{name} {options[name]}' for name in SHOWN if name in options)}; l2 {options['l2']}; f* = "
              f"{first.optimal_loss:.6g}." + ("" if quick else " The slow nodes hold one class, no other node has it."),
              *table(["algorithm", f"samples of a node, α = {less:g}", f"gap to f*, α = {alpha:g}, {time:g} s", f"gap to f*, α = {less:g}, {longer:g} s",
                      "the second over the first", f"gap to the weighted optimum, α = {less:g}", "it minimises", "runs that do not count"],
                     [row(name, whole[name], half[name], found[name]) for name in names]),
              f"{spread_text(len(first.paths))}; ratios are paired by seed. *The weighted loss* is said where a run ends clearly nearer to that "
              f"optimum and the gap to f* keeps clearly more than {STAYS:g} of itself; *the plain loss* where it ends clearly nearer to "
              f"that one, or all nodes do as much so that both are one, and the gap falls clearly by more than {FALLS:g}× (tests as everywhere, "
              "corrected for all of them together).", "",
              f"![gap to f* against time]({picture.relative_to(output.parent)})", "", f"With α = {less:g}: a curve that has become level above the others is not unfinished. The slow nodes take "
              "their steps at the same moments, and the last point is just after one of them: where nobody waits it lies nearer to their optimum "
              "than those before.", ""]
    write(output, lines, files(quick))
