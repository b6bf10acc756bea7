# SPDX-License-Identifier: BSD-3-Clause
"""Anytime Minibatch against QuanTimed-DSGD on both clocks: bench/field/real-time.ini, tuned in virtual time, then compared on the
simulated clock and on this machine's cores with the same steps and seeds."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from . import field_settings as settings
from .field_beside import head, write
from .field_settings import TUNING_SEEDS, Part
from .processes import Processes, Refused
from .runner import find_program
from .statistics import number
from .study_file import StudyError

TITLE = "# Anytime Minibatch against QuanTimed-DSGD, on both clocks"  # the first line of what is written
CLOCKS = {"virtual": "In virtual time", "threads": "In real time"}


def part_of(folder: Path, quick: bool, engine: str) -> Part:
    """`form` names the folder of the comparison: virtual-compare, threads-compare."""
    names = ("base", *(("quick",) if quick else ()), "amb", "real-time", *(("quick-real-time",) if quick else ()))
    files = tuple(settings.FOLDER / f"{name}.ini" for name in names)
    return Part("real-time", engine, files, folder, settings.seeds(quick))


def run(folder: Path, quick: bool, _jobs: int, processes: Processes) -> None:
    virtual, threads = (part_of(folder, quick, engine) for engine in CLOCKS)
    config = [word for path in virtual.files for word in ("--config", path)]
    processes.call("real-time: tune", ["tune", *config, "--seeds", TUNING_SEEDS, "--threads", 1, "--output", virtual.tune, "--quiet"])
    refused(folder).unlink(missing_ok=True)
    for part in (virtual, threads):  # one after the other: nothing of ours runs beside what is timed
        try:
            processes.call(f"real-time: {part.form}", ["compare", "--config", virtual.tune / "tuned.ini", "--one-setting", "--engine", part.form,
                                                       "--seeds", part.seeds, "--output", part.compare, "--quiet"])
        except Refused as error:
            if part is virtual:
                raise
            refused(folder).write_text(f"{error}\n", encoding="utf-8")  # a machine of one core: the page says so
    (folder / "machine").write_text(f"{machine()}, load {os.getloadavg()[1]:.1f} at the end\n", encoding="utf-8")


def refused(folder: Path) -> Path:
    return folder / "threads-refused"


def machine() -> str:
    done = subprocess.run([find_program(), "info", "--json"], capture_output=True, text=True)
    if done.returncode:
        raise StudyError(f"info: {done.stderr.strip()}")
    here = json.loads(done.stdout)["machine"]
    return f"{here['cpu']}, {here['processing_units']} processing units"


def judged(folder: Path) -> dict:
    return json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["comparisons"][0]


def reasons(made: dict) -> list[str]:
    """The program's words on runs that do not count."""
    return [text for text in made["warnings"] if text.startswith("INVALID") or "do not count" in text or "not judged" in text]


def half(part: Part) -> list[str]:
    from .field_page import amb_section
    from .field_results import Outcome

    lines = [f"## {CLOCKS[part.form]}", ""]
    if part.form == "threads" and refused(part.folder).exists():
        return [*lines, f"**No finding**: {refused(part.folder).read_text(encoding='utf-8').strip()}.", ""]
    made = judged(part.compare)
    told = reasons(made)
    if any(not row["judged"] for row in made["rows"]):
        lines += ["**No finding**: half of an algorithm's runs or more do not count here.", ""]
    else:
        section = amb_section(Outcome(part))
        lines += section[next(k for k, line in enumerate(section) if line.startswith("|")):]  # the setting is told once
    return lines + [line for text in told for line in (f"WARNING: {text}.", "")]


def write_page(folder: Path, quick: bool, output: Path) -> None:
    from .field_page import SHOWN

    parts = {engine: part_of(folder, quick, engine) for engine in CLOCKS}
    options = parts["threads"].options
    paths = [path for part in parts.values() for path in part.compare.glob("*.h5")]
    if not paths:
        raise StudyError(f"{folder}: has no runs; run without --report-only")
    here = folder / "machine"  # where it was run, which need not be where it is told
    where = here.read_text(encoding="utf-8").strip() if here.exists() else "a machine that was not written down"
    lines = head(TITLE, "real-time", quick, paths, "runs that are judged", f"; in real time on {where}", "generated digits, short runs, few seeds")
    lines += ["Both compute until the same deadline, with the same straggler, and mix afterwards. The steps were tuned in virtual time, with as many "
              f"trials for each, on seeds {TUNING_SEEDS.replace('-', '–')}; both clocks have these steps, the same seeds and the same targets, fixed before "
              "the runs that are judged, and name a winner by the same rule as [everywhere](field.md). In virtual time speeds and link alone take time; in real time "
              "a node has a core of the machine, speeds and link are imposed, and arithmetic, codes and copies cost what they cost. The slow node "
              "holds the first labels; what that does to who weighs nodes by their samples is in [What each method minimises](field-minimises.md).", "",
              f"{', '.join(f'{name} {options[name]}' for name in SHOWN)}; {number(options['max-time']):g} s for each.", ""]
    for part in parts.values():
        lines += half(part)
    write(output, lines, parts["threads"].files)
