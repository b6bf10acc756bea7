# SPDX-License-Identifier: BSD-3-Clause
"""ChocoSGD's logistic experiment, repeated: bench/choco tuned and compared for each partition, into results/choco.md.

The program tunes and compares; here is the order, and where the data come from. choco_page.py has the page and the figure.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from command_line import Parser

from .field_results import Outcome
from .field_settings import runs_to_tune
from .processes import Processes, contents, ending_well, minutes, places
from .runner import ROOT, only_user_of
from .study_file import StudyError, read_plain, split_list

FOLDER = ROOT / "bench" / "choco"
PARTITIONS = {"shuffled": "iid", "sorted": "by-label"}  # the paper's words, and --partition
CODES = ("exact", "top-1", "rand-1", "qsgd-16", "qsgd-256", "alone")  # files of FOLDER
GAPS = (0.1, 0.03, 0.01, 0.003)  # f(mean model) − f*, that iterations and bytes are counted to
PUBLIC = "rcv1"  # what is taken where it is there
POSITIVE = "positive"  # rows of sparse-logistic, made positive here
GENERATED, QUICK_DATA = f"{POSITIVE}:2000,0.01,9000", f"{POSITIVE}:200,0.05,900"
EPOCHS, QUICK_EPOCHS = 10, 3
TUNING_SEEDS, SEEDS, QUICK_SEEDS = "101-103", "1-5", "1-3"
POINTS, QUICK_POINTS = 100, 20  # of the curves that are judged
TUNING_POINTS = 5  # the last is what decides


# ---- what there is to do -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Data:
    given: str  # as --dataset has it
    path: str  # what the runs read
    samples: int
    description: str


@dataclass(frozen=True)
class Part:
    """A partition and a code: one search and one comparison. `tune` and `compare` are what Outcome looks for."""
    partition: str
    code: str
    files: tuple[Path, ...]
    folder: Path
    seeds: str
    iterations: int
    points: int

    @property
    def tune(self) -> Path:
        return self.folder / "tune"

    @property
    def compare(self) -> Path:
        return self.folder / "compare"

    @cached_property
    def options(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self.files:
            for line in read_plain(path).splitlines():
                name, equals, value = line.partition("#")[0].partition("=")
                if equals:
                    found[name.strip()] = value.strip()
        return found

    @property
    def algorithms(self) -> list[str]:
        return split_list(self.options["algorithms"])

    @property
    def runs(self) -> int:
        return len(self.algorithms) * (runs_to_tune(int(self.options["trials"]), count(TUNING_SEEDS)) + count(self.seeds))


def count(seeds: str) -> int:
    low, _, high = seeds.partition("-")
    return int(high or low) - int(low) + 1


@dataclass
class Found:
    """What all parts share."""
    data: Data
    optimum: dict[str, float]  # f* by partition
    parts: list[Part]
    processor_s: float = 0.0
    is_quick: bool = False

    def outcomes(self, partition: str) -> list[Outcome]:
        return [Outcome(part) for part in self.parts if part.partition == partition]


def parts(data: Data, folder: Path, quick: bool) -> list[Part]:
    nodes = int(Part("", CODES[0], (FOLDER / "base.ini",), folder, "", 0, 0).options["nodes"])
    iterations = (QUICK_EPOCHS if quick else EPOCHS) * math.ceil(data.samples / nodes)
    small = (FOLDER / "quick.ini",) if quick else ()
    return [Part(partition, code, (FOLDER / "base.ini", FOLDER / f"{code}.ini", *small), folder / partition / code,
                 QUICK_SEEDS if quick else SEEDS, iterations, QUICK_POINTS if quick else POINTS)
            for partition in PARTITIONS for code in CODES]


# ---- the data ------------------------------------------------------------------------------------------------------
def make_positive(path: Path) -> None:
    """The program's sparse rows with the absolute values of their numbers, as counts of words have no sign, and new labels are drawn:
    w ~ N(0, I), P(y = 1) = σ(3 aᵀw), as the program's own. There (a, y) is as likely as (−a, 1 − y), so that the labels say
    nothing of y a, on which alone the loss depends: shards sorted by label are as good as shuffled ones."""
    random = np.random.default_rng(1)
    with h5py.File(path, "r+") as file:
        w = random.standard_normal(int(file["train/features"].attrs["shape"][1]))
        for part in ("train", "test"):
            rows = file[part]["features"]
            rows["data"][:] = np.abs(rows["data"][:])
            scores = np.zeros(len(file[part]["targets"]))
            np.add.at(scores, np.repeat(np.arange(len(scores)), np.diff(rows["indptr"][:].astype(int))), rows["data"][:] * w[rows["indices"][:]])
            file[part]["targets"][:] = random.random(len(scores)) < 1 / (1 + np.exp(-3 * scores))
        file.attrs["name"] = "positive rows"


def prepare(dataset: str, folder: Path, processes: Processes) -> Data:
    """Generated data are those of seed 1 in all runs, as a published set would be: so they are exported once."""
    path, (kind, colon, size) = dataset, dataset.partition(":")
    if kind in (POSITIVE, "sparse-logistic", "gaussian-logistic") and colon:
        path = str(folder / "data.h5")
        program_has = f"sparse-logistic:{size}" if kind == POSITIVE else dataset
        processes.call("export", ["export", "--dataset", program_has, "--seed", 1, "--output", path, "--overwrite", "--quiet"])
        if kind == POSITIVE:
            make_positive(Path(path))
    found = contents(path)
    if isinstance(found, str):
        raise StudyError(found)
    if found["classes"] != "2":
        raise StudyError(f"--dataset {dataset}: has {found['classes']} classes; logistic regression with an optimum takes two")
    return Data(dataset, path, int(found["training_samples"]), found["description"])


def default_data(quick: bool) -> tuple[str, str]:
    """The set, and why it is that one."""
    if quick:
        return QUICK_DATA, "small, for --quick"
    refusal = contents(PUBLIC)
    if isinstance(refusal, str):
        return GENERATED, f"generated: {PUBLIC} is not here ({refusal.partition(';')[0]})"
    return PUBLIC, "public, as fetched"


def optimum(part: Part, data: Data, processes: Processes) -> float:
    """f* over the nodes' samples. In one iteration of a run that is looked at for nothing else."""
    path = part.folder.parent / "optimum.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = ("model", "initial", "l2", "nodes", "samples-per-node", "graph", "mixing")
    processes.call(f"{part.partition}: f*", [
        "run", "--algorithm", "dsgd", *(word for key in keys for word in (f"--{key}", part.options[key])), "--dataset", data.path,
        "--partition", PARTITIONS[part.partition], "--batch", 1, "--alpha", "0.1", "--iterations", 1, "--evaluations", 1, "--optimum",
        "--threads", 1, "--output", path, "--quiet"])
    with h5py.File(path, "r") as file:
        return float(file["summary"].attrs["optimal_loss"])


