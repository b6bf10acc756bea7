"""A study's folder: what lies where (slurm/README.md has the table), and how each run stands."""
from __future__ import annotations

import hashlib
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import h5py

from studies.runner import Job, is_done, read_plan, write_whole
from studies.study_file import StudyError

from .queue import WAITING, Task, accounting

DONE, RUNNING, PENDING, INTERRUPTED, FAILED, MISSING = "done", "running", "pending", "interrupted", "failed", "missing"
STATES = (DONE, RUNNING, PENDING, INTERRUPTED, FAILED, MISSING)
CUT = 75
SUBFOLDERS = ("configs", "submissions", "history", "logs")


@dataclass(frozen=True)
class Event:
    """A line of history/RUN.tsv, as study.sbatch writes it."""
    when: str
    what: str  # start or end
    status: str
    task: str  # job/index
    node: str
    restarts: str


@dataclass(frozen=True)
class Standing:
    job: Job
    state: str
    why: str = ""


def stem(job: Job) -> str:
    return job.path.stem


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def jobs(self) -> list[Job]:
        """Of all plans in the folder; two that share a run share its file."""
        plans = sorted(self.path.glob("*.study.json"))
        if not plans:
            raise StudyError(f"{self.path}: no study here (no *.study.json); slurm/submit makes one")
        return list({job.path.name: job for plan in plans for job in read_plan(plan)}.values())

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

    def history(self, run: str) -> list[Event]:
        try:
            lines = (self.path / "history" / f"{run}.tsv").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        return [Event(*parts) for line in lines if len(parts := line.split("\t")) == 6]

    def last_words(self, run: str) -> str:
        try:
            lines = (self.path / "logs" / f"{run}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        last = said[-1].removeprefix("quantimed: ") if said else ""
        return "".join(c if c.isprintable() else "?" for c in last)  # a log is not to command the terminal

    def live_tasks(self, tasks: list[Task]) -> dict[str, Task]:
        """By run: the task that is queued for it, or running. Of several the one that runs."""
        found: dict[str, Task] = {}
        for task in sorted((t for t in tasks if t.live), key=lambda t: t.state not in WAITING):
            number = task.name.removeprefix(self.job_name()).partition(".")[0]
            file = self.path / "submissions" / number / f"task-{task.index}.txt"
            if file.is_file():
                found.update((run, task) for run in file.read_text(encoding="utf-8").split())
        return found


def standings(folder: Folder, jobs: list[Job], tasks: list[Task]) -> list[Standing]:
    live = folder.live_tasks(tasks)
    ended = {f"{t.job}/{t.index}": t for t in tasks if not t.live}
    return [standing(folder, job, live.get(stem(job)), ended) for job in jobs]


def standing(folder: Folder, job: Job, task: Task | None, ended: dict[str, Task]) -> Standing:
    if is_done(job):
        return Standing(job, DONE, "diverged" if trace_status(job.path) == "diverged" else "")
    history = folder.history(stem(job))
    last = history[-1] if history else None
    if task:
        if task.state in WAITING:
            restarts = f", went {last.restarts} times before" if last and last.restarts != "0" else ""
            return Standing(job, PENDING, f"{task.text()}: {task.reason}{restarts}")
        if last and last.what == "start" and last.task == f"{task.job}/{task.index}":
            return Standing(job, RUNNING, f"{task.text()} on {task.node} since {last.when}")
        if not last or last.task != f"{task.job}/{task.index}":
            return Standing(job, PENDING, f"{task.text()} on {task.node}: its turn in the pack is to come")
    if not last:
        if job.path.exists():
            return Standing(job, MISSING, f"{job.path.name} is damaged, or of another run")
        return Standing(job, MISSING, "never started")
    where = f"job {last.task.replace('/', '_')} on {last.node}"
    if last.what == "start":
        return Standing(job, FAILED, f"{where} ended without a word: {how_it_ended(last, ended)}")
    if last.status == str(CUT):
        checkpoint = job.path.exists() or job.path.with_name(job.path.name + ".partial").exists()
        return Standing(job, INTERRUPTED, f"{where}; submit again, and it "
                        + ("goes on" if checkpoint else "starts anew: it had no checkpoint yet"))
    if last.status in ("0", "3"):
        return Standing(job, MISSING, f"{where} finished it, but {job.path.name} is "
                        + ("damaged, or of another run" if job.path.exists() else "gone"))
    return Standing(job, FAILED, f"{where}, exit status {last.status}: {folder.last_words(stem(job))}")


def how_it_ended(last: Event, ended: dict[str, Task]) -> str:
    if task := ended.get(last.task):
        return task.state.lower() + (f", {task.reason}" if task.reason not in ("", "None") else "")
    job, _, index = last.task.partition("/")
    return accounting(job, index) or "killed, or its node failed; see submissions/*/task-*.log"


def trace_status(path: Path) -> str:
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs["status"])
    except (OSError, KeyError, ValueError, RuntimeError):
        return "unreadable"


def counts(found: list[Standing]) -> str:
    by_state = Counter(s.state for s in found)
    return f"{len(found)} runs: " + ", ".join(f"{by_state[state]} {state}" for state in STATES if by_state[state])


def verify(program: Path, trace: Path) -> str:
    """What `quantimed verify` objects to; nothing where all invariants hold."""
    done = subprocess.run([str(program), "verify", "--quiet", str(trace)], capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "; ".join(lines[1:] or lines).removeprefix("quantimed: ") or f"verify: exit status {done.returncode}"
