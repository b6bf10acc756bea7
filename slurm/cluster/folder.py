# SPDX-License-Identifier: BSD-3-Clause
"""A study's folder: what lies where (slurm/README.md has the table), and what its jobs wrote down."""
from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studies.job import Job
from studies.runner import plans_in, write_whole
from studies.study_file import StudyError

from .queue import WAITING, Task

SUBFOLDERS = ("configs", "submissions", "history", "logs")
NO_REPORT = "none"  # as QUANTIMED_REPORT_OPTIONS
WHEN = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True)
class Event:
    """A line of history/RUN.tsv, as study.sbatch writes it."""
    when: str
    what: str  # start; then end, cut (by the time limit) or cancelled
    status: str
    task: str  # job/index
    node: str
    restarts: str


@dataclass(frozen=True)
class TaskEvent:
    """A line of submissions/N/task-K.tsv."""
    when: str
    what: str
    status: str
    node: str
    restarts: str
    cores: str
    memory_mib: str
    processor_s: str


@dataclass(frozen=True)
class Place:
    """Where a run was submitted last: task K of submission N, the array's id where it is known."""
    submission: int
    index: str
    array: str

    @property
    def task(self) -> str:
        return f"{self.array}/{self.index}"


def seconds_of(when: str) -> float:
    try:
        return datetime.strptime(when, WHEN).timestamp()
    except ValueError:
        return float("nan")


def stem(job: Job) -> str:
    return job.path.stem


def lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def last_line(path: Path) -> str:
    said = [line.strip() for line in lines_of(path) if line.strip()]
    said = [line for line in said if not line.startswith("srun: ")] or said  # which only tells that a rank has ended
    last = said[-1].removeprefix("quantimed: ") if said else ""
    return "".join(c if c.isprintable() else "?" for c in last)  # a log is not to command the terminal


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def jobs(self) -> list[Job]:
        """Of all plans in the folder; two that share a run share its file."""
        if not any(self.path.glob("*.study.json")):
            raise StudyError(f"{self.path}: no study here (no *.study.json); slurm/submit makes one")
        return plans_in(self.path)

    def owners(self) -> list[int]:
        """Whose jobs they are, where a colleague looks."""
        try:
            return [self.path.stat().st_uid]
        except OSError:
            return []

    def job_name(self) -> str:
        """Begins the names of all this study's jobs, and of no other's."""
        where = self.path.resolve()
        return f"{re.sub(r'[^A-Za-z0-9_-]', '-', where.name)}.{hashlib.sha256(str(where).encode()).hexdigest()[:8]}."

    def write_configs(self, jobs: list[Job]) -> None:
        for name in SUBFOLDERS:
            (self.path / name).mkdir(exist_ok=True)
        for job in jobs:
            file = self.path / "configs" / f"{stem(job)}.ini"
            if not file.is_file() or file.read_text(encoding="utf-8") != job.ini:
                write_whole(file, job.ini)

    def submissions(self) -> list[Path]:
        folder = self.path / "submissions"
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted((p for p in found if p.name.isdecimal()), key=lambda p: int(p.name))

    def is_to_report(self) -> bool:
        """Whether the last submission's collection makes a report, or tables alone."""
        try:
            return bool(json.loads((self.submissions()[-1] / "submission.json").read_text(encoding="utf-8")).get("report", True))
        except (IndexError, OSError, ValueError, AttributeError):
            return True

    def is_collected(self, with_report: bool, traces: Iterable[Path]) -> bool:
        """Whether there is what a collection makes of these traces."""
        try:
            made = self.made(with_report).stat().st_mtime
        except OSError:
            return False
        return all(path.stat().st_mtime <= made for path in traces)

    def made(self, with_report: bool) -> Path:
        return self.path / "report" / "index.html" if with_report else self.path / "runs.csv"

    def job_ids(self, submission: Path) -> tuple[str, str]:
        """The array's and the collection's; empty where there is none, or it was never written down."""
        text = "\n".join(lines_of(submission / "jobs.txt"))
        array, collection = (re.search(rf"^{what} (\d+)", text, re.MULTILINE) for what in ("array", "collection"))
        return array[1] if array else "", collection[1] if collection else ""

    def places(self) -> dict[str, Place]:
        """By run; of several submissions the last."""
        found: dict[str, Place] = {}
        for submission in self.submissions():
            array, _ = self.job_ids(submission)
            for file in submission.glob("task-*.txt"):
                index = file.stem.removeprefix("task-")
                found |= {run: Place(int(submission.name), index, array) for run in lines_of(file)}
        return found

    def history(self, run: str) -> list[Event]:
        lines = lines_of(self.path / "history" / f"{run}.tsv")
        return [Event(*parts) for line in lines if len(parts := line.split("\t")) == 6 and parts[5].isdecimal()]

    def task_history(self, submission: int, index: str) -> list[TaskEvent]:
        lines = lines_of(self.path / "submissions" / str(submission) / f"task-{index}.tsv")
        return [TaskEvent(*parts) for line in lines if len(parts := line.split("\t")) == 8 and (parts[4] + parts[5]).isdecimal()]

    def task_log(self, place: Place) -> Path:
        return self.path / "submissions" / str(place.submission) / f"task-{place.index}.log"

    def run_log(self, run: str) -> Path:
        return self.path / "logs" / f"{run}.log"

    def submission_of(self, task: Task) -> int:
        number = task.name.removeprefix(self.job_name()).partition(".")[0]
        return int(number) if number.isdecimal() else 0

    def runs_of(self, task: Task) -> list[str]:
        return lines_of(self.path / "submissions" / str(self.submission_of(task)) / f"task-{task.index}.txt")

    def live_tasks(self, tasks: list[Task]) -> dict[str, Task]:
        """By run: the task that is queued for it, or running. Of several the one that runs."""
        found: dict[str, Task] = {}
        for task in sorted((t for t in tasks if t.live and not t.is_collection), key=lambda t: t.state not in WAITING):
            found.update((run, task) for run in self.runs_of(task))
        return found


def verify(program: Path, trace: Path) -> str:
    """What `quantimed verify` objects to; nothing where all invariants hold. An INVALID verdict (5) is a finding about the
    run's figures, not about the file; a file that was changed since it was written (5, too) is."""
    done = subprocess.run([str(program), "verify", "--quiet", str(trace)], capture_output=True, text=True)
    if done.returncode == 0 or (done.returncode == 5 and ", INVALID, " in done.stdout):
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "; ".join(lines[1:] or lines).removeprefix("quantimed: ") or f"verify: exit status {done.returncode}"
