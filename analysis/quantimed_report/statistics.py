# SPDX-License-Identifier: BSD-3-Clause
"""Medians, intervals, targets and winners. All of them come from `quantimed judge`, the suite's one implementation
(src/statistics); here is only the way to it. What a rule is, and why, stands in its headers.

A target that was missed has the time infinity. So has every target of a run that diverged or is INVALID.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from quantimed.traces import BOTH_CLOCKS, ENERGY, ReportError, Run

BASELINE = "dsgd"
CLOCKS = {"paper": "paper's bits", "wire": "bits on the wire", "real": "real time", "machine": "predicted time"}


# ---- the program ---------------------------------------------------------------------------------------------------
def find_program() -> Path:
    """$QUANTIMED_PROGRAM, the one built in this repository, or the one that is installed."""
    named = os.environ.get("QUANTIMED_PROGRAM")
    root = Path(__file__).resolve().parents[2]
    built, installed = root / "build" / "quantimed", root.parent.parent / "bin" / "quantimed"
    for path in (Path(named),) if named else (built, installed, Path(shutil.which("quantimed") or built)):
        if path.is_file() and os.access(path, os.X_OK):
            return path.resolve()
    raise ReportError(f"{named or built}: no such program; it computes the statistics: `make`, or set QUANTIMED_PROGRAM")


def ask(document: dict[str, object]) -> dict[str, object]:
    """The program's answer to a document; analysis/README.md describes both."""
    done = subprocess.run([find_program(), "judge", "-"], input=json.dumps(document, allow_nan=False), text=True,
                          capture_output=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ReportError(f"quantimed judge: {said[0] if said else f'exit status {done.returncode}'}")
    return json.loads(done.stdout)


def _plain(value: float) -> float | str | None:
    """JSON has no infinity: never is "inf", no figure is null."""
    value = float(value)
    return None if math.isnan(value) else str(value) if math.isinf(value) else value


def read_number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)


def _numbers(values: Iterable[float | str | None]) -> list[float]:
    return [read_number(value) for value in values]


# ---- medians -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Estimate:
    """A median and [low, high]: the range of up to five values, from six on an interval with its exact coverage."""

    median: float
    low: float
    high: float
    kind: str = "none"  # range or interval
    coverage: float = 0.0
    count: int = 0


NO_ESTIMATE = Estimate(math.nan, math.nan, math.nan)


def read_estimate(found: dict[str, object]) -> Estimate:
    return Estimate(read_number(found["median"]), read_number(found["low"]), read_number(found["high"]), found["kind"],
                    found["coverage"], found["count"])


def estimates(samples: Sequence[Sequence[float]]) -> list[Estimate]:
    """Of each list of values; NaN are left out."""
    if not samples:
        return []
    named = {str(k): [_plain(value) for value in values] for k, values in enumerate(samples)}
    found = ask({"samples": named})["medians"]
    return [read_estimate(found[name]) for name in named]


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    return estimates([values])[0]


def medians(samples: Sequence[Sequence[float]]) -> list[float]:
    return [found.median for found in estimates(samples)]


def median(values: Sequence[float] | np.ndarray) -> float:
    return estimate(values).median


