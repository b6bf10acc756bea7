# SPDX-License-Identifier: BSD-3-Clause
"""How each run of a study stands, and why: from the traces, from what the jobs wrote down, and from SLURM."""
from __future__ import annotations

import re
import signal
from collections import Counter
from dataclasses import dataclass, field

import h5py

from studies.job import DONE as IS_DONE
from studies.job import OTHER, UNREADABLE, Job, look

from .folder import Event, Folder, Place, last_line, seconds_of, stem
from .progress import Progress, progress_of
from .queue import WAITING, Task, accounting

DONE, RUNNING, PENDING, INTERRUPTED, FAILED, MISSING, UNKNOWN = (
    "done", "running", "pending", "interrupted", "failed", "missing", "unknown")
STATES = (DONE, RUNNING, PENDING, INTERRUPTED, FAILED, MISSING, UNKNOWN)
CUT, REFUSED = 75, 4


@dataclass(frozen=True)
class Standing:
    job: Job
    state: str
    why: str = ""  # the same words for runs that stand in the same way
    where: str = ""  # this run's own: job, node, since when
    cuts: int = 0  # how often it was started again
    progress: Progress | None = None
    memory: bool = False  # it failed, and probably for want of memory
    again: bool = field(default=False, compare=False)  # it failed in a way that another attempt may not

    def text(self) -> str:
        went = f"; started again {times(self.cuts)}" if self.cuts and self.state != DONE else ""
        text = ", ".join(part for part in (self.why, self.where) if part) + went
        return text + (f"; {self.progress.text()}" if self.progress else "")


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


@dataclass(frozen=True)
class Queue:
    """What SLURM knows of a study's jobs; `silent`: why it could not be asked."""
    tasks: list[Task]
    silent: str = ""

    def ended(self) -> dict[str, Task]:
        return {f"{t.job}/{t.index}": t for t in self.tasks if not t.live}


def standings(folder: Folder, jobs: list[Job], queue: Queue) -> list[Standing]:
    live, ended, places = folder.live_tasks(queue.tasks), queue.ended(), folder.places()
    return [standing(folder, job, live.get(stem(job)), places.get(stem(job)), ended, queue.silent) for job in jobs]


def standing(folder: Folder, job: Job, task: Task | None, place: Place | None, ended: dict[str, Task], silent: str) -> Standing:
    found = look(job)
    if found.state == IS_DONE:
        return Standing(job, DONE, "diverged" if found.why == "diverged" else "")
    history = folder.history(stem(job))
    last = history[-1] if history else None
    cuts = max(0, sum(event.what == "start" for event in history) - 1)
    if task and (one := of_live(folder, job, task, last, cuts)):
        return one
    if place is None:
        what = f"{found.why}: not this run" if found.state == OTHER else "never submitted"
        return Standing(job, MISSING, what) if not last else of_history(folder, job, last, ended, cuts, silent)
    if last and (last.task == place.task or not place.array):
        return of_history(folder, job, last, ended, cuts, silent)
    return of_task(folder, job, place, ended, cuts, silent)


def of_live(folder: Folder, job: Job, task: Task, last: Event | None, cuts: int) -> Standing | None:
    mine = last is not None and last.task == f"{task.job}/{task.index}"
    events = folder.task_history(folder.submission_of(task), task.index)
    if task.state in WAITING:
        cut = sum(event.what == "cut" for event in events)
        why = f"waits ({task.reason})" + (f", cut by its time limit {times(cut)}, then resumes" if cut else "")
        return Standing(job, PENDING, why if not task.never else never_text(task), task.text(), progress=progress_of(job) if last else None)
    attempt = max((event.restarts for event in events if event.what == "start"), key=int, default="0")
    if not mine or last and int(last.restarts) < int(attempt):  # what there is of it is of an earlier start of its task
        alone = len(folder.runs_of(task)) <= 1
        return Standing(job, PENDING, "starting" if alone else "its turn in the pack is to come", f"{task.text()} on {task.node}", cuts,
                        progress_of(job) if last else None)
    if last and last.what == "start":
        return Standing(job, RUNNING, "", f"{task.text()} on {task.node} since {last.when}", cuts, progress_of(job, seconds_of(last.when)))
    if last and last.what == "cut":
        return Standing(job, PENDING, "cut by its time limit, resumes when its task starts again", task.text(), cuts, progress_of(job))
    return None  # this run ended, others of its pack are going on


def never_text(task: Task) -> str:
    if task.held:
        return f"held ({task.reason}): scontrol release {task.job} starts it, scancel {task.job} ends it"
    return f"will never start ({task.reason}): scancel {task.job}, then submit again"


