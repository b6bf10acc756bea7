#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Times an iteration of DSGD in virtual time beside the same iteration written in PyTorch and in NumPy.

    bench/peers/peers.py [--program build/quantimed] [--data FOLDER] [--cores 0,1] [--repeats 7] [--iterations 100]

Every form runs in a process of its own, with 1, 2 and as many threads as there are cores, one after another, and the
whole list again for each repeat with another seed; so that what else the machine does meets all alike. Of each form
its best number of threads counts. A form's time is that of its iterations alone: no start-up, data or evaluation.
Exit status: 0 measured, 1 losses that differ, 2 bad usage or input. Whether targets are met changes nothing.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as error:
    sys.exit(print(f"peers: {error}; apt-get install python3-numpy python3-h5py, and start it with /usr/bin/python3",
                   file=sys.stderr) or 2)

import forms

ROOT = Path(__file__).resolve().parents[2]
WARM_UP = 3
MOST_S = 15.0  # of one form: threads that fight for cores can be a hundred times slower, and are never the best
LOSS_MARGIN = 0.02


@dataclass(frozen=True)
class Row:
    name: str
    module: str
    form: str
    wanted: float | None  # our speed over this form's, of PyTorch's batched forms the best's; None: not a peer


OURS = "quantimed"
ROWS = (
    Row("PyTorch, a loop over nodes, autograd", "forms_torch", "TorchLoop", 15),
    Row("PyTorch, batched, autograd", "forms_torch", "TorchBatched", 8),
    Row("PyTorch, batched, gradients by hand", "forms_torch", "TorchManual", 8),
    Row("NumPy, a loop over nodes", "forms", "NumpyLoop", 15),
    Row("NumPy, batched", "forms", "NumpyBatched", 15),
    Row("the matrix products alone (NumPy)", "forms", "ProductsAlone", None),
)


@dataclass
class Measured:
    iteration_s: float
    loss: float


class PeersError(Exception):
    """One line for the user."""


# ---- one form in a process of its own ----

def work(form: str, threads: int, iterations: int, seed: int, data: Path) -> Measured:
    row = next(row for row in ROWS if row.form == form)
    if row.module == "forms_torch":
        import torch
        torch.set_num_threads(threads)
    problem = forms.make_problem(*forms.load(data), seed)
    make = getattr(import_module(row.module), form)
    rng = np.random.default_rng(seed)
    warm = make(problem)
    for _ in range(WARM_UP):
        warm.step(forms.draw(rng))
    own = make(problem)
    start_s = time.perf_counter()
    done, spent_s = 0, 0.0
    while done < iterations and spent_s < MOST_S:
        own.step(forms.draw(rng))
        done, spent_s = done + 1, time.perf_counter() - start_s
    loss = forms.loss(own.models(), problem) if done == iterations else float("nan")
    return Measured(spent_s / done, loss)


def start_worker(row: Row, threads: int, seed: int, options: argparse.Namespace) -> Measured:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads),
                   "MKL_NUM_THREADS": str(threads), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, __file__, "--worker", row.form, "--threads", str(threads), "--seed", str(seed),
               "--iterations", str(options.iterations), "--data", str(options.data)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeersError(f"{row.name}: its process ended with {result.returncode}: {last}")
    return Measured(**json.loads(result.stdout))


