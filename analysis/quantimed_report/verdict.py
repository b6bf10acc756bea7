"""What a table says in one sentence, and whether to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from . import style
from .statistics import BASELINE, Spread, bootstrap_median, paired_speed_ups
from .tables import Row, Table, figure, ratio, ratios
from .traces import Run

ENOUGH_PAIRS = 5  # fewer, and a bootstrap interval is hardly more than the range of what was seen
LOWER_LOSS = 0.05  # by this share: then the target favours the one that starts fast

# The step sizes that the program takes when none are given: those that were published for MNIST and 50 nodes.
PUBLISHED = {"quantimed-dsgd": ("0.3*T^(-1/6)", "15*T^(-1/2)"), "q-dsgd": ("0.3*T^(-1/6)", "15*T^(-1/2)"),
             "dsgd": ("0.2", "1"), "async-dsgd": ("0.2", "1")}


@dataclass(frozen=True)
class Verdict:
    sentence: str
    trust: str  # yes, care or no
    reasons: list[tuple[bool, str]]  # whether it speaks for the sentence, and what it is

    @property
    def trust_text(self) -> str:
        return {"yes": "Believe it: nothing that the traces hold speaks against it.",
                "care": "Believe it with care:", "no": "There is nothing to believe yet:"}[self.trust]


def verdict(table: Table, unread: int = 0) -> Verdict:
    """`unread`: how many files of the study could not be read."""
    ranked = table.by_time()
    if not table.counted:
        sentence = "No verdict: " + (f"none of the {len(table.runs)} runs counts." if len(table.runs) > 1 else "the only run does not count.")
    elif math.isnan(table.target):
        sentence = "No verdict: a run starts at or below the target already, so there is no time to compare."
    elif not ranked:
        sentence = f"No algorithm reached loss {figure(table.target)} in more than half of its runs."
    else:
        sentence = _sentence(table, ranked)
    reasons = [_complete(table, unread), _clock(table), _steps(table), *_doubts(table, ranked)]
    trust = "no" if not ranked else "yes" if all(good for good, _ in reasons) else "care"
    return Verdict(sentence, trust, reasons)


def _ratio(row: Row, other: Row, target: float) -> tuple[Spread, int]:
    ratios = paired_speed_ups(row.counted, other.counted, target)
    return bootstrap_median(ratios), len(ratios)


def _sentence(table: Table, ranked: list[Row]) -> str:
    best, target = ranked[0], f"loss {figure(table.target)}"
    others = [row for row in table.rows if row is not best and row.counted]
    if not others:
        return f"{best.label} reached {target} after {figure(best.time.median)} s; there is nothing to compare it with."
    second = ranked[1] if len(ranked) > 1 else None
    baseline = table.baseline if table.baseline in ranked[2:] else None
    late = table.baseline and table.baseline not in ranked and second
    end = f". {table.baseline.label} did not reach it in more than half of its runs." if late else "."
    if second and not is_clear(table, ranked):
        text = f"{best.label} and {second.label} are too close to call to {target}: the first was {_times(best, second, table)}"
        return text + (f"; it was {_times(best, baseline, table)}" if baseline else "") + end
    text = f"{best.label} was the fastest to {target}: "
    if not second:
        return text + "no other reached it in more than half of its runs."
    if baseline:
        text += f"{_times(best, baseline, table)} and "
    return text + _times(best, second, table, "the next, ") + end


def is_clear(table: Table, ranked: list[Row]) -> bool:
    """Whether the interval of the first over the second lies above 1."""
    if len(ranked) < 2:
        return True
    return _ratio(ranked[0], ranked[1], table.target)[0].low > 1


def _times(row: Row, other: Row, table: Table, role: str = "") -> str:
    factor, pairs = _ratio(row, other, table.target)
    if pairs == 0:
        return f"ahead of {other.label} by its median, without a pair of runs"
    said = (f"95 % interval {ratios(factor)} over {_count(pairs, 'paired run')}"
            if not math.isnan(factor.low) else f"{_count(pairs, 'paired run')}, too few for an interval")
    return f"{ratio(factor.median)} times as fast as {role}{other.label} ({said})"


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
    return False, f"{good} of {_count(runs, 'run')} ({100 * good / runs:.0f} %) complete and VALID; left out: {said}.{files}"


def _kind(run: Run) -> str:
    return next((kind for kind in ("INVALID", "diverged", "unfinished") if run.why_not.startswith(kind)), "other")


def _clock(table: Table) -> tuple[bool, str]:
    run = table.runs[0]
    if run.engine == "virtual":
        return True, (f"Virtual time: seconds of a model (speed {run.config.get('speed', '?')}, link "
                      f"{run.config.get('link', '?')}), the same on every machine; not a measurement.")
    return True, f"Real time, measured with {_count(run.nodes, 'node')} on {run.environment.get('cpu', 'an unknown processor')}."


def _steps(table: Table) -> tuple[bool, str]:
    if all(_published(run) for run in table.runs):
        if all(run.dataset == "mnist" and run.nodes == 50 for run in table.runs):
            return True, "Step sizes: the published ones, made for this data set and number of nodes."
        return False, "Step sizes: the published ones for MNIST and 50 nodes, not tuned for this data and network."
    return False, "Step sizes: as given; the traces do not say whether every algorithm was tuned with the same budget."


def _published(run: Run) -> bool:
    return PUBLISHED.get(run.algorithm) == (str(run.config.get("alpha")), str(run.config.get("epsilon")))


def _doubts(table: Table, ranked: list[Row]) -> list[tuple[bool, str]]:
    found = []
    rivals = [row for row in ranked[1:2]] + ([table.baseline] if table.baseline else [])
    pairs = [_ratio(ranked[0], row, table.target)[1] for row in rivals if row is not ranked[0]] if ranked else []
    if pairs and min(pairs) < ENOUGH_PAIRS:
        found.append((False, f"Few pairs of runs: {min(pairs)}; an interval wants {ENOUGH_PAIRS} or more (more --seeds)."))
    if ranked and not is_clear(table, ranked):
        found.append((False, f"The interval of {ranked[0].label} over {ranked[1].label} does not lie above 1."))
    lowest = min((row for row in table.rows if row.counted), key=lambda row: row.final_loss.median, default=None)
    if ranked and lowest.final_loss.median < (1 - LOWER_LOSS) * ranked[0].final_loss.median:
        found.append((False, f"{lowest.label} ended at a lower loss, {figure(lowest.final_loss.median)} against "
                             f"{figure(ranked[0].final_loss.median)}: with a lower target another may be the fastest (--target)."))
    missed = [f"{row.label} {len(row.counted) - row.reached} of {len(row.counted)}" for row in table.rows
              if row.counted and row.reached < len(row.counted)]
    if missed and not math.isnan(table.target):
        found.append((False, f"Missed the target: {', '.join(missed)}; a miss counts as infinitely late."))
    if ranked and not table.baseline:
        found.append((False, f"No run of the baseline {style.label(BASELINE)} counts, or it has several step sizes: no speed-up over it."))
    if len({run.commit for run in table.counted}) > 1:
        found.append((False, "The runs were made by different commits of the program."))
    return found
