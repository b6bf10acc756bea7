#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Gossip SGD over MPI: quantimed-mpi beside the same in mpi4py (gossip_mpi4py.py), and beside its own threads engine.

    bench/peers/ranks.py [--program build/quantimed-mpi] [--data FOLDER] [--ranks 4] [--repeats 3] [--iterations 300]

One after another, and the whole list again for each repeat with another seed: so what else the machine does meets all alike.
A rate is iterations a second of a node while the clock runs; ratios are paired by repeat. Both are built on the same MPI library
(mpi4py's), one BLAS thread a process. More ranks than cores: the launcher is told so, and it shows the scheduler, too.
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
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

import forms

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).resolve().parent / "gossip_mpi4py.py"
LOSS_MARGIN = 0.02
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


@dataclass(frozen=True)
class Measured:
    rate: float  # iterations a second of a node
    loss: float
    heard: float  # messages of other ranks, of a node in an iteration


class RanksError(Exception):
    """One line for the user."""


def output_of(command: list[str]) -> str:
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        said = done.stderr.strip().splitlines() or ["no message"]
        own = [line for line in said if line.startswith("quantimed:")]
        raise RanksError(f"{' '.join(command[:6])} …: ended with {done.returncode}: {(own or said)[-1]}")
    return done.stdout


def peer(kind: str, seed: int, o: argparse.Namespace) -> Measured:
    told = json.loads(output_of([o.mpirun, "-n", str(o.ranks), sys.executable, str(PEER), kind, str(o.iterations), str(seed), str(o.data)]))
    return Measured(statistics.fmean(told["rates"]), told["loss"], told["heard"])


def ours(algorithm: str, nodes: int, engine: str, seed: int, o: argparse.Namespace) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "run.h5"
        launcher = [o.mpirun, "-n", str(nodes)] if engine == "mpi" else []
        oversubscribed = ["--oversubscribe"] if engine == "mpi" or nodes > len(os.sched_getaffinity(0)) else []
        output_of([*launcher, str(o.program), "run", "--engine", engine, "--algorithm", algorithm, "--dataset", str(o.data), "--nodes", str(nodes),
                   "--samples-per-node", str(forms.SAMPLES), "--model", f"mlp:{forms.HIDDEN}", "--graph", "ring" if nodes > 2 else "complete",
                   "--batch", str(forms.BATCH), "--alpha", str(forms.ALPHA), "--l2", str(forms.LAMBDA), "--l2-per", "batch", "--initial", "0.5", "--iterations",
                   str(o.iterations), "--evaluations", "1", "--seed", str(seed), "--output", str(trace), "--quiet", *oversubscribed])
        with h5py.File(trace) as f:
            summary, done = f["summary"].attrs, np.count_nonzero(~np.isnan(f["rounds/batch"][()]))
            return Measured(done / nodes / float(summary["end_time_s"]), float(summary["final_loss"]),
                            float(summary.get("messages_between_ranks", np.nan)) / done)


def spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}–{max(values):.{digits}f}]"


def main() -> int:
    from command_line import Parser  # found where the script ends

    p = Parser(name="ranks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", type=Path, default=ROOT / "build/quantimed-mpi")
    p.add_argument("--mpirun", default="mpirun.openmpi", help="of the library that both were built with")
    p.add_argument("--data", type=Path, default=Path(os.environ.get("QUANTIMED_DATA", ROOT / "datasets")) / "mnist")
    p.add_argument("--ranks", type=int, default=4)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--iterations", type=int, default=300)
    o = p.parse_args()
    rows = {
        "ours, synchronous": lambda s: ours("dsgd", o.ranks, "mpi", s, o), "mpi4py, synchronous": lambda s: peer("sync", s, o),
        "ours, asynchronous": lambda s: ours("async-dsgd", o.ranks, "mpi", s, o), "mpi4py, asynchronous": lambda s: peer("async", s, o),
        "DSGD, two ranks": lambda s: ours("dsgd", 2, "mpi", s, o), "DSGD, two threads": lambda s: ours("dsgd", 2, "threads", s, o),
    }
    found: dict[str, list[Measured]] = defaultdict(list)
    try:
        for seed in range(1, o.repeats + 1):
            for name, measure in rows.items():
                found[name].append(measure(seed))
            print(f"repeat {seed} of {o.repeats}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    except (RanksError, OSError) as error:
        print(f"ranks: {error}", file=sys.stderr)
        return 2
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")),
               platform.machine())
    print(f"{len(os.sched_getaffinity(0))} cores of {cpu}; {o.ranks} ranks, {o.iterations} iterations, median [least–most] of {o.repeats}\n")
    print("| | iterations/s of a node | messages an iteration | loss | ratio, paired | wanted |\n|---|---|---|---|---|---|")
    pairs = {"ours, synchronous": ("mpi4py, synchronous", "> 1"), "ours, asynchronous": ("mpi4py, asynchronous", "> 1"),
             "DSGD, two ranks": ("DSGD, two threads", "≥ 0.8")}
    for name, values in found.items():
        other, wanted = pairs.get(name, ("", ""))
        ratio = spread([a.rate / b.rate for a, b in zip(values, found[other])], 2) if other else ""
        heard = spread([m.heard for m in values], 2) if values[0].heard >= 0 else ""
        print(f"| {name} | {spread([m.rate for m in values], 0)} | {heard} | {spread([m.loss for m in values], 3)} | {ratio} | {wanted} |")
    status = 0
    # Asynchronous losses depend on how old messages are, which nobody chose.
    mine, theirs = (statistics.fmean(m.loss for m in found[name]) for name in ("ours, synchronous", "mpi4py, synchronous"))
    if abs(mine / theirs - 1) > LOSS_MARGIN:
        print(f"synchronous: mean loss {mine:.4f}, of mpi4py {theirs:.4f}: more than {LOSS_MARGIN:.0%} apart", file=sys.stderr)
        status = 1
    return status


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "analysis"))
    from whole_output import end_with
    end_with(main)
