# SPDX-License-Identifier: BSD-3-Clause
"""What the claims need of a trace, and its curve by both ways to charge the bits of its messages."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from .runner import Job, ini_value
from .study_file import StudyError

PAPER_BITS = 16  # T_c is the time of an exchange of 16 bits a coordinate


@dataclass(frozen=True)
class Curve:
    time_s: np.ndarray
    loss: np.ndarray
    files: tuple[Path, ...]
    status: str = "complete"  # of the run, as its trace says
    verdict: str = "VALID"

    @property
    def counts(self) -> bool:
        return self.status == "complete" and self.verdict == "VALID"


@dataclass(frozen=True)
class Trace:
    path: Path
    status: str
    verdict: str
    commit: str
    machine: str  # "CPU, N processing units"
    ini: str
    summary: dict[str, float]
    iteration: np.ndarray  # of the points of the curve
    time_s: np.ndarray
    loss: np.ndarray
    time_by_bits_s: dict[str, np.ndarray]  # "paper", "wire": those that the trace has

    def option(self, name: str) -> str:
        return ini_value(self.ini, name)


@lru_cache(maxsize=None)
def read_trace(path: Path) -> Trace:
    try:
        with h5py.File(path, "r") as file:
            progress = file["progress"]
            here = file["environment"].attrs if "environment" in file else {}
            machine = f"{here.get('cpu', 'unknown processor')}, {here.get('processing_units', '?')} processing units"
            return Trace(path, file.attrs["status"], file.attrs["verdict"], file.attrs["commit"], machine,
                         file["config/ini"][()].decode(), {k: float(v) for k, v in file["summary"].attrs.items()
                          if not isinstance(v, (str, bytes))},
                         progress["iteration"][:], progress["time"][:], progress["loss"][:],
                         {bits: progress[name][:] for bits in ("paper", "wire")
                          if (name := f"time_{bits}_bits") in progress})
    except (OSError, KeyError, ValueError) as error:
        raise StudyError(f"{path}: not a whole trace ({error}); run the study again") from None


def mean_model(path: Path) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return file["model/mean"][:]


def charged_time(path: Path, bits: str) -> np.ndarray:
    """When the curve's points are reached where the link charges these bits: what is sent in rounds does not depend on
    when it arrives, so that one run has both clocks."""
    trace = read_trace(path)
    if bits in trace.time_by_bits_s:
        return trace.time_by_bits_s[bits]
    if trace.option("bits") == bits:
        return trace.time_s
    if bits == "wire" and not trace.time_by_bits_s:
        return _charged_anew(path)
    raise StudyError(f"{path}: its time cannot be charged again; run it with bits = {bits}")


@lru_cache(maxsize=None)
def _charged_anew(path: Path) -> np.ndarray:
    """Traces of version 0.1.0 have one clock. For rounds with a barrier on the link paper:T_C."""
    trace = read_trace(path)
    kind, _, exchange_s = trace.option("link").partition(":")
    if kind != "paper" or trace.option("sync") != "barrier" or trace.option("algorithm") == "async-dsgd":
        raise StudyError(f"{path}: its time cannot be charged again; run it with bits = wire")
    with h5py.File(path, "r") as file:
        rounds = file["rounds"]
        computing = (rounds["compute_time"][:].astype(float) + rounds["wait_time"][:]).max(axis=1)
        bits = rounds["bytes_sent"][:].astype(float).max(axis=1) * 8 / file["model/mean"].shape[0]
    ends = np.concatenate([[0], np.cumsum(computing + float(exchange_s) * bits / PAPER_BITS)])
    return ends[trace.iteration.astype(int)]


def own_curve(path: Path, bits: str) -> Curve:
    trace = read_trace(path)
    return Curve(charged_time(path, bits), trace.loss, (path,), trace.status, trace.verdict)


def horizon_curve(paths: list[Path], bits: str) -> Curve:
    """The paper's: a point for each horizon's end. Before the shortest ends there is only its own curve.

    Between two ends there is a step, not a line: they are different runs with different steps, and no run was between
    them. A horizon that does not count never arrives; where none does, neither does the algorithm.
    """
    curves = sorted((own_curve(path, bits) for path in paths), key=lambda c: c.time_s[-1])
    files = tuple(c.files[0] for c in curves)
    if len(curves) == 1 or not any(c.counts for c in curves):
        return Curve(curves[0].time_s, curves[0].loss, files, curves[0].status, curves[0].verdict)
    counted = [c for c in curves if c.counts]
    times, losses = list(counted[0].time_s), list(counted[0].loss)
    for curve in counted[1:]:
        times += [curve.time_s[-1]] * 2
        losses += [losses[-1], curve.loss[-1]]
    # The last end once more: a step's foot is two points, as the others are.
    return Curve(np.append(times, times[-1]), np.append(losses, losses[-1]), files)


class Results:
    """Finished studies, by name."""

    def __init__(self, jobs: dict[str, list[Job]], targets: dict[str, list[float]] | None = None) -> None:
        self.jobs = jobs
        self.targets = targets or {}  # of each study, as its file states them

    def has(self, study: str) -> bool:
        return bool(self.jobs.get(study))

    def select(self, study: str, **wanted: str) -> list[Job]:
        names = {name.replace("_", "-"): value for name, value in wanted.items()}
        return [job for job in self.jobs.get(study, []) if job.run.matches(names)]

    def values(self, study: str, name: str) -> list[str]:
        """The settings that a study has for an option, in its order."""
        return list(dict.fromkeys(job.run.setting[name] for job in self.jobs.get(study, []) if name in job.run.setting))

    def values_of(self, study: str, algorithm: str, name: str) -> list[str]:
        """The same of one algorithm."""
        return list(dict.fromkeys(job.run.setting[name] for job in self.jobs.get(study, [])
                                  if job.run.algorithm == algorithm and name in job.run.setting))

    def algorithms(self, study: str) -> list[str]:
        return list(dict.fromkeys(job.run.algorithm for job in self.jobs.get(study, [])))

    def curves(self, study: str, algorithm: str, bits: str, **wanted: str) -> dict[int, Curve]:
        """By seed. Asynchronous runs were made for both ways to charge; the others' clocks can be charged again."""
        jobs = self.select(study, algorithm=algorithm, **wanted)
        if algorithm == "async-dsgd":
            jobs = [job for job in jobs if read_trace(job.path).option("bits") == bits]
        by_seed: dict[int, list[Path]] = {}
        for job in jobs:
            by_seed.setdefault(job.run.seed, []).append(job.path)
        return {seed: horizon_curve(paths, bits) for seed, paths in by_seed.items()}
