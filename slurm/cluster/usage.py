"""What the tasks of a study used of what they asked for, from what each wrote down; no accounting is needed."""
from __future__ import annotations

import math
import time
from dataclasses import dataclass

from .folder import Folder, TaskEvent, last_line, seconds_of
from .progress import duration


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
    memory_mib: str
    processor_s: float

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
        submitted = seconds_of(last_line(submission / "submitted.txt"))
        for file in sorted(submission.glob("task-*.tsv"), key=lambda p: int(p.stem.removeprefix("task-"))):
            index = file.stem.removeprefix("task-")
            found += of_task(f"{array or '?'}_{index}", folder.task_history(int(submission.name), index), submitted, live)
    return found


def of_task(name: str, events: list[TaskEvent], ready_s: float, live: set[str]) -> list[Attempt]:
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
                             int(number(start.cores) or 1), start.memory_mib, number(end.processor_s) if end else math.nan))
        ready_s = ended_s
    return found


def summary(found: list[Attempt]) -> str:
    """One line for people; empty where nothing has run."""
    if not found:
        return ""
    def total(values: list[float]) -> float:
        return sum(v for v in values if not math.isnan(v))
    asked, used = total([a.asked_core_h for a in found]), total([a.used_core_h for a in found if not math.isnan(a.lasted_s)])
    waits = sorted(a.waited_s for a in found if not math.isnan(a.waited_s))
    nodes = sorted({a.node for a in found})
    share = f" ({100 * used / asked:.0f} %)" if asked > 0 else ""
    requeues = sum(a.restarts > 0 for a in found)
    return (f"{len({a.task for a in found})} tasks on {', '.join(nodes[:8])}{' …' if len(nodes) > 8 else ''}; "
            f"{used:.3g} core-hours worked of {asked:.3g} held{share}" +
            (f"; waited {duration(waits[len(waits) // 2])}, at most {duration(waits[-1])}" if waits else "") +
            (f"; {requeues} requeues" if requeues else ""))
