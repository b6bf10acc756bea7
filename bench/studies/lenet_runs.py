# SPDX-License-Identifier: BSD-3-Clause
"""The runs of bench/lenet: which there are, what they cost, and their order on the cores. The files of bench/lenet are the program's
own options, read one after the other; the least loss of the trials decides which steps are judged."""
from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import h5py

from .field_settings import merged
from .processes import Processes, minutes
from .runner import ROOT
from .study_file import StudyError, split_list

FOLDER = ROOT / "bench" / "lenet"
GROUPS = ("exact", "quantized", "momentum", "compressed")  # files of FOLDER
MIXING = {"quantimed-dsgd": "epsilon", "q-dsgd": "epsilon", "choco-sgd": "gamma"}  # who has a second step to look for
TUNING_SEED, SEEDS, QUICK_SEEDS = 101, (1, 2, 3), (1, 2)
TUNING_SHARE = 3  # a judged run takes so many times as long as a trial, in virtual time
TUNING_IMAGES = 4  # a judged run's losses are over so many times as many images
NO_LIMIT = 10_000_000  # iterations: time ends a run
PROBE_SHARE = 60  # … and as a run that only says what the others cost
OF_THE_SEARCH = ("algorithms", "trials", "alpha-range", "epsilon-range", "max-time", "evaluations", "evaluate-samples")


@dataclass(frozen=True)
class Trial:
    alpha: str
    mixing: str  # "": has none


def log_grid(least: float, most: float, count: int) -> list[str]:
    return [f"{least * (most / least) ** (k / max(1, count - 1)):.3g}" for k in range(count)]


