# SPDX-License-Identifier: BSD-3-Clause
"""Which of a tuning's trials wins: the rule of `quantimed tune` (src/command/tuning.hpp), on the clock that the trials ran on.

Targets are five losses between the start and the best that any trial of any algorithm reached. The fewest missed targets
win, then the least mean logarithm of the median times to the others, then the least final loss. Whether a target was
missed, the end of a run says; when it was reached, only a curve does. So all trials run with few evaluations, and those
that miss the fewest of their algorithm run once more with many (`finals = 30` in the tuning's file): no other can win.
"""
from __future__ import annotations

import math
import statistics as plain_statistics
from dataclasses import dataclass, replace

from .fairness import Steps, steps_of
from .runner import Job
from .statistics import judge
from .study_file import Run, Study
from .traces import Results, own_curve, read_trace

FALLS = (0.50, 0.75, 0.90, 0.95, 0.99)  # kFalls of src/statistics/judgement.hpp
PLATEAU = 0.05
FIRST_RESOLVED = 3  # kFirstResolved of src/statistics/arrival.cpp
FINALS = "-finals"  # a tuning's name, and this: the study of those that run once more


@dataclass(frozen=True)
class Trial:
    """Of an algorithm's steps, over the tuning's seeds."""
    algorithm: str
    steps: Steps
    jobs: tuple[Job, ...]
    loss: float  # median of the final losses; a run that does not count has none, which is infinite
    missed: int  # targets below it

    @property
    def text(self) -> str:
        return ", ".join(step for step in self.steps if step)


@dataclass(frozen=True)
class Final:
    """What `quantimed tune` calls a score, of a trial whose whole curves are known. Less is better."""
    trial: Trial
    missed: int  # by the curves
    log_time: float  # mean logarithm of the median times to the targets that were reached, s; 0 where none was

    @property
    def score(self) -> tuple[float, float, float]:
        return self.missed, self.log_time, self.trial.loss

    @property
    def time_s(self) -> float:
        """The geometric mean of those times."""
        return math.exp(self.log_time)


def counts(job: Job) -> bool:
    trace = read_trace(job.path)
    return trace.status == "complete" and trace.verdict == "VALID" and math.isfinite(trace.loss[-1])


def targets_of(results: Results, study: str) -> list[float]:
    curves = [read_trace(job.path).loss for job in results.jobs.get(study, []) if counts(job)]
    if not curves:
        return []
    start, best = min(float(loss[0]) for loss in curves), min(float(loss.min()) for loss in curves)
    targets: list[float] = []
    for fall in FALLS if best < start else ():
        target = float(f"{start - fall * (start - best):.3g}")
        if 0 < target < start and (not targets or target < targets[-1]):
            targets.append(target)
    return targets


def trials_of(results: Results, study: str) -> dict[str, list[Trial]]:
    """By algorithm, in the order of the file."""
    targets = targets_of(results, study)
    jobs: dict[tuple[str, Steps], list[Job]] = {}
    for job in results.jobs.get(study, []):
        jobs.setdefault((job.run.algorithm, steps_of(job.run)), []).append(job)
    found: dict[str, list[Trial]] = {}
    for (algorithm, steps), own in jobs.items():
        loss = plain_statistics.median(float(read_trace(job.path).loss[-1]) if counts(job) else math.inf for job in own)
        found.setdefault(algorithm, []).append(Trial(algorithm, steps, tuple(own), loss, sum(loss > target for target in targets)))
    return found


def finals_of(study: Study, results: Results) -> tuple[Study, list[Run]]:
    """The study of those whose curves are wanted, and its runs. Once more where curves are there already: the last points
    of a curve are smoothed, so that the best of them may miss a target below its final loss, and others as many."""
    finals = replace(study, path=study.path.with_name(f"{study.name}{FINALS}.ini"))
    targets, ranked = targets_of(results, study.name), ranking(results, study.name)
    runs = []
    for algorithm, trials in trials_of(results, study.name).items():
        most = min(trial.missed for trial in trials)
        if ranked.get(algorithm) and ranked[algorithm][0].missed < len(targets):
            most = max(most, ranked[algorithm][0].missed)
        runs += [replace(job.run, study=finals.name, options=job.run.options | {"evaluations": study.text("finals")})
                 for trial in trials if trial.missed <= most and math.isfinite(trial.loss) for job in trial.jobs]
    return finals, runs


def ranking(results: Results, study: str) -> dict[str, list[Final]]:
    """By algorithm: the trials whose curves are there, best first."""
    targets = targets_of(results, study)
    curves: dict[tuple[str, Steps], list[Job]] = {}
    for job in results.jobs.get(study + FINALS, []):
        curves.setdefault((job.run.algorithm, steps_of(job.run)), []).append(job)
    return {algorithm: sorted((scored(trial, curves[algorithm, trial.steps], targets) for trial in trials
                               if (algorithm, trial.steps) in curves), key=lambda final: final.score)
            for algorithm, trials in trials_of(results, study).items()}


def scored(trial: Trial, jobs: list[Job], targets: list[float]) -> Final:
    by_seed = {job.run.seed: own_curve(job.path, read_trace(job.path).option("bits")) for job in jobs}
    judged = judge({trial.text: {seed: {"own": curve} for seed, curve in by_seed.items()}}, targets)
    missed, logs = 0, []
    for target in targets:
        at = judged.times[trial.text, target, "own"]
        # Nobody is chosen by a straight line to the first points: such a time is that of the point after it.
        times = [until if until < by_seed[seed].time_s[FIRST_RESOLVED] else at.time[seed] for seed, until in at.latest.items()]
        middle = plain_statistics.median(times)
        if math.isinf(middle):
            missed += 1
        else:
            logs.append(math.log(max(middle, 1e-300)))
    return Final(trial, missed, math.fsum(logs) / len(logs) if logs else 0.0)


def plateau(finals: list[Final]) -> str:
    """The range of alpha, at the winner's epsilon, in which the mean time is within 5 % of the winner's: "0.9–1.5"."""
    best = finals[0]
    near = [final.trial.steps[0] for final in finals if final.trial.steps[1:] == best.trial.steps[1:]
            and final.missed <= best.missed and final.log_time <= best.log_time + math.log1p(PLATEAU)]
    ends = min(near, key=float), max(near, key=float)
    return "–".join(ends) if ends[0] != ends[1] else f"{ends[0]} alone"