@lru_cache(maxsize=None)
def ranks(count: int) -> tuple[int, int, str]:
    """Which of `count` values in order are the edges of an estimate, from 0 on, and their kind."""
    found = estimate(range(count))
    return int(found.low), int(found.high), found.kind


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, lower and upper edge of `values` [seeds, points], at each point what estimate() gives."""
    low, high, _ = ranks(values.shape[0])
    ordered = np.sort(values, axis=0)
    return np.median(values, axis=0), ordered[low], ordered[high]


BAND = ("The line is the median over seeds; the band is their range (up to 5 seeds), or holds the true median with 95 % "
        "or more at each point.")


# ---- who was the fastest -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Entry:
    """A row in the race to one target on one clock."""

    time: Estimate  # s
    speed_up: Estimate  # over the baseline, paired
    arrived: int  # runs
    unresolved: int  # pairs whose time lies before the third point of the curve
    times: list[float]  # s, of the pairs in use
    until: list[float]  # s, the points of the curves after them
    run_times: list[float]  # s, of the runs, as the row's run_ids
    energy: Estimate = NO_ESTIMATE  # J, of whole processor packages, until then; where all runs tell it

    @property
    def is_resolved(self) -> bool:
        """Else the median is known to lie before `bound` alone."""
        return 2 * self.unresolved <= len(self.times)

    @property
    def bound(self) -> float:
        """s"""
        return float(np.median(self.until)) if self.until else math.nan


@dataclass(frozen=True)
class Against:
    """The first against one of the others."""

    ratio: Estimate
    p: float  # after Holm's correction
    is_clear: bool


@dataclass(frozen=True)
class Race:
    target: float
    clock: str
    winner: str | None  # None: too close to call, or nobody arrived in more than half of the runs
    first: str | None  # the least median
    close: list[str]  # those whom the first does not clearly beat …
    ended_early: list[str]  # … of them those that did not arrive, whose runs may only have ended too early
    against: dict[str, Against]
    entries: dict[str, Entry]

    def mark(self, name: str) -> str:
        """✓ the fastest, ≈ too close to call with it."""
        if name == self.first and self.against:
            return "✓" if self.winner else "≈" if len(self.close) > len(self.ended_early) else ""
        return "≈" if name in self.close and name not in self.ended_early else ""


@dataclass(frozen=True)
class Judged:
    """A comparison as the program judged it; names of rows are those that judge_runs was given."""

    answer: dict[str, object]
    ids: dict[Path, tuple[str, int, int]]  # each run's row, seed and repeat

    @property
    def targets(self) -> list[float]:
        return self.answer["targets"]

    @property
    def main_target(self) -> float:
        """The one where there is room for one: nine tenths of the fall, or the middle of those given; NaN: none."""
        return self.targets[len(self.targets) // 2] if self.targets else math.nan

    @property
    def clocks(self) -> list[str]:
        return self.answer["clocks"]

    @property
    def main_clock(self) -> str:
        """By which the runs have their time, and what they end with is told."""
        return self.answer["main_clock"]

    def judged_until(self, clock: str) -> float:
        """s; inf: to the end."""
        return read_number(self.answer["judged_until_s"][self.clocks.index(clock)])

    @property
    def baseline(self) -> str | None:
        return self.answer["baseline"]

    @property
    def warnings(self) -> list[str]:
        return self.answer["warnings"]

    @property
    def turns_round(self) -> str:
        return self.answer["turns_round"]

    @property
    def spread(self) -> str:
        """What [a–b] is."""
        return self.answer["spread"]

    @property
    def pairs(self) -> int:
        return len(self.answer["pairs"]["used"])

    def headline(self, clock: str) -> str:
        return next(one["text"] for one in self.answer["headlines"] if one["clock"] == clock)

    def misses(self, clock: str) -> str:
        return next(one["misses"] for one in self.answer["headlines"] if one["clock"] == clock)

    @cached_property
    def rows(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for row in self.answer["rows"]:
            found.setdefault(row["name"], row)
        return found

    def row(self, name: str, target: float | None = None) -> dict[str, object]:
        """Of the setting that a row has for this target, where it has several."""
        found = [row for row in self.answer["rows"] if row["name"] == name]
        return next((row for row in found if row["for_target"] is not None and row["for_target"] == target), found[0])

    def settings(self, name: str) -> list[dict[str, object]]:
        """Each once."""
        return list({row["setting"]: row for row in self.answer["rows"] if row["name"] == name}.values())

    @cached_property
    def races(self) -> dict[tuple[str, float], Race]:
        return {(race["clock"], race["target"]): _race(race) for race in self.answer["races"]}

    def time_of(self, run: Run, target: float, clock: str | None = None) -> float:
        """A run's own time to a target, s; inf where it never arrived, NaN where it is in no pair or there is no target."""
        if run.path not in self.ids or math.isnan(target):
            return math.nan
        row, seed, repeat = self.ids[run.path]
        ids = self.row(row, target)["run_ids"]
        if [seed, repeat] not in ids or row not in self.race(target, clock).entries:
            return math.nan
        return self.race(target, clock).entries[row].run_times[ids.index([seed, repeat])]

    def race(self, target: float, clock: str | None = None) -> Race:
        return self.races[clock or self.clocks[0], target]