# ---- the program's two commands ------------------------------------------------------------------------------------
def of_part(part: Part, data: Data) -> list[object]:
    return [*(word for path in part.files for word in ("--config", path)), "--dataset", data.path, "--partition",
            PARTITIONS[part.partition], "--iterations", part.iterations, "--threads", 1, "--quiet"]


def execute_part(part: Part, data: Data, best: float, processes: Processes) -> float:
    """The processor time that it took, s. No run goes below f*, so this target is missed by all trials, and their last
    losses decide: the paper's steps are the best after ten passes, too."""
    below = f"{math.floor(best * 1e6) / 1e6:.6f}"
    used = processes.call(f"{part.partition}, {part.code}: tune", [
        "tune", *of_part(part, data), "--target-loss", below, "--evaluations", TUNING_POINTS, "--seeds", TUNING_SEEDS,
        "--output", part.tune])
    targets = ",".join(f"{best + gap:.9f}" for gap in GAPS)
    return used + processes.call(f"{part.partition}, {part.code}: compare", [
        "compare", "--config", part.tune / "tuned.ini", "--one-setting", "--seeds", part.seeds, "--target-loss", targets,
        "--evaluations", part.points, "--threads", 1, "--quiet", "--output", part.compare])


def execute(found: Found, folder: Path, jobs: int, processes: Processes) -> None:
    file = folder / "time.json"  # of the commands that did the work: those that only found it done take less
    spent: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    lock, begin = threading.Lock(), time.monotonic()
    done = 0

    def one(part: Part) -> None:
        nonlocal done
        used = execute_part(part, found.data, found.optimum[part.partition], processes)
        with lock:
            key = f"{part.partition} {part.code}"
            spent[key] = max(used, spent.get(key, 0.0))
            file.write_text(json.dumps(spent, indent=1))
            done += part.runs
            print(f"{part.partition}, {part.code}: done ({done} of {sum(p.runs for p in found.parts)} runs, "
                  f"{minutes(time.monotonic() - begin)})", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        chains = [pool.submit(one, part) for part in found.parts]
        try:
            for chain in chains:
                chain.result()
        except BaseException:
            processes.stop()
            raise
    print(f"all runs done after {minutes(time.monotonic() - begin)}", file=sys.stderr)


# ---- the command line ----------------------------------------------------------------------------------------------
def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/choco/run", name="choco", description="ChocoSGD's logistic experiment (Koloskova, Stich, Jaggi, ICML 2019), "
        "repeated: a ring of 9, shards sorted by label and shuffled, exact and compressed messages; every algorithm and code tuned "
        "with the same number of trials, then compared on other seeds for the same number of iterations. Virtual time: the same "
        "bits on every machine with the same build. Stopped, the same command continues. "
        "Exit status: 0 done, 1 a run failed, 2 bad input, 75 stopped by a signal.")
    p.add_argument("--dataset", metavar="NAME|PATH", help=f"two classes; {POSITIVE}:D,DENSITY,N: rows as sparse-logistic's with positive numbers [{PUBLIC} where it is, else {GENERATED}]")
    p.add_argument("--quick", action="store_true", help="small data, few trials and seeds: a minute or two, and no finding")
    p.add_argument("--runs", type=Path, metavar="FOLDER", help="traces [runs/choco, quick: runs/choco-quick]")
    p.add_argument("--output", type=Path, metavar="FILE.md",
                   help="the page, and beside it the figure, FILE.png [results/choco.md; quick: choco.md in --runs]")
    p.add_argument("--report-only", action="store_true", help="run nothing: report on the runs that are there")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)), help="at a time [the cores allowed]")
    return p


