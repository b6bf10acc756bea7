"""A study of tuned steps compares algorithms under equal conditions, or is refused.

    tuned-by = mnist-tune.ini       # the study, beside this one, whose trials chose the steps

Then every algorithm has the same options but for its own steps: the same objective, batch, data and time; and in the
tuning as many trials, under these same options, on seeds that do not judge.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study_file import Run, Study

# An algorithm's own. bits: which clock ends a run whose values depend on the clock; tables show both.
OWN = ("alpha", "epsilon", "horizon", "bits")
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
    ignored = ("evaluations", "max-time" if quick else "")
    here, there = ({k: v for k, v in found[first].items() if k not in ignored} for found in (of_study, of_tuning))
    if text := difference({study.path.name: here, tuning.path.name: there}):
        return f"{text}; steps are tuned for what is judged"
    trials = {name: sum(run.algorithm == name for run in tuning.runs()) for name in of_study}
    if len(set(trials.values())) > 1:
        return f"{tuning.path.name}: " + ", ".join(f"{name} has {count} trials" for name, count in trials.items())
    if both := {run.seed for run in study.runs()} & {run.seed for run in tuning.runs()}:
        return f"seeds: {', '.join(map(str, sorted(both)))}: of the tuning too; steps are judged on other seeds"
    return ""


def shared(runs: list[Run]) -> dict[str, dict[str, str]]:
    """By algorithm: the options that are not its own. What varies within one is joined, so that it differs from one value."""
    found: dict[str, dict[str, set[str]]] = {}
    for run in runs:
        for name, value in run.options.items():
            if name not in OWN:
                found.setdefault(run.algorithm, {}).setdefault(name, set()).add(value)
    return {algorithm: {name: " | ".join(sorted(values)) for name, values in options.items()}
            for algorithm, options in found.items()}


def difference(by_name: Mapping[str, Mapping[str, str]]) -> str:
    (first, options), *others = by_name.items()
    for other, theirs in others:
        for name in sorted(options.keys() | theirs.keys()):
            if options.get(name) != theirs.get(name):
                return f"{name}: {first} has {options.get(name, 'none')}, {other} has {theirs.get(name, 'none')}"
    return ""
