# SPDX-License-Identifier: BSD-3-Clause
"""slurm/scaling-table: one table of speed-up and efficiency over all core counts of a folder, as `quantimed scale` has it
for those that it measured in one go."""
from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from command_line import Parser
from studies.job import UNREADABLE, Facts, facts_of
from studies.runner import write_whole
from studies.study_file import StudyError

NAME = re.compile(r"(strong|weak)-(.+)-n(\d+)-repeat(\d+)\.h5")
TITLES = {"strong": "Strong: n cores share the samples and the batch of one core",
          "weak": "Weak: each core has the samples and the batch of one core"}
# What differs between the points of one study.
OWN = ("algorithm", "nodes", "cores", "threads", "samples-per-node", "batch", "deadline", "alpha", "epsilon", "study", "algorithms")


@dataclass(frozen=True)
class Point:
    study: str
    algorithm: str
    cores: int
    repeat: int
    verdict: str
    samples_per_s: float
    iterations_per_s: float
    wait_share: float
    machines: int = 1  # ranks, one on each

    @property
    def counts(self) -> bool:
        return self.verdict == "VALID"


def read_point(path: Path, facts: Facts) -> Point:
    match = NAME.fullmatch(path.name)
    assert match
    with h5py.File(path, "r") as file:
        verdict, summary = str(file.attrs["verdict"]), file["summary"].attrs
        if verdict == "VALID" and facts.status != "complete":
            verdict = facts.status
        end = float(summary["end_time_s"])
        return Point(match[1], match[2], int(match[3]), int(match[4]), verdict, float(summary["total_samples"]) / end,
                     float(summary["iterations"]) / end, float(summary["wait_share"]), int(file["environment"].attrs.get("ranks", 1)))


def common(facts: Facts) -> dict[str, str]:
    pairs = (line.partition(" = ") for line in facts.ini.splitlines())
    return {name: value for name, equals, value in pairs if equals and name not in OWN}


def read_points(folder: Path) -> list[Point]:
    """Of one set of options, one program and one data set; what differs is refused, since no table can join it."""
    points, first = [], None
    for path in sorted(p for p in folder.glob("*.h5") if NAME.fullmatch(p.name)):
        if (facts := facts_of(path)) is None:
            raise StudyError(f"{path}: damaged; remove it, and its finished-on-…-cores, then submit again")
        here = (common(facts), facts.release, facts.data)
        if first is not None and here != first[1]:
            raise StudyError(f"{path}: is of other options, another program or other data than {first[0].name}; give another folder")
        first = first or (path, here)
        try:
            points.append(read_point(path, facts))
        except UNREADABLE as error:
            raise StudyError(f"{path}: {error}; remove it, and its finished-on-…-cores, then submit again") from None
    return points


def spread(values: Sequence[float], digits: int = 4) -> str:
    if not values:
        return "—"
    middle = statistics.median(values)
    return f"{middle:.{digits}g} [{min(values):.{digits}g}–{max(values):.{digits}g}]"


def rows(points: list[Point], study: str, algorithm: str) -> list[list[str]]:
    ours = [p for p in points if p.study == study and p.algorithm == algorithm]
    fewest = min(p.cores for p in ours)
    found = []
    for cores in sorted({p.cores for p in ours}):
        here = [p for p in ours if p.cores == cores]
        counted = [p for p in here if p.counts]
        pairs = [p.samples_per_s / other.samples_per_s for p in counted for other in ours
                 if other.cores == fewest and other.repeat == p.repeat and other.counts and other.samples_per_s > 0]
        efficiencies = [100 * ratio * fewest / cores for ratio in pairs]
        waiting = [p.wait_share for p in counted if not math.isnan(p.wait_share)]
        why = next((p.verdict.partition(":")[0] for p in here if not p.counts), "")
        found.append([algorithm, str(cores), spread([p.iterations_per_s for p in counted]), spread([p.samples_per_s for p in counted]),
                      spread(pairs, 3), f"{spread(efficiencies, 3)} %" if efficiencies else "—",
                      f"{100 * statistics.median(waiting):.1f} %" if waiting else "—",
                      "VALID" if len(counted) == len(here) else f"{len(counted)} of {len(here)} VALID; {why}"])
    return found


def table(lines: list[list[str]]) -> str:
    width = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    text = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, width)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in width) + "|", *text[1:]]) + "\n"


def compose(points: list[Point]) -> str:
    text = []
    for study in ("strong", "weak"):
        algorithms = list(dict.fromkeys(p.algorithm for p in points if p.study == study))
        if not algorithms:
            continue
        lines = [["algorithm", "cores", "iterations/s", "samples/s", "speed-up", "efficiency", "waiting", "verdict"]]
        for algorithm in algorithms:
            lines += rows(points, study, algorithm)
        if any(p.machines > 1 for p in points):
            of_cores = {str(p.cores): str(p.machines) for p in points}
            lines = [[line[0], of_cores.get(line[1], "machines"), *line[1:]] for line in lines]
        text.append(f"{TITLES[study]}; median [min–max]; speed-up and efficiency in samples/s over the fewest cores, paired "
                    f"by repeat, of VALID runs alone\n\n{table(lines)}")
    return "\n".join(text)


def main(argv: list[str]) -> int:
    p = Parser(prog="slurm/scaling-table", description="One table of speed-up and efficiency over all core "
                                "counts that scale.sbatch measured into a folder; also as table.md there. "
                                "Exit status: 0, or 2 where there is none to make.")
    p.add_argument("folder", type=Path)
    args = p.parse_args(argv)
    points = read_points(args.folder)
    if not points:
        raise StudyError(f"{args.folder}: no traces of `quantimed scale` (strong-ALGORITHM-nCORES-repeatK.h5)")
    text = compose(points)
    write_whole(args.folder / "table.md", text)
    print(text, end="")
    return 0
