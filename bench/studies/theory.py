# SPDX-License-Identifier: BSD-3-Clause
"""The theorems by experiment: runs bench/experiments/theory with `quantimed theory`, writes results/theory.md."""
from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from command_line import Parser
from own_output import may_be_written

from .runner import BAD_INPUT, INTERRUPTED, find_program, only_user_of
from .study_file import StudyError

TITLE = "# The theorems, by experiment"  # the first line of what is written
EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments" / "theory"
# In the order of the report: the table's three rows, the proof, the deadline, the graph, and what is outside.
ORDER = ("strongly-convex", "strongly-convex-0.4", "strongly-convex-logistic", "convex-logistic", "convex-short-rank",
         "nonconvex-sigmoid", "growing-variance", "gradient-noise", "deadline", "spectral-gap", "nonconvex-relu")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")  # Okabe and Ito's
Row = dict[str, str]
VARIANTS = "also with c1,c2: "  # in a file's head: the finding must not hang on one choice of constants


@dataclass(frozen=True)
class Experiment:
    name: str
    path: Path
    title: str
    text: str
    folder: Path
    constants: tuple[str, str] | None = None  # c1 and c2 in place of the file's: the same theorem, other steps

    def rows(self, name: str) -> list[Row]:
        with open(self.folder / f"{name}.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def axis(self) -> str:
        options = dict(line.split(" = ", 1) for line in self.path.read_text(encoding="utf-8").splitlines()
                       if " = " in line)
        return "deadline" if "deadlines" in options else "graph" if "graphs" in options else "horizon"


AXES = {"horizon": "horizon T (iterations)", "deadline": "max(E[1/V]/T_d, 1/m)", "graph": "spectral gap 1 − β"}


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/theory", description="Runs the experiments in bench/experiments/theory and writes a report. One that "
        "was run to its end with the same file and program is kept. Exit status as of bench/study.")
    p.add_argument("--experiments", metavar="NAME,NAME", help=f"only these [{', '.join(ORDER)}]")
    p.add_argument("--runs", type=Path, default=Path("runs/theory"), metavar="FOLDER")
    p.add_argument("--output", type=Path, default=Path("results/theory.md"), metavar="FILE.md")
    p.add_argument("--seeds", help="instead of the files': 1-3")
    return p


def load(names: str | None, runs: Path) -> list[Experiment]:
    found = []
    for name in [n.strip() for n in names.split(",")] if names else ORDER:
        path = EXPERIMENTS / f"{name}.ini"
        if name not in ORDER:
            raise StudyError(f"--experiments {name}: not one of {', '.join(ORDER)}")
        head = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        also = [line.removeprefix(VARIANTS) for line in head if line.startswith(VARIANTS)]
        head = [line for line in head if not line.startswith(VARIANTS)]
        found.append(Experiment(name, path, head[0], " ".join(head[1:]), runs / name))
        for c1, c2 in (pair.split(",") for line in also for pair in line.replace(" ", "").split("|")):
            found.append(Experiment(name, path, f"{head[0]}, c1 = {c1}, c2 = {c2}", "", runs / f"{name}-c1-{c1}-c2-{c2}", (c1, c2)))
    return found


def run(experiment: Experiment, program: Path, seeds: str | None) -> None:
    """Runs it, unless its folder holds the results of this very file, program and seeds."""
    key = hashlib.sha256(experiment.path.read_bytes() + program.read_bytes() + repr((seeds, experiment.constants)).encode()).hexdigest()
    mark = experiment.folder / "finished"
    if mark.exists() and mark.read_text(encoding="utf-8") == key:
        print(f"{experiment.name}: kept")
        return
    mark.unlink(missing_ok=True)
    begin = time.monotonic()
    command = [str(program), "theory", "--config", str(experiment.path), "--output", str(experiment.folder), "--overwrite"]
    if experiment.constants:
        command += [f"--c1={experiment.constants[0]}", f"--c2={experiment.constants[1]}"]
    # Its progress is shown on this terminal, and Ctrl-C reaches it from there.
    done = subprocess.run(command + ([f"--seeds={seeds}"] if seeds else []), stdout=subprocess.DEVNULL)
    if done.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if done.returncode:
        raise StudyError(f"{experiment.name}: quantimed theory ended with status {done.returncode}; it says why above")
    mark.write_text(key, encoding="utf-8")
    print(f"{experiment.name}: {time.monotonic() - begin:.0f} s", flush=True)


