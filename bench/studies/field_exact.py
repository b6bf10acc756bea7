# SPDX-License-Identifier: BSD-3-Clause
"""Exact methods on heterogeneous quadratics: bench/field/exact.ini, the distance to x* against iterations, and DSGD's known bias."""
from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from . import field_settings as settings
from .field_beside import counts, head, runs_of, seeds_of, write
from .field_settings import options_of
from .processes import Processes
from .statistics import estimate, know, spread_text
from .study_file import StudyError, split_list

TITLE = "# Exact methods reach the optimum"  # the first line of what is written
BIASED = "dsgd"
ROUNDING = 2.0**-24  # of float32: the most that rounding a number once changes it by, of itself


def files(quick: bool) -> tuple[Path, ...]:
    return (settings.FOLDER / "exact.ini", *((settings.FOLDER / "quick-exact.ini",) if quick else ()))


def run(folder: Path, quick: bool, _jobs: int, processes: Processes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = options_of(files(quick))
    config = [word for path in files(quick) for word in ("--config", path)]
    for seed in seeds_of(quick):  # which the data are generated from
        processes.call("exact: export", ["export", "--dataset", options["dataset"], "--seed", seed, "--output", folder / f"data-seed{seed}.h5",
                                         "--overwrite", "--quiet"])
    processes.call("exact: compare", ["compare", *config, "--seeds", settings.seeds(quick), "--threads", 1,
                                      "--output", folder / "compare", "--quiet"])


def limit_of(rows: np.ndarray, alpha: float) -> float:
    return ROUNDING / (alpha * float(np.linalg.eigvalsh(rows.T @ rows / len(rows))[0]))


def fixed_point(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """x* of the mean of the nodes' ½ (aᵀx − y)², and where x_i = Σ_j w_ij x_j − α ∇f_i(x_i) rests, [n, p]: by a linear system in
    float64, and by no method that is compared."""
    n, p = rows.shape
    best = np.linalg.lstsq(rows, targets, rcond=None)[0]
    system = np.kron(np.eye(n) - weights, np.eye(p))
    for i, a in enumerate(rows):
        system[i * p:(i + 1) * p, i * p:(i + 1) * p] += alpha * np.outer(a, a)
    rest = np.linalg.solve(system, (alpha * targets[:, None] * rows).ravel()).reshape(n, p)
    return best, rest


@dataclass(frozen=True)
class Optimum:
    """Of the data of one seed: ‖x*‖, and √((1/n) Σ ‖x_i − x*‖²) where DSGD rests. Of ‖x*‖, the limit of float32: x is rounded in every
    step, which a step draws back by αμ of itself, μ the least eigenvalue of the mean of the nodes' Hessians."""
    norm: float
    bias: float
    limit: float


@dataclass(frozen=True)
class Curves:
    folder: Path
    algorithm: str
    optima: dict[int, Optimum]

    @cached_property
    def paths(self) -> dict[int, Path]:
        return runs_of(self.folder / "compare", self.algorithm)

    @cached_property
    def counted(self) -> dict[int, Path]:
        found = {}
        for seed, path in self.paths.items():
            with h5py.File(path, "r") as file:
                if counts(file):
                    found[seed] = path
        return found

    def column(self, name: str) -> np.ndarray:
        """[runs, points]"""
        values = []
        for path in self.counted.values():
            with h5py.File(path, "r") as file:
                values.append(file[f"progress/{name}"][:])
        return np.array(values)

    @cached_property
    def distance(self) -> np.ndarray:
        """[runs, points], over ‖x*‖."""
        return self.column("distance_to_optimum") / np.array([[self.optima[seed].norm] for seed in self.counted])

    @cached_property
    def ends(self) -> list[float]:
        """Where the runs end, over ‖x*‖: the root of the mean square over the last tenth of the points, for codes keep moving."""
        if not self.counted:
            return []
        return [float(end) for end in np.sqrt(np.mean(self.distance[:, -max(1, self.distance.shape[1] // 10):] ** 2, axis=1))]

    @property
    def over_bias(self) -> list[float]:
        """The ends over where DSGD rests."""
        optima = [self.optima[seed] for seed in self.counted]
        return [end * one.norm / one.bias for end, one in zip(self.ends, optima)]


def known(folder: Path, quick: bool) -> dict[int, Optimum]:
    options, found = options_of(files(quick)), {}
    nodes = int(options["nodes"])
    for seed in seeds_of(quick):
        run_of_dsgd = folder / f"compare/{BIASED}-seed{seed}.h5"
        if not run_of_dsgd.exists():
            raise StudyError(f"{run_of_dsgd}: is not there; run without --report-only")
        with h5py.File(folder / f"data-seed{seed}.h5", "r") as file:
            rows, targets = (np.array(file[f"train/{name}"][:nodes], dtype=float) for name in ("features", "targets"))
        with h5py.File(run_of_dsgd, "r") as file:
            network = file["network"]
            weights = np.diag(network["self_weights"][:])
            for (i, j), w in zip(network["edges"][:], network["weights"][:]):
                weights[i, j] = weights[j, i] = w
        alpha = float(options["alpha"])
        best, rest = fixed_point(rows, targets, weights, alpha)
        found[seed] = Optimum(float(np.linalg.norm(best)), math.sqrt(float(np.mean(np.sum((rest - best) ** 2, axis=1)))), limit_of(rows, alpha))
    return found


def draw(curves: dict[str, Curves], bias: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    picture, axes = plt.subplots(figsize=(6, 3.8), constrained_layout=True)
    styles = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))
    for (name, one), style in zip(curves.items(), styles):
        if one.counted:
            axes.plot(one.column("iteration")[0], np.median(one.distance, axis=0), label=name, linestyle=style, linewidth=1.4)
    axes.axhline(bias, color="grey", linewidth=0.8)
    axes.annotate("where DSGD rests, computed", (1, bias), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7, color="grey")
    axes.set(yscale="log", xlabel="iterations of a node", ylabel="distance to x* over ‖x*‖, median over seeds")
    axes.legend(fontsize=8, frameon=False, ncol=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=120)
    plt.close(picture)


def finding(one: Curves) -> str:
    """All runs decide, and not their median."""
    if len(one.counted) < len(one.paths):
        return f"not decided: {len(one.paths) - len(one.counted)} of {len(one.paths)} runs do not count"
    optima = [one.optima[seed] for seed in one.counted]
    if all(end < of.limit for end, of in zip(one.ends, optima)):
        return "reaches x*"
    if one.algorithm == BIASED and all(abs(end - of.bias / of.norm) < of.limit for end, of in zip(one.ends, optima)):
        return "rests at its known bias"
    return "stops short of x*"


def write_page(folder: Path, quick: bool, output: Path) -> None:
    from .field_page import table

    options, optima = options_of(files(quick)), known(folder, quick)
    codecs = dict(pair.split("=", 1) for pair in split_list(options["codec"]))
    curves = {name: Curves(folder, name, optima) for name in split_list(options["algorithms"])}
    know([values for one in curves.values() for values in (one.ends, one.over_bias)])
    bias = estimate([one.bias / one.norm for one in optima.values()])
    limit = estimate([one.limit for one in optima.values()])
    picture = output.with_suffix("") / "distance.png"
    draw(curves, bias.median, picture)
    found = {name: finding(one) for name, one in curves.items()}
    rows = [[name, codecs.get(name, "exact"), estimate(one.ends).text(digits=2) if one.ends else "–",
             estimate(one.over_bias).text(digits=2) if one.ends else "–", found[name]] for name, one in curves.items()]
    paths = [path for one in curves.values() for path in one.paths.values()]
    lines = head(TITLE, "exact", quick, paths, "runs in virtual time", ". The same bits on every machine with the same build", "short runs, few seeds")
    lines += [f"Each of {options['nodes']} nodes on a {options['graph']} has one sample of a least-squares problem, so its gradient is full and its own optimum is not "
              "that of all. x* is the minimiser of the mean of all nodes' losses.", ""]
    for text, words in (("reaches x*", "end at x* to what float32 holds, in all runs"),
                        ("rests at its known bias", "rests at its known bias, to as much as float32 holds, in all runs"), ("stops short of x*", "stop short of x*")):
        if names := [name for name, one in found.items() if one == text]:
            lines += [f"- **{', '.join(names)}** {words}."]
    lines += ["", f"The known bias, {bias.text()} of ‖x*‖, is where x_i = Σ_j w_ij x_j − α ∇f_i(x_i) holds, computed from data and W as a linear system in float64. "
              f"What float32 holds, {limit.text(digits=2)} of ‖x*‖, is 2⁻²⁴/(αμ): every step rounds x, and draws back αμ of what is left, with μ the least eigenvalue of the mean Hessian. "
              f"α = {options['alpha']} for all; each seed generates data of its own.", "",
              f"![distance to x* against iterations]({picture.relative_to(output.parent)})", "",
              *table(["algorithm", "codec", f"distance to x* over ‖x*‖ after {options['iterations']} iterations", "over DSGD's known bias", "finding"], rows),
              "Distance: the root of the mean square over the nodes, and over the last tenth of the curve; `/progress/distance_to_optimum` of the traces "
              f"(`--optimum`). {spread_text(len(optima))}.", ""]
    write(output, lines, files(quick))
