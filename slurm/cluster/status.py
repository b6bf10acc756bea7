# SPDX-License-Identifier: BSD-3-Clause
"""slurm/status: a study at a glance."""
from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from command_line import Parser
from studies.job import others_in, others_text
from studies.study_file import StudyError

from . import nodes, retry, usage
from .folder import Folder, last_line, stem
from .queue import NO_SLURM, Task, accounts, tasks_named, why_silent
from .standing import DONE, FAILED, RUNNING, STATES, Queue, Standing, counts, never_text, standings
from .start import ROOT

NOT_YET = 1
MOST_LINES = 20  # of runs that stand in the same state, each for its own reason


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="slurm/status",
        description="How each run of a study stands, and why. It asks the traces themselves, the queue, and what each "
        "task wrote down. Runs that stand in the same way are one line. Exit status: 0 all done and reported on, 1 not yet, "
        "2 bad input.")
    p.add_argument("study", type=Path, help="the study's folder")
    p.add_argument("--all", action="store_true", help="a line for every run")
    p.add_argument("--failed", action="store_true", help="only runs that failed, each with its log")
    p.add_argument("--log", metavar="RUN", help="print what a run said, and its history: its name, or the beginning of it")
    p.add_argument("--json", action="store_true", help="everything as one JSON document")
    p.add_argument("--watch", nargs="?", type=float, const=10.0, metavar="SECONDS",
                   help="again every so many seconds, until no job is left [10]")
    return p


def ask_queue(folder: Folder) -> Queue:
    accounts.cache_clear()
    if silent := why_silent():
        return Queue([], silent)
    try:
        return Queue(tasks_named(folder.job_name(), folder.owners(), just_a_look=True))
    except StudyError as error:
        return Queue([], str(error))


@dataclass(frozen=True)
class Picture:
    """All that status tells."""
    folder: Folder
    found: list[Standing]
    queue: Queue
    collection: str  # what is wrong with it, or how it stands; empty where there is nothing to say
    report_missing: bool
    not_in_plan: str
    attempts: list[usage.Attempt]
    peaks: dict[str, float]  # of memory, by task
    bad_nodes: str
    retries: str  # what is to come by itself

    @property
    def is_good(self) -> bool:
        return all(s.state == DONE for s in self.found) and not self.report_missing

    @property
    def is_over(self) -> bool:
        if self.queue.silent:
            return self.queue.silent.startswith(NO_SLURM)
        return not any(task.live for task in self.queue.tasks)


def look_at(path: Path) -> Picture:
    folder = Folder(path)
    jobs = folder.jobs()
    queue = ask_queue(folder)
    found = standings(folder, jobs, queue)
    collection, missing = of_collection(folder, found, queue)
    live = {f"{t.job}_{t.index}" for t in queue.tasks if t.live}
    return Picture(folder, found, queue, collection, missing, strangers(folder, jobs, queue.tasks), usage.attempts(folder, live),
                   usage.peaks(folder, found), "" if all(s.state == DONE for s in found) else nodes.of_last_submission(folder).text(),
                   retry.attempt_text(folder, found) if any(t.live and t.is_collection for t in queue.tasks) else "")


def strangers(folder: Folder, jobs: list, tasks: list[Task]) -> str:
    """Traces and queued runs that belong to an earlier form of the study."""
    ours = {stem(job) for job in jobs}
    parts = [text] if (text := others_text(others_in(folder.path, jobs))) else []
    queued: dict[str, int] = {}
    for task in tasks:
        if task.live and not task.is_collection and (others := [run for run in folder.runs_of(task) if run not in ours]):
            queued[task.job] = queued.get(task.job, 0) + len(others)
    if queued:
        parts.append(f"{sum(queued.values())} runs queued or running (scancel {' '.join(queued)} stops them)")
    return f"not in the plan: {', '.join(parts)}; kept, and in no table" if parts else ""


def of_collection(folder: Folder, found: list[Standing], queue: Queue) -> tuple[str, bool]:
    """How the job that collects stands, and whether all is done but the report of it is missing or older."""
    submissions = folder.submissions()
    with_report, traces = folder.is_to_report(), [s.job.path for s in found if s.state == DONE]
    is_missing = bool(submissions and traces) and len(traces) == len(found) and not folder.is_collected(with_report, traces)
    for task in queue.tasks:
        if task.live and task.is_collection:
            return f"{task.text()} {never_text(task) if task.never else f'{task.state.lower()}: {task.reason}'}", is_missing
    if not is_missing:
        return "", False
    _, job = folder.job_ids(submissions[-1])
    ended = next((t for t in queue.tasks if t.job == job), None)
    log = submissions[-1] / "collect.log"
    how = f"job {job or 'of the collection'} " + (
        ended.state.lower().replace("_", " ") if ended else "has ended" if not queue.silent else "may have ended, SLURM cannot be asked")
    said = f" ({line})" if (line := last_line(log)) else ""
    what = ("report" if with_report else "tables") + (" of the newest runs" if folder.made(with_report).is_file() else "")
    return f"no {what}: {how}, see {log}{said}; {command('collect', folder.path)} makes {'it' if with_report else 'them'}", True


