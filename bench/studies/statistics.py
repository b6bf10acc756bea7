# SPDX-License-Identifier: BSD-3-Clause
"""Medians, intervals, targets and winners: the program's, which has the one implementation (src/statistics, `quantimed
judge`). Here is the way to it, and what a study's tables print of it."""
from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .runner import find_program
from .study_file import StudyError
from .traces import Curve

FEWEST_SEEDS = 6  # for an interval
FOR_A_CLAIM = 10


def ask(document: dict[str, object]) -> dict[str, object]:
    done = subprocess.run([find_program(), "judge", "-"], input=json.dumps(document, allow_nan=False), text=True,
                          capture_output=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise StudyError(f"quantimed judge: {said[0] if said else f'exit status {done.returncode}'}")
    return json.loads(done.stdout)


def plain(value: float) -> float | str | None:
    """JSON has no infinity: a miss is "inf", no figure is null."""
    value = float(value)
    return None if math.isnan(value) else str(value) if math.isinf(value) else value


def number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)


@dataclass(frozen=True)
class Estimate:
    """[low–high] is the range of up to five values, from six on an interval with its exact coverage."""
    median: float
    low: float
    high: float
    count: int
    coverage: float = 0.0

    def text(self, unit: str = "", digits: int = 3, infinite: str = "missed") -> str:
        def figure(x: float) -> str:
            if not math.isfinite(x):
                return "–" if math.isnan(x) else infinite
            rounded = float(f"{x:.{digits}g}")
            return (f"{x:,.0f}" if 1000 <= abs(rounded) < 1e6 else f"{x:.{digits}g}") + unit
        if self.count < 2 or math.isnan(self.median) or self.low == self.high:
            return figure(self.median)
        return f"{figure(self.median)} [{figure(self.low)}–{figure(self.high)}]"


def read_estimate(found: Mapping[str, object]) -> Estimate:
    return Estimate(number(found["median"]), number(found["low"]), number(found["high"]), found["count"], found["coverage"])


_known: dict[tuple[float, ...], Estimate] = {}


def know(many: Iterable[Iterable[float]]) -> None:
    """Estimates that will be asked for, by one process and not by one for each."""
    new = [data for data in dict.fromkeys(tuple(float(value) for value in values) for values in many) if data and data not in _known]
    if new:
        medians = ask({"samples": {str(k): [plain(value) for value in data] for k, data in enumerate(new)}})["medians"]
        _known.update((data, read_estimate(medians[str(k)])) for k, data in enumerate(new))


def estimate(values: Iterable[float]) -> Estimate:
    data = tuple(float(value) for value in values)
    if not data:
        raise ValueError("no values to take a median of")
    know([data])
    return _known[data]


def spread_text(seeds: int) -> str:
    """What [a–b] is in a table of so many seeds."""
    found = estimate(range(seeds))
    if not found.coverage:
        return f"[a–b] is the range of {seeds} seeds"
    return f"[a–b] holds the true median with {100 * found.coverage:.1f} % ({seeds} seeds)"


# ---- comparisons of one claim, corrected together ------------------------------------------------------------------
@dataclass(frozen=True)
class Comparison:
    ratio: Estimate
    p: float  # after Holm's correction for all comparisons of its family
    is_clear: bool  # above 1: by its interval and beyond chance


def compare(family: Mapping[str, Sequence[float]], over: float = 1) -> dict[str, Comparison]:
    """Which of these paired ratios lie above `over`. NaN: neither run of that pair arrived, which speaks for nobody (0); where
    that is so in all pairs nothing can be shown, and the correction does not count the comparison."""
    if not family:
        return {}
    scaled = {name: [plain(value / over) for value in values] for name, values in family.items()}
    found = ask({"families": {"claim": scaled}})["families"]["claim"]
    return {name: Comparison(estimate(0.0 if math.isnan(value) else value for value in family[name]), one["p_holm"], one["clear"]) for name, one in found.items()}


def ratios(numerators: Mapping[int, float], denominators: Mapping[int, float]) -> dict[int, float]:
    """Paired by seed; a seed that only one side has gives nothing. Where the denominator never arrived it is 0, also
    where neither did: then nothing speaks for it."""
    result = {}
    for seed in numerators.keys() & denominators.keys():
        above, below = numerators[seed], denominators[seed]
        result[seed] = 0.0 if math.isinf(below) else math.inf if below == 0 else above / below
    return dict(sorted(result.items()))


# ---- races ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Times:
    """Of one algorithm to one target on one clock, by seed; s, infinite: missed."""
    time: dict[int, float]
    earliest: dict[int, float]  # the points of its curve around the time
    latest: dict[int, float]
    unresolved: int  # seeds whose time lies before the third point of the curve

    def at_least(self, resolved: dict[int, float], edge: dict[int, float]) -> dict[int, float]:
        return edge if self.unresolved else resolved


@dataclass(frozen=True)
class Judged:
    targets: list[float]
    were_given: bool
    seeds: list[int]
    times: dict[tuple[str, float, str], Times]  # algorithm, target, clock
    winners: dict[tuple[float, str], str | None]  # target, clock
    headlines: dict[str, str]  # clock
    turns_round: str
    warnings: list[str]


def judge(curves: Mapping[str, Mapping[int, Mapping[str, Curve]]], targets: Sequence[float]) -> Judged:
    """`curves`: by algorithm, seed and clock. `targets` empty: shares of the fall to the best loss of any run."""
    runs = []
    for algorithm, by_seed in curves.items():
        for seed, by_clock in by_seed.items():
            worst = next((c for c in by_clock.values() if not c.counts), next(iter(by_clock.values())))
            runs.append({"algorithm": algorithm, "seed": seed, "status": worst.status, "verdict": worst.verdict,
                         "curves": [{"clock": clock, "time": [plain(t) for t in curve.time_s],
                                     "loss": [plain(loss) for loss in curve.loss]} for clock, curve in by_clock.items()]})
    document = {"runs": runs} | ({"targets": [plain(target) for target in targets]} if targets else {})
    answer = ask(document)["comparisons"][0]
    seeds = answer["pairs"]["used"]
    times = {}
    for race in answer["races"]:
        for one in race["entries"]:
            columns = [dict(zip(seeds, map(number, one[name]))) for name in ("times_s", "from_s", "until_s")]
            times[one["name"], race["target"], race["clock"]] = Times(*columns, one["unresolved"])
    return Judged(answer["targets"], answer["targets_given"], seeds, times,
                  {(race["target"], race["clock"]): race["winner"] for race in answer["races"]},
                  {one["clock"]: one["text"] for one in answer["headlines"]}, answer["turns_round"], answer["warnings"])
