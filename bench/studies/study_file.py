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
comparison refused where it is not fair: see fairness.py.
"""
from __future__ import annotations

import codecs
import itertools
import json
import math
import re
import stat
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .fairness import unfairness

OWN_KEYS = ("include", "figure", "algorithms", "seeds", "settings", "targets", "tuned-by")
# What the runner itself gives to the program.
TAKEN = ("algorithm", "seed", "output", "threads", "quiet", "dry-run", "config", "repeats", "timeline")
COMPRESSED = ((b"\x1f\x8b", "gzip", "gunzip -c"), (b"\xfd7zXZ\0", "xz", "xz -dc"), (b"BZh", "bzip2", "bunzip2 -c"),
              (b"\x28\xb5\x2f\xfd", "Zstandard", "zstd -dc"))
SECTION = re.compile(r"(quick)?\s*(grid|(?:algorithm|setting)\s+\S+)?")

Sections = dict[str, dict[str, str]]


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
        names = split_list(self.text("algorithms", ", ".join(name for name, is_compared in known.items() if is_compared)))
        for name in names:
            if name not in known:
                raise StudyError(f"{self.path}: algorithms: '{name}' is not one of {', '.join(known)}")
        return names

    def targets(self) -> list[float]:
        """Losses that times are compared at, stated before the runs; none: shares of the fall."""
        losses = []
        for text in split_list(self.text("targets")):
            try:
                losses.append(float(text))
            except ValueError:
                losses.append(math.nan)
            if not (math.isfinite(losses[-1]) and losses[-1] > 0):
                raise StudyError(f"{self.path}: targets: '{text}' is no loss; give numbers above 0, as 2.2, 2.0, 1.9")
        return losses

    def _settings(self, algorithm: str) -> list[tuple[dict[str, str], dict[str, str]]]:
        common = {k: v for k, v in self.sections.get("", {}).items() if k not in OWN_KEYS}
        own = self.sections.get(f"algorithm {algorithm}", {})
        names = [s.split()[1] for s in self.sections if s.startswith("setting ")]
        if chosen := split_list(self.text("settings")):
            for name in chosen:
                if name not in names:
                    raise StudyError(f"{self.path}: settings: there is no [setting {name}]")
            names = chosen
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
def known_algorithms() -> dict[str, bool]:
    """The program's, in the order of its table, and whether they are compared where nobody says otherwise."""
    from .runner import find_program  # which imports this file

    command = [str(find_program()), "info", "--algorithms", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise StudyError(f"{' '.join(command)}: {done.stderr.strip()}; build the program again")
    return {row["name"]: row["is_compared"] for row in json.loads(done.stdout)["algorithms"]}


def read_study(path: Path, quick: bool = False) -> Study:
    sections = _read(path, ())
    has_quick = any(name.startswith("quick") for name in sections)
    if quick:
        for name in [s for s in sections if s.startswith("quick")]:
            sections.setdefault(name.removeprefix("quick").strip(), {}).update(sections[name])
    sections = {name: lines for name, lines in sections.items() if not name.startswith("quick")}
    study = Study(path, sections, has_quick)
    for section, lines in sections.items():
        for key, value in lines.items():
            if key in TAKEN:
                raise StudyError(f"{path}: {key}: set by the runner; leave it out of the file")
            if "|" in value and not (section == "grid" or section.startswith("algorithm")) and key != "figure":
                raise StudyError(f"{path}: {key} = {value}: several values go into [grid] or [algorithm NAME]")
    for section in sections:
        if section.startswith("algorithm ") and section.split()[1] not in known_algorithms():
            raise StudyError(f"{path}: [{section}]: not one of {', '.join(known_algorithms())}")
    if name := study.text("tuned-by"):
        if text := unfairness(study, read_study(path.parent / name), quick):
            raise StudyError(f"{path}: tuned-by = {name}: {text}")
    return study


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


def _read(path: Path, above: tuple[Path, ...]) -> Sections:
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
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key or not value:
            raise StudyError(f"{path}:{number}: '{line}': a line is NAME = VALUE")
        if key != "include" and (first := lines_of.setdefault((section, key), number)) != number:
            raise StudyError(f"{path}:{number}: {key}: is set twice in this file, in lines {first} and {number}; keep one")
        if key == "include":
            if section:
                raise StudyError(f"{path}:{number}: include goes above the first section")
            for name, lines in _read(path.parent / value, (*above, here)).items():
                sections.setdefault(name, {}).update(lines)
        elif key in OWN_KEYS and section not in ("", "quick"):
            raise StudyError(f"{path}:{number}: {key} goes above the first section, or into [quick]")
        else:
            sections[section][key] = value
    return sections


def split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def split_values(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def parse_seeds(text: str, where: str) -> list[int]:
    seeds: list[int] = []
    for part in split_list(text):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part, re.ASCII)
        if not match or int(match[2] or match[1]) < int(match[1]) or int(match[2] or match[1]) - int(match[1]) > 9999:
            raise StudyError(f"{where}: '{part}' is not a number or a range like 1-3")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not seeds:
        raise StudyError(f"{where}: no seed; give some, as 1-3")
    return list(dict.fromkeys(seeds))
