# SPDX-License-Identifier: BSD-3-Clause
"""The settings of bench/field: the program's own files of options, read one after the other: base.ini, SETTING.ini and what a
form adds. How many runs each takes is reckoned here."""
from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .runner import BAD_INPUT, ROOT, find_program
from .study_file import StudyError, read_plain, split_list

FOLDER = ROOT / "bench" / "field"
AMB = ("amb", "amb-free-link")  # settings that count for no ranking
SETTINGS = ("base", "fashion-mnist", "cifar10-two-class", "by-label", "exponential", "slow-node", "ring",
            "one-peer", "nodes-50", "fast-link", *AMB)
QUICK = ("base", "slow-node", *AMB)
WITH_DEADLINE, QUICK_DEADLINE = ("base", "exponential", "slow-node"), ("slow-node",)  # the kinds of stragglers
TUNING_SEEDS, SEEDS, QUICK_SEEDS = "101-103", "1-10", "1-5"


@dataclass(frozen=True)
class Part:
    """A setting, or what a deadline adds to it: one search and one comparison."""
    setting: str
    form: str  # "field" or "deadline"
    files: tuple[Path, ...]
    folder: Path
    seeds: str

    @property
    def tune(self) -> Path:
        return self.folder / f"{self.form}-tune"

    @property
    def compare(self) -> Path:
        return self.folder / f"{self.form}-compare"

    @property
    def options(self) -> dict[str, str]:
        return merged(self.files)

    @property
    def algorithms(self) -> list[str]:
        return split_list(self.options["algorithms"])

    @property
    def own_algorithms(self) -> bool:
        """Whether the setting's own file says which run, because the program refuses some of the base's there."""
        own = FOLDER / f"{self.setting}.ini"
        return self.setting not in ("base", *AMB) and own in self.files and self.options["algorithms"] == options_of([own]).get("algorithms")

    @property
    def left_out(self) -> list[str]:
        """Of the base's algorithms."""
        return [name for name in split_list(merged(self.files[:1])["algorithms"]) if name not in self.algorithms] if self.own_algorithms else []

    @property
    def only_here(self) -> list[str]:
        return [name for name in self.algorithms if name not in split_list(merged(self.files[:1])["algorithms"])] if self.own_algorithms else []

    @property
    def count(self) -> int:
        low, _, high = self.seeds.partition("-")
        return int(high or low) - int(low) + 1

    @property
    def tuning_runs(self) -> int:
        return len(self.algorithms) * runs_to_tune(int(self.options["trials"]))

    @property
    def compared_runs(self) -> int:
        return sum(self.count * (2 if is_newest(name) else 1) for name in self.algorithms)  # one for each count of bits

    @property
    def runs(self) -> int:
        return self.tuning_runs + self.compared_runs

    @property
    def done(self) -> int:
        return sum(len(list(folder.glob("*.h5"))) for folder in (self.tune, self.compare))


def runs_to_tune(trials: int, seeds: int = 3) -> int:
    """Of one algorithm, as src/command/tune.cpp has it: every trial once, the finalists and the published steps with all
    seeds."""
    finalists = min(trials, 3) if trials < 9 else trials // 3
    return trials + finalists * (seeds - 1) + seeds


def options_of(files: Sequence[Path]) -> dict[str, str]:
    """The program reads the files itself; this is for what has to be known before it does."""
    options: dict[str, str] = {}
    for path in files:
        for line in read_plain(path).splitlines():
            name, equals, value = line.partition("#")[0].partition("=")
            if equals:
                options[name.strip()] = value.strip()
    return options


@lru_cache(maxsize=None)
def merged(files: tuple[Path, ...]) -> dict[str, str]:
    """With what the cost is reckoned from."""
    options = options_of(files)
    for name in ("algorithms", "trials", "max-time"):
        if name not in options:
            raise StudyError(f"{files[0]}: has no line '{name} = …', which the cost is reckoned from")
    try:
        float(options["max-time"])
    except ValueError:
        raise StudyError(f"{files[0]}: max-time = {options['max-time']}: give plain seconds, as 600") from None
    return options


@lru_cache(maxsize=None)
def rows() -> dict[str, dict]:
    """What the program says of each algorithm."""
    done = subprocess.run([find_program(), "info", "--algorithms", "--json"], capture_output=True, text=True)
    if done.returncode:
        raise StudyError(f"info --algorithms: {done.stderr.strip()}")
    return {row["name"]: row for row in json.loads(done.stdout)["algorithms"]}


def is_newest(algorithm: str) -> bool:
    if algorithm not in rows():
        raise StudyError(f"{FOLDER}: '{algorithm}' is no algorithm of this program; `quantimed info --algorithms` lists them")
    return rows()[algorithm]["delivery"] != "round"


def refusal(part: Part, algorithm: str) -> str:
    """Why the program does not run it in this setting, in its own words, without what it proposes instead."""
    given = [f"--{name}={part.options[name]}" for name in ("nodes", "graph")]
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([find_program(), "run", "--algorithm", algorithm, *given, "--dataset=digits:400", "--samples-per-node=1", "--batch=1", "--iterations=1",
                               f"--output={scratch}/run.h5", "--quiet"], capture_output=True, text=True)
    if done.returncode != BAD_INPUT:
        raise StudyError(f"{FOLDER}/{part.setting}.ini: leaves out {algorithm}, which the program does not refuse there")
    reason = done.stderr.strip().splitlines()[0].removeprefix("quantimed: ").removeprefix(f"--graph {part.options['graph']}: ")
    return reason.partition(";")[0]


def seeds(quick: bool) -> str:
    """Of the runs that are judged."""
    return QUICK_SEEDS if quick else SEEDS


def parts(settings: Sequence[str], quick: bool, folder: Path) -> list[Part]:
    found = []
    for name in settings:
        own = () if name == "base" else (FOLDER / "amb.ini",) * (name in AMB) + (FOLDER / f"{name}.ini",) * (name != "amb")
        small = ((FOLDER / "quick.ini",) if quick else ())
        if name in AMB:  # its own lines win over the small form's, which gets the last word in quick-amb.ini
            files = (FOLDER / "base.ini", *small, *own, *((FOLDER / "quick-amb.ini",) if quick else ()))
        else:
            files = (FOLDER / "base.ini", *own, *small)
        judged = seeds(quick)
        found.append(Part(name, "field", files, folder / name, judged))
        if name in (QUICK_DEADLINE if quick else WITH_DEADLINE):
            more = (FOLDER / "deadline.ini", *((FOLDER / "quick-deadline.ini",) if quick else ()))
            found.append(Part(name, "deadline", files + more, folder / name, judged))
    return found
