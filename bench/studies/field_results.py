# SPDX-License-Identifier: BSD-3-Clause
"""What a part of the field left behind: its comparison.json as the program judged it, and what its traces say beside."""
from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from .field_beside import commit_of
from .field_settings import Part
from .statistics import Estimate, ask, number, plain, read_estimate
from .study_file import StudyError

MAIN = 2  # of the targets of `tune`, 50, 75, 90, 95 and 99 % of the fall: the third, 90 %
COUNTS = ("iterations", "gradients", "megabits")


@dataclass(frozen=True)
class Trial:
    algorithm: str
    alpha: str
    stage: str
    seed: str
    status: str
    verdict: str


class Outcome:
    """One comparison. Every median, interval, test and winner in it is the program's."""

    def __init__(self, part: Part) -> None:
        self.part = part
        try:
            found = json.loads((part.compare / "comparison.json").read_text(encoding="utf-8"))["comparisons"]
        except (OSError, ValueError, KeyError) as error:
            raise StudyError(f"{part.compare}/comparison.json: {error}; run without --report-only") from None
        if len(found) != 1:
            raise StudyError(f"{part.compare}/comparison.json: {len(found)} comparisons and not one; remove the folder, and run again")
        self.json = found[0]
        self.rows = {row["name"]: row for row in self.json["rows"]}
        self.targets = [number(t) for t in self.json["targets"]]
        if not self.targets:
            raise StudyError(f"{part.compare}: no run's loss fell, so there is no target; give a longer max-time or other steps")
        self.target = self.targets[min(MAIN, len(self.targets) - 1)]
        self.clocks = self.json["clocks"]
        self.clock = "wire" if "wire" in self.clocks else self.clocks[-1]

    def race(self, clock: str, target: float) -> dict:
        return next(r for r in self.json["races"] if r["clock"] == clock and number(r["target"]) == target)

    @property
    def main(self) -> dict:
        return self.race(self.clock, self.target)

    def entry(self, name: str, clock: str = "", target: float | None = None) -> dict:
        race = self.race(clock or self.clock, self.target if target is None else target)
        return next(entry for entry in race["entries"] if entry["name"] == name)

    def time(self, name: str, clock: str = "", target: float | None = None) -> Estimate:
        return read_estimate(self.entry(name, clock, target)["time_s"])

    def names(self) -> list[str]:
        """In the order of the ranking: by the median time to the target; who never arrives, by the arrivals and the loss."""
        def key(name: str) -> tuple[float, int, float]:
            loss = number(self.rows[name]["final_loss"]["median"])
            return self.time(name).median, -self.entry(name)["arrived"], math.inf if math.isnan(loss) else loss
        return sorted((e["name"] for e in self.main["entries"]), key=key)

    def runs(self, name: str) -> bool:
        """Whether it is compared in this setting, where the program may refuse it."""
        return name in self.part.algorithms

    def not_judged(self) -> list[str]:
        return [name for name, row in self.rows.items() if name not in self.names() or not row["judged"]]

    def by_seed(self, name: str, clock: str = "") -> dict[int, float]:
        """Times to the target, on the judging clock if not said otherwise."""
        return {seed: number(t) for (seed, _), t in zip(self.rows[name]["run_ids"], self.entry(name, clock)["run_times_s"])}

    def counts(self, name: str) -> dict[str, list[float]]:
        """Of a node, to the target, by run: iterations, gradients of a sample, 10⁶ bits sent. Infinite: never."""
        found: dict[str, list[float]] = {kind: [] for kind in COUNTS}
        for seed, time in self.by_seed(name).items():
            for kind, value in zip(COUNTS, counts_at(self.part.compare / f"{name}-seed{seed}.h5", time)):
                found[kind].append(value)
        return found

    @cached_property
    def median_counts(self) -> dict[str, dict[str, Estimate]]:
        samples = {f"{name} {kind}": [plain(v) for v in values]
                   for name in self.names() for kind, values in self.counts(name).items() if values}
        medians = ask({"samples": samples})["medians"]
        return {name: {kind: read_estimate(medians[f"{name} {kind}"]) for kind in COUNTS} for name in self.names()}

    @cached_property
    def trials(self) -> list[Trial]:
        path = self.part.tune / "trials.csv"
        with path.open(encoding="utf-8", newline="") as file:
            return [Trial(r["algorithm"], r["alpha"], r["pass"], r["seed"], r["status"], r["verdict"])
                    for r in csv.DictReader(line for line in file if not line.startswith("#"))]

    def trial_count(self, name: str) -> int:
        own = [t for t in self.trials if t.algorithm == name and t.stage != "published"]
        return sum(t.seed == own[0].seed for t in own) if own else 0

    @cached_property
    def alphas(self) -> dict[str, str]:
        for line in (self.part.tune / "tuned.ini").read_text(encoding="utf-8").splitlines():
            if line.startswith("alpha = "):
                pairs = (one.partition("=") for one in line.partition(" = ")[2].split(","))
                return {name: value for name, _, value in pairs if "@" not in name}
        return {}

    def at_edge(self) -> list[str]:
        """Algorithms whose chosen alpha is the least or the largest that was tried: the best may lie beyond."""
        found = []
        for name, chosen in self.alphas.items():
            tried = [float(t.alpha) for t in self.trials if t.algorithm == name and t.stage != "published"]
            if tried and min(tried) < max(tried) and not min(tried) * 1.001 < float(chosen) < max(tried) / 1.001:
                found.append(f"{name} ({chosen})")
        return found

    def of_config(self, name: str, key: str) -> object:
        with h5py.File(next(self.part.compare.glob(f"{name}-seed*.h5")), "r") as file:
            return file["config"].attrs[key]

    def deadline(self, name: str) -> float:
        return float(self.of_config(name, "deadline"))

    def iterations(self, name: str) -> float:
        """In all, median over the runs."""
        values = []
        for seed in self.by_seed(name):
            with h5py.File(self.part.compare / f"{name}-seed{seed}.h5", "r") as file:
                values.append(float(file["summary"].attrs["iterations"]))
        return read_estimate(ask({"samples": {"it": values}})["medians"]["it"]).median

    @cached_property
    def commits(self) -> set[str]:
        return {commit_of(path) for path in self.part.compare.glob("*.h5")}


