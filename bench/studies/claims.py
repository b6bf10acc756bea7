# SPDX-License-Identifier: BSD-3-Clause
"""Each published claim beside what was found. A conclusion follows from a rule that is printed with it.

Targets are those of the study's file (`targets = 2.2, 2.0, 1.9`), stated before the runs; a file without them takes
shares of the fall to the best loss that any run reached. What diverged or is INVALID missed every target. All
comparisons of a claim in which a run arrived are corrected together (Holm; Tarone), and none is picked for being the best.
"""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .ledger import Ledger
from .statistics import FEWEST_SEEDS, Comparison, Judged, compare, estimate, judge, ratios
from .traces import Curve, Results, read_trace

OURS = "quantimed-dsgd"
BASELINES = ("dsgd", "async-dsgd", "q-dsgd")
HOLDS, PART, FAILS, OPEN, UNKNOWN = "holds", "holds in part", "does not hold", "not decided", "not run"
CLOCKS = ("paper", "wire")
ARRIVED = "in which a run arrived"  # the others can be neither won nor lost
# Name, study with the published steps, study with every algorithm tuned. ImageNet's steps are not published.
DATA_SETS = (("MNIST", "mnist", "mnist-tuned"), ("CIFAR-10, two classes", "cifar10-two-class", "cifar10-tuned"),
             ("ImageNet, two classes", "imagenet-two-class", "imagenet-tuned"),
             ("four hidden layers", "four-layers", "four-layers-tuned"))
TABLE_OF_STEPS = {"mnist-tuned": "tuned", "cifar10-tuned": "tuned", "imagenet-tuned": "tuned",
                  "four-layers-tuned": "tuned", "imagenet-two-class": "tuned, horizons"}


@dataclass
class Claim:
    title: str  # as published
    setting: str
    rule: str
    head: list[str]
    rows: list[list[str]] = field(default_factory=list)
    finding: str = UNKNOWN
    found: str = ""
    figures: list[Path] = field(default_factory=list)
    remark: str = ""


@dataclass(frozen=True)
class Paired:
    """Ratios of two times, by seed, and what they cannot say."""
    values: Mapping[int, float]
    both_missed: int  # seeds of which nothing is known; their ratio is 0, so that they speak for nobody
    is_bound: bool = False  # a time is not resolved: the ratios are the least that they can be

    @property
    def is_tie(self) -> bool:
        return self.both_missed == len(self.values)

    @property
    def says_less(self) -> bool:
        """Whether a ratio below 1 means that ours is behind."""
        return not self.both_missed and not self.is_bound

    def text(self, other: str = "theirs") -> str:
        found = estimate(self.values.values())
        ours = sum(map(math.isinf, self.values.values()))
        theirs = sum(value == 0 for value in self.values.values()) - self.both_missed
        if self.is_tie:
            return "both missed"
        if found.median and math.isfinite(found.median):
            return ("≥ " if self.is_bound else "") + found.text("×", infinite="∞")
        if self.is_bound and not found.median:
            return "not resolved"
        both = len(self.values) - ours - theirs - self.both_missed
        parts = [(ours, "only ours arrived"), (theirs, f"only {other} arrived"), (self.both_missed, "both missed"), (both, "both arrived")]
        return ", ".join(text + ("" if count == len(self.values) else f" in {count} of {len(self.values)}")
                         for count, text in parts if count)


def both_missed(*times: Mapping[int, float]) -> int:
    return sum(all(math.isinf(by_seed[seed]) for by_seed in times) for seed in set.intersection(*(set(t) for t in times)))