def command(name: str, path: Path) -> str:
    """A line to paste, from wherever the user is."""
    tool = ROOT / "slurm" / name
    try:
        text = str(tool.relative_to(Path.cwd()))
    except ValueError:
        text = str(tool)
    where = str(path)
    return f"{shlex.quote(text)} {shlex.quote('./' + where if where.startswith('-') else where)}"


def grouped(found: list[Standing], every: bool) -> list[str]:
    groups: dict[tuple[str, str], list[Standing]] = {}
    for s in found:
        groups.setdefault((s.state, s.why), []).append(s)
    lines = []
    for state in STATES:
        mine = {why: group for (its, why), group in groups.items() if its == state}
        for why, group in mine.items():
            if state == DONE and not why and not every:
                continue
            if every or len(group) == 1 or (state == RUNNING and len(group) <= MOST_LINES):
                lines += [f"  {state:11} {s.job.run.label()}{': ' if s.text() else ''}{s.text()}  [{stem(s.job)}]" for s in group]
            else:
                first = f": first {group[0].job.run.label()}" + (f", {group[0].where}" if group[0].where else "")
                lines.append(f"  {state:11} {len(group)} runs{f': {why}' if why else ''}{first}  [{stem(group[0].job)}]")
    return lines


def text_of(picture: Picture, args: argparse.Namespace) -> str:
    path = picture.folder.path
    lines = [f"{path}: {counts(picture.found)}"]
    if args.failed:
        for s in picture.found:
            if s.state == FAILED:
                log = picture.folder.run_log(stem(s.job))
                lines.append(f"  {s.job.run.label()}: {s.text()}\n    {log if log.is_file() else 'no log of its own'}")
        return "\n".join(lines)
    lines += grouped(picture.found, args.all)
    if picture.not_in_plan:
        lines.append(f"  {picture.not_in_plan}")
    if picture.bad_nodes:
        lines.append(f"  bad node    {picture.bad_nodes}")
    if picture.retries:
        lines.append(f"  retries     {picture.retries}")
    if text := usage.summary(picture.attempts, picture.peaks):
        lines.append(f"  jobs        {text}")
    if picture.collection:
        lines.append(f"  collection  {picture.collection}")
    report = path / "report" / "index.html"
    if report.is_file():
        lines.append(f"  report      {report}")
    return "\n".join(lines)


def as_json(picture: Picture) -> str:
    folder = picture.folder
    runs = [{"file": s.job.path.name, "algorithm": s.job.run.algorithm, "seed": s.job.run.seed, "setting": s.job.run.setting,
             "state": s.state, "why": s.why, "where": s.where, "starts_again": s.cuts, "log": str(folder.run_log(stem(s.job))),
             **({"iteration": s.progress.iteration, "iterations": s.progress.iterations, "share": s.progress.share,
                 "left_s": s.progress.left_s if s.progress.left_s == s.progress.left_s else None} if s.progress else {})}
            for s in picture.found]
    states = {state: sum(s.state == state for s in picture.found) for state in STATES}
    return json.dumps({"study": str(folder.path), "counts": states, "runs": runs, "not_in_plan": picture.not_in_plan,
                       "collection": picture.collection, "report_missing": picture.report_missing,
                       "bad_nodes": picture.bad_nodes, "retries": picture.retries, "jobs": usage.summary(picture.attempts, picture.peaks),
                       "slurm": picture.queue.silent or "answers", "good": picture.is_good}, indent=1)


def print_log(folder: Folder, name: str) -> int:
    runs = [stem(job) for job in folder.jobs()]
    found = [run for run in runs if run == name.removesuffix(".h5")] or [run for run in runs if run.startswith(name)]
    if len(found) != 1:
        raise StudyError(f"--log {name}: {'begins the names of several runs: ' + ', '.join(found[:5]) if found else 'no run of this name'}")
    for event in folder.history(found[0]):
        print(f"# {event.when} {event.what} {event.status} job {event.task.replace('/', '_')} on {event.node}")
    log = folder.run_log(found[0])
    print(f"# {log}" + ("" if log.is_file() else ": not there; the run has not started"))
    if log.is_file():
        print("".join(c if c.isprintable() or c == "\n" else "?" for c in log.read_text(encoding="utf-8", errors="replace")), end="")
    place = folder.places().get(found[0])
    if place and folder.task_log(place).is_file():
        print(f"# its job's: {folder.task_log(place)}")
    return 0


def main(argv: list[str]) -> int:
    args = parser().parse_args(argv)
    if args.log is not None:
        return print_log(Folder(args.study), args.log)
    if args.watch is not None and args.watch <= 0:
        raise StudyError(f"--watch {args.watch:g}: give a number of seconds above 0")
    while True:
        picture = look_at(args.study)
        clear = "\033[H\033[J" if args.watch is not None and sys.stdout.isatty() else ""
        print(clear + (as_json(picture) if args.json else text_of(picture, args)), flush=True)
        if picture.queue.silent and not args.json:
            print(f"  SLURM could not be asked, so nothing counts as running or pending: {picture.queue.silent}", file=sys.stderr)
        if args.watch is None or picture.is_over:
            return 0 if picture.is_good else NOT_YET
        time.sleep(args.watch)