def run_ours(threads: int, seed: int, options: argparse.Namespace) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "run.h5"
        command = [str(options.program), "run", "--engine", "virtual", "--algorithm", "dsgd", "--dataset",
                   str(options.data), "--nodes", str(forms.NODES), "--samples-per-node", str(forms.SAMPLES),
                   "--model", f"mlp:{forms.HIDDEN}", "--graph", "erdos-renyi:0.4", "--batch", str(forms.BATCH),
                   "--alpha", str(forms.ALPHA), "--l2", str(forms.LAMBDA), "--initial", "0.5",
                   "--iterations", str(options.iterations), "--evaluations", "1", "--threads", str(threads),
                   "--seed", str(seed), "--output", str(trace), "--quiet"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise PeersError(f"--program {options.program}: ended with {result.returncode}: {result.stderr.strip()}")
        with h5py.File(trace) as f:
            summary = f["summary"].attrs
            spent_s = summary["wall_time_s"] - summary["evaluation_time_s"]
            return Measured(float(spent_s) / options.iterations, float(summary["final_loss"]))


# ---- all of them, in turn ----

Results = dict[tuple[str, int], list[Measured]]  # by name and threads, a value a repeat


def measure(rows: list[Row], threads: list[int], options: argparse.Namespace) -> Results:
    results: Results = defaultdict(list)
    for seed in range(1, options.repeats + 1):
        for k in threads:
            results[OURS, k].append(run_ours(k, seed, options))
            for row in rows:
                results[row.name, k].append(start_worker(row, k, seed, options))
        print(f"repeat {seed} of {options.repeats}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return results


def times(results: Results, name: str, k: int) -> list[float]:
    return [m.iteration_s for m in results[name, k]]


def best_threads(results: Results, name: str) -> int:
    return min((k for n, k in results if n == name), key=lambda k: statistics.median(times(results, name, k)))


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def table(rows: list[Row], results: Results) -> list[str]:
    own_k = best_threads(results, OURS)
    own = times(results, OURS, own_k)
    lines = ["| form | threads | ms an iteration | least | loss | ours is faster | by least times | wanted | met |",
             "|---|---|---|---|---|---|---|---|---|"]
    losses = [m.loss for m in results[OURS, own_k]]
    lines.append(f"| {OURS}, virtual time | {own_k} | {spread([1e3 * t for t in own], 1)} | {1e3 * min(own):.1f} | "
                 f"{spread(losses, 3)} | | | | |")
    batched = [r for r in rows if r.form in ("TorchBatched", "TorchManual")]
    best_batched = min(batched, key=lambda r: statistics.median(times(results, r.name, best_threads(results, r.name))),
                       default=None)
    for row in rows:
        k = best_threads(results, row.name)
        theirs = times(results, row.name, k)
        ratios = [t / o for t, o in zip(theirs, own)]  # of the same repeat, so of nearly the same minute
        counts = row.wanted is not None and (row not in batched or row is best_batched)
        met = ("yes" if statistics.median(ratios) >= (row.wanted or 0) else "NO") if counts else ""
        loss = spread([m.loss for m in results[row.name, k]], 3) if row.wanted is not None else ""
        lines.append(f"| {row.name} | {k} | {spread([1e3 * t for t in theirs], 1)} | {1e3 * min(theirs):.1f} | "
                     f"{loss} | {spread(ratios, 2)} | "
                     f"{min(theirs) / min(own):.2f} | {f'≥ {row.wanted:g}' if counts else ''} | {met} |")
    return lines


def differing_losses(rows: list[Row], results: Results) -> list[str]:
    ours = statistics.mean(m.loss for m in results[OURS, best_threads(results, OURS)])
    found = []
    for row in (row for row in rows if row.wanted is not None):
        theirs = statistics.mean(m.loss for m in results[row.name, best_threads(results, row.name)])
        if not abs(theirs / ours - 1) <= LOSS_MARGIN:
            found.append(f"{row.name}: mean loss {theirs:.4f}, ours {ours:.4f}: more than {LOSS_MARGIN:.0%} apart")
    return found


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def parse() -> argparse.Namespace:
    from command_line import Parser  # found where the script ends

    found = [Path(root) / "mnist" for root in (os.environ.get("QUANTIMED_DATA", ""), ROOT / "datasets") if root]
    parser = Parser(prog="peers.py", name="peers", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "quantimed", help="[%(default)s]")
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="with MNIST's files [$QUANTIMED_DATA/mnist, or "
                        "datasets/mnist]", default=next((p for p in found if p.is_dir()), found[-1]))
    parser.add_argument("--cores", metavar="N,N", help="run on these alone [all allowed]")
    parser.add_argument("--repeats", metavar="N", type=positive, default=7, help="[%(default)s]")
    parser.add_argument("--iterations", metavar="T", type=positive, default=100, help="of each run [%(default)s]")
    for hidden in ("--worker", "--threads", "--seed"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"--data {options.data}: no such folder; datasets/fetch mnist gets it")
    if options.worker is None and not options.program.is_file():
        parser.error(f"--program {options.program}: no such file; make build/quantimed, or name it")
    if options.cores is not None:
        try:
            os.sched_setaffinity(0, {int(c) for c in options.cores.split(",")})
        except (ValueError, OSError) as error:
            parser.error(f"--cores {options.cores}: {error}; name cores that this process may use, as 0,1")
    return options


def compare(options: argparse.Namespace) -> int:
    rows = list(ROWS)
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode != 0:
        print("peers: no PyTorch here (apt-get install python3-torch): its rows are left out", file=sys.stderr)
        rows = [row for row in rows if row.module != "forms_torch"]
    cores = len(os.sched_getaffinity(0))
    results = measure(rows, sorted({k for k in (1, 2, cores) if k <= cores}), options)
    print(f"{cpu_model()}, {cores} cores; {options.repeats} repeats of {options.iterations} iterations; "
          f"median [least–most]; load at the end {os.getloadavg()[0]:.1f}\n")
    print("\n".join(table(rows, results)))
    differing = differing_losses(rows, results)
    print("\n" + ("\n".join(differing) or f"After {options.iterations} iterations all mean losses are within "
                  f"{LOSS_MARGIN:.0%} of ours."))
    return 1 if differing else 0


def main() -> int:
    options = parse()
    try:
        if options.worker is not None:
            measured = work(options.worker, int(options.threads), options.iterations, int(options.seed), options.data)
            print(json.dumps(vars(measured)))
            return 0
        return compare(options)
    except (PeersError, OSError, ValueError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2] / "analysis"))
    from whole_output import end_with
    end_with(main)
