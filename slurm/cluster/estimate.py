# SPDX-License-Identifier: BSD-3-Clause
"""What a study will take, before it is submitted: from earlier runs of its folder, or from a few seconds of each kind of
run here; and from that how many runs go into a task."""
from __future__ import annotations

import heapq
import math
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py

from studies.job import UNREADABLE, Job, ini_value
from studies.study_file import StudyError

from .progress import duration, progress_of

# What decides how long an iteration takes; seeds, steps and the number of iterations do not.
KIND = ("algorithm", "engine", "dataset", "classes", "grey", "nodes", "samples-per-node", "model", "batch", "deadline", "codec",
        "graph", "link", "speed", "sync", "threads")
PILOT_S, START_S, MOST_PILOTS = 1.0, 1.0, 10
FULL_TASK_S = 1800.0  # a shorter task troubles the scheduler more than it helps the user
WARNING_S = 60.0  # before its time limit a task is told to stop (--signal)
FILL = 0.8  # of the time until then
SHELL_MIB = 16  # the batch script's own
RESUME_MIB = 80  # Python, which looks at what an earlier attempt left, and the program that it asks


def kind_of(ini: str) -> tuple[str, ...]:
    return tuple(ini_value(ini, name) for name in KIND)


@dataclass
class Estimate:
    """Seconds and MiB by kind of run; what is not known is NaN."""
    iteration_s: dict[tuple[str, ...], float] = field(default_factory=dict)
    peak_mib: dict[tuple[str, ...], float] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    def seconds(self, job: Job) -> float:
        iterations = int(ini_value(job.ini, "iterations"))
        known = self.iteration_s.get(kind_of(job.ini))
        if known is None and self.iteration_s and not job.real_time:
            known = self.from_others(kind_of(job.ini))
        return math.nan if known is None else START_S + known * iterations

    def from_others(self, kind: tuple[str, ...]) -> float:
        """From the same run with another algorithm; else in proportion to the nodes' iterations."""
        if beside := [(k, s) for k, s in self.iteration_s.items() if k[1:] == kind[1:]]:
            return statistics.fmean(s * self.ratio(kind[0], k[0]) for k, s in beside)
        own = [(k, s) for k, s in self.iteration_s.items() if k[0] == kind[0]] or list(self.iteration_s.items())
        nodes = KIND.index("nodes")
        return statistics.fmean(s / int(k[nodes]) for k, s in own) * int(kind[nodes])

    def ratio(self, algorithm: str, to: str) -> float:
        """Of their iterations' times, over what is known of both."""
        pairs = [s / self.iteration_s[other] for k, s in self.iteration_s.items()
                 if k[0] == algorithm and (other := (to, *k[1:])) in self.iteration_s]
        return statistics.geometric_mean(pairs) if pairs else 1.0

    def total_s(self, jobs: Iterable[Job]) -> float:
        return sum(self.seconds(job) for job in jobs)

    def memory_mib(self) -> float:
        """Of one run, the largest that was seen."""
        return max(self.peak_mib.values(), default=math.nan)


def from_earlier(folder: Path, estimate: Estimate) -> None:
    count = 0
    for path in folder.glob("*.h5"):
        try:
            with h5py.File(path, "r") as file:
                ini, summary = file["config/ini"][()].decode(), file["summary"].attrs
                iterations, wall_s = float(summary["iterations"]), float(summary["wall_time_s"])
                peak = float(summary.get("peak_memory_bytes", math.nan)) / 2**20
        except UNREADABLE:
            continue
        if iterations > 0 and wall_s > 0:
            kind = kind_of(ini)
            estimate.iteration_s[kind] = max(estimate.iteration_s.get(kind, 0.0), wall_s / iterations)
            if not math.isnan(peak):
                estimate.peak_mib[kind] = max(estimate.peak_mib.get(kind, 0.0), peak)
            count += 1
    if count:
        estimate.sources.append(f"{count} earlier runs here")


def tell(text: str) -> None:
    """What takes its time, to a user who waits for it; nothing in a log."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def size_of(ini: str) -> int:
    """All nodes' hidden layers: memory, and the time of an iteration, depend on them most."""
    return int(ini_value(ini, "nodes")) * max(1, sum(map(int, re.findall(r"\d+", ini_value(ini, "model")))))


