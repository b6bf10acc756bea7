# SPDX-License-Identifier: BSD-3-Clause
"""How far a run is, from the trace that it writes now and then (RUN.h5.partial), or left when it was stopped."""
from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import h5py

from studies.job import UNREADABLE, Job, ini_value


@dataclass(frozen=True)
class Progress:
    iteration: int
    iterations: int  # 0: no limit but --max-time
    share: float  # of all
    left_s: float  # NaN: not known

    def text(self) -> str:
        count = f"iteration {self.iteration:,}" + (f" of {self.iterations:,}" if self.iterations else "")
        left = f", about {duration(self.left_s)} left" if self.left_s == self.left_s else ""
        return f"{count} ({100 * self.share:.0f} %){left}"


def duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"


def progress_of(job: Job, began_s: float = float("nan")) -> Progress | None:
    """`began_s`: when the attempt that runs now began, for the time left; NaN for one that does not run."""
    for path in (job.path.with_name(job.path.name + ".partial"), job.path):
        if (found := _read(path, job, began_s)) is not None:
            return found
    return None


def _read(path: Path, job: Job, began_s: float) -> Progress | None:
    try:
        with h5py.File(path, "r") as file:
            iteration = int(file["rounds/batch"].shape[0])
            times = file["progress/time"]
            clock_s = float(times[-1]) if times.shape[0] else 0.0
            spent_s = float(file["checkpoint"].attrs.get("wall_time_s", float("nan"))) if "checkpoint" in file else float("nan")
        written_s = path.stat().st_mtime
    except UNREADABLE:
        return None
    iterations, most = ini_value(job.ini, "iterations"), ini_value(job.ini, "max-time")
    shares = [iteration / int(iterations)] if iterations.isdecimal() and int(iterations) else []
    try:
        shares.append(clock_s / float(most))
    except ValueError:
        pass
    share = min(1.0, max(shares, default=0.0))
    if spent_s != spent_s:
        spent_s = written_s - began_s
    running = began_s == began_s and share > 0
    left_s = spent_s * (1 - share) / share - (time.time() - written_s) if running else float("nan")
    limit = int(iterations) if iterations.isdecimal() else 0
    # Nodes that wait for nobody may be further than the run.
    return Progress(min(iteration, limit) if limit else iteration, limit, share, max(0.0, left_s) if running else left_s)
