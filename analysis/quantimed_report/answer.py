# SPDX-License-Identifier: BSD-3-Clause
"""What a table says in one sentence, and whether to believe it. Who won is the program's word (statistics.py); here it
is put beside what speaks for it and against it."""

from __future__ import annotations

from dataclasses import dataclass

from . import style, words
from .statistics import BASELINE, CLOCKS, curves, judge_runs
from .tables import Table, figure
from quantimed.traces import Run

FEW_PAIRS = 10  # fewer are no claim
LOWER_LOSS = 0.05  # by this share

# The step sizes that the program takes when none are given: those that were published for MNIST and 50 nodes.
PUBLISHED = {"quantimed-dsgd": ("0.3*T^(-1/6)", "15*T^(-1/2)"), "q-dsgd": ("0.3*T^(-1/6)", "15*T^(-1/2)"),
             "dsgd": ("0.2", "1"), "async-dsgd": ("0.2", "1")}


@dataclass(frozen=True)
class Answer:
    sentence: str
    trust: str  # yes, care or no
    reasons: list[tuple[bool, str]]  # whether it speaks for the sentence, and what it is

    @property
    def trust_text(self) -> str:
        return {"yes": "Believe it: nothing that the traces hold speaks against it.",
                "care": "Caveats:", "no": "There is nothing to believe yet:"}[self.trust]


def answer(table: Table, unread: int = 0) -> Answer:
    """`unread`: how many files of the study could not be read."""
    named = [row for row in table.rows if row.counted]
    if not table.counted:
        sentence = "No result: " + (f"none of the {len(table.runs)} runs counts." if len(table.runs) > 1 else "the only run does not count.")
    elif len(table.rows) < 2:
        sentence = f"{named[0].label} was run alone; there is nothing to compare it with."
    else:
        sentence = table.judged.headline(main_clock(table))
    reasons = [_complete(table, unread), _clock(table), _steps(table), *_clocks(table), *_targets(table), *_doubts(table)]
    trust = "no" if not table.counted or not table.targets else "yes" if all(good for good, _ in reasons) else "care"
    return Answer(sentence, trust, reasons)


def main_clock(table: Table) -> str:
    """The one that a sentence is about: that of the bits on the wire, where there are two."""
    return "wire" if "wire" in table.judged.clocks else table.judged.clocks[0]


def winners(table: Table, clock: str | None = None) -> dict[float, str | None]:
    """Who is named at each target."""
    return {race.target: race.winner for race in table.races(clock or main_clock(table))}


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _complete(table: Table, unread: int) -> tuple[bool, str]:
    runs, good = len(table.runs), len(table.counted)
    files = f" {_count(unread, 'file')} of the study could not be used." if unread else ""
    if good == runs:
        return not unread, f"All {_count(runs, 'run')} complete and VALID (100 %): none INVALID, diverged or unfinished.{files}"
    kinds = {"INVALID": 0, "diverged": 0, "unfinished": 0, "other": 0}
    for run in table.runs:
        if not run.counts:
            kinds[_kind(run)] += 1
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    return False, (f"{good} of {_count(runs, 'run')} ({100 * good / runs:.0f} %) complete and VALID; {said}: "
                   f"each is taken as one that never arrived.{files}")


def _kind(run: Run) -> str:
    return next((kind for kind in ("INVALID", "diverged", "unfinished") if run.why_not.startswith(kind)), "other")


def _clock(table: Table) -> tuple[bool, str]:
    run = table.runs[0]
    if run.engine == "virtual":
        return True, (f"Virtual time: seconds of a model ({words.of('speed', run.config.get('speed', '?'))}, "
                      f"{words.of('link', run.config.get('link', '?'))}), the same on every machine; not a measurement.")
    return True, f"Real time, measured with {_count(run.nodes, 'node')} on {run.environment.get('cpu', 'an unknown processor')}."