def _race(found: dict[str, object]) -> Race:
    entries = {one["name"]: Entry(read_estimate(one["time_s"]), read_estimate(one["speed_up"]), one["arrived"],
                                  one["unresolved"], _numbers(one["times_s"]), _numbers(one["until_s"]),
                                  _numbers(one["run_times_s"]),
                                  read_estimate(one["energy_j"]) if "energy_j" in one else NO_ESTIMATE) for one in found["entries"]}
    against = {one["name"]: Against(read_estimate(one["ratio"]), one["p_holm"], one["clear"]) for one in found["against"]}
    return Race(found["target"], found["clock"], found["winner"], found["first"], found["close"], found["ended_early"], against, entries)


def judge_runs(runs: Sequence[Run], name: Callable[[Run], str], targets: Sequence[float] = (),
               baseline: str = BASELINE) -> Judged:
    """`name`: of a run's row; rows come in the order of their first runs. `targets` empty: shares of the fall."""
    twins = both_clocks(runs, name)
    listed = _numbered([_document(one, name(one[0])) for one in twins])
    ids = {run.path: (said["label"], said["seed"], said["repeat"]) for one, said in zip(twins, listed) for run in one}
    return _judged(listed, ids, targets, baseline)


def judge_each(runs: Sequence[Run], name: Callable[[Run], str], setting: Callable[[Run], str],
               targets_of: Callable[[Run], Iterable[float]], targets: Sequence[float], baseline: str = BASELINE) -> Judged:
    """Each run takes part in the races to its own targets alone, of which a row (`name`) has one `setting` each."""
    twins = both_clocks(runs, lambda run: f"{name(run)}\n{setting(run)}")
    uses = [(one, {**_document(one, name(one[0])), "setting": f"{name(one[0])}, {setting(one[0])}", "for_target": target})
            for one in twins for target in targets_of(one[0])]
    listed = _numbered([said for _, said in uses])
    ids = {run.path: (said["label"], said["seed"], said["repeat"]) for one, said in uses for run in one}
    return _judged(listed, ids, targets, baseline)


def _judged(listed: list[dict[str, object]], ids: dict[Path, tuple[str, int, int]], targets: Sequence[float], baseline: str) -> Judged:
    document: dict[str, object] = {"runs": listed, "baseline": baseline}
    if targets:
        document["targets"] = [_plain(target) for target in targets]
    return Judged(ask(document)["comparisons"][0], ids)


def asked_targets(runs: Sequence[Run]) -> list[float]:
    """--target-loss, where all runs were given the same; else none."""
    given = {str(run.config.get("target-loss", "none")) for run in runs}
    try:
        targets = [float(part) for part in given.pop().split(",")] if len(given) == 1 else []
    except ValueError:  # the word "none"
        return []
    return [target for target in targets if math.isfinite(target) and target > 0]


def both_clocks(runs: Sequence[Run], name: Callable[[Run], str] = lambda run: run.algorithm) -> list[list[Run]]:
    """Runs of algorithms whose messages steer them exist once for each clock; such twins belong together."""
    found: dict[tuple[object, ...], list[Run]] = {}
    alone = []
    for run in runs:
        own = own_clock(run)
        twins = found.get((name(run), run.seed, run.repeat), [])
        if twins and len(curves(twins[0])) == 1 and own_clock(twins[0]) != own and len(twins) == 1:
            twins.append(run)
            continue
        alone.append([run])
        found[name(run), run.seed, run.repeat] = alone[-1]
    return alone


def _is_by_other_clock(run: Run) -> bool:
    """Whether `compare` made it, for the clock that is not the comparison's own, and named it so."""
    return run.path.stem.endswith(f"-{own_clock(run)}")


def own_clock(run: Run) -> str:
    if run.engine != "virtual":
        return "real"
    return "machine" if str(run.config.get("machine") or "none") != "none" else str(run.config.get("bits", "paper"))