@dataclass(frozen=True)
class Race:
    """QuanTimed-DSGD against the others, to each target on both clocks of bits."""
    judged: Judged
    files: dict[str, list[Path]]  # algorithm

    @property
    def targets(self) -> list[float]:
        return self.judged.targets

    @property
    def middle(self) -> float:
        """Where there is room for one target."""
        return self.targets[len(self.targets) // 2]

    @property
    def baselines(self) -> list[str]:
        return [algorithm for algorithm in BASELINES if algorithm in self.files]

    def times(self, algorithm: str, target: float, clock: str) -> dict[int, float]:
        return self.judged.times[algorithm, target, clock].time

    def is_resolved(self, algorithm: str, target: float, clock: str) -> bool:
        return not self.judged.times[algorithm, target, clock].unresolved

    def speed_ups(self, baseline: str, target: float, clock: str) -> dict[int, float]:
        """The baseline's time over ours, by seed; the least that it can be where a curve's points do not resolve one."""
        theirs, ours = (self.judged.times[a, target, clock] for a in (baseline, OURS))
        return ratios(theirs.earliest if theirs.unresolved else theirs.time,
                      ours.latest if ours.unresolved else ours.time)

    def paired(self, baseline: str, target: float, clock: str) -> Paired:
        times = [self.times(algorithm, target, clock) for algorithm in (baseline, OURS)]
        return Paired(self.speed_ups(baseline, target, clock), both_missed(*times),
                      not all(self.is_resolved(algorithm, target, clock) for algorithm in (baseline, OURS)))


def race(results: Results, study: str, **wanted: str) -> Race | None:
    curves: dict[str, dict[int, dict[str, Curve]]] = {}
    for algorithm in results.algorithms(study):
        own = {name: value for name, value in wanted.items()
               if value in results.values_of(study, algorithm, name)}  # one that has a batch of its own is in no grid
        by_clock = {clock: results.curves(study, algorithm, clock, **own) for clock in CLOCKS}
        seeds = set.intersection(*(set(found) for found in by_clock.values()))
        if seeds:
            curves[algorithm] = {seed: {clock: by_clock[clock][seed] for clock in CLOCKS} for seed in sorted(seeds)}
    if OURS not in curves or len(curves) < 2:
        return None
    judged = judge(curves, results.targets.get(study, []))
    if not judged.targets:
        return None
    return Race(judged, {a: [f for by_clock in c.values() for curve in by_clock.values() for f in curve.files]
                         for a, c in curves.items()})


def at_batch_50(results: Results, study: str) -> dict[str, str]:
    """Where a study has several batches: one of them, so that data sets are compared alike."""
    return {"batch": "50"} if "50" in results.values(study, "batch") else {}


RACE_HEAD = ["our time, paper / wire bits", "over DSGD", "over asynchronous", "over Q-DSGD", "fastest"]


def race_row(race_: Race, target: float, ledger: Ledger) -> list[str]:
    """Our time and the speed-up over each baseline on both clocks, each with its reference."""
    cells = []
    ours = [ledger.median(race_.times(OURS, target, clock), f"time to loss {target:.4g} by {OURS}, {clock} bits",
                          race_.files[OURS], " s")[0] for clock in CLOCKS]
    marks = ["" if race_.is_resolved(OURS, target, clock) else "< " for clock in CLOCKS]
    cells.append(" / ".join(mark + text for mark, text in zip(marks, ours)))
    for baseline in BASELINES:
        if baseline not in race_.files:
            cells.append("–")
            continue
        both = []
        for clock in CLOCKS:
            paired = race_.paired(baseline, target, clock)
            both.append(ledger.median(paired.values, f"time to loss {target:.4g} of {baseline} over that of {OURS}, paired by seed, "
                                      f"{clock} bits", race_.files[OURS] + race_.files[baseline], "×", shown=paired.text())[0])
        cells.append(" / ".join(both))
    winners = [race_.judged.winners[target, clock] or "too close to call" for clock in CLOCKS]
    cells.append(winners[0] if winners[0] == winners[1] else " / ".join(winners))
    return cells


Key = tuple[str, str, str, float, str]  # row, steps, clock, target, baseline


Family = dict[Key, Paired]


def comparisons(label: str, steps: str, found: Race) -> Family:
    """Every speed-up of a race: no target and no clock is left out."""
    return {(label, steps, clock, target, baseline): found.paired(baseline, target, clock)
            for clock in CLOCKS for target in found.targets for baseline in found.baselines}


def compared(family: Family, over: float = 1) -> dict[Key, Comparison]:
    names = {repr(key): key for key in family}
    found = compare({repr(key): [math.nan] * len(paired.values) if paired.is_tie else list(paired.values.values())
                     for key, paired in family.items()}, over)
    return {names[name]: one for name, one in found.items()}


def decide(claim: Claim, family: Family, found: Mapping[Key, Comparison], said: str, finding: str) -> None:
    """Fewer seeds than an interval wants decide nothing, and what is not shown is refuted only where the contrary is.
    A ratio that is known by a bound, or of which a pair missed on both sides, shows no contrary."""
    seeds = min(one.ratio.count for one in found.values())
    if seeds < FEWEST_SEEDS:
        finding, said = OPEN, f"{said}; {seeds} seeds are too few to decide, an interval wants {FEWEST_SEEDS}"
    elif finding == FAILS and not any(family[key].says_less and one.ratio.high < 1 for key, one in found.items()):
        finding, said = OPEN, f"{said}; not shown, and neither is the contrary"
    claim.finding, claim.found = finding, said


def speed_up(results: Results, ledger: Ledger) -> Claim:
    claim = Claim(
        "speed-up of up to 3× over the baselines",
        "time to each of the study's targets, on both clocks of bits",
        "\"up to\" is the largest of many, so it is judged by the lower edges: it holds where in every accounting (published "
        "steps and tuned steps, the paper's bits and the wire's) some comparison is above 3× beyond chance, corrected "
        f"for all comparisons of the claim {ARRIVED} (Holm); in part where that is so in one accounting, or where we are ahead in all "
        "comparisons; else it does not hold",
        ["experiment", "steps", "to loss", *RACE_HEAD])
    family: Family = {}
    for name, published, tuned in DATA_SETS[:3]:
        for study in (published, tuned):
            for batch in [b for b in ("20", "50") if b in results.values(study, "batch")] or [""]:
                if not (found := race(results, study, **({"batch": batch} if batch else {}))):
                    continue
                steps = TABLE_OF_STEPS.get(study, "published")
                label = name + (f", b = {batch}" if batch else "")
                claim.rows += [[label, steps, f"{target:.4g}", *race_row(found, target, ledger)] for target in found.targets]
                family |= comparisons(label, steps, found)
    if not family:
        return claim
    thrice, ahead = compared(family, 3), compared(family)
    accountings: dict[tuple[str, str], bool] = {}  # published or tuned, clock: some comparison is above 3×
    for (_, steps, clock, _, _), one in thrice.items():
        accounting = (steps.split(",")[0], clock)
        accountings[accounting] = accountings.get(accounting, False) or one.is_clear
    whole = len(accountings) == 4  # a finding on half the accountings is no more than half a one
    everywhere = all(one.is_clear for one in ahead.values())
    decide(claim, family, ahead, f"{largest(family, ahead)}; {least(family, ahead)}",
           HOLDS if all(accountings.values()) and whole else PART if any(accountings.values()) or everywhere else FAILS)
    return claim


def describe(key: Key, paired: Paired) -> str:
    label, steps, clock, target, baseline = key
    return f"{paired.text(baseline)} over {baseline} ({label}, {steps} steps, {clock} bits, to loss {target:.4g})"


def count_of(number: int, word: str = "comparison") -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def largest(family: Family, found: Mapping[Key, Comparison]) -> str:
    """By its lower edge: the largest median of many is a lucky one. Where the other missed there is no ratio, only a count."""
    finite = [key for key, one in found.items() if math.isfinite(one.ratio.median) and one.ratio.median > 0]
    alone: dict[str, int] = {}
    for key, one in found.items():
        if math.isinf(one.ratio.median):
            alone[key[4]] = alone.get(key[4], 0) + 1
    parts = []
    if finite:
        key = max(finite, key=lambda k: found[k].ratio.low)
        parts.append(f"largest of {count_of(len(finite))} by its lower edge: {describe(key, family[key])}")
    if alone:
        parts.append("ours arrived and " + ", ".join(f"{baseline} missed in {count}" for baseline, count in alone.items()) + " more")
    if ties := sum(paired.is_tie for paired in family.values()):
        parts.append(f"both missed in {ties}")
    return "; ".join(parts)


def least(family: Family, found: Mapping[Key, Comparison]) -> str:
    """Of those that are more than a bound, and in which no pair missed on both sides."""
    known = [key for key in found if family[key].says_less]
    if not known:
        return "no comparison is resolved with an arrival in every pair"
    key = min(known, key=lambda k: (found[k].ratio.median, found[k].ratio.low))
    return f"least: {describe(key, family[key])}" if math.isfinite(found[key].ratio.median) else f"least: {key[4]} missed in all"


def ahead_of_all(results: Results, ledger: Ledger, title: str, row: tuple[str, str, str]) -> Claim:
    """'Significant on …': ahead of every baseline, beyond the spread over seeds."""
    name, published, tuned = row
    claim = Claim(title, f"{name}, all four algorithms, 50 nodes; time to each of the study's targets, on both clocks of bits",
                  "holds where we are ahead of every baseline at every target, beyond chance and corrected for all "
                  f"comparisons of the claim {ARRIVED} (Holm); in part where that is so at one target or more, for one way to choose "
                  "the steps and one clock; else it does not hold", ["steps", "to loss", *RACE_HEAD])
    family: Family = {}
    for study in (published, tuned):
        if not (found := race(results, study, **at_batch_50(results, study))):
            continue
        steps = TABLE_OF_STEPS.get(study, "published")
        claim.rows += [[steps, f"{target:.4g}", *race_row(found, target, ledger)] for target in found.targets]
        family |= comparisons(name, steps, found)
    if family:
        judged = compared(family)
        where: dict[tuple[str, str, float], bool] = {}  # steps, clock, target: ahead of every baseline
        for (_, steps, clock, target, _), one in judged.items():
            where[steps, clock, target] = where.get((steps, clock, target), True) and one.is_clear
        whole = results.has(published) and results.has(tuned)
        missing = "" if whole else "; tuned steps not run" if results.has(published) else "; published steps not run"
        decide(claim, family, judged, f"{by_target(where)}; {least(family, judged)}{missing}",
               HOLDS if all(where.values()) and whole else PART if any(where.values()) else FAILS)
    return claim


def by_target(where: Mapping[tuple[str, str, float], bool]) -> str:
    """The conclusion at each target."""
    parts: dict[tuple[str, str], list[str]] = {}
    for (steps, clock, target), ahead in where.items():
        parts.setdefault((steps, clock), []).append(f"{target:.4g} {'yes' if ahead else 'no'}")
    return "ahead of every baseline to loss " + "; ".join(
        f"{', '.join(found)} ({steps} steps, {clock} bits)" for (steps, clock), found in parts.items())


def worst_slowdowns(races: Mapping[str, Race], algorithm: str, clock: str) -> dict[int, float]:
    """By seed: the algorithm's time over the fastest one's, where that is greatest over data sets and targets. A target
    that no algorithm reached says nothing."""
    worst: dict[int, float] = {}
    for found in races.values():
        if algorithm not in found.files:
            continue
        for target in found.targets:
            times = {a: found.times(a, target, clock) for a in found.files}
            for seed, mine in times[algorithm].items():
                fastest = min(by_seed[seed] for by_seed in times.values())
                if math.isfinite(fastest):
                    worst[seed] = max(worst.get(seed, 0), mine / fastest)
    return worst


def sensitivity(results: Results, ledger: Ledger) -> Claim:
    claim = Claim(
        "less sensitive to the data set and the network than the others",
        "each algorithm's time over the fastest algorithm's, for each data set, network and target; an algorithm is as "
        "sensitive as its worst such slowdown (our reading of the claim)",
        "holds where our worst slowdown is below every other's beyond chance, corrected for all comparisons of the claim "
        f"{ARRIVED} (Holm), for published and for tuned steps and on both clocks of bits; in part where it is in one of these; else it "
        "does not hold",
        ["steps", "algorithm", *(name for name, _, _ in DATA_SETS), "worst, paper / wire bits"])
    family: Family = {}
    for column, steps in ((1, "published"), (2, "tuned")):
        races = {row[0]: race(results, row[column], **at_batch_50(results, row[column])) for row in DATA_SETS}
        races = {name: found for name, found in races.items() if found}
        if len(races) < 2:
            continue
        worst = {(a, clock): worst_slowdowns(races, a, clock) for a in (OURS, *BASELINES) for clock in CLOCKS}
        for algorithm in (OURS, *BASELINES):
            claim.rows.append([steps, algorithm, *(slowdown_cell(races.get(name), algorithm, ledger) for name, _, _ in DATA_SETS),
                               " / ".join(median_or_dash(worst[algorithm, clock], f"the worst of {algorithm}'s slowdowns over data "
                                          f"sets and targets, by seed, {clock} bits", races, ledger) for clock in CLOCKS)])
        family |= {("worst slowdown", steps, clock, 0.0, other): Paired(ratios(worst[other, clock], worst[OURS, clock]),
                                                                               both_missed(worst[other, clock], worst[OURS, clock]))
                   for clock in CLOCKS for other in BASELINES if worst[other, clock].keys() & worst[OURS, clock].keys()}
    if family:
        judged = compared(family)
        outcomes = {(key[1], key[2]): True for key in judged}
        for key, one in judged.items():
            outcomes[key[1], key[2]] &= one.is_clear
        decide(claim, family, judged, "others' worst slowdown over ours: " + "; ".join(
            f"{key[4]} {slowdown_text(paired)} ({key[1]} steps, {key[2]} bits)" for key, paired in family.items()),
               HOLDS if all(outcomes.values()) and len(outcomes) == 4 else PART if any(outcomes.values()) else FAILS)
    return claim


def slowdown_text(paired: Paired) -> str:
    """Infinite where an algorithm missed a target that another one reached."""
    known = estimate(paired.values.values())
    if paired.is_tie or math.isfinite(known.median) and known.median:
        return "both missed a target" if paired.is_tie else paired.text()
    alone = sum(map(math.isinf, paired.values.values()))
    return "missed a target" + ("" if alone == len(paired.values) else f" in {alone} of {len(paired.values)}") if alone else "ours missed a target"


def slowdown_cell(found: Race | None, algorithm: str, ledger: Ledger) -> str:
    if not found or algorithm not in found.files:
        return "–"
    return " / ".join(median_or_dash(worst_slowdowns({"it": found}, algorithm, clock), f"the worst of {algorithm}'s slowdowns "
                                     f"over targets, by seed, {clock} bits", {"it": found}, ledger) for clock in CLOCKS)


def median_or_dash(values: Mapping[int, float], how: str, races: Mapping[str, Race], ledger: Ledger) -> str:
    files = [file for found in races.values() for of in found.files.values() for file in of]
    return ledger.median(values, how, files, "×")[0] if values else "–"


def averaging(results: Results, ledger: Ledger) -> Claim:
    claim = Claim(
        "averaging the neighbours' models is negligible beside the gradient",
        "share of all nodes' time, MNIST, b = 50: on the paper's clock (n = 50, T_c = 3); on a machine with a core for "
        "each of 50 nodes, in virtual time with the costs that `quantimed calibrate` measured on this one; in real time "
        "with two nodes on two cores",
        "holds where averaging takes at most 5 % of the gradient's time everywhere; in part where it does on one clock; "
        "else it does not hold",
        ["clock", "algorithm", "gradient", "averaging", "quantizing", "exchange", "waiting", "averaging / gradient"])
    ratios_found: dict[str, list[float]] = {}
    for clock, study in (("paper", "mnist"), ("50 nodes, measured costs", "averaging-machine"),
                         ("real time, 2 nodes", "averaging-real")):
        for algorithm in results.algorithms(study):
            jobs = results.select(study, algorithm=algorithm)
            jobs = [j for j in jobs if read_trace(j.path).option("bits") == "paper"]
            longest = max(int(read_trace(j.path).option("iterations")) for j in jobs)
            jobs = [j for j in jobs if read_trace(j.path).option("iterations") == str(longest)]
            jobs = [j for j in jobs if j.run.setting.get("batch", "50") in ("50", "30")]
            files = [j.path for j in jobs]
            cells = []
            for phase in ("compute", "mix", "encode", "exchange", "wait"):
                values = {j.run.seed: 100 * read_trace(j.path).summary[f"{phase}_share"] for j in jobs}
                cells.append(ledger.median(values, f"/summary {phase}_share × 100", files, " %")[0])
            ratio = {j.run.seed: 100 * read_trace(j.path).summary["mix_share"] / read_trace(j.path).summary["compute_share"]
                     for j in jobs}
            text, found = ledger.median(ratio, "/summary mix_share / compute_share × 100", files, " %")
            ratios_found.setdefault(clock, []).append(found.median)
            claim.rows.append([clock, algorithm, *cells, text])
    if len(ratios_found) > 1:
        small = {clock: max(values) <= 5 for clock, values in ratios_found.items()}
        claim.finding = HOLDS if all(small.values()) else PART if any(small.values()) else FAILS
        claim.found = "averaging / gradient: " + "; ".join(
            f"{clock} {min(v):.2g}–{max(v):.2g} %" for clock, v in ratios_found.items())
    claim.remark = "On the paper's clock averaging costs nothing by definition, so there the claim cannot fail."
    return claim


def small_batches(results: Results, ledger: Ledger) -> Claim:
    claim = Claim(
        "smaller batches, that is shorter deadlines, are faster",
        "QuanTimed-DSGD on MNIST, mean batch 20 (T_d = 0.4 s) against 50 (T_d = 1 s), published steps; time to each target, "
        "ℓ2 term per batch (the published code) and per data set (the usual one)",
        f"holds where 20 is faster to every target, beyond chance and corrected for all comparisons of the claim {ARRIVED} (Holm); in "
        "part where it is to one; else it does not hold",
        ["ℓ2 per", "to loss", "time, 20, paper / wire bits", "time, 50", "50's time over 20's"])
    family: Family = {}
    for l2 in ("batch", "dataset"):
        curves = {f"b = {b}": {clock: results.curves("batch", OURS, clock, batch=b, l2_per=l2) for clock in CLOCKS}
                  for b in ("20", "50")}
        if not all(by_clock["paper"] for by_clock in curves.values()):
            continue
        judged = judge({name: {seed: {clock: by_clock[clock][seed] for clock in CLOCKS} for seed in by_clock["paper"]}
                        for name, by_clock in curves.items()}, results.targets.get("batch", []))
        files = {name: [f for found in by_clock.values() for c in found.values() for f in c.files]
                 for name, by_clock in curves.items()}
        for target in judged.targets:
            times = {(name, clock): judged.times[name, target, clock].time for name in curves for clock in CLOCKS}
            speed_ups = {clock: Paired(ratios(times["b = 50", clock], times["b = 20", clock]),
                                       both_missed(times["b = 50", clock], times["b = 20", clock])) for clock in CLOCKS}
            claim.rows.append([l2, f"{target:.4g}", *(" / ".join(
                ledger.median(times[name, clock], f"time to loss {target:.4g}, {clock} bits", files[name], " s")[0]
                for clock in CLOCKS) for name in ("b = 20", "b = 50")), " / ".join(
                ledger.median(speed_ups[clock].values, f"time to loss {target:.4g} with batch 50 over that with batch 20, paired by "
                              f"seed, {clock} bits", files["b = 20"] + files["b = 50"], "×",
                              shown=speed_ups[clock].text("batch 50").replace("only ours", "only batch 20"))[0] for clock in CLOCKS)])
            family |= {(f"ℓ2 per {l2}", "published", clock, target, "batch 50"): speed_ups[clock] for clock in CLOCKS}
    if family:
        judged_family = compared(family)
        clear = [one.is_clear for one in judged_family.values()]
        decide(claim, family, judged_family, f"20 is faster beyond chance in {sum(clear)} of {len(clear)} comparisons; "
               f"{least(family, judged_family)}", HOLDS if all(clear) else PART if any(clear) else FAILS)
    return claim


def all_claims(results: Results, ledger: Ledger) -> list[Claim]:
    return [speed_up(results, ledger),
            ahead_of_all(results, ledger, "significant on ImageNet", DATA_SETS[2]),
            ahead_of_all(results, ledger, "significant with four hidden layers", DATA_SETS[3]),
            sensitivity(results, ledger), averaging(results, ledger), small_batches(results, ledger)]