@dataclass(frozen=True)
class Entrant:
    """An algorithm, and where its runs are."""
    name: str
    files: tuple[Path, ...]
    folder: Path
    seeds: tuple[int, ...]
    time: float | None = None  # in place of the files' max-time, s

    @cached_property
    def options(self) -> dict[str, str]:
        return merged(self.files) | ({} if self.time is None else {"max-time": f"{self.time:g}"})

    @property
    def horizon(self) -> float:
        return float(self.options["max-time"])

    @property
    def mixing(self) -> str:
        return MIXING.get(self.name, "")

    @cached_property
    def trials(self) -> list[Trial]:
        """As many for all: with two steps to find a grid of two rows."""
        count = int(self.options["trials"])
        ranges = {name: [float(end) for end in self.options[name].split(",")] for name in ("alpha-range", "epsilon-range") if name in self.options}
        if not self.mixing:
            return [Trial(alpha, "") for alpha in log_grid(*ranges["alpha-range"], count)]
        mixings = log_grid(*ranges["epsilon-range"], 2)
        if count < 2 or count % 2:
            raise StudyError(f"{self.files[0]}: trials = {count}: give an even number, as {self.name} has two steps to find")
        return [Trial(alpha, mixing) for alpha in log_grid(*ranges["alpha-range"], count // 2) for mixing in mixings]

    def path_of_trial(self, index: int) -> Path:
        return self.folder / "tune" / f"{self.name}-trial{index + 1}.h5"

    def path_of(self, seed: int) -> Path:
        return self.folder / "judged" / f"{self.name}-seed{seed}.h5"

    def losses(self) -> list[float]:
        """Of the trials, after their time; infinite: diverged or not valid; not a number: not run yet."""
        return [loss_of(self.path_of_trial(k)) for k in range(len(self.trials))]

    def chosen(self) -> Trial | None:
        losses = self.losses()
        known = [loss for loss in losses if not math.isnan(loss)]
        if known and math.isinf(min(known)) and len(known) == len(losses):
            raise StudyError(f"{self.name}: none of its {len(losses)} trials ended with a loss; give {self.files[1]} a lower alpha-range")
        return self.trials[losses.index(min(known))] if len(known) == len(losses) else None

    def edges(self) -> list[str]:
        """Which of the chosen steps are the least or the largest that was tried. There are two of the second alone, so it always is
        one; and 1 is the end of what makes sense."""
        chosen = self.chosen()
        tried = sorted({float(trial.alpha) for trial in self.trials})
        return ["α"] if chosen and len(tried) > 1 and float(chosen.alpha) in (tried[0], tried[-1]) else []


def loss_of(path: Path) -> float:
    if not path.exists():
        return math.nan
    with h5py.File(path, "r") as file:
        status, verdict = str(file.attrs["status"]), str(file.attrs["verdict"])
        if status == "interrupted":
            return math.nan
        end, asked = float(file["progress/time"][-1]), float(file["config"].attrs["max-time"])
        if status == "complete" and end < asked * (1 - 1e-9):
            raise StudyError(f"{path}: ended after {end:g} s, and others after {asked:g} s: it is compared with none; delete it")
        loss = float(file["summary"].attrs["final_loss"])
    return loss if status == "complete" and verdict == "VALID" and math.isfinite(loss) else math.inf


def entrants(folder: Path, quick: bool, horizon: float | None) -> list[Entrant]:
    small = (FOLDER / "quick.ini",) if quick else ()
    files = {group: (FOLDER / "base.ini", FOLDER / f"{group}.ini", *small) for group in GROUPS}
    found = [Entrant(name, files[group], folder, QUICK_SEEDS if quick else SEEDS, horizon)
             for group in GROUPS for name in split_list(merged(files[group])["algorithms"])]
    order = ("quantimed-dsgd", "dsgd", "async-dsgd", "q-dsgd")  # the paper's four first
    return sorted(found, key=lambda one: order.index(one.name) if one.name in order else len(order))


# ---- one run -------------------------------------------------------------------------------------------------------
@dataclass
class Job:
    entrant: Entrant
    seed: int
    trial: int | None  # None: a judged run
    cost: float = 0.0  # of a core, s
    threads: int = 1

    @property
    def label(self) -> str:
        return f"{self.entrant.name}, " + (f"seed {self.seed}" if self.trial is None else f"trial {self.trial + 1}")

    @property
    def path(self) -> Path:
        return self.entrant.path_of(self.seed) if self.trial is None else self.entrant.path_of_trial(self.trial)

    @property
    def seconds(self) -> float:
        return self.entrant.horizon / (1 if self.trial is None else TUNING_SHARE)

    @property
    def evaluations(self) -> int:
        return int(self.entrant.options["evaluations"]) if self.trial is None else 1

    @property
    def evaluated(self) -> int:
        """Trials are no finding, and a share of the images tells steps apart."""
        return max(1, int(self.entrant.options["evaluate-samples"]) // (1 if self.trial is None else TUNING_IMAGES))

    @property
    def is_ready(self) -> bool:
        return self.trial is not None or self.entrant.chosen() is not None

    def arguments(self, dataset: str) -> list[object]:
        if is_interrupted(self.path):
            return ["run", "--resume", self.path, "--threads", self.threads, "--quiet"]
        steps = self.entrant.chosen() if self.trial is None else self.entrant.trials[self.trial]
        assert steps
        return command(self.entrant, dataset, steps, self.seed, self.seconds, self.evaluations, self.evaluated, self.threads, self.path)


def is_interrupted(path: Path) -> bool:
    """Stopped, or killed after it had written something."""
    if not path.exists():
        return path.with_name(f"{path.name}.partial").exists()
    with h5py.File(path, "r") as file:
        return str(file.attrs["status"]) == "interrupted"


def command(entrant: Entrant, dataset: str, steps: Trial, seed: int, seconds: float, evaluations: int, evaluated: int, threads: int,
            path: Path) -> list[object]:
    own = [f"--{name}={value}" for name, value in entrant.options.items() if name not in OF_THE_SEARCH]
    mixing = [f"--{entrant.mixing}={steps.mixing}"] if entrant.mixing else []
    return ["run", "--engine=virtual", f"--algorithm={entrant.name}", f"--dataset={dataset}", *(word.replace("=true", "") for word in own),
            f"--alpha={steps.alpha}", *mixing, f"--seed={seed}", f"--max-time={seconds:g}", f"--iterations={NO_LIMIT}", f"--evaluations={evaluations}",
            f"--evaluate-samples={evaluated}", f"--threads={threads}", f"--output={path}", "--quiet"]


def jobs_of(found: Sequence[Entrant]) -> list[Job]:
    return [*(Job(one, TUNING_SEED, trial) for one in found for trial in range(len(one.trials))),
            *(Job(one, seed, None) for one in found for seed in one.seeds)]


# ---- what they cost ------------------------------------------------------------------------------------------------
def reckon(jobs: Sequence[Job], dataset: str, folder: Path, cores: int, processes: Processes) -> None:
    """A short run of each algorithm says what a second of its virtual time costs, and what a sample does."""
    file = folder / "cost.json"
    known: dict[str, list[float]] = json.loads(file.read_text()) if file.exists() else {}
    found = list({job.entrant.name: job.entrant for job in jobs}.values())

    def short(one: Entrant, seconds: float) -> tuple[float, Path]:
        path = folder / "cost" / f"{one.name}.h5"
        return processes.call(f"{one.name}: a short run", [
            *command(one, dataset, one.trials[0], TUNING_SEED, seconds, 1, 1, 1, path), "--overwrite"]), path

    def probe(one: Entrant) -> list[float]:
        whole, path = short(one, max(1.0, one.horizon / PROBE_SHARE))
        with h5py.File(path, "r") as trace:
            summary = trace["summary"].attrs
            used = max(whole - start, 0.1 * whole)
            return [used / float(summary["end_time_s"]), used / max(1.0, float(summary["total_samples"])), start]

    new = [one for one in found if one.name not in known]
    (folder / "cost").mkdir(parents=True, exist_ok=True)
    start = short(new[0], 1e-6)[0] if new else 0.0  # to load the data, and for the two points of the curve
    with ThreadPoolExecutor(cores) as pool:
        known |= zip((one.name for one in new), pool.map(probe, new))
    file.write_text(json.dumps(known, indent=1))
    for job in jobs:
        a_second, a_sample, start = known[job.entrant.name]
        # Of the curve: losses and gradients of training samples, and losses of as many of the test set's.
        job.cost = start + job.seconds * a_second + 1.5 * (job.evaluations + 1) * job.evaluated * a_sample
    share = sum(job.cost for job in jobs) / cores  # of the wall's time
    for job in jobs:
        job.threads = min(cores, int(job.entrant.options["nodes"]), max(1, round(4 * job.cost / share)))


def say_cost(jobs: Sequence[Job], cores: int) -> None:
    for name in dict.fromkeys(job.entrant.name for job in jobs):
        own = [job for job in jobs if job.entrant.name == name]
        print(f"  {name:15} {len(own):3} runs {sum(job.cost for job in own):7.0f} s of a core; a judged one {own[-1].cost:.0f} s, "
              f"{own[-1].threads} thread{'s' * (own[-1].threads > 1)}", file=sys.stderr)
    total = sum(job.cost for job in jobs)
    print(f"{len(jobs)} runs: {total:.0f} s of a core, about {minutes(total / cores)} on {cores} quiet one{'s' * (cores > 1)}, reckoned from short runs",
          file=sys.stderr, flush=True)


# ---- their order ---------------------------------------------------------------------------------------------------
@dataclass
class Spent:
    """Processor time by run, kept beside the traces: of the command that did it, since one that only finds it done takes less. Of a run
    that was stopped and continued it is the last command's."""
    file: Path
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.seconds = json.loads(self.file.read_text())

    def add(self, path: Path, used: float) -> None:
        self.seconds[f"{path.parent.name}/{path.name}"] = used
        self.file.write_text(json.dumps(self.seconds, indent=1))

    def of(self, path: Path) -> float:
        return self.seconds.get(f"{path.parent.name}/{path.name}", math.nan)


def execute(jobs: Sequence[Job], dataset: str, cores: int, spent: Spent, processes: Processes) -> None:
    """The dearest algorithm first; judged runs as soon as all trials of theirs are done."""
    begin, done_cost, count = time.monotonic(), 0.0, 0
    total = {name: sum(job.cost for job in jobs if job.entrant.name == name) for name in {job.entrant.name for job in jobs}}
    waiting = sorted(jobs, key=lambda job: (-total[job.entrant.name], job.trial is None))
    running: dict[Future[float], Job] = {}
    free, left = cores, sum(job.cost for job in jobs)
    for job in jobs:
        job.path.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(cores) as pool:
        try:
            while waiting or running:
                for job in [job for job in waiting if job.is_ready]:
                    if job.threads > free:
                        break
                    free -= job.threads
                    waiting.remove(job)
                    running[pool.submit(processes.call, job.label, job.arguments(dataset))] = job
                for one in wait(running, return_when=FIRST_COMPLETED).done:
                    job, used = running.pop(one), one.result()
                    free, count, left, done_cost = free + job.threads, count + 1, left - job.cost, done_cost + job.cost
                    if math.isnan(spent.of(job.path)) or used > spent.of(job.path):
                        spent.add(job.path, used)
                    passed = time.monotonic() - begin
                    print(f"{job.label}: done ({count} of {len(jobs)} runs, {minutes(passed)}, about {minutes(max(0.0, left) * passed / done_cost)} left)",
                          file=sys.stderr, flush=True)
        except BaseException:
            processes.stop()
            raise
    print(f"all runs done after {minutes(time.monotonic() - begin)}", file=sys.stderr)