def counts_at(path: Path, time: float) -> tuple[float, float, float]:
    """Linear between the points of the curve; gradients and bits in proportion to iterations, which is exact for batches and
    the mean for deadlines."""
    if not math.isfinite(time):
        return (math.inf,) * 3
    with h5py.File(path, "r") as file:
        progress, summary, nodes = file["progress"], file["summary"].attrs, file["config"].attrs["nodes"]
        clock = progress["time_wire_bits" if "time_wire_bits" in progress else "time"][:]
        iterations = float(np.interp(time, clock, progress["iteration"][:]))
        share = iterations / float(summary["iterations"])
        return (iterations, share * float(summary["total_samples"]) / int(nodes),
                share * 8e-6 * float(summary["total_bytes"]) / int(nodes))


@dataclass(frozen=True)
class Paired:
    """A deadline against batches, of the same algorithm, setting and seeds."""
    setting: str
    algorithm: str
    gain: Estimate  # time without over time with
    p: float
    finding: str


def pair_deadlines(pairs: Iterable[tuple[Outcome, Outcome]], clock: str = "") -> list[Paired]:
    """Both directions of all pairs are one family, corrected together. A seed on which neither arrived speaks for nobody."""
    family: dict[str, list[float | str | None]] = {}
    keys = []
    for without, having in pairs:
        for name in having.names():
            if name not in without.names():
                continue
            a, b = without.by_seed(name, clock), having.by_seed(name, clock)
            seeds = sorted(a.keys() & b.keys())
            keys.append((without.part.setting, name))
            for direction, (above, below) in {"faster": (a, b), "slower": (b, a)}.items():
                family[f"{keys[-1]} {direction}"] = [plain(ratio_of(above[s], below[s])) for s in seeds]
    if not keys:
        return []
    found = ask({"families": {"deadlines": family}})["families"]["deadlines"]
    result = []
    for setting, name in keys:
        faster, slower = (found[f"{(setting, name)} {direction}"] for direction in ("faster", "slower"))
        finding = "faster" if faster["clear"] else "slower" if slower["clear"] else "not told apart"
        told = slower if slower["clear"] else faster
        result.append(Paired(setting, name, read_estimate(faster["ratio"]), number(told["p_holm"]), finding))
    return result


def against_first(pairs: Iterable[tuple[Outcome, Outcome]]) -> list[Paired]:
    """The first of a setting, who mostly met it without a deadline, against the others with one: whose place it is then. The
    first's time over theirs, corrected over all."""
    family: dict[str, list[float | str | None]] = {}
    keys = []
    for without, having in pairs:
        if not (first := without.main["first"]):
            continue
        a = without.by_seed(first)
        for name in having.names():
            b = having.by_seed(name)
            keys.append((without.part.setting, name))
            family[str(keys[-1])] = [plain(ratio_of(a[s], b[s])) for s in sorted(a.keys() & b.keys())]
    if not keys:
        return []
    found = ask({"families": {"first": family}})["families"]["first"]
    return [Paired(setting, name, read_estimate(one["ratio"]), number(one["p_holm"]), "faster" if one["clear"] else "not faster")
            for setting, name in keys for one in (found[str((setting, name))],)]


def ratio_of(above: float, below: float) -> float:
    """The numerator's misses speak for the denominator; where the denominator misses nothing speaks for it."""
    return 0.0 if math.isinf(below) else math.inf if math.isinf(above) else above / below


# ---- performance profile -------------------------------------------------------------------------------------------
def factors(outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """By algorithm, of each setting that it is compared in: its median time to the target over the least one there; infinite where it
    never arrives. Settings that nobody reaches count for nobody. Without those that are not judged somewhere."""
    every = dict.fromkeys(name for one in outcomes for name in one.names())
    result: dict[str, list[float]] = {name: [] for name in every if all(name in one.names() for one in outcomes if one.runs(name))}
    for one in outcomes:
        here = [name for name in result if one.runs(name)]
        best = min(one.time(name).median for name in here)
        for name in here:
            mine = one.time(name).median
            result[name].append(math.inf if math.isinf(mine) else mine / best)
    return result


def within(values: Sequence[float], tau: float) -> int:
    return sum(value <= tau * (1 + 1e-12) for value in values)
