# SPDX-License-Identifier: BSD-3-Clause
"""slurm/collect: verifies a study's traces, merges, reports. The study's last job; also by hand, at any time."""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import h5py

from command_line import Parser
from studies.job import is_done, others_in, set_aside
from studies.runner import find_program, read_plan, write_whole
from studies.study_file import StudyError

from .folder import NO_REPORT, SUBFOLDERS, Folder, stem, verify
from .retry import try_again
from .standing import DONE, INTERRUPTED, Standing, counts, standings, trace_status
from .start import ROOT
from .status import ask_queue, strangers
from .tables import write_curves, write_jobs, write_runs

FAILED = 1


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="slurm/collect",
        description="Verifies every trace of a study, sets damaged ones aside (RUN.h5.damaged), writes runs.csv (a line a "
        "run: how it stands, its setting, all figures of its summary), curves.csv (a line a point of a curve), jobs.csv (a line each "
        "time that a task ran) and the report, all of the runs that are in the plan. "
        "Exit status: 0 all runs are done and verified, 1 not, 2 bad input.")
    p.add_argument("study", type=Path, help="the study's folder")
    p.add_argument("--merge", type=Path, action="append", default=[], metavar="FOLDER",
                   help="first take over what this study has: its plan, and its whole traces; may be given again")
    p.add_argument("--retry", metavar="SUBMISSION", help=argparse.SUPPRESS)  # the study's own job: submissions/N
    p.add_argument("--no-report", action="store_true", help="verify and write runs.csv alone")
    return p


def copy_whole(source: Path, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            with source.open("rb") as original:
                shutil.copyfileobj(original, file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, target)
        except BaseException:
            os.unlink(file.name)
            raise


def merge(into: Path, other: Path) -> int:
    """Takes over plans and traces; where both have a run's whole trace ours stays. How many traces came."""
    if not any(into.glob("*.study.json")):
        raise StudyError(f"{into}: no study here to merge into (no *.study.json); copy {other} there instead")
    plans = sorted(other.glob("*.study.json"))
    if not plans or other.resolve() == into.resolve():
        raise StudyError(f"--merge {other}: {'is the study itself' if plans else 'no study there (no *.study.json)'}")
    for name in SUBFOLDERS:
        (into / name).mkdir(parents=True, exist_ok=True)
    came = 0
    for plan in plans:
        file = plan.with_name(plan.name.replace(".study.json", ".ini"))
        if file.is_file() and not (into / file.name).exists():
            copy_whole(file, into / file.name)
        target = into / plan.name
        # Another's plan of the same name may hold other runs: it is kept beside ours under a name of its own.
        number = 2
        while target.exists() and target.read_bytes() != plan.read_bytes():
            target = into / f"{plan.name.removesuffix('.study.json')}-{number}.study.json"
            number += 1
        copy_whole(plan, target)
        for theirs in read_plan(plan):
            ours = replace(theirs, path=into / theirs.path.name)
            write_whole(into / "configs" / f"{ours.path.stem}.ini", ours.ini)
            if not is_done(ours) and is_done(theirs):
                copy_whole(theirs.path, ours.path)
                came += 1
                for own in (f"history/{stem(theirs)}.tsv", f"logs/{stem(theirs)}.log"):
                    if (other / own).is_file() and not (into / own).exists():
                        copy_whole(other / own, into / own)
    return came


def set_damaged_aside(found: list[Standing], busy: set[str]) -> list[Path]:
    """A file that stands under a trace's name and is none: nobody shall take it for one."""
    moved = []
    for s in found:
        path = s.job.path
        if s.state in (DONE, INTERRUPTED) or path.stem in busy or not path.exists():
            continue
        if trace_status(path) == "interrupted":
            continue
        if aside := set_aside(path):
            moved.append(aside)
    return moved


def report(folder: Path, done: list[Standing]) -> bool:
    """On the runs that are in the plan, and no others: the report reads a whole folder, so it gets one of links."""
    options = shlex.split(os.environ.get("QUANTIMED_REPORT_OPTIONS", ""))
    if options == [NO_REPORT]:
        return True
    program = [sys.executable, str(ROOT / "analysis" / "quantimed-report")]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".report-") as scratch:
        source = folder
        if others_in(folder, [s.job for s in done]):
            source = Path(scratch) / folder.resolve().name
            source.mkdir()
            for s in done:
                (source / s.job.path.name).symlink_to(s.job.path.resolve())
        ended = subprocess.run([*program, str(source), "--output", str(folder / "report"), *options],
                               env=os.environ | {"QUANTIMED_PROGRAM": str(find_program())})
    return ended.returncode == 0


def warnings(done: list[Standing]) -> list[str]:
    """What makes runs of one table hard to compare."""
    said = []
    releases = {str(facts) for s in done if (facts := s.job.release)}
    if len(releases) > 1:
        said.append(f"made by several versions of the program: {', '.join(sorted(releases))}")
    processors: dict[str, int] = {}
    for s in done:
        if s.job.real_time:
            with h5py.File(s.job.path, "r") as file:
                name = str(file["environment"].attrs.get("cpu", "unknown"))
            processors[name] = processors.get(name, 0) + 1
    if len(processors) > 1:
        said.append("real-time runs on different processors, whose times do not compare: "
                    + ", ".join(f"{count} on {name}" for name, count in processors.items()) + "; --constraint chooses one kind")
    return said


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    program = find_program()
    for other in args.merge:
        print(f"{other}: {merge(args.study, other)} traces taken over")
    folder = Folder(args.study)
    jobs = folder.jobs()
    queue = ask_queue(folder)
    found = standings(folder, jobs, queue)
    if not queue.silent or not any(folder.submissions()):  # else a file may be someone's at this moment
        for aside in set_damaged_aside(found, set(folder.live_tasks(queue.tasks))):
            print(f"damaged, set aside: {aside.name}", file=sys.stderr)
    done = [s for s in found if s.state == DONE]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objections = dict(zip([s.job.path for s in done], pool.map(lambda s: verify(program, s.job.path), done)))
    for path, objection in objections.items():
        if objection:
            print(f"not verified: {path.name}: {objection}", file=sys.stderr)
    write_runs(folder, found, objections)
    write_curves(folder, done)
    write_jobs(folder, queue, found)
    for text in (*warnings(done), *([other] if (other := strangers(folder, jobs, queue.tasks)) else [])):
        print(text, file=sys.stderr)
    reported = args.no_report or bool(done) and report(args.study, done)
    print(f"{args.study}: {counts(found)}; {sum(not o for o in objections.values())} verified")
    if args.retry:
        try_again(folder, Path(args.retry), found, program)
    good = reported and all(s.state == DONE for s in found) and not any(objections.values())
    return 0 if good else FAILED