def curves(run: Run) -> dict[str, np.ndarray]:
    """The times of the curve's points on each clock that the run has."""
    found = {clock: run.progress[f"time_{clock}_bits"] for clock in ("paper", "wire")
             if _is_clock(run.progress.get(f"time_{clock}_bits"))}
    return found or {own_clock(run): run.progress["time"]}


def shared_clocks(runs: Sequence[Run]) -> list[str]:
    """Those that all of these runs have; the first is the one that figures are drawn on: the bits on the wire, where
    all have them."""
    clocks: dict[tuple[str, int, int], set[str]] = {}
    for run in runs:
        clocks.setdefault((run.algorithm, run.seed, run.repeat), set()).update(curves(run))
    return sorted(set.intersection(*clocks.values()), key=lambda clock: (clock != "wire", clock))


def on_clock(runs: Sequence[Run], clock: str | None) -> list[Run]:
    """Those that have this clock, with their times by it and no other; what was run for another one is left out.
    None: as they are."""
    if clock is None:
        return list(runs)
    found = []
    for run in runs:
        if (times := curves(run).get(clock)) is not None:
            kept = {name: values for name, values in run.progress.items() if name not in BOTH_CLOCKS}
            own = {f"time_{clock}_bits": times} if clock in ("paper", "wire") else {}
            found.append(replace(run, progress={**kept, "time": times, **own}))
    return found


def _is_clock(times: np.ndarray | None) -> bool:
    return times is not None and times.size > 0 and bool(np.all(np.isfinite(times)) and np.all(np.diff(times, prepend=0) >= 0))


def _document(twins: Sequence[Run], name: str) -> dict[str, object]:
    """A run as `judge` reads it. A run counts where each of its twins does."""
    twins = sorted(twins, key=_is_by_other_clock)  # the first has a row's loss and bytes, here as in `compare`
    run = next((one for one in twins if not one.counts), twins[0])
    listed = [{"clock": clock, "time": [_plain(value) for value in times],
               "loss": [_plain(value) for value in one.progress["loss"]],
               "accuracy": [_plain(value) for value in one.progress["test_accuracy"]],
               **({ENERGY: [_plain(value) for value in one.progress[ENERGY]]} if ENERGY in one.progress else {})}
              for one in twins for clock, times in sorted(curves(one).items())]
    return {"algorithm": run.algorithm, "setting": name, "label": name, "seed": run.seed % 2**64, "repeat": run.repeat,
            "status": run.status, "verdict": run.verdict, "curves": listed, "config": _attributes(run.config),
            "summary": _attributes(run.summary)}


def _attributes(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value) if isinstance(value, float) else value for name, value in values.items()
            if isinstance(value, (bool, int, float, str))}


def _numbered(runs: list[dict[str, object]]) -> list[dict[str, object]]:
    """A row may have a seed and repeat more than once, from several folders: the second is a repeat of its own."""
    seen: dict[tuple[object, ...], int] = {}
    for run in runs:
        key = (run["label"], run["setting"], run.get("for_target"), run["seed"], run["repeat"])
        again = seen[key] = seen.get(key, -1) + 1
        run["repeat"] += _COPIES * again
    return runs


_COPIES = 100_000  # repeats of one folder are fewer


# ---- more ----------------------------------------------------------------------------------------------------------
def performance_profile(times: dict[str, Sequence[float]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each solver the share of problems it solved within a factor of the fastest solver: (factors, shares).

    `times[solver][problem]` in s, inf where missed. A problem that nobody solved counts against all. Dolan and Moré,
    Math. Program. 91 (2002), doi:10.1007/s101070100263.
    """
    table = np.array([times[solver] for solver in times], dtype=float)  # [solvers, problems]
    best = table.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(best > 0, table / best, np.where(table > 0, np.inf, 1.0))
    ratios[~np.isfinite(table)] = np.inf
    curves_ = {}
    for solver, row in zip(times, ratios):
        factors = np.sort(row[np.isfinite(row)])
        curves_[solver] = (factors, np.arange(1, factors.size + 1) / max(row.size, 1))
    return curves_


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the straight line through log y against log x, least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
