# SPDX-License-Identifier: BSD-3-Clause
"""What the tasks of a study used of what they asked for, from what each wrote down; no accounting is needed."""
from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py

from studies.job import UNREADABLE

from .folder import Folder, TaskEvent, last_line, seconds_of, stem
from .progress import duration
from .standing import DONE, Standing


@dataclass(frozen=True)
class Attempt:
    """One time that a task ran: from one start to its end, or to the next start."""
    task: str  # job_index
    node: str
    restarts: int
    waited_s: float  # since it was submitted, or since the attempt before ended; NaN: not known
    began: str
    lasted_s: float
    ended: str  # end, cut, cancelled; "running", or "no word" where the next attempt began without an end
    status: str
    cores: int
    memory_mib: str  # asked for; empty where SLURM says nothing of it
    processor_s: float
    time_limit: str  # as it was asked for

    @property
    def asked_core_h(self) -> float:
        return self.cores * self.lasted_s / 3600

    @property
    def used_core_h(self) -> float:
        return self.processor_s / 3600


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def attempts(folder: Folder, live: set[str]) -> list[Attempt]:
    """`live`: the tasks that run now, as job_index."""
    found = []
    for submission in folder.submissions():
        array, _ = folder.job_ids(submission)
        submitted, limit = seconds_of(last_line(submission / "submitted.txt")), asked(submission).get("time", "")
        for file in sorted(submission.glob("task-*.tsv"), key=lambda p: int(p.stem.removeprefix("task-"))):
            index = file.stem.removeprefix("task-")
            found += of_task(f"{array or '?'}_{index}", folder.task_history(int(submission.name), index), submitted, live, limit)
    return found


def asked(submission: Path) -> dict[str, str]:
    """The site's values that it was submitted with."""
    try:
        return dict(json.loads((submission / "submission.json").read_text(encoding="utf-8"))["values"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def peaks(folder: Folder, found: Iterable[Standing]) -> dict[str, float]:
    """MiB by task: of the largest run that was done there, as the program saw itself."""
    most: dict[str, float] = {}
    for s in found:
        if s.state != DONE or not (history := folder.history(stem(s.job))):
            continue
        try:
            with h5py.File(s.job.path, "r") as file:
                mib = float(file["summary"].attrs["peak_memory_bytes"]) / 2**20
        except UNREADABLE:
            continue
        task = history[-1].task.replace("/", "_")
        most[task] = max(most.get(task, 0.0), round(mib, 1))
    return most


def of_task(name: str, events: list[TaskEvent], ready_s: float, live: set[str], limit: str) -> list[Attempt]:
    found = []
    for k, start in enumerate(events):
        if start.what != "start":
            continue
        end = events[k + 1] if k + 1 < len(events) and events[k + 1].what != "start" else None
        began = seconds_of(start.when)
        is_last = not any(event.what == "start" for event in events[k + 1:])
        ended_s = seconds_of(end.when) if end else time.time() if is_last and name in live else math.nan
        found.append(Attempt(name, start.node, int(number(start.restarts) or 0), max(0.0, began - ready_s), start.when, ended_s - began,
                             end.what if end else "running" if is_last and name in live else "no word", end.status if end else "",
                             int(number(start.cores) or 1), start.memory_mib.strip("-"), number(end.processor_s) if end else math.nan, limit))
        ready_s = ended_s
    return found


def summary(found: list[Attempt], memory: dict[str, float]) -> str:
    """One line for people; empty where nothing has run."""
    if not found:
        return ""
    ended = [a for a in found if not math.isnan(a.processor_s) and not math.isnan(a.lasted_s)]
    held, used = sum(a.asked_core_h for a in ended), sum(a.used_core_h for a in ended)
    waits = sorted(a.waited_s for a in found if not math.isnan(a.waited_s))
    nodes = sorted({a.node for a in found})
    share = f" ({100 * used / held:.0f} %)" if held > 0 else ""
    requeues = sum(a.restarts > 0 for a in found)
    work = f"; {used:.3g} core-hours worked of {held:.3g} held{share}" if ended else ""
    return (f"{len({a.task for a in found})} tasks on {', '.join(nodes[:8])}{' …' if len(nodes) > 8 else ''}{work}" +
            (f"; waited {duration(waits[len(waits) // 2])}, at most {duration(waits[-1])}" if waits else "") +
            (f"; {requeues} requeues" if requeues else "") + memory_text(found, memory))


def memory_text(found: list[Attempt], memory: dict[str, float]) -> str:
    if not memory:
        return ""
    had = {a.memory_mib for a in found if a.memory_mib}
    return f"; the largest run had {max(memory.values()):.0f} MiB" + (f" of {' or '.join(sorted(had, key=number))} asked" if had else "")