def means(experiment: Experiment, quantity: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, the mean over seeds and its standard error at each point."""
    by_x: dict[float, list[float]] = {}
    for row in experiment.rows("measurements"):
        if not row["invalid"] and row[quantity]:
            by_x.setdefault(float(row["x"]), []).append(float(row[quantity]))
    x = np.array(sorted(by_x))
    values = [np.array(by_x[at]) for at in x]
    errors = [v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else 0.0 for v in values]
    return x, np.array([v.mean() for v in values]), np.array(errors)


def pyplot() -> ModuleType:
    """Half a second, which bad usage need not wait for."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    return plt


def draw(experiment: Experiment, folder: Path) -> Path:
    plt, fits = pyplot(), experiment.rows("fits")
    plt.rcParams.update({"font.size": 8, "legend.fontsize": 7})
    figure, axes = plt.subplots(figsize=(4.6, 3.2))
    for colour, fit in zip(COLOURS, fits):
        x, y, error = means(experiment, fit["quantity"])
        exponent, constant = float(fit["exponent"]), float(fit["log_constant"])
        axes.errorbar(x, y, np.minimum(error, 0.9 * y), fmt="o", markersize=3, color=colour, capsize=2)
        ends = [float(r["x"]) for r in experiment.rows("measurements") if r["point"] in (fit["first"], fit["last"])]
        span = np.array([min(ends), max(ends)])
        axes.plot(span, np.exp(constant) * span**exponent, color=colour, linewidth=1.2,
                  label=f"{fit['quantity']}: {exponent:.3f} [{float(fit['low']):.3f}, {float(fit['high']):.3f}]")
        if fit["bound"]:
            bound = float(fit["bound"])
            at = y[0] / x[0] ** bound  # from the first point on
            axes.plot(x, at * x**bound, color=colour, linewidth=0.8, linestyle=":", label=f"bound: {bound:.3f}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(AXES[experiment.axis])
    axes.set_ylabel("mean over seeds ± standard error")
    axes.set_title(experiment.title, fontsize=8)
    if fits:
        axes.legend()
    figure.tight_layout()
    path = folder / f"{experiment.name}.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path


def draw_approach(experiment: Experiment, folder: Path) -> Path:
    """The proof's first step along a run: the distance to x*_α over iterations, a curve for each horizon."""
    series: dict[str, dict[int, list[float]]] = {}
    for row in experiment.rows("curves"):
        if row["penalty-distance"] and int(row["iteration"]) > 0:
            series.setdefault(row["point"], {}).setdefault(int(row["iteration"]), []).append(float(row["penalty-distance"]))
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(4.6, 3.2))
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(series)))
    for shade, (horizon, points) in zip(shades, series.items()):
        t = sorted(points)
        axes.plot(t, [np.mean(points[k]) for k in t], color=shade, linewidth=1, label=f"T = {horizon}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("iteration t")
    axes.set_ylabel("(1/n) Σ ‖x_i,t − x*_α,i‖², mean over seeds")
    axes.legend(ncol=2)
    figure.tight_layout()
    path = folder / f"{experiment.name}-approach.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(r) + " |" for r in rows), ""]


def exponent_text(fit: Row) -> str:
    return f"{float(fit['exponent']):.3f} [{float(fit['low']):.3f}, {float(fit['high']):.3f}]"


def summary_rows(experiments: list[Experiment]) -> Iterator[list[str]]:
    for experiment in experiments:
        if not experiment.rows("fits"):
            yield [experiment.title, "–", "no fit", "–", "**no finding**", "see below", "–", "–"]
        for fit in experiment.rows("fits"):
            bent = "" if fit["is_straight"] == "true" else ", bent"
            bound = f"{float(fit['bound']):.3f}" if fit["bound"] else "–"
            reason = f": {fit['reason']}" if fit["reason"] else ""
            yield [experiment.title, fit["quantity"], exponent_text(fit), bound, f"**{fit['finding']}**{reason}",
                   f"{fit['first']} to {fit['last']}{bent}", f"{float(fit['last_exponent']):.3f}", fit["bounded"]]


RULES = """Exponents are of T, of max(E[1/V]/T_d, 1/m) where the deadline is varied, and of 1 − β where the graph is. What each
quantity is: `quantimed theory --help`, and below.

**Range.** Horizons that measure the initial error and not the rate are left out: for distances those with T α ε μ < 10, for
means over the iterations those whose later part (the average over the second half; for gradients and consensus the last
iterate) is less than half of the mean. The range ends at the last point and
reaches back as far as a straight line fits: where the change of slope from end to end, of a parabola, has a 95 % interval that
holds 0, or is below a tenth of the slope. It has four points at least; where these are bent too, the table says so.

**Interval.** 95 %, the wider of two: the bootstrap over seeds (2,000 resamples, the same seeds at every point), and Student's
from the points' distances from the line. The interval of *bias*, which is computed and has no noise, shows curvature alone.

**Finding.** A theorem gives an upper bound in the limit, so the test is one-sided and the default is *not decided*. *Bound met*:
the whole interval falls at least as fast as the bound, give or take a tenth of its exponent. *Slower than the bound over this
range*: the whole interval lies beyond that. *Not decided*: the interval holds 0, holds the bound, or is wider than half of its
exponent; no range is straight; or the start still counts. A bound over graphs is for the worst one, so a few graphs show
at most that it was not violated. The last two columns show where the slope is heading, and y divided by the bound's power of x
at both ends of the range, which must stay bounded. f and W are the same for all seeds."""


def section(experiment: Experiment, at: Path) -> list[str]:
    figure = draw(experiment, at.with_suffix(""))
    table_text = (experiment.folder / "table.md").read_text(encoding="utf-8")
    lines = [f"## {experiment.title}", "", experiment.text, "",
             f"`quantimed theory --config bench/experiments/theory/{experiment.name}.ini`", "",
             f"![{experiment.title}]({figure.relative_to(at.parent)})", ""]
    if experiment.name == "strongly-convex":
        approach = draw_approach(experiment, at.with_suffix(""))
        lines += ["The proof's two steps are in this figure: x_T → x*_α is *penalty-distance*, x*_α → x* is *bias*. The first "
                  "along the runs:", "", f"![approach to the penalty function's minimiser]({approach.relative_to(at.parent)})", ""]
    return lines + ["<details><summary>Constants and values</summary>", "", "```", table_text.strip(), "```", "", "</details>", ""]


def machine(program: Path) -> str:
    done = subprocess.run([str(program), "info", "--json"], capture_output=True, text=True, check=True)
    here = json.loads(done.stdout)["machine"]
    return f"{here['cpu']}, {here['processing_units']} processing units"


def compose(experiments: list[Experiment], at: Path, program: str, seconds: float | None) -> str:
    took = f" in {seconds:.0f} s" if seconds is not None else ""
    lines = [TITLE, "", f"Made by `make theory`{took}, program at {program}.",
             *table(["experiment", "quantity", "exponent [95 %]", "bound", "finding", "range", "last two points",
                     "y over the bound, first and last"], list(summary_rows(experiments))),
             RULES, ""]
    for experiment in (e for e in experiments if not e.constants):
        lines += section(experiment, at)
    return "\n".join(lines)


def report(args: argparse.Namespace) -> int:
    if not may_be_written(args.output, TITLE):
        raise StudyError(f"--output {args.output}: is not a page that bench/theory wrote, and is not replaced; name another file")
    program, begin = find_program(), time.monotonic()
    experiments = load(args.experiments, args.runs)
    pyplot()  # before the work, which a missing matplotlib would lose
    with only_user_of(args.runs):
        kept = all((e.folder / "finished").exists() for e in experiments)
        for experiment in experiments:
            run(experiment, program, args.seeds)
        version = subprocess.run([str(program), "version"], capture_output=True, text=True, check=True).stdout.strip()
        args.output.with_suffix("").mkdir(parents=True, exist_ok=True)
        text = compose(experiments, args.output, f"{version}, on {machine(program)}", None if kept else time.monotonic() - begin)
        args.output.write_text(text, encoding="utf-8")
    for row in summary_rows(experiments):
        print(f"{row[0]}: {row[1]} {row[2]}, bound {row[3]}: {row[4].replace('*', '')}")
    print(f"{args.output} after {time.monotonic() - begin:.0f} s")
    return 0


def main(argv: list[str]) -> int:
    try:
        return report(parser().parse_args(argv))
    except StudyError as error:
        print(f"theory: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"theory: {error.filename or 'system'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return INTERRUPTED
