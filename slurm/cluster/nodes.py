# SPDX-License-Identifier: BSD-3-Clause
"""Nodes on which no run gets to begin, while others work: a program or a library that is not there, a file system that is
not mounted. They are never busy, so SLURM gives them one task after the other."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .folder import Folder, lines_of


@dataclass
class Finding:
    """Of one submission."""
    failed: Counter[str] = field(default_factory=Counter)  # tasks by node
    runs: dict[str, set[str]] = field(default_factory=dict)
    works: set[str] = field(default_factory=set)

    def bad(self) -> list[str]:
        """Only beside others that work: what fails everywhere is the set-up, and no node's fault."""
        return sorted(set(self.failed) - self.works) if self.works else []

    def runs_on_bad(self) -> set[str]:
        return set().union(*(self.runs[node] for node in self.bad()))

    def text(self) -> str:
        nodes = self.bad()
        if not nodes:
            return ""
        tasks = sum(self.failed[node] for node in nodes)
        return f"{', '.join(nodes)}: no run began there ({tasks} task{'s' if tasks > 1 else ''} failed), and elsewhere they did; " \
            f"submit with --exclude {','.join(nodes)}"


def look_at_nodes(folder: Folder, submission: Path) -> Finding:
    found = Finding()
    array, _ = folder.job_ids(submission)
    for file in submission.glob("task-*.tsv"):
        index = file.stem.removeprefix("task-")
        runs = lines_of(submission / f"task-{index}.txt")
        began = {event.node for run in runs for event in folder.history(run) if event.task == f"{array}/{index}"}
        found.works |= began
        for event in folder.task_history(int(submission.name), index):
            if event.what == "end" and event.status != "0" and event.node not in began:
                found.failed[event.node] += 1
                found.runs.setdefault(event.node, set()).update(runs)
    return found


def of_last_submission(folder: Folder) -> Finding:
    last = next((s for s in reversed(folder.submissions()) if any(s.glob("task-*.tsv"))), None)
    return look_at_nodes(folder, last) if last else Finding()
