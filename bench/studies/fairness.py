# SPDX-License-Identifier: BSD-3-Clause
"""A study of tuned steps compares algorithms under equal conditions, or is refused.

    tuned-by = mnist-tune.ini       # the study, beside this one, whose trials chose the steps

Then every algorithm has the same options but for its own steps: the same objective, batch, data and time; and in the
tuning as many trials, under these same options, on seeds that do not judge. That the steps are the best of these trials
is asked when the trials have run.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study_file import Run, Study

STEPS = ("alpha", "epsilon", "horizon")  # an algorithm's own
Steps = tuple[str, ...]  # as STEPS, without the horizon; "" where an algorithm has none
WHOLE_WAY = 1.0  # of epsilon: all that the neighbours say is taken over, and beyond is no averaging
NO_LIMIT = 100_000  # iterations that no run of a tuned study does in its time


def unfairness(study: Study, tuning: Study, quick: bool) -> str:
    """What differs that should not; nothing where the comparison is fair."""
    of_study, of_tuning = shared(study.runs()), shared(tuning.runs())
    for what, options in ((study, of_study), (tuning, of_tuning)):
        if text := difference(options):
            return f"{what.path.name}: {text}; tuned algorithms are compared under equal options"
    (first, options), *_ = of_study.items()
    if "max-time" not in options or float(options.get("iterations", "300")) < NO_LIMIT:
        return f"{first}: iterations end it; give max-time, the same for all, and iterations = {10 * NO_LIMIT}"
    if algorithms := set(of_study) - set(of_tuning):
        return f"{', '.join(sorted(algorithms))}: never tuned in {tuning.path.name}"
    if options.get("allow-large-epsilon", "false") != "false":
        return f"{study.path.name}: allow-large-epsilon: an epsilon above 1 is no averaging; take the option out"
    ignored = ("evaluations", "max-time" if quick else "")
    here, there = ({k: v for k, v in found[first].items() if k not in ignored} for found in (of_study, of_tuning))
    if text := difference({study.path.name: here, tuning.path.name: there}):
        return f"{text}; steps are tuned for what is judged"
    trials, judged = points(tuning.runs()), points(study.runs(), quick)
    if len({len(trials[name]) for name in of_study}) > 1:
        return f"{tuning.path.name}: " + ", ".join(f"{name} has {len(trials[name])} trials" for name in of_study)
    for name, steps in judged.items():
        if len(steps) > 1:
            return f"{name}: {len(steps)} settings of its steps; the best of them would be chosen on the seeds that judge"
        if not steps <= points(tuning.runs(), quick)[name]:
            return f"{name}: its steps are none of the trials of {tuning.path.name}"
        if text := edge(name, tuning.runs(), study.runs()):
            return f"{text}; the best may lie beyond: add trials on both sides in {tuning.path.name}, for every algorithm"
    if both := {run.seed for run in study.runs()} & {run.seed for run in tuning.runs()}:
        return f"seeds: {', '.join(map(str, sorted(both)))}: of the tuning too; steps are judged on other seeds"
    return ""


def steps_of(run: Run) -> Steps:
    return tuple(run.options.get(name, "") for name in STEPS[:-1])


def worse_than_best(study: Study, tuning: str, best: Mapping[str, Steps]) -> str:
    """Whose steps are not those of the best trial; nothing where all are. `best`: by algorithm."""
    for run in study.runs():
        judged, winner = steps_of(run), best.get(run.algorithm)
        if winner is None:
            return f"{run.algorithm}: no trial of {tuning} counts"
        if [plain(step) for step in judged] != [plain(step) for step in winner]:
            names = [" and ".join(f"{name} = {step}" for name, step in zip(STEPS, steps) if step) for steps in (judged, winner)]
            return f"{run.algorithm}: {names[0]} is judged, and the best trial of {tuning} has {names[1]}; take that one"
    return ""


def points(runs: list[Run], quick: bool = False) -> dict[str, set[tuple[str, ...]]]:
    """By algorithm: its different steps, however they are spelt. Quick runs have another time, and so other horizons."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for run in runs:
        names = STEPS[:-1] if quick else STEPS
        found.setdefault(run.algorithm, set()).add(tuple(plain(run.options.get(name, "")) for name in names))
    return found


def edge(algorithm: str, tuning: list[Run], judged: list[Run]) -> str:
    """A step that was not searched, or is the least or the largest of those tried; nothing where trials lie on both sides."""
    for option in STEPS[:-1]:
        tried, taken = ({size(run.options[option]) for run in runs if run.algorithm == algorithm and option in run.options}
                        for runs in (tuning, judged))
        if len(tried) == 1:
            return f"{algorithm}: {option} = {min(tried):g} is the only one that was tried"
        for value in taken:
            if value in (min(tried), max(tried)) and (option, value) != ("epsilon", WHOLE_WAY):
                return f"{algorithm}: {option} = {value:g} is the {'least' if value == min(tried) else 'largest'} that was tried"
    return ""


def size(text: str) -> float:
    """Of a step, or of the factor before a power of T (1 where none is written), which is the same in all trials."""
    found = re.match(r"[-+.\deE]*\d", text.strip())
    return float(found[0]) if found else 1.0 if text.strip().startswith("T") else 0.0


def plain(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:  # a formula of T
        return "".join(text.split())


def shared(runs: list[Run]) -> dict[str, dict[str, str]]:
    """By algorithm: the options that are not its own. What varies within one is joined, so that it differs from one value."""
    found: dict[str, dict[str, set[str]]] = {}
    for run in runs:
        for name, value in run.options.items():
            # Values of asynchronous runs depend on the clock that ends them, so that they are made once for each.
            if name not in STEPS and (name, run.algorithm) != ("bits", "async-dsgd"):
                found.setdefault(run.algorithm, {}).setdefault(name, set()).add(value)
    return {algorithm: {name: " | ".join(sorted(values)) for name, values in options.items()}
            for algorithm, options in found.items()}


def difference(by_name: Mapping[str, Mapping[str, str]]) -> str:
    (first, options), *others = sorted(by_name.items(), key=lambda one: one[0] == "async-dsgd")  # it has no bits to compare
    for other, theirs in others:
        for name in sorted(options.keys() | theirs.keys()):
            if options.get(name) != theirs.get(name) and (name, other) != ("bits", "async-dsgd"):
                return f"{name}: {first} has {options.get(name, 'none')}, {other} has {theirs.get(name, 'none')}"
    return ""
