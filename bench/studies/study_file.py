# SPDX-License-Identifier: BSD-3-Clause
"""A study file: which runs there are.

    include = common.ini            # read first, relative to this file; later lines win
    figure = training loss against time, MNIST
    algorithms = quantimed-dsgd, dsgd
    seeds = 1-3
    dataset = mnist                 # any other line: an option of `quantimed run`, for all runs

    [grid]                          # every combination
    batch = 20 | 50
    [setting small]                 # options that change together; every setting meets every combination of the grid
    nodes = 10
    [algorithm dsgd]                # this algorithm's own; wins over the grid, and may hold a grid itself
    alpha = 0.1 | 0.2
    [quick]                         # with --quick these win: [quick], [quick grid], [quick algorithm dsgd], …
    seeds = 1

`settings = small` chooses among the settings. `tuned-by = FILE` says which study's trials chose the steps, and has the
comparison refused where it is not fair: see fairness.py. `finals = 30`, in the file of such trials, runs those that may win
once more, with so many evaluations: see tuning.py. What would be read by nobody is refused: an algorithm's section with an
option that it has not (see idle_options.py), and a section of an algorithm that the study does not run, but for those of included
files, which others include, too.
"""
from __future__ import annotations

import codecs
import itertools
import json
import math
import re
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .fairness import unfairness
from .idle_options import idle, names_in

OWN_KEYS = ("include", "figure", "algorithms", "seeds", "settings", "targets", "tuned-by", "finals")
FEWEST_FINALS = 3  # before the third point of a curve no time is resolved
# What the runner itself gives to the program.
TAKEN = ("algorithm", "seed", "output", "threads", "quiet", "dry-run", "config", "repeats", "timeline")
COMPRESSED = ((b"\x1f\x8b", "gzip", "gunzip -c"), (b"\xfd7zXZ\0", "xz", "xz -dc"), (b"BZh", "bzip2", "bunzip2 -c"),
              (b"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc"))
SECTION = re.compile(r"(quick)?\s*(grid|(?:algorithm|setting)\s+\S+)?")

Sections = dict[str, dict[str, str]]
Places = dict[tuple[str, str], str]  # FILE:LINE of a section's line, the last that counts; of the section itself where its key is ""


class StudyError(Exception):
    """Bad input: one line that says where, what, and how to fix it."""


@dataclass(frozen=True)
class Run:
    study: str
    algorithm: str
    seed: int
    setting: dict[str, str] = field(hash=False)  # what varies within the study
    options: dict[str, str] = field(hash=False)  # all that the study says

    def matches(self, wanted: dict[str, str]) -> bool:
        has = self.setting | self.options | {"algorithm": self.algorithm, "seed": str(self.seed)}
        return all(has.get(name) == value for name, value in wanted.items())

    def label(self) -> str:
        return " ".join([self.algorithm, f"seed={self.seed}", *(f"{k}={v}" for k, v in self.setting.items())])


