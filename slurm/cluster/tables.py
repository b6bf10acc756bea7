# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a study's folder. A thing has the same name here and in the report's own tables."""
from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import h5py
import numpy as np

from studies.job import ini_value
from studies.runner import write_whole

from . import usage
from .folder import Folder, stem
from .standing import DONE, Queue, Standing

# As the trace has it, and as tables do.
NAMES = {"total_bytes": "bytes_sent", "final_test_accuracy": "test_accuracy", "resumptions": "times_resumed"}
POINTS = {"iteration": "iteration", "time": "time_s", "loss": "loss", "accuracy": "accuracy", "test_loss": "test_loss",
          "test_accuracy": "test_accuracy", "consensus_error": "consensus_error", "gradient_norm_squared": "gradient_norm_squared"}


def write_csv(path: Path, rows: list[dict[str, object]], names: list[str] | None = None) -> None:
    names = names or list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: plain(value) for name, value in row.items()} for row in rows)
    write_whole(path, text.getvalue())


def plain(value: object) -> object:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (float, np.floating)) and math.isnan(value):
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):  # spreadsheets would carry it out
        return "'" + value
    return value


def identity(s: Standing) -> dict[str, object]:
    run = s.job.run
    return {"file": s.job.path.name, "study": run.study, "algorithm": run.algorithm, "seed": run.seed,
            "dataset": ini_value(s.job.ini, "dataset"), "engine": ini_value(s.job.ini, "engine"), "nodes": ini_value(s.job.ini, "nodes"),
            **{f"setting.{name}": value for name, value in run.setting.items()}}


def write_runs(folder: Folder, found: list[Standing], objections: dict[Path, str]) -> None:
    rows = []
    for s in found:
        history = folder.history(stem(s.job))
        last = history[-1] if history else None
        row = identity(s) | {
            "state": s.state, "why": s.text(), "verified": {"": "yes"}.get(objections.get(s.job.path, "no"), "no"),
            "job": last.task.replace("/", "_") if last else "", "host": last.node if last else "",
            "restarts": max(0, sum(event.what == "start" for event in history) - 1)}
        if s.state == DONE:
            with h5py.File(s.job.path, "r") as file:
                row |= {name: file.attrs[name] for name in ("status", "verdict", "software_version", "commit", "created")}
                row |= figures(dict(file["summary"].attrs))
        rows.append(row)
    write_csv(folder.path / "runs.csv", rows)


def figures(summary: dict[str, object]) -> dict[str, object]:
    """A number a cell: of several cuts, the last; how often it was resumed is a figure of its own."""
    found: dict[str, object] = {}
    for name, value in summary.items():
        if name.startswith("resumed_at_"):
            found["last_" + name] = str(plain(value)).rpartition(", ")[2]
        else:
            found[NAMES.get(name, name)] = value
    return found


def write_curves(folder: Folder, done: list[Standing]) -> None:
    """In long form: a line a point."""
    rows = []
    for s in done:
        with h5py.File(s.job.path, "r") as file:
            columns = {shown: file[f"progress/{name}"][:] for name, shown in POINTS.items() if f"progress/{name}" in file}
        own = identity(s)
        rows += [own | dict(zip(columns, point)) for point in zip(*columns.values())]
    settings = dict.fromkeys(name for s in done for name in identity(s))
    write_csv(folder.path / "curves.csv", rows, [*settings, *POINTS.values()])


def write_jobs(folder: Folder, queue: Queue, found: list[Standing]) -> None:
    live = {f"{t.job}_{t.index}" for t in queue.tasks if t.live}
    peaks = usage.peaks(folder, found)
    rows = [{"job": a.task, "host": a.node, "restarts": a.restarts, "started": a.began, "waited_s": a.waited_s, "lasted_s": a.lasted_s,
             "time_limit": a.time_limit, "ended": a.ended, "exit_status": a.status, "cores": a.cores, "memory_asked_mib": a.memory_mib,
             "largest_run_mib": peaks.get(a.task, ""), "asked_core_hours": a.asked_core_h, "used_core_hours": a.used_core_h}
            for a in usage.attempts(folder, live)]
    if rows:
        write_csv(folder.path / "jobs.csv", rows)