def of_task(folder: Folder, job: Job, place: Place, ended: dict[str, Task], cuts: int, silent: str) -> Standing:
    """Its task is over, and wrote nothing of this run: it ended before the run began."""
    name = f"job {place.array}_{place.index}" if place.array else f"task {place.index} of submission {place.submission}"
    task = ended.get(place.task)
    events = folder.task_history(place.submission, place.index)
    said = last_line(folder.task_log(place))
    said = f": {said}" if said else ""
    progress = progress_of(job)
    if task and task.state == "CANCELLED" or events and events[-1].what == "cancelled":
        again = "cancelled before it started again; submit again, and it resumes"
        return Standing(job, INTERRUPTED, again, name, cuts, progress) if progress else \
            Standing(job, MISSING, "cancelled before it started; submit again", name, cuts)
    if events and events[-1].what in ("end", "cut") and events[-1].status != "0":
        return Standing(job, FAILED, f"its job failed before it started: exit status {events[-1].status}{said}",
                        f"{name} on {events[-1].node}", cuts, progress)
    if task:
        reason = "" if task.reason in ("", "None") else f", {task.reason}"
        return Standing(job, FAILED, f"its job failed before it started: {task.state.lower()}{reason}{said}", name, cuts, progress, again=True)
    if silent:
        return Standing(job, UNKNOWN, f"SLURM cannot be asked: {silent}", name, cuts, progress)
    if not place.array and not said:
        return Standing(job, MISSING, "never taken by SLURM; submit again", name, cuts, progress)
    how = accounting(place.array, place.index) if place.array else ""
    if how.startswith("cancelled"):
        return Standing(job, MISSING, "cancelled before it started; submit again", name, cuts)
    return Standing(job, FAILED if said or how else MISSING, f"its job ended before it started{f' ({how})' if how else ''}{said}", name,
                    cuts, progress, again=True)


def of_history(folder: Folder, job: Job, last: Event, ended: dict[str, Task], cuts: int, silent: str) -> Standing:
    where = f"job {last.task.replace('/', '_')} on {last.node}"
    how = ended.get(last.task)
    if last.what == "start":
        if silent and how is None:
            return Standing(job, UNKNOWN, f"SLURM cannot be asked: {silent}", f"{where} since {last.when}", cuts, progress_of(job))
        state = how_it_ended(last, how)
        memory = "memory" in state.lower()
        return Standing(job, FAILED, f"ended without a word: {state}{'; give more --mem' if memory else ''}", where, cuts,
                        progress_of(job), memory=memory, again=True)
    if last.status == str(CUT):
        progress = progress_of(job)
        then = "submit again, and it " + ("resumes" if progress else "starts from its beginning: it had no checkpoint yet")
        if last.what == "cut":
            return Standing(job, INTERRUPTED, f"cut by its time limit; {then}", where, cuts, progress, again=True)
        state = how.state.lower() if how and how.state != "COMPLETED" else ""
        stopped = state if state in ("cancelled", "preempted", "node_fail") else "stopped (scancel, preemption, or its node was shut down)"
        return Standing(job, INTERRUPTED, f"{stopped}; {then}", where, cuts, progress)
    if last.status in ("0", "3"):
        found = look(job)
        return Standing(job, MISSING, f"it was finished, but {found.why or f'{job.path.name} is gone'}", where, cuts)
    return failed(folder, job, int(last.status) if last.status.isdecimal() else 1, where, how, cuts)


def failed(folder: Folder, job: Job, status: int, where: str, how: Task | None, cuts: int) -> Standing:
    progress = progress_of(job)
    if status > 128:
        number = status - 128
        name = signal.Signals(number).name if number in signal.Signals._value2member_map_ else str(number)
        memory = number == signal.SIGKILL
        cause = ": out of memory" if how and how.state == "OUT_OF_MEMORY" else ", probably out of memory" if memory else ""
        cure = "; give more --mem" if memory else ""
        return Standing(job, FAILED, f"killed by signal {number} ({name}){cause}{cure}", where, cuts, progress, memory, again=True)
    said = last_line(folder.run_log(stem(job)))
    for own in (stem(job), f"seed {job.run.seed}"):  # else no two would say the same
        said = said.replace(own, "…")
    if status == REFUSED:
        return Standing(job, FAILED, f"the machine refused: {said}", where, cuts, progress,
                        bool(re.search("memory|[GM]iB", said)), again=True)
    return Standing(job, FAILED, f"exit status {status}: {said}", where, cuts, progress, again=status != 2)


def how_it_ended(last: Event, how: Task | None) -> str:
    if how:
        return how.state.lower().replace("_", " ") + (f", {how.reason}" if how.reason not in ("", "None") else "")
    job, _, index = last.task.partition("/")
    return accounting(job, index) or "killed, or its node failed; see submissions/*/task-*.log"


def trace_status(path) -> str:
    try:
        with h5py.File(path, "r") as file:
            return str(file.attrs["status"])
    except UNREADABLE:
        return "unreadable"


def counts(found: list[Standing]) -> str:
    by_state = Counter(s.state for s in found)
    return f"{len(found)} runs: " + ", ".join(f"{by_state[state]} {state}" for state in STATES if by_state[state])