def run_choco(args: argparse.Namespace, processes: Processes, given: Sequence[str]) -> int:
    from .choco_page import TITLE, write_page  # matplotlib is slow to load, and --help does not need it

    folder, output = places("choco", args, TITLE)
    dataset, why = (args.dataset, "as given") if args.dataset else default_data(args.quick)
    print(f"data: {dataset}, {why}", file=sys.stderr, flush=True)
    with only_user_of(folder):
        data = prepare(dataset, folder, processes)
        todo = parts(data, folder, args.quick)
        first = {part.partition: part for part in reversed(todo)}
        found = Found(data, {name: optimum(part, data, processes) for name, part in first.items()}, todo, is_quick=args.quick)
        if not args.report_only:
            print(f"{sum(part.runs for part in todo)} runs of {todo[0].iterations} iterations, {args.jobs} at a time", file=sys.stderr, flush=True)
            execute(found, folder, args.jobs, processes)
        file = folder / "time.json"
        if not file.exists():
            raise StudyError(f"--report-only: {file}: not there; run without it")
        found.processor_s = sum(json.loads(file.read_text()).values())
        write_page(found, output, f"data: {dataset}, {why}", " ".join(["bench/choco/run", *(word for word in given if word != "--report-only")]))
    print(output)
    return 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    return ending_well("choco", lambda processes: run_choco(args, processes, argv))
