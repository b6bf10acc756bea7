# SPDX-License-Identifier: BSD-3-Clause
"""GN-LeNet on CIFAR-10: the files of bench/lenet tuned and judged, into results/lenet.md.

lenet_runs.py has the runs and their order, lenet_page.py the page and the figure; here are the data and the command line.
"""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from command_line import Parser

from .lenet_runs import Spent, entrants, execute, jobs_of, reckon, say_cost
from .processes import Processes, contents, ending_well, places
from .runner import only_user_of
from .study_file import StudyError

DATASET = "cifar10"
HELD_OUT = 5  # where there is no test set, one training image of so many
QUICK_IMAGES = 500  # with --quick the first of them are all there is


@dataclass(frozen=True)
class Data:
    path: str  # what the runs read
    source: str


def hold_out(dataset: str, shape: Sequence[int], images: int, folder: Path, processes: Processes) -> Path:
    """The last fifth of the first training images as a test set, in a file of the program's layout."""
    path, whole = folder / "data.h5", folder / "whole.h5"
    processes.call("export", ["export", "--dataset", dataset, "--output", whole, "--overwrite", "--quiet"])
    with h5py.File(whole, "r") as source, h5py.File(path, "w") as file:
        for name in ("schema", "schema_version", "name", "classes"):
            file.attrs[name] = source.attrs[name]
        features, targets = source["train/features"][:images], source["train/targets"][:images]
        kept = images - images // HELD_OUT
        for part, rows in (("train", slice(0, kept)), ("test", slice(kept, images))):
            file[f"{part}/features"] = features[rows].reshape(-1, *shape)
            file[f"{part}/targets"] = targets[rows]
    whole.unlink()
    return path


def prepare(dataset: str, quick: bool, folder: Path, processes: Processes) -> Data:
    found = contents(dataset)
    if isinstance(found, str):
        raise StudyError(found)
    shape = [int(side) for side in found["shape"].split("x")]
    if len(shape) != 3:
        raise StudyError(f"--dataset {dataset}: its samples are no colour images, but {found['shape']}; gn-lenet takes those of CIFAR-10")
    training, test = int(found["training_samples"]), int(found["test_samples"])
    if test and not quick:
        return Data(dataset, f"{dataset}, {training:,} images to train on and its own test set of {test:,}")
    images = min(training, QUICK_IMAGES) if quick else training
    held = images // HELD_OUT
    path = hold_out(dataset, shape, images, folder, processes)
    which = f"the first {images:,} of {training:,} images of {dataset}" if quick else f"{dataset} as it is here, {images:,} images without a test set"
    return Data(str(path), f"{which}: the last {held:,} are held out as a test set, {images - held:,} are trained on, so accuracies are not those "
                           "of the published test set, nor of all images")


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="bench/lenet/run", name="lenet", description="GN-LeNet on CIFAR-10, 16 nodes on a ring, shards sorted by label: the paper's four "
        "algorithms, CHOCO-SGD, D2 and QG-DSGDm, each with the same number of trials, then judged on other seeds after the same virtual time. "
        "The same bits on every machine with the same build. Stopped, the same command continues. "
        "Exit status: 0 done, 1 a run failed, 2 bad input, 75 stopped by a signal.")
    p.add_argument("--dataset", metavar="NAME|PATH", default=DATASET, help=f"colour images; without a test set one in {HELD_OUT} is held out [{DATASET}]")
    p.add_argument("--quick", action="store_true", help="few images, nodes, trials and iterations: a minute, and no finding")
    p.add_argument("--where-it-is", action="store_true", help=f"without {DATASET} say so, and end with status 0")
    p.add_argument("--max-time", type=float, metavar="SECONDS", help="virtual time of a judged run, in place of the one in bench/lenet/base.ini")
    p.add_argument("--runs", type=Path, metavar="FOLDER", help="traces [runs/lenet, quick: runs/lenet-quick]")
    p.add_argument("--output", type=Path, metavar="FILE.md",
                   help="the page, and beside it the figure, FILE.png [results/lenet.md; quick: lenet.md in --runs]")
    p.add_argument("--cost", action="store_true", help="say what the runs would cost, and stop")
    p.add_argument("--report-only", action="store_true", help="run nothing: report on the judged runs that are there, also where some are missing")
    p.add_argument("--jobs", type=int, metavar="N", default=len(os.sched_getaffinity(0)), help="threads of all runs together [the cores allowed]")
    return p


def run_lenet(args: argparse.Namespace, processes: Processes, given: Sequence[str]) -> int:
    from .lenet_page import TITLE, write_page  # matplotlib is slow to load, and --help does not need it

    if args.max_time is not None and args.max_time <= 0:
        raise StudyError(f"--max-time {args.max_time:g}: give seconds above 0")
    folder, output = places("lenet", args, TITLE)
    if args.where_it_is and isinstance(refusal := contents(args.dataset), str):
        print(f"lenet: left out: {refusal}", file=sys.stderr)
        return 0
    with only_user_of(folder):
        data = prepare(args.dataset, args.quick, folder, processes)
        print(f"data: {data.source}", file=sys.stderr, flush=True)
        found = entrants(folder, args.quick, args.max_time)
        spent = Spent(folder / "time.json")
        if not args.report_only:
            jobs = jobs_of(found)
            reckon(jobs, data.path, folder, args.jobs, processes)
            say_cost(jobs, args.jobs)
            if args.cost:
                return 0
            execute(jobs, data.path, args.jobs, spent, processes)
        words = ["bench/lenet/run", *(word for word in given if word not in ("--report-only", "--where-it-is"))]
        write_page(found, spent, output, data.source, " ".join(words), args.quick)
    print(output)
    return 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    return ending_well("lenet", lambda processes: run_lenet(args, processes, argv))