def pilots(wanted: list[tuple[str, ...]], known: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Which kinds to time: every algorithm once, then all else that decides how long it takes."""
    algorithms, settings = {k[0] for k in known}, {k[1:] for k in known}
    chosen = []
    for kind in wanted:
        if kind[0] not in algorithms:
            chosen.append(kind)
            algorithms.add(kind[0])
            settings.add(kind[1:])
    for kind in wanted:
        if kind[1:] not in settings:
            chosen.append(kind)
            settings.add(kind[1:])
    return chosen[:MOST_PILOTS]


def from_pilots(jobs: list[Job], program: Path, estimate: Estimate, memory_too: bool) -> None:
    """The largest kinds first, so that what is short of memory is seen here; the others follow from these."""
    work: dict[tuple[str, ...], float] = {}
    example: dict[tuple[str, ...], Job] = {}
    for job in jobs:
        if job.real_time:
            continue
        kind = kind_of(job.ini)
        work[kind] = work.get(kind, 0.0) + job.cost
        example[kind] = job
    known = estimate.peak_mib if memory_too else estimate.iteration_s
    wanted = sorted(work, key=lambda k: (size_of(example[k].ini), work[k]), reverse=True)
    chosen = pilots([k for k in wanted if k not in known], known)
    longest_s = PILOT_S
    for number, kind in enumerate(chosen, 1):
        tell(f"timing a run: {number} of {len(chosen)} …")
        for seconds in (PILOT_S, 8 * PILOT_S, 60.0):  # longer where not even one iteration was done
            if pilot(example[kind], program, estimate, seconds):
                break
        longest_s = max(longest_s, seconds)
    tell("")
    if chosen:
        estimate.sources.append(f"{longest_s:g} s each of {len(chosen)} of the {len(work)} kinds of run on this machine")


def pilot(job: Job, program: Path, estimate: Estimate, seconds: float) -> bool:
    """Runs for so long, once its data are read. False: it did not end one iteration."""
    with tempfile.TemporaryDirectory(prefix="quantimed-pilot-") as scratch:
        ini, output = Path(scratch) / "run.ini", Path(scratch) / "run.h5"
        ini.write_text(job.ini, encoding="utf-8")
        child = subprocess.Popen([str(program), "run", "--config", str(ini), "--output", str(output), "--quiet"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peak_mib, told_at, began = 0.0, math.inf, time.monotonic()
        while child.poll() is None:
            peak_mib = max(peak_mib, peak_of(child.pid))
            if output.with_name("run.h5.lock").exists():  # the data are read
                told_at = min(told_at, time.monotonic() + seconds)
            now = time.monotonic()
            if now > min(told_at, began + 60):
                child.send_signal(signal.SIGUSR1)
                told_at = math.inf
                began = now  # it evaluates and writes; after a minute more it is asked again
            time.sleep(0.01)
        assert child.stderr
        message = child.stderr.read().strip()
        child.stderr.close()
        if child.returncode not in (0, 3, 75):
            raise StudyError(f"{job.run.label()}: {message.splitlines()[0].removeprefix('quantimed: ') if message else child.returncode}")
        iterations, wall_s = reached(output, job)
        if iterations > 0:
            estimate.iteration_s[kind_of(job.ini)] = wall_s / iterations
            estimate.peak_mib[kind_of(job.ini)] = peak_mib
        return iterations > 0


def peak_of(pid: int) -> float:
    try:
        match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(match[1]) / 1024 if match else 0.0


def reached(output: Path, job: Job) -> tuple[int, float]:
    progress = progress_of(replace(job, path=output))
    try:
        with h5py.File(output, "r") as file:
            return progress.iteration if progress else 0, float(file["summary"].attrs["wall_time_s"])
    except UNREADABLE:
        return 0, 0.0


def check_data(jobs: list[Job], program: Path) -> None:
    """That each data set can be read here, by a run of one iteration on one sample."""
    seen = set()
    for job in jobs:
        data = {name: ini_value(job.ini, name) for name in ("dataset", "classes", "grey", "target")}
        if tuple(data.values()) in seen:
            continue
        seen.add(tuple(data.values()))
        tell(f"looking for {data['dataset']} …")
        with tempfile.TemporaryDirectory(prefix="quantimed-data-") as scratch:
            options = [f"--dataset={data['dataset']}", f"--model={ini_value(job.ini, 'model')}"]
            options += [f"--{name}={data[name]}" for name in ("classes", "target") if data[name] not in ("", "all", "auto")]
            options += ["--grey"] if data["grey"] == "true" else []
            done = subprocess.run([str(program), "run", *options, "--algorithm=dsgd", "--nodes=1", "--graph=complete", "--iterations=1",
                                   "--samples-per-node=1", "--batch=1", "--evaluations=1", "--threads=1", "--quiet",
                                   f"--output={scratch}/x.h5"], capture_output=True, text=True)
        if done.returncode not in (0, 3):
            said = done.stderr.strip().splitlines()
            reason = said[0].removeprefix("quantimed: ") if said else f"exit status {done.returncode}"
            raise StudyError(f"{reason}; looked for on this machine: --no-check where only the compute nodes have it")


def seconds_of_limit(text: str) -> float:
    """SLURM's forms: minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S. NaN for what is none of them."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip(), re.ASCII)
    if not match:
        return math.nan
    days, *rest = match.groups()
    parts = [int(part) for part in rest if part is not None]
    if days is not None:
        h, m, s = (*parts, 0, 0)[:3]
        return int(days) * 86400 + h * 3600 + m * 60 + s
    return {1: parts[0] * 60, 2: parts[0] * 60 + parts[-1]}.get(len(parts), parts[0] * 3600 + sum(x * y for x, y in zip(parts[1:], (60, 1))))


def mib_of(text: str) -> float:
    """SLURM's sizes: 4000 and 4000M, 8G, 500K, 1T. NaN for what is none, and for 0, which is all of the node."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:I?B)?", text.strip().upper())
    size = float(match[1]) * {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2}[match[2]] if match else math.nan
    return size or math.nan


def deal(jobs: list[Job], count: int, estimate: Estimate | None = None) -> list[list[Job]]:
    """Into so many packs of about equal work: the longest runs first, each to the pack that has the least."""
    def work(job: Job) -> float:
        seconds = estimate.seconds(job) if estimate else math.nan
        return job.cost if math.isnan(seconds) else seconds
    packs: list[list[Job]] = [[] for _ in range(count)]
    least = [(0.0, 0, k) for k in range(count)]
    for job in sorted(jobs, key=lambda job: -work(job)):
        load, size, k = least[0]
        packs[k].append(job)
        heapq.heapreplace(least, (load + work(job), size + 1, k))
    return packs


def tasks_for(jobs: list[Job], estimate: Estimate, at_a_time: int, limit_s: float, most: int) -> int:
    """How many tasks: each is to last about half an hour, but no more than most of its time limit, and to keep its cores busy."""
    total_s = estimate.total_s(jobs)
    if math.isnan(total_s):
        return min(len(jobs), most)
    target_s = FULL_TASK_S if math.isnan(limit_s) else min(FULL_TASK_S, FILL * usable_s(limit_s))
    count = math.ceil(total_s / (at_a_time * target_s))
    return max(1, min(count, math.ceil(len(jobs) / at_a_time), most))


def usable_s(limit_s: float) -> float:
    return max(limit_s - WARNING_S, 0.1 * limit_s)


def check_forms(time: str, mem: str) -> None:
    """What sbatch would refuse, or take for something else."""
    if time and math.isnan(seconds_of_limit(time)) and time.lower() not in ("infinite", "unlimited"):
        raise StudyError(f"--time {time}: give minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S, as 30 or 2:00:00")
    if mem and not re.fullmatch(r"[0-9]+(?:[KMGT](?:I?B)?)?", mem.upper()):
        raise StudyError(f"--mem {mem}: give a whole number, of MiB or with K, M, G or T, as 4000 or 8G")


def check_time(limit: str) -> None:
    if seconds_of_limit(limit) <= WARNING_S:
        raise StudyError(f"--time {limit}: a task is told to stop {WARNING_S:.0f} s before its limit, so none would get anywhere; "
                         "give 5 minutes or more")


def describe(jobs: list[Job], packs: list[list[Job]], estimate: Estimate, cores: int, at_a_time: int, limit: str) -> str:
    if not jobs:
        return ""
    total_s = estimate.total_s(jobs)
    if math.isnan(total_s):
        return f"{len(jobs)} runs in {len(packs)} tasks; not estimated: no earlier run of this kind in the folder"
    longest_s = max(max(estimate.total_s(pack) / at_a_time, max(estimate.seconds(job) for job in pack)) for pack in packs)
    mib = estimate.memory_mib()
    memory = "" if math.isnan(mib) else f"; a run takes about {mib:.0f} MiB"
    core_hours = sum(estimate.seconds(job) * (cores if job.real_time else 1) for job in jobs) / 3600
    limit_s = seconds_of_limit(limit)
    share = f" of --time {limit}" if limit else ""
    long = "" if math.isnan(limit_s) or longest_s <= usable_s(limit_s) else ", so tasks are cut, requeued and resume"
    return (f"{len(jobs)} runs, about {core_hours:.2g} core-hours, in {len(packs)} tasks of up to {max(map(len, packs))} runs and about "
            f"{duration(longest_s)}{share}{long}{memory} (from {' and '.join(estimate.sources)})")


def check_memory(estimate: Estimate, at_a_time: int, mem: str) -> None:
    given, run = mib_of(mem) if mem else math.nan, estimate.memory_mib()
    needed = (at_a_time - 1) * run + max(run, RESUME_MIB) + SHELL_MIB
    if not math.isnan(given) and not math.isnan(run) and needed > given:
        runs = "a run" + (" that resumes" if run < RESUME_MIB else "") + " takes" if at_a_time == 1 else f"{at_a_time} runs at a time take"
        raise StudyError(f"--mem {mem}: {runs} about {needed:.0f} MiB, with data and libraries; give --mem {math.ceil(1.2 * needed)}M, "
                         "or --no-check to submit it as it is")