@dataclass(frozen=True)
class Study:
    path: Path
    sections: Sections
    has_quick: bool = False  # a form of it that takes minutes
    places: Places = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.stem

    def text(self, key: str, otherwise: str = "") -> str:
        return self.sections.get("", {}).get(key, otherwise)

    def runs(self, seeds: list[int] | None = None) -> list[Run]:
        """In the file's order: seeds outermost, so that a study that is stopped has whole seeds."""
        found: dict[str, Run] = {}
        for seed in seeds or parse_seeds(self.text("seeds", "1-3"), f"{self.path}: seeds"):
            for algorithm in self.algorithms():
                for setting, options in self._settings(algorithm):
                    run = Run(self.name, algorithm, seed, setting, options)
                    found.setdefault(repr((algorithm, seed, sorted(options.items()))), run)
        return list(found.values())

    def algorithms(self) -> list[str]:
        known = known_algorithms()
        names = self.listed("algorithms") or [name for name, row in known.items() if row["is_compared"]]
        for name in names:
            if name not in known:
                raise StudyError(f"{self.path}: algorithms: '{name}' is not one of {', '.join(known)}")
        return names

    def targets(self) -> list[float]:
        """Losses that times are compared at, stated before the runs; none: shares of the fall."""
        losses: list[float] = []
        for text in self.listed("targets"):
            try:
                loss = float(text)
            except ValueError:
                loss = math.nan
            if not (math.isfinite(loss) and loss > 0):
                raise StudyError(f"{self.path}: targets: '{text}' is no loss; give numbers above 0, as 2.2, 2.0, 1.9")
            if loss in losses:
                raise StudyError(f"{self.path}: targets: {text} is there twice; give it once")
            losses.append(loss)
        return losses

    def listed(self, key: str) -> list[str]:
        """What the file lists there, each once; nothing where it has no such line."""
        return checked_list(self.text(key), f"{self.path}: {key}") if key in self.sections.get("", {}) else []

    def place(self, section: str, key: str = "") -> str:
        return self.places.get((section, key), str(self.path))

    def check(self) -> None:
        """All that can be said of a file before the program resolves its options."""
        parse_seeds(self.text("seeds", "1-3"), f"{self.path}: seeds")
        self.targets()
        if not re.fullmatch(r"[1-9]\d{0,5}", finals := self.text("finals", "30"), re.ASCII) or int(finals) < FEWEST_FINALS:
            raise StudyError(f"{self.place('', 'finals')}: finals = {finals}: give a number of evaluations, {FEWEST_FINALS} or more")
        for name in self.listed("settings"):
            if f"setting {name}" not in self.sections:
                raise StudyError(f"{self.path}: settings: there is no [setting {name}]")
        run = self.algorithms()
        for section, lines in self.sections.items():
            for key, value in lines.items():
                where = f"{self.place(section, key)}: {'' if not section else f'[{section}] '}{key} = {value}"
                if key in TAKEN:
                    raise StudyError(f"{where}: set by the runner; leave it out of the file")
                has_values = section == "grid" or section.startswith("algorithm ")
                if "|" in value and not has_values and key != "figure":
                    raise StudyError(f"{where}: several values go into [grid] or [algorithm NAME]")
                if has_values:
                    checked_list(value, where, "|")
            if section.startswith("algorithm "):
                self._check_section(section, run)

    def _check_section(self, section: str, run: list[str]) -> None:
        name, known = section.split()[1], known_algorithms()
        if name not in known:
            raise StudyError(f"{self.place(section)}: [{section}]: not one of {', '.join(known)}")
        ends = [options.get("gradient", "auto") for _, options in self._settings(name)] if name in run else ["auto"]
        for key, value in self.sections[section].items():
            for text in split_values(value):
                where = f"{self.place(section, key)}: [{section}] {key} = {text}"
                if why := idle(known, name, key, ends):
                    raise StudyError(f"{where}: {why}")
                if (others := names_in(text, known)) and name not in others:
                    raise StudyError(f"{where}: is of {', '.join(others)}, and the section of {name}; leave the name out, or move it to "
                                     f"[algorithm {others[0]}]")

    def _settings(self, algorithm: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        common = {k: v for k, v in self.sections.get("", {}).items() if k not in OWN_KEYS}
        own = self.sections.get(f"algorithm {algorithm}", {})
        names = [s.split()[1] for s in self.sections if s.startswith("setting ")]
        names = self.listed("settings") or names
        result = []
        for name in names or [""]:
            together = self.sections.get(f"setting {name}", {})
            grid = {k: split_values(v) for k, v in (self.sections.get("grid", {}) | own).items()}
            for values in itertools.product(*grid.values()):
                point = dict(zip(grid, values))
                varies = {k: v for k, v in point.items() if len(grid[k]) > 1 or k in self.sections.get("grid", {})}
                setting = ({"setting": name} if name else {}) | varies
                result.append((setting, common | together | point))
        return result


@cache
def known_algorithms() -> dict[str, dict[str, Any]]:
    """The rows of the program's table, in its order: `quantimed info --algorithms --json`."""
    from .runner import find_program  # which imports this file

    command = [str(find_program()), "info", "--algorithms", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise StudyError(f"{' '.join(command)}: {done.stderr.strip()}; build the program again")
    return {row["name"]: row for row in json.loads(done.stdout)["algorithms"]}


def read_study(path: Path, quick: bool = False) -> Study:
    places: Places = {}
    sections = _read(path, (), places)
    full, short = (form_of(path, sections, places, is_quick) for is_quick in (False, True))
    full.check()
    if full.has_quick:
        short.check()
    check_run([section for section in sections if "algorithm " in section and is_own(path, places, section)], full, short)
    study = short if quick else full
    if name := study.text("tuned-by"):
        if text := unfairness(study, read_study(path.parent / name), quick):
            raise StudyError(f"{path}: tuned-by = {name}: {text}")
    return study


def form_of(path: Path, read: Sections, places: Places, is_quick: bool) -> Study:
    sections = {name: dict(lines) for name, lines in read.items() if not is_of_quick(name)}
    found = {where: place for where, place in places.items() if not is_of_quick(where[0])}
    for name in [s for s in read if is_quick and is_of_quick(s)]:
        plain = name.removeprefix("quick").strip()
        sections.setdefault(plain, {}).update(read[name])
        found |= {(plain, key): places[name, key] for key in ("", *read[name])}
    return Study(path, sections, any(is_of_quick(name) for name in read), found)


def is_of_quick(section: str) -> bool:
    return section.split(" ")[0] == "quick"


def is_own(path: Path, places: Places, section: str) -> bool:
    """Not of a file that it includes."""
    return any(name == section and place.rpartition(":")[0] == str(path) for (name, _), place in places.items())


def check_run(sections: list[str], full: Study, short: Study) -> None:
    """A section of an algorithm that no form of the study runs would be read by nobody."""
    for section in sections:
        name = section.split()[-1]
        run = short.algorithms() if is_of_quick(section) else [*full.algorithms(), *short.algorithms()]
        if name not in run:
            place = full.places.get((section, "")) or short.place(section.removeprefix("quick").strip())
            raise StudyError(f"{place}: [{section}]: the study does not run {name}; take the section out, or put {name} into "
                             f"algorithms = {', '.join(dict.fromkeys(run))}")


def require_quick(studies: list[Study]) -> None:
    if not any(study.has_quick for study in studies):
        raise StudyError(f"--quick: {', '.join(str(study.path) for study in studies)} has no [quick]; add one, or leave --quick out")


MOST_BYTES = 16 << 20  # of a text that somebody wrote


def read_plain(path: Path, label: str = "") -> str:
    """A text file as any editor saves it; the byte-order mark that some begin with is read over."""
    try:
        if stat.S_ISCHR(path.stat().st_mode):
            raise StudyError(f"{label or path}: cannot be read: is a device; give a file of text")
        with path.open("rb") as file:
            image = file.read(MOST_BYTES + 1)
        if len(image) > MOST_BYTES:
            raise StudyError(f"{label or path}: cannot be read: has over {MOST_BYTES >> 20} MiB; give a file of text")
    except OSError as error:
        raise StudyError(f"{label or path}: cannot be read: {error.strerror}") from None
    if why := why_no_text(image):
        raise StudyError(f"{label or path}: cannot be read: {why}")
    return image.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def as_blocks(paths: Iterable[Path], folder: str) -> list[str]:
    """Files as a page shows them, each once."""
    return [line for path in dict.fromkeys(paths) for line in (f"`{folder}/{path.name}`", "```ini", read_plain(path).rstrip(), "```", "")]


def why_no_text(image: bytes) -> str:
    """What a file is that is no UTF-8 text, and how to make one of it; nothing where it is."""
    for magic, name, unpack in COMPRESSED:
        if image.startswith(magic):
            return f"compressed ({name}); unpack it first: {unpack} FILE > NEW"
    # In UTF-16 every second byte of plain English is zero: the first of two, or the second.
    first, second = (image[k::2].count(0) for k in (0, 1))
    utf16 = ("UTF-16" if image.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else
             "" if 4 * max(first, second) < len(image) or min(first, second) > 0 else "UTF-16BE" if first else "UTF-16LE")
    if image and utf16:
        return f"not UTF-8 text but UTF-16; save it as UTF-8: iconv -f {utf16} -t UTF-8 FILE > NEW"
    if 0 in image:
        return (f"line {1 + image[:image.index(0)].count(10)} has a zero byte, which is no text; take it out, or save the file "
                "as UTF-8 text")
    try:
        image.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return (f"line {1 + image[:error.start].count(10)} has the byte 0x{image[error.start]:02X}, which is not UTF-8 text; if it is "
                "Latin-1, save it as UTF-8: iconv -f LATIN1 -t UTF-8 FILE > NEW")
    return ""


def _read(path: Path, above: tuple[Path, ...], places: Places) -> Sections:
    here = path.resolve()
    if here in above:
        raise StudyError(f"{path}: includes itself, by way of {', '.join(p.name for p in above[above.index(here):])}")
    text = read_plain(path)
    sections: Sections = {"": {}}
    section = ""
    lines_of: dict[tuple[str, str], int] = {}  # this file's own: what it sets may well stand in a file that it includes
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.split(r"(?:^|\s)[#;]", raw, maxsplit=1)[0].strip()
        if not line:
            continue
        if line.startswith("["):
            section = " ".join(line.strip("[] ").split())
            if not line.endswith("]") or not section or not SECTION.fullmatch(section):
                raise StudyError(f"{path}:{number}: {line}: a section is [grid], [algorithm NAME], [setting NAME], "
                                 "[quick] or one of these after 'quick'")
            sections.setdefault(section, {})
            places[section, ""] = f"{path}:{number}"
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key or not value:
            raise StudyError(f"{path}:{number}: '{line}': a line is NAME = VALUE")
        if key != "include" and (first := lines_of.setdefault((section, key), number)) != number:
            raise StudyError(f"{path}:{number}: {key}: is set twice in this file, in lines {first} and {number}; keep one")
        if key == "include":
            if section:
                raise StudyError(f"{path}:{number}: include goes above the first section")
            for name, lines in _read(path.parent / value, (*above, here), places).items():
                sections.setdefault(name, {}).update(lines)
        elif key in OWN_KEYS and section not in ("", "quick"):
            raise StudyError(f"{path}:{number}: {key} goes above the first section, or into [quick]")
        else:
            sections[section][key] = value
            places[section, key] = f"{path}:{number}"
    return sections


def split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def split_values(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def checked_list(text: str, where: str, between: str = ",") -> list[str]:
    """What a list has, each once; a list has something, and nothing empty."""
    parts = [part.strip() for part in text.split(between)]
    for k, part in enumerate(parts):
        if not part:
            raise StudyError(f"{where}: has nothing {f'after {parts[k - 1]}' if k else 'at its start'}; give a value, or take the "
                             f"'{between}' out")
        if part in parts[:k]:
            raise StudyError(f"{where}: {part} is there twice; give it once")
    return parts


def parse_seeds(text: str, where: str) -> list[int]:
    if not split_list(text):
        raise StudyError(f"{where}: no seed; give some, as 1-3")
    seeds: dict[int, str] = {}
    for part in checked_list(text, where):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part, re.ASCII)
        if not match or int(match[2] or match[1]) < int(match[1]) or int(match[2] or match[1]) - int(match[1]) > 9999:
            raise StudyError(f"{where}: '{part}' is not a number or a range like 1-3")
        for seed in range(int(match[1]), int(match[2] or match[1]) + 1):
            if seed in seeds:
                raise StudyError(f"{where}: {seed} is there twice, in {seeds[seed]} and in {part}; give it once")
            seeds[seed] = part
    return list(seeds)
