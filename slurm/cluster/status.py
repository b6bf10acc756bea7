"""slurm/status: a study at a glance."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from studies.study_file import StudyError

from .folder import DONE, STATES, Folder, counts, standings
from .queue import Task, tasks_named

NOT_YET = 1


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="slurm/status",
        description="How each run of a study stands, and why. It asks the traces themselves, the queue, and what each "
        "task wrote down. Exit status: 0 all done, 1 not yet, 2 bad input.")
    p.add_argument("study", type=Path, help="the study's folder")
    p.add_argument("--all", action="store_true", help="list the runs that are done, too")
    return p


def ask_queue(folder: Folder) -> tuple[list[Task], str]:
    try:
        return tasks_named(folder.job_name()), ""
    except StudyError as error:  # a study that was moved off its cluster can still be looked at
        return [], str(error)


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    folder = Folder(args.study)
    jobs = folder.jobs()
    tasks, trouble = ask_queue(folder)
    found = standings(folder, jobs, tasks)
    print(f"{args.study}: {counts(found)}")
    for state in STATES:
        for s in found:
            if s.state == state and (state != DONE or args.all or s.why):
                print(f"  {state:11} {s.job.run.label()}{': ' if s.why else ''}{s.why}  [{s.job.path.stem}]")
    for task in tasks:
        if task.live and task.name.endswith(".collect"):
            print(f"  collection  {task.text()} {task.state.lower()}: {task.reason}")
    report = args.study / "report" / "index.html"
    if report.is_file():
        print(f"  report      {report}")
    if trouble:
        print(f"  the queue could not be read, so nothing counts as running or pending: {trouble}", file=sys.stderr)
    return 0 if all(s.state == DONE for s in found) else NOT_YET