def _steps(table: Table) -> tuple[bool, str]:
    # What was run for another clock has the steps that were tuned for this one.
    tuned = {str(run.config.get("tuned_by") or "") for run in table.runs if main_clock(table) in curves(run)}
    tuned = {"" if one == "none" else one for one in tuned}  # as the program writes it
    if len(tuned) == 1 and "" not in tuned:
        found = tuned.pop()
        if found.startswith("equal budgets: "):
            return "; but " not in found, f"Step sizes: tuned with {found}."
        return False, f"Step sizes: tuned for {found}."
    if tuned != {""}:
        return False, "Step sizes: not tuned with one budget: " + ", ".join(sorted(one or "not tuned" for one in tuned)) + "."
    if all(_published(run) for run in table.runs):
        if all(run.dataset == "mnist" and run.nodes == 50 for run in table.runs):
            return True, "Step sizes: the published ones, made for this data set and number of nodes."
        return False, "Step sizes: the published ones for MNIST and 50 nodes, not tuned for this data and network."
    return False, "Step sizes: as given; the traces do not say that every algorithm was tuned with the same budget."


def _published(run: Run) -> bool:
    """An epsilon that would be above 1 at the run's horizon is 1, as the program says where it does so."""
    alpha, epsilon = PUBLISHED.get(run.algorithm, ("", ""))
    return str(run.config.get("alpha")) == alpha and str(run.config.get("epsilon")) in (epsilon, "1")


def _clocks(table: Table) -> list[tuple[bool, str]]:
    main = main_clock(table)
    others = [clock for clock in table.judged.clocks if clock != main]
    if not others or not table.targets:
        return []
    said = [(False, f"With {CLOCKS[clock]} instead: {table.judged.headline(clock)}") for clock in others
            if winners(table, clock) != winners(table, main)]
    if table.judged.turns_round:
        said.append((False, table.judged.turns_round))
    if not any(winners(table).values()):
        return said or [(False, "Neither count of bits, the paper's nor those on the wire, names a winner.")]
    return said or [(True, "Both counts of bits, the paper's and those on the wire, name the same winners.")]


def _targets(table: Table) -> list[tuple[bool, str]]:
    """Whether the answer hangs on the target, to both sides."""
    here = {name for name in winners(table).values() if name}
    said = []
    if len(here) > 1:
        said.append((False, "Who is the fastest depends on the target: the curves cross."))
    if table.judged.answer["targets_given"] and not table.each_target:
        said += _other_targets(table, here)
    return said


def _other_targets(table: Table, here: set[str]) -> list[tuple[bool, str]]:
    """The targets were chosen by who asked: what others would say."""
    labels = {run.path: row.label for row in table.rows for run in row.runs}
    judged = judge_runs([run for row in table.rows for run in row.runs], lambda run: labels[run.path])
    elsewhere: dict[str, list[float]] = {}
    for target in judged.targets:
        winner = judged.race(target, main_clock(table)).winner
        if winner and winner not in here:
            elsewhere.setdefault(winner, []).append(target)
    return [(False, f"At other targets another is the fastest: {name} at loss {', '.join(map(figure, found))}.")
            for name, found in elsewhere.items()]


def _doubts(table: Table) -> list[tuple[bool, str]]:
    found = []
    if len(table.rows) > 1 and table.judged.pairs < FEW_PAIRS:
        unit = table.judged.answer["pairs"]["are"].removesuffix("s")
        found.append((False, f"Few pairs of runs: {_count(table.judged.pairs, unit)}; a claim wants {FEW_PAIRS} or more (--seeds)."))
    if any(race.first and not race.winner for race in table.races(main_clock(table))) and len(table.rows) > 1:
        found.append((False, "At some targets it is too close to call: the first is not clearly ahead of each other one."))
    missed = table.judged.misses(main_clock(table)) if table.targets else ""
    if missed:
        found.append((False, missed))
    if len(table.rows) > 1 and not table.baseline:
        found.append((False, f"No run of the baseline {style.label(BASELINE)} counts, or it has several step sizes: no speed-up over it."))
    if len({run.commit for run in table.counted}) > 1:
        found.append((False, "The runs were made by different commits of the program."))
    return found + [(False, text + ("" if text.endswith(".") else ".")) for text in table.judged.warnings]
