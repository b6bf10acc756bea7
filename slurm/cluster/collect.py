"""slurm/collect: verifies a study's traces, merges, reports. The study's last job; also by hand, at any time."""
from __future__ import annotations

import argparse
import csv
import io
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py

from studies.runner import Job, find_program, is_done, read_plan, write_whole
from studies.study_file import StudyError

from .folder import DONE, INTERRUPTED, SUBFOLDERS, Folder, Standing, counts, standings, trace_status, verify
from .start import ROOT
from .status import ask_queue

FAILED = 1


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="slurm/collect",
        description="Verifies every trace of a study, sets damaged ones aside (RUN.h5.damaged), writes runs.csv (a line a "
        "run: how it stands, its setting, all figures of its summary) and the report. "
        "Exit status: 0 all runs are done and verified, 1 not, 2 bad input.")
    p.add_argument("study", type=Path, help="the study's folder")
    p.add_argument("--merge", type=Path, action="append", default=[], metavar="FOLDER",
                   help="first take over what this study has: its plan, and its whole traces; may be given again")
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
    plans = sorted(other.glob("*.study.json"))
    if not plans or other.resolve() == into.resolve():
        raise StudyError(f"--merge {other}: {'is the study itself' if plans else 'no study there (no *.study.json)'}")
    for name in SUBFOLDERS:
        (into / name).mkdir(parents=True, exist_ok=True)
    came = 0
    for plan in plans:
        target = into / plan.name
        # Another's plan of the same name may hold other runs: it is kept beside ours under a name of its own.
        number = 2
        while target.exists() and target.read_bytes() != plan.read_bytes():
            target = into / f"{plan.name.removesuffix('.study.json')}-{number}.study.json"
            number += 1
        copy_whole(plan, target)
        for theirs in read_plan(plan):
            ours = Job(theirs.run, into / theirs.path.name, theirs.ini)
            write_whole(into / "configs" / f"{ours.path.stem}.ini", ours.ini)
            if not is_done(ours) and is_done(theirs):
                copy_whole(theirs.path, ours.path)
                came += 1
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
        aside = path.with_name(path.name + ".damaged")
        path.replace(aside)
        moved.append(aside)
    return moved


def write_table(folder: Path, found: list[Standing], objections: dict[Path, str]) -> None:
    rows = []
    for s in found:
        row: dict[str, object] = {"file": s.job.path.name, "study": s.job.run.study, "algorithm": s.job.run.algorithm,
                                  "seed": s.job.run.seed, "state": s.state, "why": s.why,
                                  "verified": {"": "yes"}.get(objections.get(s.job.path, "no"), "no")}
        row |= {f"setting.{k}": v for k, v in s.job.run.setting.items()}
        if s.state == DONE:
            with h5py.File(s.job.path, "r") as file:
                row |= {name: file.attrs[name] for name in ("status", "verdict", "software_version", "commit")}
                row |= dict(file["summary"].attrs)
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "runs.csv", text.getvalue())


def report(folder: Path) -> bool:
    options = shlex.split(os.environ.get("QUANTIMED_REPORT_OPTIONS", ""))
    done = subprocess.run([sys.executable, str(ROOT / "analysis" / "quantimed-report"), str(folder), *options])
    return done.returncode == 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    program = find_program()
    for other in args.merge:
        print(f"{other}: {merge(args.study, other)} traces taken over")
    folder = Folder(args.study)
    jobs = folder.jobs()
    tasks, trouble = ask_queue(folder)
    found = standings(folder, jobs, tasks)
    if not trouble or not any(folder.submissions()):  # else a file may be someone's at this moment
        for aside in set_damaged_aside(found, set(folder.live_tasks(tasks))):
            print(f"damaged, set aside: {aside.name}", file=sys.stderr)
    traces = [s.job.path for s in found if s.state == DONE]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objections = dict(zip(traces, pool.map(lambda trace: verify(program, trace), traces)))
    for path, objection in objections.items():
        if objection:
            print(f"not verified: {path.name}: {objection}", file=sys.stderr)
    write_table(args.study, found, objections)
    commits = {commit_of(path) for path in traces}
    if len(commits) > 1:
        print(f"made by several versions of the program: {', '.join(sorted(commits))}", file=sys.stderr)
    reported = args.no_report or report(args.study)
    print(f"{args.study}: {counts(found)}; {sum(not o for o in objections.values())} verified")
    good = reported and all(s.state == DONE for s in found) and not any(objections.values())
    return 0 if good else FAILED


def commit_of(path: Path) -> str:
    with h5py.File(path, "r") as file:
        return str(file.attrs["commit"])
